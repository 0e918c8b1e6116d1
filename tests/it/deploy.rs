//! From an app to a node and back: deploy, change, break, roll back; what is sent, and what is said when it goes wrong.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::Value;

use crate::harness::{Place, Running, free_port, get};

const APP_YAML: &str = "application: daetest\nhandlers:\n- url: /.*\n  wsgi_app: app:app\n";

pub fn app_py(says: &str) -> String {
    format!("def app(environ, start):\n    start('200 OK', [])\n    return [b'{says}']\n")
}

/// A node, and an app beside it that goes there.
pub struct Remote {
    pub place: Place,
    pub port: u16,
    pub node: Option<Running>,
}

impl Remote {
    pub fn new() -> Self {
        Self::at(Place::new(), "node")
    }

    /// The node in this folder below the working folder.
    pub fn at(place: Place, dir: &str) -> Self {
        let port = free_port();
        let listen = format!("127.0.0.1:{port}");
        let init = ["node", "init", "--json", "--dir", dir, "--domain", "apps.localhost", "--listen", &listen];
        let token = place.dae(init).ok().json()["token"].as_str().unwrap().to_owned();
        let mut node = place.dae(["node", "serve", "--dir", dir]).spawn();
        node.until("Ready");
        place.write("daetest/app.yaml", APP_YAML).write("daetest/app.py", app_py("one"));
        place.write("daetest/pip-req.txt", "");
        let remote = Self { place, port, node: Some(node) };
        remote.add("prod", port, &token);
        remote
    }

    /// Ends the node in an orderly way.
    pub fn stop(&mut self) {
        let ran = self.node.take().unwrap().stop();
        assert_eq!(ran.code, 0, "{}", ran.raw());
    }

    /// A client without dae: JSON in, the answer out.
    pub fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> crate::harness::Answer {
        let kept = std::fs::read_to_string(self.place.home(".config/dae/credentials.json")).unwrap();
        let kept: Value = serde_json::from_str(&kept).unwrap();
        let bearer = format!("Bearer {}", kept["prod"].as_str().unwrap());
        let mut all = vec![("Authorization", bearer.as_str()), ("Content-Type", "application/json")];
        all.extend_from_slice(headers);
        crate::harness::Http::open(self.port).send(method, "127.0.0.1", path, &all, body.as_bytes()).unwrap()
    }

    pub fn add(&self, name: &str, port: u16, token: &str) {
        let url = format!("http://127.0.0.1:{port}");
        self.place.dae(["remote", "add", name, &url]).env("DAE_TOKEN", token).ok();
    }

    pub fn dae(&self, args: &[&str]) -> crate::harness::Dae {
        self.place.dae(args).dir("daetest")
    }

    pub fn deploy(&self) -> Value {
        self.dae(&["deploy", "--json"]).ok().json()
    }

    /// What the app says, and which release said it.
    pub fn says(&self) -> (String, String) {
        let answer = get(self.port, &format!("daetest.apps.localhost:{}", self.port), "/");
        (answer.text(), answer.header("x-dae-release").unwrap_or_default().to_owned())
    }
}

pub fn said(text: &str, release: &str) -> (String, String) {
    (text.to_owned(), release.to_owned())
}

#[test]
fn every_name_below_localhost_is_this_machine() {
    let remote = Remote::new();
    let kept: Value =
        serde_json::from_str(&std::fs::read_to_string(remote.place.home(".config/dae/credentials.json")).unwrap())
            .unwrap();
    let url = format!("http://apps.localhost:{}", remote.port);
    remote.place.dae(["remote", "add", "named", &url]).env("DAE_TOKEN", kept["prod"].as_str().unwrap()).ok();
}

