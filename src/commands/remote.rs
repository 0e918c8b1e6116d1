//! `dae remote`.

use std::io::Read as _;

use serde::Serialize;

use super::online::block_on;
use super::{Context, Outcome, cluster, remote_init};
use crate::app::{self, App, AppName};
use crate::problem::{Doing as _, Problem, Result};
use crate::remote::api::Capabilities;
use crate::remote::cluster::Cluster;
use crate::remote::config::{is_in_the_clear, parse_url};
use crate::remote::conformance;
use crate::remote::finding::Finding;
use crate::remote::kubernetes::{self, Api};
use crate::remote::{Client, Credentials, Remotes, Token};
use crate::term::{Line, Paint, Text, ask_secret};

/// Add, list and choose remotes
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    pub verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
pub enum Verb {
    /// Add a remote, or give one another address or token
    Add {
        /// What to call it, as `prod`
        name: String,
        /// Where it is, as `https://dae.example.com`; or `kubernetes`
        url: String,
        /// Its token, or `-` to read it from stdin [default: DAE_TOKEN, or it is asked for]
        #[arg(long, value_name = "TOKEN")]
        token: Option<String>,
        /// Add it without asking whether it answers
        #[arg(long)]
        no_check: bool,
        #[command(flatten)]
        cluster: Box<cluster::Settings>,
    },
    Init(remote_init::Args),
    /// List the remotes
    List,
    /// Choose where the app in this folder goes; outside of an app, where all go
    Use {
        name: String,
        /// For all apps without a choice of their own
        #[arg(long)]
        default: bool,
    },
    /// Say what a remote has, and what is missing for a deploy
    ///
    /// Of anything that is no cluster, whoever wrote it, it is asked point by point whether it does what docs/remote-protocol.md says. By
    /// itself that writes nothing there; with --deploy tiny images are pushed and released as that app. Each point is held (`yes`), is
    /// not (`NO`), or is not offered and may be left out (`no`).
    Check {
        /// A remote's name, or an address with its token in DAE_TOKEN [default: the one that is used here]
        #[arg(value_name = "NAME|URL")]
        name: Option<String>,
        /// Try on this app, which must have no releases there, all that writes
        #[arg(long, value_name = "APP", value_parser = AppName::parse)]
        deploy: Option<AppName>,
    },
    /// Forget a remote and its token; what runs there goes on
    #[command(alias = "remove")]
    Rm {
        name: String,
    },
}

pub fn run(args: Args, context: &Context) -> Outcome {
    match args.verb {
        Verb::Add { name, url, no_check, cluster, .. } if url == cluster::KUBERNETES => {
            add_cluster(context, &name, cluster.read(context, &name)?, no_check)
        }
        Verb::Add { url, cluster, .. } if cluster.any().is_some() => {
            let flag = cluster.any().unwrap_or_default();
            Err(Problem::new("remote.kubernetes", format!("`{flag}` is for a cluster, and `{url}` is a node"))
                .hint("write `kubernetes` in the place of the address")
                .exit(2))
        }
        Verb::Add { name, url, token, no_check, .. } => add(context, &name, &url, token, no_check),
        Verb::Init(args) => remote_init::run(args, context),
        Verb::List => list(context),
        Verb::Use { name, default } => choose(context, &name, default),
        Verb::Check { name, deploy } => check(context, name.as_deref(), deploy.as_ref()),
        Verb::Rm { name } => remove(context, &name),
    }
}

#[derive(Serialize)]
struct Added {
    name: String,
    url: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    found: Option<Capabilities>,
}

impl Text for Added {
    fn text(&self, _: Paint) -> String {
        String::new()
    }
}

