//! The repository of a new app.

use std::path::{Path, PathBuf};

use git2::{IndexAddOption, Repository, RepositoryInitOptions, Signature};

use crate::problem::{Problem, Result};

/// How a new app came under version control.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Versioned {
    /// A repository of its own, with a first commit.
    Committed,
    /// It lies in this work tree already; nothing was done.
    Inside(PathBuf),
}

/// Makes a repository of `root` and commits all that is in it and not ignored.
pub fn first_commit(root: &Path, message: &str) -> Result<Versioned> {
    match Repository::discover(root) {
        Ok(repository) => return Ok(Versioned::Inside(repository.workdir().unwrap_or(repository.path()).to_owned())),
        // Somebody else's repository is one all the same.
        Err(error) if error.code() == git2::ErrorCode::Owner => return Ok(Versioned::Inside(root.to_owned())),
        Err(_) => {}
    }
    commit(root, message).map_err(|error| {
        Problem::new("create.git", format!("could not make a git repository in `{}`", root.display()))
            .because(error.message())
            .hint("`--no-git` goes without one")
    })?;
    Ok(Versioned::Committed)
}

fn commit(root: &Path, message: &str) -> Result<(), git2::Error> {
    let repository = Repository::init_opts(root, RepositoryInitOptions::new().no_reinit(true))?;
    let mut index = repository.index()?;
    index.add_all(["*"], IndexAddOption::DEFAULT, None)?;
    index.write()?;
    let tree = repository.find_tree(index.write_tree()?)?;
    // A machine where git was never told a name still gets its first commit.
    let author = repository.signature().or_else(|_| Signature::now("dae", "dae@localhost"))?;
    repository.commit(Some("HEAD"), &author, &author, message, &tree, &[])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_becomes_a_repository_and_one_below_it_does_not() {
        let temp = tempfile::tempdir().unwrap();
        std::fs::write(temp.path().join("a"), "x").unwrap();
        std::fs::write(temp.path().join("b"), "x").unwrap();
        std::fs::write(temp.path().join(".gitignore"), "/b\n").unwrap();
        assert_eq!(first_commit(temp.path(), "One").unwrap(), Versioned::Committed);

        let repository = Repository::open(temp.path()).unwrap();
        let head = repository.head().unwrap().peel_to_commit().unwrap();
        let files: Vec<_> = head.tree().unwrap().iter().map(|entry| entry.name().unwrap().to_owned()).collect();
        assert_eq!((head.message().unwrap(), files), ("One", vec![".gitignore".to_owned(), "a".to_owned()]));
        assert!(repository.statuses(None).unwrap().iter().all(|status| status.status() == git2::Status::IGNORED));

        let below = temp.path().join("c");
        std::fs::create_dir(&below).unwrap();
        assert!(matches!(first_commit(&below, "Two").unwrap(), Versioned::Inside(_)));
        assert!(!below.join(".git").exists());
    }
}
