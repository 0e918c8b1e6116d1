//! How much room the node's disk has, and what is said when it has none.

use std::fmt::Display;
use std::io;
use std::path::{Path, PathBuf};

use crate::problem::{Problem, Result};

/// The disk a folder is on.
#[derive(Debug, Clone)]
pub struct Disk {
    folder: PathBuf,
}

/// Kept free at most: the store, logs and the apps themselves must go on when no upload can.
const MARGIN: u64 = 512 << 20;

impl Disk {
    pub fn of(folder: &Path) -> Self {
        Self { folder: folder.to_owned() }
    }

    /// What uploads may fill, in bytes: all that is free but a twentieth of the disk, 512 MiB at most.
    pub fn room(&self) -> u64 {
        let Ok(stat) = nix::sys::statvfs::statvfs(&self.folder) else { return u64::MAX };
        let block = stat.fragment_size();
        let margin = (stat.blocks() * block / 20).min(MARGIN);
        (stat.blocks_available() * block).saturating_sub(margin)
    }

    /// Refuses work that needs more room than there is, before it begins.
    pub fn room_for(&self, needed: u64) -> Result<()> {
        let room = self.room();
        if room > needed { Ok(()) } else { Err(full(needed, room)) }
    }

    /// The problem that there is no room.
    pub fn full(&self) -> Problem {
        full(0, self.room())
    }

    /// An `io` error as a problem; a full disk with its numbers. `what` follows "could not".
    pub fn problem<D: Display>(&self, error: &io::Error, needed: u64, what: impl FnOnce() -> D) -> Problem {
        if is_full(error) {
            return full(needed, self.room());
        }
        Problem::new("node.io", format!("the node could not {}", what())).because(error)
    }
}

pub fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

/// The code of a full disk's problem.
pub const FULL: &str = "node.disk-full";

fn full(needed: u64, room: u64) -> Problem {
    let needs = if needed == 0 { String::new() } else { format!("{} needed, ", bytes(needed)) };
    Problem::new(FULL, "the node's disk is full")
        .because(format!("{needs}{} free for uploads", bytes(room)))
        .hint("free some space on the node and try again; nothing was changed")
}

/// `3.2 MB`, as file managers count.
pub fn bytes(count: u64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "one decimal is shown")]
    let mut value = count as f64;
    let mut units = ["B", "kB", "MB", "GB", "TB"].into_iter();
    let mut unit = units.next().unwrap_or_default();
    for next in units {
        if value < 1000.0 {
            break;
        }
        (value, unit) = (value / 1000.0, next);
    }
    if unit == "B" { format!("{count} B") } else { format!("{value:.1} {unit}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_short() {
        for (count, text) in [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (3_249_000, "3.2 MB"), (5 << 40, "5.5 TB")]
        {
            assert_eq!(bytes(count), text);
        }
    }

    #[test]
    fn more_than_the_disk_is_refused_with_numbers() {
        let problem = Disk::of(Path::new("/")).room_for(u64::MAX).unwrap_err();
        assert_eq!(problem.code, FULL);
        assert!(problem.causes[0].contains("needed"), "{problem}");
    }
}
