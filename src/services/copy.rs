//! Folders that are there whole or not at all, and copies of them that share their blocks where the disk can do that.

use std::io;
use std::path::{Path, PathBuf};

use crate::problem::{Doing as _, Result};

/// Files that are written out at the same time.
const AT_ONCE: usize = 16;

/// Has `fill` make the contents of `place` in a folder beside it, which then takes the place. Where two are at it at once,
/// the first one's is kept.
pub fn into_place(place: &Path, fill: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
    let doing = || format!("make the folder `{}`", place.display());
    let parent = place.parent().unwrap_or(Path::new("/"));
    make_private(parent)?;
    let aside = tempfile::Builder::new().prefix(".making-").tempdir_in(parent).doing(doing)?;
    let inner = aside.path().join("whole");
    make_private(&inner)?;
    fill(&inner)?;
    match std::fs::rename(&inner, place) {
        Err(error) if matches!(error.kind(), io::ErrorKind::DirectoryNotEmpty | io::ErrorKind::AlreadyExists) => Ok(()),
        other => other.doing(doing),
    }
}

/// Only the user may look into it.
pub fn make_private(folder: &Path) -> Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder);
    made.doing(|| format!("make the folder `{}`", folder.display()))
}

/// Copies what is in `from` into the folder `to`, which is there. Sockets and pipes are left out: they are somebody's who
/// runs. `Ok` means that every byte is with the disk.
pub fn copy(from: &Path, to: &Path) -> Result<()> {
    for entry in std::fs::read_dir(from).doing(|| format!("read `{}`", from.display()))? {
        let entry = entry.doing(|| format!("read `{}`", from.display()))?;
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        let doing = || format!("copy `{}` to `{}`", source.display(), target.display());
        let kind = entry.file_type().doing(doing)?;
        if kind.is_dir() {
            std::fs::create_dir(&target).doing(doing)?;
            let meta = entry.metadata().doing(doing)?;
            copy(&source, &target)?;
            std::fs::set_permissions(&target, meta.permissions()).doing(doing)?;
        } else if kind.is_symlink() {
            let to = std::fs::read_link(&source).doing(doing)?;
            std::os::unix::fs::symlink(to, &target).doing(doing)?;
        } else if kind.is_file() {
            reflink_copy::reflink_or_copy(&source, &target).doing(doing)?;
        }
    }
    Ok(())
}

/// Has everything below `folder` written out: after that a power cut takes none of it.
pub fn sync(folder: &Path) -> Result<()> {
    let mut all = Vec::new();
    gather(folder, &mut all)?;
    // Each waits for the disk, and not for the others.
    let sync = |path: &PathBuf| {
        std::fs::File::open(path).and_then(|file| file.sync_all()).doing(|| format!("write out `{}`", path.display()))
    };
    std::thread::scope(|scope| {
        let shares = all.chunks(all.len().div_ceil(AT_ONCE).max(1));
        let working: Vec<_> = shares.map(|share| scope.spawn(move || share.iter().try_for_each(sync))).collect();
        working.into_iter().try_for_each(|share| share.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
    })
}

fn gather(folder: &Path, all: &mut Vec<PathBuf>) -> Result<()> {
    let doing = || format!("read `{}`", folder.display());
    for entry in std::fs::read_dir(folder).doing(doing)? {
        let entry = entry.doing(doing)?;
        let kind = entry.file_type().doing(doing)?;
        if kind.is_dir() {
            gather(&entry.path(), all)?;
        } else if kind.is_file() {
            all.push(entry.path());
        }
    }
    all.push(folder.to_owned());
    Ok(())
}

/// Takes a folder away with all that is in it; one that is not there is fine.
pub fn remove(folder: &Path) -> Result<()> {
    match std::fs::remove_dir_all(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other.doing(|| format!("remove `{}`", folder.display())),
    }
}
