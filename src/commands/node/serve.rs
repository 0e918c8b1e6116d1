//! `dae node serve`: the listener and the signals are made here and handed down.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use super::Terminal;
use crate::commands::{Context, Outcome, foreground, traffic};
use crate::gateway::{self, Door, Gateway, Routes, Stop};
use crate::node::{self, Cron, Event as NodeEvent, Hosts, Node, Offering, Rollout, Settings, Verify};
use crate::problem::{Doing as _, Problem, Result};
use crate::remote::api::DeployEvent;
use crate::remote::deploy::size;
use crate::remote::server::{
    Answer, Asker, BackendChange, Before, Collected, Home, Inheritance, Isolation, Listen, NodeFront, Over,
    Predecessor, Server, Succeeded, Told, listen_for_upgrades,
};
use crate::term::{Done, Event, Line, Shown, Tone};

/// How long a request may wait for an app that starts for the first time, or comes back with the node.
const PATIENCE: Duration = Duration::from_mins(1);
/// How long answers under way may take once the node was told to stop.
const DRAIN: Duration = Duration::from_secs(10);

/// What an app gets of the node's environment.
const INHERITED: &[&str] = &["HOME", "LANG", "LC_ALL", "PATH", "TMPDIR", "TZ", "USER"];

pub fn run(dir: &Path, listen: Option<Listen>, keep_unused: Duration, context: &Context) -> Outcome {
    if let Some(exit) = foreground::guard_all()? {
        return Ok(Box::new(Done { exit }));
    }
    let Some(predecessor) = Predecessor::find()? else {
        let home = Home::take(dir)?;
        let settings = settings(&home, context)?;
        make_run_dir(&settings, context)?;
        let ran = foreground::runtime()?.block_on(async {
            let listen = listen.unwrap_or(home.config.listen);
            let mut doors = vec![bind(listen).await?];
            // Before anybody is told that it is ready: whoever hears that may stop it at once.
            let told = foreground::stop()?;
            let opened = Opened::new(&home, settings, keep_unused, Before::Nobody, &context.terminal)?;
            if let Some(tls) = &opened.server.tls {
                doors.push(bind(tls.settings.listen).await?);
            }
            serve(&home, opened, doors, told, None, &context.terminal).await
        });
        return Ok(Box::new(ended(&ran?)));
    };
    let (mut home, settings) = match Home::of_predecessor(dir).and_then(|home| Ok((settings(&home, context)?, home))) {
        Ok((settings, home)) => (home, settings),
        Err(problem) => return Err(told(&predecessor, problem)),
    };
    let ran = foreground::runtime()?.block_on(async {
        let open = || {
            let told = foreground::stop()?;
            Ok::<_, Problem>((Opened::new(&home, settings, keep_unused, Before::Another, &context.terminal)?, told))
        };
        let (opened, told) = open().map_err(|problem| self::told(&predecessor, problem))?;
        // The one before gives nothing to one that has not said that it is ready.
        let inherited = tokio::task::spawn_blocking(move || predecessor.inherit()).await;
        let inherited = inherited.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()));
        let Some(mut inheritance) = inherited? else { return Ok(Left::Unwanted) };
        inheritance.lock(&mut home)?;
        let mut doors = inheritance.doors()?;
        if opened.server.tls.is_none() {
            // node.yaml had it when the one before was started.
            doors.truncate(1);
        }
        serve(&home, opened, doors, told, Some(inheritance), &context.terminal).await
    });
    Ok(Box::new(ended(&ran?)))
}

/// The one before hears why this one cannot take over, and so does whoever reads this one's words.
fn told(predecessor: &Predecessor, problem: Problem) -> Problem {
    predecessor.tell_failed(&problem);
    problem
}

/// How it came that this process is the node no more.
enum Left {
    Ended,
    /// Another process is, and all that runs is that one's.
    Succeeded,
    /// It never was.
    Unwanted,
}

fn ended(left: &Left) -> Done {
    if let Left::Ended = left {
        foreground::end_descendants();
    }
    Done::default()
}

