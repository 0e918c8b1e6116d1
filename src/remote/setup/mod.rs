//! A machine becomes a node: what is there is looked at, and what is missing is done. Done twice, the second time finds all of it.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;
use std::process::Stdio;

use super::ssh::{Asks, Machine, quoted};
use crate::packaging::Digest;
use crate::problem::{Doing as _, Problem, Result};

/// What is wanted there.
pub struct Wanted<'a> {
    pub machine: &'a Machine,
    pub asks: Asks,
    /// dae itself, here.
    pub ours: &'a Path,
    /// Where it goes there.
    pub program: &'a str,
    /// The node's folder there.
    pub dir: &'a str,
    pub domain: &'a str,
    pub listen: &'a str,
}

/// A step that changed something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    Copied,
    Made,
    WroteUnit,
    Started,
    Restarted,
    /// The new program runs the node, and the apps ran on.
    Upgraded,
}

/// What came of it.
pub struct SetUp {
    pub steps: Vec<Step>,
    /// Of the node that was made, or one more where one was wanted.
    pub token: Option<String>,
    /// The node comes back with the machine.
    pub lasts: bool,
}

/// What was found there.
#[derive(Debug, PartialEq, Eq)]
struct Found {
    /// What makes a command root's: `sudo -n`, or nothing.
    before: &'static str,
    may: bool,
    has_systemd: bool,
    platform: String,
    program: String,
    is_node: bool,
}

/// Sets it up. A token is asked for where `needs_token`, and given in any case for a node that is made.
pub fn set_up(wanted: &Wanted, needs_token: bool, tell: &dyn Fn(Step)) -> Result<SetUp> {
    let found = Found::read(&wanted.shell("", include_str!("look.sh"), Stdio::null())?);
    found.check(wanted)?;
    let mut steps = Vec::new();
    let mut done = |step: Step| {
        tell(step);
        steps.push(step);
    };
    let ours = std::fs::read(wanted.ours).doing(|| format!("read `{}`", wanted.ours.display()))?;
    let mut changed = "";
    if found.program != Digest::of(&ours).hex() {
        let ours = File::open(wanted.ours).doing(|| format!("open `{}`", wanted.ours.display()))?;
        wanted.shell(found.before, include_str!("copy.sh"), ours.into()).map_err(|problem| {
            problem.hint(format!("dae is made for {} with the GNU C library, as new as here or newer", platform()))
        })?;
        changed = "yes";
        done(Step::Copied);
    }
    let mut token = None;
    if needs_token || !found.is_node {
        let made = wanted.shell(found.before, include_str!("make.sh"), Stdio::null())?;
        let made: serde_json::Value = serde_json::from_str(made.trim()).unwrap_or_default();
        token = made["token"].as_str().map(str::to_owned);
        if !found.is_node {
            done(Step::Made);
        }
    }
    let start = if found.has_systemd { include_str!("systemd.sh") } else { include_str!("by_hand.sh") };
    let said = told(&wanted.shell(found.before, &format!("changed={changed}\n{start}"), Stdio::null())?);
    if said.contains_key("unit") {
        done(Step::WroteUnit);
    }
    match said.get("started").map(String::as_str) {
        Some("again") => done(Step::Restarted),
        Some("upgraded") => done(Step::Upgraded),
        Some(_) => done(Step::Started),
        None => {}
    }
    Ok(SetUp { steps, token, lasts: found.has_systemd })
}

impl Wanted<'_> {
    fn shell(&self, before: &str, script: &str, input: Stdio) -> Result<String> {
        let Self { machine, asks, program, dir, domain, listen, .. } = self;
        let names = [("program", program), ("dir", dir), ("domain", domain), ("listen", listen)];
        let names = names.map(|(name, value)| format!("{name}={}\n", quoted(value))).concat();
        machine.run(before, &(names + script), input, *asks)
    }
}

impl Found {
    fn read(text: &str) -> Self {
        let told = told(text);
        let get = |name: &str| told.get(name).cloned().unwrap_or_default();
        let has_systemd = told.contains_key("systemd");
        Self {
            before: if get("power") == "sudo" { "sudo -n" } else { "" },
            may: told.contains_key("power") || (told.contains_key("writable") && !has_systemd),
            has_systemd,
            platform: format!("{} {}", get("system"), get("machine")),
            program: get("program"),
            is_node: told.contains_key("node"),
        }
    }

    /// Before anything is copied.
    fn check(&self, wanted: &Wanted) -> Result<()> {
        let Wanted { machine, program, dir, .. } = wanted;
        if self.platform != platform() {
            return Err(Problem::new("remote.platform", format!("dae would not run at {machine}"))
                .because(format!("it is {}, and this dae is made for {}", self.platform, platform()))
                .hint("run the dae that is made for it there: `dae node init`, then `dae remote add`"));
        }
        if !self.may {
            return Err(Problem::new("remote.permission", format!("you may not set up a node at {machine}"))
                .because(format!("that needs root there, or at least to write `{program}` and `{dir}`"))
                .hint("sign in as root, or as somebody whose `sudo` asks for no password")
                .hint("where there is no systemd, `--program` and `--dir` in folders of your own do too"));
        }
        Ok(())
    }
}

/// As `uname -s -m` has it.
fn platform() -> String {
    format!("Linux {}", std::env::consts::ARCH)
}

/// `name=value`, a line each.
fn told(text: &str) -> BTreeMap<String, String> {
    let pairs = text.lines().filter_map(|line| line.split_once('='));
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(text: &str) -> &'static str {
        let machine = Machine::parse("ssh://me@box").unwrap();
        let (asks, ours) = (Asks::Nothing, Path::new("/dae"));
        let wanted = Wanted { machine: &machine, asks, ours, program: "/p", dir: "/d", domain: "x", listen: ":1" };
        let arch = format!("machine={}\n", std::env::consts::ARCH);
        match Found::read(&text.replace("machine=ours\n", &arch)).check(&wanted) {
            Ok(()) => "good",
            Err(problem) if problem.code == "remote.platform" => "platform",
            Err(_) => "permission",
        }
    }

    #[test]
    fn what_is_found_decides_before_anything_is_copied() {
        for (text, wanted) in [
            ("power=root\nsystem=Linux\nmachine=ours\nsystemd=yes\n", "good"),
            ("power=sudo\nsystem=Linux\nmachine=ours\nsystemd=yes\n", "good"),
            ("system=Linux\nmachine=ours\nsystemd=yes\nwritable=yes\n", "permission"),
            ("system=Linux\nmachine=ours\nwritable=yes\n", "good"),
            ("system=Linux\nmachine=ours\n", "permission"),
            ("power=root\nsystem=Linux\nmachine=riscv64\n", "platform"),
            ("power=root\nsystem=FreeBSD\nmachine=ours\n", "platform"),
            ("", "platform"),
        ] {
            assert_eq!(verdict(text), wanted, "{text}");
        }
    }
}
