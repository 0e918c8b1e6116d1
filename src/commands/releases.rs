//! `dae releases`.

use serde::Serialize;

use super::online::{Which, WhichApp, block_on};
use super::{Context, Outcome, cluster};
use crate::remote::api::{GitState, Release, ReleaseState, Releases};
use crate::term::{Paint, Text, Tone};

/// List the releases a remote keeps
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
    found: Releases,
}

impl Text for Report {
    fn text(&self, paint: Paint) -> String {
        if self.found.releases.is_empty() {
            return format!("{} was never deployed to {}", self.found.app, self.remote);
        }
        let rows = self.found.releases.iter().map(row).collect::<Vec<_>>();
        let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
        let widths: Vec<usize> = (0..4).map(width).collect();
        let line = |(row, release): (&[String; 5], &Release)| {
            let mut line = String::new();
            for (column, width) in widths.iter().enumerate() {
                let cell = format!("{:width$}  ", row[column]);
                line.push_str(&if column == 1 { paint.tone(tone(release.state), &cell) } else { cell });
            }
            (line + &row[4]).trim_end().to_owned()
        };
        rows.iter().zip(&self.found.releases).map(line).collect::<Vec<_>>().join("\n")
    }
}

fn tone(state: ReleaseState) -> Tone {
    match state {
        ReleaseState::Live => Tone::Good,
        ReleaseState::Starting => Tone::Plain,
        ReleaseState::Gray => Tone::Warning,
        ReleaseState::Past | ReleaseState::Superseded | ReleaseState::Withdrawn => Tone::Quiet,
        ReleaseState::Failed => Tone::Bad,
    }
}

fn row(release: &Release) -> [String; 5] {
    let state = match release.state {
        ReleaseState::Starting => "starting",
        ReleaseState::Live => "live",
        ReleaseState::Gray => "gray",
        ReleaseState::Past => "past",
        ReleaseState::Withdrawn => "withdrawn",
        ReleaseState::Failed => "failed",
        ReleaseState::Superseded => "superseded",
    };
    let revision = release.git.as_ref().map(|GitState { revision, dirty }| {
        format!("{}{}", revision.chars().take(7).collect::<String>(), if *dirty { "+" } else { "" })
    });
    let words = [
        release.by.clone(),
        revision,
        release.message.clone(),
        release.repeats.filter(|_| release.message.is_none()).map(|repeated| format!("the same as {repeated}")),
        release.problem.as_ref().map(|problem| format!("({})", problem.message)),
    ];
    let [by, revision, said @ ..] = words;
    [
        release.id.to_string(),
        state.to_owned(),
        release.created.strftime("%Y-%m-%d %H:%M").to_string(),
        [by, revision].into_iter().flatten().collect::<Vec<_>>().join(" "),
        said.into_iter().flatten().collect::<Vec<_>>().join(" "),
    ]
}

pub fn run(args: Args, context: &Context) -> Outcome {
    let app = args.app.name(context)?;
    if let Some(target) = args.which.cluster(context, Some(&app))? {
        let found = block_on(async { cluster::releases(&target.connect().await?, &app).await })?;
        return Ok(Box::new(Report { remote: target.name, found }));
    }
    let (client, _) = args.which.client(context, Some(&app))?;
    let found = block_on(client.releases(&app))?;
    Ok(Box::new(Report { remote: client.name.clone(), found }))
}
