//! What a cluster is and has, as far as this user may know.

use serde::Serialize;

use super::api::Api;
use crate::problem::Result;
use crate::remote::cluster::Gateway;
use crate::remote::finding::Finding;

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Found {
    /// `v1.33.1`.
    pub version: String,
    /// The only Gateway there is.
    pub gateway: Option<Gateway>,
}

/// Asks who the cluster is; what it does not let this user see counts as not there.
pub async fn look(api: &Api) -> Result<Found> {
    let version = api.get("/version").await.map_err(|failure| api.problem("ask the cluster what it is", failure))?;
    let version = version["gitVersion"].as_str().unwrap_or("of unknown version").to_owned();
    let gateways = api.get("/apis/gateway.networking.k8s.io/v1/gateways").await.unwrap_or_default();
    let gateway = match gateways["items"].as_array().map(Vec::as_slice) {
        Some([gateway]) => {
            let word = |name: &str| gateway["metadata"][name].as_str().unwrap_or_default().to_owned();
            Some(Gateway { namespace: word("namespace"), name: word("name") })
        }
        _ => None,
    };
    Ok(Found { version, gateway })
}

/// The rights that a deploy needs: group, resource, verbs. docs/kubernetes.md has them as a Role, compared by a test.
pub const RIGHTS: &[(&str, &str, &[&str])] = &[
    ("", "configmaps", &["get", "list", "create", "update", "patch", "delete"]),
    ("", "secrets", &["get", "create", "patch", "delete"]),
    ("", "services", &["get", "patch", "create", "delete"]),
    ("", "persistentvolumeclaims", &["get", "patch", "create"]),
    ("", "pods", &["get", "list", "watch"]),
    ("", "pods/log", &["get"]),
    ("", "events", &["list"]),
    ("apps", "deployments", &["get", "list", "patch", "create", "delete"]),
    ("batch", "cronjobs", &["get", "patch", "create", "delete"]),
    ("batch", "jobs", &["get", "list", "patch", "create", "delete"]),
    ("policy", "poddisruptionbudgets", &["get", "patch", "create", "delete"]),
    ("networking.k8s.io", "ingresses", &["get", "patch", "create", "delete"]),
    ("gateway.networking.k8s.io", "httproutes", &["get", "patch", "create", "delete"]),
];

/// What is there, and what is missing.
pub async fn check(api: &Api) -> Result<Vec<Finding>> {
    let found = look(api).await?;
    let minor = found.version.trim_start_matches('v').split('.').nth(1).and_then(|minor| minor.parse::<u32>().ok());
    let mut findings = vec![Finding {
        what: format!("Kubernetes {}", found.version),
        good: minor.is_none_or(|minor| minor >= 33),
        optional: false,
        note: if minor.is_none_or(|minor| minor >= 33) { String::new() } else { "1.33 or later is wanted".into() },
    }];
    let namespace = api.find(&format!("/api/v1/namespaces/{}", api.namespace())).await;
    let phase = match &namespace {
        Ok(Some(found)) => found["status"]["phase"].as_str().unwrap_or("Active").to_owned(),
        Ok(None) => "not there".to_owned(),
        // A user with rights in the namespace alone may not see it.
        Err(_) => "Active".to_owned(),
    };
    findings.push(Finding {
        what: format!("namespace {}", api.namespace()),
        good: phase == "Active",
        optional: false,
        note: if phase == "Active" { String::new() } else { phase },
    });
    let groups = api.get("/apis").await.map_err(|failure| api.problem("list the API groups", failure))?;
    let has = |group: &str| groups["groups"].as_array().into_iter().flatten().any(|found| found["name"] == group);
    for (group, what) in [
        ("apps", "Deployments"),
        ("batch", "CronJobs"),
        ("policy", "PodDisruptionBudgets"),
        ("networking.k8s.io", "Ingresses"),
        ("gateway.networking.k8s.io", "HTTPRoutes (the Gateway API)"),
    ] {
        let optional = group == "gateway.networking.k8s.io" && api.cluster.gateway.is_none();
        let note = if has(group) { String::new() } else { format!("the API group {group} is not there") };
        findings.push(Finding { what: what.to_owned(), good: has(group), optional, note });
    }
    for (group, resource, verbs) in RIGHTS {
        let unused = match *resource {
            "ingresses" => api.cluster.gateway.is_some(),
            "httproutes" => api.cluster.gateway.is_none(),
            "persistentvolumeclaims" => api.cluster.storage_class.is_none(),
            _ => false,
        };
        if unused {
            continue;
        }
        let mut denied = Vec::new();
        for verb in *verbs {
            if !may(api, group, resource, verb).await? {
                denied.push(*verb);
            }
        }
        let note = if denied.is_empty() { String::new() } else { format!("may not {}", denied.join(", ")) };
        findings.push(Finding {
            what: format!("rights to {resource}"),
            good: denied.is_empty(),
            // Whether an autoscaler brings a node is learned from them, and waited for in any case.
            optional: *resource == "events",
            note,
        });
    }
    if let Some(class) = &api.cluster.storage_class {
        let found = api.find(&format!("/apis/storage.k8s.io/v1/storageclasses/{class}")).await;
        let note = match &found {
            Ok(Some(_)) => String::new(),
            Ok(None) => "not there".to_owned(),
            Err(_) => "cannot be seen with these rights".to_owned(),
        };
        findings.push(Finding {
            what: format!("storage class {class}"),
            good: !matches!(found, Ok(None)),
            optional: false,
            note,
        });
    }
    Ok(findings)
}

async fn may(api: &Api, group: &str, resource: &str, verb: &str) -> Result<bool> {
    let (resource, sub) = resource.split_once('/').unwrap_or((resource, ""));
    let review = serde_json::json!({
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": {
            "namespace": api.namespace(), "group": group, "resource": resource, "subresource": sub, "verb": verb,
        }},
    });
    let answer = api.create("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", &review).await;
    let answer = answer.map_err(|failure| api.problem("ask what this user may do", failure))?;
    Ok(answer["status"]["allowed"] == true)
}
