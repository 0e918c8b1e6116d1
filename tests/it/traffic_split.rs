//! Gray releases: one is tried beside the live one, on a share of the visitors, and becomes the live one or is taken back.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::deploy::{Remote, app_py, said};
use crate::harness::{Answer, Http, PATIENCE};

impl Remote {
    fn host(&self, release: Option<&str>) -> String {
        let before = release.map(|release| format!("{release}--")).unwrap_or_default();
        format!("{before}daetest.apps.localhost:{}", self.port)
    }

    fn visit(&self, headers: &[(&str, &str)]) -> Answer {
        Http::open(self.port).send("GET", &self.host(None), "/", headers, b"").unwrap()
    }

    /// What the address of one release says: its status, and who answered.
    fn at_release(&self, release: &str) -> (u16, String) {
        let answer = Http::open(self.port).get(&self.host(Some(release)), "/").unwrap();
        (answer.status, answer.header("x-dae-release").unwrap_or_default().to_owned())
    }

    /// Which of the hundred buckets get which release.
    fn buckets(&self) -> HashMap<String, Vec<u8>> {
        let mut connection = Http::open(self.port);
        let mut found: HashMap<String, Vec<u8>> = HashMap::new();
        for bucket in 0..100 {
            let cookie = format!("theme=dark; dae_bucket={bucket}");
            let answer = connection.send("GET", &self.host(None), "/", &[("Cookie", &cookie)], b"").unwrap();
            assert_eq!((answer.status, answer.header("set-cookie")), (200, None));
            found.entry(answer.header("x-dae-release").unwrap().to_owned()).or_default().push(bucket);
        }
        found
    }

    fn split(&self) -> Vec<(String, usize)> {
        let mut counts: Vec<_> = self.buckets().into_iter().map(|(release, some)| (release, some.len())).collect();
        counts.sort();
        counts
    }

    fn states(&self) -> String {
        let found = self.dae(&["releases", "--json"]).ok().json();
        let of = |one: &Value| format!("{} {}", one["id"].as_str().unwrap(), one["state"].as_str().unwrap());
        found["releases"].as_array().unwrap().iter().map(of).collect::<Vec<_>>().join(", ")
    }

    /// `release state process`, of those that lead.
    fn processes(&self) -> Vec<String> {
        let found = self.dae(&["ps", "--json"]).ok().json();
        let all = found["processes"].as_array().unwrap().iter();
        let leaders = all.filter(|one| !one["process"].as_str().unwrap().ends_with("worker"));
        leaders.map(|one| format!("{} {} {}", one["release"], one["state"], one["process"]).replace('"', "")).collect()
    }

    fn deploy_gray(&self, says: &str, more: &[&str]) -> Value {
        self.place.write("daetest/app.py", app_py(says));
        self.dae(&[&["deploy", "--json"], more].concat()).ok().json()
    }

    fn kill_and_serve(&mut self) {
        let pid: i32 = self.place.read("node/lock").trim().parse().unwrap();
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), Signal::SIGKILL).unwrap();
        self.node.take().unwrap().wait();
        let mut node = self.place.dae(["node", "serve", "--dir", "node"]).spawn();
        node.until("Ready");
        self.node = Some(node);
    }
}

fn some(counts: &[(&str, usize)]) -> Vec<(String, usize)> {
    counts.iter().map(|(release, count)| ((*release).to_owned(), *count)).collect()
}

