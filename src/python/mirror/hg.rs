//! Mercurial, by the `hg` on PATH or by the one from the package index, fetched once into the cache.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::{Means, Mirror, Revision};
use crate::problem::{Doing as _, Problem, Result};
use crate::python::interpreter::is_program;
use crate::python::program::{command, run};
use crate::python::{Event, folder};

pub struct Program {
    hg: PathBuf,
    /// Where it is a package that was fetched: the interpreter and the folder it lies in.
    fetched: Option<(PathBuf, PathBuf)>,
}

impl Program {
    pub fn find(means: Means) -> Result<Self> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let mut folders = std::env::split_paths(&path).filter(|folder| !folder.ends_with("shims"));
        if let Some(hg) = folders.find_map(|folder| Some(folder.join("hg")).filter(|file| is_program(file))) {
            return Ok(Self { hg, fetched: None });
        }
        let Means { interpreter, tell, .. } = means;
        let place = means.cache.join("hg").join(format!("{}-{}", interpreter.abi, std::env::consts::ARCH));
        if !place.is_dir() {
            tell(Event::FetchingHg);
            folder::make(&place, |aside| means.installer.into_folder(interpreter, "mercurial>=6.9,<8\n", aside, tell))?;
        }
        Ok(Self { hg: place.join("bin/hg"), fetched: Some((interpreter.path.clone(), place)) })
    }

    fn command(&self) -> Command {
        let mut hg = match &self.fetched {
            None => command(&self.hg),
            Some((python, folder)) => {
                let mut hg = command(python);
                hg.arg(&self.hg).env("PYTHONPATH", folder);
                hg
            }
        };
        hg.arg("--noninteractive").env("HGPLAIN", "1");
        hg
    }

    fn inside(&self, folder: &Path) -> Command {
        let mut hg = self.command();
        hg.arg("-R").arg(folder);
        hg
    }

    pub fn fetch(&self, mirror: &Mirror) -> Result<()> {
        if mirror.dir.join(".hg").is_dir() {
            return mirror.answer(self.inside(&mirror.dir).args(["pull", "--quiet", "--", &mirror.url])).map(drop);
        }
        folder::make(&mirror.dir, |aside| {
            // The folder is there already, which `clone` takes when it is empty.
            let mut clone = self.command();
            clone.args(["clone", "--quiet", "--noupdate", "--pull", "--", &mirror.url]).arg(aside);
            mirror.answer(&mut clone).map(drop)
        })
    }

    pub fn has(&self, mirror: &Mirror, rev: &str) -> bool {
        self.node(mirror, rev).is_some()
    }

    fn node(&self, mirror: &Mirror, rev: &str) -> Option<String> {
        // In quotes it is one name, whatever it is made of.
        let name = (!rev.contains(['\'', '\\'])).then(|| format!("'{rev}'"))?;
        let said = run(self.inside(&mirror.dir).args(["log", "--template", "{node}", "--rev", &name]), "").ok()?;
        said.success.then(|| said.stdout.trim().to_owned()).filter(|node| !node.is_empty())
    }

    pub fn resolve(&self, mirror: &Mirror, rev: Option<&str>) -> Result<Option<Revision>> {
        let rev = rev.unwrap_or("default");
        let mut branches =
            mirror.answer(self.inside(&mirror.dir).args(["branches", "--closed", "-T", "{branch}\n"]))?;
        branches += &mirror.answer(self.inside(&mirror.dir).args(["bookmarks", "-T", "{bookmark}\n"]))?;
        let follows = branches.lines().any(|branch| branch == rev).then(|| rev.to_owned());
        Ok(self.node(mirror, rev).map(|rev| Revision { rev, follows }))
    }

    pub fn log(&self, mirror: &Mirror, from: &str, to: &str) -> Result<String> {
        let revs = format!("reverse(only({to}, {from}))");
        let mut log = self.inside(&mirror.dir);
        log.args(["log", "--limit", "100", "--template", "{node|short} {desc|firstline}\n", "--rev", &revs]);
        mirror.answer(&mut log)
    }

    pub fn copy(&self, mirror: &Mirror, rev: &str, to: &Path) -> Result<()> {
        let mut clone = self.command();
        clone.args(["clone", "--quiet", "--updaterev", rev, "--"]).arg(&mirror.dir).arg(to);
        done("make a working copy", &mut clone)?;
        let settings = to.join(".hg/hgrc");
        std::fs::write(&settings, format!("[paths]\ndefault = {}\n", mirror.url))
            .doing(|| format!("write `{}`", settings.display()))
    }

    pub fn move_to(&self, mirror: &Mirror, place: &Path, rev: &str) -> Result<()> {
        done("move the working copy", self.inside(place).args(["pull", "--quiet", "--"]).arg(&mirror.dir))?;
        done("move the working copy", self.inside(place).args(["update", "--quiet", "--check", "--rev", rev]))
    }

    pub fn head(&self, place: &Path) -> Option<String> {
        place.join(".hg").is_dir().then_some(())?;
        let said = run(self.inside(place).args(["log", "--template", "{node}", "--rev", "."]), "").ok()?;
        said.success.then(|| said.stdout.trim().to_owned())
    }

    pub fn changed(&self, place: &Path) -> Result<String> {
        let said = run(self.inside(place).args(["status", "--modified", "--added", "--removed", "--deleted"]), "")?;
        if said.success { Ok(said.stdout) } else { Err(failed("look at the working copy", &said.stderr)) }
    }
}

fn done(doing: &str, command: &mut Command) -> Result<()> {
    let said = run(command, "")?;
    if said.success { Ok(()) } else { Err(failed(doing, &said.stderr)) }
}

fn failed(doing: &str, said: &str) -> Problem {
    Problem::new("vcs.hg", format!("hg could not {doing}")).detail(said.trim())
}
