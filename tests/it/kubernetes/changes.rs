//! What is changed on a cluster without new code.

use serde_json::{Value, json};

use super::releases::{Stage, WEB, code};

const SECRET: &str = "/api/v1/namespaces/shop/secrets/";
const INGRESS: &str = "/apis/networking.k8s.io/v1/namespaces/shop/ingresses/hello";

fn env_from(stage: &Stage) -> Value {
    let sources = &stage.cluster.object(WEB)["spec"]["template"]["spec"]["containers"][0]["envFrom"];
    sources.as_array().unwrap().iter().map(|source| source["secretRef"]["name"].clone()).collect()
}

#[test]
fn the_environment_is_set_by_a_release_and_goes_on() {
    let Some(stage) = Stage::new() else { return };
    // Before anything is live.
    let early = stage.dae(&["config", "set", "EARLY=bird"]);
    assert!(early.code == 0 && early.stderr.contains("from its first release on"), "{}", early.raw());
    assert_eq!(stage.deploy().code, 0);
    assert_eq!(env_from(&stage), json!(["hello-config", "hello-env-r0"]));
    let set = stage.dae(&["config", "set", "A=1", "TOKEN=hushhush"]);
    assert_eq!(set.code, 0, "{}", set.raw());
    assert!(!set.raw().contains("hushhush"));
    assert_eq!((stage.wanted(), env_from(&stage)), (json!("r2"), json!(["hello-config", "hello-env-r2"])));
    assert_eq!(
        stage.cluster.object(&format!("{SECRET}hello-env-r2"))["data"],
        json!({"A": "MQ==", "EARLY": "YmlyZA==", "TOKEN": "aHVzaGh1c2g="})
    );
    let list = stage.dae(&["config", "list"]);
    assert_eq!(list.stdout, "A (set)\nEARLY (set)\nTOKEN (set)\n", "{}", list.raw());
    let list = stage.dae(&["config", "list", "--reveal"]);
    assert_eq!(list.stdout, "A=1\nEARLY=bird\nTOKEN=hushhush\n", "{}", list.raw());
    let again = stage.dae(&["config", "set", "A=1"]);
    assert!(again.code == 0 && again.stderr.contains("r2 of hello has it already"), "{}", again.raw());
    // New code has it too; a rollback has what was set then.
    stage.edit(2);
    assert_eq!(stage.deploy().code, 0);
    assert_eq!(env_from(&stage), json!(["hello-config", "hello-env-r2"]));
    assert_eq!(stage.dae(&["config", "unset", "A", "TOKEN"]).code, 0);
    assert_eq!(stage.dae(&["config", "list"]).stdout, "EARLY (set)\n");
    assert_eq!(stage.dae(&["rollback"]).code, 0);
    assert_eq!(stage.dae(&["config", "list"]).stdout, "A (set)\nEARLY (set)\nTOKEN (set)\n");
    for (words, what) in
        [(&["config", "set", "DAE_X=1"][..], "config.refused"), (&["config", "unset", "NOSUCH"], "config.refused")]
    {
        let ran = stage.dae(&[&["--json"], words].concat());
        assert_eq!((ran.code, code(&ran).as_str()), (3, what), "{}", ran.raw());
    }
    let unchanged = stage.deploy();
    assert_eq!(unchanged.json()["outcome"], "unchanged", "{}", unchanged.raw());
    assert_eq!(stage.cluster.inner().unserved, 0);
}

#[test]
fn numbers_of_pods_change_without_new_pods() {
    let Some(stage) = Stage::new() else { return };
    let early = stage.dae(&["--json", "scale", "web=3"]);
    assert_eq!((early.code, code(&early).as_str()), (3, "release.none-live"), "{}", early.raw());
    assert_eq!(stage.deploy().code, 0);
    let template = stage.cluster.object(WEB)["spec"]["template"].clone();
    let scaled = stage.dae(&["scale", "web=3", "feed=0"]);
    assert_eq!(
        (scaled.code, scaled.stdout.as_str()),
        (0, "feed=0  (app.yaml: 1)\nweb=3  (app.yaml: 2)\n"),
        "{}",
        scaled.raw()
    );
    let web = stage.cluster.object(WEB);
    assert_eq!((&web["spec"]["replicas"], &web["spec"]["template"]), (&json!(3), &template), "no pod is started anew");
    assert_eq!(stage.head()["live"], "r2");
    // It goes on with new code, and until it is taken back.
    stage.edit(2);
    assert_eq!(stage.deploy().code, 0);
    assert_eq!((&stage.cluster.object(WEB)["spec"]["replicas"], stage.wanted()), (&json!(3), json!("r3")));
    assert_eq!(stage.dae(&["scale", "web=-"]).stdout, "feed=0  (app.yaml: 1)\nweb=2\n");
    for (words, what) in [("nosuch=1", "scale.unknown"), ("web=0", "scale.count")] {
        let ran = stage.dae(&["--json", "scale", words]);
        assert_eq!((ran.code, code(&ran).as_str()), (3, what), "{}", ran.raw());
    }
    assert_eq!(stage.cluster.inner().unserved, 0);
}

#[test]
fn hosts_are_added_at_once_and_stay_whatever_is_released() {
    let Some(stage) = Stage::new() else { return };
    let hosts = || -> Vec<String> {
        let ingress = stage.cluster.object(INGRESS);
        ingress["spec"]["rules"]
            .as_array()
            .unwrap()
            .iter()
            .map(|rule| rule["host"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(stage.deploy().code, 0);
    let added = stage.dae(&["domains", "add", "www.Example.com."]);
    assert_eq!(
        (added.code, added.stdout.as_str()),
        (0, "hello.apps.example (its own)\nwww.example.com\n"),
        "{}",
        added.raw()
    );
    assert_eq!(hosts(), ["hello.apps.example", "www.example.com"]);
    stage.edit(2);
    assert_eq!(stage.deploy().code, 0);
    let plan = stage.dae(&["deploy", "--plan"]);
    assert!(!plan.stdout.contains("www.example.com"), "{}", plan.raw());
    assert_eq!(stage.dae(&["rollback"]).code, 0);
    assert_eq!(hosts(), ["hello.apps.example", "www.example.com"]);
    // Another app of the namespace.
    stage.place.write("other/app.yaml", "application: other\nhandlers:\n- {url: /.*, wsgi_app: app:app}\n");
    let taken = stage.place.dae(["-C", "other", "--json", "domains", "add", "www.example.com"]).run();
    assert_eq!((taken.code, code(&taken).as_str()), (3, "domain.taken"), "{}", taken.raw());
    for (words, what) in [
        (&["add", "x.apps.example"][..], "domain.own"),
        (&["add", "http://x"], "domain.name"),
        (&["rm", "nosuch.example"], "domain.unknown"),
    ] {
        let ran = stage.dae(&[&["--json", "domains"], words].concat());
        assert_eq!((ran.code, code(&ran).as_str()), (3, what), "{}", ran.raw());
    }
    assert_eq!(stage.dae(&["domains", "rm", "www.example.com"]).code, 0);
    assert_eq!(hosts(), ["hello.apps.example"]);
    let open = stage.dae(&["open", "--print"]);
    assert_eq!((open.code, open.stdout.as_str()), (0, "http://hello.apps.example\n"), "{}", open.raw());
    let none = stage.place.dae(["-C", "other", "--json", "open", "--print"]).run();
    assert_eq!(code(&none), "release.none-live", "{}", none.raw());
    assert_eq!(stage.cluster.inner().unserved, 0);
}
