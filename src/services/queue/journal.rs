//! The journal: a folder of parts, each written once from its beginning to its end, that together tell every job there is.
//!
//! Theory of operation. The store tells its log what happens; whoever answers a client first sees to it that the log is
//! written up to there, and writes what others told with it. One thread makes it safe against a loss of power: while it waits
//! for the disk, what the next ones told gathers, and is safe with the next wait (group commit). Whoever is alone waits for
//! the disk itself, which spares two changes of threads. Parts go from the oldest on: what
//! is still alive in one is told again, and the part is removed. So a note that a job is deleted never outlives the job.

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

use super::log::{Chunk, SEGMENT};
use super::record::Record;
use super::store::Store;
use super::{Sync, recover};
use crate::problem::{Doing as _, Problem, Result};
use crate::services::Tell;

const MAGIC: &[u8; 8] = b"daequeue";
const VERSION: u32 = 1;
/// Of a part: the magic, the version, the part's number, the id of the next job.
pub(super) const PREFACE: usize = 24;
/// By so much a part is made longer at a time, in bytes.
const ZEROS: usize = 1 << 20;
/// How much of a part is looked through at a time for what is still alive, in bytes.
const STEP: usize = 256 << 10;
/// After this a disk that took nothing is tried again.
const AGAIN: Duration = Duration::from_millis(200);

#[derive(Debug)]
pub(super) struct Journal {
    folder: PathBuf,
    sync: Sync,
    files: Mutex<Files>,
    /// How much of the log is written; and safe.
    written: AtomicU64,
    safe: watch::Sender<u64>,
    /// Whose turn it is to wait for the disk.
    turn: Mutex<()>,
    /// Somebody else came during the last wait for the disk.
    is_crowded: AtomicBool,
    /// Up to where somebody waits.
    asked: Mutex<u64>,
    wake: Condvar,
    stopping: AtomicBool,
    /// The number of the oldest part.
    oldest: AtomicU32,
    tell: Tell,
}

#[derive(Debug, Default)]
struct Files {
    current: Option<(u32, Arc<File>)>,
    /// Written since the disk was last waited for.
    unsynced: Vec<Arc<File>>,
    /// A file was made or removed.
    folder_changed: bool,
    /// Told and not written, for the disk was full; the first of it up to `length` of the current file.
    backlog: VecDeque<Chunk>,
    end: u64,
    length: u64,
    /// Up to here the current file is there, with zeros behind `length`: so that what is written makes it no longer, and the
    /// disk has nothing but the bytes themselves to keep.
    zeroed: u64,
    /// Number and length of the older parts, the oldest first.
    older: VecDeque<(u32, u64)>,
    failing: bool,
}

/// An old part that is being emptied.
struct Sweep {
    segment: u32,
    bytes: Vec<u8>,
    at: usize,
}

pub(super) fn part(folder: &Path, segment: u32) -> PathBuf {
    folder.join(format!("{segment:08}.jobs"))
}

pub(super) fn preface(segment: u32, next_id: u64) -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    bytes.extend_from_slice(&VERSION.to_le_bytes());
    bytes.extend_from_slice(&segment.to_le_bytes());
    bytes.extend_from_slice(&next_id.to_le_bytes());
    bytes
}

/// The id of the next job, where these bytes are a part's beginning.
pub(super) fn read_preface(bytes: &[u8]) -> Option<u64> {
    let rest = bytes.strip_prefix(MAGIC)?.strip_prefix(&VERSION.to_le_bytes())?;
    Some(u64::from_le_bytes(rest.get(4..12)?.try_into().ok()?))
}

impl Journal {
    /// Reads what is in `folder` into `store`, and goes on from there.
    pub fn open(folder: &Path, store: &mut Store, sync: Sync, tell: Tell) -> Result<Self> {
        std::fs::create_dir_all(folder).doing(|| format!("make the folder `{}`", folder.display()))?;
        let found = recover::recover(folder, store, &tell)?;
        let mut files = Files { older: found.older, ..Files::default() };
        if let Some((segment, length)) = found.last {
            let path = part(folder, segment);
            let file = File::options().write(true).open(&path).doing(|| format!("open `{}`", path.display()))?;
            // What a crash tore off.
            file.set_len(length).doing(|| format!("mend `{}`", path.display()))?;
            (files.length, files.zeroed) = (length, length);
            files.current = Some((segment, Arc::new(file)));
            store.log.begin(segment, length);
        } else {
            store.log.begin(files.older.back().map_or(1, |(segment, _)| segment + 1), 0);
        }
        let oldest = files.older.front().map_or(store.log.segment, |(segment, _)| *segment);
        Ok(Self {
            folder: folder.to_owned(),
            sync,
            files: Mutex::new(files),
            written: AtomicU64::new(0),
            safe: watch::Sender::new(0),
            turn: Mutex::new(()),
            is_crowded: AtomicBool::new(false),
            asked: Mutex::new(0),
            wake: Condvar::new(),
            stopping: AtomicBool::new(false),
            oldest: AtomicU32::new(oldest),
            tell,
        })
    }

