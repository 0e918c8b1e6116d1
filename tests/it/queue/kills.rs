//! A server killed in the middle of its work, again and again: no job that was acknowledged is lost, and none is run twice
//! but by its timeout. `DAE_QUEUE_KILLS` says how often (tests/soak/queue_kills.sh).

use std::collections::{HashMap, HashSet};
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use dae::services::Tell;
use dae::services::queue::{MAX_JOB, Settings, Sync, serve};
use tokio_util::sync::CancellationToken;

use super::{Conn, Ours};
use crate::harness::{PATIENCE, free_port};

/// In seconds: longer than any client here needs to come back.
const TTR: u64 = 15;

/// The server that is killed: this test binary again.
#[test]
#[ignore = "is started by the test below"]
fn server() {
    let Ok(folder) = std::env::var("DAE_KILLED_FOLDER") else { return };
    let port: u16 = std::env::var("DAE_KILLED_PORT").unwrap().parse().unwrap();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).unwrap();
    listener.set_nonblocking(true).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let settings = Settings { folder: folder.into(), max_job: MAX_JOB, sync: Sync::EveryJob };
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::from_std(listener).unwrap();
        serve(listener, settings, Tell::nobody(), CancellationToken::new()).await;
    });
}

fn start(folder: &Path, port: u16) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "queue::kills::server", "--ignored", "--nocapture"])
        .env("DAE_KILLED_FOLDER", folder)
        .env("DAE_KILLED_PORT", port.to_string())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

#[derive(Default)]
struct Seen {
    stop: AtomicBool,
    next: AtomicU64,
    acknowledged: Mutex<HashSet<u64>>,
    /// How often each was handed out to a worker that heard of it.
    runs: Mutex<HashMap<u64, u32>>,
}

fn connect(address: SocketAddr, seen: &Seen) -> Option<Conn> {
    let deadline = Instant::now() + PATIENCE;
    while !seen.stop.load(Ordering::Relaxed) {
        if let Ok(conn) = Conn::try_to(address) {
            return Some(conn);
        }
        assert!(Instant::now() < deadline, "the server never came back");
        std::thread::sleep(Duration::from_millis(2));
    }
    None
}

fn produce(address: SocketAddr, seen: &Seen) {
    while let Some(mut conn) = connect(address, seen) {
        while !seen.stop.load(Ordering::Relaxed) {
            let key = seen.next.fetch_add(1, Ordering::Relaxed);
            let body = format!("job {key}");
            match conn.try_ask(&format!("put 10 0 {TTR} {}\r\n{body}", body.len())) {
                Ok(answer) if answer.starts_with("INSERTED") => drop(seen.acknowledged.lock().unwrap().insert(key)),
                Ok(answer) if answer == "closed" => break,
                Ok(answer) => panic!("{answer}"),
                Err(_) => break,
            }
        }
    }
}

fn consume(address: SocketAddr, seen: &Seen) {
    let mut held: Option<u64> = None;
    while let Some(mut conn) = connect(address, seen) {
        // Done before the server died: the word that it is done comes now.
        let mut work = || -> io::Result<()> {
            loop {
                if let Some(id) = held {
                    let answer = conn.try_ask(&format!("delete {id}"))?;
                    if answer == "closed" {
                        return Ok(());
                    }
                    assert!(["DELETED", "NOT_FOUND"].contains(&answer.as_str()), "{answer}");
                    held = None;
                }
                if seen.stop.load(Ordering::Relaxed) {
                    return Ok(());
                }
                let answer = conn.try_ask("reserve-with-timeout 1")?;
                if let Some((id, key)) = parsed(&answer) {
                    *seen.runs.lock().unwrap().entry(key).or_default() += 1;
                    held = Some(id);
                } else if answer == "closed" {
                    return Ok(());
                }
            }
        };
        // A connection that breaks is made anew.
        let _ = work();
    }
}

