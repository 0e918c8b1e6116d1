//! `dae config`.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::time::Instant;

use serde::Serialize;

use super::online::{Which, WhichApp, block_on};
use super::{Context, Outcome, cluster};
use crate::problem::{Doing as _, Problem, Result};
use crate::remote::api::{Config, ConfigChange, ReleaseId};
use crate::remote::client::Changed;
use crate::remote::deploy::{self, Step, seconds};
use crate::remote::kubernetes::Word;
use crate::remote::origin;
use crate::term::{Paint, Text};

/// Set what an app finds in its environment on a remote
///
/// Values are kept sealed on the remote and shown only when asked for. A change is a new release of the same code, so it can be
/// rolled back; what was set goes on from release to release.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    Set(Set),
    Unset(Unset),
    List(List),
}

#[derive(Debug, clap::Args)]
struct Where {
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    app: WhichApp,
}

/// Set variables
#[derive(Debug, clap::Args)]
struct Set {
    /// `NAME=VALUE`; `NAME=@FILE` takes the value from a file, `NAME=-` from standard input
    #[arg(required = true, value_name = "NAME=VALUE")]
    values: Vec<String>,
    #[command(flatten)]
    at: Where,
}

/// Take variables away
#[derive(Debug, clap::Args)]
struct Unset {
    #[arg(required = true, value_name = "NAME")]
    names: Vec<String>,
    #[command(flatten)]
    at: Where,
}

/// List the variables that are set
#[derive(Debug, clap::Args)]
struct List {
    /// Show the values too
    #[arg(long)]
    reveal: bool,
    #[command(flatten)]
    at: Where,
}

#[derive(Serialize)]
struct Report {
    remote: String,
    #[serde(flatten)]
    found: Config,
}

impl Text for Report {
    fn text(&self, paint: Paint) -> String {
        if self.found.config.is_empty() {
            return format!("nothing is set for {} on {}", self.found.app, self.remote);
        }
        let line = |(name, value): (&String, &Option<String>)| match value {
            Some(value) => format!("{name}={value}"),
            None => format!("{name} {}", paint.dim("(set)")),
        };
        self.found.config.iter().map(line).collect::<Vec<_>>().join("\n")
    }
}

#[derive(Serialize)]
struct Done {
    remote: String,
    /// None: nothing had to be released.
    release: Option<ReleaseId>,
    url: Option<String>,
}

impl Text for Done {
    fn text(&self, _: Paint) -> String {
        self.url.clone().unwrap_or_default()
    }
}

pub fn run(args: Args, context: &Context) -> Outcome {
    let (at, change) = match args.command {
        Command::List(List { reveal, at }) => {
            let app = at.app.name(context)?;
            if let Some(target) = at.which.cluster(context, Some(&app))? {
                let found = block_on(async {
                    let api = target.connect().await?;
                    cluster::rollout(&api, &app, &|_| {}).config(reveal).await
                })?;
                return Ok(Box::new(Report { remote: target.name, found }));
            }
            let (client, _) = at.which.client(context, Some(&app))?;
            let found = block_on(client.config(&app, reveal))?;
            return Ok(Box::new(Report { remote: client.name.clone(), found }));
        }
        Command::Set(Set { values, at }) => (at, ConfigChange { set: parse(&values)?, ..ConfigChange::default() }),
        Command::Unset(Unset { names, at }) => (at, ConfigChange { unset: names, ..ConfigChange::default() }),
    };
    let change = ConfigChange { by: Some(origin::by()), ..change };
    let start = Instant::now();
    let app = at.app.name(context)?;
    if let Some(target) = at.which.cluster(context, Some(&app))? {
        let changed = block_on(async {
            let api = target.connect().await?;
            let tell = |word: Word| context.terminal.tell(&word);
            cluster::rollout(&api, &app, &tell).change_config(&change).await
        })?;
        cluster::tell_changed(context, &app, changed, start.elapsed());
        let (release, url) = match changed {
            cluster::Changed::Live(arrived) => (Some(arrived.release), Some(target.cluster.url(&app))),
            cluster::Changed::Now(_) => (None, None),
        };
        return Ok(Box::new(Done { remote: target.name, release, url }));
    }
    let (client, _) = at.which.client(context, Some(&app))?;
    let tell = |step: Step| context.terminal.tell(&step);
    let live = block_on(async {
        let live = client.live(&app).await?;
        let changed = client.change_config(&app, &change, live).await?;
        if let Changed::Now(now) = &changed {
            let text = match now.release {
                Some(release) => format!("{release} of {app} has it already"),
                None => format!("{app} has it from its first release on"),
            };
            context.say("Set", text);
        }
        deploy::changed(&client, changed, &tell).await
    })?;
    if let Some(live) = &live {
        context.say("Live", format!("{} of {app} in {}", live.release, seconds(start.elapsed())));
    }
    let (release, url) = live.map(|live| (live.release, live.url)).unzip();
    Ok(Box::new(Done { remote: client.name.clone(), release, url }))
}

/// A problem never shows more than a name.
fn parse(values: &[String]) -> Result<BTreeMap<String, String>> {
    let mut set = BTreeMap::new();
    for text in values {
        let Some((name, value)) = text.split_once('=') else {
            return Err(Problem::new("config.form", "a value has no name, or a name no value")
                .hint("write `dae config set NAME=VALUE`; to take a name away: `dae config unset NAME`")
                .exit(2));
        };
        let value = match (value, value.strip_prefix('@')) {
            ("-", _) => {
                let mut text = String::new();
                std::io::stdin().read_to_string(&mut text).doing(|| format!("read `{name}` from standard input"))?;
                text.strip_suffix('\n').unwrap_or(&text).to_owned()
            }
            (_, Some(file)) => std::fs::read_to_string(file).doing(|| format!("read `{name}` from `{file}`"))?,
            (value, None) => value.to_owned(),
        };
        if set.insert(name.to_owned(), value).is_some() {
            return Err(Problem::new("config.twice", format!("`{name}` is set twice")).exit(2));
        }
    }
    Ok(set)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read() {
        let parse = |values: &[&str]| parse(&values.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>());
        let set = parse(&["A=1=2", "B="]).unwrap();
        assert_eq!((set["A"].as_str(), set["B"].as_str()), ("1=2", ""));
        let wrong = parse(&["hushhush"]).unwrap_err();
        assert!(!wrong.to_string().contains("hush"));
        assert_eq!(parse(&["A=1", "A=2"]).unwrap_err().code, "config.twice");
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("v");
        std::fs::write(&file, "a\nb").unwrap();
        assert_eq!(parse(&[&format!("A=@{}", file.display())]).unwrap()["A"], "a\nb");
    }
}
