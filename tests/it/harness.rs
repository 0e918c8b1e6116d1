//! Runs the real binary in a place of its own: own HOME, own XDG folders, own temporary folder; what is downloaded is shared
//! by all tests. `Place::new().dae(["create", "x"]).run()` is the usual shape; `.spawn()` is for what goes on running.
#![allow(dead_code, reason = "each theme uses the part it needs")]

use std::ffi::{OsStr, OsString};
use std::fmt::{self, Write as _};
use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use regex_lite::Regex;

/// No single wait takes longer; on a busy machine the first fetch of the runtime set may take minutes.
pub const PATIENCE: Duration = Duration::from_mins(4);
/// How long a process that was asked to end may take before it is killed.
const GRACE: Duration = Duration::from_secs(15);

/// A fresh home with an empty working folder; gone when the last copy and the last process in it are.
#[derive(Clone)]
pub struct Place {
    root: Arc<tempfile::TempDir>,
}

impl Place {
    pub fn new() -> Self {
        // Short, because sockets live below it; canonical, because programs print canonical paths.
        let temp = std::env::temp_dir().canonicalize().unwrap();
        let root = tempfile::Builder::new().prefix("dae-it-").tempdir_in(temp).unwrap();
        for folder in ["home", "work", "run", "tmp"] {
            std::fs::create_dir(root.path().join(folder)).unwrap();
        }
        Self { root: Arc::new(root) }
    }

    /// The working folder, or what is below it.
    pub fn path(&self, below: impl AsRef<Path>) -> PathBuf {
        self.root.path().join("work").join(below)
    }

    /// `HOME`, or what is below it.
    pub fn home(&self, below: impl AsRef<Path>) -> PathBuf {
        self.root.path().join("home").join(below)
    }

    /// Writes a file below the working folder, with the folders it needs.
    pub fn write(&self, below: impl AsRef<Path>, text: impl AsRef<[u8]>) -> &Self {
        let path = self.path(below);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
        self
    }

    pub fn read(&self, below: impl AsRef<Path>) -> String {
        let path = self.path(below);
        std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    /// Every file below the working folder, sorted; folders end in `/`. `.git` and `venv` are named and not entered.
    pub fn files(&self) -> Vec<String> {
        let mut files = Vec::new();
        list(&self.path(""), "", &mut files);
        files.sort();
        files
    }

    /// A disk of its own at a folder below the working folder; none, and said why, where none can be mounted.
    pub fn small_disk(&self, below: &str, megabytes: u32) -> Option<Disk> {
        let at = self.path(below);
        std::fs::create_dir(&at).unwrap();
        let size = format!("size={megabytes}m");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(&at).output();
        match mounted {
            Ok(output) if output.status.success() => Some(Disk(at)),
            why => {
                println!("skipped: no small disk can be mounted here: {why:?}");
                None
            }
        }
    }

    /// The real binary with `args`, about to run in the working folder.
    pub fn dae<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>) -> Dae {
        self.command(env!("CARGO_BIN_EXE_dae"), args)
    }

    /// Any other program in the same surroundings.
    pub fn command<A: AsRef<OsStr>>(&self, program: impl AsRef<OsStr>, args: impl IntoIterator<Item = A>) -> Dae {
        let mut command = Command::new(program);
        command.args(args).current_dir(self.path("")).stdin(Stdio::null());
        self.surround(&mut command);
        Dae { place: self.clone(), command }
    }

    fn surround(&self, command: &mut Command) {
        // What the machine sets for its own sake must not reach the program; how packages are fetched must.
        for (name, _) in std::env::vars_os() {
            let text = name.to_string_lossy();
            let foreign = ["DAE_", "GIT_", "XDG_", "PYTHON", "PYENV", "VIRTUAL_ENV", "CARGO", "RUST", "LC_"];
            if foreign.iter().any(|prefix| text.starts_with(prefix)) || text == "CI" {
                command.env_remove(&name);
            }
        }
        let cache = shared_cache();
        command
            .env("HOME", self.home(""))
            .env("XDG_CONFIG_HOME", self.home(".config"))
            .env("XDG_DATA_HOME", self.home(".local/share"))
            .env("XDG_STATE_HOME", self.home(".local/state"))
            .env("XDG_RUNTIME_DIR", self.root.path().join("run"))
            .env("XDG_CACHE_HOME", &cache)
            .env("UV_CACHE_DIR", cache.join("uv"))
            .env("PIP_CACHE_DIR", cache.join("pip"))
            .env("TMPDIR", self.root.path().join("tmp"))
            .env("PATH", path_with_python())
            .env("LANG", "C.UTF-8")
            .env("COLUMNS", "100")
            .env("NO_COLOR", "1")
            .env("GIT_CONFIG_NOSYSTEM", "1");
        // With another HOME pip would no longer find the settings a user has for it.
        if let Some(home) = std::env::var_os("HOME") {
            let settings = [".config/pip/pip.conf", ".pip/pip.conf"].map(|below| Path::new(&home).join(below));
            if let (Some(file), None) =
                (settings.iter().find(|file| file.is_file()), std::env::var_os("PIP_CONFIG_FILE"))
            {
                command.env("PIP_CONFIG_FILE", file);
            }
        }
    }

