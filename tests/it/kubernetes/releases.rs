//! Releases on a cluster that plays along, and on one that does not.

use std::path::Path;
use std::time::Duration;

use axum::http::Method;
use nix::sys::signal::Signal;
use serde_json::{Value, json};

use super::cluster::{Cluster, Fate, Fault};
use super::registry::Registry;
use super::remote;
use crate::harness::{Place, Ran};

pub const WEB: &str = "/apis/apps/v1/namespaces/shop/deployments/hello-web";
pub const RELEASED: &str = "application: hello\nhandlers:\n- {url: /.*, wsgi_app: app:app}\ndaemons:\n- {name: feed, script: feed.py}\nrelease: migrate.py --all\n";
const HEAD: &str = "/api/v1/namespaces/shop/configmaps/hello-dae";

/// A small app, a registry and a cluster, and the remote that joins them.
pub struct Stage {
    pub place: Place,
    pub cluster: Cluster,
    pub registry: Registry,
}

impl Stage {
    pub fn new() -> Option<Self> {
        Self::with(&[])
    }

    /// Whose remote has more settings.
    pub fn with(settings: &[&str]) -> Option<Self> {
        let place = Place::new();
        let registry = Registry::start(&place)?;
        let cluster = Cluster::start(&place);
        place.write("hello/app.yaml", "application: hello\nhandlers:\n- {url: /.*, wsgi_app: app:app}\ndaemons:\n- {name: feed, script: feed.py}\n");
        place.write("hello/feed.py", "");
        let stage = Self { place, cluster, registry };
        stage.edit(1);
        remote(&stage.place, &stage.registry, settings);
        Some(stage)
    }

    pub fn edit(&self, number: usize) {
        self.place.write(
            "hello/app.py",
            format!("number = {number}\ndef app(environ, start):\n    start('200 OK', [])\n    return [b'']\n"),
        );
    }

    pub fn dae(&self, args: &[&str]) -> Ran {
        self.place.dae(["-C", "hello"].iter().chain(args)).run()
    }

    pub fn deploy(&self) -> Ran {
        self.dae(&["deploy", "--json"])
    }

    /// The release that the Deployment asks for.
    pub fn wanted(&self) -> Value {
        self.cluster.object(WEB)["spec"]["template"]["metadata"]["labels"]["dae.dev/release"].clone()
    }

    pub fn head(&self) -> Value {
        serde_json::from_str(self.cluster.object(HEAD)["data"]["head"].as_str().unwrap()).unwrap()
    }
}

pub fn code(ran: &Ran) -> String {
    ran.json()["error"]["code"].as_str().unwrap_or_else(|| panic!("{}", ran.raw())).to_owned()
}

#[test]
fn a_release_goes_live_is_listed_and_rolled_back() {
    let Some(stage) = Stage::new() else { return };
    let first = stage.deploy();
    assert_eq!(first.code, 0, "{}", first.raw());
    let report = first.json();
    assert_eq!((&report["release"], &report["url"]), (&json!("r1"), &json!("http://hello.apps.example")));
    assert_eq!(stage.cluster.serving(), ["r1"]);
    let again = stage.deploy();
    assert_eq!((again.code, &again.json()["outcome"]), (0, &json!("unchanged")), "{}", again.raw());

    stage.edit(2);
    let plan = stage.dae(&["deploy", "--plan"]);
    assert!(
        plan.code == 0 && plan.stdout.contains("~ Deployment hello-web") && plan.stdout.contains("\"r1\" -> \"r2\""),
        "{}",
        plan.raw()
    );
    assert_eq!(stage.wanted(), "r1", "a plan changes nothing");
    let second = stage.dae(&["deploy", "-m", "two"]);
    assert_eq!(second.code, 0, "{}", second.raw());
    assert!(second.stderr.contains("of them dae's own"), "{}", second.raw());
    assert_eq!(stage.cluster.serving(), ["r2"]);

    let back = stage.dae(&["rollback"]);
    assert_eq!((back.code, stage.wanted()), (0, json!("r1")), "{}", back.raw());
    let releases = stage.dae(&["releases", "--json"]).json();
    let states: Vec<String> = releases["releases"]
        .as_array()
        .unwrap()
        .iter()
        .map(|release| {
            format!("{} {} {}", release["id"].as_str().unwrap(), release["state"].as_str().unwrap(), release["repeats"])
        })
        .collect();
    assert_eq!(states, ["r3 live \"r1\"", "r2 past null", "r1 past null"]);
    let ps = stage.dae(&["ps"]);
    assert!(ps.stdout.contains("hello-web-r1-0") && ps.stdout.contains("daemon-feed"), "{}", ps.raw());
    let logs = stage.dae(&["logs", "--process", "web"]);
    assert!(logs.stdout.contains("hello-web-r1-1  one line of hello-web-r1-1"), "{}", logs.raw());

    // What the new app.yaml has no more is taken away.
    stage.place.write("hello/app.yaml", "application: hello\nhandlers:\n- {url: /.*, wsgi_app: app:app}\n");
    assert_eq!(stage.deploy().code, 0);
    assert!(stage.cluster.object(&WEB.replace("-web", "-daemon-feed")).is_null());
    assert_eq!(stage.cluster.inner().unserved, 0);
}

