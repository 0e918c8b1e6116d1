//! The objects that apps become, whole: compared with files, read as the types of the API, and in the order of their needs.

use std::collections::BTreeMap;
use std::path::Path;

use dae::app::{Manifest, Template};
use dae::packaging::Digest;
use dae::remote::cluster::{BASE, Cluster, Gateway};
use dae::remote::kubernetes::manifests::{Wanted, manifests, protected, yaml};
use dae::remote::reference::Reference;
use k8s_openapi::api::{
    apps::v1 as apps, batch::v1 as batch, core::v1 as core, networking::v1 as networking, policy::v1 as policy,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

fn cluster() -> Cluster {
    Cluster {
        context: Some("prod".into()),
        kubeconfig: None,
        namespace: "shop".into(),
        registry: Reference::parse("ghcr.io/acme/shop").unwrap(),
        base: BASE.into(),
        bases: BTreeMap::new(),
        domain: Some("apps.example".into()),
        gateway: None,
        ingress_class: None,
        storage_class: None,
        pull_secret: None,
        services: BTreeMap::new(),
    }
}

fn objects(app_yaml: &str, cluster: &Cluster, files: &[String]) -> Vec<Value> {
    let (manifest, _) = Manifest::parse(Path::new("app.yaml"), app_yaml.as_bytes()).unwrap();
    let image = cluster.registry.at(&Digest::of(b"image"));
    let (scale, app) = (BTreeMap::new(), manifest.application.clone());
    let wanted = Wanted {
        app: &app,
        manifest: &manifest,
        cluster,
        release: "r7",
        image: &image,
        scale: &scale,
        protected: files,
    };
    let contents: Vec<Vec<u8>> = files.iter().map(|file| file.clone().into_bytes()).collect();
    let secret = protected(&wanted, &contents).unwrap();
    secret.into_iter().chain(manifests(&wanted).unwrap()).collect()
}

/// Reads an object as its type and writes it again: a field that the type does not know would be missing.
fn typed(object: &Value) {
    fn same<T: DeserializeOwned + Serialize>(object: &Value) {
        let read: T = serde_json::from_value(object.clone()).unwrap();
        assert_eq!(&serde_json::to_value(read).unwrap(), object);
    }
    match object["kind"].as_str().unwrap() {
        "Deployment" => same::<apps::Deployment>(object),
        "CronJob" => same::<batch::CronJob>(object),
        "Service" => same::<core::Service>(object),
        "Secret" => same::<core::Secret>(object),
        "PersistentVolumeClaim" => same::<core::PersistentVolumeClaim>(object),
        "Ingress" => same::<networking::Ingress>(object),
        "PodDisruptionBudget" => same::<policy::PodDisruptionBudget>(object),
        // Of the Gateway API, which has no types here: its fields are compared with its own definition by name.
        "HTTPRoute" => {
            let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
            assert_eq!(object["apiVersion"], "gateway.networking.k8s.io/v1");
            assert_eq!(keys(&object["spec"]), ["hostnames", "parentRefs", "rules"]);
            assert_eq!(keys(&object["spec"]["parentRefs"][0]), ["name", "namespace"]);
            assert_eq!(keys(&object["spec"]["rules"][0]), ["backendRefs"]);
            assert_eq!(keys(&object["spec"]["rules"][0]["backendRefs"][0]), ["name", "port"]);
        }
        other => panic!("{other} is not looked at"),
    }
}

/// Compares with `tests/it/kubernetes/NAME.yaml`; `DAE_UPDATE=1` writes it.
fn golden(name: &str, objects: &[Value]) {
    objects.iter().for_each(typed);
    let text = yaml(objects);
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/it/kubernetes/{name}.yaml"));
    if std::env::var_os("DAE_UPDATE").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(text, kept, "{name}.yaml has changed: DAE_UPDATE=1 cargo test --test it kubernetes::golden");
}

#[test]
fn the_guestbook() {
    let app_yaml =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/guestbook/app.yaml")).unwrap();
    golden("guestbook", &objects(&app_yaml, &cluster(), &[]));
}

#[test]
fn every_key_of_app_yaml() {
    let mut cluster = cluster();
    cluster.gateway = Some(Gateway { namespace: "infra".into(), name: "public".into() });
    cluster.storage_class = Some("nfs".into());
    cluster.pull_secret = Some("ghcr".into());
    cluster.services = dae::remote::cluster::service("memcache", "cache:11211").unwrap().into_iter().collect();
    golden("whole", &objects(WHOLE, &cluster, &["local_config.py".into(), "secrets/key".into()]));
}

/// Every template differs from the guestbook only in what answers, so their files would only repeat it.
#[test]
fn every_template() {
    for template in Template::ALL {
        let handler = if template.as_str() == "fastapi" { "asgi_app" } else { "wsgi_app" };
        let objects =
            objects(&format!("application: hello\nhandlers:\n- url: /.*\n  {handler}: app:app\n"), &cluster(), &[]);
        objects.iter().for_each(typed);
        let kinds: Vec<&str> = objects.iter().map(|object| object["kind"].as_str().unwrap()).collect();
        assert_eq!(kinds, ["Service", "Ingress", "Deployment", "PodDisruptionBudget"], "{}", template.as_str());
    }
}

#[test]
fn two_names_that_would_be_one_are_refused() {
    let text = "application: a\nhandlers: [{url: /.*, wsgi_app: app:app}]\ndaemons:\n- {name: a_b, script: x.py}\n- {name: A-b, script: y.py}\n";
    let (manifest, _) = Manifest::parse(Path::new("app.yaml"), text.as_bytes()).unwrap();
    let (cluster, scale) = (cluster(), BTreeMap::new());
    let image = cluster.registry.at(&Digest::of(b""));
    let app = &manifest.application;
    let wanted = Wanted {
        app,
        manifest: &manifest,
        cluster: &cluster,
        release: "r1",
        image: &image,
        scale: &scale,
        protected: &[],
    };
    assert_eq!(manifests(&wanted).unwrap_err().code, "kubernetes.same-name");
}

const WHOLE: &str = r#"
application: whole_app
runtime: python3.12
handlers:
- {url: /static/(.*), static_files: static/\1}
- {url: /.*, wsgi_app: app:app}
nworkers: 3
daemons:
- {name: feed, script: feed.py --verbose, num_instances: 1, mem_limit: 64M}
cron:
- {name: nightly, schedule: "0 3 * * *", timezone: Asia/Shanghai, script: jobs/nightly.py}
- {name: often, schedule: every 5 minutes, url: /tasks/often, overlap: wait}
queues:
- {name: default, workers: 2, retries: 5, timeout: 60}
services:
- {interface: user.UserStorage, handler: user.handler:UserStorageHandler}
protected_files: [local_config.py, "secrets/*"]
selftest: [{url: /, status: 200}]
"#;
