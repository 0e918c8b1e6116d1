//! What a memcached can be told at its start; the defaults are memcached's own.

/// The longest key there can be, whatever the settings say: a key's length is kept in 16 bits.
const KEY_LIMIT: usize = 65_000;

#[derive(Debug, Clone)]
pub struct Settings {
    /// For items, in bytes; what was not used for the longest time makes room.
    pub memory: usize,
    /// The longest key, in bytes.
    pub key: usize,
    /// The largest item, in bytes: key, value and 56 bytes of memcached's own.
    pub item: usize,
    /// How many clients at once; others are told and let go.
    pub connections: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self { memory: 64 << 20, key: 250, item: 1 << 20, connections: 1024 }
    }
}

impl Settings {
    pub(super) fn key(&self) -> usize {
        self.key.min(KEY_LIMIT)
    }
}
