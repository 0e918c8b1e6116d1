//! `dae install`.

use super::{Context, Outcome};
use crate::problem::Problem;

/// Install packages into the virtualenv and pin them into pip-req.txt; without any, make the virtualenv match the file
#[derive(Debug, clap::Args)]
pub struct Args {
    /// What to install, as pip writes it: `web.py`, `flask>=3`
    pub packages: Vec<String>,
}

pub fn run(_args: Args, _context: &Context) -> Outcome {
    Err(Problem::new("todo", "not built yet"))
}
