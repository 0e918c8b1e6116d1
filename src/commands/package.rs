//! `dae package`.

use super::{Context, Outcome};
use crate::problem::Problem;

/// Build the app's image as an OCI layout
#[derive(Debug, clap::Args)]
pub struct Args {}

pub fn run(_args: Args, _context: &Context) -> Outcome {
    Err(Problem::new("todo", "not built yet"))
}
