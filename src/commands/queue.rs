//! `dae queue`.

use std::path::Path;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::online::{There, block_on};
use super::run::Prepared;
use super::services::Services;
use super::{Context, Outcome};
use crate::app::{App, AppName};
use crate::dev_server::local::SDK;
use crate::problem::{Problem, Result};
use crate::remote::Client;
use crate::remote::api::{PauseQueue, Retried};
use crate::services::queue;
use crate::services::queue::look::{self, Job, Queue, Wanted};
use crate::term::{Done, Paint, Report, Text};

/// What waits, what is under way and what failed in the app's task queues
///
/// It speaks to the queue of the `dae serve` that runs, or of this app's data; or to the server that dev.yaml names; with
/// `--remote`, to the one of the deployed app.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    pub command: Command,
    #[command(flatten)]
    pub there: There,
}

/// How often a queue that is drained is looked at.
const SHORTEST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// List the queues, and how many jobs are in each
    List,
    /// Show a job: its state, its task and arguments, and the traceback of one that failed
    Show(JobArgs),
    /// Run the next task of a queue here and now, in the foreground; or a certain job
    Run(RunArgs),
    /// Put failed tasks back into their queue
    Retry(RetryArgs),
    /// Give no jobs of a queue out for a while
    Pause(PauseArgs),
    /// Wait until nothing of a queue waits or is under way any more
    Drain(DrainArgs),
}

#[derive(Debug, clap::Args)]
pub struct JobArgs {
    /// The job's number [default: the one of the queue `default` that failed first]
    pub job: Option<u64>,
    /// The queue, where no number is given
    #[arg(long, value_name = "NAME", default_value = "default")]
    pub queue: String,
}

#[derive(Debug, clap::Args)]
pub struct RunArgs {
    /// The queue
    #[arg(default_value = "default")]
    pub queue: String,
    /// This job, whatever its state
    #[arg(long, value_name = "NUMBER")]
    pub job: Option<u64>,
}

#[derive(Debug, clap::Args)]
pub struct RetryArgs {
    /// Job numbers
    #[arg(required_unless_present = "all")]
    pub jobs: Vec<u64>,
    /// All failed jobs of this queue
    #[arg(long, value_name = "QUEUE", conflicts_with = "jobs")]
    pub all: Option<String>,
}

#[derive(Debug, clap::Args)]
pub struct PauseArgs {
    /// The queue
    pub queue: String,
    /// For how long; 0 ends a pause
    #[arg(long, value_name = "SECONDS", default_value_t = 3600)]
    pub seconds: u32,
}

#[derive(Debug, clap::Args)]
pub struct DrainArgs {
    /// The queue
    #[arg(default_value = "default")]
    pub queue: String,
    /// Give up after so long
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    pub timeout: u32,
}

pub fn run(args: Args, context: &Context) -> Outcome {
    if let Some((client, app)) = args.there.client(context)? {
        return there(args.command, &client, &app, context);
    }
    if let Some(exit) = super::foreground::guard()? {
        return Ok(Box::new(Done { exit }));
    }
    let app = context.app()?;
    let services = Services::open(context, &app)?;
    let done = services.variable(&app, "DAE_QUEUE").and_then(|address| {
        let client = queue::Client::connect(address.split(',').next().unwrap_or_default())?;
        here(args.command, client, &app, &services, context)
    });
    services.end(context);
    done
}

fn here(command: Command, mut client: queue::Client, app: &App, services: &Services, context: &Context) -> Outcome {
    let client = &mut client;
    match command {
        Command::List => Ok(Box::new(Queues { queues: look::list(client)? })),
        Command::Show(args) => Ok(Box::new(Shown(look::show(client, &args.wanted())?))),
        Command::Run(args) => run_one(&args, app, services, context),
        Command::Retry(RetryArgs { all: Some(queue), .. }) => {
            let count = look::retry_all(client, &queue)?;
            Ok(retried(context, format!("{count} jobs of `{queue}`")))
        }
        Command::Retry(RetryArgs { jobs, .. }) => {
            for job in jobs {
                look::retry(client, job)?;
                context.say("retried", job.to_string());
            }
            Ok(Box::new(Done::default()))
        }
        Command::Pause(args) => {
            look::pause(client, &args.queue, args.seconds)?;
            Ok(args.done(context))
        }
        Command::Drain(args) => drain(&args, context, || look::counts(client, &args.queue)),
    }
}

