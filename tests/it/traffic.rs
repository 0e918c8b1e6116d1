//! Reloads and deploys under load: a hundred requests a second on connections that are kept, and a hundred on fresh ones,
//! sent by the clock whether or not the last ones were answered. None may be lost, and none may get old code.

use std::io::Write as _;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::MissedTickBehavior;

use crate::harness::{PATIENCE, Place, free_port};

/// Of each kind, a second.
const RATE: u32 = 100;
/// Open requests beyond this are no load but a flood: the app stands still.
const MOST_OPEN: usize = 5000;
/// As long as a system under load may take to tell that a file has changed. What is measured is printed.
const TELLS_WITHIN: Duration = Duration::from_millis(100);
/// How many requests are sent between two changes.
const BETWEEN: usize = 40;
const TIMES: u32 = 20;

const APP_YAML: &str = "application: daetest\nhandlers:\n- url: /.*\n  wsgi_app: app:app\n";

/// Always as long as the last one, so that neither size nor second tells them apart. Some answers are under way at any time.
fn app_py(version: u32) -> String {
    format!(
        "import time\n\ndef app(environ, start):\n    time.sleep(0.02)\n    print('by {version:04}', flush=True)\n    \
         start('200 OK', [('Content-Length', '4')])\n    return [b'{version:04}']\n"
    )
}

#[derive(Debug)]
pub struct Answered {
    begun: Instant,
    ended: Instant,
    kept: bool,
    /// The version that answered, or what came instead.
    version: Result<u32, String>,
}

struct Shared {
    port: u16,
    host: String,
    /// Connections that are kept and free just now.
    free: Mutex<Vec<TcpStream>>,
    open: AtomicUsize,
    ending: AtomicBool,
    answered: Mutex<Vec<Answered>>,
    more: Condvar,
}

/// The load; it flows until it is ended.
pub struct Traffic {
    shared: Arc<Shared>,
    clock: Option<std::thread::JoinHandle<()>>,
}

impl Traffic {
    pub fn start(port: u16, host: &str) -> Self {
        let shared = Arc::new(Shared {
            port,
            host: host.to_owned(),
            free: Mutex::default(),
            open: AtomicUsize::new(0),
            ending: AtomicBool::new(false),
            answered: Mutex::default(),
            more: Condvar::new(),
        });
        let clock = std::thread::spawn({
            let shared = shared.clone();
            move || {
                let runtime =
                    tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
                runtime.block_on(flow(shared));
            }
        });
        Self { shared, clock: Some(clock) }
    }

    /// Waits until this many more requests were answered.
    pub fn more(&self, count: usize) {
        let answered = self.shared.answered.lock().unwrap();
        let enough = answered.len() + count;
        let lacks = |answered: &mut Vec<Answered>| answered.len() < enough;
        let (_answered, waited) = self.shared.more.wait_timeout_while(answered, PATIENCE, lacks).unwrap();
        assert!(!waited.timed_out(), "no answers come any more");
    }

    /// Sends no more, waits for what is open and gives all there was.
    pub fn end(mut self) -> Vec<Answered> {
        self.shared.ending.store(true, Ordering::SeqCst);
        self.clock.take().unwrap().join().unwrap();
        std::mem::take(&mut *self.shared.answered.lock().unwrap())
    }
}

impl Drop for Traffic {
    fn drop(&mut self) {
        self.shared.ending.store(true, Ordering::SeqCst);
    }
}

async fn flow(shared: Arc<Shared>) {
    let mut clock = tokio::time::interval(Duration::from_secs(1) / RATE);
    clock.set_missed_tick_behavior(MissedTickBehavior::Burst);
    while !shared.ending.load(Ordering::SeqCst) {
        clock.tick().await;
        for kept in [true, false] {
            if shared.open.fetch_add(1, Ordering::SeqCst) > MOST_OPEN {
                shared.ending.store(true, Ordering::SeqCst);
            }
            tokio::spawn(request(shared.clone(), kept));
        }
    }
    let deadline = Instant::now() + PATIENCE;
    while shared.open.load(Ordering::SeqCst) > 0 && Instant::now() < deadline {
        clock.tick().await;
    }
}

