//! Messages as files, `mail/NUMBER.eml`: whole or not there. Above a message's own headers stand those that a mail server
//! adds: who sent it and who gets it, which need not be what the message says.

use std::fs::File;
use std::io::{self, BufWriter, Write as _};
use std::path::{Path, PathBuf};

use super::smtp::Envelope;
use crate::problem::{Doing as _, Problem, Result};

/// So many messages are kept, the newest,
const MOST: usize = 2_000;
/// and no more bytes than this, but always the last one.
const MOST_BYTES: u64 = 1 << 30;

#[derive(Debug)]
pub struct Store {
    folder: PathBuf,
}

/// A message that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    pub number: u64,
    pub path: PathBuf,
    pub size: u64,
    pub came: jiff::Timestamp,
}

/// A message that is coming. Dropped, it was never there.
#[derive(Debug)]
pub struct Coming {
    file: BufWriter<tempfile::NamedTempFile>,
}

impl Store {
    /// The mail below a space's `data`.
    pub fn new(data: &Path) -> Self {
        Self { folder: data.join("mail") }
    }

    pub fn begin(&self, envelope: &Envelope, now: &jiff::Zoned) -> io::Result<Coming> {
        std::fs::create_dir_all(&self.folder)?;
        // Aside, but in the same folder, so that it can be moved.
        let file = tempfile::Builder::new().prefix(".coming-").tempfile_in(&self.folder)?;
        let mut file = BufWriter::new(file);
        write!(file, "Return-Path: <{}>\r\n", envelope.from)?;
        for to in &envelope.to {
            write!(file, "Delivered-To: {to}\r\n")?;
        }
        write!(file, "Received: by localhost (dae) with ESMTP; {}\r\n", now.strftime("%a, %d %b %Y %H:%M:%S %z"))?;
        Ok(Coming { file })
    }

    /// Makes it one of those that are there; its number.
    pub fn keep(&self, coming: Coming) -> io::Result<u64> {
        let mut file = coming.file.into_inner().map_err(io::IntoInnerError::into_error)?;
        let mut number = numbers(&self.folder)?.into_iter().max().unwrap_or(0) + 1;
        loop {
            match file.persist_noclobber(self.path(number)) {
                Ok(_) => break,
                // Another message came in between.
                Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => file = error.file,
                Err(error) => return Err(error.error),
            }
            number += 1;
        }
        self.make_room()?;
        Ok(number)
    }

    fn path(&self, number: u64) -> PathBuf {
        self.folder.join(format!("{number}.eml"))
    }

    fn make_room(&self) -> io::Result<()> {
        let mut numbers = numbers(&self.folder)?;
        numbers.sort_unstable();
        let (mut count, mut bytes) = (0, 0);
        for number in numbers.into_iter().rev() {
            let path = self.path(number);
            let size = std::fs::metadata(&path).map_or(0, |meta| meta.len());
            count += 1;
            bytes += size;
            if count > 1 && (count > MOST || bytes > MOST_BYTES) {
                std::fs::remove_file(path)?;
            }
        }
        Ok(())
    }

    /// Every message, the oldest first.
    pub fn list(&self) -> Result<Vec<Kept>> {
        let look = |number: u64| {
            let path = self.path(number);
            let meta = std::fs::metadata(&path).ok()?;
            let came = jiff::Timestamp::try_from(meta.modified().ok()?).ok()?;
            Some(Kept { number, path, size: meta.len(), came })
        };
        let mut numbers = numbers(&self.folder).doing(|| format!("read `{}`", self.folder.display()))?;
        numbers.sort_unstable();
        // One that went in between is not there.
        Ok(numbers.into_iter().filter_map(look).collect())
    }

    /// One message as it came.
    pub fn read(&self, number: u64) -> Result<Vec<u8>> {
        let path = self.path(number);
        match std::fs::read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Err(Problem::new("mail.number", format!("there is no mail {number}")).try_running("dae mail list"))
            }
            read => read.doing(|| format!("read `{}`", path.display())),
        }
    }
}

impl Coming {
    pub fn write(&mut self, piece: &[u8]) -> io::Result<()> {
        self.file.write_all(piece)
    }

    /// For a test that asks whether it is on the disk.
    pub fn file(&self) -> &File {
        self.file.get_ref().as_file()
    }
}

fn numbers(folder: &Path) -> io::Result<Vec<u64>> {
    let entries = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let names = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok());
    Ok(names.filter_map(|name| name.strip_suffix(".eml")?.parse().ok()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_there_when_it_is_whole() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::new(dir.path());
        assert_eq!(store.list().unwrap(), []);
        assert!(store.read(1).unwrap_err().message.contains("no mail 1"));
        let envelope = Envelope { from: "a@b".into(), to: vec!["c@d".into(), "e@f".into()] };
        let now = "2026-11-22T18:34:14+08:00[Asia/Shanghai]".parse().unwrap();
        drop(store.begin(&envelope, &now).unwrap());
        let mut coming = store.begin(&envelope, &now).unwrap();
        coming.write(b"Subject: hi\r\n\r\nyou\r\n").unwrap();
        assert_eq!(store.list().unwrap(), []);
        assert_eq!(store.keep(coming).unwrap(), 1);
        let second = store.begin(&envelope, &now).unwrap();
        assert_eq!(store.keep(second).unwrap(), 2);
        assert_eq!(store.list().unwrap().iter().map(|kept| kept.number).collect::<Vec<_>>(), [1, 2]);
        assert_eq!(
            String::from_utf8(store.read(1).unwrap()).unwrap(),
            "Return-Path: <a@b>\r\nDelivered-To: c@d\r\nDelivered-To: e@f\r\n\
             Received: by localhost (dae) with ESMTP; Sun, 22 Nov 2026 18:34:14 +0800\r\nSubject: hi\r\n\r\nyou\r\n"
        );
        assert_eq!(std::fs::read_dir(dir.path().join("mail")).unwrap().count(), 2);
    }
}
