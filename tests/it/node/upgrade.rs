//! `dae node upgrade`: another process is the node, and nothing that runs notices.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{self, Message};

use super::Node;
use super::releases::was;
use crate::crew::until;
use crate::harness::{Http, PATIENCE};

mod failing;

/// Counts in its memcached over one connection, answers late, echoes, and puts jobs into its queue.
const APP: &str = r"
import os, socket, time
import tasks
print('began', flush=True)
mc = None
def count():
    global mc
    if mc is None:
        host, port = os.environ['DAE_MEMCACHE'].split(':')
        mc = socket.create_connection((host, int(port)))
        mc.sendall(b'add n 0 0 1\r\n0\r\n')
        mc.recv(100)
    mc.sendall(b'incr n 1\r\n')
    return mc.recv(100).decode().strip()
def slow():
    time.sleep(1.5)
    return 'late'
def say():
    print('said so', flush=True)
    return 'ok'
def put():
    tasks.do.delay()
    return 'put'
def talk(ws):
    while True:
        ws.send(ws.receive())
facts = {'/ppid': os.getppid, '/count': count, '/slow': slow, '/say': say, '/put': put}
def app(environ, start):
    body = str(facts.get(environ['PATH_INFO'], lambda: 'SAYS')()).encode()
    start('200 OK', [('Content-Length', str(len(body)))])
    return [body]
";

const YAML: &str = "application: daetest
handlers:
- {url: /ws, websocket: app:talk}
- {url: /.*, wsgi_app: app:app}
daemons:
- {name: feed, script: feed.py}
queues:
- {name: default, workers: 1, timeout: 600}
cron:
- {name: waits, schedule: \"0 0 1 1 *\", script: waits.py}
";

const FEED: &str = "import time\nwhile True:\n    time.sleep(0.05)\n    print('tick', flush=True)\n";

/// A job waits for a file.
const TASKS: &str = "
import os, time
from dae.api import mq

@mq.task
def do():
    print('began the job', flush=True)
    while not os.path.exists('PLACE/let-go'):
        time.sleep(0.02)
    print('ended the job', flush=True)
";

const WAITS: &str = "
import os, time
while not os.path.exists('PLACE/let-go'):
    time.sleep(0.02)
print('waited')
";

/// Asks all the time, on one connection where it may and on a new one where it must.
pub(super) struct Visitor {
    stop: Arc<AtomicBool>,
    asks: std::thread::JoinHandle<(usize, Duration, Vec<String>)>,
}

impl Visitor {
    pub fn new(port: u16, path: &'static str, keeps: bool) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let asks = std::thread::spawn(move || {
            let (mut count, mut longest, mut failed) = (0, Duration::ZERO, Vec::new());
            let mut kept: Option<Http> = None;
            while !stopped.load(Ordering::Relaxed) {
                let began = Instant::now();
                let mut connection = kept.take().unwrap_or_else(|| Http::open(port));
                match connection.get("daetest.localhost", path) {
                    Ok(answer) => {
                        if answer.status != 200 {
                            failed.push(format!("{}: {}", answer.status, answer.text()));
                        }
                        let closes = answer.header("connection").is_some_and(|value| value == "close");
                        kept = (keeps && !closes).then_some(connection);
                    }
                    Err(error) => failed.push(error.to_string()),
                }
                count += 1;
                longest = longest.max(began.elapsed());
                std::thread::sleep(Duration::from_millis(5));
            }
            (count, longest, failed)
        });
        Self { stop, asks }
    }

    pub fn end(self) -> (usize, Duration) {
        self.stop.store(true, Ordering::Relaxed);
        let (count, longest, failed) = self.asks.join().unwrap();
        assert!(failed.is_empty(), "of {count} requests failed {failed:?}");
        (count, longest)
    }

    /// What it asked may have failed.
    pub fn give_up(self) {
        self.stop.store(true, Ordering::Relaxed);
        drop(self.asks.join());
    }
}

impl Node {
    /// With all there is of an app.
    fn with_much() -> Self {
        let node = Self::with_app();
        let place = node.place.path("").to_string_lossy().into_owned();
        node.place.write("daetest/app.yaml", YAML).write("daetest/feed.py", FEED);
        for (file, code) in [("tasks.py", TASKS), ("waits.py", WAITS)] {
            node.place.write(format!("daetest/{file}"), code.replace("PLACE", place.trim_end_matches('/')));
        }
        node.deploy_much("one");
        node
    }

    fn deploy_much(&self, says: &str) {
        self.place.write("daetest/app.py", APP.replace("SAYS", says));
        self.place.dae(["deploy", "--json"]).dir("daetest").ok();
    }

