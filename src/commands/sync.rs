//! `dae sync`.

use super::changes::{Changes, with_project};
use super::{Context, Outcome};
use crate::python::Project;

/// Make the virtualenv match pip-req.txt exactly
#[derive(Debug, clap::Args)]
pub struct Args {}

pub fn run(_: Args, context: &Context) -> Outcome {
    let change = with_project(context, Project::sync)?;
    Ok(Box::new(Changes { change }))
}
