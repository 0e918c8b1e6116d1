//! Time as memcached counts it: whole seconds since a little before the start, in 32 bits.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// The clock does not begin at 0, which means never.
const HEAD_START: u32 = 62;
/// A longer time to live is an absolute time.
const MONTH: i64 = 60 * 60 * 24 * 30;

#[derive(Debug, Clone)]
pub struct Clock {
    began: Instant,
    /// Unix time of the clock's 0.
    zero: u64,
}

impl Clock {
    pub fn start() -> Self {
        let unix = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        Self { began: Instant::now(), zero: unix.saturating_sub(HEAD_START.into()) }
    }

    pub fn now(&self) -> u32 {
        u32::try_from(self.began.elapsed().as_secs()).unwrap_or(u32::MAX).saturating_add(HEAD_START)
    }

    /// Unix time.
    pub(super) fn unix(&self, time: u32) -> u64 {
        self.zero + u64::from(time)
    }

    /// Seconds since the start.
    pub(super) fn uptime(now: u32) -> u32 {
        now.saturating_sub(HEAD_START)
    }

    /// When an item with this time to live is gone; 0 is never.
    pub(super) fn expiry(&self, ttl: i64, now: u32) -> u32 {
        match ttl {
            0 => 0,
            // Long past.
            ..0 => 1,
            1..=MONTH => now.saturating_add(u32::try_from(ttl).unwrap_or(u32::MAX)),
            _ => u32::try_from(ttl.unsigned_abs().saturating_sub(self.zero)).unwrap_or(u32::MAX).max(1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_to_live_is_relative_for_a_month() {
        let clock = Clock { began: Instant::now(), zero: 1_700_000_000 };
        for (ttl, expiry) in [
            (0, 0),
            (-1, 1),
            (1, 101),
            (MONTH, 100 + 2_592_000),
            (MONTH + 1, 1),
            (1_700_000_000, 1),
            (1_700_000_500, 500),
            (i32::MAX.into(), 447_483_647),
        ] {
            assert_eq!(clock.expiry(ttl, 100), expiry, "{ttl}");
        }
    }
}
