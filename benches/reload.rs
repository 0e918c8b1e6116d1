//! From a saved file to the new answer, side by side with the reloaders Python developers have: the same app, the same
//! machine, one edit of each in turn. `cargo bench --bench reload`; `-- 40` for other than 20 edits.
#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a measurement that tells what it measured, or ends")]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

const DAE: &str = env!("CARGO_BIN_EXE_dae");
const PACKAGES: &[&str] =
    &["flask==3.1.2", "gunicorn==23.0.0", "inotify==0.2.12", "uvicorn==0.38.0", "watchfiles==1.1.1"];
/// What an app that takes long to import has besides.
const HEAVY: &[&str] = &["numpy==2.3.5", "pandas==2.3.3", "SQLAlchemy==2.0.44", "Django==5.2.8"];
const HEAVY_IMPORTS: &str = "import django.db.models\nimport numpy\nimport pandas\nimport sqlalchemy.orm\n";
const WATCHDOG: &str = "watchdog<7";
/// Longer than the pauses of those that look for changes by the clock.
const GIVE_UP: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(1);

/// No reload can do with less: a fork of a Python that has the packages, and the import of the app in it.
const FLOOR: &str = "
import os, sys
exec(sys.argv[1])
import flask, werkzeug.test
print('up', flush=True)
for line in sys.stdin:
    if os.fork() == 0:
        sys.path.insert(0, os.getcwd())
        import app
        os.write(1, app.app.test_client().get('/').data + b'\\n')
        os._exit(0)
    os.wait()
";

/// Each edit changes the file's size: bytecode is told apart by size and second.
fn app_py(imports: &str, edit: usize) -> String {
    let filler = "#".repeat(edit + 1);
    format!(
        "{imports}from flask import Flask\n\napp = Flask(__name__)\n\n\n@app.route('/')\ndef index():\n    return 'v{edit}'  {filler}\n"
    )
}

/// The same packages, the same answer.
fn asgi_py(imports: &str, edit: usize) -> String {
    let filler = "#".repeat(edit + 1);
    format!(
        "{imports}import flask\n\n\nasync def app(scope, receive, send):\n    assert scope['type'] == 'http'\n    \
         await send({{'type': 'http.response.start', 'status': 200, 'headers': []}})\n    \
         await send({{'type': 'http.response.body', 'body': b'v{edit}'}})  {filler}\n"
    )
}

enum How {
    Http(u16),
    Pipe(ChildStdin, BufReader<ChildStdout>),
}

struct Contender {
    name: &'static str,
    child: Child,
    file: PathBuf,
    text: fn(&str, usize) -> String,
    imports: &'static str,
    how: How,
    took: Vec<Duration>,
    failed: usize,
}

impl Drop for Contender {
    fn drop(&mut self) {
        end(&mut self.child);
    }
}

