//! The gateway beside nginx, in front of the same server, in one run: requests a second, time added to each, and a gigabyte
//! there and back. `cargo bench --bench gateway`; needs nginx and wrk.
#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a measurement that tells what it measured, or ends")]

use std::convert::Infallible;
use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use dae::gateway::{ANY_HOST, Front, Gateway, Route, Routes, Upstream, serve};
use http_body_util::BodyExt as _;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;

const ROUNDS: usize = 5;
const CONNECTIONS: usize = 32;
/// Of the run that measures what is added to one request: requests a second, for this long.
const RATE: u32 = 1_000;
const RATED_FOR: Duration = Duration::from_secs(8);
const GIGABYTE: u64 = 1 << 30;
/// A role that this program takes in a process of its own.
const ROLE: &str = "GATEWAY_BENCH";

struct Plain;

impl Front for Plain {}

fn main() {
    match std::env::var(ROLE).ok().as_deref().map(|role| role.split(' ').collect::<Vec<_>>()) {
        Some(role) if role[0] == "gateway" => gateway(role[1].into(), role[2].parse().unwrap()),
        Some(role) if role[0] == "echo" => echo(role[1].into()),
        _ if found("nginx") && found("wrk") => measure(),
        _ => println!("skipped: needs nginx and wrk (Debian: nginx-light, wrk)"),
    }
}

fn measure() {
    let dir = tempfile::tempdir().unwrap();
    let backend = dir.path().join("backend");
    let hello = "location / { default_type text/plain; return 200 'hello, world'; }";
    let _backend = nginx(dir.path(), "backend", &format!("listen unix:{};\n{hello}", backend.display()), "", 1);
    let (ours, nginx_port) = (free_port(), free_port());
    let _gateway = role(&format!("gateway {} {ours}", backend.display()), ours);
    let passes = "location / { proxy_pass http://app; proxy_http_version 1.1; proxy_set_header Connection ''; \
                  proxy_set_header Host $host; proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for; \
                  proxy_set_header X-Forwarded-Host $host; proxy_set_header X-Forwarded-Proto $scheme; }";
    let upstream = format!("upstream app {{ server unix:{}; keepalive 64; }}", backend.display());
    let _nginx = nginx(dir.path(), "proxy", &format!("listen 127.0.0.1:{nginx_port};\n{passes}"), &upstream, 2);
    wait_for(nginx_port);

    let mut rates = [Vec::new(), Vec::new()];
    for _ in 0..ROUNDS {
        for (rates, port) in rates.iter_mut().zip([ours, nginx_port]) {
            rates.push(wrk(port));
        }
    }
    let [ours_rate, nginx_rate] = rates.map(median);
    println!("requests a second, {CONNECTIONS} connections, median of {ROUNDS} rounds");
    println!("  dae    {ours_rate:8.0}");
    println!("  nginx  {nginx_rate:8.0}   dae / nginx {:.2}", ours_rate / nginx_rate);

    println!("one request at {RATE} a second, in ms");
    let direct = latencies(|| Wire::Unix(UnixStream::connect(&backend).unwrap()));
    for (name, port) in [("dae", ours), ("nginx", nginx_port)] {
        let through = latencies(|| Wire::Tcp(TcpStream::connect(("127.0.0.1", port)).unwrap()));
        println!(
            "  {name:6} p50 {:.3} p99 {:.3}   added: p50 {:.3} p99 {:.3}",
            ms(through.0),
            ms(through.1),
            ms(through.0.saturating_sub(direct.0)),
            ms(through.1.saturating_sub(direct.1)),
        );
    }
    println!("  alone  p50 {:.3} p99 {:.3}", ms(direct.0), ms(direct.1));

    let echo = dir.path().join("echo");
    let _echo = role(&format!("echo {}", echo.display()), 0);
    let port = free_port();
    let gateway = role(&format!("gateway {} {port}", echo.display()), port);
    let before = resident(&gateway);
    let took = there_and_back(port);
    println!(
        "1 GB there and back at once: {:.1} s, {:.0} MB/s each way",
        took.as_secs_f64(),
        1074.0 / took.as_secs_f64()
    );
    println!("  the gateway's memory: {before} kB before, {} kB at most", peak(&gateway));
}

/// Sends a gigabyte and reads it back at the same time.
fn there_and_back(port: u16) -> Duration {
    let since = Instant::now();
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let mut sending = stream.try_clone().unwrap();
    let sender = std::thread::spawn(move || {
        write!(sending, "POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: {GIGABYTE}\r\nConnection: close\r\n\r\n")
            .unwrap();
        let bytes = vec![7_u8; 1 << 20];
        for _ in 0..GIGABYTE >> 20 {
            sending.write_all(&bytes).unwrap();
        }
    });
    let mut buffer = vec![0; 1 << 20];
    let mut read = 0;
    loop {
        match stream.read(&mut buffer).unwrap() {
            0 => break,
            count => read += count as u64,
        }
    }
    sender.join().unwrap();
    assert!(read > GIGABYTE, "{read} bytes came back");
    since.elapsed()
}

