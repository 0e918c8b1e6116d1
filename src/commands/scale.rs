//! `dae scale`.

use std::collections::BTreeMap;
use std::time::Instant;

use serde::Serialize;

use super::online::{Which, WhichApp, block_on};
use super::{Context, Outcome, cluster};
use crate::problem::{Problem, Result};
use crate::remote::api::{Scale, ScaleChange};
use crate::remote::deploy::{self, Step, seconds};
use crate::remote::kubernetes::Word;
use crate::remote::origin;
use crate::term::{Paint, Text};

/// Show or change how many of an app's processes run on a remote
///
/// A change is a new release of the same code. It counts for more than app.yaml until it is taken back with `NAME=-`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// `web=3`, a daemon's name, or `queue.NAME`; `-` for what app.yaml says; without any, they are listed
    #[arg(value_name = "NAME=COUNT")]
    pub counts: Vec<String>,
    #[command(flatten)]
    pub which: Which,
    #[command(flatten)]
    pub app: WhichApp,
}

#[derive(Serialize)]
struct Report {
    remote: String,
    #[serde(flatten)]
    found: Scale,
}

impl Text for Report {
    fn text(&self, paint: Paint) -> String {
        let line = |(name, scaled): (&String, &crate::remote::api::Scaled)| {
            let usual = if scaled.count == scaled.usual {
                String::new()
            } else {
                paint.dim(&format!("  (app.yaml: {})", scaled.usual))
            };
            format!("{name}={}{usual}", scaled.count)
        };
        self.found.processes.iter().map(line).collect::<Vec<_>>().join("\n")
    }
}

pub fn run(args: Args, context: &Context) -> Outcome {
    let processes = parse(&args.counts)?;
    let start = Instant::now();
    let app = args.app.name(context)?;
    if let Some(target) = args.which.cluster(context, Some(&app))? {
        let found = block_on(async {
            let api = target.connect().await?;
            let tell = |word: Word| context.terminal.tell(&word);
            let rollout = cluster::rollout(&api, &app, &tell);
            if !processes.is_empty() {
                let changed = rollout.change_scale(&ScaleChange { processes, by: Some(origin::by()) }).await?;
                cluster::tell_changed(context, &app, changed, start.elapsed());
            }
            rollout.scale().await
        })?;
        return Ok(Box::new(Report { remote: target.name, found }));
    }
    let (client, _) = args.which.client(context, Some(&app))?;
    let tell = |step: Step| context.terminal.tell(&step);
    let found = block_on(async {
        if !processes.is_empty() {
            let live = client.live(&app).await?;
            let change = ScaleChange { processes, by: Some(origin::by()) };
            let changed = client.change_scale(&app, &change, live).await?;
            if let Some(live) = deploy::changed(&client, changed, &tell).await? {
                context.say("Live", format!("{} of {app} in {}", live.release, seconds(start.elapsed())));
            }
        }
        client.scale(&app).await
    })?;
    Ok(Box::new(Report { remote: client.name.clone(), found }))
}

fn parse(counts: &[String]) -> Result<BTreeMap<String, Option<u16>>> {
    let read = |text: &String| {
        let (name, count) = text.split_once('=')?;
        let count = if count == "-" { None } else { Some(count.parse().ok()?) };
        Some((name.to_owned(), count))
    };
    let wrong = |text: &String| {
        Problem::new("scale.form", format!("`{text}` says no number of processes"))
            .hint("write `dae scale web=3`, or `web=-` for what app.yaml says")
            .exit(2)
    };
    counts.iter().map(|text| read(text).ok_or_else(|| wrong(text))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_read() {
        let parse = |text: &str| parse(&[text.to_owned()]);
        assert_eq!(parse("web=3").unwrap()["web"], Some(3));
        assert_eq!(parse("queue.mail=-").unwrap()["queue.mail"], None);
        for bad in ["web", "web=", "web=-1", "web=many", "web=70000"] {
            assert_eq!(parse(bad).unwrap_err().exit, 2, "{bad}");
        }
    }
}
