//! Which file goes into which layer, decided by paths and names alone, so that an edit never moves anything else:
//! a changed line resends one small layer.

use std::collections::BTreeMap;

use sha2::{Digest as _, Sha256};

use super::dists::Dist;
use super::item::Item;

/// Files about to become one layer.
#[derive(Debug)]
pub struct Plan {
    pub holds: Holds,
    /// Sorted by path.
    pub items: Vec<Item>,
}

/// What a layer is of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Holds {
    /// A part of the app's own files.
    App,
    /// Distributions, each as `name==version`.
    Dists(Vec<String>),
    /// The runtime set: other people's packages, or dae's own.
    Runtime,
    Release,
    /// The secrets, sealed to this key.
    Sealed(String),
}

/// With 1,500 files, 9 MB, a changed line sends some 95 KB, two manifests of 15 KB among them.
const APP_LAYERS: u8 = 40;
/// What is no code changes seldom; apart from the code it is not resent with it.
const LARGE: u64 = 128 << 10;
const LARGE_LAYERS: u8 = 3;
const MEDIA_LAYERS: u8 = 3;
/// Cannot be compressed, so a small one already weighs as much as much code.
const MEDIA: &[&str] = &[
    "avif", "bin", "bz2", "db", "eot", "gif", "gz", "ico", "jpeg", "jpg", "mo", "mp3", "mp4", "ogg", "otf", "pdf",
    "png", "so", "sqlite", "ttf", "wasm", "webm", "webp", "woff", "woff2", "xz", "zip", "zst",
];
/// Distributions below this share layers: a manifest should stay below 16 KB.
const SMALL_DIST: u64 = 64 << 10;
const SMALL_DIST_LAYERS: u8 = 8;
/// A manifest of 60 distributions stays below 16 KB; container runtimes take some 127 layers at most.
const OWN_LAYERS: usize = 32;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Code,
    Large,
    Media,
}

impl Kind {
    fn of(item: &Item) -> Self {
        let end = item.path.rsplit_once('.').map(|(_, end)| end.to_ascii_lowercase());
        match end {
            Some(end) if MEDIA.contains(&end.as_str()) => Self::Media,
            _ if item.size() >= LARGE => Self::Large,
            _ => Self::Code,
        }
    }

    fn layers(self) -> u8 {
        match self {
            Self::Code => APP_LAYERS,
            Self::Large => LARGE_LAYERS,
            Self::Media => MEDIA_LAYERS,
        }
    }
}

/// The app's files, cut by a hash of their path.
pub fn app(items: Vec<Item>) -> Vec<Plan> {
    let mut layers: BTreeMap<(Kind, u8), Vec<Item>> = BTreeMap::new();
    for item in items {
        let kind = Kind::of(&item);
        layers.entry((kind, bucket(&item.path, kind.layers()))).or_default().push(item);
    }
    layers.into_values().map(|items| plan(Holds::App, items)).collect()
}

/// A layer for each distribution; small ones share some, by a hash of their name.
pub fn dists(dists: Vec<Dist>) -> Vec<Plan> {
    let size = |dist: &Dist| dist.items.iter().map(Item::size).sum::<u64>();
    let mut small = SMALL_DIST;
    while dists.iter().filter(|dist| size(dist) >= small).count() > OWN_LAYERS {
        small *= 2;
    }
    let mut own = Vec::new();
    let mut shared: BTreeMap<u8, (Vec<String>, Vec<Item>)> = BTreeMap::new();
    for dist in dists {
        let label = format!("{}=={}", dist.name, dist.version);
        if size(&dist) >= small {
            own.push(plan(Holds::Dists(vec![label]), dist.items));
        } else {
            let (labels, items) = shared.entry(bucket(&dist.name, SMALL_DIST_LAYERS)).or_default();
            labels.push(label);
            items.extend(dist.items);
        }
    }
    own.extend(shared.into_values().map(|(labels, items)| plan(Holds::Dists(labels), items)));
    own
}

pub fn plan(holds: Holds, mut items: Vec<Item>) -> Plan {
    items.sort_by(|a, b| a.path.cmp(&b.path));
    Plan { holds, items }
}

fn bucket(text: &str, of: u8) -> u8 {
    Sha256::digest(text.as_bytes())[0] % of
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packaging::item::Content;

    fn item(path: &str, size: usize) -> Item {
        Item { path: path.into(), executable: false, content: Content::Bytes(vec![0; size]) }
    }

    fn dist(name: &str, size: usize) -> Dist {
        Dist { name: name.into(), version: "1".into(), items: vec![item(name, size)] }
    }

    fn paths(plans: &[Plan]) -> Vec<Vec<String>> {
        plans.iter().map(|plan| plan.items.iter().map(|item| item.path.clone()).collect()).collect()
    }

    #[test]
    fn another_file_moves_none() {
        let files: Vec<Item> = (0..500).map(|n| item(&format!("dae/app/{n}.py"), n)).collect();
        let before = paths(&app(files.clone()));
        assert_eq!(before.len(), usize::from(APP_LAYERS));
        let mut more = files;
        more.push(item("dae/app/one more.py", 1));
        let after = paths(&app(more));
        let changed = before.iter().zip(&after).filter(|(a, b)| a != b).count();
        assert_eq!(changed, 1);
    }

    #[test]
    fn what_is_no_code_is_apart_from_it() {
        let plans = app(vec![item("a.py", 1), item("b.PNG", 1), item("c.json", 1 << 20)]);
        assert_eq!(paths(&plans), [["a.py"], ["c.json"], ["b.PNG"]]);
    }

    #[test]
    fn there_are_never_too_many_layers() {
        let plans = dists((0..200).map(|n| dist(&format!("dist{n}"), 70_000 + n)).collect());
        assert!(plans.len() <= OWN_LAYERS + usize::from(SMALL_DIST_LAYERS), "{}", plans.len());
        let plans = dists(vec![dist("big", 70_000), dist("small", 10), dist("tiny", 1)]);
        assert_eq!(plans[0].holds, Holds::Dists(vec!["big==1".into()]));
        assert_eq!(plans.iter().map(|plan| plan.items.len()).sum::<usize>(), 3);
    }
}