    /// Everything in `text` that differs from run to run, replaced by its kind.
    fn filtered(&self, text: &str) -> String {
        static FILTERS: OnceLock<Vec<(Regex, &str)>> = OnceLock::new();
        let mut text = text.to_owned();
        for (from, to) in [
            (self.path(""), "[DIR]"),
            (self.home(""), "[HOME]"),
            (self.root.path().join("run"), "[RUN]"),
            (self.root.path().join("tmp"), "[TMP]"),
            (shared_cache(), "[CACHE]"),
        ] {
            let from = from.to_string_lossy();
            text = text.replace(from.trim_end_matches('/'), to);
        }
        let filters = FILTERS.get_or_init(|| {
            [
                (r"((?:localhost|127\.0\.0\.1|\[::1\]):)\d+", "${1}[PORT]"),
                (r"(\bport )\d+", "${1}[PORT]"),
                (r"\b\d+(?:\.\d+)?\s?(?:µs|ms|s)\b", "[TIME]"),
                (r"\b\d\d:\d\d:\d\d\b", "[TIME]"),
                (r"\bdae \d+\.\d+\.\d+", "dae [VERSION]"),
                (r"(?i)(python[ -]?)\d+\.\d+(?:\.\d+)?", "${1}[VERSION]"),
                (r"==[0-9][0-9A-Za-z.+!]*", "==[VERSION]"),
                (r"\bpid \d+", "pid [PID]"),
            ]
            .into_iter()
            .map(|(pattern, with)| (Regex::new(pattern).unwrap(), with))
            .collect()
        });
        for (pattern, with) in filters {
            text = pattern.replace_all(&text, *with).into_owned();
        }
        text
    }
}

/// Mounted while it lives.
pub struct Disk(PathBuf);

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

fn list(folder: &Path, prefix: &str, files: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
        if !entry.file_type().unwrap().is_dir() {
            files.push(name);
        } else if [".git", "venv"].iter().any(|known| entry.file_name() == *known) {
            files.push(format!("{name}/"));
        } else {
            list(&entry.path(), &format!("{name}/"), files);
        }
    }
}

/// What tests download, kept between runs.
pub fn shared_cache() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("cache")
}

/// A real interpreter: what `python3` on PATH says it is, past any shim that picks one by HOME.
pub fn python() -> &'static Path {
    static PYTHON: OnceLock<PathBuf> = OnceLock::new();
    PYTHON.get_or_init(|| {
        let said = Command::new("python3").args(["-c", "import sys; print(sys.executable)"]).output().unwrap();
        PathBuf::from(String::from_utf8(said.stdout).unwrap().trim())
    })
}

fn path_with_python() -> OsString {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let others = std::env::split_paths(&path).filter(|folder| !folder.ends_with("shims"));
    std::env::join_paths(python().parent().map(Path::to_owned).into_iter().chain(others)).unwrap()
}

/// A command about to run.
pub struct Dae {
    place: Place,
    command: Command,
}

impl Dae {
    /// Runs in this folder below the working folder.
    pub fn dir(mut self, below: impl AsRef<Path>) -> Self {
        self.command.current_dir(self.place.path(below));
        self
    }

    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    pub fn without_env(mut self, name: &str) -> Self {
        self.command.env_remove(name);
        self
    }

