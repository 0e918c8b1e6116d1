//! The data files: records one after another, written at the end of the newest file only, on disk before anyone is told.
//!
//! `000001.data` begins with a mark, then records. `000001.hint` says what the first bytes of it hold, so that they need not
//! be read to open the store; it is written when a file is full and when the store is closed, and can be made again.
//!
//! A write may be cut off by the end of the process or of the machine. There is one at a time, and only the last one of the
//! newest file was not yet promised to anybody: what is left of it is put aside, as `000001.torn`. Anything else that cannot
//! be read was promised, and is a problem: the store does not open, and nothing is changed.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::hint::Hint;
use super::record::{HEADER, Place, Record};
use super::tree::Slot;
use crate::problem::{Doing as _, Problem, Result};

/// What a data file begins with; its last figure is the format's version.
const MARK: &[u8; FIRST as usize] = b"daebdb 1";
/// Where the first record of a file is.
pub const FIRST: u32 = 8;
/// A file that is so long gets no more writes.
const FULL: u32 = 256 << 20;
/// Zeros written ahead of small writes: syncing bytes that are there takes less of the disk than making a file longer.
const AHEAD: usize = 1 << 20;
/// A write is small below this.
const SMALL: usize = 1 << 16;

#[derive(Debug)]
pub struct Log {
    folder: PathBuf,
    full: u32,
    newest: Newest,
    /// Held as long as the store is open.
    _lock: Lock,
}

/// The file that is written.
#[derive(Debug)]
struct Newest {
    number: u32,
    file: Arc<File>,
    /// Where the next record goes.
    end: u32,
    /// How long the file is, with the zeros at its end.
    long: u32,
    hint: Hint,
}

/// A file that was found.
#[derive(Debug)]
pub struct Found {
    pub number: u32,
    pub file: Arc<File>,
    pub length: u32,
}

impl Log {
    /// Reads what is in `folder`, oldest first.
    pub fn open(folder: &Path, seen: &mut dyn FnMut(&[u8], Slot)) -> Result<(Self, Vec<Found>)> {
        std::fs::create_dir_all(folder).doing(|| format!("make the folder `{}`", folder.display()))?;
        let lock = lock(folder)?;
        let mut numbers = numbers(folder)?;
        if numbers.is_empty() {
            create(folder, 1)?;
            numbers.push(1);
        }
        let mut found = Vec::new();
        let mut newest = None;
        for number in &numbers {
            let last = Some(number) == numbers.last();
            let (file, hint) = read(folder, *number, if last { End::MayBeTorn } else { End::IsWhole }, seen)?;
            let (file, length) = (Arc::new(file), hint.covers());
            found.push(Found { number: *number, file: file.clone(), length });
            newest = Some(Newest { number: *number, file, end: length, long: length, hint });
        }
        let newest = newest.ok_or_else(|| Problem::new("beansdb.empty", "there is no data file"))?;
        Ok((Self { folder: folder.to_owned(), full: FULL, newest, _lock: lock }, found))
    }

    /// Files get no longer than this, and one write.
    #[cfg(test)]
    pub fn full_at(&mut self, full: u32) {
        self.full = full;
    }

    /// Where the next record goes.
    pub fn end(&self) -> Place {
        Place { file: self.newest.number, offset: self.newest.end }
    }

    /// How long a file gets.
    pub fn full_size(&self) -> u64 {
        self.full.into()
    }

    pub fn is_full(&self) -> bool {
        self.newest.end >= self.full
    }

    /// Whether nothing has been written to the newest file.
    pub fn is_fresh(&self) -> bool {
        self.newest.end == FIRST
    }

