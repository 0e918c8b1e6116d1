//! From an app to the objects it is on a cluster: a pure function, so that a golden file can hold its whole answer.
//!
//! | in app.yaml | on the cluster |
//! |---|---|
//! | a handler that a process answers | Deployment and PodDisruptionBudget `APP-web`, Service `APP`, HTTPRoute or Ingress `APP` |
//! | `daemons` | Deployment `APP-daemon-NAME`, replaced and not rolled: two are never there at once |
//! | `queues` | Deployment `APP-queue-NAME` |
//! | `cron` | CronJob `APP-cron-NAME` |
//! | `services` | Deployment and headless Service `APP-service-NAME`, by whose records in the cluster's DNS clients find the pods |
//! | `protected_files` | Secret `APP-files-RELEASE`, laid over the files of the image |
//! | services for trials | Deployment, Service and, with a storage class, PersistentVolumeClaim `APP-services` |
//! | permanent files | PersistentVolumeClaim `APP-permdir`, where the remote names a storage class |
//! | what the remote's owner sets | Secret `APP-config`, read where it is there and never written by a release |
//! | what `dae config` sets | Secret `APP-env-RELEASE`, which counts for more |
//! | a release command, `dae run` | Job `APP-release-RELEASE`, `APP-runN` |
//! | a gray release | Deployment and Service `APP-web-gray`, and weights in the HTTPRoute |

use std::collections::{BTreeMap, HashSet};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::route::route;
use super::{trial, workload};
use crate::app::{AppName, Manifest, Overlap, Runs};
use crate::problem::{Problem, Result};
use crate::remote::cluster::Cluster;
use crate::remote::reference::Reference;

/// On every object: which release it is of.
pub const RELEASE: &str = "dae.dev/release";
/// The name under which the fields that we set are ours.
pub const MANAGER: &str = "dae";
/// Where the web processes answer.
pub const PORT: u16 = 8000;
/// Where a Thrift service answers; `PORT` in python/dae/thrift/_rt.py.
pub const THRIFT_PORT: u16 = 7303;
/// A web app has at least so many pods, so that one may go.
pub const REPLICAS: u16 = 2;

/// The component of the web processes, and of those of a release that is only tried.
pub const WEB: &str = "web";
pub const GRAY: &str = "web-gray";
/// What an object is for, where a release is not what it is a part of.
pub const KIND: &str = "dae.dev/kind";

/// All that decides an app's objects.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    pub app: &'a AppName,
    pub cluster: &'a Cluster,
    /// By its digest.
    pub image: &'a Reference,
    pub source: &'a Source,
}

/// What an app's objects are made of. It is kept with a release, so that a change of one part can make all of them again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Source {
    pub manifest: Manifest,
    /// The release whose name the pods carry: `r42`. Only what changes them changes it.
    pub release: String,
    /// Paths of the protected files, in the order of the Secret's keys `f0`, `f1`, ...
    #[serde(default)]
    pub protected: Vec<String>,
    /// The release whose Secret holds them.
    pub files_of: String,
    /// The release whose Secret holds what `dae config` set.
    #[serde(default)]
    pub env_of: Option<String>,
    /// How many pods, where somebody said: by the process's name, as `web`.
    #[serde(default)]
    pub scale: BTreeMap<String, u16>,
    /// The image with services for trials, where some are wanted.
    #[serde(default)]
    pub trial: Option<Reference>,
}

/// Objects as one text, for `kubectl apply -f -` or a repository of objects.
pub fn yaml(objects: &[Value]) -> String {
    // A reference of an image is looked for in such files, and must stand on its line.
    let one = |object: &Value| {
        let options = serde_yaml::ser_options! { prefer_block_scalars: false };
        serde_yaml::to_string_with_options(object, options).unwrap_or_default()
    };
    objects.iter().map(one).collect::<Vec<_>>().join("---\n")
}

/// What an app's objects have in common.
pub fn labels(app: &AppName) -> Value {
    json!({"app.kubernetes.io/name": app.host(), "app.kubernetes.io/managed-by": MANAGER})
}

/// What finds them again.
pub fn selector(app: &AppName) -> String {
    format!("app.kubernetes.io/name={},app.kubernetes.io/managed-by={MANAGER}", app.host())
}

