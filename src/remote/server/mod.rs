//! A node as a remote: registry, releases, control API, tokens.
//!
//! Theory of operation. Requests for the node's own name come through [`Front`](crate::gateway::Front) to an axum router; all
//! others are the apps'. What is acknowledged is in the `store` or among the `blobs` before the answer goes out. A release
//! is one task of the node's own: it tells its story into the store, and whoever wants to hear it reads it there, so a client
//! that has gone strands nothing and one that comes back misses nothing.

mod access;
mod assemble;
pub mod auth;
mod backends;
mod blobs;
mod caller;
mod changes;
mod collect;
mod command;
mod config;
mod console;
mod control;
mod cron;
mod disk;
mod front;
pub mod headers;
mod hosting;
mod isolation;
mod kept;
mod login;
mod logs;
mod mailer;
mod maintenance;
mod observers;
mod pages;
mod plan;
mod platforms;
mod processes;
mod queues;
mod refusal;
mod registry;
mod releases;
pub mod render;
mod runs;
mod secret;
mod settings;
mod store;
mod succession;
pub mod tls;
mod traffic;
mod unseen;

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard};
use std::time::Duration;

use tokio::sync::mpsc;

use access::AccessLog;
use backends::{Backends, MailServer};
use blobs::Blobs;
pub use config::{Config, Listen};
use disk::Disk;
pub use front::NodeFront;
pub use hosting::host;
use login::Logins;

pub use backends::Change as BackendChange;
pub use collect::Collected;
pub use isolation::{Isolation, Over};
use maintenance::Closed;
use platforms::Platforms;
use releases::Releases;
pub use releases::Told;
use runs::Runs;
use store::Store;
pub use succession::{
    Answer, Asked, Asker, Inheritance, Predecessor, Succeeded, Upgraded, ask as ask_to_upgrade,
    listen as listen_for_upgrades,
};
use tls::Tls;

use crate::app::AppName;
use crate::node::{Node, Settings};
use crate::packaging::{Digest, Key};
use crate::problem::{Doing as _, Problem, Result};

/// A node's folder, held by one process.
pub struct Home {
    dir: PathBuf,
    pub config: Config,
    /// Let go when the process ends, however it ends.
    lock: std::fs::File,
}

/// What one node has and does.
pub struct Server {
    dir: PathBuf,
    domain: String,
    store: Store,
    blobs: Blobs,
    /// What it opens secrets with.
    key: Key,
    node: Arc<Node>,
    releases: Releases,
    runs: Runs,
    /// One release command of an app at a time.
    commands: Mutex<HashMap<AppName, Arc<tokio::sync::Mutex<()>>>>,
    platforms: Platforms,
    logins: Logins,
    access: AccessLog,
    closed: Closed,
    pub tls: Option<Tls>,
    pub isolation: Isolation,
    pub backends: Arc<Backends>,
    /// Held by those who count on what is on the disk and is not a release's yet.
    in_use: RwLock<()>,
    /// Where mail of the node's own goes; none: it stays with the app's.
    smtp: Option<MailServer>,
    /// How long what nothing leads to is kept.
    grace: Duration,
    /// Another process is to take over: nothing is changed here any more.
    leaving: AtomicBool,
}

const STORE: &str = "store.sqlite";
const LOCK: &str = "lock";

/// Makes a node's folder and its first token, which may do everything and is kept nowhere.
pub fn init(dir: &Path, config: &Config) -> Result<String> {
    use std::os::unix::fs::DirBuilderExt as _;
    if Config::path(dir).exists() {
        return Err(Problem::new("node.exists", format!("`{}` is a node already", dir.display()))
            .try_running(format!("dae node serve --dir {}", dir.display()))
            .hint(format!("for another token: `dae node token --dir {}`", dir.display())));
    }
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)
        .doing(|| format!("make the folder `{}`", dir.display()))?;
    let store = Store::create(&dir.join(STORE))?;
    secret::open(dir)?;
    let token = add_token(&store, &auth::Grant { app: None, can: vec![auth::Verb::Admin] })?;
    // Last: a folder is a node when this file is there.
    config.write(dir)?;
    Ok(token)
}

/// A new token for a node that may be running.
pub fn token(dir: &Path, grant: &auth::Grant) -> Result<String> {
    Config::read(dir)?;
    add_token(&Store::open(&dir.join(STORE))?, grant)
}

fn add_token(store: &Store, grant: &auth::Grant) -> Result<String> {
    let token = auth::new_token()?;
    store.add_token(&auth::hash(&token), grant)?;
    Ok(token)
}

impl Home {
    /// Takes the folder for this process.
    pub fn take(dir: &Path) -> Result<Self> {
        let config = Config::read(dir)?;
        let dir = dir.canonicalize().doing(|| format!("open the folder `{}`", dir.display()))?;
        let path = dir.join(LOCK);
        let mut lock = std::fs::OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .doing(|| format!("open `{}`", path.display()))?;
        if let Err(error) = patiently(&lock) {
            let mut pid = String::new();
            let _ = std::io::Read::read_to_string(&mut lock, &mut pid);
            let problem = Problem::new("node.running", format!("a node is running in `{}` already", dir.display()));
            return Err(match error {
                std::fs::TryLockError::WouldBlock => {
                    problem.because(format!("it is the process {}", pid.trim())).hint("stop it first, or use it")
                }
                std::fs::TryLockError::Error(error) => problem.because(error),
            });
        }
        let home = Self { dir, config, lock };
        home.note().doing(|| format!("write `{}`", path.display()))?;
        Ok(home)
    }

