//! Items by key and by last use. Chains of the table and the list of uses are indices into one vector, so that an item costs
//! 56 bytes beside its key and value; it knows no protocol and no clock.

use std::hash::{BuildHasher as _, RandomState};

/// No item.
const NONE: u32 = u32::MAX;
/// Below this many buckets the table does not begin.
const BUCKETS: usize = 1024;

/// Was fetched since it was stored.
pub(super) const FETCHED: u8 = 1;
/// Was fetched more than once.
pub(super) const ACTIVE: u8 = 2;
/// Is out of date, says a meta command.
pub(super) const STALE: u8 = 4;
/// Some client was told to renew it.
pub(super) const TOKEN_SENT: u8 = 8;
/// Its key came as base64.
pub(super) const KEY_BINARY: u8 = 16;

/// Where an item is, while it is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Id(u32);

#[derive(Debug)]
pub(super) struct Item {
    /// The key, then the value.
    data: Box<[u8]>,
    pub cas: u64,
    hash: u32,
    /// In its bucket, or among the free slots.
    next: u32,
    newer: u32,
    older: u32,
    /// Seconds of the server's clock; 0 is never.
    pub expires: u32,
    /// When it was stored or, roughly, used last.
    pub time: u32,
    pub flags: u32,
    key_length: u16,
    pub marks: u8,
    /// Of memcached's slab classes, the one it would be in.
    pub class: u8,
}

impl Item {
    pub(super) fn key(&self) -> &[u8] {
        &self.data[..usize::from(self.key_length)]
    }

    pub(super) fn value(&self) -> &[u8] {
        &self.data[usize::from(self.key_length)..]
    }

    pub(super) fn value_mut(&mut self) -> &mut [u8] {
        &mut self.data[usize::from(self.key_length)..]
    }

    pub(super) fn is(&self, mark: u8) -> bool {
        self.marks & mark != 0
    }

    /// What it takes of the memory: this, its place in the table, and the allocation.
    fn cost(&self) -> usize {
        cost(self.data.len())
    }
}

fn cost(data: usize) -> usize {
    size_of::<Item>() + size_of::<u32>() + (data + 8).next_multiple_of(16).max(32)
}

#[derive(Debug)]
pub(super) struct Items {
    slots: Vec<Item>,
    free: u32,
    buckets: Vec<u32>,
    newest: u32,
    oldest: u32,
    count: usize,
    memory: usize,
    hasher: RandomState,
}

/// A position in `slots`; there are fewer than 2^32 of them.
fn at(index: u32) -> usize {
    usize::try_from(index).unwrap_or(usize::MAX)
}

impl Items {
    pub(super) fn new() -> Self {
        Self {
            slots: Vec::new(),
            free: NONE,
            buckets: vec![NONE; BUCKETS],
            newest: NONE,
            oldest: NONE,
            count: 0,
            memory: 0,
            hasher: RandomState::new(),
        }
    }

    pub(super) fn count(&self) -> usize {
        self.count
    }

    /// All that the items take.
    pub(super) fn memory(&self) -> usize {
        self.memory
    }

    /// Items and free slots together: the bound of [`Self::nth`].
    pub(super) fn slots(&self) -> usize {
        self.slots.len()
    }

    pub(super) fn buckets(&self) -> usize {
        self.buckets.len()
    }

    /// The item in a slot, where there is one.
    pub(super) fn nth(&self, slot: usize) -> Option<Id> {
        self.slots.get(slot).filter(|item| !item.data.is_empty())?;
        u32::try_from(slot).ok().map(Id)
    }

    pub(super) fn get(&self, id: Id) -> &Item {
        &self.slots[at(id.0)]
    }

    pub(super) fn get_mut(&mut self, id: Id) -> &mut Item {
        &mut self.slots[at(id.0)]
    }

    #[expect(clippy::cast_possible_truncation, reason = "a hash of fewer bits is a hash")]
    fn hash(&self, key: &[u8]) -> u32 {
        self.hasher.hash_one(key) as u32
    }

    fn bucket(&self, hash: u32) -> usize {
        at(hash) & (self.buckets.len() - 1)
    }

    pub(super) fn find(&self, key: &[u8]) -> Option<Id> {
        let hash = self.hash(key);
        let mut index = self.buckets[self.bucket(hash)];
        while index != NONE {
            let item = &self.slots[at(index)];
            if item.hash == hash && item.key() == key {
                return Some(Id(index));
            }
            index = item.next;
        }
        None
    }

    /// Adds an item that is not there yet. A key has at least one byte and less than 2^16.
    pub(super) fn insert(&mut self, key: &[u8], value: &[u8]) -> Id {
        let hash = self.hash(key);
        let bucket = self.bucket(hash);
        let item = Item {
            data: joined(key, value, &[]),
            cas: 0,
            hash,
            next: self.buckets[bucket],
            newer: NONE,
            older: NONE,
            expires: 0,
            time: 0,
            flags: 0,
            key_length: u16::try_from(key.len()).unwrap_or(u16::MAX),
            marks: 0,
            class: 0,
        };
        self.memory += item.cost();
        self.count += 1;
        let index = if self.free == NONE {
            self.slots.push(item);
            u32::try_from(self.slots.len() - 1).unwrap_or(NONE)
        } else {
            let index = self.free;
            self.free = self.slots[at(index)].next;
            self.slots[at(index)] = item;
            index
        };
        self.buckets[bucket] = index;
        self.link_newest(index);
        if self.count > self.buckets.len() {
            self.grow();
        }
        Id(index)
    }

