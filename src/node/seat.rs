//! One app's place on a node: a task that owns which generation serves, and follows one queue of wishes.
//!
//! A later wish always wins: what is still starting is given up. What is replaced is drained behind, by the count of
//! leases, and only then stopped; where the policy says so, it is first kept warm for a while, and a wish for just such a
//! generation is granted on the spot. A generation that dies by itself is started again, later each time it dies young.
//! What runs beside the web processes follows the generation that serves (`crew`).

mod gray;
mod leaving;

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio_util::task::TaskTracker;

use super::crew::Crew;
use super::cron::{Past, Reply, Scheduler};
use super::offer::{Offer, Settled};
use super::pause::Pause;
use super::start::{AnsweredBy, Running, start};
use super::verify::{Verifier, Verify, Warm};
use super::warm::Warmth;
use super::{Duty, Event, Generation, Hold, Meanwhile, OnFailure, Rollout, Seen, Start, Surroundings, Wanted};
use crate::app::AppName;
use crate::gateway::{Route, Routes, Share};
use crate::problem::{Problem, Result};
use crate::supervisor::{End, Signal};
use gray::Gray;
pub(super) use leaving::{Taken, idle};

/// How long websockets and event streams take to end once they are cut, at most.
const LAST_WORDS: Duration = Duration::from_secs(3);

pub(super) enum Ask {
    Want(Box<Generation>, Hold, oneshot::Sender<Wanted>),
    /// What is wanted cannot even be started.
    Fail(Box<Problem>, Hold),
    /// Run this one beside what serves, for a share of the visitors.
    Try(Box<Generation>, Share, oneshot::Sender<Wanted>),
    /// Another share for what is tried of this release, or none; whether it is that is the answer.
    Share(String, Option<Share>, oneshot::Sender<bool>),
    /// What is tried of this release serves from now on.
    Promote(String, oneshot::Sender<bool>),
    /// Tell what runs.
    Look(oneshot::Sender<Vec<Seen>>),
    /// Tell when the services of what serves answer, or cannot.
    Offered(oneshot::Sender<Option<Settled>>),
    /// Start these of the crew anew; the answer is how many there are.
    Again(String, oneshot::Sender<usize>),
    /// Run a scheduled task now, as if it were that time.
    Job(String, jiff::Timestamp, Reply),
    /// What another process has left serves.
    TakeUp(Box<Generation>, Box<Taken>, AnsweredBy, Hold, oneshot::Sender<Wanted>),
    /// Tell what is under way that another process could not take up.
    Busy(oneshot::Sender<Option<String>>),
    /// Give up what serves, for another process; the rest ends, after the drain time at most.
    Leave {
        drain: Duration,
        reply: oneshot::Sender<Option<leaving::Leaving>>,
        done: oneshot::Sender<()>,
    },
    /// End all of it, after the drain time at most.
    End {
        drain: Duration,
        done: oneshot::Sender<()>,
    },
}

/// The outside of a seat.
#[derive(Clone)]
pub(super) struct Seat {
    asks: mpsc::UnboundedSender<Ask>,
    holds: Arc<AtomicU64>,
    hosts: Vec<String>,
    routes: Arc<Routes>,
}

type Starting = Pin<Box<dyn Future<Output = Result<Running>> + Send>>;

struct Task {
    app: AppName,
    surroundings: Surroundings,
    rollout: Rollout,
    routes: Arc<Routes>,
    hosts: Vec<String>,
    /// How often somebody said that what serves is out of date.
    holds: Arc<AtomicU64>,
    /// Up to which of these the last wish knew better.
    covered: Hold,
    /// Counts up: the last generation's number.
    number: u64,
    current: Option<(Running, Instant)>,
    /// What served before `current`.
    kept: Option<Kept>,
    /// What is tried beside `current`.
    gray: Gray,
    /// The hosts that name one release.
    named: Vec<String>,
    /// What the route is, or would be if it were not held.
    route: Route,
    /// How long to wait before starting it again, should it die.
    pause: Pause,
    crew: Crew,
    offer: Offer,
    cron: Scheduler,
    behind: TaskTracker,
    warmth: Warmth,
    verifier: Verifier,
    /// Dropped, the comparison is given up.
    verifying: JoinSet<()>,
}

