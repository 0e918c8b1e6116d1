//! Commands that run once with a release's code: the release command, before anything of the release is applied, and whatever
//! `dae run` is asked for.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::api::{Api, Over, folder, path};
use super::history::{History, Record, escaped};
use super::job::{Ended, Listen};
use super::manifests::{KIND, Wanted, once, permdir, selector};
use super::rollout::Rollout;
use super::word::Word;
use crate::app::AppName;
use crate::problem::{Problem, Result};
use crate::remote::api::{ReleaseId, RunId};
use crate::remote::client::exit;
use crate::remote::reference::Reference;

/// How long a release command may take, as on a node.
const COMMAND_WITHIN: Duration = Duration::from_mins(30);
const LAST_LINES: usize = 100;
const RUN: &str = "run";
const NUMBER: &str = "dae.dev/run";
/// Others may take numbers at the same time.
const TRIES: usize = 5;

impl Record {
    pub(super) fn wanted<'a>(&'a self, api: &'a Api, app: &'a AppName, image: &'a Reference) -> Result<Wanted<'a>> {
        let source = self.source.as_ref().ok_or_else(|| unknown_source(self.release.id))?;
        Ok(Wanted { app, cluster: &api.cluster, image, source })
    }
}

/// Of a release that an earlier dae made.
pub(super) fn unknown_source(id: ReleaseId) -> Problem {
    Problem::new("release.source", format!("{id} does not say what it was made of"))
        .because("an earlier dae deployed it")
        .try_running("dae deploy")
        .exit(exit::REFUSED)
}

impl Rollout<'_> {
    /// The release command of new code; nothing for what has run before.
    pub(super) async fn command(&self, record: &Record, live: Option<ReleaseId>) -> Result<()> {
        let id = record.release.id;
        let script = record.source.as_ref().and_then(|source| source.manifest.release.as_ref());
        let Some(script) = script.filter(|_| record.release.repeats.is_none()) else { return Ok(()) };
        if let Some(live) = live
            && self.history().record(live).await?.is_some_and(|live| live.release.image == record.release.image)
        {
            return Ok(());
        }
        let start = Instant::now();
        let image = Reference::parse(&record.release.image)?;
        let wanted = record.wanted(self.api, self.app, &image)?;
        // What holds data stays whatever comes of the release, and its pod waits for it.
        if let Some(claim) = permdir(&wanted) {
            self.apply(&claim, self.terms.over).await?;
        }
        let job = once(&wanted, &format!("release-{id}"), "release", script.words());
        self.apply(&job, Over::Anybody).await?;
        let mut last = VecDeque::new();
        let mut hear = |line: String| {
            if last.len() == LAST_LINES {
                last.pop_front();
            }
            last.push_back(line.clone());
            (self.tell)(Word::Said(line));
        };
        let listen = Listen { api: self.api, job: &job, within: Some(COMMAND_WITHIN) };
        let ended = listen.to_its_end(&mut hear, async || self.still_ours(id).await.map(drop)).await;
        let failed = |why: &dyn std::fmt::Display| {
            Problem::new("release.command", format!("the release command `{}` failed", script.as_str()))
                .because(why)
                .detail(last.iter().map(String::as_str).collect::<Vec<_>>().join("\n"))
                .hint("no code was switched; what the command did itself is done")
                .exit(exit::COMMAND)
        };
        match ended {
            Ok(Ended { code: 0, .. }) => {
                (self.tell)(Word::Commanded { script: script.as_str().to_owned(), took: start.elapsed() });
                Ok(())
            }
            Ok(Ended { why: Some(why), .. }) => Err(failed(&why)),
            Ok(Ended { code, .. }) => Err(failed(&format!("it ended with code {code}"))),
            Err(problem) => {
                // The next one's must not run beside it.
                if problem.exit != exit::UNREACHABLE {
                    let _ = self.api.delete(&path(&job)).await;
                }
                let is_ours = [exit::UNREACHABLE, exit::OVERTAKEN, exit::REFUSED].contains(&problem.exit);
                Err(if is_ours { problem } else { failed(&problem) })
            }
        }
    }
}

/// A command of `dae run`.
pub struct Run {
    pub id: RunId,
    pub release: ReleaseId,
    job: Value,
}

/// One-off commands of an app.
pub struct Runs<'a> {
    pub api: &'a Api,
    pub app: &'a AppName,
}

impl Runs<'_> {
    fn name(&self, id: RunId) -> String {
        format!("{}-{id}", self.app.host())
    }

    /// Starts `words` with the code of `release`, or of the live one.
    pub async fn start(&self, words: &[String], release: Option<ReleaseId>) -> Result<Run> {
        let history = History { api: self.api, app: self.app };
        let live = history.head().await?.head.live;
        let id = release.or(live).ok_or_else(|| {
            Problem::new("release.none-live", format!("nothing of `{}` is live on `{}`", self.app, self.api.remote))
                .try_running("dae deploy")
        })?;
        let record = history
            .record(id)
            .await?
            .ok_or_else(|| Problem::new("release.unknown", format!("{id} is not kept")).try_running("dae releases"))?;
        let image = Reference::parse(&record.release.image)?;
        let wanted = record.wanted(self.api, self.app, &image)?;
        let jobs = folder("Job", self.api.namespace());
        let ours = escaped(&format!("{},{KIND}={RUN}", selector(self.app)));
        let mut tries = 0..TRIES;
        loop {
            let found = self.api.get(&format!("{jobs}?labelSelector={ours}")).await;
            let found = found.map_err(|failure| self.api.problem("list the runs", failure))?;
            let number = |job: &Value| job["metadata"]["labels"][NUMBER].as_str()?.parse::<u64>().ok();
            let last = found["items"].as_array().into_iter().flatten().filter_map(number).max().unwrap_or(0);
            let run = RunId(last + 1);
            let mut job = once(&wanted, &run.to_string(), RUN, words);
            job["metadata"]["labels"][NUMBER] = json!(run.0.to_string());
            match self.api.create(&jobs, &job).await {
                Ok(_) => return Ok(Run { id: run, release: id, job }),
                Err(failure) if failure.code() == 409 && tries.next().is_some() => {}
                Err(failure) => return Err(self.api.problem(&format!("start {run}"), failure)),
            }
        }
    }

    /// One that was started before.
    pub async fn find(&self, id: RunId) -> Result<Run> {
        let path = format!("{}/{}", folder("Job", self.api.namespace()), self.name(id));
        let found = self.api.find(&path).await.map_err(|failure| self.api.problem(&format!("find {id}"), failure))?;
        let job = found.ok_or_else(|| {
            Problem::new("run.unknown", format!("`{}` has no {id} here", self.app))
                .because("a cluster keeps a run for a day after its end")
                .try_running("dae ps")
        })?;
        let release = job["metadata"]["labels"][super::manifests::RELEASE].as_str().and_then(|text| text.parse().ok());
        Ok(Run { id, release: release.unwrap_or(ReleaseId(0)), job })
    }

    /// From its beginning to its end.
    pub async fn follow(&self, run: &Run, hear: &mut (dyn FnMut(String) + Send)) -> Result<Ended> {
        Listen { api: self.api, job: &run.job, within: None }.to_its_end(hear, async || Ok(())).await
    }

    pub async fn end(&self, run: &Run) -> Result<()> {
        let ended = self.api.delete(&path(&run.job)).await;
        ended.map_err(|failure| self.api.problem(&format!("end {}", run.id), failure))
    }
}
