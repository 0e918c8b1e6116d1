//! The one thread that writes: takes all orders that have come in, decides each, writes their records at once, waits once
//! for the disk, and only then lets others see them and answers.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, TryRecvError};
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use tokio::sync::oneshot;

use super::codec::{LONGEST_VALUE, Write, is_key};
use super::compaction::{Compacting, Deletions, Step};
use super::log::{Log, slot_of};
use super::record::{Place, Record};
use super::rules::{Body, next_version};
use super::store::{Compaction, DataFile, Order, Shared, State, Stored, Written};
use super::tree::Slot;
use crate::problem::{Problem, Result};

/// So many orders, or bytes of records, are written at once.
const MOST_ORDERS: usize = 1024;
const MOST_BYTES: usize = 8 << 20;
/// The flag of a value that `incr` made, and of one that `append` made.
const INCR: u32 = 0x204;
const APPEND: u32 = 0x100;
/// `incr` leaves longer values alone.
const LONGEST_NUMBER: usize = 22;

#[derive(Debug)]
pub struct Writer {
    shared: Arc<Shared>,
    log: Log,
    compacting: Option<Compacting>,
    /// How many bytes of records have been replaced since somebody looked whether a file is worth compacting.
    replaced: u64,
    closing: bool,
}

/// Records on their way to the disk.
#[derive(Debug)]
pub struct Batch {
    /// Where the first one will be.
    start: Place,
    records: Vec<u8>,
    /// The newest of each key, `None` where the key is to be forgotten.
    changed: HashMap<Bytes, Option<Slot>>,
    /// All of them, in order.
    entries: Vec<(Bytes, Slot)>,
    time: u32,
}

type Answer = (oneshot::Sender<Result<Written>>, Result<Written>);

impl Writer {
    pub fn new(shared: Arc<Shared>, log: Log) -> Self {
        Self { shared, log, compacting: None, replaced: u64::MAX, closing: false }
    }

    /// Until it is told to close, or nobody is left who could tell it anything.
    pub fn run(&mut self, incoming: &Receiver<Order>) {
        while !self.closing {
            if !self.turn(incoming) {
                break;
            }
        }
        // The next start reads more; nothing is lost.
        let _ = self.log.seal();
    }

    /// One write to the disk, if there is anything to write. False: nobody is left.
    fn turn(&mut self, incoming: &Receiver<Order>) -> bool {
        let first = if self.compacting.is_some() {
            match incoming.try_recv() {
                Ok(order) => Some(order),
                Err(TryRecvError::Empty) => None,
                Err(TryRecvError::Disconnected) => return false,
            }
        } else {
            let Ok(order) = incoming.recv() else { return false };
            Some(order)
        };
        let mut answers = Vec::new();
        let rolled = if self.log.is_full() { self.next_file() } else { Ok(()) };
        let mut batch = Batch::new(self.log.end());
        let mut next = first;
        while let Some(order) = next {
            match order {
                Order::Write(write, answer) => {
                    let decided = rolled.clone().and_then(|()| self.decide(&mut batch, write));
                    answers.push((answer, decided));
                }
                Order::Compact(answer) => {
                    let starts = self.compacting.is_none();
                    if starts {
                        // It begins in a file of its own, after what is in this batch.
                        self.commit(std::mem::replace(&mut batch, Batch::new(self.log.end())), &mut answers);
                        self.compact_all();
                        batch = Batch::new(self.log.end());
                    }
                    // Whoever asked may have gone.
                    let _ = answer.send(starts);
                }
                Order::Close => {
                    self.closing = true;
                    break;
                }
            }
            let full = answers.len() >= MOST_ORDERS || batch.records.len() >= MOST_BYTES;
            next = if full { None } else { incoming.try_recv().ok() };
        }
        let step = if rolled.is_ok() { self.compact_some(&mut batch) } else { Step::Fails };
        let committed = self.commit(batch, &mut answers);
        self.compacted(if committed { step } else { Step::Fails });
        self.compact_worst();
        true
    }

    /// Writes the batch, shows it, answers. False where it could not be written.
    fn commit(&mut self, batch: Batch, answers: &mut Vec<Answer>) -> bool {
        let entries = batch.entries.iter().map(|(key, slot)| (&key[..], *slot));
        let written = if batch.records.is_empty() { Ok(()) } else { self.log.append(&batch.records, entries) };
        if written.is_ok() {
            self.show(&batch);
        }
        for (answer, decided) in answers.drain(..) {
            // Who does not wait for it does not care.
            let _ = answer.send(written.clone().and(decided));
        }
        written.is_ok()
    }

