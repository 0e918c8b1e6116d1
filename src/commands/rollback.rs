//! `dae rollback`.

use std::time::Instant;

use serde::Serialize;

use super::online::{Which, WhichApp, block_on};
use super::{Context, Outcome, cluster};
use crate::remote::api::ReleaseId;
use crate::remote::deploy::{self, RolledBack, Step, millis, seconds};
use crate::term::{Line, Paint, Text, Tone};

/// Switch a remote back to an earlier release
///
/// A rollback is a new release that repeats an earlier one, so it can be rolled back as well. While a release is tried on a share of
/// the visitors, a rollback that names none takes that one back, and what is live goes on.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The release to go back to [default: the one that was live before this one]
    #[arg(value_name = "REL")]
    pub to: Option<ReleaseId>,
    #[command(flatten)]
    pub which: Which,
    #[command(flatten)]
    pub app: WhichApp,
}

#[derive(Serialize)]
struct Report {
    release: ReleaseId,
    was: Option<ReleaseId>,
    url: String,
    remote: String,
    took_ms: u64,
}

impl Text for Report {
    fn text(&self, _: Paint) -> String {
        self.url.clone()
    }
}

pub fn run(args: Args, context: &Context) -> Outcome {
    let start = Instant::now();
    let app = args.app.name(context)?;
    if let Some(target) = args.which.cluster(context, Some(&app))? {
        let (was, arrived) = block_on(cluster::rollback(context, &target, &app, args.to))?;
        context.say("Live", format!("{} of {app} in {}", arrived.release, seconds(start.elapsed())));
        let url = target.cluster.url(&app);
        let took_ms = millis(start.elapsed());
        return Ok(Box::new(Report { release: arrived.release, was, url, remote: target.name, took_ms }));
    }
    let (client, _) = args.which.client(context, Some(&app))?;
    let tell = |step: Step| context.terminal.tell(&step);
    let (was, live) = match block_on(deploy::rollback(&client, &app, args.to, &tell))? {
        RolledBack::Live { was, live } => (was, live),
        RolledBack::Withdrawn(found) => {
            let live = found.live.map(|live| live.to_string()).unwrap_or_default();
            context.say("Live", format!("{live} of {app}, for all visitors again"));
            return Ok(Box::new(super::traffic::Report { remote: client.name.clone(), found }));
        }
    };
    context.say("Live", format!("{} of {app} in {}", live.release, seconds(start.elapsed())));
    if let Some(was) = was {
        context.terminal.line(&Line::new(Tone::Quiet, "undo", format!("with `dae rollback {was}`")));
    }
    let took_ms = millis(start.elapsed());
    Ok(Box::new(Report { release: live.release, was, url: live.url, remote: client.name.clone(), took_ms }))
}
