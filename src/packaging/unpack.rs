//! Unpacks a layer somebody else made: nothing is written outside the folder, however the archive lies.
//!
//! Layers of one image may be unpacked into one folder at the same time. What makes that safe: every parent of an entry is a
//! real folder when the entry is written, a folder is never replaced, and a link may climb only at its beginning
//! (`../../a/b`, never `a/../..`), from a place that is real. So no chain of links leads out.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Component, Path, PathBuf};

use tar::EntryType;

use super::{Digest, Hashing};
use crate::problem::{Doing as _, Problem, Result};

/// How much a layer may become.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Content of all files together.
    pub bytes: u64,
    pub entries: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { bytes: 4 << 30, entries: 200_000 }
    }
}

/// What came out of a layer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Unpacked {
    pub bytes: u64,
    pub entries: u64,
}

/// The longest path or link, and all that may stand in an extended header.
const LONGEST: u64 = 64 << 10;

/// Unpacks a tar+zstd layer into the folder `into`, which must be there.
///
/// The digest of the whole can be told only at the end: on any problem, throw away what is in `into`.
pub fn unpack(layer: impl Read, digest: &Digest, into: &Path, limits: Limits) -> Result<Unpacked> {
    let bad = |error: io::Error| refuse(digest, "cannot be read").because(error);
    let decoder = zstd::Decoder::new(Hashing::new(layer)).map_err(bad)?;
    // Headers and padding: no archive needs more than these around its content.
    let ceiling = limits.bytes.saturating_add(limits.entries.saturating_mul(2 * LONGEST));
    let mut archive = tar::Archive::new(decoder.take(ceiling));
    let mut layer = Layer { digest, into, limits, done: Unpacked::default(), folders: HashSet::new() };
    let mut long = Long::default();
    for entry in archive.entries().map_err(bad)?.raw(true) {
        let mut entry = entry.map_err(bad)?;
        match entry.header().entry_type() {
            EntryType::GNULongName => long.path = Some(extension(&mut entry).map_err(bad)?),
            EntryType::GNULongLink => long.link = Some(extension(&mut entry).map_err(bad)?),
            EntryType::XHeader => long.read_pax(&extension(&mut entry).map_err(bad)?).map_err(bad)?,
            EntryType::XGlobalHeader => {}
            _ => {
                let Long { path, link } = std::mem::take(&mut long);
                let path = path.unwrap_or_else(|| entry.path_bytes().into_owned());
                let link = link.or_else(|| entry.link_name_bytes().map(std::borrow::Cow::into_owned));
                layer.write(&mut entry, &path, link.as_deref())?;
            }
        }
    }
    let mut decoder = archive.into_inner().into_inner();
    io::copy(&mut (&mut decoder).take(LONGEST), &mut io::sink()).map_err(bad)?;
    let mut rest = decoder.finish();
    io::copy(&mut rest, &mut io::sink()).map_err(bad)?;
    let (found, ..) = rest.into_inner().finish();
    if found != *digest {
        return Err(refuse(digest, "is not what its digest says").because(format!("the bytes have the digest {found}")));
    }
    Ok(layer.done)
}

/// What an extension says of the entry after it.
#[derive(Default)]
struct Long {
    path: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
}

impl Long {
    fn read_pax(&mut self, records: &[u8]) -> io::Result<()> {
        for record in tar::PaxExtensions::new(records) {
            let record = record?;
            match record.key_bytes() {
                b"path" => self.path = Some(record.value_bytes().to_vec()),
                b"linkpath" => self.link = Some(record.value_bytes().to_vec()),
                // A second size, in disagreement with the header's, is how archives are read in two ways.
                b"size" => return Err(io::Error::other("an extended header gives a size")),
                _ => {}
            }
        }
        Ok(())
    }
}

fn extension(entry: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    entry.take(LONGEST + 1).read_to_end(&mut text)?;
    if text.len() as u64 > LONGEST {
        return Err(io::Error::other("an extended header is too long"));
    }
    if text.last() == Some(&0) {
        text.pop();
    }
    Ok(text)
}

