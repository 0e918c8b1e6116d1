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
mod instance;
pub mod interfaces;
pub mod local;
mod login;
mod poll;
pub mod port;
mod retell;
mod serving;
mod session;
mod several;
mod tell;
mod watch;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::net::TcpListener;
use tokio::sync::mpsc;

pub use control::{Process, Status};
pub use event::{Event, Tagged};
pub use feed::{Feed, Item};
pub use instance::Named;
pub use session::{Server, Session, not_served};
pub use watch::Notice;

use crate::app::{App, AppName, DevSettings};
use crate::gateway::{ANY_HOST, Front, Gateway, Routes, Stop, serve};
use crate::node::{self, Cron, Edition, Hosts, Node, Offering, Rollout, Settings, Verify};
use crate::problem::{Doing as _, Result};
use crate::services::{self, Provided};
use browser::Browser;
use change::Change;
use control::Control;
use login::Login;
use serving::{Serving, Turn};
use several::Several;
use tell::Tell;
use watch::{Watch, Word};

/// Whoever ends it does not want to wait; answers under way may take this long.
const LAST_ANSWERS: Duration = Duration::from_millis(500);
/// This machine's, whatever it serves.
const OWN_NAMES: [&str; 3] = ["localhost", "127.0.0.1", "[::1]"];

/// What to serve and where.
pub struct DevServer {
    pub listener: std::net::TcpListener,
    pub named: Named,
    /// For sockets; there, and the user's own.
    pub run_dir: PathBuf,
    /// Every generation is a new Python.
    pub cold: bool,
    pub notice: Notice,
    /// Whether a cold start behind each warm reload is compared with it.
    pub verify: Verify,
    /// Where the interpreter's tools are kept.
    pub cache_dir: PathBuf,
    /// What the apps' processes get of the environment dae was started in.
    pub inherited: Vec<(String, String)>,
    /// Whether scheduled tasks run by themselves.
    pub cron: Cron,
    /// In the order in which they are started.
    pub apps: Vec<Served>,
}

/// An app that is served, and what is its own.
pub struct Served {
    pub app: App,
    /// Hears what is told, for those who join later.
    pub feed: Arc<Feed>,
    /// The services that run already.
    pub services: Vec<Provided>,
    /// What they tell.
    pub told: mpsc::UnboundedReceiver<services::Event>,
    /// Lines typed to a debugger, each with the terminal it waits at.
    pub typed: mpsc::UnboundedReceiver<(u64, String)>,
}

impl DevServer {
    /// Serves until `stop` is ready. Everything it started is gone when this returns.
    pub async fn run(
        mut self,
        events: mpsc::UnboundedSender<(AppName, Event)>,
        stop: impl Future<Output = ()> + Send,
    ) -> Result<()> {
        let address = self.listener.local_addr().doing(|| "find the port that was bound")?;
        let listener = self.listener.try_clone().and_then(TcpListener::from_std);
        let listener = listener.doing(|| "use the port that was bound")?;
        let run_dir = tempfile::Builder::new()
            .prefix("serve-")
            .tempdir_in(&self.run_dir)
            .doing(|| format!("make a folder in `{}`", self.run_dir.display()))?;
        let notices = self.notices(run_dir.path());
        let routes = Arc::new(Routes::default());
        let apps = std::mem::take(&mut self.apps);
        let alone = apps.len() == 1;
        let (mut parts, mut turn) = (Vec::new(), Turn::first());
        let mut following = Vec::new();
        for served in apps {
            let app = &served.app;
            let own = own_host(app);
            let settings = Settings {
                domain: "localhost".into(),
                run_dir: run_dir.path().to_owned(),
                log_dir: app.root.join(".dae/logs"),
                rollout: Rollout::LIVE,
                verify: self.verify,
                environment: local::SDK,
                inherited: self.inherited.clone(),
                hosts: if alone { hosts(address, own.clone()) } else { Hosts::Also(vec![own.clone()]) },
                offering: Offering::here(notices.clone()),
                cron: self.cron,
                cron_dir: cron_dir(&app.root),
            };
            let tell = Tell::new(app.name.clone(), events.clone());
            let name = if self.named == Named::ByCopy { own } else { format!("{}.localhost", app.name.host()) };
            let url = url(name, address, alone);
            let next = turn.next();
            let turn = std::mem::replace(&mut turn, next);
            let (part, follow) = self.begin(served, settings, routes.clone(), url, tell.clone(), turn)?;
            tell.event(Event::Ready { status: part.browser.status().clone(), address });
            parts.push(part);
            following.push(follow);
        }
        let following: Vec<_> = following.into_iter().map(tokio::spawn).collect();
        let front: Arc<dyn Front> = match parts.as_slice() {
            [part] => part.browser.clone(),
            parts => Arc::new(Several::new(
                parts.iter().map(|part| (part.browser.status().url.clone(), part.hosts.clone(), part.browser.clone())),
            )),
        };
        let gateway = Arc::new(Gateway { routes, front, patience: Duration::from_mins(2) });
        let stop = async {
            stop.await;
            for part in &parts {
                part.browser.close();
            }
            Stop::Ends
        };
        serve(vec![listener.into()], gateway, stop, LAST_ANSWERS).await;
        for follow in following {
            follow.abort();
        }
        join_all(parts.into_iter().map(Part::end)).await;
        Ok(())
    }

