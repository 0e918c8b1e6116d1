//! What goes wrong in an app arrives: by Sentry's clients, and from apps that know of none.

use serde_json::Value;

use crate::harness::{Http, Place, get};
use crate::mail::{app, platform, python_with, serve};

const RAISES: &str = r"
    path = environ['PATH_INFO']
    if path == '/late':
        start_response('200 OK', [])
        return late()
    if path == '/logged':
        import logging
        try:
            int('x')
        except ValueError:
            logging.getLogger('app').exception('no number')
        start_response('200 OK', [])
        return [b'logged']
    if path == '/ok':
        start_response('200 OK', [])
        return [b'ok']
    from local_config import PASSWORD
    raise KeyError('no ' + path + ' with ' + PASSWORD)

def late():
    yield b'begun'
    raise RuntimeError('too late')
";

const YAML: &str = "application: app\nprotected_files: [local_config.py]\nhandlers:\n- url: /.*\n  wsgi_app: app:app\n";

fn listed(place: &Place, args: &[&str]) -> Vec<Value> {
    let mut all = vec!["errors", "list", "--json"];
    all.extend(args);
    place.dae(all).dir("app").ok().json()["errors"].as_array().unwrap().clone()
}

/// Waits until what is listed is as wanted: a worker reports before its server answers, but not before it closes.
fn until(place: &Place, wanted: impl Fn(&[Value]) -> bool) -> Vec<Value> {
    for _ in 0..200 {
        let found = listed(place, &[]);
        if wanted(&found) {
            return found;
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    panic!("it never came so far: {:#?}", listed(place, &["--all"]));
}

#[test]
fn an_app_that_knows_of_nothing_has_its_errors_counted() {
    let place = app(RAISES);
    place.write("app/app.yaml", YAML).write("app/local_config.py", "PASSWORD = 'hunter2hunter2'\n");
    assert!(place.dae(["errors", "list"]).dir("app").ok().stdout.contains("no errors"));
    let (mut serve, port, _) = serve(&place, &[]);
    for _ in 0..3 {
        assert_eq!(get(port, "app.localhost", "/a?b=c").status, 500);
    }
    serve.until("new, number 1: KeyError: 'no /a with [Filtered]' at app.py:24 in app");
    let found = until(&place, |found| found.len() == 1 && found[0]["count"] == 3);
    assert_eq!((&found[0]["kind"], &found[0]["since"]), (&"KeyError".into(), &3.into()));
    // An answer half sent, and one that was caught and logged.
    let _ = Http::open(port).get("app.localhost", "/late");
    assert_eq!(get(port, "app.localhost", "/logged").text(), "logged");
    let found = until(&place, |found| found.len() == 3);
    let mut kinds: Vec<_> = found.iter().map(|error| error["kind"].as_str().unwrap()).collect();
    kinds.sort_unstable();
    assert_eq!(kinds, ["KeyError", "RuntimeError", "ValueError"]);
    let shown = place.dae(["errors", "show", "1"]).dir("app").ok().to_string();
    insta::with_settings!({filters => vec![(r"\d\d-\d\d ", "")]}, { insta::assert_snapshot!(shown, @"
    exit: 0
    --- stdout
    Traceback (most recent call last):
      app.py:24 in app
        raise KeyError('no ' + path + ' with ' + PASSWORD)
    KeyError: 'no /a with [Filtered]'

    request: http://app.localhost/a
    process: web
    seen: number 1, 3 times from [TIME] to [TIME]
    since your last edit: 3 times
    "); });
    for file in ["errors.db", "errors.db-wal"] {
        let kept = std::fs::read(place.path("app/.dae/data").join(file)).unwrap_or_default();
        assert!(!kept.windows(14).any(|part| part == b"hunter2hunter2"), "{file}");
    }
    // An edit: what was seen was before it.
    let code = place.read("app/app.py");
    place.write("app/app.py", format!("{code}\n# edited\n"));
    serve.until("reloaded");
    assert_eq!(listed(&place, &["--since-edit"]).len(), 0);
    // Done with, and back.
    place.dae(["errors", "resolve", "1"]).dir("app").ok();
    assert_eq!(listed(&place, &[]).len(), 2);
    get(port, "app.localhost", "/b");
    serve.until("back, number 1");
    let found = listed(&place, &["--since-edit"]);
    assert_eq!((found.len(), &found[0]["count"], &found[0]["since"]), (1, &4.into(), &1.into()));
    let unknown = place.dae(["errors", "resolve", "99"]).dir("app").run();
    assert_eq!((unknown.code, unknown.stderr.contains("there is no error 99")), (1, true));
    assert_eq!(serve.stop().code, 0);
}

#[test]
fn frameworks_that_catch_everything_and_asgi_and_daemons_are_heard() {
    let place = Place::new();
    place.write("app/pip-req.txt", "flask\nweb.py\nbottle\n");
    place.write(
        "app/app.yaml",
        "application: app\nhandlers:\n- url: /flask\n  wsgi_app: app:flask_app\n- url: /bottle\n  wsgi_app: app:bottle_app\n\
         - url: /web\n  wsgi_app: app:web_app\ndaemons:\n- {name: feed, script: feed.py}\n",
    );
    place.write("app/feed.py", "import time\n\ndef feed():\n    raise LookupError('nothing to feed')\n\nfeed()\n");
    place.write(
        "app/app.py",
        "import bottle, flask, web\n\ndef fail(what):\n    raise ZeroDivisionError(what)\n\nflask_app = flask.Flask(__name__)\n\
         @flask_app.route('/flask')\ndef one():\n    fail('in flask')\n\nbottle_app = bottle.Bottle()\n@bottle_app.route('/bottle')\n\
         def two():\n    fail('in bottle')\n\nclass Three:\n    def GET(self):\n        fail('in web.py')\n\n\
         web_app = web.application(('/web', 'Three'), globals()).wsgifunc()\n",
    );
    let (serve, port) = serve_plain(&place);
    for path in ["/flask", "/bottle", "/web"] {
        assert_eq!(get(port, "app.localhost", path).status, 500, "{path}");
    }
    let found = until(&place, |found| found.len() == 4);
    let mut said: Vec<_> =
        found.iter().map(|error| (error["message"].as_str().unwrap(), error["count"].as_u64().unwrap() > 0)).collect();
    said.sort_unstable();
    assert_eq!(said, [("in bottle", true), ("in flask", true), ("in web.py", true), ("nothing to feed", true)]);
    let once = found.iter().filter(|error| error["kind"] == "ZeroDivisionError").all(|error| error["count"] == 1);
    assert!(once, "{found:#?}");
    assert_eq!(serve.stop().code, 0);

    let place = Place::new();
    place.write("app/pip-req.txt", "");
    place.write("app/app.yaml", "application: app\nworker: asgi\nhandlers:\n- url: /.*\n  asgi_app: app:app\n");
    place.write(
        "app/app.py",
        "async def app(scope, receive, send):\n    if scope['type'] == 'http':\n        raise EOFError('in asgi')\n",
    );
    let (serve, port) = serve_plain(&place);
    assert_eq!(get(port, "app.localhost", "/").status, 500);
    let found = until(&place, |found| !found.is_empty());
    assert_eq!((found.len(), &found[0]["message"], &found[0]["count"]), (1, &"in asgi".into(), &1.into()));
    assert_eq!(serve.stop().code, 0);
}

#[test]
fn what_the_system_refuses_an_app_is_answered_as_its_error() {
    let place = app("    open('/no/such/file')");
    let (mut serve, port) = serve_plain(&place);
    let mut http = Http::open(port);
    // On one connection: it is the app's error and not the connection's.
    for _ in 0..2 {
        let answer = http.get("app.localhost", "/").unwrap();
        assert!(answer.status == 500 && answer.text().contains("Internal Server Error"), "{answer:?}");
    }
    serve.until("FileNotFoundError: [Errno 2] No such file or directory: '/no/such/file'");
    let found = until(&place, |found| !found.is_empty() && found[0]["count"] == 2);
    assert_eq!(found[0]["kind"], "FileNotFoundError");
    assert_eq!(serve.stop().code, 0);
}

fn serve_plain(place: &Place) -> (crate::harness::Running, u16) {
    let port = crate::harness::free_port();
    let mut serve = place.dae(["serve", "app", "--port", &port.to_string()]).spawn();
    serve.until("started");
    (serve, port)
}

#[test]
fn the_clients_of_sentry_are_understood() {
    let place = app("");
    let python = python_with(&place, "sentry", &["pytest", "sentry-sdk==2.75.0", "raven==6.10.0", "flask", "brotli"]);
    let (serve, _, values) = serve(&place, &["SENTRY_DSN"]);
    let said = platform(&place, &python, "test_errors.py", &[("PLATFORM_DSN", &values[0])]);
    assert!(said.contains(" passed") && !said.contains("skipped"), "{said}");
    let found = listed(&place, &[]);
    let mut kinds: Vec<String> = found
        .iter()
        .map(|error| {
            format!("{} {}: {}", error["count"], error["kind"].as_str().unwrap(), error["message"].as_str().unwrap())
        })
        .collect();
    kinds.sort();
    insta::assert_snapshot!(kinds.join("\n"), @"
    1 ArithmeticError: by raven
    1 ArithmeticError: in flask, by sentry-sdk
    1 error: plain
    1 warning: a message by sentry-sdk
    2 ArithmeticError: by sentry-sdk
    2 error: %s messages by raven
    ");
    let refused = place.dae(["errors", "list", "--json"]).dir("app").ok().json()["refused"].clone();
    assert!(refused.as_array().unwrap().iter().any(|one| one["why"].as_str().unwrap().contains("malformed envelope")));
    assert_eq!(serve.stop().code, 0);
}

#[test]
fn the_documentation_is_right() {
    let page = include_str!("../../docs/errors.md");
    let snippet = page.split("```python\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    let place = app("");
    let python = python_with(&place, "sentry", &["pytest", "sentry-sdk==2.75.0", "raven==6.10.0", "flask", "brotli"]);
    place.write("app/snippet.py", snippet);
    place.dae(["run", "--", python.to_str().unwrap(), "snippet.py"]).dir("app").ok();
    let found = listed(&place, &[]);
    assert_eq!((found.len(), &found[0]["kind"]), (1, &"ZeroDivisionError".into()));
}
