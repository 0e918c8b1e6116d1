//! The index: every key, where its newest record is, and the hash tree that `@` lists. In memory, in the order of the keys'
//! hashes; a node splits into sixteen by the next hexadecimal digit of the hash.

use std::io::Write as _;

use super::hash::{fnv1a, low};

/// A leaf with more keys splits. The C server's listing goes from lines of keys to lines of nodes at the same number.
const SPLIT: u32 = 256;
/// So many keys are listed at most when they are picked by a prefix.
const LISTED_BY_PREFIX: u32 = 100_000;
/// Hexadecimal digits of a hash.
const DEPTH: usize = 8;

/// What is known of a key without reading its record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slot {
    /// Below zero: deleted.
    pub version: i32,
    pub value_hash: u16,
    /// Where the record is and how long.
    pub file: u32,
    pub offset: u32,
    pub size: u32,
}

#[derive(Debug)]
struct Item {
    hash: u32,
    key: Box<[u8]>,
    slot: Slot,
}

#[derive(Debug, Default)]
struct Node {
    /// Keys that are not deleted.
    live: u32,
    /// The sum of the live keys' hashes, each times its value's.
    sum: u16,
    below: Below,
}

#[derive(Debug)]
enum Below {
    Leaf(Vec<Item>),
    Inner(Box<[Node; 16]>),
}

impl Default for Below {
    fn default() -> Self {
        Self::Leaf(Vec::new())
    }
}

#[derive(Debug)]
pub struct Tree {
    root: Node,
    /// Keys, deleted ones too.
    keys: usize,
}

impl Tree {
    pub fn new() -> Self {
        // The first level is there from the start, as the C server's sixteen buckets are.
        Self { root: Node { below: Below::Inner(Box::default()), ..Node::default() }, keys: 0 }
    }

    pub fn live(&self) -> u32 {
        self.root.live
    }

    pub fn keys(&self) -> usize {
        self.keys
    }

    pub fn get(&self, key: &[u8]) -> Option<Slot> {
        let hash = fnv1a(key);
        let mut node = &self.root;
        for depth in 0.. {
            match &node.below {
                Below::Inner(children) => node = &children[digit(hash, depth)],
                Below::Leaf(items) => return find(items, hash, key).ok().map(|at| items[at].slot),
            }
        }
        None
    }

    /// Returns what it replaces.
    pub fn insert(&mut self, key: &[u8], slot: Slot) -> Option<Slot> {
        let hash = fnv1a(key);
        let old = self.get(key);
        let (live, sum) = change(hash, old, Some(slot));
        let leaf = self.root.follow(hash, live, sum);
        let Below::Leaf(items) = &mut leaf.node.below else { return old };
        match find(items, hash, key) {
            Ok(at) => items[at].slot = slot,
            Err(at) => {
                items.insert(at, Item { hash, key: key.into(), slot });
                self.keys += 1;
                if items.len() > SPLIT as usize && leaf.depth < DEPTH {
                    leaf.node.split(leaf.depth);
                }
            }
        }
        old
    }

    /// As if the key had never been there.
    pub fn remove(&mut self, key: &[u8]) -> Option<Slot> {
        let hash = fnv1a(key);
        let old = self.get(key)?;
        let (live, sum) = change(hash, Some(old), None);
        if let Below::Leaf(items) = &mut self.root.follow(hash, live, sum).node.below
            && let Ok(at) = find(items, hash, key)
        {
            items.remove(at);
            self.keys -= 1;
        }
        Some(old)
    }

