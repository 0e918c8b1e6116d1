//! Control groups of version 2: what processes take together is held by the kernel, where this process may make groups. Knows
//! no apps. See cgroups(7) and the kernel's admin-guide/cgroup-v2.rst.
//!
//! Theory of operation. But for the root, a group whose controllers go to the groups below it holds no processes itself. So who
//! works here goes to `dae-node`, and beside that is `dae-apps`, in which every name has its group:
//!
//! ```text
//! HOME/dae-node         the node, its guardian, its services
//! HOME/dae-apps/NAME    what is held
//! ```
//!
//! When both want the processor the two have half of it each, however many groups the second one has, and those share theirs
//! evenly. HOME is the group this process was started in. In the root, where there is no systemd, the node stays where it is.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::guardian;

/// What is asked for, where it is there.
const CONTROLLERS: [&str; 3] = ["cpu", "memory", "pids"];
const NODE: &str = "dae-node";
const APPS: &str = "dae-apps";
/// A quota of the processor is of so many microseconds.
const PERIOD: u64 = 100_000;

/// The groups that this process may make.
#[derive(Debug)]
pub struct Groups {
    apps: PathBuf,
    controllers: Vec<&'static str>,
}

/// What the processes of one group may take together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Ceilings {
    /// In bytes.
    pub memory: Option<u64>,
    /// Threads among them.
    pub processes: Option<u64>,
    /// In thousandths of a processor.
    pub cpu: Option<u64>,
}

/// How often a ceiling was met since the group was made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Met {
    /// Processes that were ended for want of memory.
    pub ended: u64,
    /// Processes and threads that were not started.
    pub refused: u64,
}

impl Groups {
    /// Makes this process's group one that has groups; else why that cannot be.
    pub fn take() -> Result<Self, String> {
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let (mounts, groups) = (read("/proc/self/mountinfo"), read("/proc/self/cgroup"));
        let own = place(&mounts, &groups).ok_or("cgroup2 is not mounted")?;
        let has_systemd = Path::new("/run/systemd/system").exists();
        // A node that starts the next one is in its own group already.
        let home = if own.ends_with(NODE) { own.parent().unwrap_or(&own) } else { &own };
        Self::below(home, has_systemd)
    }

    fn below(home: &Path, has_systemd: bool) -> Result<Self, String> {
        let here = words(&home.join("cgroup.controllers"));
        let mut controllers = CONTROLLERS.to_vec();
        controllers.retain(|name| here.iter().any(|found| found == name));
        if controllers.is_empty() {
            return Err(format!("`{}` has no controllers of cpu, memory and pids", home.display()));
        }
        let is_delegated = is_delegated(home);
        if has_systemd && !is_delegated {
            return Err(format!("systemd has not given `{}` away: `Delegate=yes` in the unit does", home.display()));
        }
        let is_root = !home.join("cgroup.type").exists();
        // The guardian's number: whoever takes this process's place has the same one.
        let apps = if is_root {
            home.join(format!("{APPS}-{}", std::os::unix::process::parent_id()))
        } else {
            home.join(APPS)
        };
        let work = || -> io::Result<Vec<&'static str>> {
            tidy(home);
            make(&apps)?;
            if !is_root {
                let node = home.join(NODE);
                make(&node)?;
                empty(home, &node, is_delegated)?;
            }
            give(home, &controllers);
            give(&apps, &controllers);
            let given = words(&apps.join("cgroup.subtree_control"));
            controllers.retain(|name| given.iter().any(|found| found == name));
            Ok(controllers)
        };
        let why = match work() {
            Ok(controllers) if !controllers.is_empty() => return Ok(Self { apps, controllers }),
            Ok(_) => format!("`{}` gives no controllers on", home.display()),
            Err(error) => format!("`{}`: {error}", home.display()),
        };
        // What could be made is of no use then.
        let _ = (fs::remove_dir(&apps), fs::remove_dir(home.join(NODE)));
        Err(why)
    }

    /// `cpu`, `memory`, `pids`, as far as they are held.
    pub fn controllers(&self) -> &[&'static str] {
        &self.controllers
    }

    /// The group of that name, with these ceilings. What no controller is here for is passed over.
    pub fn group(&self, name: &str, ceilings: Ceilings) -> io::Result<PathBuf> {
        let group = self.apps.join(name);
        make(&group)?;
        let Ceilings { memory, processes, cpu } = ceilings;
        let or_max = |most: Option<u64>| most.map_or_else(|| "max".to_owned(), |most| most.to_string());
        let quota = or_max(cpu.map(|thousandths| thousandths * PERIOD / 1000));
        for (file, value) in [
            ("memory.max", or_max(memory)),
            // What does not fit is ended, and does not slow the machine down.
            ("memory.swap.max", memory.map_or_else(|| "max".to_owned(), |_| "0".to_owned())),
            ("pids.max", or_max(processes)),
            ("cpu.max", format!("{quota} {PERIOD}")),
        ] {
            match put(&group.join(file), &value) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        Ok(group)
    }

    /// Takes all groups away in which nothing runs.
    pub fn clear(&self) {
        clear(&self.apps);
    }

    /// What has happened in the group of that name.
    pub fn met(&self, name: &str) -> Met {
        let count = |file: &str, key: &str| {
            let text = fs::read_to_string(self.apps.join(name).join(file)).unwrap_or_default();
            counted(&text, key)
        };
        Met { ended: count("memory.events", "oom_kill"), refused: count("pids.events", "max") }
    }
}

