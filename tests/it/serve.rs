//! `dae serve`, with a real browser's part played by hand.

use std::io::Read as _;
use std::net::TcpListener;

use crate::harness::{Http, Place, Running, free_port, get};

const YAML: &str = "application: app\nhandlers:\n- url: /.*\n  wsgi_app: app:app\n";

fn says(what: &str) -> String {
    format!(
        "def app(environ, start_response):\n    start_response('200 OK', [('Content-Type', 'text/html')])\n    return [b'{what}']\n"
    )
}

fn app(what: &str) -> Place {
    let place = Place::new();
    place.write("app/app.yaml", YAML).write("app/app.py", says(what)).write("app/pip-req.txt", "");
    place
}

fn serve(place: &Place) -> (Running, u16) {
    let port = free_port();
    let mut serve = place.dae(["serve", "app", "--port", &port.to_string()]).spawn();
    serve.until("started");
    (serve, port)
}

/// Asks until the answer holds `wanted`: between a save and the system's word of it an old answer is possible.
fn until(port: u16, wanted: &str) -> String {
    for _ in 0..200 {
        let text = get(port, "app.localhost", "/").text();
        if text.contains(wanted) {
            return text;
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    panic!("`{wanted}` was never answered");
}

#[test]
fn a_broken_save_shows_its_traceback_and_the_next_good_one_recovers() {
    let place = app("one");
    let (mut serve, port) = serve(&place);
    assert!(get(port, "app.localhost", "/").text().starts_with("one"));
    for (broken, told) in [
        ("def app(:\n", "SyntaxError"),
        ("import no_such_module\n", "ModuleNotFoundError: No module named &#x27;no_such_module&#x27;"),
        ("import sys\nsys.exit('enough')\n", "SystemExit: enough"),
        ("x = 1\n", "and module `app` has no `app`"),
    ] {
        place.write("app/app.py", broken);
        serve.until("error:");
        let mut http = Http::open(port);
        let page = http.send("GET", "app.localhost", "/", &[("Accept", "text/html")], b"").unwrap();
        assert_eq!(page.status, 500);
        assert!(page.text().contains(told), "{}", page.text());
        assert!(page.text().contains("/_dae/refresh.js"));
        place.write("app/app.py", says(&format!("after {}", broken.len())));
        until(port, &format!("after {}", broken.len()));
        serve.until("reloaded");
    }
    let ran = serve.stop();
    assert_eq!(ran.code, 0, "{}", ran.raw());
}

#[test]
fn app_yaml_and_pip_req_are_followed_too() {
    let place = app("one");
    let (mut serve, port) = serve(&place);
    place.write("app/app.yaml", "application: app\nhandlers:\n- url: /.*\n  wsgi_ap: app:app\n");
    serve.until("does not say what answers");
    assert!(until(port, "does not say what answers").contains("app.yaml:3"));
    // Code that is saved meanwhile mends nothing.
    place.write("app/app.py", says("mended"));
    serve.until("does not say what answers");
    assert!(get(port, "app.localhost", "/").text().contains("app.yaml:3"));
    place.write("app/app.py", says("one"));
    place.write("app/app.yaml", YAML);
    until(port, "one");
    // A package that is new in the file is there for the code that is saved with it.
    place.write("app/pip-req.txt", "itsdangerous==2.2.0\n");
    place.write("app/app.py", format!("import itsdangerous\n{}", says("signed")));
    until(port, "signed");
    assert_eq!(serve.stop().code, 0);
}

#[test]
fn a_debugger_in_a_request_gets_the_keyboard() {
    let place = app("one");
    let port = free_port();
    let mut serve = place.dae(["serve", "app", "--port", &port.to_string()]).seated();
    serve.until("started");
    // Forked, with a terminal of its own, whatever the first one was.
    let debugged = "def app(environ, start_response):\n    secret = 6 * 7\n    breakpoint()\n    \
                    start_response('200 OK', [])\n    return [b'went on']\n";
    place.write("app/app.py", debugged);
    serve.until("reloaded");
    let asked = std::thread::spawn(move || get(port, "app.localhost", "/").text());
    serve.until("(Pdb) ");
    serve.keys("p secret\n");
    serve.until("42");
    serve.until("(Pdb) ");
    serve.keys("c\n");
    assert_eq!(asked.join().unwrap(), "went on");
    // Keys are keys again.
    serve.until("200 GET /");
    serve.keys("?");
    serve.until("[q]uit");
    serve.keys("q");
    serve.until("everything it started has ended");
    assert_eq!(serve.wait(), 0);
}

#[test]
fn keys_filter_what_is_shown_and_keep_the_state() {
    let place = app("one");
    let code = "def app(environ, start_response):\n    path = environ['PATH_INFO']\n    \
                print('ERROR no tea' if path == '/bad' else 'tea is there', flush=True)\n    \
                start_response('200 OK', [])\n    return [b'said']\n";
    place.write("app/app.py", code);
    let port = free_port();
    let mut serve = place.dae(["serve", "app", "--port", &port.to_string()]).seated();
    serve.until("[l]og filter");
    serve.until("started");
    serve.keys("l");
    serve.until("show only");
    serve.keys("errox\u{7f}r\n");
    serve.until("only `error` and worse");
    for path in ["/good", "/bad"] {
        assert_eq!(get(port, "app.localhost", path).text(), "said");
    }
    serve.until("ERROR no tea");
    assert!(!serve.seen().contains("tea is there") && !serve.seen().contains("GET /good"), "{}", serve.seen());
    serve.keys("\u{1b}");
    serve.until("all is shown again");
    get(port, "app.localhost", "/good");
    serve.until("tea is there");
    serve.keys("s");
    serve.until("brings app back to this moment");
    serve.keys("d");
    serve.until("none waits");
    serve.keys("q");
    serve.until("everything it started has ended");
    assert_eq!(serve.wait(), 0);
    let states = place.dae(["state", "list", "--json", "-C", "app"]).ok().json();
    assert_eq!(states["states"].as_array().unwrap().len(), 1, "{states}");
}

#[test]
fn the_browser_hears_of_every_change() {
    let place = app("<h1>one</h1>");
    place.write("app/static/style.css", "a {}");
    let (mut serve, port) = serve(&place);
    let html = get(port, "app.localhost", "/");
    assert!(html.text().starts_with("<h1>one</h1><script src=\"/_dae/refresh.js\" data-seen=\""), "{}", html.text());
    let mut stream = std::net::TcpStream::connect(("127.0.0.1", port)).unwrap();
    std::io::Write::write_all(&mut stream, b"GET /_dae/refresh HTTP/1.1\r\nHost: app.localhost\r\n\r\n").unwrap();
    let mut heard = String::new();
    let mut numbers = |wanted: usize| {
        let mut chunk = [0; 4096];
        while heard.matches("data: ").count() < wanted {
            let count = stream.read(&mut chunk).unwrap();
            assert_ne!(count, 0, "{heard}");
            heard.push_str(&String::from_utf8_lossy(&chunk[..count]));
        }
    };
    numbers(1);
    place.write("app/app.py", says("<h1>two</h1>"));
    numbers(2);
    place.write("app/static/style.css", "b {}");
    numbers(3);
    place.write("app/app.py", "broken(");
    numbers(4);
    serve.until("refreshed");
    assert_eq!(serve.stop().code, 0);
}

#[test]
fn a_taken_port_names_its_holder_and_offers_the_next() {
    let place = app("one");
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let ran = place.dae(["serve", "app", "--port", &port.to_string()]).run();
    assert_eq!(ran.code, 1);
    let me = std::process::id().to_string();
    let said = ran.stderr.replace(&me, "[PID]").replace(&port.to_string(), "[TAKEN]");
    insta::with_settings!({ filters => [(r"`[^`]+` in `[^`]+`", "`[COMMAND]` in `[FOLDER]`"), (r"--port \d+", "--port [NEXT]")] }, {
        insta::assert_snapshot!(said, @"
        error: port [TAKEN] is taken
          because: process [PID] holds it: `[COMMAND]` in `[FOLDER]`

        hint: type `dae serve --port [NEXT]`
        ");
    });
}

#[test]
fn a_second_serve_joins_the_first_and_leaves_it_running() {
    let place = app("one");
    let (first, port) = serve(&place);
    let mut second = place.dae(["serve", "app"]).spawn();
    second.until("already");
    second.until("started");
    place.write("app/app.py", says("two"));
    second.until("reloaded");
    assert_eq!(second.stop().code, 0);
    assert!(until(port, "two").starts_with("two"));
    let mut third = place.dae(["serve", "app", "--json"]).spawn();
    third.event("started");
    assert_eq!(first.stop().code, 0);
    assert_eq!(third.wait().code, 0);
}

#[test]
fn in_the_background_it_is_asked_restarted_and_ended_by_name() {
    let place = app("one");
    let port = free_port();
    let status = || place.dae(["status", "-C", "app"]).run();
    assert_eq!((status().code, status().stdout.trim()), (1, "not being served"));
    let begun = place.dae(["serve", "app", "--detach", "--port", &port.to_string()]).ok();
    assert!(begun.stderr.contains(&format!("http://app.localhost:{port}")), "{}", begun.raw());
    assert!(get(port, "app.localhost", "/").text().starts_with("one<script src=\"/_dae/refresh.js\""));
    let json = place.dae(["status", "-C", "app", "--json"]).ok().json();
    assert_eq!(json["url"], format!("http://app.localhost:{port}"));
    // A page of somebody else's cannot do it.
    let forged = Http::open(port).send("POST", "app.localhost", "/_dae/restart", &[], b"").unwrap();
    assert_eq!(forged.status, 403);
    place.dae(["restart", "-C", "app"]).ok();
    until(port, "one");
    place.dae(["stop", "-C", "app"]).ok();
    assert_eq!(status().code, 1);
    let ran = place.dae(["stop", "-C", "app"]).run();
    assert_eq!(ran.code, 1);
    assert!(ran.stderr.contains("this app is not being served"), "{}", ran.raw());
}

#[test]
fn other_names_than_the_machines_own_are_not_answered() {
    let place = app("one");
    let (serve, port) = serve(&place);
    for (host, status) in [("app.localhost", 200), ("localhost", 200), ("127.0.0.1", 200), ("evil.example", 404)] {
        assert_eq!(get(port, host, "/").status, status, "{host}");
    }
    assert_eq!(serve.stop().code, 0);
}

#[test]
fn a_page_without_a_kind_refreshes_in_a_browser_and_is_left_alone_elsewhere() {
    let place = app("one");
    place.write("app/app.py", says("one").replace("('Content-Type', 'text/html')", ""));
    let (serve, port) = serve(&place);
    assert_eq!(get(port, "app.localhost", "/").text(), "one");
    let accept = [("Accept", "text/html,application/xhtml+xml")];
    let page = Http::open(port).send("GET", "app.localhost", "/", &accept, b"").unwrap();
    assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"));
    assert!(page.text().contains("<script src=\"/_dae/refresh.js\""));
    assert_eq!(serve.stop().code, 0);
}

#[test]
fn an_answer_that_comes_before_the_whole_request_was_read_arrives() {
    let place = app("one");
    place.write(
        "app/app.py",
        "def app(environ, start_response):\n    start_response('413 Too Large', [('Content-Length', '3'), ('Connection', 'close')])\n    return [b'big']\n",
    );
    place.write("app/app.yaml", format!("{YAML}worker: sync\n"));
    let (serve, port) = serve(&place);
    // The client may still be writing when the connection is closed; but it never may see another answer.
    let ask = || Http::open(port).send("POST", "app.localhost", "/", &[], &vec![7; 8 << 20]).ok();
    let answers: Vec<_> = (0..5).filter_map(|_| ask()).map(|answer| (answer.status, answer.text())).collect();
    assert!(!answers.is_empty());
    for answer in answers {
        assert_eq!(answer, (413, "big".to_owned()));
    }
    assert_eq!(serve.stop().code, 0);
}

#[test]
fn run_and_test_get_the_contract_and_give_back_the_exit_code() {
    let place = app("one");
    let ran = place
        .dae(["run", "-C", "app", "--", "python", "-c"])
        .arg("import os, gunicorn, dae.api, app; print(os.environ['DAE_ENV'], os.environ['DAE_APPNAME'], app.__file__)")
        .ok();
    assert!(ran.stdout.starts_with("SDK app ") && ran.stdout.trim().ends_with("/app/app.py"), "{}", ran.raw());
    assert_eq!(place.dae(["run", "-C", "app", "--", "sh", "-c", "exit 7"]).run().code, 7);
    let ran = place.dae(["run", "-C", "app", "--", "no-such-program"]).run();
    assert_eq!(ran.code, 1);
    assert!(ran.stderr.contains("there is no program `no-such-program`"), "{}", ran.raw());
    let test = "import unittest\nclass T(unittest.TestCase):\n    def test_one(self):\n        import app\n";
    place.write("app/test_one.py", test);
    let ran = place.dae(["test", "-C", "app"]).ok();
    assert!(ran.stderr.contains("Ran 1 test"), "{}", ran.raw());
    place.write("app/test_one.py", format!("{test}        self.fail()\n"));
    assert_eq!(place.dae(["test", "-C", "app", "--", "-v"]).run().code, 1);
}

#[test]
fn dev_yaml_points_the_app_at_its_services_and_test_yaml_its_tests() {
    let place = app("one");
    place.write(
        "app/app.py",
        "import os\n\ndef app(environ, start_response):\n    start_response('200 OK', [('Content-Type', 'text/plain')])\n    \
         names = ['DAE_MYSQL_HOST', 'DAE_MYSQL_PORT', 'DAE_MEMCACHE', 'DAE_PERMDIR']\n    \
         return [' '.join(os.environ.get(name, '-') for name in names).encode()]\n",
    );
    place.write("app/dev.yaml", "mysql: {host: db.example, port: 3307}\nmemcache: [127.0.0.1:11212]\npermdir: files\n");
    let (mut serve, port) = serve(&place);
    let files = place.path("app").canonicalize().unwrap().join("files");
    assert_eq!(get(port, "app.localhost", "/").text(), format!("db.example 3307 127.0.0.1:11212 {}", files.display()));
    place.write("app/dev.yaml", "memcache: [127.0.0.1:11213]\n");
    // Its own database again, on this machine.
    let told = until(port, "11213");
    assert!(told.starts_with("127.0.0.1 ") && !told.contains("3307"), "{told}");
    place.write("app/dev.yaml", "memcache: nonsense port\n");
    serve.until("error:");
    assert!(serve.stop().stderr.contains("db.example"), "a service elsewhere is named");
    place.write("app/dev.yaml", "queue: 127.0.0.1:1\n").write("app/test.yaml", "queue: 127.0.0.1:2\n");
    let asks = ["-C", "app", "--", "python", "-c", "import os; print(os.environ['DAE_QUEUE'])"];
    assert_eq!(place.dae(std::iter::once("run").chain(asks)).ok().stdout, "127.0.0.1:1\n");
    place.write(
        "app/test_q.py",
        "import os, unittest\nclass T(unittest.TestCase):\n    def test(self):\n        self.assertEqual(os.environ['DAE_QUEUE'], '127.0.0.1:2')\n",
    );
    place.dae(["test", "-C", "app"]).ok();
}
