//! Bytes by digest: `blobs/sha256/ab/abcd...`. A blob is written aside under `uploads/`, put on the disk, verified, and only
//! then given its name, so what has a name is whole. Knows no apps' rights and no HTTP.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use futures_util::{Stream, StreamExt as _};
use tokio::io::{AsyncSeekExt as _, AsyncWriteExt as _};

use super::disk::Disk;
use crate::app::AppName;
use crate::packaging::{Digest, Hashing};
use crate::problem::{Doing as _, Problem, Result};

/// An upload nobody went on with for this long is taken away when the node starts.
const FORGOTTEN: Duration = Duration::from_hours(24);
/// A blob that was written or counted on within this time need not be touched. Less than half of any sensible grace.
const YOUNG: Duration = Duration::from_secs(20);
/// How often, in bytes, the disk's room is looked at while an upload comes in.
const LOOK_EVERY: u64 = 8 << 20;

pub struct Blobs {
    root: PathBuf,
    uploads: PathBuf,
    pub disk: Disk,
    busy: Arc<Mutex<HashSet<PathBuf>>>,
}

/// One upload, which nobody else may touch while this value lives.
#[derive(Debug)]
pub struct Upload {
    path: PathBuf,
    pub id: String,
    /// Bytes received.
    pub size: u64,
    /// Somebody knows its name and may go on with it; otherwise it goes with this value.
    resumable: bool,
    busy: Arc<Mutex<HashSet<PathBuf>>>,
}

/// Why an upload did not go on.
#[derive(Debug)]
pub enum Broken {
    /// The sender stopped in the middle; what came is kept and can be gone on from.
    Sender(String),
    /// No room: all that came is thrown away.
    Full(Problem),
    Failed(Problem),
}

/// Why an upload is not there to go on with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Absent {
    Unknown,
    /// Another request writes to it.
    Busy,
}

impl Drop for Upload {
    fn drop(&mut self) {
        if !self.resumable {
            self.discard();
        }
        self.busy.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.path);
    }
}

impl Upload {
    /// From now on it outlives this value.
    pub fn keep(&mut self) {
        self.resumable = true;
    }

    /// Throws away what was received.
    pub fn discard(&self) {
        let _ = fs::remove_file(&self.path);
    }
}

impl Blobs {
    /// Under the node's folder; forgotten uploads go.
    pub fn open(dir: &Path, disk: Disk) -> Result<Self> {
        let (root, uploads) = (dir.join("blobs/sha256"), dir.join("uploads"));
        for folder in [&root, &uploads] {
            fs::create_dir_all(folder).doing(|| format!("make the folder `{}`", folder.display()))?;
        }
        let old = SystemTime::now() - FORGOTTEN;
        let entries = fs::read_dir(&uploads).doing(|| format!("read `{}`", uploads.display()))?;
        for entry in entries.flatten() {
            if entry.metadata().and_then(|meta| meta.modified()).is_ok_and(|modified| modified < old) {
                let _ = fs::remove_file(entry.path());
            }
        }
        Ok(Self { root, uploads, disk, busy: Arc::default() })
    }

    pub fn path(&self, digest: &Digest) -> PathBuf {
        self.root.join(&digest.hex()[..2]).join(digest.hex())
    }

    pub fn size(&self, digest: &Digest) -> Option<u64> {
        fs::metadata(self.path(digest)).ok().map(|meta| meta.len())
    }

    /// Somebody counts on this blob: it is young again. One that is young still is left alone.
    pub fn touch(&self, digest: &Digest) {
        let path = self.path(digest);
        let young = |path: &Path| Some(fs::metadata(path).ok()?.modified().ok()?.elapsed().ok()? < YOUNG);
        if young(&path) == Some(false) {
            // What cannot be touched is gone, and that is told when it is missed.
            let _ = File::options().append(true).open(&path).and_then(|file| file.set_modified(SystemTime::now()));
        }
    }

    /// Every blob that was neither written nor counted on for `grace`.
    pub fn old(&self, grace: Duration) -> Vec<Digest> {
        let folders = fs::read_dir(&self.root).into_iter().flatten().flatten();
        let files = folders.flat_map(|folder| fs::read_dir(folder.path()).into_iter().flatten().flatten());
        let old = |entry: &fs::DirEntry| Some(entry.metadata().ok()?.modified().ok()?.elapsed().ok()? >= grace);
        files
            .filter(|entry| old(entry) == Some(true))
            .filter_map(|entry| Digest::parse(&format!("sha256:{}", entry.file_name().to_str()?)).ok())
            .collect()
    }

