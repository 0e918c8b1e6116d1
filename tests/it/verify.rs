//! `dae serve --verify-reload`: what a warm reload has and a cold start would not have is told, and nothing else is.

use serde_json::Value;

use crate::harness::{Place, Running, free_port};

const ANSWERS: &str = "\ndef app(environ, start_response):\n    start_response('200 OK', [])\n    return [b'said']\n";

/// Saves, and waits for what the comparison says.
fn saved(place: &Place, serve: &mut Running, code: &str) -> Value {
    place.write("app/app.py", format!("{code}{ANSWERS}"));
    assert_eq!(serve.event("reloaded")["start"], "warm", "{}", serve.said());
    serve.event("verified")["problem"].clone()
}

#[test]
fn what_only_a_warm_reload_has_is_told_once() {
    let place = Place::new();
    place.write(
        "app/app.yaml",
        "application: app\nhandlers:\n- url: /.*\n  wsgi_app: app:app\nselftest: [{url: /, status: 200}]\n",
    );
    place.write("app/pip-req.txt", "").write("app/app.py", ANSWERS);
    let port = free_port().to_string();
    let mut serve = place.dae(["serve", "app", "--json", "--verify-reload", "--port", &port]).spawn();
    serve.event("started");
    // Just alike, threads and settings of its own included.
    let own = "import locale, os, threading, time\nthreading.Thread(target=time.sleep, args=(60,), daemon=True).start()\nos.environ['OWN'] = '1'\nseen = time.time()\n";
    assert_eq!(saved(&place, &mut serve, own), Value::Null);
    assert_eq!(saved(&place, &mut serve, "import xml.dom.minidom\n"), Value::Null);
    // Now the parent has it, so it is there by accident; first the parent has to be made.
    let leans = "import xml\nminidom = xml.dom.minidom\n";
    let unlike = loop {
        place.write(
            "app/app.py",
            format!("import xml.dom.minidom\nminidom = xml.dom.minidom  # {}\n{ANSWERS}", serve.said().len()),
        );
        assert_eq!(serve.event("reloaded")["start"], "warm");
        assert_eq!(serve.event("verified")["problem"], Value::Null);
        place.write("app/app.py", format!("{leans}{ANSWERS}"));
        let next = serve.until_some("reloaded or broken", |line| {
            let value: Value = serde_json::from_str(line).ok()?;
            ["reloaded", "broken"].contains(&value["event"].as_str()?).then_some(value)
        });
        if next["event"] == "reloaded" {
            break serve.event("verified")["problem"].clone();
        }
    };
    assert!(unlike["message"].as_str().unwrap().contains("a cold start of this code fails"), "{unlike}");
    assert!(unlike["causes"][0].as_str().unwrap().contains("module 'xml' has no attribute 'dom'"), "{unlike}");
    assert!(unlike["place"]["file"].as_str().unwrap().ends_with("app.py") && unlike["place"]["line"] == 2, "{unlike}");
    // Once.
    assert_eq!(saved(&place, &mut serve, &format!("{leans}# once more\n")), Value::Null);
    // What nobody imports any more is told, and then imported no more.
    let unlike = saved(&place, &mut serve, "one = 1\n");
    assert!(unlike["causes"][0].as_str().unwrap().starts_with("only after the reload, imported: "), "{unlike}");
    assert!(unlike["causes"][0].as_str().unwrap().contains("xml"), "{unlike}");
    assert_eq!(saved(&place, &mut serve, "two = 2\n"), Value::Null);
    assert!(!place.read("app/.dae/learned.json").contains("xml.dom"));
    assert_eq!(serve.stop().code, 0);
}
