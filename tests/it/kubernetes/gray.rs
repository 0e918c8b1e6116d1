//! A release that is tried on a share of the requests.

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use super::cluster::Fate;
use super::releases::{Stage, code};

const ROUTE: &str = "/apis/gateway.networking.k8s.io/v1/namespaces/shop/httproutes/hello";
const GRAY: &str = "/apis/apps/v1/namespaces/shop/deployments/hello-web-gray";
const SERVICE: &str = "/api/v1/namespaces/shop/services/hello-web-gray";

fn rules(stage: &Stage) -> Value {
    stage.cluster.object(ROUTE)["spec"]["rules"].clone()
}

fn weights(stage: &Stage) -> Vec<(String, u64)> {
    let rules = rules(stage);
    let backends = rules.as_array().unwrap().last().unwrap()["backendRefs"].as_array().unwrap().clone();
    backends.iter().map(|one| (one["name"].as_str().unwrap().to_owned(), one["weight"].as_u64().unwrap_or(1))).collect()
}

fn pair(live: u64, gray: u64) -> Vec<(String, u64)> {
    vec![("hello".into(), live), ("hello-web-gray".into(), gray)]
}

fn gone(stage: &Stage) -> bool {
    stage.cluster.object(GRAY).is_null() && stage.cluster.object(SERVICE).is_null()
}

#[test]
fn a_share_of_the_requests_goes_to_a_release_that_is_tried() {
    let Some(stage) = Stage::with(&["--gateway", "infra/public"]) else { return };
    let early = stage.dae(&["--json", "deploy", "--traffic", "10"]);
    assert_eq!((early.code, code(&early).as_str()), (3, "traffic.none-live"), "{}", early.raw());
    assert_eq!(stage.deploy().code, 0);
    stage.edit(2);
    let tried = stage.dae(&["deploy", "--traffic", "10", "--traffic-header", "X-Try=1"]);
    assert!(tried.code == 0 && tried.stderr.contains("r2 of hello for 10 % of the visitors"), "{}", tried.raw());
    assert_eq!(
        (stage.wanted(), stage.head()["live"].clone()),
        (json!("r1"), json!("r1")),
        "what is live is not touched"
    );
    assert_eq!(weights(&stage), pair(90, 10));
    assert_eq!(rules(&stage)[0]["matches"][0]["headers"][0], json!({"type": "Exact", "name": "X-Try", "value": "1"}));
    let pods = &stage.cluster.object(GRAY)["spec"]["template"]["metadata"]["labels"];
    assert_eq!((&pods["dae.dev/release"], &pods["app.kubernetes.io/component"]), (&json!("r2"), &json!("web-gray")));
    assert_eq!(stage.cluster.object(SERVICE)["spec"]["selector"]["app.kubernetes.io/component"], "web-gray");
    let states = stage.dae(&["releases", "--json"]).json();
    assert_eq!((&states["releases"][0]["state"], &states["releases"][1]["state"]), (&json!("gray"), &json!("live")));
    for words in [&["deploy", "--traffic", "5"][..], &["scale", "web=3"], &["config", "set", "A=1"]] {
        let busy = stage.dae(&[&["--json"], words].concat());
        assert_eq!((busy.code, code(&busy).as_str()), (3, "traffic.busy"), "{}", busy.raw());
    }
    let shown = stage.dae(&["traffic"]);
    assert!(
        shown.stdout.contains("r1") && shown.stdout.contains("90 %") && shown.stdout.contains("10 %"),
        "{}",
        shown.raw()
    );
    assert_eq!(stage.dae(&["traffic", "50"]).code, 0);
    assert_eq!(weights(&stage), pair(50, 50));
    // Taken back.
    assert_eq!(stage.dae(&["traffic", "0"]).code, 0);
    assert_eq!((weights(&stage), gone(&stage)), (vec![("hello".into(), 1)], true));
    let none = stage.dae(&["--json", "traffic", "50"]);
    assert_eq!((none.code, code(&none).as_str()), (3, "traffic.none"), "{}", none.raw());
    // Once more, and made live.
    stage.edit(3);
    assert_eq!(stage.dae(&["deploy", "--traffic", "20"]).code, 0);
    let live = stage.dae(&["traffic", "r3=100"]);
    assert_eq!(live.code, 0, "{}", live.raw());
    assert_eq!((stage.wanted(), stage.head()["live"].clone(), gone(&stage)), (json!("r3"), json!("r3"), true));
    assert_eq!(weights(&stage), vec![("hello".into(), 1)]);
    // One that does not work is taken away again.
    stage.cluster.inner().fates.insert("r4".into(), Fate::CrashLoop);
    stage.edit(4);
    let bad = stage.dae(&["--json", "deploy", "--traffic", "20"]);
    assert_eq!((bad.code, code(&bad).as_str(), gone(&stage)), (6, "app.ended", true), "{}", bad.raw());
    assert_eq!((stage.wanted(), stage.head()["starting"].clone()), (json!("r3"), json!(null)));
    let network = stage.dae(&["--json", "deploy", "--traffic-from", "10.0.0.0/8"]);
    assert_eq!((network.code, code(&network).as_str()), (3, "traffic.cluster"), "{}", network.raw());
    assert_eq!(stage.cluster.inner().unserved, 0);
}

#[test]
fn an_ingress_shares_nothing_out() {
    let Some(stage) = Stage::new() else { return };
    assert_eq!(stage.deploy().code, 0);
    stage.edit(2);
    let ran = stage.dae(&["--json", "deploy", "--traffic", "10"]);
    assert_eq!((ran.code, code(&ran).as_str()), (3, "traffic.cluster"), "{}", ran.raw());
    assert!(ran.stdout.contains("Ingress") && ran.stdout.contains("--gateway"), "{}", ran.raw());
    assert_eq!(stage.wanted(), "r1");
}

#[test]
fn killed_while_it_is_tried_the_live_one_serves_and_the_next_deploy_works() {
    let Some(stage) = Stage::with(&["--gateway", "infra/public"]) else { return };
    assert_eq!(stage.deploy().code, 0);
    let begin = stage.cluster.inner().changes.len();
    stage.edit(2);
    assert_eq!(stage.dae(&["deploy", "--traffic", "10"]).code, 0);
    let steps = stage.cluster.inner().changes.len() - begin;
    assert_eq!(stage.dae(&["traffic", "0"]).code, 0);
    assert!(steps >= 6, "{:?}", stage.cluster.inner().changes);
    for step in 1..=steps {
        stage.edit(100 + step);
        {
            let mut inner = stage.cluster.inner();
            inner.hang_at = Some(inner.changes.len() + step);
        }
        let client = stage.place.dae(["-C", "hello", "deploy", "--traffic", "10"]).spawn();
        stage.cluster.until_hung();
        client.signal(Signal::SIGKILL);
        drop(client);
        stage.cluster.inner().hang_at = None;
        assert_eq!(stage.wanted(), stage.head()["live"], "step {step}");
        stage.edit(200 + step);
        let next = stage.deploy();
        assert_eq!(next.code, 0, "after a kill at step {step}: {}", next.raw());
        let live = next.json()["release"].clone();
        assert_eq!(
            (stage.wanted(), stage.head()["live"].clone(), gone(&stage)),
            (live.clone(), live, true),
            "step {step}"
        );
        assert_eq!(weights(&stage), vec![("hello".into(), 1)], "step {step}");
    }
    assert_eq!(stage.cluster.inner().unserved, 0);
    println!("killed at {steps} steps");
}
