//! What an app offers to others: its Thrift services, which follow the generation that serves.
//!
//! Theory of operation. One task owns an app's offer: the listening sockets, one a service, and the processes of one
//! generation. The sockets stay open from generation to generation and are lent to each (`lend`), so that no port ever closes.
//! The next generation's processes are ready before the last ones' are told to end; those answer what they have begun and give
//! their connections to the next ones, so that no client notices. A generation whose services cannot start is told of, and
//! the last ones go on.

mod ports;
mod process;

use std::pin::Pin;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::{JoinHandle, JoinSet};

use super::pause::Pause;
use super::warm::Warmth;
use super::{Duty, Event, Generation, Seen, Surroundings};
use crate::problem::Problem;
use crate::supervisor::Signal;
pub(super) use ports::Ports;
pub(super) use process::Answering;

/// The outside of an offer.
#[derive(Debug)]
pub(super) struct Offer {
    wanted: watch::Sender<Option<Wanted>>,
    /// The process that leads; 0 while there is none.
    leader: Arc<AtomicU32>,
    /// The number of the last generation whose services answer, or could not be started.
    settled: watch::Receiver<u64>,
    /// All of it is left to another process.
    leave: mpsc::UnboundedSender<oneshot::Sender<LeftOffer>>,
    taken: Arc<Mutex<Option<LeftOffer>>>,
    task: JoinHandle<()>,
}

/// What an offer gives up.
#[derive(Debug)]
pub(super) struct LeftOffer {
    pub ports: Ports,
    pub answering: Option<Answering>,
}

/// Ready once the services of a generation answer, or cannot.
pub(super) type Settled = Pin<Box<dyn Future<Output = ()> + Send>>;

#[derive(Debug, Clone)]
struct Wanted {
    number: u64,
    generation: Arc<Generation>,
}

impl Offer {
    pub fn open(surroundings: Surroundings, warmth: Warmth) -> Self {
        let (wanted, word) = watch::channel(None);
        let leader = Arc::new(AtomicU32::new(0));
        let (settle, settled) = watch::channel(0);
        let (leave, leaves) = mpsc::unbounded_channel();
        let taken = Arc::default();
        let task = Task::new(surroundings, warmth, leader.clone(), settle);
        let task = tokio::spawn(task.follow(word, leaves, Arc::clone(&taken)));
        Self { wanted, leader, settled, leave, taken, task }
    }

    /// Another process has left this: it is what serves next.
    pub fn take_up(&self, left: LeftOffer) {
        *self.taken.lock().unwrap_or_else(PoisonError::into_inner) = Some(left);
    }

    /// Gives all of it up, for another process.
    pub async fn leave(self) -> Option<LeftOffer> {
        let (reply, left) = oneshot::channel();
        self.leave.send(reply).ok()?;
        left.await.ok()
    }

    /// `generation` serves: its services take over.
    pub fn serve(&self, number: u64, generation: &Arc<Generation>) {
        self.wanted.send_if_modified(|wanted| {
            let stays = wanted.as_ref().is_some_and(|wanted| Arc::ptr_eq(&wanted.generation, generation));
            if !stays {
                *wanted = Some(Wanted { number, generation: generation.clone() });
            }
            !stays
        });
    }

    pub fn settled(&self) -> Settled {
        let number = self.wanted.borrow().as_ref().map_or(0, |wanted| wanted.number);
        let mut settled = self.settled.clone();
        // An error means that all of it has ended.
        Box::pin(async move { drop(settled.wait_for(|last| *last >= number).await) })
    }

    pub fn seen(&self) -> Option<Seen> {
        let leader = self.leader.load(Ordering::Relaxed);
        let release = self.wanted.borrow().as_ref().and_then(|wanted| wanted.generation.release.clone());
        (leader != 0).then(|| Seen { process: "services".into(), release, duty: Duty::Serves, leader })
    }

    /// Ends all of it.
    pub async fn end(self) {
        drop(self.wanted);
        // A task that panicked has ended as well.
        let _ = self.task.await;
    }
}

struct Task {
    surroundings: Surroundings,
    warmth: Warmth,
    leader: Arc<AtomicU32>,
    settle: watch::Sender<u64>,
    ports: Ports,
    current: Option<(Answering, Wanted, Instant)>,
    pause: Pause,
    behind: JoinSet<()>,
    /// What was told of ports last.
    started: Vec<String>,
}