    /// For a process that is to take the place of the one which holds it, and is given its lock then.
    pub fn of_predecessor(dir: &Path) -> Result<Self> {
        let config = Config::read(dir)?;
        let dir = dir.canonicalize().doing(|| format!("open the folder `{}`", dir.display()))?;
        let path = dir.join(LOCK);
        let lock = std::fs::File::open(&path).doing(|| format!("open `{}`", path.display()))?;
        Ok(Self { dir, config, lock })
    }

    /// Writes down which process holds it.
    fn note(&self) -> std::io::Result<()> {
        use std::io::{Seek as _, Write as _};
        let mut lock = &self.lock;
        lock.set_len(0)?;
        lock.rewind()?;
        lock.write_all(format!("{}\n", std::process::id()).as_bytes())
    }

    pub fn log_dir(&self) -> PathBuf {
        self.dir.join("logs")
    }

    pub fn cron_dir(&self) -> PathBuf {
        self.dir.join("cron")
    }

    /// For [`Settings::run_dir`]: sockets have short paths only.
    pub fn name(&self) -> String {
        let digest = Digest::of(self.dir.as_os_str().as_encoded_bytes());
        format!("node-{}", &digest.hex()[..8])
    }
}

/// One that was killed this instant may hold the lock until the system has cleared it away.
fn patiently(lock: &std::fs::File) -> std::result::Result<(), std::fs::TryLockError> {
    let until = std::time::Instant::now() + Duration::from_secs(2);
    loop {
        match lock.try_lock() {
            Err(std::fs::TryLockError::WouldBlock) if std::time::Instant::now() < until => {
                std::thread::sleep(Duration::from_millis(10));
            }
            done => return done,
        }
    }
}

/// Who had the node's folder until now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Before {
    /// Nobody, or one that has ended.
    Nobody,
    /// Another process, which goes on for a while.
    Another,
}

impl Server {
    /// Opens what is in `home`; what was starting when it was last closed has failed. From now on requests to what was live
    /// wait for [`Server::bring_back`]. Call it inside a tokio runtime.
    pub fn open(
        home: &Home,
        node: Arc<Node>,
        grace: Duration,
        before: Before,
        tell: impl Fn(Told) + Send + Sync + 'static,
    ) -> Result<Arc<Self>> {
        let dir = home.dir.clone();
        let key = secret::open(&dir)?;
        let store = Store::open(&dir.join(STORE))?;
        if before == Before::Nobody {
            store.fail_unfinished()?;
            store.end_lost_runs()?;
            assemble::tidy(&dir);
        }
        let live: HashSet<_> = store.live_apps()?.into_iter().map(|(app, _)| app).collect();
        for app in &live {
            node.hold(app);
        }
        for (host, app) in store.all_domains()? {
            node.routes.alias(&host, &format!("{}.{}", app.host(), home.config.domain));
        }
        let blobs = Blobs::open(&dir, Disk::of(&dir))?;
        let tell = Arc::new(tell);
        let releases = Releases::new(live, {
            let tell = tell.clone();
            move |told| tell(told)
        });
        let hear = move |app: &AppName, problem| tell(Told::Login { app: app.clone(), problem });
        let logins = Logins::open(&dir, home.config.login.clone(), Arc::new(hear))?;
        let (errors, heard) = mpsc::unbounded_channel();
        let backends = Arc::new(home.config.services.clone());
        let platforms = Platforms::new(dir.join("apps"), &node.settings, backends.clone(), errors);
        let domain = home.config.domain.clone();
        let tls = home.config.tls.clone().map(|settings| Tls::open(&dir, settings)).transpose()?;
        let access = AccessLog::new(access::folder(&dir), home.config.access_log);
        let closed = Closed::of(&store)?;
        let isolation = Isolation::open(&dir, &home.config, &node.settings)?;
        let server = Arc::new(Self {
            domain,
            dir,
            store,
            blobs,
            key,
            node,
            releases,
            runs: Runs::default(),
            commands: Mutex::default(),
            platforms,
            logins,
            access,
            closed,
            tls,
            isolation,
            smtp: home.config.smtp.clone().or_else(|| backends.mail.clone()),
            backends,
            in_use: RwLock::default(),
            grace,
            leaving: AtomicBool::new(false),
        });
        tokio::spawn(observers::watch(Arc::downgrade(&server), heard));
        Ok(server)
    }

    /// While this is held nothing is collected. For work on the disk only.
    fn using(&self) -> RwLockReadGuard<'_, ()> {
        self.in_use.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn set_leaving(&self, leaving: bool) {
        self.leaving.store(leaving, Ordering::SeqCst);
    }

    fn is_leaving(&self) -> bool {
        self.leaving.load(Ordering::SeqCst)
    }

    /// Returns when the process of the apps' services has ended by itself.
    pub async fn services_gone(&self) {
        self.platforms.gone().await;
    }

    /// To be called when the apps have ended.
    pub async fn end_services(&self) {
        self.platforms.stop().await;
        self.isolation.end();
    }

    fn look_at_certificates(&self) {
        if let Some(tls) = &self.tls {
            tls.look();
        }
    }

    fn settings(&self) -> &Settings {
        &self.node.settings
    }

    /// The app's own name under the node's domain.
    fn host_of(&self, app: &AppName) -> String {
        format!("{}.{}", app.host(), self.domain)
    }
}

/// Work on the disk, away from the threads that answer requests.
async fn blocking<T: Send + 'static, E: From<Problem> + Send + 'static>(
    work: impl FnOnce() -> Result<T, E> + Send + 'static,
) -> Result<T, E> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|panic| match panic.try_into_panic() {
        Ok(panic) => std::panic::resume_unwind(panic),
        Err(_) => Err(Problem::new("node.stopping", "the node is stopping").into()),
    })
}
