//! A generation that runs beside the one that serves, for a share of the visitors: a gray release. It has web processes and
//! nothing else: daemons, queue workers and scheduled tasks stay with the one that serves, so there are never two of one.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::{Task, Wish};
use crate::gateway::{Route, Share, Split, Upstream};
use crate::node::pause::Pause;
use crate::node::start::Running;
use crate::node::{Duty, Event, Generation, Wanted};
use crate::problem::{Problem, Result};
use crate::supervisor::End;

#[derive(Default)]
pub(super) struct Gray {
    tried: Option<Tried>,
    /// What is to come in its place, and starts.
    coming: Option<(Wish, Arc<Generation>, Share)>,
}

struct Tried {
    generation: Arc<Generation>,
    share: Share,
    /// None while it is started again; its visitors get what serves.
    up: Option<(Running, Instant)>,
    again: Option<Wish>,
    pause: Pause,
}

/// What happens to a gray generation by itself.
pub(super) enum Came {
    Ready(Result<Running>),
    /// It had died, and was started again.
    Again(Result<Running>),
    Died(End),
}

impl Gray {
    pub async fn next(&mut self) -> Came {
        let Self { tried, coming } = self;
        let (up, again) = match tried {
            Some(tried) => (tried.up.as_ref(), tried.again.as_mut()),
            None => (None, None),
        };
        tokio::select! {
            result = started(coming.as_mut().map(|(wish, ..)| wish)) => Came::Ready(result),
            result = started(again) => Came::Again(result),
            end = super::died(up) => Came::Died(end),
        }
    }

    pub fn is_coming(&self) -> bool {
        self.coming.is_some()
    }

    /// What is tried, which is not tried any more.
    pub fn end(&mut self) -> Option<Running> {
        let (running, _) = self.tried.take()?.up?;
        Some(running)
    }

    pub fn running(&self) -> Option<&Running> {
        self.tried.as_ref()?.up.as_ref().map(|(running, _)| running)
    }

    /// What a host is answered by that would be by `rest` alone.
    pub fn beside(&self, rest: &Arc<Upstream>) -> Option<Route> {
        let Tried { generation, share, up, .. } = self.tried.as_ref()?;
        let tried = up.as_ref()?.0.upstream.clone();
        let trial = generation.release.clone().unwrap_or_default();
        Some(Route::Split(Arc::new(Split { rest: rest.clone(), tried, share: share.clone(), trial })))
    }

    fn is(&self, release: &str) -> bool {
        self.tried.as_ref().is_some_and(|tried| tried.generation.release.as_deref() == Some(release))
    }
}

impl Task {
    /// Starts `generation` beside what serves.
    pub(super) fn try_out(&mut self, generation: Generation, share: Share, reply: oneshot::Sender<Wanted>) {
        if let Some((given_up, ..)) = self.gray.coming.take() {
            given_up.answer(Wanted::Superseded);
        }
        if self.current.is_none() {
            let problem = Problem::new("node.nothing-beside", "nothing serves that it could be tried beside");
            // Whoever wished may have gone.
            let _ = reply.send(Wanted::Failed(Box::new(problem)));
            return;
        }
        let generation = Arc::new(generation);
        let wish = self.begin(generation.clone(), Some(reply), Duration::ZERO);
        self.gray.coming = Some((wish, generation, share));
    }

    /// The gray generation of `release` gets another share, or none any more. Whether there is such a one is the answer.
    pub(super) fn share(&mut self, release: &str, share: Option<Share>) -> bool {
        if !self.gray.is(release) {
            return false;
        }
        match (share, &mut self.gray.tried) {
            (Some(share), Some(tried)) => tried.share = share,
            _ => self.end_tried(),
        }
        self.show();
        true
    }

    /// The gray generation of `release` is what serves from now on.
    pub(super) fn promote(&mut self, release: &str) -> bool {
        if !self.gray.is(release) || self.gray.running().is_none() {
            return false;
        }
        let Some((running, _)) = self.gray.tried.take().and_then(|tried| tried.up) else { return false };
        self.end_gray();
        self.switch(running, Instant::now());
        true
    }

