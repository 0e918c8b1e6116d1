//! An app's Python side as one thing: its virtualenv, its pip-req.txt, and what is done to them together.

mod carried;
mod update;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Instant;

use sha2::{Digest as _, Sha256};

use crate::app::App;
use crate::problem::{Doing as _, Problem, Result};
use crate::python::change::Change;
use crate::python::installer::{Hashes, Installer, Names, Order};
use crate::python::interpreter::{Interpreter, Wanted};
use crate::python::pins::{Asked, PINS, Pins};
use crate::python::requirement::{Name, Requirement, Vcs};
use crate::python::venv::{self, Bytecode, State, Venv};
use crate::python::{Environment, Event, Tell, dist, lock, named, pins, runtime};

pub use self::update::{Followed, Updated};

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

/// What a virtualenv that runs is worked on with.
struct Tools {
    interpreter: Interpreter,
    installer: Installer,
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
        let fresh = |bytecode| -> Result<Option<Interpreter>> {
            match self.state(pins.as_deref(), bytecode)? {
                State::Fresh(interpreter) => Ok(Some(interpreter)),
                _ => Ok(None),
            }
        };
        let interpreter = if let Some(interpreter) = fresh(Bytecode::Now)? {
            interpreter
        } else if let Some(interpreter) = fresh(Bytecode::AtFirstImport)? {
            self.compile_meanwhile(&interpreter, pins.as_deref().unwrap_or_default());
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

    /// An install leaves the bytecode to be written; it is, while whoever asked goes on. Interrupted, it is begun again by
    /// the next one.
    fn compile_meanwhile(&self, interpreter: &Interpreter, pins: &str) {
        let (venv, interpreter, digest) = (self.venv.clone(), interpreter.clone(), self.digest(pins));
        std::thread::spawn(move || {
            Installer::compile(&interpreter, &venv.site_packages(&interpreter));
            // One that is not noted is done once more.
            let _ = venv.note_compiled(&digest);
        });
    }

    /// Adds `asked` to pip-req.txt with all they need, and has the virtualenv match. On a problem both are as they were.
    pub fn install(&self, asked: &[Asked]) -> Result<Change> {
        self.install_with(asked, Hashes::Without)
    }

    pub fn install_with(&self, asked: &[Asked], hashes: Hashes) -> Result<Change> {
        let _lock = lock::hold(&self.root, self.tell)?;
        let mut asked = asked.to_vec();
        let mut pins = self.fixed_pins_but(&asked)?;
        let tools = self.make_venv()?;
        self.settle(&tools, &pins, &mut asked)?;
        let hashes = if pins.has_hashes() { Hashes::With } else { hashes };
        if hashes == Hashes::With {
            hashable(pins.iter().map(|pin| &pin.requirement).chain(asked.iter().map(|one| &one.requirement)))?;
        }
        let closure = self.resolve(&tools, &pins, &mut asked, pins.preferred(), hashes)?;
        pins.take(&closure, &asked, &self.pinned_elsewhere(&pins));
        self.put_and_write(&tools, pins, Names::Everything)
    }

    /// Takes direct requirements out of pip-req.txt and the virtualenv, with all that only they needed.
    pub fn uninstall(&self, names: &[String]) -> Result<Change> {
        let _lock = lock::hold(&self.root, self.tell)?;
        let mut pins = self.good_pins()?;
        let problems = names.iter().filter_map(|name| cannot_go(name, &pins));
        if let Some(problem) = Problem::all(problems) {
            return Err(problem);
        }
        let tools = self.make_venv()?;
        pins.remove(&names.iter().map(|name| Name::new(name)).collect());
        self.put_and_write(&tools, pins, Names::Some)
    }

    /// Has the virtualenv match pip-req.txt, whatever was done to it by hand.
    pub fn sync(&self) -> Result<Change> {
        let _lock = lock::hold(&self.root, self.tell)?;
        let pins = self.fixed_pins_but(&[])?;
        let tools = self.make_venv()?;
        self.put(&tools, &pins, Names::Some, Bytecode::AtFirstImport)
    }

    /// What pip-req.txt would be if it said what the virtualenv holds.
    pub fn frozen(&self) -> Result<(Pins, Pins)> {
        let pins = self.good_pins()?;
        let interpreter = self.interpreter_of_venv()?;
        let held = dist::in_folder(&self.venv.site_packages(&interpreter));
        let mut frozen = pins.clone();
        frozen.hold(&held, &self.pinned_elsewhere(&pins));
        if pins.iter().any(|pin| pin.requirement.repository().is_some()) {
            let installer = self.installer(&interpreter);
            for (name, rev) in self.held_revisions(&Tools { interpreter, installer }, &pins) {
                frozen.move_to(&name, &rev);
            }
        }
        Ok((pins, frozen))
    }

    /// The interpreter of the virtualenv that is there.
    fn interpreter_of_venv(&self) -> Result<Interpreter> {
        let interpreter = match self.state(None, Bytecode::AtFirstImport)? {
            State::Fresh(interpreter) | State::Stale(Some(interpreter)) => Some(interpreter),
            State::Stale(None) => Interpreter::probe(&self.venv.python()),
            State::Missing | State::Broken(_) => None,
        };
        interpreter.ok_or_else(|| {
            Problem::new("venv.missing", "there is no virtualenv")
                .because(format!("`{}` is missing or does not run", self.venv.dir.display()))
                .try_running("dae sync")
        })
    }

    /// Writes down what the virtualenv holds.
    pub fn freeze(&self) -> Result<(Pins, Pins)> {
        let _lock = lock::hold(&self.root, self.tell)?;
        let (old, new) = self.frozen()?;
        if old != new {
            self.write(&new)?;
        }
        Ok((old, new))
    }

    fn put_and_write(&self, tools: &Tools, mut pins: Pins, names: Names) -> Result<Change> {
        let mut change = self.put(tools, &pins, names, Bytecode::AtFirstImport)?;
        let held = dist::in_folder(&self.venv.site_packages(&tools.interpreter));
        pins.spell(&held.into_iter().map(|(name, dist)| (name, dist.spelled)).collect());
        change.call(&pins.names());
        self.write(&pins)?;
        self.venv.remember(&tools.interpreter, Some((self.digest(&pins.text()), Bytecode::AtFirstImport)))?;
        Ok(change)
    }

    fn write(&self, pins: &Pins) -> Result<()> {
        venv::write_whole(&self.root.join(PINS), pins.text().as_bytes())
    }

    /// pip-req.txt without a fault; an empty one where there is none.
    fn good_pins(&self) -> Result<Pins> {
        let pins = Pins::parse(&self.read_pins()?.unwrap_or_default());
        Problem::all(pins.problems()).map_or(Ok(pins), Err)
    }

    /// The same, where besides every repository is pinned to one revision; `asked` get one in any case.
    fn fixed_pins_but(&self, asked: &[Asked]) -> Result<Pins> {
        let pins = self.good_pins()?;
        let mut others = pins.clone();
        let asked: BTreeSet<Name> = asked.iter().map(|one| one.requirement.key()).collect();
        others.keep(&pins.names().into_keys().filter(|name| !asked.contains(name)).collect());
        Problem::all(others.moving()).map_or(Ok(pins), Err)
    }

    /// pip-req.txt as it stands; `None` without one.
    pub fn read_pins(&self) -> Result<Option<String>> {
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
        for (_, named) in named::files(&self.root, &Pins::parse(pins)) {
            hash.update(named.text());
        }
        hash.finalize().iter().fold(String::new(), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
    }

    /// What another file that pip-req.txt names pins to one version.
    fn pinned_elsewhere(&self, pins: &Pins) -> BTreeSet<Name> {
        let files = named::files(&self.root, pins);
        let required =
            files.iter().filter(|(kind, _)| *kind == pins::Names::Requirements).flat_map(|(_, named)| named.iter());
        required
            .filter(|pin| pin.requirement.pinned().is_some() || !pin.requirement.is_from_index())
            .map(|pin| pin.requirement.key())
            .collect()
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
        let tools = self.make_venv()?;
        if pins.is_some() {
            self.put(&tools, &self.fixed_pins_but(&[])?, Names::Some, bytecode)?;
        }
        Ok(tools.interpreter)
    }

    /// A virtualenv that runs, whatever it holds.
    fn make_venv(&self) -> Result<Tools> {
        let interpreter = match self.state(None, Bytecode::AtFirstImport)? {
            State::Fresh(interpreter) | State::Stale(Some(interpreter)) => {
                let installer = self.installer(&interpreter);
                return Ok(Tools { interpreter, installer });
            }
            State::Stale(None) => Interpreter::probe(&self.venv.python()).filter(|own| self.wanted.takes(own.version)),
            State::Missing | State::Broken(_) => None,
        };
        if let Some(interpreter) = interpreter {
            self.venv.remember(&interpreter, None)?;
            let installer = self.installer(&interpreter);
            return Ok(Tools { interpreter, installer });
        }
        let interpreter = Interpreter::find_known(&self.runtime, &self.root, self.cache)?;
        let installer = self.installer(&interpreter);
        let began = Instant::now();
        let python = interpreter.version.to_string();
        (self.tell)(Event::MakingVenv { python: python.clone() });
        // Working copies are worked in, and making a virtualenv clears its folder.
        let (copies, aside) = (self.venv.dir.join("src"), self.root.join(".dae/venv-src"));
        let moving = || format!("keep `{}`", copies.display());
        if copies.is_dir() && !aside.exists() {
            std::fs::rename(&copies, &aside).doing(moving)?;
        }
        installer.make_venv(&interpreter, &self.venv)?;
        if aside.is_dir() {
            std::fs::rename(&aside, &copies).doing(moving)?;
        }
        self.venv.remember(&interpreter, None)?;
        (self.tell)(Event::MadeVenv { python, took: began.elapsed() });
        Ok(Tools { interpreter, installer })
    }

    /// Has the virtualenv hold what `pins` say and nothing else. Interrupted, it is stale, and the next one does it again.
    fn put(&self, tools: &Tools, pins: &Pins, names: Names, bytecode: Bytecode) -> Result<Change> {
        let interpreter = &tools.interpreter;
        let site = self.venv.site_packages(interpreter);
        let before = dist::in_folder(&site);
        let began = Instant::now();
        (self.tell)(Event::Installing);
        self.venv.remember(interpreter, None)?;
        let installer = fitting(tools.installer.clone(), pins.iter().map(|pin| &pin.requirement), self.tell);
        let told = self.told(tools, pins)?;
        let order = Order { venv: &self.venv, root: &self.root, requirements: &told, names, bytecode };
        installer.sync(order, self.tell)?;
        Self::note_origins(pins, &site);
        self.venv.remember(interpreter, Some((self.digest(&pins.text()), bytecode)))?;
        let mut change = Change::between(&before, &dist::in_folder(&site));
        change.call(&pins.names());
        if !change.added.is_empty() {
            (self.tell)(Event::Installed { packages: change.added.len(), took: began.elapsed() });
        }
        if !change.removed.is_empty() {
            (self.tell)(Event::Removed { packages: change.removed.len() });
        }
        Ok(change)
    }
}

/// pip where there is a line that neither uv nor dae takes: Subversion and Bazaar.
fn fitting<'r>(installer: Installer, mut all: impl Iterator<Item = &'r Requirement>, tell: Tell) -> Installer {
    let foreign = |requirement: &&Requirement| {
        requirement.repository().is_some_and(|repository| matches!(repository.kind, Vcs::Svn | Vcs::Bzr))
    };
    match (installer, all.find(foreign)) {
        (Installer::Uv(_), Some(requirement)) => {
            tell(Event::UsingPip { why: format!("uv does not take `{}` from where it is", requirement.name) });
            Installer::Pip
        }
        (installer, _) => installer,
    }
}

/// pip wants a hash of every line of a file in which one has any, and has none for a repository: such a file could be
/// installed by nobody else.
fn hashable<'r>(mut requirements: impl Iterator<Item = &'r Requirement>) -> Result<()> {
    let Some(other) = requirements.find(|requirement| requirement.repository().is_some()) else { return Ok(()) };
    Err(Problem::new(
        "pins.no-hash",
        format!("`{}` comes from a repository, and hashes cannot be asked of those", other.name),
    )
    .because("`pip install -r pip-req.txt` refuses a file that has hashes on some lines and a repository on another")
    .hint("leave `--hashes` away (a full revision fixes the content as well), or install a released version of it"))
}

/// Why `name` cannot be taken out.
fn cannot_go(name: &str, pins: &Pins) -> Option<Problem> {
    match pins.get(&Name::new(name)) {
        None => Some(
            Problem::new("pins.not-there", format!("`{name}` is not in {PINS}"))
                .hint("only what stands there can be taken out; `dae sync` takes out what does not"),
        ),
        Some(pin) if !pin.is_direct() => {
            let via = pin.via.join("` and `");
            Some(
                Problem::new("pins.needed", format!("`{name}` is needed by `{via}`"))
                    .try_running(format!("dae uninstall {}", pin.via.join(" "))),
            )
        }
        Some(_) => None,
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
