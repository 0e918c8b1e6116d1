//! The session of the 2012 talk, as one person types it: create, install, serve, deploy. Real packages, real sockets. What
//! the terminal shows becomes the README's picture, `docs/session.svg`; `DAE_UPDATE=1` draws it anew.

use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::time::{Duration, Instant};

use anstyle::{Ansi256Color, Color, RgbColor};
use nix::sys::signal::Signal;
use regex_lite::Regex;

use crate::harness::{Dae, Place, Ran, Running, free_port, get};

/// The talk's app, to the letter.
const APP_PY: &str = r#"import web

urls = ('/', 'index')

class index:
    def GET(self):
        return "Hello, DAE"

app = web.application(urls, globals()).wsgifunc()
"#;
/// What times stand for in the picture, by what a line speaks of: about what they are on a quiet machine.
const TIMES: &[(&str, &str)] = &[
    ("started", "0.4 s"),
    ("reloaded", "35 ms"),
    ("GET /", "2 ms"),
    ("Made", "0.1 s"),
    ("Live r1", "1.2 s"),
    ("cold", "0.6 s"),
    ("r4", "0.1 s"),
    ("Unpacked nothing", "0.02 s"),
    ("Started at once", "0.00 s"),
    ("Python", "0.01 s"),
    ("", "0.3 s"),
];

/// What a person sees.
struct Screen {
    shown: String,
    /// What this run has and no other, and what stands for it.
    own: Vec<(String, &'static str)>,
}

impl Screen {
    fn typed(&mut self, line: &str) {
        let _ = writeln!(self.shown, "\x1b[1;32m$\x1b[0m \x1b[1m{line}\x1b[0m");
    }

    /// What is done beside it, in an editor or a browser.
    fn aside(&mut self, what: &str) {
        let _ = writeln!(self.shown, "\x1b[3;38;5;110m# {what}\x1b[0m");
    }

    fn showed(&mut self, text: &str) {
        let time = Regex::new(r"\b\d+(\.\d+)? (µs|ms|s)\b").unwrap();
        let version = Regex::new(r"(Python(?:\x1b\[0m)? )\d[\d., ]*\d").unwrap();
        for line in text.lines() {
            let mut line = line.to_owned();
            for (own, stands) in &self.own {
                line = line.replace(own, stands);
            }
            let plain = console::strip_ansi_codes(&line).into_owned();
            let (_, took) = TIMES.iter().find(|(of, _)| plain.contains(of)).unwrap();
            line = time.replace_all(&line, *took).into_owned();
            line = version.replace_all(&line, "${1}3.13.1").into_owned();
            self.shown.push_str(line.trim_end_matches('\r'));
            self.shown.push('\n');
        }
        self.shown.push('\n');
    }

    fn ran(&mut self, ran: &Ran) {
        self.showed(&ran.stdout);
    }

