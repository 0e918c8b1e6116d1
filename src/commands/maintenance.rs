//! `dae maintenance`.

use std::time::Duration;

use serde::Serialize;

use super::online::{There, Which, WhichApp, block_on};
use super::{Context, Outcome};
use crate::remote::api::{Close, Maintenance};
use crate::remote::origin;
use crate::term::{Paint, Text, Tone};

/// Close an app on a remote to its visitors, or open it again
///
/// While it is closed they get a page that says so, with 503 and when to come again: its `maintenance.html`, where it has one.
/// Its processes run on, and so do `dae run`, scheduled tasks and deploys. Without `on` or `off`: whether it is closed.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    at: There,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Close it
    On {
        /// What visitors are told, where the app has no page of its own
        #[arg(short, long, value_name = "TEXT")]
        message: Option<String>,
        /// When they should come again: `90s`, `20m`, `1h` [default: 5m]
        #[arg(long, value_name = "TIME", value_parser = super::node::time)]
        retry_after: Option<Duration>,
    },
    /// Open it again
    Off,
}

#[derive(Serialize)]
struct Report {
    remote: String,
    #[serde(flatten)]
    found: Maintenance,
}

impl Text for Report {
    fn text(&self, paint: Paint) -> String {
        let Maintenance { app, on, since, by, message, own_page, .. } = &self.found;
        if !on {
            return format!("{app} is open on {}", self.remote);
        }
        let since = since.map(|since| format!(" since {}", since.strftime("%Y-%m-%d %H:%M:%S UTC")));
        let by = by.as_ref().map(|by| format!(", by {by}"));
        let said = match (own_page, message) {
            (true, _) => ": its visitors see its own page".to_owned(),
            (false, Some(message)) => format!(": {message}"),
            (false, None) => String::new(),
        };
        let closed = paint.tone(Tone::Warning, "closed for maintenance");
        format!("{app} is {closed} on {}{}{}{said}", self.remote, since.unwrap_or_default(), by.unwrap_or_default())
    }
}

pub fn run(args: Args, context: &Context) -> Outcome {
    enum Wanted {
        Look,
        Close(Close),
        Open,
    }
    let wanted = match args.command {
        None => Wanted::Look,
        Some(Command::Off) => Wanted::Open,
        Some(Command::On { message, retry_after }) => {
            let retry_after_s = retry_after.and_then(|after| u32::try_from(after.as_secs()).ok());
            Wanted::Close(Close { message, retry_after_s, by: Some(origin::by()) })
        }
    };
    let There { remote, app } = args.at;
    let app = WhichApp { app }.name(context)?;
    let (client, _) = Which { remote }.client(context, Some(&app))?;
    let found = block_on(async {
        match &wanted {
            Wanted::Look => client.maintenance(&app).await,
            Wanted::Close(close) => client.set_maintenance(&app, Some(close)).await,
            Wanted::Open => client.set_maintenance(&app, None).await,
        }
    })?;
    Ok(Box::new(Report { remote: client.name.clone(), found }))
}
