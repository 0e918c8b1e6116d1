//! `dae ps`.

use serde::Serialize;

use super::online::{Which, WhichApp, block_on};
use super::{Context, Outcome, cluster};
use crate::remote::api::{Process, ProcessState, Processes};
use crate::remote::deploy::size;
use crate::term::{Paint, Text, Tone};

/// List the app's processes on a remote
///
/// A release that was replaced is kept ready for ten minutes, so that a rollback to it is immediate: its processes are `kept`.
/// Memory is each process's own share.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    pub which: Which,
    #[command(flatten)]
    pub app: WhichApp,
}

#[derive(Serialize)]
struct Report {
    remote: String,
    #[serde(flatten)]
    found: Processes,
}

impl Text for Report {
    fn text(&self, paint: Paint) -> String {
        if self.found.processes.is_empty() {
            return format!("no process of {} runs on {}", self.found.app, self.remote);
        }
        let line = |process: &Process| {
            let (state, tone) = match process.state {
                ProcessState::Serving => ("serving", Tone::Good),
                ProcessState::Gray => ("gray", Tone::Warning),
                ProcessState::Kept => ("kept", Tone::Quiet),
                ProcessState::Running => ("running", Tone::Plain),
            };
            let release = format!("{:6}", process.release.to_string());
            let state = paint.tone(tone, &format!("{state:9}"));
            let Process { process, pid, uptime_s, memory, .. } = process;
            format!("{release}{state}{process:14}{pid:>8}  {:>8}  {:>9}", uptime(*uptime_s), size(*memory))
        };
        self.found.processes.iter().map(line).collect::<Vec<_>>().join("\n")
    }
}

/// The two largest units: `3 d 4 h`.
fn uptime(seconds: u64) -> String {
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86400);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, minutes) => format!("{minutes} m {} s", seconds % 60),
        (0, hours, minutes) => format!("{hours} h {} m", minutes % 60),
        (days, hours, _) => format!("{days} d {} h", hours % 24),
    }
}

pub fn run(args: Args, context: &Context) -> Outcome {
    let app = args.app.name(context)?;
    if let Some(target) = args.which.cluster(context, Some(&app))? {
        let pods = block_on(async { cluster::pods(&target.connect().await?, &app).await })?;
        return Ok(Box::new(cluster::Pods { app, remote: target.name, pods }));
    }
    let (client, _) = args.which.client(context, Some(&app))?;
    let found = block_on(client.processes(&app))?;
    Ok(Box::new(Report { remote: client.name.clone(), found }))
}

#[cfg(test)]
mod tests {
    #[test]
    fn how_long_it_runs() {
        for (seconds, text) in [(0, "0 s"), (61, "1 m 1 s"), (3_720, "1 h 2 m"), (273_600, "3 d 4 h")] {
            assert_eq!(super::uptime(seconds), text);
        }
    }
}
