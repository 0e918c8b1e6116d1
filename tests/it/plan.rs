//! What a deploy would do, told before it is done.

use crate::deploy::{Remote, app_py};

#[test]
fn a_plan_tells_all_and_writes_nothing() {
    let remote = Remote::new();
    let place = &remote.place;
    let before = remote.dae(&["plan", "--json", "--exit-code"]).run();
    assert_eq!(before.code, 1, "{}", before.raw());
    assert_eq!((before.json()["live"].is_null(), before.json()["unchanged"].clone()), (true, false.into()));
    assert!(!place.path("node/apps/daetest").exists());
    assert_eq!(remote.ask("GET", "/v2/daetest/tags/list", &[], "").json()["tags"], serde_json::json!([]));

    remote.deploy();
    let nothing = remote.dae(&["plan", "--exit-code"]).run();
    assert_eq!(
        (nothing.code, nothing.stdout.as_str()),
        (0, "nothing to do: r1 on prod is the same image\n"),
        "{}",
        nothing.raw()
    );

    place.write("daetest/app.py", app_py("two"));
    place.write(
        "daetest/app.yaml",
        "application: daetest\nnworkers: 2\nhandlers:\n- url: /.*\n  wsgi_app: app:app\ncron:\n\
         - {name: nightly, schedule: '0 3 * * *', script: n.py}\nprotected_files: [key]\n",
    );
    place.write("daetest/key", "secret").write("daetest/large.txt", "x".repeat(300_000));
    let planned = remote.dae(&["plan"]).ok();
    let sizes = regex_lite::Regex::new(r"sends \d+ of \d+ layers, \d+ KB").unwrap();
    insta::assert_snapshot!(sizes.replace_all(&planned.stdout, "sends [N]"), @"
    in the place of r1 on prod
    sends [N]
    + cron job nightly
    ~ nworkers: 1 -> 2
    ~ protected_files in app.yaml
    sealed: key
    largest files:
        300 KB  large.txt
    ");
    let json = remote.dae(&["deploy", "--plan", "--json"]).ok().json();
    let deployed = remote.deploy();
    assert_eq!(json["image"], deployed["image"]);
    // The numbers that were told are those that were sent, but for the few bytes of the release itself.
    let (told, sent) = (json["bytes"].as_u64().unwrap(), deployed["bytes_sent"].as_u64().unwrap());
    assert!(told <= sent && sent < told + 2_000, "{told} told, {sent} sent");
    let states = remote.dae(&["releases", "--json"]).ok().json();
    assert_eq!(states["releases"].as_array().unwrap().len(), 2);

    let wrong = remote.dae(&["plan", "--exit-code", "--remote", "nosuch"]).run();
    assert_eq!(wrong.code, 255, "{}", wrong.raw());
}

#[test]
fn what_cannot_run_there_is_refused_before_it_is_sent() {
    let remote = Remote::new();
    let offered = serde_json::json!({
        "image": format!("sha256:{}", "0".repeat(64)),
        "blobs": [{"digest": format!("sha256:{}", "1".repeat(64)), "size": u64::MAX / 2}],
        "python": "2.7",
        "platform": "plan9/mips",
        "sealed_to": "age1other",
    });
    let answer = remote.ask("POST", "/dae/v1/apps/daetest/plan", &[], &offered.to_string());
    assert_eq!(answer.status, 200, "{}", answer.text());
    let codes: Vec<_> = answer.json()["refused"].as_array().unwrap().iter().map(|p| p["code"].clone()).collect();
    assert_eq!(codes, ["node.disk-full", "release.python", "release.platform", "sealed.open"]);
    for bad in ["{}", "nonsense", r#"{"image": "x", "blobs": [], "python": "3", "platform": "x"}"#] {
        assert_eq!(remote.ask("POST", "/dae/v1/apps/daetest/plan", &[], bad).status, 422, "{bad}");
    }
    // A folder with work that no commit holds.
    let refused = remote.dae(&["deploy", "--require-clean"]).run();
    assert_eq!(refused.code, 3, "{}", refused.raw());
    assert!(refused.stderr.contains("in no repository with a commit"), "{}", refused.raw());
    assert!(!remote.place.path("node/apps/daetest").exists());
}
