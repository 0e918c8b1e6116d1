//! `dae sync`.

use super::{Context, Outcome};
use crate::problem::Problem;

/// Make the virtualenv match pip-req.txt exactly
#[derive(Debug, clap::Args)]
pub struct Args {}

pub fn run(_args: Args, _context: &Context) -> Outcome {
    Err(Problem::new("todo", "not built yet"))
}
