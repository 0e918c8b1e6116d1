//! A service in a container of its own, as `container.py service` runs it: nothing of dae is around it.

use std::io::{Read as _, Write as _};
use std::os::unix::fs::symlink;

use nix::sys::signal::Signal;
use serde_json::json;

use super::{HANDLER, app};
use crate::harness::{PATIENCE, free_port, python};

#[test]
fn a_container_serves_one_service() {
    let place = app();
    let code = "import dae, os, sys; print(*sys.version_info[:2], os.path.dirname(os.path.dirname(dae.__file__)))";
    let said = place.dae(["run", "--", "python", "-c", code]).dir("a").ok().stdout;
    let [major, minor, runtime] = said.trim().splitn(3, ' ').collect::<Vec<_>>().try_into().unwrap();
    // As an image has it.
    let interface = json!({"idl": "user", "service": "UserStorage"});
    let service =
        json!({"interface": interface, "handler": {"module": "user.handler", "callable": "UserStorageHandler"}});
    let manifest = json!({"worker": "async", "nworkers": 1, "handlers": [], "queues": [], "services": [service]});
    let release = json!({"app": "daetest", "python": format!("{major}.{minor}"), "manifest": manifest});
    place.write("image/release.json", release.to_string()).write("image/site/empty", "");
    symlink(runtime, place.path("image/runtime")).unwrap();
    symlink(place.path("a"), place.path("image/app")).unwrap();
    let container = |port: u16, interface: &str| {
        let script = place.path("image/runtime/dae/container.py");
        let container = place.command(python(), ["-s", "-S"]).arg(script).arg("service").arg(interface);
        container.env("PORT", port.to_string())
    };
    let port = free_port();
    let mut serving = container(port, "user.UserStorage").spawn();
    serving.until("Started user.UserStorage");
    let mut stream = std::net::TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let call = b"\x80\x01\0\x01\0\0\0\x08retrieve\0\0\0\x01\x08\0\x01\0\0\0\x07\0";
    stream.write_all(&[&u32::try_from(call.len()).unwrap().to_be_bytes()[..], call].concat()).unwrap();
    let mut length = [0; 4];
    stream.read_exact(&mut length).unwrap();
    let mut answer = vec![0; u32::from_be_bytes(length) as usize];
    stream.read_exact(&mut answer).unwrap();
    assert!(String::from_utf8_lossy(&answer).contains("user7"), "{answer:?}");
    // A connection that is there does not keep it.
    serving.signal(Signal::SIGTERM);
    assert_eq!(serving.wait().code, 0);

    // Of another length: what was compiled of a file of the same second and size would be taken for it.
    place.write("a/user/handler.py", HANDLER.replace("def store", "def stored"));
    let ran = container(free_port(), "user.UserStorage").run();
    assert!(
        ran.code != 0 && ran.stderr.contains("UserStorageHandler has no store, and user.UserStorage promises it"),
        "{}",
        ran.raw()
    );
    let ran = container(0, "user.Others").run();
    assert!(ran.code == 1 && ran.stderr.contains("app.yaml has no service user.Others"), "{}", ran.raw());
}
