//! A successor that comes to nothing: the node goes on as if nobody had asked.

use std::os::unix::fs::PermissionsExt as _;

use super::{Visitor, is_alive, until_gone};
use crate::crew::until;
use crate::harness::get;
use crate::node::Node;

/// Says that it could take over, and comes to nothing when it has part of what it is given, or all of it.
const HALF: &str = r"
import json, os, select, signal, socket, struct, subprocess

talk = socket.socket(fileno=int(os.environ['DAE_SUCCEEDS']))

def say(word):
    text = json.dumps(word).encode()
    talk.sendall(struct.pack('=II', len(text), 0) + text)

def hear():
    length, files = struct.unpack('=II', talk.recv(8, socket.MSG_WAITALL))
    if HOW == 'at once':
        os.kill(os.getpid(), signal.SIGKILL)
    estate = json.loads(talk.recv(length, socket.MSG_WAITALL))
    numbers = []
    while len(numbers) < files:
        numbers += socket.recv_fds(talk, 1, 200)[1]
    return estate, numbers

HOW = 'WHAT'
say({'ready': ['9.9', 1]})
estate, numbers = hear()
if HOW == 'mad':
    # Of what the node has it takes away what can be taken away, but no process.
    for number in select.select(numbers, [], [], 0)[0]:
        try:
            os.read(number, 10)
        except OSError:
            pass
    left = subprocess.Popen(['sleep', '1000'], start_new_session=True)
    with open('PLACE/left', 'w') as file:
        file.write(str(left.pid))
    os.unlink('PLACE/node/upgrade')
    with open('PLACE/node/lock', 'w') as file:
        file.write('1')
    say('what?')
    signal.pause()
";

impl Node {
    fn program(&self, name: &str, text: &str) {
        let path = format!("bad/{name}");
        self.place.write(&path, text);
        std::fs::set_permissions(self.place.path(&path), std::fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// The answer is what was said.
    fn upgrade_fails(&self, name: &str) -> String {
        let program = format!("bad/{name}");
        let ran = self.place.dae(["node", "upgrade", "--dir", "node", "--program", &program]).run();
        assert_eq!(ran.code, 1, "{}", ran.raw());
        assert!(ran.stderr.contains("the node goes on as it was"), "{}", ran.raw());
        ran.stderr
    }
}

#[test]
fn a_program_that_does_not_come_up_changes_nothing() {
    let node = Node::with_app();
    node.deploy("one");
    let (own, web) = (node.own_pid(), node.pid());
    node.program("false", "#!/bin/sh\nexit 3\n");
    node.program("noise", "no program");
    assert!(node.upgrade_fails("false").contains("it ended with code 3"));
    node.upgrade_fails("noise");
    // A configuration that this dae does not take.
    let good = node.place.read("node/node.yaml");
    node.place.write("node/node.yaml", format!("{good}\nsurprise: yes\n"));
    let ran = node.place.dae(["node", "upgrade", "--dir", "node"]).run();
    assert!(ran.code == 1 && ran.stderr.contains("surprise"), "{}", ran.raw());
    node.place.write("node/node.yaml", good);
    assert_eq!((node.own_pid(), node.pid()), (own, web));
    node.deploy("two");
    assert_eq!(get(node.port, "daetest.localhost", "/").text(), "two");
    assert_ne!(node.upgrade()["pid"], own);
}

#[test]
fn what_was_given_to_one_that_dies_is_taken_back() {
    let node = Node::with_much();
    let (own, pids) = (node.own_pid(), node.pids());
    assert_eq!(node.asked("/count"), "1");
    assert_eq!(node.asked("/put"), "put");
    until("the job has begun", || node.log_of("queue.default").contains("began the job"));
    let visitors = [("/", true), ("/", false), ("/count", false), ("/slow", false)]
        .map(|(path, keeps)| Visitor::new(node.port, path, keeps));
    let place = node.place.path("").to_string_lossy().trim_end_matches('/').to_owned();
    for how in ["at once", "all", "mad"] {
        let text = HALF.replace("WHAT", how).replace("PLACE", &place);
        node.program("half", &format!("#!/usr/bin/env python3\n{text}"));
        let why = node.upgrade_fails("half");
        assert!(why.contains("did not take over"), "{how}: {why}");
        assert_eq!((node.own_pid(), node.pids()), (own, pids), "{how}");
    }
    let left = node.place.read("left").parse().unwrap();
    until_gone(&[left]);

    // All is watched as before: what prints is heard, what dies is started again, and what was asked for is done, once.
    assert_eq!(node.asked("/say"), "ok");
    until("what it prints is heard", || node.log_of("web").contains("said so"));
    node.looks_after_the_daemon();
    node.place.write("let-go", "");
    until("the job has ended", || node.log_of("queue.default").contains("ended the job"));
    assert_eq!(node.log_of("queue.default").matches("began the job").count(), 1);
    node.deploy_much("two");
    assert_eq!(node.says().0, "two");
    let pids = node.pids();
    node.upgrade();
    assert_eq!(node.pids(), pids);
    assert_ne!(node.own_pid(), own);
    for visitor in visitors {
        visitor.end();
    }
}

#[test]
fn a_word_to_end_is_heard_while_it_is_waited_for() {
    let node = Node::with_app();
    node.deploy("one");
    node.program("slow", "#!/bin/sh\nexec sleep 1000\n");
    let upgrade = node.place.dae(["node", "upgrade", "--dir", "node", "--program", "bad/slow"]).spawn();
    until("it has begun", || node.family().iter().any(|pid| is_sleeping(*pid)));
    let family = node.family();
    let ran = node.running.stop();
    assert_eq!(ran.code, 0, "{}", ran.raw());
    assert!(family.iter().all(|pid| !is_alive(*pid)), "of {family:?} some are left");
    let ran = upgrade.wait();
    assert!(ran.code == 1 && ran.stderr.contains("is being stopped"), "{}", ran.raw());
}

fn is_sleeping(pid: i32) -> bool {
    std::fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| line.starts_with(b"sleep\x001000"))
}