/// The objects in the order in which they are applied: what others stand on comes first.
pub fn manifests(wanted: &Wanted) -> Result<Vec<Value>> {
    let mut objects = Vec::new();
    objects.extend(permdir(wanted));
    objects.extend(trial::objects(wanted));
    if wanted.source.manifest.needs_worker() || !wanted.source.manifest.handlers.is_empty() {
        objects.push(service(wanted, &wanted.app.host(), WEB, 80, PORT));
        objects.extend(route(wanted));
        objects.push(workload::web(wanted, WEB));
        objects.push(disruption(wanted));
    }
    for service_ in &wanted.source.manifest.services {
        let component = component("service", &service_.interface.service);
        objects.push(instances(wanted, &component));
        let interface = format!("{}.{}", service_.interface.idl, service_.interface.service);
        objects.push(workload::thrift(wanted, &component, &interface));
    }
    for daemon in &wanted.source.manifest.daemons {
        objects.push(workload::daemon(wanted, daemon));
    }
    for queue in &wanted.source.manifest.queues {
        objects.push(workload::queue(wanted, queue));
    }
    for job in &wanted.source.manifest.cron {
        let parts = job.schedule.crontab();
        for (number, schedule) in parts.iter().enumerate() {
            let end = if number == 0 { String::new() } else { format!("-{}", number + 1) };
            let component = format!("{}{end}", component("cron", &job.name));
            let args = match &job.runs {
                Runs::Script(script) => [vec!["run".to_owned()], script.words().to_vec()].concat(),
                Runs::Url(url) => vec!["ask".into(), format!("http://{}{url}", wanted.app.host()), job.name.clone()],
            };
            // A run that is due while the last one goes on is started late, or never, by how late it may be.
            let (policy, late) = match job.overlap {
                Overlap::Skip => ("Forbid", 60),
                Overlap::Wait => ("Forbid", 24 * 3600),
                Overlap::Allow => ("Allow", 60),
            };
            objects.push(object(
                wanted,
                "batch/v1",
                "CronJob",
                &component,
                json!({
                    "schedule": schedule,
                    "timeZone": job.timezone,
                    "concurrencyPolicy": policy,
                    "startingDeadlineSeconds": late,
                    "successfulJobsHistoryLimit": 3,
                    "failedJobsHistoryLimit": 3,
                    "jobTemplate": {"spec": workload::job(wanted, &component, args)},
                }),
            ));
        }
    }
    unique(&objects)?;
    Ok(objects)
}

/// The Secret of the protected files; apart from the rest, because nobody may see it.
pub fn protected(wanted: &Wanted, contents: &[Vec<u8>]) -> Result<Option<Value>> {
    if contents.is_empty() {
        return Ok(None);
    }
    let bytes: usize = contents.iter().map(Vec::len).sum();
    if bytes > 1_000_000 {
        return Err(Problem::new("kubernetes.protected", format!("the protected files have {bytes} bytes together"))
            .because("a Secret holds one megabyte at most")
            .hint("keep large files out of `protected_files`")
            .exit(3));
    }
    let data: BTreeMap<String, String> =
        contents.iter().enumerate().map(|(number, bytes)| (format!("f{number}"), encoded(bytes))).collect();
    let mut secret = head(wanted, "v1", "Secret", &files_name(wanted.source));
    secret["type"] = json!("Opaque");
    secret["data"] = json!(data);
    Ok(Some(secret))
}

fn encoded(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

/// The component of the Secret with the protected files.
pub(super) fn files_name(source: &Source) -> String {
    format!("files-{}", source.files_of)
}

/// The same of the Secret with what `dae config` set.
pub(super) fn env_name(of: &str) -> String {
    format!("env-{of}")
}

/// The Secret with what `dae config` set, as `of` has it.
pub fn environment(app: &AppName, namespace: &str, of: &str, env: &BTreeMap<String, String>) -> Value {
    let mut labels = labels(app);
    labels[KIND] = json!("env");
    let name = format!("{}-{}", app.host(), env_name(of));
    json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": namespace, "labels": labels},
        "type": "Opaque",
        "data": env.iter().map(|(name, value)| (name, encoded(value.as_bytes()))).collect::<BTreeMap<_, _>>(),
    })
}

/// What a gray release is beside the live one. Its configuration, its volumes and its route are the same.
pub fn gray(wanted: &Wanted) -> Vec<Value> {
    let name = format!("{}-{GRAY}", wanted.app.host());
    vec![service(wanted, &name, GRAY, 80, PORT), workload::web(wanted, GRAY)]
}

