//! A node's own key: what is sealed to its public half can be opened here and nowhere else. Lost, nothing sealed can be.

use std::fs;
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use crate::packaging::Key;
use crate::problem::{Doing as _, Problem, Result};

const FILE: &str = "key";

/// The key in a node's folder; it is made where there is none.
pub fn open(dir: &Path) -> Result<Key> {
    let path = dir.join(FILE);
    let text = match fs::read_to_string(&path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return make(dir),
        text => text.doing(|| format!("read `{}`", path.display()))?,
    };
    let mode = fs::metadata(&path).doing(|| format!("look at `{}`", path.display()))?.permissions().mode();
    if mode & 0o077 != 0 {
        return Err(Problem::new("node.key-mode", format!("others than its owner can use `{}`", path.display()))
            .because("it opens every secret of the node's apps")
            .try_running(format!("chmod 600 {}", path.display())));
    }
    Key::parse(&text).map_err(|problem| {
        Problem::new("node.key", format!("`{}` is not readable", path.display()))
            .because(problem)
            .hint("put it back from a backup: without it what was sealed for this node cannot be opened")
    })
}

/// Written aside and linked, so that of two who make one at once both have the same.
fn make(dir: &Path) -> Result<Key> {
    let (path, aside) = (dir.join(FILE), dir.join(format!(".{FILE}-{}", std::process::id())));
    let key = Key::generate();
    let write = || -> std::io::Result<()> {
        let _ = fs::remove_file(&aside);
        let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&aside)?;
        writeln!(file, "{}", key.secret())?;
        file.sync_all()?;
        let linked = fs::hard_link(&aside, &path);
        fs::remove_file(&aside)?;
        match linked {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(error),
            _ => fs::File::open(dir)?.sync_all(),
        }
    };
    write().doing(|| format!("write `{}`", path.display()))?;
    open(dir)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_made_once_and_for_its_owner_alone() {
        let dir = tempfile::tempdir().unwrap();
        let public = open(dir.path()).unwrap().public();
        assert_eq!(open(dir.path()).unwrap().public(), public);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
        let path = dir.path().join(FILE);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        assert_eq!(open(dir.path()).unwrap_err().code, "node.key-mode");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        fs::write(&path, "nonsense").unwrap();
        assert_eq!(open(dir.path()).unwrap_err().code, "node.key");
    }
}
