//! An app's Python side as one thing: its virtualenv, its pip-req.txt, and what is done to them together.

use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Instant;

use sha2::{Digest as _, Sha256};

use super::installer::Installer;
use super::interpreter::{Interpreter, Wanted};
use super::venv::{Bytecode, State, Venv};
use super::{Environment, Event, Tell, dist, lock, runtime};
use crate::app::App;
use crate::problem::{Doing as _, Problem, Result};

/// The name of the file that pins what an app needs.
pub const PINS: &str = "pip-req.txt";

pub struct Project<'a> {
    pub root: PathBuf,
    runtime: String,
    wanted: Wanted,
    venv: Venv,
    cache: &'a Path,
    tell: Tell<'a>,
    /// Set where the choice between uv and pip is not left to the machine.
    installer: Option<Installer>,
}

impl<'a> Project<'a> {
    pub fn of(app: &App, cache: &'a Path, tell: Tell<'a>) -> Result<Self> {
        Self::new(&app.root, &app.manifest.runtime, cache, tell)
    }

    /// `runtime` as app.yaml has it.
    pub fn new(root: &Path, runtime: &str, cache: &'a Path, tell: Tell<'a>) -> Result<Self> {
        Ok(Self {
            root: root.to_owned(),
            runtime: runtime.to_owned(),
            wanted: Wanted::parse(runtime)?,
            venv: Venv::of(root),
            cache,
            tell,
            installer: None,
        })
    }

    /// With this installer and no other.
    #[must_use]
    pub fn with(mut self, installer: Installer) -> Self {
        self.installer = Some(installer);
        self
    }

    /// See [`super::prepare`].
    pub fn prepare(&self) -> Result<Environment> {
        let pins = self.read_pins()?;
        let interpreter = if let State::Fresh(interpreter) = self.state(pins.as_deref(), Bytecode::Now)? {
            interpreter
        } else {
            let _lock = lock::hold(&self.root, self.tell)?;
            self.make_ready(pins.as_deref(), Bytecode::Now)?
        };
        Ok(Environment {
            python: self.venv.python(),
            version: interpreter.version.to_string(),
            site_packages: self.venv.site_packages(&interpreter),
            runtime: runtime::ensure(&interpreter, self.cache, self.tell)?,
        })
    }

    /// pip-req.txt as it stands; `None` without one.
    fn read_pins(&self) -> Result<Option<String>> {
        let file = self.root.join(PINS);
        match std::fs::read(&file) {
            Ok(bytes) => String::from_utf8(bytes).map(Some).map_err(|error| {
                Problem::new("pins.encoding", format!("`{PINS}` is not UTF-8"))
                    .because(format!("byte {} cannot be read", error.utf8_error().valid_up_to()))
                    .hint("save it as UTF-8")
            }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).doing(|| format!("read `{}`", file.display())),
        }
    }

    fn state(&self, pins: Option<&str>, bytecode: Bytecode) -> Result<State> {
        self.venv.state(self.wanted, pins.map(|text| self.digest(text)).as_deref(), bytecode)
    }

