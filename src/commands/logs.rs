//! `dae logs`.

use serde::Serialize;

use super::online::{Which, WhichApp, block_on};
use super::{Context, Outcome, cluster};
use crate::problem::Problem;
use crate::remote::api::{LogLine, ReleaseId};
use crate::term::{Done, Event, Paint, Report, Shown, Text};

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
    /// Go on with what is printed from now on
    #[arg(short, long, conflicts_with = "release")]
    pub follow: bool,
    /// Only of this process, as `web`
    #[arg(long, value_name = "NAME")]
    pub process: Option<String>,
    /// Only of this release's start
    #[arg(long, value_name = "REL")]
    pub release: Option<ReleaseId>,
}

/// A line that was printed this instant.
struct Printed(LogLine);

impl Event for Printed {
    fn show(&self) -> Shown<'_> {
        Shown::Answer(&self.0.line)
    }

    fn json(&self) -> serde_json::Value {
        serde_json::json!({ "event": "line", "process": self.0.process, "line": self.0.line })
    }
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
        if args.follow {
            return Err(Problem::new("logs.cluster", "`--follow` is for nodes, and this remote is a cluster")
                .hint("`kubectl logs -f` does it there")
                .exit(2));
        }
        let which = cluster::WhichPods { process: args.process.as_deref(), release: args.release };
        let lines = block_on(async { cluster::logs(&target.connect().await?, &app, which, args.lines).await })?;
        return Ok(Box::new(Lines { remote: target.name, lines }));
    }
    let (client, _) = args.which.client(context, Some(&app))?;
    if args.follow {
        let mut hear = |line: LogLine| context.terminal.tell(&Printed(line));
        let followed = client.follow_logs(&app, args.lines, args.process.as_deref(), &mut hear);
        return block_on(async {
            tokio::select! {
                ended = followed => ended?,
                // Whoever has read enough.
                _ = tokio::signal::ctrl_c() => {}
            }
            Ok(Box::new(Done::default()) as Box<dyn Report>)
        });
    }
    let text = block_on(client.logs(&app, args.lines, args.process.as_deref(), args.release))?;
    Ok(Box::new(Lines { remote: client.name.clone(), lines: text.lines().map(str::to_owned).collect() }))
}
