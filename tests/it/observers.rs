//! Errors of an app on a node: seen from elsewhere, and told by mail to those whom app.yaml names.

use crate::crew::until;
use crate::deploy::Remote;
use crate::harness::{Place, get};
use crate::mail::{real, with_smtp};

const BAD: &str = "def app(environ, start):\n    raise KeyError(environ['PATH_INFO'][1:] and '你好')\n";

#[test]
fn a_new_error_is_mailed_once_and_seen_and_resolved_from_elsewhere() {
    let remote = Remote::new();
    let yaml = remote.place.read("daetest/app.yaml");
    let observers = "report_observer_emails: [ann@example.com, \"x> RCPT TO:<eve@example.com\"]\n";
    remote.place.write("daetest/app.yaml", format!("{yaml}selftest: []\n{observers}")).write("daetest/app.py", BAD);
    remote.deploy();
    let ask = |path: &str| get(remote.port, "daetest.apps.localhost", path).status;
    let at = |what: &[&str]| remote.dae(&[what, &["--remote", "prod", "--json"]].concat());
    assert_eq!(at(&["errors", "list"]).ok().json()["errors"].as_array().unwrap().len(), 0);
    let count = || at(&["errors", "list"]).ok().json()["errors"][0]["count"].as_u64().unwrap_or(0);
    let mails = || at(&["mail", "list"]).ok().json()["mails"].as_array().unwrap().clone();
    assert_eq!(ask("/a"), 500);
    until("it is mailed", || mails().len() == 1);
    let mail = mails()[0].clone();
    assert_eq!(mail["subject"], "[daetest] KeyError: '你好'");
    assert_eq!(mail["to"], serde_json::json!(["ann@example.com"]));
    let shown = remote.dae(&["mail", "show", "--remote", "prod"]).ok().stdout;
    assert!(
        shown.contains("Error 1 of daetest (daetest.apps.localhost) is new:") && shown.contains("app.py:2"),
        "{shown}"
    );

    assert_eq!(ask("/a"), 500);
    until("it is counted", || count() == 2);
    let listed = remote.dae(&["errors", "list", "--remote", "prod"]).ok().stdout;
    assert!(listed.contains("KeyError") && listed.contains("2 since the live release"), "{listed}");
    let shown = remote.dae(&["errors", "show", "1", "--remote", "prod", "--app", "daetest"]).ok().stdout;
    assert!(shown.contains("Traceback") && shown.contains("app.py:2 in app"), "{shown}");
    assert_eq!(at(&["errors", "resolve", "1"]).ok().json()["resolved"], serde_json::json!([1]));
    assert_eq!(at(&["errors", "list"]).ok().json()["errors"].as_array().unwrap().len(), 0);
    let unknown = remote.dae(&["errors", "resolve", "7", "--remote", "prod"]).run();
    assert!(unknown.code == 1 && unknown.stderr.contains("there is no error 7"), "{}", unknown.raw());
    // It comes back within the hour: seen, and not mailed again.
    assert_eq!(ask("/a"), 500);
    until("it is back", || count() == 3);
    assert_eq!(mails().len(), 1);
    assert_eq!(remote.ask("GET", "/dae/v1/apps/daetest/mail/x", &[], "").status, 404);
}

#[test]
fn a_real_mail_server_takes_the_mail_of_a_node_and_its_absence_is_said() {
    let mut remote = Remote::at(Place::new(), "node");
    let (server, address) = real(&remote.place, &with_smtp(&remote.place));
    remote.stop();
    let yaml = remote.place.read("node/node.yaml");
    remote.place.write("node/node.yaml", format!("{yaml}smtp: \"{address}\"\n"));
    let mut node = remote.place.dae(["node", "serve", "--dir", "node"]).spawn();
    node.until("Ready");
    let yaml = remote.place.read("daetest/app.yaml");
    let observers = "report_observer_emails: [ann@example.com, bob@example.com]\n";
    let bad =
        "def app(environ, start):\n    raise {'/a': KeyError, '/b': IndexError}[environ['PATH_INFO']]('.\\n你好')\n";
    remote.place.write("daetest/app.yaml", format!("{yaml}selftest: []\n{observers}")).write("daetest/app.py", bad);
    remote.deploy();
    let ask = |path: &str| get(remote.port, "daetest.apps.localhost", path).status;
    assert_eq!(ask("/a"), 500);
    let came = remote.place.path("real/1.eml");
    until("the server has it", || came.exists());
    let mail = String::from_utf8(std::fs::read(&came).unwrap()).unwrap();
    let (head, body) = mail.split_once("\r\n\r\n").unwrap();
    for line in ["From: dae@apps.localhost", "To: ann@example.com, bob@example.com", "Auto-Submitted: auto-generated"] {
        assert!(head.contains(line), "{mail}");
    }
    assert!(head.contains("\r\nSubject: =?utf-8?b?"), "{mail}");
    assert!(body.starts_with("Error 1 of daetest (daetest.apps.localhost) is new:"), "{mail}");
    assert!(body.contains("KeyError: '.\\n你好'") && body.contains("at app.py:2"), "{mail}");
    // It stays nowhere else.
    let kept = remote.dae(&["mail", "list", "--remote", "prod", "--json"]).ok().json();
    assert_eq!(kept["mails"], serde_json::json!([]));

    drop(server);
    assert_eq!(ask("/b"), 500);
    node.until("a mail of an error of `daetest` could not be sent");
    let listed = remote.dae(&["errors", "list", "--remote", "prod", "--json"]).ok().json();
    assert_eq!(listed["errors"].as_array().unwrap().len(), 2);
    remote.node = Some(node);
}
