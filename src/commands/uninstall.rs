//! `dae uninstall`.

use super::changes::{Changes, with_project};
use super::{Context, Outcome};

/// Take packages out of the virtualenv and pip-req.txt, with what only they needed
#[derive(Debug, clap::Args)]
pub struct Args {
    #[arg(required = true, value_name = "PKG")]
    pub packages: Vec<String>,
}

pub fn run(args: Args, context: &Context) -> Outcome {
    let change = with_project(context, |project| project.uninstall(&args.packages))?;
    Ok(Box::new(Changes { change }))
}
