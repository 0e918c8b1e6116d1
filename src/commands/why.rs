//! `dae why`.

use serde::Serialize;

use super::changes::with_project;
use super::{Context, Outcome};
use crate::problem::Problem;
use crate::python::{Name, PINS};
use crate::term::{Paint, Text};

/// Tell for whose sake a package is there
#[derive(Debug, clap::Args)]
pub struct Args {
    #[arg(value_name = "PKG")]
    pub package: String,
}

#[derive(Debug, Serialize)]
struct Why {
    package: String,
    /// From a direct requirement to the package, each.
    ways: Vec<Vec<String>>,
}

impl Text for Why {
    fn text(&self, paint: Paint) -> String {
        if self.ways.is_empty() {
            let text = format!("nobody needs {}, and {PINS} does not name it: `dae sync` takes it out", self.package);
            return paint.marked(&text);
        }
        let line = |way: &Vec<String>| match way.as_slice() {
            [own] => format!("{own} is in {PINS} for its own sake"),
            way => way.join(" needs "),
        };
        self.ways.iter().map(line).collect::<Vec<_>>().join("\n")
    }
}

#[expect(clippy::redundant_closure_for_method_calls, reason = "the method alone is for one lifetime only")]
pub fn run(args: Args, context: &Context) -> Outcome {
    let graph = with_project(context, |project| project.graph())?;
    let Some(ways) = graph.ways(&Name::new(&args.package)) else {
        return Err(Problem::new("pins.not-there", format!("`{}` is not there", args.package))
            .because(format!("neither {PINS} nor the virtualenv has it"))
            .try_running(format!("dae install {}", args.package)));
    };
    Ok(Box::new(Why { package: args.package, ways }))
}