    pub fn remove(&self, digest: &Digest) -> io::Result<()> {
        fs::remove_file(self.path(digest))
    }

    pub fn read(&self, digest: &Digest) -> Result<Vec<u8>> {
        let path = self.path(digest);
        fs::read(&path).doing(|| format!("read the blob `{}`", path.display()))
    }

    /// A new, empty upload to `app`'s repository.
    pub fn begin(&self, app: &AppName) -> Result<Upload> {
        let mut random = [0; 16];
        getrandom::fill(&mut random)
            .map_err(|error| Problem::new("node.random", "this machine gives no random numbers").because(error))?;
        // Version and variant of a random UUID: some clients look.
        random[6] = random[6] & 0x0f | 0x40;
        random[8] = random[8] & 0x3f | 0x80;
        let hex = format!("{:032x}", u128::from_be_bytes(random));
        let id = [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-");
        let path = self.upload_path(app, &id);
        File::create_new(&path)
            .map_err(|error| self.disk.problem(&error, 0, || format!("make `{}`", path.display())))?;
        self.hold(path, id, false).map_err(|_| Problem::new("node.upload", "the upload's name is in use"))
    }

    /// The upload that `begin` named.
    pub fn upload(&self, app: &AppName, id: &str) -> Result<Upload, Absent> {
        let is_ours =
            id.len() == 36 && id.bytes().all(|b| b == b'-' || b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        if !is_ours {
            return Err(Absent::Unknown);
        }
        self.hold(self.upload_path(app, id), id.to_owned(), true)
    }

    fn upload_path(&self, app: &AppName, id: &str) -> PathBuf {
        self.uploads.join(format!("{app}.{id}"))
    }

    fn hold(&self, path: PathBuf, id: String, resumable: bool) -> Result<Upload, Absent> {
        if !self.busy.lock().unwrap_or_else(PoisonError::into_inner).insert(path.clone()) {
            return Err(Absent::Busy);
        }
        let mut upload = Upload { path, id, size: 0, resumable, busy: self.busy.clone() };
        upload.size = fs::metadata(&upload.path).map_err(|_| Absent::Unknown)?.len();
        Ok(upload)
    }

    /// Writes what `body` brings behind what the upload holds. The answer is the digest of the whole, when the upload
    /// was empty before.
    pub async fn append<E: std::fmt::Display>(
        &self,
        upload: &mut Upload,
        mut body: impl Stream<Item = Result<Bytes, E>> + Unpin,
    ) -> Result<Option<Digest>, Broken> {
        let from_start = upload.size == 0;
        let mut hash = Hashing::new(io::sink());
        let mut look_at = LOOK_EVERY;
        let mut received = 0;
        let written = async {
            let mut file = tokio::fs::OpenOptions::new().write(true).open(&upload.path).await?;
            file.seek(io::SeekFrom::Start(upload.size)).await?;
            let mut gone = None;
            while let Some(chunk) = body.next().await {
                let chunk = match chunk {
                    Ok(chunk) => chunk,
                    Err(error) => {
                        gone = Some(error.to_string());
                        break;
                    }
                };
                io::Write::write_all(&mut hash, &chunk)?;
                file.write_all(&chunk).await?;
                received += chunk.len() as u64;
                if received >= look_at {
                    look_at += LOOK_EVERY;
                    if self.disk.room_for(0).is_err() {
                        // Until the last write is over the file is open, and its room is not free.
                        file.flush().await?;
                        return Err(io::ErrorKind::StorageFull.into());
                    }
                }
            }
            file.flush().await?;
            Ok::<_, io::Error>(gone)
        };
        match written.await {
            Ok(None) => {
                upload.size += received;
                Ok(from_start.then(|| hash.finish().0))
            }
            Ok(Some(gone)) => {
                upload.size += received;
                Err(Broken::Sender(gone))
            }
            Err(error) => {
                upload.discard();
                let problem = self.disk.problem(&error, received, || "write the upload");
                Err(if super::disk::is_full(&error) { Broken::Full(problem) } else { Broken::Failed(problem) })
            }
        }
    }

    /// Gives a whole upload its name. `known` is its digest, where it was told while it came in.
    /// `Ok(Err(found))`: it is not what it was said to be, and is thrown away.
    pub fn finish(
        &self,
        upload: &Upload,
        digest: &Digest,
        known: Option<Digest>,
    ) -> Result<std::result::Result<(), Digest>> {
        let found = match known {
            Some(known) => known,
            None => Self::digest_of(&upload.path)?,
        };
        if found != *digest {
            upload.discard();
            return Ok(Err(found));
        }
        let kept = self.keep(&upload.path, digest);
        if kept.is_err() {
            upload.discard();
        }
        kept.map(Ok)
    }

    /// Keeps bytes that are at hand.
    pub fn put(&self, app: &AppName, bytes: &[u8]) -> Result<Digest> {
        let digest = Digest::of(bytes);
        self.touch(&digest);
        if self.size(&digest).is_some() {
            return Ok(digest);
        }
        let upload = self.begin(app)?;
        fs::write(&upload.path, bytes)
            .map_err(|error| self.disk.problem(&error, bytes.len() as u64, || "write the manifest"))?;
        self.keep(&upload.path, &digest)?;
        Ok(digest)
    }

    fn digest_of(path: &Path) -> Result<Digest> {
        let file = File::open(path).doing(|| format!("open `{}`", path.display()))?;
        let mut hashing = Hashing::new(file);
        io::copy(&mut hashing, &mut io::sink()).doing(|| format!("read `{}`", path.display()))?;
        Ok(hashing.finish().0)
    }

    fn keep(&self, from: &Path, digest: &Digest) -> Result<()> {
        let to = self.path(digest);
        let folder = to.parent().unwrap_or(&self.root);
        let keep = || -> io::Result<()> {
            File::open(from)?.sync_all()?;
            if !folder.is_dir() {
                fs::create_dir_all(folder)?;
                File::open(&self.root)?.sync_all()?;
            }
            fs::rename(from, &to)?;
            File::open(folder)?.sync_all()
        };
        keep().map_err(|error| self.disk.problem(&error, 0, || format!("keep the blob `{}`", to.display())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunks(parts: &[&'static str]) -> impl Stream<Item = Result<Bytes, String>> + Unpin + use<> {
        let parts: Vec<_> = parts
            .iter()
            .map(|part| match *part {
                "!" => Err("gone".to_owned()),
                part => Ok(Bytes::from_static(part.as_bytes())),
            })
            .collect();
        futures_util::stream::iter(parts)
    }

    fn blobs(dir: &Path) -> Blobs {
        Blobs::open(dir, Disk::of(dir)).unwrap()
    }

    fn uploads(dir: &Path) -> usize {
        fs::read_dir(dir.join("uploads")).unwrap().count()
    }

    #[tokio::test]
    async fn an_upload_that_broke_off_goes_on() {
        let dir = tempfile::tempdir().unwrap();
        let app = AppName::parse("a").unwrap();
        let blobs = blobs(dir.path());
        let mut upload = blobs.begin(&app).unwrap();
        upload.keep();
        assert!(matches!(blobs.append(&mut upload, chunks(&["one", "two", "!"])).await, Err(Broken::Sender(_))));
        let id = upload.id.clone();
        assert_eq!(blobs.upload(&app, &id).unwrap_err(), Absent::Busy);
        drop(upload);
        assert_eq!(blobs.upload(&AppName::parse("b").unwrap(), &id).unwrap_err(), Absent::Unknown);
        assert_eq!(blobs.upload(&app, "../../../../etc/passwd").unwrap_err(), Absent::Unknown);
        let mut upload = blobs.upload(&app, &id).unwrap();
        assert_eq!(upload.size, 6);
        let known = blobs.append(&mut upload, chunks(&["three"])).await.unwrap();
        assert_eq!(known, None);
        let digest = Digest::of(b"onetwothree");
        blobs.finish(&upload, &digest, known).unwrap().unwrap();
        assert_eq!(blobs.read(&digest).unwrap(), b"onetwothree");
        assert_eq!(uploads(dir.path()), 0);
    }

    #[tokio::test]
    async fn what_is_not_what_it_says_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let blobs = blobs(dir.path());
        let mut upload = blobs.begin(&AppName::parse("a").unwrap()).unwrap();
        let known = blobs.append(&mut upload, chunks(&["x"])).await.unwrap();
        assert_eq!(known, Some(Digest::of(b"x")));
        let wrong = Digest::of(b"y");
        assert_eq!(blobs.finish(&upload, &wrong, known).unwrap(), Err(Digest::of(b"x")));
        assert_eq!((blobs.size(&wrong), uploads(dir.path())), (None, 0));
    }
}
