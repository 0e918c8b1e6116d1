//! The queue and the scheduled tasks of a deployed app, seen and worked at from elsewhere.

use serde_json::{Value, json};

use crate::crew::until;
use crate::deploy::Remote;
use crate::harness::{Http, get};

const YAML: &str = "application: daetest
handlers:
- url: /.*
  wsgi_app: app:app
queues:
- {name: default, workers: 1, retries: 0, timeout: 60}
cron:
- {name: nightly, schedule: \"0 3 1 1 *\", script: nightly.py --all}
- {name: sad, schedule: \"@daily\", timezone: Asia/Shanghai, script: sad.py}
";

/// `/put/WORD` has it noted by a worker; `bad` fails until `/mend`, and `slow` waits for that.
const APP: &str = "
import os

import tasks
from dae.api.permdir import get_permdir

def app(environ, start):
    _, what, word = (environ['PATH_INFO'] + '/').split('/')[:3]
    if what == 'put':
        said = str(tasks.note.delay(word))
    elif what == 'mend':
        said = open(get_permdir() + '/mended', 'w').close()
    elif what == 'begun':
        said = os.path.exists(get_permdir() + '/begun')
    else:
        said = tasks.noted()
    start('200 OK', [])
    return [str(said).encode()]
";
const TASKS: &str = "
import os
import time

from dae.api import mq
from dae.api.permdir import get_permdir

@mq.task(queue='default', retries=0)
def note(word):
    if word == 'slow':
        open(get_permdir() + '/begun', 'w').close()
        while not os.path.exists(get_permdir() + '/mended'):
            time.sleep(0.02)
    if word == 'bad' and not os.path.exists(get_permdir() + '/mended'):
        raise KeyError('not yet')
    with open(get_permdir() + '/noted', 'a') as file:
        file.write(word + ' of ' + os.environ['DAE_RELEASE'] + '\\n')

def noted():
    path = get_permdir() + '/noted'
    return open(path).read() if os.path.exists(path) else ''
";

fn remote() -> Remote {
    let remote = Remote::new();
    remote.place.write("daetest/app.yaml", YAML).write("daetest/app.py", APP).write("daetest/tasks.py", TASKS);
    remote.place.write("daetest/nightly.py", "import os, sys\nprint(os.environ['DAE_CRON_TIME'], sys.argv[1:])\n");
    remote.place.write("daetest/sad.py", "import sys\nprint('no luck')\nsys.exit(7)\n");
    remote
}

fn there(remote: &Remote, words: &[&str]) -> crate::harness::Dae {
    remote.dae(&[words, &["--remote", "prod", "--json"]].concat())
}

fn asked(remote: &Remote, path: &str) -> String {
    let answer = get(remote.port, "daetest.apps.localhost", path);
    assert_eq!(answer.status, 200, "{path}: {}", answer.text());
    answer.text()
}

fn counts(remote: &Remote) -> Value {
    let listed = there(remote, &["queue", "list"]).ok().json();
    listed["queues"].as_array().unwrap().iter().find(|queue| queue["queue"] == "default").cloned().unwrap_or_default()
}

#[test]
fn a_job_is_done_there_and_one_that_failed_is_seen_and_tried_again() {
    let remote = remote();
    assert_eq!(there(&remote, &["queue", "list"]).ok().json()["queues"], json!([]));
    let none = there(&remote, &["queue", "show", "1"]).run();
    assert!(none.code == 1 && none.raw().contains("there is no job 1"), "{}", none.raw());
    remote.deploy();
    asked(&remote, "/put/good");
    until("the worker did it", || asked(&remote, "/") == "good of r1\n");

    asked(&remote, "/put/bad");
    asked(&remote, "/put/bad");
    until("both have failed", || counts(&remote)["failed"] == 2);
    let shown = there(&remote, &["queue", "show"]).ok().json();
    let number = shown["job"].to_string();
    assert_eq!((&shown["state"], &shown["body"]["task"]), (&"buried".into(), &"tasks:note".into()), "{shown}");
    let text = remote.dae(&["queue", "show", &number, "--remote", "prod", "--app", "daetest"]).ok().stdout;
    for part in [" failed  in `default`", "args    [\"bad\"]", "KeyError: 'not yet'", "Traceback"] {
        assert!(text.contains(part), "{text}");
    }

    asked(&remote, "/mend");
    there(&remote, &["queue", "retry", &number]).ok();
    until("it was tried again", || asked(&remote, "/") == "good of r1\nbad of r1\n");
    let again = there(&remote, &["queue", "retry", &number]).run();
    assert!(again.code == 1 && again.raw().contains(&format!("there is no job {number}")), "{}", again.raw());

    there(&remote, &["queue", "pause", "default", "--seconds", "600"]).ok();
    there(&remote, &["queue", "retry", "--all", "default"]).ok();
    let paused = counts(&remote);
    assert_eq!((&paused["ready"], &paused["failed"]), (&1.into(), &0.into()), "{paused}");
    assert!(paused["paused_s"].as_u64().unwrap() > 500, "{paused}");
    let left = there(&remote, &["queue", "drain", "--timeout", "0"]).run();
    assert!(left.code == 1 && left.raw().contains("1 jobs are left in `default`"), "{}", left.raw());
    there(&remote, &["queue", "pause", "default", "--seconds", "0"]).ok();
    there(&remote, &["queue", "drain"]).ok();
    assert_eq!(asked(&remote, "/"), "good of r1\nbad of r1\nbad of r1\n");

    let by_hand = there(&remote, &["queue", "run"]).run();
    assert!(by_hand.code == 1 && by_hand.raw().contains("dae queue retry NUMBER --remote"), "{}", by_hand.raw());
    let unknown = there(&remote, &["queue", "pause", "nosuch"]).run();
    assert!(unknown.code == 1 && unknown.raw().contains("there is no queue `nosuch`"), "{}", unknown.raw());
    // What would be a second command to the queue is none.
    let forged = there(&remote, &["queue", "pause", "default 1\r\ndelete 1"]).run();
    assert!(forged.code == 1 && forged.raw().contains("is no name of a queue"), "{}", forged.raw());
}

#[test]
fn a_job_that_is_under_way_is_finished_with_the_release_it_began_with() {
    let remote = remote();
    remote.deploy();
    asked(&remote, "/put/slow");
    until("it has begun", || asked(&remote, "/begun") == "True");
    remote.place.write("daetest/more.py", "");
    remote.deploy();
    // The next release's worker does not wait for it.
    asked(&remote, "/put/quick");
    until("the new worker did the next one", || asked(&remote, "/") == "quick of r2\n");
    let workers = || {
        let listed = there(&remote, &["ps"]).ok().json();
        let of = |process: &Value| (process["process"] == "queue.default").then(|| process["release"].clone());
        let workers: Vec<Value> = listed["processes"].as_array().unwrap().iter().filter_map(of).collect();
        workers
    };
    assert_eq!(workers(), ["r2", "r1"]);
    asked(&remote, "/mend");
    until("the old one did its own", || asked(&remote, "/") == "quick of r2\nslow of r1\n");
    until("the old one has gone", || workers() == ["r2"]);
    assert_eq!(counts(&remote)["failed"], 0);
    let log = std::fs::read_to_string(remote.place.path("node/logs/daetest/queue.default.log")).unwrap();
    assert_eq!(log.matches("tasks:note done").count(), 2, "{log}");
}

#[test]
fn a_scheduled_task_is_listed_run_paused_and_its_runs_are_seen() {
    let remote = remote();
    assert_eq!(there(&remote, &["cron", "list"]).ok().json()["jobs"], json!([]));
    let none = there(&remote, &["cron", "run", "nightly"]).run();
    assert!(none.code == 1 && none.raw().contains("nothing of `daetest` is live"), "{}", none.raw());
    remote.deploy();
    let listed = there(&remote, &["cron", "list", "-n", "2", "--at", "2026-05-05T00:00:00Z"]).ok().json();
    assert_eq!(
        listed["jobs"],
        json!([
            {"name": "nightly", "schedule": "0 3 1 1 *", "timezone": "UTC", "script": "nightly.py --all",
             "overlap": "skip", "paused": false, "next": ["2027-01-01T03:00:00+00:00", "2028-01-01T03:00:00+00:00"]},
            {"name": "sad", "schedule": "@daily", "timezone": "Asia/Shanghai", "script": "sad.py",
             "overlap": "skip", "paused": false, "next": ["2026-05-06T00:00:00+08:00", "2026-05-07T00:00:00+08:00"]},
        ])
    );
    let ran = remote.dae(&["cron", "run", "nightly", "--at", "2026-03-08T03:00:00Z", "--remote", "prod"]).ok();
    assert_eq!(ran.stdout, "2026-03-08T03:00:00Z ['--all']\n");
    let ran = remote.dae(&["cron", "run", "sad", "--remote", "prod"]).run();
    assert_eq!((ran.code, ran.stdout.as_str()), (7, "no luck\n"), "{}", ran.raw());
    let runs = there(&remote, &["cron", "runs"]).ok().json();
    let told = |run: &Value| format!("{} {} {} {}", run["job"], run["by"], run["outcome"], run["code"]);
    let told: Vec<String> = runs["runs"].as_array().unwrap().iter().map(told).collect();
    assert_eq!(told.join(", ").replace('"', ""), "sad hand failed 7, nightly hand good 0");
    let of_one = remote.dae(&["cron", "runs", "sad", "--output", "--remote", "prod"]).ok().stdout;
    assert!(of_one.contains("no luck") && !of_one.contains("nightly"), "{of_one}");

    there(&remote, &["cron", "pause", "sad"]).ok();
    let paused = || there(&remote, &["cron", "list", "sad"]).ok().json()["jobs"][0]["paused"].clone();
    assert_eq!(paused(), true);
    there(&remote, &["cron", "resume", "sad"]).ok();
    assert_eq!(paused(), false);
    for words in [&["cron", "run", "nosuch"][..], &["cron", "pause", "nosuch"], &["cron", "list", "nosuch"]] {
        let unknown = there(&remote, words).run();
        assert!(unknown.code == 1 && unknown.raw().contains("no cron job `nosuch`"), "{}", unknown.raw());
    }
}

#[test]
fn who_may_only_read_sees_no_arguments_and_changes_nothing() {
    let remote = remote();
    remote.deploy();
    let token = ["node", "token", "--dir", "node", "--json", "--app", "daetest", "--can", "read"];
    let token = remote.place.dae(token).ok().json()["token"].as_str().unwrap().to_owned();
    let bearer = format!("Bearer {token}");
    for (method, path, status) in [
        ("GET", "queues", 200),
        ("GET", "cron", 200),
        ("GET", "cron/runs", 200),
        ("GET", "cron/runs/1", 404),
        ("GET", "queues/default/failed", 403),
        ("GET", "jobs/1", 403),
        ("POST", "jobs/1/retry", 403),
        ("POST", "queues/default/retry", 403),
        ("POST", "queues/default/pause", 403),
        ("POST", "cron/jobs/nightly/pause", 403),
        ("POST", "cron/jobs/nightly/runs", 403),
    ] {
        let mut http = Http::open(remote.port);
        let path = format!("/dae/v1/apps/daetest/{path}");
        let answer = http.send(method, "127.0.0.1", &path, &[("Authorization", &bearer)], b"").unwrap();
        assert_eq!(answer.status, status, "{path}: {}", answer.text());
    }
    for (path, body, status) in [
        ("jobs/x", "", 404),
        ("queues/-x/pause", r#"{"seconds": 1}"#, 422),
        ("queues/default/pause", r#"{"seconds": -1}"#, 422),
        ("cron/jobs/nightly/runs", "x", 422),
    ] {
        let method = if body.is_empty() { "GET" } else { "POST" };
        let answer = remote.ask(method, &format!("/dae/v1/apps/daetest/{path}"), &[], body);
        assert_eq!(answer.status, status, "{path}: {}", answer.text());
    }
}
