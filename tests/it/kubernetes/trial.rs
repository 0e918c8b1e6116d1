//! Services for trials: the program that holds them, and the pod that it is on a cluster.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use super::releases::{Stage, WEB};
use crate::harness::{PATIENCE, Place, Running};

/// Says `words` at `address` and returns the first line of the answer.
fn ask(address: &Value, words: &str) -> String {
    let mut stream = TcpStream::connect(address.as_str().unwrap()).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(words.as_bytes()).unwrap();
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).unwrap();
    line.trim_end().to_owned()
}

#[test]
fn services_stand_alone_at_the_ports_they_are_given() {
    let place = Place::new();
    let start = || -> (Running, Value) {
        let words =
            ["--json", "node", "services", "--app", "hello", "--dir", "data", "memcache=0", "beansdb=0", "queue=0"];
        let mut running = place.dae(words).spawn();
        let services = running.event("ready")["services"].clone();
        (running, services)
    };
    let (running, services) = start();
    assert_eq!(ask(&services["memcache"], "set a 0 0 1\r\nx\r\n"), "STORED");
    assert_eq!(ask(&services["memcache"], "get a\r\n"), "VALUE a 0 1");
    assert_eq!(ask(&services["beansdb"], "set b 0 0 1\r\ny\r\n"), "STORED");
    assert_eq!(ask(&services["queue"], "put 0 0 60 1\r\nz\r\n"), "INSERTED 1");
    running.signal(Signal::SIGTERM);
    let ran = running.wait();
    assert_eq!(ran.code, 0, "{}", ran.raw());
    // What a disk holds is there again.
    let (_running, services) = start();
    assert_eq!(ask(&services["beansdb"], "get b\r\n"), "VALUE b 0 1");
    assert_eq!(ask(&services["queue"], "peek-ready\r\n"), "FOUND 1 1");
    assert_eq!(ask(&services["memcache"], "get a\r\n"), "END");
    let ran = place.dae(["node", "services", "--app", "hello", "--dir", "other", "mysql=0"]).run();
    assert!(ran.code == 2 && ran.stderr.contains("there is `memcache`, `beansdb` and `queue`"), "{}", ran.raw());
}

#[test]
fn a_pod_beside_the_app_holds_what_has_no_address() {
    let Some(stage) = Stage::with(&["--trial", "--service", "queue=real:11300"]) else { return };
    let ran = stage.deploy();
    assert_eq!(ran.code, 0, "{}", ran.raw());
    let path = WEB.replace("hello-web", "hello-services");
    let container = || stage.cluster.object(&path)["spec"]["template"]["spec"]["containers"][0].clone();
    let first = container();
    let args: Vec<&str> = first["args"].as_array().unwrap().iter().map(|arg| arg.as_str().unwrap()).collect();
    assert_eq!(args[args.len() - 2..], ["beansdb=7900", "memcache=11211"]);
    let env = stage.cluster.object(WEB)["spec"]["template"]["spec"]["containers"][0]["env"].clone();
    let of =
        |name: &str| env.as_array().unwrap().iter().find(|one| one["name"] == name).map(|one| one["value"].clone());
    assert_eq!(of("DAE_MEMCACHE"), Some(json!("hello-services:11211")));
    assert_eq!(of("DAE_BEANSDB"), Some(json!("hello-services:7900")));
    assert_eq!(of("DAE_QUEUE"), Some(json!("real:11300")));
    // Its image is in the registry: the base, and this program.
    let layers = stage.registry.manifest(first["image"].as_str().unwrap())["layers"].as_array().unwrap().len();
    assert_eq!(layers, 2);
    assert_eq!(stage.deploy().json()["outcome"], "unchanged");
    // A release leaves it alone.
    stage.edit(2);
    let ran = stage.deploy();
    assert_eq!((ran.code, stage.wanted()), (0, json!("r2")), "{}", ran.raw());
    assert_eq!(container(), first);
}
