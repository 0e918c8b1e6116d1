//! All that speak Thrift with a service of ours, what is no Thrift at all, and instances that die.

use super::{plain_python, script, serve};
use crate::harness::{Dae, Place};

const APP_YAML: &str = "application: every
version: 1
runtime: python
handlers:
- url: /.*
  wsgi_app: app:app
worker: WORKER
services:
- interface: every.Every
  handler: handler:Handler
";

/// An app whose service has every type there is, served, with its client beside it.
pub fn every(worker: &str) -> Place {
    let place = Place::new();
    let read = |file: &str| std::fs::read_to_string(script(file)).unwrap();
    place.write("a/every.thrift", read("good/every.thrift")).write("a/shared.thrift", read("good/shared.thrift"));
    place.write("a/handler.py", read("app/handler.py")).write("a/app.yaml", APP_YAML.replace("WORKER", worker));
    place.write("a/app.py", "").write("a/pip-req.txt", "");
    place.dae(["service", "gen_client"]).dir("a").ok();
    place
}

pub fn speak(place: &Place, name: &str, args: &[&str]) -> String {
    let speaker = place.command(plain_python(place), [script(name)]);
    let speaker = args.iter().fold(speaker, Dae::arg);
    speaker.env("PYTHONPATH", place.path("a")).ok().stdout
}

#[test]
fn every_type_travels_between_all_that_speak_thrift() {
    for worker in ["async", "sync"] {
        let place = every(worker);
        let (served, port) = serve(&place);
        let folder = script("app");
        let said = speak(&place, "peers.py", &[&format!("127.0.0.1:{port}"), &folder.to_string_lossy()]);
        assert_eq!(said, "14 pairs agree\n", "{worker}");
        served.stop();
    }
}

#[test]
fn wrong_bytes_end_their_own_connection() {
    for worker in ["async", "sync"] {
        let place = every(worker);
        let (served, port) = serve(&place);
        let said = speak(&place, "garbage.py", &[&format!("127.0.0.1:{port}"), "100"]);
        assert!(said.ends_with("the same process goes on\n"), "{worker}: {said}");
        served.stop();
    }
}

#[test]
fn no_idempotent_call_fails_while_instances_are_killed() {
    let place = every("async");
    let app = place.path("a");
    let said = speak(&place, "failover.py", &["5", env!("CARGO_BIN_EXE_dae"), &app.to_string_lossy()]);
    println!("{said}");
    let told: serde_json::Value = serde_json::from_str(said.trim()).unwrap();
    assert!(told["failed"] == 0 && told["kills"].as_u64() > Some(1) && told["calls"].as_u64() > Some(500), "{said}");
}
