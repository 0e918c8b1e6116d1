//! The Deployment that a deploy prints, run for real: podman pulls the image from the registry and plays the manifest, with its
//! user, its read-only file system, no capabilities and the runtime's seccomp profile, and the app answers HTTP.

use std::ffi::OsString;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use super::registry::Registry;
use super::{guestbook, minor, remote_with_base};
use crate::harness::{Dae, PATIENCE, Place, python};

/// Containers in a storage of their own, by a runtime that works here.
struct Podman<'a> {
    place: &'a Place,
}

impl<'a> Podman<'a> {
    /// `None`, and said why, where no container can be started.
    fn find(place: &'a Place, image: &str) -> Option<Self> {
        let skip = |why: &str| {
            println!("skipped: no container can be started here: {why}");
            None
        };
        if !nix::unistd::geteuid().is_root() {
            return skip("that takes root");
        }
        if Command::new("podman").arg("--version").output().is_err() {
            return skip("podman is not installed");
        }
        let podman = Self { place };
        let policy = place.home(".config/containers/policy.json");
        std::fs::create_dir_all(policy.parent().unwrap()).unwrap();
        std::fs::write(policy, r#"{"default": [{"type": "insecureAcceptAnything"}]}"#).unwrap();
        let mut why = Vec::new();
        for runtime in ["crun", "runc"] {
            podman.settle(runtime);
            // The manifests' own terms, so that what cannot be had is found out here and not there.
            let terms = ["--network=none", "--read-only", "--cap-drop=all", "--user=10001:10001", "--memory=256m"];
            let run =
                [&["run", "--rm", "--tls-verify=false"], &terms[..], &[image, "python3", "-c", "print('it runs')"]];
            let tried = podman.podman(&run.concat()).run();
            if tried.stdout.trim() == "it runs" {
                return Some(podman);
            }
            why.push(format!("with {runtime}: {}", tried.raw().trim()));
        }
        skip(&why.join("\n"))
    }

    /// Which runtime is meant, and what may be settled of a container here.
    fn settle(&self, runtime: &str) {
        // A machine may not let anybody raise these.
        let text = format!(
            "[containers]\ndefault_ulimits = [\"nofile=1024:1024\", \"nproc=1024:1024\"]\nlog_driver = \"k8s-file\"\n\
             [engine]\nruntime = \"{runtime}\"\ncgroup_manager = \"cgroupfs\"\nevents_logger = \"file\"\nlock_type = \"file\"\n"
        );
        self.place.write("containers.conf", text);
    }

    fn podman(&self, args: &[&str]) -> Dae {
        let at = |name: &str| self.place.path("podman").join(name).into_os_string();
        let storage = [("--root", "root"), ("--runroot", "run"), ("--tmpdir", "tmp")];
        let storage = storage.into_iter().flat_map(|(flag, name)| [flag.into(), at(name)]);
        self.place
            .command("podman", storage.chain(args.iter().map(OsString::from)))
            .env("CONTAINERS_CONF", self.place.path("containers.conf"))
            .env("REGISTRY_AUTH_FILE", self.place.home(".docker/config.json"))
    }

    fn inspect(&self, container: &str) -> Value {
        serde_json::from_str::<Value>(&self.podman(&["inspect", container]).ok().stdout).unwrap()[0].take()
    }
}

impl Drop for Podman<'_> {
    fn drop(&mut self) {
        for args in [["pod", "rm", "-a", "-f"].as_slice(), &["rm", "-a", "-f", "-t", "0"]] {
            let _ = self.podman(args).run();
        }
    }
}

/// What podman leaves undone of a Deployment: it publishes every port of a container on the machine, where another may have it, and
/// has no second copy. No field that a container runs by is among that.
fn for_podman(mut deployment: Value) -> Value {
    deployment["spec"]["replicas"] = json!(1);
    deployment["spec"]["template"]["spec"]["containers"][0].as_object_mut().unwrap().remove("ports");
    deployment
}

