//! Unpacking: whatever layers come, one into the other's folder, nothing is written outside it, no link leads out, and it never
//! becomes more than it may.
#![no_main]

use std::fs;
use std::io::Write as _;
use std::path::Path;

use dae::packaging::{Digest, Limits, unpack};
use libfuzzer_sys::fuzz_target;
use tar::{EntryType, Header};

const FEW: Limits = Limits { bytes: 2_000, entries: 20 };
const KINDS: [u8; 16] = *b"0005522LKx1367gS";

/// A kind, a path, a link and what is in it.
type Entry<'a> = (u8, &'a [u8], &'a [u8], &'a [u8]);

fn archive(entries: &[Entry<'_>]) -> Vec<u8> {
    let mut tar = Vec::new();
    for (kind, path, link, content) in entries {
        let mut header = Header::new_gnu();
        header.set_entry_type(EntryType::new(KINDS[usize::from(*kind) % KINDS.len()]));
        let fields = header.as_old_mut();
        let (path, link) = (&path[..path.len().min(100)], &link[..link.len().min(100)]);
        fields.name[..path.len()].copy_from_slice(path);
        fields.linkname[..link.len()].copy_from_slice(link);
        header.set_size(content.len() as u64);
        header.set_mode(0o644 | u32::from(*kind & 0x80));
        header.set_cksum();
        tar.extend_from_slice(header.as_bytes());
        tar.extend_from_slice(content);
        tar.resize(tar.len().next_multiple_of(512), 0);
    }
    tar
}

fn layer(tar: &[u8]) -> Vec<u8> {
    let mut encoder = zstd::Encoder::new(Vec::new(), 1).unwrap();
    encoder.write_all(tar).unwrap();
    encoder.finish().unwrap()
}

/// The bytes below `folder`, of which nothing leads out of `root`.
fn size(folder: &Path, root: &Path) -> u64 {
    let mut bytes = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let meta = path.symlink_metadata().unwrap();
        bytes += if meta.is_dir() {
            size(&path, root)
        } else if meta.is_symlink() {
            let leads_out = path.canonicalize().is_ok_and(|end| !end.starts_with(root));
            assert!(!leads_out, "{} leads to {}", path.display(), fs::read_link(&path).unwrap().display());
            0
        } else {
            assert!(meta.is_file(), "{} is neither a file nor a folder nor a link", path.display());
            meta.len()
        };
    }
    bytes
}

fuzz_target!(|input: (Vec<Vec<Entry<'_>>>, &[u8])| {
    let (archives, raw) = input;
    let outer = tempfile::tempdir().unwrap();
    let root = outer.path().canonicalize().unwrap().join("in");
    fs::create_dir(&root).unwrap();
    fs::write(outer.path().join("key"), "secret").unwrap();
    let tars = archives.iter().take(4).map(|entries| archive(entries)).chain([raw.to_vec()]);
    let mut allowed = 0;
    for tar in tars {
        let layer = layer(&tar);
        allowed += FEW.bytes + 1;
        match unpack(layer.as_slice(), &Digest::of(&layer), &root, FEW) {
            Ok(done) => assert!(done.bytes <= FEW.bytes && done.entries <= FEW.entries),
            // All of it is thrown away then.
            Err(_) => break,
        }
    }
    assert!(unpack(raw, &Digest::of(b"another"), &root, FEW).is_err());
    assert!(size(&root, &root) <= allowed + FEW.bytes + 1);
    assert_eq!(fs::read_dir(outer.path()).unwrap().count(), 2, "something was written outside");
    assert_eq!(fs::read(outer.path().join("key")).unwrap(), b"secret");
});
