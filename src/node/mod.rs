//! Runs apps, generation by generation. A reload and a deploy are the same act: the next generation takes the last one's
//! place, by one of two policies. Knows no watched files and no uploads.

pub mod contract;
mod crew;
pub mod cron;
mod event;
mod folder;
mod generation;
mod handed;
mod handlers;
mod offer;
mod output;
mod pause;
mod rollout;
mod seat;
mod selftest;
mod sockets;
mod standby;
mod start;
mod verify;
mod warm;
mod zookeeper;

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};

pub use cron::Cron;
pub use event::Event;
pub use folder::Folder;
pub use generation::{Edition, Generation, Launch};
pub use handed::Handed;
pub use rollout::{Meanwhile, OnFailure, Rollout};
pub use verify::Verify;
pub use zookeeper::ZooKeeper;

use crate::app::AppName;
use crate::gateway::{Gone, Routes, Share, Upstream};
use crate::problem::{Doing as _, Problem, Result};
use crate::supervisor::Bundle;
use seat::{Ask, Seat, Taken};
use start::AnsweredBy;
use zookeeper::Registry;

/// Where and how a node runs its apps.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Apps answer at `NAME.domain`.
    pub domain: String,
    /// Sockets; a short path.
    pub run_dir: PathBuf,
    /// One file a process: `APP/PROCESS.log`.
    pub log_dir: PathBuf,
    pub rollout: Rollout,
    pub verify: Verify,
    /// `DAE_ENV` for the apps: `SDK` or `production`.
    pub environment: &'static str,
    /// What apps get of the environment dae itself was started in.
    pub inherited: Vec<(String, String)>,
    pub hosts: Hosts,
    pub offering: Offering,
    /// Whether scheduled tasks run by themselves.
    pub cron: Cron,
    /// What is kept of their runs: a folder an app.
    pub cron_dir: PathBuf,
}

impl Settings {
    /// A folder of a generation's own for sockets, and gone with what is returned. Those of an app whose processes are confined
    /// are all in one folder.
    pub fn run_dir(&self, generation: &Generation, of: &str) -> Result<Folder> {
        let app = &generation.app;
        let within = generation.launch.confine.as_ref().map(|_| self.app_run_dir(app));
        let within = within.as_deref().unwrap_or(&self.run_dir);
        let made = tempfile::Builder::new().prefix(&format!("{app}-{of}-")).tempdir_in(within);
        made.map(Folder::from).doing(|| format!("make a folder in `{}`", within.display()))
    }

    /// What the processes of an app use of [`Settings::run_dir`], where they are confined.
    pub fn app_run_dir(&self, app: &AppName) -> PathBuf {
        // An app may have the name of anything else that is there.
        self.run_dir.join(format!("@{app}"))
    }
}

/// Where apps' Thrift services listen, and who is told of it.
#[derive(Debug, Clone)]
pub struct Offering {
    pub address: IpAddr,
    /// Of an app's one service; none: from 7303 on, where it is free.
    pub port: Option<u16>,
    /// For all who look there: a file for each service, in each of these folders.
    pub notices: Vec<PathBuf>,
    pub zookeeper: Option<ZooKeeper>,
}

impl Offering {
    /// Only for this machine.
    pub fn here(notices: Vec<PathBuf>) -> Self {
        Self { address: IpAddr::V4(Ipv4Addr::LOCALHOST), port: None, notices, zookeeper: None }
    }
}

/// The folder of the notices, below that for sockets: where generated clients look.
pub const SERVICES: &str = "services";

/// What the work for one app is done with.
#[derive(Debug, Clone)]
struct Surroundings {
    settings: Arc<Settings>,
    events: mpsc::UnboundedSender<Event>,
    logs: output::Logs,
    keyboards: output::Keyboards,
    registry: Option<Arc<Registry>>,
}

