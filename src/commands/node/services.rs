//! `dae node services`: some services of one app, for pods elsewhere. What a cluster runs for trials; see docs/kubernetes.md.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::app::AppName;
use crate::commands::{Context, Outcome, foreground};
use crate::problem::{Problem, Result};
use crate::services::{self, Event as ServiceEvent, Space, Tell};
use crate::term::{Done, Event, Line, Shown};

/// Serve some of an app's services to whoever can reach them
///
/// Nobody is asked for a password: this is for trials, in a network that others do not reach.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Whose services they are
    #[arg(long, value_parser = AppName::parse)]
    app: AppName,
    /// Where they keep what is to stay
    #[arg(long, value_name = "DIR")]
    dir: PathBuf,
    /// The address to listen at
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1")]
    host: IpAddr,
    /// Which, and at which port: `memcache=11211`
    #[arg(value_name = "SERVICE=PORT", required = true, value_parser = place)]
    services: Vec<(String, u16)>,
}

fn place(text: &str) -> std::result::Result<(String, u16), String> {
    let (service, port) = text.split_once('=').ok_or("write it as `memcache=11211`")?;
    Ok((service.to_owned(), port.parse().map_err(|_| format!("`{port}` is no port"))?))
}

/// They listen.
struct Ready(BTreeMap<String, String>);

impl Event for Ready {
    fn show(&self) -> Shown<'_> {
        let told: Vec<String> = self.0.iter().map(|(service, address)| format!("{service} at {address}")).collect();
        Shown::Line(Line::good("Ready", told.join(", ")))
    }

    fn json(&self) -> Value {
        json!({"event": "ready", "services": self.0})
    }
}

/// One of them could not go on.
struct Failed(String, Problem);

impl Event for Failed {
    fn show(&self) -> Shown<'_> {
        Shown::Line(Line::warning(format!("{}: {}", self.0, self.1)))
    }

    fn json(&self) -> Value {
        json!({"event": "service-failed", "service": self.0, "problem": self.1})
    }
}

pub fn run(args: Args, context: &Context) -> Outcome {
    let terminal = context.terminal.clone();
    let tell = Tell::new(move |event| {
        if let ServiceEvent::ServiceFailed { service, problem } = event {
            terminal.tell(&Failed(service, problem));
        }
    });
    context.dirs.make_run()?;
    let run = context.dirs.run.join(format!("{}-services", args.app));
    let space = Space::new(args.app, context.cwd.join(&args.dir), run, tell)?;
    foreground::runtime()?.block_on(serve(&space, args.host, &args.services, context))?;
    Ok(Box::new(Done::default()))
}

async fn serve(space: &Space, host: IpAddr, wanted: &[(String, u16)], context: &Context) -> Result<()> {
    // Before anybody is told that it is ready: whoever hears that may stop it at once.
    let told = foreground::stop()?;
    let (mut running, mut places) = (Vec::new(), BTreeMap::new());
    for (service, port) in wanted {
        let address = space.listen_at(service, SocketAddr::new(host, *port))?;
        running.push(services::start_one(space, service).await?);
        places.insert(service.clone(), address.to_string());
    }
    context.terminal.tell(&Ready(places));
    told.await;
    for service in running {
        service.stop().await;
    }
    Ok(())
}
