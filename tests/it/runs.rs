//! Commands that run once on a node: before a release serves, and whenever somebody asks.

use std::time::Instant;

use crate::deploy::{Remote, app_py, said};
use crate::harness::PATIENCE;

const APP_YAML: &str =
    "application: daetest\nrelease: jobs/migrate.py --all\nhandlers:\n- url: /.*\n  wsgi_app: app:app\n";
const MIGRATE: &str = "import os, sys
import mine
print('migrating', mine.WHAT, *sys.argv[1:], os.environ['DAE_ENV'], flush=True)
open(os.environ['DAE_PERMDIR'] + '/count', 'a').write('x')
";

#[test]
fn a_release_command_runs_once_before_new_code_serves() {
    let remote = Remote::new();
    let place = &remote.place;
    place.write("daetest/app.yaml", APP_YAML).write("daetest/jobs/migrate.py", MIGRATE);
    place.write("daetest/mine.py", "WHAT = 'everything'");
    let first = remote.dae(&["deploy"]).ok();
    assert!(first.stderr.contains("migrating everything --all production"), "{}", first.raw());
    assert!(first.stderr.contains("Release jobs/migrate.py --all in"), "{}", first.raw());
    let count = || place.read("node/apps/daetest/permdir/count").len();
    assert_eq!(count(), 1);
    // New settings and a rollback bring no new code.
    remote.dae(&["config", "set", "A=1"]).ok();
    place.write("daetest/app.py", app_py("two"));
    remote.deploy();
    assert_eq!(count(), 2);
    remote.dae(&["rollback"]).ok();
    assert_eq!(count(), 2);

    place.write("daetest/jobs/migrate.py", "raise SystemExit('no such column')");
    let failed = remote.dae(&["deploy"]).run();
    assert_eq!(failed.code, 5, "{}", failed.raw());
    insta::assert_snapshot!(failed.stderr.split_once("error:").unwrap().1, @"
     the release command `jobs/migrate.py --all` failed
      because: it ended with code 1

      | no such column

    hint: no code was switched; what the command did itself is done
    hint: r5 is not live; r4 goes on serving
    ");
    assert_eq!(remote.says(), said("one", "r4"));
    let releases = remote.dae(&["releases", "--json"]).ok().json();
    assert_eq!(releases["releases"][0]["state"], "failed");
    place.write("daetest/app.yaml", APP_YAML.replace("jobs/migrate.py --all", "no-such-program"));
    let none = remote.dae(&["deploy"]).run();
    assert_eq!(none.code, 5, "{}", none.raw());
    place.write("daetest/app.yaml", APP_YAML.replace("jobs/migrate.py --all", "a 'b"));
    let refused = remote.dae(&["deploy"]).run();
    assert_eq!(refused.code, 3, "{}", refused.raw());
}

#[test]
fn a_command_runs_beside_the_live_release() {
    let remote = Remote::new();
    let place = &remote.place;
    place.write("daetest/mine.py", "WHAT = 'all of it'");
    let early = remote.dae(&["run", "--remote", "prod", "--", "true"]).run();
    assert_eq!(early.code, 1, "{}", early.raw());
    assert!(early.stderr.contains("nothing of `daetest` is live"), "{}", early.raw());
    remote.deploy();
    remote.dae(&["config", "set", "GREETING=hello there"]).ok();

    let said = remote.dae(&["run", "--remote", "prod", "--"]).arg("python").arg("-c").arg(
        "import os, sys, mine, dae.api, gunicorn; print(mine.WHAT); print(os.environ['GREETING'], file=sys.stderr); print(); sys.exit(7)",
    );
    let said = said.run();
    assert_eq!((said.code, said.stdout.as_str()), (7, "all of it\nhello there\n\n"), "{}", said.raw());
    // A program that a package brings, a script of the app's, and what is no program.
    let version = remote.dae(&["run", "--remote", "prod", "--", "python", "-m", "gunicorn", "--version"]).ok();
    assert!(version.stdout.contains("gunicorn (version"), "{}", version.raw());
    let script = remote.dae(&["run", "--remote", "prod", "--", "mine.py"]).ok();
    assert_eq!(script.stdout, "");
    let none = remote.dae(&["run", "--remote", "prod", "--", "no-such-program"]).run();
    assert_eq!(none.code, 1, "{}", none.raw());
    assert!(none.stderr.contains("there is no program `no-such-program`"), "{}", none.raw());

    // Whoever listens may die: it goes on, is seen, and is heard again from its beginning.
    let mut client = remote
        .dae(&[
            "run",
            "--remote",
            "prod",
            "--",
            "sh",
            "-c",
            "echo begun; while [ ! -e permdir/go ]; do sleep 0.02; done; echo over; exit 3",
        ])
        .spawn();
    client.until("begun");
    client.signal(nix::sys::signal::Signal::SIGKILL);
    drop(client);
    let listed = remote.dae(&["ps", "--json"]).ok().json();
    let one = listed["processes"].as_array().unwrap().iter().find(|one| one["state"] == "running").unwrap().clone();
    assert!(one["process"].as_str().unwrap().starts_with("run5: sh -c"), "{one}");
    place.write("node/apps/daetest/permdir/go", "");
    let again = remote.dae(&["run", "--remote", "prod", "--attach", "run5"]).run();
    assert_eq!((again.code, again.stdout.as_str()), (3, "begun\nover\n"), "{}", again.raw());

    // Ctrl-C ends it there.
    let mut client = remote.dae(&["run", "--remote", "prod", "--", "sh", "-c", "echo begun; sleep 600"]).spawn();
    client.until("begun");
    let ended = client.stop();
    assert_eq!(ended.code, 143, "{}", ended.raw());
    let detached = remote.dae(&["run", "--remote", "prod", "--detach", "--json", "--", "sleep", "600"]).ok().json();
    assert_eq!(detached["run"], "run7");
    assert_eq!(remote.ask("DELETE", "/dae/v1/apps/daetest/runs/run7", &[], "").status, 202);
    let deadline = Instant::now() + PATIENCE;
    while remote.ask("GET", "/dae/v1/apps/daetest/runs", &[], "").json()["runs"][0]["code"].is_null() {
        assert!(Instant::now() < deadline);
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    for (body, status) in [
        (r#"{"command": []}"#, 422),
        (r#"{"command": [""]}"#, 422),
        (r#"{"command": ["a\u0000"]}"#, 422),
        (r#"{"command": ["true"], "release": "r99"}"#, 404),
        (r#"{"command": "true"}"#, 422),
    ] {
        assert_eq!(remote.ask("POST", "/dae/v1/apps/daetest/runs", &[], body).status, status, "{body}");
    }
    assert_eq!(remote.ask("GET", "/dae/v1/apps/daetest/runs/run99/events", &[], "").status, 404);
}

#[test]
fn what_ran_when_the_node_was_killed_has_ended() {
    let mut remote = Remote::new();
    remote.deploy();
    let place = remote.place.clone();
    remote
        .dae(&["run", "--remote", "prod", "--detach", "--", "sh", "-c", "echo $$ > permdir/pid; exec sleep 600"])
        .ok();
    let deadline = Instant::now() + PATIENCE;
    let pid = loop {
        let pid = std::fs::read_to_string(place.path("node/apps/daetest/permdir/pid")).unwrap_or_default();
        if pid.ends_with('\n') {
            break pid.trim().to_owned();
        }
        assert!(Instant::now() < deadline);
        std::thread::sleep(std::time::Duration::from_millis(10));
    };
    let node = remote.node.take().unwrap();
    node.signal(nix::sys::signal::Signal::SIGKILL);
    drop(node);
    while std::path::Path::new("/proc").join(&pid).exists() {
        assert!(Instant::now() < deadline, "{pid} goes on");
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    let mut node = place.dae(["node", "serve", "--dir", "node"]).spawn();
    node.until("Back");
    let attached = remote.dae(&["run", "--remote", "prod", "--attach", "run1"]).run();
    assert_eq!(attached.code, 137, "{}", attached.raw());
    remote.node = Some(node);
}

const SEATED: &str = "import os, signal, sys, mine
def size(*_): print('size', *os.get_terminal_size(), flush=True)
signal.signal(signal.SIGWINCH, size)
size()
print(sys.stdin.isatty(), mine.WHAT, os.environ['TERM'], flush=True)
try:
    while True: print('said', input(), flush=True)
except KeyboardInterrupt:
    print('interrupted', flush=True)
    sys.exit(9)
";

#[test]
fn somebody_sits_at_a_command() {
    let remote = Remote::new();
    let place = &remote.place;
    place.write("daetest/mine.py", "WHAT = 'all of it'");
    remote.deploy();
    let sit = |command: &[&str]| remote.dae(&[&["run", "-it", "--remote", "prod", "--"], command].concat());
    let mut seated = sit(&["python", "-c", SEATED]).seated();
    seated.until("with the code of r1");
    seated.until("size 100 40");
    seated.until("True all of it xterm-256color");
    seated.keys("hello\r");
    seated.until("said hello");
    seated.resize(30, 90);
    seated.until("size 90 30");
    let listed = remote.dae(&["ps", "--json"]).ok().json();
    assert!(listed.to_string().contains("run1: python -c"), "{listed}");
    seated.keys("\x03");
    seated.until("interrupted");
    assert_eq!(seated.wait(), 9);

    let mut shell = remote.dae(&["shell", "--remote", "prod"]).seated();
    shell.until(">>> ");
    shell.keys("import mine, os; print(mine.WHAT, os.environ['DAE_ENV'])\r");
    shell.until("all of it production");
    shell.keys("\x04");
    assert_eq!(shell.wait(), 0);

    // Whoever sat there is gone, and so is the command, whatever the terminal's Ctrl-C would do.
    let begun = "trap '' INT TERM; echo $$ > permdir/pid; echo begun; while :; do sleep 0.1; done";
    let mut left = sit(&["sh", "-c", begun]).seated();
    left.until("begun");
    let pid = place.read("node/apps/daetest/permdir/pid").trim().to_owned();
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(left.pid().cast_signed()), nix::sys::signal::Signal::SIGKILL)
        .unwrap();
    let deadline = Instant::now() + PATIENCE;
    while std::path::Path::new("/proc").join(&pid).exists() {
        assert!(Instant::now() < deadline, "{pid} goes on");
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    drop(left);
    // Another one is told to end.
    let mut ended = sit(&["sh", "-c", "echo begun; sleep 600"]).seated();
    ended.until("begun");
    assert_eq!(remote.ask("DELETE", "/dae/v1/apps/daetest/runs/run4", &[], "").status, 202);
    ended.until("it was told to end");
    assert_eq!(ended.wait(), 129);
    let listed = remote.ask("GET", "/dae/v1/apps/daetest/runs", &[], "").json();
    let codes: Vec<_> = listed["runs"].as_array().unwrap().iter().map(|run| run["code"].as_u64().unwrap()).collect();
    assert_eq!(codes, [129, 129, 0, 9]);
}

#[test]
fn who_may_not_sit_at_a_command() {
    let remote = Remote::new();
    let sit = |remote: &Remote| remote.dae(&["run", "-it", "--remote", "prod", "--", "no-such-program"]);
    let mut early = sit(&remote).seated();
    early.until("nothing of `daetest` is live");
    assert_eq!(early.wait(), 1);
    remote.deploy();
    let mut none = sit(&remote).seated();
    none.until("there is no program `no-such-program`");
    assert_eq!(none.wait(), 1);
    let token = remote.place.dae(["node", "token", "--dir", "node", "--can", "read", "--json"]).ok().json();
    let mut reader = sit(&remote).env("DAE_TOKEN", token["token"].as_str().unwrap()).seated();
    reader.until("this token may not deploy `daetest`");
    assert_eq!(reader.wait(), 3);
    let no_terminal = sit(&remote).run();
    assert_eq!(no_terminal.code, 2, "{}", no_terminal.raw());
    assert!(no_terminal.stderr.contains("there is no terminal here"), "{}", no_terminal.raw());
    let plain = remote.ask("GET", "/dae/v1/apps/daetest/console", &[], "");
    assert_eq!((plain.status, plain.header("upgrade")), (426, Some("websocket")));
    let handshake = [
        ("Connection", "Upgrade"),
        ("Upgrade", "websocket"),
        ("Sec-WebSocket-Version", "13"),
        ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ];
    let stranger = crate::harness::Http::open(remote.port)
        .send("GET", "127.0.0.1", "/dae/v1/apps/daetest/console", &handshake, b"")
        .unwrap();
    assert_eq!(stranger.status, 401);
    let runs = remote.ask("GET", "/dae/v1/apps/daetest/runs", &[], "").json();
    assert_eq!(runs["runs"].as_array().unwrap().len(), 1, "{runs}");
}
