//! `dae cron`.

use std::fmt::Write as _;

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::online::{There, block_on};
use super::{Context, Outcome};
use crate::app::{self, App, AppName, CronJob};
use crate::dev_server::{Session, cron_dir, not_served};
use crate::node::cron::{self, Planned, Run, Store, unknown};
use crate::problem::Result;
use crate::remote::Client;
use crate::remote::api::{CronRunBegun, NewCronRun, PauseCron};
use crate::term::{Done, Paint, Report, Text, Tone};

/// What runs at set times
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    pub command: Command,
    #[command(flatten)]
    pub there: There,
}

/// How often a run on a remote is looked at.
const SHORTEST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// List the cron jobs of app.yaml and when each runs next
    List(ListArgs),
    /// Run a job now, in the `dae serve` that runs or on the remote, and show what it printed; the exit code is its own
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

#[derive(Debug, Serialize, Deserialize)]
struct Jobs {
    jobs: Vec<Planned>,
}

impl Text for Jobs {
    fn text(&self, paint: Paint) -> String {
        if self.jobs.is_empty() {
            return "app.yaml has no cron jobs".to_owned();
        }
        let told = |job: &Planned| {
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
    if let Some((client, app)) = args.there.client(context)? {
        return there(args.command, &client, &app, context);
    }
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
    let store = kept(&app)?;
    let planned = |job: &CronJob| Planned::of(job, store.as_ref(), after, args.count.into());
    listed(app.manifest.cron.iter().map(planned).collect(), args.name)
}

/// All of them, or the one that is asked for.
fn listed(mut jobs: Vec<Planned>, name: Option<String>) -> Outcome {
    if let Some(name) = name {
        jobs.retain(|job| job.name == name);
        if jobs.is_empty() {
            return Err(unknown(&name));
        }
    }
    Ok(Box::new(Jobs { jobs }))
}

/// What is kept of the app's runs; `None` where nothing ever was.
fn kept(app: &App) -> Result<Option<Store>> {
    Store::look(&cron::folder(&cron_dir(&app.root), &app.name))
}

/// On a remote.
fn there(command: Command, client: &Client, app: &AppName, context: &Context) -> Outcome {
    let pause = |job: &str, paused: bool, said: &str| -> Outcome {
        let _: PauseCron = block_on(client.order(app, &["cron", "jobs", job, "pause"], &PauseCron { paused }))?;
        context.say(said, job);
        Ok(Box::new(Done::default()))
    };
    match command {
        Command::List(args) => {
            let (count, at) = (args.count.to_string(), args.at.map(|at| at.to_string()));
            let mut query = vec![("count", count.as_str())];
            query.extend(at.iter().map(|at| ("at", at.as_str())));
            let Jobs { jobs } = block_on(client.kept(app, &["cron"], &query))?;
            listed(jobs, args.name)
        }
        Command::Run(args) => block_on(async {
            let wanted = NewCronRun { at: args.at };
            let CronRunBegun { run } = client.order(app, &["cron", "jobs", &args.name, "runs"], &wanted).await?;
            let number = run.to_string();
            let mut pause = SHORTEST_PAUSE;
            loop {
                let run: Run = client.kept(app, &["cron", "runs", &number], &[]).await?;
                if run.outcome != cron::Outcome::Running {
                    return Ok(Box::new(Ran(run)) as Box<dyn Report>);
                }
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        }),
        Command::Pause(args) => pause(&args.name, true, "paused"),
        Command::Resume(args) => pause(&args.name, false, "resumed"),
        Command::Runs(args) => {
            let count = args.count.to_string();
            let mut query = vec![("count", count.as_str())];
            query.extend(args.name.iter().map(|job| ("job", job.as_str())));
            let past: Past = block_on(client.kept(app, &["cron", "runs"], &query))?;
            Ok(Box::new(Past { with_output: args.output, ..past }))
        }
    }
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

#[derive(Debug, Serialize, Deserialize)]
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
