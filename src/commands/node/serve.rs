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
use crate::gateway::{self, Door, Gateway, Routes};
use crate::node::{self, Cron, Event as NodeEvent, Hosts, Node, Offering, Rollout, Settings, Verify};
use crate::problem::{Doing as _, Problem, Result};
use crate::remote::api::DeployEvent;
use crate::remote::deploy::size;
use crate::remote::server::{BackendChange, Collected, Home, Isolation, Listen, NodeFront, Over, Server, Told};
use crate::term::{Done, Event, Line, Shown, Tone};

/// How long a request may wait for an app that starts for the first time, or comes back with the node.
const PATIENCE: Duration = Duration::from_mins(1);
/// How long answers under way may take once the node was told to stop.
const DRAIN: Duration = Duration::from_secs(10);

/// What an app gets of the node's environment.
const INHERITED: &[&str] = &["HOME", "LANG", "LC_ALL", "PATH", "TMPDIR", "TZ", "USER"];

pub fn run(dir: &Path, listen: Option<Listen>, keep_unused: Duration, context: &Context) -> Outcome {
    if let Some(exit) = foreground::guard()? {
        return Ok(Box::new(Done { exit }));
    }
    let home = Home::take(dir)?;
    context.dirs.make_run()?;
    let run_dir = context.dirs.run.join(home.name());
    let _ = std::fs::remove_dir_all(&run_dir);
    std::fs::create_dir(&run_dir).doing(|| format!("make the folder `{}`", run_dir.display()))?;
    let service_notices = run_dir.join(node::SERVICES);
    std::fs::create_dir(&service_notices).doing(|| format!("make the folder `{}`", service_notices.display()))?;
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
    let settings = Settings {
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
    };
    let listen = listen.unwrap_or(home.config.listen);
    let runtime = foreground::runtime()?;
    runtime.block_on(serve(&home, settings, listen, keep_unused, &context.terminal))?;
    foreground::end_descendants();
    Ok(Box::new(Done::default()))
}

async fn serve(
    home: &Home,
    settings: Settings,
    listen: Listen,
    keep_unused: Duration,
    terminal: &Terminal,
) -> Result<()> {
    let listener = bind(listen).await?;
    let address = listener.local_addr().doing(|| "find the port")?;
    // Before anybody is told that it is ready: whoever hears that may stop it at once.
    let told = foreground::stop()?;
    let (events, heard) = mpsc::unbounded_channel();
    let node = Node::new(settings, Arc::new(Routes::default()), events);
    let teller = terminal.clone();
    let server = Server::open(home, node.clone(), keep_unused, move |told| teller.tell(&Shows(told)))?;
    terminal.tell(&Apart::of(&server.isolation));
    let watching = tokio::spawn(server.clone().keep_apart());
    let hearing = tokio::spawn(server.clone().hear(heard));
    let mut doors = vec![Door { listener, tls: None }];
    let mut url = format!("http://{}:{}", home.config.domain, address.port());
    let mut private = None;
    if let Some(tls) = &server.tls {
        let listener = bind(tls.settings.listen).await?;
        let address = listener.local_addr().doing(|| "find the port")?;
        url = format!("https://{}:{}", home.config.domain, address.port());
        private = Some(address.to_string());
        doors.push(Door { listener, tls: Some(gateway::tls::acceptor(tls.certificates.clone())?) });
    }
    let front = Arc::new(NodeFront::new(server.clone()));
    let gateway = Arc::new(Gateway { routes: node.routes.clone(), front, patience: PATIENCE });

    terminal.tell(&Ready { url, listen: address.to_string(), tls: private, domain: home.config.domain.clone() });
    // Nothing waits for a server that may be down.
    let backends = tokio::spawn(server.clone().watch_backends());
    let back = tokio::spawn({
        let server = server.clone();
        async move {
            // What cannot be read now is told to whoever asks for it.
            let _ = server.bring_back().await;
            server.keep_tidy().await;
        }
    });
    let certificates = tokio::spawn(server.clone().keep_certificates());
    let closing = server.clone();
    let stop = async move {
        told.await;
        // While connections are open: those who follow a release hear that it has failed. If the store cannot be written,
        // the next start says so.
        let _ = tokio::task::spawn_blocking(move || closing.close()).await;
    };
    let told = gateway::serve(doors, gateway, stop, DRAIN).await;
    back.abort();
    certificates.abort();
    terminal.line(&Line::new(Tone::Plain, "Stopping", "the apps"));
    node.stop(DRAIN.saturating_sub(told.elapsed())).await;
    server.end_services().await;
    watching.abort();
    backends.abort();
    hearing.abort();
    Ok(())
}

async fn bind(listen: Listen) -> Result<TcpListener> {
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
    TcpListener::bind(listen.0).await.map_err(problem)
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