async fn request(shared: Arc<Shared>, kept: bool) {
    let free = if kept { shared.free.lock().unwrap().pop() } else { None };
    let begun = Instant::now();
    let asked = tokio::time::timeout(PATIENCE, ask(&shared, free, kept)).await;
    let ended = Instant::now();
    let version = match asked {
        Ok(Ok((version, stream))) => {
            if kept {
                shared.free.lock().unwrap().push(stream);
            }
            Ok(version)
        }
        Ok(Err(error)) => Err(error),
        Err(_) => Err("no answer".into()),
    };
    shared.answered.lock().unwrap().push(Answered { begun, ended, kept, version });
    shared.open.fetch_sub(1, Ordering::SeqCst);
    shared.more.notify_all();
}

async fn ask(shared: &Shared, free: Option<TcpStream>, keep: bool) -> Result<(u32, TcpStream), String> {
    let text = |error: std::io::Error| error.to_string();
    let mut stream = match free {
        Some(stream) => stream,
        None => TcpStream::connect(("127.0.0.1", shared.port)).await.map_err(text)?,
    };
    let connection = if keep { "keep-alive" } else { "close" };
    let head = format!("GET / HTTP/1.1\r\nHost: {}\r\nConnection: {connection}\r\n\r\n", shared.host);
    stream.write_all(head.as_bytes()).await.map_err(text)?;
    let mut answer = Vec::new();
    loop {
        if let Some(end) = answer.windows(4).position(|four| four == b"\r\n\r\n")
            && answer.len() >= end + 8
        {
            let (head, body) = answer.split_at(end + 4);
            let version = String::from_utf8_lossy(body).parse();
            return match version {
                Ok(version) if head.starts_with(b"HTTP/1.1 200 ") => Ok((version, stream)),
                _ => Err(String::from_utf8_lossy(&answer).into_owned()),
            };
        }
        if stream.read_buf(&mut answer).await.map_err(text)? == 0 {
            return Err(format!("cut off after {:?}", String::from_utf8_lossy(&answer)));
        }
    }
}

/// Nothing was lost, and the code was never older than what was changed, `[(version, when)]`; tells the longest time after
/// a change that a request could begin and still get the last code.
pub fn judge(what: &str, answered: &[Answered], changed: &[(u32, Instant)]) -> Duration {
    let lost: Vec<_> = answered.iter().filter(|one| one.version.is_err()).collect();
    let mut late = Duration::ZERO;
    let mut old = 0;
    for one in answered {
        let Ok(version) = one.version else { continue };
        for (newer, since) in changed.iter().filter(|(newer, _)| *newer > version) {
            let after = one.begun.saturating_duration_since(*since);
            assert!(after < TELLS_WITHIN, "begun {after:?} after version {newer} was there, answered by {version}");
            late = late.max(after);
            old += usize::from(!after.is_zero());
        }
    }
    let longest = |kept| {
        answered.iter().filter(|one| one.kept == kept).map(|one| one.ended - one.begun).max().unwrap_or_default()
    };
    let count = |kept| answered.iter().filter(|one| one.kept == kept).count();
    // Past the test runner, which would keep it to itself.
    let _ = writeln!(
        std::io::stderr(),
        "\n{what}: {} requests on kept connections, the longest wait {:?}; {} on fresh ones, the longest wait {:?}; {} lost; \
         {old} with old code, begun until {late:?} after a change",
        count(true),
        longest(true),
        count(false),
        longest(false),
        lost.len(),
    );
    assert!(lost.is_empty(), "{} of {} were lost, first {:?}", lost.len(), answered.len(), &lost[..lost.len().min(3)]);
    // A few may overtake the system's word of a change; if requests were not held, it would be some after each.
    assert!(old <= changed.len() / 4, "{old} requests got old code");
    for kept in [true, false] {
        assert!(count(kept) >= changed.len() * BETWEEN / 4, "that was no load");
    }
    late
}

