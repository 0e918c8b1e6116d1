//! A folder that appears whole or not at all: written beside its place, moved there, and taken away again unless kept.

use std::path::{Path, PathBuf};

use crate::problem::{Doing as _, Problem, Result};

/// Dropped without [`NewFolder::keep`], everything it made is gone: the folder, and the parents it needed.
#[derive(Debug)]
pub struct NewFolder {
    path: PathBuf,
    /// Parents that were missing, outermost first.
    parents: Vec<PathBuf>,
    /// An empty folder was there, perhaps somebody's working folder: filled rather than replaced.
    was_there: bool,
    settled: bool,
    kept: bool,
}

impl NewFolder {
    /// Makes sure that nothing stands in the way of `path`, which is absolute.
    pub fn claim(path: &Path) -> Result<Self> {
        let was_there = match path.symlink_metadata() {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => false,
            Err(error) => return Err(error).doing(|| format!("look at `{}`", path.display())),
            Ok(_) if !path.is_dir() => {
                return Err(Problem::new("create.exists", format!("`{}` is there and is no folder", path.display())));
            }
            Ok(_) => {
                let mut entries = path.read_dir().doing(|| format!("read the folder `{}`", path.display()))?;
                if entries.next().is_some() {
                    return Err(Problem::new("create.exists", format!("`{}` is there and not empty", path.display())));
                }
                true
            }
        };
        let mut parents: Vec<_> =
            path.ancestors().skip(1).take_while(|folder| !folder.exists()).map(Path::to_owned).collect();
        parents.reverse();
        Ok(Self { path: path.to_owned(), parents, was_there, settled: false, kept: false })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Has `write` fill a folder beside the place, then moves that there.
    pub fn fill(&mut self, write: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
        use std::os::unix::fs::PermissionsExt as _;
        let path = &self.path;
        let parent = path.parent().unwrap_or(path);
        std::fs::create_dir_all(parent).doing(|| format!("make the folder `{}`", parent.display()))?;
        let stage = tempfile::Builder::new()
            .prefix(".dae-new-")
            .permissions(std::fs::Permissions::from_mode(0o777))
            .tempdir_in(if self.was_there { path } else { parent })
            .doing(|| format!("make a folder in `{}`", parent.display()))?;
        write(stage.path())?;
        self.settled = true;
        if !self.was_there {
            return std::fs::rename(stage.path(), path).doing(|| format!("make `{}`", path.display()));
        }
        let entries = stage.path().read_dir().doing(|| format!("read `{}`", stage.path().display()))?;
        for entry in entries {
            let entry = entry.doing(|| format!("read `{}`", stage.path().display()))?;
            let to = path.join(entry.file_name());
            std::fs::rename(entry.path(), &to).doing(|| format!("make `{}`", to.display()))?;
        }
        Ok(())
    }

    /// From here on it stays.
    pub fn keep(mut self) {
        self.kept = true;
    }
}

impl Drop for NewFolder {
    fn drop(&mut self) {
        if self.kept {
            return;
        }
        // It was empty or absent when claimed, so all that is in it is ours; what cannot be removed has no better remedy here.
        if self.settled {
            if self.was_there {
                for entry in self.path.read_dir().into_iter().flatten().flatten() {
                    let path = entry.path();
                    let folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
                    let _ = if folder { std::fs::remove_dir_all(path) } else { std::fs::remove_file(path) };
                }
            } else {
                let _ = std::fs::remove_dir_all(&self.path);
            }
        }
        for parent in self.parents.iter().rev() {
            let _ = std::fs::remove_dir(parent);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fill(folder: &mut NewFolder) {
        folder
            .fill(|stage| {
                std::fs::create_dir(stage.join("d")).unwrap();
                std::fs::write(stage.join("d/f"), "x").unwrap();
                std::fs::write(stage.join("g"), "y").unwrap();
                Ok(())
            })
            .unwrap();
    }

    #[test]
    fn kept_it_stays_and_dropped_it_goes_with_its_parents() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("a/b/c");
        let mut folder = NewFolder::claim(&path).unwrap();
        fill(&mut folder);
        assert!(path.join("d/f").exists());
        drop(folder);
        assert_eq!(temp.path().read_dir().unwrap().count(), 0);

        let mut folder = NewFolder::claim(&path).unwrap();
        fill(&mut folder);
        folder.keep();
        assert!(path.join("g").exists());
        assert_eq!(path.parent().unwrap().read_dir().unwrap().count(), 1);
        assert_eq!(NewFolder::claim(&path).unwrap_err().code, "create.exists");
    }

    #[test]
    fn an_empty_folder_is_filled_and_stays_empty_on_failure() {
        let temp = tempfile::tempdir().unwrap();
        let mut folder = NewFolder::claim(temp.path()).unwrap();
        fill(&mut folder);
        assert_eq!(temp.path().read_dir().unwrap().count(), 2);
        drop(folder);
        assert_eq!(temp.path().read_dir().unwrap().count(), 0);

        let mut folder = NewFolder::claim(temp.path()).unwrap();
        assert!(folder.fill(|_| Err(Problem::new("x", "no"))).is_err());
        drop(folder);
        assert_eq!(temp.path().read_dir().unwrap().count(), 0);
    }

    #[test]
    fn a_file_in_the_way_is_left_alone() {
        let temp = tempfile::NamedTempFile::new().unwrap();
        assert_eq!(NewFolder::claim(temp.path()).unwrap_err().code, "create.exists");
    }
}
