//! The only caller of uv and pip: makes virtualenvs, finds out what requirements need, puts it in place. Knows no
//! pip-req.txt: it is given requirements as text.

mod fetch;
mod pip;
mod settings;
mod trouble;
mod uv;

use std::path::{Path, PathBuf};
use std::time::Instant;

use serde::{Deserialize, Serialize};

use super::interpreter::Interpreter;
use super::pins::Pin;
use super::program::{command, run};
use super::venv::{Bytecode, Venv};
use super::{Event, Tell};
use crate::problem::{Problem, Result};

/// uv, or the virtualenv's own pip where uv cannot be had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Installer {
    Uv(PathBuf),
    Pip,
}

/// What is to be found out: requirements as they stand in a requirements file.
#[derive(Debug, Clone, Default)]
pub struct Wish {
    /// One a line; options such as `--index-url` may stand among them.
    pub requirements: String,
    /// `name==version`, one a line: kept where the requirements leave the choice.
    pub preferred: String,
    pub hashes: Hashes,
}

/// Whether requirements name all they need, or the installer has to look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Names {
    Everything,
    Some,
}

/// What a virtualenv is made to hold, and how.
#[derive(Debug, Clone, Copy)]
pub struct Order<'a> {
    pub venv: &'a Venv,
    /// The folder that relative paths are meant from.
    pub root: &'a Path,
    pub requirements: &'a str,
    pub names: Names,
    pub bytecode: Bytecode,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Hashes {
    #[default]
    Without,
    With,
}

/// One package of a closure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolved {
    /// As the installer spells it.
    pub name: String,
    /// The line that installs just this: `flask==3.1.3`, `x @ git+https://...`.
    pub line: String,
    /// Who needs it; empty for one that was asked for and that nobody else needs.
    pub via: Vec<String>,
    /// `sha256:...`, where they were wished for.
    pub hashes: Vec<String>,
}

/// A package of which there is a newer version; uv and pip write it alike.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Newer {
    pub name: String,
    pub version: String,
    #[serde(rename(deserialize = "latest_version"))]
    pub latest: String,
}

impl Resolved {
    pub fn from_pin(pin: &Pin) -> Self {
        Self {
            name: pin.requirement.name.clone(),
            line: pin.text.clone(),
            via: pin.via.clone(),
            hashes: pin.hashes.clone(),
        }
    }
}

impl Installer {
    /// uv from PATH, else from the cache, else fetched into it once; pip when that fails.
    pub fn find(interpreter: &Interpreter, cache: &Path, tell: Tell) -> Self {
        if let Some(uv) = fetch::on_path().or_else(|| fetch::cached(cache)) {
            return Self::Uv(uv);
        }
        match fetch::fetch(interpreter, cache, tell) {
            Ok(uv) => Self::Uv(uv),
            Err(problem) => {
                tell(Event::UsingPip { why: problem.to_string() });
                Self::Pip
            }
        }
    }

    /// Makes an empty virtualenv; what was in its folder goes.
    pub fn make_venv(&self, interpreter: &Interpreter, venv: &Venv) -> Result<()> {
        match self {
            Self::Uv(uv) => uv::make_venv(uv, interpreter, venv),
            Self::Pip => pip::make_venv(interpreter, venv),
        }
    }

    /// The whole closure of what is wished for. Changes nothing.
    pub fn resolve(&self, venv: &Venv, root: &Path, wish: &Wish, tell: Tell) -> Result<Vec<Resolved>> {
        let began = Instant::now();
        tell(Event::Resolving);
        let resolved = match self {
            Self::Uv(uv) => uv::resolve(uv, venv, root, wish, tell)?,
            Self::Pip => pip::resolve(venv, root, wish)?,
        };
        tell(Event::Resolved { packages: resolved.len(), took: began.elapsed() });
        Ok(resolved)
    }

    /// Makes the virtualenv hold the requirements and what they need, and nothing else.
    pub fn sync(&self, order: Order, tell: Tell) -> Result<()> {
        match self {
            Self::Uv(uv) => uv::sync(uv, order, tell),
            Self::Pip => pip::sync(order),
        }
    }

    /// Packages of the virtualenv of which there is a newer version. Changes nothing.
    pub fn outdated(&self, venv: &Venv, root: &Path) -> Result<Vec<Newer>> {
        let text = match self {
            Self::Uv(uv) => uv::outdated(uv, venv, root)?,
            Self::Pip => pip::outdated(venv, root)?,
        };
        serde_json::from_str(&text).map_err(|error| {
            Problem::new("installer.report", "the list of newer versions cannot be read").because(error)
        })
    }

    /// Puts exactly `requirements` into a plain folder, with bytecode.
    pub fn into_folder(&self, interpreter: &Interpreter, requirements: &str, folder: &Path, tell: Tell) -> Result<()> {
        match self {
            Self::Uv(uv) => uv::into_folder(uv, interpreter, requirements, folder, tell),
            Self::Pip => pip::into_folder(interpreter, requirements, folder),
        }
    }

    /// Writes the bytecode of a folder of plain Python. One that fails costs a slower start, so nobody is told.
    pub fn compile(interpreter: &Interpreter, folder: &Path) {
        let _ = run(command(&interpreter.path).args(["-m", "compileall", "-q"]).arg(folder), "");
    }
}
