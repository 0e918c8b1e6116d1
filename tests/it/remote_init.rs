//! `dae remote init` against OpenSSH's own server, here: from nothing to a deploy, a second time, and what stands in the way.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use crate::harness::{Dae, PATIENCE, Place, free_port, get, python, shared_cache};

/// An sshd that lets one key in.
struct Sshd {
    place: Place,
    port: u16,
    child: Child,
}

impl Sshd {
    /// None, and said why, where there is none.
    fn start() -> Option<Self> {
        let there = ["/usr/sbin/sshd", "/usr/bin/ssh"].iter().all(|path| Path::new(path).exists());
        assert!(there || std::env::var_os("CI").is_none(), "openssh-server is missing");
        if !there {
            println!("skipped: there is no OpenSSH on this machine");
            return None;
        }
        let (place, port) = (Place::new(), free_port());
        for key in ["host", "mine", "other"] {
            let path = place.path(key);
            let made = Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(path).status();
            assert!(made.unwrap().success());
        }
        let at = |file: &str| place.path(file).display().to_string();
        let settings = [
            format!("Port {port}\nListenAddress 127.0.0.1\nHostKey {}\nPidFile {}", at("host"), at("pid")),
            format!("AuthorizedKeysFile {}\nStrictModes no\nPermitRootLogin yes", at("mine.pub")),
            "PasswordAuthentication no\nKbdInteractiveAuthentication no\nUsePAM no\n".to_owned(),
        ];
        place.write("sshd_config", settings.join("\n"));
        let known = format!("[127.0.0.1]:{port} {}", place.read("host.pub"));
        place.write("known_hosts", known);
        // What a person has in `~/.ssh`, which is not where `HOME` is.
        let ssh = |name: &str, key: &str| {
            let config = format!("-o IdentitiesOnly=yes -o UserKnownHostsFile={} -i {}", at("known_hosts"), at(key));
            place.write(format!("{name}/ssh"), format!("#!/bin/sh\nexec /usr/bin/ssh -F none {config} \"$@\"\n"));
            let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
            std::fs::set_permissions(place.path(name).join("ssh"), mode).unwrap();
        };
        ssh("right", "mine");
        ssh("wrong", "other");
        if nix::unistd::getuid().is_root() {
            // It wants this folder to be there.
            std::fs::create_dir_all("/run/sshd").unwrap();
        }
        let child = listening(&place, port, python().parent().unwrap());
        Some(Self { place, port, child })
    }

    /// With the programs of this folder before all others.
    fn again(&mut self, first: &Path) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        self.child = listening(&self.place, self.port, first);
    }

    /// A node of this port at that machine, which is this one.
    fn init(&self, ssh: &str, port: u16) -> Dae {
        let user = nix::unistd::User::from_uid(nix::unistd::getuid()).unwrap().unwrap().name;
        let (address, listen) = (format!("ssh://{user}@127.0.0.1:{}", self.port), format!("127.0.0.1:{port}"));
        let at = |file: &str| self.place.path(file).display().to_string();
        let (dir, program) = (at("srv/node"), at("bin/dae"));
        let args = ["remote", "init", &address, "--name", "box", "--domain", "apps.localhost", "--listen", &listen];
        let path = format!("{}:{}", at(ssh), std::env::var("PATH").unwrap());
        self.place.dae(args.into_iter().chain(["--dir", &dir, "--program", &program])).env("PATH", path)
    }

    fn node(&self) -> i32 {
        self.place.read("srv/node/lock").trim().parse().unwrap()
    }
}

fn listening(place: &Place, port: u16, first: &Path) -> Child {
    let path = format!("{}:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", first.display());
    let run = place.path("").parent().unwrap().join("run");
    let env =
        format!("SetEnv=PATH={path} XDG_CACHE_HOME={} XDG_RUNTIME_DIR={}", shared_cache().display(), run.display());
    let mut command = Command::new("/usr/sbin/sshd");
    command.args(["-D", "-e", "-o", &env, "-f"]).arg(place.path("sshd_config"));
    let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let deadline = Instant::now() + PATIENCE;
    while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(Instant::now() < deadline, "sshd never listened");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    child
}