struct Layer<'a> {
    digest: &'a Digest,
    into: &'a Path,
    limits: Limits,
    done: Unpacked,
    /// Known to be real folders.
    folders: HashSet<PathBuf>,
}

impl Layer<'_> {
    fn write<R: Read>(&mut self, entry: &mut tar::Entry<'_, R>, path: &[u8], link: Option<&[u8]>) -> Result<()> {
        let shown = String::from_utf8_lossy(path).into_owned();
        self.done.entries += 1;
        if self.done.entries > self.limits.entries {
            return Err(refuse(self.digest, &format!("has more than {} entries", self.limits.entries)));
        }
        let Some(path) = inside(path) else {
            return Err(refuse(self.digest, &format!("holds `{shown}`, which leads out of the image")));
        };
        let Some(parent) = path.parent() else { return Ok(()) };
        let target = self.into.join(&path);
        match entry.header().entry_type() {
            EntryType::Directory => self.folder(&path),
            EntryType::Regular | EntryType::Continuous => {
                self.folder(parent)?;
                let mode = entry.header().mode().unwrap_or(0o644);
                self.file(entry, &target, if mode & 0o111 == 0 { 0o644 } else { 0o755 })
            }
            EntryType::Symlink => {
                let link = Path::new(OsStr::from_bytes(link.unwrap_or_default()));
                if !stays_inside(parent, link) {
                    let what = format!("holds a link `{shown}` to `{}`, out of the image", link.display());
                    return Err(refuse(self.digest, &what));
                }
                self.folder(parent)?;
                make_room(&target)?;
                std::os::unix::fs::symlink(link, &target).doing(|| format!("link `{}`", target.display()))
            }
            kind => Err(refuse(self.digest, &format!("holds `{shown}`, {}", named(kind)))),
        }
    }

    fn file(&mut self, content: &mut impl Read, target: &Path, mode: u32) -> Result<()> {
        make_room(target)?;
        let mut file: File = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(mode)
            .open(target)
            .doing(|| format!("make `{}`", target.display()))?;
        let left = self.limits.bytes - self.done.bytes;
        let copied = io::copy(&mut content.take(left.saturating_add(1)), &mut file)
            .doing(|| format!("write `{}`", target.display()))?;
        if copied > left {
            return Err(refuse(self.digest, &format!("unpacks to more than {} bytes", self.limits.bytes)));
        }
        self.done.bytes += copied;
        Ok(())
    }

    /// Makes `path` and all above it real folders below `into`.
    fn folder(&mut self, path: &Path) -> Result<()> {
        if path.as_os_str().is_empty() || self.folders.contains(path) {
            return Ok(());
        }
        if let Some(parent) = path.parent() {
            self.folder(parent)?;
        }
        let target = self.into.join(path);
        match fs::create_dir(&target) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                return Err(error).doing(|| format!("make the folder `{}`", target.display()));
            }
            _ => {}
        }
        if !fs::symlink_metadata(&target).doing(|| format!("look at `{}`", target.display()))?.is_dir() {
            let what = format!("holds files below `{}`, which is no folder", path.display());
            return Err(refuse(self.digest, &what));
        }
        self.folders.insert(path.to_owned());
        Ok(())
    }
}

/// Takes away the file or link at `target`; a folder is never taken away.
fn make_room(target: &Path) -> Result<()> {
    match fs::remove_file(target) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(error).doing(|| format!("replace `{}`", target.display()))
        }
        _ => Ok(()),
    }
}

/// The path, when it stays below where it begins. `./a/` is `a`.
fn inside(path: &[u8]) -> Option<PathBuf> {
    let mut clean = PathBuf::new();
    for component in Path::new(OsStr::from_bytes(path)).components() {
        match component {
            Component::Normal(name) => clean.push(name),
            Component::CurDir => {}
            _ => return None,
        }
    }
    Some(clean)
}