#[test]
fn deploy_change_break_and_roll_back() {
    let remote = Remote::new();
    let first = remote.dae(&["deploy", "--json", "-m", "the first"]).ok().json();
    assert_eq!((&first["outcome"], &first["release"]), (&"live".into(), &"r1".into()));
    assert_eq!(first["url"], format!("http://daetest.apps.localhost:{}", remote.port));
    assert_eq!(remote.says(), said("one", "r1"));

    remote.place.write("daetest/app.py", app_py("two"));
    let second = remote.deploy();
    assert_eq!(second["release"], "r2");
    assert!(second["bytes_sent"].as_u64().unwrap() < 150_000, "{second}");
    assert_eq!(remote.says(), said("two", "r2"));

    let nothing = remote.deploy();
    assert_eq!(
        (&nothing["outcome"], &nothing["release"], &nothing["requests"]),
        (&"unchanged".into(), &"r2".into(), &1.into())
    );
    assert!(nothing["bytes_sent"].as_u64().unwrap() < 16_000, "{nothing}");
    assert_eq!(nothing["url"], first["url"]);

    remote.place.write("daetest/app.py", "import nothing_like_this\n");
    let broken = remote.dae(&["deploy"]).run();
    assert_eq!(broken.code, 6, "{}", broken.raw());
    assert!(broken.stderr.contains("ModuleNotFoundError: No module named 'nothing_like_this'"), "{}", broken.raw());
    assert!(broken.stderr.contains("r3 is not live; r2 goes on serving"), "{}", broken.raw());
    assert_eq!(remote.says(), said("two", "r2"));

    let back = remote.dae(&["rollback", "--json"]).ok().json();
    assert_eq!((&back["release"], &back["was"]), (&"r4".into(), &"r2".into()));
    assert_eq!(remote.says(), said("one", "r4"));
    let again = remote.dae(&["rollback", "r2"]).ok();
    for line in
        ["Unpacked nothing: every layer was here already in", "Live r5 of daetest in", "undo with `dae rollback r4`"]
    {
        assert!(again.stderr.contains(line), "{}", again.raw());
    }
    assert_eq!(remote.says(), said("two", "r5"));

    let releases = remote.dae(&["releases", "--json"]).ok().json();
    let states: Vec<_> =
        releases["releases"].as_array().unwrap().iter().map(|r| format!("{} {}", r["id"], r["state"])).collect();
    assert_eq!(states.join(", ").replace('"', ""), "r5 live, r4 past, r3 failed, r2 past, r1 past");
    let attached = remote.dae(&["deploy", "--attach", "r1", "--json"]).ok().json();
    assert_eq!((&attached["outcome"], &attached["release"]), (&"live".into(), &"r1".into()));
}

#[test]
fn what_the_app_prints_is_read_from_afar() {
    let remote = Remote::new();
    remote.place.write("daetest/app.py", format!("print('hello from the app', flush=True)\n{}", app_py("one")));
    remote.deploy();
    let logs = remote.dae(&["logs"]).ok();
    assert!(logs.stdout.contains("hello from the app"), "{}", logs.raw());
    let none = remote.dae(&["logs", "--process", "nosuch"]).run();
    assert_eq!(none.code, 1);
    assert!(none.stderr.contains("there is: web"), "{}", none.raw());
}

#[test]
fn two_who_deploy_do_not_overwrite_each_other_unseen() {
    let remote = Remote::new();
    remote.deploy();
    // Somebody else, who looked before that deploy.
    let token = std::fs::read_to_string(remote.place.home(".config/dae/credentials.json")).unwrap();
    let token: Value = serde_json::from_str(&token).unwrap();
    let bearer = format!("Bearer {}", token["prod"].as_str().unwrap());
    let image = remote.dae(&["releases", "--json"]).ok().json()["releases"][0]["image"].clone();
    let body = serde_json::json!({"image": image}).to_string();
    let mut http = crate::harness::Http::open(remote.port);
    let headers = [("Authorization", bearer.as_str()), ("If-Match", "\"none\""), ("Content-Type", "application/json")];
    let answer = http.send("POST", "127.0.0.1", "/dae/v1/apps/daetest/releases", &headers, body.as_bytes()).unwrap();
    assert_eq!(answer.status, 412, "{}", answer.text());
}

