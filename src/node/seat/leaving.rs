//! A seat whose processes another node's process follows from there on; and one that takes up what was left so.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::{LAST_WORDS, Task, stop};
use crate::app::AppName;
use crate::gateway::Upstream;
use crate::node::handed::{Handed, HandedAnswering, HandedMember, HandedOffer, HandedParent, HandedWeb};
use crate::node::offer::{Answering, LeftOffer, Ports};
use crate::node::output::{LastLines, Source, listener};
use crate::node::sockets::Sockets;
use crate::node::start::{AnsweredBy, Running, TakenWeb};
use crate::node::warm::{Parent, TakenParent};
use crate::node::{Generation, Start, Wanted};
use crate::problem::{Doing as _, Problem, Result};
use crate::supervisor::{Bundle, HandedProcess, Left, Process};

/// What a seat has given up.
pub struct Leaving {
    app: AppName,
    running: Running,
    warm: Option<Arc<Parent>>,
    crew: Vec<(String, Left)>,
    offer: Option<LeftOffer>,
}

impl Leaving {
    /// Who answers still, of which app.
    pub fn serving(&self) -> (AppName, Arc<Upstream>) {
        (self.app.clone(), self.running.upstream.clone())
    }

    /// Lays it out for the other process.
    pub async fn handed(self, files: &mut Bundle) -> Handed {
        let Self { app, running, warm, crew, offer } = self;
        let Running { number, generation, web, parent, sockets, .. } = running;
        let mut parents = Parents::default();
        let warm = parents.leave(warm.as_ref(), files).await;
        let web = match (web, sockets.and_then(Sockets::leave)) {
            (Some(web), Some((notify, dir))) => {
                let parent = parents.leave(parent.as_ref(), files).await;
                let process = HandedProcess::new(web.leave().await, files);
                Some(HandedWeb { process, dir, notify: files.put(notify), parent })
            }
            _ => None,
        };
        let offer = match offer {
            Some(LeftOffer { ports, answering }) => {
                let ports = ports.leave(files);
                let answering = match answering {
                    Some(Answering { process, parent, mut dir }) => {
                        let parent = parents.leave(parent.as_ref(), files).await;
                        let process = HandedProcess::new(process.leave().await, files);
                        Some(HandedAnswering { process, dir: dir.leave(), parent })
                    }
                    None => None,
                };
                Some(HandedOffer { ports, answering })
            }
            None => None,
        };
        let member = |(label, left)| HandedMember { label, process: HandedProcess::new(left, files) };
        let crew = crew.into_iter().map(member).collect();
        let release = generation.release.clone().unwrap_or_default();
        Handed { app, release, generation: number, web, crew, offer, parents: parents.handed, warm }
    }
}

/// Those that are left, each once.
#[derive(Default)]
struct Parents {
    handed: Vec<HandedParent>,
    places: Vec<(Arc<Parent>, Option<usize>)>,
}

impl Parents {
    /// Its place among them; none where there is none, or it has ended.
    async fn leave(&mut self, parent: Option<&Arc<Parent>>, files: &mut Bundle) -> Option<usize> {
        let parent = parent?;
        if let Some((_, place)) = self.places.iter().find(|(known, _)| Arc::ptr_eq(known, parent)) {
            return *place;
        }
        let handed = parent.leave(files).await;
        let place = handed.is_some().then_some(self.handed.len());
        self.handed.extend(handed);
        self.places.push((parent.clone(), place));
        place
    }
}

/// What was left, with the open files it is to be followed by.
pub(in crate::node) struct Taken {
    pids: Vec<u32>,
    number: u64,
    web: Option<(Left, Sockets, Option<usize>)>,
    crew: HashMap<String, Left>,
    offer: Option<(Ports, Option<TakenAnswering>)>,
    parents: Vec<HandedParent>,
    warm: Option<usize>,
    files: Bundle,
}

/// The processes of the Thrift services, their folder, and the place of what they were forked from.
type TakenAnswering = (Left, PathBuf, Option<usize>);

impl Taken {
    pub fn new(handed: Handed, files: &mut Bundle) -> Result<Self> {
        let pids = handed.pids();
        let Handed { app, generation: number, web, crew, offer, mut parents, warm, release: _ } = handed;
        let mut own = Bundle::default();
        let web = match web {
            Some(HandedWeb { process, dir, notify, parent }) => {
                let notify = files.take(notify).doing(|| "take up a socket")?;
                Some((
                    process.left(files).doing(|| "take up the web processes")?,
                    Sockets::take_up(notify, dir)?,
                    parent,
                ))
            }
            None => None,
        };
        let crew = crew.into_iter().map(|member| {
            let left = member.process.left(files).doing(|| format!("take up `{}`", member.label))?;
            Ok((member.label, left))
        });
        let crew = crew.collect::<Result<_>>()?;
        let offer = match offer {
            Some(HandedOffer { ports, answering }) => {
                let answering = answering.map(|HandedAnswering { process, dir, parent }| {
                    Ok::<_, Problem>((process.left(files).doing(|| "take up the services")?, dir, parent))
                });
                Some((Ports::take_up(&app, ports, files)?, answering.transpose()?))
            }
            None => None,
        };
        for parent in &mut parents {
            parent.give(files, &mut own)?;
        }
        Ok(Self { pids, number, web, crew, offer, parents, warm, files: own })
    }
}

