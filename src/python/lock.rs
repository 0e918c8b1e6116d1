//! One dae at a time installs into an app.

use std::fs::{File, TryLockError};
use std::path::Path;

use super::{Event, Tell};
use crate::problem::{Doing as _, Result};

/// Held until dropped; the system lets go when its process dies.
#[derive(Debug)]
pub struct Lock(#[expect(dead_code, reason = "the lock lasts as long as the file is open")] File);

/// Waits, and says so, while another one holds it.
pub fn hold(app_root: &Path, tell: Tell) -> Result<Lock> {
    let folder = app_root.join(".dae");
    let path = folder.join("install.lock");
    let doing = || format!("lock `{}`", path.display());
    std::fs::create_dir_all(&folder).doing(doing)?;
    let file = File::options().create(true).append(true).open(&path).doing(doing)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            tell(Event::Waiting { lock: path.clone() });
            file.lock().doing(doing)?;
        }
        Err(TryLockError::Error(error)) => Err(error).doing(doing)?,
    }
    Ok(Lock(file))
}