fn end(child: &mut Child) {
    let group = Pid::from_raw(child.id().cast_signed());
    let _ = killpg(group, Signal::SIGINT);
    let since = Instant::now();
    while since.elapsed() < Duration::from_secs(3) {
        if child.try_wait().unwrap().is_some() {
            break;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    let _ = killpg(group, Signal::SIGKILL);
    let _ = child.wait();
}

fn get(port: u16) -> Option<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream.set_read_timeout(Some(GIVE_UP)).ok()?;
    stream.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let ok = answer.starts_with("HTTP/1.1 200") || answer.starts_with("HTTP/1.0 200");
    // Chunked or not: what was asked for begins a line.
    ok.then(|| answer.split_once("\r\n\r\n").map(|(_, body)| body.to_owned())).flatten()
}

fn says(port: u16, wanted: &str) -> Option<bool> {
    // The development server of dae adds its refreshing script behind it.
    let is = |line: &str| line.strip_prefix(wanted).is_some_and(|rest| !rest.starts_with(|c: char| c.is_ascii_digit()));
    get(port).map(|body| body.lines().any(is))
}

impl Contender {
    /// Saves edit number `edit` and waits for its answer.
    fn edit(&mut self, edit: usize) {
        let wanted = format!("v{edit}");
        std::fs::write(&self.file, (self.text)(self.imports, edit)).unwrap();
        let saved = Instant::now();
        match &mut self.how {
            How::Http(port) => loop {
                match says(*port, &wanted) {
                    Some(true) => break,
                    Some(false) => {}
                    None => self.failed += 1,
                }
                assert!(saved.elapsed() < GIVE_UP, "{}: edit {edit} is never answered", self.name);
                std::thread::sleep(POLL);
            },
            How::Pipe(to, from) => {
                to.write_all(b"go\n").unwrap();
                let mut line = String::new();
                from.read_line(&mut line).unwrap();
                assert_eq!(line.trim(), wanted);
            }
        }
        self.took.push(saved.elapsed());
    }
}

struct Bench {
    /// What the app imports besides.
    imports: &'static str,
    dir: PathBuf,
    venv: PathBuf,
    watchdog: PathBuf,
}

impl Bench {
    fn prepare() -> Self {
        let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join("bench");
        let (venv, watchdog) = (cache.join("venv"), cache.join("watchdog"));
        let done = cache.join("done");
        let list = format!("{PACKAGES:?} {HEAVY:?} {WATCHDOG}");
        if std::fs::read_to_string(&done).ok().as_deref() != Some(&list) {
            let _ = std::fs::remove_dir_all(&cache);
            std::fs::create_dir_all(&cache).unwrap();
            let run = |program: &Path, args: &[&str]| {
                assert!(Command::new(program).args(args).status().unwrap().success(), "{} {args:?}", program.display());
            };
            run(Path::new("python3"), &["-m", "venv", venv.to_str().unwrap()]);
            let pip = venv.join("bin/pip");
            run(&pip, &[&["install", "-q"], PACKAGES, HEAVY].concat());
            run(&pip, &["install", "-q", "--target", watchdog.to_str().unwrap(), WATCHDOG]);
            std::fs::write(done, list).unwrap();
        }
        let dir = cache.join("apps");
        let _ = std::fs::remove_dir_all(&dir);
        Self { imports: "", dir, venv, watchdog }
    }

    fn app(&self, name: &str) -> PathBuf {
        let kind = if self.imports.is_empty() { "light" } else { "heavy" };
        let app = self.dir.join(kind).join(name.replace([' ', '-', ':'], ""));
        std::fs::create_dir_all(&app).unwrap();
        std::fs::write(app.join("app.py"), app_py(self.imports, 0)).unwrap();
        std::fs::write(app.join("asgi.py"), asgi_py(self.imports, 0)).unwrap();
        let heavy = if self.imports.is_empty() { &[] } else { HEAVY };
        std::fs::write(app.join("pip-req.txt"), [&PACKAGES[..1], heavy].concat().join("\n")).unwrap();
        std::fs::write(app.join("app.yaml"), "application: bench\nhandlers:\n- url: /.*\n  wsgi_app: app:app\n")
            .unwrap();
        app
    }

    fn command(&self, app: &Path, words: &[&str]) -> Command {
        let mut command = Command::new(words[0]);
        command.args(&words[1..]).current_dir(app).process_group(0).stdout(Stdio::null()).stderr(Stdio::null());
        let path = format!("{}:{}", self.venv.join("bin").display(), std::env::var("PATH").unwrap());
        command.env("PATH", path).env_remove("PYTHONDONTWRITEBYTECODE").env_remove("VIRTUAL_ENV");
        command
    }

    /// Starts one; `PORT` among the words is a free port. Returns when it answers.
    fn start(&self, name: &'static str, words: &[&str]) -> Contender {
        let app = self.app(name);
        let port = free_port();
        let number = port.to_string();
        let bind = format!("127.0.0.1:{port}");
        let words: Vec<&str> = words
            .iter()
            .map(|word| match *word {
                "PORT" => number.as_str(),
                "BIND" => bind.as_str(),
                word => word,
            })
            .collect();
        let asgi = words.contains(&"asgi:app");
        let mut command = self.command(&app, &words);
        if name.contains("watchdog") {
            command.env("PYTHONPATH", &self.watchdog);
        }
        let child = command.spawn().unwrap();
        let since = Instant::now();
        while says(port, "v0") != Some(true) {
            assert!(since.elapsed() < GIVE_UP * 4, "{name} does not start");
            std::thread::sleep(Duration::from_millis(20));
        }
        let (file, text): (_, fn(&str, usize) -> String) = if asgi { ("asgi.py", asgi_py) } else { ("app.py", app_py) };
        let (file, how, imports) = (app.join(file), How::Http(port), self.imports);
        Contender { name, child, file, text, imports, how, took: Vec::new(), failed: 0 }
    }

    fn floor(&self) -> Contender {
        let name = "the floor: fork, import";
        let app = self.app(name);
        let mut command = self.command(&app, &["python", "-c", FLOOR, self.imports]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut from = BufReader::new(child.stdout.take().unwrap());
        from.read_line(&mut String::new()).unwrap();
        let how = How::Pipe(child.stdin.take().unwrap(), from);
        let (file, imports) = (app.join("app.py"), self.imports);
        Contender { name, child, file, text: app_py, imports, how, took: Vec::new(), failed: 0 }
    }
}

fn free_port() -> u16 {
    TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port()
}

fn ms(took: Duration) -> String {
    format!("{:.1} ms", took.as_secs_f64() * 1000.0)
}

/// Median, least and most.
fn figures(took: &[Duration]) -> (Duration, Duration, Duration) {
    let mut sorted = took.to_vec();
    sorted.sort();
    (sorted[sorted.len() / 2], sorted[0], sorted[sorted.len() - 1])
}

fn row(name: &str, took: &[Duration]) {
    let (median, least, most) = figures(took);
    println!("| {name} | {} | {} to {} |", ms(median), ms(least), ms(most));
}

fn starts(bench: &Bench) {
    println!("\n| start | median | least to most |\n|---|---|---|");
    let timed = |mut command: Command| {
        let since = Instant::now();
        assert!(command.status().unwrap().success());
        since.elapsed()
    };
    let app = bench.app("start");
    for word in ["--version", "--help"] {
        let took: Vec<_> = (0..20).map(|_| timed(bench.command(&app, &[DAE, word]))).collect();
        row(&format!("`dae {word}`"), &took);
        assert!(figures(&took).0 < Duration::from_millis(20), "`dae {word}` takes too long");
    }
    let first = || {
        let port = free_port();
        let since = Instant::now();
        let mut child = bench.command(&app, &[DAE, "serve", "--port", &port.to_string()]).spawn().unwrap();
        while get(port).is_none() {
            assert!(since.elapsed() < GIVE_UP * 4, "`dae serve` does not start");
            std::thread::sleep(POLL);
        }
        let took = since.elapsed();
        end(&mut child);
        took
    };
    row("`dae serve` to the first 200, no virtualenv yet", &[first()]);
    let (mut dae, mut plain) = (Vec::new(), Vec::new());
    for _ in 0..10 {
        dae.push(first());
        plain.push(timed(bench.command(&app, &["python", "-c", "import app"])));
    }
    row("`dae serve` to the first 200", &dae);
    row("`python -c 'import app'`", &plain);
}

fn main() {
    let edits = std::env::args().skip(1).find_map(|arg| arg.parse().ok()).unwrap_or(20);
    let mut bench = Bench::prepare();
    starts(&bench);
    saves(&bench, edits, "hello, world");
    bench.imports = HEAVY_IMPORTS;
    saves(&bench, edits, "with numpy, pandas, SQLAlchemy and Django");
}

fn saves(bench: &Bench, edits: usize, app: &str) {
    let gunicorn = ["gunicorn", "-b", "BIND", "--reload", "--reload-engine"];
    let mut contenders = [
        bench.start("dae serve", &[DAE, "serve", "--port", "PORT"]),
        bench.start("dae serve --cold", &[DAE, "serve", "--cold", "--port", "PORT"]),
        bench.start("flask --debug", &["flask", "--debug", "run", "--port", "PORT"]),
        bench.start("flask --debug, watchdog", &["flask", "--debug", "run", "--port", "PORT"]),
        bench.start("gunicorn --reload, poll", &[&gunicorn[..], &["poll", "app:app"]].concat()),
        bench.start("gunicorn --reload, inotify", &[&gunicorn[..], &["inotify", "app:app"]].concat()),
        bench.start("uvicorn --reload", &["uvicorn", "--reload", "--port", "PORT", "asgi:app"]),
        bench.floor(),
    ];
    for edit in 1..=edits {
        for (number, contender) in contenders.iter_mut().enumerate() {
            // Those that look by the clock are met at any point of their round.
            std::thread::sleep(Duration::from_millis(50 + (edit * 197 + number * 71) as u64 % 200));
            contender.edit(edit);
        }
    }
    println!("\n| save to new answer, {edits} edits, {app} | median | least to most | times dae | failed requests |");
    println!("|---|---|---|---|---|");
    let dae = figures(&contenders[0].took).0;
    for contender in &contenders {
        let (median, least, most) = figures(&contender.took);
        let ratio = median.as_secs_f64() / dae.as_secs_f64();
        let Contender { name, failed, .. } = contender;
        println!("| {name} | {} | {} to {} | {ratio:.2} | {failed} |", ms(median), ms(least), ms(most));
    }
}
