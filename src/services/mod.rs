//! What an app finds around it: each service starts in the app's own [`Space`], tells its address by the environment
//! contract, and stops with whoever started it.

mod copy;
pub mod errors;
mod event;
mod guarded;
pub mod kv;
pub mod logs;
mod machine;
pub mod mail;
pub mod mysql;
mod permdir;
mod platform;
pub mod queue;
mod shared;
pub mod state;
pub mod users;

use std::net::{SocketAddr, TcpListener};
use std::os::unix::net::UnixListener;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub use event::{Event, NewError, Tell};
pub use guarded::Guarded;
pub use machine::{Disk, Kept, Known, Machine};
pub use platform::{Platform, start_one};
pub use shared::Shared;

use crate::app::AppName;
use crate::problem::{Doing as _, Result};
use crate::supervisor::Owner;

/// Where one app's services keep what is theirs. Both folders exist, and only the user can read them.
#[derive(Debug, Clone)]
pub struct Space {
    pub app: AppName,
    /// Outlives the services.
    pub data: PathBuf,
    /// For sockets; a short path, gone with the services.
    pub run: PathBuf,
    /// Hears what a person should know of.
    pub tell: Tell,
    /// What services may use beyond their own folders.
    pub machine: Machine,
    /// Whose processes may connect; none: anybody's.
    pub owner: Option<Owner>,
    kept: Kept,
}

/// A service as an app's processes see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Provided {
    pub service: String,
    /// See `node/contract.rs`.
    pub env: Vec<(String, String)>,
}

/// A service that runs. Dropping it lets go without waiting.
#[derive(Debug)]
pub struct Running {
    pub service: &'static str,
    /// What the app's processes are told of it: see `node/contract.rs`.
    pub env: Vec<(String, String)>,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Space {
    /// Makes both folders.
    pub fn new(app: AppName, data: PathBuf, run: PathBuf, tell: Tell) -> Result<Self> {
        use std::os::unix::fs::DirBuilderExt as _;
        for folder in [&data, &run] {
            std::fs::DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(folder)
                .doing(|| format!("make the folder `{}`", folder.display()))?;
        }
        let machine = Machine { cache: data.join("cache"), ..Machine::default() };
        Ok(Self { app, data, run, tell, machine, owner: None, kept: Kept::default() })
    }

    #[must_use]
    pub fn on(mut self, machine: Machine) -> Self {
        self.machine = machine;
        self
    }

    /// The listener of `service` on this machine's own address, the same one for as long as this space is there: whoever
    /// connects while the service is stopped for a moment waits.
    pub fn listen(&self, service: &str) -> Result<TcpListener> {
        self.kept.listen(service).doing(|| format!("listen for {service}"))
    }

    /// Listens for `service` at a place of its own, which [`Space::listen`] gives from then on. Returns where that is.
    pub fn listen_at(&self, service: &str, address: SocketAddr) -> Result<SocketAddr> {
        self.kept.listen_at(service, address).doing(|| format!("listen for {service} at {address}"))
    }

    /// The same on a unix socket of that name in the folder for sockets.
    pub fn listen_unix(&self, name: &str) -> Result<UnixListener> {
        let path = self.run.join(name);
        self.kept.listen_unix(&path).doing(|| format!("make the socket `{}`", path.display()))
    }

    /// [`Space::listen`] for a service that asks for no password: whoever is not of the app is hung up on.
    pub fn guarded(&self, service: &str) -> Result<Guarded<tokio::net::TcpListener>> {
        let listener = tokio::net::TcpListener::from_std(self.listen(service)?);
        Ok(Guarded::new(listener.doing(|| format!("open a port for {service}"))?, self.owner))
    }

    /// The same for [`Space::listen_unix`].
    pub fn guarded_unix(&self, name: &str) -> Result<Guarded<tokio::net::UnixListener>> {
        let listener = tokio::net::UnixListener::from_std(self.listen_unix(name)?);
        Ok(Guarded::new(listener.doing(|| format!("open the socket `{name}`"))?, self.owner))
    }

    /// The folder for permanent files.
    pub fn permdir(&self) -> Option<PathBuf> {
        self.machine.permdir.clone().or_else(|| self.machine.code.as_ref().map(|code| code.join("permdir")))
    }
}

impl Running {
    /// `task` ends soon after `stop` is cancelled, with everything written.
    pub fn new(
        service: &'static str,
        env: Vec<(String, String)>,
        stop: CancellationToken,
        task: JoinHandle<()>,
    ) -> Self {
        Self { service, env, stop, task }
    }

    /// Ends it, and returns when it has ended.
    pub async fn stop(mut self) {
        self.stop.cancel();
        // A task that panicked has ended as well.
        let _ = (&mut self.task).await;
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}
