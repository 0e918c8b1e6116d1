//! From a journal's parts back to jobs.

use std::collections::VecDeque;
use std::path::Path;

use super::journal::{PREFACE, part, read_preface};
use super::log::SEGMENT;
use super::record::Record;
use super::store::Store;
use crate::problem::{Doing as _, Place, Problem, Result};
use crate::services::Tell;

pub(super) struct Found {
    pub older: VecDeque<(u32, u64)>,
    /// The last part, where there is room in it: its number, and how far it is good.
    pub last: Option<(u32, u64)>,
}

/// Reads every part of `folder` into `store`. A torn end of the last part is what a crash leaves; one elsewhere is told.
pub(super) fn recover(folder: &Path, store: &mut Store, tell: &Tell) -> Result<Found> {
    let segments = segments(folder)?;
    let mut found = Found { older: VecDeque::new(), last: None };
    for (index, segment) in segments.iter().enumerate() {
        let path = part(folder, *segment);
        let bytes = std::fs::read(&path).doing(|| format!("read `{}`", path.display()))?;
        let is_last = index + 1 == segments.len();
        let good = replay(store, *segment, &bytes);
        if !is_last && good < bytes.len() {
            tell.failed("queue", torn(&path, good, bytes.len()));
        }
        if is_last && good >= PREFACE && (good as u64) < SEGMENT {
            found.last = Some((*segment, good as u64));
        } else {
            found.older.push_back((*segment, bytes.len() as u64));
        }
    }
    store.settle();
    Ok(found)
}

/// How far the part is good.
fn replay(store: &mut Store, segment: u32, bytes: &[u8]) -> usize {
    let Some(next_id) = read_preface(bytes) else { return 0 };
    store.next_id = store.next_id.max(next_id);
    let mut at = PREFACE;
    while let Some((record, length)) = Record::read(&bytes[at..]) {
        store.replay(&record, segment);
        at += length;
    }
    at
}

fn segments(folder: &Path) -> Result<Vec<u32>> {
    let entries = std::fs::read_dir(folder).doing(|| format!("read the folder `{}`", folder.display()))?;
    let number = |entry: std::fs::DirEntry| entry.file_name().to_str()?.strip_suffix(".jobs")?.parse().ok();
    let mut segments: Vec<u32> = entries.flatten().filter_map(number).collect();
    segments.sort_unstable();
    Ok(segments)
}

fn torn(path: &Path, good: usize, length: usize) -> Problem {
    let message = format!("{} bytes of the queue's journal cannot be read", length - good);
    let place = Place { file: path.to_owned(), line: 1, column: 1, length: 0, text: String::new() };
    Problem::new("queue.torn", message)
        .at(place)
        .because(format!("the record at byte {good} is damaged; jobs that stand behind it in this file are lost"))
}
