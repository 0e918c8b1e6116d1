//! How the apps of a node are kept apart: what this machine offers for it, and what of it each app's processes get.
//!
//! Theory of operation. Every app has a number, kept in the store. Where the node is root, and others than root can get to the
//! node's folders, the app's processes run as a user of their own with that number. In any case they carry the number where they
//! cannot change it, see their app's files and the system's alone (landlock), and are refused what reaches into others
//! (seccomp); see `supervisor::confine`. Their services ask who connects. Where the node may make control groups every app has one,
//! with its ceilings (`supervisor::groups`). What no ceiling of the kernel holds back, `watch` does.

mod config;
mod folders;
mod watch;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sha2::{Digest as _, Sha256};

pub use config::{Apart, Limits};
pub use folders::give_secrets;
pub use watch::Over;

use super::assemble::Assembled;
use crate::app::AppName;
use crate::node::Settings;
use crate::problem::{Doing as _, Result};
use crate::supervisor::confine::{self, Confinement, Files, Owner};
use crate::supervisor::groups::{Groups, Met};

/// What keeps the apps of this node apart.
#[derive(Debug)]
pub struct Isolation {
    dir: PathBuf,
    /// The first app's user; none: all apps are the node's own.
    first_user: Option<u32>,
    /// What its apps' numbers are counted from where they are one user: another node's apps may be the same one.
    first_number: u32,
    landlock: i32,
    groups: Option<Groups>,
    apart: Apart,
    limits: Limits,
    of_apps: BTreeMap<AppName, Limits>,
    /// What is missing, and why.
    lacks: Vec<String>,
}

/// From here on the kernel keeps signals and abstract sockets apart.
const SCOPES: i32 = 6;
/// Whether the processor is shared by session: see sched(7).
const AUTOGROUP: &str = "/proc/sys/kernel/sched_autogroup_enabled";

impl Isolation {
    /// Looks at the machine, and opens the node's folders to the apps' users as far as they need it.
    pub fn open(dir: &Path, config: &super::Config, settings: &Settings) -> Result<Self> {
        folders::tidy(dir);
        let mut lacks = Vec::new();
        let first_user = match Self::users(dir, config, settings)? {
            Ok(first) => Some(first),
            Err(why) => {
                lacks.push(format!("users of their own: {why}"));
                None
            }
        };
        let landlock = if config.isolation.files { confine::landlock() } else { 0 };
        if landlock == 0 {
            let why = if config.isolation.files { "the kernel has no landlock" } else { "node.yaml says so" };
            lacks.push(format!("files out of reach: {why}"));
        } else if landlock < SCOPES && first_user.is_none() {
            lacks.push(format!("signals: the kernel's landlock is version {landlock}, and {SCOPES} keeps them apart"));
        }
        let groups = if config.isolation.groups { Groups::take() } else { Err("node.yaml says so".into()) };
        let groups = groups.map_err(|why| lacks.push(format!("control groups: {why}"))).ok();
        let is_held = |name| groups.as_ref().is_some_and(|groups| groups.controllers().contains(&name));
        if !is_held("cpu") {
            let mut all = [config.limits].into_iter().chain(config.apps.values().copied());
            if all.any(|limits| limits.cpu.is_some()) {
                lacks.push("limit of `cpu`, which wants control groups".into());
            }
            if fs::read_to_string(AUTOGROUP).is_ok_and(|on| on.trim() == "0") {
                lacks.push("even shares of the processor: the kernel shares it by process".into());
            }
        }
        let config = config.clone();
        Ok(Self {
            dir: dir.to_owned(),
            first_user,
            first_number: first_number(dir)?,
            landlock,
            groups,
            apart: config.isolation,
            limits: config.limits,
            of_apps: config.apps,
            lacks,
        })
    }

    fn users(dir: &Path, config: &super::Config, settings: &Settings) -> Result<Result<u32, String>> {
        if !config.isolation.users {
            return Ok(Err("node.yaml says so".into()));
        }
        if !nix::unistd::getuid().is_root() {
            return Ok(Err("the node is not root".into()));
        }
        // The folder it is in is dae's own, and will be opened.
        let run = settings.run_dir.parent().unwrap_or(&settings.run_dir);
        if let Some(closed) = [dir, run].iter().find_map(|folder| folders::closed(folder)) {
            return Ok(Err(format!("`{}` is closed to other users", closed.display())));
        }
        folders::open(dir, &[run, &settings.run_dir])?;
        Ok(Ok(config.isolation.first_user))
    }

    /// `own users, landlock, seccomp`.
    pub fn has(&self) -> Vec<String> {
        let users = self.first_user.map(|_| "own users".to_owned());
        let files = (self.landlock > 0).then(|| "landlock".to_owned());
        let calls = cfg!(target_os = "linux").then(|| "seccomp".to_owned());
        let groups = self.groups.as_ref().map(|groups| format!("control groups ({})", groups.controllers().join(", ")));
        users.into_iter().chain(files).chain(calls).chain(groups).collect()
    }

    /// What is missing, and why.
    pub fn lacks(&self) -> &[String] {
        &self.lacks
    }

    /// The user of the app with that number.
    pub fn user(&self, number: u32) -> Option<u32> {
        self.first_user.map(|first| first + number)
    }

