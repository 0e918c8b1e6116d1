//! What isolation costs, in one run: the start of a process, a request to one, and a request while a neighbour takes all the
//! processors; with nothing, and with all that a node gives an app here. `cargo bench --bench isolation`; as root, for users
//! of their own, and with Debian's Python.
#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a measurement that tells what it measured, or ends")]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use nix::libc;

use dae::supervisor::confine::{self, Files, Limits};
use dae::supervisor::groups::{Ceilings, Groups};
use dae::supervisor::{Confinement, Io, Process, Spec};

const PYTHON: &str = "/usr/bin/python3";
const STARTS: usize = 101;
const ROUNDS: usize = 21;
const REQUESTS: usize = 400;
const BESIDE: Duration = Duration::from_secs(6);
const PAUSE: Duration = Duration::from_millis(5);

/// A server as an app's is: it opens and reads a file for each answer.
const SERVER: &str = r#"
import socket, sys
listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
while True:
    stream = listener.accept()[0]
    stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    while stream.recv(4096):
        with open(sys.argv[1]) as file:
            body = file.read()
        stream.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body.encode())
"#;
const SPINS: &str = "
import os
for _ in range(2 * os.cpu_count() - 1):
    if os.fork() == 0:
        break
while True:
    pass
";

struct Bench {
    dir: tempfile::TempDir,
    groups: Option<Groups>,
    runtime: tokio::runtime::Runtime,
}

/// What one process may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kept {
    Not,
    Apart,
    /// In a control group too.
    Grouped,
}

impl Kept {
    fn name(self) -> &'static str {
        match self {
            Self::Not => "nothing",
            Self::Apart => "isolation",
            Self::Grouped => "isolation and a control group",
        }
    }
}