    /// Where it is noted which services answer where: first among the apps that are served together, then for all others here.
    /// The apps are told of both.
    fn notices(&mut self, run_dir: &Path) -> Vec<PathBuf> {
        let notices = vec![run_dir.join(node::SERVICES), self.run_dir.join(node::SERVICES)];
        let named: Vec<_> = notices.iter().map(|folder| folder.to_string_lossy()).collect();
        let named = named.join(":");
        self.inherited.retain(|(name, _)| name != "DAE_SERVICES");
        self.inherited.push(("DAE_SERVICES".into(), named));
        notices
    }

    /// One app, its first generation held for. What comes second follows its changes.
    fn begin(
        &self,
        served: Served,
        settings: Settings,
        routes: Arc<Routes>,
        url: String,
        tell: Tell,
        turn: Turn,
    ) -> Result<(Part, impl Future<Output = ()> + Send + use<>)> {
        let Served { app, feed, services, told, typed } = served;
        let (node_events, heard) = mpsc::unbounded_channel();
        let node = Node::new(settings, routes, node_events);
        let since = jiff::Timestamp::now();
        let status = Status { app: app.name.to_string(), url, pid: std::process::id(), since, processes: Vec::new() };
        let (restarts, asked) = mpsc::unbounded_channel();
        let control = Control { status, app: app.name.clone(), node: node.clone(), feed, restarts };
        let browser = Browser::new(control, Login::new(app.name.clone(), &app.root, &services)?, tell.clone());
        tokio::spawn(retell::node(heard, tell.clone(), browser.clone()));
        let (stand_still, still) = mpsc::unbounded_channel();
        tokio::spawn(retell::services(told, tell.clone(), stand_still));
        tokio::spawn(retell::typed(node.clone(), typed));

        let (heard_of, changes) = mpsc::unbounded_channel();
        // Held from now on: the first request waits for the first generation.
        let first = node.hold(&app.name);
        let watch = Watch::start(&app.root, self.notice, {
            let (node, app, tell) = (node.clone(), app.name.clone(), tell.clone());
            move |word| match word {
                Word::Changed(change) => {
                    let hold = (change.change > Change::Asset).then(|| node.hold(&app));
                    // After the last change heard, the server is going down.
                    let _ = heard_of.send((change, hold));
                }
                Word::Polls(because) => drop(tell.event(Event::Polling { because })),
            }
        })?;
        let hosts = vec![format!("{}.localhost", app.name.host()), own_host(&app)];
        let serving = Serving {
            learned: (!self.cold).then(|| app.root.join(".dae/learned.json")),
            root: app.root.clone(),
            cache_dir: self.cache_dir.clone(),
            node: node.clone(),
            browser: browser.clone(),
            tell,
            app,
            environment: None,
            settings: DevSettings::default(),
            services,
            edition: Edition::default(),
            owed: Change::Nothing,
            turn: Some(turn),
        };
        Ok((Part { node, browser, hosts, watch }, serving.follow(first, changes, asked, still)))
    }
}

/// What of an app ends with the server.
struct Part {
    node: Arc<Node>,
    browser: Arc<Browser>,
    /// The names it has for itself.
    hosts: Vec<String>,
    watch: Watch,
}

impl Part {
    async fn end(self) {
        drop(self.watch);
        self.node.stop(Duration::ZERO).await;
    }
}

/// Where what is kept of scheduled runs is, of the app in `root`.
pub fn cron_dir(root: &std::path::Path) -> PathBuf {
    root.join(".dae/data/cron")
}

/// Names of one's own machine; a page from elsewhere cannot reach the app by giving its own name this address. Whoever
/// opens the port to others with `--host` takes every name.
fn hosts(address: SocketAddr, own: String) -> Hosts {
    Hosts::Also(if address.ip().is_loopback() {
        OWN_NAMES.map(str::to_owned).into_iter().chain([own]).collect()
    } else {
        vec![ANY_HOST.into()]
    })
}

/// The name that no other copy of the app has.
fn own_host(app: &App) -> String {
    format!("{}-{}.localhost", app.name.host(), instance::mark(&app.root))
}

/// An app that is not alone has its name only.
fn url(name: String, address: SocketAddr, alone: bool) -> String {
    let host = if !alone || address.ip().is_loopback() || address.ip().is_unspecified() {
        name
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