/// `RESERVED id length | job key`.
fn parsed(answer: &str) -> Option<(u64, u64)> {
    let (head, body) = answer.split_once(" | ")?;
    Some((head.split(' ').nth(1)?.parse().ok()?, body.strip_prefix("job ")?.parse().ok()?))
}

#[test]
fn no_acknowledged_job_is_lost_and_none_is_run_twice() {
    let kills: u32 = std::env::var("DAE_QUEUE_KILLS").ok().and_then(|kills| kills.parse().ok()).unwrap_or(25);
    let folder = tempfile::tempdir().unwrap();
    let port = free_port();
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let seen = Arc::new(Seen::default());
    let mut server = start(folder.path(), port);
    let clients: Vec<_> = (0..6)
        .map(|number| {
            let seen = seen.clone();
            std::thread::spawn(move || if number < 3 { produce(address, &seen) } else { consume(address, &seen) })
        })
        .collect();
    for kill in 0..kills {
        // Until work is done again, and then some more, each time a bit longer or shorter.
        let before = seen.acknowledged.lock().unwrap().len();
        let deadline = Instant::now() + PATIENCE;
        while seen.acknowledged.lock().unwrap().len() < before + 20 {
            assert!(Instant::now() < deadline, "nothing is acknowledged after kill {kill}");
            std::thread::sleep(Duration::from_millis(1));
        }
        std::thread::sleep(Duration::from_micros(u64::from(kill * 7919 % 20_000)));
        server.kill().unwrap();
        server.wait().unwrap();
        server = start(folder.path(), port);
    }
    seen.stop.store(true, Ordering::Relaxed);
    for client in clients {
        client.join().unwrap();
    }
    server.kill().unwrap();
    server.wait().unwrap();

    // What is left comes now; what was reserved when nobody could hear of it, when its time is over.
    let ours = Ours::start(folder.path(), Sync::EveryJob);
    let mut conn = ours.connect();
    let mut left = HashSet::new();
    let deadline = Instant::now() + Duration::from_secs(TTR + 5);
    while Instant::now() < deadline {
        let answer = conn.try_ask("reserve-with-timeout 1").unwrap();
        if let Some((id, key)) = parsed(&answer) {
            left.insert(key);
            assert_eq!(conn.ask(&format!("delete {id}")), "DELETED");
        } else if conn.ask("stats-tube default").contains("current-jobs-reserved: 0") {
            break;
        }
    }
    let (acknowledged, runs) = (seen.acknowledged.lock().unwrap(), seen.runs.lock().unwrap());
    let lost: Vec<&u64> = acknowledged.iter().filter(|key| !runs.contains_key(key) && !left.contains(key)).collect();
    let twice: Vec<_> = runs.iter().filter(|(key, runs)| **runs > 1 || left.contains(key)).collect();
    println!("{kills} kills, {} acknowledged, {} run, {} left", acknowledged.len(), runs.len(), left.len());
    assert!(lost.is_empty(), "lost: {lost:?}");
    assert!(twice.len() <= still_held(&twice, &left), "run twice: {twice:?}");
}

/// A worker that was told to stop while it held a job gave it back undone: at most one each.
fn still_held(twice: &[(&u64, &u32)], left: &HashSet<u64>) -> usize {
    let held = twice.iter().filter(|(key, runs)| **runs == 1 && left.contains(key)).count();
    assert!(held <= 3, "{held} were given back");
    held
}