fn settings(home: &Home, context: &Context) -> Result<Settings> {
    context.dirs.make_run()?;
    let run_dir = context.dirs.run.join(home.name());
    let service_notices = run_dir.join(node::SERVICES);
    // An app is not told what the node's own environment holds.
    let mut inherited = context.environment.clone();
    inherited.retain(|(name, _)| INHERITED.contains(&name.as_str()));
    inherited.push(("DAE_SERVICES".into(), service_notices.to_string_lossy().into_owned()));
    let mut offering = Offering::here(vec![service_notices]);
    if let Some(zookeeper) = &home.config.zookeeper {
        inherited.push(("DAE_ZOOKEEPER".into(), zookeeper.to_string()));
        offering.address = home.config.services_address.unwrap_or_else(|| zookeeper.address_of_this_machine());
        offering.zookeeper = Some(zookeeper.clone());
    }
    let mut rollout = Rollout::RELEASE;
    if let Some(seconds) = home.config.drain_s {
        rollout.drain_within = Duration::from_secs(seconds.into());
    }
    Ok(Settings {
        domain: home.config.domain.clone(),
        run_dir,
        log_dir: home.log_dir(),
        rollout,
        verify: Verify::Nothing,
        environment: "production",
        inherited,
        hosts: Hosts::Own,
        offering,
        cron: Cron::BySchedule,
        cron_dir: home.cron_dir(),
    })
}

/// Empty: what is there is of one that was killed.
fn make_run_dir(settings: &Settings, context: &Context) -> Result<()> {
    context.dirs.make_run()?;
    let run_dir = &settings.run_dir;
    let _ = std::fs::remove_dir_all(run_dir);
    for folder in [run_dir.clone(), run_dir.join(node::SERVICES)] {
        std::fs::create_dir(&folder).doing(|| format!("make the folder `{}`", folder.display()))?;
    }
    Ok(())
}

/// A node that is ready and answers nobody yet.
struct Opened {
    node: Arc<Node>,
    server: Arc<Server>,
    heard: mpsc::UnboundedReceiver<NodeEvent>,
}

impl Opened {
    /// To be called in a runtime.
    fn new(
        home: &Home,
        settings: Settings,
        keep_unused: Duration,
        before: Before,
        terminal: &Terminal,
    ) -> Result<Self> {
        let (events, heard) = mpsc::unbounded_channel();
        let node = Node::new(settings, Arc::new(Routes::default()), events);
        let teller = terminal.clone();
        let tell = move |told| teller.tell(&Shows(told));
        let server = Server::open(home, node.clone(), keep_unused, before, tell)?;
        Ok(Self { node, server, heard })
    }
}