    /// Gives an item another value: `first`, then `second`.
    pub(super) fn set_value(&mut self, id: Id, first: &[u8], second: &[u8]) {
        let item = &mut self.slots[at(id.0)];
        self.memory -= item.cost();
        let data = joined(item.key(), first, second);
        item.data = data;
        self.memory += item.cost();
    }

    pub(super) fn remove(&mut self, id: Id) {
        let index = id.0;
        let (hash, next) = (self.get(id).hash, self.get(id).next);
        let bucket = self.bucket(hash);
        if self.buckets[bucket] == index {
            self.buckets[bucket] = next;
        } else {
            let mut before = self.buckets[bucket];
            while self.slots[at(before)].next != index {
                before = self.slots[at(before)].next;
            }
            self.slots[at(before)].next = next;
        }
        self.unlink(index);
        let item = &mut self.slots[at(index)];
        self.memory -= item.cost();
        item.data = Box::default();
        item.key_length = 0;
        item.next = self.free;
        self.free = index;
        self.count -= 1;
    }

    pub(super) fn clear(&mut self) {
        let hasher = self.hasher.clone();
        *self = Self { hasher, ..Self::new() };
    }

    /// Makes an item the last that is evicted.
    pub(super) fn use_now(&mut self, id: Id) {
        if self.newest != id.0 {
            self.unlink(id.0);
            self.link_newest(id.0);
        }
    }

    /// The item that was not used for the longest time.
    pub(super) fn oldest(&self) -> Option<Id> {
        (self.oldest != NONE).then_some(Id(self.oldest))
    }

    fn link_newest(&mut self, index: u32) {
        let before = self.newest;
        let item = &mut self.slots[at(index)];
        item.newer = NONE;
        item.older = before;
        self.newest = index;
        match before {
            NONE => self.oldest = index,
            before => self.slots[at(before)].newer = index,
        }
    }

    fn unlink(&mut self, index: u32) {
        let (newer, older) = (self.slots[at(index)].newer, self.slots[at(index)].older);
        match newer {
            NONE => self.newest = older,
            newer => self.slots[at(newer)].older = older,
        }
        match older {
            NONE => self.oldest = newer,
            older => self.slots[at(older)].newer = newer,
        }
    }

    fn grow(&mut self) {
        self.buckets = vec![NONE; self.buckets.len() * 2];
        for index in 0..self.slots.len() {
            if self.slots[index].data.is_empty() {
                continue;
            }
            let bucket = self.bucket(self.slots[index].hash);
            self.slots[index].next = self.buckets[bucket];
            self.buckets[bucket] = u32::try_from(index).unwrap_or(NONE);
        }
    }
}

fn joined(key: &[u8], first: &[u8], second: &[u8]) -> Box<[u8]> {
    let mut data = Vec::with_capacity(key.len() + first.len() + second.len());
    data.extend_from_slice(key);
    data.extend_from_slice(first);
    data.extend_from_slice(second);
    data.into_boxed_slice()
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_item_is_small() {
        assert_eq!(size_of::<Item>(), 56);
    }

    proptest! {
        /// Whatever is done, it holds what a map would hold, in the order of use.
        #[test]
        fn it_is_a_map_in_order_of_use(steps in prop::collection::vec((0..4_u8, 0..3_000_u16, 0..40_usize), 0..4_000)) {
            let mut items = Items::new();
            let mut model: HashMap<u16, usize> = HashMap::new();
            let mut order: Vec<u16> = Vec::new();
            for (what, key, length) in steps {
                let name = key.to_string();
                let found = items.find(name.as_bytes());
                prop_assert_eq!(found.is_some(), model.contains_key(&key));
                match (what, found) {
                    (0, Some(id)) => {
                        items.remove(id);
                        model.remove(&key);
                        order.retain(|known| *known != key);
                    }
                    (1, Some(id)) => {
                        items.set_value(id, &vec![7; length], b"");
                        model.insert(key, length);
                    }
                    (_, Some(id)) => {
                        items.use_now(id);
                        order.retain(|known| *known != key);
                        order.push(key);
                    }
                    (_, None) => {
                        items.insert(name.as_bytes(), &vec![7; length]);
                        model.insert(key, length);
                        order.push(key);
                    }
                }
            }
            prop_assert_eq!(items.count(), model.len());
            let memory: usize = model.iter().map(|(key, length)| cost(key.to_string().len() + length)).sum();
            prop_assert_eq!(items.memory(), memory);
            prop_assert_eq!((0..items.slots()).filter_map(|slot| items.nth(slot)).count(), model.len());
            for key in order {
                let id = items.oldest().unwrap();
                prop_assert_eq!(items.get(id).key().to_vec(), key.to_string().into_bytes());
                prop_assert_eq!(items.get(id).value().len(), model[&key]);
                items.remove(id);
            }
            prop_assert_eq!(items.oldest(), None);
        }
    }
}