    /// The listing of `path`, hexadecimal digits with perhaps `:` and a prefix of keys after them: a line `digit/ hash count`
    /// for each node below where there are many keys, else `key hash version` for each key. `None`: not a path.
    pub fn list(&self, path: &[u8]) -> Option<Vec<u8>> {
        let (path, prefix) = match path.iter().position(|byte| *byte == b':') {
            Some(at) => (&path[..at], &path[at + 1..]),
            None => (path, &[][..]),
        };
        if path.len() > DEPTH {
            return None;
        }
        let digits: Option<Vec<_>> = path.iter().map(|byte| char::from(*byte).to_digit(16)).collect();
        let digits = digits?;
        let wanted = digits.iter().fold(0, |hash, digit| (hash << 4) | digit);
        let mut node = &self.root;
        for digit in &digits {
            let Below::Inner(children) = &node.below else { break };
            node = &children[*digit as usize];
        }
        let most = if prefix.is_empty() { SPLIT } else { LISTED_BY_PREFIX };
        let mut out = Vec::new();
        match &node.below {
            Below::Inner(children) if digits.is_empty() || node.live > most => {
                for (digit, child) in children.iter().enumerate() {
                    // Into memory: it cannot fail.
                    let _ = writeln!(out, "{digit:x}/ {} {}", child.hash(), child.live);
                }
            }
            _ => node.visit(&mut |item| {
                let shift = 4 * (DEPTH - digits.len());
                if u64::from(item.hash) >> shift == u64::from(wanted) && item.key.starts_with(prefix) {
                    out.extend_from_slice(&item.key);
                    let _ = writeln!(out, " {} {}", item.slot.value_hash, item.slot.version);
                }
            }),
        }
        Some(out)
    }
}

/// A leaf and how deep it is.
struct Leaf<'a> {
    node: &'a mut Node,
    depth: usize,
}

impl Node {
    /// Goes down to the leaf of `hash`, and counts on the way.
    fn follow(&mut self, hash: u32, live: i8, sum: u16) -> Leaf<'_> {
        let (mut node, mut depth) = (self, 0);
        loop {
            node.live = node.live.wrapping_add_signed(live.into());
            node.sum = node.sum.wrapping_add(sum);
            if matches!(node.below, Below::Leaf(_)) {
                return Leaf { node, depth };
            }
            let Below::Inner(children) = &mut node.below else { unreachable!("it is no leaf") };
            node = &mut children[digit(hash, depth)];
            depth += 1;
        }
    }

    fn split(&mut self, depth: usize) {
        let Below::Leaf(items) = std::mem::take(&mut self.below) else { return };
        let mut children: Box<[Node; 16]> = Box::default();
        // In order, so that each child's items are in order too.
        for item in items {
            let (live, sum) = change(item.hash, None, Some(item.slot));
            let child = &mut children[digit(item.hash, depth)];
            child.live = child.live.wrapping_add_signed(live.into());
            child.sum = child.sum.wrapping_add(sum);
            if let Below::Leaf(items) = &mut child.below {
                items.push(item);
            }
        }
        self.below = Below::Inner(children);
    }

    /// A node of few keys is hashed as their sum, so that it does not matter whether it has split.
    fn hash(&self) -> u16 {
        match &self.below {
            Below::Inner(children) if self.live > SPLIT => {
                children.iter().fold(0, |hash: u16, child| hash.wrapping_mul(97).wrapping_add(child.hash()))
            }
            _ => self.sum,
        }
    }

    fn visit<'a>(&'a self, seen: &mut impl FnMut(&'a Item)) {
        match &self.below {
            Below::Leaf(items) => items.iter().for_each(seen),
            Below::Inner(children) => children.iter().for_each(|child| child.visit(seen)),
        }
    }
}

fn digit(hash: u32, depth: usize) -> usize {
    (hash >> (4 * (DEPTH - 1 - depth)) & 0xf) as usize
}

fn find(items: &[Item], hash: u32, key: &[u8]) -> Result<usize, usize> {
    items.binary_search_by(|item| item.hash.cmp(&hash).then_with(|| (*item.key).cmp(key)))
}

