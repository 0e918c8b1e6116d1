//! What one generation of an app consists of. Immutable: a change is the next generation.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::app::{AppName, Manifest, Secrets};
use crate::gateway::Limits;
use crate::problem::{Doing as _, Result};
use crate::supervisor::Confinement;

#[derive(Debug, Clone)]
pub struct Generation {
    pub app: AppName,
    pub manifest: Manifest,
    /// The app's code; its processes' working folder.
    pub root: PathBuf,
    pub launch: Launch,
    /// The release it is of, on a remote: sent with every answer as `X-Dae-Release`.
    pub release: Option<String>,
    /// The release that brought this code: an earlier one, where `release` repeats it.
    pub brought_by: Option<String>,
    /// Beyond the environment contract.
    pub env: Vec<(String, String)>,
    /// What is kept of what its processes print is kept without these.
    pub secrets: Arc<Secrets>,
    /// Where it is kept what a warm parent should import for such generations; none: they start cold.
    pub learned: Option<PathBuf>,
    /// What the gateway lets through to it.
    pub limits: Limits,
}

impl Generation {
    /// The folder for permanent files.
    pub(super) fn permdir(&self) -> PathBuf {
        let set = self.env.iter().rfind(|(name, _)| name == "DAE_PERMDIR");
        set.map_or_else(|| self.root.join("permdir"), |(_, path)| PathBuf::from(path))
    }

    /// Whether its processes would be just like those of `other`. Only where the folder of other code has another name.
    pub(super) fn runs_like(&self, other: &Self) -> bool {
        let Self { app, manifest, root, launch, release: _, brought_by, env, secrets: _, learned: _, limits: _ } = self;
        (app, manifest, root, launch) == (&other.app, &other.manifest, &other.root, &other.launch)
            && (brought_by, env) == (&other.brought_by, &other.env)
    }
}

/// How Python is started for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Launch {
    /// The interpreter: a virtualenv's, or a plain one with `site`.
    pub python: PathBuf,
    /// The third-party packages, where no virtualenv brings them.
    pub site: Option<PathBuf>,
    /// The runtime set: gunicorn, gevent and the `dae` package; behind the app's own packages on `sys.path`.
    pub runtime: PathBuf,
    /// Another one means other packages: what a warm parent has imported is of no use any more.
    pub edition: Edition,
    /// What its processes may do; none: what dae may.
    pub confine: Option<Arc<Confinement>>,
}

impl Launch {
    /// Makes what dae has made for its processes theirs.
    pub fn give(&self, path: &Path) -> Result<()> {
        let given = self.confine.as_ref().map_or(Ok(()), |confine| confine.give(path));
        given.doing(|| format!("give `{}` to its user", path.display()))
    }
}

/// Counts how often the packages, or how they are run, may have changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Edition {
    pub number: u64,
    /// Why it counted up.
    pub because: &'static str,
}
