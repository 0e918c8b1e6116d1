//! The beansdb service as its clients see it: the dialect, exchange by exchange; garbage; a full disk; kills.

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use dae::services::Tell;
use dae::services::kv::beansdb::{Shelf, serve};
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;

use crate::harness::{PATIENCE, Place};

/// A server in this process; ends with everything written.
pub struct Server {
    pub address: SocketAddr,
    pub told: Receiver<String>,
    stop: CancellationToken,
    runtime: Runtime,
    task: Option<tokio::task::JoinHandle<()>>,
}

impl Server {
    pub fn start(folder: &Path) -> Self {
        let runtime = Runtime::new().unwrap();
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, told) = channel();
        let tell = Tell::new(move |event| {
            let _ = sender.send(serde_json::to_string(&event).unwrap());
        });
        let stop = CancellationToken::new();
        let task = Some(runtime.spawn(serve(listener, Shelf::new(folder.to_owned(), tell), stop.clone())));
        Self { address, told, stop, runtime, task }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.cancel();
        let _ = self.runtime.block_on(self.task.take().unwrap());
    }
}

pub struct Client(BufReader<TcpStream>);

impl Client {
    pub fn open(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self(BufReader::new(stream))
    }

    fn send(&mut self, bytes: &[u8]) {
        self.0.get_mut().write_all(bytes).unwrap();
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.0.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    /// One line for one.
    fn ask(&mut self, request: &[u8]) -> String {
        self.send(request);
        self.line()
    }

    /// The blocks of a `get`.
    fn get(&mut self, keys: &str) -> Vec<(String, u32, Vec<u8>)> {
        self.send(format!("get {keys}\r\n").as_bytes());
        let mut found = Vec::new();
        loop {
            let line = self.line();
            if line == "END" {
                return found;
            }
            let words: Vec<&str> = line.split(' ').collect();
            assert_eq!((words[0], words.len()), ("VALUE", 4), "{line}");
            let mut value = vec![0; words[3].parse::<usize>().unwrap() + 2];
            self.0.read_exact(&mut value).unwrap();
            value.truncate(value.len() - 2);
            found.push((words[1].to_owned(), words[2].parse().unwrap(), value));
        }
    }

    fn one(&mut self, key: &str) -> Option<String> {
        self.get(key).pop().map(|(_, _, value)| String::from_utf8(value).unwrap())
    }

    /// All keys and versions that the listing leads to.
    fn walk(&mut self, path: &str) -> HashMap<String, i32> {
        let mut found = HashMap::new();
        for line in self.one(&format!("@{path}")).unwrap().lines() {
            let words: Vec<&str> = line.split(' ').collect();
            match words[0].strip_suffix('/') {
                Some(digit) if words[0].len() == 2 => {
                    let below = self.walk(&format!("{path}{digit}"));
                    let live = below.values().filter(|version| **version > 0).count();
                    assert_eq!(words[2], live.to_string(), "the node {path}{digit}");
                    found.extend(below);
                }
                _ => {
                    assert_eq!(found.insert(words[0].to_owned(), words[2].parse().unwrap()), None, "{line}");
                }
            }
        }
        found
    }
}

/// What is sent and what is answered, in order, on one connection to an empty store; `|` is the end of a line. `#` is a number
/// that is not the same each time.
const EXCHANGES: &[(&str, &str)] = &[
    // The version is where memcached has the expiry.
    ("set a 5 0 3|one|", "STORED|"),
    ("get a", "VALUE a 5 3|one|END|"),
    ("get ?a", "VALUE ?a 0 #|1 6930 5 3 #|END|"),
    ("get ??a", "VALUE ??a 0 #|1 6930 5 3 # # #|END|"),
    ("set a 5 0 3|one|", "STORED|"),
    ("get ?a", "VALUE ?a 0 #|1 6930 5 3 #|END|"),
    ("set a 6 0 3|one|", "STORED|"),
    ("get ?a", "VALUE ?a 0 #|2 6930 6 3 #|END|"),
    ("set a 6 9 3|one|", "STORED|"),
    ("get ?a", "VALUE ?a 0 #|9 6930 6 3 #|END|"),
    ("set a 0 9 3|two|", "NOT_STORED|"),
    ("set a 0 8 3|two|", "NOT_STORED|"),
    ("set a 0 10 3|two|", "STORED|"),
    ("set a 0 0 3|two|", "STORED|"),
    ("set a 0 -1 3|two|", "NOT_STORED|"),
    ("set a 0 -5 0||", "NOT_STORED|"),
    ("get ?a", "VALUE ?a 0 #|10 35148 0 3 #|END|"),
    // A deletion is a version too.
    ("delete a", "DELETED|"),
    ("get a", "END|"),
    ("get ?a", "VALUE ?a 0 #|-11 0 0 0 #|END|"),
    ("delete a", "NOT_FOUND|"),
    ("set a 0 -1 0||", "NOT_STORED|"),
    ("set a 0 11 3|new|", "NOT_STORED|"),
    ("set a 0 0 3|new|", "STORED|"),
    ("get ?a", "VALUE ?a 0 #|12 38708 0 3 #|END|"),
    ("set a 0 -1 0||", "STORED|"),
    ("set a 0 14 3|new|", "STORED|"),
    ("set a 0 -20 0||", "STORED|"),
    ("get ?a a", "VALUE ?a 0 #|-20 0 0 0 #|END|"),
    ("delete nobody", "NOT_FOUND|"),
    ("set nobody 0 -1 0||", "NOT_STORED|"),
    ("get nobody ?nobody ??nobody ? ??", "END|"),
    ("set empty 0 0 0||", "STORED|"),
    ("get empty", "VALUE empty 0 0||END|"),
    // Several at once, in the order they are asked for.
    ("set b 1 0 1|b|set c 2 0 2|cc|", "STORED|STORED|"),
    ("get c nobody b c", "VALUE c 2 2|cc|VALUE b 1 1|b|VALUE c 2 2|cc|END|"),
    // What it does not know; the value is then a line of its own.
    ("gets a", "ERROR|"),
    ("add d 0 0 1|d|", "ERROR|ERROR|"),
    ("replace d 0 0 1|d|", "ERROR|ERROR|"),
    ("prepend d 0 0 1|d|", "ERROR|ERROR|"),
    ("cas d 0 0 1 1|d|", "ERROR|ERROR|"),
    ("decr n 1", "ERROR|"),
    ("touch a 0", "ERROR|"),
    ("GET a", "ERROR|"),
    ("", "ERROR|"),
    ("get", "ERROR|"),
    // append
    ("append log 0 0 2|ab|", "STORED|"),
    ("append log 0 0 2|cd|", "STORED|"),
    ("get log", "VALUE log 256 4|abcd|END|"),
    ("append b 0 0 1|x|", "NOT_STORED|"),
    ("set log 256 0 1|x|append log 0 0 1|y|", "STORED|STORED|"),
    ("get log ?log", "VALUE log 256 2|xy|VALUE ?log 0 #|4 # 256 2 #|END|"),
    // incr
    ("incr n 5", "5|"),
    ("get n", "VALUE n 516 1|5|END|"),
    ("incr n 3", "8|"),
    ("incr n -3", "5|"),
    ("incr n -100", "0|"),
    ("incr n 18446744073709551615", "0|"),
    ("incr n abc", "CLIENT_ERROR invalid numeric delta argument|"),
    ("incr b 1", "0|"),
    ("get b", "VALUE b 1 1|b|END|"),
    ("delete n", "DELETED|"),
    ("incr n 2", "2|"),
    ("set t 516 0 5|12abc|incr t 1", "STORED|13|"),
    // noreply, and what comes next is answered
    ("set q 0 0 1 noreply|q|get q", "VALUE q 0 1|q|END|"),
    ("append log 0 0 1 noreply|z|get log", "VALUE log 256 3|xyz|END|"),
    ("incr n 4 noreply|get n", "VALUE n 516 1|6|END|"),
    ("delete q noreply|get q", "END|"),
    // The hash tree: a is e40c292c.
    ("get @e4", "VALUE @e4 0 8|a 0 -20\n|END|"),
    ("get @E4", "VALUE @E4 0 8|a 0 -20\n|END|"),
    ("get @e40c292c", "VALUE @e40c292c 0 8|a 0 -20\n|END|"),
    ("get @e5", "VALUE @e5 0 0||END|"),
    ("get @e:b", "VALUE @e:b 0 10|b 11846 1\n|END|"),
    ("get @x @e40c292c1", "END|"),
    ("set @x 0 0 1|x|", "NOT_STORED|"),
    ("delete @x", "NOT_FOUND|"),
    ("incr @x 1", "0|"),
    ("append @x 0 0 1|x|", "NOT_STORED|"),
    ("set ?x 0 0 1|x|", "STORED|"),
    ("get ?x", "END|"),
    // Bad lines
    ("set k 0 0 3|abcd|", "CLIENT_ERROR bad data chunk|ERROR|"),
    ("set k 0 0 x", "CLIENT_ERROR bad command line format|"),
    ("set k 0 0 -1", "CLIENT_ERROR bad command line format|"),
    ("set k x 0 1|a|", "CLIENT_ERROR bad command line format|"),
    ("set k 0 x 1|a|", "CLIENT_ERROR bad command line format|"),
    ("set k\tx 0 0 1|a|", "NOT_STORED|"),
    ("delete a b c", "ERROR|"),
    ("delete b 0", "DELETED|"),
    // The rest
    ("flush_all x", "CLIENT_ERROR bad command line format|"),
    ("flush_all 10 @g", "CLIENT_ERROR bad command line format|"),
    ("flush_all 10 @f", "OK|"),
    ("verbosity 1", "OK|"),
    ("verbosity", "ERROR|"),
    ("stats reset", "RESET|"),
    ("stats nothing", "ERROR|"),
    ("get c", "VALUE c 2 2|cc|END|"),
];

/// Whether `answer` is as expected; `#` stands for any number.
fn fits(answer: &str, expected: &str) -> bool {
    let mut rest = answer;
    for (at, part) in expected.split('#').enumerate() {
        if at > 0 {
            rest = rest.trim_start_matches(|c: char| c.is_ascii_digit());
        }
        let Some(after) = rest.strip_prefix(part) else { return false };
        rest = after;
    }
    rest.is_empty()
}

#[test]
fn every_exchange_is_answered_as_the_dialect_has_it() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path());
    for line_end in ["\r\n", "\n"] {
        let mut client = Client::open(server.address);
        for (sent, expected) in EXCHANGES {
            // A bare end of line does for commands; a value ends as it always does.
            let has_value =
                ["set ", "append ", "add ", "replace ", "prepend ", "cas "].iter().any(|word| sent.contains(word));
            let end = if has_value { "\r\n" } else { line_end };
            let text = sent.replace('|', end) + if sent.ends_with('|') { "" } else { end };
            client.send(text.as_bytes());
            client.send(b"version\r\n");
            let mut answer = String::new();
            while !answer.ends_with("VERSION 0.7.1.4-dae-0.1.0\r\n") {
                assert!(client.0.read_line(&mut answer).unwrap() > 0, "{sent}: closed after {answer}");
            }
            let answer = answer.replace("\r\n", "|").replace("VERSION 0.7.1.4-dae-0.1.0|", "");
            assert!(fits(&answer, expected), "{sent:?}\n answered {answer:?}\n expected {expected:?}");
        }
        // The second time begins with an empty store too.
        for key in client.walk("").into_iter().filter(|(_, version)| *version > 0) {
            client.ask(format!("delete {}\r\n", key.0).as_bytes());
        }
        while client.ask(b"optimize_stat\r\n").starts_with("running") {}
        assert_eq!(client.ask(b"flush_all\r\n"), "OK");
        while client.ask(b"optimize_stat\r\n").starts_with("running") {}
        assert_eq!(client.ask(b"optimize_stat\r\n"), "success");
        assert_eq!(client.walk(""), HashMap::new());
        if line_end == "\n" {
            client.send(b"quit\r\nget c\r\n");
            assert_eq!(client.line(), "");
        }
    }
}