impl Task {
    fn new(surroundings: Surroundings, warmth: Warmth, leader: Arc<AtomicU32>, settle: watch::Sender<u64>) -> Self {
        let ports = Ports::default();
        let (pause, behind) = (Pause::default(), JoinSet::new());
        Self { surroundings, warmth, leader, settle, ports, current: None, pause, behind, started: Vec::new() }
    }

    async fn follow(
        mut self,
        mut word: watch::Receiver<Option<Wanted>>,
        mut leaves: mpsc::UnboundedReceiver<oneshot::Sender<LeftOffer>>,
        taken: Arc<Mutex<Option<LeftOffer>>>,
    ) {
        loop {
            let wanted = tokio::select! {
                changed = word.changed() => match changed {
                    Ok(()) => word.borrow_and_update().clone(),
                    Err(_) => break,
                },
                why = ended(self.current.as_ref()) => {
                    let Some((_, wanted, since)) = self.current.take() else { continue };
                    self.leader.store(0, Ordering::Relaxed);
                    let number = wanted.number;
                    self.tell(|app| Event::Restarting { app, generation: number, process: "services".into(), why }, &wanted);
                    tokio::time::sleep(self.pause.after(since.elapsed())).await;
                    Some(wanted)
                }
                Some(reply) = leaves.recv() => {
                    let answering = self.current.take().map(|(answering, ..)| answering);
                    // Whoever asked waits for it.
                    let _ = reply.send(LeftOffer { ports: self.ports, answering });
                    // Those of an earlier generation end in their time.
                    while self.behind.join_next().await.is_some() {}
                    return;
                }
                Some(_) = self.behind.join_next() => continue,
            };
            let Some(wanted) = wanted else { continue };
            let left = taken.lock().unwrap_or_else(PoisonError::into_inner).take();
            if let Some(LeftOffer { ports, answering }) = left {
                self.ports = ports;
                if answering.is_some() {
                    self.settle.send_replace(wanted.number);
                    self.take_over(answering, wanted);
                    continue;
                }
            }
            // A later wish gives up what is still starting.
            let starting = self.start(&wanted);
            let result = tokio::select! {
                result = starting => result,
                Ok(()) = word.changed() => {
                    word.mark_changed();
                    continue;
                }
            };
            let number = wanted.number;
            match result {
                Ok(next) => self.take_over(next, wanted),
                Err(problem) => {
                    self.tell(|app| Event::Failed { app, generation: number, problem }, &wanted);
                }
            }
            self.settle.send_replace(number);
        }
        self.ports.withdraw();
        if let Some((last, ..)) = self.current.take() {
            last.process.stop(Signal::SIGTERM, self.surroundings.settings.rollout.end_within).await;
        }
        self.behind.shutdown().await;
    }

    /// None where the generation offers nothing.
    async fn start(&mut self, wanted: &Wanted) -> Result<Option<Answering>, Problem> {
        let generation = &wanted.generation;
        self.ports.open(generation, &self.surroundings.settings)?;
        if generation.manifest.services.is_empty() {
            return Ok(None);
        }
        Answering::start(generation, wanted.number, &self.surroundings, &self.warmth, &self.ports).await.map(Some)
    }

    fn take_over(&mut self, next: Option<Answering>, wanted: Wanted) {
        let leader = next.as_ref().map_or(0, |next| next.process.id());
        self.leader.store(leader, Ordering::Relaxed);
        let last = self.current.take();
        self.current = next.map(|next| (next, wanted.clone(), Instant::now()));
        if let Some((last, ..)) = last {
            let rollout = self.surroundings.settings.rollout;
            self.behind.spawn(async move {
                last.process.stop(Signal::SIGTERM, rollout.drain_within + rollout.end_within).await;
            });
        }
        match &self.surroundings.registry {
            Some(registry) if self.current.is_some() => self.ports.register(registry),
            _ => self.ports.withdraw(),
        }
        let started = if self.current.is_some() { self.ports.told() } else { Vec::new() };
        if started != self.started {
            for line in &started {
                let (line, process) = (format!("Started {line}"), "services".to_owned());
                let generation = Some(wanted.number);
                self.tell(|app| Event::Output { app, generation, process, line }, &wanted);
            }
            self.started = started;
        }
    }

    fn tell(&self, event: impl FnOnce(crate::app::AppName) -> Event, wanted: &Wanted) {
        // Nobody listens any more when the node goes down.
        let _ = self.surroundings.events.send(event(wanted.generation.app.clone()));
    }
}

/// Waits for ever where there is nothing that could end.
async fn ended(current: Option<&(Answering, Wanted, Instant)>) -> String {
    match current {
        Some((answering, ..)) => answering.process.ended().await.to_string(),
        None => std::future::pending().await,
    }
}