/// Whether a link in the folder `parent` climbs only at its beginning, and not above the root.
pub(super) fn stays_inside(parent: &Path, link: &Path) -> bool {
    let mut up = 0;
    let mut down = false;
    for component in link.components() {
        match component {
            Component::CurDir => {}
            Component::Normal(_) => down = true,
            Component::ParentDir if !down => up += 1,
            _ => return false,
        }
    }
    up <= parent.components().count() && !link.as_os_str().is_empty()
}

fn named(kind: EntryType) -> &'static str {
    match kind {
        EntryType::Link => "a hard link",
        EntryType::Char | EntryType::Block => "a device",
        EntryType::Fifo => "a pipe",
        _ => "of a kind no layer holds",
    }
}

fn refuse(digest: &Digest, what: &str) -> Problem {
    Problem::new("image.layer", format!("the layer {} {what}", digest.short()))
        .hint("nothing of it is used; package the app again with `dae package`")
}

#[cfg(test)]
mod tests {
    use super::*;

    const FEW: Limits = Limits { bytes: 1000, entries: 5 };

    type Entry = (tar::Header, Vec<u8>);

    fn entry(kind: EntryType, path: &[u8], link: &[u8], content: &[u8]) -> Entry {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(kind);
        header.as_old_mut().name[..path.len()].copy_from_slice(path);
        header.as_old_mut().linkname[..link.len()].copy_from_slice(link);
        header.set_size(content.len() as u64);
        header.set_mode(0o6777);
        header.set_cksum();
        (header, content.to_vec())
    }

    fn file(path: &str, content: &[u8]) -> Entry {
        entry(EntryType::Regular, path.as_bytes(), b"", content)
    }

    fn link(path: &str, to: &str) -> Entry {
        entry(EntryType::Symlink, path.as_bytes(), to.as_bytes(), b"")
    }

    fn layer(entries: &[Entry]) -> Vec<u8> {
        let mut builder = tar::Builder::new(zstd::Encoder::new(Vec::new(), 3).unwrap());
        for (header, content) in entries {
            builder.append(header, content.as_slice()).unwrap();
        }
        builder.into_inner().unwrap().finish().unwrap()
    }

    /// Unpacks into `box/in`, beside which nothing may appear.
    fn try_layers(layers: &[Vec<u8>]) -> std::result::Result<Vec<String>, String> {
        let outer = tempfile::tempdir().unwrap();
        let into = outer.path().join("in");
        fs::create_dir(&into).unwrap();
        let outcome = layers
            .iter()
            .try_for_each(|layer| unpack(layer.as_slice(), &Digest::of(layer), &into, FEW).map(drop))
            .map_err(|problem| problem.message);
        assert_eq!(fs::read_dir(outer.path()).unwrap().count(), 1, "something was written outside");
        outcome.map(|()| {
            let mut found: Vec<String> = ignore::WalkBuilder::new(&into)
                .standard_filters(false)
                .build()
                .map(|entry| entry.unwrap().into_path().strip_prefix(&into).unwrap().display().to_string())
                .filter(|path| !path.is_empty())
                .collect();
            found.sort();
            found
        })
    }

    #[test]
    fn what_is_good_comes_out_with_a_plain_mode() {
        use std::os::unix::fs::PermissionsExt as _;
        let long = format!("{}/x", "d".repeat(150));
        let mut builder = tar::Builder::new(zstd::Encoder::new(Vec::new(), 3).unwrap());
        let (mut header, content) = file("x", b"ok");
        builder.append_data(&mut header, &long, content.as_slice()).unwrap();
        builder.append_pax_extensions([("path", b"p/pax".as_slice())]).unwrap();
        let (header, content) = file("short", b"ok");
        builder.append(&header, content.as_slice()).unwrap();
        let (header, _) = link("p/up", "../p/pax");
        builder.append(&header, [].as_slice()).unwrap();
        let layer = builder.into_inner().unwrap().finish().unwrap();
        let into = tempfile::tempdir().unwrap();
        let done = unpack(layer.as_slice(), &Digest::of(&layer), into.path(), FEW).unwrap();
        assert_eq!(done, Unpacked { bytes: 4, entries: 3 });
        assert_eq!(fs::read(into.path().join("p/up")).unwrap(), b"ok");
        let mode = fs::metadata(into.path().join(long)).unwrap().permissions().mode();
        assert_eq!(mode & 0o7777 & !0o022, 0o755, "no set-id bits: {mode:o}");
    }

