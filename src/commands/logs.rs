//! `dae logs`.

use super::{Context, Outcome};
use crate::problem::Problem;

/// Show what the app's processes printed
#[derive(Debug, clap::Args)]
pub struct Args {}

pub fn run(_args: Args, _context: &Context) -> Outcome {
    Err(Problem::new("todo", "not built yet"))
}