    /// Writes whole records, of which `entries` says where they are. They are on disk when this returns; where it fails, it is as
    /// if nothing had been written.
    pub fn append<'a>(&mut self, records: &[u8], entries: impl Iterator<Item = (&'a [u8], Slot)>) -> Result<()> {
        let newest = &mut self.newest;
        let written = newest.write(records).and_then(|()| newest.file.sync_data());
        if let Err(error) = written {
            // Without this the next write goes over what is left; with it the space is free at once.
            let _ = newest.file.set_len(newest.end.into());
            newest.long = newest.end;
            return Err(error).doing(|| format!("write to `{}`", name(&self.folder, newest.number, "data").display()));
        }
        newest.end += length_of(records)?;
        for (key, slot) in entries {
            newest.hint.add(key, slot);
        }
        newest.hint.covered(newest.end);
        Ok(())
    }

    /// Goes on in a new file, which is returned with its number and length.
    pub fn next_file(&mut self) -> Result<Found> {
        self.seal()?;
        let number = self.newest.number + 1;
        let file = Arc::new(create(&self.folder, number)?);
        self.newest = Newest { number, file: file.clone(), end: FIRST, long: FIRST, hint: Hint::new(FIRST) };
        Ok(Found { number, file, length: FIRST })
    }

    /// Leaves the newest file as long as what is in it, with its hint.
    pub fn seal(&mut self) -> Result<()> {
        let newest = &mut self.newest;
        let sealed = newest.file.set_len(newest.end.into()).and_then(|()| newest.file.sync_all());
        newest.long = newest.end;
        sealed.doing(|| format!("end `{}`", name(&self.folder, newest.number, "data").display()))?;
        newest.hint.save(&name(&self.folder, newest.number, "hint")).doing(|| "write a hint")?;
        sync(&self.folder)
    }

    /// Takes away a file of which nothing is needed.
    pub fn remove(&self, number: u32) -> Result<()> {
        for kind in ["hint", "data"] {
            let path = name(&self.folder, number, kind);
            match std::fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(error).doing(|| format!("remove `{}`", path.display()));
                }
                _ => {}
            }
        }
        // In order: a deletion must not come back to life because an older file is gone and a newer one is not.
        sync(&self.folder)
    }
}

impl Newest {
    fn write(&mut self, records: &[u8]) -> io::Result<()> {
        self.file.write_all_at(records, self.end.into())?;
        let end = u64::from(self.end) + records.len() as u64;
        if end > self.long.into() {
            let ahead = if records.len() < SMALL { AHEAD } else { 0 };
            // Where there is no space for zeros there may still be some for records.
            let zeros = self.file.write_all_at(&ZEROS[..ahead], end);
            let long = if zeros.is_ok() { end + ahead as u64 } else { end };
            self.long = u32::try_from(long).map_err(io::Error::other)?;
        }
        Ok(())
    }
}

static ZEROS: [u8; AHEAD] = [0; AHEAD];

/// What may be at the end of a file.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    IsWhole,
    MayBeTorn,
}

fn name(folder: &Path, number: u32, kind: &str) -> PathBuf {
    folder.join(format!("{number:06}.{kind}"))
}

fn length_of(bytes: &[u8]) -> Result<u32> {
    u32::try_from(bytes.len())
        .map_err(|error| Problem::new("beansdb.too-long", "a data file is too long").because(error))
}

fn sync(folder: &Path) -> Result<()> {
    File::open(folder).and_then(|folder| folder.sync_all()).doing(|| format!("write `{}`", folder.display()))
}

/// Let go of by word: the file alone would stay locked for as long as a process that is just being forked has it too.
#[derive(Debug)]
struct Lock(File);

impl Drop for Lock {
    fn drop(&mut self) {
        // What cannot be unlocked is when the file is closed.
        let _ = self.0.unlock();
    }
}

fn lock(folder: &Path) -> Result<Lock> {
    let path = folder.join("lock");
    let open = File::options().create(true).truncate(false).write(true).open(&path);
    let file = open.doing(|| format!("open `{}`", path.display()))?;
    match file.try_lock() {
        Ok(()) => Ok(Lock(file)),
        Err(std::fs::TryLockError::WouldBlock) => Err(Problem::new(
            "beansdb.locked",
            format!("the store in `{}` is open in another process", folder.display()),
        )
        .hint("end the other one, or give this one a folder of its own")),
        Err(std::fs::TryLockError::Error(error)) => Err(error).doing(|| format!("lock `{}`", path.display())),
    }
}

