//! `tests/platform/test_queue.py`: clients of the protocol and `dae.api.mq`, with our queue and with Debian's beanstalkd.

use std::path::Path;

use crate::harness::{Place, free_port, get};
use crate::queue::Theirs;

const TASKS: &str = r"
import os, time
from dae.api import mq

@mq.task(queue='calm', result=True)
def add(a, b):
    return a + b

@mq.task(queue='calm', result=True)
def now():
    return time.time()

def counted(name):
    with open('count-' + name, 'a') as file:
        file.write('x')
    return os.path.getsize('count-' + name)

@mq.task(queue='calm', result=True)
def count(name):
    return counted(name)

@mq.task(queue='rough', result=True, backoff=0)
def second_time(name):
    tries = counted('second-' + name)
    if tries < 2:
        raise KeyError(name)
    return tries

@mq.task(queue='rough', result=True, retries=1, backoff=0)
def never():
    raise ValueError('no way')

@mq.task(queue='slow', result=True)
def sleep(seconds):
    time.sleep(seconds)
    return counted('slept')

@mq.task(queue='slow', result=True, retries=0, timeout=1)
def sleep_for_ever():
    while True:
        time.sleep(60)

@mq.task(queue='deadly')
def die():
    os._exit(3)
";

fn app(place: &Place, more: &str) {
    let yaml = format!("application: plat\nhandlers:\n- url: /.*\n  wsgi_app: app:app\n{more}");
    place.write("plat/app.yaml", yaml).write("plat/pip-req.txt", "greenstalk==2.1.1\npystalk==0.7.0\n");
    place.write("plat/tasks.py", TASKS);
    let suite = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/platform/test_queue.py");
    place.write("plat/test_queue.py", std::fs::read(suite).unwrap());
}

fn suite(place: &Place) -> Vec<String> {
    let ran = place.dae(["-C", "plat", "run", "--", "python", "test_queue.py"]).run();
    assert_eq!(ran.code, 0, "{}", ran.raw());
    ran.stdout.lines().map(str::to_owned).collect()
}

#[test]
fn clients_and_tasks_with_ours_and_with_beanstalkd() {
    let ours = Place::new();
    app(&ours, "");
    let said = suite(&ours);
    assert!(said.len() >= 10, "{said:?}");
    let Some(beanstalkd) = Theirs::start(&[]) else { return };
    let theirs = Place::new();
    app(&theirs, "");
    theirs.write("plat/dev.yaml", format!("queue: \"{}\"\n", beanstalkd.address));
    assert_eq!(suite(&theirs), said);
}

#[test]
fn workers_run_beside_the_web_and_take_the_newest_code() {
    let place = Place::new();
    app(&place, "queues:\n- {name: calm, workers: 2}\n");
    let web = "import tasks\n\ndef app(environ, start_response):\n    start_response('200 OK', [])\n    \
               return [str(tasks.add.delay(20, 22).get(30)).encode()]\n";
    place.write("plat/app.py", web);
    let port = free_port();
    let mut serve = place.dae(["serve", "plat", "--port", &port.to_string()]).spawn();
    serve.until("started");
    assert_eq!(get(port, "plat.localhost", "/").text(), "42");
    serve.until("tasks:add done in");
    let status = place.dae(["status", "--json"]).dir("plat").ok().json();
    let names: Vec<&str> =
        status["processes"].as_array().unwrap().iter().filter_map(|one| one["process"].as_str()).collect();
    assert_eq!(names, ["web", "queue.calm.1", "queue.calm.2"]);
    place.write("plat/tasks.py", TASKS.replace("return a + b", "return a * b"));
    serve.until("reloaded");
    let mut last = String::new();
    for _ in 0..100 {
        last = get(port, "plat.localhost", "/").text();
        if last == "440" {
            break;
        }
    }
    assert_eq!(last, "440");
    assert_eq!(serve.stop().code, 0);
}