pub fn add(context: &Context, name: &str, url: &str, token: Option<String>, no_check: bool) -> Outcome {
    let mut remotes = Remotes::read(&context.dirs.config)?;
    let mut credentials = Credentials::read(&context.dirs.config)?;
    let url = parse_url(url)?;
    remotes.add(name, &url)?;
    let token = match token.as_deref() {
        Some("-") => {
            let mut text = String::new();
            std::io::stdin().read_to_string(&mut text).doing(|| "read the token from stdin")?;
            Some(Token::parse(&text)?)
        }
        Some(text) => Some(Token::parse(text)?),
        None => match &context.token {
            Some(text) => Some(Token::parse(text)?),
            None if context.terminal.interactive => {
                Some(Token::parse(&ask_secret(&context.terminal, &format!("token of {name}"))?)?)
            }
            None => credentials.get(name).cloned(),
        },
    };
    if is_in_the_clear(&url) {
        context.terminal.line(&Line::warning(format!("everything, the token too, goes to {url} unencrypted")));
    }
    let found = if no_check {
        None
    } else {
        let client = Client::new(name, url.clone(), token.clone())?;
        let found = block_on(client.capabilities())
            .map_err(|problem| problem.hint("it was not added; `--no-check` adds it all the same"))?;
        context.say("Found", told(&found));
        Some(found)
    };
    credentials.set(name, token);
    credentials.write()?;
    remotes.write()?;
    context.say("Added", format!("remote `{name}`; `dae deploy` goes {}", goes(context, &remotes, name)));
    Ok(Box::new(Added { name: name.to_owned(), url: url.as_str().trim_end_matches('/').to_owned(), found }))
}

/// Adds a cluster: what it has is asked for once, and kept.
fn add_cluster(context: &Context, name: &str, mut cluster: Cluster, no_check: bool) -> Outcome {
    let mut remotes = Remotes::read(&context.dirs.config)?;
    remotes.add_cluster(name, cluster.clone())?;
    if !no_check {
        let found = block_on(async { kubernetes::look(&Api::connect(name, &cluster).await?).await })
            .map_err(|problem| problem.hint("it was not added; `--no-check` adds it all the same"))?;
        if cluster.gateway.is_none() && cluster.ingress_class.is_none() && cluster.domain.is_some() {
            cluster.gateway = found.gateway;
        }
        let by = match (&cluster.domain, &cluster.gateway) {
            (None, _) => "apps answer inside the cluster only".to_owned(),
            (Some(domain), Some(gateway)) => {
                format!("apps answer at NAME.{domain} by Gateway {}/{}", gateway.namespace, gateway.name)
            }
            (Some(domain), None) => format!("apps answer at NAME.{domain} by an Ingress"),
        };
        context.say("Found", format!("Kubernetes {}; {by}", found.version));
        remotes.add_cluster(name, cluster.clone())?;
    }
    remotes.write()?;
    context.say("Added", format!("remote `{name}`; `dae deploy` goes {}", goes(context, &remotes, name)));
    Ok(Box::new(Added { name: name.to_owned(), url: cluster.told(), found: None }))
}

fn told(found: &Capabilities) -> String {
    let pythons =
        if found.pythons.is_empty() { "no Python".to_owned() } else { format!("Python {}", found.pythons.join(", ")) };
    let Capabilities { server, platform, domain, elsewhere, .. } = found;
    let elsewhere = match elsewhere.as_slice() {
        [] => String::new(),
        names => format!("; servers of their own: {}", names.join(", ")),
    };
    format!("{server} on {platform} with {pythons}; apps answer at NAME.{domain}{elsewhere}")
}

fn goes(context: &Context, remotes: &Remotes, name: &str) -> String {
    match remotes.pick(None, app_here(context).as_ref()) {
        Ok((picked, _)) if picked == name => "there".to_owned(),
        Ok((picked, _)) => format!("to `{picked}`, until `dae remote use {name}`"),
        Err(_) => format!("nowhere until `dae remote use {name}`"),
    }
}

/// The app of this folder, if it is one's.
fn app_here(context: &Context) -> Option<AppName> {
    let root = app::find(&context.cwd).ok()?;
    Some(App::read(&root).ok()?.0.name)
}

#[derive(Serialize)]
struct List {
    remotes: Vec<Listed>,
}

#[derive(Serialize)]
struct Listed {
    name: String,
    url: String,
    /// Apps without a choice of their own go there.
    default: bool,
    /// The app in this folder goes there.
    used: bool,
    /// A token is known.
    token: bool,
    /// Its credentials are the kubeconfig's.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    cluster: bool,
}

impl Text for List {
    fn text(&self, paint: Paint) -> String {
        if self.remotes.is_empty() {
            return "no remotes; add one with `dae remote add NAME URL`".to_owned();
        }
        let width = self.remotes.iter().map(|remote| remote.name.len()).max().unwrap_or(0);
        let line = |remote: &Listed| {
            let mark = if remote.used { "*" } else { " " };
            let note = if remote.token || remote.cluster { "" } else { " (no token)" };
            format!("{} {:width$}  {}{}", paint.good(mark), remote.name, remote.url, paint.dim(note))
        };
        self.remotes.iter().map(line).collect::<Vec<_>>().join("\n")
    }
}

