//! Repositories of git and Mercurial, each with a copy in the cache: what a branch, a tag or a short revision means, what
//! lies between two revisions, and working copies. Knows no pip-req.txt.

mod git;
mod hg;

use std::path::{Path, PathBuf};
use std::process::Command;

use sha2::{Digest as _, Sha256};

use super::installer::Installer;
use super::interpreter::Interpreter;
use super::program::run;
use super::requirement::{Repository, Vcs, is_full};
use super::{Tell, folder};
use crate::problem::{Problem, Result};

/// What a repository is looked at with.
#[derive(Clone, Copy)]
pub struct Means<'a> {
    pub cache: &'a Path,
    pub interpreter: &'a Interpreter,
    pub installer: &'a Installer,
    pub tell: Tell<'a>,
}

/// A revision, and the branch it was found by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revision {
    pub rev: String,
    pub follows: Option<String>,
}

pub struct Mirror {
    program: Program,
    /// As git and hg take it, variables filled in.
    url: String,
    /// As it stands in the file: secrets are never told.
    shown: String,
    dir: PathBuf,
}

enum Program {
    Git,
    Hg(hg::Program),
}

impl Mirror {
    /// Of git or Mercurial; nothing is fetched yet.
    pub fn of(repository: &Repository, means: Means) -> Result<Self> {
        let program = match repository.kind {
            Vcs::Git => Program::Git,
            Vcs::Hg => Program::Hg(hg::Program::find(means)?),
            Vcs::Svn | Vcs::Bzr => {
                let kind = repository.kind.as_str();
                return Err(Problem::new("vcs.unknown", format!("dae cannot ask {kind} for revisions"))
                    .hint(format!("write the revision yourself: `{kind}+{}@REVISION`", repository.url)));
            }
        };
        let url = filled_in(&repository.url);
        let dir = means.cache.join("repositories").join(format!("{}-{}", repository.kind.as_str(), short_hash(&url)));
        Ok(Self { program, url, shown: repository.url.clone(), dir })
    }

    /// What `rev` means there now: a branch, a tag, a revision however short, or where none is given the main branch.
    pub fn resolve(&self, rev: Option<&str>) -> Result<Revision> {
        if let Some(rev) = rev.filter(|rev| is_full(rev)) {
            self.need(rev)?;
            return Ok(Revision { rev: rev.to_lowercase(), follows: None });
        }
        let found = match &self.program {
            Program::Git => {
                let mut found = git::ask(self, rev)?;
                if found.is_none() {
                    git::fetch(self)?;
                    found = git::resolve(self, rev);
                }
                found
            }
            Program::Hg(hg) => {
                hg.fetch(self)?;
                hg.resolve(self, rev)?
            }
        };
        found.ok_or_else(|| self.no_revision(rev.unwrap_or("HEAD")))
    }

    /// Has the copy hold a whole revision.
    fn need(&self, rev: &str) -> Result<()> {
        if self.has(rev) {
            return Ok(());
        }
        match &self.program {
            Program::Git => git::fetch_one(self, rev)?,
            Program::Hg(hg) => hg.fetch(self)?,
        }
        if self.has(rev) { Ok(()) } else { Err(self.no_revision(rev)) }
    }

    fn has(&self, rev: &str) -> bool {
        self.dir.is_dir()
            && match &self.program {
                Program::Git => git::has(self, rev),
                Program::Hg(hg) => hg.has(self, rev),
            }
    }

    /// One line a commit, newest first, of what `to` has and `from` has not.
    pub fn log(&self, from: &str, to: &str) -> Result<Vec<String>> {
        self.need(to)?;
        // Where the old one is gone there is nothing to compare with.
        if self.need(from).is_err() {
            return Ok(Vec::new());
        }
        let said = match &self.program {
            Program::Git => git::log(self, from, to)?,
            Program::Hg(hg) => hg.log(self, from, to)?,
        };
        Ok(said.lines().map(str::to_owned).collect())
    }

    /// A working copy at `rev` in the cache, shared by all and changed by nobody.
    pub fn shared_copy(&self, rev: &str) -> Result<PathBuf> {
        let name = self.dir.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let place = self.dir.with_file_name("at").join(format!("{name}-{rev}"));
        if !place.is_dir() {
            self.need(rev)?;
            folder::make(&place, |aside| self.copy(rev, &aside.join("copy")))?;
        }
        Ok(place.join("copy"))
    }

