//! `dae domains`.

use serde::Serialize;

use super::online::{Which, WhichApp, block_on};
use super::{Context, Outcome, cluster};
use crate::remote::api::Domains;
use crate::term::{Paint, Text, Tone};

/// Choose the hosts an app answers for on a remote
///
/// It takes effect at once, without a release. That a name leads to the remote is up to its DNS.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Answer for a host
    Add(One),
    /// Answer for a host no more
    Rm(One),
    /// List the hosts
    List(Where),
}

#[derive(Debug, clap::Args)]
struct One {
    /// As `www.example.com`
    #[arg(value_name = "HOST")]
    host: String,
    #[command(flatten)]
    at: Where,
}

#[derive(Debug, clap::Args)]
struct Where {
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    app: WhichApp,
}

#[derive(Serialize)]
struct Report {
    remote: String,
    #[serde(flatten)]
    found: Domains,
}

impl Text for Report {
    fn text(&self, paint: Paint) -> String {
        let said = |host: &String| {
            let found = self.found.certificates.iter().find(|found| found.host == *host)?;
            let until = found.until.map_or("no certificate".to_owned(), |until| {
                format!("certificate until {}", until.strftime("%Y-%m-%d"))
            });
            Some(match &found.problem {
                None => paint.dim(&until),
                Some(problem) => paint.tone(Tone::Bad, &format!("{until}: {problem}")),
            })
        };
        let line = |host: &String, own: bool| {
            let own = own.then(|| paint.dim("(its own)"));
            [Some(host.clone()), own, said(host)].into_iter().flatten().collect::<Vec<_>>().join(" ")
        };
        let first = line(&self.found.own, true);
        std::iter::once(first)
            .chain(self.found.domains.iter().map(|host| line(host, false)))
            .collect::<Vec<_>>()
            .join("\n")
    }
}

pub fn run(args: Args, context: &Context) -> Outcome {
    let (at, add, remove) = match args.command {
        Command::List(at) => (at, None, None),
        Command::Add(One { host, at }) => (at, Some(host), None),
        Command::Rm(One { host, at }) => (at, None, Some(host)),
    };
    let app = at.app.name(context)?;
    if let Some(target) = at.which.cluster(context, Some(&app))? {
        let found = block_on(async {
            let api = target.connect().await?;
            let rollout = cluster::rollout(&api, &app, &|_| {});
            match (&add, &remove) {
                (Some(host), _) => rollout.add_domain(host).await,
                (_, Some(host)) => rollout.remove_domain(host).await,
                (None, None) => rollout.domains().await,
            }
        })?;
        return Ok(Box::new(Report { remote: target.name, found }));
    }
    let (client, _) = at.which.client(context, Some(&app))?;
    let found = block_on(async {
        match (&add, &remove) {
            (Some(host), _) => client.add_domain(&app, host).await,
            (_, Some(host)) => client.remove_domain(&app, host).await,
            (None, None) => client.domains(&app).await,
        }
    })?;
    Ok(Box::new(Report { remote: client.name.clone(), found }))
}