    fn pid_of(&self, process: &str) -> i32 {
        let ps = self.place.dae(["ps", "--json"]).dir("daetest").ok().json();
        let all = ps["processes"].as_array().unwrap().clone();
        let one = all.iter().find(|one| one["process"] == process).unwrap_or_else(|| panic!("no {process}: {ps}"));
        one["pid"].as_i64().and_then(|pid| pid.try_into().ok()).unwrap()
    }

    /// What must be the same after an upgrade: web, daemon, queue worker.
    fn pids(&self) -> [i32; 3] {
        [self.pid(), self.pid_of("feed"), self.pid_of("queue.default")]
    }

    fn upgrade(&self) -> serde_json::Value {
        self.place.dae(["node", "upgrade", "--json", "--dir", "node"]).ok().json()
    }

    fn log_of(&self, process: &str) -> String {
        std::fs::read_to_string(self.place.path(format!("node/logs/daetest/{process}.log"))).unwrap_or_default()
    }

    /// The daemon was killed, and is started again.
    fn looks_after_the_daemon(&self) {
        let feed = self.pid_of("feed");
        kill(Pid::from_raw(feed), Signal::SIGKILL).unwrap();
        let again = || {
            let ps = self.place.dae(["ps", "--json"]).dir("daetest").ok().json();
            let all = ps["processes"].as_array().unwrap().clone();
            all.iter().any(|one| one["process"] == "feed" && one["pid"] != feed)
        };
        until("the daemon is started again", again);
    }

    /// The guardian and all below it.
    pub(super) fn family(&self) -> Vec<i32> {
        let parent = |pid: i32| -> Option<i32> {
            let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
            stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
        };
        let all = std::fs::read_dir("/proc").unwrap().flatten();
        let all: Vec<i32> = all.filter_map(|process| process.file_name().to_str()?.parse().ok()).collect();
        let mut family = vec![i32::try_from(self.running.pid()).unwrap()];
        let mut at = 0;
        while let Some(one) = family.get(at).copied() {
            family.extend(all.iter().copied().filter(|pid| parent(*pid) == Some(one)));
            at += 1;
        }
        family
    }
}

fn is_alive(pid: i32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"));
    stat.is_ok_and(|stat| !stat.contains(") Z"))
}

pub(super) fn until_gone(pids: &[i32]) {
    until(&format!("{pids:?} are gone"), || !pids.iter().any(|pid| is_alive(*pid)));
}