    /// Of the pins, and of the files they name.
    fn digest(&self, pins: &str) -> String {
        let mut hash = Sha256::new();
        hash.update(pins);
        for line in pins.lines() {
            let named =
                ["-r", "--requirement", "-c", "--constraint"].iter().find_map(|option| line.strip_prefix(option));
            if let Some(text) = named.map(|rest| rest.trim_start_matches([' ', '='])).and_then(|name| {
                let name = name.split(" #").next().unwrap_or(name).trim();
                std::fs::read(self.root.join(name)).ok()
            }) {
                hash.update(text);
            }
        }
        hash.finalize().iter().fold(String::new(), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
    }

    fn installer(&self, interpreter: &Interpreter) -> Installer {
        self.installer.clone().unwrap_or_else(|| Installer::find(interpreter, self.cache, self.tell))
    }

    /// Makes the virtualenv where it is missing or broken, and has it match `pins`. The lock is held.
    fn make_ready(&self, pins: Option<&str>, bytecode: Bytecode) -> Result<Interpreter> {
        // Looked at again: somebody else may have done it while this one waited.
        if let State::Fresh(interpreter) = self.state(pins, bytecode)? {
            return Ok(interpreter);
        }
        let (interpreter, installer) = self.make_venv()?;
        if let Some(pins) = pins {
            self.put(&installer, &interpreter, pins, bytecode)?;
        }
        Ok(interpreter)
    }

    /// A virtualenv that runs, whatever it holds.
    fn make_venv(&self) -> Result<(Interpreter, Installer)> {
        let interpreter = match self.state(None, Bytecode::AtFirstImport)? {
            State::Fresh(interpreter) | State::Stale(Some(interpreter)) => {
                let installer = self.installer(&interpreter);
                return Ok((interpreter, installer));
            }
            State::Stale(None) => Interpreter::probe(&self.venv.python()).filter(|own| self.wanted.takes(own.version)),
            State::Missing | State::Broken(_) => None,
        };
        if let Some(interpreter) = interpreter {
            self.venv.remember(&interpreter, None)?;
            let installer = self.installer(&interpreter);
            return Ok((interpreter, installer));
        }
        let interpreter = Interpreter::find(&self.runtime)?;
        let installer = self.installer(&interpreter);
        let began = Instant::now();
        let python = interpreter.version.to_string();
        (self.tell)(Event::MakingVenv { python: python.clone() });
        installer.make_venv(&interpreter, &self.venv)?;
        self.venv.remember(&interpreter, None)?;
        (self.tell)(Event::MadeVenv { python, took: began.elapsed() });
        Ok((interpreter, installer))
    }

    /// Has the virtualenv hold what `pins` say and nothing else. Interrupted, it is stale, and the next one does it again.
    fn put(&self, installer: &Installer, interpreter: &Interpreter, pins: &str, bytecode: Bytecode) -> Result<()> {
        let site = self.venv.site_packages(interpreter);
        let before = dist::in_folder(&site);
        let began = Instant::now();
        (self.tell)(Event::Installing);
        self.venv.remember(interpreter, None)?;
        installer.sync(&self.venv, &self.root, pins, bytecode, self.tell)?;
        self.venv.remember(interpreter, Some((self.digest(pins), bytecode)))?;
        let after = dist::in_folder(&site);
        let new = after.iter().filter(|(name, dist)| before.get(*name) != Some(*dist)).count();
        let gone = before.keys().filter(|name| !after.contains_key(*name)).count();
        if new > 0 {
            (self.tell)(Event::Installed { packages: new, took: began.elapsed() });
        }
        if gone > 0 {
            (self.tell)(Event::Removed { packages: gone });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    fn app(root: &Path) {
        std::fs::write(root.join(PINS), "six==1.17.0\n").unwrap();
    }

    #[test]
    fn prepared_once_it_is_prepared_at_once() {
        let (root, cache) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        app(root.path());
        let told = RefCell::new(Vec::new());
        let tell = |event: Event| told.borrow_mut().push(event);
        let project = Project::new(root.path(), "python", cache.path(), &tell).unwrap();
        let first = project.prepare().unwrap();
        assert!(first.site_packages.join("six.py").is_file());
        for part in ["gunicorn/__init__.py", "gevent/__init__.py", "dae/api/__init__.py", "dae/__pycache__"] {
            assert!(first.runtime.join(part).exists(), "{part}");
        }
        assert!(told.borrow().iter().any(|event| matches!(event, Event::Installed { packages: 1, .. })));

        told.borrow_mut().clear();
        let began = Instant::now();
        assert_eq!(project.prepare().unwrap(), first);
        let took = began.elapsed();
        assert_eq!(*told.borrow(), []);
        assert!(took.as_millis() < 50, "{took:?}");
    }
}
