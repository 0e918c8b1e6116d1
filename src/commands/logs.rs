//! `dae logs`.

use serde::Serialize;

use super::online::{Which, WhichApp, block_on};
use super::{Context, Outcome, cluster};
use crate::remote::api::ReleaseId;
use crate::term::{Paint, Text};

/// Show what the app's processes printed
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    pub which: Which,
    #[command(flatten)]
    pub app: WhichApp,
    /// How many of the last lines
    #[arg(short = 'n', long, value_name = "N", default_value_t = 100)]
    pub lines: usize,
    /// Only of this process, as `web`
    #[arg(long, value_name = "NAME")]
    pub process: Option<String>,
    /// Only of this release's start
    #[arg(long, value_name = "REL")]
    pub release: Option<ReleaseId>,
}

#[derive(Serialize)]
struct Lines {
    remote: String,
    lines: Vec<String>,
}

impl Text for Lines {
    fn text(&self, _: Paint) -> String {
        self.lines.join("\n")
    }
}

pub fn run(args: Args, context: &Context) -> Outcome {
    let app = args.app.name(context)?;
    if let Some(target) = args.which.cluster(context, Some(&app))? {
        let which = cluster::WhichPods { process: args.process.as_deref(), release: args.release };
        let lines = block_on(async { cluster::logs(&target.connect().await?, &app, which, args.lines).await })?;
        return Ok(Box::new(Lines { remote: target.name, lines }));
    }
    let (client, _) = args.which.client(context, Some(&app))?;
    let text = block_on(client.logs(&app, args.lines, args.process.as_deref(), args.release))?;
    Ok(Box::new(Lines { remote: client.name.clone(), lines: text.lines().map(str::to_owned).collect() }))
}
