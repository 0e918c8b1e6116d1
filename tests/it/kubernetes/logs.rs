//! What the pods of a cluster print, followed through a rollout.

use std::collections::BTreeSet;

use axum::http::Method;
use nix::sys::signal::Signal;
use serde_json::Value;

use super::cluster::Fault;
use super::releases::Stage;
use crate::harness::Running;

/// Reads on until each of these was printed by its pod, and returns all that was, in order.
fn heard(logs: &mut Running, wanted: &[&str]) -> Vec<String> {
    let mut left: BTreeSet<&str> = wanted.iter().copied().collect();
    let mut all = Vec::new();
    while !left.is_empty() {
        let Value::Object(event) = logs.event("line") else { panic!("no object") };
        let line = event["line"].as_str().unwrap().to_owned();
        assert!(line.ends_with(event["pod"].as_str().unwrap()), "{event:?}");
        left.remove(line.as_str());
        all.push(line);
    }
    all
}

#[test]
fn logs_are_followed_through_a_rollout() {
    let Some(stage) = Stage::new() else { return };
    assert_eq!(stage.deploy().code, 0);
    // Cut off in the middle, they are taken up again: no line twice.
    stage.cluster.fail(Method::GET, "follow=true", 2, Fault::Cut);
    let follow = |more: &[&str]| {
        let words = ["-C", "hello", "--json", "logs", "-f", "--remote", "prod"];
        stage.place.dae(words.iter().chain(more)).spawn()
    };
    let (mut all, mut feed) = (follow(&[]), follow(&["--process", "feed"]));
    let mut said =
        heard(&mut all, &["begin of hello-web-r1-0", "begin of hello-web-r1-1", "begin of hello-daemon-feed-r1-0"]);
    stage.edit(2);
    assert_eq!(stage.deploy().code, 0);
    let new = ["end of hello-web-r1-0", "end of hello-web-r1-1", "begin of hello-web-r2-0", "begin of hello-web-r2-1"];
    said.extend(heard(&mut all, &new));
    let once: BTreeSet<&String> = said.iter().collect();
    assert_eq!(once.len(), said.len(), "{said:?}");
    let of_feed = heard(&mut feed, &["end of hello-daemon-feed-r1-0", "begin of hello-daemon-feed-r2-0"]);
    assert!(of_feed.iter().all(|line| line.contains("daemon-feed")), "{of_feed:?}");
    for logs in [all, feed] {
        logs.signal(Signal::SIGINT);
        let ran = logs.wait();
        assert_eq!(ran.code, 0, "{}", ran.raw());
    }
    // In plain words each line says whose it is.
    let mut plain = stage.place.dae(["-C", "hello", "logs", "-f", "--remote", "prod"]).spawn();
    plain.until("hello-web-r2-1  begin of hello-web-r2-1");
    // Whoever may not read them is told so.
    drop(plain);
    let refusal = Fault::Refuse(403, "pods is forbidden: User \"x\" cannot list");
    stage.cluster.fail(Method::GET, "/pods?", 1, refusal);
    let ran = stage.dae(&["logs", "-f", "--remote", "prod"]);
    assert!(ran.code == 3 && ran.stderr.contains("dae remote check prod"), "{}", ran.raw());
}

#[test]
fn a_plan_is_told_by_its_exit_code_too() {
    let Some(stage) = Stage::new() else { return };
    let plan = || stage.dae(&["plan", "--remote", "prod", "--exit-code"]);
    let first = plan();
    assert!(first.code == 1 && first.stdout.contains("the first release on prod"), "{}", first.raw());
    assert!(first.stdout.contains("+ Deployment hello-web"), "{}", first.raw());
    assert_eq!(stage.deploy().code, 0);
    let same = plan();
    assert!(same.code == 0 && same.stdout.contains("nothing to do: r1 on prod"), "{}", same.raw());
    stage.edit(2);
    let other = plan();
    assert!(other.code == 1 && other.stdout.contains("in the place of r1"), "{}", other.raw());
    assert!(other.stdout.contains("~ Deployment hello-web") && other.stdout.contains("image:"), "{}", other.raw());
    assert_eq!(stage.wanted(), "r1", "a plan changes nothing");
    stage.place.write("hello/app.yaml", "application: 1x\n");
    assert_eq!(plan().code, 255);
}