    fn show(&mut self, batch: &Batch) {
        let state = &mut *self.shared.write();
        if let Some(newest) = state.files.get_mut(&batch.start.file) {
            newest.length += batch.records.len() as u64;
        }
        for (key, slot) in &batch.changed {
            let old = match slot {
                Some(slot) => {
                    if let Some(file) = state.files.get_mut(&slot.file) {
                        file.live += u64::from(slot.size);
                    }
                    state.tree.insert(key, *slot)
                }
                None => state.tree.remove(key),
            };
            if let Some((file, old)) = old.and_then(|old| Some((state.files.get_mut(&old.file)?, old))) {
                file.live -= u64::from(old.size);
                self.replaced = self.replaced.saturating_add(old.size.into());
            }
        }
    }

    fn next_file(&mut self) -> Result<()> {
        let found = self.log.next_file()?;
        let file = DataFile { file: found.file, length: found.length.into(), live: 0 };
        self.shared.write().files.insert(found.number, file);
        Ok(())
    }

    /// What `write` comes to, after all that is in the batch.
    fn decide(&self, batch: &mut Batch, write: Write) -> Result<Written> {
        let known = is_key(write.key()) && write.key()[0] != b'@';
        match write {
            _ if !known => Ok(match write {
                Write::Set { .. } | Write::Append { .. } => Written::NotStored,
                Write::Incr { .. } => Written::Number(0),
                Write::Delete { .. } => Written::NotFound,
            }),
            Write::Set { key, flag, version, value } => self.set(batch, key, flag, version, &value),
            Write::Delete { key } => Ok(match self.set(batch, key, 0, -1, &[])? {
                Written::Stored => Written::Deleted,
                _ => Written::NotFound,
            }),
            Write::Append { key, value } => {
                let mut whole = match self.current(batch, &key)? {
                    Some((flag, _)) if flag != APPEND => return Ok(Written::NotStored),
                    Some((_, old)) => old,
                    None => Vec::new(),
                };
                if whole.len() + value.len() > LONGEST_VALUE {
                    return Ok(Written::NotStored);
                }
                whole.extend_from_slice(&value);
                self.set(batch, key, APPEND, 0, &whole)
            }
            Write::Incr { key, delta } => {
                let old = match self.current(batch, &key)? {
                    Some((flag, value)) if flag != INCR || value.len() > LONGEST_NUMBER => {
                        return Ok(Written::Number(0));
                    }
                    Some((_, value)) => leading_number(&value),
                    None => 0,
                };
                let new = old.wrapping_add(delta).max(0);
                let stored = self.set(batch, key, INCR, 0, new.to_string().as_bytes())?;
                Ok(Written::Number(if stored == Written::Stored { new } else { 0 }))
            }
        }
    }

    fn set(&self, batch: &mut Batch, key: Bytes, flag: u32, wanted: i32, value: &[u8]) -> Result<Written> {
        let old = self.slot(batch, &key);
        let Some(version) = next_version(old.map_or(0, |slot| slot.version), wanted, Body::of(value)) else {
            return Ok(Written::NotStored);
        };
        let record = Record { key: &key, value, flag, version, time: batch.time, back: 0 };
        // The same again changes nothing, unless a version was asked for.
        if wanted == 0
            && old.is_some_and(|old| old.version > 0 && old.value_hash == record.value_hash())
            && self.current(batch, &key)?.is_some_and(|(old_flag, old)| old_flag == flag && old == value)
        {
            return Ok(Written::Stored);
        }
        batch.put(&key, record);
        Ok(Written::Stored)
    }

    /// Where the newest record of `key` is, or will be.
    fn slot(&self, batch: &Batch, key: &[u8]) -> Option<Slot> {
        batch.changed.get(key).copied().unwrap_or_else(|| self.shared.read().tree.get(key))
    }

