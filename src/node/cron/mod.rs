//! The scheduled tasks of an app: one scheduler, which follows the generation that serves.
//!
//! Theory of operation. One task owns the schedule. It sleeps until the next run is due, but never long, for clocks are moved
//! and machines sleep; what was due while it could not look is told as missed and not run late. A run belongs to the code it
//! began with and goes on through a reload; it ends with the server.
//! What was due while one process of the node took another's place is run: something served the app all the time.

mod planned;
mod run;
mod store;

use std::collections::{HashMap, VecDeque};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::{JoinHandle, JoinSet};
use tokio_util::sync::CancellationToken;

pub use planned::Planned;
pub use store::{Outcome, Run, Store};

use super::{Event, Generation, Surroundings};
use crate::app::{AppName, CronJob, Overlap};
use crate::gateway::Routes;
use crate::problem::{Problem, Result};
use run::{Around, Ended};

/// Longer than this is never slept: the clock may have been moved.
const LONGEST_SLEEP: Duration = Duration::from_secs(20);
/// A run that could not begin within this of its time, in seconds, is missed.
const LATE: i64 = 90;
/// More missed runs than these are not counted.
const MOST_MISSED: usize = 1000;
/// Runs of one job that wait for another to end.
const MOST_WAITING: usize = 16;

/// What becomes of what was due before a generation served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Past {
    /// It is told: nothing served.
    Missed,
    /// It is run: the same served all the time.
    Due,
}

/// Whether jobs run by themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cron {
    BySchedule,
    ByHand,
}

/// A run by hand that goes on.
#[derive(Debug)]
pub struct Begun {
    pub id: i64,
    ended: oneshot::Receiver<Result<Run>>,
}

impl Begun {
    /// Waits for its end.
    pub async fn ended(self) -> Result<Run> {
        self.ended.await.unwrap_or_else(|_| Err(Problem::new("cron.stopping", "the run ended with the server")))
    }
}

pub(super) type Reply = oneshot::Sender<Result<Begun>>;

/// A wish for a run by hand, as if it were that time.
#[derive(Debug)]
struct Ask {
    job: String,
    due: Timestamp,
    reply: Reply,
}

/// The outside of a scheduler.
#[derive(Debug)]
pub(super) struct Scheduler {
    wanted: watch::Sender<Option<(Arc<Generation>, Past)>>,
    asks: mpsc::UnboundedSender<Ask>,
    /// Those that go on.
    running: Arc<AtomicUsize>,
    /// Whatever goes on may end by itself.
    finish: Arc<AtomicBool>,
    task: JoinHandle<()>,
}

struct Task {
    finish: Arc<AtomicBool>,
    count: Arc<AtomicUsize>,
    app: AppName,
    surroundings: Surroundings,
    routes: Arc<Routes>,
    host: String,
    store: Option<Arc<Store>>,
    generation: Option<Arc<Generation>>,
    next: HashMap<String, Timestamp>,
    /// How many runs of a job go on, and which wait.
    running: HashMap<String, usize>,
    waiting: HashMap<String, VecDeque<(CronJob, Timestamp)>>,
    runs: JoinSet<String>,
    stop: CancellationToken,
}

impl Scheduler {
    pub fn open(app: AppName, host: String, surroundings: Surroundings, routes: Arc<Routes>) -> Self {
        let (wanted, word) = watch::channel(None);
        let (asks, asked) = mpsc::unbounded_channel();
        let (running, finish) = <(Arc<AtomicUsize>, Arc<AtomicBool>)>::default();
        let task = Task {
            finish: finish.clone(),
            count: running.clone(),
            app,
            surroundings,
            routes,
            host,
            store: None,
            generation: None,
            next: HashMap::new(),
            running: HashMap::new(),
            waiting: HashMap::new(),
            runs: JoinSet::new(),
            stop: CancellationToken::new(),
        };
        Self { wanted, asks, running, finish, task: tokio::spawn(task.follow(word, asked)) }
    }

    /// `generation` serves: its jobs are the ones.
    pub fn serve(&self, generation: &Arc<Generation>, past: Past) {
        self.wanted.send_if_modified(|wanted| {
            let stays = wanted.as_ref().is_some_and(|(wanted, _)| Arc::ptr_eq(wanted, generation));
            if !stays {
                *wanted = Some((generation.clone(), past));
            }
            !stays
        });
    }

    /// Nothing serves.
    pub fn dismiss(&self) {
        self.wanted.send_if_modified(|wanted| wanted.take().is_some());
    }

    /// Runs `job` now, as if it were `due`. The reply comes when it has begun.
    pub fn run(&self, job: String, due: Timestamp, reply: Reply) {
        // A scheduler that has ended drops the reply, and that is the answer.
        let _ = self.asks.send(Ask { job, due, reply });
    }

