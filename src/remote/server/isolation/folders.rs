//! Who may go where in a node's folders:
//!
//! ```text
//! .                 anybody goes through, nobody looks around
//! apps/             likewise
//! apps/APP/         the app's user goes through
//! apps/APP/releases the app's user reads; what was sealed is that user's alone
//! apps/APP/permdir, tmp, cache   the app's user's own
//! sites/ runtimes/  packages: anybody reads, as far as landlock lets them
//! the rest          the node's alone
//! ```
//!
//! Where the apps have no users of their own all of it is the node's, and landlock says who goes where.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown, lchown};
use std::path::{Path, PathBuf};

use crate::problem::{Doing as _, Result};

pub const PERMDIR: &str = "permdir";
pub const TMP: &str = "tmp";
/// Python's bytecode: nobody can write where the packages are.
pub const CACHE: &str = "cache";

/// What others than the node use, and what is made when the node runs.
const SHARED: &[&str] = &["apps", "sites", "runtimes"];
const PRIVATE: &[&str] = &["access", "blobs", "layers", "logs", "cron", "runs"];

/// The first folder on the way to `path` that users without a name cannot go through.
pub fn closed(path: &Path) -> Option<PathBuf> {
    let real = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let ways: Vec<_> = real.ancestors().skip(1).collect();
    let shut = |folder: &&&Path| fs::metadata(folder).is_ok_and(|meta| meta.mode() & 0o001 == 0);
    ways.iter().rev().find(shut).map(|folder| folder.to_path_buf())
}

/// Lets the apps' users through to what is theirs, and to nothing else.
pub fn open(dir: &Path, run: &[&Path]) -> Result<()> {
    let work = || -> io::Result<()> {
        for name in PRIVATE.iter().chain(SHARED) {
            fs::create_dir_all(dir.join(name))?;
        }
        for entry in fs::read_dir(dir)? {
            let entry = entry?;
            let shared = SHARED.iter().any(|name| entry.file_name() == *name);
            let meta = entry.metadata()?;
            if !shared && !meta.is_symlink() {
                fs::set_permissions(entry.path(), Permissions::from_mode(meta.mode() & 0o700))?;
            }
        }
        fs::create_dir_all(dir.join("apps/.cache"))?;
        fs::set_permissions(dir.join("apps/.cache"), Permissions::from_mode(0o700))?;
        fs::set_permissions(dir.join("apps"), Permissions::from_mode(0o711))?;
        for name in ["sites", "runtimes"] {
            fs::set_permissions(dir.join(name), Permissions::from_mode(0o755))?;
        }
        [dir].iter().chain(run).try_for_each(|folder| fs::set_permissions(folder, Permissions::from_mode(0o711)))
    };
    work().doing(|| format!("open `{}` to the apps' users", dir.display()))
}

/// Takes away bytecode where there is very much of it: what no release needs any more is among it. Nothing of the apps runs.
pub fn tidy(dir: &Path) {
    const MUCH: u64 = 512 << 20;
    for app in fs::read_dir(dir.join("apps")).into_iter().flatten().flatten() {
        let cache = app.path().join(CACHE);
        if size(&cache) > MUCH {
            // It is made again.
            let _ = fs::remove_dir_all(cache);
        }
    }
}

/// In bytes of the disk; what goes away meanwhile has none.
pub fn size(folder: &Path) -> u64 {
    let mut sum = 0;
    let mut left = vec![folder.to_owned()];
    while let Some(folder) = left.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            let Ok(meta) = entry.metadata() else { continue };
            sum += meta.blocks() * 512;
            if meta.is_dir() {
                left.push(entry.path());
            }
        }
    }
    sum
}

/// Makes the folders `own`, an app's, and `run`, that for its sockets, ready for `user`.
pub fn prepare(own: &Path, run: &Path, user: Option<u32>) -> Result<()> {
    let work = || -> io::Result<()> {
        fs::create_dir_all(own)?;
        fs::create_dir_all(run)?;
        for name in [PERMDIR, TMP, CACHE] {
            // It may be a link to somewhere else.
            if !own.join(name).is_dir() {
                fs::create_dir(own.join(name))?;
                fs::set_permissions(own.join(name), Permissions::from_mode(0o700))?;
            }
        }
        let Some(user) = user else {
            fs::set_permissions(run, Permissions::from_mode(0o700))?;
            return fs::set_permissions(own, Permissions::from_mode(0o700));
        };
        for folder in [own, run] {
            chown(folder, Some(0), Some(user))?;
            fs::set_permissions(folder, Permissions::from_mode(0o710))?;
        }
        for name in [PERMDIR, TMP, CACHE] {
            let folder = own.join(name);
            if fs::metadata(&folder)?.uid() != user {
                // It was somebody else's before: all of it, and its top last, so that it is done again after a kill.
                give_tree(&folder, user)?;
                chown(&folder, Some(user), Some(user))?;
            }
        }
        let noted = own.join(".user");
        if fs::read_to_string(&noted).ok().and_then(|text| text.parse().ok()) != Some(user) {
            for release in fs::read_dir(own.join("releases")).into_iter().flatten().flatten() {
                give_secrets(&release.path().join("app"), user)?;
            }
            fs::write(noted, user.to_string())?;
        }
        Ok(())
    };
    work().doing(|| format!("make `{}` its user's", own.display()))
}

fn give_tree(folder: &Path, user: u32) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            give_tree(&entry.path(), user)?;
        }
        lchown(entry.path(), Some(user), Some(user))?;
    }
    Ok(())
}

/// What was sealed is readable by its owner alone: that is `user` from now on.
pub fn give_secrets(folder: &Path, user: u32) -> io::Result<()> {
    let entries = match fs::read_dir(folder) {
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        let kind = entry.file_type()?;
        if kind.is_dir() {
            give_secrets(&entry.path(), user)?;
        } else if kind.is_file() && entry.metadata()?.mode() & 0o044 == 0 {
            lchown(entry.path(), Some(user), Some(user))?;
        }
    }
    Ok(())
}
