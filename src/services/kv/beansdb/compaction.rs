//! Making the data files smaller: what a file holds that is still of use is written anew, a piece with each write of others,
//! and then the file goes. Knows which records are of use; the writer does the rest.

use std::collections::VecDeque;
use std::os::unix::fs::FileExt as _;

use bytes::Bytes;

use super::log::FIRST;
use super::record::{self, HEADER};
use super::store::{DataFile, State, Stored};
use super::tree::Slot;
use super::writer::Batch;

/// So much is looked through with one write.
const PIECE: u64 = 1 << 20;

#[derive(Debug)]
pub struct Compacting {
    files: VecDeque<u32>,
    deletions: Deletions,
    offset: u64,
}

/// What becomes of the memory of deletions, and so of the versions of what is set anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deletions {
    Kept,
    Forgotten,
}

/// What one step came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    Goes,
    /// All of use in this file will be on disk elsewhere with the batch.
    Copied(u32),
    Ends,
    /// A record cannot be read: its file stays as it is.
    Fails,
}

impl Compacting {
    pub fn new(files: VecDeque<u32>, deletions: Deletions) -> Self {
        Self { files, deletions, offset: FIRST.into() }
    }

    /// The file has gone.
    pub fn next(&mut self) {
        self.files.pop_front();
        self.offset = FIRST.into();
    }

    /// Puts what is of use in the next piece into the batch.
    pub fn step(&mut self, state: &State, batch: &mut Batch) -> Step {
        let Some(number) = self.files.front().copied() else { return Step::Ends };
        let Some(data) = state.files.get(&number) else { return Step::Fails };
        // With nothing older than this file, what it says was deleted cannot come back.
        let forgets = self.deletions == Deletions::Forgotten && state.files.keys().next() == Some(&number);
        let until = self.offset + PIECE;
        while self.offset < data.length {
            if self.offset >= until {
                return Step::Goes;
            }
            let Some(read) = self.read(number, data) else { return Step::Fails };
            let record = read.record();
            let current = state.tree.get(record.key).is_some_and(|slot| {
                slot.file == read.slot.file && slot.offset == read.slot.offset && !batch.changes(record.key)
            });
            if current {
                let key = Bytes::copy_from_slice(record.key);
                if record.version < 0 && forgets {
                    batch.forget(key);
                } else {
                    batch.put(&key, record);
                }
            }
            self.offset += u64::from(read.slot.size);
        }
        Step::Copied(number)
    }

    fn read(&self, number: u32, data: &DataFile) -> Option<Stored> {
        let mut header = [0; HEADER];
        data.file.read_exact_at(&mut header, self.offset).ok()?;
        let size = u32::try_from(record::length(&header)?).ok()?;
        let offset = u32::try_from(self.offset).ok()?;
        (self.offset + u64::from(size) <= data.length).then_some(())?;
        Stored::read(&data.file, Slot { version: 0, value_hash: 0, file: number, offset, size }).ok()
    }
}
