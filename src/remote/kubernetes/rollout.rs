//! A release on a cluster, from the first object to the verdict. Whoever does this may be killed at any step: the head names the
//! last good release until the new one is known to be good, and the next deploy goes on from there.

use std::time::{Duration, Instant};

use serde_json::Value;

use super::api::{Api, Over, Try, folder, path, told};
use super::history::{Head, Held, History, Record, escaped};
use super::manifests::{GRAY, RELEASE, Source};
use super::room::Room;
use super::route::{dressed, is_route};
use super::verdict::{Verdict, judge};
use super::word::Word;
use crate::app::AppName;
use crate::problem::{Problem, Result};
use crate::remote::api::{Release, ReleaseId, ReleaseState};
use crate::remote::client::exit;
use crate::remote::deploy::seconds;

pub type Tell<'a> = &'a (dyn Fn(Word) + Sync);

/// How a release is brought there.
#[derive(Debug, Clone, Copy)]
pub struct Terms {
    pub over: Over,
    /// How long the pods may take.
    pub within: Duration,
}

/// A release that is live now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arrived {
    pub release: ReleaseId,
    /// The cluster's part of the time.
    pub waited: Duration,
}

/// One app on one cluster.
pub struct Rollout<'a> {
    pub api: &'a Api,
    pub app: &'a AppName,
    pub tell: Tell<'a>,
    pub terms: Terms,
}

/// At most so long between two looks, whatever a watch says.
const LOOK: Duration = Duration::from_secs(5);
const LOG_LINES: usize = 100;

/// The order of things that wait for each other: what serves comes before what works beside it.
fn is_beside(object: &Value) -> bool {
    let component =
        object["spec"]["selector"]["matchLabels"]["app.kubernetes.io/component"].as_str().unwrap_or_default();
    object["kind"] == "CronJob" || component.starts_with("daemon-") || component.starts_with("queue-")
}

/// The release of the pods that a Deployment asks for.
fn released(deployment: &Value) -> &Value {
    &deployment["spec"]["template"]["metadata"]["labels"][RELEASE]
}

