//! `dae restart`.

use super::online::block_on;
use super::{Context, Outcome};
use crate::app;
use crate::dev_server::{Session, not_served};
use crate::term::Done;

/// Start the app that is being served anew, with a new Python; or one process beside it
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A daemon, or one of its instances, as `dae status` lists them [default: everything]
    #[arg(value_name = "PROCESS")]
    pub process: Option<String>,
}

pub fn run(args: Args, context: &Context) -> Outcome {
    let server = Session::server(&app::find(&context.cwd)?)?.ok_or_else(not_served)?;
    if let Some(process) = args.process.filter(|process| process != "web") {
        block_on(server.restart_process(&process))?;
        context.say("restarting", process);
        return Ok(Box::new(Done::default()));
    }
    let status = block_on(server.restart())?;
    context.say("restarting", status.url.clone());
    Ok(Box::new(Done::default()))
}
