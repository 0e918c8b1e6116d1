//! `dae sync`.

use super::changes::{Changes, with_project};
use super::{Context, Outcome};

/// Make the virtualenv match pip-req.txt exactly
#[derive(Debug, clap::Args)]
pub struct Args {}

#[expect(clippy::redundant_closure_for_method_calls, reason = "the method alone is for one lifetime only")]
pub fn run(_: Args, context: &Context) -> Outcome {
    let change = with_project(context, |project| project.sync())?;
    Ok(Box::new(Changes { change }))
}
