//! The exit codes of `dae deploy`, each brought about at a real node: scripts and CI systems act on them.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::deploy::{Remote, app_py, said};
use crate::harness::{Ran, free_port};

/// What becomes of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Cut,
    /// It goes on when the test says so.
    Held,
}

/// Stands between a client and the node, and does this to requests that hold these words.
struct Between {
    port: u16,
    held: Receiver<()>,
    go_on: Sender<()>,
}

impl Between {
    fn new(node: u16, words: &'static str, fate: Fate) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let ((tell, held), (go_on, went_on)) = (channel(), channel::<()>());
        let went_on = std::sync::Arc::new(std::sync::Mutex::new(went_on));
        std::thread::spawn(move || {
            for client in listener.incoming() {
                let (mut client, mut server) = (client.unwrap(), TcpStream::connect(("127.0.0.1", node)).unwrap());
                let (mut back_from, mut back_to) = (server.try_clone().unwrap(), client.try_clone().unwrap());
                std::thread::spawn(move || std::io::copy(&mut back_from, &mut back_to));
                let (tell, went_on) = (tell.clone(), went_on.clone());
                std::thread::spawn(move || {
                    let mut buffer = vec![0; 64 << 10];
                    while let Ok(read @ 1..) = client.read(&mut buffer) {
                        if String::from_utf8_lossy(&buffer[..read]).contains(words) {
                            // A test that is over hears nothing.
                            let _ = tell.send(());
                            if fate == Fate::Cut || went_on.lock().unwrap().recv().is_err() {
                                let _ = (client.shutdown(Shutdown::Both), server.shutdown(Shutdown::Both));
                                return;
                            }
                        }
                        if server.write_all(&buffer[..read]).is_err() {
                            return;
                        }
                    }
                    let _ = server.shutdown(Shutdown::Write);
                });
            }
        });
        Self { port, held, go_on }
    }
}

impl Remote {
    /// The same node, reached over what stands between.
    fn over(&self, between: &Between) {
        let kept = std::fs::read_to_string(self.place.home(".config/dae/credentials.json")).unwrap();
        let kept: Value = serde_json::from_str(&kept).unwrap();
        self.add("far", between.port, kept["prod"].as_str().unwrap());
    }
}

fn ended(ran: &Ran, code: i32, says: &str) {
    assert_eq!(ran.code, code, "{}", ran.raw());
    assert!(ran.stderr.contains(says), "{}", ran.raw());
}

#[test]
fn what_a_deploy_ends_with() {
    let remote = Remote::new();
    let place = &remote.place;
    let deploy = |args: &[&str]| remote.dae(&[&["deploy"], args].concat());
    ended(&deploy(&[]).run(), 0, "Live r1");
    ended(&deploy(&[]).run(), 0, "Unchanged r1");
    ended(&deploy(&["--nosuch"]).run(), 2, "--nosuch");

    let yaml = place.read("daetest/app.yaml");
    place.write("daetest/app.yaml", format!("{yaml}nworkers: many\n"));
    ended(&deploy(&[]).run(), 3, "nworkers");
    place.write("daetest/app.yaml", format!("{yaml}release: 'false'\n")).write("daetest/app.py", app_py("two"));
    ended(&deploy(&[]).run(), 5, "the release command `false` failed");
    place.write("daetest/app.yaml", &yaml).write("daetest/app.py", "1 / 0\n");
    ended(&deploy(&[]).run(), 6, "ZeroDivisionError");

    place.write("daetest/app.py", app_py("two"));
    let cuts = Between::new(remote.port, "/blobs/uploads/", Fate::Cut);
    remote.over(&cuts);
    ended(&deploy(&["--remote", "far"]).run(), 4, "what has arrived is not sent again");
    let url = format!("http://127.0.0.1:{}", free_port());
    remote.dae(&["remote", "add", "down", &url, "--token", "x", "--no-check"]).ok();
    ended(&deploy(&["--remote", "down"]).run(), 9, "does not answer");
    // Whatever went wrong, the last good release serves.
    assert_eq!(remote.says(), said("one", "r1"));
    ended(&deploy(&["--remote", "prod"]).run(), 0, "Live");
}

#[test]
fn of_two_who_deploy_the_slower_is_told_so() {
    let remote = Remote::new();
    let place = &remote.place;
    remote.deploy();
    // Somebody else's goes live between the look at what is live and the wish for a release.
    let holds = Between::new(remote.port, "POST /dae/v1/apps/daetest/releases", Fate::Held);
    remote.over(&holds);
    place.write("daetest/app.py", app_py("slow"));
    let slow = remote.dae(&["deploy", "--remote", "far"]).spawn();
    holds.held.recv().unwrap();
    place.write("daetest/app.py", app_py("fast"));
    remote.dae(&["deploy", "--remote", "prod", "-m", "in a hurry"]).ok();
    holds.go_on.send(()).unwrap();
    ended(&slow.wait(), 7, "r2 of `daetest` went live meanwhile");
    assert_eq!(remote.says(), said("fast", "r2"));

    // And here while the slower one starts.
    place.write("daetest/app.py", "import os, time\nwhile True: time.sleep(0.05)\n");
    let mut slow = remote.dae(&["deploy", "--remote", "prod"]).spawn();
    slow.until("Python");
    place.write("daetest/app.py", app_py("faster"));
    remote.dae(&["deploy", "--remote", "prod"]).ok();
    ended(&slow.wait(), 7, "r4 was wanted before r3 was ready");
    assert_eq!(remote.says(), said("faster", "r4"));
}

#[test]
fn a_deploy_that_is_cancelled() {
    let remote = Remote::new();
    let place = &remote.place;
    remote.deploy();
    let holds = Between::new(remote.port, "/blobs/uploads/", Fate::Held);
    remote.over(&holds);
    place.write("daetest/app.py", app_py("two"));
    let uploading = remote.dae(&["deploy", "--remote", "far"]).spawn();
    holds.held.recv().unwrap();
    uploading.signal(Signal::SIGINT);
    ended(&uploading.wait(), 8, "stopped before anything was released");
    assert_eq!(remote.says(), said("one", "r1"));

    // Once it is the node's, only the watching is stopped.
    place.write("daetest/app.py", format!("import time\ntime.sleep(1)\n{}", app_py("two")));
    let mut watching = remote.dae(&["deploy", "--remote", "prod"]).spawn();
    watching.until("Python");
    watching.signal(Signal::SIGINT);
    ended(&watching.wait(), 8, "dae deploy --attach r2");
    ended(&remote.dae(&["deploy", "--remote", "prod", "--attach", "r2"]).run(), 0, "Live r2");
    assert_eq!(remote.says(), said("two", "r2"));
}