    fn picture(&self) -> String {
        let rgb = |hex: u32| {
            let [_, red, green, blue] = hex.to_be_bytes();
            RgbColor(red, green, blue)
        };
        let normal = [0x16_18_1d, 0xff_6b_6b, 0x7b_d8_8f, 0xf5_c7_6b, 0x7a_a2_f7, 0xc7_92_ea, 0x6c_cf_e0, 0xc9_cd_d6];
        let bright = [0x6b_72_80, 0xff_8a_80, 0x9a_e6_a8, 0xff_dd_94, 0x9a_b8_ff, 0xdd_b3_f5, 0x93_e1_ee, 0xff_ff_ff];
        let palette: Vec<_> = normal.into_iter().chain(bright).map(rgb).collect();
        let palette: [RgbColor; 16] = palette.try_into().unwrap();
        anstyle_svg::Term::new()
            .palette(palette.into())
            .fg_color(Color::Ansi256(Ansi256Color(7)))
            .bg_color(Color::Ansi256(Ansi256Color(0)))
            .render_svg(self.shown.trim_end())
            // A part of a text has a colour, and no opacity of its own.
            .replace("opacity: 0.4", "fill-opacity: 0.6")
    }
}

/// A picture without what another day, another index or another Python would make of it: numbers, and the packages that
/// came with web.py.
fn without_numbers(picture: &str) -> String {
    let numbers = Regex::new(r"\d+(\.\d+)*( (bytes|KB|MB))?").unwrap();
    let lines = picture.lines().filter(|line| !line.contains("==") || line.contains("web.py=="));
    let lines: Vec<_> = lines.map(|line| numbers.replace_all(line, "0")).collect();
    lines.join("\n")
}

/// Both streams as one, in colours, as at a terminal.
fn at_a_terminal(place: &Place, args: &[&str]) -> Dae {
    let line = ["-c", "exec \"$0\" --color always \"$@\" 2>&1", env!("CARGO_BIN_EXE_dae")];
    place.command("sh", line.iter().chain(args))
}

/// All that was said since the last time.
fn news(running: &mut Running, told: &mut usize) -> String {
    let all = running.said();
    let news = all[*told..].to_owned();
    *told = all.len();
    news
}

/// An open page of the dev server.
struct Page(BufReader<TcpStream>);

impl Page {
    fn open(port: u16) -> Self {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        stream.set_read_timeout(Some(crate::harness::PATIENCE)).unwrap();
        let head = format!("GET /_dae/refresh HTTP/1.1\r\nHost: daetest.localhost:{port}\r\n\r\n");
        stream.write_all(head.as_bytes()).unwrap();
        Self(BufReader::new(stream))
    }

