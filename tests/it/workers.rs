//! Queue workers under `dae serve` when the code is saved while they have a job.

use crate::crew::until;
use crate::harness::{Place, Running, free_port, get};

const YAML: &str = "application: app
handlers:
- url: /.*
  wsgi_app: app:app
queues:
- {name: default, workers: 1, retries: 2, timeout: 600}
";
const APP: &str = "
import tasks

def app(environ, start):
    tasks.do.delay(environ['PATH_INFO'][1:])
    start('200 OK', [])
    return [b'put']
";
/// Every job waits for a file of its name.
const TASKS: &str = "
import os, time
from dae.api import mq
import helper

@mq.task
def do(name):
    print('began', name, helper.WORD, flush=True)
    while not os.path.exists(os.path.join(os.environ['DAE_APPROOT'], '..', name)):
        time.sleep(0.02)
    print('ended', name, helper.WORD, flush=True)
";

fn serve() -> (Place, Running, u16) {
    let place = Place::new();
    place.write("app/app.yaml", YAML).write("app/app.py", APP).write("app/pip-req.txt", "");
    place.write("app/tasks.py", TASKS).write("app/helper.py", "WORD = 'one'\n");
    let port = free_port();
    let mut serve = place.dae(["serve", "app", "--port", &port.to_string()]).spawn();
    serve.until("started");
    (place, serve, port)
}

fn workers(place: &Place) -> usize {
    let status = place.dae(["status", "--json"]).dir("app").ok().json();
    status["processes"].as_array().unwrap().iter().filter(|one| one["process"] == "queue.default").count()
}

#[test]
fn the_job_it_holds_is_finished_by_the_old_code_and_the_next_is_done_by_the_new() {
    let (place, mut serve, port) = serve();
    get(port, "app.localhost", "/first");
    serve.until("began first one");
    place.write("app/helper.py", "WORD = 'two'\n");
    serve.until("queue.default: finishes its job with the code it began with, within 10 s");
    place.write("second", "");
    get(port, "app.localhost", "/second");
    serve.until("ended second two");
    assert_eq!(workers(&place), 2);
    place.write("first", "");
    serve.until("ended first one");
    until("the old worker has gone", || workers(&place) == 1);
    let listed = place.dae(["queue", "list", "--json"]).dir("app").ok().json();
    let counts = &listed["queues"][0];
    assert_eq!((&counts["ready"], &counts["reserved"], &counts["failed"]), (&0.into(), &0.into(), &0.into()));
    let said = serve.said();
    assert_eq!(said.matches("began first").count(), 1, "{said}");
    assert_eq!(serve.stop().code, 0);
}

#[test]
fn one_that_never_ends_is_ended_and_its_job_is_begun_again_by_the_new_code() {
    let (place, mut serve, port) = serve();
    get(port, "app.localhost", "/never");
    serve.until("began never one");
    place.write("app/helper.py", "WORD = 'two'\n");
    serve.until("queue.default: has not finished its job within 10 s, and is ended");
    serve.until("began never two");
    assert_eq!(workers(&place), 1);
    // Ctrl-C waits for no job.
    assert_eq!(serve.stop().code, 0);
}
