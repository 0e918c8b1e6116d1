//! Hears of changed files below an app's root. Each source folder is watched by itself, so that a virtualenv's thousands
//! are not.

use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::Instant;

use ignore::WalkBuilder;
use notify::event::{AccessKind, AccessMode, ModifyKind};
use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};

use super::change::{Change, is_source_folder};
use crate::problem::{Doing as _, Problem, Result};

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
///
/// The system's events are handled on a thread of our own: a new folder is watched from there, which the watcher's own
/// thread cannot do while it waits for whom it tells.
#[derive(Debug)]
pub struct Watch {
    inbox: mpsc::Sender<Message>,
}

#[derive(Debug)]
enum Message {
    Event(notify::Event, Instant),
    End,
}

impl Watch {
    /// `hear` is called at once for every change that calls for something.
    pub fn start(root: &Path, hear: impl Fn(Changed) + Send + 'static) -> Result<Self> {
        let (inbox, messages) = mpsc::channel();
        let from_system = inbox.clone();
        let mut watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            // What the system could not tell is found with the next change.
            if let Ok(event) = event
                && matters(event.kind)
            {
                // After the end there is nobody to tell.
                let _ = from_system.send(Message::Event(event, Instant::now()));
            }
        })
        .map_err(|error| cannot(root, &error))?;
        watcher.watch(root, RecursiveMode::NonRecursive).map_err(|error| cannot(root, &error))?;
        add(&mut watcher, root);
        let root = root.to_owned();
        std::thread::Builder::new()
            .name("watch".into())
            .spawn(move || {
                while let Ok(Message::Event(event, seen)) = messages.recv() {
                    handle(&mut watcher, &root, &event, seen, &hear);
                }
            })
            .doing(|| "start the watcher's thread")?;
        Ok(Self { inbox })
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        // An error means that the thread has ended already.
        let _ = self.inbox.send(Message::End);
    }
}

fn handle(
    watcher: &mut RecommendedWatcher,
    root: &Path,
    event: &notify::Event,
    seen: Instant,
    hear: &impl Fn(Changed),
) {
    let tell = |path: &Path| {
        let path = path.strip_prefix(root).unwrap_or(path).to_owned();
        let change = Change::of(&path);
        if change > Change::Nothing {
            hear(Changed { path, change, seen });
        }
    };
    for path in &event.paths {
        if !path.is_dir() {
            tell(path);
        } else if is_source_folder(path) && path != root {
            // Files may have come into it before it was watched.
            for file in add(watcher, path) {
                tell(&file);
            }
        }
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
