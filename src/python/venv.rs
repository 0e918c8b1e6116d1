//! An app's virtualenv: where it is, what state it is in, and what was last put into it. Knows neither uv nor pip.

use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::interpreter::{Interpreter, Wanted};
use crate::problem::{Doing as _, Problem, Result};

/// `venv/` in an app's folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Venv {
    pub dir: PathBuf,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    Missing,
    /// Nothing in it can be used any more: the reason, in a few words.
    Broken(String),
    /// It runs, and what it holds may not be what pip-req.txt says; with the interpreter where dae made it.
    Stale(Option<Interpreter>),
    Fresh(Interpreter),
}

/// Whether Python's bytecode is written at once: an install is quicker without, a first start takes half the time with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bytecode {
    Now,
    AtFirstImport,
}

/// What dae remembers inside the virtualenv, so that looking at a fresh one starts no process.
#[derive(Debug, Serialize, Deserialize)]
struct Record {
    /// Where it was made: its scripts name that folder.
    dir: PathBuf,
    interpreter: Interpreter,
    /// Digest of the pins it was last made to match; none while that is under way.
    pins: Option<String>,
    /// Its packages have their bytecode.
    #[serde(default)]
    compiled: bool,
}

const RECORD: &str = "dae.json";

impl Venv {
    pub fn of(app_root: &Path) -> Self {
        Self { dir: app_root.join("venv") }
    }

    pub fn python(&self) -> PathBuf {
        self.dir.join("bin/python")
    }

    pub fn site_packages(&self, interpreter: &Interpreter) -> PathBuf {
        self.dir.join(format!("lib/python{}/site-packages", interpreter.version.minor()))
    }

    /// `pins` is the digest of what it should match; `None` where there is nothing to match.
    pub fn state(&self, wanted: Wanted, pins: Option<&str>, bytecode: Bytecode) -> Result<State> {
        match self.dir.symlink_metadata() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(State::Missing),
            Err(error) => return Err(error).doing(|| format!("look at `{}`", self.dir.display())),
            Ok(_) => {}
        }
        if !self.dir.join("pyvenv.cfg").is_file() {
            if self.is_empty() {
                return Ok(State::Missing);
            }
            return Err(Problem::new("venv.foreign", format!("`{}` is no virtualenv", self.dir.display()))
                .because("it has no pyvenv.cfg, and dae keeps the app's virtualenv there")
                .hint("move it out of the way; dae makes the virtualenv by itself"));
        }
        if !self.python().exists() {
            let behind = self.python().read_link().map(|link| format!(" (`{}`)", link.display())).unwrap_or_default();
            return Ok(State::Broken(format!("its interpreter is gone{behind}")));
        }
        let Some(record) = self.record() else { return Ok(State::Stale(None)) };
        if record.dir != self.dir {
            return Ok(State::Broken(format!("it was made in `{}`", record.dir.display())));
        }
        if !wanted.takes(record.interpreter.version) {
            return Ok(State::Broken(format!("it has Python {}", record.interpreter.version)));
        }
        Ok(match (pins, record.pins.as_deref()) {
            (Some(pins), Some(last)) if pins == last && (record.compiled || bytecode == Bytecode::AtFirstImport) => {
                State::Fresh(record.interpreter)
            }
            (None, _) => State::Fresh(record.interpreter),
            _ => State::Stale(Some(record.interpreter)),
        })
    }

    /// Nothing, or what an interrupted `make` left before it came to pyvenv.cfg.
    fn is_empty(&self) -> bool {
        self.dir.read_dir().is_ok_and(|mut entries| {
            entries.all(|entry| {
                entry.is_ok_and(|entry| {
                    matches!(entry.file_name().to_str(), Some("CACHEDIR.TAG" | ".gitignore" | ".lock" | "bin" | "lib"))
                })
            })
        })
    }

    fn record(&self) -> Option<Record> {
        let bytes = std::fs::read(self.dir.join(RECORD)).ok()?;
        // One that cannot be read is one that is not there: the next sync writes it anew.
        serde_json::from_slice(&bytes).ok()
    }

    /// Its packages have their bytecode, unless it has come to hold others meanwhile.
    pub fn note_compiled(&self, pins: &str) -> Result<()> {
        match self.record() {
            Some(record) if record.pins.as_deref() == Some(pins) => {
                self.remember(&record.interpreter, Some((pins.to_owned(), Bytecode::Now)))
            }
            _ => Ok(()),
        }
    }

    /// Remembers what it holds now; `None` before it is changed, so that whatever interrupts the change leaves it stale.
    pub fn remember(&self, interpreter: &Interpreter, pins: Option<(String, Bytecode)>) -> Result<()> {
        let compiled = pins.as_ref().is_some_and(|(_, bytecode)| *bytecode == Bytecode::Now);
        let pins = pins.map(|(digest, _)| digest);
        let record = Record { dir: self.dir.clone(), interpreter: interpreter.clone(), pins, compiled };
        let text =
            serde_json::to_vec_pretty(&record).map_err(|error| Problem::new("venv.record", error.to_string()))?;
        // Not waited for until it is on the disk: one that is lost is a virtualenv that is looked at again.
        write(&self.dir.join(RECORD), &text, OnDisk::Later)
    }
}