/// A generation that was replaced and may be wanted again.
struct Kept {
    running: Running,
    /// When what is still under way is cut; none: it was.
    cut_at: Option<Instant>,
    end_at: Instant,
}

/// What comes to a kept generation.
enum Fate {
    /// What was under way has had its time.
    Cut,
    /// Nobody has wanted it back.
    Over,
    Died,
}

struct Wish {
    number: u64,
    generation: Arc<Generation>,
    since: Instant,
    reply: Option<oneshot::Sender<Wanted>>,
    starting: Starting,
}

impl Seat {
    pub fn open(app: AppName, hosts: Vec<String>, surroundings: Surroundings, routes: Arc<Routes>) -> Self {
        let (asks, queue) = mpsc::unbounded_channel();
        let holds = Arc::new(AtomicU64::new(0));
        let host = hosts.first().cloned().unwrap_or_default();
        let warmth = Warmth::default();
        let cron = Scheduler::open(app.clone(), host, surroundings.clone(), routes.clone());
        let task = Task {
            app,
            cron,
            rollout: surroundings.settings.rollout,
            crew: Crew::open(surroundings.clone()),
            offer: Offer::open(surroundings.clone(), warmth.clone()),
            surroundings,
            routes: routes.clone(),
            hosts: hosts.clone(),
            holds: holds.clone(),
            covered: Hold(0),
            number: 0,
            current: None,
            kept: None,
            gray: Gray::default(),
            named: Vec::new(),
            route: Route::Held,
            pause: Pause::default(),
            behind: TaskTracker::new(),
            warmth,
            verifier: Verifier::default(),
            verifying: JoinSet::new(),
        };
        for host in &hosts {
            routes.set(host, Route::Held);
        }
        tokio::spawn(task.run(queue));
        Self { asks, holds, hosts, routes }
    }

    pub fn ask(&self, ask: Ask) {
        // A seat that has ended drops the reply, and that is the answer.
        let _ = self.asks.send(ask);
    }

    /// From this moment no request is answered by what serves now, or by what was wanted before. A wish that covers this
    /// hold ends it.
    pub fn hold(&self) -> Hold {
        let hold = Hold(self.holds.fetch_add(1, Ordering::SeqCst) + 1);
        for host in &self.hosts {
            self.routes.set(host, Route::Held);
        }
        hold
    }

    /// All the holds there are now.
    pub fn held(&self) -> Hold {
        Hold(self.holds.load(Ordering::SeqCst))
    }
}

