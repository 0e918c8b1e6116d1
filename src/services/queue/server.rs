//! The connections: each reads requests, has them done, and answers when what was done is safe.

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::Settings;
use super::execute::{DEADLINE_SOON, Did, Safe, TIMED_OUT, Wait};
use super::input::Input;
use super::journal::{Journal, lock};
use super::stats::Server;
use super::store::Store;
use crate::problem::Result;
use crate::services::{Guarded, Tell};

/// So many answers are gathered before they are sent, in bytes.
const MUCH: usize = 128 << 10;
/// How much is read from a client that waits, in bytes: it may send the next requests, and not without end.
const READ_AHEAD: usize = 64 << 10;

#[derive(Debug)]
pub(super) struct Queue {
    store: Mutex<Store>,
    journal: Journal,
    began: Instant,
    id: String,
}

impl Queue {
    pub fn open(settings: &Settings, tell: Tell) -> Result<Self> {
        let mut store = Store::new(settings.max_job);
        let journal = Journal::open(&settings.folder, &mut store, settings.sync, tell)?;
        // Without a number of its own a run looks like the last one in the statistics.
        let id = format!("{:016x}", getrandom::u64().unwrap_or_default());
        Ok(Self { store: Mutex::new(store), journal, began: Instant::now(), id })
    }

    fn told(&self) -> Server {
        Server { uptime: self.began.elapsed().as_secs(), oldest_segment: self.journal.oldest(), id: self.id.clone() }
    }

    async fn be(&self, safe: Safe, end: u64) -> io::Result<()> {
        match safe {
            Safe::Anyway => Ok(()),
            Safe::Written => self.journal.written(&self.store, end),
            Safe::Synced => self.journal.safe(&self.store, end).await,
        }
    }
}