/// Writes a file so that, whatever happens, either the old or the new text stands there. Keeps its permissions, and
/// writes through a link.
pub(super) fn write_whole(file: &Path, bytes: &[u8]) -> Result<()> {
    write(file, bytes, OnDisk::Now)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum OnDisk {
    Now,
    Later,
}

fn write(file: &Path, bytes: &[u8], on_disk: OnDisk) -> Result<()> {
    use std::io::Write as _;
    use std::os::unix::fs::PermissionsExt as _;
    let file = &file.canonicalize().unwrap_or_else(|_| file.to_owned());
    let doing = || format!("write `{}`", file.display());
    let folder = file.parent().unwrap_or(Path::new("."));
    // A new file's mode; the umask takes its part.
    let mode = std::fs::Permissions::from_mode(0o666);
    let mut aside = tempfile::Builder::new().prefix(".dae-").permissions(mode).tempfile_in(folder).doing(doing)?;
    aside.write_all(bytes).doing(doing)?;
    if let Ok(meta) = file.metadata() {
        aside.as_file().set_permissions(meta.permissions()).doing(doing)?;
    }
    if on_disk == OnDisk::Now {
        aside.as_file().sync_all().doing(doing)?;
    }
    aside.persist(file).map_err(|error| error.error).doing(doing)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn there() -> (tempfile::TempDir, Venv, Interpreter) {
        let root = tempfile::tempdir().unwrap();
        let venv = Venv::of(root.path());
        let interpreter = Interpreter::find("python").unwrap();
        std::fs::create_dir_all(venv.dir.join("bin")).unwrap();
        std::fs::write(venv.dir.join("pyvenv.cfg"), "").unwrap();
        std::os::unix::fs::symlink(&interpreter.path, venv.python()).unwrap();
        (root, venv, interpreter)
    }

    #[test]
    fn it_goes_from_missing_to_fresh_and_back() {
        let any = Wanted::parse("python").unwrap();
        let nowhere = Venv::of(Path::new("/nowhere"));
        assert_eq!(nowhere.state(any, None, Bytecode::Now).unwrap(), State::Missing);

        let (root, venv, interpreter) = there();
        assert_eq!(venv.state(any, Some("a"), Bytecode::Now).unwrap(), State::Stale(None), "somebody else's");
        venv.remember(&interpreter, None).unwrap();
        assert_eq!(
            venv.state(any, Some("a"), Bytecode::Now).unwrap(),
            State::Stale(Some(interpreter.clone())),
            "being changed"
        );
        venv.remember(&interpreter, Some(("a".into(), Bytecode::Now))).unwrap();
        assert_eq!(venv.state(any, Some("a"), Bytecode::Now).unwrap(), State::Fresh(interpreter.clone()));
        assert_eq!(venv.state(any, Some("b"), Bytecode::Now).unwrap(), State::Stale(Some(interpreter)));
        std::fs::write(venv.dir.join(RECORD), "{").unwrap();
        assert_eq!(venv.state(any, Some("a"), Bytecode::Now).unwrap(), State::Stale(None), "a damaged record");
        drop(root);
    }

    #[test]
    fn what_cannot_be_used_is_broken_and_what_is_no_virtualenv_is_left_alone() {
        let any = Wanted::parse("python").unwrap();
        let (root, venv, interpreter) = there();
        venv.remember(&interpreter, Some(("a".into(), Bytecode::Now))).unwrap();
        let other = Wanted::parse(if interpreter.version.minor == 12 { "python3.13" } else { "python3.12" }).unwrap();
        assert!(
            matches!(venv.state(other, Some("a"), Bytecode::Now).unwrap(), State::Broken(_)),
            "another version is wanted"
        );

        let moved = Venv::of(&root.path().join("copy"));
        std::fs::create_dir(root.path().join("copy")).unwrap();
        std::fs::rename(&venv.dir, &moved.dir).unwrap();
        assert!(matches!(moved.state(any, Some("a"), Bytecode::Now).unwrap(), State::Broken(_)), "moved");

        std::fs::remove_file(moved.python()).unwrap();
        std::os::unix::fs::symlink("/gone/python3", moved.python()).unwrap();
        assert_eq!(
            moved.state(any, None, Bytecode::Now).unwrap(),
            State::Broken("its interpreter is gone (`/gone/python3`)".into())
        );

        std::fs::remove_file(moved.dir.join("pyvenv.cfg")).unwrap();
        std::fs::write(moved.dir.join("novel.txt"), "chapter 1").unwrap();
        assert_eq!(moved.state(any, None, Bytecode::Now).unwrap_err().code, "venv.foreign");
    }

    #[test]
    fn a_file_is_written_whole_and_keeps_its_permissions() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("pip-req.txt");
        std::fs::write(&file, "old").unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o640)).unwrap();
        write_whole(&file, b"new").unwrap();
        assert_eq!(std::fs::read(&file).unwrap(), b"new");
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o640);
        assert_eq!(dir.path().read_dir().unwrap().count(), 1);
    }
}
