//! `dae queue`.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use serde::Serialize;
use serde_json::Value;

use super::run::Prepared;
use super::services::Services;
use super::{Context, Outcome};
use crate::app::App;
use crate::dev_server::local::SDK;
use crate::problem::{Problem, Result};
use crate::services::queue::{Client, Seen};
use crate::term::{Done, Paint, Text};

/// What waits, what is under way and what failed in the app's task queues
///
/// It speaks to the queue of the `dae serve` that runs, or of this app's data; or to the server that dev.yaml names.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    pub command: Command,
}

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

/// Tubes that `dae.api.mq` keeps things in; no queues of the app's.
const OWN: &[&str] = &["dae.result.", "dae.once.", "dae.failed."];

pub fn run(args: Args, context: &Context) -> Outcome {
    if let Some(exit) = super::foreground::guard()? {
        return Ok(Box::new(Done { exit }));
    }
    let app = context.app()?;
    let services = Services::open(context, &app)?;
    let done = services.variable(&app, "DAE_QUEUE").and_then(|address| {
        let client = Client::connect(address.split(',').next().unwrap_or_default())?;
        act(args.command, client, &app, &services, context)
    });
    services.end(context);
    done
}

fn act(command: Command, mut client: Client, app: &App, services: &Services, context: &Context) -> Outcome {
    match command {
        Command::List => list(&mut client),
        Command::Show(args) => show(&args, &mut client),
        Command::Run(args) => run_one(&args, app, services, context),
        Command::Retry(args) => retry(&args, &mut client, context),
        Command::Pause(args) => pause(&args, &mut client, context),
        Command::Drain(args) => drain(&args, &mut client, context),
    }
}

#[derive(Debug, Serialize)]
struct Queues {
    queues: Vec<Queue>,
}

#[derive(Debug, Serialize)]
struct Queue {
    #[serde(rename = "queue")]
    name: String,
    ready: u64,
    reserved: u64,
    delayed: u64,
    failed: u64,
    /// Connections that wait for a job of it.
    workers: u64,
    paused_s: u64,
}

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

fn list(client: &mut Client) -> Outcome {
    let mut queues = Vec::new();
    for name in client.tubes()? {
        if !OWN.iter().any(|own| name.starts_with(own)) {
            queues.extend(counts(client, &name)?);
        }
    }
    Ok(Box::new(Queues { queues }))
}

fn counts(client: &mut Client, name: &str) -> Result<Option<Queue>> {
    let Some(pairs) = client.pairs(&format!("stats-tube {name}"))? else { return Ok(None) };
    let pairs: BTreeMap<String, String> = pairs.into_iter().collect();
    let count = |key: &str| pairs.get(key).and_then(|value| value.parse().ok()).unwrap_or_default();
    Ok(Some(Queue {
        name: name.to_owned(),
        ready: count("current-jobs-ready"),
        reserved: count("current-jobs-reserved"),
        delayed: count("current-jobs-delayed"),
        failed: count("current-jobs-buried"),
        workers: count("current-waiting"),
        paused_s: count("pause-time-left"),
    }))
}

#[derive(Debug, Serialize)]
struct Job {
    #[serde(rename = "job")]
    number: u64,
    #[serde(flatten)]
    told: BTreeMap<String, String>,
    /// What was put: a task, or the text of another job.
    body: Value,
    /// The last failure: `error`, `traceback`, `tries`.
    #[serde(skip_serializing_if = "Option::is_none")]
    failure: Option<Value>,
}

impl Text for Job {
    fn text(&self, paint: Paint) -> String {
        let told = |key: &str| self.told.get(key).map(String::as_str).unwrap_or_default();
        let state = if told("state") == "buried" { "failed" } else { told("state") };
        let mut lines = vec![format!(
            "{}  {state}  in `{}`, {} s old",
            paint.key(&self.number.to_string()),
            told("tube"),
            told("age")
        )];
        match self.body["task"].as_str() {
            Some(task) => {
                lines.push(format!("task    {task}"));
                for part in ["args", "kwargs"] {
                    if let Some(value) = self.body.get(part) {
                        lines.push(format!("{part:8}{value}"));
                    }
                }
            }
            None => lines.push(format!("body    {}", self.body)),
        }
        if let Some(failure) = &self.failure {
            lines.push(format!("failed  {}, try {}", failure["error"].as_str().unwrap_or_default(), failure["tries"]));
            lines.extend(failure["traceback"].as_str().map(|text| text.trim_end().to_owned()));
        }
        lines.join("\n")
    }
}

