//! `dae node upgrade`.

use std::path::PathBuf;
use std::time::Duration;

use crate::commands::{Context, Outcome};
use crate::problem::Doing as _;
use crate::remote::server::{Asked, Upgraded, ask_to_upgrade};
use crate::term::{Paint, Text, Tone};

/// Have a newer dae run the node, while the apps run on
///
/// The node that runs in the folder starts this dae beside itself. Once that is ready it is given all that runs: no process of an
/// app is started anew, and no request is lost. A dae that does not come up changes nothing.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The node's folder
    #[arg(long, value_name = "DIR")]
    dir: PathBuf,
    /// The dae that is to run the node, where it is not this one
    #[arg(long, value_name = "FILE")]
    program: Option<PathBuf>,
    /// How long to wait for what is under way: releases, runs, scheduled tasks
    #[arg(long, value_name = "TIME", default_value = "1m", value_parser = super::time)]
    within: Duration,
}

pub fn run(args: Args, context: &Context) -> Outcome {
    let program = match args.program {
        Some(program) => context.cwd.join(program),
        None => std::env::current_exe().doing(|| "find dae itself")?,
    };
    let program = program.canonicalize().doing(|| format!("find `{}`", program.display()))?;
    let asked = Asked { program, within: args.within };
    let waits = |why| context.terminal.line(&crate::term::Line::new(Tone::Plain, "Waiting", why));
    let upgraded = ask_to_upgrade(&context.cwd.join(&args.dir), &asked, waits)?;
    context.say("Upgraded", format!("the node in `{}`", args.dir.display()));
    Ok(Box::new(upgraded))
}

impl Text for Upgraded {
    fn text(&self, _: Paint) -> String {
        let Self { from, to, pid, apps, took_ms, unwatched_ms } = self;
        let versions = if from == to { format!("dae {to}, as before") } else { format!("dae {from} -> {to}") };
        let apps = match apps {
            0 => "no app runs".to_owned(),
            1 => "1 app runs on".to_owned(),
            apps => format!("{apps} apps run on"),
        };
        format!("{versions}, pid {pid}: {apps}; ready in {took_ms} ms, handed over in {unwatched_ms} ms")
    }
}