fn main() {
    if !Path::new(PYTHON).exists() {
        println!("skipped: needs {PYTHON}");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    std::fs::write(dir.path().join("page"), "x".repeat(2048)).unwrap();
    std::fs::write(dir.path().join("server.py"), SERVER).unwrap();
    std::fs::write(dir.path().join("spins.py"), SPINS).unwrap();
    let groups = Groups::take();
    let users = if nix::unistd::getuid().is_root() { "own users, " } else { "" };
    println!("isolation: {users}landlock {}, seccomp", confine::landlock());
    match &groups {
        Ok(groups) => println!("control groups: {}", groups.controllers().join(", ")),
        Err(why) => println!("no control groups: {why}"),
    }
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let bench = Bench { dir, groups: groups.ok(), runtime };
    let mut kinds = vec![Kept::Not, Kept::Apart];
    kinds.extend(bench.groups.as_ref().map(|_| Kept::Grouped));
    bench.starts(&kinds);
    bench.requests(&kinds);
    bench.neighbours(&kinds);
    if let Some(groups) = &bench.groups {
        groups.clear();
    }
}

impl Bench {
    fn spec(&self, kept: Kept, number: u32, args: &[&str]) -> Spec {
        let path = |name: &str| self.dir.path().join(name);
        let confine = (kept != Kept::Not).then(|| {
            let group = |groups: &Groups| groups.group(&format!("bench{number}"), Ceilings::default()).unwrap();
            Arc::new(Confinement {
                number,
                user: nix::unistd::getuid().is_root().then_some(20_000 + number),
                files: Some(Files { read: vec![path("")], write: vec![], run: vec![] }),
                limits: Limits { memory: Some(2 << 30), processes: Some(1024), file: Some(1 << 30) },
                cgroup: self.groups.as_ref().filter(|_| kept == Kept::Grouped).map(group),
            })
        });
        let args = args.iter().map(|arg| (*arg).to_owned()).collect();
        let env = vec![("PATH".to_owned(), "/usr/bin:/bin".to_owned())];
        Spec { program: PYTHON.into(), args, dir: self.dir.path().to_owned(), env, io: Io::Pipe, confine }
    }

    /// From nothing to the end of a Python that does nothing.
    fn starts(&self, kinds: &[Kept]) {
        let mut times = vec![Vec::new(); kinds.len()];
        for _ in 0..STARTS {
            for (kept, times) in kinds.iter().zip(&mut times) {
                let spec = self.spec(*kept, 1, &["-I", "-S", "-c", "pass"]);
                let began = Instant::now();
                let process = Process::start(&spec, |_| ()).unwrap();
                let end = self.runtime.block_on(process.ended());
                times.push(began.elapsed());
                assert_eq!(end, dae::supervisor::End::Code(0));
            }
        }
        println!("\nstart and end of a process, median and 95 of 100 of {STARTS}:");
        for (kept, times) in kinds.iter().zip(&mut times) {
            println!("  {:<32} {:.2} ms  {:.2} ms", kept.name(), ms(part(times, 50)), ms(part(times, 95)));
        }
    }

    fn server(&self, kept: Kept, number: u32) -> (Process, Asks) {
        let (tell, port) = channel();
        let hear = move |came: dae::supervisor::Heard<'_>| drop(came.line().map(|line| tell.send(line)));
        let process = Process::start(&self.spec(kept, number, &["-I", "server.py", "page"]), hear).unwrap();
        let port: u16 = port.recv_timeout(Duration::from_secs(20)).unwrap().trim().parse().unwrap();
        let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        stream.set_nodelay(true).unwrap();
        (process, Asks(BufReader::new(stream)))
    }

    fn requests(&self, kinds: &[Kept]) {
        // Who is waked on an idle processor costs more than all that is measured here.
        let all = stay(None);
        let mut servers: Vec<_> = kinds.iter().zip(10..).map(|(kept, number)| self.server(*kept, number)).collect();
        let mut medians = vec![Vec::new(); kinds.len()];
        for _ in 0..ROUNDS {
            for ((_, asks), medians) in servers.iter_mut().zip(&mut medians) {
                let mut times: Vec<_> = (0..REQUESTS).map(|_| asks.once()).collect();
                medians.push(part(&mut times, 50));
            }
        }
        println!(
            "\na request on one processor, median of {ROUNDS} rounds of {REQUESTS}, and by round of the first one's:"
        );
        let first = medians[0].clone();
        for (kept, medians) in kinds.iter().zip(&mut medians) {
            let mut ratios: Vec<_> =
                medians.iter().zip(&first).map(|(own, first)| own.as_secs_f64() / first.as_secs_f64()).collect();
            ratios.sort_by(f64::total_cmp);
            let ratio = ratios[ROUNDS / 2];
            println!("  {:<32} {:.1} us  {ratio:.3}", kept.name(), ms(part(medians, 50)) * 1000.0);
        }
        stay(Some(all));
    }

    /// Requests to one app while another one computes in twice as many processes as there are processors.
    fn neighbours(&self, kinds: &[Kept]) {
        println!(
            "\na request each {} ms beside a neighbour that takes all processors: 50, 99 of 100, the slowest:",
            ms(PAUSE)
        );
        for kept in [None].into_iter().chain(kinds.iter().copied().map(Some)) {
            let (_server, mut asks) = self.server(kept.unwrap_or(Kept::Not), 20);
            let spins = |kept| Process::start(&self.spec(kept, 21, &["-I", "spins.py"]), |_| ()).unwrap();
            let _neighbour = kept.map(spins);
            std::thread::sleep(Duration::from_millis(500));
            let until = Instant::now() + BESIDE;
            let mut times = Vec::new();
            while Instant::now() < until {
                times.push(asks.once());
                std::thread::sleep(PAUSE);
            }
            let slowest = ms(times.iter().max().copied().unwrap_or_default());
            let [half, most] = [50, 99].map(|share| ms(part(&mut times, share)));
            let name = kept.map_or("no neighbour", Kept::name);
            println!("  {name:<32} {half:.2} ms  {most:.2} ms  {slowest:.2} ms  ({} requests)", times.len());
        }
    }
}

/// Keeps this thread, and what it starts, on these processors, or on the first one it may have; where it was before.
fn stay(on: Option<libc::cpu_set_t>) -> libc::cpu_set_t {
    let size = size_of::<libc::cpu_set_t>();
    // SAFETY: both sets are plain bits, and live through the calls.
    unsafe {
        let mut before: libc::cpu_set_t = std::mem::zeroed();
        assert_eq!(libc::sched_getaffinity(0, size, &raw mut before), 0);
        let first = || {
            let mut one: libc::cpu_set_t = std::mem::zeroed();
            let number = (0..libc::CPU_SETSIZE.unsigned_abs() as usize).find(|cpu| libc::CPU_ISSET(*cpu, &before));
            libc::CPU_SET(number.unwrap(), &mut one);
            one
        };
        let on = on.unwrap_or_else(first);
        assert_eq!(libc::sched_setaffinity(0, size, &raw const on), 0);
        before
    }
}

/// A connection that is kept.
struct Asks(BufReader<TcpStream>);

impl Asks {
    fn once(&mut self) -> Duration {
        let began = Instant::now();
        self.0.get_mut().write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
        let mut line = String::new();
        while line != "\r\n" {
            line.clear();
            self.0.read_line(&mut line).unwrap();
        }
        self.0.read_exact(&mut [0; 2048]).unwrap();
        began.elapsed()
    }
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

fn part(times: &mut [Duration], percent: usize) -> Duration {
    times.sort();
    times[(times.len() * percent / 100).min(times.len() - 1)]
}
