//! Our queue and beanstalkd in one run, under the same load and the same durability: `cargo bench --bench queue`.
//!
//! Each figure is operations per second: a put, or a reserve with its delete. The two take turns, and the median of the ratios
//! counts. With `-- memory` ten million small jobs are put instead, and the memory of this process is told.
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::cast_precision_loss, reason = "a benchmark tells figures")]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use dae::services::Tell;
use dae::services::queue::{MAX_JOB, Settings, Sync, serve};
use tokio_util::sync::CancellationToken;

const ROUNDS: usize = 7;
const BODY: &[u8] = b"0123456789abcdef0123456789abcdef";

fn main() {
    if let Ok(folder) = std::env::var("DAE_BENCH_FOLDER") {
        return be_server(Path::new(&folder));
    }
    if std::env::args().any(|arg| arg == "memory") {
        return memory();
    }
    for (name, sync, args) in [("fsync per put", "0", ["-f", "0"]), ("batched, 50 ms", "50", ["-f", "50"])] {
        for (clients, jobs) in [(1, 1000), (16, 4000), (64, 8000)] {
            let jobs = if sync == "0" { jobs } else { jobs * 10 };
            let mut ratios = [Vec::new(), Vec::new()];
            let mut rates = [[0.0; 2]; 2];
            for _ in 0..ROUNDS {
                let ours = measure(clients, jobs, |folder| ours(folder, sync));
                let theirs = measure(clients, jobs, |folder| theirs(folder, &args));
                for phase in 0..2 {
                    ratios[phase].push(ours[phase] / theirs[phase]);
                    rates[phase] = [ours[phase], theirs[phase]];
                }
            }
            for (phase, what) in ["put", "reserve + delete"].iter().enumerate() {
                ratios[phase].sort_by(f64::total_cmp);
                let ratio = ratios[phase][ROUNDS / 2];
                let [ours, theirs] = rates[phase];
                println!(
                    "{name:15} {clients:3} clients  {what:17} {ours:9.0}/s  beanstalkd {theirs:9.0}/s  ratio {ratio:.2}"
                );
            }
        }
    }
}

struct Server {
    child: Child,
    address: SocketAddr,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port()
}

fn started(mut command: Command, port: u16) -> Server {
    let child = command.stdout(Stdio::null()).spawn().unwrap();
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let server = Server { child, address };
    while TcpStream::connect(address).is_err() {
        std::thread::sleep(Duration::from_millis(2));
    }
    server
}

fn ours(folder: &Path, sync: &str) -> Server {
    let port = port();
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.env("DAE_BENCH_FOLDER", folder).env("DAE_BENCH_PORT", port.to_string()).env("DAE_BENCH_SYNC", sync);
    started(command, port)
}

fn theirs(folder: &Path, args: &[&str]) -> Server {
    let port = port();
    let mut command = Command::new("beanstalkd");
    command.args(["-l", "127.0.0.1", "-p", &port.to_string(), "-b"]).arg(folder).args(args);
    started(command, port)
}

fn be_server(folder: &Path) {
    let variable = |name| std::env::var(name).unwrap().parse::<u16>().unwrap();
    let sync = match variable("DAE_BENCH_SYNC") {
        0 => Sync::EveryJob,
        ms => Sync::Within(Duration::from_millis(ms.into())),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let settings = Settings { folder: folder.to_owned(), max_job: MAX_JOB, sync };
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, variable("DAE_BENCH_PORT"))).await.unwrap();
        serve(listener, settings, Tell::nobody(), CancellationToken::new()).await;
    });
}

/// Puts per second, and reserves with their deletes per second.
fn measure(clients: usize, jobs: usize, start: impl Fn(&Path) -> Server) -> [f64; 2] {
    // On a disk, not in memory.
    let folder = tempfile::tempdir_in(env!("CARGO_MANIFEST_DIR")).unwrap();
    let server = start(folder.path());
    let address = server.address;
    let phase = |work: fn(&mut Conn)| {
        let conns: Vec<Conn> = (0..clients).map(|_| Conn::to(address)).collect();
        let began = Instant::now();
        std::thread::scope(|scope| {
            for mut conn in conns {
                scope.spawn(move || (0..jobs / clients).for_each(|_| work(&mut conn)));
            }
        });
        (jobs / clients * clients) as f64 / began.elapsed().as_secs_f64()
    };
    [phase(Conn::put), phase(Conn::work)]
}

struct Conn {
    read: BufReader<TcpStream>,
    line: String,
}

impl Conn {
    fn to(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_nodelay(true).unwrap();
        Self { read: BufReader::new(stream), line: String::new() }
    }

    fn answer(&mut self) -> &str {
        self.line.clear();
        self.read.read_line(&mut self.line).unwrap();
        self.line.trim_end()
    }

    fn put(&mut self) {
        let mut bytes = format!("put 10 0 60 {}\r\n", BODY.len()).into_bytes();
        bytes.extend_from_slice(BODY);
        bytes.extend_from_slice(b"\r\n");
        self.read.get_mut().write_all(&bytes).unwrap();
        assert!(self.answer().starts_with("INSERTED"));
    }

    fn work(&mut self) {
        self.read.get_mut().write_all(b"reserve\r\n").unwrap();
        let id: u64 = self.answer().split(' ').nth(1).unwrap().parse().unwrap();
        let mut body = [0; BODY.len() + 2];
        self.read.read_exact(&mut body).unwrap();
        self.read.get_mut().write_all(format!("delete {id}\r\n").as_bytes()).unwrap();
        assert_eq!(self.answer(), "DELETED");
    }
}

/// Ten million ready jobs.
fn memory() {
    const JOBS: usize = 10_000_000;
    const AT_ONCE: usize = 10_000;
    let folder = tempfile::tempdir_in(env!("CARGO_MANIFEST_DIR")).unwrap();
    for round in ["put", "read back"] {
        let began = Instant::now();
        let server = ours(folder.path(), "50");
        let mut conn = Conn::to(server.address);
        let one = format!("put 10 0 60 16\r\n{}\r\n", "x".repeat(16));
        for _ in 0..if round == "put" { JOBS / AT_ONCE } else { 0 } {
            conn.read.get_mut().write_all(one.repeat(AT_ONCE).as_bytes()).unwrap();
            (0..AT_ONCE).for_each(|_| drop(conn.answer().to_owned()));
        }
        conn.read.get_mut().write_all(b"stats-tube default\r\n").unwrap();
        while !conn.answer().starts_with("current-jobs-ready") {}
        let ready = conn.line.trim_end().to_owned();
        let status = std::fs::read_to_string(format!("/proc/{}/status", server.child.id())).unwrap();
        let memory = |key: &str| status.lines().find(|line| line.starts_with(key)).unwrap().to_owned();
        println!("{round}: {ready}, {:.1} s, {}, {}", began.elapsed().as_secs_f64(), memory("VmRSS"), memory("VmHWM"));
        assert!(ready.ends_with("10000000"), "{ready}");
    }
}
