//! One entry of a layer, and the digests of files, remembered by what the file system says of them.

use std::collections::HashMap;
use std::fs::{self, File, Metadata};
use std::io;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use super::{Digest, Hashing};
use crate::problem::{Doing as _, Result};

/// A file or link of an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// Path in the image: `dae/app/app.py`.
    pub path: String,
    pub executable: bool,
    pub content: Content,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    File {
        from: PathBuf,
        size: u64,
        digest: Digest,
    },
    Link(String),
    /// Made here, in no file.
    Bytes(Vec<u8>),
}

impl Item {
    pub fn size(&self) -> u64 {
        match &self.content {
            Content::File { size, .. } => *size,
            Content::Link(_) => 0,
            Content::Bytes(bytes) => bytes.len() as u64,
        }
    }
}

/// A file whose content was not looked at yet.
#[derive(Debug)]
pub struct Found {
    pub path: String,
    pub from: PathBuf,
    pub meta: Metadata,
}

/// A file system's word that a file is unchanged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    size: u64,
    modified: i128,
    changed: i128,
    inode: u64,
}

impl Stamp {
    fn of(meta: &Metadata) -> Self {
        let nanos = |seconds: i64, nanos: i64| i128::from(seconds) * 1_000_000_000 + i128::from(nanos);
        Self {
            size: meta.size(),
            modified: nanos(meta.mtime(), meta.mtime_nsec()),
            changed: nanos(meta.ctime(), meta.ctime_nsec()),
            inode: meta.ino(),
        }
    }
}

/// Digests of files, kept from run to run. Lost or broken, it is made again.
#[derive(Debug)]
pub struct Sums {
    file: PathBuf,
    known: HashMap<PathBuf, (Stamp, Digest)>,
    used: HashMap<PathBuf, (Stamp, Digest)>,
}

/// Coarser than any file system's clock: a file changed so lately may change again without a trace.
const LATELY: Duration = Duration::from_secs(2);

impl Sums {
    pub fn open(file: PathBuf) -> Self {
        let text = fs::read_to_string(&file).unwrap_or_default();
        let known = text.split_terminator('\0').filter_map(read_line).collect();
        Self { file, known, used: HashMap::new() }
    }

    /// The files as items; those not known or changed are read, by as many threads as there are processors.
    pub fn items(&mut self, found: Vec<Found>) -> Result<Vec<Item>> {
        let stamps: Vec<Stamp> = found.iter().map(|found| Stamp::of(&found.meta)).collect();
        let mut digests: Vec<Option<Digest>> = found
            .iter()
            .zip(&stamps)
            .map(|(found, stamp)| {
                self.known.get(&found.from).filter(|(known, _)| known == stamp).map(|(_, digest)| digest.clone())
            })
            .collect();
        let unknown: Vec<usize> = (0..found.len()).filter(|n| digests[*n].is_none()).collect();
        let read = in_parallel(&unknown, |n| {
            let path = &found[*n].from;
            digest_file(path).doing(|| format!("read `{}`", path.display()))
        });
        for (n, digest) in unknown.into_iter().zip(read?) {
            digests[n] = Some(digest);
        }
        let items = found.into_iter().zip(stamps).zip(digests).filter_map(|((found, stamp), digest)| {
            let digest = digest?;
            self.used.insert(found.from.clone(), (stamp, digest.clone()));
            Some(Item {
                path: found.path,
                executable: found.meta.permissions().mode() & 0o100 != 0,
                content: Content::File { from: found.from, size: stamp.size, digest },
            })
        });
        Ok(items.collect())
    }

    /// Keeps what was used in this run.
    pub fn save(self) -> Result<()> {
        use std::fmt::Write as _;
        let lately = SystemTime::now() - LATELY;
        let lately = lately.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |time| time.as_nanos().cast_signed());
        let mut text = String::new();
        for (path, (stamp, digest)) in &self.used {
            let Some(path) = path.to_str() else { continue };
            if stamp.modified < lately && stamp.changed < lately {
                let Stamp { size, modified, changed, inode } = stamp;
                let _ = write!(text, "{digest} {size} {modified} {changed} {inode} {path}\0");
            }
        }
        write_aside(&self.file, text.as_bytes())
    }
}