/// By how much the live keys and the sum of every node above change.
fn change(hash: u32, old: Option<Slot>, new: Option<Slot>) -> (i8, u16) {
    let of = |slot: Option<Slot>| match slot {
        Some(slot) if slot.version > 0 => (1, low(hash).wrapping_mul(slot.value_hash)),
        _ => (0, 0),
    };
    let ((was, gone), (is, come)) = (of(old), of(new));
    (is - was, come.wrapping_sub(gone))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slot(version: i32) -> Slot {
        Slot { version, value_hash: low(version.unsigned_abs() * 7919), file: 0, offset: 0, size: 0 }
    }

    fn lines(tree: &Tree, path: &str) -> Vec<String> {
        String::from_utf8(tree.list(path.as_bytes()).unwrap()).unwrap().lines().map(str::to_owned).collect()
    }

    /// All keys that the listing leads to; checks that what each node says of what is below it is so.
    fn walk(tree: &Tree, path: &str) -> Vec<String> {
        let mut keys = Vec::new();
        for line in lines(tree, path) {
            let mut words = line.split(' ');
            let name = words.next().unwrap();
            if let (true, Some(digit)) = (name.len() == 2, name.strip_suffix('/')) {
                let below = walk(tree, &format!("{path}{digit}"));
                let live = below.iter().filter(|line| !line.ends_with('-')).count();
                assert_eq!(words.nth(1).unwrap(), live.to_string(), "{path}{digit}");
                keys.extend(below);
            } else {
                let version: i32 = words.nth(1).unwrap().parse().unwrap();
                keys.push(format!("{name}{}", if version < 0 { "-" } else { "" }));
            }
        }
        keys
    }

    #[test]
    fn every_key_is_listed_once() {
        let mut tree = Tree::new();
        let mut wanted = Vec::new();
        for number in 0..20_000 {
            let key = format!("key-{number}");
            let deleted = number % 10 == 0;
            assert_eq!(tree.insert(key.as_bytes(), slot(1)), None);
            if deleted {
                assert_eq!(tree.insert(key.as_bytes(), slot(-2)), Some(slot(1)));
            }
            wanted.push(format!("{key}{}", if deleted { "-" } else { "" }));
        }
        let mut found = walk(&tree, "");
        found.sort();
        wanted.sort();
        assert_eq!(found, wanted);
        assert_eq!((tree.live(), tree.keys()), (18_000, 20_000));
    }

    #[test]
    fn the_same_keys_hash_alike_in_any_order() {
        let keys: Vec<_> = (0..3000).map(|number| format!("key-{number}")).collect();
        let (mut one, mut other) = (Tree::new(), Tree::new());
        for key in &keys {
            one.insert(key.as_bytes(), slot(3));
        }
        for key in keys.iter().rev() {
            other.insert(key.as_bytes(), slot(1));
            other.insert(b"for a while", slot(1));
        }
        assert_ne!(one.list(b""), other.list(b""));
        for key in &keys {
            other.insert(key.as_bytes(), slot(3));
        }
        other.remove(b"for a while");
        assert_eq!(one.list(b""), other.list(b""));
        for key in &keys {
            assert_eq!(one.remove(key.as_bytes()), Some(slot(3)));
        }
        assert_eq!((one.live(), one.keys()), (0, 0));
        assert_eq!(one.list(b""), Tree::new().list(b""));
    }

    #[test]
    fn paths() {
        let mut tree = Tree::new();
        tree.insert(b"foobar", slot(5)); // bf9cf968
        // 0xf968 * 39595, in 16 bits.
        assert_eq!(lines(&tree, "")[11], "b/ 10360 1");
        for path in ["b", "bf", "bf9cf968", "B", "b:foo"] {
            assert_eq!(lines(&tree, path), ["foobar 39595 5"], "{path}");
        }
        for path in ["a", "be", "bf9cf969", "b:bar"] {
            assert_eq!(lines(&tree, path), Vec::<String>::new(), "{path}");
        }
        for path in ["x", "bf9cf9680", "b "] {
            assert_eq!(tree.list(path.as_bytes()), None, "{path}");
        }
    }
}
