//! One run of a scheduled task: a script beside the app, or a request to the app itself.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use super::super::crew::{Leaves, Member};
use super::super::output::{LastLines, Source, listener};
use super::super::{Generation, Surroundings};
use super::store::Outcome;
use crate::app::{CronJob, Runs, Script};
use crate::gateway::{self, CRON_HEADER, Routes};
use crate::problem::{Doing as _, Problem, Result};
use crate::supervisor::{End, Heard, Process, Signal};

/// As much of a run's output as is kept, in bytes.
const KEPT: usize = 64 << 10;
/// An answer that has not come by then has failed.
const ANSWERED_WITHIN: Duration = Duration::from_mins(10);
/// What a process left behind may hold its output open: so long it is waited for.
const LAST_LINES: Duration = Duration::from_millis(500);

/// How a run ended.
pub(super) struct Ended {
    pub outcome: Outcome,
    pub code: Option<i32>,
    pub output: String,
}

/// What a run is done with.
#[derive(Clone)]
pub(super) struct Around {
    pub generation: Arc<Generation>,
    pub surroundings: Surroundings,
    pub routes: Arc<Routes>,
    pub host: String,
    pub stop: CancellationToken,
}

impl Around {
    /// Runs `job` for the time `due`.
    pub async fn run(&self, job: &CronJob, due: Timestamp) -> Ended {
        let ended = match &job.runs {
            Runs::Script(script) => self.script(job, script, due).await,
            Runs::Url(url) => self.url(job, url).await,
        };
        ended.unwrap_or_else(|problem| Ended { outcome: Outcome::Failed, code: None, output: problem.to_string() })
    }

    async fn script(&self, job: &CronJob, script: &Script, due: Timestamp) -> Result<Ended> {
        let Self { generation, surroundings, stop, .. } = self;
        let label = format!("cron.{}", job.name);
        let member = Member {
            label: label.clone(),
            program: "dae/script.py",
            config: serde_json::json!({ "words": script.words() }),
            env: vec![("DAE_CRON".into(), job.name.clone()), ("DAE_CRON_TIME".into(), due.to_string())],
            mem_limit: None,
            leaves: Leaves::AtOnce,
        };
        let source = Source { generation, number: None, process: &label };
        let mut hear = listener(source, surroundings, LastLines::default())?;
        let output = Arc::new(Mutex::new(String::new()));
        // Gone with the last writer.
        let (open, closed) = oneshot::channel::<()>();
        let (heard, secrets) = (output.clone(), generation.secrets.clone());
        let hear = move |came: Heard<'_>| {
            let _ = &open;
            if let Heard::Line(line) = &came {
                let mut line = console::strip_ansi_codes(line).into_owned();
                secrets.hide(&mut line);
                keep(&mut heard.lock().unwrap_or_else(PoisonError::into_inner), &line);
            }
            hear(came);
        };
        let spec = member.spec(generation, &surroundings.settings);
        let process = Process::start(&spec, hear).doing(|| format!("start `{}`", spec.program.display()))?;
        let end = tokio::select! {
            end = process.ended() => Some(end),
            () = stop.cancelled() => None,
        };
        let Some(end) = end else {
            process.stop(Signal::SIGTERM, surroundings.settings.rollout.end_within).await;
            let output = output.lock().unwrap_or_else(PoisonError::into_inner).clone();
            return Ok(Ended { outcome: Outcome::Lost, code: None, output });
        };
        let _ = tokio::time::timeout(LAST_LINES, closed).await;
        let output = output.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let (outcome, code) = match end {
            End::Code(0) => (Outcome::Good, 0),
            End::Code(code) => (Outcome::Failed, code),
            End::Signal(signal) => (Outcome::Failed, -signal),
        };
        Ok(Ended { outcome, code: Some(code), output })
    }

    async fn url(&self, job: &CronJob, url: &str) -> Result<Ended> {
        let failed = |what: &str| Problem::new("cron.url", format!("`{url}` {what}"));
        let asked = async {
            // What answers stays while it does.
            let lease = self.routes.lease(&self.host, ANSWERED_WITHIN, None).await;
            let lease = lease.map_err(|_| failed("could not be asked: nothing serves the app"))?;
            gateway::ask(&lease.upstream, &self.host, url, &[(CRON_HEADER, &job.name)])
                .await
                .map_err(|error| failed("was not answered").because(error))
        };
        let (status, body) = tokio::select! {
            asked = tokio::time::timeout(ANSWERED_WITHIN, asked) => asked.map_err(|_| failed("was not answered within ten minutes"))??,
            () = self.stop.cancelled() => {
                return Ok(Ended { outcome: Outcome::Lost, code: None, output: String::new() });
            }
        };
        let outcome = if status.is_success() { Outcome::Good } else { Outcome::Failed };
        let mut output = String::from_utf8_lossy(&body).into_owned();
        self.generation.secrets.hide(&mut output);
        Ok(Ended { outcome, code: Some(i32::from(status.as_u16())), output })
    }
}

/// Adds a line; what is too much goes from the front.
fn keep(output: &mut String, line: &str) {
    output.push_str(line);
    output.push('\n');
    if output.len() > 2 * KEPT {
        let mut from = output.len() - KEPT;
        while !output.is_char_boundary(from) {
            from += 1;
        }
        output.drain(..from);
    }
}