    /// Returns when the log is written up to `end`.
    pub fn written(&self, store: &Mutex<Store>, end: u64) -> io::Result<()> {
        if self.written.load(Ordering::Acquire) >= end {
            return Ok(());
        }
        self.write(store).map(drop)
    }

    /// Returns when the log is as safe up to `end` as the policy wants it.
    pub async fn safe(&self, store: &Mutex<Store>, end: u64) -> io::Result<()> {
        if let Sync::Within(_) = self.sync {
            return self.written(store, end);
        }
        let mut safe = self.safe.subscribe();
        if *safe.borrow() >= end {
            return Ok(());
        }
        if let Some(kept) = self.alone(store) {
            return kept;
        }
        {
            let mut asked = lock(&self.asked);
            *asked = (*asked).max(end);
            self.wake.notify_one();
        }
        loop {
            if *safe.borrow_and_update() >= end {
                return Ok(());
            }
            if safe.changed().await.is_err() || lock(&self.files).failing {
                return Err(io::Error::other("the journal cannot be written"));
            }
        }
    }

    /// Waits for the disk here and now, where nobody else does or wants to; else `None`.
    fn alone(&self, store: &Mutex<Store>) -> Option<io::Result<()>> {
        use tokio::runtime::{Handle, RuntimeFlavor};
        if self.is_crowded.load(Ordering::Relaxed) || Handle::current().runtime_flavor() != RuntimeFlavor::MultiThread {
            return None;
        }
        let turn = self.turn.try_lock().ok()?;
        let kept = self.make_safe_in_turn(store);
        drop(turn);
        let asked = lock(&self.asked);
        if *asked > *self.safe.borrow() {
            self.is_crowded.store(true, Ordering::Relaxed);
            self.wake.notify_one();
        }
        Some(kept)
    }

    pub fn oldest(&self) -> u32 {
        self.oldest.load(Ordering::Relaxed)
    }

    /// The thread's work, until [`Journal::stop`]; then all of it is safe.
    pub fn keep(&self, store: &Mutex<Store>) {
        let mut sweep = None;
        loop {
            let stopping = self.stopping.load(Ordering::Acquire);
            if !stopping && sweep.is_none() {
                self.sleep();
            }
            let kept = self.make_safe(store);
            let asked = *lock(&self.asked);
            self.is_crowded.store(asked > *self.safe.borrow(), Ordering::Relaxed);
            if stopping {
                let files = lock(&self.files);
                if let Some((_, file)) = &files.current {
                    // Zeros that stay do no harm.
                    let _ = file.set_len(files.length);
                }
                return;
            }
            if kept.is_err() {
                // `write` has told it. The disk may have room again soon.
                std::thread::sleep(AGAIN);
                continue;
            }
            if sweep.is_none() {
                sweep = self.begin_sweep(store);
            }
            if let Some(mut under_way) = sweep.take()
                && self.sweep(&mut under_way, store)
            {
                sweep = Some(under_way);
            }
        }
    }

    pub fn stop(&self) {
        self.stopping.store(true, Ordering::Release);
        let _asked = lock(&self.asked);
        self.wake.notify_one();
    }

    /// Until somebody asks, or it is time.
    fn sleep(&self) {
        let asked = lock(&self.asked);
        let idle = |asked: &mut u64| *asked <= *self.safe.borrow() && !self.stopping.load(Ordering::Acquire);
        let patience = match self.sync {
            Sync::EveryJob => Duration::from_secs(1),
            Sync::Within(time) => time,
        };
        drop(self.wake.wait_timeout_while(asked, patience, idle));
    }

    /// Writes what was told so far.
    fn write(&self, store: &Mutex<Store>) -> io::Result<u64> {
        let mut files = lock(&self.files);
        let (chunks, end) = {
            let mut store = lock(store);
            (store.log.take(), store.log.end)
        };
        files.backlog.extend(chunks);
        files.end = end;
        let result = self.write_backlog(&mut files);
        match (&result, files.failing) {
            (Err(error), false) => {
                files.failing = true;
                let problem = Problem::new("queue.journal", "the queue cannot keep jobs").because(error);
                self.tell.failed("queue", problem.hint("free some space on the disk; until then jobs are refused"));
            }
            (Ok(()), true) => {
                files.failing = false;
                self.tell.note("queue", "keeps jobs again");
            }
            _ => {}
        }
        let failing = files.failing;
        lock(store).full = failing;
        drop(files);
        if failing {
            // Those who wait hear it.
            self.safe.send_modify(|_| {});
        }
        result?;
        self.written.fetch_max(end, Ordering::AcqRel);
        Ok(end)
    }

