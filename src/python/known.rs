//! What interpreters said when they were asked before: a start of Python costs 20 ms, one behind a shim 150.

use std::fmt::Write as _;
use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use super::interpreter::Interpreter;

/// The answer of `program`, run in `folder`, from the cache while all it depends on is as it was; else asked for with `ask`.
pub fn probe(
    program: &Path,
    folder: &Path,
    cache: &Path,
    ask: impl FnOnce(&Path, &Path) -> Option<Interpreter>,
) -> Option<Interpreter> {
    let Some(key) = key(program, folder) else { return ask(program, folder) };
    let file = cache.join("interpreters").join(key + ".json");
    let known = std::fs::read(&file).ok().and_then(|bytes| serde_json::from_slice::<Interpreter>(&bytes).ok());
    if let Some(known) = known.filter(|known| known.path.is_file()) {
        return Some(known);
    }
    let found = ask(program, folder)?;
    // One that cannot be kept is asked again.
    if let (Ok(bytes), Some(parent)) = (serde_json::to_vec(&found), file.parent()) {
        let kept = std::fs::create_dir_all(parent).and_then(|()| {
            let aside = tempfile::NamedTempFile::new_in(parent)?;
            std::fs::write(aside.path(), bytes)?;
            aside.persist(&file).map(drop).map_err(|error| error.error)
        });
        let _ = kept;
    }
    Some(found)
}

/// A digest of all that decides what the program says: itself, and for a shim how its version manager chooses.
fn key(program: &Path, folder: &Path) -> Option<String> {
    let mut hash = Sha256::new();
    let mut note = |file: &Path| {
        let meta = file.metadata().ok();
        let stamp = meta.map(|meta| (meta.ino(), meta.size(), meta.mtime(), meta.mtime_nsec()));
        hash.update(format!("{} {stamp:?}\n", file.display()));
        stamp
    };
    note(program)?;
    note(&program.canonicalize().ok()?);
    let shim = program.parent().is_some_and(|folder| folder.ends_with("shims"));
    let mut lead = [0; 2];
    let read = std::fs::File::open(program).and_then(|mut file| file.read_exact(&mut lead));
    if !shim && read.is_ok() && &lead == b"#!" {
        // Somebody's own script may choose by anything.
        return None;
    }
    if shim {
        let root = program.parent().and_then(Path::parent).map(Path::to_owned).unwrap_or_default();
        note(&root.join("version"));
        note(&root.join("versions"));
        let home = std::env::var_os("HOME").map(PathBuf::from);
        for folder in folder.ancestors().map(Path::to_owned).chain(home) {
            for choice in [".python-version", ".tool-versions", "mise.toml", ".mise.toml"] {
                note(&folder.join(choice));
            }
        }
        for name in ["PYENV_VERSION", "PYENV_ROOT", "PYENV_DIR", "ASDF_PYTHON_VERSION"] {
            hash.update(format!("{name}={:?}\n", std::env::var_os(name)));
        }
    }
    Some(hash.finalize().iter().take(12).fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    }))
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[test]
    fn it_is_asked_again_when_what_decides_has_changed() {
        let dir = tempfile::tempdir().unwrap();
        let at = |below: &str| dir.path().join(below);
        for folder in ["pyenv/shims", "app", "cache"] {
            std::fs::create_dir_all(at(folder)).unwrap();
        }
        std::fs::write(at("pyenv/shims/python3"), "one").unwrap();
        std::fs::write(at("real"), "").unwrap();
        let asked = Cell::new(0);
        let mut answer = Interpreter::find("python").unwrap();
        answer.path = at("real");
        let look = || {
            let ask = |_: &Path, _: &Path| {
                asked.set(asked.get() + 1);
                Some(answer.clone())
            };
            assert_eq!(probe(&at("pyenv/shims/python3"), &at("app"), &at("cache"), ask).as_ref(), Some(&answer));
            asked.get()
        };
        assert_eq!([look(), look()], [1, 1]);
        std::fs::write(at("app/.python-version"), "3.12").unwrap();
        assert_eq!([look(), look()], [2, 2], "the app chose another one");
        std::fs::write(at("pyenv/version"), "3.13").unwrap();
        assert_eq!([look(), look()], [3, 3], "the user chose another one");
        std::fs::write(at("pyenv/shims/python3"), "another").unwrap();
        assert_eq!([look(), look()], [4, 4], "another shim");
        std::fs::remove_file(at("real")).unwrap();
        assert_eq!([look(), look()], [5, 6], "what it led to is gone");
    }
}
