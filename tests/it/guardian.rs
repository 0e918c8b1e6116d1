//! Nothing outlives dae, however it ends.

use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::harness::{Place, Running, free_port, get};

const APP: &str = r#"
import os, subprocess
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.execvp("sleep", ["sleep", "1000"])
    os._exit(0)
subprocess.Popen(["sleep", "1000"])

def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"here"]
"#;

/// Processes whose working folder is `place`'s app, the one that left its family among them.
fn alive(place: &Place) -> Vec<i32> {
    let folder = place.path("app").canonicalize().unwrap();
    std::fs::read_dir("/proc")
        .unwrap()
        .flatten()
        .filter(|entry| std::fs::read_link(entry.path().join("cwd")).is_ok_and(|cwd| cwd.starts_with(&folder)))
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .collect()
}

fn serve(place: &Place) -> Running {
    place.write("app/app.yaml", "application: app\nhandlers:\n- url: /.*\n  wsgi_app: app:app\n");
    place.write("app/app.py", APP).write("app/pip-req.txt", "");
    let port = free_port();
    let mut serve = place.dae(["serve", "app", "--port", &port.to_string()]).spawn();
    serve.until("started");
    assert_eq!(get(port, "app.localhost", "/").text(), "here");
    // The web server and its worker, the warm parent or not yet, the two that sleep.
    assert!(alive(place).len() >= 4, "{:?}", alive(place));
    serve
}

fn child_of(pid: u32) -> i32 {
    let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap();
    children.split_whitespace().next().unwrap().parse().unwrap()
}

fn gone_within(place: &Place, limit: Duration) -> Duration {
    let since = Instant::now();
    while !alive(place).is_empty() {
        assert!(since.elapsed() < limit, "{:?} are left", alive(place));
        std::thread::sleep(Duration::from_millis(5));
    }
    since.elapsed()
}

#[test]
fn whichever_of_the_two_is_killed_nothing_is_left() {
    for kill_the_guardian in [true, false] {
        let place = Place::new();
        let running = serve(&place);
        let guardian = i32::try_from(running.pid()).unwrap();
        let victim = if kill_the_guardian { guardian } else { child_of(running.pid()) };
        kill(Pid::from_raw(victim), Signal::SIGKILL).unwrap();
        // The promise is 200 ms on a quiet machine; other tests share these processors.
        let took = gone_within(&place, Duration::from_secs(3));
        println!("gone {} ms after kill -9 (guardian: {kill_the_guardian})", took.as_millis());
        let ran = running.wait();
        if !kill_the_guardian {
            assert_eq!(ran.code, 137, "{}", ran.raw());
            assert!(ran.stderr.contains("dae was ended by SIGKILL"), "{}", ran.raw());
        }
    }
}

#[test]
fn a_guardian_killed_as_it_starts_leaves_nothing() {
    let place = Place::new();
    place.write("app/app.yaml", "application: app\nhandlers:\n- url: /.*\n  wsgi_app: app:app\n");
    place.write("app/app.py", APP).write("app/pip-req.txt", "");
    // Somewhere among these is the moment in which the other one has been started and does not know yet.
    for tenth in 0..100 {
        let running = place.dae(["serve", "--port", &free_port().to_string()]).dir("app").spawn();
        std::thread::sleep(Duration::from_micros(100 * tenth));
        kill(Pid::from_raw(i32::try_from(running.pid()).unwrap()), Signal::SIGKILL).unwrap();
        assert_eq!(running.wait().code, 137);
    }
    gone_within(&place, Duration::from_secs(5));
}

#[test]
fn ctrl_c_ends_everything_within_a_second() {
    let place = Place::new();
    let running = serve(&place);
    let since = Instant::now();
    let ran = running.stop();
    let took = since.elapsed();
    println!("ended {} ms after SIGINT", took.as_millis());
    assert_eq!(ran.code, 0, "{}", ran.raw());
    assert_eq!(alive(&place), Vec::<i32>::new());
    assert!(took < Duration::from_secs(3), "{took:?}");
}
