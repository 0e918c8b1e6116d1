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

    /// The lines of a listing; see `Tree::list`.
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

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::fs;

    use bytes::Bytes;
    use proptest::prelude::*;

    use super::*;

    fn ask(store: &Store, write: Write) -> Written {
        store.write(write).blocking_recv().unwrap().unwrap()
    }

    fn set(store: &Store, key: &str, value: &[u8]) -> Written {
        ask(store, write(key, 0, 0, value))
    }

    fn write(key: &str, flag: u32, version: i32, value: &[u8]) -> Write {
        Write::Set { key: Bytes::copy_from_slice(key.as_bytes()), flag, version, value: Bytes::copy_from_slice(value) }
    }

    fn value(store: &Store, key: &str) -> Option<Vec<u8>> {
        store.get(key.as_bytes()).unwrap().and_then(|stored| stored.live().map(|record| record.value.to_vec()))
    }

    fn version(store: &Store, key: &str) -> i32 {
        store.get(key.as_bytes()).unwrap().map_or(0, |stored| stored.slot.version)
    }

    fn compacted(store: &Store) {
        assert!(store.compact().blocking_recv().unwrap());
        while store.compaction() == Compaction::Running {
            std::thread::yield_now();
        }
        assert_eq!(store.compaction(), Compaction::Done);
    }

    #[test]
    fn what_was_written_is_there_after_a_close_and_without_one() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        set(&store, "a", b"one");
        store.close();
        let store = Store::open(dir.path()).unwrap();
        set(&store, "b", b"two");
        ask(&store, Write::Delete { key: Bytes::from_static(b"a") });
        // As after a kill: no hint tells of what came since.
        let copy = tempfile::tempdir().unwrap();
        for name in ["000001.data", "000001.hint"] {
            fs::copy(dir.path().join(name), copy.path().join(name)).unwrap();
        }
        for folder in [copy.path(), dir.path()] {
            if folder == dir.path() {
                assert_eq!(Store::open(folder).unwrap_err().code, "beansdb.locked");
                continue;
            }
            let again = Store::open(folder).unwrap();
            assert_eq!((value(&again, "a"), version(&again, "a")), (None, -2));
            assert_eq!(value(&again, "b").as_deref(), Some(&b"two"[..]));
            assert_eq!(again.list(b""), store.list(b""));
        }
        // The zeros written ahead do not stay.
        store.close();
        assert!(fs::metadata(dir.path().join("000001.data")).unwrap().len() < 1000);
    }

    #[test]
    fn compaction_loses_nothing_and_forgets_deletions() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open_with(dir.path(), |log| log.full_at(20_000)).unwrap();
        for round in 0..5 {
            for number in 0..100 {
                set(&store, &format!("k{number}"), format!("{round} {number} {}", "x".repeat(200)).as_bytes());
            }
        }
        for number in 0..100 {
            if number % 4 == 0 {
                ask(&store, Write::Delete { key: format!("k{number}").into() });
            }
        }
        compacted(&store);
        let size = store.size();
        assert!(size.bytes < 40_000, "{size:?}");
        assert_eq!((size.live, size.keys), (75, 75));
        let listing = store.list(b"");
        store.close();
        let store = Store::open(dir.path()).unwrap();
        assert_eq!(store.list(b""), listing);
        for number in 0..100 {
            let key = format!("k{number}");
            assert_eq!(
                (value(&store, &key).is_some(), version(&store, &key)),
                if number % 4 == 0 { (false, 0) } else { (true, 5) }
            );
        }
    }

    #[test]
    fn a_file_that_is_mostly_of_no_use_goes_by_itself() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open_with(dir.path(), |log| log.full_at(20_000)).unwrap();
        for round in 0..200 {
            for number in 0..10 {
                set(&store, &format!("k{number}"), format!("{round} {number} {}", "x".repeat(200)).as_bytes());
            }
        }
        let bytes = store.size().bytes;
        assert!(bytes < 120_000, "{bytes} bytes for 2500");
        assert!((0..10).all(|number| version(&store, &format!("k{number}")) == 200));
    }

    #[test]
    fn a_damaged_file_is_a_problem_and_stays_as_it_is() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        for number in 0..50 {
            set(&store, &format!("k{number}"), &[7; 100]);
        }
        store.close();
        let (data, hint) = (dir.path().join("000001.data"), dir.path().join("000001.hint"));
        let (good, told) = (fs::read(&data).unwrap(), fs::read(&hint).unwrap());
        let end = good.len();
        let codes = |bytes: &[u8]| {
            fs::write(&data, bytes).unwrap();
            let opened = || {
                Store::open(dir.path()).map(|store| {
                    store.close();
                    ""
                })
            };
            let with = opened();
            fs::remove_file(&hint).unwrap();
            let without = opened();
            let after = fs::read(&data).unwrap();
            // What cannot be read was not touched.
            assert!(without.is_ok() || after == bytes);
            fs::write(&hint, &told).unwrap();
            [with, without].map(|opened| opened.map_or_else(|problem| problem.code.into_owned(), str::to_owned))
        };
        assert_eq!(codes(&good), ["", ""]);
        let mut flipped = good.clone();
        flipped[end / 2] ^= 1;
        // With the hint it is found when it is read.
        assert_eq!(codes(&flipped), ["", "beansdb.damaged"]);
        // What was closed in good order is not shorter; what was not may be.
        assert_eq!(codes(&good[..end - 10]), ["beansdb.damaged", ""]);
        assert_eq!(codes(&good[8..]), ["beansdb.damaged", "beansdb.damaged"]);
        let mut newer = good.clone();
        newer[7] = b'2';
        assert_eq!(codes(&newer), ["beansdb.newer", "beansdb.newer"]);

        fs::write(&data, &flipped).unwrap();
        let store = Store::open(dir.path()).unwrap();
        let wrong: Vec<_> = (0..50).filter_map(|number| store.get(format!("k{number}").as_bytes()).err()).collect();
        assert_eq!(wrong.len(), 1);
        assert!(wrong[0].message.contains("damaged"), "{}", wrong[0]);
    }

    #[test]
    fn a_record_inside_a_value_is_no_record() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        set(&store, "a", b"one");
        let data = dir.path().join("000001.data");
        let whole = fs::read(&data).unwrap();
        set(&store, "file", &whole[..200]);
        drop(store.get(b"file"));
        store.close();
        fs::remove_file(dir.path().join("000001.hint")).unwrap();
        let long = fs::metadata(&data).unwrap().len();
        fs::File::options().write(true).open(&data).unwrap().set_len(long - 1).unwrap();
        let store = Store::open(dir.path()).unwrap();
        assert_eq!(value(&store, "a").as_deref(), Some(&b"one"[..]));
        assert!(dir.path().join("000001.torn").exists());
    }

    /// The dialect as a table in memory.
    #[derive(Debug, Default)]
    struct Model(HashMap<String, (i32, u32, Vec<u8>)>);

    impl Model {
        fn live(&self, key: &str) -> Option<(u32, Vec<u8>)> {
            self.0.get(key).filter(|(version, ..)| *version > 0).map(|(_, flag, value)| (*flag, value.clone()))
        }

        fn set(&mut self, key: &str, flag: u32, wanted: i32, value: &[u8]) -> bool {
            let old = self.0.get(key).map_or(0, |(version, ..)| *version);
            let version = match wanted {
                0 if self.live(key) == Some((flag, value.to_vec())) => return true,
                0 => old.abs() + 1,
                -1 if old > 0 && value.is_empty() => -old - 1,
                wanted if wanted > old.abs() => wanted,
                wanted if wanted < 0 && value.is_empty() && old > 0 && -wanted > old => wanted,
                _ => return false,
            };
            self.0.insert(key.to_owned(), (version, flag, value.to_vec()));
            true
        }

        fn ask(&mut self, write: &Write) -> Written {
            let key = std::str::from_utf8(write.key()).unwrap().to_owned();
            let stored = |stored| if stored { Written::Stored } else { Written::NotStored };
            match write {
                Write::Set { flag, version, value, .. } => stored(self.set(&key, *flag, *version, value)),
                Write::Delete { .. } if self.set(&key, 0, -1, b"") => Written::Deleted,
                Write::Delete { .. } => Written::NotFound,
                Write::Append { value, .. } => match self.live(&key) {
                    Some((flag, _)) if flag != 256 => Written::NotStored,
                    old => stored(self.set(&key, 256, 0, &[&old.map_or(vec![], |(_, old)| old)[..], value].concat())),
                },
                Write::Incr { delta, .. } => match self.live(&key) {
                    Some((flag, _)) if flag != 516 => Written::Number(0),
                    old => {
                        let old = old.map_or(0, |(_, old)| String::from_utf8(old).unwrap().parse().unwrap_or(0));
                        let new = (old + delta).max(0);
                        self.set(&key, 516, 0, new.to_string().as_bytes());
                        Written::Number(new)
                    }
                },
            }
        }
    }

    fn writes() -> impl Strategy<Value = Write> {
        let key = (0..4).prop_map(|number| Bytes::from(format!("key{number}")));
        let value = prop_oneof![Just(""), Just("1"), Just("other")].prop_map(Bytes::from);
        prop_oneof![
            4 => (key.clone(), prop_oneof![Just(0), Just(256), Just(516)], -12..12, value.clone())
                .prop_map(|(key, flag, version, value)| Write::Set { key, flag, version, value }),
            2 => (key.clone(), value.clone()).prop_map(|(key, value)| Write::Set { key, flag: 0, version: 0, value }),
            1 => (key.clone(), value).prop_map(|(key, value)| Write::Append { key, value }),
            1 => (key.clone(), -3..5_i64).prop_map(|(key, delta)| Write::Incr { key, delta }),
            2 => key.prop_map(|key| Write::Delete { key }),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn it_is_as_the_model_has_it(writes in proptest::collection::vec(writes(), 1..80), together: bool, reopened: bool) {
            let dir = tempfile::tempdir().unwrap();
            let mut store = Store::open_with(dir.path(), |log| log.full_at(1000)).unwrap();
            let mut model = Model::default();
            // Together: many of them go into one write to the disk.
            let mut waiting = Vec::new();
            for write in writes {
                let expected = model.ask(&write);
                let written = store.write(write.clone());
                if together {
                    waiting.push((written, expected));
                } else {
                    prop_assert_eq!(written.blocking_recv().unwrap().unwrap(), expected, "{:?}", write);
                }
            }
            for (written, expected) in waiting {
                prop_assert_eq!(written.blocking_recv().unwrap().unwrap(), expected);
            }
            if reopened {
                store.close();
                store = Store::open(dir.path()).unwrap();
            }
            for number in 0..4 {
                let key = format!("key{number}");
                let stored = store.get(key.as_bytes()).unwrap();
                let known = stored.as_ref().map(|stored| (stored.slot.version, stored.record().flag, stored.record().value.to_vec()));
                prop_assert_eq!(known, model.0.get(&key).cloned());
            }
        }
    }
}
