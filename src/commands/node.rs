//! `dae node`.

use super::{Context, Outcome};
use crate::problem::Problem;

/// Be a remote: run apps that are deployed to this machine
#[derive(Debug, clap::Args)]
pub struct Args {}

pub fn run(_args: Args, _context: &Context) -> Outcome {
    Err(Problem::new("todo", "not built yet"))
}