    /// How many runs go on.
    pub fn running(&self) -> usize {
        self.running.load(Ordering::Relaxed)
    }

    /// Begins nothing any more. The answer is ready at the end of what goes on.
    pub fn finish(self) -> impl Future<Output = ()> {
        self.finish.store(true, Ordering::SeqCst);
        let Self { wanted, asks: _, task, .. } = self;
        drop(wanted);
        async {
            // A task that panicked has ended as well.
            let _ = task.await;
        }
    }

    pub async fn end(self) {
        drop(self.wanted);
        // A task that panicked has ended as well.
        let _ = self.task.await;
    }
}

impl Task {
    async fn follow(
        mut self,
        mut word: watch::Receiver<Option<(Arc<Generation>, Past)>>,
        mut asked: mpsc::UnboundedReceiver<Ask>,
    ) {
        loop {
            let sleep = self.until_next();
            tokio::select! {
                changed = word.changed() => {
                    if changed.is_err() {
                        break;
                    }
                    let wanted = word.borrow_and_update().clone();
                    self.take_up(wanted);
                }
                Some(ask) = asked.recv() => self.asked(ask),
                Some(job) = self.runs.join_next(), if !self.runs.is_empty() => {
                    if let Ok(job) = job {
                        self.ended(&job);
                    }
                }
                () = tokio::time::sleep(sleep) => self.due(),
            }
        }
        if !self.finish.load(Ordering::SeqCst) {
            self.stop.cancel();
        }
        while self.runs.join_next().await.is_some() {}
    }

    fn until_next(&self) -> Duration {
        let Some(next) = self.next.values().min() else { return LONGEST_SLEEP };
        let left = next.duration_since(Timestamp::now());
        Duration::try_from(left).unwrap_or_default().min(LONGEST_SLEEP)
    }

    /// Another generation serves, or none.
    fn take_up(&mut self, wanted: Option<(Arc<Generation>, Past)>) {
        self.next.clear();
        self.generation = wanted.as_ref().map(|(generation, _)| generation.clone());
        let Some((generation, past)) = wanted else { return };
        if generation.manifest.cron.is_empty() {
            return;
        }
        let Some(store) = self.store() else { return };
        if self.surroundings.settings.cron == Cron::ByHand {
            return;
        }
        let now = Timestamp::now();
        for job in &generation.manifest.cron {
            let schedule = key(job);
            let since = store.followed(&job.name, &schedule).ok().flatten();
            if let (Some(since), Past::Due) = (since, past) {
                self.next.extend(job.runs_after(since).next().map(|due| (job.name.clone(), due)));
                continue;
            }
            if let Some(since) = since {
                let missed: Vec<Timestamp> =
                    job.runs_after(since).take_while(|due| *due <= now).take(MOST_MISSED).collect();
                if let Some(last) = missed.last().filter(|_| !self.is_paused(&job.name)) {
                    self.missed(job, *last, missed.len());
                }
            }
            let _ = store.follow(&job.name, &schedule, now);
            self.next.extend(job.runs_after(now).next().map(|due| (job.name.clone(), due)));
        }
    }

    /// Opened when the first job is there.
    fn store(&mut self) -> Option<Arc<Store>> {
        if self.store.is_none() {
            let folder = folder(&self.surroundings.settings.cron_dir, &self.app);
            match Store::open(&folder).and_then(|store| store.lose().map(|()| store)) {
                Ok(store) => self.store = Some(Arc::new(store)),
                Err(problem) => self.tell("cron", problem.to_string(), true),
            }
        }
        self.store.clone()
    }

    fn is_paused(&self, job: &str) -> bool {
        self.store.as_ref().is_some_and(|store| store.is_paused(job).unwrap_or(false))
    }

    fn due(&mut self) {
        let Some(generation) = self.generation.clone() else { return };
        let now = Timestamp::now();
        for job in &generation.manifest.cron {
            let Some(due) = self.next.get(&job.name).copied().filter(|due| *due <= now) else { continue };
            let missed: Vec<Timestamp> = job.runs_after(due).take_while(|due| *due <= now).take(MOST_MISSED).collect();
            let latest = missed.last().copied().unwrap_or(due);
            self.next.extend(job.runs_after(now).next().map(|next| (job.name.clone(), next)));
            if let Some(store) = &self.store {
                let _ = store.follow(&job.name, &key(job), now);
            }
            if self.is_paused(&job.name) {
                continue;
            }
            let is_late = now.as_second() - latest.as_second() > LATE;
            // The machine slept, or its clock was moved: of several only the last may still be run.
            let count = missed.len() + usize::from(is_late);
            if count > 0 {
                self.missed(job, due, count);
            }
            if !is_late {
                self.begin(job, latest, "schedule");
            }
        }
    }

