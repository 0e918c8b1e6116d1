//! `dae serve`.

use super::{Context, Outcome};
use crate::problem::Problem;

/// Run the app here, with live reload
#[derive(Debug, clap::Args)]
pub struct Args {}

pub fn run(_args: Args, _context: &Context) -> Outcome {
    Err(Problem::new("todo", "not built yet"))
}
