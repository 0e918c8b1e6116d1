//! Changes without new code: environment, numbers of processes, hosts.

use serde_json::json;

use crate::deploy::{Remote, said};
use crate::harness::get;

const APP_PY: &str = "import os
def app(environ, start):
    start('200 OK', [])
    return [' '.join([os.environ.get('GREETING', 'none'), os.environ.get('DAE_ENV')]).encode()]
";

#[test]
fn what_is_set_reaches_the_app_by_a_release_and_is_shown_to_nobody() {
    let mut remote = Remote::new();
    remote.place.write("daetest/app.py", APP_PY);
    // Before there is a release it waits for the first.
    let early = remote.dae(&["config", "set", "GREETING=swordfish"]).ok();
    assert!(early.stderr.contains("from its first release on"), "{}", early.raw());
    remote.deploy();
    assert_eq!(remote.says(), said("swordfish production", "r1"));

    let set = remote.dae(&["config", "set", "--json", "GREETING=mellon", "OTHER=x y"]).ok().json();
    assert_eq!(set["release"], "r2");
    assert_eq!(remote.says(), said("mellon production", "r2"));
    let same = remote.dae(&["config", "set", "OTHER=x y"]).ok();
    assert!(same.stderr.contains("r2 of daetest has it already"), "{}", same.raw());
    // What is deployed next has it too, and a rollback brings back what was.
    remote.place.write("daetest/app.py", format!("{APP_PY}#\n"));
    remote.deploy();
    assert_eq!(remote.says(), said("mellon production", "r3"));
    remote.dae(&["rollback", "r1"]).ok();
    assert_eq!(remote.says(), said("swordfish production", "r4"));
    assert_eq!(remote.dae(&["config", "list", "--json"]).ok().json()["config"], json!({"GREETING": null}));
    remote.dae(&["rollback", "r3"]).ok();

    insta::assert_snapshot!(remote.dae(&["config", "list"]).ok(), @"
    exit: 0
    --- stdout
    GREETING (set)
    OTHER (set)
    ");
    let revealed = remote.dae(&["config", "list", "--reveal", "--json"]).ok().json();
    assert_eq!(revealed["config"], json!({"GREETING": "mellon", "OTHER": "x y"}));
    let releases = remote.dae(&["releases"]).ok();
    assert!(releases.stdout.contains("config: set GREETING, OTHER"), "{}", releases.raw());
    assert!(!releases.stdout.contains("mellon"));
    // At rest it is sealed.
    let kept: Vec<u8> = ["store.sqlite", "store.sqlite-wal"]
        .iter()
        .flat_map(|name| std::fs::read(remote.place.path(format!("node/{name}"))).unwrap_or_default())
        .collect();
    assert!(kept.windows(8).any(|part| part == b"GREETING"), "a message names it");
    assert!(!kept.windows(6).any(|part| part == b"mellon" || part == b"swordf"));

    // It is there again with the node.
    remote.stop();
    let mut node = remote.place.dae(["node", "serve", "--dir", "node"]).spawn();
    node.until("Back");
    assert_eq!(remote.says(), said("mellon production", "r5"));
    remote.dae(&["config", "unset", "GREETING"]).ok();
    assert_eq!(remote.says(), said("none production", "r6"));
    remote.node = Some(node);
}

#[test]
fn what_cannot_be_set_is_refused_whole() {
    let remote = Remote::new();
    remote.deploy();
    let refused = remote.dae(&["config", "set", "GOOD=1", "DAE_ENV=SDK", "1x=2"]).run();
    insta::assert_snapshot!(refused, @"
    exit: 1
    --- stderr
    error: `1x` is no name for a variable

    hint: letters, digits and `_`

    error: `DAE_ENV` cannot be set

    hint: names with `DAE_` before them, and those Python starts with, are dae's own

    error: 2 problems
    ");
    let patch =
        |body: &str, live: &str| remote.ask("PATCH", "/dae/v1/apps/daetest/config", &[("If-Match", live)], body).status;
    assert_eq!(patch(r#"{"set": {"A": "x\u0000y"}}"#, "\"r1\""), 422);
    assert_eq!(patch(&json!({"set": {"A": "x".repeat(70_000)}}).to_string(), "\"r1\""), 422);
    assert_eq!(patch(&json!({"set": {"A": "x".repeat(700_000)}}).to_string(), "\"r1\""), 413);
    assert_eq!(patch(r#"{"set": {"A": "1"}}"#, "\"r9\""), 412);
    assert_eq!(patch(r#"{"set": {"A": 1}}"#, "\"r1\""), 422);
    assert_eq!(patch(r#"{"unset": ["NOSUCH"]}"#, "\"r1\""), 422);
    assert_eq!(remote.dae(&["config", "list", "--json"]).ok().json()["config"], json!({}));
    assert_eq!(remote.says().1, "r1");
}

#[test]
fn processes_are_scaled_and_counted() {
    let remote = Remote::new();
    remote.deploy();
    insta::assert_snapshot!(remote.dae(&["scale"]).ok().stdout, @"web=1");
    let scaled = remote.dae(&["scale", "web=3"]).ok();
    insta::assert_snapshot!(scaled.stdout, @"web=3  (app.yaml: 1)");
    assert_eq!(remote.says(), said("one", "r2"));
    let workers = || {
        let found = remote.dae(&["ps", "--json"]).ok().json();
        let serving = found["processes"].as_array().unwrap().iter();
        serving.filter(|one| one["state"] == "serving" && one["process"] == "web worker").count()
    };
    assert_eq!(workers(), 3);
    remote.place.write("daetest/app.py", crate::deploy::app_py("two"));
    remote.deploy();
    assert_eq!(workers(), 3, "a deploy keeps it");
    remote.dae(&["scale", "web=-"]).ok();
    assert_eq!(workers(), 1);
    for (arg, code, why) in
        [("web=0", 1, "`web` wants 1 to 64"), ("feed=2", 1, "there is: `web`"), ("web", 2, "says no number")]
    {
        let refused = remote.dae(&["scale", arg]).run();
        assert_eq!(refused.code, code, "{}", refused.raw());
        assert!(refused.stderr.contains(why), "{}", refused.raw());
    }
}

#[test]
fn an_app_answers_for_its_hosts_and_no_others() {
    let mut remote = Remote::new();
    remote.deploy();
    let asked = |port: u16, host: &str| {
        let answer = get(port, &format!("{host}:{port}"), "/");
        (answer.status, answer.text())
    };
    assert_eq!(asked(remote.port, "www.example.com").0, 404);
    let added = remote.dae(&["domains", "add", "WWW.example.com."]).ok();
    insta::assert_snapshot!(added.stdout, @r"
    daetest.apps.localhost (its own)
    www.example.com
    ");
    assert_eq!(asked(remote.port, "www.example.com"), (200, "one".into()));
    let other = remote.ask("PUT", "/dae/v1/apps/other/domains/www.example.com", &[], "");
    assert_eq!((other.status, other.json()["problem"]["code"].clone()), (409, "domain.taken".into()));
    for own in ["apps.localhost", "other.apps.localhost", "localhost"] {
        let answer = remote.ask("PUT", &format!("/dae/v1/apps/daetest/domains/{own}"), &[], "");
        assert_eq!(answer.status, 409, "{own}: {}", answer.text());
    }
    for bad in ["10.0.0.1", "a_b", "x%2Fy", "*.example.com"] {
        let answer = remote.ask("PUT", &format!("/dae/v1/apps/daetest/domains/{bad}"), &[], "");
        assert_eq!(answer.status, 422, "{bad}: {}", answer.text());
    }
    remote.stop();
    let mut node = remote.place.dae(["node", "serve", "--dir", "node"]).spawn();
    node.until("Back");
    assert_eq!(asked(remote.port, "www.example.com"), (200, "one".into()));
    remote.dae(&["domains", "rm", "www.example.com"]).ok();
    assert_eq!(asked(remote.port, "www.example.com").0, 404);
    assert_eq!(remote.dae(&["domains", "rm", "www.example.com"]).run().code, 1);
    remote.node = Some(node);
}