    #[test]
    fn a_later_layer_replaces_a_file_and_adds_to_a_folder() {
        let found =
            try_layers(&[layer(&[file("a/x", b"1"), link("a/y", "x")]), layer(&[file("a/y", b"2"), file("a/z", b"")])]);
        assert_eq!(found.unwrap(), ["a", "a/x", "a/y", "a/z"]);
    }

    #[test]
    fn what_is_bad_is_refused() {
        let kind = |kind| vec![entry(kind, b"x", b"y", b"")];
        let cases: Vec<(&str, Vec<Entry>)> = vec![
            ("which leads out of the image", vec![file("../x", b"")]),
            ("which leads out of the image", vec![file("a/../../x", b"")]),
            ("which leads out of the image", vec![file("/tmp/dae-absolute", b"")]),
            ("out of the image", vec![link("x", "../x")]),
            ("out of the image", vec![link("x", "/etc/passwd")]),
            ("out of the image", vec![link("a/x", "b/../../..")]),
            ("out of the image", vec![link("x", "")]),
            ("which is no folder", vec![link("a", "b"), file("a/x", b"")]),
            ("which is no folder", vec![file("a", b""), file("a/x", b"")]),
            ("a hard link", kind(EntryType::Link)),
            ("a device", kind(EntryType::Char)),
            ("a device", kind(EntryType::Block)),
            ("a pipe", kind(EntryType::Fifo)),
            ("no layer holds", kind(EntryType::GNUSparse)),
            ("more than 1000 bytes", vec![file("x", &[0; 600]), file("y", &[0; 600])]),
            ("more than 5 entries", (0..6).map(|n| file(&n.to_string(), b"")).collect()),
            ("cannot be read", vec![entry(EntryType::GNULongName, b"././@LongLink", b"", &vec![b'a'; 1 << 20])]),
            ("cannot be read", vec![entry(EntryType::XHeader, b"pax", b"", b"12 size=999\n"), file("x", b"")]),
        ];
        for (message, entries) in cases {
            let said = try_layers(&[layer(&entries)]).expect_err(message);
            assert!(said.contains(message), "{message:?} is not in {said:?}");
        }
    }

    #[test]
    fn links_of_one_layer_do_not_lead_another_out() {
        let said = try_layers(&[layer(&[link("a", ".")]), layer(&[file("a/x", b"")])]).unwrap_err();
        assert!(said.contains("no folder"), "{said}");
        assert!(try_layers(&[layer(&[file("a/x", b"")]), layer(&[link("a", "b")])]).is_err(), "a folder was replaced");
    }

    #[test]
    fn bytes_that_are_not_what_was_asked_for_are_refused() {
        let good = layer(&[file("x", b"1")]);
        let into = tempfile::tempdir().unwrap();
        let other = Digest::of(b"other");
        let said = unpack(good.as_slice(), &other, into.path(), FEW).unwrap_err();
        assert!(said.message.contains("not what its digest says"), "{said}");
        let mut longer = good.clone();
        longer.extend_from_slice(b"tail");
        assert!(unpack(longer.as_slice(), &Digest::of(&good), into.path(), FEW).is_err());
        assert!(unpack(&good[..good.len() - 3], &Digest::of(&good), into.path(), FEW).is_err());
        assert!(unpack(b"no archive".as_slice(), &Digest::of(b"no archive"), into.path(), FEW).is_err());
    }
}
