//! What memcached does with its items, whatever the protocol: expiry, flushing, compare and swap, arithmetic, eviction.

use super::clock::Clock;
use super::counts::Counts;
use super::items::{ACTIVE, FETCHED, Id, Item, Items, STALE, TOKEN_SENT};
use super::number;
use super::settings::Settings;
use super::slab;

/// An item's time of use is renewed when it is older than this.
const RENEW_USE: u32 = 60;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    Set,
    Add,
    Replace,
    Append,
    Prepend,
    Cas,
}

/// What is to be stored.
#[derive(Debug, Clone)]
pub(super) struct New<'a> {
    pub mode: Mode,
    pub key: &'a [u8],
    pub value: &'a [u8],
    pub flags: u32,
    /// Seconds of the clock, 0 for never.
    pub expires: u32,
    /// The version that is to be replaced; 0 is any.
    pub cas: u64,
    /// A version older than the stored one is accepted, and the item marked out of date.
    pub may_be_stale: bool,
    /// Of the item.
    pub marks: u8,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stored {
    /// With its version.
    Done(u64),
    Refused,
    Exists,
    NotFound,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Direction {
    Up,
    Down,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sum {
    Now(u64, Id),
    NotFound,
    NotANumber,
    Exists,
}

#[derive(Debug)]
pub struct Store {
    pub(super) items: Items,
    pub(super) settings: Settings,
    pub(super) clock: Clock,
    pub(super) counts: Counts,
    /// As of the last [`Self::tick`].
    pub(super) now: u32,
    last_cas: u64,
    /// Items of this time and before are gone when it has come; 0 is never.
    flushed_time: u32,
    /// Items with a lower version are gone once `flushed_time` has come; 0 is none.
    flushed_cas: u64,
    /// Where the search for expired items goes on.
    hand: usize,
}

impl Store {
    pub fn new(settings: Settings) -> Self {
        let clock = Clock::start();
        let now = clock.now();
        Self {
            items: Items::new(),
            settings,
            clock,
            counts: Counts::default(),
            now,
            last_cas: 0,
            flushed_time: 0,
            flushed_cas: 0,
            hand: 0,
        }
    }

    /// Looks at the clock, once for many commands.
    pub fn tick(&mut self) {
        self.now = self.clock.now();
    }

    pub(super) fn expiry(&self, ttl: i64) -> u32 {
        self.clock.expiry(ttl, self.now)
    }

    /// Seconds that are left; `None` is for ever.
    pub(super) fn left(&self, item: &Item) -> Option<u32> {
        (item.expires != 0).then(|| item.expires.wrapping_sub(self.now))
    }

    fn next_cas(&mut self) -> u64 {
        self.last_cas += 1;
        self.last_cas
    }

    fn is_expired(&self, item: &Item) -> bool {
        item.expires != 0 && item.expires <= self.now
    }

    fn is_flushed(&self, item: &Item) -> bool {
        self.flushed_time != 0
            && self.flushed_time <= self.now
            && (item.time <= self.flushed_time || item.cas < self.flushed_cas)
    }

    pub(super) fn is_gone(&self, item: &Item) -> bool {
        self.is_expired(item) || self.is_flushed(item)
    }

    /// An item that is still good.
    pub(super) fn find(&mut self, key: &[u8]) -> Option<Id> {
        let id = self.items.find(key)?;
        let item = self.items.get(id);
        if self.is_flushed(item) {
            self.counts.get_flushed += 1;
        } else if self.is_expired(item) {
            self.counts.get_expired += 1;
        } else {
            return Some(id);
        }
        self.drop_item(id);
        None
    }

    /// Notes that an item was fetched.
    pub(super) fn fetched(&mut self, id: Id) {
        let now = self.now;
        self.items.use_now(id);
        let item = self.items.get_mut(id);
        if !item.is(FETCHED) {
            item.marks |= FETCHED;
        } else if !item.is(ACTIVE) || item.time.saturating_add(RENEW_USE) < now {
            item.marks |= ACTIVE;
            item.time = now;
        }
    }

    pub(super) fn fits(&self, key: usize, value: usize, flags: u32) -> bool {
        slab::size(key, value, flags) <= self.settings.item
    }

    /// What was stored under a key that could not be stored again is out of date.
    pub(super) fn refuse(&mut self, key: &[u8]) {
        self.counts.store_too_large += 1;
        if let Some(id) = self.items.find(key) {
            self.drop_item(id);
        }
    }

    /// Stores what [`Self::fits`].
    pub(super) fn store(&mut self, new: &New) -> Stored {
        self.counts.cmd_set += 1;
        let Some(id) = self.find(new.key) else {
            return match new.mode {
                Mode::Set | Mode::Add => {
                    let id = self.items.insert(new.key, new.value);
                    Stored::Done(self.settle(id, new.flags, new.expires, new.marks))
                }
                Mode::Cas => {
                    self.counts.cas_misses += 1;
                    Stored::NotFound
                }
                Mode::Replace | Mode::Append | Mode::Prepend => Stored::Refused,
            };
        };
        let old = self.items.get(id);
        let (flags, expires, marks, length) = (old.flags, old.expires, old.marks, old.value().len());
        let matches = new.cas == old.cas;
        let stale = new.may_be_stale && new.cas != 0 && new.cas < old.cas;
        match new.mode {
            Mode::Add => {
                self.items.use_now(id);
                Stored::Refused
            }
            Mode::Cas if new.cas != 0 && (matches || stale) => {
                self.counts.cas_hits += 1;
                self.items.set_value(id, new.value, b"");
                let (expires, marks) = if matches {
                    (new.expires, new.marks)
                } else {
                    (expires, new.marks | STALE | (marks & TOKEN_SENT))
                };
                Stored::Done(self.settle(id, new.flags, expires, marks))
            }
            Mode::Cas => {
                self.counts.cas_badval += 1;
                Stored::Exists
            }
            Mode::Append | Mode::Prepend if new.cas != 0 && !matches => Stored::Exists,
            Mode::Append | Mode::Prepend => {
                if !self.fits(new.key.len(), length + new.value.len(), flags) {
                    return Stored::Refused;
                }
                let old = self.items.get(id).value().to_vec();
                let (first, second) =
                    if new.mode == Mode::Append { (&old[..], new.value) } else { (new.value, &old[..]) };
                self.items.set_value(id, first, second);
                Stored::Done(self.settle(id, flags, expires, 0))
            }
            Mode::Set | Mode::Replace => {
                self.items.set_value(id, new.value, b"");
                Stored::Done(self.settle(id, new.flags, new.expires, new.marks))
            }
        }
    }

    /// The rest of storing: everything of the item but its value.
    fn settle(&mut self, id: Id, flags: u32, expires: u32, marks: u8) -> u64 {
        let (cas, now) = (self.next_cas(), self.now);
        let item = self.items.get_mut(id);
        item.cas = cas;
        item.time = now;
        item.flags = flags;
        item.expires = expires;
        item.marks = marks;
        item.class = slab::class(slab::size(item.key().len(), item.value().len(), flags));
        self.counts.total_items += 1;
        self.items.use_now(id);
        self.sweep();
        self.make_room(id);
        cas
    }

    /// An item that comes into being because it was asked for.
    pub(super) fn vivify(&mut self, key: &[u8], value: &[u8], expires: u32) -> Id {
        let id = self.items.insert(key, value);
        self.settle(id, 0, expires, 0);
        id
    }

    pub(super) fn delete(&mut self, key: &[u8]) -> bool {
        let Some(id) = self.find(key) else {
            self.counts.delete_misses += 1;
            return false;
        };
        self.remove(id);
        true
    }

    pub(super) fn remove(&mut self, id: Id) {
        self.counts.delete_hits += 1;
        self.drop_item(id);
    }

    fn drop_item(&mut self, id: Id) {
        self.items.remove(id);
    }

    /// Marks an item out of date, so that one client is told to renew it.
    pub(super) fn spoil(&mut self, id: Id, expires: Option<u32>) {
        let cas = self.next_cas();
        let item = self.items.get_mut(id);
        item.expires = expires.unwrap_or(item.expires);
        item.marks = (item.marks | STALE) & !TOKEN_SENT;
        item.cas = cas;
    }

    pub(super) fn touch(&mut self, key: &[u8], expires: u32) -> Option<Id> {
        self.counts.cmd_touch += 1;
        let Some(id) = self.find(key) else {
            self.counts.touch_misses += 1;
            return None;
        };
        self.counts.touch_hits += 1;
        self.items.get_mut(id).expires = expires;
        self.fetched(id);
        Some(id)
    }

    pub(super) fn add_delta(&mut self, key: &[u8], direction: Direction, delta: u64, cas: u64) -> Sum {
        let Some(id) = self.find(key) else {
            match direction {
                Direction::Up => self.counts.incr_misses += 1,
                Direction::Down => self.counts.decr_misses += 1,
            }
            return Sum::NotFound;
        };
        let item = self.items.get(id);
        let length = item.value().len();
        if length == 0 || slab::is_chunked(slab::size(key.len(), length, item.flags)) {
            return Sum::NotANumber;
        }
        if cas != 0 && cas != item.cas {
            return Sum::Exists;
        }
        let Some(value) = number::wide(item.value()) else { return Sum::NotANumber };
        let value = match direction {
            Direction::Up => value.wrapping_add(delta),
            Direction::Down => value.saturating_sub(delta),
        };
        match direction {
            Direction::Up => self.counts.incr_hits += 1,
            Direction::Down => self.counts.decr_hits += 1,
        }
        let mut digits = Vec::with_capacity(20);
        number::push(&mut digits, value);
        if digits.len() <= length {
            let cas = self.next_cas();
            let item = self.items.get_mut(id);
            item.cas = cas;
            let kept = item.value_mut();
            kept[..digits.len()].copy_from_slice(&digits);
            kept[digits.len()..].fill(b' ');
            self.items.use_now(id);
        } else {
            let (flags, expires) = (item.flags, item.expires);
            self.items.set_value(id, &digits, b"");
            self.settle(id, flags, expires, 0);
        }
        Sum::Now(value, id)
    }

    /// Lets everything go, now or when `delay` seconds have passed.
    pub(super) fn flush(&mut self, delay: i64) {
        self.counts.cmd_flush += 1;
        if delay <= 0 {
            self.next_cas();
            self.items.clear();
            self.hand = 0;
            return;
        }
        self.flushed_time = self.expiry(delay).saturating_sub(1);
        if self.flushed_time <= self.now {
            self.flushed_cas = self.next_cas();
        }
    }

    /// Looks at one slot for each item stored, so that what is gone gives its memory back without a task of its own.
    fn sweep(&mut self) {
        let slots = self.items.slots();
        self.hand = if self.hand + 1 < slots { self.hand + 1 } else { 0 };
        if let Some(id) = self.items.nth(self.hand)
            && self.is_gone(self.items.get(id))
        {
            self.counts.reclaimed += 1;
            self.drop_item(id);
        }
    }

    /// Lets go what was not used for the longest time, but never `kept`.
    fn make_room(&mut self, kept: Id) {
        while self.items.memory() > self.settings.memory {
            let Some(id) = self.items.oldest().filter(|id| *id != kept) else { return };
            let item = self.items.get(id);
            if self.is_gone(item) {
                self.counts.reclaimed += 1;
            } else {
                self.counts.evictions += 1;
                self.counts.evicted_unfetched += u64::from(!item.is(FETCHED));
            }
            self.drop_item(id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn store() -> Store {
        Store::new(Settings { memory: 64 << 10, ..Settings::default() })
    }

    fn set(store: &mut Store, key: &str, value: &[u8], ttl: i64) -> Stored {
        let expires = store.expiry(ttl);
        store.store(&New {
            mode: Mode::Set,
            key: key.as_bytes(),
            value,
            flags: 0,
            expires,
            cas: 0,
            may_be_stale: false,
            marks: 0,
        })
    }

    #[test]
    fn an_item_is_gone_when_its_time_has_come() {
        let mut store = store();
        set(&mut store, "a", b"1", 2);
        store.now += 1;
        assert!(store.find(b"a").is_some());
        store.now += 1;
        assert!(store.find(b"a").is_none());
        assert_eq!(store.counts.get_expired, 1);
    }

    #[test]
    fn a_flush_to_come_takes_what_was_stored_before_it() {
        let mut store = store();
        set(&mut store, "a", b"1", 0);
        store.flush(3);
        store.now += 1;
        assert!(store.find(b"a").is_some());
        store.now += 2;
        set(&mut store, "b", b"1", 0);
        assert!(store.find(b"a").is_none());
        assert!(store.find(b"b").is_some());
    }

    #[test]
    fn what_was_not_used_makes_room() {
        let mut store = store();
        for n in 0..10_000 {
            set(&mut store, &format!("key {n}"), b"value", 0);
            let first = store.find(b"key 0").unwrap();
            store.fetched(first);
        }
        assert!(store.items.memory() <= 64 << 10);
        assert!(store.find(b"key 9999").is_some() && store.find(b"key 1").is_none());
        assert!(store.counts.evictions > 9_000);
    }

    #[test]
    fn expired_items_are_found_by_storing_others() {
        let mut store = store();
        for n in 0..100 {
            set(&mut store, &format!("short {n}"), b"", 1);
        }
        store.now += 1;
        for _ in 0..200 {
            set(&mut store, "other", b"", 0);
        }
        assert_eq!(store.items.count(), 1);
    }
}
