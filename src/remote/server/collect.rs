//! What no release needs any more is taken away: old releases, then blobs, manifests and folders that nothing leads to.
//!
//! Theory of operation. What leads to something: a release that is remembered, a tag, and whatever was written or counted on
//! within the grace, which is longer than a push takes. The names go first and the bytes after them, so a kill in between
//! leaves bytes without a name, which the next collection finds; a name never stands for bytes that are gone. Whoever puts
//! something together or answers an offer holds `in_use`; a collection that would have to wait is left for the next time.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, TryLockError};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::assemble::{self, ASIDE};
use super::{Server, Told, blocking};
use crate::app::AppName;
use crate::packaging::Digest;
use crate::problem::Result;

/// Releases of an app that are remembered, of those that were live; and as many of the others.
const REMEMBERED: usize = 20;
/// Without any release this long passes between two looks.
const EVERY: Duration = Duration::from_mins(30);

/// What was taken away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Collected {
    pub releases: usize,
    pub blobs: usize,
    /// Of the blobs; folders are made of links to one another.
    pub bytes: u64,
    pub folders: usize,
}

/// As much of a manifest or an index as leads to other blobs.
#[derive(Debug, Default, Deserialize)]
struct Manifest {
    config: Option<Descriptor>,
    #[serde(default)]
    layers: Vec<Descriptor>,
    #[serde(default)]
    manifests: Vec<Descriptor>,
    subject: Option<Descriptor>,
}

#[derive(Debug, Deserialize)]
struct Descriptor {
    digest: Digest,
}

/// What something leads to.
#[derive(Default)]
struct Reached {
    /// By the app whose repository holds it.
    held: HashSet<(AppName, Digest)>,
    /// The layers of what can be run.
    layers: HashSet<Digest>,
}

impl Server {
    /// Takes away what is not needed, now and after every release. Never ends.
    pub async fn keep_tidy(self: Arc<Self>) {
        loop {
            let server = self.clone();
            if let Ok(Some(collected)) = blocking(move || server.collect()).await
                && collected != (Collected { releases: 0, blobs: 0, bytes: 0, folders: 0 })
            {
                self.releases.told(Told::Collected(collected));
            }
            // Something becomes old enough even when nothing happens.
            let _ =
                tokio::time::timeout(EVERY.min(self.grace.max(Duration::from_secs(1))), self.releases.ended()).await;
        }
    }

    /// `None`: something is being put together just now.
    fn collect(&self) -> Result<Option<Collected>> {
        let alone = match self.in_use.try_write() {
            Ok(alone) => alone,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return Ok(None),
        };
        let forgotten = self.store.forget_old(REMEMBERED)?;
        let released = self.store.released()?;
        let old: HashSet<Digest> = self.blobs.old(self.grace).into_iter().collect();
        let reached = self.reached(&released, &old)?;
        let (blobs, bytes) = self.remove_blobs(&reached, &old)?;
        let aside = self.set_aside(&released, &reached.layers);
        drop(alone);
        for folder in &aside {
            // What is left here is taken away when the node starts.
            let _ = fs::remove_dir_all(folder);
        }
        Ok(Some(Collected { releases: forgotten, blobs, bytes, folders: aside.len() }))
    }

    /// Takes a blob out of an app's repository, unless one of its manifests leads there. Whether it went is the answer; the
    /// bytes go when nothing else needs them.
    pub(super) fn forget_blob(&self, app: &AppName, digest: &Digest) -> Result<bool> {
        // Nobody counts on it meanwhile.
        let _alone = self.in_use.write().unwrap_or_else(PoisonError::into_inner);
        let mut held = HashSet::new();
        for (of, manifest, _) in self.store.manifests()? {
            if of == *app {
                self.reach(app, &manifest, &mut held);
            }
        }
        let named = (app.clone(), digest.clone());
        let goes = !held.contains(&named);
        if goes {
            self.store.unlink(&[named])?;
        }
        Ok(goes)
    }

    fn reached(&self, released: &[(AppName, Digest)], old: &HashSet<Digest>) -> Result<Reached> {
        let mut reached = Reached::default();
        for (app, image) in released {
            let layers = self.reach(app, image, &mut reached.held);
            reached.layers.extend(layers);
        }
        let mut referring = Vec::new();
        for (app, digest, tagged) in self.store.manifests()? {
            if tagged || !old.contains(&digest) {
                self.reach(&app, &digest, &mut reached.held);
            } else if let Some(subject) = self.subject(&digest) {
                referring.push((app, digest, subject));
            }
        }
        // What is said about an image stays as long as the image.
        for (app, digest, subject) in referring {
            if reached.held.contains(&(app.clone(), subject)) {
                self.reach(&app, &digest, &mut reached.held);
            }
        }
        Ok(reached)
    }

