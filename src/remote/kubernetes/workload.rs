//! The pods of an app: how they are kept apart from the machine, told to be ready, spread, and ended.

use serde_json::{Value, json};

use super::manifests::{
    PORT, RELEASE, REPLICAS, THRIFT_PORT, WEB, Wanted, component, env_name, files_name, labels, object,
};
use super::trial;
use crate::app::{Daemon, Queue};
use crate::remote::settings::queue_name;

/// Nobody's user.
const USER: u32 = 10001;
/// Seconds in which requests still come to a pod that is to end.
const DRAIN: u32 = 5;
/// What gunicorn gives requests to end, and a little.
const GRACE: u32 = 35;
const MEBI: u64 = 1 << 20;

pub(super) fn selector(wanted: &Wanted, component: &str) -> Value {
    let mut labels = labels(wanted.app);
    labels["app.kubernetes.io/component"] = json!(component);
    labels
}

/// What differs from one kind of process to another.
struct Process<'a> {
    component: &'a str,
    args: Vec<String>,
    memory: Memory,
    cpu_milli: u32,
}

#[derive(Clone, Copy)]
struct Memory {
    request: u64,
    limit: u64,
}

impl Memory {
    fn of(limit: Option<u64>) -> Self {
        let limit = limit.unwrap_or(512 * MEBI);
        Self { request: limit.min(128 * MEBI), limit }
    }
}

/// The web processes: rolled so that none is missing at any time.
pub(super) fn web(wanted: &Wanted, component: &str) -> Value {
    let workers = u64::from(wanted.source.manifest.nworkers);
    let memory = Memory { request: 128 * MEBI * workers, limit: 512 * MEBI * workers };
    let cpu_milli = 100 * u32::from(wanted.source.manifest.nworkers);
    let process = Process { component, args: vec!["web".into()], memory, cpu_milli };
    let mut template = template(wanted, &process);
    let probe = json!({"path": format!("/_dae/ready/{}", wanted.source.release), "port": "http"});
    let container = &mut template["spec"]["containers"][0];
    container["ports"] = json!([{"name": "http", "containerPort": PORT, "protocol": "TCP"}]);
    container["startupProbe"] =
        json!({"httpGet": probe, "periodSeconds": 1, "timeoutSeconds": 5, "failureThreshold": 300});
    container["readinessProbe"] =
        json!({"httpGet": probe, "periodSeconds": 5, "timeoutSeconds": 5, "failureThreshold": 3});
    // A pod learns that it is to end before the last proxy has heard it.
    container["lifecycle"] = json!({"preStop": {"sleep": {"seconds": DRAIN}}});
    let replicas = wanted.source.scale.get(WEB).copied().unwrap_or(REPLICAS);
    deployment(wanted, component, replicas, template, Strategy::Rolling)
}

/// The processes of one Thrift service.
pub(super) fn thrift(wanted: &Wanted, component: &str, interface: &str) -> Value {
    let args = vec!["service".into(), interface.into()];
    let process = Process { component, args, memory: Memory::of(None), cpu_milli: 100 };
    let mut template = template(wanted, &process);
    let container = &mut template["spec"]["containers"][0];
    container["ports"] = json!([{"name": "thrift", "containerPort": THRIFT_PORT, "protocol": "TCP"}]);
    container["startupProbe"] = json!({"tcpSocket": {"port": "thrift"}, "periodSeconds": 1, "failureThreshold": 300});
    container["readinessProbe"] = json!({"tcpSocket": {"port": "thrift"}, "periodSeconds": 5});
    container["lifecycle"] = json!({"preStop": {"sleep": {"seconds": DRAIN}}});
    let replicas = wanted.source.scale.get(component).copied().unwrap_or(REPLICAS);
    deployment(wanted, component, replicas, template, Strategy::Rolling)
}

