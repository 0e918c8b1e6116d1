//! `examples/guestbook`, as the README has it served.

use crate::harness::{Http, Place, free_port};

/// A copy, because serving an app makes a virtualenv in it.
fn guestbook(place: &Place) {
    let from = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/guestbook");
    for folder in ["", "databases", "jobs", "static", "templates"] {
        for entry in std::fs::read_dir(from.join(folder)).unwrap().map(Result::unwrap) {
            // What serving it in its own place left there is no part of it.
            let kind = entry.path().extension().map(|kind| kind.to_string_lossy().into_owned()).unwrap_or_default();
            if ["yaml", "py", "txt", "css", "html", "sql"].contains(&kind.as_str()) {
                let below = std::path::Path::new("guestbook").join(folder).join(entry.file_name());
                place.write(below, std::fs::read(entry.path()).unwrap());
            }
        }
    }
}

#[test]
fn the_guestbook_is_served_and_its_own_tests_pass() {
    let place = Place::new();
    guestbook(&place);
    let port = free_port();
    let host = format!("guestbook.localhost:{port}");
    let mut serve = place.dae(["-C", "guestbook", "serve", "--port", &port.to_string()]).spawn();
    serve.until(&format!("http://{host}"));
    let mut browser = Http::open(port);
    let first = browser.get(&host, "/").unwrap();
    assert_eq!(first.status, 200, "{}", first.text());
    assert!(first.text().contains("Nobody was here yet."), "{}", first.text());

    let form = [("Content-Type", "application/x-www-form-urlencoded")];
    let written = browser.send("POST", &host, "/", &form, b"name=Ada&text=%E4%BD%A0%E5%A5%BD").unwrap();
    assert_eq!(written.status, 303, "{}", written.text());
    let second = browser.get(&host, "/").unwrap().text();
    assert!(second.contains("<p>你好</p>") && second.contains("1 line so far."), "{second}");

    let css = browser.get(&host, "/static/guestbook.css").unwrap();
    assert_eq!(css.header("content-type"), Some("text/css; charset=utf-8"));
    assert_eq!(css.text(), place.read("guestbook/static/guestbook.css"));

    // Behind the answer: the task mailed the line, by a worker of its own.
    serve.until("Ada wrote");
    let rows = place.dae(["-C", "guestbook", "mail", "list", "--json"]).ok().json();
    assert!(rows.to_string().contains("Ada wrote"), "{rows}");
    let ran = place.dae(["-C", "guestbook", "cron", "run", "digest"]).ok();
    assert!(ran.raw().contains("1 lines"), "{}", ran.raw());
    let words = place.dae(["-C", "guestbook", "run", "--", "python", "jobs/words.py"]).ok();
    assert_eq!(words.stdout, "     1 你好\n");
    let ran = serve.stop();
    assert!([0, 130].contains(&ran.code), "{}", ran.raw());

    // Its tests see none of that, and leave it alone.
    let tests = place.dae(["-C", "guestbook", "test"]).ok();
    assert!(tests.stderr.contains("\nOK\n"), "{}", tests.raw());
    let kept = ["-C", "guestbook", "run", "--", "python", "-c", "import lines; print(lines.count())"];
    assert_eq!(place.dae(kept).ok().stdout, "1\n");
}