#[test]
fn what_failed_is_seen_and_repeated_by_hand() {
    let place = Place::new();
    app(&place, "queues:\n- {name: rough, workers: 1, retries: 0}\n");
    place.write(
        "plat/app.py",
        "def app(environ, start_response):\n    start_response('200 OK', [])\n    return [b'']\n",
    );
    let dae = |args: &[&str]| place.dae(args).dir("plat");
    let put = |code: &str| dae(&["run", "--", "python", "-c", &format!("import tasks; print({code})")]).ok().stdout;
    let number = put("tasks.never.delay().job").trim().to_owned();
    // Nothing serves: one worker in the foreground. Its last try but one.
    let ran = dae(&["queue", "run", "rough"]).run();
    assert_eq!(ran.code, 1, "{ran}");
    assert!(ran.stdout.contains("tasks:never failed (ValueError: no way); again in 0 s"), "{ran}");
    assert_eq!(dae(&["queue", "run", "rough"]).run().code, 1);
    let listed = dae(&["queue", "list", "--json"]).ok().json();
    let rough = listed["queues"].as_array().unwrap().iter().find(|queue| queue["queue"] == "rough").unwrap();
    assert_eq!((&rough["failed"], &rough["ready"]), (&1.into(), &0.into()), "{listed}");
    let shown = dae(&["queue", "show", &number]).ok().stdout;
    assert!(
        shown.contains("tasks:never") && shown.contains("ValueError: no way") && shown.contains("in never"),
        "{shown}"
    );
    assert_eq!(dae(&["queue", "show", "--queue", "rough", "--json"]).ok().json()["job"].to_string(), number);
    assert_eq!(dae(&["queue", "drain", "rough"]).ok().code, 0);

    // The code is mended, and what failed is done by the workers.
    place.write("plat/tasks.py", TASKS.replace("raise ValueError('no way')", "return 'done'"));
    dae(&["queue", "retry", "--all", "rough"]).ok();
    let stuck = dae(&["queue", "drain", "rough", "--timeout", "0"]).run();
    assert!(stuck.code == 1 && stuck.stderr.contains("no worker waits"), "{stuck}");
    let port = free_port();
    let mut serve = place.dae(["serve", "plat", "--port", &port.to_string()]).spawn();
    serve.until("tasks:never done in");
    dae(&["queue", "drain", "rough"]).ok();
    assert_eq!(dae(&["queue", "show", &number]).run().code, 1);
    dae(&["queue", "pause", "rough", "--seconds", "60"]).ok();
    let listed = dae(&["queue", "list"]).ok().stdout;
    assert!(listed.contains("paused for"), "{listed}");
    assert_eq!(dae(&["queue", "retry", "999"]).run().code, 1);
    assert_eq!(serve.stop().code, 0);
}

/// The Python of a page of docs/, and its YAML.
fn page(name: &str) -> (String, String) {
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs").join(name)).unwrap();
    let part = |fence: &str| text.split(fence).nth(1).unwrap().split("```").next().unwrap().to_owned();
    (part("```python\n"), part("```yaml\n"))
}

#[test]
fn the_pages_snippets_work() {
    let place = Place::new();
    let (tasks, queues) = page("queue.md");
    let (feed, daemons) = page("daemons.md");
    let (nightly, cron) = page("cron.md");
    let yaml = format!("application: plat\nhandlers:\n- url: /.*\n  wsgi_app: app:app\n{queues}{daemons}{cron}");
    place.write("plat/app.yaml", yaml).write("plat/pip-req.txt", "");
    place.write(
        "plat/app.py",
        "def app(environ, start_response):\n    start_response('200 OK', [])\n    return [b'yes']\n",
    );
    let (task, calls) = tasks.split_once("\n\n\npending").unwrap();
    place
        .write("plat/sums.py", task)
        .write("plat/calls.py", format!("from sums import add, datetime, mq\npending{calls}"));
    place.write("plat/feed.py", feed).write("plat/jobs/nightly.py", nightly);
    let port = free_port();
    let mut serve = place.dae(["serve", "plat", "--port", &port.to_string(), "--no-cron"]).spawn();
    serve.until("looking plat");
    let calls = place.dae(["run", "--", "python", "calls.py"]).dir("plat").ok();
    assert_eq!(calls.stdout, "42\n");
    let ran = place.dae(["cron", "run", "nightly", "--at", "2026-03-08T03:00:00Z"]).dir("plat").ok();
    assert_eq!(ran.stdout, "nightly for 2026-03-08T03:00:00Z\n");
    assert_eq!(place.dae(["cron", "run", "digest"]).dir("plat").ok().stdout, "yes\n");
    assert_eq!(serve.stop().code, 0);
}