/// Which hosts an app answers for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hosts {
    /// Its own name under the domain.
    Own,
    /// That and these, [`crate::gateway::ANY_HOST`] among them or not: there is one app.
    Also(Vec<String>),
}

/// How a generation that was wanted ended up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// It serves, this long after it was wanted.
    Serving {
        took: Duration,
        start: Start,
    },
    Failed(Box<Problem>),
    /// A later one was wanted before this one was ready.
    Superseded,
}

/// Where a generation came from.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Start {
    /// Forked from a parent that had imported its packages.
    Warm,
    /// A new Python, for this reason.
    Cold(String),
    /// It was there: the one that served before the last, kept warm.
    Kept,
}

/// A process of a generation, or of its crew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// `web`, or a daemon's name.
    pub process: String,
    pub release: Option<String>,
    pub duty: Duty,
    /// The process that leads its group.
    pub leader: u32,
}

/// What a process is there for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Duty {
    Serves,
    /// For a share of the visitors.
    Tried,
    /// To come back at once.
    Kept,
}

/// A word that what serves is out of date; later ones are greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Hold(u64);

pub struct Node {
    pub settings: Arc<Settings>,
    pub routes: Arc<Routes>,
    events: mpsc::UnboundedSender<Event>,
    seats: Mutex<HashMap<AppName, Seat>>,
    /// What served when it was given up: who asked it then is still being answered.
    given_up: Mutex<HashMap<AppName, Arc<Upstream>>>,
    /// The process that left what is taken up.
    predecessor: OnceLock<Gone>,
    keyboards: output::Keyboards,
    registry: Option<Arc<Registry>>,
}

impl Node {
    /// `events` hears all that happens. Use it inside a tokio runtime.
    pub fn new(settings: Settings, routes: Arc<Routes>, events: mpsc::UnboundedSender<Event>) -> Arc<Self> {
        let zookeeper = settings.offering.zookeeper.clone();
        Arc::new(Self {
            registry: zookeeper.map(|zookeeper| Registry::open(zookeeper, events.clone())),
            settings: Arc::new(settings),
            routes,
            events,
            seats: Mutex::default(),
            given_up: Mutex::default(),
            predecessor: OnceLock::new(),
            keyboards: output::Keyboards::default(),
        })
    }

    /// Makes `generation` the one that serves its app. Registered when this returns; the future tells how it went. Ends every
    /// hold there is.
    pub fn want(&self, generation: Generation) -> impl Future<Output = Wanted> + Send + use<> {
        let hold = self.seat(&generation.app).held();
        self.want_after(generation, hold)
    }

    /// The same, where only what was known at `hold` went into `generation`: later holds stay.
    pub fn want_after(&self, generation: Generation, hold: Hold) -> impl Future<Output = Wanted> + Send + use<> {
        let (reply, answer) = oneshot::channel();
        self.seat(&generation.app).ask(Ask::Want(Box::new(generation), hold, reply));
        async { answer.await.unwrap_or(Wanted::Superseded) }
    }

    /// Another process leaves what this one takes up, and goes when it has answered what it has begun. To be said before.
    pub fn succeeds(&self, predecessor: Gone) {
        // It has one.
        let _ = self.predecessor.set(predecessor);
    }

    /// What was left of `generation` by another process, or given up by this one, serves its app from now on, as it did.
    pub fn take_up(
        &self,
        generation: Generation,
        handed: Handed,
        files: &mut Bundle,
    ) -> Result<impl Future<Output = Wanted> + Send + use<>> {
        let seat = self.seat(&generation.app);
        let pids = handed.pids();
        let taken = Taken::new(handed, files).inspect_err(|_| Handed::end(&pids))?;
        let (reply, answer) = oneshot::channel();
        let before = match self.given_up().remove(&generation.app) {
            Some(upstream) => AnsweredBy::This(upstream),
            None => AnsweredBy::Another(self.predecessor.get().cloned().unwrap_or_else(|| watch::channel(()).1)),
        };
        seat.ask(Ask::TakeUp(Box::new(generation), Box::new(taken), before, seat.held(), reply));
        Ok(async { answer.await.unwrap_or(Wanted::Superseded) })
    }