async fn serve(
    home: &Home,
    opened: Opened,
    listeners: Vec<std::net::TcpListener>,
    told: impl Future<Output = ()> + Send + 'static,
    inheritance: Option<Inheritance>,
    terminal: &Terminal,
) -> Result<Left> {
    let Opened { node, server, heard } = opened;
    terminal.tell(&Apart::of(&server.isolation));
    let watching = tokio::spawn(server.clone().keep_apart());
    let hearing = tokio::spawn(server.clone().hear(heard));
    let mut doors = Vec::new();
    for listener in &listeners {
        let listener = listener.try_clone().and_then(TcpListener::from_std).doing(|| "use the listener")?;
        doors.push(Door { listener, tls: None });
    }
    let address = |at: usize| listeners.get(at).and_then(|listener| listener.local_addr().ok());
    let address_of = |at: usize| address(at).map(|address| address.to_string()).unwrap_or_default();
    let port = |at: usize| address(at).map_or(0, |address| address.port());
    let mut url = format!("http://{}:{}", home.config.domain, port(0));
    let mut private = None;
    if let (Some(tls), Some(door)) = (&server.tls, doors.get_mut(1)) {
        url = format!("https://{}:{}", home.config.domain, port(1));
        private = Some(address_of(1));
        door.tls = Some(gateway::tls::acceptor(tls.certificates.clone())?);
    }
    let front = Arc::new(NodeFront::new(server.clone()));
    let gateway = Arc::new(Gateway { routes: node.routes.clone(), front, patience: PATIENCE });

    let ready = Ready { url, listen: address_of(0), tls: private, domain: home.config.domain.clone() };
    let asks = listen_for_upgrades(home)?;
    let is_successor = inheritance.is_some();
    if let Some(inheritance) = inheritance {
        // Answered by the one before until all is here.
        inheritance.take_up(&server).await?.serves();
    }
    terminal.tell(&ready);
    let back = tokio::spawn({
        let server = server.clone();
        async move {
            if !is_successor {
                // What cannot be read now is told to whoever asks for it.
                let _ = server.bring_back(None).await;
            }
            server.keep_tidy().await;
        }
    });
    // Nothing waits for a server that may be down.
    let backends = tokio::spawn(server.clone().watch_backends());
    let certificates = tokio::spawn(server.clone().keep_certificates());
    let closing = server.clone();
    let drain = node.settings.rollout.drain_within;
    let mut ending = Ending::Told;
    let stop = async {
        ending = until_over(told, asks, home, &server, &listeners, terminal).await;
        // Who is the node looks after these.
        back.abort();
        certificates.abort();
        backends.abort();
        if let Ending::Succeeded(_) = ending {
            // What does not end by itself is cut in time.
            tokio::spawn(node.answered(drain));
            return Stop::Succeeded;
        }
        // While connections are open: those who follow a release hear that it has failed. If the store cannot be written,
        // the next start says so.
        let _ = tokio::task::spawn_blocking(move || closing.close()).await;
        Stop::Ends
    };
    let told = gateway::serve(doors, gateway, stop, DRAIN).await;
    let broken = match ending {
        Ending::Succeeded(Succeeded { behind, .. }) => {
            // What was answered and ran here ends by itself; all else is another process's.
            behind.await;
            // By connections that were open when all else had been answered.
            node.answered(drain).await;
            return Ok(Left::Succeeded);
        }
        Ending::Broken(problem) => Err(problem),
        Ending::Told => Ok(Left::Ended),
    };
    terminal.line(&Line::new(Tone::Plain, "Stopping", "the apps"));
    node.stop(DRAIN.saturating_sub(told.elapsed())).await;
    server.end_services().await;
    watching.abort();
    hearing.abort();
    broken
}

/// Why this process is not the node any more.
enum Ending {
    Told,
    Succeeded(Succeeded),
    Broken(Problem),
}

/// Waits until it is over, whoever asks meanwhile to take this process's place.
async fn until_over(
    told: impl Future<Output = ()>,
    mut asks: mpsc::UnboundedReceiver<Asker>,
    home: &Home,
    server: &Arc<Server>,
    listeners: &[std::net::TcpListener],
    terminal: &Terminal,
) -> Ending {
    tokio::pin!(told);
    loop {
        let asker = tokio::select! {
            () = &mut told => return Ending::Told,
            () = server.services_gone() => {
                let what = "the process of the apps' services has ended by itself";
                return Ending::Broken(Problem::new("services.gone", what));
            }
            Some(asker) = asks.recv() => asker,
        };
        let program = asker.asked.program.display();
        terminal.line(&Line::new(Tone::Plain, "Upgrading", format!("to `{program}`")));
        let prepared = tokio::select! {
            prepared = server.prepare_successor(&asker) => prepared,
            () = &mut told => {
                asker.tell(&Answer::Refused(Problem::new("node.stopping", "the node is being stopped")));
                return Ending::Told;
            }
        };
        let refuse = |problem: Problem| {
            terminal.line(&Line::new(Tone::Bad, "Failed", problem.to_string()));
            asker.tell(&Answer::Refused(problem));
        };
        let succession = match prepared {
            Ok(succession) => succession,
            Err(problem) => {
                refuse(problem);
                continue;
            }
        };
        match server.hand_over(succession, home, listeners).await {
            Ok(succeeded) => {
                asker.tell(&Answer::Done(succeeded.upgraded.clone()));
                if is_ready(told.as_mut()).await {
                    // It was said to the node, and that is another one by now.
                    succeeded.successor.stop();
                }
                return Ending::Succeeded(succeeded);
            }
            Err(problem) => {
                refuse(problem);
                // One that came to nothing may have listened in this one's place.
                match listen_for_upgrades(home) {
                    Ok(again) => asks = again,
                    Err(problem) => terminal.line(&Line::new(Tone::Bad, "Failed", problem.to_string())),
                }
            }
        }
    }
}

