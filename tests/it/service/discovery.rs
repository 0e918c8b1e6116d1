//! Where a service is: a real ZooKeeper in which nodes list what they serve, and a name server whose answers change.

use super::peers::{every, speak};
use super::{app, install_client, plain_python, script, serve};
use crate::harness::{Place, Running, free_port};
use crate::kubernetes::golden::{cluster, objects};

/// Says why not; checks that count can.
fn can_have_zookeeper() -> bool {
    let there = std::path::Path::new("/usr/share/java/zookeeper.jar").exists();
    if !there {
        assert!(std::env::var_os("CI").is_none(), "no ZooKeeper: apt-get install zookeeper");
        println!("skipped: there is no ZooKeeper here: apt-get install zookeeper");
    }
    there
}

/// A ZooKeeper that runs, where there can be one.
fn zookeeper(place: &Place) -> Option<(Running, u16)> {
    if !can_have_zookeeper() {
        return None;
    }
    let port = free_port();
    let server = place.command(plain_python(place), [script("zookeeper.py")]);
    let mut server = server.arg(place.path("zookeeper")).arg(port.to_string()).spawn();
    server.until("ready");
    Some((server, port))
}

#[test]
fn a_node_lists_its_services_in_a_zookeeper_and_clients_elsewhere_find_them() {
    let place = app();
    let Some((_zookeeper, port)) = zookeeper(&place) else { return };
    let installed = install_client(&place);
    let made = ["node", "init", "--domain", "localhost", "--listen", "127.0.0.1:0", "--json", "--dir", "node"];
    let token = place.dae(made).ok().json()["token"].as_str().unwrap().to_owned();
    let yaml = place.read("node/node.yaml");
    place.write("node/node.yaml", format!("{yaml}zookeeper: 127.0.0.1:{port}\n"));
    let mut node = place.dae(["node", "serve", "--json", "--dir", "node"]).spawn();
    let ready = node.event("ready");
    let url = ready["url"].as_str().unwrap_or_else(|| panic!("{ready}"));
    place.dae(["remote", "add", "r", url, "--token", &token]).dir("a").ok();

    // A client from before the service.
    let code = "
import time, daetest_client
from daetest_client import UserStorage, Unavailable
print('began', flush=True)
until = time.monotonic() + 200
while time.monotonic() < until:
    try:
        print(UserStorage.retrieve(1), flush=True)
        break
    except Unavailable as error:
        assert 'listed' in str(error), error
while time.monotonic() < until:
    try:
        UserStorage.retrieve(1)
    except OSError:
        break
    time.sleep(0.02)
print('gone', flush=True)
";
    let client = place.command(plain_python(&place), ["-c", code]).env("PYTHONPATH", &installed);
    let mut client = client.env("DAE_ZOOKEEPER", format!("127.0.0.1:{port}")).spawn();
    client.until("began");
    place.dae(["deploy", "--remote", "r"]).dir("a").ok();
    client.until("UserProfile(uid=1, name='user1', blurb='one')");
    let list = |place: &Place| {
        let code = format!(
            "from kazoo.client import KazooClient\nk = KazooClient('127.0.0.1:{port}'); k.start()\n\
             print(k.get_children('/dae/services/daetest/UserStorage'))"
        );
        place.command(plain_python(place), ["-c", &code]).ok().stdout
    };
    let listed = list(&place);
    assert!(listed.starts_with("['127.0.0.1:") && listed.matches(':').count() == 1, "{listed}");
    // Another process is the node, and lists the same.
    place.dae(["node", "upgrade", "--dir", "node"]).ok();
    assert_eq!(list(&place), listed);
    // It says goodbye.
    node.stop();
    assert_eq!(list(&place), "[]\n");
    client.until("gone");
}

#[test]
fn no_idempotent_call_fails_while_instances_and_the_zookeeper_are_killed() {
    let place = every("async");
    if !can_have_zookeeper() {
        return;
    }
    let app = place.path("a");
    let args = ["6", env!("CARGO_BIN_EXE_dae"), &app.to_string_lossy(), "--zookeeper"];
    let said = speak(&place, "failover.py", &args);
    println!("{said}");
    let told: serde_json::Value = serde_json::from_str(said.trim()).unwrap();
    assert!(told["failed"] == 0 && told["zookeeper_kills"] == 1 && told["calls"].as_u64() > Some(500), "{said}");
    assert!(told["kills"].as_u64() > Some(1) && told["ports"].as_u64() > Some(4), "{said}");
}

#[test]
fn clients_follow_the_names_of_services() {
    let place = every("async");
    let ((_one, first), (_two, second)) = (serve(&place), serve(&place));
    // What such an app is on a cluster.
    let objects = objects(&place.read("a/app.yaml"), &cluster(), &[]);
    let on_the_cluster =
        objects.iter().find(|object| object["kind"] == "Service" && object["spec"]["ports"][0]["name"] == "thrift");
    let args = [first.to_string(), second.to_string(), on_the_cluster.unwrap().to_string()];
    assert_eq!(speak(&place, "names.py", &args.each_ref().map(String::as_str)), "followed\n");
}

#[test]
fn what_is_no_address_of_a_zookeeper_is_said() {
    let place = app();
    insta::assert_snapshot!(place.dae(["service", "serve", "--zookeeper", "zk1"]).dir("a").run(), @r"
    exit: 2
    --- stderr
    error: invalid value 'zk1' for '--zookeeper <SERVERS>': `zk1` is no address of a ZooKeeper

    For more information, try '--help'.
    ");
}
