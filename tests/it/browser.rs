//! A real browser follows the saves by itself. Skipped where there is none.

use crate::harness::{Place, free_port};

const APP_YAML: &str = "application: daetest\nhandlers:\n- url: /.*\n  wsgi_app: app:app\n";

fn page(says: &str) -> String {
    format!(
        "def app(environ, start):\n    start('200 OK', [('Content-Type', 'text/html')])\n    return [b'<h1>{says}</h1>']\n"
    )
}

fn chromium() -> Option<&'static str> {
    let names = ["chromium", "chromium-browser", "google-chrome"];
    names.into_iter().find(|name| std::process::Command::new(name).arg("--version").output().is_ok())
}

#[test]
fn an_open_page_asks_again_after_a_save_and_after_a_problem() {
    let Some(chromium) = chromium() else {
        println!("skipped: there is no chromium here");
        return;
    };
    let place = Place::new();
    place.write("app/app.yaml", APP_YAML).write("app/pip-req.txt", "").write("app/app.py", page("one"));
    let port = free_port();
    let mut serve = place.dae(["serve", "--json", "--port", &port.to_string()]).dir("app").spawn();
    let mut shown = |status: u16| {
        serve.until_some(&format!("the page with {status}"), |line| {
            let event: serde_json::Value = serde_json::from_str(line).ok()?;
            (event["event"] == "served" && event["path"] == "/" && event["status"] == status).then_some(())
        });
    };
    let profile = format!("--user-data-dir={}", place.home("chromium").display());
    let url = format!("http://daetest.localhost:{port}/");
    let words =
        ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--remote-debugging-port=0", &profile];
    let _browser = place.command(chromium, words).arg(&url).spawn();
    shown(200);
    // Nobody but the page itself asks from here on.
    for (text, status) in [(page("two"), 200), ("broken(".to_owned(), 500), (page("three"), 200)] {
        place.write("app/app.py", text);
        shown(status);
    }
}
