//! Releases on a node whose client, or whose own process, is killed in the middle.

use std::net::TcpStream;

use super::{Node, digest, manifest, said};
use crate::harness::{Running, get};
use serde_json::{Value, json};
use std::io::{Read as _, Write as _};

/// An app that says `says` and facts about itself, and at its start waits for as long as the file `wait` is there, beside the node's folder.
fn app_py(says: &str) -> String {
    format!(
        "import os, time\n\
         print('starting {says}', flush=True)\n\
         while os.path.exists(os.environ['DAE_APPROOT'] + '/../' * 6 + 'wait'):\n    time.sleep(0.02)\n\
         facts = {{'/pid': os.getpid, '/ppid': os.getppid, '/cwd': os.getcwd}}\n\
         facts |= {{'/root': lambda: os.environ['DAE_APPROOT'], '/release': lambda: os.environ['DAE_RELEASE']}}\n\
         def app(environ, start):\n    start('200 OK', [])\n    \
         return [str(facts.get(environ['PATH_INFO'], lambda: '{says}')()).encode()]\n"
    )
}

impl Node {
    /// An app beside it that goes there.
    pub(super) fn with_app() -> Self {
        let node = Self::new();
        node.place.write("daetest/app.yaml", "application: daetest\nhandlers:\n- url: /.*\n  wsgi_app: app:app\n");
        node.place.write("daetest/pip-req.txt", "");
        node.add_remote();
        node
    }

    pub(super) fn add_remote(&self) {
        let url = format!("http://127.0.0.1:{}", self.port);
        self.place.dae(["remote", "add", "prod", &url]).env("DAE_TOKEN", &self.token).ok();
    }

    pub(super) fn begin_deploy(&self, says: &str) -> Running {
        self.app(says);
        self.place.dae(["deploy", "--json"]).dir("daetest").spawn()
    }

    pub(super) fn app(&self, says: &str) {
        self.place.write("daetest/app.py", app_py(says));
    }

    pub(super) fn deploy(&self, says: &str) {
        let ran = self.begin_deploy(says).wait();
        assert_eq!(ran.code, 0, "{}", ran.raw());
    }

    pub(super) fn release(&self, app: &str, image: &str) -> String {
        let body = json!({ "image": image }).to_string();
        let answer = self.ask("POST", &format!("/dae/v1/apps/{app}/releases"), &[], body.as_bytes());
        assert_eq!(answer.status, 202, "{}", answer.text());
        let accepted: Value = serde_json::from_slice(&answer.body).unwrap();
        accepted["release"].as_str().unwrap().to_owned()
    }

    /// A release's story after event `after`, told to its end.
    pub(super) fn story(&self, app: &str, release: &str, after: usize) -> Vec<Value> {
        let after = after.to_string();
        let answer = self.ask(
            "GET",
            &format!("/dae/v1/apps/{app}/releases/{release}/events"),
            &[("Last-Event-ID", &after)],
            b"",
        );
        assert_eq!(answer.header("content-type"), Some("text/event-stream"), "{}", answer.text());
        let text = answer.text();
        text.lines()
            .filter_map(|line| line.strip_prefix("data: "))
            .map(|data| serde_json::from_str(data).unwrap())
            .collect()
    }

    pub(super) fn states(&self) -> String {
        let releases = self.json("/dae/v1/apps/daetest/releases");
        let each = releases["releases"].as_array().unwrap().iter();
        let each = each.map(|one| format!("{} {}", one["id"].as_str().unwrap(), one["state"].as_str().unwrap()));
        each.collect::<Vec<_>>().join(", ")
    }

    pub(super) fn image(&self, release: usize) -> String {
        let releases = self.json("/dae/v1/apps/daetest/releases");
        let each = releases["releases"].as_array().unwrap();
        each[each.len() - release]["image"].as_str().unwrap().to_owned()
    }

    /// What the app says, and which release said it.
    pub(super) fn says(&self) -> (String, String) {
        let answer = get(self.port, "daetest.localhost", "/");
        (answer.text(), answer.header("x-dae-release").unwrap_or_default().to_owned())
    }

    /// A fact about the process that answers.
    pub(super) fn asked(&self, path: &str) -> String {
        get(self.port, "daetest.localhost", path).text()
    }

    /// The process that leads those that answer.
    pub(super) fn pid(&self) -> i32 {
        self.asked("/ppid").parse().unwrap()
    }

    /// The processes of all its apps.
    pub(super) fn processes(&self) -> Vec<i32> {
        let apps = self.place.path("node/apps");
        let of_apps =
            |pid: &i32| std::fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|cwd| cwd.starts_with(&apps));
        let all = std::fs::read_dir("/proc").unwrap().flatten();
        all.filter_map(|process| process.file_name().to_str()?.parse().ok()).filter(of_apps).collect()
    }

    /// Apps wait at their start until they are let go.
    fn hold(&self) {
        self.place.write("wait", "");
    }

    fn let_go(&self) {
        std::fs::remove_file(self.place.path("wait")).unwrap();
    }
}

pub(super) fn was(text: &str, release: &str) -> (String, String) {
    (text.to_owned(), release.to_owned())
}

fn kinds(story: &[Value]) -> Vec<&str> {
    story.iter().map(|event| event["event"].as_str().unwrap()).collect()
}