    /// Why nobody can take over at this moment, in words: something is under way that would not go on.
    pub async fn is_busy(&self) -> Option<String> {
        let seats: Vec<_> = self.seats.lock().unwrap_or_else(PoisonError::into_inner).keys().cloned().collect();
        for app in seats {
            if let Some(why) = self.asked(&app, Ask::Busy).await {
                return Some(format!("{app}: {why}"));
            }
        }
        None
    }

    /// Gives all up that serves, for another process to take up; its open files go into `files`. Routes stay, for those who are
    /// being answered (`answered`); what was not given up ends when nobody is any more, `drain` at most, and then the future is
    /// ready.
    pub async fn leave(
        &self,
        drain: Duration,
        files: &mut Bundle,
    ) -> (Vec<Handed>, impl Future<Output = ()> + Send + use<>) {
        if let Some(registry) = &self.registry {
            registry.pause(true);
        }
        let seats: Vec<Seat> =
            self.seats.lock().unwrap_or_else(PoisonError::into_inner).drain().map(|(_, seat)| seat).collect();
        let (mut handed, mut behind) = (Vec::new(), Vec::new());
        for seat in seats {
            let (reply, left) = oneshot::channel();
            let (done, ended) = oneshot::channel();
            seat.ask(Ask::Leave { drain, reply, done });
            behind.push(ended);
            if let Ok(Some(left)) = left.await {
                let (app, upstream) = left.serving();
                self.given_up().insert(app, upstream);
                handed.push(left.handed(files).await);
            }
        }
        (handed, async move { drop(futures_util::future::join_all(behind).await) })
    }

    /// Ready when nobody is answered any more by what was given up, after `drain` at most. To be asked for when nobody asks any
    /// more.
    pub fn answered(&self, drain: Duration) -> impl Future<Output = ()> + Send + use<> {
        let upstreams: Vec<_> = self.given_up().values().cloned().collect();
        async move {
            let answered = upstreams.iter().map(|upstream| seat::idle(upstream, drain));
            futures_util::future::join_all(answered).await;
        }
    }

    fn given_up(&self) -> MutexGuard<'_, HashMap<AppName, Arc<Upstream>>> {
        self.given_up.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Nobody took up what was given up; it will be taken up here.
    pub fn stays(&self) {
        if let Some(registry) = &self.registry {
            registry.pause(false);
        }
    }

    /// Runs `generation` beside the one that serves its app, for `share` of the visitors, in the place of what was tried
    /// before. What is wanted later ends it.
    pub fn try_out(&self, generation: Generation, share: Share) -> impl Future<Output = Wanted> + Send + use<> {
        let (reply, answer) = oneshot::channel();
        self.seat(&generation.app).ask(Ask::Try(Box::new(generation), share, reply));
        async { answer.await.unwrap_or(Wanted::Superseded) }
    }

    /// Gives what is tried of `release` another share of the visitors; none ends it. Whether that is what is tried is the
    /// answer.
    pub async fn share(&self, app: &AppName, release: &str, share: Option<Share>) -> bool {
        self.asked(app, |reply| Ask::Share(release.to_owned(), share, reply)).await
    }

    /// What is tried of `release` serves from now on. Whether it runs is the answer.
    pub async fn promote(&self, app: &AppName, release: &str) -> bool {
        self.asked(app, |reply| Ask::Promote(release.to_owned(), reply)).await
    }

    /// From this moment no request to `app` is answered by what serves now, or by what was wanted before: they wait for what
    /// [`Node::want`] brings.
    pub fn hold(&self, app: &AppName) -> Hold {
        self.seat(app).hold()
    }

