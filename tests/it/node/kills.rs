//! Clients and nodes killed at random moments of a deploy, and those that are to take a node's place: what was live serves, the
//! store is whole, the next deploy works.
//! `DAE_KILLS` says how often (10 by itself; `tests/soak/kills.sh` does it 200 times), `DAE_SEED` repeats a run.

use std::time::{Duration, Instant, SystemTime};

use nix::sys::signal::Signal;

use super::Node;
use super::upgrade::{Visitor, until_gone};
use crate::harness::PATIENCE;

fn number(name: &str, usual: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(usual)
}

/// Moments from none to `most`, a little more often early.
struct Moments(u64);

impl Moments {
    fn new() -> Self {
        let now = SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs();
        Self(number("DAE_SEED", now))
    }

    fn next(&mut self, most: Duration) -> Duration {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        most * u32::try_from(self.0 >> 40).unwrap() / (1 << 24)
    }
}

impl Node {
    /// What serves is what the node says is live, and its text is one of those that were ever deployed.
    fn serves_what_is_live(&self, ever: &[String], when: &str) {
        let deadline = Instant::now() + PATIENCE;
        while self.states().contains("starting") {
            assert!(Instant::now() < deadline, "{when}: {}", self.states());
            std::thread::sleep(Duration::from_millis(5));
        }
        let states = self.states();
        let live =
            states.split(", ").find_map(|one| one.strip_suffix(" live")).unwrap_or_else(|| panic!("{when}: {states}"));
        let (says, release) = self.says();
        assert_eq!(release, live, "{when}: it says {says}");
        assert!(ever.contains(&says), "{when}: it says {says}");
    }

    fn store_is_whole(&self, when: &str) {
        let store = rusqlite::Connection::open(self.place.path("node/store.sqlite")).unwrap();
        let found: String = store.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
        assert_eq!(found, "ok", "{when}");
    }
}

#[test]
#[expect(clippy::print_stdout, reason = "what was measured, and how to repeat it")]
fn clients_killed_at_random_moments() {
    let mut moments = Moments::new();
    let (count, seed) = (number("DAE_KILLS", 10), moments.0);
    let node = Node::with_app();
    node.deploy("first");
    let mut ever = vec!["first".to_owned()];
    let mut went_on = 0;
    for kill in 0..count {
        let when = format!("kill {kill}, DAE_SEED={seed}");
        ever.push(format!("cut {kill}"));
        let before = node.states();
        let client = node.begin_deploy(&format!("cut {kill}"));
        std::thread::sleep(moments.next(Duration::from_millis(450)));
        client.signal(Signal::SIGKILL);
        client.wait();
        node.serves_what_is_live(&ever, &when);
        went_on += u64::from(node.states() != before);
        ever.push(format!("whole {kill}"));
        node.deploy(&format!("whole {kill}"));
        assert_eq!(node.says().0, format!("whole {kill}"), "{when}");
    }
    node.store_is_whole("at the end");
    println!("{count} clients killed, seed {seed}: {went_on} releases went on without them, every next deploy worked");
}

#[test]
#[expect(clippy::print_stdout, reason = "what was measured, and how to repeat it")]
fn nodes_killed_at_random_moments() {
    let mut moments = Moments::new();
    let (count, seed) = (number("DAE_KILLS", 10), moments.0);
    let mut node = Node::with_app();
    node.deploy("first");
    let mut ever = vec!["first".to_owned()];
    let (mut failed, mut slowest) = (0, Duration::ZERO);
    for kill in 0..count {
        let when = format!("kill {kill}, DAE_SEED={seed}");
        ever.push(format!("cut {kill}"));
        let client = node.begin_deploy(&format!("cut {kill}"));
        std::thread::sleep(moments.next(Duration::from_millis(450)));
        node.kill();
        client.signal(Signal::SIGKILL);
        drop(client);
        let began = Instant::now();
        node.serve();
        node.serves_what_is_live(&ever, &when);
        slowest = slowest.max(began.elapsed());
        node.store_is_whole(&when);
        failed += u64::from(node.states().split(", ").next().is_some_and(|newest| newest.ends_with("failed")));
        node.add_remote();
        ever.push(format!("whole {kill}"));
        node.deploy(&format!("whole {kill}"));
        assert_eq!(node.says().0, format!("whole {kill}"), "{when}");
    }
    println!(
        "{count} nodes killed, seed {seed}: {failed} times a release was cut; the last good one served {slowest:?} later at most"
    );
}

impl Node {
    /// The process that is to be the node next, as soon as there is one.
    fn successor(&self) -> i32 {
        let own = self.own_pid();
        let succeeds = |pid: &i32| {
            let environ = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
            environ.split(|byte| *byte == 0).any(|one| one.starts_with(b"DAE_SUCCEEDS="))
        };
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(pid) = self.family().into_iter().find(|pid| *pid != own && succeeds(pid)) {
                return pid;
            }
            assert!(Instant::now() < deadline, "nobody is to take over");
        }
    }
}

#[test]
#[expect(clippy::print_stdout, reason = "what was measured, and how to repeat it")]
fn successors_killed_at_random_moments() {
    let mut moments = Moments::new();
    let (count, seed) = (number("DAE_KILLS", 10), moments.0);
    let mut node = Node::with_app();
    node.deploy("first");
    let ever = ["first".to_owned()];
    let (mut went_on, mut asked) = (0, 0);
    for kill in 0..count {
        let when = format!("kill {kill}, DAE_SEED={seed}");
        let (own, web, family) = (node.own_pid(), node.pid(), node.family());
        let visitor = Visitor::new(node.port, "/", kill % 2 == 0);
        let upgrade = node.place.dae(["node", "upgrade", "--dir", "node"]).spawn();
        let successor = node.successor();
        std::thread::sleep(moments.next(Duration::from_millis(60)));
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(successor), Signal::SIGKILL).unwrap();
        let ran = upgrade.wait();
        if ran.stderr.contains("the node goes on as it was") {
            assert_eq!((node.own_pid(), node.pid()), (own, web), "{when}");
            node.serves_what_is_live(&ever, &when);
            asked += visitor.end().0;
            went_on += 1;
        } else {
            // It was the node, and that has been killed.
            visitor.give_up();
            until_gone(&family[1..]);
            node.kill();
            node.serve();
            node.serves_what_is_live(&ever, &when);
        }
        node.store_is_whole(&when);
    }
    println!(
        "{count} killed that were to be the node, seed {seed}: {went_on} times the one before went on, 0 of {asked} requests failed meanwhile"
    );
}
