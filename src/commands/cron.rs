//! `dae cron`.

use std::fmt::Write as _;

use jiff::Timestamp;
use serde::Serialize;

use super::{Context, Outcome};
use crate::app::{self, CronJob, Overlap, Runs};
use crate::problem::Problem;
use crate::term::{Paint, Text};

/// What runs at set times
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// List the cron jobs of app.yaml and when each runs next
    List(ListArgs),
}

#[derive(Debug, clap::Args)]
pub struct ListArgs {
    /// Only this job
    pub name: Option<String>,
    /// As if it were this time, as in `2026-03-08T00:00:00Z` [default: now]
    #[arg(long, value_name = "TIME")]
    pub at: Option<Timestamp>,
    /// How many runs of each
    #[arg(short = 'n', long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub count: u16,
}

#[derive(Debug, Serialize)]
struct Jobs {
    jobs: Vec<Job>,
}

#[derive(Debug, Serialize)]
struct Job {
    name: String,
    schedule: String,
    timezone: String,
    #[serde(flatten)]
    runs: Runs,
    overlap: Overlap,
    /// RFC 3339, by the clocks of the time zone.
    next: Vec<String>,
}

impl Text for Jobs {
    fn text(&self, paint: Paint) -> String {
        if self.jobs.is_empty() {
            return "app.yaml has no cron jobs".to_owned();
        }
        let told = |job: &Job| {
            let mut text =
                format!("{}  {}  {}  {}", paint.key(&job.name), job.schedule, job.timezone, job.runs.as_str());
            for next in &job.next {
                let _ = write!(text, "\n  {next}");
            }
            text
        };
        self.jobs.iter().map(told).collect::<Vec<_>>().join("\n\n")
    }
}

pub fn run(args: Args, context: &Context) -> Outcome {
    let Command::List(args) = args.command;
    let app = context.app_in(&app::find(&context.cwd)?)?;
    let after = args.at.unwrap_or_else(Timestamp::now);
    let wanted = |job: &&CronJob| args.name.as_ref().is_none_or(|name| *name == job.name);
    let jobs: Vec<Job> =
        app.manifest.cron.iter().filter(wanted).map(|job| described(job, after, args.count.into())).collect();
    match args.name {
        Some(name) if jobs.is_empty() => {
            Err(Problem::new("cron.unknown", format!("app.yaml has no cron job `{name}`")).try_running("dae cron list"))
        }
        _ => Ok(Box::new(Jobs { jobs })),
    }
}

fn described(job: &CronJob, after: Timestamp, count: usize) -> Job {
    let zone = job.zone();
    let told = |run: Timestamp| run.to_zoned(zone.clone()).strftime("%Y-%m-%dT%H:%M:%S%:z").to_string();
    Job {
        name: job.name.clone(),
        schedule: job.schedule.as_str().to_owned(),
        timezone: job.timezone.clone(),
        runs: job.runs.clone(),
        overlap: job.overlap,
        next: job.runs_after(after).take(count).map(told).collect(),
    }
}
