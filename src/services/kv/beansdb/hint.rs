//! What the beginning of a data file holds, without the values. Written whole, read whole or not at all.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::Path;

use super::tree::Slot;

const MARK: &[u8; 8] = b"daehint1";

#[derive(Debug)]
pub struct Hint {
    /// key length 1, value hash 2, version 4, offset 4, size 4, key; all little endian.
    entries: Vec<u8>,
    /// How many bytes of the data file it tells of.
    covers: u32,
    number: u32,
}

impl Hint {
    pub fn new(covers: u32) -> Self {
        Self { entries: Vec::new(), covers, number: 0 }
    }

    pub fn covers(&self) -> u32 {
        self.covers
    }

    pub fn covered(&mut self, covers: u32) {
        self.covers = covers;
    }

    pub fn add(&mut self, key: &[u8], slot: Slot) {
        self.entries.push(u8::try_from(key.len()).unwrap_or(u8::MAX));
        self.entries.extend_from_slice(&slot.value_hash.to_le_bytes());
        for number in [slot.version.cast_unsigned(), slot.offset, slot.size] {
            self.entries.extend_from_slice(&number.to_le_bytes());
        }
        self.entries.extend_from_slice(key);
    }

    pub fn each(&self, seen: &mut dyn FnMut(&[u8], Slot)) {
        let mut rest = &self.entries[..];
        while let Some((head, after)) = rest.split_first_chunk::<15>() {
            let number = |at: usize| u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
            let Some((key, after)) = after.split_at_checked(head[0].into()) else { break };
            let slot = Slot {
                value_hash: u16::from_le_bytes([head[1], head[2]]),
                version: number(3).cast_signed(),
                offset: number(7),
                size: number(11),
                file: self.number,
            };
            seen(key, slot);
            rest = after;
        }
    }

    pub fn save(&self, path: &Path) -> io::Result<()> {
        let mut checksum = crc32fast::Hasher::new();
        checksum.update(&self.covers.to_le_bytes());
        checksum.update(&self.entries);
        let aside = path.with_extension("hint-new");
        let mut file = File::create(&aside)?;
        file.write_all(MARK)?;
        file.write_all(&checksum.finalize().to_le_bytes())?;
        file.write_all(&self.covers.to_le_bytes())?;
        file.write_all(&self.entries)?;
        file.sync_all()?;
        std::fs::rename(&aside, path)
    }

    /// The hint of data file `number`; none where it is missing or damaged: the data file itself tells the same.
    pub fn load(path: &Path, number: u32) -> Option<Self> {
        let bytes = std::fs::read(path).ok()?;
        let rest = bytes.strip_prefix(MARK)?;
        let (checksum, rest) = rest.split_first_chunk()?;
        if crc32fast::hash(rest) != u32::from_le_bytes(*checksum) {
            return None;
        }
        let (covers, entries) = rest.split_first_chunk()?;
        Some(Self { entries: entries.to_vec(), covers: u32::from_le_bytes(*covers), number })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_read_whole_or_not_at_all() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("000007.hint");
        let slot = |version| Slot { version, value_hash: 40_000, file: 7, offset: 1 << 31, size: 99 };
        let mut hint = Hint::new(8);
        hint.add(b"one", slot(1));
        hint.add(&[b'k'; 250], slot(-2));
        hint.covered(4096);
        hint.save(&path).unwrap();
        let loaded = Hint::load(&path, 7).unwrap();
        let mut seen = Vec::new();
        loaded.each(&mut |key, slot| seen.push((key.to_vec(), slot)));
        assert_eq!(seen, [(b"one".to_vec(), slot(1)), (vec![b'k'; 250], slot(-2))]);
        assert_eq!(loaded.covers(), 4096);

        let mut bytes = std::fs::read(&path).unwrap();
        for at in 0..bytes.len() {
            bytes[at] ^= 4;
            std::fs::write(&path, &bytes).unwrap();
            assert!(Hint::load(&path, 7).is_none(), "byte {at}");
            bytes[at] ^= 4;
        }
        std::fs::write(&path, &bytes[..bytes.len() - 1]).unwrap();
        assert!(Hint::load(&path, 7).is_none());
    }
}