    pub fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.command.arg(arg);
        self
    }

    /// Runs it to its end.
    pub fn run(self) -> Ran {
        self.spawn().wait()
    }

    /// Runs it and panics with all it said unless it ends with 0.
    pub fn ok(self) -> Ran {
        let ran = self.run();
        assert!(ran.code == 0, "{}", ran.raw());
        ran
    }

    pub fn spawn(mut self) -> Running {
        let mut child = self.command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (send, lines) = channel();
        for (stream, pipe) in [
            (Stream::Out, Box::new(child.stdout.take().unwrap()) as Box<dyn Read + Send>),
            (Stream::Err, Box::new(child.stderr.take().unwrap())),
        ] {
            let send = send.clone();
            std::thread::spawn(move || {
                let mut pipe = BufReader::new(pipe);
                let mut line = Vec::new();
                while pipe.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
                    let _ = send.send((stream, String::from_utf8_lossy(&line).into_owned()));
                    line.clear();
                }
            });
        }
        Running { place: self.place, child, lines, seen: Vec::new(), read: 0, ended: None }
    }
}

/// A process at a terminal of its own, where it can be typed to.
pub struct Seated {
    child: Box<dyn portable_pty::Child + Send + Sync>,
    /// Closed, the process is hung up on.
    master: Box<dyn portable_pty::MasterPty + Send>,
    keys: Box<dyn std::io::Write + Send>,
    said: Receiver<Vec<u8>>,
    seen: String,
    /// How much of `seen` an `until` has gone past.
    read: usize,
}

impl Dae {
    /// Runs it at a terminal of 100 columns.
    pub fn seated(self) -> Seated {
        let size = portable_pty::PtySize { rows: 40, cols: 100, ..Default::default() };
        let pair = portable_pty::native_pty_system().openpty(size).unwrap();
        let mut command = portable_pty::CommandBuilder::new(self.command.get_program());
        command.args(self.command.get_args());
        command.cwd(self.command.get_current_dir().unwrap());
        for (name, value) in self.command.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            }
        }
        command.env("TERM", "xterm-256color");
        let child = pair.slave.spawn_command(command).unwrap();
        let (mut screen, keys) = (pair.master.try_clone_reader().unwrap(), pair.master.take_writer().unwrap());
        let (send, said) = channel();
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(read @ 1..) = screen.read(&mut bytes) {
                let _ = send.send(bytes[..read].to_vec());
            }
        });
        Seated { child, master: pair.master, keys, said, seen: String::new(), read: 0 }
    }
}

impl Seated {
    pub fn keys(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).unwrap();
        self.keys.flush().unwrap();
    }

    pub fn resize(&self, rows: u16, cols: u16) {
        self.master.resize(portable_pty::PtySize { rows, cols, ..Default::default() }).unwrap();
    }

    /// Waits until `text` appears after what was waited for last.
    pub fn until(&mut self, text: &str) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(at) = self.seen[self.read..].find(text) {
                self.read += at + text.len();
                return;
            }
            match self.said.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(bytes) => self.seen.push_str(&String::from_utf8_lossy(&bytes)),
                Err(why) => panic!("`{text}` never came ({why}); the terminal shows:\n{}", self.seen),
            }
        }
    }

    /// All that was written to the terminal so far, escape sequences included.
    pub fn seen(&self) -> &str {
        &self.seen
    }

    pub fn pid(&self) -> u32 {
        self.child.process_id().unwrap()
    }

    /// Waits for it to end by itself; the exit code.
    pub fn wait(mut self) -> u32 {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.exit_code();
            }
            assert!(Instant::now() < deadline, "it does not end; the terminal shows:\n{}", self.seen);
            if let Ok(bytes) = self.said.recv_timeout(Duration::from_millis(20)) {
                self.seen.push_str(&String::from_utf8_lossy(&bytes));
            }
        }
    }
}

