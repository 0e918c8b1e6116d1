//! One `dae serve` for one app: a lock that is held, not a file that is there.

use std::fs::{File, TryLockError};
use std::io::{Read as _, Seek as _, Write as _};
use std::path::Path;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::problem::{Doing as _, Problem, Result};

/// Who serves an app.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Server {
    pub app: String,
    pub pid: u32,
    pub url: String,
    /// Where to reach it, without a name.
    pub address: std::net::SocketAddr,
    /// The other apps of the same process.
    #[serde(default)]
    pub with: Vec<String>,
}

/// Held for as long as the app is served; the system takes it back from a process that dies.
#[derive(Debug)]
pub struct Session {
    file: File,
}

/// Whose an app's lock is.
#[derive(Debug)]
enum Taken {
    Ours(Session),
    /// Another process serves the app; none: it is just starting or ending.
    Theirs(Option<Server>),
}

impl Session {
    /// Takes the app's lock, waiting for whoever only looks at it.
    pub fn take_within(root: &Path, patience: Duration) -> Result<Self> {
        let since = Instant::now();
        loop {
            match Self::take(root)? {
                Taken::Ours(session) => return Ok(session),
                Taken::Theirs(_) if since.elapsed() > patience => {
                    return Err(Problem::new("serve.running", "another `dae serve` of this app is just starting")
                        .try_running("dae status"));
                }
                Taken::Theirs(_) => std::thread::sleep(Duration::from_millis(10)),
            }
        }
    }

    /// Takes the app's lock, `.dae/serve` below its root, if it is free.
    fn take(root: &Path) -> Result<Taken> {
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
            Ok(()) => {
                // What the last one wrote is no longer so.
                file.set_len(0).doing(|| format!("write `{}`", path.display()))?;
                Ok(Taken::Ours(Self { file }))
            }
            Err(TryLockError::WouldBlock) => {
                let mut text = String::new();
                // Half-written is as good as unreadable.
                let _ = file.read_to_string(&mut text);
                Ok(Taken::Theirs(serde_json::from_str(&text).ok()))
            }
            Err(TryLockError::Error(error)) => Err(error).doing(|| format!("lock `{}`", path.display())),
        }
    }

    /// Who serves the app, if anybody does.
    pub fn server(root: &Path) -> Result<Option<Server>> {
        if !root.join(".dae/serve").exists() {
            return Ok(None);
        }
        Ok(match Self::take(root)? {
            Taken::Ours(_) => None,
            Taken::Theirs(server) => server,
        })
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

/// There is nobody to ask.
pub fn not_served() -> Problem {
    Problem::new("serve.not-running", "this app is not being served").try_running("dae serve")
}