#[test]
fn whoever_dies_strands_nothing() {
    let mut node = Node::with_app();
    node.deploy("one");
    assert_eq!(node.says(), was("one", "r1"));

    // The client is killed: the node goes on.
    node.hold();
    let mut client = node.begin_deploy("two");
    client.until("starting two");
    client.signal(nix::sys::signal::Signal::SIGKILL);
    assert_eq!(client.wait().code, 137);
    assert_eq!(node.says(), was("one", "r1"));
    node.let_go();
    let story = node.story("daetest", "r2", 0);
    assert_eq!(kinds(&story), ["step", "step", "output", "step", "live"]);
    assert_eq!(node.says(), was("two", "r2"));
    // Heard again from where somebody left off, and after the end.
    assert_eq!(node.story("daetest", "r2", 2), story[2..]);
    assert_eq!(node.story("daetest", "r2", 5), [] as [Value; 0]);

    // The node is killed: what was live comes back, what was starting has failed.
    node.hold();
    let mut client = node.begin_deploy("three");
    client.until("starting three");
    node.kill();
    node.let_go();
    node.serve();
    assert_eq!(node.says(), was("two", "r2"));
    assert_eq!(node.states(), "r3 failed, r2 live, r1 past");
    let story = node.story("daetest", "r3", 0);
    let end = story.last().unwrap();
    assert_eq!(
        (&end["event"], &end["problem"]["code"], &end["serving"]),
        (&"failed".into(), &"release.node-stopped".into(), &"r2".into())
    );
    drop(client);
    node.add_remote();
    node.deploy("three");
    assert_eq!(node.says(), was("three", "r4"));
}

#[test]
fn a_deploy_that_fails_right_after_a_restart_costs_nothing() {
    let mut node = Node::with_app();
    node.deploy("one");
    node.kill();
    node.hold();
    node.serve();
    // The live one is still starting when this is accepted.
    let bytes = manifest(&node.push_blob("daetest", b"{}"), &[]);
    assert_eq!(node.put_manifest("daetest", "bad", &bytes).status, 201);
    let bad = node.release("daetest", &digest(&bytes));
    let good = node.release("daetest", &node.image(1));
    node.let_go();
    assert_eq!(node.story("daetest", &bad, 0).last().unwrap()["problem"]["code"], "release.image");
    assert_eq!(node.story("daetest", &good, 0).last().unwrap()["event"], "live");
    assert_eq!(node.states(), "r3 live, r2 failed, r1 past");
    assert_eq!(node.says(), was("one", "r3"));
    // Its code is gone: that is told, and nobody waits for it.
    node.kill();
    std::fs::remove_dir_all(node.place.path("node/blobs")).unwrap();
    std::fs::remove_dir_all(node.place.path("node/apps/daetest/releases")).unwrap();
    node.serve();
    let back = node.running.event("back");
    assert_eq!((&back["release"], &back["problem"]["code"]), (&"r3".into(), &"io.not-found".into()));
    assert_eq!(get(node.port, "daetest.localhost", "/").status, 500);
}

#[test]
fn a_later_release_takes_the_place_of_one_that_starts() {
    let node = Node::with_app();
    node.deploy("one");
    let image = node.image(1);
    node.hold();
    let first = node.release("daetest", &image);
    let mut events = TcpStream::connect(("127.0.0.1", node.port)).unwrap();
    let head = format!(
        "GET /dae/v1/apps/daetest/releases/{first}/events HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {}\r\n\
         Connection: close\r\n\r\n",
        node.token
    );
    events.write_all(head.as_bytes()).unwrap();
    let mut told = String::new();
    let mut buffer = [0; 4096];
    while !told.contains("starting one") {
        let count = events.read(&mut buffer).unwrap();
        assert!(count > 0, "{told}");
        told += &String::from_utf8_lossy(&buffer[..count]);
    }
    let second = node.release("daetest", &image);
    let story = node.story("daetest", &first, 0);
    assert_eq!(story.last().unwrap()["problem"]["code"], "release.superseded");
    // Those who followed it live hear the same end.
    events.read_to_string(&mut told).unwrap();
    assert!(told.contains("release.superseded"), "{told}");
    node.let_go();
    assert_eq!(node.story("daetest", &second, 0).last().unwrap()["event"], "live");
    assert_eq!(node.states(), "r3 live, r2 superseded, r1 past");
    assert_eq!(node.says(), was("one", "r3"));
}

#[test]
fn what_is_no_app_is_told_so() {
    let node = Node::new();
    let config = node.push_blob("daetest", b"{}");
    let bytes = manifest(&config, &[]);
    let image = digest(&bytes);
    assert_eq!(node.put_manifest("daetest", "v1", &bytes).status, 201);
    let release = node.release("daetest", &image);
    let story = node.story("daetest", &release, 0);
    let [end] = &story[..] else { panic!("{story:?}") };
    assert_eq!(
        (&end["event"], &end["problem"]["code"], &end["serving"]),
        (&"failed".into(), &"release.image".into(), &Value::Null)
    );
    let back = node.ask("POST", "/dae/v1/apps/daetest/rollback", &[], b"{\"to\": \"r1\"}");
    assert_eq!(said(&back), "409 release.never-live");
    let back = node.ask("POST", "/dae/v1/apps/daetest/rollback", &[], b"{\"to\": \"r7\"}");
    assert_eq!(said(&back), "404 release.unknown");
    for body in [&b"{}"[..], b"nonsense", b"{\"image\": \"latest\"}"] {
        let answer = node.ask("POST", "/dae/v1/apps/daetest/releases", &[], body);
        assert_eq!(answer.status, 422, "{}", answer.text());
        assert_eq!(answer.header("content-type"), Some("application/problem+json"));
    }
    let large = vec![b' '; 600 << 10];
    assert_eq!(node.ask("POST", "/dae/v1/apps/daetest/releases", &[], &large).status, 413);
    let odd = node.ask(
        "POST",
        "/dae/v1/apps/daetest/releases",
        &[("If-Match", "\"latest\"")],
        json!({ "image": image }).to_string().as_bytes(),
    );
    assert_eq!(said(&odd), "400 release.id");
}
