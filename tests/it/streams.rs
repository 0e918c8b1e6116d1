//! Reloads under load with a websocket and an event stream open: nothing is refused, reset or failed, and who listens is let go
//! in good order, to come again and hear the new code. `DAE_RELOADS=100` for more reloads than a few.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{self, Message};

use crate::harness::{PATIENCE, Place, free_port};
use crate::traffic::{Traffic, judge};

const HOST: &str = "daetest.localhost";
const APP_YAML: &str =
    "application: daetest\nhandlers:\n- url: /ws\n  websocket: app:talk\n- url: /.*\n  wsgi_app: app:app\n";
/// How many requests are sent between two saves.
const BETWEEN: usize = 40;

fn app_py(version: u32) -> String {
    format!(
        "import time

VERSION = 'v{version:04}'


def talk(ws):
    while True:
        ws.send(VERSION)
        time.sleep(0.01)


def events():
    while True:
        yield b'data: ' + VERSION.encode() + b'\\n\\n'
        time.sleep(0.01)


def app(environ, start):
    if environ['PATH_INFO'] == '/events':
        start('200 OK', [('Content-Type', 'text/event-stream')])
        return events()
    time.sleep(0.01)
    start('200 OK', [('Content-Length', '4')])
    return [VERSION[1:].encode()]
"
    )
}

/// A client that listens and connects again whenever it is let go, at once.
struct Listener {
    heard: Arc<Mutex<Heard>>,
    ending: Arc<AtomicBool>,
    thread: std::thread::JoinHandle<()>,
}

#[derive(Debug, Default)]
struct Heard {
    /// The first version of each connection.
    first: Vec<u32>,
    /// From the end of one connection to the first word on the next.
    gaps: Vec<Duration>,
    /// What no client should meet.
    broken: Vec<String>,
}

impl Listener {
    /// `listen` is one connection until its end, and tells the version it begins with.
    fn start(listen: impl Fn(&AtomicBool, &dyn Fn(u32)) -> Result<(), String> + Send + 'static) -> Self {
        let (heard, ending) = (Arc::<Mutex<Heard>>::default(), Arc::<AtomicBool>::default());
        let thread = std::thread::spawn({
            let (heard, ending) = (heard.clone(), ending.clone());
            move || {
                let mut ended: Option<Instant> = None;
                while !ending.load(Ordering::SeqCst) {
                    let first = |version| {
                        let mut heard = heard.lock().unwrap();
                        heard.first.push(version);
                        heard.gaps.extend(ended.map(|ended| ended.elapsed()));
                    };
                    if let Err(why) = listen(&ending, &first) {
                        heard.lock().unwrap().broken.push(why);
                    }
                    ended = Some(Instant::now());
                }
            }
        });
        Self { heard, ending, thread }
    }

    fn hears(&self, version: u32) {
        let deadline = Instant::now() + PATIENCE;
        while self.heard.lock().unwrap().first.last() != Some(&version) {
            assert!(Instant::now() < deadline, "{version} is never heard: {:?}", self.heard.lock().unwrap());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn end(self) -> Heard {
        self.ending.store(true, Ordering::SeqCst);
        self.thread.join().unwrap();
        std::mem::take(&mut *self.heard.lock().unwrap())
    }
}

fn connect(port: u16) -> std::io::Result<TcpStream> {
    let stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    Ok(stream)
}

/// A websocket, whose end must be told: another server is there at once (1012).
fn socket(port: u16, ending: &AtomicBool, first: &dyn Fn(u32)) -> Result<(), String> {
    let stream = connect(port).map_err(|error| error.to_string())?;
    let (mut socket, _) =
        tungstenite::client(format!("ws://{HOST}:{port}/ws"), stream).map_err(|error| error.to_string())?;
    let (mut began, mut told) = (false, None);
    while !ending.load(Ordering::SeqCst) {
        match socket.read() {
            Ok(Message::Text(version)) if !began => {
                first(version[1..].parse().map_err(|_| version.to_string())?);
                began = true;
            }
            Ok(Message::Close(why)) => told = why.map(|why| why.code),
            Ok(_) => {}
            Err(tungstenite::Error::ConnectionClosed) if told == Some(CloseCode::Restart) => return Ok(()),
            Err(error) => return Err(format!("{error}; told {told:?}")),
        }
    }
    Ok(())
}

fn events(port: u16, ending: &AtomicBool, first: &dyn Fn(u32)) -> Result<(), String> {
    let request =
        format!("GET /events HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\nAccept: text/event-stream\r\n\r\n");
    let text = |error: std::io::Error| error.to_string();
    let mut stream = connect(port).map_err(text)?;
    stream.write_all(request.as_bytes()).map_err(text)?;
    let (mut told, mut bytes) = (String::new(), [0; 4096]);
    let mut began = false;
    while !ending.load(Ordering::SeqCst) {
        let count = stream.read(&mut bytes).map_err(text)?;
        if count == 0 {
            return if began { Ok(()) } else { Err(format!("ended after `{told}`")) };
        }
        if began {
            continue;
        }
        told.push_str(&String::from_utf8_lossy(&bytes[..count]));
        let Some((head, body)) = told.split_once("\r\n\r\n") else { continue };
        if !head.lines().next().unwrap_or_default().contains(" 200 ") {
            return Err(told);
        }
        let version = body.split_once('v').and_then(|(_, rest)| rest.get(..4)).and_then(|digits| digits.parse().ok());
        if let Some(version) = version {
            first(version);
            began = true;
        }
    }
    Ok(())
}

#[test]
fn whoever_listens_comes_again_within_no_time() {
    let reloads: u32 = std::env::var("DAE_RELOADS").ok().map_or(15, |count| count.parse().unwrap());
    let place = Place::new();
    place.write("daetest/app.yaml", APP_YAML).write("daetest/pip-req.txt", "").write("daetest/app.py", app_py(0));
    let port = free_port();
    let mut serve = place.dae(["serve", "--json", "--port", &port.to_string()]).dir("daetest").spawn();
    serve.event("started");
    let events = Listener::start(move |ending, first| events(port, ending, first));
    let socket = Listener::start(move |ending, first| socket(port, ending, first));
    let traffic = Traffic::start(port, &format!("{HOST}:{port}"));
    traffic.more(BETWEEN);
    let mut saved = Vec::new();
    for version in 1..=reloads {
        place.write("daetest/app.py", app_py(version));
        saved.push((version, Instant::now()));
        serve.event("reloaded");
        events.hears(version);
        socket.hears(version);
        traffic.more(BETWEEN);
    }
    judge("reloads beside open streams", &traffic.end(), &saved);
    for (what, heard) in [("the event stream", events.end()), ("the websocket", socket.end())] {
        let mut gaps = heard.gaps;
        gaps.sort();
        // Past the test runner, which would keep it to itself.
        let _ = writeln!(
            std::io::stderr(),
            "{what} was let go {} times; heard again within {:?}, half of the times within {:?}",
            gaps.len(),
            gaps[gaps.len() - 1],
            gaps[gaps.len() / 2],
        );
        assert_eq!(heard.broken, Vec::<String>::new(), "{what}");
        assert!(gaps.len() >= reloads as usize, "{what}");
        // On a machine that does nothing else it is a few milliseconds.
        assert!(gaps.iter().all(|gap| *gap < Duration::from_secs(20)), "{what}: {gaps:?}");
    }
    let ran = serve.stop();
    assert_eq!(ran.code, 0, "{}", ran.raw());
}
