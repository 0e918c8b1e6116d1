//! Looks for changed files by the clock, where the system tells of none. A file counts as changed when its time, its size or its
//! identity did.

use std::collections::HashMap;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use super::change::Change;
use super::watch::files;

const PAUSE: Duration = Duration::from_millis(300);
/// Looking may take this part of the time.
const SHARE: u32 = 50;

type Stamp = (Option<SystemTime>, u64, u64);

#[derive(Debug)]
pub(super) struct Poll {
    root: PathBuf,
    known: HashMap<PathBuf, Stamp>,
    took: Duration,
}

impl Poll {
    /// What is there now is known.
    pub fn of(root: &Path) -> Self {
        let mut poll = Self { root: root.to_owned(), known: HashMap::new(), took: Duration::ZERO };
        poll.known = poll.look();
        poll
    }

    /// How long to wait before the next look.
    pub fn pause(&self) -> Duration {
        PAUSE.max(self.took * SHARE)
    }

    /// The files that changed, came or went since the last look.
    pub fn changed(&mut self) -> Vec<PathBuf> {
        let now = self.look();
        let is_new = |(path, stamp): &(&PathBuf, &Stamp)| self.known.get(*path) != Some(*stamp);
        let came = now.iter().filter(is_new).map(|(path, _)| path);
        let gone = self.known.keys().filter(|path| !now.contains_key(*path));
        let changed = came.chain(gone).cloned().collect();
        self.known = now;
        changed
    }

    fn look(&mut self) -> HashMap<PathBuf, Stamp> {
        let began = Instant::now();
        let matters = |path: &PathBuf| Change::of(path.strip_prefix(&self.root).unwrap_or(path)) > Change::Nothing;
        let stamp = |path: PathBuf| {
            let meta = path.metadata().ok()?;
            Some((path, (meta.modified().ok(), meta.len(), meta.ino())))
        };
        let found = files(&self.root).into_iter().filter(matters).filter_map(stamp).collect();
        self.took = began.elapsed();
        found
    }
}