impl Rollout<'_> {
    pub fn history(&self) -> History<'_> {
        History { api: self.api, app: self.app }
    }

    /// Takes the next number, and says that it is being brought there. Whoever was at it learns that it is superseded.
    pub async fn begin(&self, held: &Held) -> Result<(ReleaseId, Held)> {
        let id = ReleaseId(held.head.newest + 1);
        let next = Head { starting: Some(id), newest: id.0, ..held.head.clone() };
        Ok((id, self.history().swap(held, next).await?))
    }

    /// Brings a kept release there and waits for the verdict; what was good before is put back on a bad one.
    /// `secrets` go before everything else.
    pub async fn run(&self, record: &mut Record, held: Held, secrets: &[Value]) -> Result<Arrived> {
        let id = record.release.id;
        let outcome = self.bring(record, &held.head, secrets).await;
        match outcome {
            Ok(waited) => {
                self.conclude(record, &held.head).await?;
                Ok(Arrived { release: id, waited })
            }
            Err(problem) => Err(self.ended(record, &held.head, problem).await),
        }
    }

    /// A bad end: what it leaves depends on how far it came.
    async fn ended(&self, record: &mut Record, before: &Head, problem: Problem) -> Problem {
        let id = record.release.id;
        match problem.exit {
            // It is another one's now: what that one does must not be undone.
            exit::OVERTAKEN if problem.code == "release.superseded" => problem,
            // Nobody can be asked: what was applied goes on by itself, and can be followed again.
            exit::UNREACHABLE => problem.try_running(format!("dae deploy --attach {id}")),
            // Nothing was applied.
            exit::COMMAND => self.failed(record, before.live, problem).await,
            _ => self.undo(record, before, problem).await,
        }
    }

    /// Says that it is live, and takes away what only the one before had.
    async fn conclude(&self, record: &mut Record, before: &Head) -> Result<()> {
        let id = record.release.id;
        let history = self.history();
        let arrived = |head: &Head| {
            let is_it = head.starting == Some(id);
            is_it.then(|| Head { live: Some(id), starting: None, gray: None, env_of: None, ..head.clone() })
        };
        let changed = history.change(arrived).await.map_err(|problem| overtaken(id, problem))?;
        let head = changed.ok_or_else(|| superseded(id, None))?.head;
        record.release.state = ReleaseState::Live;
        history.keep(record).await?;
        if before.gray.is_some() {
            self.route(record, &head).await?;
        }
        if self.api.cluster.gateway.is_some() {
            // Whoever tried one may have been killed before it was known.
            self.remove_gray().await;
        }
        self.prune(record, before.live).await;
        history.tidy().await;
        Ok(())
    }

    async fn bring(&self, record: &Record, before: &Head, secrets: &[Value]) -> Result<Duration> {
        let start = Instant::now();
        for secret in secrets {
            self.apply(secret, self.terms.over).await?;
        }
        // What was tried has had its command.
        if before.gray.as_ref().is_none_or(|gray| gray.release != record.release.id) {
            self.command(record, before.live).await?;
        }
        let (beside, first): (Vec<&Value>, Vec<&Value>) = record.objects.iter().partition(|object| is_beside(object));
        let mut waited = Duration::ZERO;
        let mut applying = start.elapsed();
        for (number, objects) in [first, beside].into_iter().enumerate() {
            let start = Instant::now();
            let head = self.still_ours(record.release.id).await?;
            for object in &objects {
                self.apply(&dressed(object, &head), self.terms.over).await?;
            }
            applying += start.elapsed();
            if number == 0 || !objects.is_empty() {
                (self.tell)(Word::Applied { objects: objects.len(), took: applying });
            }
            applying = Duration::ZERO;
            for object in objects.iter().filter(|object| object["kind"] == "Deployment") {
                waited += self.wait(object, record.release.id).await?;
            }
        }
        Ok(waited)
    }

    /// Applies how requests come in, as the head has it now.
    pub(super) async fn route(&self, record: &Record, head: &Head) -> Result<()> {
        for object in record.objects.iter().filter(|object| is_route(object)) {
            self.apply(&dressed(object, head), Over::Anybody).await?;
        }
        Ok(())
    }

    /// What cannot be taken away now, the next deploy takes away.
    pub(super) async fn remove_gray(&self) {
        let name = format!("{}-{GRAY}", self.app.host());
        for kind in ["Deployment", "Service"] {
            let _ = self.api.delete(&format!("{}/{name}", folder(kind, self.api.namespace()))).await;
        }
    }

    pub(super) async fn apply(&self, object: &Value, over: Over) -> Result<Value> {
        let applied = self.api.apply(object, over, Try::Run).await;
        applied.map_err(|failure| self.api.problem(&format!("apply {}", told(object)), failure))
    }

    /// Until a Deployment has arrived, or never will.
    pub(super) async fn wait(&self, wanted: &Value, id: ReleaseId) -> Result<Duration> {
        let start = Instant::now();
        let namespace = self.api.namespace();
        let what = wanted["metadata"]["name"].as_str().unwrap_or_default().to_owned();
        let labels = wanted["spec"]["selector"]["matchLabels"].as_object().cloned().unwrap_or_default();
        let selector: Vec<String> =
            labels.iter().map(|(name, value)| format!("{name}={}", value.as_str().unwrap_or_default())).collect();
        let pods_path = format!("/api/v1/namespaces/{namespace}/pods?labelSelector={}", escaped(&selector.join(",")));
        let doing = |failure| self.api.problem(&format!("watch {}", told(wanted)), failure);
        let mut last = None;
        let (mut room, mut crowded) = (Room::default(), None);
        loop {
            // First of all: what another one has brought there must not pass for this.
            self.still_ours(id).await?;
            let pods = self.api.get(&pods_path).await.map_err(doing)?;
            let found = self.api.find(&path(wanted)).await.map_err(doing)?.unwrap_or_default();
            if found.is_null() {
                return Err(Problem::new(
                    "kubernetes.gone",
                    format!("{} was taken away while it was watched", told(wanted)),
                )
                .exit(exit::UNHEALTHY));
            }
            let items = pods["items"].as_array().map(Vec::as_slice).unwrap_or_default();
            if released(&found) != released(wanted) {
                // By one who did not know yet that this one is on its way.
                self.apply(wanted, Over::Anybody).await?;
                continue;
            }
            let verdict = judge(wanted, &found, items);
            if !matches!(verdict, Verdict::Crowded { .. }) {
                (room, crowded) = (Room::default(), None);
            }
            match verdict {
                Verdict::Good { pods } => {
                    (self.tell)(Word::Rolled { what, pods, took: start.elapsed() });
                    return Ok(start.elapsed());
                }
                Verdict::Crowded { problem, pod } => {
                    if room.is_hopeless(self.api, &pod).await {
                        return Err(*problem);
                    }
                    if crowded.is_none() {
                        (self.tell)(Word::Crowded { why: problem.causes.join("; ") });
                    }
                    crowded = Some(problem);
                }
                Verdict::Bad { problem, pod } => {
                    let lines = match pod {
                        Some(pod) => self.last_lines(&pod).await,
                        None => String::new(),
                    };
                    return Err(problem.detail(lines));
                }
                Verdict::Waiting { ready, of } if last != Some((ready, of)) => {
                    last = Some((ready, of));
                    (self.tell)(Word::Waiting { what: what.clone(), ready, of });
                }
                Verdict::Waiting { .. } => {}
            }
            if start.elapsed() > self.terms.within {
                if let Some(problem) = crowded {
                    return Err(*problem);
                }
                let pod = items.iter().find_map(|pod| pod["metadata"]["name"].as_str());
                let lines = match pod {
                    Some(pod) => self.last_lines(pod).await,
                    None => String::new(),
                };
                return Err(Problem::new(
                    "app.slow",
                    format!("{what} was not ready within {}", seconds(self.terms.within)),
                )
                .detail(lines)
                .hint("look for something at import that waits: a connection, a lock, a download"));
            }
            let version = pods["metadata"]["resourceVersion"].as_str().unwrap_or("0");
            let left = self.terms.within.saturating_sub(start.elapsed()).clamp(Duration::from_millis(100), LOOK);
            self.api.stir(&pods_path, version, left).await;
        }
    }

    /// The head, where it is still this one that is being brought there.
    pub(super) async fn still_ours(&self, id: ReleaseId) -> Result<Head> {
        let head = self.history().head().await?.head;
        if head.starting == Some(id) { Ok(head) } else { Err(superseded(id, head.starting.or(head.live))) }
    }

    /// The last lines of a pod, of the container before this one where it has said nothing yet.
    async fn last_lines(&self, pod: &str) -> String {
        let path =
            format!("/api/v1/namespaces/{}/pods/{pod}/log?container=app&tailLines={LOG_LINES}", self.api.namespace());
        let now = self.api.text(&path).await.unwrap_or_default();
        if !now.trim().is_empty() {
            return now;
        }
        self.api.text(&format!("{path}&previous=true")).await.unwrap_or_default()
    }

    /// Puts the last good release back, and keeps why this one failed.
    async fn undo(&self, record: &mut Record, before: &Head, mut problem: Problem) -> Problem {
        if problem.exit == 1 {
            problem.exit = exit::UNHEALTHY;
        }
        let live = match before.live {
            Some(live) => self.history().record(live).await.ok().flatten(),
            None => None,
        };
        let restored = match &live {
            Some(good) => self.restore(good, record, before).await,
            None => self.remove(record.objects.iter()).await,
        };
        if let Err(second) = restored {
            return problem
                .because(format!("and what was there before could not be put back: {second}"))
                .try_running("dae rollback");
        }
        if let Some(good) = &live {
            (self.tell)(Word::Restored(good.release.id));
        }
        self.failed(record, before.live, problem).await
    }

    /// Keeps why a release failed, and that nobody is at it any more.
    pub(super) async fn failed(&self, record: &mut Record, live: Option<ReleaseId>, problem: Problem) -> Problem {
        let id = record.release.id;
        record.release.state = ReleaseState::Failed;
        record.release.problem = Some(problem.clone());
        let over = |head: &Head| (head.starting == Some(id)).then(|| Head { starting: None, ..head.clone() });
        // Neither changes what serves.
        let _ = self.history().change(over).await;
        let _ = self.history().keep(record).await;
        match live {
            Some(live) => problem.hint(format!("{id} is not live; {live} goes on serving")),
            None => problem.hint(format!("{id} is not live, and nothing else is")),
        }
    }

    async fn restore(&self, good: &Record, bad: &Record, head: &Head) -> Result<()> {
        for object in &good.objects {
            self.apply(&dressed(object, head), Over::Anybody).await?;
        }
        let kept: Vec<String> = good.objects.iter().map(path).collect();
        self.remove(bad.objects.iter().filter(|object| !kept.contains(&path(object)))).await
    }

    pub(super) async fn remove(&self, objects: impl Iterator<Item = &Value>) -> Result<()> {
        // What holds data stays, whoever made it.
        for object in objects.filter(|object| object["kind"] != "PersistentVolumeClaim") {
            let gone = self.api.delete(&path(object)).await;
            gone.map_err(|failure| self.api.problem(&format!("take {} away", told(object)), failure))?;
        }
        Ok(())
    }

    /// Takes away what the release before had and this one has not.
    async fn prune(&self, record: &Record, before: Option<ReleaseId>) {
        let Some(before) = before else { return };
        let Ok(Some(before)) = self.history().record(before).await else { return };
        let kept: Vec<String> = record.objects.iter().map(path).collect();
        // What cannot be taken away does no harm to what is live.
        let _ = self.remove(before.objects.iter().filter(|object| !kept.contains(&path(object)))).await;
    }

    /// A new record of a release that is about to be brought there.
    pub fn record(id: ReleaseId, image: String, source: Option<Source>, objects: Vec<Value>) -> Record {
        let release = Release {
            id,
            image,
            created: jiff::Timestamp::now(),
            state: ReleaseState::Starting,
            message: None,
            by: None,
            git: None,
            repeats: None,
            problem: None,
        };
        Record { release, objects, source, share: None }
    }

    /// Brings an earlier release back, as a new one that repeats it.
    pub async fn rollback(&self, to: Option<ReleaseId>, by: String) -> Result<(Option<ReleaseId>, Arrived)> {
        let (held, records) = self.history().records().await?;
        let live = held.head.live;
        let past = |record: &&Record| record.release.state == ReleaseState::Past && Some(record.release.id) < live;
        let chosen = match to {
            Some(id) => records.iter().find(|record| record.release.id == id),
            None => records.iter().find(past),
        };
        let Some(chosen) = chosen else {
            let what =
                to.map_or_else(|| "there is no release to go back to".to_owned(), |id| format!("{id} is not kept"));
            return Err(Problem::new("release.unknown", what).try_running("dae releases").exit(exit::REFUSED));
        };
        let source = chosen.release.repeats.unwrap_or(chosen.release.id);
        let (id, held) = self.begin(&held).await?;
        let mut record = Self::record(id, chosen.release.image.clone(), chosen.source.clone(), chosen.objects.clone());
        record.release.repeats = Some(source);
        record.release.by = Some(by);
        self.history().keep(&record).await?;
        let arrived = self.run(&mut record, held, &[]).await?;
        Ok((live, arrived))
    }

    /// Goes on with a release whose client is gone.
    pub async fn attach(&self, id: ReleaseId) -> Result<Arrived> {
        let held = self.history().head().await?;
        let unknown = || {
            Problem::new("release.unknown", format!("{id} is not kept")).try_running("dae releases").exit(exit::REFUSED)
        };
        let mut record = self.history().record(id).await?.ok_or_else(unknown)?;
        if held.head.live == Some(id) {
            return Ok(Arrived { release: id, waited: Duration::ZERO });
        }
        if held.head.starting != Some(id) {
            return Err(record.release.problem.take().unwrap_or_else(|| {
                Problem::new("release.superseded", format!("{id} is not on its way any more"))
                    .try_running("dae releases")
                    .exit(exit::OVERTAKEN)
            }));
        }
        if record.share.is_some() {
            return self.try_out(&mut record, held, &[]).await;
        }
        self.run(&mut record, held, &[]).await
    }
}

pub(super) fn superseded(id: ReleaseId, by: Option<ReleaseId>) -> Problem {
    let other = by.map_or_else(|| "another release".to_owned(), |id| id.to_string());
    Problem::new("release.superseded", format!("{other} was deployed while {id} was on its way"))
        .try_running("dae releases")
        .exit(exit::OVERTAKEN)
}

pub(super) fn overtaken(id: ReleaseId, problem: Problem) -> Problem {
    if problem.exit != exit::OVERTAKEN {
        return problem.try_running(format!("dae deploy --attach {id}"));
    }
    superseded(id, None).because(problem)
}

/// The app's pods, as the cluster has them.
pub async fn pods(api: &Api, app: &AppName) -> Result<Vec<Value>> {
    let selector = escaped(&super::manifests::selector(app));
    let path = format!("/api/v1/namespaces/{}/pods?labelSelector={selector}", api.namespace());
    let found = api.get(&path).await.map_err(|failure| api.problem("list the pods", failure))?;
    Ok(found["items"].as_array().cloned().unwrap_or_default())
}
