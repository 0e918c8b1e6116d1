//! All services of one app. Each is cheap until it is used, so all are there: what an app needs is not guessed at.
//!
//! One task owns them. It alone can stop them for a moment, to do something to the data of all of them together, and start
//! them again at the addresses they had.

use futures_util::future::join_all;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::kv::{beansdb, memcache};
use super::state::{self, Control, Order, States};
use super::{Event, Provided, Running, Space, errors, logs, mail, mysql, permdir, queue, users};
use crate::problem::{Problem, Result};

/// Dropping it lets go of the services without waiting for their end.
#[derive(Debug)]
pub struct Platform {
    provided: Vec<Provided>,
    /// Once it is gone, the task ends.
    alive: DropGuard,
    task: JoinHandle<()>,
}

impl Platform {
    /// Starts every service. Returns as soon as all of them listen.
    pub async fn start(space: &Space) -> Result<Self> {
        let states = States::of(&space.data, space.permdir());
        // The last host may have been ended in the middle of a restore.
        states.finish()?;
        let running = all(space).await?;
        let mut provided = told(&running);
        let (orders, heard) = mpsc::channel(1);
        let socket = state::listen(space, orders)?;
        provided.push(Provided { service: "state".into(), env: vec![(state::SOCKET.to_owned(), socket)] });
        let stop = CancellationToken::new();
        let task = tokio::spawn(own(space.clone(), states, running, heard, stop.clone()));
        Ok(Self { provided, alive: stop.drop_guard(), task })
    }

    /// What the app's processes are told: see `node/contract.rs`.
    pub fn provided(&self) -> Vec<Provided> {
        self.provided.clone()
    }

    /// Returns when everything is written.
    pub async fn stop(self) {
        drop(self.alive);
        // A task that panicked has ended as well.
        let _ = self.task.await;
    }
}

/// Every service. Each listens at `space.listen(...)`, so that it comes back where it was.
async fn all(space: &Space) -> Result<Vec<Running>> {
    let mut running = vec![
        // one line a service
        errors::start(space).await?,
        logs::start(space).await?,
        mail::start(space).await?,
        memcache::start(space)?,
        beansdb::start(space).await?,
        mysql::start(space).await?,
        queue::start(space)?,
        users::start(space).await?,
    ];
    running.extend(permdir::start(space)?);
    Ok(running)
}

/// One of those that need nothing of an app but its space.
pub async fn start_one(space: &Space, service: &str) -> Result<Running> {
    match service {
        "memcache" => memcache::start(space),
        "beansdb" => beansdb::start(space).await,
        "queue" => queue::start(space),
        other => Err(Problem::new("services.unknown", format!("`{other}` is no service that stands alone"))
            .hint("there is `memcache`, `beansdb` and `queue`")
            .exit(2)),
    }
}

fn told(running: &[Running]) -> Vec<Provided> {
    running.iter().map(|service| Provided { service: service.service.into(), env: service.env.clone() }).collect()
}

/// Owns the services until nobody wants them any more.
async fn own(
    space: Space,
    states: States,
    mut running: Vec<Running>,
    mut orders: mpsc::Receiver<Control>,
    stop: CancellationToken,
) {
    loop {
        let Control { order, done } = tokio::select! {
            () = stop.cancelled() => break,
            Some(control) = orders.recv() => control,
        };
        if let Err(problem) = states.refuse(&order) {
            // Whoever asked may have gone.
            let _ = done.send(Err(problem));
            continue;
        }
        let before = told(&running);
        space.tell.event(Event::ServicesPaused);
        end(running).await;
        let outcome = run(&states, &order).await;
        let why = if outcome.is_ok() { order.told() } else { "as it was".into() };
        running = match all(&space).await {
            Ok(running) => running,
            Err(problem) => {
                space.tell.failed("state", problem.clone());
                let _ = done.send(Err(problem));
                return;
            }
        };
        space.tell.event(Event::ServicesResumed { why });
        let moved = told(&running) != before;
        let _ = done.send(outcome.and_then(|()| if moved { Err(elsewhere()) } else { Ok(()) }));
    }
    end(running).await;
}

async fn end(running: Vec<Running>) {
    join_all(running.into_iter().map(Running::stop)).await;
}

async fn run(states: &States, order: &Order) -> Result<()> {
    let (states, order) = (states.clone(), order.clone());
    let done = tokio::task::spawn_blocking(move || states.run(&order)).await;
    done.unwrap_or_else(|error| Err(Problem::new("state.failed", "the state could not be changed").because(error)))
}

fn elsewhere() -> Problem {
    Problem::new("state.moved", "it is done, but a service has come back at another address")
        .hint("start `dae serve` anew, and whatever else runs of this app")
}