/// A command that runs once beside what serves: `name` is the Job's, `kind` says what it is for.
pub fn once(wanted: &Wanted, name: &str, kind: &str, words: &[String]) -> Value {
    let args = [vec!["run".to_owned()], words.to_vec()].concat();
    let mut job = object(wanted, "batch/v1", "Job", name, workload::job(wanted, kind, args));
    job["metadata"]["labels"][KIND] = json!(kind);
    job
}

/// `daemon-feed`: a name that Kubernetes takes, for one that app.yaml took.
pub fn component(kind: &str, name: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
    format!("{kind}-{}", name.chars().map(plain).collect::<String>().trim_matches('-'))
}

/// An object without its content. Its name is `APP-component`, or `APP` alone.
pub(super) fn head(wanted: &Wanted, version: &str, kind: &str, component: &str) -> Value {
    let mut labels = labels(wanted.app);
    labels[RELEASE] = json!(wanted.source.release);
    let host = wanted.app.host();
    let name = if component.is_empty() { host } else { format!("{host}-{component}") };
    json!({
        "apiVersion": version,
        "kind": kind,
        "metadata": {"name": name, "namespace": wanted.cluster.namespace, "labels": labels},
    })
}

pub(super) fn object(wanted: &Wanted, version: &str, kind: &str, component: &str, spec: Value) -> Value {
    let mut object = head(wanted, version, kind, component);
    object["spec"] = spec;
    object
}

pub(super) fn permdir(wanted: &Wanted) -> Option<Value> {
    let class = wanted.cluster.storage_class.as_ref()?;
    Some(object(
        wanted,
        "v1",
        "PersistentVolumeClaim",
        "permdir",
        json!({
            "accessModes": ["ReadWriteMany"],
            "storageClassName": class,
            "resources": {"requests": {"storage": "10Gi"}},
        }),
    ))
}

fn service(wanted: &Wanted, name: &str, component: &str, port: u16, target: u16) -> Value {
    let mut service = object(
        wanted,
        "v1",
        "Service",
        "",
        json!({
            "selector": workload::selector(wanted, component),
            "ports": [{"name": if component.starts_with(WEB) { "http" } else { "thrift" }, "port": port, "targetPort": target, "protocol": "TCP"}],
        }),
    );
    service["metadata"]["name"] = json!(name);
    service
}

/// Headless, so that the cluster's DNS answers with the pods themselves. The name of the object and that of its port are what
/// clients ask for: `host` and `_srv` in python/dae/thrift/_rt.py.
fn instances(wanted: &Wanted, component: &str) -> Value {
    let name = format!("{}-{component}", wanted.app.host());
    let mut service = service(wanted, &name, component, THRIFT_PORT, THRIFT_PORT);
    service["spec"]["clusterIP"] = json!("None");
    service
}

/// What finds a component at several ports.
pub(super) fn service_of(wanted: &Wanted, component: &str, ports: &[(&str, u16)]) -> Value {
    let ports =
        ports.iter().map(|(name, port)| json!({"name": name, "port": port, "targetPort": port, "protocol": "TCP"}));
    let spec = json!({"selector": workload::selector(wanted, component), "ports": ports.collect::<Value>()});
    object(wanted, "v1", "Service", component, spec)
}

/// A node that is emptied takes one pod after the other.
fn disruption(wanted: &Wanted) -> Value {
    let spec = json!({
        "maxUnavailable": 1,
        "selector": {"matchLabels": workload::selector(wanted, WEB)},
    });
    object(wanted, "policy/v1", "PodDisruptionBudget", WEB, spec)
}

/// Two names of app.yaml may be one name on the cluster.
fn unique(objects: &[Value]) -> Result<()> {
    let mut seen = HashSet::new();
    for object in objects {
        let name = object["metadata"]["name"].as_str().unwrap_or_default();
        if !seen.insert((object["kind"].as_str(), name)) {
            return Err(Problem::new(
                "kubernetes.same-name",
                format!("two parts of app.yaml would both be called `{name}`"),
            )
            .because("on a cluster capitals, `_` and `.` make no difference in a name")
            .hint("give one of them another `name` in app.yaml")
            .exit(3));
        }
    }
    Ok(())
}
