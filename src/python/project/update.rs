//! Newer versions: what there is, and the pins moved to it.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::{Names, Project};
use crate::problem::{Problem, Result};
use crate::python::change::Change;
use crate::python::dist::is_seed;
use crate::python::graph::Graph;
use crate::python::installer::{Hashes, Newer};
use crate::python::mirror::Mirror;
use crate::python::pins::{Asked, PINS, Pin, Pins};
use crate::python::requirement::{Name, Source, Vcs};
use crate::python::{dist, lock};

/// A repository's pin that went to another revision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Followed {
    pub name: String,
    /// The branch; none where a revision was only written in full.
    pub branch: Option<String>,
    pub from: Option<String>,
    pub to: String,
    /// One line a commit, newest first.
    pub log: Vec<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Updated {
    #[serde(flatten)]
    pub change: Change,
    pub followed: Vec<Followed>,
}

impl Project<'_> {
    /// Moves pins to the newest there is: a repository's along its branch, an index's to the newest version that fits.
    /// Without names, all.
    pub fn update(&self, names: &[String]) -> Result<Updated> {
        let _lock = lock::hold(&self.root, self.tell)?;
        let mut pins = self.good_pins()?;
        let unknown = names.iter().filter(|name| pins.get(&Name::new(name)).is_none()).map(|name| {
            Problem::new("pins.not-there", format!("`{name}` is not in {PINS}"))
                .try_running(format!("dae install {name}"))
        });
        if let Some(problem) = Problem::all(unknown) {
            return Err(problem);
        }
        let chosen: BTreeSet<Name> = if names.is_empty() {
            pins.iter().map(|pin| pin.requirement.key()).collect()
        } else {
            names.iter().map(|name| Name::new(name)).collect()
        };
        let tools = self.make_venv()?;
        let (mut asked, mut followed) = (Vec::new(), Vec::new());
        for pin in pins.iter().filter(|pin| chosen.contains(&pin.requirement.key())) {
            match &pin.requirement.source {
                Source::Index { .. } if pin.is_direct() => asked.push(loosened(pin)?),
                Source::Vcs(repository) if matches!(repository.kind, Vcs::Git | Vcs::Hg) => {
                    let along = if repository.is_pinned() { pin.follows() } else { repository.rev.as_deref() };
                    if repository.is_pinned() && along.is_none() {
                        if names.is_empty() {
                            continue;
                        }
                        return Err(follows_nothing(pin));
                    }
                    let found = self.revision(&tools, repository, along)?;
                    let mut requirement = pin.requirement.clone();
                    let from = repository.rev.clone().filter(|_| repository.is_pinned());
                    if from.as_ref() == Some(&found.rev) {
                        continue;
                    }
                    if let Source::Vcs(repository) = &mut requirement.source {
                        repository.rev = Some(found.rev.clone());
                    }
                    let log = match &from {
                        Some(from) => Mirror::of(repository, self.means(&tools))?.log(from, &found.rev)?,
                        None => Vec::new(),
                    };
                    followed.push(Followed {
                        name: requirement.name.clone(),
                        branch: found.follows.clone(),
                        from,
                        to: found.rev,
                        log,
                    });
                    asked.push(Asked { text: requirement.line(), requirement, follows: found.follows });
                }
                _ => {}
            }
        }
        if let Some(problem) = Problem::all(still_moving(&pins, &chosen)) {
            return Err(problem);
        }
        let kept = |line: &&str| line.split_once("==").is_none_or(|(name, _)| !chosen.contains(&Name::new(name)));
        let preferred = pins.preferred().lines().filter(kept).collect::<Vec<_>>().join("\n");
        let hashes = if pins.has_hashes() { Hashes::With } else { Hashes::Without };
        let closure = self.resolve(&tools, &pins, &mut asked, preferred, hashes)?;
        pins.take(&closure, &asked, &self.pinned_elsewhere(&pins));
        let change = self.put_and_write(&tools, pins, Names::Everything)?;
        Ok(Updated { change, followed })
    }

    /// Packages of the virtualenv of which an index has a newer version.
    pub fn outdated(&self) -> Result<Vec<Newer>> {
        let pins = self.good_pins()?;
        let interpreter = self.interpreter_of_venv()?;
        let mut newer = self.installer(&interpreter).outdated(&self.venv, &self.root)?;
        // What comes from a repository is moved along its branch, whatever an index has of that name.
        newer.retain(|one| {
            let name = Name::new(&one.name);
            !is_seed(&name) && pins.get(&name).is_none_or(|pin| pin.requirement.is_from_index())
        });
        Ok(newer)
    }

    /// Who needs whom, by the file and by what the virtualenv holds where there is one.
    pub fn graph(&self) -> Result<Graph> {
        let pins = self.good_pins()?;
        let held = match self.interpreter_of_venv() {
            Ok(interpreter) => dist::in_folder(&self.venv.site_packages(&interpreter)),
            Err(_) => BTreeMap::new(),
        };
        Ok(Graph::of(&pins, &held))
    }
}

/// What else in the file names no single revision.
fn still_moving(pins: &Pins, chosen: &BTreeSet<Name>) -> Vec<Problem> {
    let others: BTreeSet<Name> = pins.names().into_keys().filter(|name| !chosen.contains(name)).collect();
    let mut rest = pins.clone();
    rest.keep(&others);
    rest.moving()
}

/// The pin without its version, so that there is a choice; its extras and its marker stay.
fn loosened(pin: &Pin) -> Result<Asked> {
    let mut requirement = pin.requirement.clone();
    if requirement.pinned().is_some() {
        requirement.source = Source::Index { version: String::new() };
    }
    Asked::parse(&requirement.line())
}

fn follows_nothing(pin: &Pin) -> Problem {
    let name = &pin.requirement.name;
    let mut bare = pin.requirement.clone();
    if let Source::Vcs(repository) = &mut bare.source {
        repository.rev = Some("BRANCH".to_owned());
    }
    Problem::new("pins.follows-nothing", format!("`{name}` follows no branch"))
        .because("its line has a revision and no `# follows BRANCH` behind it")
        .hint(format!("name the branch once: `dae install \"{}\"`", bare.line()))
}
