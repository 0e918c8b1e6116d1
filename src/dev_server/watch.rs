//! Hears of changed files below an app's root. Each source folder is watched by itself, so that a virtualenv's thousands
//! are not. Where the system cannot tell, or not any more, it is looked for changes by the clock.

use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::Instant;

use ignore::WalkBuilder;
use notify::event::{AccessKind, AccessMode, ModifyKind};
use notify::{ErrorKind, EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};

use super::change::{Change, is_source_folder};
use super::poll::Poll;
use crate::problem::{Doing as _, Problem, Result};

/// One file that changed.
#[derive(Debug, Clone)]
pub struct Changed {
    /// Relative to the root.
    pub path: PathBuf,
    pub change: Change,
    /// When the system told of it.
    pub seen: Instant,
    /// Whoever wrote it is done with it.
    pub settled: bool,
}

#[derive(Debug, Clone)]
pub enum Word {
    Changed(Changed),
    /// From now on changes are looked for by the clock, for this reason.
    Polls(String),
}

/// How changes become known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Notice {
    /// The system tells, where it can.
    BySystem,
    ByClock,
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

/// The watcher's thread.
struct Task<H> {
    root: PathBuf,
    messages: mpsc::Receiver<Message>,
    hear: H,
}

impl Watch {
    /// `hear` is called at once for every change that calls for something.
    pub fn start(root: &Path, notice: Notice, hear: impl Fn(Word) + Send + 'static) -> Result<Self> {
        let (inbox, messages) = mpsc::channel();
        let watcher = match notice {
            Notice::ByClock => Err("`--poll` asks for it".to_owned()),
            Notice::BySystem if is_far(root) => Err("this file system tells of no change made elsewhere".into()),
            Notice::BySystem => match by_system(root, inbox.clone()) {
                Ok(watcher) => Ok(watcher),
                // Looking would find nothing either.
                Err(error) if !root.is_dir() => return Err(cannot(root, &error)),
                Err(error) => Err(why(&error)),
            },
        };
        let poll = watcher.is_err().then(|| Poll::of(root));
        let task = Task { root: root.to_owned(), messages, hear };
        std::thread::Builder::new()
            .name("watch".into())
            .spawn(move || match (watcher, poll) {
                (Ok(watcher), _) => task.by_system(watcher),
                (Err(because), Some(poll)) => task.by_clock(poll, because),
                (Err(_), None) => {}
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

impl<H: Fn(Word)> Task<H> {
    fn by_system(self, mut watcher: RecommendedWatcher) {
        while let Ok(Message::Event(event, seen)) = self.messages.recv() {
            if let Err(error) = self.handle(&mut watcher, &event, seen) {
                drop(watcher);
                let poll = Poll::of(&self.root);
                return self.by_clock(poll, why(&error));
            }
        }
    }

    fn by_clock(self, mut poll: Poll, because: String) {
        (self.hear)(Word::Polls(because));
        loop {
            match self.messages.recv_timeout(poll.pause()) {
                Err(mpsc::RecvTimeoutError::Timeout) => {
                    let seen = Instant::now();
                    for path in poll.changed() {
                        self.tell(&path, seen, false);
                    }
                }
                // The last words of a watcher that was given up.
                Ok(Message::Event(..)) => {}
                Ok(Message::End) | Err(mpsc::RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    fn handle(&self, watcher: &mut RecommendedWatcher, event: &notify::Event, seen: Instant) -> notify::Result<()> {
        for path in &event.paths {
            if !path.is_dir() {
                self.tell(path, seen, settles(event.kind));
            } else if is_source_folder(path) && *path != self.root {
                let outcome = add(watcher, path);
                // Files may have come into it before it was watched.
                for file in files(path) {
                    self.tell(&file, seen, false);
                }
                outcome?;
            }
        }
        Ok(())
    }

    fn tell(&self, path: &Path, seen: Instant, settled: bool) {
        let path = path.strip_prefix(&self.root).unwrap_or(path).to_owned();
        let change = Change::of(&path);
        if change > Change::Nothing {
            (self.hear)(Word::Changed(Changed { path, change, seen, settled }));
        }
    }
}

fn by_system(root: &Path, inbox: mpsc::Sender<Message>) -> notify::Result<RecommendedWatcher> {
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        // What the system could not tell is found with the next change.
        if let Ok(event) = event
            && matters(event.kind)
        {
            // After the end there is nobody to tell.
            let _ = inbox.send(Message::Event(event, Instant::now()));
        }
    })?;
    watcher.watch(root, RecursiveMode::NonRecursive)?;
    add(&mut watcher, root)?;
    Ok(watcher)
}

/// Watches `folder` and the source folders below it. An error means that the system watches no more; a folder that cannot be
/// watched for itself cannot be imported from either.
fn add(watcher: &mut RecommendedWatcher, folder: &Path) -> notify::Result<()> {
    for folder in walk(folder).filter(|path| path.is_dir()) {
        match watcher.watch(&folder, RecursiveMode::NonRecursive) {
            Err(error) if matches!(error.kind, ErrorKind::MaxFilesWatch) => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

/// The files below `folder` that are nobody else's.
pub(super) fn files(folder: &Path) -> Vec<PathBuf> {
    walk(folder).filter(|path| !path.is_dir()).collect()
}

fn walk(folder: &Path) -> impl Iterator<Item = PathBuf> {
    let walk = WalkBuilder::new(folder)
        .standard_filters(false)
        .follow_links(true)
        .filter_entry(|entry| entry.depth() == 0 || !entry.path().is_dir() || is_source_folder(entry.path()))
        .build();
    walk.flatten().map(ignore::DirEntry::into_path)
}

fn matters(kind: EventKind) -> bool {
    match kind {
        EventKind::Access(AccessKind::Close(AccessMode::Write)) => true,
        EventKind::Access(_) | EventKind::Modify(ModifyKind::Metadata(_)) => false,
        _ => true,
    }
}

/// Whether nothing more of the same write is to come.
fn settles(kind: EventKind) -> bool {
    matches!(kind, EventKind::Access(_) | EventKind::Modify(ModifyKind::Name(_)) | EventKind::Remove(_))
}

/// Whether others write to it without this system's knowledge: NFS, SMB, 9p (as WSL has it), FUSE, the folders that a virtual
/// machine shares (statfs(2)).
#[cfg(target_os = "linux")]
fn is_far(root: &Path) -> bool {
    const KINDS: [i64; 7] = [0x6969, 0x517b, 0xff53_4d42, 0xfe53_4d42, 0x0102_1997, 0x6573_5546, 0x786f_4256];
    nix::sys::statfs::statfs(root).is_ok_and(|is| KINDS.contains(&is.filesystem_type().0))
}

#[cfg(not(target_os = "linux"))]
fn is_far(_root: &Path) -> bool {
    false
}

fn why(error: &notify::Error) -> String {
    let limit = |name: &str, value: u32| {
        format!("the system's limit is reached, and `sudo sysctl fs.inotify.{name}={value}` raises it")
    };
    match &error.kind {
        ErrorKind::MaxFilesWatch => limit("max_user_watches", 524_288),
        ErrorKind::Io(error) if error.raw_os_error() == Some(nix::libc::EMFILE) => limit("max_user_instances", 1024),
        _ => format!("the system tells of no changes: {error}"),
    }
}

fn cannot(root: &Path, error: &notify::Error) -> Problem {
    Problem::new("serve.watch", format!("could not watch `{}`", root.display())).because(error)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn saves_are_heard(notice: Notice) {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        std::fs::create_dir_all(root.join("venv/lib")).unwrap();
        std::fs::create_dir(root.join("pkg")).unwrap();
        let (tell, heard) = mpsc::channel();
        let (polls, reasons) = mpsc::channel();
        let _watch = Watch::start(&root, notice, move |word| match word {
            Word::Changed(changed) => drop(tell.send(changed.path)),
            Word::Polls(because) => drop(polls.send(because)),
        })
        .unwrap();
        let expect = |wanted: &str| {
            let deadline = Instant::now() + Duration::from_secs(20);
            while Instant::now() < deadline {
                if heard.recv_timeout(Duration::from_millis(100)).is_ok_and(|path| path == Path::new(wanted)) {
                    return;
                }
            }
            panic!("{wanted} was not heard");
        };
        std::fs::write(root.join("app.py"), "1").unwrap();
        expect("app.py");
        // Within the same second, and as long as before.
        std::fs::write(root.join("app.py"), "2").unwrap();
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
        assert!(heard.recv_timeout(Duration::from_millis(400)).is_err());
        assert_eq!(reasons.try_iter().count(), usize::from(notice == Notice::ByClock));
    }

    #[test]
    fn saves_renames_and_new_folders_are_heard_and_the_virtualenv_is_not() {
        saves_are_heard(Notice::BySystem);
    }

    #[test]
    fn and_so_they_are_by_the_clock() {
        saves_are_heard(Notice::ByClock);
    }
}