fn eventually(what: &str, is: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is() {
        assert!(Instant::now() < deadline, "never: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_tenth_then_half_then_all() {
    let mut remote = Remote::new();
    let nothing_beside = remote.dae(&["deploy", "--traffic", "10"]).run();
    assert_eq!(nothing_beside.code, 6, "{}", nothing_beside.raw());
    assert!(nothing_beside.stderr.contains("nothing of `daetest` is live"), "{}", nothing_beside.raw());
    remote.deploy();
    assert_eq!(remote.visit(&[]).header("set-cookie"), None, "nobody is marked while nothing is tried");

    let tried = remote.deploy_gray("two", &["--traffic", "10"]);
    assert_eq!((&tried["outcome"], &tried["release"]), (&"gray".into(), &"r2".into()));
    remote.node.as_mut().unwrap().until("Gray daetest r2 for 10 % of the visitors");
    assert_eq!(tried["url"], format!("http://r2--daetest.apps.localhost:{}", remote.port));
    let tenth = remote.buckets();
    assert_eq!((tenth["r1"].len(), tenth["r2"].len()), (90, 10));
    assert_eq!(remote.states(), "r2 gray, r1 live");
    assert_eq!((remote.at_release("r1"), remote.at_release("r2")), ((200, "r1".into()), (200, "r2".into())));

    // A new visitor is marked once, and stays.
    let first = remote.visit(&[]);
    let cookie = first.header("set-cookie").unwrap().split(';').next().unwrap().to_owned();
    for _ in 0..5 {
        let again = remote.visit(&[("Cookie", &cookie)]);
        assert_eq!(again.header("x-dae-release"), first.header("x-dae-release"));
    }

    let told = remote.dae(&["traffic", "50"]).ok();
    assert_eq!(told.stdout, "r1    live      50 %\nr2    gray      50 %\n");
    let half = remote.buckets();
    assert_eq!((half["r1"].len(), half["r2"].len()), (50, 50));
    assert!(tenth["r2"].iter().all(|bucket| half["r2"].contains(bucket)), "{tenth:?} {half:?}");

    // Promoted: the same process goes on, for everybody; the last one is kept.
    let before = remote.processes();
    assert_eq!(before, ["r1 serving web", "r2 gray web"]);
    let told = remote.dae(&["traffic", "r2=100"]).ok();
    assert!(told.stderr.contains("Live r2 of daetest, for all visitors"), "{}", told.raw());
    assert_eq!(remote.split(), some(&[("r2", 100)]));
    assert_eq!((remote.states().as_str(), remote.says()), ("r2 live, r1 past", said("two", "r2")));
    assert_eq!(remote.processes(), ["r2 serving web", "r1 kept web"]);
    assert_eq!(remote.at_release("r1"), (200, "r1".into()));
    // And the way back is what it always is.
    let back = remote.dae(&["rollback", "--json"]).ok().json();
    assert_eq!((&back["release"], &back["was"]), (&"r3".into(), &"r2".into()));
    assert_eq!(remote.says(), said("one", "r3"));
    // r1's process is named r3 now.
    let (status, _) = remote.at_release("r1");
    assert_eq!(status, 404);
    let page = Http::open(remote.port).get(&remote.host(Some("r1")), "/").unwrap().text();
    assert!(page.starts_with("r1 of daetest does not run."), "{page}");
    assert_eq!(remote.at_release("r99").0, 404);
}

#[test]
fn rules_of_header_and_address_and_the_ways_it_ends() {
    let remote = Remote::new();
    remote.deploy();
    remote.deploy_gray("two", &["--traffic", "0", "--traffic-header", "X-Gray=yes", "--traffic-from", "10.1.0.0/16"]);
    assert_eq!(remote.split(), some(&[("r1", 100)]));
    let who = |headers: &[(&str, &str)]| remote.visit(headers).header("x-dae-release").unwrap().to_owned();
    assert_eq!(who(&[("X-Gray", "yes")]), "r2");
    assert_eq!(who(&[("X-Gray", "no")]), "r1");
    assert_eq!(who(&[("X-Forwarded-For", "10.1.2.3")]), "r2");
    assert_eq!(who(&[("X-Forwarded-For", "10.2.2.3")]), "r1");
    let told = remote.dae(&["traffic"]).ok();
    assert_eq!(told.stdout, "r1    live     100 %\nr2    gray       0 % and X-Gray: yes, from 10.1.0.0/16\n");

    // A later one that is tried takes its place; one that cannot start takes nobody's.
    remote.deploy_gray("three", &["--traffic", "30"]);
    assert_eq!(
        (remote.states().as_str(), remote.split()),
        ("r3 gray, r2 withdrawn, r1 live", some(&[("r1", 70), ("r3", 30)]))
    );
    remote.place.write("daetest/app.py", "import nothing_like_this\n");
    assert_eq!(remote.dae(&["deploy", "--traffic", "50"]).run().code, 6);
    assert_eq!(remote.split(), some(&[("r1", 70), ("r3", 30)]));

    // A rollback takes back what is tried, and nothing else.
    let back = remote.dae(&["rollback"]).ok();
    assert!(back.stderr.contains("Live r1 of daetest, for all visitors again"), "{}", back.raw());
    assert_eq!(remote.split(), some(&[("r1", 100)]));
    assert_eq!(remote.states(), "r4 failed, r3 withdrawn, r2 withdrawn, r1 live");

    // So does `traffic 0`, and a release for everybody.
    remote.deploy_gray("five", &["--traffic", "30"]);
    remote.dae(&["traffic", "0"]).ok();
    assert_eq!(remote.split(), some(&[("r1", 100)]));
    remote.deploy_gray("six", &["--traffic", "30"]);
    remote.deploy_gray("seven", &[]);
    assert_eq!(remote.split(), some(&[("r7", 100)]));
    assert_eq!(remote.at_release("r6").0, 404);
    assert!(remote.states().starts_with("r7 live, r6 withdrawn, r5 withdrawn"), "{}", remote.states());

    // What cannot be.
    let put = |headers: &[(&str, &str)], body: Value| {
        let answer = remote.ask("PUT", "/dae/v1/apps/daetest/traffic", headers, &body.to_string());
        format!("{} {}", answer.status, answer.json()["problem"]["code"].as_str().unwrap_or_default())
    };
    assert_eq!(put(&[], json!({ "percent": 10 })), "409 traffic.none");
    remote.deploy_gray("eight", &["--traffic", "30"]);
    assert_eq!(put(&[], json!({ "percent": 10, "release": "r7" })), "409 traffic.other");
    assert_eq!(put(&[("If-Match", "\"r1\"")], json!({ "percent": 10 })), "412 release.moved");
    assert_eq!(put(&[], json!({ "percent": 101 })), "422 traffic.percent");
    assert_eq!(put(&[], json!({ "percent": 1, "networks": ["nowhere"] })), "422 traffic.network");
    assert_eq!(put(&[], json!({ "percent": 1, "headers": { "a b": "c" } })), "422 traffic.header");
    assert_eq!(put(&[("If-Match", "\"r7\"")], json!({ "percent": 40 })), "200 ");
    assert_eq!(remote.split(), some(&[("r7", 60), ("r8", 40)]));
}

const YAML: &str = "application: daetest\nhandlers:\n- url: /.*\n  wsgi_app: app:app\ndaemons:\n\
    - {name: feed, script: feed.py}\n";

#[test]
fn daemons_stay_with_the_live_one_and_a_split_outlives_kills() {
    let mut remote = Remote::new();
    remote.place.write("daetest/app.yaml", YAML).write("daetest/feed.py", "import time\ntime.sleep(600)\n");
    remote.deploy();
    remote.deploy_gray("two", &["--traffic", "25"]);
    let before = remote.buckets();
    eventually("the daemon runs", || remote.processes().len() == 3);
    assert_eq!(remote.processes(), ["r1 serving web", "r2 gray web", "r1 serving feed"]);

    remote.kill_and_serve();
    eventually("both are back", || remote.split() == some(&[("r1", 75), ("r2", 25)]));
    assert_eq!(before, remote.buckets(), "who is who is the same after a kill");

    // The gray process dies: its visitors are served, and it comes again.
    let found = remote.dae(&["ps", "--json"]).ok().json();
    let gray = found["processes"].as_array().unwrap().iter().find(|one| one["state"] == "gray").unwrap();
    let pid = i32::try_from(gray["pid"].as_i64().unwrap()).unwrap();
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), Signal::SIGKILL).unwrap();
    eventually("another process of r2 answers", || {
        let again = remote.dae(&["ps", "--json"]).ok().json();
        let other = |one: &Value| one["state"] == "gray" && one["pid"] != gray["pid"];
        again["processes"].as_array().unwrap().iter().any(other) && remote.split() == some(&[("r1", 75), ("r2", 25)])
    });

    // The daemon moves when the traffic has.
    remote.dae(&["traffic", "100"]).ok();
    eventually("the daemon is of r2", || remote.processes().contains(&"r2 serving feed".to_owned()));
    assert!(!remote.processes().contains(&"r1 serving feed".to_owned()));
    remote.kill_and_serve();
    eventually("r2 is back", || remote.split() == some(&[("r2", 100)]));
    assert_eq!(remote.states(), "r2 live, r1 past");
}

#[test]
fn no_app_answers_at_the_address_of_anothers_release() {
    let remote = Remote::new();
    remote.place.write("daetest/app.yaml", "application: r1__daetest\nhandlers:\n- url: /.*\n  wsgi_app: app:app\n");
    let refused = remote.dae(&["deploy"]).run();
    assert_eq!(refused.code, 6, "{}", refused.raw());
    assert!(refused.stderr.contains("would answer at the address of another app's release"), "{}", refused.raw());
}