/// A daemon: the old one ends before the new one starts.
pub(super) fn daemon(wanted: &Wanted, daemon: &Daemon) -> Value {
    let component = component("daemon", &daemon.name);
    let args = [vec!["run".to_owned()], daemon.script.words().to_vec()].concat();
    let process = Process { component: &component, args, memory: Memory::of(daemon.mem_limit), cpu_milli: 50 };
    let replicas = wanted.source.scale.get(&daemon.name).copied().unwrap_or(daemon.num_instances);
    deployment(wanted, &component, replicas, template(wanted, &process), Strategy::Replaced)
}

/// The workers of a queue.
pub(super) fn queue(wanted: &Wanted, queue: &Queue) -> Value {
    let component = component("queue", &queue.name);
    let args = vec!["queue".into(), queue.name.clone()];
    let process = Process { component: &component, args, memory: Memory::of(None), cpu_milli: 50 };
    let mut template = template(wanted, &process);
    // A task that has begun may go on as long as a task may take.
    template["spec"]["terminationGracePeriodSeconds"] = json!(queue.timeout.max(GRACE));
    let replicas = wanted.source.scale.get(&queue_name(&queue.name)).copied().unwrap_or(queue.workers);
    deployment(wanted, &component, replicas, template, Strategy::Rolling)
}

/// The services for trials: one pod, replaced and not rolled. It is of no release, so that none ends it.
pub(super) fn services(wanted: &Wanted, component: &str, own: Value, data: Value) -> Value {
    let process = Process { component, args: Vec::new(), memory: Memory::of(None), cpu_milli: 50 };
    let mut template = template(wanted, &process);
    if let Some(labels) = template["metadata"]["labels"].as_object_mut() {
        labels.remove(RELEASE);
    }
    let container = &mut template["spec"]["containers"][0];
    if let (Some(container), Value::Object(own)) = (container.as_object_mut(), own) {
        container.remove("envFrom");
        container.extend(own);
    }
    template["spec"]["volumes"] = json!([{"name": "tmp", "emptyDir": {}}, data]);
    deployment(wanted, component, 1, template, Strategy::Replaced)
}

/// Runs to its end once, and is not tried again.
pub(super) fn job(wanted: &Wanted, component: &str, args: Vec<String>) -> Value {
    let process = Process { component, args, memory: Memory::of(None), cpu_milli: 50 };
    let mut template = template(wanted, &process);
    template["spec"]["restartPolicy"] = json!("Never");
    if let Some(spec) = template["spec"].as_object_mut() {
        spec.remove("topologySpreadConstraints");
    }
    json!({"backoffLimit": 0, "ttlSecondsAfterFinished": 24 * 3600, "template": template})
}

#[derive(PartialEq, Eq)]
enum Strategy {
    Rolling,
    Replaced,
}

