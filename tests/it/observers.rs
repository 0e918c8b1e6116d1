//! Errors of an app on a node: seen from elsewhere, and told by mail to those whom app.yaml names.

use crate::crew::until;
use crate::deploy::Remote;
use crate::harness::get;

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
