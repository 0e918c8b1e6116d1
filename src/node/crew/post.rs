//! One member's post: its process is started, watched, started again, and ended when the crew goes.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::super::output::{LastLines, Source, listener};
use super::super::pause::Pause;
use super::super::{Event, Generation, Rollout, Surroundings};
use super::member::{Leaves, Member};
use crate::problem::{Doing as _, Result};
use crate::supervisor::{Left, Process, Signal, memory_of_group};

/// How often a member with a limit is measured.
const MEASURED: Duration = Duration::from_secs(1);
/// Who holds no job ends within this, and nothing need be said.
const SOON: Duration = Duration::from_millis(300);

/// What others may know of a post, and ask of it.
#[derive(Debug, Default)]
pub(super) struct Post {
    pub label: String,
    /// 0 while there is none.
    pub pid: AtomicU32,
    pub again: Notify,
}

/// The post's own side.
pub(super) struct Watch {
    pub member: Member,
    pub post: Arc<Post>,
    pub number: u64,
    pub generation: Arc<Generation>,
    pub surroundings: Surroundings,
    /// The crew is replaced, or nothing serves any more.
    pub stop: CancellationToken,
    /// All of it ends.
    pub end: CancellationToken,
    /// All of it is left to another process, which finds it here.
    pub leave: CancellationToken,
    pub left: Arc<Mutex<Vec<(String, Left)>>>,
    /// What another process has left.
    pub taken: Option<Left>,
}

enum Came {
    Stop,
    Leave,
    Ended(String),
    /// It goes on, and is to be started anew.
    Unwanted(String),
}

impl Watch {
    /// Until the crew stops; then nothing of the member is left.
    pub async fn keep(mut self) {
        let mut pause = Pause::default();
        loop {
            let since = Instant::now();
            let why = match self.start() {
                Ok(process) => {
                    self.post.pid.store(process.id(), Ordering::Relaxed);
                    let came = self.watch(&process).await;
                    let grace = self.surroundings.settings.rollout.end_within;
                    let why = match came {
                        Came::Ended(why) => Some(why),
                        Came::Unwanted(why) => {
                            process.stop(Signal::SIGTERM, grace).await;
                            Some(why)
                        }
                        Came::Leave => {
                            let left = (self.post.label.clone(), process.leave().await);
                            return self.left.lock().unwrap_or_else(PoisonError::into_inner).push(left);
                        }
                        Came::Stop => {
                            self.leave(process).await;
                            None
                        }
                    };
                    self.post.pid.store(0, Ordering::Relaxed);
                    let Some(why) = why else { return };
                    why
                }
                Err(problem) => problem.to_string(),
            };
            // Nobody listens any more when the node goes down.
            let _ = self.surroundings.events.send(Event::Restarting {
                app: self.generation.app.clone(),
                generation: self.number,
                process: self.post.label.clone(),
                why,
            });
            tokio::select! {
                () = self.stop.cancelled() => return,
                () = self.leave.cancelled() => return,
                () = self.post.again.notified() => {}
                () = tokio::time::sleep(pause.after(since.elapsed())) => {}
            }
        }
    }

    async fn leave(&self, process: Process) {
        let Rollout { end_within, finish_within, .. } = self.surroundings.settings.rollout;
        if self.member.leaves == Leaves::AfterItsJob && !self.end.is_cancelled() {
            // Who holds no job ends by this.
            process.signal(Signal::SIGTERM);
            if tokio::time::timeout(SOON, process.ended()).await.is_ok() {
                return;
            }
            let most = finish_within.as_secs();
            self.tell(format!("finishes its job with the code it began with, within {most} s"), false);
            tokio::select! {
                _ = process.ended() => return,
                () = tokio::time::sleep(finish_within) => {
                    self.tell(format!("has not finished its job within {most} s, and is ended; the job is given out again"), true);
                }
                () = self.end.cancelled() => {}
            }
        }
        process.stop(Signal::SIGTERM, end_within).await;
    }

    fn tell(&self, text: String, is_bad: bool) {
        // Nobody listens any more when the node goes down.
        let _ = self.surroundings.events.send(Event::Leaving {
            app: self.generation.app.clone(),
            generation: self.number,
            process: self.post.label.clone(),
            text,
            is_bad,
        });
    }

    fn start(&mut self) -> Result<Process> {
        let source = Source { generation: &self.generation, number: Some(self.number), process: &self.post.label };
        let hear = listener(source, &self.surroundings, LastLines::default())?;
        if let Some(left) = self.taken.take() {
            return Process::take_up(left, hear).doing(|| format!("take up `{}`", self.post.label));
        }
        let spec = self.member.spec(&self.generation, &self.surroundings.settings);
        Process::start(&spec, hear).doing(|| format!("start `{}`", spec.program.display()))
    }

    async fn watch(&self, process: &Process) -> Came {
        tokio::select! {
            biased;
            () = self.stop.cancelled() => Came::Stop,
            () = self.leave.cancelled() => Came::Leave,
            end = process.ended() => Came::Ended(end.to_string()),
            () = self.post.again.notified() => Came::Unwanted("that was asked".into()),
            used = outgrown(process.id(), self.member.mem_limit) => Came::Unwanted(used),
        }
    }
}

/// Ready when the group of `leader` uses more than `limit`.
async fn outgrown(leader: u32, limit: Option<u64>) -> String {
    let Some(limit) = limit else { return std::future::pending().await };
    loop {
        tokio::time::sleep(MEASURED).await;
        let used = tokio::task::spawn_blocking(move || memory_of_group(leader)).await;
        if let Ok(Some(used)) = used
            && used > limit
        {
            return format!("it used {} MiB and may use {} (mem_limit)", used >> 20, limit >> 20);
        }
    }
}