/// The folder of this process's group, from `/proc/self/mountinfo` and `/proc/self/cgroup`.
fn place(mounts: &str, groups: &str) -> Option<PathBuf> {
    let own = groups.lines().find_map(|line| line.strip_prefix("0::"))?;
    // See proc_pid_mountinfo(5): what is mounted, and where, are the fourth and the fifth field; the kind stands behind a hyphen.
    let mut mounted = mounts.lines().filter_map(|line| {
        let (before, after) = line.split_once(" - ")?;
        let mut fields = before.split(' ').skip(3);
        let (root, at) = (fields.next()?, fields.next()?);
        (after.split(' ').next()? == "cgroup2").then_some((root, at))
    });
    let below = |(root, at): (&str, &str)| {
        let rest = Path::new(own).strip_prefix(root).ok()?;
        // Joined with nothing, a path would end in a slash.
        Some(if rest.as_os_str().is_empty() { at.into() } else { Path::new(at).join(rest) })
    };
    mounted.find_map(below)
}

/// Whether systemd says that it leaves what is below `group` to those in it; see systemd.resource-control(5).
#[cfg(target_os = "linux")]
fn is_delegated(group: &Path) -> bool {
    use std::ffi::CString;
    use std::os::unix::ffi::OsStrExt as _;

    use nix::libc;
    let Ok(path) = CString::new(group.as_os_str().as_bytes()) else { return false };
    [c"user.delegate", c"trusted.delegate"].into_iter().any(|name| {
        let mut value = [0_u8; 1];
        // SAFETY: both texts end in NUL, and at most the one byte of `value` is written to.
        let length = unsafe { libc::getxattr(path.as_ptr(), name.as_ptr(), value.as_mut_ptr().cast(), value.len()) };
        length == 1 && value == *b"1"
    })
}

#[cfg(not(target_os = "linux"))]
fn is_delegated(_: &Path) -> bool {
    false
}

/// Gives `controllers` to the groups below `group`; what it cannot, it does not have.
fn give(group: &Path, controllers: &[&str]) {
    for name in controllers {
        // What came of it is looked up afterwards.
        let _ = put(&group.join("cgroup.subtree_control"), &format!("+{name}"));
    }
}

/// Moves the processes of `group` to `to`: all of them where it is delegated, else this one and its guardians, and no other may be there.
fn empty(group: &Path, to: &Path, is_delegated: bool) -> io::Result<()> {
    let mut ours = vec![std::process::id().to_string(), std::os::unix::process::parent_id().to_string()];
    ours.extend(guardian::guardians().iter().map(ToString::to_string));
    // One that starts another while it is moved has it stay behind.
    for _ in 0..10 {
        let here = words(&group.join("cgroup.procs"));
        if here.is_empty() {
            return Ok(());
        }
        if let Some(other) = here.iter().find(|pid| !is_delegated && !ours.contains(pid)) {
            return Err(io::Error::other(format!("the process {other} is there too")));
        }
        for pid in &here {
            match put(&to.join("cgroup.procs"), pid) {
                Err(error) if error.raw_os_error() != Some(nix::libc::ESRCH) => return Err(error),
                _ => {}
            }
        }
    }
    Err(io::Error::other("its processes do not leave it"))
}

