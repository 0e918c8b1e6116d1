//! The embedded memcached beside Debian's, in the same run: each exchange must be answered with the same bytes.

use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use dae::services::kv::memcache::{self, Listener, Settings, Shared, Store};
use tokio_util::sync::CancellationToken;

use crate::harness::PATIENCE;

/// Ours, on a socket in a folder of its own, with a runtime that ends with it.
pub struct Ours {
    pub socket: PathBuf,
    _folder: tempfile::TempDir,
    _runtime: tokio::runtime::Runtime,
}

impl Ours {
    pub fn start(settings: Settings) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("ours.sock");
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let entered = runtime.enter();
        let listener = tokio::net::UnixListener::bind(&socket).unwrap();
        let store = Shared::new(Store::new(settings));
        runtime.spawn(memcache::serve(Listener::Unix(listener.into()), store, CancellationToken::new()));
        drop(entered);
        Self { socket, _folder: folder, _runtime: runtime }
    }
}

/// Debian's, on a socket in a folder of its own.
pub struct Theirs {
    pub socket: PathBuf,
    pub process: Child,
    _folder: tempfile::TempDir,
}

impl Theirs {
    /// `None`, and said why, where there is none; in CI there must be.
    pub fn start(args: &[&str]) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("theirs.sock");
        let mut command = Command::new("memcached");
        if nix::unistd::getuid().is_root() {
            command.args(["-u", "root"]);
        }
        command.arg("-s").arg(&socket).args(args).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let process = match command.spawn() {
            Ok(process) => process,
            Err(error) => {
                assert!(std::env::var_os("CI").is_none(), "memcached: {error}");
                println!("skipped: there is no memcached here to compare with: {error}");
                return None;
            }
        };
        let theirs = Self { socket, process, _folder: folder };
        let deadline = Instant::now() + PATIENCE;
        while UnixStream::connect(&theirs.socket).is_err() {
            assert!(Instant::now() < deadline, "memcached does not listen");
            std::thread::sleep(Duration::from_millis(10));
        }
        Some(theirs)
    }
}