    /// The next number it hears.
    fn number(&mut self) -> u64 {
        let mut line = String::new();
        while self.0.read_line(&mut line).unwrap() > 0 {
            if let Some(number) = line.trim_end().strip_prefix("data: ") {
                return number.parse().unwrap();
            }
            line.clear();
        }
        panic!("the page was let go");
    }
}

/// Fills the caches, so that the session is the one of a second day.
fn prepare() {
    let place = Place::new();
    place.dae(["create", "daetest", "--no-git"]).ok();
    place.dae(["install", "web.py"]).dir("daetest").ok();
    let mut serve = place.dae(["serve", "--json", "--port", &free_port().to_string()]).dir("daetest").spawn();
    serve.event("started");
    serve.stop();
}

#[test]
fn the_session_of_the_talk() {
    prepare();
    let place = Place::new();
    let (port, node_port) = (free_port(), free_port());
    let mut screen = Screen {
        shown: String::new(),
        own: vec![
            (place.path("").to_string_lossy().trim_end_matches('/').to_owned(), "/home/ada"),
            (format!(":{port}"), ":8080"),
            (format!(":{node_port}"), ":8000"),
            ("127.0.0.1".into(), "localhost"),
        ],
    };
    let host = format!("daetest.localhost:{port}");
    let answer = || get(port, &host, "/").text();

    screen.typed("dae create daetest && cd daetest");
    screen.ran(&at_a_terminal(&place, &["create", "daetest"]).ok());
    screen.typed("dae install web.py");
    screen.ran(&at_a_terminal(&place, &["install", "web.py"]).dir("daetest").ok());
    assert!(place.read("daetest/pip-req.txt").starts_with("web.py=="));

    screen.typed("vim app.py");
    screen.aside("the talk's app: return \"Hello, DAE\"");
    screen.shown.push('\n');
    place.write("daetest/app.py", APP_PY);
    screen.typed("dae serve");
    let mut serve = at_a_terminal(&place, &["serve", "--port", &port.to_string()]).dir("daetest").spawn();
    let mut told = 0;
    serve.until("started");
    assert_eq!(answer(), "Hello, DAE");
    serve.until("200");
    let mut page = Page::open(port);
    let seen = page.number();
    screen.showed(&news(&mut serve, &mut told));

    let next = APP_PY.replace("Hello, DAE", "Hello, QCon");
    screen.aside("the editor saves app.py: return \"Hello, QCon\"");
    place.write("daetest/app.py", &next);
    let next_seen = page.number();
    assert!(next_seen > seen, "{next_seen} after {seen}");
    serve.until("reloaded");
    assert_eq!(answer(), "Hello, QCon");
    serve.until("200");
    screen.showed(&news(&mut serve, &mut told));

    screen.aside("the next save has a slip");
    place.write("daetest/app.py", next.replace("return", "retrun"));
    assert!(page.number() > next_seen);
    serve.until("SyntaxError: invalid syntax");
    let broken = get(port, &host, "/");
    assert_eq!(broken.status, 500);
    assert!(broken.text().contains("SyntaxError: invalid syntax"), "{}", broken.text());
    serve.until("500");
    screen.showed(&news(&mut serve, &mut told));
    screen.aside("mended");
    place.write("daetest/app.py", &next);
    serve.until("reloaded");
    assert_eq!(answer(), "Hello, QCon");
    serve.until("200");
    screen.showed(&news(&mut serve, &mut told));
    screen.aside("Ctrl-C");
    // The page is open still: it must not be waited for.
    let stopping = Instant::now();
    serve.signal(Signal::SIGINT);
    serve.until("stopped");
    let took = stopping.elapsed();
    let last = news(&mut serve, &mut told);
    screen.showed(&last);
    assert_eq!(serve.wait().code, 0);
    assert!(took < Duration::from_secs(4), "Ctrl-C took {took:?}");

    let listen = format!("127.0.0.1:{node_port}");
    let init = ["node", "init", "--dir", "node", "--domain", "apps.localhost", "--listen", &listen, "--json"];
    let token = place.dae(init).ok().json()["token"].as_str().unwrap().to_owned();
    let mut node = place.dae(["node", "serve", "--dir", "node"]).spawn();
    node.until("Ready");
    screen.typed("dae remote add prod http://apps.localhost:8000 --token $TOKEN");
    let url = format!("http://{listen}");
    screen.ran(&at_a_terminal(&place, &["remote", "add", "prod", &url, "--token", &token]).dir("daetest").ok());
    let deployed = || get(node_port, &format!("daetest.apps.localhost:{node_port}"), "/").text();

    place.write("daetest/app.py", APP_PY);
    screen.typed("dae deploy");
    screen.ran(&at_a_terminal(&place, &["deploy"]).dir("daetest").ok());
    assert_eq!(deployed(), "Hello, DAE");
    // `dae logs` will have something to show.
    let next = next.replace("        return", "        print('somebody came')\n        return");
    place.write("daetest/app.py", &next);
    place.dae(["deploy", "-m", "hello to QCon"]).dir("daetest").ok();
    assert_eq!(deployed(), "Hello, QCon");

    place.write("daetest/app.py", next.replace("import web\n", "import wbe\n"));
    screen.aside("r2 says Hello, QCon; the next one has a slip");
    screen.typed("dae deploy");
    let broken = at_a_terminal(&place, &["deploy"]).dir("daetest").run();
    assert_eq!(broken.code, 6, "{}", broken.raw());
    screen.ran(&broken);
    assert_eq!(deployed(), "Hello, QCon");
    screen.typed("dae rollback");
    screen.ran(&at_a_terminal(&place, &["rollback"]).dir("daetest").ok());
    assert_eq!(deployed(), "Hello, DAE");

    let releases = place.dae(["releases", "--json"]).dir("daetest").ok().json();
    let states: Vec<_> = releases["releases"]
        .as_array()
        .unwrap()
        .iter()
        .map(|release| (release["id"].as_str().unwrap(), release["state"].as_str().unwrap()))
        .collect();
    assert_eq!(states, [("r4", "live"), ("r3", "failed"), ("r2", "past"), ("r1", "past")]);
    assert!(place.dae(["logs"]).dir("daetest").ok().stdout.contains("somebody came"));
    assert_eq!(node.stop().code, 0);

    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/session.svg");
    let picture = screen.picture();
    if std::env::var_os("DAE_UPDATE").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        return std::fs::write(path, picture).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        without_numbers(&kept) == without_numbers(&picture),
        "docs/session.svg shows another session; look at it, then `DAE_UPDATE=1 cargo test --test it session`:\n{}",
        screen.shown
    );
}
