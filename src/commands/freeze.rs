//! `dae freeze`.

use super::{Context, Outcome};
use crate::problem::Problem;

/// Write what the virtualenv holds into pip-req.txt
#[derive(Debug, clap::Args)]
pub struct Args {}

pub fn run(_args: Args, _context: &Context) -> Outcome {
    Err(Problem::new("todo", "not built yet"))
}
