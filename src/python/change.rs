//! What became different in a virtualenv.

use std::collections::BTreeMap;

use serde::Serialize;

use super::dist::{Dist, is_seed};
use super::requirement::Name;

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Change {
    pub added: Vec<Moved>,
    pub removed: Vec<Moved>,
    /// How many packages are there now, without pip's own.
    pub packages: usize,
}

/// One package at one version; an update is a removal and an addition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Moved {
    pub name: String,
    pub version: String,
}

impl Change {
    pub(super) fn between(before: &BTreeMap<Name, Dist>, after: &BTreeMap<Name, Dist>) -> Self {
        let only_in = |here: &BTreeMap<Name, Dist>, there: &BTreeMap<Name, Dist>| {
            let different = here.iter().filter(|(name, dist)| !is_seed(name) && there.get(*name) != Some(*dist));
            different.map(|(_, dist)| Moved { name: dist.spelled.clone(), version: dist.version.clone() }).collect()
        };
        Self {
            added: only_in(after, before),
            removed: only_in(before, after),
            packages: after.keys().filter(|name| !is_seed(name)).count(),
        }
    }

    /// Calls packages as `names` does.
    pub(super) fn call(&mut self, names: &BTreeMap<Name, String>) {
        for moved in self.added.iter_mut().chain(&mut self.removed) {
            if let Some(name) = names.get(&Name::new(&moved.name)) {
                name.clone_into(&mut moved.name);
            }
        }
    }

    pub fn is_nothing(&self) -> bool {
        self.added.is_empty() && self.removed.is_empty()
    }
}
