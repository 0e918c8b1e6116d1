//! Runs apps, generation by generation. A reload and a deploy are the same act: the next generation takes the last one's
//! place, by one of two policies. Knows no watched files and no uploads.

mod event;
mod generation;
mod rollout;

pub use event::Event;
pub use generation::{Generation, Launch};
pub use rollout::{Meanwhile, OnFailure, Rollout};

use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::mpsc;

use crate::app::AppName;
use crate::gateway::Routes;
use crate::problem::{Problem, Result};

/// Where and how a node runs its apps.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Apps answer at `NAME.domain`.
    pub domain: String,
    /// Sockets; a short path.
    pub run_dir: PathBuf,
    /// One file a process: `APP/PROCESS.log`.
    pub log_dir: PathBuf,
    pub rollout: Rollout,
    /// `DAE_ENV` for the apps: `SDK` or `production`.
    pub environment: &'static str,
}

/// How a generation that was wanted ended up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// It serves, this long after it was wanted.
    Serving {
        took: std::time::Duration,
    },
    Failed(Problem),
    /// A later one was wanted before this one was ready.
    Superseded,
}

pub struct Node {
    pub settings: Settings,
    pub routes: Arc<Routes>,
}

impl Node {
    /// `events` hears all that happens; must be called inside a tokio runtime.
    pub fn new(settings: Settings, routes: Arc<Routes>, events: mpsc::UnboundedSender<Event>) -> Arc<Self> {
        let _ = events;
        Arc::new(Self { settings, routes })
    }

    /// Makes `generation` the one that serves its app. Registered when this returns; the future tells how it went.
    pub fn want(&self, generation: Generation) -> impl Future<Output = Wanted> + Send + 'static {
        let _ = generation;
        async { Wanted::Superseded }
    }

    /// Ends one app: no route, no process.
    pub async fn remove(&self, app: &AppName) -> Result<()> {
        let _ = app;
        Ok(())
    }

    /// Ends everything, within the drain time.
    pub async fn stop(&self) {}
}
