//! The objects that apps become, whole: compared with files, read as the types of the API, and in the order of their needs.

use std::collections::BTreeMap;
use std::path::Path;

use super::openapi::Api;

use dae::app::{AppName, Manifest, Scaffold, Template};
use dae::packaging::Digest;
use dae::remote::api::{Gray, ReleaseId, Share};
use dae::remote::cluster::{BASE, Cluster, Gateway};
use dae::remote::kubernetes::dressed;
use dae::remote::kubernetes::history::Head;
use dae::remote::kubernetes::manifests::{self, Source, Wanted, environment, manifests, once, protected, yaml};
use dae::remote::reference::Reference;
use k8s_openapi::api::{
    apps::v1 as apps, batch::v1 as batch, core::v1 as core, networking::v1 as networking, policy::v1 as policy,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

pub fn cluster() -> Cluster {
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
        trial: false,
    }
}

fn source(manifest: Manifest, files: &[String]) -> Source {
    let release = "r7".to_owned();
    let (protected, files_of) = (files.to_vec(), release.clone());
    Source { manifest, release, protected, files_of, env_of: None, scale: BTreeMap::new(), trial: None }
}

pub fn objects(app_yaml: &str, cluster: &Cluster, files: &[String]) -> Vec<Value> {
    let (manifest, _) = Manifest::parse(Path::new("app.yaml"), app_yaml.as_bytes()).unwrap();
    let image = cluster.registry.at(&Digest::of(b"image"));
    let source = source(manifest, files);
    let wanted = Wanted { app: &source.manifest.application, cluster, image: &image, source: &source };
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
        "Job" => same::<batch::Job>(object),
        "Service" => same::<core::Service>(object),
        "Secret" => same::<core::Secret>(object),
        "PersistentVolumeClaim" => same::<core::PersistentVolumeClaim>(object),
        "Ingress" => same::<networking::Ingress>(object),
        "PodDisruptionBudget" => same::<policy::PodDisruptionBudget>(object),
        // Of the Gateway API, which has no types here.
        "HTTPRoute" => {}
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
    for api in Api::all() {
        api.holds(name, objects);
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(text, kept, "{name}.yaml has changed: DAE_UPDATE=1 cargo test --test it kubernetes::golden");
}

#[test]
fn every_example() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    for example in std::fs::read_dir(root).unwrap().map(|entry| entry.unwrap()) {
        let Ok(app_yaml) = std::fs::read_to_string(example.path().join("app.yaml")) else { continue };
        golden(example.file_name().to_str().unwrap(), &objects(&app_yaml, &cluster(), &[]));
    }
}

#[test]
fn every_template() {
    for template in Template::ALL {
        let folder = tempfile::tempdir().unwrap();
        Scaffold { name: AppName::parse("hello").unwrap(), template }.write(folder.path()).unwrap();
        let app_yaml = std::fs::read_to_string(folder.path().join("app.yaml")).unwrap();
        golden(&format!("template-{}", template.as_str()), &objects(&app_yaml, &cluster(), &[]));
    }
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

/// memcache has an address; the others are beside the app, and keep what is theirs on a volume.
#[test]
fn services_for_trials() {
    let mut cluster = cluster();
    cluster.trial = true;
    cluster.storage_class = Some("nfs".into());
    cluster.services = dae::remote::cluster::service("memcache", "cache:11211").unwrap().into_iter().collect();
    let app_yaml = "application: hello\nhandlers: [{url: /.*, wsgi_app: app:app}]\n";
    let (manifest, _) = Manifest::parse(Path::new("app.yaml"), app_yaml.as_bytes()).unwrap();
    let [image, trial] = [b"image", b"trial"].map(|name| cluster.registry.at(&Digest::of(name)));
    let source = Source { trial: Some(trial), ..source(manifest, &[]) };
    let wanted = Wanted { app: &source.manifest.application, cluster: &cluster, image: &image, source: &source };
    let objects = manifests(&wanted).unwrap();
    golden("trial", &objects);
    // A release does not end them.
    let next = Source { release: "r8".into(), ..source.clone() };
    let later = manifests(&Wanted { source: &next, ..wanted }).unwrap();
    let template = |objects: &[Value]| {
        let is_it = |object: &&Value| object["kind"] == "Deployment" && object["metadata"]["name"] == "hello-services";
        objects.iter().find(is_it).unwrap()["spec"]["template"].clone()
    };
    assert_eq!(template(&objects), template(&later));
}

/// What is there for a time: commands that run once, a release that is tried, and what was set for the app.
#[test]
fn beside_a_release() {
    let mut cluster = cluster();
    cluster.gateway = Some(Gateway { namespace: "infra".into(), name: "public".into() });
    let (manifest, _) = Manifest::parse(Path::new("app.yaml"), WHOLE.as_bytes()).unwrap();
    let source = Source {
        env_of: Some("r6".into()),
        scale: [("web".to_owned(), 5), ("queue.default".to_owned(), 0)].into(),
        ..source(manifest, &[])
    };
    let image = cluster.registry.at(&Digest::of(b"image"));
    let app = &source.manifest.application;
    let wanted = Wanted { app, cluster: &cluster, image: &image, source: &source };
    let share = Share { percent: 10, headers: [("x-try".to_owned(), "1".to_owned())].into(), networks: Vec::new() };
    let gray = Gray { release: ReleaseId(7), share };
    let head = Head { domains: vec!["www.example.com".into()], gray: Some(gray), ..Head::default() };
    let scaled = manifests(&wanted).unwrap();
    let of = |name: &str| {
        let found = scaled
            .iter()
            .find(|object| object["metadata"]["name"] == name && object["spec"]["replicas"] != Value::Null);
        found.unwrap()["spec"]["replicas"].as_u64().unwrap()
    };
    assert_eq!((of("whole-app-web"), of("whole-app-queue-default"), of("whole-app-daemon-feed")), (5, 0, 1));
    let env = [("GREETING".to_owned(), "hello".to_owned())].into();
    let mut objects = vec![
        environment(app, &cluster.namespace, "r6", &env),
        once(&wanted, "release-r7", "release", &["migrate.py".into(), "--all".into()]),
        once(&wanted, "run3", "run", &["python".into(), "-V".into()]),
    ];
    objects.extend(manifests::gray(&wanted));
    objects.extend(scaled.iter().filter(|object| object["kind"] == "HTTPRoute").map(|object| dressed(object, &head)));
    golden("beside", &objects);
    let by_ingress = Cluster { gateway: None, ..cluster.clone() };
    let objects = manifests(&Wanted { cluster: &by_ingress, ..wanted }).unwrap();
    let ingress: Vec<Value> =
        objects.iter().filter(|object| object["kind"] == "Ingress").map(|object| dressed(object, &head)).collect();
    golden("hosts", &ingress);
}

#[test]
fn two_names_that_would_be_one_are_refused() {
    let text = "application: a\nhandlers: [{url: /.*, wsgi_app: app:app}]\ndaemons:\n- {name: a_b, script: x.py}\n- {name: A-b, script: y.py}\n";
    let (manifest, _) = Manifest::parse(Path::new("app.yaml"), text.as_bytes()).unwrap();
    let (cluster, source) = (cluster(), source(manifest, &[]));
    let image = cluster.registry.at(&Digest::of(b""));
    let wanted = Wanted { app: &source.manifest.application, cluster: &cluster, image: &image, source: &source };
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
release: migrate.py --all
selftest: [{url: /, status: 200}]
"#;