impl Task {
    async fn run(mut self, mut queue: mpsc::UnboundedReceiver<Ask>) {
        let mut wish: Option<Wish> = None;
        loop {
            tokio::select! {
                ask = queue.recv() => match ask {
                    Some(Ask::Want(generation, covers, reply)) => {
                        self.covered = self.covered.max(covers);
                        if let Some(given_up) = wish.take() {
                            given_up.answer(Wanted::Superseded);
                        }
                        self.pause = Pause::default();
                        let generation = Arc::new(*generation);
                        match self.kept.take_if(|kept| kept.running.generation.runs_like(&generation)) {
                            Some(kept) => self.bring_back(kept.running, generation, reply),
                            None => wish = Some(self.wish(generation, Some(reply), Duration::ZERO)),
                        }
                    }
                    Some(Ask::Fail(problem, covers)) => {
                        self.covered = self.covered.max(covers);
                        if let Some(given_up) = wish.take() {
                            given_up.answer(Wanted::Superseded);
                        }
                        self.number += 1;
                        self.failed(self.number, *problem);
                    }
                    Some(Ask::Try(generation, share, reply)) => self.try_out(*generation, share, reply),
                    Some(Ask::Share(release, share, reply)) => drop(reply.send(self.share(&release, share))),
                    Some(Ask::Promote(release, reply)) => drop(reply.send(self.promote(&release))),
                    Some(Ask::Look(reply)) => drop(reply.send(self.seen())),
                    Some(Ask::Offered(reply)) => drop(reply.send(Some(self.offer.settled()))),
                    Some(Ask::Again(name, reply)) => drop(reply.send(self.crew.again(&name))),
                    Some(Ask::Job(job, due, reply)) => self.cron.run(job, due, reply),
                    Some(Ask::TakeUp(generation, taken, before, covers, reply)) => {
                        self.covered = self.covered.max(covers);
                        self.take_up(Arc::new(*generation), *taken, &before, reply).await;
                    }
                    Some(Ask::Busy(reply)) => drop(reply.send(self.busy(wish.is_some()))),
                    Some(Ask::Leave { drain, reply, done }) => {
                        drop(wish);
                        self.leave(drain, reply).await;
                        // Whoever asked may have gone.
                        let _ = done.send(());
                        return;
                    }
                    Some(Ask::End { drain, done }) => {
                        drop(wish);
                        self.end(drain).await;
                        // Whoever asked may have gone.
                        let _ = done.send(());
                        return;
                    }
                    None => return self.end(Duration::ZERO).await,
                },
                result = started(&mut wish), if wish.is_some() => {
                    if let Some(wish) = wish.take() {
                        self.settle(wish, result);
                    }
                }
                end = died(self.current.as_ref()), if wish.is_none() => {
                    wish = self.died(end);
                }
                fate = fate(self.kept.as_ref()) => self.fulfil(fate),
                came = self.gray.next() => self.gray_came(came),
            }
        }
    }

    fn seen(&self) -> Vec<Seen> {
        let kept = self.kept.iter().map(|kept| (&kept.running, Duty::Kept));
        let seen = |(running, duty): (&Running, Duty)| {
            let leader = running.web.as_ref()?.id();
            Some(Seen { process: "web".into(), release: running.generation.release.clone(), duty, leader })
        };
        self.duties()
            .filter_map(seen)
            .chain(self.crew.seen())
            .chain(self.offer.seen())
            .chain(kept.filter_map(seen))
            .collect()
    }

    fn wish(&mut self, generation: Arc<Generation>, reply: Option<oneshot::Sender<Wanted>>, pause: Duration) -> Wish {
        if self.rollout.meanwhile == Meanwhile::Hold || self.current.is_none() {
            self.route(Route::Held);
        }
        self.begin(generation, reply, pause)
    }

    fn begin(&mut self, generation: Arc<Generation>, reply: Option<oneshot::Sender<Wanted>>, pause: Duration) -> Wish {
        self.number += 1;
        let number = self.number;
        self.tell(Event::Starting { app: self.app.clone(), generation: number });
        let begin = start(number, generation.clone(), self.surroundings.clone(), self.warmth.clone());
        let starting = Box::pin(async move {
            tokio::time::sleep(pause).await;
            begin.await
        });
        Wish { number, generation, since: Instant::now(), reply, starting }
    }

    fn settle(&mut self, wish: Wish, result: Result<Running>) {
        match result {
            Ok(mut running) => {
                self.prepare(wish.generation.clone(), running.learned.take());
                // What is only started again replaces nothing.
                if wish.reply.is_some() {
                    self.end_gray();
                }
                let start = running.start.clone();
                self.verify(&running);
                let took = self.switch(running, wish.since);
                wish.answer(Wanted::Serving { took, start });
            }
            Err(problem) => {
                self.prepare(wish.generation.clone(), None);
                self.failed(wish.number, problem.clone());
                wish.answer(Wanted::Failed(Box::new(problem)));
            }
        }
    }

