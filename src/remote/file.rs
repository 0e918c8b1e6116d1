//! Settings on disk: there whole or not at all.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use crate::problem::{Doing as _, Result};

/// Who may read a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who {
    Everybody,
    /// Mode 0600.
    Owner,
}

/// Writes a file beside its place and moves it there; makes the folders above it.
pub fn write(path: &Path, bytes: &[u8], who: Who) -> Result<()> {
    let doing = || format!("write `{}`", path.display());
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder).doing(|| format!("make the folder `{}`", folder.display()))?;
    let mut aside = tempfile::NamedTempFile::new_in(folder).doing(doing)?;
    let mode = if who == Who::Owner { 0o600 } else { 0o644 };
    aside.as_file().set_permissions(fs::Permissions::from_mode(mode)).doing(doing)?;
    aside.write_all(bytes).doing(doing)?;
    // Before the move: after a power cut there is the old one or the new one, and none that is empty.
    aside.as_file().sync_all().doing(doing)?;
    aside.persist(path).map_err(|error| error.error).doing(doing)?;
    Ok(())
}