/// Of the data files, in order.
fn numbers(folder: &Path) -> Result<Vec<u32>> {
    let mut numbers = Vec::new();
    for entry in std::fs::read_dir(folder).doing(|| format!("list `{}`", folder.display()))? {
        let entry = entry.doing(|| format!("list `{}`", folder.display()))?;
        let file = entry.file_name();
        numbers.extend(file.to_str().and_then(|file| file.strip_suffix(".data")?.parse::<u32>().ok()));
    }
    numbers.sort_unstable();
    Ok(numbers)
}

fn create(folder: &Path, number: u32) -> Result<File> {
    let path = name(folder, number, "data");
    let made = || {
        let file = File::options().create(true).truncate(true).read(true).write(true).open(&path)?;
        file.write_all_at(MARK, 0)?;
        file.sync_all()?;
        Ok(file)
    };
    let file = made().doing(|| format!("make `{}`", path.display()))?;
    sync(folder)?;
    Ok(file)
}

/// Tells what is in a file. The hint that is returned covers it.
fn read(folder: &Path, number: u32, end: End, seen: &mut dyn FnMut(&[u8], Slot)) -> Result<(File, Hint)> {
    let path = name(folder, number, "data");
    let doing = || format!("read `{}`", path.display());
    let file = File::options().read(true).write(true).open(&path).doing(doing)?;
    let length = u32::try_from(file.metadata().doing(doing)?.len());
    let length = length.map_err(|_| damaged(&path, 0, "it is longer than dae makes them"))?;
    if length < FIRST && end == End::MayBeTorn {
        // It was cut off as it was made; nothing was ever in it.
        return Ok((create(folder, number)?, Hint::new(FIRST)));
    }
    let mut begins = [0; MARK.len()];
    file.read_exact_at(&mut begins, 0).doing(doing)?;
    if begins != *MARK {
        if begins[..7] == MARK[..7] {
            return Err(Problem::new("beansdb.newer", format!("`{}` is of a newer dae", path.display()))
                .hint("use that one; nothing was changed"));
        }
        return Err(damaged(&path, 0, "it does not begin as a data file does"));
    }
    let mut hint = Hint::load(&name(folder, number, "hint"), number).unwrap_or_else(|| Hint::new(FIRST));
    if hint.covers() > length {
        return Err(damaged(&path, length, &format!("{} bytes of it are missing", hint.covers() - length)));
    }
    hint.each(seen);
    let start = hint.covers();
    let mut rest = vec![0; (length - start) as usize];
    file.read_exact_at(&mut rest, start.into()).doing(doing)?;
    let scanned = scan(Place { file: number, offset: start }, &rest, &mut |key, slot| {
        seen(key, slot);
        hint.add(key, slot);
    });
    let at = start + length_of(&rest[..scanned.good])?;
    match scanned.rest {
        Rest::Nothing => {}
        Rest::Torn if end == End::MayBeTorn => {
            let aside = name(folder, number, "torn");
            std::fs::write(&aside, &rest[scanned.good..]).doing(|| format!("write `{}`", aside.display()))?;
        }
        Rest::Torn | Rest::Damaged => return Err(damaged(&path, at, "the record there cannot be read")),
    }
    if at < length && end == End::MayBeTorn {
        file.set_len(at.into()).doing(|| format!("shorten `{}`", path.display()))?;
    }
    hint.covered(at);
    Ok((file, hint))
}

fn damaged(path: &Path, at: u32, how: &str) -> Problem {
    Problem::new("beansdb.damaged", format!("the store file `{}` is damaged at byte {at}", path.display()))
        .because(how)
        .hint("nothing was changed")
        .hint("put back a copy of the folder, as `dae state restore` does, or move the folder away to begin anew")
}

/// What a scan found after the last good record.
#[derive(Debug, PartialEq, Eq)]
enum Rest {
    /// Nothing, or zeros.
    Nothing,
    /// What may be left of one write.
    Torn,
    /// Something that was on disk before a later write began.
    Damaged,
}

