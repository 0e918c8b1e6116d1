//! The store: an index in memory over data files, as the C server has it. One thread writes, and what has come in while it
//! was waiting for the disk goes out together; everybody else reads.
//!
//! A write is answered when it is on disk, and is seen by others only then.

use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::thread::JoinHandle;

use tokio::sync::oneshot;

use super::codec::Write;
use super::log::{Found, Log};
use super::record::{Place, Record};
use super::tree::{Slot, Tree};
use super::writer::Writer;
use crate::problem::{Doing as _, Problem, Result};

/// What a write came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Written {
    Stored,
    NotStored,
    Deleted,
    NotFound,
    Number(i64),
}

/// How the last compaction went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compaction {
    Done,
    Running,
    Failed,
}

/// An open store. Dropping it closes it as well, without waiting.
#[derive(Debug)]
pub struct Store {
    shared: Arc<Shared>,
    orders: Sender<Order>,
    writer: Option<JoinHandle<()>>,
}

/// What the writer is asked for.
#[derive(Debug)]
pub enum Order {
    Write(Write, oneshot::Sender<Result<Written>>),
    Compact(oneshot::Sender<bool>),
    Close,
}

/// What the writer changes and all others read.
#[derive(Debug, Default)]
pub struct Shared {
    state: RwLock<State>,
    compaction: AtomicU8,
}

#[derive(Debug)]
pub struct State {
    pub tree: Tree,
    pub files: BTreeMap<u32, DataFile>,
}

#[derive(Debug)]
pub struct DataFile {
    pub file: Arc<File>,
    pub length: u64,
    /// How much of it the index points to.
    pub live: u64,
}

/// A record that was read.
#[derive(Debug)]
pub struct Stored {
    bytes: Vec<u8>,
    pub slot: Slot,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// Keys that are not deleted.
    pub live: u32,
    /// With those whose deletion is remembered.
    pub keys: usize,
    /// Of all data files.
    pub bytes: u64,
}

impl Store {
    /// Reads the index; takes as long as that takes.
    pub fn open(folder: &Path) -> Result<Self> {
        Self::open_with(folder, |_| {})
    }

    fn open_with(folder: &Path, set: impl FnOnce(&mut Log)) -> Result<Self> {
        let mut state = State { tree: Tree::new(), files: BTreeMap::new() };
        let mut live = BTreeMap::<u32, u64>::new();
        let (mut log, found) = Log::open(folder, &mut |key, slot| {
            *live.entry(slot.file).or_default() += u64::from(slot.size);
            if let Some(old) = state.tree.insert(key, slot) {
                *live.entry(old.file).or_default() -= u64::from(old.size);
            }
        })?;
        set(&mut log);
        for Found { number, file, length } in found {
            let live = live.get(&number).copied().unwrap_or(0);
            state.files.insert(number, DataFile { file, length: length.into(), live });
        }
        let shared = Arc::new(Shared { state: RwLock::new(state), compaction: AtomicU8::new(0) });
        let (orders, incoming) = channel();
        let writer = spawn(Writer::new(shared.clone(), log), incoming)?;
        Ok(Self { shared, orders, writer: Some(writer) })
    }

    /// Asks for a change; the answer comes when it is on disk. Changes are made in the order they are asked for.
    pub fn write(&self, write: Write) -> oneshot::Receiver<Result<Written>> {
        let (answer, answered) = oneshot::channel();
        // Without a writer the answer is dropped, which whoever waits for it sees.
        let _ = self.orders.send(Order::Write(write, answer));
        answered
    }

    /// Makes the files smaller, in the background. Every key stays; that others were deleted is forgotten. False: it is being
    /// done already.
    pub fn compact(&self) -> oneshot::Receiver<bool> {
        let (answer, answered) = oneshot::channel();
        let _ = self.orders.send(Order::Compact(answer));
        answered
    }

    pub fn compaction(&self) -> Compaction {
        self.shared.compaction()
    }

    /// The newest record of `key`, a deletion too. Reads the disk.
    pub fn get(&self, key: &[u8]) -> Result<Option<Stored>> {
        let (slot, file) = {
            let state = self.shared.read();
            let Some(slot) = state.tree.get(key) else { return Ok(None) };
            let Some(data) = state.files.get(&slot.file) else { return Ok(None) };
            (slot, data.file.clone())
        };
        Stored::read(&file, slot).map(Some)
    }

    /// The lines of a listing; see [`Tree::list`].
    pub fn list(&self, path: &[u8]) -> Option<Vec<u8>> {
        self.shared.read().tree.list(path)
    }

    pub fn size(&self) -> Size {
        let state = self.shared.read();
        let bytes = state.files.values().map(|file| file.length).sum();
        Size { live: state.tree.live(), keys: state.tree.keys(), bytes }
    }

    /// Returns when everything is written and the next start is a quick one.
    pub fn close(mut self) {
        let _ = self.orders.send(Order::Close);
        if let Some(writer) = self.writer.take() {
            // A writer that panicked has ended as well.
            let _ = writer.join();
        }
    }
}

fn spawn(mut writer: Writer, incoming: Receiver<Order>) -> Result<JoinHandle<()>> {
    std::thread::Builder::new()
        .name("beansdb".into())
        .spawn(move || writer.run(&incoming))
        .doing(|| "start the thread that writes beansdb")
}

impl Stored {
    pub fn read(file: &File, slot: Slot) -> Result<Self> {
        let mut bytes = vec![0; slot.size as usize];
        let place = Place { file: slot.file, offset: slot.offset };
        file.read_exact_at(&mut bytes, slot.offset.into()).doing(|| "read a record of beansdb")?;
        if Record::read(place, &bytes).is_none() {
            let problem = format!("the record at byte {} of data file {} is damaged", slot.offset, slot.file);
            return Err(Problem::new("beansdb.damaged", problem).hint("put back a saved state"));
        }
        Ok(Self { bytes, slot })
    }

    pub fn record(&self) -> Record<'_> {
        Record::known(&self.bytes)
    }

    /// Nothing where it is a deletion.
    pub fn live(&self) -> Option<Record<'_>> {
        (self.slot.version > 0).then(|| self.record())
    }
}

impl Shared {
    pub fn read(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn compaction(&self) -> Compaction {
        match self.compaction.load(Ordering::Relaxed) {
            0 => Compaction::Done,
            1 => Compaction::Running,
            _ => Compaction::Failed,
        }
    }

    pub fn set_compaction(&self, compaction: Compaction) {
        self.compaction.store(compaction as u8, Ordering::Relaxed);
    }
}

impl Default for State {
    fn default() -> Self {
        Self { tree: Tree::new(), files: BTreeMap::new() }
    }
}
