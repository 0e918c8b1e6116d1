//! `dae serve`: a node with the LIVE policy, and a watcher that wants the next generation on every save.
//!
//! From the moment the system tells of a changed file, requests wait; so none that begins after a save was seen gets an old
//! answer. A burst of saves is one reload; a save during a reload gives that one up.

mod browser;
mod change;
mod client;
mod control;
mod event;
mod feed;
pub mod handlers;
pub mod interfaces;
pub mod local;
mod login;
pub mod port;
mod session;
mod watch;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::net::TcpListener;
use tokio::sync::mpsc;

pub use control::{Process, Status};
pub use event::Event;
pub use feed::{Feed, Item};
pub use session::{Server, Session, not_served};

use crate::app::{App, AppName, DevSettings};
use crate::gateway::{ANY_HOST, Gateway, Routes, serve};
use crate::node::{self, Cron, Edition, Hold, Hosts, Node, Rollout, Settings, Wanted};
use crate::problem::{Doing as _, Problem, Result};
use crate::python;
use crate::services::{self, Provided};
use browser::Browser;
use change::Change;
use control::Control;
use local::Local;
use login::Login;
use watch::{Changed, Watch};

/// After the last change of a burst, this long is waited for another.
const QUIET: Duration = Duration::from_millis(8);
/// Whoever ends it does not want to wait; answers under way may take this long.
const LAST_ANSWERS: Duration = Duration::from_millis(500);

/// Stands for what changed where nothing did.
const RESTART: &str = "dae restart";

/// What to serve and where.
pub struct DevServer {
    pub root: PathBuf,
    pub listener: std::net::TcpListener,
    /// For sockets; there, and the user's own.
    pub run_dir: PathBuf,
    /// Every generation is a new Python.
    pub cold: bool,
    /// Hears what is told, for those who join later.
    pub feed: Arc<Feed>,
    /// Where the interpreter's tools are kept.
    pub cache_dir: PathBuf,
    /// What the app's processes get of the environment dae was started in.
    pub inherited: Vec<(String, String)>,
    /// Whether scheduled tasks run by themselves.
    pub cron: Cron,
    /// The services that run already.
    pub services: Vec<Provided>,
    /// What they tell.
    pub told: mpsc::UnboundedReceiver<services::Event>,
    /// Lines typed to a debugger, each with the process it waits in.
    pub typed: mpsc::UnboundedReceiver<(String, String)>,
}

/// The parts that a change needs.
struct Serving {
    root: PathBuf,
    /// Where it is kept what a warm parent should import.
    learned: Option<PathBuf>,
    cache_dir: PathBuf,
    node: Arc<Node>,
    browser: Arc<Browser>,
    events: mpsc::UnboundedSender<Event>,
    /// The app as it was last read without a problem.
    app: App,
    environment: Option<python::Environment>,
    /// dev.yaml.
    settings: DevSettings,
    services: Vec<Provided>,
    /// Counts how often the virtualenv was brought in line.
    edition: Edition,
    /// What the last change called for and could not be done: the next one calls for it again.
    owed: Change,
}

impl DevServer {
    /// Serves until `stop` is ready. Everything it started is gone when this returns.
    pub async fn run(
        self,
        app: App,
        events: mpsc::UnboundedSender<Event>,
        stop: impl Future<Output = ()> + Send,
    ) -> Result<()> {
        let address = self.listener.local_addr().doing(|| "find the port that was bound")?;
        let listener = TcpListener::from_std(self.listener).doing(|| "use the port that was bound")?;
        let run_dir = tempfile::Builder::new()
            .prefix("serve-")
            .tempdir_in(&self.run_dir)
            .doing(|| format!("make a folder in `{}`", self.run_dir.display()))?;
        let (node_events, heard) = mpsc::unbounded_channel();
        let settings = Settings {
            domain: "localhost".into(),
            run_dir: run_dir.path().to_owned(),
            log_dir: self.root.join(".dae/logs"),
            rollout: Rollout::LIVE,
            environment: local::SDK,
            inherited: self.inherited,
            hosts: hosts(address),
            service_port: None,
            service_notices: self.run_dir.join(node::SERVICES),
            cron: self.cron,
            cron_dir: cron_dir(&self.root),
        };
        let node = Node::new(settings, Arc::new(Routes::default()), node_events);
        let url = url(&app, address);
        let since = jiff::Timestamp::now();
        let status = Status { app: app.name.to_string(), url, pid: std::process::id(), since, processes: Vec::new() };
        let (restarts, asked) = mpsc::unbounded_channel();
        let control =
            Control { status: status.clone(), app: app.name.clone(), node: node.clone(), feed: self.feed, restarts };
        let browser = Browser::new(control, Login::new(app.name.clone(), &self.services)?, events.clone());
        tokio::spawn(retell(heard, events.clone(), browser.clone()));
        let (stand_still, still) = mpsc::unbounded_channel();
        tokio::spawn(pass_on(self.told, events.clone(), stand_still));
        tokio::spawn(type_in(node.clone(), app.name.clone(), self.typed));

        let (tell, changes) = mpsc::unbounded_channel();
        // Held from now on: the first request waits for the first generation.
        let first = node.hold(&app.name);
        let watch = Watch::start(&self.root, {
            let (node, app) = (node.clone(), app.name.clone());
            move |changed| {
                let hold = (changed.change > Change::Asset).then(|| node.hold(&app));
                // After the last change heard, the server is going down.
                let _ = tell.send((changed, hold));
            }
        })?;
        let serving = Serving {
            learned: (!self.cold).then(|| self.root.join(".dae/learned.json")),
            root: self.root,
            cache_dir: self.cache_dir,
            node: node.clone(),
            browser: browser.clone(),
            events: events.clone(),
            app,
            environment: None,
            settings: DevSettings::default(),
            services: self.services,
            edition: Edition::default(),
            owed: Change::Nothing,
        };
        // Nobody listens any more when the server goes down.
        let _ = events.send(Event::Ready { status, address });
        let gateway =
            Arc::new(Gateway { routes: node.routes.clone(), front: browser.clone(), patience: Duration::from_mins(2) });
        let follow = tokio::spawn(serving.follow(first, changes, asked, still));
        let stop = async {
            stop.await;
            browser.close();
        };
        serve(listener, gateway, stop, LAST_ANSWERS).await;
        drop(watch);
        follow.abort();
        node.stop(Duration::ZERO).await;
        Ok(())
    }
}

