//! The sizes that memcached would give items, and the slab classes it would put them in. Nothing is kept in slabs here; clients
//! and tools ask for them, and the limit of an item's size counts them.

use std::sync::LazyLock;

/// What memcached keeps beside key and value: the header, and the version.
const HEADER: usize = 48 + 8;
/// A larger item is kept in several chunks.
pub(super) const CHUNK_LIMIT: usize = 512 << 10;

/// Chunk sizes of the classes from 1 on: from 96 by the factor 1.25, in steps of 8.
static CHUNKS: LazyLock<Vec<usize>> = LazyLock::new(|| {
    let mut sizes = Vec::new();
    let mut size = 96;
    while size * 5 < CHUNK_LIMIT * 4 && sizes.len() < 61 {
        sizes.push(size);
        size = (size * 5 / 4).next_multiple_of(8);
    }
    sizes.push(CHUNK_LIMIT);
    sizes
});

/// An item's whole size: key with its NUL, value with its line's end, flags where there are some.
pub(super) fn size(key: usize, value: usize, flags: u32) -> usize {
    let flags = if flags == 0 { 0 } else { size_of::<u32>() };
    HEADER + key + 1 + value + 2 + flags
}

/// The class of an item of this size, from 1.
pub(super) fn class(size: usize) -> u8 {
    let index = CHUNKS.partition_point(|chunk| *chunk < size).min(CHUNKS.len() - 1);
    u8::try_from(index + 1).unwrap_or(u8::MAX)
}

/// How large a chunk of a class is.
pub(super) fn chunk(class: u8) -> usize {
    CHUNKS.get(usize::from(class).saturating_sub(1)).copied().unwrap_or(CHUNK_LIMIT)
}

pub(super) fn is_chunked(size: usize) -> bool {
    size > CHUNK_LIMIT
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_are_those_of_memcached() {
        // `memcached -vv` prints them.
        assert_eq!(CHUNKS[..8], [96, 120, 152, 192, 240, 304, 384, 480]);
        assert_eq!(CHUNKS.len(), 39);
        for (bytes, found) in [(61, 1), (96, 1), (97, 2), (480, 8), (524_288, 39), (1 << 20, 39)] {
            assert_eq!(class(bytes), found, "{bytes}");
        }
        assert_eq!(size(1, 1, 0), 61);
        assert_eq!(chunk(2), 120);
    }
}
