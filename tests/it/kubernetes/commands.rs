//! Commands that run once on a cluster: before a release serves, and whenever somebody asks.

use axum::http::Method;
use nix::sys::signal::Signal;
use serde_json::{Value, json};

use super::cluster::{Fault, HANGS};
use super::releases::{RELEASED, Stage, WEB, code};

const JOB: &str = "/apis/batch/v1/namespaces/shop/jobs/";

#[test]
fn a_release_command_runs_before_anything_is_applied() {
    let Some(stage) = Stage::new() else { return };
    stage.place.write("hello/app.yaml", RELEASED).write("hello/migrate.py", "");
    stage.cluster.inner().jobs.insert("migrate.py", ("first\nsecond\n", 0));
    let first = stage.dae(&["deploy"]);
    assert_eq!(first.code, 0, "{}", first.raw());
    for said in ["first", "second", "Release migrate.py --all in"] {
        assert!(first.stderr.contains(said), "{}", first.raw());
    }
    let position = |what: &str| {
        let inner = stage.cluster.inner();
        inner.changes.iter().position(|change| change.contains(what)).unwrap_or_else(|| panic!("{:?}", inner.changes))
    };
    assert!(position("jobs/hello-release-r1") < position("services/hello"));
    let job = stage.cluster.object(&format!("{JOB}hello-release-r1"));
    let pod = &job["spec"]["template"]["spec"];
    assert_eq!(pod["containers"][0]["args"], json!(["run", "migrate.py", "--all"]));
    assert_eq!(
        pod["containers"][0]["image"],
        stage.cluster.object(WEB)["spec"]["template"]["spec"]["containers"][0]["image"]
    );

    // It fails: nothing else was applied.
    let lines: &'static str =
        Box::leak(((1..=150).map(|n| format!("line {n}")).collect::<Vec<_>>().join("\n") + "\n").into_boxed_str());
    stage.cluster.inner().jobs.insert("migrate.py", (lines, 1));
    stage.edit(2);
    let begin = stage.cluster.inner().changes.len();
    let failed = stage.deploy();
    assert_eq!((failed.code, code(&failed).as_str()), (5, "release.command"), "{}", failed.raw());
    let detail = failed.json()["error"]["detail"].as_str().unwrap().to_owned();
    assert_eq!(
        (detail.lines().count(), detail.lines().next(), detail.lines().last()),
        (100, Some("line 51"), Some("line 150"))
    );
    let changes = stage.cluster.inner().changes[begin..].to_vec();
    let others: Vec<&String> =
        changes.iter().filter(|change| !change.contains("/configmaps") && !change.contains("/jobs")).collect();
    assert!(others.is_empty(), "{others:?}");
    assert_eq!(
        (stage.wanted(), stage.head()["starting"].clone(), stage.head()["live"].clone()),
        (json!("r1"), json!(null), json!("r1"))
    );
    assert_eq!(stage.dae(&["releases", "--json"]).json()["releases"][0]["state"], "failed");

    // A connection that breaks off while it is listened to: no line twice, none missing.
    stage.cluster.inner().jobs.insert("migrate.py", ("a\nb\nc\n", 0));
    stage.cluster.fail(Method::GET, "follow=true", 2, Fault::Cut);
    stage.edit(3);
    let ran = stage.deploy();
    let events = ran.stdout.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let said: Vec<String> = events
        .filter(|event| event["event"] == "output")
        .map(|event| event["line"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!((ran.code, said.join(" ").as_str()), (0, "a b c"), "{}", ran.raw());
    // A rollback and other settings bring no new code.
    let jobs = || stage.cluster.inner().objects.keys().filter(|path| path.starts_with(JOB)).count();
    let before = jobs();
    assert_eq!(stage.dae(&["rollback"]).code, 0);
    assert_eq!(stage.dae(&["scale", "web=3"]).code, 0);
    assert_eq!(stage.dae(&["config", "set", "A=1"]).code, 0);
    assert_eq!(jobs(), before);

    // Somebody without the right to it.
    stage.edit(4);
    stage.cluster.fail(
        Method::PATCH,
        "jobs/",
        1,
        Fault::Refuse(403, "jobs.batch is forbidden: User \"x\" cannot patch"),
    );
    let refused = stage.deploy();
    assert_eq!((refused.code, code(&refused).as_str()), (3, "kubernetes.rights"), "{}", refused.raw());
    // Somebody else deploys while it runs.
    stage.cluster.inner().jobs.insert("migrate.py", ("a\n", HANGS));
    stage.edit(5);
    let mut slow = stage.place.dae(["-C", "hello", "deploy", "--json"]).spawn();
    slow.event("output");
    stage.cluster.inner().jobs.insert("migrate.py", ("a\n", 0));
    stage.edit(6);
    let next = stage.deploy();
    assert_eq!(next.code, 0, "{}", next.raw());
    stage.cluster.stir();
    let slow = slow.wait();
    assert_eq!((slow.code, code(&slow).as_str()), (7, "release.superseded"), "{}", slow.raw());
}

#[test]
fn a_command_runs_beside_the_live_release() {
    let Some(stage) = Stage::new() else { return };
    let run = |words: &[&str]| stage.dae(&[&["run", "--remote", "prod"], words].concat());
    let early = run(&["--", "true"]);
    assert!(early.code == 1 && early.stderr.contains("nothing of `hello` is live"), "{}", early.raw());
    assert_eq!(stage.deploy().code, 0);
    stage.cluster.inner().jobs.insert("seven", ("one\n\nthree\n", 7));
    let ran = run(&["--", "python", "-c", "seven"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (7, "one\n\nthree\n"), "{}", ran.raw());
    let job = stage.cluster.object(&format!("{JOB}hello-run1"));
    assert_eq!(job["spec"]["template"]["spec"]["containers"][0]["args"], json!(["run", "python", "-c", "seven"]));
    assert_eq!(job["spec"]["backoffLimit"], 0);
    let detached = run(&["--detach", "--", "python", "-c", "seven"]);
    assert_eq!((detached.code, detached.stdout.as_str()), (0, "run2\n"), "{}", detached.raw());
    let attached = run(&["--attach", "run2"]);
    assert_eq!((attached.code, attached.stdout.as_str()), (7, "one\n\nthree\n"), "{}", attached.raw());
    for (words, what) in
        [(&["--attach", "run9"][..], "run.unknown"), (&["--release", "r9", "--", "true"], "release.unknown")]
    {
        let ran = stage.dae(&[&["--json", "run", "--remote", "prod"], words].concat());
        assert_eq!(code(&ran), what, "{}", ran.raw());
    }
    // Two at once.
    stage.cluster.fail(Method::POST, "jobs", 1, Fault::Refuse(409, "jobs.batch \"hello-run3\" already exists"));
    assert_eq!(run(&["--", "true"]).code, 0);
    // Ctrl-C takes the pod away.
    stage.cluster.inner().jobs.insert("forever", ("on and on\n", HANGS));
    let mut forever = stage.place.dae(["-C", "hello", "run", "--remote", "prod", "--", "forever"]).spawn();
    forever.until("on and on");
    forever.signal(Signal::SIGINT);
    let ran = forever.wait();
    assert_eq!(ran.code, 130, "{}", ran.raw());
    assert!(stage.cluster.object(&format!("{JOB}hello-run4")).is_null());
}
