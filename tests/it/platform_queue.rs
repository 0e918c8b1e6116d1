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
