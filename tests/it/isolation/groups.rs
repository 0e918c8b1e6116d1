//! Control groups: where this machine has controllers of version 2, a node in a group of its own holds its apps by them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{LEFT, LIMITS, Mode, Pair, RIGHT};

/// A group for one node; gone with this.
struct Home {
    group: PathBuf,
    controllers: Vec<String>,
}

impl Home {
    /// None, and said why, where none with controllers can be made.
    fn new() -> Option<Self> {
        let skipped = |why: &str| {
            // No machine has to have it: most containers do not.
            println!("skipped: {why}");
            None
        };
        if !nix::unistd::getuid().is_root() {
            return skipped("only root can make control groups for a test");
        }
        let mounts = fs::read_to_string("/proc/mounts").unwrap();
        let mount = mounts.lines().map(|line| line.split(' ').collect::<Vec<_>>()).find(|line| line[2] == "cgroup2");
        let Some(top) = mount.map(|line| PathBuf::from(line[1])) else { return skipped("cgroup2 is not mounted") };
        let here = fs::read_to_string(top.join("cgroup.controllers")).unwrap_or_default();
        let group = top.join(format!("dae-it-{}", std::process::id()));
        if let Err(error) = fs::create_dir(&group) {
            return skipped(&format!("no group can be made in {}: {error}", top.display()));
        }
        for name in here.split_whitespace().filter(|name| ["cpu", "memory", "pids"].contains(name)) {
            // What the machine does not let go of is not there below.
            let _ = fs::write(top.join("cgroup.subtree_control"), format!("+{name}"));
        }
        let given = fs::read_to_string(group.join("cgroup.controllers")).unwrap_or_default();
        let mut controllers: Vec<_> = given.split_whitespace().map(str::to_owned).collect();
        controllers.retain(|name| ["cpu", "memory", "pids"].contains(&name.as_str()));
        let home = Self { group, controllers };
        if home.controllers.is_empty() {
            return skipped(&format!("{} gives no controllers on; it has `{}`", top.display(), here.trim()));
        }
        if Path::new("/run/systemd/system").exists() {
            // As systemd says `Delegate=yes`.
            let said = Command::new("python3")
                .args(["-c", "import os, sys; os.setxattr(sys.argv[1], 'trusted.delegate', b'1')"])
                .arg(&home.group)
                .status();
            assert!(said.unwrap().success());
        }
        Some(home)
    }

    fn has(&self, controller: &str) -> bool {
        self.controllers.iter().any(|name| name == controller)
    }

    fn read(&self, below: &str) -> String {
        fs::read_to_string(self.group.join(below)).unwrap_or_else(|error| panic!("{below}: {error}"))
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        for below in ["dae-apps/left", "dae-apps/right", "dae-apps", "dae-node", ""] {
            let _ = fs::remove_dir(self.group.join(below));
        }
    }
}

#[test]
fn the_kernel_holds_what_an_app_takes_by_its_control_group() {
    let Some(home) = Home::new() else { return };
    let limits = LIMITS.replace("{processes", "{cpu: 0.5, processes");
    let join = "echo $$ > \"$0\"/cgroup.procs && exec \"$@\"";
    let pair = Pair::with(Mode::Root, &limits, |place| {
        let node = [env!("CARGO_BIN_EXE_dae"), "node", "serve", "--dir", "node"];
        place.command("sh", ["-c", join, home.group.to_str().unwrap()].into_iter().chain(node))
    });
    let mut pair = pair.unwrap();
    let held = format!("control groups ({})", home.controllers.join(", "));
    assert!(pair.node.said().contains(&held), "{held}: {}", pair.node.said());
    pair.app("right", RIGHT, "");
    pair.app("left", LEFT, "");
    let procs = |group: &str| home.read(&format!("{group}/cgroup.procs"));
    let number = pair.place.read("node/lock");
    assert!(procs("dae-node").lines().any(|pid| pid == number.trim()), "{number}: {}", procs("dae-node"));
    let ps = pair.dae("left", &["ps", "--json"]).ok().json();
    let web =
        ps["processes"].as_array().unwrap().iter().find(|one| one["process"] == "web").unwrap()["pid"].to_string();
    assert!(procs("dae-apps/left").lines().any(|pid| pid == web), "{web}: {}", procs("dae-apps/left"));
    assert!(!procs("dae-apps/right").lines().any(|pid| pid == web));

    let greedy = |what: &str| {
        let run = pair.dae("left", &["run", "--remote", "prod", "--", "attack.py", "greedy", what]).run();
        format!("{} {}", run.code, run.stdout.trim())
    };
    if home.has("cpu") {
        assert_eq!(home.read("dae-apps/left/cpu.max"), "50000 100000\n");
        assert_eq!(greedy("spin"), "0 spun");
        let stat = home.read("dae-apps/left/cpu.stat");
        let throttled = stat.lines().find_map(|line| line.strip_prefix("nr_throttled "));
        assert!(throttled.unwrap().parse::<u64>().unwrap() > 0, "{stat}");
        assert_eq!(pair.says("right", "/"), "right is well");
    }
    let (mut forks, mut memory) = (None, None);
    if home.has("pids") {
        // Without a user of its own nothing else refuses it.
        forks = Some(greedy("forks"));
        assert_eq!(pair.says("right", "/"), "right is well");
    }
    if home.has("memory") {
        assert_eq!(home.read("dae-apps/left/memory.max"), format!("{}\n", 256 << 20));
        memory = Some(greedy("together"));
        assert_eq!(pair.says("right", "/"), "right is well");
    }
    if let Some(forks) = forks {
        assert_eq!(forks, "0 refused: BlockingIOError");
        pair.node.until("were not started");
    }
    if let Some(memory) = memory {
        assert_eq!(memory, "0 ended by 9");
        pair.node.until("of its processes are ended");
    }
    assert_eq!(pair.says("left", "/"), "left is well");
    assert_eq!(pair.node.stop().code, 0);
    assert!(!home.group.join("dae-apps").exists());
}
