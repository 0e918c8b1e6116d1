//! `dae deploy`.

use super::{Context, Outcome};
use crate::problem::Problem;

/// Package the app, upload what the remote misses, and switch to it
#[derive(Debug, clap::Args)]
pub struct Args {}

pub fn run(_args: Args, _context: &Context) -> Outcome {
    Err(Problem::new("todo", "not built yet"))
}