/// Takes away what nodes have left that were killed; what has processes stays.
fn tidy(home: &Path) {
    for entry in fs::read_dir(home).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let left = name.to_str().and_then(|name| name.strip_prefix(APPS)).is_some_and(|rest| {
            rest.is_empty() || rest.strip_prefix('-').is_some_and(|pid| !Path::new("/proc").join(pid).exists())
        });
        if left {
            clear(&entry.path());
        }
    }
}

/// Takes a group away, with those below it, as far as nothing runs in them.
fn clear(group: &Path) {
    for entry in fs::read_dir(group).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            // Its files go with it.
            let _ = fs::remove_dir(entry.path());
        }
    }
    let _ = fs::remove_dir(group);
}

fn make(group: &Path) -> io::Result<()> {
    match fs::create_dir(group) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        made => made,
    }
}

/// Writes to a file that is there.
fn put(file: &Path, text: &str) -> io::Result<()> {
    io::Write::write_all(&mut fs::File::options().write(true).open(file)?, text.as_bytes())
}

fn words(file: &Path) -> Vec<String> {
    let text = fs::read_to_string(file).unwrap_or_default();
    text.split_whitespace().map(str::to_owned).collect()
}

/// Of a file with a name and a number a line.
fn counted(text: &str, key: &str) -> u64 {
    let number = |line: &str| line.strip_prefix(key)?.strip_prefix(' ')?.parse().ok();
    text.lines().find_map(number).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_own_group_is_found() {
        let at = |mounts: &str, groups: &str| place(mounts, groups).map(|path| path.to_string_lossy().into_owned());
        let line = |root: &str, at: &str, kind: &str| {
            format!("30 24 0:26 {root} {at} rw,nosuid shared:9 - {kind} cgroup2 rw,nsdelegate\n")
        };
        let unified = line("/", "/sys/fs/cgroup", "cgroup2");
        assert_eq!(at(&unified, "0::/system.slice/dae.service\n").unwrap(), "/sys/fs/cgroup/system.slice/dae.service");
        assert_eq!(at(&unified, "0::/\n").unwrap(), "/sys/fs/cgroup");
        // Beside hierarchies of version 1.
        let hybrid = line("/", "/sys/fs/cgroup/cpu", "cgroup") + &line("/", "/sys/fs/cgroup/unified", "cgroup2");
        assert_eq!(at(&hybrid, "3:cpu:/\n0::/a\n").unwrap(), "/sys/fs/cgroup/unified/a");
        // A container that sees its part of the tree alone.
        let part = line("/docker/x", "/sys/fs/cgroup", "cgroup2");
        assert_eq!(at(&part, "0::/docker/x\n").unwrap(), "/sys/fs/cgroup");
        assert_eq!(at(&part, "0::/docker/y\n"), None);
        assert_eq!(at(&line("/", "/sys/fs/cgroup", "tmpfs"), "0::/\n"), None);
        assert_eq!(at(&unified, "3:cpu:/\n"), None);
    }

    #[test]
    fn without_controllers_there_are_no_groups() {
        let folder = tempfile::tempdir().unwrap();
        let refused = |has_systemd| Groups::below(folder.path(), has_systemd).unwrap_err();
        assert!(refused(false).ends_with("has no controllers of cpu, memory and pids"));
        fs::write(folder.path().join("cgroup.controllers"), "cpuset cpu io memory pids\n").unwrap();
        assert!(refused(true).ends_with("`Delegate=yes` in the unit does"));
        // A plain folder gives nothing on.
        assert!(refused(false).ends_with("gives no controllers on"));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn events_are_counted() {
        let text = "low 0\nhigh 0\nmax 17\noom 2\noom_kill 1\noom_group_kill 0\n";
        assert_eq!((counted(text, "oom_kill"), counted(text, "max"), counted(text, "none")), (1, 17, 0));
    }
}
