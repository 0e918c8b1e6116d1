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
}

/// With 1,700 files a changed line resends some 60 KB.
const APP_LAYERS: u8 = 24;
/// Pictures and such change seldom; apart from the code they are not resent with it.
const LARGE: u64 = 128 << 10;
const LARGE_LAYERS: u8 = 4;
/// Distributions below this share layers: a manifest should stay below 16 KB.
const SMALL_DIST: u64 = 64 << 10;
const SMALL_DIST_LAYERS: u8 = 8;
/// Container runtimes take some 127 layers at most.
const OWN_LAYERS: usize = 40;

/// The app's files, cut by a hash of their path.
pub fn app(items: Vec<Item>) -> Vec<Plan> {
    let mut layers: BTreeMap<(bool, u8), Vec<Item>> = BTreeMap::new();
    for item in items {
        let large = item.size() >= LARGE;
        let bucket = bucket(&item.path, if large { LARGE_LAYERS } else { APP_LAYERS });
        layers.entry((large, bucket)).or_default().push(item);
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
    fn a_large_file_is_apart_from_code() {
        let plans = app(vec![item("a", 1), item("a large one", 1 << 20)]);
        assert_eq!(paths(&plans), [["a"], ["a large one"]]);
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