#[derive(Debug, PartialEq, Eq)]
struct Scan {
    /// How many bytes are good records.
    good: usize,
    rest: Rest,
}

/// Goes through records that begin at `start`.
fn scan(start: Place, bytes: &[u8], seen: &mut dyn FnMut(&[u8], Slot)) -> Scan {
    let place =
        |at: usize| Place { file: start.file, offset: start.offset.wrapping_add(u32::try_from(at).unwrap_or(0)) };
    let mut good = 0;
    while let Some((record, length)) = Record::read(place(good), &bytes[good..]) {
        seen(record.key, slot_of(&record, place(good), length));
        good += length;
    }
    let rest = &bytes[good..];
    // All that the first unreadable record's own write holds may be torn; what a later write holds says that it was not.
    let later =
        |at: usize| Record::read(place(good + at), &rest[at..]).is_some_and(|(record, _)| at > record.back as usize);
    let rest = if rest.iter().all(|byte| *byte == 0) {
        Rest::Nothing
    } else if (1..rest.len().saturating_sub(HEADER)).any(later) {
        Rest::Damaged
    } else {
        Rest::Torn
    };
    Scan { good, rest }
}

/// What the index keeps of `record`, which is `length` long.
pub fn slot_of(record: &Record<'_>, place: Place, length: usize) -> Slot {
    Slot {
        version: record.version,
        value_hash: record.value_hash(),
        file: place.file,
        offset: place.offset,
        size: u32::try_from(length).unwrap_or(u32::MAX),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Place = Place { file: 1, offset: 8 };

    #[test]
    fn a_lock_ends_though_a_process_being_forked_has_its_file_too() {
        let dir = tempfile::tempdir().unwrap();
        let held = lock(dir.path()).unwrap();
        let inherited = held.0.try_clone().unwrap();
        assert_eq!(lock(dir.path()).unwrap_err().code, "beansdb.locked");
        drop(held);
        lock(dir.path()).unwrap();
        drop(inherited);
    }

    /// Three writes: of one record, of two, of one.
    fn three_writes() -> (Vec<u8>, Vec<usize>) {
        let (mut bytes, mut starts, mut begun) = (Vec::new(), Vec::new(), 0);
        for (key, first) in [(b"a", true), (b"b", true), (b"c", false), (b"d", true)] {
            starts.push(bytes.len());
            begun = if first { bytes.len() } else { begun };
            let back = u32::try_from(bytes.len() - begun).unwrap();
            let place = Place { file: 1, offset: 8 + u32::try_from(bytes.len()).unwrap() };
            Record { key, value: b"some value", flag: 0, version: 1, time: 0, back }.write(place, &mut bytes);
        }
        starts.push(bytes.len());
        (bytes, starts)
    }

    fn rest(bytes: &[u8]) -> (usize, Rest) {
        let scanned = scan(START, bytes, &mut |_, _| {});
        (scanned.good, scanned.rest)
    }

    #[test]
    fn what_is_torn_and_what_is_damaged() {
        let (bytes, starts) = three_writes();
        assert_eq!(rest(&bytes), (starts[4], Rest::Nothing));
        let zeros = [&bytes[..], &[0; 100]].concat();
        assert_eq!(rest(&zeros), (starts[4], Rest::Nothing));
        for end in starts[3] + 1..starts[4] {
            assert_eq!(rest(&bytes[..end]), (starts[3], Rest::Torn), "cut at {end}");
        }
        for (broken, expected) in [(0, Rest::Damaged), (1, Rest::Damaged), (2, Rest::Damaged), (3, Rest::Torn)] {
            let mut bytes = zeros.clone();
            bytes[starts[broken] + HEADER] ^= 1;
            assert_eq!(rest(&bytes), (starts[broken], expected), "record {broken}");
        }
        // The second write was the last one, and only its second record reached the disk.
        let mut bytes = bytes[..starts[3]].to_vec();
        bytes[starts[1]..starts[2]].fill(0);
        assert_eq!(rest(&bytes), (starts[1], Rest::Torn));
    }
}