impl Task {
    /// What is under way that another process could not take up.
    pub(super) fn busy(&self, is_starting: bool) -> Option<String> {
        if is_starting || self.gray.is_coming() {
            return Some("something is starting".into());
        }
        if let Some(worker) = self.crew.leaving() {
            return Some(format!("`{worker}` finishes its job with the code it began with"));
        }
        (self.cron.running() > 0).then(|| "a scheduled task runs".into())
    }

    /// Gives up what serves, for requests under way are still answered by it; what else there is ends after its own.
    pub(super) async fn leave(mut self, drain: Duration, reply: oneshot::Sender<Option<Leaving>>) {
        self.verifying.shutdown().await;
        let runs = self.cron.finish();
        let crew = self.crew.leave().await;
        let offer = self.offer.leave().await;
        let warm = self.warmth.parent().await;
        let current = self.current.take().map(|(running, _)| running);
        let leaving = current.map(|running| Leaving { app: self.app.clone(), running, warm, crew, offer });
        // Whoever asked may have gone, and then what was left ends with what comes back.
        let _ = reply.send(leaving);
        let grace = self.rollout.end_within;
        let gray = self.gray.end();
        let others = gray.into_iter().chain(self.kept.take().map(|kept| kept.running));
        let others = others.map(|running| async move {
            idle(&running.upstream, drain).await;
            stop(running, grace).await;
        });
        self.behind.close();
        tokio::join!(futures_util::future::join_all(others), self.behind.wait(), runs);
    }

    /// What another process has left serves, as `generation`.
    pub(super) async fn take_up(
        &mut self,
        generation: Arc<Generation>,
        taken: Taken,
        before: &AnsweredBy,
        reply: oneshot::Sender<Wanted>,
    ) {
        let began = Instant::now();
        let pids = taken.pids.clone();
        let wanted = match self.taken(generation, taken, before).await {
            Ok(running) => Wanted::Serving { took: self.switch(running, began), start: Start::Kept },
            Err(problem) => {
                Handed::end(&pids);
                Wanted::Failed(Box::new(problem))
            }
        };
        // Whoever wished may have gone.
        let _ = reply.send(wanted);
    }

    async fn taken(&mut self, generation: Arc<Generation>, taken: Taken, before: &AnsweredBy) -> Result<Running> {
        let Taken { pids: _, number, web, crew, offer, parents, warm, mut files } = taken;
        self.number = self.number.max(number);
        let surroundings = &self.surroundings;
        let parents = parents
            .into_iter()
            .map(|handed| Parent::take_up(handed, &generation, surroundings, &mut files))
            .collect::<Result<Vec<_>>>()?;
        if let Some(TakenParent { parent, .. }) = warm.and_then(|at| parents.get(at)) {
            self.warmth.set_parent(parent.clone()).await;
        }
        let follow = |left: Left, parent: Option<usize>, process| {
            let source = Source { generation: &generation, number: Some(number), process };
            let hear = listener(source, surroundings, LastLines::default())?;
            let parent = parent.and_then(|at| parents.get(at));
            let process = match parent {
                Some(TakenParent { ends, .. }) => {
                    let end = ends.get(&left.pid).cloned();
                    let end =
                        end.ok_or_else(|| Problem::new("node.left", format!("the {process} process has ended")))?;
                    Process::take_up_with(left, end, hear)
                }
                None => Process::take_up(left, hear),
            };
            Ok::<_, Problem>((process.doing(|| "take up a process")?, parent.map(|taken| taken.parent.clone())))
        };
        let web = match web {
            Some((left, sockets, parent)) => {
                let (process, parent) = follow(left, parent, "web")?;
                Some(TakenWeb { process, sockets, parent })
            }
            None => None,
        };
        if let Some((ports, answering)) = offer {
            let answering = answering.map(|(left, dir, parent)| {
                let (process, parent) = follow(left, parent, "services")?;
                Ok::<_, Problem>(Answering { process, parent, dir: dir.into() })
            });
            self.offer.take_up(LeftOffer { ports, answering: answering.transpose()? });
        }
        self.crew.take_up(crew);
        Running::take_up(number, generation, web, before)
    }
}

/// Returns when nobody is answered by it any more; who does not end by then is cut.
pub(in crate::node) async fn idle(upstream: &Upstream, drain: Duration) {
    if tokio::time::timeout(drain, upstream.idle()).await.is_err() {
        upstream.cut();
        let _ = tokio::time::timeout(LAST_WORDS, upstream.idle()).await;
    }
    upstream.close();
}
