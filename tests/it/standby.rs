//! The next generation stands by: a save is answered by a process that was there before it, unless that would be another one
//! than a fresh start.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::harness::{PATIENCE, Place, free_port, get};

const YAML: &str = "application: app\nhandlers:\n- url: /.*\n  wsgi_app: app:app\n";

fn app(said: &str) -> String {
    format!(
        "import os\n\n\ndef app(environ, start_response):\n    start_response('200 OK', [])\n    \
         return [b'{said} %d\\n' % os.getpid()]\n"
    )
}

fn gates(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.file_name() == "gate" {
            found.push(entry.path());
        } else if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            gates(&entry.path(), found);
        }
    }
}

/// The worker that waits at a gate, other than `not`.
fn waiting(place: &Place, not: i32) -> i32 {
    let since = Instant::now();
    while since.elapsed() < PATIENCE {
        let mut found = Vec::new();
        gates(&place.path("../run"), &mut found);
        let inodes: Vec<String> =
            found.iter().filter_map(|gate| Some(format!(":{}", gate.metadata().ok()?.ino()))).collect();
        // `7: -> FLOCK  ADVISORY  READ 4711 08:02:1234 0 EOF`
        let locks = std::fs::read_to_string("/proc/locks").unwrap();
        let waits = locks.lines().filter_map(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            (words[1] == "->" && inodes.iter().any(|inode| words[6].ends_with(inode)))
                .then(|| words[5].parse().unwrap())
        });
        if let Some(pid) = waits.into_iter().find(|pid| *pid != not) {
            return pid;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("nobody stands by");
}

/// Waits until it has ended, looked after or not.
fn gone(pid: i32) {
    let since = Instant::now();
    let status = || std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    while status().lines().any(|line| line.starts_with("State:") && !line.contains('Z')) {
        assert!(since.elapsed() < PATIENCE, "{pid} is still there");
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn parent(pid: i32) -> i32 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    status.lines().find_map(|line| line.strip_prefix("PPid:")).unwrap().trim().parse().unwrap()
}

/// Writes it in one step: a save that is seen twice is answered by another one than who waited.
fn save(place: &Place, file: &str, text: &str) {
    place.write("aside", text);
    std::fs::rename(place.path("aside"), place.path(file)).unwrap();
}

/// Who answers `said`.
fn answers(port: u16, said: &str) -> i32 {
    let text = get(port, "localhost", "/").text();
    let line = text.lines().find(|line| line.starts_with(said)).unwrap_or_else(|| panic!("{text}"));
    line[said.len()..].trim().parse().unwrap()
}

#[test]
fn who_waited_answers_unless_something_else_than_the_app_changed() {
    let place = Place::new();
    place.write("app/app.yaml", YAML).write("app/pip-req.txt", "").write("app/app.py", app("zero"));
    let port = free_port();
    let mut serve = place.dae(["serve", "app", "--json", "--port", &port.to_string()]).spawn();
    serve.event("started");
    let first = waiting(&place, 0);
    save(&place, "app/app.py", &app("one"));
    assert_eq!(serve.event("reloaded")["start"], "warm");
    assert_eq!(answers(port, "one"), first);

    // An app that fails leaves another one ready, and a module that came while it waited is found.
    let second = waiting(&place, first);
    save(&place, "app/app.py", &format!("import words\n{}", app("two")));
    serve.event("broken");
    let third = waiting(&place, second);
    save(&place, "app/words.py", "word = 1\n");
    serve.event("reloaded");
    assert_eq!(answers(port, "two"), third);

    // One that has died is not waited for.
    let fourth = waiting(&place, third);
    kill(Pid::from_raw(parent(fourth)), Signal::SIGKILL).unwrap();
    gone(fourth);
    save(&place, "app/app.py", &app("three"));
    assert_eq!(serve.event("reloaded")["start"], "warm");
    answers(port, "three");

    // Other workers than those that wait are wanted.
    let fifth = waiting(&place, fourth);
    save(&place, "app/app.yaml", &format!("{YAML}nworkers: 2\n"));
    serve.event("reloaded");
    assert_ne!(answers(port, "three"), fifth);
    gone(fifth);

    let last = waiting(&place, fifth);
    serve.stop();
    gone(last);
}
