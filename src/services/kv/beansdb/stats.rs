//! What `stats` tells.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use super::store::Store;

#[derive(Debug)]
pub struct Stats {
    started: Instant,
    pub current_connections: AtomicU64,
    pub total_connections: AtomicU64,
    pub gets: AtomicU64,
    pub hits: AtomicU64,
    pub sets: AtomicU64,
    pub deletes: AtomicU64,
    pub bytes_read: AtomicU64,
    pub bytes_written: AtomicU64,
}

impl Stats {
    /// The version of the C server whose dialect this is, and who speaks it.
    pub const VERSION: &str = concat!("0.7.1.4-dae-", env!("CARGO_PKG_VERSION"));

    pub fn reset(&self) {
        let all = [&self.total_connections, &self.gets, &self.hits, &self.sets, &self.deletes];
        for counter in all.into_iter().chain([&self.bytes_read, &self.bytes_written]) {
            counter.store(0, Relaxed);
        }
    }

    pub fn write(&self, store: &Store, folder: &Path, output: &mut Vec<u8>) {
        let size = store.size();
        let free = nix::sys::statvfs::statvfs(folder).map_or(0, |disk| disk.blocks_available() * disk.fragment_size());
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let (gets, hits) = (self.gets.load(Relaxed), self.hits.load(Relaxed));
        let mut text = String::new();
        let mut stat = |name: &str, value: u64| {
            // Into a string: it cannot fail.
            let _ = write!(text, "STAT {name} {value}\r\n");
        };
        stat("pid", std::process::id().into());
        stat("uptime", self.started.elapsed().as_secs());
        stat("time", now);
        stat("pointer_size", usize::BITS.into());
        stat("curr_connections", self.current_connections.load(Relaxed));
        stat("total_connections", self.total_connections.load(Relaxed));
        stat("cmd_get", gets);
        stat("cmd_set", self.sets.load(Relaxed));
        stat("cmd_delete", self.deletes.load(Relaxed));
        stat("get_hits", hits);
        stat("get_misses", gets.saturating_sub(hits));
        stat("curr_items", size.live.into());
        stat("total_items", size.keys as u64);
        stat("avail_space", free);
        stat("total_space", size.bytes);
        stat("bytes_read", self.bytes_read.load(Relaxed));
        stat("bytes_written", self.bytes_written.load(Relaxed));
        let _ = write!(text, "STAT version {}\r\nEND\r\n", Self::VERSION);
        output.extend_from_slice(text.as_bytes());
    }
}

impl Default for Stats {
    fn default() -> Self {
        Self {
            started: Instant::now(),
            current_connections: AtomicU64::default(),
            total_connections: AtomicU64::default(),
            gets: AtomicU64::default(),
            hits: AtomicU64::default(),
            sets: AtomicU64::default(),
            deletes: AtomicU64::default(),
            bytes_read: AtomicU64::default(),
            bytes_written: AtomicU64::default(),
        }
    }
}
