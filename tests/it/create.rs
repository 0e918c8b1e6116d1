//! `dae create`.

use std::fmt::Write as _;
use std::net::TcpListener;

use nix::sys::signal::Signal;

use crate::harness::{Dae, Place, free_port, shared_cache};

/// As if the package index were at this port.
fn index_at(dae: Dae, port: u16) -> Dae {
    let url = format!("http://127.0.0.1:{port}/simple");
    ["PIP_INDEX_URL", "UV_DEFAULT_INDEX"]
        .iter()
        .fold(dae, |dae, name| dae.env(name, &url))
        .env("PIP_RETRIES", "1")
        .without_env("PIP_FIND_LINKS")
        .without_env("UV_FIND_LINKS")
}

#[test]
fn an_app_is_made_whole() {
    let place = Place::new();
    insta::assert_snapshot!(place.dae(["create", "daetest", "--no-venv"]).run(), @"
    exit: 0
    --- stdout
    Created `daetest` in [DIR]/daetest

      cd daetest
      dae serve
    --- stderr
       Committed the first version, in a git repository of its own
    ");
    insta::assert_snapshot!(place.files().join("\n"), @"
    daetest/.dae/app.schema.json
    daetest/.git/
    daetest/.gitignore
    daetest/README.md
    daetest/app.py
    daetest/app.yaml
    daetest/pip-req.txt
    ");
    let log = place.command("git", ["log", "--format=%an %s", "--stat=60"]).dir("daetest").ok();
    insta::assert_snapshot!(log, @"
    exit: 0
    --- stdout
    dae daetest: made by dae create from the blank template

     .gitignore  | 6 ++++++
     README.md   | 7 +++++++
     app.py      | 3 +++
     app.yaml    | 9 +++++++++
     pip-req.txt | 0
     5 files changed, 25 insertions(+)
    ");
}

#[test]
fn it_goes_where_it_is_told_and_into_an_empty_folder() {
    let place = Place::new();
    let ran = place.dae(["create", "dj", "-t", "django", "--dir", "a/b c", "--no-venv", "--no-git", "--json"]).ok();
    assert_eq!(ran.json()["next"][0], "cd 'a/b c'");
    assert!(place.path("a/b c/project/settings.py").is_file());
    assert!(!place.path("a/b c/.git").exists());

    std::fs::create_dir(place.path("here")).unwrap();
    let ran = place.dae(["create", "here", "--dir", ".", "--no-venv"]).dir("here").ok();
    insta::assert_snapshot!(ran, @"
    exit: 0
    --- stdout
    Created `here` in [DIR]/here

      dae serve
    --- stderr
       Committed the first version, in a git repository of its own
    ");
}

#[test]
fn inside_a_repository_no_second_one_is_made() {
    let place = Place::new();
    place.command("git", ["init", "-q"]).ok();
    insta::assert_snapshot!(place.dae(["create", "inner", "--no-venv"]).run(), @"
    exit: 0
    --- stdout
    Created `inner` in [DIR]/inner

      cd inner
      dae serve
    --- stderr
         Skipped git: `[DIR]/` is a repository already
    ");
    assert!(!place.path("inner/.git").exists());
}

#[test]
fn what_stands_in_the_way_is_left_alone() {
    let place = Place::new();
    place.write("full/notes.txt", "mine").write("file", "mine");
    insta::assert_snapshot!(place.dae(["create", "full", "-t", "flask"]).run(), @"
    exit: 1
    --- stderr
    error: `[DIR]/full` is there and not empty

    hint: type `dae create full --template flask --dir OTHER_FOLDER`
    ");
    insta::assert_snapshot!(place.dae(["create", "file"]).run(), @"
    exit: 1
    --- stderr
    error: `[DIR]/file` is there and is no folder

    hint: type `dae create file --dir OTHER_FOLDER`
    ");
    place.write("old/app.yaml", "application: old\n");
    insta::assert_snapshot!(place.dae(["create", "old"]).run(), @"
    exit: 1
    --- stderr
    error: `[DIR]/old` is there and not empty

    hint: type `dae create old --dir OTHER_FOLDER`
    hint: it is an app already: `dae -C [DIR]/old serve` runs it
    ");
    assert_eq!(place.files(), ["file", "full/notes.txt", "old/app.yaml"]);
}

#[test]
fn a_name_that_cannot_be_gets_one_that_can() {
    let place = Place::new();
    for (name, nearest) in [("My-Blog", "my_blog"), ("1st", "st"), ("averyveryverylongname", "averyveryverylon")] {
        let ran = place.dae(["create", name]).run();
        assert_eq!(ran.code, 2, "{}", ran.raw());
        assert!(ran.stderr.contains(&format!("type `dae create {nearest}`")), "{}", ran.raw());
    }
    for name in ["", "init", "你好", "../x"] {
        let ran = place.dae(["create", name]).run();
        assert_eq!((ran.code, ran.stdout.as_str()), (2, ""), "{}", ran.raw());
        assert!(ran.stderr.contains("hint: "), "{}", ran.raw());
    }
    insta::assert_snapshot!(place.dae(["create"]).run(), @"
    exit: 2
    --- stderr
    error: a new app needs a name

    hint: type `dae create NAME`
    ");
    insta::assert_snapshot!(place.dae(["create", "Up", "-t", "flask"]).run(), @"
    exit: 2
    --- stderr
    error: the app name `Up` does not begin with a lowercase letter

    hint: type `dae create up --template flask`
    ");
    assert!(place.files().is_empty());
}

/// Asks the app for `/` as a server would, and prints the answer's body.
const ASK: &str = r#"
import asyncio, app
if hasattr(app, "FastAPI"):
    async def ask():
        sent = []
        async def receive(): return {"type": "http.request", "body": b""}
        async def send(message): sent.append(message)
        scope = {"type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "GET", "path": "/",
                 "raw_path": b"/", "query_string": b"", "headers": [], "scheme": "http", "server": ("x", 80)}
        await app.app(scope, receive, send)
        return b"".join(message.get("body", b"") for message in sent)
    body = asyncio.run(ask())
else:
    from wsgiref.util import setup_testing_defaults
    environ = {}
    setup_testing_defaults(environ)
    body = b"".join(app.app(environ, lambda status, headers, error=None: print(status)))
print(body.decode().strip())
"#;

#[test]
fn every_template_answers() {
    let place = Place::new();
    let mut said = String::new();
    for template in ["blank", "web.py", "flask", "django", "fastapi"] {
        let name = template.replace('.', "");
        let ran = place.dae(["create", &name, "-t", template, "--json"]).ok();
        assert_eq!(ran.json()["template"], template);
        for line in place.read(format!("{name}/pip-req.txt")).lines() {
            assert!(line.contains("=="), "{template}: {line}");
        }
        let python = place.path(&name).join("venv/bin/python");
        let answer = place.command(python, ["-Wall", "-c", ASK]).dir(&name).ok();
        let answer = answer.stdout.trim_end().replace('\n', ", ");
        let _ = writeln!(said, "{template}: {answer}");
    }
    insta::assert_snapshot!(said, @r#"
    blank: 200 OK, Hello, DAE
    web.py: 200 OK, Hello, DAE
    flask: 200 OK, Hello, DAE
    django: 200 OK, Hello, DAE
    fastapi: {"message":"Hello, DAE"}
    "#);
    let status = place.command("git", ["status", "--short", "--ignored"]).dir("flask").ok();
    insta::assert_snapshot!(status, @"
    exit: 0
    --- stdout
    !! .dae/
    !! __pycache__/
    !! venv/
    ");
}

#[test]
fn interrupted_in_the_middle_it_leaves_nothing() {
    let place = Place::new();
    // An index that takes the question and never answers.
    let index = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = index.local_addr().unwrap().port();
    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        let running = index_at(place.dae(["create", "shop", "-t", "flask", "--dir", "a/b/shop"]), port).spawn();
        let asked = index.accept().unwrap();
        assert!(place.path("a/b/shop/app.py").is_file());
        running.signal(signal);
        let ran = running.wait();
        drop(asked);
        assert_eq!(ran.code, 130, "{}", ran.raw());
        assert!(ran.stderr.contains("error: stopped; everything is as it was before"), "{}", ran.raw());
        assert_eq!(std::fs::read_dir(place.path("")).unwrap().count(), 0);
    }
}

#[test]
fn without_a_network_it_says_what_still_goes() {
    let place = Place::new();
    // uv is there, as it is after the first app; nothing else is.
    place.dae(["create", "first"]).ok();
    std::fs::remove_dir_all(place.path("first")).unwrap();
    let cache = place.home("cache");
    std::fs::create_dir_all(cache.join("dae")).unwrap();
    std::os::unix::fs::symlink(shared_cache().join("dae/uv"), cache.join("dae/uv")).unwrap();
    let offline = |args: &[&str]| {
        index_at(place.dae(args), free_port()).env("XDG_CACHE_HOME", &cache).env("UV_CACHE_DIR", cache.join("uv")).run()
    };

    let ran = offline(&["create", "shop", "-t", "web.py"]);
    assert_eq!(ran.code, 1, "{}", ran.raw());
    assert!(ran.stderr.contains("type `dae create shop --template web.py --no-venv`"), "{}", ran.raw());
    assert_eq!(std::fs::read_dir(place.path("")).unwrap().count(), 0);

    let ran = offline(&["create", "shop", "-t", "web.py", "--no-venv"]);
    assert_eq!((ran.code, place.read("shop/pip-req.txt").as_str()), (0, "web.py\n"), "{}", ran.raw());

    let ran = offline(&["create", "plain"]);
    assert_eq!(ran.code, 0, "{}", ran.raw());
    assert!(ran.stderr.contains("`dae serve` will fetch what it needs"), "{}", ran.raw());
    assert!(place.path("plain/venv/bin/python").exists());
}

#[test]
fn at_a_terminal_what_is_missing_is_asked() {
    let place = Place::new();
    let mut terminal = place.dae(["create", "--no-venv"]).seated();
    terminal.until("What is the app called?");
    terminal.keys("My-Blog\r");
    terminal.until("does not begin with a lowercase letter");
    terminal.keys("\u{15}my_blog\r");
    terminal.until("What does its code begin with?");
    terminal.until("fastapi");
    terminal.keys("\u{1b}[B\u{1b}[B\r");
    terminal.until("Created");
    assert_eq!(terminal.wait(), 0);
    assert_eq!(place.read("my_blog/pip-req.txt"), "flask\n");

    let mut terminal = place.dae(["create", "other"]).seated();
    terminal.until("What does its code begin with?");
    terminal.keys("\u{3}");
    // The cursor is shown again.
    terminal.until("\u{1b}[?25h");
    assert_eq!(terminal.wait(), 130);
    assert!(!place.path("other").exists());
}