#[test]
fn keys_and_values_have_limits() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path());
    let mut client = Client::open(server.address);
    let (longest, too_long) = ("k".repeat(250), "k".repeat(251));
    assert_eq!(client.ask(format!("set {longest} 0 0 1\r\nx\r\n").as_bytes()), "STORED");
    assert_eq!(client.one(&longest).as_deref(), Some("x"));
    for line in [format!("get {too_long}\r\n"), format!("delete {too_long}\r\n"), format!("incr {too_long} 1\r\n")] {
        assert_eq!(client.ask(line.as_bytes()), "CLIENT_ERROR bad command line format");
    }
    // The value of a refused set is not taken for commands.
    let value = format!("x\r\ndelete {longest}\r\n");
    let refused = format!("set {too_long} 0 0 {}\r\n{value}\r\n", value.len());
    assert_eq!(client.ask(refused.as_bytes()), "CLIENT_ERROR bad command line format");
    assert_eq!(client.one(&longest).as_deref(), Some("x"));

    let large = vec![b'v'; 50 << 20];
    client.send(format!("set large 0 0 {}\r\n", large.len()).as_bytes());
    client.send(&large);
    assert_eq!(client.ask(b"\r\n"), "STORED");
    assert!(client.get("large")[0].2 == large);
    assert_eq!(client.ask(b"append large 0 0 1\r\nx\r\n"), "NOT_STORED");
    client.send(format!("set large 0 0 {}\r\n", large.len() + 1).as_bytes());
    client.send(&large);
    assert_eq!(client.ask(b"v\r\n"), "SERVER_ERROR object too large");
    assert!(client.get("large")[0].2 == large);
    // A length that nobody can send is answered at once, and takes no memory.
    assert_eq!(client.ask(b"set huge 0 0 9223372036854775807\r\n"), "SERVER_ERROR object too large");
}