#[test]
fn reloads_lose_no_request_and_give_none_old_code() {
    let place = Place::new();
    place.write("daetest/app.yaml", APP_YAML).write("daetest/pip-req.txt", "").write("daetest/app.py", app_py(0));
    let port = free_port();
    let mut serve = place.dae(["serve", "--json", "--port", &port.to_string()]).dir("daetest").spawn();
    serve.event("started");
    let traffic = Traffic::start(port, &format!("daetest.localhost:{port}"));
    traffic.more(BETWEEN);
    let mut saved = Vec::new();
    let mut save = |version: u32| {
        place.write("daetest/app.py", app_py(version));
        saved.push((version, Instant::now()));
    };
    for version in 1..=TIMES {
        save(version);
        serve.event("reloaded");
        traffic.more(BETWEEN);
    }
    // Faster than a reload: each gives the last one up.
    for version in TIMES + 1..=TIMES * 2 {
        save(version);
        traffic.more(4);
    }
    serve.event("reloaded");
    traffic.more(BETWEEN);
    judge("reloads", &traffic.end(), &saved);
    assert_eq!(serve.stop().code, 0);
}

/// A node with the app beside it.
fn node(place: &Place) -> (crate::harness::Running, u16) {
    let port = free_port();
    let listen = format!("127.0.0.1:{port}");
    let init = ["node", "init", "--json", "--dir", "node", "--domain", "apps.localhost", "--listen", &listen];
    let token = place.dae(init).ok().json()["token"].as_str().unwrap().to_owned();
    let mut node = place.dae(["node", "serve", "--dir", "node"]).spawn();
    node.until("Ready");
    let url = format!("http://{listen}");
    place.dae(["remote", "add", "prod", &url]).env("DAE_TOKEN", token).ok();
    place.write("daetest/app.yaml", APP_YAML).write("daetest/pip-req.txt", "").write("daetest/app.py", app_py(0));
    (node, port)
}

#[test]
fn deploys_lose_no_request() {
    let place = Place::new();
    let (node, port) = node(&place);
    let deploy = || place.dae(["deploy", "--json"]).dir("daetest").ok();
    deploy();
    let traffic = Traffic::start(port, &format!("daetest.apps.localhost:{port}"));
    traffic.more(BETWEEN);
    let mut live = Vec::new();
    for version in 1..=TIMES {
        place.write("daetest/app.py", app_py(version));
        let deployed = deploy();
        live.push((version, Instant::now()));
        assert_eq!(deployed.json()["outcome"], "live");
        traffic.more(BETWEEN);
    }
    let late = judge("deploys", &traffic.end(), &live);
    assert_eq!(late, Duration::ZERO, "what was said to be live was not");
    assert_eq!(node.stop().code, 0);
}

#[test]
fn a_node_that_stops_answers_what_it_was_asked() {
    let place = Place::new();
    let (node, port) = node(&place);
    let slow = "import time\n\ndef app(environ, start):\n    print('asked', flush=True)\n    time.sleep(2.5)\n    \
                start('200 OK', [])\n    return [b'done']\n";
    place.write("daetest/app.py", slow).dae(["deploy"]).dir("daetest").ok();
    let asked = std::thread::spawn(move || crate::harness::get(port, "daetest.apps.localhost", "/").text());
    let log = "node/logs/daetest/web.log";
    let deadline = Instant::now() + PATIENCE;
    while !place.read(log).contains("asked") {
        assert!(Instant::now() < deadline, "the request does not arrive");
        std::thread::sleep(Duration::from_millis(10));
    }
    node.signal(Signal::SIGTERM);
    assert_eq!(asked.join().unwrap(), "done");
    assert_eq!(node.wait().code, 0);
}