    /// What the processes of the app with that number are known by.
    pub fn owner(&self, number: u32) -> Owner {
        self.user(number).map_or_else(|| Owner::Number(self.mark(number)), Owner::User)
    }

    fn mark(&self, number: u32) -> u32 {
        self.first_number.saturating_add(number)
    }

    /// Whether the app's processes can get there.
    pub fn reaches(&self, path: &Path) -> bool {
        self.first_user.is_none() || folders::closed(path).is_none()
    }

    pub fn limits(&self, app: &AppName) -> Limits {
        self.of_apps.get(app).map_or(self.limits, |own| own.or(self.limits)).usual(&self.dir)
    }

    /// What the processes of `app` may do, with their folders made ready for it. `python` is their interpreter.
    pub fn confine(
        &self,
        app: &AppName,
        number: u32,
        assembled: &Assembled,
        python: &Path,
        settings: &Settings,
    ) -> Result<Arc<Confinement>> {
        let own = self.dir.join("apps").join(app.as_str());
        let user = self.user(number);
        folders::prepare(&own, &settings.app_run_dir(app), user)?;
        let files = (self.landlock > 0).then(|| Files {
            read: [&assembled.site, &assembled.runtime, &own.join("releases")]
                .into_iter()
                .chain(&settings.offering.notices)
                .cloned()
                .chain(around(python))
                .chain(self.apart.read.iter().cloned())
                .collect(),
            write: Self::writable(&own).into_iter().chain(self.apart.write.iter().cloned()).collect(),
            run: vec![settings.app_run_dir(app)],
        });
        let limits = self.limits(app);
        let group = |groups: &Groups| groups.group(app.as_str(), limits.of_group());
        let cgroup = self.groups.as_ref().map(group).transpose();
        let cgroup = cgroup.doing(|| format!("make the control group of `{app}`"))?;
        let limits = confine::Limits {
            memory: limits.memory.map(|bytes| bytes.0),
            // Those of another user are not counted along.
            processes: limits.processes.filter(|_| user.is_some()).map(u64::from),
            file: limits.disk.map(|bytes| bytes.0),
        };
        Ok(Arc::new(Confinement { number: self.mark(number), user, files, limits, cgroup }))
    }

    /// To be called when the apps have ended.
    pub fn end(&self) {
        self.groups.iter().for_each(Groups::clear);
    }

    /// How often the kernel has held `app` back.
    fn met(&self, app: &AppName) -> Met {
        self.groups.as_ref().map(|groups| groups.met(app.as_str())).unwrap_or_default()
    }

    /// Where an app may write.
    fn writable(own: &Path) -> [PathBuf; 3] {
        // The folder for permanent files may be anywhere: it is a link then.
        [folders::PERMDIR, folders::TMP, folders::CACHE].map(|name| own.join(name))
    }

    /// What an app is told, so that its processes write where they may and look for programs where they may go.
    pub fn environment(&self, app: &AppName, confine: &Confinement, settings: &Settings) -> [(String, String); 5] {
        let own = self.dir.join("apps").join(app.as_str());
        let path = |name: &str| own.join(name).to_string_lossy().into_owned();
        [
            ("HOME".into(), path(folders::TMP)),
            ("PYTHONPYCACHEPREFIX".into(), path(folders::CACHE)),
            ("TMPDIR".into(), path(folders::TMP)),
            ("USER".into(), app.to_string()),
            ("PATH".into(), self.programs(confine, settings)),
        ]
    }
}

impl Isolation {
    /// `PATH` without the folders that are closed: one of them would hide that a program is nowhere.
    fn programs(&self, confine: &Confinement, settings: &Settings) -> String {
        let path = settings.inherited.iter().find(|(name, _)| name == "PATH").map_or("", |(_, path)| path);
        let open = |folder: &&str| {
            let Ok(real) = Path::new(folder).canonicalize() else { return false };
            let known = confine.files.as_ref().map(|files| files.read.iter().chain(&files.write));
            let of_system = ["/bin", "/nix/store", "/sbin", "/usr"].iter().any(|known| real.starts_with(known));
            let may_read = of_system || known.is_none_or(|mut known| known.any(|known| real.starts_with(known)));
            may_read && self.reaches(&real.join("program"))
        };
        path.split(':').filter(open).collect::<Vec<_>>().join(":")
    }
}

/// The same whenever the node of that folder is started; of another folder on this machine it is another one.
fn first_number(dir: &Path) -> Result<u32> {
    let dir = dir.canonicalize().doing(|| format!("look at `{}`", dir.display()))?;
    let hash = Sha256::digest(dir.as_os_str().as_bytes());
    // Half of what there is, so that no count comes to the end.
    Ok(u32::from_be_bytes([hash[0], hash[1], hash[2], hash[3]]) >> 1)
}

/// The installation an interpreter is of: what it is a link to, `bin` and `lib` beside each other.
fn around(python: &Path) -> Vec<PathBuf> {
    let real = python.canonicalize().unwrap_or_else(|_| python.to_owned());
    let roots = [python, &real].map(|python| python.parent().and_then(Path::parent).map(Path::to_owned));
    let roots = roots.into_iter().flatten().filter(|root| root.parent().is_some());
    // Where Debian keeps what its Python begins with.
    let settings = real.file_name().map(|name| Path::new("/etc").join(name));
    roots.chain(settings).collect()
}
