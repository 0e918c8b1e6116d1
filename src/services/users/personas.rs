//! Those whom a developer has logged in as, to be picked again: `users/personas.json` below a space's data.

use std::path::{Path, PathBuf};

use super::User;
use crate::problem::{Doing as _, Result};

/// So many, the newest.
const MOST: usize = 20;

#[derive(Debug, Clone)]
pub struct Personas(PathBuf);

impl Personas {
    pub fn of(data: &Path) -> Self {
        Self(data.join("users/personas.json"))
    }

    pub fn at(file: PathBuf) -> Self {
        Self(file)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The newest first; at the first time two who are always there.
    pub fn list(&self) -> Vec<User> {
        let kept = std::fs::read(&self.0).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok());
        kept.unwrap_or_else(|| [User::typed("Ann", true), User::typed("Bob", false)].into_iter().flatten().collect())
    }

    pub fn find(&self, name: &str) -> Option<User> {
        self.list().into_iter().find(|user| user.username == name || user.name == name)
    }

    pub fn keep(&self, user: &User) -> Result<()> {
        let mut all = self.list();
        all.retain(|known| known.id != user.id);
        all.insert(0, user.clone());
        all.truncate(MOST);
        let folder = self.0.parent().unwrap_or(Path::new("."));
        let write = || -> std::io::Result<()> {
            std::fs::create_dir_all(folder)?;
            let file = tempfile::NamedTempFile::new_in(folder)?;
            serde_json::to_writer_pretty(&file, &all)?;
            file.persist(&self.0)?;
            Ok(())
        };
        write().doing(|| format!("write `{}`", self.0.display()))
    }
}
