//! A layer as bytes: tar+zstd with every header normalised, made once and kept by what it is made of.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use tar::{EntryType, Header};

use super::cut::Plan;
use super::item::{Content, Item, write_aside};
use super::{Digest, Hashing};
use crate::problem::{Doing as _, Problem, Result};

/// Bytes named by their digest, in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blob {
    pub digest: Digest,
    pub size: u64,
    pub path: PathBuf,
}

/// A layer that was built, now or earlier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Built {
    pub blob: Blob,
    /// Of the tar inside.
    pub diff_id: Digest,
    pub new: bool,
}

/// Layers kept from run to run, shared by all of a user's apps. Lost, they are made again.
#[derive(Debug, Clone)]
pub struct Store {
    pub folder: PathBuf,
}

/// Changes when the same files would become other bytes.
const FORMAT: &str = "dae layer 1";
/// The fastest level whose result is smaller than gzip's best.
const LEVEL: i32 = 3;
/// A layer nobody asked for in this time is thrown away.
const KEPT: Duration = Duration::from_hours(24 * 30);

impl Store {
    /// The layer of these files; two builds of the same files at the same time are harmless.
    pub fn build(&self, plan: &Plan) -> Result<Built> {
        let recipe = self.recipe(&recipe(plan));
        if let Some(built) = self.known(&recipe) {
            return Ok(built);
        }
        self.make(plan, &recipe)
    }

    /// The layer that was made of what has the digest `of`; only when there is none yet, of what `make` makes.
    pub fn once(&self, of: &Digest, make: impl FnOnce() -> Result<Plan>) -> Result<Built> {
        let recipe = self.recipe(of);
        match self.known(&recipe) {
            Some(built) => Ok(built),
            None => self.make(&make()?, &recipe),
        }
    }

    fn recipe(&self, of: &Digest) -> PathBuf {
        self.folder.join(format!("{}.recipe", of.hex()))
    }

    fn make(&self, plan: &Plan, recipe: &Path) -> Result<Built> {
        let doing = || format!("write a layer in `{}`", self.folder.display());
        fs::create_dir_all(&self.folder).doing(|| format!("make the folder `{}`", self.folder.display()))?;
        let aside = tempfile::NamedTempFile::new_in(&self.folder).doing(doing)?;
        let compressed = Hashing::new(io::BufWriter::new(aside));
        let encoder = zstd::Encoder::new(compressed, LEVEL).doing(doing)?;
        let mut tar = tar::Builder::new(Hashing::new(encoder));
        for item in &plan.items {
            append(&mut tar, item)?;
        }
        let (diff_id, _, encoder) = tar.into_inner().doing(doing)?.finish();
        let (digest, size, buffer) = encoder.finish().doing(doing)?.finish();
        let aside = buffer.into_inner().map_err(io::IntoInnerError::into_error).doing(doing)?;
        let path = self.blob_path(&digest);
        aside.persist(&path).map_err(|error| error.error).doing(doing)?;
        write_aside(recipe, format!("{digest} {size} {diff_id}\n").as_bytes())?;
        Ok(Built { blob: Blob { digest, size, path }, diff_id, new: true })
    }

    /// Small bytes made here, as a blob.
    pub fn keep(&self, bytes: &[u8]) -> Result<Blob> {
        let digest = Digest::of(bytes);
        let path = self.blob_path(&digest);
        write_aside(&path, bytes)?;
        Ok(Blob { digest, size: bytes.len() as u64, path })
    }

    fn blob_path(&self, digest: &Digest) -> PathBuf {
        self.folder.join(format!("{}.blob", digest.hex()))
    }

    fn known(&self, recipe: &Path) -> Option<Built> {
        let text = fs::read_to_string(recipe).ok()?;
        let [digest, size, diff_id] = text.split_whitespace().collect::<Vec<_>>().try_into().ok()?;
        let digest = Digest::parse(digest).ok()?;
        let size = size.parse().ok()?;
        let path = self.blob_path(&digest);
        if fs::metadata(&path).ok()?.len() != size {
            return None;
        }
        // What is asked for is kept; a cache that cannot be written to still answers.
        for used in [recipe, path.as_path()] {
            let _ = File::options().append(true).open(used).and_then(|file| file.set_modified(SystemTime::now()));
        }
        Some(Built { blob: Blob { digest, size, path }, diff_id: Digest::parse(diff_id).ok()?, new: false })
    }

    /// Throws away what nobody asked for in a month.
    pub fn tidy(&self) {
        let Ok(entries) = fs::read_dir(&self.folder) else { return };
        for entry in entries.flatten() {
            let old = entry.metadata().and_then(|meta| meta.modified()).ok().and_then(|time| time.elapsed().ok());
            if old.is_some_and(|age| age > KEPT) {
                let _ = fs::remove_file(entry.path());
            }
        }
    }
}

