//! One app's place on a node: a task that owns which generation serves, and follows one queue of wishes.
//!
//! A later wish always wins: what is still starting is given up. What is replaced is drained behind, by the count of
//! leases, and only then stopped. A generation that dies by itself is started again, later each time it dies young.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot};
use tokio_util::task::TaskTracker;

use super::start::{Running, start};
use super::warm::Warmth;
use super::{Event, Generation, Meanwhile, OnFailure, Settings, Wanted};
use crate::app::AppName;
use crate::gateway::{Route, Routes};
use crate::problem::{Problem, Result};
use crate::supervisor::{End, Signal};

/// One that lived longer than this and dies is started at once.
const OLD: Duration = Duration::from_secs(10);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

pub(super) enum Ask {
    Want(Box<Generation>, oneshot::Sender<Wanted>),
    /// What is wanted cannot even be started.
    Fail(Problem),
    /// The last wish still stands: take back a hold.
    Resume,
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
    held: Arc<AtomicBool>,
    hosts: Vec<String>,
    routes: Arc<Routes>,
}

type Starting = Pin<Box<dyn Future<Output = Result<Running>> + Send>>;

struct Task {
    app: AppName,
    settings: Arc<Settings>,
    routes: Arc<Routes>,
    hosts: Vec<String>,
    events: mpsc::UnboundedSender<Event>,
    held: Arc<AtomicBool>,
    /// Counts up: the last generation's number.
    number: u64,
    current: Option<(Running, Instant)>,
    /// What the route is, or would be if it were not held.
    route: Route,
    /// How long to wait before starting it again, should it die.
    pause: Duration,
    behind: TaskTracker,
    warmth: Warmth,
}

struct Wish {
    number: u64,
    since: Instant,
    reply: Option<oneshot::Sender<Wanted>>,
    starting: Starting,
}

impl Seat {
    pub fn open(
        app: AppName,
        hosts: Vec<String>,
        settings: Arc<Settings>,
        routes: Arc<Routes>,
        events: mpsc::UnboundedSender<Event>,
    ) -> Self {
        let (asks, queue) = mpsc::unbounded_channel();
        let held = Arc::new(AtomicBool::new(false));
        let task = Task {
            app,
            settings,
            routes: routes.clone(),
            hosts: hosts.clone(),
            events,
            held: held.clone(),
            number: 0,
            current: None,
            route: Route::Held,
            pause: Duration::ZERO,
            behind: TaskTracker::new(),
            warmth: Warmth::default(),
        };
        for host in &hosts {
            routes.set(host, Route::Held);
        }
        tokio::spawn(task.run(queue));
        Self { asks, held, hosts, routes }
    }

    pub fn ask(&self, ask: Ask) {
        // A seat that has ended drops the reply, and that is the answer.
        let _ = self.asks.send(ask);
    }

    /// From this moment no request is answered by what serves now. The next wish, or `Resume`, ends it.
    pub fn hold(&self) {
        self.held.store(true, Ordering::SeqCst);
        for host in &self.hosts {
            self.routes.set(host, Route::Held);
        }
    }
}

