//! `dae outdated`.

use serde::Serialize;

use super::changes::with_project;
use super::{Context, Outcome};
use crate::python::Newer;
use crate::term::{Paint, Text};

/// List installed packages of which the package index has a newer version
#[derive(Debug, clap::Args)]
pub struct Args {}

#[derive(Debug, Serialize)]
struct Outdated {
    outdated: Vec<Newer>,
}

impl Text for Outdated {
    fn text(&self, paint: Paint) -> String {
        if self.outdated.is_empty() {
            return "everything is at its newest version".to_owned();
        }
        let line = |one: &Newer| format!("{} {} -> {}\n", one.name, one.version, paint.good(&one.latest));
        self.outdated.iter().map(line).collect::<String>() + &paint.marked("type `dae update` to move there")
    }
}

#[expect(clippy::redundant_closure_for_method_calls, reason = "the method alone is for one lifetime only")]
pub fn run(_: Args, context: &Context) -> Outcome {
    let outdated = with_project(context, |project| project.outdated())?;
    Ok(Box::new(Outdated { outdated }))
}