    /// Flag and value of `key`; none where there is none, or no more.
    fn current(&self, batch: &Batch, key: &[u8]) -> Result<Option<(u32, Vec<u8>)>> {
        let Some(slot) = self.slot(batch, key).filter(|slot| slot.version > 0) else { return Ok(None) };
        if let Some(record) = batch.record(slot) {
            return Ok(Some((record.flag, record.value.to_vec())));
        }
        let file = self.shared.read().files.get(&slot.file).map(|data| data.file.clone());
        let file = file.ok_or_else(|| Problem::new("beansdb.damaged", "a data file is missing"))?;
        let stored = Stored::read(&file, slot)?;
        let record = stored.record();
        Ok(Some((record.flag, record.value.to_vec())))
    }

    /// Begins with all that was there when it was asked for.
    fn compact_all(&mut self) {
        if !self.log.is_fresh() && self.next_file().is_err() {
            return self.shared.set_compaction(Compaction::Failed);
        }
        let newest = self.log.end().file;
        let files: VecDeque<u32> = self.shared.read().files.keys().copied().filter(|file| *file < newest).collect();
        self.shared.set_compaction(Compaction::Running);
        self.compacting = Some(Compacting::new(files, Deletions::Forgotten));
    }

    /// Where more than half of a file that is not written any more is of no use, it is compacted without being asked.
    fn compact_worst(&mut self) {
        if self.compacting.is_some() || self.replaced < self.log.full_size() / 4 {
            return;
        }
        self.replaced = 0;
        let newest = self.log.end().file;
        let waste =
            |(number, file): (&u32, &DataFile)| (*number < newest && file.live < file.length / 2).then_some(*number);
        let worst: VecDeque<u32> = self.shared.read().files.iter().filter_map(waste).collect();
        if !worst.is_empty() {
            self.shared.set_compaction(Compaction::Running);
            self.compacting = Some(Compacting::new(worst, Deletions::Kept));
        }
    }

    fn compact_some(&mut self, batch: &mut Batch) -> Step {
        let Some(compacting) = &mut self.compacting else { return Step::Goes };
        let state: &State = &self.shared.read();
        compacting.step(state, batch)
    }

    /// What follows from a step, now that its copies are on disk.
    fn compacted(&mut self, step: Step) {
        let Some(compacting) = &mut self.compacting else { return };
        match step {
            Step::Goes => {}
            Step::Copied(file) => {
                if self.log.remove(file).is_err() {
                    self.compacting = None;
                    return self.shared.set_compaction(Compaction::Failed);
                }
                self.shared.write().files.remove(&file);
                compacting.next();
            }
            Step::Ends => {
                self.compacting = None;
                self.shared.set_compaction(Compaction::Done);
            }
            Step::Fails => {
                self.compacting = None;
                self.shared.set_compaction(Compaction::Failed);
            }
        }
    }
}

impl Batch {
    fn new(start: Place) -> Self {
        let time = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let time = u32::try_from(time).unwrap_or(u32::MAX);
        Self { start, records: Vec::new(), changed: HashMap::new(), entries: Vec::new(), time }
    }

    /// Adds a record; where in the batch it is, is set here.
    pub fn put(&mut self, key: &Bytes, mut record: Record<'_>) {
        record.back = u32::try_from(self.records.len()).unwrap_or(u32::MAX);
        let place = Place { file: self.start.file, offset: self.start.offset + record.back };
        let length = record.write(place, &mut self.records);
        let slot = slot_of(&record, place, length);
        self.changed.insert(key.clone(), Some(slot));
        self.entries.push((key.clone(), slot));
    }

    pub fn forget(&mut self, key: Bytes) {
        self.changed.insert(key, None);
    }

    pub fn changes(&self, key: &[u8]) -> bool {
        self.changed.contains_key(key)
    }

    fn record(&self, slot: Slot) -> Option<Record<'_>> {
        let here = slot.file == self.start.file && slot.offset >= self.start.offset;
        here.then(|| Record::known(&self.records[(slot.offset - self.start.offset) as usize..][..slot.size as usize]))
    }
}

/// The number a text begins with, as C's `strtoll` reads it; 0 where there is none.
fn leading_number(text: &[u8]) -> i64 {
    let text = text.trim_ascii_start();
    let signed = usize::from(matches!(text.first(), Some(b'-' | b'+')));
    let digits = text[signed..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    let number = std::str::from_utf8(&text[..signed + digits]).unwrap_or_default();
    number.parse().unwrap_or_else(|error: std::num::ParseIntError| match error.kind() {
        std::num::IntErrorKind::PosOverflow => i64::MAX,
        std::num::IntErrorKind::NegOverflow => i64::MIN,
        _ => 0,
    })
}
