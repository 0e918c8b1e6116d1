//! Services for trials: one pod of dae's own beside an app, that holds those which the remote's settings name nowhere. MySQL is not
//! among them: it would be a MariaDB, whose image is another's.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::manifests::{Wanted, object, service_of};
use super::workload;
use crate::packaging::PROGRAM;
use crate::remote::cluster::Cluster;

/// The component of that pod.
pub const SERVICES: &str = "services";

/// What is in it: the service, where it answers.
pub const TRIAL: &[(&str, u16)] = &[("beansdb", 7900), ("memcache", 11211), ("queue", 11300)];

fn variable(service: &str) -> String {
    format!("DAE_{}", service.to_uppercase())
}

/// Those that nobody has named another place for.
pub fn missing(cluster: &Cluster) -> Vec<(&'static str, u16)> {
    let nowhere = |(service, _): &&(&str, u16)| !cluster.services.contains_key(&variable(service));
    if cluster.trial { TRIAL.iter().filter(nowhere).copied().collect() } else { Vec::new() }
}

/// What an app's processes are told of them. A release that was made without them goes on without.
pub(super) fn environment(wanted: &Wanted) -> BTreeMap<String, String> {
    let address = |port: u16| format!("{}-{SERVICES}:{port}", wanted.app.host());
    let services = if wanted.source.trial.is_some() { missing(wanted.cluster) } else { Vec::new() };
    services.into_iter().map(|(service, port)| (variable(service), address(port))).collect()
}

/// The pod, how it is found, and where it keeps what is to stay: with a storage class on a volume, else as long as the pod lives.
pub(super) fn objects(wanted: &Wanted) -> Vec<Value> {
    let Some(image) = &wanted.source.trial else { return Vec::new() };
    let services = missing(wanted.cluster);
    if services.is_empty() {
        return Vec::new();
    }
    let mut objects = Vec::new();
    let volume = match &wanted.cluster.storage_class {
        Some(class) => {
            let spec = json!({
                "accessModes": ["ReadWriteOnce"],
                "storageClassName": class,
                "resources": {"requests": {"storage": "1Gi"}},
            });
            let claim = object(wanted, "v1", "PersistentVolumeClaim", SERVICES, spec);
            let name = claim["metadata"]["name"].clone();
            objects.push(claim);
            json!({"name": "data", "persistentVolumeClaim": {"claimName": name}})
        }
        None => json!({"name": "data", "emptyDir": {}}),
    };
    objects.push(service_of(wanted, SERVICES, &services));
    let names = services.iter().map(|(service, port)| format!("{service}={port}"));
    let fixed = ["node", "services", "--app", wanted.app.as_str(), "--dir", "/data", "--host", "0.0.0.0"];
    let args: Vec<String> = fixed.into_iter().map(str::to_owned).chain(names).collect();
    let container = json!({
        "image": image.to_string(),
        "command": [PROGRAM],
        "args": args,
        "env": [{"name": "HOME", "value": "/tmp"}],
        "ports": services.iter().map(|(service, port)| json!({"name": service, "containerPort": port, "protocol": "TCP"})).collect::<Value>(),
        "readinessProbe": {"tcpSocket": {"port": services.first().map(|(service, _)| *service)}, "periodSeconds": 2},
        "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}, {"name": "data", "mountPath": "/data"}],
    });
    objects.push(workload::services(wanted, SERVICES, container, volume));
    objects
}