    fn prepare(&self, generation: Arc<Generation>, learned: Option<Vec<String>>) {
        self.warmth.prepare(self.number + 1, generation, self.surroundings.clone(), learned);
    }

    /// Behind a warm reload, where that is wanted; what was compared until now is out of date.
    fn verify(&mut self, running: &Running) {
        self.verifying.abort_all();
        if self.surroundings.settings.verify != Verify::Reloads || running.start != Start::Warm {
            return;
        }
        let Some(likeness) = running.likeness() else { return };
        let Running { number, generation, upstream, .. } = running;
        let warm = Warm { number: *number, generation: generation.clone(), upstream: upstream.clone(), likeness };
        let (verifier, warmth) = (self.verifier.clone(), self.warmth.clone());
        self.verifying.spawn(verifier.verify(warm, self.surroundings.clone(), warmth));
    }

    /// What was kept serves again, as `generation`.
    fn bring_back(&mut self, mut running: Running, generation: Arc<Generation>, reply: oneshot::Sender<Wanted>) {
        let since = Instant::now();
        self.number += 1;
        self.tell(Event::Starting { app: self.app.clone(), generation: self.number });
        running.number = self.number;
        running.becomes(generation);
        self.end_gray();
        let took = self.switch(running, since);
        // Whoever wished may have gone.
        let _ = reply.send(Wanted::Serving { took, start: Start::Kept });
    }

    /// `running` serves from now on; the answer is how long that took since it was wanted.
    fn switch(&mut self, running: Running, since: Instant) -> Duration {
        let now = Instant::now();
        self.route(Route::Serving(running.upstream.clone()));
        let took = since.elapsed();
        self.tell(Event::Serving { app: self.app.clone(), generation: running.number, took });
        self.crew.serve(running.number, &running.generation);
        self.offer.serve(running.number, &running.generation);
        let past = if running.start == Start::Kept { Past::Due } else { Past::Missed };
        self.cron.serve(&running.generation, past);
        let last = self.current.replace((running, now)).map(|(last, _)| last);
        let Rollout { drain_within, keep_warm, .. } = self.rollout;
        let retired = match last {
            Some(last) if !keep_warm.is_zero() => {
                let kept = Kept { running: last, cut_at: Some(now + drain_within), end_at: now + keep_warm };
                self.kept.replace(kept).map(|kept| kept.running)
            }
            last => last,
        };
        if let Some(retired) = retired {
            self.retire(retired, drain_within);
        }
        self.name_each();
        took
    }

    fn fulfil(&mut self, fate: Fate) {
        match fate {
            Fate::Cut => {
                if let Some(kept) = &mut self.kept {
                    kept.cut_at = None;
                    kept.running.upstream.cut();
                }
            }
            Fate::Over => {
                if let Some(kept) = self.kept.take() {
                    self.retire(kept.running, Duration::ZERO);
                }
            }
            Fate::Died => drop(self.kept.take()),
        }
        self.name_each();
    }

    fn failed(&mut self, number: u64, problem: Problem) {
        self.tell_failed(number, problem.clone());
        if self.rollout.on_failure == OnFailure::ShowProblem || self.current.is_none() {
            self.route(Route::Broken(Arc::new(problem)));
            self.crew.dismiss();
            self.cron.dismiss();
            self.end_gray();
            if let Some((last, _)) = self.current.take() {
                self.retire(last, self.rollout.drain_within);
            }
        }
        self.show();
    }

    fn tell_failed(&self, generation: u64, problem: Problem) {
        self.tell(Event::Failed { app: self.app.clone(), generation, problem });
    }

    /// The serving generation's process ended by itself.
    fn died(&mut self, end: End) -> Option<Wish> {
        let (last, since) = self.current.take()?;
        let pause = self.pause.after(since.elapsed());
        self.tell(Event::Restarting {
            app: self.app.clone(),
            generation: last.number,
            process: "web".into(),
            why: end.to_string(),
        });
        let generation = last.generation.clone();
        drop(last);
        Some(self.wish(generation, None, pause))
    }

