//! git, asked through its own program: it alone knows the user's keys, helpers and proxies, and uv needs it as well.

use std::path::Path;
use std::process::Command;

use super::{Mirror, Revision};
use crate::problem::{Problem, Result};
use crate::python::program::{self, run};

fn git() -> Command {
    let mut git = program::command("git");
    // Inside a hook these name another repository than the one that is meant.
    for name in ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"] {
        git.env_remove(name);
    }
    git.env("GIT_TERMINAL_PROMPT", "0").env("LC_ALL", "C");
    git
}

fn inside(folder: &Path) -> Command {
    let mut git = git();
    git.arg("-C").arg(folder);
    git
}

/// What the other side says by itself, without a copy of it: branches and tags.
pub fn ask(mirror: &Mirror, rev: Option<&str>) -> Result<Option<Revision>> {
    let listed = mirror.answer(git().args(["ls-remote", "--symref", "--", &mirror.url]))?;
    let of = |name: &str| {
        listed
            .lines()
            .filter_map(|line| line.split_once('\t'))
            .find(|(_, to)| *to == name)
            .map(|(rev, _)| rev.to_owned())
    };
    let Some(rev) = rev else {
        let main = listed.lines().find_map(|line| line.strip_prefix("ref: refs/heads/")?.strip_suffix("\tHEAD"));
        let head = main.and_then(|main| of(&format!("refs/heads/{main}")));
        let head = head.or_else(|| listed.lines().find_map(|line| line.strip_suffix("\tHEAD")).map(str::to_owned));
        return Ok(head.map(|rev| Revision { rev, follows: main.map(str::to_owned) }));
    };
    if let Some(head) = of(&format!("refs/heads/{rev}")) {
        return Ok(Some(Revision { rev: head, follows: Some(rev.to_owned()) }));
    }
    // A tag that is an object of its own is listed with what it stands for.
    let tag = of(&format!("refs/tags/{rev}^{{}}")).or_else(|| of(&format!("refs/tags/{rev}")));
    Ok(tag.map(|rev| Revision { rev, follows: None }))
}

fn make(mirror: &Mirror) -> Result<()> {
    if mirror.dir.join("HEAD").is_file() {
        return Ok(());
    }
    let said = run(git().args(["init", "--quiet", "--bare", "--"]).arg(&mirror.dir), "")?;
    if said.success { Ok(()) } else { Err(failed("make a copy in the cache", &said.stderr)) }
}

pub fn fetch(mirror: &Mirror) -> Result<()> {
    make(mirror)?;
    let mut fetch = inside(&mirror.dir);
    fetch.args(["fetch", "--quiet", "--force", "--prune", "--no-tags", "--", &mirror.url]);
    fetch.args(["+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*"]);
    mirror.answer(&mut fetch).map(drop)
}

/// One commit may be fetched by its own name where no branch leads to it any more.
pub fn fetch_one(mirror: &Mirror, rev: &str) -> Result<()> {
    fetch(mirror)?;
    if !has(mirror, rev) {
        run(inside(&mirror.dir).args(["fetch", "--quiet", "--", &mirror.url, rev]), "")?;
    }
    Ok(())
}

pub fn has(mirror: &Mirror, rev: &str) -> bool {
    commit(mirror, rev).is_some()
}

pub fn resolve(mirror: &Mirror, rev: Option<&str>) -> Option<Revision> {
    let short = rev.filter(|rev| rev.len() >= 4 && rev.bytes().all(|byte| byte.is_ascii_hexdigit()));
    short.and_then(|rev| commit(mirror, rev)).map(|rev| Revision { rev, follows: None })
}

fn commit(mirror: &Mirror, rev: &str) -> Option<String> {
    let name = format!("{rev}^{{commit}}");
    let said =
        run(inside(&mirror.dir).args(["rev-parse", "--verify", "--quiet", "--end-of-options", &name]), "").ok()?;
    said.success.then(|| said.stdout.trim().to_owned())
}

pub fn log(mirror: &Mirror, from: &str, to: &str) -> Result<String> {
    mirror.answer(inside(&mirror.dir).args(["log", "--format=%h %s", "--max-count=100", &format!("{from}..{to}")]))
}

pub fn copy(mirror: &Mirror, rev: &str, to: &Path) -> Result<()> {
    let mut clone = git();
    clone.args(["clone", "--quiet", "--no-checkout", "--"]).arg(&mirror.dir).arg(to);
    done("make a working copy", &mut clone)?;
    done("make a working copy", inside(to).args(["remote", "set-url", "origin", &mirror.url]))?;
    move_to(mirror, to, rev)
}

pub fn move_to(mirror: &Mirror, place: &Path, rev: &str) -> Result<()> {
    let mut fetch = inside(place);
    fetch.args(["fetch", "--quiet", "--"]).arg(&mirror.dir).arg(rev);
    // A copy in the cache lets only its branches be fetched where it was told so; they are enough then.
    run(&mut fetch, "")?;
    done("move the working copy", inside(place).args(["checkout", "--quiet", "--detach", rev]))
}

pub fn head(place: &Path) -> Option<String> {
    // A folder without one of its own would be answered for by the repository around it.
    place.join(".git").exists().then_some(())?;
    let said = run(inside(place).args(["rev-parse", "--verify", "--quiet", "HEAD"]), "").ok()?;
    said.success.then(|| said.stdout.trim().to_owned())
}

/// What an installer leaves behind there is no work of anybody's.
pub fn changed(place: &Path) -> Result<String> {
    let said = run(inside(place).args(["status", "--porcelain", "--untracked-files=no"]), "")?;
    if said.success { Ok(said.stdout) } else { Err(failed("look at the working copy", &said.stderr)) }
}

fn done(doing: &str, command: &mut Command) -> Result<()> {
    let said = run(command, "")?;
    if said.success { Ok(()) } else { Err(failed(doing, &said.stderr)) }
}

fn failed(doing: &str, said: &str) -> Problem {
    Problem::new("vcs.git", format!("git could not {doing}")).detail(said.trim())
}
