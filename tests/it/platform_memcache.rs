//! `dae.api.memcache` and `dae mc`, beside dae's own memcached and beside Debian's: the same suite, the same answers.

use std::fmt::Write as _;
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::harness::{PATIENCE, Place, free_port};
use crate::mail::{app, platform, python_with, serve};

/// Debian's on a port; `None`, and said why, where there is none. In CI there must be.
struct Theirs {
    process: Child,
    address: String,
}

impl Theirs {
    fn start() -> Option<Self> {
        let port = free_port();
        let mut command = Command::new("memcached");
        if nix::unistd::getuid().is_root() {
            command.args(["-u", "root"]);
        }
        command.args(["-l", "127.0.0.1", "-p", &port.to_string()]).stdin(Stdio::null()).stderr(Stdio::null());
        let process = match command.spawn() {
            Ok(process) => process,
            Err(error) => {
                assert!(std::env::var_os("CI").is_none(), "memcached: {error}");
                println!("skipped: there is no memcached here to compare with: {error}");
                return None;
            }
        };
        let theirs = Self { process, address: format!("127.0.0.1:{port}") };
        let deadline = Instant::now() + PATIENCE;
        while TcpStream::connect(&theirs.address).is_err() {
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

/// The last line of pytest, without its time.
fn verdict(said: &str) -> String {
    let last = said.trim_end().lines().last().unwrap_or_default();
    last.split(" in ").next().unwrap_or_default().to_owned()
}

#[test]
fn what_dev_yaml_names_and_nobody_answers_at_is_told_at_the_start_and_to_whoever_looks() {
    let place = Place::new();
    place
        .write("app/app.yaml", "application: app\nhandlers:\n- {url: /.*, wsgi_app: app:app}\n")
        .write(
            "app/app.py",
            "def app(environ, start_response):\n    start_response('200 OK', [])\n    return [b'up']\n",
        )
        .write("app/pip-req.txt", "");
    let port = free_port();
    // A service and its name in dev.yaml, the command that looks into it.
    let cases: [(&str, &[&str]); 4] = [
        ("mysql: {host: 127.0.0.1, port: 1, user: a, passwd: b, db: c}", &["db", "shell", "-e", "select 1"]),
        ("memcache: [\"127.0.0.1:1\"]", &["mc", "stats"]),
        ("beansdb: [\"127.0.0.1:1\"]", &["bdb", "ls"]),
        ("queue: \"127.0.0.1:1\"", &["queue", "list"]),
    ];
    for (line, command) in cases {
        let service = line.split(':').next().unwrap();
        place.write("app/dev.yaml", line);
        let told = place.dae(["-C", "app"].iter().chain(command)).run();
        assert_eq!(told.code, 1, "{}", told.stderr);
        assert!(told.stderr.contains("`127.0.0.1:1`"), "{}", told.stderr);
        assert!(told.stderr.contains(&format!("is `{service}` in dev.yaml the address")), "{}", told.stderr);
    }
    let mut serve = place.dae(["-C", "app", "serve", "--port", &port.to_string()]).spawn();
    serve.until("nobody listens at `127.0.0.1:1`, where dev.yaml has queue");
    serve.until("started");
    assert_eq!(serve.stop().code, 0);
}

#[test]
fn the_platform_and_a_real_server_answer_the_same() {
    let place = app("");
    let python = python_with(&place, "memcache", &["pytest", "gevent", "libmc"]);
    let code = concat!(env!("CARGO_MANIFEST_DIR"), "/python");
    let suite = |address: &str| {
        verdict(&platform(&place, &python, "test_memcache.py", &[("DAE_MEMCACHE", address), ("PYTHONPATH", code)]))
    };
    let (serve, _, values) = serve(&place, &["DAE_MEMCACHE"]);
    let ours = suite(&values[0]);
    assert_eq!(ours, "54 passed");
    assert_eq!(serve.stop().code, 0);
    let Some(theirs) = Theirs::start() else { return };
    assert_eq!(suite(&theirs.address), ours);
}

/// One session of `dae mc`, which must read the same beside any memcached.
fn session(place: &Place) -> String {
    let mut said = String::new();
    for args in [
        &["set", "greeting", "hello 你"][..],
        &["set", "count", "41"],
        &["set", "a/b%", "x", "--raw"],
        &["get", "greeting"],
        &["get", "count", "--json"],
        &["get", "a/b%", "--json"],
        &["get", "none"],
        &["get", "none", "--json"],
        &["get", "a b"],
        &["keys"],
        &["keys", "gr", "--json"],
        &["delete", "greeting", "none"],
        &["delete", "count", "--json"],
        &["flush"],
        &["keys"],
        &["set", "large", &"x".repeat(120_000)],
        &["set", &"k".repeat(251), "x"],
    ] {
        let ran = place.dae(std::iter::once("mc").chain(args.iter().copied())).dir("app").run();
        let shown: Vec<String> = args.iter().map(|arg| arg.chars().take(20).collect()).collect();
        let _ = writeln!(said, "$ dae mc {}\n{ran}", shown.join(" "));
    }
    let stats = place.dae(["mc", "stats", "--json"]).dir("app").ok().stdout;
    assert!(stats.contains("\"curr_items\":\"1\""), "{stats}");
    said
}

#[test]
fn mc_looks_into_what_the_app_keeps() {
    let place = app("");
    let none = place.dae(["mc", "keys"]).dir("app").run();
    assert!(none.code == 1 && none.stderr.contains("dae serve"), "{none}");
    let (serve, _, _) = serve(&place, &["DAE_MEMCACHE"]);
    let ours = session(&place);
    insta::assert_snapshot!(ours);
    // What Python stored is shown, and the other way round.
    let set =
        "from dae.api.mc import mc; mc.set('p', 'ünï'); mc.set('n', 7); mc.set('z', 'long ' * 1000); mc.set('l', [1])";
    place.dae(["run", "--", "python", "-c", set]).dir("app").ok();
    for (key, found) in [("p", "ünï\n"), ("n", "7\n")] {
        assert_eq!(place.dae(["mc", "get", key]).dir("app").ok().stdout, found);
    }
    assert!(place.dae(["mc", "get", "z"]).dir("app").ok().stdout.starts_with("long long "));
    assert!(place.dae(["mc", "get", "l"]).dir("app").ok().stdout.starts_with("marshal, "));
    place.dae(["mc", "set", "q", "007 text"]).dir("app").ok();
    let get = "from dae.api.memcache import mc; assert mc.get('q') == '007 text', mc.get('q')";
    place.dae(["run", "--", "python", "-c", get]).dir("app").ok();
    assert_eq!(serve.stop().code, 0);
    let Some(theirs) = Theirs::start() else { return };
    place.write("app/dev.yaml", format!("memcache: [\"{}\"]\n", theirs.address));
    assert_eq!(session(&place), ours);
    drop(theirs);
    let away = place.dae(["mc", "keys"]).dir("app").run();
    assert!(away.code == 1 && away.stderr.contains("no memcached answers at"), "{away}");
    place.write("app/dev.yaml", "memcache: [cache.example]\n");
    let far = place.dae(["mc", "flush"]).dir("app").run();
    assert!(far.code == 1 && far.stderr.contains("is not on this machine"), "{far}");
}

#[test]
fn two_apps_have_a_memcache_each() {
    let (one, two) = (app(""), app(""));
    let (first, _, _) = serve(&one, &["DAE_MEMCACHE"]);
    let (second, _, _) = serve(&two, &["DAE_MEMCACHE"]);
    one.dae(["mc", "set", "secret", "of one"]).dir("app").ok();
    assert_eq!(two.dae(["mc", "get", "secret"]).dir("app").run().code, 1);
    assert_eq!(one.dae(["mc", "get", "secret"]).dir("app").ok().stdout, "of one\n");
    assert_eq!((first.stop().code, second.stop().code), (0, 0));
}

#[test]
fn the_page_about_memcache_holds() {
    let page = include_str!("../../docs/memcache.md");
    let snippet = page.split("```python\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    let place = app("");
    let (serve, _, _) = serve(&place, &["DAE_MEMCACHE"]);
    place.write("app/snippet.py", snippet);
    let ran = place.dae(["run", "--", "python", "snippet.py"]).dir("app").ok();
    assert_eq!(ran.stdout, "computed\nAda\nAda\n1\n");
    assert!(place.dae(["mc", "keys"]).dir("app").ok().stdout.contains("user:7"));
    assert_eq!(serve.stop().code, 0);
}