#[test]
fn a_release_that_never_will_be_ready_ends_at_once_and_the_last_good_one_goes_on() {
    let Some(stage) = Stage::new() else { return };
    assert_eq!(stage.deploy().code, 0);
    let fates = [
        (Fate::CrashLoop, "app.ended"),
        (Fate::NoImage, "kubernetes.image"),
        (Fate::NoRoom, "kubernetes.schedule"),
        (Fate::NoQuota, "kubernetes.quota"),
        (Fate::Deadline, "app.slow"),
        (Fate::Silent, "app.slow"),
    ];
    for (number, (fate, wanted)) in fates.into_iter().enumerate() {
        let id = format!("r{}", number + 2);
        stage.cluster.inner().fates.insert(id.clone(), fate);
        stage.edit(number + 10);
        let ran = stage.dae(&["deploy", "--json", "--within", if fate == Fate::Silent { "1" } else { "600" }]);
        assert_eq!((ran.code, code(&ran).as_str()), (6, wanted), "{fate:?}: {}", ran.raw());
        if fate == Fate::CrashLoop {
            assert!(ran.stdout.contains("ImportError: no such thing"), "{}", ran.raw());
        }
        assert!(ran.stdout.contains("r1 goes on serving"), "{}", ran.raw());
        assert_eq!((stage.wanted(), stage.head()["live"].clone()), (json!("r1"), json!("r1")), "{fate:?}");
        assert!(stage.cluster.serving().contains(&"r1".to_owned()), "{fate:?}");
    }
    let releases = stage.dae(&["releases"]);
    assert!(releases.stdout.contains("failed"), "{}", releases.raw());
    stage.edit(99);
    let good = stage.deploy();
    assert_eq!((good.code, &good.json()["release"]), (0, &json!("r8")), "{}", good.raw());
    assert_eq!(stage.cluster.inner().unserved, 0);
}

#[test]
fn a_pod_without_a_node_is_waited_for_while_an_autoscaler_brings_one() {
    let Some(stage) = Stage::new() else { return };
    assert_eq!(stage.deploy().code, 0);
    stage.cluster.inner().fates.insert("r2".into(), Fate::NodeComes);
    stage.edit(2);
    let mut client = stage.place.dae(["-C", "hello", "deploy", "--json"]).spawn();
    let told = client.event("crowded");
    assert!(told["why"].as_str().unwrap().contains("0/3 nodes are available"), "{told}");
    // It goes on asking.
    stage.cluster.inner().asked_for_events = 0;
    while stage.cluster.inner().asked_for_events < 2 {
        assert!(!client.ended(), "{}", client.said());
        stage.cluster.stir();
        std::thread::sleep(Duration::from_millis(50));
    }
    stage.cluster.has_room("r2");
    let ran = client.wait();
    assert_eq!((ran.code, stage.cluster.serving()), (0, vec!["r2".to_owned()]), "{}", ran.raw());
    // The node does not come in time: it is said why, not only that it was slow.
    stage.cluster.inner().fates.insert("r3".into(), Fate::NodeComes);
    stage.edit(3);
    let ran = stage.dae(&["deploy", "--json", "--within", "1"]);
    assert_eq!((ran.code, code(&ran).as_str()), (6, "kubernetes.schedule"), "{}", ran.raw());
    assert_eq!(stage.wanted(), "r2");
}