enum Wire {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Wire {
    fn ask(&mut self, buffer: &mut [u8]) {
        const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n";
        let count = match self {
            Self::Tcp(stream) => {
                stream.write_all(REQUEST).unwrap();
                stream.read(buffer).unwrap()
            }
            Self::Unix(stream) => {
                stream.write_all(REQUEST).unwrap();
                stream.read(buffer).unwrap()
            }
        };
        assert!(buffer[..count].ends_with(b"hello, world"), "{}", String::from_utf8_lossy(&buffer[..count]));
    }
}

/// p50 and p99 over one connection, each request sent at its own time.
fn latencies(connect: impl Fn() -> Wire) -> (Duration, Duration) {
    let mut wire = connect();
    if let Wire::Tcp(stream) = &wire {
        stream.set_nodelay(true).unwrap();
    }
    let mut buffer = [0; 4096];
    let mut took = Vec::new();
    let begin = Instant::now();
    while begin.elapsed() < RATED_FOR {
        let due = begin + Duration::from_secs(1) * u32::try_from(took.len()).unwrap() / RATE;
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        let since = Instant::now();
        wire.ask(&mut buffer);
        took.push(since.elapsed());
    }
    took.sort();
    (took[took.len() / 2], took[took.len() * 99 / 100])
}

fn wrk(port: u16) -> f64 {
    let url = format!("http://127.0.0.1:{port}/");
    let connections = format!("-c{CONNECTIONS}");
    let output = Command::new("wrk").args(["-t1", &connections, "-d3s", &url]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(!text.contains("Non-2xx") && !text.contains("Socket errors"), "{text}");
    let line = text.lines().find_map(|line| line.strip_prefix("Requests/sec:")).unwrap();
    line.trim().parse().unwrap()
}

struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        // nginx ends its workers at this word; for us it is the end as well.
        let pid = nix::unistd::Pid::from_raw(i32::try_from(self.0.id()).unwrap());
        let _ = nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM);
        let _ = self.0.wait();
    }
}

fn nginx(dir: &Path, name: &str, server: &str, upstream: &str, workers: usize) -> Server {
    let config = dir.join(format!("{name}.conf"));
    let mut text = format!(
        "daemon off; pid {}; error_log stderr error; worker_processes {workers};\n",
        dir.join(format!("{name}.pid")).display()
    );
    text.push_str("events { worker_connections 1024; }\nhttp { access_log off; keepalive_requests 1000000000; ");
    for kind in ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"] {
        write!(text, "{kind}_temp_path {};", dir.join(kind).display()).unwrap();
    }
    write!(text, "\n{upstream}\nserver {{ {server} }}\n}}\n").unwrap();
    std::fs::write(&config, text).unwrap();
    let child = Command::new("nginx").arg("-c").arg(&config).arg("-p").arg(dir).spawn().unwrap();
    std::thread::sleep(Duration::from_millis(300));
    Server(child)
}

/// This program in another role; `port` is where it will listen.
fn role(role: &str, port: u16) -> Server {
    let child = Command::new(std::env::current_exe().unwrap()).env(ROLE, role).stdin(Stdio::null()).spawn().unwrap();
    if port == 0 {
        std::thread::sleep(Duration::from_millis(300));
    } else {
        wait_for(port);
    }
    Server(child)
}

fn gateway(socket: PathBuf, port: u16) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let routes = Arc::new(Routes::default());
        routes.set(ANY_HOST, Route::Serving(Arc::new(Upstream::new(socket))));
        let gateway = Arc::new(Gateway { routes, front: Arc::new(Plain), patience: Duration::from_secs(1) });
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        let listener = tokio::net::TcpListener::bind(address).await.unwrap();
        serve(vec![listener.into()], gateway, std::future::pending(), Duration::ZERO).await;
    });
}

fn echo(socket: PathBuf) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let listener = tokio::net::UnixListener::bind(socket).unwrap();
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let service = service_fn(|request: hyper::Request<hyper::body::Incoming>| async {
                Ok::<_, Infallible>(hyper::Response::new(request.into_body().boxed()))
            });
            tokio::spawn(hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service));
        }
    });
}

fn found(program: &str) -> bool {
    std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()).any(|dir| dir.join(program).is_file())
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn wait_for(port: u16) {
    let since = Instant::now();
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(since.elapsed() < Duration::from_secs(10), "nothing listens at {port}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn resident(server: &Server) -> u64 {
    status(server, "VmRSS:")
}

fn peak(server: &Server) -> u64 {
    status(server, "VmHWM:")
}

/// In kB.
fn status(server: &Server, name: &str) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{}/status", server.0.id())).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
