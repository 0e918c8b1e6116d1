//! One app that is served: what a change calls for is done, and the next generation wanted.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::browser::Browser;
use super::change::Change;
use super::local::Local;
use super::retell::Still;
use super::tell::Tell;
use super::watch::Changed;
use super::{Event, interfaces};
use crate::app::{App, DevSettings};
use crate::node::{Edition, Hold, Node, Wanted};
use crate::problem::{Problem, Result};
use crate::python;
use crate::services::Provided;

/// After the last change of a burst, this long is waited for another: while somebody still writes, and when they are done.
const WRITING: Duration = Duration::from_millis(8);
const SETTLED: Duration = Duration::from_millis(2);
/// Stands for what changed where nothing did.
const RESTART: &str = "dae restart";

/// The parts that a change needs.
pub(super) struct Serving {
    pub root: PathBuf,
    /// Where it is kept what a warm parent should import.
    pub learned: Option<PathBuf>,
    pub cache_dir: PathBuf,
    pub node: Arc<Node>,
    pub browser: Arc<Browser>,
    pub tell: Tell,
    /// The app as it was last read without a problem.
    pub app: App,
    pub environment: Option<python::Environment>,
    /// dev.yaml.
    pub settings: DevSettings,
    pub services: Vec<Provided>,
    /// Counts how often the virtualenv was brought in line.
    pub edition: Edition,
    /// What the last change called for and could not be done: the next one calls for it again.
    pub owed: Change,
    /// Until the first generation is up.
    pub turn: Option<Turn>,
}

/// When an app among several may start: after those before it are up or broken, so that it finds their services. Dropped, it
/// is the next one's turn.
#[derive(Debug)]
pub(super) struct Turn {
    before: Option<CancellationToken>,
    up: CancellationToken,
    _guard: DropGuard,
}

impl Turn {
    pub fn first() -> Self {
        Self::after(None)
    }

    pub fn next(&self) -> Self {
        Self::after(Some(self.up.clone()))
    }

    fn after(before: Option<CancellationToken>) -> Self {
        let up = CancellationToken::new();
        Self { before, _guard: up.clone().drop_guard(), up }
    }

    async fn come(&self) {
        if let Some(before) = &self.before {
            before.cancelled().await;
        }
    }
}

impl Serving {
    /// Starts the first generation and one after every change.
    pub async fn follow(
        mut self,
        first: Hold,
        mut changes: mpsc::UnboundedReceiver<(Changed, Option<Hold>)>,
        mut restarts: mpsc::UnboundedReceiver<()>,
        mut still: mpsc::UnboundedReceiver<Still>,
    ) {
        self.bring_up(Change::Pins, Vec::new(), Instant::now(), first).await;
        let mut paused = None;
        loop {
            let (first, mut hold) = tokio::select! {
                Some(()) = restarts.recv() => {
                    let hold = self.node.hold(&self.app.name);
                    self.bring_up(Change::Pins, vec![RESTART.into()], Instant::now(), hold).await;
                    continue;
                }
                Some(word) = still.recv() => {
                match word {
                    Still::Paused => paused = Some((Instant::now(), self.node.hold(&self.app.name))),
                    // Its connections are cut, and what it remembers may be of other data.
                    Still::Resumed => if let Some((seen, hold)) = paused.take() {
                        self.bring_up(Change::Code, vec!["dae state".into()], seen, hold).await;
                    },
                }
                continue;
            }
                Some(first) = changes.recv() => first,
                else => return,
            };
            let seen = first.seen;
            let mut quiet = if first.settled { SETTLED } else { WRITING };
            let mut burst = vec![first];
            while let Ok(Some((next, newer))) = tokio::time::timeout(quiet, changes.recv()).await {
                quiet = if next.settled { SETTLED } else { WRITING };
                burst.push(next);
                hold = newer.or(hold);
            }
            let greatest = burst.iter().map(|changed| changed.change).max().unwrap_or(Change::Nothing);
            let mut paths: Vec<PathBuf> = burst.into_iter().map(|changed| changed.path).collect();
            paths.sort();
            paths.dedup();
            if let Some(hold) = hold {
                self.bring_up(greatest, paths, seen, hold).await;
            } else {
                self.tell.event(Event::Refreshed { changed: paths });
                self.browser.refresh();
            }
        }
    }

    async fn bring_up(&mut self, change: Change, changed: Vec<PathBuf>, seen: Instant, hold: Hold) {
        let change = change.max(self.owed);
        let because = match change {
            Change::Manifest => "app.yaml changed",
            _ if changed.iter().any(|path| path.as_os_str() == RESTART) => "a restart was asked for",
            _ => "pip-req.txt changed",
        };
        let prepared = self.prepare(change, because).await;
        let turn = self.turn.take();
        if let Some(turn) = &turn {
            turn.come().await;
        }
        if let Err(problem) = prepared {
            self.owed = change;
            return self.node.fail_after(&self.app.name, problem, hold);
        }
        self.owed = Change::Nothing;
        let Some(python) = &self.environment else { return };
        let inherited = &self.node.settings.inherited;
        let local = Local { app: &self.app, python, settings: &self.settings, services: &self.services, inherited };
        let generation = local.generation(self.edition, self.learned.clone());
        let wanted = self.node.want_after(generation, hold);
        let (tell, browser) = (self.tell.clone(), self.browser.clone());
        let (node, app) = (self.node.clone(), self.app.name.clone());
        tokio::spawn(async move {
            // A failure is told by the node's own event; what was superseded is told by nobody.
            if let Wanted::Serving { start, .. } = wanted.await {
                // The web answers already; who reads the line may call a service at once, and so may whoever comes next.
                browser.refresh();
                node.offered(&app).await;
                let took_ms = seen.elapsed();
                let event = if changed.is_empty() {
                    Event::Started { took_ms, start }
                } else {
                    Event::Reloaded { took_ms, start, changed }
                };
                tell.event(event);
                drop(turn);
            }
        });
    }

    /// Reads app.yaml again and brings the virtualenv in line, where the change calls for it; `because` of what.
    async fn prepare(&mut self, change: Change, because: &'static str) -> Result<()> {
        self.settings = DevSettings::read(&self.root, "dev.yaml")?.0;
        if change == Change::Manifest {
            let name = self.app.name.clone();
            let (app, warnings) = App::read(&self.root)?;
            for problem in warnings {
                self.tell.event(Event::Output { process: "app.yaml".into(), line: problem.to_string() });
            }
            if app.name != name {
                return Err(Problem::new("serve.renamed", format!("the app was `{name}` and is now `{}`", app.name))
                    .hint("end this `dae serve` and start it again"));
            }
            self.app = app;
        }
        if change >= Change::Code {
            interfaces::bring_in_line(&self.app)?;
        }
        if self.environment.is_some() && change == Change::Code {
            return Ok(());
        }
        let (app, cache_dir, tell) = (self.app.clone(), self.cache_dir.clone(), self.tell.clone());
        let prepared = tokio::task::spawn_blocking(move || {
            python::prepare(&app, &cache_dir, &|event| {
                tell.event(Event::Python(event));
            })
        });
        match prepared.await {
            Ok(environment) => {
                self.environment = Some(environment?);
                self.edition = Edition { number: self.edition.number + 1, because };
                Ok(())
            }
            Err(error) => Err(Problem::new("serve.prepare", "the virtualenv could not be prepared").because(error)),
        }
    }
}
