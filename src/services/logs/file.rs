//! A log file: lines with the time they came, put aside when it is full.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use jiff::Timestamp;

/// A file that would grow beyond this, in bytes, is put aside.
pub const LARGEST: u64 = 10 << 20;
/// `web.log.1`, the newest, to `web.log.4`.
pub const ASIDE: usize = 4;

/// `web.log`, and those put aside.
#[derive(Debug)]
pub struct LogFile {
    path: PathBuf,
    file: File,
    size: u64,
}

impl LogFile {
    pub fn open(path: &Path) -> io::Result<Self> {
        let file = File::options().create(true).append(true).open(path)?;
        Ok(Self { path: path.to_owned(), size: file.metadata()?.len(), file })
    }

    /// Adds one line, with the time before it: RFC 3339, UTC, to the millisecond.
    pub fn write(&mut self, line: &str) -> io::Result<()> {
        self.write_at(Timestamp::now(), line, LARGEST)
    }

    /// Adds a line as it is, which is one and says itself when it came.
    pub fn write_bare(&mut self, line: &str) -> io::Result<()> {
        self.add(format!("{line}\n"), LARGEST)
    }

    fn write_at(&mut self, now: Timestamp, line: &str, largest: u64) -> io::Result<()> {
        // One line stays one.
        let line = line.replace(['\n', '\r'], " ");
        self.add(format!("{now:.3} {line}\n"), largest)
    }

    fn add(&mut self, line: String, largest: u64) -> io::Result<()> {
        if self.size > 0 && self.size + line.len() as u64 > largest {
            self.put_aside()?;
        }
        self.file.write_all(line.as_bytes())?;
        self.size += line.len() as u64;
        Ok(())
    }

    fn put_aside(&mut self) -> io::Result<()> {
        for number in (1..ASIDE).rev() {
            // There need not be that many yet.
            let _ = std::fs::rename(aside(&self.path, number), aside(&self.path, number + 1));
        }
        std::fs::rename(&self.path, aside(&self.path, 1))?;
        *self = Self::open(&self.path)?;
        Ok(())
    }
}

pub(super) fn aside(path: &Path, number: usize) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{number}"));
    name.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_is_put_aside_when_it_is_full() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("web.log");
        let mut log = LogFile::open(&path).unwrap();
        let at = |number: i64| Timestamp::from_second(number).unwrap();
        for number in 0..14 {
            log.write_at(at(number), &format!("line\n{number:02}"), 70).unwrap();
        }
        let read = |name: &str| std::fs::read_to_string(dir.path().join(name)).unwrap_or_default();
        assert_eq!(read("web.log"), "1970-01-01T00:00:12.000Z line 12\n1970-01-01T00:00:13.000Z line 13\n");
        assert_eq!(read("web.log.1"), "1970-01-01T00:00:10.000Z line 10\n1970-01-01T00:00:11.000Z line 11\n");
        assert!(read("web.log.4").ends_with("line 05\n"));
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1 + ASIDE);
        // Another run goes on where this one stopped, and a line larger than a file is written whole.
        let mut log = LogFile::open(&path).unwrap();
        log.write_at(at(14), &"x".repeat(100), 70).unwrap();
        assert!(read("web.log.1").ends_with("line 13\n"));
        assert!(read("web.log").ends_with("xxx\n"));
    }
}