#[test]
fn a_remote_that_says_no_or_nothing() {
    let remote = Remote::new();
    let wrong = remote.dae(&["deploy"]).env("DAE_TOKEN", "dae_wrong").run();
    assert_eq!(wrong.code, 3, "{}", wrong.raw());
    insta::assert_snapshot!(wrong.stderr.split_once("error:").unwrap().1.replace(&remote.port.to_string(), "[PORT]"), @"
     this node does not know that token
      because: it was asked at http://127.0.0.1:[PORT], which is remote `prod`

    hint: ask who runs the node for one: `dae node token`
    hint: give it with `dae remote add prod http://127.0.0.1:[PORT] --token TOKEN`, or in `DAE_TOKEN`
    ");

    let closed = free_port();
    let url = format!("http://127.0.0.1:{closed}");
    let down = remote.dae(&["remote", "add", "down", &url, "--token", "x"]).run();
    assert_eq!(down.code, 9, "{}", down.raw());
    assert!(!remote.dae(&["remote", "list"]).ok().stdout.contains("down"));
    remote.dae(&["remote", "add", "down", &url, "--token", "x", "--no-check"]).ok();
    let down = remote.dae(&["deploy", "--remote", "down"]).run();
    assert_eq!(down.code, 9);
    insta::assert_snapshot!(down.stderr.split_once("error:").unwrap().1.replace(&closed.to_string(), "[PORT]"), @"
     remote `down` does not answer at http://127.0.0.1:[PORT]
      because: Connection refused (os error 111)

    hint: look whether it runs, and whether the address is right: `dae remote list`
    ");

    let unknown = remote.dae(&["deploy", "--remote", "nosuch"]).run();
    assert_eq!(unknown.code, 3);
    let none = Place::new();
    none.write("a/app.yaml", APP_YAML);
    insta::assert_snapshot!(none.dae(["deploy"]).dir("a").run(), @"
    exit: 3
    --- stderr
    error: there is no remote to deploy to yet

    hint: type `dae remote add prod https://dae.example.com`
    hint: to be a remote yourself, on this or another machine: `dae node init`
    ");
}

#[test]
fn a_remote_is_added_chosen_and_forgotten() {
    let remote = Remote::new();
    let url = format!("http://127.0.0.1:{}", free_port());
    remote.dae(&["remote", "add", "other", &url, "--token", "x", "--no-check"]).ok();
    let used = |place: &Remote| {
        let list = place.dae(&["remote", "list", "--json"]).ok().json();
        let remotes = list["remotes"].as_array().unwrap().clone();
        remotes.into_iter().find(|one| one["used"] == true).map(|one| one["name"].clone())
    };
    assert_eq!(used(&remote), Some("prod".into()));
    remote.dae(&["remote", "use", "other"]).ok();
    assert_eq!(used(&remote), Some("other".into()));
    remote.dae(&["remote", "rm", "other"]).ok();
    assert_eq!(used(&remote), Some("prod".into()));
    let kept = std::fs::read_to_string(remote.place.home(".config/dae/credentials.json")).unwrap();
    assert!(!kept.contains("other"));
    for bad in ["ssh://somewhere", "https://me:token@host", "dae.example.com"] {
        assert_eq!(remote.dae(&["remote", "add", "x", bad, "--no-check"]).run().code, 2, "{bad}");
    }
}

/// Passes bytes on to `port`, and cuts the first connection on which `limit` bytes went there. Counts the bytes that went
/// there, and how many cuts are left.
fn cutting_proxy(port: u16, limit: u64) -> (u16, [Arc<AtomicU64>; 2]) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let own = listener.local_addr().unwrap().port();
    let (passed, left) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(1)));
    let counts = [passed.clone(), left.clone()];
    std::thread::spawn(move || {
        for client in listener.incoming() {
            let (mut client, mut server) = (client.unwrap(), TcpStream::connect(("127.0.0.1", port)).unwrap());
            let (mut back_from, mut back_to) = (server.try_clone().unwrap(), client.try_clone().unwrap());
            std::thread::spawn(move || std::io::copy(&mut back_from, &mut back_to));
            let (passed, left) = (passed.clone(), left.clone());
            std::thread::spawn(move || {
                let mut own = 0;
                let mut buffer = [0; 16 << 10];
                while let Ok(read @ 1..) = client.read(&mut buffer) {
                    own += read as u64;
                    if own > limit && left.swap(0, Ordering::SeqCst) == 1 {
                        let _ = (client.shutdown(Shutdown::Both), server.shutdown(Shutdown::Both));
                        return;
                    }
                    passed.fetch_add(read as u64, Ordering::SeqCst);
                    if server.write_all(&buffer[..read]).is_err() {
                        return;
                    }
                }
                let _ = server.shutdown(Shutdown::Write);
            });
        }
    });
    (own, counts)
}

/// What cannot be compressed.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 1_u64;
    let noise = std::iter::repeat_with(|| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state.to_be_bytes()[0]
    });
    noise.take(length).collect()
}

#[test]
fn an_upload_that_is_cut_goes_on_where_it_stopped() {
    let remote = Remote::new();
    // All but the large file is there already.
    remote.deploy();
    let token = std::fs::read_to_string(remote.place.home(".config/dae/credentials.json")).unwrap();
    let token: Value = serde_json::from_str(&token).unwrap();
    let (port, [passed, cuts_left]) = cutting_proxy(remote.port, 6 << 20);
    remote.add("far", port, token["prod"].as_str().unwrap());
    remote.place.write("daetest/large.bin", noise(10 << 20));
    let done = remote.dae(&["deploy", "--json", "--remote", "far"]).ok().json();
    assert_eq!(done["outcome"], "live");
    assert_eq!(remote.says(), said("one", "r2"));
    let sent = passed.load(Ordering::SeqCst);
    assert_eq!(cuts_left.load(Ordering::SeqCst), 0, "nothing was cut");
    let (least, most) = (10 << 20, 14 << 20);
    assert!((least..most).contains(&sent), "{sent} bytes went to the node");
}