/// Answers on `listener` until `stop`; the journal is opened when the first client comes.
pub(super) async fn serve(listener: Guarded<TcpListener>, settings: Settings, tell: Tell, stop: CancellationToken) {
    let clients = TaskTracker::new();
    let mut queue: Option<Arc<Queue>> = None;
    let mut keeper = None;
    loop {
        let (stream, _) = tokio::select! {
            () = stop.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        let open = match &queue {
            Some(open) => open.clone(),
            None => match open(settings.clone(), tell.clone()).await {
                Ok(open) => {
                    let kept = open.clone();
                    keeper = Some(tokio::task::spawn_blocking(move || kept.journal.keep(&kept.store)));
                    clients.spawn(wake(open.clone(), stop.clone()));
                    queue.insert(open).clone()
                }
                // The client finds its connection closed, and the next one tries again.
                Err(problem) => {
                    tell.failed("queue", problem);
                    continue;
                }
            },
        };
        let stop = stop.clone();
        clients.spawn(async move {
            let _ = stream.set_nodelay(true);
            let id = lock(&open.store).connect();
            let client = Client { queue: open.clone(), id, stream, input: Input::new(lock(&open.store).max_job) };
            // A connection that breaks is its client's business.
            let _ = client.talk(stop).await;
            lock(&open.store).disconnect(id);
        });
    }
    clients.close();
    clients.wait().await;
    if let Some(queue) = queue {
        queue.journal.stop();
    }
    if let Some(keeper) = keeper {
        // Had it panicked, what could be written would be.
        let _ = keeper.await;
    }
}

async fn open(settings: Settings, tell: Tell) -> Result<Arc<Queue>> {
    let opened = tokio::task::spawn_blocking(move || Queue::open(&settings, tell)).await;
    let failed = |error| crate::problem::Problem::new("queue", "the queue could not be opened").because(error);
    opened.unwrap_or_else(|error| Err(failed(error))).map(Arc::new)
}

/// Makes ready what is due.
async fn wake(queue: Arc<Queue>, stop: CancellationToken) {
    let alarm = lock(&queue.store).alarm.clone();
    loop {
        let next = {
            let mut store = lock(&queue.store);
            let next = store.tick();
            (next != u64::MAX).then(|| store.clock.instant(next))
        };
        tokio::select! {
            () = stop.cancelled() => {
                lock(&queue.store).draining = true;
                return;
            }
            () = alarm.notified() => {}
            () = at(next) => {}
        }
    }
}

async fn at(time: Option<Instant>) {
    match time {
        Some(time) => tokio::time::sleep_until(time.into()).await,
        None => std::future::pending().await,
    }
}

struct Client {
    queue: Arc<Queue>,
    id: u32,
    stream: TcpStream,
    input: Input,
}

/// What came of the requests that were there.
struct Round {
    safe: Safe,
    end: u64,
    wait: Option<Wait>,
    quits: bool,
    /// There may be more of them.
    more: bool,
}

impl Client {
    async fn talk(mut self, stop: CancellationToken) -> io::Result<()> {
        let mut answers = Vec::new();
        loop {
            let round = self.round(&mut answers);
            if !answers.is_empty() {
                self.send(&mut answers, round.safe, round.end).await?;
            }
            if round.quits {
                return Ok(());
            }
            if let Some(wait) = round.wait {
                self.wait(wait, &stop, &mut answers).await?;
                continue;
            }
            if !round.more {
                tokio::select! {
                    () = stop.cancelled() => return Ok(()),
                    count = self.stream.read_buf(self.input.buffer()) => if count? == 0 {
                        return Ok(());
                    },
                }
            }
        }
    }

    /// Does what is asked, until nothing is left, something must be waited for, or the answers are many.
    fn round(&mut self, answers: &mut Vec<u8>) -> Round {
        let mut round = Round { safe: Safe::Anyway, end: 0, wait: None, quits: false, more: false };
        let Some(mut request) = self.input.next() else { return round };
        let mut store = lock(&self.queue.store);
        loop {
            // Only where it is asked for: it is not free.
            let server = match &request {
                super::input::Request::Command(super::command::Command::Stats) => self.queue.told(),
                _ => Server::default(),
            };
            match store.execute(self.id, request, &server, answers) {
                Did::Answered(safe) => round.safe = round.safe.max(safe),
                Did::Waits(wait) => round.wait = Some(wait),
                Did::Quits => round.quits = true,
            }
            round.end = store.log.end;
            round.more = answers.len() > MUCH;
            if round.wait.is_some() || round.quits || round.more {
                return round;
            }
            match self.input.next() {
                Some(next) => request = next,
                None => return round,
            }
        }
    }

    async fn send(&mut self, answers: &mut Vec<u8>, safe: Safe, end: u64) -> io::Result<()> {
        if self.queue.be(safe, end).await.is_err() {
            // Nothing that was done just now is kept for certain.
            answers.clear();
            answers.extend_from_slice(b"INTERNAL_ERROR\r\n");
        }
        self.stream.write_all(answers).await?;
        answers.clear();
        answers.shrink_to(MUCH);
        Ok(())
    }

    /// For a job, the end of patience, or a word that another job's time is nearly over.
    async fn wait(&mut self, wait: Wait, stop: &CancellationToken, answers: &mut Vec<u8>) -> io::Result<()> {
        let Wait { mut granted, until, soon } = wait;
        let answer = loop {
            tokio::select! {
                biased;
                Ok(grant) = &mut granted => {
                    answers.extend_from_slice(&grant.answer);
                    return self.send(answers, Safe::Written, grant.end).await;
                }
                () = stop.cancelled() => return Err(io::ErrorKind::Interrupted.into()),
                () = at(soon) => break DEADLINE_SOON,
                () = at(until) => break TIMED_OUT,
                count = self.stream.read_buf(self.input.buffer()), if self.input.buffer().len() < READ_AHEAD => {
                    if count? == 0 {
                        // It sends no more, and may still read.
                        break TIMED_OUT;
                    }
                }
            }
        };
        if lock(&self.queue.store).give_up(self.id) {
            answers.extend_from_slice(answer.as_bytes());
            return self.send(answers, Safe::Anyway, 0).await;
        }
        // The job came at the last moment.
        let Ok(grant) = granted.await else { return Err(io::ErrorKind::BrokenPipe.into()) };
        answers.extend_from_slice(&grant.answer);
        self.send(answers, Safe::Written, grant.end).await
    }
}
