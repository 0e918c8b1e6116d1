//! What a person asks of the queues of an app, here and from elsewhere: how many jobs are in each, one job with what it
//! failed by, another try.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::client::{Client, Seen};
use super::command::Name;
use crate::problem::{Problem, Result};

/// Tubes that `dae.api.mq` keeps things in; no queues of the app's.
const OWN: &[&str] = &["dae.result.", "dae.once.", "dae.failed."];
/// No more notes of failures are looked through for one job's.
const MOST_NOTES: usize = 10_000;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Queue {
    #[serde(rename = "queue")]
    pub name: String,
    pub ready: u64,
    pub reserved: u64,
    pub delayed: u64,
    pub failed: u64,
    /// Connections that wait for a job of it.
    pub workers: u64,
    pub paused_s: u64,
}

impl Queue {
    /// Jobs that are still to be done.
    pub fn left(&self) -> u64 {
        self.ready + self.reserved + self.delayed
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Job {
    #[serde(rename = "job")]
    pub number: u64,
    /// What was put: a task, or the text of another job.
    pub body: Value,
    /// The last failure: `error`, `traceback`, `tries`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Value>,
    /// What `stats-job` tells of it.
    #[serde(flatten)]
    pub told: BTreeMap<String, String>,
}

/// Which job is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    Number(u64),
    /// The one of this queue that failed first.
    Failed(String),
}

/// A queue's name in a command: nothing that would be another command.
fn named(queue: &str) -> Result<&str> {
    if Name::parse(queue.as_bytes()).is_some() {
        return Ok(queue);
    }
    Err(Problem::new("queue.name", format!("`{}` is no name of a queue", queue.escape_debug()))
        .hint("it has up to 200 letters, digits and `-+/;.$_()`, and does not begin with `-`"))
}

pub fn no_queue(queue: &str) -> Problem {
    Problem::new("queue.unknown", format!("there is no queue `{queue}` at the moment"))
        .hint("a queue is there while it has jobs, or workers")
}

/// There is no such job.
pub fn missing(wanted: &Wanted) -> Problem {
    match wanted {
        Wanted::Number(job) => {
            Problem::new("queue.no-job", format!("there is no job {job}")).try_running("dae queue list")
        }
        Wanted::Failed(queue) => Problem::new("queue.none", format!("nothing failed in the queue `{queue}`")),
    }
}

/// Those of the app, by their names.
pub fn list(client: &mut Client) -> Result<Vec<Queue>> {
    let mut queues = Vec::new();
    for name in client.tubes()? {
        if !OWN.iter().any(|own| name.starts_with(own)) {
            queues.extend(counts(client, &name)?);
        }
    }
    Ok(queues)
}

/// None: there is no such queue at the moment.
pub fn counts(client: &mut Client, queue: &str) -> Result<Option<Queue>> {
    let Some(pairs) = client.pairs(&format!("stats-tube {}", named(queue)?))? else { return Ok(None) };
    let pairs: BTreeMap<String, String> = pairs.into_iter().collect();
    let count = |key: &str| pairs.get(key).and_then(|value| value.parse().ok()).unwrap_or_default();
    Ok(Some(Queue {
        name: queue.to_owned(),
        ready: count("current-jobs-ready"),
        reserved: count("current-jobs-reserved"),
        delayed: count("current-jobs-delayed"),
        failed: count("current-jobs-buried"),
        workers: count("current-waiting"),
        paused_s: count("pause-time-left"),
    }))
}

pub fn show(client: &mut Client, wanted: &Wanted) -> Result<Job> {
    let seen = match wanted {
        Wanted::Number(job) => client.peek(&format!("peek {job}"))?,
        Wanted::Failed(queue) => {
            client.ask(&format!("use {}", named(queue)?))?;
            client.peek("peek-buried")?
        }
    };
    let Some(Seen { id, body }) = seen else { return Err(missing(wanted)) };
    let pairs = client.pairs(&format!("stats-job {id}"))?.unwrap_or_default();
    let told: BTreeMap<String, String> = pairs.into_iter().filter(|(key, _)| key != "id").collect();
    let body = serde_json::from_slice(&body).unwrap_or_else(|_| String::from_utf8_lossy(&body).into_owned().into());
    let tube = told.get("tube").cloned().unwrap_or_default();
    let failure = failure(client, &tube, id)?.map(|(_, failure)| failure);
    Ok(Job { number: id, body, failure, told })
}

/// A connection to the notes of what failed in a queue alone, which are let go with its end; none: their name would be too
/// long, so there are none.
fn notes(client: &Client, queue: &str) -> Result<Option<Client>> {
    let mut own = client.again()?;
    if own.ask(&format!("watch dae.failed.{queue}"))?[0] != "WATCHING" {
        return Ok(None);
    }
    own.ask("ignore default")?;
    Ok(Some(own))
}

/// What the worker noted of the last failure of a job, and the number of that note.
fn failure(client: &Client, queue: &str, job: u64) -> Result<Option<(u64, Value)>> {
    let Some(mut own) = notes(client, queue)? else { return Ok(None) };
    let mut found = None;
    // Looked at one by one: reserved, so that the next one comes.
    for _ in 0..MOST_NOTES {
        let Some(Seen { id, body }) = own.peek("reserve-with-timeout 0")? else { break };
        let Ok(note) = serde_json::from_slice::<Value>(&body) else { continue };
        if note["job"] == job {
            found = Some((id, note));
        }
    }
    Ok(found)
}

/// Puts a failed job back.
pub fn retry(client: &mut Client, job: u64) -> Result<()> {
    let told = client.pairs(&format!("stats-job {job}"))?;
    let tube = told.and_then(|pairs| pairs.into_iter().find(|(key, _)| key == "tube").map(|(_, tube)| tube));
    let Some(tube) = tube else { return Err(missing(&Wanted::Number(job))) };
    if client.ask(&format!("kick-job {job}"))?[0] != "KICKED" {
        return Err(Problem::new("queue.not-failed", format!("the job {job} has not failed and waits for nothing"))
            .try_running(format!("dae queue show {job}")));
    }
    if let Some((note, _)) = failure(client, &tube, job)? {
        // Its reservation has gone with the connection; another may just hold it.
        client.ask(&format!("delete {note}"))?;
    }
    Ok(())
}

/// Puts all failed jobs of a queue back; the answer is how many.
pub fn retry_all(client: &mut Client, queue: &str) -> Result<u64> {
    client.ask(&format!("use {}", named(queue)?))?;
    // A kick that finds nothing buried would take delayed jobs instead.
    let failed = counts(client, queue)?.map_or(0, |counts| counts.failed);
    if failed > 0 {
        client.ask(&format!("kick {failed}"))?;
    }
    if let Some(mut own) = notes(client, queue)? {
        while let Some(note) = own.peek("reserve-with-timeout 0")? {
            own.ask(&format!("delete {}", note.id))?;
        }
    }
    Ok(failed)
}

/// Gives no jobs of a queue out for so long; 0 ends a pause.
pub fn pause(client: &mut Client, queue: &str, seconds: u32) -> Result<()> {
    match client.ask(&format!("pause-tube {} {seconds}", named(queue)?))?[0].as_str() {
        "PAUSED" => Ok(()),
        _ => Err(no_queue(queue)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_no_command() {
        assert!(named("a-b.c").is_ok());
        for name in ["", "-a", "a b", "a\r\ndelete 1", &"x".repeat(201)] {
            assert_eq!(named(name).unwrap_err().code, "queue.name", "{name}");
        }
    }

    #[test]
    fn a_job_is_read_as_it_is_told() {
        let told = [("state".to_owned(), "buried".to_owned()), ("tube".into(), "default".into())].into();
        let job = Job { number: 7, body: "any text".into(), failure: None, told };
        let json = serde_json::to_value(&job).unwrap();
        assert_eq!((&json["job"], &json["state"]), (&7.into(), &"buried".into()));
        assert_eq!(serde_json::from_value::<Job>(json).unwrap(), job);
    }
}