impl Drop for Sshd {
    fn drop(&mut self) {
        if let Some(pid) =
            std::fs::read_to_string(self.place.path("srv/node/lock")).ok().and_then(|pid| pid.trim().parse().ok())
        {
            let _ = nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGTERM);
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_machine_becomes_a_remote_and_twice_is_once() {
    let Some(sshd) = Sshd::start() else { return };
    if Path::new("/run/systemd/system").exists() {
        println!("skipped: this machine's own systemd is not for tests");
        return;
    }
    let port = free_port();
    let first = sshd.init("right", port).ok();
    for said in ["Copied", "Made", "Started", "has no systemd", "Added"] {
        assert!(first.stderr.contains(said), "{said}: {}", first.raw());
    }
    let node = sshd.node();
    let second = sshd.init("right", port).arg("--json").ok();
    assert_eq!(second.json()["changed"], false, "{}", second.raw());
    assert_eq!(sshd.node(), node, "it was restarted");

    // It serves, and was let in by the token that was kept.
    sshd.place.write("blog/app.yaml", "application: blog\nhandlers:\n- url: /.*\n  wsgi_app: app:app\n");
    let app = "def app(environ, start):\n    start('200 OK', [])\n    return [b'from afar']\n";
    sshd.place.write("blog/app.py", app).write("blog/pip-req.txt", "");
    sshd.place.dae(["deploy", "--remote", "box"]).dir("blog").ok();
    assert_eq!(get(port, "blog.apps.localhost", "/").text(), "from afar");

    // Another program there: it is replaced, and runs the node; the app runs on.
    let other = sshd.place.path("bin/dae");
    let mut bytes = std::fs::read(&other).unwrap();
    bytes.push(0);
    std::fs::remove_file(&other).unwrap();
    std::fs::write(&other, bytes).unwrap();
    let third = sshd.init("right", port).ok();
    assert!(third.stderr.contains("Copied") && third.stderr.contains("Upgraded"), "{}", third.raw());
    assert!(!third.stderr.contains("Made"), "{}", third.raw());
    assert_ne!(sshd.node(), node);
    assert_eq!(get(port, "blog.apps.localhost", "/").text(), "from afar");
}

#[test]
fn what_stands_in_the_way_is_told_before_anything_is_written() {
    let Some(mut sshd) = Sshd::start() else { return };
    let port = free_port();
    let code = |dae: Dae| {
        let ran = dae.arg("--json").run();
        assert_ne!(ran.code, 0, "{}", ran.raw());
        ran.raw()
    };
    let denied = code(sshd.init("wrong", port));
    assert!(denied.contains("remote.ssh-denied") && denied.contains("authorized_keys"), "{denied}");
    sshd.place.write("known_hosts", format!("[127.0.0.1]:{} {}", sshd.port, sshd.place.read("other.pub")));
    let unknown = code(sshd.init("right", port));
    assert!(unknown.contains("remote.ssh-host-key"), "{unknown}");
    sshd.place.write("known_hosts", format!("[127.0.0.1]:{} {}", sshd.port, sshd.place.read("host.pub")));

    // Another architecture: as far as its `uname` says.
    sshd.place.write("foreign/uname", "#!/bin/sh\n[ \"$1\" = -m ] && echo pdp11 || echo Linux\n");
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(sshd.place.path("foreign/uname"), mode).unwrap();
    let foreign = sshd.place.path("foreign");
    sshd.again(&foreign);
    let foreign = code(sshd.init("right", port));
    assert!(foreign.contains("remote.platform") && foreign.contains("Linux pdp11"), "{foreign}");

    let _ = sshd.child.kill();
    let _ = sshd.child.wait();
    let away = code(sshd.init("right", port));
    assert!(away.contains("remote.ssh-unreachable"), "{away}");
    assert!(!sshd.place.path("bin").exists() && !sshd.place.path("srv").exists());
}