fn list(context: &Context) -> Outcome {
    let remotes = Remotes::read(&context.dirs.config)?;
    let credentials = Credentials::read(&context.dirs.config)?;
    let used =
        remotes.pick(context.remote.as_deref(), app_here(context).as_ref()).ok().map(|(name, _)| name.to_owned());
    let listed = remotes.iter().map(|(name, remote)| Listed {
        name: name.to_owned(),
        url: remote.url.clone(),
        default: remotes.default() == Some(name),
        used: used.as_deref() == Some(name),
        token: credentials.get(name).is_some(),
        cluster: remote.kubernetes.is_some(),
    });
    Ok(Box::new(List { remotes: listed.collect() }))
}

#[derive(Serialize)]
struct Chosen {
    remote: String,
    /// Nothing when it is for all apps.
    #[serde(skip_serializing_if = "Option::is_none")]
    app: Option<AppName>,
}

impl Text for Chosen {
    fn text(&self, _: Paint) -> String {
        String::new()
    }
}

fn choose(context: &Context, name: &str, default: bool) -> Outcome {
    let mut remotes = Remotes::read(&context.dirs.config)?;
    let app = if default { None } else { app_here(context) };
    remotes.choose(name, app.as_ref())?;
    remotes.write()?;
    let what = app.as_ref().map_or_else(|| "every app without a choice of its own".to_owned(), ToString::to_string);
    context.say("Chosen", format!("`{name}`, for {what}"));
    Ok(Box::new(Chosen { remote: name.to_owned(), app }))
}

#[derive(Serialize)]
struct Checked {
    remote: String,
    findings: Vec<Finding>,
}

impl Text for Checked {
    fn text(&self, paint: Paint) -> String {
        let line = |finding: &Finding| {
            let mark = match (finding.good, finding.optional) {
                (true, _) => paint.good("yes"),
                (false, true) => paint.dim("no "),
                (false, false) => paint.bad("NO "),
            };
            let note = if finding.note.is_empty() { String::new() } else { format!(": {}", finding.note) };
            format!("{mark}  {}{note}", finding.what)
        };
        self.findings.iter().map(line).collect::<Vec<_>>().join("\n")
    }

    fn exit(&self) -> u8 {
        u8::from(self.findings.iter().any(|finding| !finding.good && !finding.optional))
    }
}

fn check(context: &Context, name: Option<&str>, deploy: Option<&AppName>) -> Outcome {
    if let Some(url) = name.filter(|name| name.contains("://")) {
        let findings = block_on(points(&super::online::client(context, url, url)?, deploy))?;
        return Ok(Box::new(Checked { remote: url.to_owned(), findings }));
    }
    let remotes = Remotes::read(&context.dirs.config)?;
    let (name, remote) = remotes.pick(name.or(context.remote.as_deref()), app_here(context).as_ref())?;
    let findings = if let Some(cluster) = &remote.kubernetes {
        block_on(async { kubernetes::check(&Api::connect(name, cluster).await?).await })?
    } else {
        block_on(points(&super::online::client(context, name, &remote.url)?, deploy))?
    };
    Ok(Box::new(Checked { remote: name.to_owned(), findings }))
}

/// What it is, then point by point.
async fn points(client: &Client, deploy: Option<&AppName>) -> Result<Vec<Finding>> {
    let found = client.capabilities().await?;
    let first = Finding { what: told(&found), good: true, optional: false, note: String::new() };
    let points = conformance::check(client, deploy).await?;
    Ok(std::iter::once(first).chain(points).collect())
}

#[derive(Serialize)]
struct Removed {
    removed: String,
}

impl Text for Removed {
    fn text(&self, _: Paint) -> String {
        String::new()
    }
}

fn remove(context: &Context, name: &str) -> Outcome {
    forget(context, name)?;
    context.say("Removed", format!("remote `{name}`; what runs there goes on"));
    Ok(Box::new(Removed { removed: name.to_owned() }))
}

fn forget(context: &Context, name: &str) -> Result<()> {
    let mut remotes = Remotes::read(&context.dirs.config)?;
    let mut credentials = Credentials::read(&context.dirs.config)?;
    remotes.remove(name)?;
    credentials.set(name, None);
    credentials.write()?;
    remotes.write()
}
