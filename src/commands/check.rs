//! `dae check`.

use super::{Context, Outcome};
use crate::problem::Problem;

/// Check app.yaml and pip-req.txt, and tell every problem at once
#[derive(Debug, clap::Args)]
pub struct Args {}

pub fn run(_args: Args, _context: &Context) -> Outcome {
    Err(Problem::new("todo", "not built yet"))
}
