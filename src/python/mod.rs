//! Python on this machine: interpreters, virtualenvs, pip-req.txt, the installer, the runtime set. Knows no tokio.

mod change;
mod dist;
mod event;
mod folder;
mod graph;
mod installer;
mod interpreter;
mod known;
mod lock;
mod mirror;
mod named;
mod pins;
mod program;
mod project;
mod requirement;
pub mod runtime;
mod specifier;
mod venv;

use std::path::{Path, PathBuf};

pub use change::{Change, Moved};
pub use event::Event;
pub use graph::{Branch, Graph};
pub use installer::{Hashes, Installer, Newer};
pub use interpreter::{Interpreter, Version, Wanted};
pub use pins::{Asked, PINS, Pin, Pins};
pub use project::{Followed, Project, Updated};
pub use requirement::{Name, Repository, Requirement, Source, Vcs};
pub use venv::Venv;

use crate::app::App;
use crate::problem::Result;

/// Who hears what happens.
pub type Tell<'t> = &'t dyn Fn(Event);

/// All that is needed to run an app's code, there and up to date.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Environment {
    /// The virtualenv's interpreter.
    pub python: PathBuf,
    /// Full version, `3.11.7`.
    pub version: String,
    pub site_packages: PathBuf,
    /// The runtime set: gunicorn, gevent, the `dae` package; behind the app's packages on `sys.path`.
    pub runtime: PathBuf,
}

/// Makes what an app needs to run: its virtualenv, matching pip-req.txt, and the runtime set. Where all is there it starts
/// no process. `cache` is the user's cache folder of dae.
pub fn prepare(app: &App, cache: &Path, tell: Tell) -> Result<Environment> {
    Project::of(app, cache, tell)?.prepare()
}