impl Task {
    async fn run(mut self, mut queue: mpsc::UnboundedReceiver<Ask>) {
        let mut wish: Option<Wish> = None;
        loop {
            tokio::select! {
                ask = queue.recv() => match ask {
                    Some(Ask::Want(generation, reply)) => {
                        if let Some(given_up) = wish.take() {
                            given_up.answer(Wanted::Superseded);
                        }
                        self.pause = Duration::ZERO;
                        wish = Some(self.wish(Arc::new(*generation), Some(reply), Duration::ZERO));
                    }
                    Some(Ask::Fail(problem)) => {
                        if let Some(given_up) = wish.take() {
                            given_up.answer(Wanted::Superseded);
                        }
                        self.number += 1;
                        self.held.store(false, Ordering::SeqCst);
                        self.failed(self.number, problem);
                    }
                    Some(Ask::Resume) => {
                        self.held.store(false, Ordering::SeqCst);
                        if wish.is_none() {
                            self.show();
                        }
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
            }
        }
    }

    fn wish(&mut self, generation: Arc<Generation>, reply: Option<oneshot::Sender<Wanted>>, pause: Duration) -> Wish {
        self.number += 1;
        let number = self.number;
        self.held.store(false, Ordering::SeqCst);
        if self.settings.rollout.meanwhile == Meanwhile::Hold || self.current.is_none() {
            self.route(Route::Held);
        }
        self.tell(Event::Starting { app: self.app.clone(), generation: number });
        let begin = start(number, generation, self.settings.clone(), self.warmth.clone(), self.events.clone());
        let starting = Box::pin(async move {
            tokio::time::sleep(pause).await;
            begin.await
        });
        Wish { number, since: Instant::now(), reply, starting }
    }

    fn settle(&mut self, wish: Wish, result: Result<Running>) {
        match result {
            Ok(mut running) => {
                if let Some(modules) = running.learned.take() {
                    let generation = running.generation.clone();
                    self.warmth.learn(generation, self.settings.clone(), modules, self.events.clone());
                }
                let start = running.start.clone();
                let took = wish.since.elapsed();
                self.route(Route::Serving(running.upstream.clone()));
                self.tell(Event::Serving { app: self.app.clone(), generation: wish.number, took });
                if let Some((last, _)) = self.current.replace((running, Instant::now())) {
                    self.retire(last, self.settings.rollout.drain_within);
                }
                wish.answer(Wanted::Serving { took, start });
            }
            Err(problem) => {
                self.failed(wish.number, problem.clone());
                wish.answer(Wanted::Failed(Box::new(problem)));
            }
        }
    }

    fn failed(&mut self, number: u64, problem: Problem) {
        self.tell(Event::Failed { app: self.app.clone(), generation: number, problem: problem.clone() });
        if self.settings.rollout.on_failure == OnFailure::ShowProblem || self.current.is_none() {
            self.route(Route::Broken(Arc::new(problem)));
            if let Some((last, _)) = self.current.take() {
                self.retire(last, self.settings.rollout.drain_within);
            }
        } else {
            self.show();
        }
    }

    /// The serving generation's process ended by itself.
    fn died(&mut self, end: End) -> Option<Wish> {
        let (last, since) = self.current.take()?;
        self.pause = if since.elapsed() > OLD {
            Duration::ZERO
        } else {
            (self.pause * 2).clamp(Duration::from_millis(100), LONGEST_PAUSE)
        };
        self.tell(Event::Restarting {
            app: self.app.clone(),
            generation: last.number,
            process: "web".into(),
            why: end.to_string(),
        });
        let generation = last.generation.clone();
        drop(last);
        Some(self.wish(generation, None, self.pause))
    }

    fn route(&mut self, route: Route) {
        self.route = route;
        self.show();
    }

    fn show(&self) {
        // Held from outside: what is known now is not what the next request should meet.
        if self.held.load(Ordering::SeqCst) {
            return;
        }
        for host in &self.hosts {
            self.routes.set(host, self.route.clone());
        }
    }

    /// Lets what is under way finish, then ends it; nobody waits for that.
    fn retire(&self, last: Running, drain: Duration) {
        let (events, app, grace) = (self.events.clone(), self.app.clone(), self.settings.rollout.end_within);
        self.behind.spawn(async move {
            // What has not finished by then is cut with the process.
            let _ = tokio::time::timeout(drain, last.upstream.idle()).await;
            let number = last.number;
            stop(last, grace).await;
            let _ = events.send(Event::Stopped { app, generation: number });
        });
    }

    async fn end(mut self, drain: Duration) {
        for host in &self.hosts {
            self.routes.remove(host);
        }
        if let Some((last, _)) = self.current.take() {
            self.retire(last, drain);
        }
        self.behind.close();
        self.behind.wait().await;
        self.warmth.end().await;
    }

    fn tell(&self, event: Event) {
        // Nobody listens any more when the node goes down.
        let _ = self.events.send(event);
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

async fn stop(mut running: Running, grace: Duration) {
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
        Some((Running { web: Some(web), .. }, _)) => web.ended().await,
        _ => std::future::pending().await,
    }
}
