//! The services of an app on a developer's machine, shared by all dae processes of that app.
//!
//! The first process hosts them and holds `.dae/services`, where it writes what they provide; those that come later hold a
//! share of `.dae/services.use`. A host that ends waits until nobody holds a share; so `dae run` may begin before `dae serve`
//! and end before it. The system takes both locks back from a process that dies.

use std::fs::{File, TryLockError};
use std::io::{Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::{Platform, Provided, Space};
use crate::problem::{Doing as _, Problem, Result};

/// How long a host that is just starting, or ending, is waited for.
const PATIENCE: Duration = Duration::from_secs(20);
const PAUSE: Duration = Duration::from_millis(10);

/// The services of an app, for as long as this is held.
#[derive(Debug)]
pub struct Shared {
    pub provided: Vec<Provided>,
    hold: Hold,
}

#[derive(Debug)]
enum Hold {
    Hosts {
        platform: Platform,
        root: PathBuf,
        claim: File,
    },
    /// Nobody hosts them while this is held.
    Nobody {
        _claim: File,
    },
    /// Another process hosts them; it waits for this one.
    Uses {
        _share: File,
    },
}

enum Claimed {
    Ours(File),
    Theirs(Shared),
}

impl Shared {
    /// Joins the process that hosts the services of the app in `root`, or hosts them in the space that `space` makes.
    pub async fn join(root: &Path, space: impl FnOnce() -> Result<Space>) -> Result<Self> {
        match Self::claim(root).await? {
            Claimed::Ours(claim) => Self::host(root, claim, space()?).await,
            Claimed::Theirs(shared) => Ok(shared),
        }
    }

    /// Joins the process that hosts them; where there is none, there will be none while this is held.
    pub async fn join_or_keep_out(root: &Path) -> Result<Self> {
        Ok(match Self::claim(root).await? {
            Claimed::Ours(claim) => {
                // What the last host wrote is no longer so; who comes now waits.
                claim.set_len(0).doing(|| "note that nobody hosts the services")?;
                Self { provided: Vec::new(), hold: Hold::Nobody { _claim: claim } }
            }
            Claimed::Theirs(shared) => shared,
        })
    }

    async fn claim(root: &Path) -> Result<Claimed> {
        let folder = root.join(".dae");
        std::fs::create_dir_all(&folder).doing(|| format!("make the folder `{}`", folder.display()))?;
        let since = Instant::now();
        let mut claim = open(&claim_path(root))?;
        loop {
            match claim.try_lock() {
                Ok(()) => return Ok(Claimed::Ours(claim)),
                Err(TryLockError::WouldBlock) => {
                    if let Some(shared) = Self::joined(root, &mut claim)? {
                        return Ok(Claimed::Theirs(shared));
                    }
                }
                Err(TryLockError::Error(error)) => return Err(error).doing(|| "lock the app's services"),
            }
            if since.elapsed() > PATIENCE {
                return Err(Problem::new(
                    "services.busy",
                    "another process hosts this app's services and does not say where",
                )
                .hint("is a `dae serve` or `dae run` of this app stuck? `dae status` tells its number"));
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Joins the process that hosts the services of the app in `root`, where there is one.
    pub async fn find(root: &Path) -> Result<Option<Self>> {
        if !claim_path(root).exists() {
            return Ok(None);
        }
        let since = Instant::now();
        let mut claim = open(&claim_path(root))?;
        while since.elapsed() < PATIENCE {
            if claim.try_lock().is_ok() {
                return Ok(None);
            }
            if let Some(joined) = Self::joined(root, &mut claim)? {
                return Ok(Some(joined));
            }
            tokio::time::sleep(PAUSE).await;
        }
        Ok(None)
    }

    async fn host(root: &Path, mut claim: File, space: Space) -> Result<Self> {
        let write = |claim: &mut File, text: &str| {
            claim.set_len(0).and_then(|()| claim.rewind()).and_then(|()| claim.write_all(text.as_bytes()))
        };
        // What the last one wrote is no longer so.
        write(&mut claim, "").doing(|| "note where the services are")?;
        let platform = Platform::start(&space).await?;
        let provided = platform.provided();
        write(&mut claim, &serde_json::json!(provided).to_string()).doing(|| "note where the services are")?;
        Ok(Self { provided, hold: Hold::Hosts { platform, root: root.to_owned(), claim } })
    }

    /// A share in what another process hosts; none while it is starting or ending.
    fn joined(root: &Path, claim: &mut File) -> Result<Option<Self>> {
        let share = open(&share_path(root))?;
        match share.try_lock_shared() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) => return Err(error).doing(|| "lock the app's services"),
        }
        let mut text = String::new();
        claim.rewind().and_then(|()| claim.read_to_string(&mut text)).doing(|| "read where the services are")?;
        // Half-written is as good as not yet.
        let Ok(provided) = serde_json::from_str(&text) else { return Ok(None) };
        // It may have ended before it saw the share.
        let hosted = matches!(claim.try_lock(), Err(TryLockError::WouldBlock));
        if !hosted {
            claim.unlock().doing(|| "let go of the app's services")?;
        }
        Ok(hosted.then_some(Self { provided, hold: Hold::Uses { _share: share } }))
    }

    /// Whether this process hosts them, and others use them.
    pub fn is_used(&self) -> bool {
        let Hold::Hosts { root, .. } = &self.hold else { return false };
        open(&share_path(root)).is_ok_and(|share| matches!(share.try_lock(), Err(TryLockError::WouldBlock)))
    }

    /// Waits until no other process uses what this one hosts.
    pub async fn unused(&self) {
        while self.is_used() {
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Lets go. What this process hosts ends, with everything written.
    pub async fn end(self) {
        if let Hold::Hosts { platform, root, claim } = self.hold {
            // From here on nobody joins: who comes now waits for the claim.
            let share = open(&share_path(&root)).ok();
            let _ = share.as_ref().map(File::try_lock);
            platform.stop().await;
            // The claim goes last, with everything written.
            drop((share, claim));
        }
    }
}

fn claim_path(root: &Path) -> PathBuf {
    root.join(".dae/services")
}

fn share_path(root: &Path) -> PathBuf {
    root.join(".dae/services.use")
}

/// Only the user may read it: a service's password is in it.
fn open(path: &Path) -> Result<File> {
    use std::os::unix::fs::OpenOptionsExt as _;
    File::options()
        .create(true)
        .truncate(false)
        .read(true)
        .write(true)
        .mode(0o600)
        .open(path)
        .doing(|| format!("open `{}`", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::AppName;
    use crate::services::Tell;

    fn space(root: &Path) -> impl FnOnce() -> Result<Space> + use<> {
        let root = root.to_owned();
        move || Space::new(AppName::parse("blog").unwrap(), root.join("data"), root.join("run"), Tell::nobody())
    }

    #[tokio::test]
    async fn the_first_hosts_and_waits_for_the_others() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        let first = Shared::join(root, space(root)).await.unwrap();
        assert!(!first.is_used());
        let second = Shared::join(root, || panic!("it is hosted already")).await.unwrap();
        assert_eq!(first.provided, second.provided);
        assert!(first.is_used() && !second.is_used());
        second.end().await;
        first.unused().await;
        first.end().await;
        // A new host.
        let third = Shared::join(root, space(root)).await.unwrap();
        assert!(matches!(third.hold, Hold::Hosts { .. }));
    }
}