async fn is_ready(what: impl Future<Output = ()>) -> bool {
    tokio::select! {
        biased;
        () = what => true,
        () = std::future::ready(()) => false,
    }
}

async fn bind(listen: Listen) -> Result<std::net::TcpListener> {
    let problem = |error: io::Error| {
        let port = listen.0.port();
        match error.kind() {
            io::ErrorKind::AddrInUse => Problem::new("node.port-taken", format!("the port {port} is in use already"))
                .because(format!("another program listens at {listen}"))
                .hint("stop that program, or listen elsewhere: `dae node serve --listen ADDR`"),
            io::ErrorKind::PermissionDenied => Problem::new("node.port-denied", format!("port {port} cannot be had"))
                .because(error)
                .hint("ports below 1024 need privileges; listen at `:8000` and let a web server or a firewall pass on"),
            _ => Problem::new("node.listen", format!("could not listen at {listen}"))
                .because(error)
                .hint("is the address one of this machine's?"),
        }
    };
    TcpListener::bind(listen.0).await.and_then(TcpListener::into_std).map_err(problem)
}

#[derive(Debug, Serialize)]
struct Ready {
    url: String,
    listen: String,
    /// Where it listens for TLS.
    tls: Option<String>,
    domain: String,
}

impl Event for Ready {
    fn show(&self) -> Shown<'_> {
        let tls = self.tls.as_ref().map(|tls| format!(", for TLS at {tls}")).unwrap_or_default();
        Shown::Line(Line::good("Ready", format!("{} (listening at {}{tls})", self.url, self.listen)))
    }

    fn json(&self) -> serde_json::Value {
        serde_json::json!({
            "event": "ready", "url": self.url, "listen": self.listen, "tls": self.tls, "domain": self.domain
        })
    }
}

/// How the apps are kept apart.
#[derive(Debug, Serialize)]
struct Apart {
    has: Vec<String>,
    lacks: Vec<String>,
}

impl Apart {
    fn of(isolation: &Isolation) -> Self {
        Self { has: isolation.has(), lacks: isolation.lacks().to_vec() }
    }
}

impl Event for Apart {
    fn show(&self) -> Shown<'_> {
        let mut text = format!("isolation: {}", self.has.join(", "));
        for lacks in &self.lacks {
            text.push_str("; no ");
            text.push_str(lacks);
        }
        Shown::Line(Line::new(Tone::Plain, "Apart", text))
    }

    fn json(&self) -> serde_json::Value {
        serde_json::json!({ "event": "isolation", "has": self.has, "lacks": self.lacks })
    }
}

/// What a node's owner sees of it.
struct Shows(Told);

