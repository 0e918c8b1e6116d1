//! A folder that is gone with whoever holds it, unless that leaves it to somebody else.

use std::path::{Path, PathBuf};

#[derive(Debug)]
pub struct Folder(Option<PathBuf>);

impl Folder {
    pub fn path(&self) -> &Path {
        self.0.as_deref().unwrap_or(Path::new(""))
    }

    /// It stays.
    pub fn leave(&mut self) -> PathBuf {
        self.0.take().unwrap_or_default()
    }
}

impl From<tempfile::TempDir> for Folder {
    fn from(made: tempfile::TempDir) -> Self {
        Self(Some(made.keep()))
    }
}

impl From<PathBuf> for Folder {
    fn from(left: PathBuf) -> Self {
        Self(Some(left))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if let Some(path) = self.0.take() {
            let _ = std::fs::remove_dir_all(path);
        }
    }
}
