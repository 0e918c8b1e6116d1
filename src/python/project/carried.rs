//! The lines that uv does not take (Mercurial, whatever is editable from a repository): dae has a working copy of them and
//! tells the installer its path.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::{Project, Tools};
use crate::problem::Result;
use crate::python::installer::{Hashes, Resolved, Wish};
use crate::python::mirror::{Means, Mirror, Revision};
use crate::python::pins::{Asked, Pins};
use crate::python::requirement::{self, Name, Repository, Requirement, Vcs};
use crate::python::{Event, dist};

/// The repository that dae has a working copy of.
fn ours(requirement: &Requirement) -> Option<(&Repository, &str)> {
    let repository = requirement.repository()?;
    let refused = match repository.kind {
        Vcs::Git => repository.editable || repository.url.starts_with("git:"),
        Vcs::Hg => true,
        Vcs::Svn | Vcs::Bzr => false,
    };
    repository.rev.as_deref().filter(|_| refused).map(|rev| (repository, rev))
}

/// One that is told by its path while it is found out what it needs.
struct StandIn {
    line: String,
    folder: PathBuf,
    /// What the installer is told in place of the line.
    told: String,
    /// As the file calls it; none for one that was just asked for.
    name: Option<String>,
}

impl Project<'_> {
    pub(super) fn means<'m>(&'m self, tools: &'m Tools) -> Means<'m> {
        Means { cache: self.cache, interpreter: &tools.interpreter, installer: &tools.installer, tell: self.tell }
    }

    /// What a repository's branch, tag or short revision means now.
    pub(super) fn revision(&self, tools: &Tools, repository: &Repository, rev: Option<&str>) -> Result<Revision> {
        (self.tell)(Event::Asking { repository: repository.url.clone() });
        Mirror::of(repository, self.means(tools))?.resolve(rev)
    }

    /// Has every repository that is asked for name its whole revision, and the branch that led to it.
    pub(super) fn settle(&self, tools: &Tools, pins: &Pins, asked: &mut [Asked]) -> Result<()> {
        for one in asked {
            let crate::python::Source::Vcs(repository) = &mut one.requirement.source else { continue };
            if matches!(repository.kind, Vcs::Svn | Vcs::Bzr) {
                continue;
            }
            let found = self.revision(tools, repository, repository.rev.as_deref())?;
            repository.rev = Some(found.rev);
            one.follows = one.follows.take().or(found.follows);
            let here = pins.iter().find(|pin| {
                let same = |other: &Repository| {
                    (&other.url, &other.subdirectory) == (&repository.url, &repository.subdirectory)
                };
                pin.requirement.repository().is_some_and(same)
            });
            one.text = match here {
                _ if requirement::says_name(&one.text) => one.requirement.line(),
                Some(pin) => {
                    one.requirement.name.clone_from(&pin.requirement.name);
                    one.requirement.line()
                }
                None => one.requirement.line_without_name(),
            };
        }
        Ok(())
    }

    /// The closure of the file with `asked`, which learn the names of their packages.
    pub(super) fn resolve(
        &self,
        tools: &Tools,
        pins: &Pins,
        asked: &mut [Asked],
        preferred: String,
        hashes: Hashes,
    ) -> Result<Vec<Resolved>> {
        let named: Vec<Name> = asked.iter().map(|one| one.requirement.key()).collect();
        let mut stand_ins = Vec::new();
        for pin in pins.iter().filter(|pin| pin.is_direct() && !named.contains(&pin.requirement.key())) {
            let name = pin.requirement.name.clone();
            stand_ins.extend(self.stand_in(tools, &pin.requirement, &pin.text, Some(name))?);
        }
        for one in &*asked {
            stand_ins.extend(self.stand_in(tools, &one.requirement, &one.text, None)?);
        }
        let told = |line: &str| {
            let found = stand_ins.iter().find(|one| one.line == line);
            found.map_or_else(|| line.to_owned(), |one| one.told.clone()) + "\n"
        };
        let requirements = pins.wish(asked).lines().map(told).collect();
        let all = pins.iter().map(|pin| &pin.requirement).chain(asked.iter().map(|one| &one.requirement));
        let installer = super::fitting(tools.installer.clone(), all, self.tell);
        let wish = Wish { requirements, preferred, hashes };
        let mut closure = installer.resolve(&self.venv, &self.root, &wish, self.tell)?;
        for one in &mut closure {
            let stand_in = stand_ins.iter().find(|stand_in| is_at(&one.line, &stand_in.folder));
            let line = match stand_in {
                Some(StandIn { name: Some(name), .. }) => {
                    name.clone_into(&mut one.name);
                    continue;
                }
                Some(stand_in) => stand_in.line.clone(),
                None => one.line.clone(),
            };
            let repository = Requirement::parse(&line).ok().and_then(|found| found.repository().cloned());
            let same = |asked: &&mut Asked| {
                asked.requirement.repository().zip(repository.as_ref()).is_some_and(|(a, b)| {
                    (&a.url, &a.rev, &a.subdirectory, a.kind) == (&b.url, &b.rev, &b.subdirectory, b.kind)
                })
            };
            if let Some(asked) = asked.iter_mut().find(same) {
                if Name::new(&asked.requirement.name) != Name::new(&one.name) {
                    asked.requirement.name.clone_from(&one.name);
                }
                asked.text = asked.requirement.line();
            }
        }
        Ok(closure)
    }

    fn stand_in(
        &self,
        tools: &Tools,
        requirement: &Requirement,
        line: &str,
        name: Option<String>,
    ) -> Result<Option<StandIn>> {
        let Some((repository, rev)) = ours(requirement) else { return Ok(None) };
        let folder = Mirror::of(repository, self.means(tools))?.shared_copy(rev)?;
        let folder = repository.subdirectory.as_ref().map_or(folder.clone(), |below| folder.join(below));
        let Requirement { name: called, extras, marker, .. } = requirement;
        let told = if requirement::says_name(line) {
            format!("{called}{extras} @ file://{}", folder.display())
        } else {
            format!("file://{}", folder.display())
        };
        let told = if marker.is_empty() { told } else { format!("{told} ; {marker}") };
        Ok(Some(StandIn { line: line.to_owned(), folder, told, name }))
    }

    /// The file as the installer is told it, with every working copy at its revision.
    pub(super) fn told(&self, tools: &Tools, pins: &Pins) -> Result<String> {
        let mut told = BTreeMap::new();
        for pin in pins.iter() {
            let requirement = &pin.requirement;
            let Some((repository, rev)) = ours(requirement) else { continue };
            let mirror = Mirror::of(repository, self.means(tools))?;
            let copy = if repository.editable {
                let place = self.own_copy(&requirement.name);
                mirror.own_copy(rev, &place)?;
                place
            } else {
                mirror.shared_copy(rev)?
            };
            let folder = repository.subdirectory.as_ref().map_or(copy.clone(), |below| copy.join(below));
            let Requirement { name, extras, marker, .. } = requirement;
            let line = if repository.editable {
                format!("-e {}{extras}", folder.display())
            } else {
                format!("{name}{extras} @ file://{}", folder.display())
            };
            let line = if marker.is_empty() { line } else { format!("{line} ; {marker}") };
            told.insert(requirement.key(), line);
        }
        Ok(pins.text_with(&told))
    }

    /// Where the app's own working copy of an editable requirement is; pip has it there too.
    fn own_copy(&self, name: &str) -> PathBuf {
        self.venv.dir.join("src").join(name)
    }

    /// Notes where it came from with what was installed from a copy in the cache, as pip would have.
    pub(super) fn note_origins(pins: &Pins, site: &Path) {
        for pin in pins.iter() {
            let Some((repository, rev)) = ours(&pin.requirement).filter(|(repository, _)| !repository.editable) else {
                continue;
            };
            let mut origin = serde_json::json!({
                "url": repository.url,
                "vcs_info": {"vcs": repository.kind.as_str(), "commit_id": rev, "requested_revision": rev},
            });
            if let Some(folder) = &repository.subdirectory {
                origin["subdirectory"] = folder.as_str().into();
            }
            // One that fails is a line that `dae freeze` writes as a path.
            let _ = dist::note_origin(site, &pin.requirement.key(), &origin);
        }
    }

    /// Which revision each requirement from a repository has in the virtualenv, where that can be told.
    pub(super) fn held_revisions(&self, tools: &Tools, pins: &Pins) -> Vec<(Name, String)> {
        let held = dist::in_folder(&self.venv.site_packages(&tools.interpreter));
        let rev = |requirement: &Requirement| {
            let repository = requirement.repository()?;
            if repository.editable {
                let mirror = Mirror::of(repository, self.means(tools)).ok()?;
                return mirror.head(&self.own_copy(&requirement.name));
            }
            let origin = held.get(&requirement.key())?.direct_url.as_ref()?;
            origin["vcs_info"]["commit_id"].as_str().map(str::to_owned)
        };
        pins.iter().filter_map(|pin| Some((pin.requirement.key(), rev(&pin.requirement)?))).collect()
    }
}

/// Whether an installer's line names this folder of the cache, whose name is like no other.
fn is_at(line: &str, folder: &Path) -> bool {
    let Some(at) = folder.to_str().and_then(|path| path.find("/repositories/at/").map(|at| &path[at..])) else {
        return false;
    };
    let line = line.split(" ;").next().unwrap_or(line).trim().trim_end_matches('/');
    line.ends_with(at)
}
