//! Scheduled tasks under `dae serve`: by themselves, by hand, late, never ending.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::harness::{Http, PATIENCE, Place, Running, free_port};

const APP: &str = "
def app(environ, start_response):
    start_response('200 OK' if environ['PATH_INFO'] != '/bad' else '500 No', [])
    return [('asked by ' + environ.get('HTTP_X_DAE_CRON', 'somebody')).encode()]
";

fn app(jobs: &str) -> Place {
    let place = Place::new();
    let yaml = format!("application: app\nhandlers:\n- url: /.*\n  wsgi_app: app:app\ncron:\n{jobs}");
    place.write("app/app.yaml", yaml).write("app/app.py", APP).write("app/pip-req.txt", "");
    place.write("app/good.py", "import os, sys\nprint('for', os.environ['DAE_CRON_TIME'], sys.argv[1:])\n");
    place.write("app/bad.py", "import sys\nprint('not today')\nsys.exit(7)\n");
    place.write("app/endless.py", "import time\nprint('and on', flush=True)\ntime.sleep(3600)\n");
    place
}

fn serve(place: &Place, more: &[&str]) -> (Running, u16) {
    let port = free_port();
    let port_text = port.to_string();
    let mut serve = place.dae([&["serve", "app", "--port", &port_text], more].concat()).spawn();
    serve.until("started");
    (serve, port)
}

fn runs(place: &Place) -> Vec<String> {
    let runs = place.dae(["cron", "runs", "--json"]).dir("app").ok().json();
    let told =
        |run: &Value| format!("{} {} {} {}", run["job"], run["by"], run["outcome"], run["code"]).replace('"', "");
    runs["runs"].as_array().unwrap().iter().map(told).collect()
}

const NEVER: &str = "schedule: \"0 0 1 1 *\"";

#[test]
fn by_hand_as_if_at_another_time_with_output_and_exit() {
    let place = app(&format!(
        "- {{name: good, {NEVER}, script: good.py a \"b c\"}}\n- {{name: bad, {NEVER}, script: bad.py}}\n\
         - {{name: web, {NEVER}, url: /tasks}}\n- {{name: sad, {NEVER}, url: /bad}}\n"
    ));
    let idle = place.dae(["cron", "run", "good"]).dir("app").run();
    assert!(idle.code == 1 && idle.stderr.contains("dae serve"), "{idle}");
    let (serve, port) = serve(&place, &["--no-cron"]);
    let ran = place.dae(["cron", "run", "good", "--at", "2026-03-08T03:00:00Z"]).dir("app").ok();
    assert_eq!(ran.stdout, "for 2026-03-08T03:00:00Z ['a', 'b c']\n");
    let ran = place.dae(["cron", "run", "bad"]).dir("app").run();
    assert_eq!((ran.code, ran.stdout.as_str()), (7, "not today\n"));
    assert_eq!(place.dae(["cron", "run", "web"]).dir("app").ok().stdout, "asked by web\n");
    assert_eq!(place.dae(["cron", "run", "sad"]).dir("app").run().code, 1);
    assert_eq!(runs(&place), ["sad hand failed 500", "web hand good 200", "bad hand failed 7", "good hand good 0"]);
    assert!(place.dae(["cron", "runs", "bad", "--output"]).dir("app").ok().stdout.contains("not today"));
    assert_eq!(place.dae(["cron", "run", "no"]).dir("app").run().code, 1);

    // From outside nobody says that they are the scheduler.
    for name in ["X-Dae-Cron", "x-dae-cron", "X_Dae_Cron"] {
        let answer = Http::open(port).send("GET", "app.localhost", "/", &[(name, "web")], b"").unwrap();
        assert_eq!(answer.text(), "asked by somebody", "{name}");
    }
    assert_eq!(serve.stop().code, 0);
}

#[test]
fn by_itself_skipped_waited_for_paused_and_ended_with_the_server() {
    let place = app("- {name: tick, schedule: \"* * * * *\", script: good.py}\n\
         - {name: endless, schedule: \"* * * * *\", script: endless.py}\n\
         - {name: both, schedule: \"* * * * *\", script: both.py, overlap: allow}\n\
         - {name: later, schedule: \"* * * * *\", script: later.py, overlap: wait}\n");
    place.write("app/both.py", "import time\nprint('one of both', flush=True)\ntime.sleep(3600)\n");
    let go = place.path("go");
    let later = format!(
        "import os, time\nprint('later begins', flush=True)\nwhile not os.path.exists({go:?}):\n    time.sleep(0.02)\n"
    );
    place.write("app/later.py", later);
    place.dae(["cron", "pause", "tick"]).dir("app").ok();
    assert!(place.dae(["cron", "list", "tick"]).dir("app").ok().stdout.contains("paused"));
    let (mut serve, _port) = serve(&place, &[]);
    // Two full minutes: the first begins it, the second finds it going on.
    serve.until("and on");
    serve.until("endless: is due, and its last run still goes on: skipped");
    let mut times = |text: &str, count: usize| {
        let deadline = Instant::now() + PATIENCE;
        while serve.said().matches(text).count() < count {
            assert!(Instant::now() < deadline, "{text}: {}", serve.said());
            std::thread::sleep(Duration::from_millis(20));
        }
        serve.said().matches(text).count()
    };
    times("one of both", 2);
    // The second begins when the first has ended, and not before.
    assert_eq!(times("later begins", 1), 1);
    std::fs::write(go, "").unwrap();
    times("later begins", 2);
    assert_eq!(serve.stop().code, 0);
    let all = runs(&place);
    let of = |job: &str| all.iter().filter(|run| run.starts_with(job)).map(String::as_str).collect::<Vec<_>>();
    // On a slow machine a third minute may have come.
    assert_eq!(of("endless").last(), Some(&"endless schedule lost null"));
    assert!(of("endless").iter().rev().skip(1).all(|run| *run == "endless schedule skipped null"), "{all:?}");
    assert!(of("both").len() >= 2 && of("both").iter().all(|run| *run == "both schedule lost null"), "{all:?}");
    assert_eq!(of("later").last(), Some(&"later schedule good 0"));
    assert!(of("tick").is_empty(), "{all:?}");
}

#[test]
fn what_was_missed_is_said() {
    let place = app("- {name: tick, schedule: \"* * * * *\", script: good.py}\n");
    let (one, _) = serve(&place, &[]);
    assert_eq!(one.stop().code, 0);
    let db = place.path("app/.dae/data/cron/app/cron.sqlite");
    let db = rusqlite::Connection::open(db).unwrap();
    db.execute("update followed set until = until - 600000", []).unwrap();
    drop(db);
    let (mut two, _) = serve(&place, &[]);
    let told = two.said();
    if !told.contains("runs were missed") {
        two.until("runs were missed");
    }
    assert_eq!(two.stop().code, 0);
    assert_eq!(runs(&place)[0], "tick schedule missed null");
}
