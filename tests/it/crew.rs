//! What runs beside the web processes: daemons, under `dae serve` and on a node.

use std::time::{Duration, Instant};

use crate::harness::{PATIENCE, Place, Running, free_port, get};

const APP: &str = "def app(environ, start_response):\n    start_response('200 OK', [])\n    return [b'one']\n";
/// Says when it begins and when it is asked to end, and shows that there is one of it at a time.
const FEED: &str = r"
import fcntl, os, signal, sys, time
import helper

lock = open(os.path.join(os.environ['DAE_APPROOT'], 'lock'), 'w')
try:
    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
except OSError:
    print('TWO OF ME')
print('feed', helper.WORD, sys.argv, os.environ['DAE_ENV'], sys.stdout.isatty(), os.getpid())

def end(*_):
    print('asked to end')
    time.sleep(0.1)
    sys.exit(0)

signal.signal(signal.SIGTERM, end)
while True:
    time.sleep(60)
";

fn app(daemons: &str) -> Place {
    let place = Place::new();
    let yaml = format!("application: app\nhandlers:\n- url: /.*\n  wsgi_app: app:app\ndaemons:\n{daemons}");
    place.write("app/app.yaml", yaml).write("app/app.py", APP).write("app/pip-req.txt", "");
    place.write("app/jobs/feed.py", FEED).write("app/helper.py", "WORD = 'one'\n");
    place
}

fn serve(place: &Place) -> (Running, u16) {
    let port = free_port();
    let mut serve = place.dae(["serve", "app", "--port", &port.to_string()]).spawn();
    serve.until("started");
    (serve, port)
}

fn processes(place: &Place) -> Vec<(String, i64)> {
    let status = place.dae(["status", "--json"]).dir("app").ok().json();
    let one = |process: &serde_json::Value| {
        (process["process"].as_str().unwrap().to_owned(), process["pid"].as_i64().unwrap())
    };
    status["processes"].as_array().unwrap().iter().map(one).collect()
}

fn pid(place: &Place, name: &str) -> Option<i64> {
    processes(place).into_iter().find(|(process, _)| process == name).map(|(_, pid)| pid)
}

pub fn until(what: &str, reached: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !reached() {
        assert!(Instant::now() < deadline, "never: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn is_gone(pid: i64) -> bool {
    !std::path::Path::new(&format!("/proc/{pid}")).exists()
}

#[test]
fn a_daemon_follows_the_code_and_there_is_one_of_it() {
    let place = app("- {name: feed, script: jobs/feed.py --verbose \"a b\"}\n");
    let (mut serve, _port) = serve(&place);
    serve.until("feed one ['jobs/feed.py', '--verbose', 'a b'] SDK True");
    let first = pid(&place, "feed").unwrap();
    assert!(pid(&place, "web").is_some());

    place.write("app/helper.py", "WORD = 'two'\n");
    serve.until("asked to end");
    serve.until("feed two");
    assert!(is_gone(first));

    // Broken code: nothing runs beside a problem.
    let second = pid(&place, "feed").unwrap();
    place.write("app/app.py", "def app(:\n");
    serve.until("SyntaxError");
    until("the daemon of broken code ends", || is_gone(second));
    assert_eq!(pid(&place, "feed"), None);
    place.write("app/app.py", APP);
    serve.until("feed two");

    let third = pid(&place, "feed").unwrap();
    place.dae(["restart", "feed"]).dir("app").ok();
    serve.until("for that was asked");
    serve.until("feed two");
    assert!(is_gone(third));
    let problem = place.dae(["restart", "fed"]).dir("app").run();
    assert_eq!(problem.code, 1);
    assert!(problem.stderr.contains("no process `fed`") && problem.stderr.contains("there is feed"), "{problem}");

    let fourth = pid(&place, "feed").unwrap();
    let said = serve.said();
    assert!(!said.contains("TWO OF ME"), "{said}");
    assert_eq!(serve.stop().code, 0);
    assert!(is_gone(fourth));
    let log = place.read("app/.dae/logs/app/feed.log");
    assert_eq!(log.matches("feed two").count(), 3, "{log}");
    assert!(!place.read("app/.dae/logs/app/web.log").contains("feed two"));
}

#[test]
fn one_that_ends_at_once_waits_longer_each_time_and_the_web_serves_on() {
    let place = app("- {name: brief, script: brief.py}\n- {name: gone, script: no_such.py}\n");
    place.write("app/brief.py", "import sys\nprint('was here')\nsys.exit(3)\n");
    let (mut serve, port) = serve(&place);
    let began = Instant::now();
    for _ in 0..4 {
        serve.until("brief, for it ended with code 3");
    }
    // 100 + 200 + 400 ms between the four.
    assert!(began.elapsed() > Duration::from_millis(500), "{:?}", began.elapsed());
    serve.until("gone, for it ended with code");
    assert_eq!(get(port, "app.localhost", "/").text(), "one");
    assert_eq!(serve.stop().code, 0);
}

#[test]
fn several_instances_and_a_limit_of_memory() {
    let place =
        app("- {name: twin, script: twin.py, num_instances: 2}\n- {name: hog, script: hog.py, mem_limit: 64M}\n");
    place.write("app/twin.py", "import time\nprint('twin is up')\ntime.sleep(600)\n");
    place.write("app/hog.py", "import time\nheld = b'x' * (96 << 20)\nprint('hog is up')\ntime.sleep(600)\n");
    let (mut serve, _port) = serve(&place);
    let why = serve.until("restarting");
    assert!(why.contains("hog, for it used ") && why.contains("may use 64 (mem_limit)"), "{why}");
    until("both twins run", || {
        let names: Vec<String> = processes(&place).into_iter().map(|(name, _)| name).collect();
        names.contains(&"twin.1".into()) && names.contains(&"twin.2".into())
    });
    let before = (pid(&place, "twin.1"), pid(&place, "twin.2"));
    place.dae(["restart", "twin.2"]).dir("app").ok();
    until("the second is another", || pid(&place, "twin.2").is_some_and(|pid| Some(pid) != before.1));
    assert_eq!(pid(&place, "twin.1"), before.0);
    assert!(place.dae(["status"]).dir("app").ok().stdout.contains("twin.1"));
    assert_eq!(serve.stop().code, 0);
    assert!(place.read("app/.dae/logs/app/twin.2.log").contains("twin is up"));
}

#[test]
fn what_ignores_the_word_to_end_is_killed_with_its_children() {
    let place = app("- {name: deaf, script: deaf.py}\n");
    place.write(
        "app/deaf.py",
        "import signal, subprocess, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n\
         child = subprocess.Popen(['sleep', '600'])\nprint('deaf with', child.pid, '!')\ntime.sleep(600)\n",
    );
    let (mut serve, _port) = serve(&place);
    let said = serve.until("deaf with");
    let child: i64 = said.split_whitespace().rev().nth(1).unwrap().parse().unwrap();
    let daemon = pid(&place, "deaf").unwrap();
    assert_eq!(serve.stop().code, 0);
    assert!(is_gone(daemon) && is_gone(child));
}
