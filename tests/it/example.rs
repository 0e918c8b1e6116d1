//! `examples/guestbook`, as the README has it served.

use crate::harness::{Http, Place, free_port};

/// A copy, because serving an app makes a virtualenv in it.
fn guestbook(place: &Place) {
    let from = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/guestbook");
    for file in ["app.yaml", "app.py", "pip-req.txt", "test_app.py", "static/guestbook.css", "templates/index.html"] {
        place.write(format!("guestbook/{file}"), std::fs::read(from.join(file)).unwrap());
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
    let ran = serve.stop();
    assert!([0, 130].contains(&ran.code), "{}", ran.raw());
    assert!(place.path("guestbook/permdir/guestbook.sqlite3").is_file());

    let tests = place.command(place.path("guestbook/venv/bin/python"), ["-Wall", "-m", "unittest"]);
    assert!(tests.dir("guestbook").ok().stderr.contains("\nOK\n"));
}
