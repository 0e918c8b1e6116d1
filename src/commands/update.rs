//! `dae update`.

use std::fmt::Write as _;

use serde::Serialize;

use super::changes::{Changes, with_project};
use super::{Context, Outcome};
use crate::python::{Followed, Updated};
use crate::term::{Paint, Text};

/// Move pins to the newest version there is, and what follows a branch to its newest commit
///
/// Without names everything is moved. A repository's line remembers its branch in a comment, `# follows main`; the commits in
/// between are shown.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[arg(value_name = "PKG")]
    pub packages: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Report {
    #[serde(flatten)]
    updated: Updated,
}

impl Text for Report {
    fn text(&self, paint: Paint) -> String {
        let mut text = String::new();
        for Followed { name, branch, from, to, log } in &self.updated.followed {
            let along = branch.as_ref().map_or_else(String::new, |branch| format!(" along {branch}"));
            let from = from.as_ref().map_or_else(String::new, |from| format!(" from {}", short(from)));
            let _ = writeln!(text, "{name}{along}{from} to {}", short(to));
            for line in log {
                let _ = writeln!(text, "    {}", paint.dim(line));
            }
        }
        text + &Changes { change: self.updated.change.clone() }.text(paint)
    }
}

fn short(rev: &str) -> &str {
    rev.get(..12).unwrap_or(rev)
}

pub fn run(args: Args, context: &Context) -> Outcome {
    let updated = with_project(context, |project| project.update(&args.packages))?;
    Ok(Box::new(Report { updated }))
}