    fn route(&mut self, route: Route) {
        self.route = route;
        self.show();
    }

    fn show(&mut self) {
        self.name_each();
        // Something newer is known of than what was wanted last: the next request waits for that.
        if self.holds.load(Ordering::SeqCst) > self.covered.0 {
            return;
        }
        let beside = match &self.route {
            Route::Serving(upstream) => self.gray.beside(upstream),
            _ => None,
        };
        let route = beside.unwrap_or_else(|| self.route.clone());
        for host in &self.hosts {
            self.routes.set(host, route.clone());
        }
    }

    /// Lets what is under way finish, then ends it; nobody waits for that.
    fn retire(&self, last: Running, drain: Duration) {
        if self.rollout.meanwhile == Meanwhile::Hold {
            // Never an old answer: who listens comes again, to the new one.
            last.upstream.cut();
        }
        let (events, app, grace) = (self.surroundings.events.clone(), self.app.clone(), self.rollout.end_within);
        self.behind.spawn(async move {
            if tokio::time::timeout(drain, last.upstream.idle()).await.is_err() {
                // Who listens is told to come again; a request that has not finished by then ends with the process.
                last.upstream.cut();
                let _ = tokio::time::timeout(LAST_WORDS, last.upstream.idle()).await;
            }
            let number = last.number;
            stop(last, grace).await;
            let _ = events.send(Event::Stopped { app, generation: number });
        });
    }

    async fn end(mut self, drain: Duration) {
        self.verifying.shutdown().await;
        for host in self.hosts.iter().chain(&self.named) {
            self.routes.remove(host);
        }
        self.end_gray();
        if let Some((last, _)) = self.current.take() {
            self.retire(last, drain);
        }
        if let Some(kept) = self.kept.take() {
            self.retire(kept.running, drain);
        }
        self.behind.close();
        tokio::join!(self.behind.wait(), self.crew.end(), self.offer.end(), self.cron.end());
        self.warmth.end().await;
    }

    fn tell(&self, event: Event) {
        // Nobody listens any more when the node goes down.
        let _ = self.surroundings.events.send(event);
    }
}

impl Wish {
    fn answer(self, how: Wanted) {
        if let Some(reply) = self.reply {
            // Whoever wished may have gone.
            let _ = reply.send(how);
        }
    }
}

pub(super) async fn stop(mut running: Running, grace: Duration) {
    running.upstream.close();
    if let Some(web) = running.web.take() {
        // Nothing is under way any more, so gunicorn's quick way to end (its TERM takes a second to be noticed).
        web.stop(Signal::SIGQUIT, grace).await;
    }
}

async fn started(wish: &mut Option<Wish>) -> Result<Running> {
    match wish {
        Some(wish) => wish.starting.as_mut().await,
        None => Err(Problem::new("node", "nothing is starting")),
    }
}

/// Waits for ever when there is no process that could end.
async fn died(current: Option<&(Running, Instant)>) -> End {
    match current {
        Some((running, _)) => ended(running).await,
        None => std::future::pending().await,
    }
}

async fn ended(running: &Running) -> End {
    match &running.web {
        Some(web) => web.ended().await,
        None => std::future::pending().await,
    }
}

/// Waits for ever when nothing is kept.
async fn fate(kept: Option<&Kept>) -> Fate {
    let Some(Kept { running, cut_at, end_at }) = kept else { return std::future::pending().await };
    tokio::select! {
        () = tokio::time::sleep_until((*end_at).into()) => Fate::Over,
        () = tokio::time::sleep_until(cut_at.unwrap_or(*end_at).into()), if cut_at.is_some() => Fate::Cut,
        _ = ended(running) => Fate::Died,
    }
}