#[test]
fn garbage_and_half_commands_change_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path());
    let mut client = Client::open(server.address);
    assert_eq!(client.ask(b"set a 0 0 3\r\none\r\n"), "STORED");
    for half in ["set a 0 0 3", "set a 0 0 3\r\ntw", "set a 0 0 3\r\ntwo", "set a 0 0 3\r\ntwo\r", "delete a", "incr"] {
        let mut other = Client::open(server.address);
        other.send(half.as_bytes());
        other.0.get_ref().shutdown(std::net::Shutdown::Write).unwrap();
        assert_eq!(other.line(), "", "{half}");
    }
    // A line without an end is answered, and closed.
    let mut other = Client::open(server.address);
    other.send(&vec![b'g'; 1 << 20]);
    assert_eq!(other.line(), "CLIENT_ERROR line too long");
    assert_eq!(other.line(), "");
    let mut seed = 1_u64;
    for _ in 0..50 {
        let mut other = Client::open(server.address);
        let noise: Vec<u8> = (0..2000)
            .map(|_| {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                u8::try_from(seed >> 40 & 0xff).unwrap()
            })
            .collect();
        other.send(&noise);
        other.send(b"\r\n");
        other.0.get_ref().shutdown(std::net::Shutdown::Write).unwrap();
        let mut answer = String::new();
        other.0.read_to_string(&mut answer).unwrap();
        assert!(answer.lines().all(|line| line == "ERROR"), "{answer}");
    }
    assert_eq!(client.walk(""), HashMap::from([("a".to_owned(), 1)]));
    assert_eq!(client.one("a").as_deref(), Some("one"));
}

