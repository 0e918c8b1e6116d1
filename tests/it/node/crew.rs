//! What runs beside the web processes of a release: it moves with the traffic, and there is one of it.

use std::time::{Duration, Instant};

use serde_json::Value;

use super::Node;
use crate::harness::PATIENCE;

const FEED: &str = "
import fcntl, os, time
import app

lock = open(os.path.join(os.environ['HOME'], 'one-at-a-time'), 'w')
try:
    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    alone = 'alone'
except OSError:
    alone = 'TWO'
print('feed of', os.environ['DAE_RELEASE'], alone)
time.sleep(600)
";

impl Node {
    /// Release and number of the daemon that runs, when there is just one.
    fn daemon(&self) -> Option<(String, i64)> {
        let ps = self.place.dae(["ps", "--json"]).dir("daetest").ok().json();
        let of_feed = |process: &&Value| process["process"] == "feed";
        let all: Vec<&Value> = ps["processes"].as_array()?.iter().filter(of_feed).collect();
        assert!(all.len() < 2, "{all:?}");
        all.first().map(|one| (one["release"].as_str().unwrap().to_owned(), one["pid"].as_i64().unwrap()))
    }

    fn daemon_of(&self, release: &str) -> i64 {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some((of, pid)) = self.daemon()
                && of == release
            {
                return pid;
            }
            assert!(Instant::now() < deadline, "no daemon of {release}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.place.path("node/logs/daetest/feed.log")).unwrap_or_default()
    }
}

#[test]
fn daemons_move_with_the_release_and_a_failed_one_changes_nothing() {
    let node = Node::with_app();
    let yaml = node.place.read("daetest/app.yaml");
    node.place.write("daetest/app.yaml", format!("{yaml}daemons:\n- {{name: feed, script: feed.py}}\n"));
    node.place.write("daetest/feed.py", FEED);
    node.deploy("one");
    let first = node.daemon_of("r1");
    node.deploy("two");
    let second = node.daemon_of("r2");
    assert_ne!(first, second);

    // Nothing of a release that fails is started.
    node.place.write("daetest/app.py", "import no_such\n");
    assert_eq!(node.place.dae(["deploy"]).dir("daetest").run().code, 6);
    assert_eq!(node.daemon(), Some(("r2".into(), second)));

    // A rollback to what was kept warm.
    node.place.dae(["rollback"]).dir("daetest").ok();
    node.daemon_of("r4");
    let log = node.log();
    assert!(!log.contains("TWO"), "{log}");
    assert!(log.contains("feed of r1 alone") && log.contains("feed of r2 alone"), "{log}");
    assert!(!log.contains("feed of r3"), "{log}");
}
