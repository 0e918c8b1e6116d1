//! One record as it lies in a data file: a header, the key, the value, and a checksum over all of it and over where it lies,
//! so that a value which happens to hold a record is not taken for one.

use super::hash::value_hash;

/// checksum 4, magic 2, key length 1, zero 1, back 4, value length 4, flag 4, version 4, time 4; all little endian.
pub const HEADER: usize = 28;
const MAGIC: [u8; 2] = [0xbd, 0x01];

/// A key at one version, with what it was set to; nothing for a deletion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record<'a> {
    pub key: &'a [u8],
    pub value: &'a [u8],
    pub flag: u32,
    pub version: i32,
    /// Seconds since 1970.
    pub time: u32,
    /// How many bytes before it the first record of the same write begins. All before that one was on disk by then.
    pub back: u32,
}

/// Where a record lies: the number of the data file, and the offset in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    pub file: u32,
    pub offset: u32,
}

impl Place {
    fn checksum(self, bytes: &[u8]) -> u32 {
        let mut hasher = crc32fast::Hasher::new();
        hasher.update(&self.file.to_le_bytes());
        hasher.update(&self.offset.to_le_bytes());
        hasher.update(bytes);
        hasher.finalize()
    }
}

impl<'a> Record<'a> {
    /// Appends it to `out`, which will lie so that the record is at `place`; returns how long it is.
    pub fn write(&self, place: Place, out: &mut Vec<u8>) -> usize {
        let start = out.len();
        out.reserve(HEADER + self.key.len() + self.value.len());
        out.extend_from_slice(&[0; 4]);
        out.extend_from_slice(&MAGIC);
        out.push(u8::try_from(self.key.len()).unwrap_or(u8::MAX));
        out.push(0);
        out.extend_from_slice(&self.back.to_le_bytes());
        out.extend_from_slice(&u32::try_from(self.value.len()).unwrap_or(u32::MAX).to_le_bytes());
        out.extend_from_slice(&self.flag.to_le_bytes());
        out.extend_from_slice(&self.version.to_le_bytes());
        out.extend_from_slice(&self.time.to_le_bytes());
        out.extend_from_slice(self.key);
        out.extend_from_slice(self.value);
        let checksum = place.checksum(&out[start + 4..]);
        out[start..start + 4].copy_from_slice(&checksum.to_le_bytes());
        out.len() - start
    }

    /// The record that `bytes`, read at `place`, begins with, and its length. `None` where there is none, or a damaged one.
    pub fn read(place: Place, bytes: &'a [u8]) -> Option<(Self, usize)> {
        let length = length(bytes)?;
        let whole = bytes.get(..length)?;
        (place.checksum(&whole[4..]) == number(whole, 0)).then(|| (Self::known(whole), length))
    }

    /// The record that `whole` is: it has been read before.
    pub fn known(whole: &'a [u8]) -> Self {
        let key = HEADER + usize::from(whole[6]);
        Self {
            key: &whole[HEADER..key],
            value: &whole[key..],
            back: number(whole, 8),
            flag: number(whole, 16),
            version: number(whole, 20).cast_signed(),
            time: number(whole, 24),
        }
    }

    /// 0 for a deletion, as the C server has it.
    pub fn value_hash(&self) -> u16 {
        if self.version > 0 { value_hash(self.value) } else { 0 }
    }
}

/// How long the record is whose header `bytes` begins with.
pub fn length(bytes: &[u8]) -> Option<usize> {
    let header = bytes.get(..HEADER)?;
    let marked = header[4..6] == MAGIC && header[6] > 0 && header[7] == 0;
    marked.then(|| HEADER + usize::from(header[6]) + number(header, 12) as usize)
}

/// The caller has seen that there are four bytes.
fn number(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..at + 4).and_then(|four| four.try_into().ok()).map_or(0, u32::from_le_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: Place = Place { file: 3, offset: 4096 };

    #[test]
    fn what_is_written_is_read() {
        let record =
            Record { key: b"key", value: b"some value", flag: 516, version: -7, time: 1_795_329_553, back: 99 };
        let mut bytes = Vec::new();
        let length = record.write(HERE, &mut bytes);
        bytes.extend_from_slice(b"what follows");
        assert_eq!(Record::read(HERE, &bytes), Some((record, length)));
        assert_eq!(super::length(&bytes), Some(length));
        assert_eq!(Record::read(Place { file: 3, offset: 4097 }, &bytes), None);
    }

    #[test]
    fn no_flipped_bit_passes() {
        let mut bytes = Vec::new();
        let length = Record { key: b"k", value: b"v", flag: 0, version: 1, time: 2, back: 0 }.write(HERE, &mut bytes);
        for bit in 0..length * 8 {
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Record::read(HERE, &bytes), None, "bit {bit}");
            bytes[bit / 8] ^= 1 << (bit % 8);
        }
        for short in 0..length {
            assert_eq!(Record::read(HERE, &bytes[..short]), None);
        }
    }
}