impl Event for Shows {
    fn show(&self) -> Shown<'_> {
        match &self.0 {
            Told::Release { app, release, event } => match event {
                DeployEvent::Step { text, .. } => quiet(format!("{app} {release}: {text}")),
                DeployEvent::Output { process, line } => quiet(format!("{app} {process}: {line}")),
                DeployEvent::Live { url, share: Some(share), .. } => {
                    let whom = traffic::said(share);
                    Shown::Line(Line::good("Gray", format!("{app} {release} for {whom} {url}")))
                }
                DeployEvent::Live { url, share: None, .. } => {
                    Shown::Line(Line::good("Live", format!("{app} {release} {url}")))
                }
                DeployEvent::Failed { problem, .. } => bad(format!("{app} {release}: {problem}")),
            },
            Told::Back { app, release, how } => match how {
                Ok(_) => Shown::Line(Line::good("Back", format!("{app} {release}"))),
                Err(problem) => bad(format!("{app} {release}: {problem}")),
            },
            Told::Collected(Collected { releases, blobs, bytes, .. }) => {
                quiet(format!("took away {releases} old releases and {blobs} blobs, {}", size(*bytes)))
            }
            Told::Observers { app, problem } => bad(format!("{app}: {problem}")),
            Told::Login { app, problem } => bad(format!("{app} login: {problem}")),
            Told::Certificate { host, how: Ok(until) } => {
                Shown::Line(Line::good("TLS", format!("{host}, until {}", until.strftime("%Y-%m-%d %H:%M UTC"))))
            }
            Told::Certificate { host, how: Err(problem) } => bad(format!("{host}: {problem}")),
            Told::Over(Over { app, text }) => Shown::Line(Line::warning(format!("{app}: {text}"))),
            Told::Backend(BackendChange::Down(problem)) => Shown::Problem(problem),
            Told::Backend(BackendChange::Back { service, address }) => {
                Shown::Line(Line::good("Back", format!("`{service}` answers again at {address}")))
            }
            Told::Node(NodeEvent::Restarting { app, process, why, .. }) => {
                Shown::Line(Line::warning(format!("{app}: `{process}` {why}; it is started again")))
            }
            Told::Node(NodeEvent::Leaving { app, process, text, is_bad: true, .. }) => {
                Shown::Line(Line::warning(format!("{app}: `{process}` {text}")))
            }
            Told::Node(NodeEvent::Leaving { app, process, text, .. }) => quiet(format!("{app} {process}: {text}")),
            Told::Node(NodeEvent::Cron { app, job, text, is_bad: true }) => {
                Shown::Line(Line::warning(format!("{app}: the scheduled task `{job}`: {text}")))
            }
            Told::Node(NodeEvent::Cron { app, job, text, .. }) => quiet(format!("{app} cron {job}: {text}")),
            Told::Node(NodeEvent::Output { app, process, line, .. }) => quiet(format!("{app} {process}: {line}")),
            Told::Node(_) => Shown::Nothing,
        }
    }

    fn json(&self) -> serde_json::Value {
        use serde_json::{json, to_value};
        match &self.0 {
            Told::Release { app, release, event } => {
                json!({ "event": "release", "app": app, "release": release, "told": event })
            }
            Told::Back { app, release, how } => match how {
                Ok(_) => json!({ "event": "back", "app": app, "release": release }),
                Err(problem) => json!({ "event": "back", "app": app, "release": release, "problem": problem }),
            },
            Told::Certificate { host, how } => match how {
                Ok(until) => json!({ "event": "certificate", "host": host, "until": until }),
                Err(problem) => json!({ "event": "certificate", "host": host, "problem": problem }),
            },
            Told::Collected(collected) => {
                let mut value = to_value(collected).unwrap_or_default();
                value["event"] = "collected".into();
                value
            }
            Told::Observers { app, problem } => json!({ "event": "observers", "app": app, "problem": problem }),
            Told::Login { app, problem } => json!({ "event": "login", "app": app, "problem": problem }),
            Told::Backend(BackendChange::Down(problem)) => json!({ "event": "backend_down", "problem": problem }),
            Told::Backend(BackendChange::Back { service, address }) => {
                json!({ "event": "backend_back", "service": service, "address": address })
            }
            Told::Over(Over { app, text }) => json!({ "event": "over", "app": app, "text": text }),
            Told::Node(event) => to_value(event).unwrap_or_default(),
        }
    }
}

fn quiet(text: String) -> Shown<'static> {
    Shown::Line(Line::new(Tone::Quiet, "", text))
}

fn bad(text: String) -> Shown<'static> {
    Shown::Line(Line::new(Tone::Bad, "Failed", text))
}