#[test]
#[expect(clippy::print_stdout, reason = "what was measured")]
fn another_process_is_the_node_and_nothing_that_runs_notices() {
    let mut node = Node::with_much();
    let (pids, guardian) = (node.pids(), node.running.pid());
    assert_eq!(node.asked("/count"), "1");
    assert_eq!(node.asked("/put"), "put");
    until("the job has begun", || node.log_of("queue.default").contains("began the job"));

    let visitors = [("/", true), ("/", false), ("/count", true), ("/slow", true), ("/slow", false)]
        .map(|(path, keeps)| (path, Visitor::new(node.port, path, keeps)));
    let mut nodes = vec![node.own_pid()];
    for _ in 0..3 {
        let upgraded = node.upgrade();
        println!("upgraded: {upgraded}");
        assert_eq!(upgraded["apps"], 1, "{upgraded}");
        assert_eq!(upgraded["pid"], node.own_pid(), "{upgraded}");
        assert!(!nodes.contains(&node.own_pid()), "the same process is the node");
        nodes.push(node.own_pid());
        assert_eq!(node.pids(), pids, "they were started anew");
        assert_eq!(node.says(), was("one", "r1"));
        // For as long as the slowest answer takes, and more.
        std::thread::sleep(Duration::from_millis(1700));
    }
    for (path, visitor) in visitors {
        let (count, longest) = visitor.end();
        println!("{path}: {count} requests, the longest {longest:?}");
        assert!(count > 2);
    }
    assert_eq!(node.running.pid(), guardian);
    let counted: u64 = node.asked("/count").parse().unwrap();
    assert!(counted > 4, "what was in its memcached is not there: {counted}");
    // Those that were the node before end by themselves.
    until_gone(&nodes[..3]);

    // What the processes print is heard, from the new node on as before.
    let mut logs = node.place.dae(["logs", "-f", "--remote", "prod"]).dir("daetest").spawn();
    logs.until("tick");
    assert_eq!(node.asked("/say"), "ok");
    logs.until("said so");
    logs.stop();

    // The job that was held all the time is done, once.
    node.place.write("let-go", "");
    until("the job has ended", || node.log_of("queue.default").contains("ended the job"));
    assert_eq!(node.asked("/put"), "put");
    until("the next one has ended", || node.log_of("queue.default").matches("ended the job").count() == 2);
    assert_eq!(node.log_of("queue.default").matches("began the job").count(), 2);
    let ran = node.place.dae(["cron", "run", "waits", "--remote", "prod"]).dir("daetest").ok();
    assert!(ran.stdout.contains("waited"), "{}", ran.raw());

    node.deploy_much("two");
    assert_eq!(node.says(), was("two", "r2"));
    assert_ne!(node.pid(), pids[0]);
    node.place.dae(["rollback"]).dir("daetest").ok();
    assert_eq!((node.says(), node.pid()), (was("one", "r3"), pids[0]), "it was kept, and is followed");
    node.looks_after_the_daemon();

    // Killed without a word: nothing is left.
    let family = node.family();
    kill(Pid::from_raw(node.own_pid()), Signal::SIGKILL).unwrap();
    until_gone(&family[1..]);
    while !node.running.ended() {
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_websocket_goes_on_until_the_one_that_has_it_is_drained() {
    let node = Node::with_much();
    let yaml = node.place.read("node/node.yaml");
    node.place.write("node/node.yaml", format!("{yaml}\ndrain_s: 1\n"));
    // That one has read it.
    node.upgrade();
    let open = || {
        let stream = std::net::TcpStream::connect(("127.0.0.1", node.port)).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        tungstenite::client(format!("ws://daetest.localhost:{}/ws", node.port), stream).unwrap().0
    };
    let mut socket = open();
    let talk = |socket: &mut tungstenite::WebSocket<std::net::TcpStream>| {
        socket.send(Message::text("hello")).unwrap();
        assert_eq!(socket.read().unwrap(), Message::text("hello"));
    };
    talk(&mut socket);
    let last = node.own_pid();
    node.upgrade();
    talk(&mut socket);
    let Message::Close(Some(told)) = socket.read().unwrap() else { panic!() };
    assert_eq!(told.code, CloseCode::Restart);
    talk(&mut open());
    until_gone(&[last]);
}

#[test]
fn a_word_to_end_ends_all_of_it() {
    let node = Node::with_much();
    node.upgrade();
    // One of it goes to the one that was the node before.
    let late = Visitor::new(node.port, "/slow", false);
    node.upgrade();
    let family = node.family();
    assert!(family.len() > 6, "{family:?}");
    let ran = node.running.stop();
    assert_eq!(ran.code, 0, "{}", ran.raw());
    assert!(family.iter().all(|pid| !is_alive(*pid)), "of {family:?} some are left");
    late.give_up();
}

/// Nobody's end outlives the others', whichever of the three that stand above an app is killed.
#[test]
fn whoever_is_killed_nothing_is_left() {
    for place in 0..3 {
        let node = Node::with_much();
        node.upgrade();
        let family = node.family();
        // A guardian, below it another, whose children are all the others.
        let victim = if place == 2 { node.own_pid() } else { family[place] };
        kill(Pid::from_raw(victim), Signal::SIGKILL).unwrap();
        until_gone(&family[1..]);
    }
}

#[test]
fn a_task_that_runs_is_waited_for() {
    let node = Node::with_much();
    let own = node.own_pid();
    let running = node.place.dae(["cron", "run", "waits", "--remote", "prod"]).dir("daetest").spawn();
    let begun = || {
        let runs = node.place.dae(["cron", "runs", "--json", "--remote", "prod"]).dir("daetest").ok().json();
        runs["runs"][0]["outcome"] == "running"
    };
    until("the task has begun", begun);
    let ran = node.place.dae(["node", "upgrade", "--dir", "node", "--within", "0s"]).run();
    assert!(ran.code == 1 && ran.stderr.contains("a scheduled task runs"), "{}", ran.raw());
    assert_eq!(node.own_pid(), own);
    let mut upgrade = node.place.dae(["node", "upgrade", "--dir", "node"]).spawn();
    upgrade.until("a scheduled task runs");
    node.place.write("let-go", "");
    assert_eq!(running.wait().code, 0);
    let ran = upgrade.wait();
    assert_eq!(ran.code, 0, "{}", ran.raw());
    assert_ne!(node.own_pid(), own);
}

#[test]
fn where_no_node_runs_that_is_said() {
    let place = crate::harness::Place::new();
    place.dae(["node", "init", "--domain", "localhost", "--listen", "127.0.0.1:0", "--dir", "node"]).ok();
    let ran = place.dae(["node", "upgrade", "--dir", "node"]).run();
    assert!(
        ran.code == 1 && ran.stderr.contains("no node runs in") && ran.stderr.contains("dae node serve"),
        "{}",
        ran.raw()
    );
    let ran = place.dae(["node", "upgrade", "--dir", "nowhere"]).run();
    assert_eq!(ran.code, 1, "{}", ran.raw());
}
