//! What a node takes away, and what it must not.

use std::collections::BTreeSet;

use serde_json::json;

use super::releases::was;
use super::{Node, digest, manifest};

impl Node {
    /// The files or folders in one of the node's folders, at any of two depths.
    fn names(&self, below: &str) -> BTreeSet<String> {
        let entries = |path| std::fs::read_dir(path).into_iter().flatten().flatten();
        let names = entries(self.place.path(format!("node/{below}"))).flat_map(|entry| {
            let name = entry.file_name().into_string().unwrap();
            if name.len() == 2 {
                entries(entry.path()).map(|entry| entry.file_name().into_string().unwrap()).collect()
            } else {
                vec![name]
            }
        });
        names.collect()
    }

    fn collected(&mut self) -> serde_json::Value {
        self.running.event("collected")
    }
}

#[test]
fn old_releases_and_all_they_alone_need_are_taken_away() {
    let mut node = Node::with_app();
    // Each brings a file of its own and changes the code.
    for number in 0..3 {
        node.place.write("daetest/extra.txt", format!("number {number}"));
        node.deploy(&format!("says {number}"));
    }
    let before = [node.names("blobs/sha256"), node.names("layers"), node.names("apps/daetest/releases")];
    assert_eq!(before[2].len(), 3);
    // Twenty more that were live, of the third's image: the first two are forgotten.
    let image = node.image(3);
    for _ in 0..20 {
        let release = node.release("daetest", &image);
        assert_eq!(node.story("daetest", &release, 0).last().unwrap()["event"], "live");
    }
    // Something that nobody released, and something that has a tag.
    let loose = node.push_blob("daetest", b"{\"loose\": 1}");
    let config = node.push_blob("daetest", b"{}");
    assert_eq!(node.put_manifest("daetest", "kept", &manifest(&config, &[])).status, 201);
    // Two of them by and by.
    let mut forgotten = 0;
    while forgotten < 2 {
        forgotten += node.collected()["releases"].as_u64().unwrap();
    }
    assert_eq!(node.states().matches("past").count(), 20, "{}", node.states());

    // Everything is young: nothing is taken but the releases.
    assert_eq!(node.names("blobs/sha256").len(), before[0].len() + 3);
    assert_eq!(node.names("layers"), before[1]);
    node.kill();
    let ready = node.place.dae(["node", "serve", "--json", "--dir", "node", "--keep-unused", "0s"]).spawn();
    node.took_over(ready);
    let collected = node.collected();
    assert_eq!(node.says(), was("says 2", "r23"));
    let left = node.names("blobs/sha256");
    let hex = |value: &serde_json::Value| value["digest"].as_str().unwrap().trim_start_matches("sha256:").to_owned();
    assert!(!left.contains(&hex(&loose)) && left.contains(&hex(&config)), "{left:?}");
    assert_eq!(node.names("apps/daetest/releases"), [image.trim_start_matches("sha256:").to_owned()].into());
    // Two images, two times the code, the release's facts, and what was loose: all of it and no more.
    assert_eq!(collected["blobs"], before[0].len() + 3 - left.len(), "{collected}");
    assert!(left.len() < before[0].len(), "{collected}");
    assert!(node.names("layers").len() < before[1].len());
    assert_eq!(node.names("sites").len(), 1);

    // What is left is whole: a rollback, a repeated push and a new release work, and nothing is said to be there that is not.
    node.add_remote();
    let back = node.place.dae(["rollback", "--json"]).dir("daetest").ok().json();
    assert_eq!(back["release"], "r24");
    node.place.write("daetest/extra.txt", "number 0");
    node.deploy("says 0");
    assert_eq!(node.says(), was("says 0", "r25"));
    let gone = node.ask(
        "POST",
        "/dae/v1/apps/daetest/releases",
        &[],
        &json!({ "image": digest(b"x") }).to_string().into_bytes(),
    );
    assert_eq!(gone.status, 422);
    // Once more over the same folder, which was killed while it took things away.
    node.kill();
    std::fs::create_dir_all(node.place.path("node/layers/.making-gone/x")).unwrap();
    node.serve();
    assert_eq!(node.says(), was("says 0", "r25"));
    assert!(!node.names("layers").contains(".making-gone"));
}
