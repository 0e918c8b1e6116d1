//! Where uv comes from: PATH, the cache, or once from the package index by the machine's own pip, so that the user's
//! index settings count.

use std::path::{Path, PathBuf};
use std::time::Instant;

use super::{Event, trouble};
use crate::problem::{Doing as _, Problem, Result};
use crate::python::Tell;
use crate::python::folder;
use crate::python::interpreter::{Interpreter, is_program};
use crate::python::program::{command, run};

/// Older ones do not know `pip install --exact`.
const OLDEST: (u32, u32) = (0, 6);

/// A uv on PATH that is new enough. Shims are passed over: there is one as soon as any Python has a uv.
pub fn on_path() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .filter(|folder| !folder.ends_with("shims"))
        .map(|folder| folder.join("uv"))
        .find(|file| is_program(file) && new_enough(file))
}

fn new_enough(uv: &Path) -> bool {
    let Ok(said) = run(command(uv).arg("--version"), "") else { return false };
    let mut numbers = said.stdout.split(' ').nth(1).unwrap_or_default().split('.').map(|n| n.parse::<u32>().ok());
    match (numbers.next().flatten(), numbers.next().flatten()) {
        (Some(major), Some(minor)) => said.success && (major, minor) >= OLDEST,
        _ => false,
    }
}

fn place(cache: &Path) -> PathBuf {
    cache.join("uv").join(format!("{}-{}", std::env::consts::OS, std::env::consts::ARCH))
}

pub fn cached(cache: &Path) -> Option<PathBuf> {
    Some(place(cache).join("bin/uv")).filter(|file| is_program(file))
}

pub fn fetch(interpreter: &Interpreter, cache: &Path, tell: Tell) -> Result<PathBuf> {
    let began = Instant::now();
    tell(Event::FetchingUv);
    let place = place(cache);
    folder::make(&place, |aside| {
        let scratch;
        let mut python = interpreter.path.clone();
        if !has_pip(&python) {
            scratch = tempfile::tempdir().doing(|| "make a folder for a moment")?;
            let said = run(command(&python).args(["-m", "venv"]).arg(scratch.path()), "")?;
            if !said.success {
                return Err(trouble::no_ensurepip(interpreter, &said));
            }
            python = scratch.path().join("bin/python");
        }
        // From source it would take a Rust toolchain and minutes; where there is no wheel, pip does the work itself.
        let mut pip = command(&python);
        pip.args(["-m", "pip", "install", "--quiet", "--no-input", "--disable-pip-version-check"]);
        pip.args(["--only-binary", ":all:", "--target"]).arg(aside).arg("uv>=0.6,<1");
        let said = run(&mut pip, "")?;
        if !said.success {
            return Err(trouble::pip("fetch uv", &said));
        }
        if !is_program(&aside.join("bin/uv")) {
            return Err(Problem::new("installer.no-uv", "the package `uv` holds no program for this machine"));
        }
        Ok(())
    })?;
    tell(Event::FetchedUv { took: began.elapsed() });
    Ok(place.join("bin/uv"))
}

fn has_pip(python: &Path) -> bool {
    run(command(python).args(["-c", "import pip"]), "").is_ok_and(|said| said.success)
}
