//! Hears of changed files below an app's root. Each source folder is watched by itself, so that a virtualenv's thousands
//! are not.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use ignore::WalkBuilder;
use notify::event::{AccessKind, AccessMode, CreateKind, ModifyKind};
use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};

use super::change::{Change, is_source_folder};
use crate::problem::{Problem, Result};

/// One file that changed.
#[derive(Debug, Clone)]
pub struct Changed {
    /// Relative to the root.
    pub path: PathBuf,
    pub change: Change,
    /// When the system told of it.
    pub seen: Instant,
}

/// Watches for as long as it lives.
#[derive(Debug)]
pub struct Watch {
    /// Shared with the watcher's own thread, which adds new folders; taken out when this is dropped.
    watcher: Arc<Mutex<Option<RecommendedWatcher>>>,
}

impl Watch {
    /// `hear` is called, on the watcher's thread and at once, for every change that calls for something.
    pub fn start(root: &Path, hear: impl Fn(Changed) + Send + 'static) -> Result<Self> {
        let shared: Arc<Mutex<Option<RecommendedWatcher>>> = Arc::default();
        let (owner, root_of) = (shared.clone(), root.to_owned());
        let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            let seen = Instant::now();
            // What the system could not tell is found with the next change.
            let Ok(event) = event else { return };
            let tell = |path: &Path| {
                let path = path.strip_prefix(&root_of).unwrap_or(path).to_owned();
                let change = Change::of(&path);
                if change > Change::Nothing {
                    hear(Changed { path, change, seen });
                }
            };
            if !matters(event.kind) {
                return;
            }
            for path in &event.paths {
                let folder = matches!(event.kind, EventKind::Create(CreateKind::Folder)) || path.is_dir();
                if !folder {
                    tell(path);
                } else if is_source_folder(path) {
                    // Files may have come into it before it was watched.
                    let mut guard = owner.lock().unwrap_or_else(PoisonError::into_inner);
                    if let Some(watcher) = guard.as_mut() {
                        for file in add(watcher, path) {
                            tell(&file);
                        }
                    }
                }
            }
        })
        .map_err(|error| cannot(root, &error))?;
        let mut watcher = watcher;
        watcher.watch(root, RecursiveMode::NonRecursive).map_err(|error| cannot(root, &error))?;
        add(&mut watcher, root);
        *shared.lock().unwrap_or_else(PoisonError::into_inner) = Some(watcher);
        Ok(Self { watcher: shared })
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        drop(self.watcher.lock().unwrap_or_else(PoisonError::into_inner).take());
    }
}

/// Watches `folder` and the source folders below it; returns the files in them.
fn add(watcher: &mut RecommendedWatcher, folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let walk = WalkBuilder::new(folder)
        .standard_filters(false)
        .follow_links(true)
        .filter_entry(|entry| entry.depth() == 0 || !entry.path().is_dir() || is_source_folder(entry.path()))
        .build();
    // A folder that cannot be read cannot be imported from either.
    for entry in walk.flatten() {
        if entry.path().is_dir() {
            let _ = watcher.watch(entry.path(), RecursiveMode::NonRecursive);
        } else {
            files.push(entry.into_path());
        }
    }
    files
}

fn matters(kind: EventKind) -> bool {
    match kind {
        EventKind::Access(AccessKind::Close(AccessMode::Write)) => true,
        EventKind::Access(_) | EventKind::Modify(ModifyKind::Metadata(_)) => false,
        _ => true,
    }
}

fn cannot(root: &Path, error: &notify::Error) -> Problem {
    let problem = Problem::new("serve.watch", format!("could not watch `{}`", root.display())).because(error);
    match error.kind {
        notify::ErrorKind::MaxFilesWatch => problem
            .hint("the system's limit of watched folders is reached: `sudo sysctl fs.inotify.max_user_watches=524288`"),
        _ => problem,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::time::Duration;

    use super::*;

    #[test]
    fn saves_renames_and_new_folders_are_heard_and_the_virtualenv_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        std::fs::create_dir_all(root.join("venv/lib")).unwrap();
        std::fs::create_dir(root.join("pkg")).unwrap();
        let (tell, heard) = mpsc::channel();
        let _watch = Watch::start(&root, move |changed| drop(tell.send(changed.path))).unwrap();
        let expect = |wanted: &str| {
            let deadline = Instant::now() + Duration::from_secs(5);
            while Instant::now() < deadline {
                if heard.recv_timeout(Duration::from_millis(100)).is_ok_and(|path| path == Path::new(wanted)) {
                    return;
                }
            }
            panic!("{wanted} was not heard");
        };
        std::fs::write(root.join("app.py"), "1").unwrap();
        expect("app.py");
        std::fs::write(root.join("pkg/.x.py.tmp"), "1").unwrap();
        std::fs::rename(root.join("pkg/.x.py.tmp"), root.join("pkg/x.py")).unwrap();
        expect("pkg/x.py");
        std::fs::create_dir_all(root.join("new/deep")).unwrap();
        std::fs::write(root.join("new/deep/y.py"), "1").unwrap();
        expect("new/deep/y.py");
        std::fs::remove_file(root.join("pkg/x.py")).unwrap();
        expect("pkg/x.py");
        while heard.recv_timeout(Duration::from_millis(50)).is_ok() {}
        std::fs::write(root.join("venv/lib/z.py"), "1").unwrap();
        std::fs::write(root.join("data.db"), "1").unwrap();
        assert!(heard.recv_timeout(Duration::from_millis(100)).is_err());
    }
}