impl Serving {
    /// Starts the first generation and one after every change.
    async fn follow(
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
            let mut burst = vec![first];
            while let Ok(Some((next, newer))) = tokio::time::timeout(QUIET, changes.recv()).await {
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
                self.tell(Event::Refreshed { changed: paths });
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
        if let Err(problem) = self.prepare(change, because).await {
            self.owed = change;
            return self.node.fail_after(&self.app.name, problem, hold);
        }
        self.owed = Change::Nothing;
        let Some(python) = &self.environment else { return };
        let inherited = &self.node.settings.inherited;
        let local = Local { app: &self.app, python, settings: &self.settings, services: &self.services, inherited };
        let generation = local.generation(self.edition, self.learned.clone());
        let wanted = self.node.want_after(generation, hold);
        let (events, browser) = (self.events.clone(), self.browser.clone());
        tokio::spawn(async move {
            // A failure is told by the node's own event; what was superseded is told by nobody.
            if let Wanted::Serving { start, .. } = wanted.await {
                let took_ms = seen.elapsed();
                let event = if changed.is_empty() {
                    Event::Started { took_ms, start }
                } else {
                    Event::Reloaded { took_ms, start, changed }
                };
                let _ = events.send(event);
                browser.refresh();
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
                self.tell(Event::Output { process: "app.yaml".into(), line: problem.to_string() });
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
        let (app, cache_dir, events) = (self.app.clone(), self.cache_dir.clone(), self.events.clone());
        let prepared = tokio::task::spawn_blocking(move || {
            python::prepare(&app, &cache_dir, &|event| drop(events.send(Event::Python(event))))
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

    fn tell(&self, event: Event) {
        // Nobody listens any more when the server goes down.
        let _ = self.events.send(event);
    }
}

/// Where what is kept of scheduled runs is, of the app in `root`.
pub fn cron_dir(root: &std::path::Path) -> PathBuf {
    root.join(".dae/data/cron")
}

/// The node's events in the words of a dev server.
async fn retell(
    mut heard: mpsc::UnboundedReceiver<node::Event>,
    events: mpsc::UnboundedSender<Event>,
    browser: Arc<Browser>,
) {
    while let Some(event) = heard.recv().await {
        let retold = match event {
            node::Event::Output { process, line, .. } => Event::Output { process, line },
            node::Event::Prompt { process, prompt, .. } => Event::Prompt { process, prompt },
            node::Event::Failed { problem, .. } => {
                browser.refresh();
                Event::Broken { problem }
            }
            node::Event::Restarting { process, why, .. } => Event::Restarting { process, why },
            node::Event::Cron { job, text, is_bad, .. } => Event::Cron { job, text, is_bad },
            node::Event::Starting { .. } | node::Event::Serving { .. } | node::Event::Stopped { .. } => continue,
        };
        if events.send(retold).is_err() {
            return;
        }
    }
}

async fn type_in(node: Arc<Node>, app: AppName, mut typed: mpsc::UnboundedReceiver<(String, String)>) {
    while let Some((process, line)) = typed.recv().await {
        // The process may have gone meanwhile; its end is told.
        let _ = node.type_in(&app, &process, &line);
    }
}

/// All services stand still for a moment: requests wait.
#[derive(Debug, Clone, Copy)]
enum Still {
    Paused,
    Resumed,
}

async fn pass_on(
    mut told: mpsc::UnboundedReceiver<services::Event>,
    events: mpsc::UnboundedSender<Event>,
    still: mpsc::UnboundedSender<Still>,
) {
    while let Some(event) = told.recv().await {
        // Nobody listens any more when the server goes down.
        match event {
            services::Event::ServicesPaused => drop(still.send(Still::Paused)),
            services::Event::ServicesResumed { .. } => drop(still.send(Still::Resumed)),
            _ => {}
        }
        if events.send(Event::Service(event)).is_err() {
            return;
        }
    }
}

/// Names of one's own machine; a page from elsewhere cannot reach the app by giving its own name this address. Whoever
/// opens the port to others with `--host` takes every name.
fn hosts(address: SocketAddr) -> Hosts {
    Hosts::Also(if address.ip().is_loopback() {
        vec!["localhost".into(), "127.0.0.1".into(), "[::1]".into()]
    } else {
        vec![ANY_HOST.into()]
    })
}

fn url(app: &App, address: SocketAddr) -> String {
    let host = if address.ip().is_loopback() || address.ip().is_unspecified() {
        format!("{}.localhost", app.name.host())
    } else {
        match address.ip() {
            std::net::IpAddr::V4(ip) => ip.to_string(),
            std::net::IpAddr::V6(ip) => format!("[{ip}]"),
        }
    };
    match address.port() {
        80 => format!("http://{host}"),
        port => format!("http://{host}:{port}"),
    }
}