#[test]
fn what_an_api_server_may_answer() {
    let Some(stage) = Stage::new() else { return };
    assert_eq!(stage.deploy().code, 0);
    let short = Duration::from_millis(300);
    let conflict = "Apply failed with 1 conflict: conflict with \"kubectl-edit\" using apps/v1: .spec.replicas";
    for (number, (method, path, times, fault, exit, wanted)) in [
        // What passes.
        (Method::PATCH, "deployments/hello-web", 2, Fault::Refuse(500, "etcd leader changed"), 0, ""),
        (Method::PATCH, "deployments/hello-web", 1, Fault::Cut, 0, ""),
        (Method::GET, "/pods?", 2, Fault::Cut, 0, ""),
        (Method::GET, "watch=true", 3, Fault::Cut, 0, ""),
        (Method::GET, "watch=true", 2, Fault::Refuse(410, "too old resource version"), 0, ""),
        (Method::GET, "", 5, Fault::Slow(short), 0, ""),
        (Method::PATCH, "services", 1, Fault::Refuse(429, "slow down"), 0, ""),
        (Method::PUT, "hello-dae", 1, Fault::Cut, 0, ""),
        // What does not.
        (Method::PATCH, "deployments/hello-web", 1, Fault::Refuse(409, conflict), 7, "kubernetes.conflict"),
        (Method::PUT, "hello-dae", 1, Fault::Refuse(409, "the object has been modified"), 7, "release.moved"),
        (
            Method::PATCH,
            "deployments/hello-web",
            1,
            Fault::Refuse(403, "deployments is forbidden: User \"x\" cannot patch"),
            3,
            "kubernetes.rights",
        ),
        (
            Method::PATCH,
            "deployments/hello-web",
            1,
            Fault::Refuse(403, "forbidden: exceeded quota: small"),
            3,
            "kubernetes.quota",
        ),
        (
            Method::PATCH,
            "configmaps",
            1,
            Fault::Refuse(403, "unable to create new content in namespace shop because it is being terminated"),
            3,
            "kubernetes.terminating",
        ),
        (
            Method::PATCH,
            "deployments/hello-web",
            1,
            Fault::Refuse(422, "spec.selector: Invalid value: field is immutable"),
            3,
            "kubernetes.immutable",
        ),
    ]
    .into_iter()
    .enumerate()
    {
        stage.edit(number + 10);
        stage.cluster.fail(method.clone(), path, times, fault.clone());
        let ran = stage.deploy();
        assert_eq!(ran.code, exit, "{method} {path} {fault:?}: {}", ran.raw());
        if exit != 0 {
            assert_eq!(code(&ran), wanted, "{}", ran.raw());
        }
        let mut inner = stage.cluster.inner();
        inner.faults.clear();
        assert_eq!(inner.unserved, 0);
    }
    // A watch whose version is too old says so in its stream.
    stage.cluster.inner().gone = true;
    stage.edit(98);
    assert_eq!(stage.deploy().code, 0);
    stage.edit(99);
    let forced = stage.dae(&["deploy", "--force"]);
    assert_eq!(forced.code, 0, "{}", forced.raw());
}

#[test]
fn bad_input_says_what_to_type() {
    let Some(stage) = Stage::new() else { return };
    let config = stage.place.home(".kube/config");
    let good = std::fs::read(&config).unwrap();
    let deploy = |wanted: &str, exit: i32| {
        let ran = stage.deploy();
        assert_eq!((ran.code, code(&ran).as_str()), (exit, wanted), "{}", ran.raw());
        assert!(ran.stdout.contains("\"hints\""), "{}", ran.raw());
    };
    stage.cluster.kubeconfig(&stage.place, "expired");
    deploy("kubernetes.expired", 3);
    std::fs::remove_file(&config).unwrap();
    deploy("kubernetes.kubeconfig", 3);
    std::fs::write(&config, "not: [yaml").unwrap();
    deploy("kubernetes.kubeconfig", 3);
    std::fs::write(&config, String::from_utf8_lossy(&good).replace("\"prod\"", "\"other\"")).unwrap();
    deploy("kubernetes.context", 3);
    let nobody = format!("127.0.0.1:{}", crate::harness::free_port());
    std::fs::write(
        &config,
        String::from_utf8_lossy(&good).replace(&format!("127.0.0.1:{}", stage.cluster.port), &nobody),
    )
    .unwrap();
    deploy("kubernetes.silent", 9);
    std::fs::write(&config, &good).unwrap();

    stage.cluster.fail(Method::POST, "configmaps", 1, Fault::Refuse(404, "namespaces \"shop\" not found"));
    deploy("kubernetes.namespace", 3);

    stage.cluster.inner().denied = vec!["secrets"];
    let check = stage.dae(&["remote", "check", "prod"]);
    assert_eq!(check.code, 1, "{}", check.raw());
    assert!(check.stdout.contains("NO   rights to secrets: may not get, create, patch, delete"), "{}", check.raw());

    // The registry without its password.
    let auth = stage.place.home(".docker/config.json");
    std::fs::remove_file(&auth).unwrap();
    deploy("registry.refused", 3);
    for (args, exit) in [
        (&["remote", "add", "x", "kubernetes", "--namespace", "Shop", "--registry", "a.b/c"][..], 2),
        (&["remote", "add", "x", "kubernetes", "--namespace", "shop"], 2),
        (&["remote", "add", "x", "kubernetes", "--namespace", "shop", "--registry", "a.b/c:1"], 2),
        (&["remote", "add", "x", "https://a.example", "--namespace", "shop"], 2),
        (
            &[
                "remote",
                "add",
                "x",
                "kubernetes",
                "--namespace",
                "shop",
                "--registry",
                "a.b/c",
                "--service",
                "mysql=db",
            ],
            2,
        ),
    ] {
        let ran = stage.dae(args);
        assert_eq!(ran.code, exit, "{}", ran.raw());
    }
}