    /// What a manifest is about.
    fn subject(&self, digest: &Digest) -> Option<Digest> {
        let manifest: Manifest = serde_json::from_slice(&self.blobs.read(digest).ok()?).ok()?;
        manifest.subject.map(|subject| subject.digest)
    }

    /// Follows a manifest; its layers are the answer.
    fn reach(&self, app: &AppName, digest: &Digest, held: &mut HashSet<(AppName, Digest)>) -> Vec<Digest> {
        held.insert((app.clone(), digest.clone()));
        // What cannot be read leads nowhere; its release has failed, or will.
        let bytes = self.blobs.read(digest).unwrap_or_default();
        let Manifest { config, layers, manifests, subject: _ } = serde_json::from_slice(&bytes).unwrap_or_default();
        for part in &manifests {
            if !held.contains(&(app.clone(), part.digest.clone())) {
                self.reach(app, &part.digest, held);
            }
        }
        let layers: Vec<_> = layers.into_iter().map(|layer| layer.digest).collect();
        held.extend(config.map(|config| config.digest).iter().chain(&layers).map(|part| (app.clone(), part.clone())));
        layers
    }

    /// How many blobs went, and their bytes.
    fn remove_blobs(&self, reached: &Reached, old: &HashSet<Digest>) -> Result<(usize, u64)> {
        let manifests = self.store.manifests()?.into_iter().map(|(app, digest, _)| (app, digest));
        let gone: Vec<_> = manifests
            .chain(self.store.blobs()?)
            .filter(|named| !reached.held.contains(named))
            .filter(|(_, digest)| old.contains(digest) || self.blobs.size(digest).is_none())
            .collect();
        self.store.unlink(&gone)?;
        let needed: HashSet<&Digest> = reached.held.iter().map(|(_, digest)| digest).collect();
        let (mut count, mut bytes) = (0, 0);
        for digest in old.iter().filter(|digest| !needed.contains(digest)) {
            let size = self.blobs.size(digest).unwrap_or_default();
            // One that stays is tried again next time.
            if self.blobs.remove(digest).is_ok() {
                count += 1;
                bytes += size;
            }
        }
        Ok((count, bytes))
    }

    /// Gives folders that no release needs a name under which nobody finds them.
    fn set_aside(&self, released: &[(AppName, Digest)], layers: &HashSet<Digest>) -> Vec<PathBuf> {
        let mut aside = Vec::new();
        let mut shared = HashSet::new();
        for app in folders(&self.dir.join("apps")) {
            let name = app.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            for release in folders(&app.join("releases")) {
                let ours = |(app, image): &(AppName, Digest)| app.as_str() == name && release.ends_with(image.hex());
                if released.iter().any(ours) {
                    shared.extend(assemble::made_with(&release));
                } else {
                    aside.extend(self.hide(&release));
                }
            }
        }
        let layers: HashSet<PathBuf> = layers.iter().map(|layer| self.dir.join("layers").join(layer.hex())).collect();
        let shared: HashSet<PathBuf> = shared.into_iter().map(|name| self.dir.join(name)).collect();
        for (kind, needed) in [("layers", &layers), ("sites", &shared), ("runtimes", &shared)] {
            for folder in folders(&self.dir.join(kind)) {
                if !needed.contains(&folder) {
                    aside.extend(self.hide(&folder));
                }
            }
        }
        aside
    }

    fn hide(&self, folder: &Path) -> Option<PathBuf> {
        let age = fs::metadata(folder).ok()?.modified().ok()?.elapsed().unwrap_or_default();
        let name = folder.file_name()?.to_str()?;
        if age < self.grace || name.starts_with(ASIDE) {
            return None;
        }
        let hidden = folder.with_file_name(format!("{ASIDE}{name}"));
        fs::rename(folder, &hidden).ok()?;
        Some(hidden)
    }
}

fn folders(of: &Path) -> impl Iterator<Item = PathBuf> + use<> {
    fs::read_dir(of).into_iter().flatten().flatten().map(|entry| entry.path()).filter(|path| path.is_dir())
}