fn read_line(line: &str) -> Option<(PathBuf, (Stamp, Digest))> {
    let mut words = line.splitn(6, ' ');
    let digest = Digest::parse(words.next()?).ok()?;
    let stamp = Stamp {
        size: words.next()?.parse().ok()?,
        modified: words.next()?.parse().ok()?,
        changed: words.next()?.parse().ok()?,
        inode: words.next()?.parse().ok()?,
    };
    Some((PathBuf::from(words.next()?), (stamp, digest)))
}

fn digest_file(path: &Path) -> io::Result<Digest> {
    let mut reader = Hashing::new(File::open(path)?);
    io::copy(&mut reader, &mut io::sink())?;
    Ok(reader.finish().0)
}

/// `work` on each of `things`, in order, by as many threads as there are processors; the first problem ends it.
pub(super) fn in_parallel<T: Sync, R: Send>(things: &[T], work: impl Fn(&T) -> Result<R> + Sync) -> Result<Vec<R>> {
    let next = AtomicUsize::new(0);
    let threads = std::thread::available_parallelism().map_or(2, usize::from).min(things.len());
    let take = || {
        let mut mine = Vec::new();
        loop {
            let n = next.fetch_add(1, Ordering::Relaxed);
            let Some(thing) = things.get(n) else { return mine };
            let result = work(thing);
            if result.is_err() {
                next.store(things.len(), Ordering::Relaxed);
            }
            mine.push((n, result));
        }
    };
    let mut done: Vec<(usize, Result<R>)> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(take)).collect();
        threads
            .into_iter()
            .flat_map(|thread| thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            .collect()
    });
    done.sort_by_key(|(n, _)| *n);
    done.into_iter().map(|(_, result)| result).collect()
}

/// Writes a file so that it is there whole or not at all; makes the folders above it.
pub(super) fn write_aside(path: &Path, bytes: &[u8]) -> Result<()> {
    let doing = || format!("write `{}`", path.display());
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder).doing(|| format!("make the folder `{}`", folder.display()))?;
    let mut aside = tempfile::NamedTempFile::new_in(folder).doing(doing)?;
    io::Write::write_all(&mut aside, bytes).doing(doing)?;
    aside.persist(path).map_err(|error| error.error).doing(doing)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::problem::Problem;

    fn found(path: &Path) -> Vec<Found> {
        vec![Found { path: "x".into(), from: path.to_owned(), meta: fs::symlink_metadata(path).unwrap() }]
    }

    fn digest(items: &[Item]) -> Digest {
        match &items[0].content {
            Content::File { digest, .. } => digest.clone(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn an_old_file_is_remembered_and_a_fresh_one_is_read_again() {
        let dir = tempfile::tempdir().unwrap();
        let (path, store) = (dir.path().join("a b"), dir.path().join("made/sums"));
        fs::write(&path, "1").unwrap();
        let mut sums = Sums::open(store.clone());
        assert_eq!(digest(&sums.items(found(&path)).unwrap()), Digest::of(b"1"));
        sums.save().unwrap();
        assert!(Sums::open(store.clone()).known.is_empty(), "too fresh to be trusted");

        let stamp = Stamp::of(&fs::symlink_metadata(&path).unwrap());
        let mut sums = Sums::open(store.clone());
        let old = Stamp { modified: 1, changed: 1, ..stamp };
        sums.used.insert(path.clone(), (old, Digest::of(b"1")));
        sums.save().unwrap();
        assert_eq!(Sums::open(store.clone()).known, HashMap::from([(path.clone(), (old, Digest::of(b"1")))]));

        fs::write(&store, "rubbish\0more").unwrap();
        assert_eq!(digest(&Sums::open(store).items(found(&path)).unwrap()), Digest::of(b"1"));
    }

    #[test]
    fn parallel_work_keeps_the_order_and_tells_the_problem() {
        let numbers: Vec<u32> = (0..100).collect();
        assert_eq!(in_parallel(&numbers, |n| Ok(n * 2)).unwrap(), (0..200).step_by(2).collect::<Vec<u32>>());
        let failed = in_parallel(&numbers, |n| if *n == 7 { Err(Problem::new("a", "b")) } else { Ok(()) });
        assert_eq!(failed.unwrap_err().code, "a");
    }
}