/// On a remote.
fn there(command: Command, client: &Client, app: &AppName, context: &Context) -> Outcome {
    let queues = || block_on(client.kept::<Queues>(app, &["queues"], &[]));
    match command {
        Command::List => Ok(Box::new(queues()?)),
        Command::Show(args) => {
            let number = args.job.map(|job| job.to_string());
            let path = match &number {
                Some(number) => ["jobs", number].to_vec(),
                None => ["queues", &args.queue, "failed"].to_vec(),
            };
            Ok(Box::new(Shown(block_on(client.kept(app, &path, &[]))?)))
        }
        Command::Run(_) => Err(Problem::new("queue.there", "the jobs of a remote are done by its workers")
            .hint("put a failed one back: `dae queue retry NUMBER --remote NAME`")
            .hint("`dae ps` shows whether they run, `dae logs --process queue.NAME` what they say")),
        Command::Retry(RetryArgs { all: Some(queue), .. }) => {
            let Retried { retried: count } = block_on(client.order(app, &["queues", &queue, "retry"], &()))?;
            Ok(retried(context, format!("{count} jobs of `{queue}`")))
        }
        Command::Retry(RetryArgs { jobs, .. }) => {
            for job in jobs {
                let job = job.to_string();
                block_on(client.order::<Retried>(app, &["jobs", &job, "retry"], &()))?;
                context.say("retried", job);
            }
            Ok(Box::new(Done::default()))
        }
        Command::Pause(args) => {
            let change = PauseQueue { seconds: args.seconds };
            block_on(client.order::<PauseQueue>(app, &["queues", &args.queue, "pause"], &change))?;
            Ok(args.done(context))
        }
        Command::Drain(args) => {
            drain(&args, context, || Ok(queues()?.queues.into_iter().find(|queue| queue.name == args.queue)))
        }
    }
}

impl JobArgs {
    fn wanted(self) -> Wanted {
        self.job.map_or(Wanted::Failed(self.queue), Wanted::Number)
    }
}

impl PauseArgs {
    fn done(&self, context: &Context) -> Box<dyn Report> {
        let Self { queue, seconds } = self;
        let text = if *seconds == 0 { format!("`{queue}` goes on") } else { format!("`{queue}` for {seconds} s") };
        context.say("paused", text);
        Box::new(Done::default())
    }
}

fn retried(context: &Context, what: String) -> Box<dyn Report> {
    context.say("retried", what);
    Box::new(Done::default())
}

#[derive(Debug, Serialize, Deserialize)]
struct Queues {
    queues: Vec<Queue>,
}

#[derive(Debug, Serialize)]
#[serde(transparent)]
struct Shown(Job);

impl Text for Queues {
    fn text(&self, paint: Paint) -> String {
        let mut lines = vec![format!("{:24}{:>8}{:>10}{:>9}{:>8}", "", "ready", "reserved", "delayed", "failed")];
        lines.extend(self.queues.iter().map(|queue| {
            let Queue { name, ready, reserved, delayed, failed, paused_s, .. } = queue;
            let paused = if *paused_s > 0 { format!("  paused for {paused_s} s") } else { String::new() };
            format!("{}{ready:>8}{reserved:>10}{delayed:>9}{failed:>8}{paused}", paint.key(&format!("{name:24}")))
        }));
        lines.join("\n")
    }
}

impl Text for Shown {
    fn text(&self, paint: Paint) -> String {
        let Self(job) = self;
        let told = |key: &str| job.told.get(key).map(String::as_str).unwrap_or_default();
        let state = if told("state") == "buried" { "failed" } else { told("state") };
        let mut lines = vec![format!(
            "{}  {state}  in `{}`, {} s old",
            paint.key(&job.number.to_string()),
            told("tube"),
            told("age")
        )];
        match job.body["task"].as_str() {
            Some(task) => {
                lines.push(format!("task    {task}"));
                for part in ["args", "kwargs"] {
                    if let Some(value) = job.body.get(part) {
                        lines.push(format!("{part:8}{value}"));
                    }
                }
            }
            None => lines.push(format!("body    {}", job.body)),
        }
        if let Some(failure) = &job.failure {
            lines.push(format!("failed  {}, try {}", failure["error"].as_str().unwrap_or_default(), failure["tries"]));
            lines.extend(failure["traceback"].as_str().map(|text| text.trim_end().to_owned()));
        }
        lines.join("\n")
    }
}

fn drain(args: &DrainArgs, context: &Context, mut counts: impl FnMut() -> Result<Option<Queue>>) -> Outcome {
    let until = Instant::now() + Duration::from_secs(args.timeout.into());
    let mut pause = SHORTEST_PAUSE;
    loop {
        let counts = counts()?;
        let left = counts.as_ref().map_or(0, Queue::left);
        if left == 0 {
            context.say("drained", format!("`{}`", args.queue));
            return Ok(Box::new(Done::default()));
        }
        if Instant::now() > until {
            let problem = Problem::new("queue.not-drained", format!("{left} jobs are left in `{}`", args.queue));
            return Err(match counts {
                Some(counts) if counts.workers == 0 && counts.reserved == 0 => {
                    problem.because("no worker waits for them").hint("app.yaml names workers under `queues`")
                }
                _ => problem.try_running("dae queue list"),
            });
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// One task, by the worker's own program, told to end after it.
fn run_one(args: &RunArgs, app: &App, services: &Services, context: &Context) -> Outcome {
    let queue = app.manifest.queues.iter().find(|queue| queue.name == args.queue);
    let (retries, timeout) = queue.map_or((5, 60), |queue| (queue.retries, queue.timeout));
    let told = serde_json::json!({
        "root": app.root, "site": null, "environment": SDK, "process": "queue", "queue": args.queue,
        "retries": retries, "timeout": timeout, "once": true, "job": args.job,
    });
    let command = ["python", "-m", "dae.worker"].map(str::to_owned);
    let command = Prepared::new(context, app, "dev.yaml", &command, services)?;
    let exit = services.block_on(command.set("DAE_BOOT", Path::new(&told.to_string())).run())?;
    Ok(Box::new(Done { exit }))
}