    /// What is wanted cannot even be started: `problem` is shown, or the last generation goes on, as the policy says. Ends
    /// every hold there is.
    pub fn fail(&self, app: &AppName, problem: Problem) {
        let hold = self.seat(app).held();
        self.fail_after(app, problem, hold);
    }

    /// The same for the holds up to `hold`.
    pub fn fail_after(&self, app: &AppName, problem: Problem, hold: Hold) {
        self.seat(app).ask(Ask::Fail(Box::new(problem), hold));
    }

    /// What of `app` runs: what serves, what is tried, the crew, then what is kept.
    pub async fn running(&self, app: &AppName) -> Vec<Seen> {
        self.asked(app, Ask::Look).await
    }

    /// Starts these of the crew of `app` anew: one by its label, or all instances of a name. The answer is how many.
    pub async fn restart(&self, app: &AppName, process: &str) -> usize {
        self.asked(app, |reply| Ask::Again(process.to_owned(), reply)).await
    }

    /// Waits until the services of the generation that serves `app` answer, or cannot.
    pub async fn offered(&self, app: &AppName) {
        if let Some(settled) = self.asked(app, Ask::Offered).await {
            settled.await;
        }
    }

    /// Runs a scheduled task of `app` now, as if it were `due`; the answer comes when it has begun.
    pub async fn run_job(&self, app: &AppName, job: &str, due: jiff::Timestamp) -> Result<cron::Begun> {
        let seat = self.seats.lock().unwrap_or_else(PoisonError::into_inner).get(app).cloned();
        let gone = || Problem::new("cron.stopping", "nothing serves the app");
        let (reply, answer) = oneshot::channel();
        seat.ok_or_else(gone)?.ask(Ask::Job(job.to_owned(), due, reply));
        answer.await.unwrap_or_else(|_| Err(gone()))
    }

    /// Asks a seat that is there already.
    async fn asked<T: Default>(&self, app: &AppName, ask: impl FnOnce(oneshot::Sender<T>) -> Ask) -> T {
        let seat = self.seats.lock().unwrap_or_else(PoisonError::into_inner).get(app).cloned();
        let Some(seat) = seat else { return T::default() };
        let (reply, answer) = oneshot::channel();
        seat.ask(ask(reply));
        answer.await.unwrap_or_default()
    }

    /// Types a line to the debugger that waits at a terminal: see [`Event::Prompt`].
    pub fn type_in(&self, terminal: u64, line: &str) -> Result<(), Problem> {
        self.keyboards.type_in(terminal, &format!("{line}\n"))
    }

    /// Ends everything; answers under way have `drain` to finish.
    pub async fn stop(&self, drain: Duration) {
        let seats: Vec<Seat> =
            self.seats.lock().unwrap_or_else(PoisonError::into_inner).drain().map(|(_, seat)| seat).collect();
        futures_util::future::join_all(seats.iter().map(|seat| end(seat, drain))).await;
        if let Some(registry) = &self.registry {
            registry.withdrawn().await;
        }
    }

    fn seat(&self, app: &AppName) -> Seat {
        let mut seats = self.seats.lock().unwrap_or_else(PoisonError::into_inner);
        let open = || {
            let mut hosts = vec![format!("{}.{}", app.host(), self.settings.domain)];
            if let Hosts::Also(also) = &self.settings.hosts {
                hosts.extend_from_slice(also);
            }
            let surroundings = Surroundings {
                settings: self.settings.clone(),
                events: self.events.clone(),
                logs: output::Logs::new(self.settings.log_dir.join(app.as_str())),
                keyboards: self.keyboards.clone(),
                registry: self.registry.clone(),
            };
            Seat::open(app.clone(), hosts, surroundings, self.routes.clone())
        };
        seats.entry(app.clone()).or_insert_with(open).clone()
    }
}

async fn end(seat: &Seat, drain: Duration) {
    let (done, ended) = oneshot::channel();
    seat.ask(Ask::End { drain, done });
    // An error means that the seat has ended already.
    let _ = ended.await;
}
