//! The runtime set: what dae itself needs to run an app (gunicorn, gevent, the `dae` package), once per machine in a folder
//! of its own that stands behind the app's packages on `sys.path`. It never shows up in a pip-req.txt.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Instant;

use include_dir::{Dir, include_dir};
use sha2::{Digest as _, Sha256};

use super::installer::Installer;
use super::interpreter::Interpreter;
use super::{Event, Tell, folder};
use crate::problem::{Doing as _, Result};

/// The locked list.
const LOCKED: &str = include_str!("../../python/runtime.txt");
static PACKAGE: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/python/dae");

/// The runtime set for `interpreter`, made when it is not there yet.
pub fn ensure(interpreter: &Interpreter, cache: &Path, tell: Tell) -> Result<PathBuf> {
    let place = place(interpreter, cache);
    if place.is_dir() {
        return Ok(place);
    }
    make(&place, &Installer::find(interpreter, cache, tell), interpreter, tell)?;
    Ok(place)
}

/// Where it is, or would be: one folder for what is in it and for what it was built for.
fn place(interpreter: &Interpreter, cache: &Path) -> PathBuf {
    let mut hash = Sha256::new();
    hash.update(LOCKED);
    digest(&PACKAGE, &mut hash);
    hash.update(&interpreter.abi);
    hash.update(interpreter.version.minor());
    hash.update(std::env::consts::ARCH);
    let mut name = String::new();
    for byte in &hash.finalize()[..10] {
        let _ = write!(name, "{byte:02x}");
    }
    cache.join("runtime").join(format!("python{}-{name}", interpreter.version.minor()))
}

fn digest(dir: &Dir, hash: &mut Sha256) {
    for file in dir.files().filter(|file| !is_bytecode(file.path())) {
        hash.update(file.path().as_os_str().as_encoded_bytes());
        hash.update([0]);
        hash.update(file.contents().len().to_be_bytes());
        hash.update(file.contents());
    }
    for dir in dir.dirs() {
        digest(dir, hash);
    }
}

/// A developer's own `__pycache__`, embedded with the rest.
fn is_bytecode(path: &Path) -> bool {
    path.components().any(|part| part.as_os_str() == "__pycache__")
}

fn make(place: &Path, installer: &Installer, interpreter: &Interpreter, tell: Tell) -> Result<()> {
    let began = Instant::now();
    let python = interpreter.version.minor();
    tell(Event::MakingRuntime { python });
    let mut packages = 0;
    folder::make(place, |aside| {
        let package = aside.join("dae");
        copy(&PACKAGE, &package)?;
        Installer::compile(interpreter, &package);
        installer.into_folder(interpreter, LOCKED, aside, tell)?;
        packages = super::dist::in_folder(aside).len();
        Ok(())
    })?;
    tell(Event::MadeRuntime { packages, took: began.elapsed() });
    Ok(())
}

fn copy(dir: &Dir, to: &Path) -> Result<()> {
    std::fs::create_dir_all(to).doing(|| format!("make the folder `{}`", to.display()))?;
    for file in dir.files().filter(|file| !is_bytecode(file.path())) {
        let to = to.join(file.path().file_name().unwrap_or_default());
        std::fs::write(&to, file.contents()).doing(|| format!("write `{}`", to.display()))?;
    }
    for dir in dir.dirs().filter(|dir| !is_bytecode(dir.path())) {
        copy(dir, &to.join(dir.path().file_name().unwrap_or_default()))?;
    }
    Ok(())
}