impl Drop for Seated {
    fn drop(&mut self) {
        if !self.child.try_wait().is_ok_and(|ended| ended.is_some()) {
            // The terminal goes away, as when its window is closed; what does not mind is killed.
            let _ = kill(Pid::from_raw(self.pid().cast_signed()), Signal::SIGHUP);
            let deadline = Instant::now() + GRACE;
            while self.child.try_wait().is_ok_and(|ended| ended.is_none()) && Instant::now() < deadline {
                std::thread::sleep(Duration::from_millis(10));
            }
            let _ = self.child.kill();
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    Out,
    Err,
}

/// A process that goes on. Dropped, it is interrupted, and killed if it does not mind that.
pub struct Running {
    place: Place,
    child: Child,
    lines: Receiver<(Stream, String)>,
    /// All that was printed so far, in the order it came.
    seen: Vec<(Stream, String)>,
    /// How many of `seen` an `until` has gone past.
    read: usize,
    ended: Option<ExitStatus>,
}

impl Running {
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits until a line, on either stream, holds `text`; lines before it are gone past.
    pub fn until(&mut self, text: &str) -> String {
        self.until_some(text, |line| line.contains(text).then(|| line.trim_end().to_owned()))
    }

    /// Whether `text` comes within so long.
    pub fn until_within(&mut self, text: &str, patience: Duration) -> bool {
        let deadline = Instant::now() + patience;
        loop {
            while let Some((_, line)) = self.seen.get(self.read) {
                self.read += 1;
                if line.contains(text) {
                    return true;
                }
            }
            match self.lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(line) => self.seen.push(line),
                Err(_) => return false,
            }
        }
    }

    /// Waits for the next line of `--json` whose `event` is `name`.
    pub fn event(&mut self, name: &str) -> serde_json::Value {
        self.until_some(name, |line| {
            let value: serde_json::Value = serde_json::from_str(line).ok()?;
            (value["event"] == name).then_some(value)
        })
    }

    /// Waits until `wanted` finds something in a line; `what` names it when it never comes.
    pub fn until_some<T>(&mut self, what: &str, wanted: impl Fn(&str) -> Option<T>) -> T {
        let deadline = Instant::now() + PATIENCE;
        loop {
            while let Some((_, line)) = self.seen.get(self.read) {
                self.read += 1;
                if let Some(found) = wanted(line) {
                    return found;
                }
            }
            match self.lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(line) => self.seen.push(line),
                Err(why) => panic!("`{what}` never came ({why}); it said:\n{}", self.said()),
            }
        }
    }

    /// All it has printed so far, both streams in the order they came.
    pub fn said(&mut self) -> String {
        self.seen.extend(self.lines.try_iter());
        self.seen.iter().map(|(_, line)| line.as_str()).collect()
    }

    pub fn signal(&self, signal: Signal) {
        if self.ended.is_none() {
            let _ = kill(Pid::from_raw(self.child.id().cast_signed()), signal);
        }
    }

    pub fn ended(&mut self) -> bool {
        if self.ended.is_none() {
            self.ended = self.child.try_wait().unwrap();
        }
        self.ended.is_some()
    }

    /// Waits for it to end by itself.
    pub fn wait(mut self) -> Ran {
        self.finish(PATIENCE)
    }

    /// Interrupts it, as Ctrl-C does, and waits for its end.
    pub fn stop(mut self) -> Ran {
        self.signal(Signal::SIGINT);
        self.finish(PATIENCE)
    }

    fn finish(&mut self, within: Duration) -> Ran {
        let deadline = Instant::now() + within;
        // The pipes close when nobody holds them any more; a process left behind would hold them for ever.
        let mut ended_at = None;
        loop {
            match self.lines.recv_timeout(Duration::from_millis(20)) {
                Ok(line) => self.seen.push(line),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) if self.ended() => {
                    if ended_at.get_or_insert_with(Instant::now).elapsed() > GRACE {
                        break;
                    }
                }
                Err(RecvTimeoutError::Timeout) => {
                    assert!(Instant::now() < deadline, "it does not end; it said:\n{}", self.said());
                }
            }
        }
        while !self.ended() {
            assert!(Instant::now() < deadline, "it does not end; it said:\n{}", self.said());
            std::thread::sleep(Duration::from_millis(5));
        }
        let of = |wanted| self.seen.iter().filter(move |(stream, _)| *stream == wanted).map(|(_, line)| line.as_str());
        let status = self.ended.unwrap();
        Ran {
            code: status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or_default()),
            stdout: of(Stream::Out).collect(),
            stderr: of(Stream::Err).collect(),
            place: self.place.clone(),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if self.ended() {
            return;
        }
        self.signal(Signal::SIGINT);
        let deadline = Instant::now() + GRACE;
        while !self.ended() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(10));
        }
        if !self.ended() {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

/// How a run ended and what it said, unfiltered; shown, it is one picture for a snapshot.
pub struct Ran {
    /// The exit code; 128 and the signal's number when a signal ended it, as a shell has it.
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
    place: Place,
}

impl Ran {
    /// The one JSON value that is the answer: the last line of stdout.
    pub fn json(&self) -> serde_json::Value {
        let line = self.stdout.lines().last().unwrap_or_default();
        serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}\n{}", self.raw()))
    }

    /// Unfiltered, for a failure's message.
    pub fn raw(&self) -> String {
        format!("exit: {}\n--- stdout\n{}--- stderr\n{}", self.code, self.stdout, self.stderr)
    }
}