#[test]
fn the_deployment_that_is_printed_is_run_by_podman_and_answers() {
    let place = Place::new();
    let Some(registry) = Registry::start(&place) else { return };
    // The base: this machine's Python and nothing else.
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/kubernetes/base.py");
    let made = Command::new(python()).arg(script).output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let tag = format!("{}-slim", minor(&place));
    registry.put_image("library/python", &tag, &made.stdout, "tar");
    let Some(podman) = Podman::find(&place, &format!("{}/library/python:{tag}", registry.host())) else { return };

    guestbook(&place);
    place.write("guestbook/who.py", WHO);
    remote_with_base(&place, &registry, &registry.host(), &["--no-check", "--trial"]);
    let printed = place.dae(["-C", "guestbook", "deploy", "--output", "yaml", "--json"]).ok().json();
    let objects = printed["objects"].as_array().unwrap();
    let play = |name: &str| {
        let is_it = |object: &&Value| object["kind"] == "Deployment" && object["metadata"]["name"] == name;
        let deployment = objects.iter().find(is_it).unwrap().clone();
        place.write("deployment.json", for_podman(deployment.clone()).to_string());
        podman.podman(&["kube", "play", "--network", "none", "--tls-verify=false", "deployment.json"]).ok();
        deployment
    };
    let deployment = play("guestbook-web");

    let container = "guestbook-web-pod-0-app";
    let pid = podman.inspect(container)["State"]["Pid"].as_u64().unwrap().to_string();
    // The pod has a network of its own, with nobody in it but the app.
    let ask = |path: &str, more: &[&str]| {
        let net = format!("--net=/proc/{pid}/ns/net");
        let url = format!("http://127.0.0.1:8000{path}");
        let curl = [net.as_str(), "curl", "-si", "--max-time", "60", "-H", "Host: guestbook.apps.example", &url];
        place.command("nsenter", curl.iter().chain(more)).run()
    };
    let release = deployment["metadata"]["labels"]["dae.dev/release"].as_str().unwrap();
    let ready = format!("/_dae/ready/{release}");
    let begin = std::time::Instant::now();
    while !ask(&ready, &[]).stdout.starts_with("HTTP/1.1 200") {
        let state = podman.inspect(container)["State"]["Status"].clone();
        let log = || podman.podman(&["logs", container]).ok().raw();
        assert!(state == "running" && begin.elapsed() < PATIENCE, "{state}: {}", log());
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    let page = ask("/", &[]).stdout;
    assert!(page.starts_with("HTTP/1.1 200") && page.contains("Nobody was here yet."), "{page}");
    assert!(page.to_lowercase().contains(&format!("x-dae-release: {release}")), "{page}");
    let css = ask("/static/guestbook.css", &[]).stdout;
    assert!(css.contains("text/css") && css.ends_with(&place.read("guestbook/static/guestbook.css")), "{css}");
    assert!(ask("/_dae/ready/other", &[]).stdout.starts_with("HTTP/1.1 503"));

    // What the manifest says of the container is so.
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    for line in
        ["Uid:\t10001\t10001", "Gid:\t10001\t10001", "CapBnd:\t0000000000000000", "NoNewPrivs:\t1", "Seccomp:\t2"]
    {
        assert!(status.contains(line), "{line}: {status}");
    }
    let ran = podman
        .podman(&["exec", container, "python3", "-s", "-S", "/dae/runtime/dae/container.py", "run", "who.py"])
        .ok();
    assert_eq!(ran.stdout.trim(), "app=read-only tmp=writable env=production release=True", "{}", ran.raw());

    // The services for trials are this dae in a container of its own.
    play("guestbook-services");
    let services = "guestbook-services-pod-0-app";
    let pid = podman.inspect(services)["State"]["Pid"].as_u64().unwrap();
    let ask = "until exec 3<>/dev/tcp/127.0.0.1/11211; do sleep 0.1; done; printf 'set a 0 0 1\\r\\nx\\r\\n' >&3; head -1 <&3";
    let words = [
        "60".to_owned(),
        "nsenter".into(),
        format!("--net=/proc/{pid}/ns/net"),
        "bash".into(),
        "-c".into(),
        ask.into(),
    ];
    let said = place.command("timeout", words).run();
    assert_eq!(said.stdout.trim(), "STORED", "{} {}", said.raw(), podman.podman(&["logs", services]).run().raw());

    // It ends when it is told, in its time.
    podman.podman(&["stop", "-t", "60", container]).ok();
    assert_eq!(podman.inspect(container)["State"]["ExitCode"], 0);
}

const WHO: &str = "import os

def may(folder):
    try:
        with open(folder + '/x', 'w'):
            return 'writable'
    except OSError:
        return 'read-only'

print(f\"app={may('/dae/app')} tmp={may('/tmp')} env={os.environ['DAE_ENV']} release={bool(os.environ['DAE_RELEASE'])}\")
";
