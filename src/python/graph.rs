//! Which package is there for whose sake. Pure.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::dist::{Dist, is_seed};
use super::pins::Pins;
use super::requirement::Name;

/// Packages by name: the file's and the virtualenv's.
#[derive(Debug, Clone, Default)]
pub struct Graph {
    packages: BTreeMap<Name, Package>,
}

#[derive(Debug, Clone, Default)]
struct Package {
    spelled: String,
    version: Option<String>,
    /// In pip-req.txt for its own sake.
    direct: bool,
    needs: BTreeSet<Name>,
}

/// A package and all it needs. One that stands higher up in its own branch is not entered again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Branch {
    pub name: String,
    pub version: Option<String>,
    pub needs: Vec<Branch>,
}

impl Graph {
    pub fn of(pins: &Pins, held: &BTreeMap<Name, Dist>) -> Self {
        let mut packages: BTreeMap<Name, Package> = BTreeMap::new();
        for pin in pins.iter() {
            let package = packages.entry(pin.requirement.key()).or_default();
            package.spelled.clone_from(&pin.requirement.name);
            package.version = pin.requirement.pinned().map(str::to_owned);
            package.direct |= pin.is_direct();
        }
        for (name, dist) in held.iter().filter(|(name, _)| !is_seed(name)) {
            let package = packages.entry(name.clone()).or_default();
            dist.spelled.clone_into(&mut package.spelled);
            package.version = Some(dist.version.clone());
            package.needs.extend(dist.needs.iter().cloned());
        }
        // What is needed for an extra's sake is told by the file alone.
        for pin in pins.iter() {
            for who in &pin.via {
                let who = Name::new(who.split('[').next().unwrap_or(who));
                packages.entry(who).or_default().needs.insert(pin.requirement.key());
            }
        }
        let known: BTreeSet<Name> = packages.keys().cloned().collect();
        for package in packages.values_mut() {
            package.needs.retain(|name| known.contains(name));
        }
        Self { packages }
    }

    /// Every way from a direct requirement to `name`, the shortest first; `None` where it is not there at all.
    pub fn ways(&self, name: &Name) -> Option<Vec<Vec<String>>> {
        self.packages.get(name)?;
        let mut found = Vec::new();
        self.climb(name, &mut vec![name.clone()], &mut found);
        found.sort_by_key(|way: &Vec<String>| (way.len(), way.clone()));
        Some(found)
    }

    fn climb(&self, name: &Name, way: &mut Vec<Name>, found: &mut Vec<Vec<String>>) {
        // Enough for anybody; a tangle has more ways than can be counted.
        const MOST: usize = 100;
        if self.packages.get(name).is_some_and(|package| package.direct) {
            found.push(way.iter().rev().map(|name| self.title(name)).collect());
        }
        for (above, package) in &self.packages {
            if found.len() < MOST && package.needs.contains(name) && !way.contains(above) {
                way.push(above.clone());
                self.climb(above, way, found);
                way.pop();
            }
        }
    }

    fn title(&self, name: &Name) -> String {
        let Some(package) = self.packages.get(name) else { return name.to_string() };
        let version = package.version.as_ref().map_or_else(String::new, |version| format!("=={version}"));
        format!("{}{version}", package.spelled)
    }

    /// Direct requirements, and what nobody needs, each with all below it.
    pub fn tree(&self) -> Vec<Branch> {
        let needed: BTreeSet<&Name> = self.packages.values().flat_map(|package| &package.needs).collect();
        let roots = self.packages.iter().filter(|(name, package)| package.direct || !needed.contains(name));
        roots.map(|(name, _)| self.branch(name, &mut Vec::new())).collect()
    }

    fn branch(&self, name: &Name, above: &mut Vec<Name>) -> Branch {
        let package = self.packages.get(name);
        let mut needs = Vec::new();
        if !above.contains(name) {
            above.push(name.clone());
            needs.extend(package.iter().flat_map(|package| &package.needs).map(|below| self.branch(below, above)));
            above.pop();
        }
        let name = package.map_or_else(|| name.to_string(), |package| package.spelled.clone());
        Branch { name, version: package.and_then(|package| package.version.clone()), needs }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_needs_whom() {
        let pins = Pins::parse(
            "flask[async]==3\nrq==2\nclick==8  # via flask, rq\nasgiref==3  # via flask[async]\nloop==1  # via loop, rq\n",
        );
        let graph = Graph::of(&pins, &BTreeMap::new());
        let ways =
            |name| graph.ways(&Name::new(name)).map(|ways| ways.iter().map(|way| way.join(" > ")).collect::<Vec<_>>());
        assert_eq!(ways("Click").unwrap(), ["flask==3 > click==8", "rq==2 > click==8"]);
        assert_eq!(ways("asgiref").unwrap(), ["flask==3 > asgiref==3"]);
        assert_eq!(ways("loop").unwrap(), ["rq==2 > loop==1"]);
        assert_eq!(ways("rq").unwrap(), ["rq==2"]);
        assert_eq!(ways("none"), None);
        let roots: Vec<String> = graph.tree().into_iter().map(|branch| branch.name).collect();
        assert_eq!(roots, ["flask", "rq"]);
    }
}
