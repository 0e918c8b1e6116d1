//! `dae remote init`: a machine becomes a node, and that node a remote.

use std::time::{Duration, Instant};

use serde::Serialize;

use super::online::block_on;
use super::{Context, Outcome, remote};
use crate::app::bracketed;
use crate::problem::{Doing as _, Problem, Result};
use crate::remote::config::parse_url;
use crate::remote::server::Listen;
use crate::remote::setup::{Step, Wanted, set_up};
use crate::remote::ssh::{Asks, Machine};
use crate::remote::{Client, Credentials, Remotes};
use crate::term::{Line, Paint, Text};

/// Make a machine that you reach by ssh a node, and add it as a remote
///
/// Copies dae there, makes the node, has systemd run it, and adds it here. What is there already is left as it is; another dae than this
/// one is replaced, and the node restarted. Uses your `ssh` with its keys and settings, and there root or a `sudo` that asks for no
/// password.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// `ssh://root@host.example.com`, with `:PORT` where it is not 22
    machine: String,
    /// What to call the remote [default: the first part of the host's name]
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Apps answer at NAME.DOMAIN [default: the host's name]
    #[arg(long, value_name = "DOMAIN")]
    domain: Option<String>,
    /// Where the node listens: `127.0.0.1:8000`, or `:8000` for every address
    #[arg(long, value_name = "ADDR", default_value = ":8000")]
    listen: Listen,
    /// The node's folder there
    #[arg(long, value_name = "DIR", default_value = "/srv/dae", value_parser = absolute)]
    dir: String,
    /// Where dae itself goes there
    #[arg(long, value_name = "FILE", default_value = "/usr/local/bin/dae", value_parser = absolute)]
    program: String,
}

/// How long a node that has just been started is waited for.
const PATIENCE: Duration = Duration::from_secs(20);
const PAUSE: Duration = Duration::from_millis(200);

fn absolute(text: &str) -> std::result::Result<String, String> {
    let good = text.starts_with('/') && text.len() > 1 && !text.contains(char::is_control);
    if good { Ok(text.to_owned()) } else { Err("give it from `/` on".into()) }
}

pub fn run(args: Args, context: &Context) -> Outcome {
    let machine = Machine::parse(&args.machine)?;
    let name = args.name.clone().unwrap_or_else(|| machine.host.split('.').next().unwrap_or_default().to_owned());
    let url = parse_url(&format!("http://{}:{}", bracketed(&machine.host), args.listen.0.port()))?;
    let domain = args.domain.clone().unwrap_or_else(|| machine.host.clone());
    if domain.parse::<std::net::IpAddr>().is_ok() || domain.contains(':') {
        return Err(Problem::new("node.domain", format!("`{domain}` is an address, and `NAME.{domain}` no host name"))
            .hint("give the domain under which the apps get their names: `--domain apps.example.com`")
            .exit(2));
    }
    let known = {
        let remotes = Remotes::read(&context.dirs.config)?;
        let same = remotes.get(&name).is_ok_and(|(_, remote)| parse_url(&remote.url).is_ok_and(|known| known == url));
        Credentials::read(&context.dirs.config)?.get(&name).filter(|_| same).cloned()
    };
    let ours = std::env::current_exe().doing(|| "find this program")?;
    let asks = if context.terminal.interactive { Asks::AtTheTerminal } else { Asks::Nothing };
    let listen = args.listen.to_string();
    let Args { program, dir, .. } = &args;
    let wanted = Wanted { machine: &machine, asks, ours: &ours, program, dir, domain: &domain, listen: &listen };
    let done = set_up(&wanted, known.is_none(), &|step| say(context, step, &wanted))?;
    if !done.lasts && done.steps.iter().any(|step| matches!(step, Step::Started | Step::Restarted)) {
        let text =
            format!("{machine} has no systemd: after a restart of the machine, run `{program} node serve --dir {dir}`");
        context.terminal.line(&Line::warning(text));
    }
    let added = done.token.is_some();
    if let Some(token) = done.token {
        answers(&name, &url, &token)?;
        remote::add(context, &name, url.as_str(), Some(token), true)?;
    } else if let Some(token) = known {
        answers(&name, &url, token.secret())?;
    }
    let changed = added || !done.steps.is_empty();
    if !changed {
        context.say("Unchanged", format!("{machine} is the remote `{name}` already, with this dae"));
    }
    let url = url.as_str().trim_end_matches('/').to_owned();
    Ok(Box::new(Initialised { name, url, changed, lasts: done.lasts }))
}

fn say(context: &Context, step: Step, wanted: &Wanted) {
    let Wanted { machine, program, dir, domain, .. } = wanted;
    let (verb, text) = match step {
        Step::Copied => ("Copied", format!("dae to `{program}` at {machine}")),
        Step::Made => ("Made", format!("a node in `{dir}`; apps answer at NAME.{domain}")),
        Step::WroteUnit => ("Wrote", "the unit `dae.service`".to_owned()),
        Step::Started => ("Started", "the node".to_owned()),
        Step::Restarted => ("Restarted", "the node".to_owned()),
        Step::Upgraded => ("Upgraded", "the node; its apps run on".to_owned()),
    };
    context.say(verb, text);
}

/// It may just have been started.
fn answers(name: &str, url: &reqwest::Url, token: &str) -> Result<()> {
    let client = Client::new(name, url.clone(), Some(crate::remote::Token::parse(token)?))?;
    let since = Instant::now();
    loop {
        match block_on(client.capabilities()) {
            Ok(_) => return Ok(()),
            Err(problem) if since.elapsed() > PATIENCE => {
                return Err(
                    problem.hint("the node runs there; does a firewall keep its port closed? `--listen` names another")
                );
            }
            Err(_) => std::thread::sleep(PAUSE),
        }
    }
}

#[derive(Debug, Serialize)]
struct Initialised {
    name: String,
    url: String,
    /// False where all of it was there already.
    changed: bool,
    /// The node comes back with its machine.
    lasts: bool,
}

impl Text for Initialised {
    fn text(&self, _: Paint) -> String {
        String::new()
    }
}