#[test]
fn a_store_that_does_not_open_is_told_and_touched_by_nobody() {
    let dir = tempfile::tempdir().unwrap();
    let first = Server::start(dir.path());
    assert_eq!(Client::open(first.address).ask(b"set a 0 0 3\r\none\r\n"), "STORED");
    // Two processes never open one store.
    let second = Server::start(dir.path());
    let mut client = Client::open(second.address);
    for _ in 0..2 {
        let answer = client.ask(b"set a 0 0 3\r\ntwo\r\n");
        assert!(
            answer.starts_with("SERVER_ERROR the store in `") && answer.ends_with("is open in another process"),
            "{answer}"
        );
    }
    assert!(client.ask(b"get a\r\n").starts_with("SERVER_ERROR"));
    assert!(second.told.recv().unwrap().contains("beansdb.locked"));
    assert!(second.told.try_recv().is_err(), "it is told once");
    drop((first, second));

    let data = dir.path().join("000001.data");
    let good = std::fs::read(&data).unwrap();
    std::fs::write(&data, &good[..good.len() - 1]).unwrap();
    let server = Server::start(dir.path());
    let answer = Client::open(server.address).ask(b"set a 0 0 3\r\ntwo\r\n");
    assert!(answer.contains("000001.data` is damaged at byte"), "{answer}");
    assert_eq!(std::fs::read(&data).unwrap(), good[..good.len() - 1]);
    std::fs::write(&data, &good).unwrap();
    let server = Server::start(dir.path());
    assert_eq!(Client::open(server.address).one("a").as_deref(), Some("one"));
}

