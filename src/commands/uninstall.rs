//! `dae uninstall`.

use super::{Context, Outcome};
use crate::problem::Problem;

/// Take packages out of the virtualenv and pip-req.txt, with what only they needed
#[derive(Debug, clap::Args)]
pub struct Args {
    #[arg(required = true)]
    pub packages: Vec<String>,
}

pub fn run(_args: Args, _context: &Context) -> Outcome {
    Err(Problem::new("todo", "not built yet"))
}