/// The digest of all that decides a layer's bytes.
fn recipe(plan: &Plan) -> Digest {
    let mut hash = Hashing::new(io::sink());
    let mut line = |words: &[&[u8]]| {
        for word in words {
            let _ = hash.write_all(word).and_then(|()| hash.write_all(&[0]));
        }
    };
    line(&[FORMAT.as_bytes()]);
    for item in &plan.items {
        let mode: &[u8] = if item.executable { b"x" } else { b"-" };
        match &item.content {
            Content::File { digest, .. } => line(&[item.path.as_bytes(), mode, digest.as_str().as_bytes()]),
            Content::Bytes(bytes) => line(&[item.path.as_bytes(), mode, Digest::of(bytes).as_str().as_bytes()]),
            Content::Link(to) => line(&[item.path.as_bytes(), b"link", to.as_bytes()]),
        }
    }
    hash.finish().0
}

fn append(tar: &mut tar::Builder<impl Write>, item: &Item) -> Result<()> {
    let mut header = Header::new_gnu();
    header.set_mode(if item.executable { 0o755 } else { 0o644 });
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_size(item.size());
    header.set_entry_type(EntryType::Regular);
    let doing = || format!("pack `{}`", item.path);
    match &item.content {
        Content::Bytes(bytes) => tar.append_data(&mut header, &item.path, bytes.as_slice()).doing(doing),
        Content::Link(to) => {
            header.set_entry_type(EntryType::Symlink);
            header.set_mode(0o777);
            tar.append_link(&mut header, &item.path, to).doing(doing)
        }
        Content::File { from, size, digest } => {
            let file = File::open(from).doing(doing)?;
            let mut reader = Hashing::new(file.take(*size));
            tar.append_data(&mut header, &item.path, &mut reader).doing(doing)?;
            if reader.finish().0 == *digest {
                return Ok(());
            }
            Err(Problem::new("package.changed", format!("`{}` changed while it was packed", from.display()))
                .hint("do it again when nothing writes to it")
                .exit(3))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packaging::cut::{Holds, plan};

    fn bytes(path: &str, content: &str) -> Item {
        Item { path: path.into(), executable: false, content: Content::Bytes(content.into()) }
    }

    #[test]
    fn the_same_files_are_the_same_bytes_and_built_once() {
        let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let stores = [one, two].map(|dir| (Store { folder: dir.path().join("layers") }, dir));
        let long = format!("dae/app/{}.py", "x".repeat(150));
        let link = Item { path: "dae/app/l".into(), executable: false, content: Content::Link("b".into()) };
        let items = vec![bytes("dae/app/b", "b"), link, bytes(&long, "a")];
        let reversed = items.iter().rev().cloned().collect();
        let first = stores[0].0.build(&plan(Holds::App, items.clone())).unwrap();
        let second = stores[1].0.build(&plan(Holds::App, reversed)).unwrap();
        assert_eq!((&first.blob.digest, &first.diff_id), (&second.blob.digest, &second.diff_id));
        let again = stores[0].0.build(&plan(Holds::App, items.clone())).unwrap();
        assert!(first.new && !again.new);
        assert_eq!(again.blob, first.blob);

        let packed = fs::read(&first.blob.path).unwrap();
        assert_eq!(Digest::of(&packed), first.blob.digest);
        assert_eq!(Digest::of(&zstd::decode_all(packed.as_slice()).unwrap()), first.diff_id);
        let into = tempfile::tempdir().unwrap();
        crate::packaging::unpack(packed.as_slice(), &first.blob.digest, into.path(), super::super::Limits::default())
            .unwrap();
        assert_eq!(fs::read_to_string(into.path().join("dae/app/l")).unwrap(), "b");
        assert_eq!(fs::read_to_string(into.path().join(long)).unwrap(), "a");

        // A blob that was cut short is made again.
        fs::write(&first.blob.path, "short").unwrap();
        assert!(stores[0].0.build(&plan(Holds::App, items)).unwrap().new);
    }

    #[test]
    fn every_part_of_a_file_counts() {
        let base = bytes("a", "1");
        let other = [
            bytes("b", "1"),
            bytes("a", "2"),
            Item { executable: true, ..base.clone() },
            Item { content: Content::Link("1".into()), ..base.clone() },
        ];
        for item in other {
            assert_ne!(recipe(&plan(Holds::App, vec![item])), recipe(&plan(Holds::App, vec![base.clone()])));
        }
    }

    #[test]
    fn a_file_that_changes_meanwhile_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let from = dir.path().join("x");
        fs::write(&from, "new!").unwrap();
        let content = Content::File { from, size: 3, digest: Digest::of(b"old") };
        let item = Item { path: "dae/app/x".into(), executable: false, content };
        let problem = Store { folder: dir.path().join("layers") }.build(&plan(Holds::App, vec![item])).unwrap_err();
        assert_eq!(problem.code, "package.changed");
    }
}