fn deployment(wanted: &Wanted, component: &str, replicas: u16, template: Value, strategy: Strategy) -> Value {
    let strategy = match strategy {
        Strategy::Rolling => json!({"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}}),
        Strategy::Replaced => json!({"type": "Recreate"}),
    };
    let spec = json!({
        "replicas": replicas,
        "revisionHistoryLimit": 2,
        "progressDeadlineSeconds": 600,
        "selector": {"matchLabels": selector(wanted, component)},
        "strategy": strategy,
        "template": template,
    });
    object(wanted, "apps/v1", "Deployment", component, spec)
}

fn template(wanted: &Wanted, process: &Process) -> Value {
    let mut pod_labels = selector(wanted, process.component);
    pod_labels[RELEASE] = json!(wanted.source.release);
    let mut volumes = vec![json!({"name": "tmp", "emptyDir": {}})];
    let mut mounts = vec![json!({"name": "tmp", "mountPath": "/tmp"})];
    volumes.push(match &wanted.cluster.storage_class {
        Some(_) => {
            json!({"name": "permdir", "persistentVolumeClaim": {"claimName": format!("{}-permdir", wanted.app.host())}})
        }
        None => json!({"name": "permdir", "emptyDir": {}}),
    });
    mounts.push(json!({"name": "permdir", "mountPath": "/dae/permdir"}));
    if !wanted.source.protected.is_empty() {
        let name = format!("{}-{}", wanted.app.host(), files_name(wanted.source));
        volumes.push(json!({"name": "files", "secret": {"secretName": name, "defaultMode": 0o440}}));
        mounts.extend(wanted.source.protected.iter().enumerate().map(|(number, path)| {
            json!({"name": "files", "mountPath": format!("/dae/app/{path}"), "subPath": format!("f{number}"), "readOnly": true})
        }));
    }
    // The first is set by whoever runs the cluster; a release neither reads nor writes it.
    let mut sources = vec![json!({"secretRef": {"name": format!("{}-config", wanted.app.host()), "optional": true}})];
    sources.extend(
        wanted
            .source
            .env_of
            .as_ref()
            .map(|of| json!({"secretRef": {"name": format!("{}-{}", wanted.app.host(), env_name(of))}})),
    );
    let container = json!({
        "name": "app",
        "image": wanted.image.to_string(),
        "command": ["python3", "-s", "-S", "/dae/runtime/dae/container.py"],
        "args": process.args,
        "env": environment(wanted),
        "envFrom": sources,
        "resources": {
            "requests": {"cpu": format!("{}m", process.cpu_milli), "memory": bytes(process.memory.request)},
            "limits": {"memory": bytes(process.memory.limit)},
        },
        "securityContext": {
            "allowPrivilegeEscalation": false,
            "readOnlyRootFilesystem": true,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": mounts,
    });
    // A node that is gone is given up after half a minute, not after five.
    let tolerations = ["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"]
        .map(|key| json!({"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 30}));
    let mut spec = json!({
        "automountServiceAccountToken": false,
        "enableServiceLinks": false,
        "terminationGracePeriodSeconds": DRAIN + GRACE,
        "securityContext": {
            "runAsNonRoot": true,
            "runAsUser": USER,
            "runAsGroup": USER,
            "fsGroup": USER,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "tolerations": tolerations,
        "topologySpreadConstraints": [{
            "maxSkew": 1,
            "topologyKey": "kubernetes.io/hostname",
            "whenUnsatisfiable": "ScheduleAnyway",
            "labelSelector": {"matchLabels": selector(wanted, process.component)},
            "matchLabelKeys": ["pod-template-hash"],
        }],
        "containers": [container],
        "volumes": volumes,
    });
    if let Some(secret) = &wanted.cluster.pull_secret {
        spec["imagePullSecrets"] = json!([{"name": secret}]);
    }
    json!({"metadata": {"labels": pod_labels}, "spec": spec})
}

/// The environment contract, as far as the image does not say it.
fn environment(wanted: &Wanted) -> Value {
    let host = wanted.app.host();
    let host = wanted.cluster.domain.as_ref().map_or_else(|| host.clone(), |domain| format!("{host}.{domain}"));
    let withheld = json!(wanted.source.protected).to_string();
    let own = [
        ("DAE_RELEASE", wanted.source.release.as_str()),
        // What the selftest asks for, and which files no handler sends.
        ("DAE_HOST", host.as_str()),
        ("DAE_WITHHELD", withheld.as_str()),
        ("DAE_PERMDIR", "/dae/permdir"),
        ("HOME", "/tmp"),
        // The image is read-only.
        ("PYTHONPYCACHEPREFIX", "/tmp/pycache"),
    ];
    let trial = trial::environment(wanted);
    let services = wanted.cluster.services.iter().chain(&trial).map(|(name, value)| (name.as_str(), value.as_str()));
    own.into_iter().chain(services).map(|(name, value)| json!({"name": name, "value": value})).collect()
}

fn bytes(amount: u64) -> String {
    if amount.is_multiple_of(MEBI) { format!("{}Mi", amount / MEBI) } else { amount.to_string() }
}
