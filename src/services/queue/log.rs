//! What the store has to tell the journal and is not written yet, in the order it happened.

use super::record::{HEADER, Record};

/// A part of the journal that has grown to this, in bytes, is followed by the next.
pub const SEGMENT: u64 = 32 << 20;

#[derive(Debug, Default)]
pub struct Log {
    /// For each part of the journal what belongs to it; the last is the one that grows.
    chunks: Vec<Chunk>,
    pub segment: u32,
    /// Of the part that grows, in bytes.
    pub size: u64,
    /// How many bytes were ever told, by this run.
    pub end: u64,
    /// What the jobs there are would take, written once each.
    pub live: u64,
    /// Records ever told by this run; and those told again, so that a part could go.
    pub records: u64,
    pub migrated: u64,
}

#[derive(Debug)]
pub struct Chunk {
    pub segment: u32,
    /// The id the next job would have when this began.
    pub next_id: u64,
    pub bytes: Vec<u8>,
}

impl Log {
    /// Where the journal goes on after it was read.
    pub fn begin(&mut self, segment: u32, size: u64) {
        (self.segment, self.size) = (segment, size);
    }

    /// Tells `record`; the answer is the part of the journal it goes to.
    pub fn tell(&mut self, record: &Record<'_>, next_id: u64) -> u32 {
        if self.size >= SEGMENT {
            self.segment += 1;
            self.size = 0;
        }
        if self.chunks.last().is_none_or(|chunk| chunk.segment != self.segment) {
            self.chunks.push(Chunk { segment: self.segment, next_id, bytes: Vec::new() });
        }
        if let Some(chunk) = self.chunks.last_mut() {
            let before = chunk.bytes.len();
            record.write(&mut chunk.bytes);
            let added = (chunk.bytes.len() - before) as u64;
            self.size += added;
            self.end += added;
            self.records += 1;
        }
        self.segment
    }

    /// All that is not taken yet.
    pub fn take(&mut self) -> Vec<Chunk> {
        std::mem::take(&mut self.chunks)
    }
}

/// What a job takes in the journal, in bytes, about.
pub fn weight(name: &str, body: usize) -> u64 {
    (HEADER + 39 + name.len() + body) as u64
}
