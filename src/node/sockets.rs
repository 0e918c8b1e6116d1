//! Where the web processes of a generation answer, and where they tell how they are.

use std::os::fd::OwnedFd;
use std::path::PathBuf;

use serde_json::{Value, json};
use tokio::net::UnixDatagram;

use super::folder::Folder;
use super::verify::Verify;
use super::{Generation, Settings, contract, handlers};
use crate::problem::{Doing as _, Result};

/// The file that tells what the processes are like.
const LIKENESS: &str = "likeness";

#[derive(Debug)]
pub(super) struct Sockets {
    /// Hears what they tell: see `python/dae/boot.py`.
    pub notify: UnixDatagram,
    /// Gone with this.
    dir: Folder,
}

impl Sockets {
    pub fn make(number: u64, generation: &Generation, settings: &Settings) -> Result<Self> {
        let dir = settings.run_dir(generation, &number.to_string())?;
        let path = dir.path().join("notify");
        let notify = UnixDatagram::bind(&path).doing(|| format!("make the socket `{}`", path.display()))?;
        generation.launch.give(&path)?;
        generation.launch.give(dir.path())?;
        Ok(Self { notify, dir })
    }

    /// Those that another process has left.
    pub fn take_up(notify: OwnedFd, dir: PathBuf) -> Result<Self> {
        let notify = UnixDatagram::from_std(notify.into()).doing(|| "take up a socket")?;
        Ok(Self { notify, dir: dir.into() })
    }

    /// For another process.
    pub fn leave(mut self) -> Option<(OwnedFd, PathBuf)> {
        let notify = self.notify.into_std().ok()?;
        Some((notify.into(), self.dir.leave()))
    }

    /// Where they answer.
    pub fn web(&self) -> PathBuf {
        self.beside("web")
    }

    /// What they tell of themselves where that is asked.
    pub fn likeness(&self) -> PathBuf {
        self.beside(LIKENESS)
    }

    /// A path of the generation's own.
    pub fn beside(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// What boot.py is told.
    pub fn boot(&self, generation: &Generation, settings: &Settings) -> Value {
        let launch = &generation.launch;
        let manifest = &generation.manifest;
        json!({
            "app": generation.app,
            "root": generation.root,
            "runtime": launch.runtime,
            "site": launch.site,
            "handlers": handlers::of_worker(manifest),
            "worker": manifest.worker,
            "nworkers": manifest.nworkers,
            "socket": self.web(),
            "notify": self.beside("notify"),
            "environment": settings.environment,
            "learn": generation.learned.is_some(),
            "likeness": (settings.verify == Verify::Reloads).then(|| self.likeness()),
            "env": contract::of_one(generation, settings),
        })
    }
}
