//! Who one is at a cluster, where a program says it, and where what it says does not do.

use std::os::unix::fs::PermissionsExt as _;

use axum::http::Method;
use serde_json::{Value, json};

use super::cluster::Fault;
use super::releases::{Stage, code};
use crate::harness::Ran;

impl Stage {
    /// A kubeconfig whose user is this.
    fn user(&self, user: &Value) {
        self.cluster.kubeconfig(&self.place, "good");
        let path = self.place.home(".kube/config");
        let mut config: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        config["users"][0]["user"] = user.clone();
        std::fs::write(path, config.to_string()).unwrap();
    }

    /// One whose token is what this shell script prints, as the programs of cloud providers do.
    fn program(&self, script: &str) {
        let path = self.place.path("bin/who-am-i");
        self.place.write("bin/who-am-i", format!("#!/bin/sh\n{script}\n"));
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        self.user(&by_program(path.to_str().unwrap()));
    }
}

fn by_program(command: &str) -> Value {
    json!({"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": command, "interactiveMode": "Never"}})
}

fn says(token: &str) -> String {
    let credential = json!({
        "apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": {"token": token},
    });
    format!("echo '{credential}'")
}

/// What it ended with, and that it said what to type.
fn told(ran: &Ran, exit: i32, wanted: &str, typed: &str) {
    assert_eq!((ran.code, code(ran).as_str()), (exit, wanted), "{}", ran.raw());
    let hints = ran.json()["error"]["hints"].to_string();
    assert!(hints.contains(typed), "{typed}: {hints}");
}

#[test]
fn a_program_says_who_one_is() {
    let Some(stage) = Stage::new() else { return };
    stage.program(&says("good"));
    let ran = stage.deploy();
    assert_eq!(ran.code, 0, "{}", ran.raw());
    stage.edit(2);
    stage.program(&says("expired"));
    told(&stage.deploy(), 3, "kubernetes.expired", "kubectl --context prod auth whoami");
    stage.program("echo 'log in first' >&2; exit 1");
    told(&stage.deploy(), 3, "kubernetes.credentials", "kubectl --context prod auth whoami");
    stage.user(&by_program("gke-gcloud-auth-plugin-that-is-nowhere"));
    let ran = stage.deploy();
    told(&ran, 3, "kubernetes.credentials", "kubectl --context prod auth whoami");
    assert!(ran.stdout.contains("gke-gcloud-auth-plugin-that-is-nowhere"), "{}", ran.raw());
    stage.user(&json!({"client-certificate": "/nowhere/cert.pem", "client-key": "/nowhere/key.pem"}));
    let ran = stage.deploy();
    told(&ran, 3, "kubernetes.credentials", "kubectl --context prod auth whoami");
    assert!(ran.stdout.contains("/nowhere/"), "{}", ran.raw());
    assert_eq!(stage.wanted(), "r1");
}

/// Each of what a cluster refuses at some step of a release: what was live goes on, and what to type is named.
#[test]
fn a_release_that_is_refused_halfway_says_what_to_type() {
    let Some(stage) = Stage::new() else { return };
    assert_eq!(stage.deploy().code, 0);
    let terminating = "unable to create new content in namespace shop because it is being terminated";
    let immutable = "Deployment.apps \"hello-web\" is invalid: spec.selector: Invalid value: field is immutable";
    for (number, (method, path, code, message, wanted, typed)) in [
        (Method::PATCH, "deployments/hello-web", 401, "Unauthorized", "kubernetes.expired", "auth whoami"),
        (Method::PATCH, "services/hello", 403, terminating, "kubernetes.terminating", "get namespace shop"),
        (Method::PUT, "configmaps/hello-dae", 403, terminating, "kubernetes.terminating", "get namespace shop"),
        (Method::PATCH, "deployments/hello-web", 422, immutable, "kubernetes.immutable", "-n shop delete"),
        (Method::PATCH, "ingresses/hello", 403, "exceeded quota: few", "kubernetes.quota", "describe resourcequota"),
        (Method::GET, "/pods?", 403, "pods is forbidden", "kubernetes.rights", "dae remote check prod"),
        (Method::GET, "/configmaps/hello-dae", 401, "Unauthorized", "kubernetes.expired", "auth whoami"),
    ]
    .into_iter()
    .enumerate()
    {
        stage.edit(number + 10);
        stage.cluster.fail(method.clone(), path, 1, Fault::Refuse(code, message));
        told(&stage.deploy(), 3, wanted, typed);
        assert_eq!((stage.wanted(), stage.cluster.inner().unserved), (json!("r1"), 0), "{method} {path} {code}");
        assert_eq!(stage.head()["live"], "r1");
    }
    stage.edit(99);
    let ran = stage.deploy();
    assert_eq!(ran.code, 0, "{}", ran.raw());
}
