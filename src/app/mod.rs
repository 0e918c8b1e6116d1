//! An app as its author wrote it: the name, app.yaml, where it is. Knows no processes, no network and no tokio.

mod cron;
mod dev;
mod find;
mod handler;
mod manifest;
mod name;
mod new_folder;
mod pattern;
mod process;
mod protected;
mod reader;
mod repository;
mod scaffold;
mod schedule;
mod script;
mod secrets;
mod service;
mod template;
mod yaml;

use std::path::PathBuf;

pub use cron::{CronJob, Overlap, Runs};
pub use dev::{Address, DevSettings, Elsewhere, Mysql, StateOf, bracketed, without_brackets};
pub use find::find;
pub use handler::{Handler, Serves, StaticRule, Target};
pub use manifest::{Manifest, Probe, Worker};
pub use name::AppName;
pub use new_folder::NewFolder;
pub use process::{Daemon, Queue};
pub use protected::Protected;
pub use repository::{Versioned, first_commit};
pub use scaffold::{Scaffold, Template};
pub use schedule::Schedule;
pub use script::Script;
pub use secrets::{FILTERED, Secrets, protected};
pub use service::{ClientParam, Interface, Service};
pub use template::Piece;

use crate::problem::{Doing as _, Problem, Result};

/// The JSON Schema of app.yaml; a test compares its keys with those that are read.
pub const SCHEMA: &str = include_str!("app.schema.json");
/// Where an app keeps the schema that its app.yaml names, below its root: git-ignored, written anew by `dae serve`.
pub const SCHEMA_FILE: &str = ".dae/app.schema.json";

/// An app on disk with its app.yaml read and found good.
#[derive(Debug, Clone)]
pub struct App {
    pub name: AppName,
    /// The folder app.yaml is in, absolute and without links.
    pub root: PathBuf,
    pub manifest: Manifest,
}

impl App {
    /// Reads the app whose app.yaml is in `root`. Warnings come beside it.
    pub fn read(root: &std::path::Path) -> Result<(Self, Vec<Problem>)> {
        let root = root.canonicalize().doing(|| format!("open the folder `{}`", root.display()))?;
        let path = root.join("app.yaml");
        let bytes = std::fs::read(&path).doing(|| format!("read `{}`", path.display()))?;
        let (manifest, warnings) = Manifest::parse(std::path::Path::new("app.yaml"), &bytes)?;
        Ok((Self { name: manifest.application.clone(), root, manifest }, warnings))
    }
}