    /// Nothing is tried any more.
    pub(super) fn end_gray(&mut self) {
        if let Some((given_up, ..)) = self.gray.coming.take() {
            given_up.answer(Wanted::Superseded);
        }
        self.end_tried();
    }

    fn end_tried(&mut self) {
        if let Some((running, _)) = self.gray.tried.take().and_then(|tried| tried.up) {
            self.retire(running, self.rollout.drain_within);
        }
    }

    pub(super) fn gray_came(&mut self, came: Came) {
        match came {
            Came::Ready(result) => {
                let Some((wish, generation, share)) = self.gray.coming.take() else { return };
                match result {
                    Ok(mut running) => {
                        self.prepare(running.generation.clone(), running.learned.take());
                        let (start, took, number) = (running.start.clone(), wish.since.elapsed(), running.number);
                        self.end_tried();
                        let up = Some((running, Instant::now()));
                        self.gray.tried = Some(Tried { generation, share, up, again: None, pause: Pause::default() });
                        self.show();
                        self.tell(Event::Serving { app: self.app.clone(), generation: number, took });
                        wish.answer(Wanted::Serving { took, start });
                    }
                    Err(problem) => {
                        self.tell_failed(wish.number, problem.clone());
                        wish.answer(Wanted::Failed(Box::new(problem)));
                    }
                }
            }
            Came::Again(Ok(running)) => {
                if let Some(tried) = &mut self.gray.tried {
                    tried.again = None;
                    tried.up = Some((running, Instant::now()));
                }
                self.show();
            }
            Came::Again(Err(problem)) => {
                self.tell_failed(self.number, problem);
                self.try_again(Duration::ZERO);
            }
            Came::Died(end) => {
                let Some((last, since)) = self.gray.tried.as_mut().and_then(|tried| tried.up.take()) else { return };
                self.show();
                let (app, generation, process) = (self.app.clone(), last.number, "web".to_owned());
                self.tell(Event::Restarting { app, generation, process, why: end.to_string() });
                self.try_again(since.elapsed());
            }
        }
    }

    /// After something that lived so long.
    fn try_again(&mut self, lived: Duration) {
        let Some(tried) = &mut self.gray.tried else { return };
        let (generation, pause) = (tried.generation.clone(), tried.pause.after(lived));
        let wish = self.begin(generation, None, pause);
        if let Some(tried) = &mut self.gray.tried {
            tried.again = Some(wish);
        }
    }

    /// Every generation that runs has an address of its own, `RELEASE--HOST`.
    pub(super) fn name_each(&mut self) {
        let Some(host) = self.hosts.first() else { return };
        let current = self.current.iter().map(|(running, _)| running);
        let kept = self.kept.iter().map(|kept| &kept.running);
        let named = |running: &Running| {
            let release = running.generation.release.as_ref()?;
            Some((format!("{release}--{host}"), running.upstream.clone()))
        };
        let named: Vec<_> = kept.chain(self.gray.running()).chain(current).filter_map(named).collect();
        for gone in self.named.iter().filter(|gone| !named.iter().any(|(host, _)| host == *gone)) {
            self.routes.remove(gone);
        }
        self.named = named.iter().map(|(host, _)| host.clone()).collect();
        for (host, upstream) in named {
            self.routes.set(&host, Route::Serving(upstream));
        }
    }

    /// What runs with web processes, and what for.
    pub(super) fn duties(&self) -> impl Iterator<Item = (&Running, Duty)> {
        let current = self.current.iter().map(|(running, _)| (running, Duty::Serves));
        current.chain(self.gray.running().map(|running| (running, Duty::Tried)))
    }
}

async fn started(wish: Option<&mut Wish>) -> Result<Running> {
    match wish {
        Some(wish) => wish.starting.as_mut().await,
        None => std::future::pending().await,
    }
}