impl Drop for Theirs {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn connect(socket: &Path) -> UnixStream {
    let stream = UnixStream::connect(socket).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// Everything that is answered to `input` by a client that then has no more to say.
fn answer(socket: &Path, input: &[u8]) -> Vec<u8> {
    let mut stream = connect(socket);
    // A server that is through with a client does not hear it out.
    let _ = stream.write_all(input);
    let _ = stream.shutdown(Shutdown::Write);
    let mut answer = Vec::new();
    // What was said before a connection was reset counts.
    let _ = stream.read_to_end(&mut answer);
    answer
}

/// `\r\n` for each `|`, and `K` for the longest key there may be, `KK` for one that is longer.
fn input(text: &str) -> Vec<u8> {
    let text = text.replace("KK", &"k".repeat(251)).replace('K', &"k".repeat(250));
    text.replace('|', "\r\n").into_bytes()
}

/// What both are asked, in this order, on one connection each, between two of which everything is flushed.
const EXCHANGES: &[&str] = &[
    // storing and fetching
    "set a 0 0 1|x|get a|",
    "set a 5 0 3|abc|get a|gets a|",
    "set a 4294967295 0 1|x|get a|",
    "set a 4294967296 0 1|x|get a|",
    "set a -1 0 1|x|",
    "set a +1 0 1|x|get a|",
    "set a x 0 1|x|",
    "set a 0 x 1|x|",
    "set a 0 0 x|x|",
    "set a 0 0 -1|x|",
    "set a 0 0 2147483647|",
    "set a 0 0 4294967297|x|get a|",
    "set a 0 0 0||get a|",
    "set a 0 0 1 |x|get a|",
    "  set   a  0 0   1  |x|get a|",
    "set a 0 0 1\nx|get a|",
    "set a 0 0 1|x\nget a|",
    "set a 0 0 3|abcdef|get a|",
    "set a 0 0 3|ab|get a|",
    "set a 0 0 1|x\r get a|",
    "set a 0 0|x|",
    "set a 0|",
    "set|",
    "set a 0 0 1 noreply|x|get a|",
    "set a 0 0 1 nonsense|x|get a|",
    "set a 0 0 1 noreply extra|x|",
    "set a 0 0 noreply|get a|",
    "set a x 0 1 noreply|x|",
    "SET a 0 0 1|x|",
    "set K 0 0 1|x|get K|",
    "set KK 0 0 1|x|",
    "set a 0 0 5|a\r\nbc|get a|",
    "set a:\u{1}é 0 0 1|x|get a:\u{1}é|",
    "set a\tb 0 0 1|x|get a\tb|",
    "set a 0 0 1\0 junk|x|",
    // get
    "get|",
    "gets|",
    "get |",
    "get missing|",
    "get a b c|",
    "set a 0 0 1|x|set b 7 0 2|yy|get a missing b|gets b a|",
    "set a 0 0 1|x|get a a a|",
    "set a 0 0 1|x|get  a  |",
    "set a 0 0 1|x|get a\r\r\n",
    "set a 0 0 1|x|get a\nget a\n",
    "get KK|",
    "get a KK|",
    "gets KK|",
    "set a 0 0 1|x|bget a|",
    "set a 0 0 1|x|get a\0 a|",
    "GET a|",
    "set a 0 0 1|x|get b1 b2 b3 b4 b5 b6 b7 b8 b9 b10 b11 b12 b13 b14 b15 b16 b17 b18 b19 b20 b21 b22 b23 b24 b25 b26 a|",
    // add, replace, append, prepend
    "add a 1 0 1|x|add a 2 0 1|y|get a|",
    "replace a 0 0 1|x|get a|",
    "set a 1 0 1|x|replace a 2 0 2|yy|get a|",
    "append a 0 0 1|x|",
    "prepend a 0 0 1|x|",
    "set a 5 0 1|x|append a 9 0 2|yz|gets a|",
    "set a 5 0 1|x|prepend a 9 0 2|yz|gets a|",
    "set a 0 0 1|x|append a 0 0 0||get a|",
    "set a 0 0 1|x|append a 0 0 1 noreply|y|prepend a 0 0 1 noreply|w|get a|",
    "add a 0 0 1 noreply|x|add a 0 0 1 noreply|y|get a|",
    "add|",
    "append a 0 0|",
    "replace a 0 0 1 2 3|",
    "prepend a x 0 1|",
    // cas
    "cas a 0 0 1 1|x|",
    "set a 0 0 1|x|cas a 0 0 1 999999|y|get a|",
    "cas a 0 0 1|x|",
    "cas a 0 0 1 x|x|",
    "cas a 0 0 1 -1|x|",
    "set a 0 0 1|x|cas a 0 0 1 0|y|get a|",
    "cas a 0 0 1 1 noreply|x|",
    "set a 0 0 1|x|gets a|gets a|",
    "set a 0 0 1|x|set a 0 0 1|x|gets a|",
    // delete
    "delete a|",
    "set a 0 0 1|x|delete a|get a|delete a|",
    "set a 0 0 1|x|delete a 0|get a|",
    "set a 0 0 1|x|delete a 1|get a|",
    "set a 0 0 1|x|delete a noreply|get a|",
    "set a 0 0 1|x|delete a 0 noreply|get a|",
    "set a 0 0 1|x|delete a 1 noreply|get a|",
    "delete|",
    "delete a b c d|",
    "delete KK|",
    "delete a x|",
    // incr, decr
    "incr a 1|",
    "decr a 1|",
    "set a 0 0 1|5|incr a 3|get a|",
    "set a 0 0 2|10|decr a 1|get a|incr a 1|get a|",
    "set a 0 0 1|5|decr a 9|get a|",
    "set a 0 0 1|9|incr a 1|gets a|",
    "set a 0 0 20|18446744073709551615|incr a 1|get a|",
    "set a 0 0 20|18446744073709551615|incr a 2|",
    "set a 0 0 21|184467440737095516150|incr a 1|",
    "set a 0 0 1|x|incr a 1|",
    "set a 0 0 0||incr a 1|",
    "set a 0 0 4|12 x|incr a 1|get a|",
    "set a 0 0 3|12x|incr a 1|",
    "set a 0 0 2| 7|incr a 1|get a|",
    "set a 0 0 2|-1|incr a 1|",
    "set a 0 0 1|5|incr a -1|",
    "set a 0 0 1|5|incr a x|",
    "set a 0 0 1|5|incr a 18446744073709551616|",
    "set a 0 0 1|5|incr a|",
    "incr|",
    "incr a 1 2 3|",
    "set a 0 0 1|5|incr a 1 noreply|get a|",
    "set a 0 0 1|5|decr a 1 noreply|get a|",
    "set a 0 0 1|x|incr a 1 noreply|get a|",
    "set a 7 0 1|5|incr a 100|get a|",
    "incr KK 1|",
    "set a 0 0 1|5|incr a 0|gets a|",
    // touch, gat
    "touch a 10|",
    "set a 0 0 1|x|touch a 10|get a|",
    "set a 0 0 1|x|touch a -1|get a|",
    "set a 0 0 1|x|touch a x|",
    "set a 0 0 1|x|touch a 0 noreply|get a|",
    "touch a|",
    "touch KK 1|",
    "gat 10 a|",
    "set a 3 0 1|x|gat 10 a b|",
    "set a 3 0 1|x|gats 10 a|",
    "set a 0 0 1|x|gat -1 a|get a|",
    "gat x a|",
    "gat 10|",
    "gat|",
    "gats 10 KK|",
    // times to live that show at once
    "set a 0 -1 1|x|get a|",
    "set a 0 2592001 1|x|get a|",
    "set a 0 2592000 1|x|get a|",
    "set a 0 4102444800 1|x|get a|",
    "set a 0 1 1|x|get a|",
    "add a 0 -1 1|x|add a 0 0 1|y|get a|",
    "set a 0 0 1|x|set a 0 -1 1|y|get a|",
    "set a 0 -5 1|5|incr a 1|",
    "set a 0 9223372036854775808 1|x|",
    // flush_all
    "set a 0 0 1|x|flush_all|get a|set a 0 0 1|y|get a|",
    "flush_all noreply|get a|",
    "flush_all 0|",
    "flush_all -1|",
    "flush_all x|",
    "flush_all x noreply|",
    "flush_all 0 noreply|",
    "flush_all 1 2 3|",
    "set a 0 0 1|x|flush_all 10|get a|flush_all|",
    // the rest
    "version|",
    "version extra|",
    "verbosity|",
    "verbosity 0|",
    "verbosity x|",
    "verbosity 0 noreply|",
    "verbosity 0 1 2|",
    "quit|get a|",
    "shutdown|",
    "|",
    "\n",
    " |",
    "x|",
    "nonsense|",
    "nonsense with words|",
    "mn|mn|",
    "mn extra|",
    "mx a|",
    "m|",
    "stats reset|",
    "stats nonsense|",
    "stats sizes|",
    "stats detail|",
    "stats detail on|stats detail off|",
    "stats detail nonsense|",
    "stats cachedump|",
    "stats cachedump x 1|",
    "stats cachedump 64 1|",
    "lru_crawler|",
    "lru_crawler nonsense|",
    "lru_crawler sleep x|",
    "lru_crawler sleep 2000000|",
    "lru_crawler tocrawl 0|",
    "cache_memlimit 1|",
    "cache_memlimit 64|",
    "cache_memlimit x|",
    "cache_memlimit|",
    "slabs|",
    "slabs automove 1|",
    "slabs automove 3|",
    "slabs automove x|",
    "lru|",
    "lru mode flat|",
    "lru mode nonsense|",
    // meta get
    "mg|",
    "mg a|",
    "mg a v|",
    "mg a v q|mn|",
    "mg a q k O7|mn|",
    "mg a k O7|",
    "mg KK|",
    "set a 5 0 3|abc|mg a|mg a v|mg a s t f v|",
    "set a 5 0 3|abc|mg a k O123 c v|",
    "set a 5 0 3|abc|mg a h|mg a h|mg a l h t|",
    "set a 5 0 3|abc|mg a u h|mg a h|",
    "set a 5 0 3|abc|mg a q v|mn|",
    "set a 5 100 3|abc|mg a t|",
    "set a 5 100 3|abc|mg a T200 t|mg a t|",
    "set a 5 100 3|abc|mg a t T200|mg a t|",
    "set a 5 100 3|abc|mg a R30|mg a R200 t|mg a R200 t|",
    "mg a N30 v t|mg a N30 v t|mg a v|",
    "mg a Nx|",
    "mg a Tx|",
    "mg a v v|",
    "mg a !|",
    "mg a Oabcdefghijklmnopqrstuvwxyz01234567|",
    "mg a Oabcdefghijklmnopqrstuvwxyz0123456|",
    "mg Zm9v b k|",
    "ms Zm9v 2 b|hi|mg Zm9v b k v|mg foo k v|",
    "mg !!! b|",
    "mg a 1|",
    "mg a a b c d e f g h i j k l m n o p q r s|",
    "mg a k é|",
    // meta set
    "ms|",
    "ms a|",
    "ms a x|",
    "ms a -1|",
    "ms a 2|hi|get a|",
    "ms a S2|hi|",
    "ms a 2 c k O5 b|hi|",
    "ms a 2 F7 T100|hi|mg a f t v|",
    "ms a 2 q|hi|mn|",
    "ms a 2 ME|hi|ms a 2 ME|ho|get a|",
    "ms a 2 MR|hi|set a 0 0 1|x|ms a 2 MR|hi|get a|",
    "ms a 2 MA|hi|set a 0 0 1|x|ms a 2 MA|hi|get a|",
    "ms a 2 MP|hi|set a 0 0 1|x|ms a 2 MP|hi|get a|",
    "ms a 2 MS|hi|get a|",
    "ms a 2 MX|hi|get a|",
    "ms a 2 MEE|hi|get a|",
    "ms a 2 M|hi|",
    "ms a 2 Fx|hi|mn|",
    "ms a 2 Cx|hi|mn|",
    "ms a 2 C1|hi|",
    "set a 0 0 1|x|ms a 2 C999999|hi|get a|",
    "set a 0 0 1|x|ms a 2 I C1 c|hi|mg a v c|mg a v|",
    "set a 0 0 1|x|ms a 2 MA C1|hi|get a|",
    "ms a 2 c|hiho|",
    "ms a 2 q|hiho|",
    "ms a 0||mg a v s|",
    "ms KK 2|hi|",
    "ms a 2 Oabcdefghijklmnopqrstuvwxyz01234567|hi|mn|",
    "ms a 2 !|hi|mn|",
    "ms a 2 k k|hi|mn|",
    "ms a 2 ME q k|hi|ms a 2 ME q k|hi|mn|",
    // meta delete
    "md|",
    "md a|",
    "set a 0 0 1|x|md a|get a|",
    "set a 0 0 1|x|md a q|mn|md a q|mn|",
    "md a k O9|",
    "set a 0 0 1|x|md a k O9|",
    "set a 0 0 1|x|md a C999999|get a|",
    "set a 0 0 1|x|md a I|mg a v|mg a v|get a|",
    "set a 0 100 1|x|md a I T30|mg a t v|mg a t|ms a 1|y|mg a t v|",
    "set a 0 0 1|x|md a !|get a|",
    "ms Zm9v 2 b|hi|md Zm9v b k|get foo|",
    "md KK|",
    // meta arithmetic
    "ma|",
    "ma a|",
    "set a 0 0 1|5|ma a|get a|",
    "set a 0 0 1|5|ma a v D3 k O1|",
    "set a 0 0 1|5|ma a v c t|",
    "set a 0 0 1|5|ma a MD v|ma a M- v D9|ma a M+ v|ma a MI v|",
    "set a 0 0 1|5|ma a MX v|",
    "ma a N30 J7 v t|ma a v t|",
    "ma a N30 t J7 v|",
    "ma a N0 v|",
    "ma a N30 q|mn|ma a q|mn|get a|",
    "set a 0 0 1|x|ma a|",
    "set a 0 0 1|5|ma a Dx|",
    "set a 0 0 1|5|ma a Jx|",
    "set a 0 0 1|5|ma a C999999|",
    "set a 0 0 2|50|ma a T100 t v|mg a t|",
    "ma a k O1 v|",
    "ma KK|",
    // meta debug
    "me|",
    "me a|",
    "set a 0 0 1|x|me a|",
    "set a 7 100 40|xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx|get a|me a|",
    "ms Zm9v 2 b|hi|me Zm9v b|",
    "me KK|",
];

/// Where ours answers in another way, and why.
const EXCEPTIONS: &[(&str, &str)] = &[];

/// Between exchanges nothing is left, and both have given out the same versions.
const FLUSH: &[u8] = b"flush_all\r\n";

#[test]
fn exchanges_are_answered_as_by_memcached() {
    let Some(theirs) = Theirs::start(&[]) else { return };
    let ours = Ours::start(Settings::default());
    assert!(EXCHANGES.len() >= 150, "{} exchanges", EXCHANGES.len());
    let mut wrong = String::new();
    for text in EXCHANGES {
        let input = input(text);
        let (we, they) = (answer(&ours.socket, &input), answer(&theirs.socket, &input));
        let excepted = EXCEPTIONS.iter().any(|(exception, _)| exception == text);
        if (we == they) == excepted {
            let show = |bytes: &[u8]| String::from_utf8_lossy(bytes).replace("\r\n", "|");
            let _ = writeln!(wrong, "{text:?}\n    ours   {}\n    theirs {}", show(&we), show(&they));
        }
        for socket in [&ours.socket, &theirs.socket] {
            assert_eq!(answer(socket, FLUSH), b"OK\r\n");
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
    println!("{} exchanges, {} excepted", EXCHANGES.len(), EXCEPTIONS.len());
}

/// Exchanges whose second part comes more than two seconds after the first.
const TIMED: &[(&str, &str)] = &[
    ("set t1 0 1 1|x|set t2 0 2 1|x|set t3 0 100 1|x|", "get t1 t2 t3|"),
    ("set t4 0 1 1|x|touch t4 100|", "get t4|"),
    ("set t5 0 0 1|x|touch t5 1|", "get t5|add t5 0 0 1|y|get t5|"),
    ("set t6 0 1 1|5|", "incr t6 1|append t6 0 0 1|x|replace t6 0 0 1|x|cas t6 0 0 1 1|x|delete t6|"),
    ("set t7 0 0 1|x|gat 1 t7|", "gat 100 t7|"),
    ("set t8 0 1 1|x|mg t8 T100|", "mg t8 v|"),
    ("mg t9 N1 v|", "mg t9 v|mg t9 N100 v|"),
    ("ms t10 2 T1|hi|", "mg t10 v|md t10|ma t10|me t10|"),
    ("set t11 0 100 1|x|", "mg t11 l h v|mg t11 l h|"),
    ("ma t12 N1 J5 v|", "ma t12 v|"),
];

#[test]
fn what_time_does_is_the_same() {
    let Some(theirs) = Theirs::start(&[]) else { return };
    let ours = Ours::start(Settings::default());
    let both = [&ours.socket, &theirs.socket];
    for (first, _) in TIMED {
        assert_eq!(answer(both[0], &input(first)), answer(both[1], &input(first)), "{first:?}");
    }
    // Times are whole seconds to both, and it is time itself that is waited for here.
    std::thread::sleep(Duration::from_millis(3_100));
    for (first, second) in TIMED {
        let (we, they) = (answer(both[0], &input(second)), answer(both[1], &input(second)));
        // A remaining time, and a time since, may fall on either side of a tick.
        let plain = |bytes: &[u8]| {
            let text = String::from_utf8_lossy(bytes).into_owned();
            regex_lite::Regex::new(r" (l)\d+").unwrap().replace_all(&text, " $1").into_owned()
        };
        assert_eq!(plain(&we), plain(&they), "{first:?} and then {second:?}");
    }
    let flush = input("set f1 0 0 1|x|flush_all 2|");
    for socket in both {
        assert_eq!(answer(socket, &flush), b"STORED\r\nOK\r\n");
    }
    std::thread::sleep(Duration::from_millis(3_100));
    for socket in both {
        assert_eq!(answer(socket, &input("get f1|set f2 0 0 1|x|get f2|")), input("END|STORED|VALUE f2 0 1|x|END|"));
    }
}

/// A request of the binary protocol.
fn frame(opcode: u8, extras: &[u8], key: &[u8], value: &[u8], cas: u64) -> Vec<u8> {
    let body = extras.len() + key.len() + value.len();
    let mut frame = vec![0x80, opcode];
    frame.extend_from_slice(&u16::try_from(key.len()).unwrap().to_be_bytes());
    frame.extend_from_slice(&[u8::try_from(extras.len()).unwrap(), 0, 0, 0]);
    frame.extend_from_slice(&u32::try_from(body).unwrap().to_be_bytes());
    frame.extend_from_slice(b"opaq");
    frame.extend_from_slice(&cas.to_be_bytes());
    for part in [extras, key, value] {
        frame.extend_from_slice(part);
    }
    frame
}

#[test]
fn the_binary_protocol_is_answered_as_by_memcached() {
    let Some(theirs) = Theirs::start(&[]) else { return };
    let ours = Ours::start(Settings::default());
    let store = |flags: u32, ttl: u32| [flags.to_be_bytes(), ttl.to_be_bytes()].concat();
    let delta =
        |by: u64, initial: u64, ttl: u32| [&by.to_be_bytes()[..], &initial.to_be_bytes(), &ttl.to_be_bytes()].concat();
    let ttl = 100_u32.to_be_bytes();
    let long = vec![b'x'; 1 << 20];
    let mut requests: Vec<Vec<u8>> = vec![frame(0x0b, b"", b"", b"", 0), frame(0x0a, b"", b"", b"", 0)];
    for opcode in [0x01, 0x11, 0x02, 0x12, 0x03, 0x13] {
        requests.push(frame(opcode, &store(7, 0), b"a", b"value", 0));
        requests.push(frame(opcode, &store(7, 0), b"fresh", b"value", 0));
        requests.push(frame(opcode, &store(7, 0), b"a", b"value", 999_999));
        requests.push(frame(opcode, &store(7, 0), b"large", &long, 0));
        requests.push(frame(0x04, b"", b"fresh", b"", 0));
    }
    for opcode in [0x00, 0x09, 0x0c, 0x0d, 0x1d, 0x1e, 0x23, 0x24, 0x1c, 0x04, 0x14] {
        let extras: &[u8] = if matches!(opcode, 0x1c..=0x1e | 0x23 | 0x24) { &ttl } else { b"" };
        requests.push(frame(0x01, &store(5, 0), b"a", b"value", 0));
        requests.push(frame(opcode, extras, b"a", b"", 0));
        requests.push(frame(opcode, extras, b"missing", b"", 0));
    }
    for opcode in [0x05, 0x15, 0x06, 0x16] {
        requests.push(frame(0x01, &store(0, 0), b"n", b"10", 0));
        requests.push(frame(opcode, &delta(3, 7, 0), b"n", b"", 0));
        requests.push(frame(opcode, &delta(300, 7, 0), b"n", b"", 0));
        requests.push(frame(opcode, &delta(3, 7, u32::MAX), b"none", b"", 0));
        requests.push(frame(opcode, &delta(3, 7, 0), b"new", b"", 0));
        requests.push(frame(opcode, &delta(3, 7, 0), b"n", b"", 999_999));
        requests.push(frame(0x00, b"", b"n", b"", 0));
        requests.push(frame(0x04, b"", b"new", b"", 0));
        requests.push(frame(0x01, &store(0, 0), b"n", b"word", 0));
        requests.push(frame(opcode, &delta(3, 7, 0), b"n", b"", 0));
    }
    for opcode in [0x0e, 0x0f, 0x19, 0x1a] {
        requests.push(frame(0x01, &store(9, 0), b"j", b"mid", 0));
        requests.push(frame(opcode, b"", b"j", b"more", 0));
        requests.push(frame(opcode, b"", b"none", b"more", 0));
        requests.push(frame(0x00, b"", b"j", b"", 0));
    }
    requests.push(frame(0x04, b"", b"j", b"", 999_999));
    requests.push(frame(0x10, b"", b"reset", b"", 0));
    requests.push(frame(0x10, b"", b"nonsense", b"", 0));
    requests.push(frame(0x20, b"", b"", b"", 0));
    // With a body, memcached waits for that body twice; that is not followed.
    requests.push(frame(0x55, b"", b"", b"", 0));
    requests.push(frame(0x08, b"", b"", b"", 0));
    requests.push(frame(0x18, &0_u32.to_be_bytes(), b"", b"", 0));
    for socket in [&ours.socket, &theirs.socket] {
        assert_eq!(answer(socket, FLUSH), b"OK\r\n");
    }
    for (number, request) in requests.iter().enumerate() {
        let (we, they) = (answer(&ours.socket, request), answer(&theirs.socket, request));
        assert_eq!(
            String::from_utf8_lossy(&we),
            String::from_utf8_lossy(&they),
            "request {number}: opcode {:#x}, {} bytes",
            request[1],
            request.len()
        );
    }
    // All of them again, at once, and what ends a conversation.
    let mut at_once = requests.concat();
    at_once.extend(frame(0x07, b"", b"", b"", 0));
    assert_eq!(answer(&ours.socket, &at_once), answer(&theirs.socket, &at_once));
    for last in [
        frame(0x17, b"", b"", b"", 0),
        frame(0x00, b"", b"", b"", 0),
        frame(0x01, b"", b"a", b"v", 0),
        frame(0x00, b"", &[b'k'; 251], b"", 0),
        frame(0x0a, b"", b"k", b"", 0),
    ] {
        let conversation = [&frame(0x0a, b"", b"", b"", 0)[..], &last, &frame(0x0a, b"", b"", b"", 0)].concat();
        assert_eq!(answer(&ours.socket, &conversation), answer(&theirs.socket, &conversation), "{last:?}");
    }
}

#[test]
fn stats_and_listings_have_the_names_that_tools_look_for() {
    let Some(theirs) = Theirs::start(&[]) else { return };
    let ours = Ours::start(Settings::default());
    let names = |socket: &Path, what: &str| -> Vec<String> {
        let said = String::from_utf8(answer(socket, &input(what))).unwrap();
        said.lines().filter_map(|line| line.strip_prefix("STAT ")?.split(' ').next().map(str::to_owned)).collect()
    };
    let set = input("set a 0 0 1|x|set b/ü 7 100 300|".to_owned().as_str());
    let set = [&set[..], &[b'x'; 300], b"\r\nget a\r\n"].concat();
    for socket in [&ours.socket, &theirs.socket] {
        assert!(answer(socket, &set).starts_with(b"STORED\r\nSTORED\r\n"));
    }
    // What is told of ours beyond memcached's own names.
    let more = ["emulator", "key_size_max"];
    for what in ["stats|", "stats settings|", "stats items|", "stats slabs|", "stats sizes|"] {
        let theirs = names(&theirs.socket, what);
        let unknown: Vec<_> = names(&ours.socket, what)
            .into_iter()
            .filter(|name| !theirs.contains(name) && !more.contains(&&**name))
            .collect();
        assert_eq!(unknown, Vec::<String>::new(), "{what}");
    }
    let value = |socket: &Path, name: &str| -> Vec<String> {
        let said = String::from_utf8(answer(socket, b"stats\r\n")).unwrap();
        said.lines().filter(|line| line.starts_with(&format!("STAT {name} "))).map(str::to_owned).collect()
    };
    for name in
        ["cmd_get", "cmd_set", "get_hits", "curr_items", "total_items", "bytes", "limit_maxbytes", "max_connections"]
    {
        assert_eq!(value(&ours.socket, name), value(&theirs.socket, name));
        assert_eq!(value(&ours.socket, name).len(), 1, "{name}");
    }
    // A listing closes no conversation at once, and has an order of its own.
    let listed = |socket: &Path| {
        let mut stream = connect(socket);
        stream.write_all(b"lru_crawler metadump all\r\n").unwrap();
        let mut said = String::new();
        while !said.ends_with("END\r\n") {
            let mut bytes = [0; 4096];
            let read = stream.read(&mut bytes).unwrap();
            assert!(read > 0, "{said}");
            said.push_str(std::str::from_utf8(&bytes[..read]).unwrap());
        }
        let times = regex_lite::Regex::new(r"(la|exp)=\d+").unwrap();
        let mut lines: Vec<String> = said.lines().map(|line| times.replace_all(line, "$1=T").into_owned()).collect();
        lines.sort();
        lines
    };
    assert_eq!(listed(&ours.socket), listed(&theirs.socket));
}

/// How much memory this process holds, in bytes.
fn resident(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}

#[test]
fn a_client_that_announces_much_or_reads_nothing_hurts_nobody() {
    let ours = Ours::start(Settings::default());
    let before = resident(std::process::id());
    // 200 clients announce 1 MB each and send none of it; 20 more ask for 1 GB each and read none of it.
    let announcing: Vec<_> = (0..200)
        .map(|_| {
            let mut stream = connect(&ours.socket);
            stream.write_all(b"set big 0 0 1000000\r\nx").unwrap();
            stream
        })
        .collect();
    let value = [&b"set v 0 0 1000000\r\n"[..], &vec![b'v'; 1_000_000], b"\r\n"].concat();
    assert_eq!(answer(&ours.socket, &value), b"STORED\r\n");
    let asking: Vec<_> = (0..20)
        .map(|_| {
            let mut stream = connect(&ours.socket);
            stream.write_all(format!("get{}\r\n", " v".repeat(1000)).as_bytes()).unwrap();
            stream
        })
        .collect();
    // Frames of the binary protocol that announce 4 GB.
    let mut frames: Vec<_> = (0..20).map(|_| connect(&ours.socket)).collect();
    for stream in &mut frames {
        let mut frame = frame(0x01, &[0; 8], b"a", b"v", 0);
        frame[8..12].copy_from_slice(&u32::MAX.to_be_bytes());
        stream.write_all(&frame).unwrap();
    }
    for n in 0..1_000 {
        let request = format!("set k{n} 0 0 1\r\nx\r\nget k{n}\r\n");
        let expected = format!("STORED\r\nVALUE k{n} 0 1\r\nx\r\nEND\r\n");
        assert_eq!(answer(&ours.socket, request.as_bytes()), expected.as_bytes());
    }
    let grown = resident(std::process::id()).saturating_sub(before);
    assert!(grown < 100 << 20, "grew by {grown} bytes");
    drop((announcing, asking, frames));
}

#[test]
fn garbage_ends_at_most_its_own_conversation() {
    let ours = Ours::start(Settings::default());
    let mut seed = 7_u64;
    let mut next = move || {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(seed >> 40).unwrap()
    };
    let words = [
        "get", "set", "a", "0", "1", "-1", "noreply", "cas", "mg", "ms", "ma", "md", "N30", "q", "\r\n", "\n", "\0",
        "\u{80}", " ",
    ];
    for round in 0..300 {
        let mut garbage = if round % 3 == 0 { vec![0x80] } else { Vec::new() };
        for _ in 0..next() % 60 {
            if next() % 4 == 0 {
                garbage.push(u8::try_from(next() % 256).unwrap());
            } else {
                garbage.extend_from_slice(words[next() % words.len()].as_bytes());
                garbage.push(b' ');
            }
        }
        answer(&ours.socket, &garbage);
    }
    assert_eq!(answer(&ours.socket, &[b'x'; 5000]), b"", "no line is that long");
    assert_eq!(answer(&ours.socket, b"version\r\n"), b"VERSION 1.6.18\r\n");
}

#[test]
fn a_get_may_have_any_number_of_keys() {
    let ours = Ours::start(Settings::default());
    let (mut sets, mut get) = (String::new(), "get".to_owned());
    for n in 0..50_000 {
        let _ = write!(sets, "set key{n} 0 0 1 noreply\r\nx\r\n");
        let _ = write!(get, " key{n}");
    }
    assert_eq!(answer(&ours.socket, sets.as_bytes()), b"");
    let said = answer(&ours.socket, format!("{get}\r\n").as_bytes());
    assert_eq!(said.split(|byte| *byte == b'V').count(), 50_001);
    assert!(said.ends_with(b"END\r\n"));
}

#[test]
fn limits_can_be_set_and_more_clients_than_allowed_are_told() {
    let ours = Ours::start(Settings { key: 300, item: 2 << 20, connections: 2, ..Settings::default() });
    let key = "k".repeat(300);
    let request = [format!("set {key} 0 0 1500000\r\n").as_bytes(), &vec![b'x'; 1_500_000], b"\r\n"].concat();
    assert_eq!(answer(&ours.socket, &request), b"STORED\r\n");
    let ask = |mut stream: UnixStream| {
        stream.write_all(b"mn\r\n").unwrap();
        let mut said = [0; 4];
        stream.read_exact(&mut said).unwrap();
        assert_eq!(&said, b"MN\r\n");
        stream
    };
    let held = [ask(connect(&ours.socket)), ask(connect(&ours.socket))];
    let mut told = Vec::new();
    connect(&ours.socket).read_to_end(&mut told).unwrap();
    assert_eq!(told, b"ERROR Too many open connections\r\n");
    drop(held);
}
