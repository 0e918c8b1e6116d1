//! What a node does around the moment traffic moves: warm starts, what is kept, what is asked first.

use std::time::{Duration, Instant};

use serde_json::Value;

use super::Node;
use super::releases::was;
use crate::harness::PATIENCE;

impl Node {
    /// Runs `dae` in the app's folder; the lines of `--json`.
    fn told(&self, args: &[&str]) -> Vec<Value> {
        let ran = self.place.dae(args).arg("--json").dir("daetest").ok();
        ran.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    fn wait_for_the_end_of(&self, pid: i32) {
        let deadline = Instant::now() + PATIENCE;
        while self.processes().contains(&pid) {
            assert!(Instant::now() < deadline, "{pid} goes on");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

fn started(told: &[Value]) -> &str {
    let start = told.iter().find(|event| event["step"] == "start");
    start.and_then(|start| start["text"].as_str()).unwrap_or("nothing")
}

#[test]
#[expect(clippy::print_stdout, reason = "what was measured")]
fn what_was_live_before_is_back_at_once() {
    let node = Node::with_app();
    node.deploy("one");
    let first_pid = node.pid();
    node.deploy("two");
    let second_pid = node.pid();
    assert_ne!(first_pid, second_pid);

    let ps = node.place.dae(["ps", "--json"]).dir("daetest").ok().json();
    let row = |process: &Value| {
        assert!(process["memory"].as_u64().unwrap() > 1 << 20, "{process}");
        format!("{} {} {}", process["release"], process["state"], process["process"]).replace('"', "")
    };
    let rows: Vec<_> = ps["processes"].as_array().unwrap().iter().map(row).collect();
    let each = |release| [format!("{release} web"), format!("{release} web worker")];
    assert_eq!(rows, [each("r2 serving"), each("r1 kept")].concat());
    assert_eq!(ps["processes"][0]["pid"], second_pid);
    assert!(node.place.dae(["ps"]).dir("daetest").ok().stdout.contains("kept"));

    // Both ways, again and again: the same two processes.
    for (round, (says, pid)) in [("one", first_pid), ("two", second_pid), ("one", first_pid)].into_iter().enumerate() {
        let began = Instant::now();
        let told = node.told(&["rollback"]);
        let took = began.elapsed();
        let on_the_node = told.iter().find(|event| event["event"] == "live").unwrap()["took_ms"].as_u64().unwrap();
        println!("rollback: {took:?} from the command's start to its end, {on_the_node} ms of that on the node");
        assert_eq!(started(&told), "at once (it was kept warm)");
        assert_eq!(node.says(), was(says, &format!("r{}", round + 3)));
        assert_eq!(node.pid(), pid);
    }

    // A further one takes the place of what was kept.
    node.deploy("three");
    node.wait_for_the_end_of(second_pid);
    assert!(node.processes().contains(&first_pid));
    // What was kept and died is started anew.
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(first_pid), nix::sys::signal::Signal::SIGKILL).unwrap();
    node.wait_for_the_end_of(first_pid);
    let told = node.told(&["rollback"]);
    assert_eq!(node.says(), was("one", "r7"));
    assert_eq!(started(&told), "warm");
}

#[test]
fn a_release_is_forked_from_what_imported_its_packages() {
    let mut node = Node::with_app();
    let began = |node: &Node, says: &str| {
        node.app(says);
        started(&node.told(&["deploy"])).to_owned()
    };
    assert_eq!(began(&node, "one"), "cold (first start)");
    assert_eq!(began(&node, "two"), "warm");
    assert_eq!(node.says(), was("two", "r2"));
    // Each has its own folder and name, forked or not; a rollback keeps the name of what brought the code.
    let root = node.asked("/root");
    assert!(root.starts_with(&*node.place.path("node/apps/daetest/releases").to_string_lossy()), "{root}");
    assert_eq!(root, node.asked("/cwd"));
    assert_eq!(node.asked("/release"), "r2");
    node.told(&["rollback"]);
    assert_eq!((node.says(), node.asked("/release")), (was("one", "r3"), "r1".into()));
    assert_ne!(node.asked("/root"), root);
    // Learned once, known after a restart.
    node.kill();
    node.serve();
    assert_eq!((node.says(), node.asked("/release")), (was("one", "r3"), "r1".into()));
    node.add_remote();
    assert_eq!(began(&node, "three"), "warm");
    // Another environment is another parent.
    node.place
        .write("daetest/app.yaml", "application: daetest\nworker: sync\nhandlers:\n- url: /.*\n  wsgi_app: app:app\n");
    assert_eq!(began(&node, "four"), "cold (app.yaml or the environment changed)");
    assert_eq!(began(&node, "five"), "warm");
}

#[test]
fn a_selftest_stands_before_traffic() {
    let node = Node::with_app();
    let yaml = |selftest: &str| {
        let yaml = "application: daetest\nhandlers:\n- url: /.*\n  wsgi_app: app:app\n";
        node.place.write("daetest/app.yaml", format!("{yaml}selftest: {selftest}\n"));
    };
    let py = |says: &str| {
        let app = format!(
            "def app(environ, start):\n    path = environ['PATH_INFO']\n    \
             start('503 No' if path == '/ill' else '302 Found', [])\n    \
             return [b'%s for %s {says}\\n' % (path.encode(), environ['HTTP_HOST'].encode())] * 3\n"
        );
        node.place.write("daetest/app.py", app);
    };
    yaml("[{url: /, status: 302}]");
    py("one");
    let live = node.told(&["deploy"]);
    assert_eq!(live.last().unwrap()["outcome"], "live");

    yaml("[{url: /}, {url: /ill}, {url: \"/well?x=1\", status: 302}]");
    py("two");
    let failed = node.place.dae(["deploy"]).dir("daetest").run();
    assert_eq!(failed.code, 6);
    let said = failed.to_string();
    insta::assert_snapshot!(said.split_once("error:").unwrap().1, @"
     the selftest of `/` was answered with 302
      because: app.yaml wants 200

      | / for daetest.localhost two
      | / for daetest.localhost two
      | / for daetest.localhost two

    hint: r2 is not live; r1 goes on serving

    error: the selftest of `/ill` was answered with 503
      because: app.yaml wants 200

      | /ill for daetest.localhost two
      | /ill for daetest.localhost two
      | /ill for daetest.localhost two

    error: 2 problems
    ");
    assert!(node.says().0.starts_with("/ for daetest.localhost one"), "{:?}", node.says());
}