#[test]
fn what_was_known_is_known_after_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    let port = free_port();
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let idle = Seen::default();
    let mut server = start(folder.path(), port);
    let mut conn = connect(address, &idle).unwrap();
    conn.ask("use t");
    conn.ask("watch t");
    for (pri, delay) in [(5, 0), (1, 0), (9, 1000), (3, 0)] {
        conn.ask(&format!("put {pri} {delay} 60 4\r\nbody"));
    }
    assert_eq!(conn.ask("reserve"), "RESERVED 2 4 | body");
    assert_eq!(conn.ask("bury 2 7"), "BURIED");
    assert_eq!(conn.ask("reserve"), "RESERVED 4 4 | body");
    assert_eq!(conn.ask("reserve-job 1"), "RESERVED 1 4 | body");
    assert_eq!(conn.ask("release 1 6 0"), "RELEASED");
    conn.ask("put 2 0 60 1\r\nx");
    assert_eq!(conn.ask("delete 5"), "DELETED");
    server.kill().unwrap();
    server.wait().unwrap();
    server = start(folder.path(), port);
    let mut conn = connect(address, &idle).unwrap();
    let state = |conn: &mut Conn, id: u32| {
        let told = conn.ask(&format!("stats-job {id}"));
        let value = |key: &str| told.lines().find_map(|line| line.strip_prefix(key)).unwrap_or("gone").to_owned();
        format!(
            "{}{} r{} b{} l{}",
            value("state: "),
            value("pri:"),
            value("reserves: "),
            value("buries: "),
            value("releases: ")
        )
    };
    assert_eq!(state(&mut conn, 1), "ready 6 r1 b0 l1");
    assert_eq!(state(&mut conn, 2), "buried 7 r1 b1 l0");
    assert_eq!(state(&mut conn, 3), "delayed 9 r0 b0 l0");
    // Nobody gets it before its time is over, and whoever did it may say so.
    assert_eq!(state(&mut conn, 4), "reserved 3 r1 b0 l0");
    assert_eq!(conn.ask("delete 4"), "DELETED");
    assert_eq!(conn.ask("peek 5"), "NOT_FOUND");
    // No number is given out twice.
    assert_eq!(conn.ask("put 1 0 60 1\r\ny"), "INSERTED 6");
    server.kill().unwrap();
    server.wait().unwrap();
}

#[test]
fn a_torn_end_is_cut_off_and_the_rest_is_there() {
    let folder = tempfile::tempdir().unwrap();
    {
        let ours = Ours::start(folder.path(), Sync::EveryJob);
        let mut conn = ours.connect();
        assert_eq!((conn.put("one"), conn.put("two")), (1, 2));
    }
    let part = folder.path().join("00000001.jobs");
    let whole = std::fs::read(&part).unwrap();
    for cut in (24..whole.len()).step_by(3) {
        std::fs::write(&part, &whole[..cut]).unwrap();
        let ours = Ours::start(folder.path(), Sync::EveryJob);
        let mut conn = ours.connect();
        let first = conn.ask("peek 1");
        assert!(first == "NOT_FOUND" || first == "FOUND 1 3 | one", "{cut}: {first}");
        let id = conn.put("three");
        drop(ours);
        let ours = Ours::start(folder.path(), Sync::EveryJob);
        assert_eq!(ours.connect().ask(&format!("peek {id}")), format!("FOUND {id} 5 | three"), "{cut}");
    }
}

#[test]
fn what_is_done_with_takes_no_room() {
    let folder = tempfile::tempdir().unwrap();
    let ours = Ours::start(folder.path(), Sync::Within(Duration::from_millis(50)));
    let mut conn = ours.connect();
    let kept = conn.put("kept through it all");
    let body = "x".repeat(1 << 20);
    for _ in 0..260 {
        let id = conn.put(&body);
        assert_eq!(conn.ask(&format!("delete {id}")), "DELETED");
    }
    let size = || -> u64 {
        let parts = std::fs::read_dir(folder.path()).unwrap().flatten();
        parts.filter_map(|part| part.metadata().ok()).map(|meta| meta.len()).sum()
    };
    let deadline = Instant::now() + PATIENCE;
    while size() > 110 << 20 {
        assert!(Instant::now() < deadline, "{} MiB", size() >> 20);
        std::thread::sleep(Duration::from_millis(50));
    }
    drop(conn);
    drop(ours);
    let ours = Ours::start(folder.path(), Sync::EveryJob);
    let mut conn = ours.connect();
    assert_eq!(conn.ask(&format!("peek {kept}")), format!("FOUND {kept} 19 | kept through it all"));
    assert!(conn.put("next") > kept + 260);
}
