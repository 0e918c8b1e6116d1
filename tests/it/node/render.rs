//! `dae node render`: what it prints is fed to the programs it is for.

use std::process::{Command, Stdio};

use super::Node;
use crate::harness::{Place, free_port, get};

/// Whether there is such a program; where there is none and there must be one, that is said.
fn there_is(program: &str) -> bool {
    let found = Command::new("sh").args(["-c", &format!("command -v {program}")]).stdout(Stdio::null()).status();
    let there = found.is_ok_and(|status| status.success());
    if !there {
        println!("skipped: there is no {program} here");
        assert!(std::env::var_os("CI").is_none(), "{program} is missing");
    }
    there
}

fn rendered(place: &Place, args: &[&str]) -> String {
    place.dae(["node", "render"].iter().chain(args)).ok().stdout
}

#[test]
fn nginx_takes_it_and_passes_requests_on() {
    if !there_is("nginx") {
        return;
    }
    let node = Node::with_app();
    node.deploy("one");
    let place = &node.place;
    // The port it was given when it started.
    let yaml = place.read("node/node.yaml").replace("127.0.0.1:0", &format!("127.0.0.1:{}", node.port));
    place.write("node/node.yaml", yaml);
    let port = free_port();
    let conf = rendered(place, &["nginx", "--dir", "node", "--port", &port.to_string()]);
    place.write("nginx/dae.conf", conf);
    let at = place.path("nginx").display().to_string();
    let paths: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|kind| format!("{kind}_temp_path {at}/{kind};\n"))
        .concat();
    let whole = format!(
        "pid {at}/pid;\nerror_log {at}/error.log;\ndaemon off;\nmaster_process off;\nevents {{}}\n\
         http {{\naccess_log off;\n{paths}include {at}/dae.conf;\n}}\n"
    );
    place.write("nginx/nginx.conf", whole);
    let config = format!("{at}/nginx.conf");
    place.command("nginx", ["-t", "-q", "-c", &config, "-p", &at, "-e", &format!("{at}/error.log")]).ok();
    let _nginx = place.command("nginx", ["-c", &config, "-p", &at, "-e", &format!("{at}/error.log")]).spawn();
    let until = std::time::Instant::now() + crate::harness::PATIENCE;
    while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(std::time::Instant::now() < until, "nginx does not listen");
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    let answer = get(port, &format!("daetest.localhost:{port}"), "/");
    assert_eq!((answer.status, answer.text().as_str(), answer.header("x-dae-release")), (200, "one", Some("r1")));
    assert_eq!(get(port, "localhost", "/v2/").status, 401);
}

#[test]
fn systemd_and_keepalived_take_it() {
    let place = Place::new();
    place.dae(["node", "init", "--dir", "node", "--domain", "apps.example.com", "--listen", ":8000"]).ok();
    if there_is("systemd-analyze") {
        place.write("dae.service", rendered(&place, &["systemd", "--dir", "node", "--user", "daemon"]));
        let said = place.command("systemd-analyze", ["verify", "--man=no", "dae.service"]).run();
        assert!(said.code == 0 && !said.stderr.contains("dae.service:"), "{}", said.raw());
    }
    // It wants a real one.
    let interfaces = std::fs::read_dir("/sys/class/net").unwrap().flatten();
    let interface = interfaces.map(|entry| entry.file_name().into_string().unwrap()).find(|name| name != "lo");
    if let Some(interface) = interface.filter(|_| there_is("keepalived") && there_is("curl")) {
        let tested = |interface: &str| {
            let address = ["keepalived", "--dir", "node", "--address", "192.0.2.10/24", "--interface", interface];
            place.write("keepalived.conf", rendered(&place, &address));
            let file = place.path("keepalived.conf");
            place.command("keepalived", ["-t", "-f"]).arg(&file).run()
        };
        let said = tested(&interface);
        // Version 2.2.7 ends its scripts at the end of a test, and itself with them.
        assert!([0, 143].contains(&said.code) && !said.stderr.contains("Line"), "{}", said.raw());
        let refused = tested("nosuch0");
        assert!(![0, 143].contains(&refused.code), "{}", refused.raw());
    }
    let wrong = place.dae(["node", "render", "keepalived", "--dir", "node", "--address", "here"]).run();
    assert_eq!(wrong.code, 2, "{}", wrong.raw());
    let none = place.dae(["node", "render", "nginx", "--dir", "nowhere"]).run();
    assert!(none.code == 1 && none.stderr.contains("no node in"), "{}", none.raw());
}
