//! `dae cron`.

use std::fmt::Write as _;

use jiff::Timestamp;
use serde::Serialize;

use super::online::block_on;
use super::{Context, Outcome};
use crate::app::{self, App, CronJob, Overlap, Runs};
use crate::dev_server::{Session, cron_dir, not_served};
use crate::node::cron::{self, Run, Store};
use crate::problem::{Problem, Result};
use crate::term::{Done, Paint, Text, Tone};

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
    /// Run a job now, in the `dae serve` that runs, and show what it printed; the exit code is its own
    Run(RunArgs),
    /// Let a job not run by its schedule until `dae cron resume`
    Pause(NameArgs),
    /// Let a paused job run by its schedule again
    Resume(NameArgs),
    /// List the runs there were, newest first: when, how they ended and what they printed
    Runs(RunsArgs),
}

#[derive(Debug, clap::Args)]
pub struct RunArgs {
    /// The job
    pub name: String,
    /// As if it were this time, as in `2026-03-08T03:00:00Z` [default: now]
    #[arg(long, value_name = "TIME")]
    pub at: Option<Timestamp>,
}

#[derive(Debug, clap::Args)]
pub struct NameArgs {
    /// The job
    pub name: String,
}

#[derive(Debug, clap::Args)]
pub struct RunsArgs {
    /// Only those of this job
    pub name: Option<String>,
    /// How many
    #[arg(short = 'n', long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub count: u16,
    /// Show what each printed
    #[arg(long)]
    pub output: bool,
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
    paused: bool,
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
            if job.paused {
                text.push_str("  paused");
            }
            for next in &job.next {
                let _ = write!(text, "\n  {next}");
            }
            text
        };
        self.jobs.iter().map(told).collect::<Vec<_>>().join("\n\n")
    }
}

pub fn run(args: Args, context: &Context) -> Outcome {
    match args.command {
        Command::List(args) => list(args, context),
        Command::Run(args) => by_hand(&args, context),
        Command::Pause(args) => pause(&args.name, context, Store::pause, "paused"),
        Command::Resume(args) => pause(&args.name, context, Store::resume, "resumed"),
        Command::Runs(args) => runs(&args, context),
    }
}

fn list(args: ListArgs, context: &Context) -> Outcome {
    let app = context.app_in(&app::find(&context.cwd)?)?;
    let after = args.at.unwrap_or_else(Timestamp::now);
    let wanted = |job: &&CronJob| args.name.as_ref().is_none_or(|name| *name == job.name);
    let store = kept(&app)?;
    let paused = |job: &CronJob| store.as_ref().is_some_and(|store| store.is_paused(&job.name).unwrap_or(false));
    let described = |job| described(job, after, args.count.into(), paused(job));
    let jobs: Vec<Job> = app.manifest.cron.iter().filter(wanted).map(described).collect();
    match args.name {
        Some(name) if jobs.is_empty() => Err(unknown(&name)),
        _ => Ok(Box::new(Jobs { jobs })),
    }
}

fn described(job: &CronJob, after: Timestamp, count: usize, paused: bool) -> Job {
    let zone = job.zone();
    let told = |run: Timestamp| run.to_zoned(zone.clone()).strftime("%Y-%m-%dT%H:%M:%S%:z").to_string();
    Job {
        name: job.name.clone(),
        schedule: job.schedule.as_str().to_owned(),
        timezone: job.timezone.clone(),
        runs: job.runs.clone(),
        overlap: job.overlap,
        paused,
        next: job.runs_after(after).take(count).map(told).collect(),
    }
}

fn unknown(name: &str) -> Problem {
    Problem::new("cron.unknown", format!("app.yaml has no cron job `{name}`")).try_running("dae cron list")
}

/// What is kept of the app's runs; `None` where nothing ever was.
fn kept(app: &App) -> Result<Option<Store>> {
    let folder = cron::folder(&cron_dir(&app.root), &app.name);
    if folder.exists() { Store::open(&folder).map(Some) } else { Ok(None) }
}

fn app_with(name: &str, context: &Context) -> Result<App> {
    let app = context.app()?;
    if app.manifest.cron.iter().any(|job| job.name == name) { Ok(app) } else { Err(unknown(name)) }
}

fn by_hand(args: &RunArgs, context: &Context) -> Outcome {
    let app = app_with(&args.name, context)?;
    let server = Session::server(&app.root)?.ok_or_else(not_served)?;
    let run = block_on(server.run_job(&args.name, args.at))?;
    Ok(Box::new(Ran(run)))
}

fn pause(name: &str, context: &Context, change: fn(&Store, &str) -> Result<()>, said: &str) -> Outcome {
    let app = app_with(name, context)?;
    change(&Store::open(&cron::folder(&cron_dir(&app.root), &app.name))?, name)?;
    context.say(said, name);
    Ok(Box::new(Done::default()))
}

fn runs(args: &RunsArgs, context: &Context) -> Outcome {
    let app = context.app()?;
    let runs = match kept(&app)? {
        Some(store) => store.runs(args.name.as_deref(), args.count.into())?,
        None => Vec::new(),
    };
    Ok(Box::new(Past { runs, with_output: args.output }))
}

/// One run, seen to its end.
#[derive(Debug, Serialize)]
#[serde(transparent)]
struct Ran(Run);

#[derive(Debug, Serialize)]
struct Past {
    runs: Vec<Run>,
    #[serde(skip)]
    with_output: bool,
}

impl Text for Ran {
    fn text(&self, _: Paint) -> String {
        self.0.output.trim_end().to_owned()
    }

    fn exit(&self) -> u8 {
        match (self.0.outcome, self.0.code) {
            (cron::Outcome::Good, _) => 0,
            (_, Some(code)) => u8::try_from(code).ok().filter(|code| *code > 0).unwrap_or(1),
            (_, None) => 1,
        }
    }
}

impl Text for Past {
    fn text(&self, paint: Paint) -> String {
        if self.runs.is_empty() {
            return "no run is kept".to_owned();
        }
        let line = |run: &Run| {
            let tone = if run.outcome == cron::Outcome::Good { Tone::Good } else { Tone::Warning };
            let outcome = paint.tone(tone, &format!("{:8}", run.outcome.as_str()));
            let code = run.code.map(|code| code.to_string()).unwrap_or_default();
            let took = run.ended.map(|ended| ended.as_millisecond() - run.began.as_millisecond());
            let took = took.map(|took| format!("{took} ms")).unwrap_or_default();
            let due = run.due.strftime("%Y-%m-%dT%H:%M:%SZ");
            let mut text = format!("{:>5}  {due}  {outcome}{code:>4}  {took:>10}  {}", run.id, run.job);
            if run.by == "hand" {
                text.push_str("  by hand");
            }
            if self.with_output {
                for line in run.output.lines() {
                    let _ = write!(text, "\n       {line}");
                }
            }
            text
        };
        self.runs.iter().map(line).collect::<Vec<_>>().join("\n")
    }
}
