//! `dae install`.

use std::path::{Path, PathBuf};

use super::changes::{Changes, with_project};
use super::{Context, Outcome};
use crate::problem::{Doing as _, Problem, Result};
use crate::python::{Asked, Hashes, Pins};

/// Install packages into the virtualenv and pin them into pip-req.txt; without any, make the virtualenv match the file
///
/// What a package needs comes with it and is pinned too, each line saying for whom. Versions that are pinned already stay,
/// unless a package is named again. A repository is pinned to the whole revision that its branch or tag means now, and the branch
/// is remembered: `dae update` moves along it.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// What to install, as pip writes it: `web.py`, `flask>=3`, `git+https://host/repository@branch`
    #[arg(value_name = "PKG")]
    pub packages: Vec<String>,
    /// Install a folder or a repository so that its files can be changed; a repository's stand in venv/src
    #[arg(short, long, value_name = "PATH|URL")]
    pub editable: Vec<String>,
    /// Install what this file lists
    #[arg(short, long = "requirement", value_name = "FILE")]
    pub requirements: Vec<PathBuf>,
    /// Pin the digests of the files too
    #[arg(long)]
    pub hashes: bool,
}

pub fn run(args: Args, context: &Context) -> Outcome {
    let editable = args.editable.iter().map(|address| format!("-e {address}"));
    let mut asked = typed(args.packages.iter().cloned().chain(editable))?;
    for file in &args.requirements {
        asked.extend(listed(&context.cwd.join(file), file)?);
    }
    let change = with_project(context, |project| match (asked.is_empty(), args.hashes) {
        (true, false) => project.sync(),
        (_, true) => project.install_with(&asked, Hashes::With),
        (false, false) => project.install(&asked),
    })?;
    Ok(Box::new(Changes { change }))
}

/// What was typed, every slip of it told at once.
fn typed(packages: impl Iterator<Item = String>) -> Result<Vec<Asked>> {
    let (mut asked, mut problems) = (Vec::new(), Vec::new());
    for text in packages {
        match Asked::parse(&text) {
            Ok(one) => asked.push(one),
            Err(problem) => problems.push(problem.exit(2)),
        }
    }
    Problem::all(problems).map_or(Ok(asked), Err)
}

fn listed(path: &Path, shown: &Path) -> Result<Vec<Asked>> {
    let text = std::fs::read_to_string(path).doing(|| format!("read `{}`", shown.display()))?;
    let pins = Pins::parse_file(shown, &text);
    if let Some(problem) = Problem::all(pins.problems()) {
        return Err(problem);
    }
    pins.iter().filter(|pin| pin.is_direct()).map(|pin| Asked::parse(&pin.text)).collect()
}