    /// Begins a run that is due, as its overlap policy says.
    fn begin(&mut self, job: &CronJob, due: Timestamp, by: &'static str) {
        let goes_on = self.running.get(&job.name).copied().unwrap_or_default() > 0;
        match job.overlap {
            Overlap::Skip if goes_on => {
                self.tell(&job.name, "is due, and its last run still goes on: skipped".into(), true);
                if let Some(store) = &self.store {
                    let _ = store.add(&job.name, due, by, Outcome::Skipped, "");
                }
            }
            Overlap::Wait if goes_on => {
                let waiting = self.waiting.entry(job.name.clone()).or_default();
                if waiting.len() < MOST_WAITING {
                    waiting.push_back((job.clone(), due));
                }
            }
            _ => self.start(job, due, by, None),
        }
    }

    fn start(&mut self, job: &CronJob, due: Timestamp, by: &'static str, reply: Option<Reply>) {
        let (Some(generation), Some(store)) = (self.generation.clone(), self.store()) else { return };
        let id = match store.begin(&job.name, due, by) {
            Ok(id) => id,
            Err(problem) => {
                self.tell(&job.name, problem.to_string(), true);
                return answer(reply, Err(problem));
            }
        };
        let (end, ended) = oneshot::channel();
        answer(reply, Ok(Begun { id, ended }));
        *self.running.entry(job.name.clone()).or_default() += 1;
        let around = Around {
            generation,
            surroundings: self.surroundings.clone(),
            routes: self.routes.clone(),
            host: self.host.clone(),
            stop: self.stop.clone(),
        };
        let (job, app) = (job.clone(), self.app.clone());
        let counted = Counted::new(&self.count);
        self.runs.spawn(async move {
            let _counted = counted;
            let began = std::time::Instant::now();
            let Ended { outcome, code, output } = around.run(&job, due).await;
            let kept = store.end(id, outcome, code, &output).and_then(|()| store.run(id));
            let code = code.map(|code| format!(" ({code})")).unwrap_or_default();
            let text = format!("{}{code} after {:.1} s", outcome.as_str(), began.elapsed().as_secs_f64());
            let is_bad = outcome != Outcome::Good;
            // Nobody listens any more when the node goes down.
            let _ = around.surroundings.events.send(Event::Cron { app, job: job.name.clone(), text, is_bad });
            let kept = kept.and_then(|run| run.ok_or_else(|| Problem::new("cron.store", "the run is not kept")));
            // Mostly nobody waits for it.
            let _ = end.send(kept);
            job.name
        });
    }

    fn ended(&mut self, job: &str) {
        if let Some(count) = self.running.get_mut(job) {
            *count = count.saturating_sub(1);
            if *count > 0 {
                return;
            }
        }
        let next = self.waiting.get_mut(job).and_then(VecDeque::pop_front);
        if let Some((job, due)) = next {
            self.start(&job, due, "schedule", None);
        }
    }

    fn asked(&mut self, Ask { job, due, reply }: Ask) {
        let found = self
            .generation
            .as_ref()
            .and_then(|generation| generation.manifest.cron.iter().find(|known| known.name == job).cloned());
        if let Some(job) = found {
            return self.start(&job, due, "hand", Some(reply));
        }
        let problem = match self.generation {
            Some(_) => unknown(&job),
            None => Problem::new("cron.broken", "the app cannot be run as it is").try_running("dae check"),
        };
        answer(Some(reply), Err(problem));
    }

    fn missed(&self, job: &CronJob, due: Timestamp, count: usize) {
        let what = if count == 1 { "one run was".into() } else { format!("{count} runs were") };
        self.tell(&job.name, format!("{what} missed: nothing served the app then"), true);
        if let Some(store) = &self.store {
            let _ = store.add(&job.name, due, "schedule", Outcome::Missed, &format!("{what} missed\n"));
        }
    }

    fn tell(&self, job: &str, text: String, is_bad: bool) {
        // Nobody listens any more when the node goes down.
        let event = Event::Cron { app: self.app.clone(), job: job.to_owned(), text, is_bad };
        let _ = self.surroundings.events.send(event);
    }
}

/// One that goes on.
struct Counted(Arc<AtomicUsize>);

impl Counted {
    fn new(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

fn answer(reply: Option<Reply>, begun: Result<Begun>) {
    if let Some(reply) = reply {
        // Whoever asked may have gone.
        let _ = reply.send(begun);
    }
}

pub fn unknown(job: &str) -> Problem {
    let job = job.escape_debug();
    Problem::new("cron.unknown", format!("app.yaml has no cron job `{job}`")).try_running("dae cron list")
}

/// A job with another schedule has missed nothing of it.
fn key(job: &CronJob) -> String {
    format!("{} {}", job.schedule.as_str(), job.timezone)
}

/// Where what is kept of an app's runs is.
pub fn folder(dir: &Path, app: &AppName) -> std::path::PathBuf {
    dir.join(app.as_str())
}
