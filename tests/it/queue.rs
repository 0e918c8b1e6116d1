//! The task queue: beanstalkd's protocol, answer for answer, and what a killed server still knows.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use dae::services::Tell;
use dae::services::queue::{MAX_JOB, Settings, Sync, serve};
use tokio_util::sync::CancellationToken;

use crate::harness::PATIENCE;

mod exchanges;
mod kills;

/// Our server, in this process.
pub struct Ours {
    pub address: SocketAddr,
    stop: CancellationToken,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Ours {
    pub fn start(folder: &Path, sync: Sync) -> Self {
        Self::with(Settings { folder: folder.to_owned(), max_job: MAX_JOB, sync }, Tell::nobody())
    }

    pub fn with(settings: Settings, tell: Tell) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
            runtime.block_on(async {
                serve(tokio::net::TcpListener::from_std(listener).unwrap(), settings, tell, stopped).await;
            });
        });
        Self { address, stop, thread: Some(thread) }
    }

    pub fn connect(&self) -> Conn {
        Conn::to(self.address)
    }
}

impl Drop for Ours {
    fn drop(&mut self) {
        self.stop.cancel();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Debian's beanstalkd. Without one: told, and a failure where all must be tested.
pub struct Theirs {
    pub address: SocketAddr,
    child: Child,
}

impl Theirs {
    pub fn start(args: &[&str]) -> Option<Self> {
        let port = crate::harness::free_port();
        let mut command = Command::new("beanstalkd");
        command.args(["-l", "127.0.0.1", "-p", &port.to_string(), "-z", &MAX_JOB.to_string()]).args(args);
        let child = match command.stdout(Stdio::null()).stderr(Stdio::null()).spawn() {
            Ok(child) => child,
            Err(error) => {
                assert!(std::env::var_os("CI").is_none(), "beanstalkd: {error}");
                println!("skipped: beanstalkd is not installed ({error})");
                return None;
            }
        };
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let theirs = Self { address, child };
        let deadline = Instant::now() + PATIENCE;
        while TcpStream::connect(address).is_err() {
            assert!(Instant::now() < deadline, "beanstalkd never listened");
            std::thread::sleep(Duration::from_millis(5));
        }
        Some(theirs)
    }
}

impl Drop for Theirs {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A client that knows no more of the protocol than what ends an answer.
pub struct Conn {
    read: BufReader<TcpStream>,
}

impl Conn {
    pub fn to(address: SocketAddr) -> Self {
        Self::try_to(address).unwrap()
    }

    pub fn try_to(address: SocketAddr) -> std::io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(Duration::from_secs(6))).unwrap();
        stream.set_nodelay(true).unwrap();
        Ok(Self { read: BufReader::new(stream) })
    }

    pub fn send(&mut self, bytes: &[u8]) {
        self.read.get_mut().write_all(bytes).unwrap();
    }

    /// One answer, with what follows its line.
    pub fn answer(&mut self) -> String {
        self.try_answer().unwrap()
    }

    pub fn try_answer(&mut self) -> std::io::Result<String> {
        let mut line = String::new();
        if self.read.read_line(&mut line)? == 0 {
            return Ok("closed".into());
        }
        let line = line.trim_end();
        let mut words = line.split(' ');
        let length = match words.next() {
            Some("RESERVED" | "FOUND") => words.nth(1),
            Some("OK") => words.next(),
            _ => None,
        };
        let Some(length) = length.and_then(|length| length.parse::<usize>().ok()) else { return Ok(line.to_owned()) };
        let mut body = vec![0; length + 2];
        self.read.read_exact(&mut body)?;
        assert_eq!(&body[length..], b"\r\n", "{line}");
        Ok(format!("{line} | {}", String::from_utf8_lossy(&body[..length])))
    }

    pub fn ask(&mut self, line: &str) -> String {
        self.send(format!("{line}\r\n").as_bytes());
        self.answer()
    }

    pub fn try_ask(&mut self, line: &str) -> std::io::Result<String> {
        self.read.get_mut().write_all(format!("{line}\r\n").as_bytes())?;
        self.try_answer()
    }

    pub fn put(&mut self, body: &str) -> u64 {
        let answer = self.ask(&format!("put 10 0 60 {}\r\n{body}", body.len()));
        answer.strip_prefix("INSERTED ").unwrap_or_else(|| panic!("{answer}")).parse().unwrap()
    }

    pub fn close_writing(&self) {
        self.read.get_ref().shutdown(std::net::Shutdown::Write).unwrap();
    }
}
