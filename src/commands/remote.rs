//! `dae remote`.

use super::{Context, Outcome};
use crate::problem::Problem;

/// Add, list and choose remotes
#[derive(Debug, clap::Args)]
pub struct Args {}

pub fn run(_args: Args, _context: &Context) -> Outcome {
    Err(Problem::new("todo", "not built yet"))
}
