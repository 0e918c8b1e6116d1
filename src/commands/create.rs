//! `dae create`.

use super::{Context, Outcome};
use crate::problem::Problem;

/// Make a new app: app.yaml, app.py, pip-req.txt, a virtualenv and a first commit
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The app's name
    pub name: Option<String>,
}

pub fn run(_args: Args, _context: &Context) -> Outcome {
    Err(Problem::new("todo", "not built yet"))
}
