//! What is known of a remote that is a Kubernetes cluster: where it is, and what an app finds there.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::reference::Reference;
use crate::app::AppName;
use crate::problem::{Problem, Result};

/// The settings of one cluster remote, as `dae remote add` keeps them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cluster {
    /// The kubeconfig's context; none: the pod's own service account, or the context that is current.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context: Option<String>,
    /// Where not `KUBECONFIG` or `~/.kube/config`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kubeconfig: Option<PathBuf>,
    pub namespace: String,
    /// The repository that images are pushed to, and pulled from by the nodes.
    pub registry: Reference,
    /// The image with Python below the app's layers; `{python}` stands for the version, as `3.11`.
    pub base: String,
    /// Bases that were resolved: from the name with its tag to the name with its digest.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub bases: BTreeMap<String, Reference>,
    /// Apps answer at `NAME.domain`; none: inside the cluster only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub domain: Option<String>,
    /// Requests from outside come by this Gateway; none: by an Ingress.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gateway: Option<Gateway>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ingress_class: Option<String>,
    /// Of the volume for permanent files; it must be one that several nodes can write to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storage_class: Option<String>,
    /// A Secret by which the nodes pull images.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pull_secret: Option<String>,
    /// Addresses of services: variables of the environment contract.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub services: BTreeMap<String, String>,
    /// Services that have no address run beside the app, for trials.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub trial: bool,
}

/// `namespace/name`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gateway {
    pub namespace: String,
    pub name: String,
}

/// Debian with Python, by the name everybody has.
pub const BASE: &str = "docker.io/library/python:{python}-slim";

impl Cluster {
    /// One line that says where it is.
    pub fn told(&self) -> String {
        format!("kubernetes:{}/{}", self.context.as_deref().unwrap_or("-"), self.namespace)
    }

    /// Where an app answers.
    pub fn url(&self, app: &AppName) -> String {
        match &self.domain {
            Some(domain) => format!("http://{}.{domain}", app.host()),
            None => format!("http://{}.{}.svc", app.host(), self.namespace),
        }
    }

    /// The base of an app that runs on Python `version`: the one known by its digest, else the name.
    pub fn base_for(&self, version: &str) -> Result<Reference> {
        let name = Reference::parse(&self.base.replace("{python}", version))?;
        Ok(self.bases.get(&name.to_string()).cloned().unwrap_or(name))
    }
}

impl Gateway {
    pub fn parse(text: &str, own_namespace: &str) -> Result<Self> {
        let (namespace, name) = text.split_once('/').unwrap_or((own_namespace, text));
        let gateway = Self { namespace: label(namespace, "namespace")?, name: label(name, "Gateway")? };
        Ok(gateway)
    }
}

/// A name as Kubernetes has them for namespaces and the like (RFC 1123).
pub fn label(text: &str, what: &str) -> Result<String> {
    let edge = |c: Option<char>| c.is_some_and(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    let inner = text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
    if text.len() <= 63 && inner && edge(text.chars().next()) && edge(text.chars().last()) {
        return Ok(text.to_owned());
    }
    Err(Problem::new("kubernetes.name", format!("`{text}` is no name of a {what}"))
        .hint("up to 63 lowercase letters, digits and `-`, as in `shop`")
        .exit(2))
}

/// The variables of the environment contract that name one service at `address`.
pub fn service(kind: &str, address: &str) -> Result<Vec<(String, String)>> {
    let wrong = |form: &str| {
        Problem::new("kubernetes.service", format!("`{address}` is no address of `{kind}`"))
            .hint(format!("write it as `{form}`"))
            .exit(2)
    };
    if kind != "mysql" {
        let good = |one: &str| {
            one.rsplit_once(':').is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok())
        };
        if !address.split(',').all(good) {
            return Err(wrong("host:11211"));
        }
        return Ok(vec![(format!("DAE_{}", kind.to_uppercase()), address.to_owned())]);
    }
    let form = "mysql://user@host:3306/database";
    let url = reqwest::Url::parse(address).map_err(|error| wrong(form).because(error))?;
    let database = url.path().trim_matches('/');
    let (Some(host), "mysql", false) = (url.host_str(), url.scheme(), url.username().is_empty()) else {
        return Err(wrong(form));
    };
    if url.password().is_some() {
        return Err(wrong(form).because("a password does not belong into a remote's settings").hint(
            "keep it in the cluster: a Secret `APP-config` with the key `DAE_MYSQL_PASSWORD` reaches the app's processes",
        ));
    }
    if database.is_empty() || database.contains('/') {
        return Err(wrong(form));
    }
    let set = |name: &str, value: String| (format!("DAE_MYSQL_{name}"), value);
    Ok(vec![
        set("HOST", host.to_owned()),
        set("PORT", url.port().unwrap_or(3306).to_string()),
        set("USER", url.username().to_owned()),
        set("DB", database.to_owned()),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn services_become_variables() {
        let told = |kind, address| {
            service(kind, address)
                .map(|found| found.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" "))
        };
        assert_eq!(told("memcache", "a:1,b:2").unwrap(), "DAE_MEMCACHE=a:1,b:2");
        assert_eq!(
            told("mysql", "mysql://shop@db/shop").unwrap(),
            "DAE_MYSQL_HOST=db DAE_MYSQL_PORT=3306 DAE_MYSQL_USER=shop DAE_MYSQL_DB=shop"
        );
        for (kind, bad) in [
            ("queue", "host"),
            ("queue", "host:port"),
            ("mysql", "db:3306"),
            ("mysql", "mysql://db/x"),
            ("mysql", "mysql://u:secret@db/x"),
            ("mysql", "mysql://u@db"),
        ] {
            let problem = service(kind, bad).unwrap_err();
            assert!(problem.code == "kubernetes.service" && problem.exit == 2, "{bad}");
        }
    }

    #[test]
    fn names_of_the_cluster() {
        for good in ["a", "shop-1", "0"] {
            assert!(label(good, "namespace").is_ok(), "{good}");
        }
        for bad in ["", "-a", "a-", "A", "a_b", "a.b", &"a".repeat(64)] {
            assert!(label(bad, "namespace").is_err(), "{bad}");
        }
    }
}