#[test]
fn killed_at_every_step_the_last_good_one_serves_and_the_next_deploy_works() {
    let Some(stage) = Stage::new() else { return };
    stage.place.write("hello/app.yaml", RELEASED);
    assert_eq!(stage.deploy().code, 0);
    let begin = stage.cluster.inner().changes.len();
    stage.edit(2);
    assert_eq!(stage.deploy().code, 0);
    let steps = stage.cluster.inner().changes.len() - begin;
    assert!(steps >= 8, "{:?}", stage.cluster.inner().changes);
    for step in 1..=steps {
        stage.edit(100 + step);
        {
            let mut inner = stage.cluster.inner();
            inner.hang_at = Some(inner.changes.len() + step);
        }
        let client = stage.place.dae(["-C", "hello", "deploy"]).spawn();
        stage.cluster.until_hung();
        client.signal(Signal::SIGKILL);
        drop(client);
        assert!(!stage.cluster.serving().is_empty(), "step {step}");
        stage.cluster.inner().hang_at = None;
        stage.edit(200 + step);
        let next = stage.deploy();
        assert_eq!(next.code, 0, "after a kill at step {step}: {}", next.raw());
        let live = next.json()["release"].clone();
        assert_eq!(
            (stage.wanted(), stage.head()["live"].clone(), &stage.head()["starting"]),
            (live.clone(), live, &Value::Null)
        );
    }
    assert_eq!(stage.cluster.inner().unserved, 0);
    println!("killed at {steps} steps");
}

#[test]
fn a_client_that_went_away_is_gone_on_with_and_a_later_deploy_supersedes() {
    let Some(stage) = Stage::new() else { return };
    assert_eq!(stage.deploy().code, 0);
    stage.cluster.inner().fates.insert("r2".into(), Fate::Silent);
    stage.edit(2);
    let mut first = stage.place.dae(["-C", "hello", "deploy", "--json"]).spawn();
    first.event("applied");
    // Somebody else, meanwhile.
    stage.edit(3);
    let second = stage.deploy();
    assert_eq!((second.code, &second.json()["release"]), (0, &json!("r3")), "{}", second.raw());
    let first = first.wait();
    assert_eq!((first.code, code(&first).as_str()), (7, "release.superseded"), "{}", first.raw());
    assert_eq!((stage.wanted(), stage.cluster.serving()), (json!("r3"), vec!["r3".to_owned()]));

    stage.cluster.inner().fates.insert("r4".into(), Fate::Silent);
    stage.edit(4);
    let mut client = stage.place.dae(["-C", "hello", "deploy", "--json"]).spawn();
    client.event("applied");
    client.signal(Signal::SIGINT);
    let client = client.wait();
    assert_eq!(client.code, 8, "{}", client.raw());
    assert!(client.stdout.contains("dae deploy --attach r4"), "{}", client.raw());
    stage.cluster.inner().fates.remove("r4");
    let attached = stage.dae(&["deploy", "--attach", "r4"]);
    assert_eq!((attached.code, stage.head()["live"].clone()), (0, json!("r4")), "{}", attached.raw());
}

/// The Role in the documentation is what `dae remote check` asks for.
#[test]
fn the_documentation_has_the_rights_that_are_needed() {
    let docs = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/kubernetes.md")).unwrap();
    for (group, resource, verbs) in dae::remote::kubernetes::RIGHTS {
        let line = format!("- {{apiGroups: [\"{group}\"], resources: [{resource}], verbs: [{}]}}", verbs.join(", "));
        assert!(docs.contains(&line), "docs/kubernetes.md lacks: {line}");
    }
}