#[test]
fn a_node_without_room_says_how_much_it_lacks_and_keeps_what_serves() {
    let place = Place::new();
    let Some(disk) = place.small_disk("disk", 40) else { return };
    let remote = Remote::at(place, "disk/node");
    remote.deploy();
    remote.place.write("daetest/large.bin", noise(46 << 20));
    let full = remote.dae(&["deploy"]).run();
    assert_eq!(full.code, 4, "{}", full.raw());
    let why = full.stderr.split_once("error:").unwrap().1;
    let sizes = regex_lite::Regex::new(r"\d+\.\d MB").unwrap();
    insta::assert_snapshot!(sizes.replace_all(why, "[SIZE]").replace(&remote.port.to_string(), "[PORT]"), @"
     the node's disk is full
      because: [SIZE] needed, [SIZE] free for uploads

    hint: free some space on the node and try again; nothing was changed
    ");
    assert_eq!(remote.says(), said("one", "r1"));
    drop((remote, disk));
}

#[test]
fn what_is_printed_is_heard_as_it_comes() {
    let remote = Remote::new();
    remote.place.write(
        "daetest/app.py",
        "print('started', flush=True)\ndef app(environ, start):\n    print('asked for', environ['PATH_INFO'], flush=True)\n    \
         start('200 OK', [])\n    return [b'one']\n",
    );
    remote.deploy();
    let mut listener = remote.dae(&["logs", "-f"]).spawn();
    listener.until("started");
    get(remote.port, &format!("daetest.apps.localhost:{}", remote.port), "/now");
    listener.until("asked for /now");
    assert_eq!(listener.stop().code, 0);
}

#[test]
fn an_image_goes_from_one_remote_to_another() {
    let staging = Remote::new();
    let production = Remote::at(staging.place.clone(), "production");
    let tokens = std::fs::read_to_string(staging.place.home(".config/dae/credentials.json")).unwrap();
    let tokens: Value = serde_json::from_str(&tokens).unwrap();
    // `prod` is the second one now; the first gets a name of its own.
    let init = staging.place.dae(["node", "token", "--dir", "node", "--can", "deploy", "--json"]).ok().json();
    staging.add("staging", staging.port, init["token"].as_str().unwrap());
    assert!(tokens["prod"].is_string());
    let tested = staging.dae(&["deploy", "--remote", "staging", "--json"]).ok().json();
    staging.place.write("daetest/app.py", app_py("two"));
    let summary = staging.place.path("summary.md");
    let live = staging
        .dae(&["deploy", "--image", "staging/r1", "--remote", "prod", "--json", "-m", "tested"])
        .env("GITHUB_STEP_SUMMARY", &summary)
        .ok()
        .json();
    assert_eq!((&live["outcome"], &live["image"]), (&"live".into(), &tested["image"]));
    assert_eq!(production.says(), said("one", "r1"));
    let text = std::fs::read_to_string(&summary).unwrap();
    assert!(text.starts_with("### r1 is live on prod: <http://daetest.apps.localhost:"), "{text}");
    let again = staging.dae(&["deploy", "--image", "staging", "--remote", "prod", "--json"]).ok().json();
    assert_eq!(again["outcome"], "unchanged");
    for (reference, code, why) in [
        ("staging/r9", 3, "has no r9"),
        ("nosuch/r1", 3, "nosuch"),
        ("staging/x", 2, "names no image"),
        (&format!("sha256:{}", "0".repeat(64)), 6, "has no image"),
    ] {
        let refused = staging.dae(&["deploy", "--image", reference, "--remote", "prod"]).run();
        assert_eq!(refused.code, code, "{}", refused.raw());
        assert!(refused.stderr.contains(why), "{}", refused.raw());
    }
    // What is sealed for one remote is for no other.
    let yaml = format!("{APP_YAML}protected_files: [key]\n");
    staging.place.write("daetest/app.yaml", yaml).write("daetest/key", "swordfish");
    staging.dae(&["deploy", "--remote", "staging"]).ok();
    let refused = staging.dae(&["deploy", "--image", "staging", "--remote", "prod"]).run();
    assert_eq!(refused.code, 3, "{}", refused.raw());
    assert!(refused.stderr.contains("holds secrets that remote `prod` cannot open"), "{}", refused.raw());
    let opened = staging.dae(&["open", "--print", "--remote", "staging"]).ok();
    assert_eq!(opened.stdout.trim(), format!("http://daetest.apps.localhost:{}", staging.port));
}
