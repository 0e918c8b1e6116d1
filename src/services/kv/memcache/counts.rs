//! What a memcached counts; `stats` tells it.

/// Since the start, or since `stats reset`.
#[derive(Debug, Default, Clone)]
pub(super) struct Counts {
    pub cmd_get: u64,
    pub cmd_set: u64,
    pub cmd_flush: u64,
    pub cmd_touch: u64,
    pub cmd_meta: u64,
    pub get_hits: u64,
    pub get_misses: u64,
    pub get_expired: u64,
    pub get_flushed: u64,
    pub delete_misses: u64,
    pub delete_hits: u64,
    pub incr_misses: u64,
    pub incr_hits: u64,
    pub decr_misses: u64,
    pub decr_hits: u64,
    pub cas_misses: u64,
    pub cas_hits: u64,
    pub cas_badval: u64,
    pub touch_hits: u64,
    pub touch_misses: u64,
    pub store_too_large: u64,
    pub bytes_read: u64,
    pub bytes_written: u64,
    pub total_items: u64,
    pub total_connections: u64,
    pub rejected_connections: u64,
    pub evicted_unfetched: u64,
    pub evictions: u64,
    pub reclaimed: u64,
    /// Not reset: how many are open.
    pub connections: u64,
}

impl Counts {
    pub(super) fn reset(&mut self) {
        *self = Self { connections: self.connections, ..Self::default() };
    }
}
