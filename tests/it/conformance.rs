//! `dae remote check` of our own node, which holds every point; and of one that does not, which is told.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;

use serde_json::Value;

use crate::deploy::Remote;

fn points(found: &Value) -> Vec<(String, bool, bool, String)> {
    let text = |point: &Value, name: &str| point[name].as_str().unwrap_or_default().to_owned();
    let of =
        |point: &Value| (text(point, "what"), point["good"] == true, point["optional"] == true, text(point, "note"));
    found["findings"].as_array().unwrap().iter().map(of).collect()
}

#[test]
fn our_own_node_holds_every_point() {
    let remote = Remote::new();
    let said = remote.place.dae(["remote", "check", "prod", "--deploy", "conformance", "--json"]).run();
    let found = points(&said.json());
    let missed: Vec<_> = found.iter().filter(|(_, good, ..)| !good).collect();
    assert!(missed.is_empty(), "{missed:#?}");
    assert!(found.len() > 35, "{} points", found.len());
    assert_eq!(said.code, 0);
    // It is there now, so it is not tried on again.
    let again = remote.place.dae(["remote", "check", "prod", "--deploy", "conformance"]).run();
    assert_eq!(again.code, 2, "{}", again.raw());
    // By itself nothing is written, and an address will do.
    let url = format!("http://127.0.0.1:{}", remote.port);
    let kept = std::fs::read_to_string(remote.place.home(".config/dae/credentials.json")).unwrap();
    let kept: Value = serde_json::from_str(&kept).unwrap();
    let token = kept["prod"].as_str().unwrap();
    let read = remote.place.dae(["remote", "check", &url]).env("DAE_TOKEN", token).ok();
    assert!(read.stdout.contains("yes  refuses with RFC 9457 problems"), "{}", read.raw());
    assert!(!read.stdout.contains("makes a release live"), "{}", read.raw());
}

/// Says the same to everybody: what it is.
fn careless() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        let body = r#"{"api":1,"server":"careless 1","domain":"a.test","pythons":["3.11"],"platform":"linux/amd64"}"#;
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
            while lines.next().is_some_and(|line| line.is_ok_and(|line| !line.is_empty())) {}
            let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close";
            let _ = write!(stream, "{head}\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        }
    });
    port
}

#[test]
fn what_does_not_hold_is_told_with_what_came_instead() {
    let place = crate::harness::Place::new();
    let said = place.dae(["remote", "check", &format!("http://127.0.0.1:{}", careless())]).env("DAE_TOKEN", "x").run();
    assert_eq!(said.code, 1, "{}", said.raw());
    for line in [
        "NO   says who it is: api, server, domain, pythons, platform: versions that are not whole: 3.11",
        "NO   wants a token, and says how one is given: answered 200 and not 401",
        "NO   refuses with RFC 9457 problems: answered 200 and not 400",
        "no   names a key to seal secrets to: not offered, so it takes no protected files",
        "yes  has a registry below /v2/, where a token is also a Basic password",
    ] {
        assert!(said.stdout.contains(line), "{line}\n{}", said.raw());
    }
}
