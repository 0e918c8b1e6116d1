//! `dae restart`.

use super::online::block_on;
use super::{Context, Outcome};
use crate::app;
use crate::dev_server::{Session, not_served};
use crate::term::Done;

/// Start the app that is being served anew, with a new Python
#[derive(Debug, clap::Args)]
pub struct Args {}

pub fn run(_: Args, context: &Context) -> Outcome {
    let server = Session::server(&app::find(&context.cwd)?)?.ok_or_else(not_served)?;
    let status = block_on(server.restart())?;
    context.say("restarting", status.url.clone());
    Ok(Box::new(Done::default()))
}