    fn write_backlog(&self, files: &mut Files) -> io::Result<()> {
        while let Some(chunk) = files.backlog.front() {
            if files.current.as_ref().is_none_or(|(segment, _)| *segment != chunk.segment) {
                let path = part(&self.folder, chunk.segment);
                let file = File::options().create(true).truncate(true).write(true).open(&path)?;
                let preface = preface(chunk.segment, chunk.next_id);
                file.write_all_at(&preface, 0)?;
                if let Some((segment, last)) = &files.current {
                    last.set_len(files.length)?;
                    files.older.push_back((*segment, files.length));
                }
                files.length = preface.len() as u64;
                files.zeroed = files.length;
                files.current = Some((chunk.segment, Arc::new(file)));
                files.folder_changed = true;
            }
            let Some((_, file)) = &files.current else { break };
            let end = files.length + chunk.bytes.len() as u64;
            if end > files.zeroed {
                file.write_all_at(&vec![0; ZEROS], end)?;
                files.zeroed = end + ZEROS as u64;
            }
            // What is written of it and torn is written again, or cut off by the next start.
            file.write_all_at(&chunk.bytes, files.length)?;
            files.length = end;
            if files.unsynced.last().is_none_or(|last| !Arc::ptr_eq(last, file)) {
                let file = file.clone();
                files.unsynced.push(file);
            }
            files.backlog.pop_front();
        }
        Ok(())
    }

    fn make_safe(&self, store: &Mutex<Store>) -> io::Result<()> {
        let _turn = lock(&self.turn);
        self.make_safe_in_turn(store)
    }

    /// Two at once would each take the other's files for safe.
    fn make_safe_in_turn(&self, store: &Mutex<Store>) -> io::Result<()> {
        let end = self.write(store)?;
        let (written, folder_changed) = {
            let mut files = lock(&self.files);
            (std::mem::take(&mut files.unsynced), std::mem::take(&mut files.folder_changed))
        };
        for file in &written {
            file.sync_data()?;
        }
        if folder_changed {
            File::open(&self.folder)?.sync_all()?;
        }
        self.safe.send_if_modified(|safe| {
            let further = *safe < end;
            *safe = (*safe).max(end);
            further
        });
        Ok(())
    }

    /// The oldest part, where more than half of the journal is of no use.
    fn begin_sweep(&self, store: &Mutex<Store>) -> Option<Sweep> {
        let (segment, total) = {
            let files = lock(&self.files);
            let (segment, _) = files.older.front().copied()?;
            (segment, files.length + files.older.iter().map(|(_, length)| length).sum::<u64>())
        };
        if total <= 2 * lock(store).log.live + 2 * SEGMENT {
            return None;
        }
        let bytes = std::fs::read(part(&self.folder, segment)).ok()?;
        Some(Sweep { segment, bytes, at: PREFACE })
    }

    /// A step of it; `false` at the end, when the part is gone.
    fn sweep(&self, sweep: &mut Sweep, store: &Mutex<Store>) -> bool {
        let until = sweep.at + STEP;
        let mut ids = Vec::new();
        let mut more = true;
        while sweep.at < until {
            let Some((record, length)) = sweep.bytes.get(sweep.at..).and_then(Record::read) else {
                more = false;
                break;
            };
            if let Record::Whole(whole) = record {
                ids.push(whole.id);
            }
            sweep.at += length;
        }
        for ids in ids.chunks(256) {
            lock(store).migrate(sweep.segment, ids);
        }
        if more {
            return true;
        }
        // What was told again must be safe before the part goes.
        if self.make_safe(store).is_ok() {
            let mut files = lock(&self.files);
            files.older.retain(|(segment, _)| *segment != sweep.segment);
            files.folder_changed = true;
            let current = files.current.as_ref().map_or(0, |(segment, _)| *segment);
            self.oldest.store(files.older.front().map_or(current, |(segment, _)| *segment), Ordering::Relaxed);
            drop(files);
            // One that stays is swept again after the next start.
            let _ = std::fs::remove_file(part(&self.folder, sweep.segment));
        }
        false
    }
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
