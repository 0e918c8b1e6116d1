//! `dae service serve`.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;

use super::super::services::Services;
use super::super::{Context, Outcome, foreground};
use super::offered;
use crate::app::DevSettings;
use crate::dev_server::local::{Local, SDK};
use crate::dev_server::{Event, cron_dir, interfaces};
use crate::gateway::Routes;
use crate::node::{self, Edition, Hosts, Node, Offering, Rollout, Settings, Verify, Wanted, ZooKeeper};
use crate::problem::{Problem, Result};
use crate::python;
use crate::term::{Done, Line, Tone};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The port of the service, where app.yaml names one [default: 7303, or the next free one]
    #[arg(short, long, value_name = "N")]
    pub port: Option<u16>,
    /// The address to answer on; only this machine reaches the default one
    #[arg(long, value_name = "ADDR")]
    pub host: Option<IpAddr>,
    /// List the service in this ZooKeeper: `host:2181`, several with commas between
    #[arg(long, value_name = "SERVERS")]
    pub zookeeper: Option<ZooKeeper>,
}

pub fn run(args: Args, context: &Context) -> Outcome {
    let app = context.app()?;
    offered(&app)?;
    if args.port.is_some() && app.manifest.services.len() > 1 {
        return Err(Problem::new("service.port", "app.yaml names several services, and a port is for one").exit(2));
    }
    if let Some(exit) = foreground::guard()? {
        return Ok(Box::new(Done { exit }));
    }
    context.dirs.make_run()?;
    interfaces::bring_in_line(&app)?;
    let (settings, _) = DevSettings::read(&app.root, "dev.yaml")?;
    let terminal = context.terminal.clone();
    let python = python::prepare(&app, &context.dirs.cache, &|event| terminal.tell(&event))?;
    let services = Services::open(context, &app)?;
    let inherited = &context.environment;
    let local = Local { app: &app, python: &python, settings: &settings, services: services.provided(), inherited };
    let mut generation = local.generation(Edition::default(), None);
    let manifest = &mut generation.manifest;
    manifest.handlers.clear();
    manifest.daemons.clear();
    manifest.queues.clear();
    manifest.cron.clear();
    let seen = args.zookeeper.as_ref().map(ZooKeeper::address_of_this_machine);
    let address = args.host.or(seen).unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST));
    let notices = vec![context.dirs.run.join(node::SERVICES)];
    let settings = Settings {
        domain: "localhost".into(),
        run_dir: context.dirs.run.clone(),
        log_dir: app.root.join(".dae/logs"),
        rollout: Rollout::LIVE,
        verify: Verify::Nothing,
        environment: SDK,
        inherited: context.environment.clone(),
        hosts: Hosts::Own,
        cron: node::Cron::ByHand,
        cron_dir: cron_dir(&app.root),
        offering: Offering { address, port: args.port, notices, zookeeper: args.zookeeper },
    };
    let served = services.block_on(follow(settings, generation, context));
    services.end(context);
    foreground::end_descendants();
    served?;
    context.terminal.line(&Line::new(Tone::Good, "stopped", "everything it started has ended"));
    Ok(Box::new(Done::default()))
}

async fn follow(settings: Settings, generation: node::Generation, context: &Context) -> Result<()> {
    let (events, mut heard) = mpsc::unbounded_channel();
    let stop = foreground::stop()?;
    tokio::pin!(stop);
    let node = Node::new(settings, Arc::new(Routes::default()), events);
    if let Wanted::Failed(problem) = node.want(generation).await {
        node.stop(Duration::ZERO).await;
        return Err(*problem);
    }
    let problem = loop {
        let event = tokio::select! {
            () = &mut stop => break None,
            Some(event) = heard.recv() => event,
        };
        match event {
            // Without services there is nothing left to serve.
            node::Event::Failed { problem, .. } => break Some(problem),
            node::Event::Output { process, line, .. } => context.terminal.tell(&Event::Output { process, line }),
            node::Event::Restarting { process, why, .. } => context.terminal.tell(&Event::Restarting { process, why }),
            node::Event::Prompt { .. }
            | node::Event::Left { .. }
            | node::Event::Leaving { .. }
            | node::Event::Cron { .. }
            | node::Event::Starting { .. }
            | node::Event::Serving { .. }
            | node::Event::Verified { .. }
            | node::Event::Stopped { .. } => {}
        }
    };
    node.stop(Duration::ZERO).await;
    problem.map_or(Ok(()), Err)
}