#[test]
fn on_a_full_disk_what_is_there_is_still_read() {
    let place = Place::new();
    let Some(_disk) = place.small_disk("disk", 4) else { return };
    let server = Server::start(&place.path("disk/beansdb"));
    let mut client = Client::open(server.address);
    let value = "v".repeat(100_000);
    let mut stored = 0;
    let refused = loop {
        let answer = client.ask(format!("set k{stored} 0 0 {}\r\n{value}\r\n", value.len()).as_bytes());
        if answer != "STORED" {
            break answer;
        }
        stored += 1;
        assert!(stored < 100, "a disk of 4 MB took it all");
    };
    assert!(refused.starts_with("SERVER_ERROR could not write") && refused.contains("No space left"), "{refused}");
    assert!(stored > 20, "only {stored}");
    for number in 0..stored {
        assert_eq!(client.one(&format!("k{number}")).as_deref(), Some(&value[..]));
    }
    assert_eq!(client.one(&format!("k{stored}")), None);
    drop(server);
    let server = Server::start(&place.path("disk/beansdb"));
    assert_eq!(Client::open(server.address).walk("").len(), stored);
}

/// Run in a process of its own, to be killed: see [`killed_at_random_moments`].
#[test]
#[ignore = "the server of another test"]
fn a_server_to_be_killed() {
    let Some(folder) = std::env::var_os("DAE_TEST_BEANSDB") else { return };
    let server = Server::start(Path::new(&folder));
    println!("\nlistens on {}", server.address);
    std::thread::sleep(PATIENCE);
}

struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A server in a process of its own.
fn apart(folder: &Path) -> (Killed, SocketAddr) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "beansdb::a_server_to_be_killed", "--ignored", "--nocapture"])
        .env("DAE_TEST_BEANSDB", folder)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let output = BufReader::new(child.stdout.take().unwrap());
    let line = output.lines().map(Result::unwrap).find_map(|line| line.strip_prefix("listens on ").map(str::to_owned));
    (Killed(child), line.unwrap().parse().unwrap())
}

/// What one connection knows of its keys: what was acknowledged, and what was asked for last and may be there as well.
#[derive(Default)]
struct Known {
    acknowledged: HashMap<String, i32>,
    asked: Option<(String, i32)>,
}

/// What goes on beside the load. A compaction forgets deletions, at a moment nobody knows.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Beside {
    Nothing,
    Compaction,
}

