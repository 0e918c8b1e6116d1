//! `dae rollback`.

use super::{Context, Outcome};
use crate::problem::Problem;

/// Switch a remote back to an earlier release
#[derive(Debug, clap::Args)]
pub struct Args {}

pub fn run(_args: Args, _context: &Context) -> Outcome {
    Err(Problem::new("todo", "not built yet"))
}
