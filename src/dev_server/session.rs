//! One `dae serve` for one app: a lock that is held, not a file that is there.

use std::fs::{File, TryLockError};
use std::io::{Read as _, Seek as _, Write as _};
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::problem::{Doing as _, Problem, Result};

/// Who serves an app.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Server {
    pub pid: u32,
    pub url: String,
}

/// Held for as long as the app is served; the system takes it back from a process that dies.
#[derive(Debug)]
pub struct Session {
    file: File,
}

impl Session {
    /// Takes the app's lock, in `.dae/serve` below its root.
    pub fn take(root: &Path) -> Result<Self> {
        let folder = root.join(".dae");
        std::fs::create_dir_all(&folder).doing(|| format!("make the folder `{}`", folder.display()))?;
        let path = folder.join("serve");
        let mut file = File::options()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .open(&path)
            .doing(|| format!("open `{}`", path.display()))?;
        match file.try_lock() {
            Ok(()) => Ok(Self { file }),
            Err(TryLockError::WouldBlock) => {
                let mut text = String::new();
                // Half-written is as good as unreadable: the other one is just starting.
                let _ = file.read_to_string(&mut text);
                Err(served_already(serde_json::from_str(&text).ok()))
            }
            Err(TryLockError::Error(error)) => Err(error).doing(|| format!("lock `{}`", path.display())),
        }
    }

    /// Says who serves, for the next one that wants to.
    pub fn tell(&mut self, server: &Server) -> Result<()> {
        let text = serde_json::json!(server).to_string();
        self.file
            .set_len(0)
            .and_then(|()| self.file.rewind())
            .and_then(|()| self.file.write_all(text.as_bytes()))
            .doing(|| "note who serves")
    }
}

fn served_already(server: Option<Server>) -> Problem {
    let problem = Problem::new("serve.running", "this app is served already");
    match server {
        Some(Server { pid, url }) => problem
            .because(format!("process {pid} serves it at {url}"))
            .hint(format!("open {url}, or end the other one with `kill {pid}`")),
        None => problem.because("another `dae serve` is just starting"),
    }
}