/// Sets and deletes keys of its own until the server is gone; beside a compaction it only sets those that were not deleted.
fn load(address: SocketAddr, writer: usize, mut known: Known, mut seed: u64, beside: Beside) -> Known {
    let Ok(stream) = TcpStream::connect(address) else { return known };
    let mut client = Client(BufReader::new(stream));
    loop {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let key = format!("w{writer}-{}", (seed >> 33) % 200);
        let old = known.acknowledged.get(&key).copied().unwrap_or(0);
        if beside == Beside::Compaction && old < 0 {
            continue;
        }
        let deletes = beside == Beside::Nothing && old > 0 && (seed >> 50).is_multiple_of(5);
        let version = if deletes { -old - 1 } else { old.abs() + 1 };
        // The value says which version it is.
        let value = format!("{version} {}", "v".repeat(usize::try_from(seed >> 20 & 0xfff).unwrap()));
        let request =
            if deletes { format!("delete {key}\r\n") } else { format!("set {key} 0 0 {}\r\n{value}\r\n", value.len()) };
        known.asked = Some((key.clone(), version));
        let mut line = String::new();
        let sent = client.0.get_mut().write_all(request.as_bytes());
        if sent.is_err() || client.0.read_line(&mut line).is_err() || !line.ends_with('\n') {
            return known;
        }
        assert!(line == "STORED\r\n" || line == "DELETED\r\n", "{line}");
        known.acknowledged.insert(key, version);
        known.asked = None;
    }
}

/// `DAE_KILLS` says how often; tests/soak/beansdb_kills.sh says it a thousand times.
#[test]
fn killed_at_random_moments_it_loses_nothing_it_acknowledged() {
    const WRITERS: usize = 4;
    let kills: u32 = std::env::var("DAE_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(15);
    let clock = || std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().subsec_nanos().into();
    let mut seed: u64 = std::env::var("DAE_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or_else(clock);
    println!("DAE_SEED={seed}");
    let dir = tempfile::tempdir().unwrap();
    let mut known: Vec<Known> = (0..WRITERS).map(|_| Known::default()).collect();
    let mut beside = Beside::Nothing;
    let (mut acknowledged, mut longest) = (0, Duration::ZERO);
    for kill in 0..=kills {
        let (server, address) = apart(dir.path());
        let mut client = Client::open(address);
        let since = Instant::now();
        let listed = client.walk("");
        longest = longest.max(since.elapsed());
        for known in &mut known {
            if beside == Beside::Compaction {
                known.acknowledged.retain(|key, version| *version > 0 || listed.contains_key(key));
            }
            // What was asked for and not answered is there or is not.
            if let Some((key, version)) = known.asked.take()
                && listed.get(&key) == Some(&version)
            {
                known.acknowledged.insert(key, version);
            }
        }
        let wanted: HashMap<String, i32> = known.iter().flat_map(|known| known.acknowledged.clone()).collect();
        let differ: Vec<_> =
            listed.keys().chain(wanted.keys()).filter(|key| listed.get(*key) != wanted.get(*key)).collect();
        let differ: Vec<_> = differ.iter().map(|key| (key, listed.get(*key), wanted.get(*key))).collect();
        assert!(differ.is_empty(), "after kill {kill}, seed {seed}: listed and acknowledged differ: {differ:?}");
        for (key, _, value) in
            client.get(&wanted.keys().cloned().chain(["nobody".to_owned()]).collect::<Vec<_>>().join(" "))
        {
            let value = String::from_utf8(value).unwrap();
            assert_eq!(value.split(' ').next(), Some(&*wanted[&key].to_string()), "{key} after kill {kill}");
        }
        if kill == kills {
            break;
        }
        beside = if kill % 3 == 0 { Beside::Compaction } else { Beside::Nothing };
        let threads: Vec<_> = known
            .drain(..)
            .enumerate()
            .map(|(writer, known)| {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(99);
                let seed = seed ^ writer as u64;
                std::thread::spawn(move || load(address, writer, known, seed, beside))
            })
            .collect();
        // A moment, not a wait for something: when exactly is left to chance.
        std::thread::sleep(Duration::from_micros(seed >> 16 & 0x1_ffff));
        if beside == Beside::Compaction {
            let _ = client.ask(b"flush_all\r\n");
        }
        drop(server);
        known = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
        acknowledged = known
            .iter()
            .map(|known| known.acknowledged.values().map(|version| version.unsigned_abs()).sum::<u32>())
            .sum();
    }
    println!("{kills} kills; versions acknowledged at the end {acknowledged}; opened and listed within {longest:.0?}");
}
