//! `dae stop`.

use super::{Context, Outcome};
use crate::app;
use crate::dev_server::{Session, not_served};
use crate::term::Done;

/// End the `dae serve` of this app, wherever it runs
#[derive(Debug, clap::Args)]
pub struct Args {}

pub fn run(_: Args, context: &Context) -> Outcome {
    let root = app::find(&context.cwd)?;
    let server = Session::server(&root)?.ok_or_else(not_served)?;
    server.stop(&root)?;
    context.say("stopped", server.url.clone());
    if !server.with.is_empty() {
        context.say("stopped", format!("{}, which the same process served", server.with.join(" and ")));
    }
    Ok(Box::new(Done::default()))
}