    /// Makes `place` a working copy of the app's own, at `rev`. One that was worked in is not touched.
    pub fn own_copy(&self, rev: &str, place: &Path) -> Result<()> {
        if !place.is_dir() {
            self.need(rev)?;
            return folder::make(place, |aside| {
                // A clone makes its own folder.
                self.copy(rev, &aside.join("copy"))?;
                flatten(aside)
            });
        }
        let head = self.head(place);
        if head.as_deref() == Some(rev) {
            return Ok(());
        }
        self.need(rev)?;
        let why = match head {
            None => Some("it is no working copy of the repository".to_owned()),
            Some(head) => {
                let changed = match &self.program {
                    Program::Git => git::changed(place)?,
                    Program::Hg(hg) => hg.changed(place)?,
                };
                match changed.lines().next() {
                    Some(line) => Some(format!("`{}` was changed there", line.get(2..).unwrap_or(line).trim())),
                    None if self.need(&head).is_err() => Some(format!("its revision {} is nowhere else", &head[..12])),
                    None => None,
                }
            }
        };
        if let Some(why) = why {
            let program = self.name();
            return Err(Problem::new(
                "vcs.local-changes",
                format!("`{}` is not moved to another revision", place.display()),
            )
            .because(why)
            .hint(format!(
                "commit and push what was done there ({program}), or remove the folder; nothing was changed"
            )));
        }
        match &self.program {
            Program::Git => git::move_to(self, place, rev),
            Program::Hg(hg) => hg.move_to(self, place, rev),
        }
    }

    /// Which revision a working copy is at.
    pub fn head(&self, place: &Path) -> Option<String> {
        match &self.program {
            Program::Git => git::head(place),
            Program::Hg(hg) => hg.head(place),
        }
    }

    fn copy(&self, rev: &str, to: &Path) -> Result<()> {
        match &self.program {
            Program::Git => git::copy(self, rev, to),
            Program::Hg(hg) => hg.copy(self, rev, to),
        }
    }

    fn name(&self) -> &'static str {
        match self.program {
            Program::Git => "git",
            Program::Hg(_) => "hg",
        }
    }

    fn no_revision(&self, rev: &str) -> Problem {
        let problem = Problem::new("vcs.no-revision", format!("`{}` has no revision `{rev}`", self.shown));
        problem.because("no branch, no tag and no commit there is called that").hint(format!(
            "see what there is (`{}`), or take its main branch: `dae install {}+{}`",
            match self.program {
                Program::Git => format!("git ls-remote {}", self.shown),
                Program::Hg(_) => format!("hg identify {}", self.shown),
            },
            self.name(),
            self.shown
        ))
    }

    fn unreachable(&self, said: &str) -> Problem {
        let why = said
            .lines()
            .map(str::trim)
            .find(|line| ["fatal:", "abort:", "remote:", "ssh:", "error:"].iter().any(|word| line.starts_with(word)));
        let why = why.or_else(|| said.lines().next()).unwrap_or("it said nothing");
        Problem::new("vcs.unreachable", format!("the repository `{}` cannot be reached", self.shown))
            .because(why.replace(&self.url, &self.shown))
            .hint(format!(
                "check the address and that `{} {}` works here; nothing was changed",
                if self.name() == "git" { "git ls-remote" } else { "hg identify" },
                self.shown
            ))
    }

    /// Runs it for its answer; anything but success is a repository that cannot be reached.
    fn answer(&self, command: &mut Command) -> Result<String> {
        let said = run(command, "")?;
        if said.success { Ok(said.stdout) } else { Err(self.unreachable(&said.stderr)) }
    }
}

/// Moves what `copy/` holds one folder up.
fn flatten(aside: &Path) -> Result<()> {
    use crate::problem::Doing as _;
    let inner = aside.join("copy");
    let doing = || format!("fill `{}`", aside.display());
    for entry in inner.read_dir().doing(doing)? {
        let entry = entry.doing(doing)?;
        std::fs::rename(entry.path(), aside.join(entry.file_name())).doing(doing)?;
    }
    std::fs::remove_dir(&inner).doing(doing)
}

fn short_hash(text: &str) -> String {
    use std::fmt::Write as _;
    Sha256::digest(text).iter().take(8).fold(String::new(), |mut hash, byte| {
        let _ = write!(hash, "{byte:02x}");
        hash
    })
}

/// `${NAME}` as the environment has it, as pip does it.
fn filled_in(url: &str) -> String {
    let (mut done, mut rest) = (String::new(), url);
    while let Some((before, after)) = rest.split_once("${") {
        let Some((name, behind)) = after.split_once('}') else { break };
        done.push_str(before);
        if let Ok(value) = std::env::var(name) {
            done.push_str(&value);
        } else {
            done.push_str(&rest[before.len()..rest.len() - behind.len()]);
        }
        rest = behind;
    }
    done + rest
}
