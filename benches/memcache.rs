//! dae's memcached beside Debian's, the same client, in one run: `cargo bench --bench memcache`. Each round asks both, one after
//! the other, and the ratios are of the medians.
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a benchmark prints what it measured")]
#![allow(clippy::cast_precision_loss, reason = "figures of a benchmark are not that exact")]

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use dae::services::kv::memcache;
use dae::services::{Space, Tell};

const ROUNDS: usize = 31;
const SECONDS: f64 = 0.5;
const KEYS: usize = 10_000;

/// One of the two, in a process of its own.
struct Server {
    name: &'static str,
    process: Child,
    port: u16,
    _folder: tempfile::TempDir,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn free_port() -> u16 {
    std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port()
}

/// This program again, as the server that `dae serve` would have.
fn ours() -> Server {
    let folder = tempfile::tempdir().unwrap();
    let mut process = Command::new(std::env::current_exe().unwrap())
        .arg("--serve")
        .arg(folder.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = String::new();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(process.stdout.take().unwrap()), &mut said).unwrap();
    Server { name: "dae", process, port: said.trim().parse().unwrap(), _folder: folder }
}

fn theirs() -> Server {
    let port = free_port();
    let mut command = Command::new("memcached");
    if nix::unistd::getuid().is_root() {
        command.args(["-u", "root"]);
    }
    let process = command.args(["-l", "127.0.0.1", "-m", "64", "-p", &port.to_string()]).spawn().unwrap();
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        std::thread::sleep(Duration::from_millis(5));
    }
    Server { name: "memcached", process, port, _folder: tempfile::tempdir().unwrap() }
}

fn serve(folder: &str) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    runtime.block_on(async {
        let folder = std::path::PathBuf::from(folder);
        let name = dae::app::AppName::parse("bench").unwrap();
        let space = Space::new(name, folder.join("data"), folder.join("run"), Tell::nobody()).unwrap();
        let running = memcache::start(&space).unwrap();
        println!("{}", running.env[0].1.rsplit(':').next().unwrap());
        std::future::pending::<()>().await;
    });
}

fn connect(server: &Server) -> TcpStream {
    let stream = TcpStream::connect(("127.0.0.1", server.port)).unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

/// Sends `request`, and reads until all of `answers` have come: each ends in a line of its own.
fn ask(stream: &mut TcpStream, request: &[u8], answers: usize, buffer: &mut Vec<u8>) {
    stream.write_all(request).unwrap();
    buffer.clear();
    let (mut seen, mut scanned) = (0, 0);
    let mut bytes = [0; 16 << 10];
    while seen < answers {
        let read = stream.read(&mut bytes).unwrap();
        assert!(read > 0, "the server hung up");
        buffer.extend_from_slice(&bytes[..read]);
        while let Some(at) = buffer[scanned..].iter().position(|byte| *byte == b'\n') {
            let line = &buffer[scanned..scanned + at];
            seen += usize::from(line == b"END\r" || line == b"STORED\r");
            scanned += at + 1;
        }
    }
}

/// One request in ten is a set, of 100 bytes.
fn request(number: usize, into: &mut Vec<u8>) {
    let key = number * 7919 % KEYS;
    if number.is_multiple_of(10) {
        write!(into, "set key:{key} 0 0 100\r\n{:0100}\r\n", 7).unwrap();
    } else {
        write!(into, "get key:{key}\r\n").unwrap();
    }
}

struct Measured {
    each_second: f64,
    p99: Duration,
    /// Of the server's processor time, for each request.
    processor: Duration,
}

/// The processor time a server has taken, of all its threads, in hundredths of a second (proc(5)).
fn processor(server: &Server) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", server.process.id())).unwrap();
    // The name of the program may hold spaces; after it the twelfth and the thirteenth are user and system time.
    let fields = stat.rsplit(')').next().unwrap().split_whitespace().skip(11).take(2);
    Duration::from_millis(10 * fields.map(|ticks| ticks.parse::<u64>().unwrap()).sum::<u64>())
}

