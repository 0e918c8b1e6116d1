//! `dae tree`.

use std::fmt::Write as _;

use serde::Serialize;

use super::changes::with_project;
use super::{Context, Outcome};
use crate::python::Branch;
use crate::term::{Paint, Text};

/// Show who needs whom, from pip-req.txt's own requirements down
#[derive(Debug, clap::Args)]
pub struct Args {}

#[derive(Debug, Serialize)]
struct Tree {
    packages: Vec<Branch>,
}

impl Text for Tree {
    fn text(&self, paint: Paint) -> String {
        let mut text = String::new();
        for branch in &self.packages {
            draw(branch, 0, paint, &mut text);
        }
        text.trim_end().to_owned()
    }
}

fn draw(branch: &Branch, depth: usize, paint: Paint, text: &mut String) {
    let version = branch.version.as_ref().map_or_else(String::new, |version| format!("=={version}"));
    let _ = writeln!(text, "{}{}{}", "    ".repeat(depth), branch.name, paint.dim(&version));
    for below in &branch.needs {
        draw(below, depth + 1, paint, text);
    }
}

#[expect(clippy::redundant_closure_for_method_calls, reason = "the method alone is for one lifetime only")]
pub fn run(_: Args, context: &Context) -> Outcome {
    let graph = with_project(context, |project| project.graph())?;
    Ok(Box::new(Tree { packages: graph.tree() }))
}