impl fmt::Display for Ran {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "exit: {}", self.code)?;
        for (name, text) in [("stdout", &self.stdout), ("stderr", &self.stderr)] {
            if !text.is_empty() {
                write!(f, "\n--- {name}\n{}", self.place.filtered(text).trim_end_matches('\n'))?;
            }
        }
        Ok(())
    }
}

/// A port nobody listens on just now, given once: of those the system gives to nobody who names none, so that no
/// connection takes it before the program under test does.
pub fn free_port() -> u16 {
    static GIVEN: AtomicU16 = AtomicU16::new(0);
    const BETWEEN: std::ops::Range<u16> = 12_000..32_000;
    // Two runs of the tests at once begin elsewhere.
    let begin = u16::try_from(std::process::id() * 331 % u32::from(BETWEEN.end - BETWEEN.start)).unwrap();
    let next = || BETWEEN.start + (begin + GIVEN.fetch_add(1, Ordering::Relaxed)) % (BETWEEN.end - BETWEEN.start);
    std::iter::repeat_with(next).find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok()).unwrap()
}

/// An HTTP answer; header names in lowercase.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.text()).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// One GET on a connection of its own.
pub fn get(port: u16, host: &str, path: &str) -> Answer {
    Http::open(port).get(host, path).unwrap_or_else(|error| panic!("GET {path} of {host} on port {port}: {error}"))
}

/// A connection that is kept: what a browser holds on to.
pub struct Http {
    stream: BufReader<TcpStream>,
}

impl Http {
    pub fn open(port: u16) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Self { stream: BufReader::new(stream) }
    }

    pub fn get(&mut self, host: &str, path: &str) -> std::io::Result<Answer> {
        self.send("GET", host, path, &[], b"")
    }

    /// Sends one request and reads its whole answer; `host` may name a port, and need not exist.
    pub fn send(
        &mut self,
        method: &str,
        host: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> std::io::Result<Answer> {
        let mut head = format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\n");
        for (name, value) in headers {
            let _ = write!(head, "{name}: {value}\r\n");
        }
        if !body.is_empty() || method != "GET" && method != "HEAD" {
            let _ = write!(head, "Content-Length: {}\r\n", body.len());
        }
        head.push_str("\r\n");
        let stream = self.stream.get_mut();
        stream.write_all(head.as_bytes())?;
        stream.write_all(body)?;
        self.answer(method)
    }

    fn line(&mut self) -> std::io::Result<String> {
        let mut line = String::new();
        if self.stream.read_line(&mut line)? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        Ok(line.trim_end().to_owned())
    }

    fn answer(&mut self, method: &str) -> std::io::Result<Answer> {
        let bad = |what: &str| std::io::Error::new(std::io::ErrorKind::InvalidData, what.to_owned());
        let first = self.line()?;
        let status = first.split(' ').nth(1).and_then(|code| code.parse().ok()).ok_or_else(|| bad(&first))?;
        let mut headers = Vec::new();
        loop {
            let line = self.line()?;
            let Some((name, value)) = line.split_once(':') else { break };
            headers.push((name.to_lowercase(), value.trim().to_owned()));
        }
        let mut answer = Answer { status, headers, body: Vec::new() };
        if method == "HEAD" || status == 204 || status == 304 {
            return Ok(answer);
        }
        if answer.header("transfer-encoding").is_some_and(|value| value.eq_ignore_ascii_case("chunked")) {
            loop {
                let size = self.line()?;
                let size = usize::from_str_radix(size.split(';').next().unwrap_or_default(), 16);
                let size = size.map_err(|_| bad("a chunk's size is no number"))?;
                let at = answer.body.len();
                answer.body.resize(at + size, 0);
                self.stream.read_exact(&mut answer.body[at..])?;
                self.line()?;
                if size == 0 {
                    break;
                }
            }
        } else if let Some(length) = answer.header("content-length") {
            let length: usize = length.parse().map_err(|_| bad("Content-Length is no number"))?;
            answer.body.resize(length, 0);
            self.stream.read_exact(&mut answer.body)?;
        } else {
            self.stream.read_to_end(&mut answer.body)?;
        }
        Ok(answer)
    }
}