/// `clients` connections, a thread each, that send `pipelined` requests at once.
fn measure(server: &Server, clients: usize, pipelined: usize) -> Measured {
    let (begin, before) = (Instant::now(), processor(server));
    let threads: Vec<_> = (0..clients)
        .map(|client| {
            let mut stream = connect(server);
            std::thread::spawn(move || {
                let (mut times, mut buffer, mut batch) = (Vec::new(), Vec::new(), Vec::new());
                let mut number = client * 1_000_003;
                while begin.elapsed().as_secs_f64() < SECONDS {
                    batch.clear();
                    for _ in 0..pipelined {
                        request(number, &mut batch);
                        number += 1;
                    }
                    let asked = Instant::now();
                    ask(&mut stream, &batch, pipelined, &mut buffer);
                    times.push(asked.elapsed());
                }
                times
            })
        })
        .collect();
    let mut times: Vec<Duration> = threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
    times.sort();
    let requests = (times.len() * pipelined) as f64;
    let spent = processor(server).checked_sub(before).unwrap();
    Measured {
        each_second: requests / begin.elapsed().as_secs_f64(),
        p99: times[times.len() * 99 / 100],
        processor: spent.div_f64(requests),
    }
}

fn resident(server: &Server) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.process.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").trim().parse::<f64>().unwrap() * 1024.0
}

/// Bytes of memory for each of 300,000 items of a key of 14 and a value of 32 bytes.
fn memory(server: &Server) -> f64 {
    const ITEMS: usize = 300_000;
    let (mut stream, mut buffer) = (connect(server), Vec::new());
    ask(&mut stream, b"set warm 0 0 1\r\nx\r\n", 1, &mut buffer);
    let before = resident(server);
    for from in (0..ITEMS).step_by(1_000) {
        let mut batch = Vec::new();
        for number in from..from + 1_000 {
            write!(batch, "set item:{number:09} 0 0 32\r\n{number:032}\r\n").unwrap();
        }
        ask(&mut stream, &batch, 1_000, &mut buffer);
    }
    (resident(server) - before) / ITEMS as f64
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn main() {
    let args: Vec<String> = std::env::args().collect();
    if args.get(1).is_some_and(|arg| arg == "--serve") {
        return serve(&args[2]);
    }
    let servers = [ours(), theirs()];
    for server in &servers {
        let (mut stream, mut buffer) = (connect(server), Vec::new());
        for key in 0..KEYS {
            let set = format!("set key:{key} 0 0 100\r\n{:0100}\r\n", 7);
            ask(&mut stream, set.as_bytes(), 1, &mut buffer);
        }
    }
    for (what, clients, pipelined) in [
        ("1 client, one request at a time", 1, 1),
        ("8 clients, one at a time", 8, 1),
        ("8 clients, 32 at a time", 8, 32),
    ] {
        let mut found: [Vec<Measured>; 2] = [Vec::new(), Vec::new()];
        for round in 0..ROUNDS {
            // Who begins changes, as a machine's mood does.
            for turn in 0..2 {
                let which = (round + turn) % 2;
                found[which].push(measure(&servers[which], clients, pipelined));
            }
        }
        let medians =
            |pick: fn(&Measured) -> f64| [0, 1].map(|which: usize| median(found[which].iter().map(pick).collect()));
        let rate = medians(|measured| measured.each_second);
        let p99 = medians(|measured| measured.p99.as_secs_f64() * 1e6);
        let processor = medians(|measured| measured.processor.as_secs_f64() * 1e6);
        println!("{what}");
        for which in [0, 1] {
            println!(
                "  {:10} {:>9.0} requests/s, p99 {:>7.0} µs, {:>6.2} µs of processor for each",
                servers[which].name, rate[which], p99[which], processor[which]
            );
        }
        println!(
            "  ratio      {:.2} of its requests, {:.2} of its p99, {:.2} of its processor",
            rate[0] / rate[1],
            p99[0] / p99[1],
            processor[0] / processor[1]
        );
    }
    drop(servers);
    let servers = [ours(), theirs()];
    let [one, other] = [memory(&servers[0]), memory(&servers[1])];
    println!("memory of a small item: dae {one:.0} bytes, memcached {other:.0}, ratio {:.2}", one / other);
}