fn show(args: &JobArgs, client: &mut Client) -> Outcome {
    let seen = if let Some(job) = args.job {
        client.peek(&format!("peek {job}"))?
    } else {
        client.ask(&format!("use {}", args.queue))?;
        client.peek("peek-buried")?
    };
    let Some(Seen { id, body }) = seen else {
        return Err(match args.job {
            Some(job) => no_job(job),
            None => Problem::new("queue.none", format!("nothing failed in the queue `{}`", args.queue)),
        });
    };
    let told: BTreeMap<String, String> = client
        .pairs(&format!("stats-job {id}"))?
        .unwrap_or_default()
        .into_iter()
        .filter(|(key, _)| key != "id")
        .collect();
    let body = serde_json::from_slice(&body).unwrap_or_else(|_| String::from_utf8_lossy(&body).into_owned().into());
    let tube = told.get("tube").cloned().unwrap_or_default();
    let failure = failure(client, &tube, id)?.map(|(_, failure)| failure);
    Ok(Box::new(Job { number: id, told, body, failure }))
}

fn no_job(job: u64) -> Problem {
    Problem::new("queue.no-job", format!("there is no job {job}")).try_running("dae queue list")
}

/// What the worker noted of the last failure of a job, and the number of that note.
fn failure(client: &mut Client, tube: &str, job: u64) -> Result<Option<(u64, Value)>> {
    let notes = format!("dae.failed.{tube}");
    let Some(count) = counts(client, &notes)? else { return Ok(None) };
    let mut found = None;
    // Notes are looked at one by one: reserved, so that the next one comes, and let go with this connection's end.
    let mut own = client.again()?;
    own.ask(&format!("watch {notes}"))?;
    own.ask("ignore default")?;
    for _ in 0..count.ready.min(10_000) {
        let Some(Seen { id, body }) = own.peek("reserve-with-timeout 0")? else { break };
        let Ok(note) = serde_json::from_slice::<Value>(&body) else { continue };
        if note["job"] == job {
            found = Some((id, note));
        }
    }
    Ok(found)
}

fn retry(args: &RetryArgs, client: &mut Client, context: &Context) -> Outcome {
    if let Some(queue) = &args.all {
        client.ask(&format!("use {queue}"))?;
        // A kick that finds nothing buried would take delayed jobs instead.
        let failed = counts(client, queue)?.map_or(0, |counts| counts.failed);
        if failed > 0 {
            client.ask(&format!("kick {failed}"))?;
        }
        let notes = format!("dae.failed.{queue}");
        let mut own = client.again()?;
        own.ask(&format!("watch {notes}"))?;
        own.ask("ignore default")?;
        while let Some(note) = own.peek("reserve-with-timeout 0")? {
            own.ask(&format!("delete {}", note.id))?;
        }
        context.say("retried", format!("{failed} jobs of `{queue}`"));
        return Ok(Box::new(Done::default()));
    }
    for job in &args.jobs {
        let tube = client
            .pairs(&format!("stats-job {job}"))?
            .and_then(|pairs| pairs.into_iter().find(|(key, _)| key == "tube").map(|(_, tube)| tube));
        let Some(tube) = tube else { return Err(no_job(*job)) };
        if client.ask(&format!("kick-job {job}"))?[0] != "KICKED" {
            return Err(Problem::new(
                "queue.not-failed",
                format!("the job {job} has not failed and waits for nothing"),
            )
            .try_running(format!("dae queue show {job}")));
        }
        if let Some((note, _)) = failure(client, &tube, *job)? {
            // Its reservation has gone with the connection; another may just hold it.
            client.ask(&format!("delete {note}"))?;
        }
        context.say("retried", job.to_string());
    }
    Ok(Box::new(Done::default()))
}

fn pause(args: &PauseArgs, client: &mut Client, context: &Context) -> Outcome {
    let PauseArgs { queue, seconds } = args;
    match client.ask(&format!("pause-tube {queue} {seconds}"))?[0].as_str() {
        "PAUSED" => {
            let text = if *seconds == 0 { format!("`{queue}` goes on") } else { format!("`{queue}` for {seconds} s") };
            context.say("paused", text);
            Ok(Box::new(Done::default()))
        }
        _ => Err(Problem::new("queue.unknown", format!("there is no queue `{queue}` at the moment"))
            .hint("a queue is there while it has jobs, or workers")),
    }
}

fn drain(args: &DrainArgs, client: &mut Client, context: &Context) -> Outcome {
    let until = Instant::now() + Duration::from_secs(args.timeout.into());
    loop {
        let counts = counts(client, &args.queue)?;
        let left = counts.as_ref().map_or(0, |counts| counts.ready + counts.reserved + counts.delayed);
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
        std::thread::sleep(Duration::from_millis(50));
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
