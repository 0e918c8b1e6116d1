//! `dae node`.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use super::{Context, Outcome};
use crate::app::AppName;
use crate::problem::Result;
use crate::remote::server::auth::{Grant, Verb};
use crate::remote::server::{self, Config, Listen};
use crate::term::{Paint, Text};

mod host;
mod render;
mod serve;
mod services;
mod upgrade;

/// Be a remote: run apps that are deployed to this machine
///
/// Needs no root, no Docker and no database: everything is in one folder.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    Init(Init),
    Serve(Serve),
    Token(Token),
    Render(render::Args),
    Upgrade(upgrade::Args),
    #[command(hide = true)]
    Host,
    #[command(hide = true)]
    Services(services::Args),
}

/// Make a node's folder and its first token
#[derive(Debug, clap::Args)]
struct Init {
    /// The node's folder
    #[arg(long, value_name = "DIR")]
    dir: PathBuf,
    /// Apps answer at NAME.DOMAIN
    #[arg(long, value_name = "DOMAIN")]
    domain: String,
    /// Where to listen: `127.0.0.1:8000`, or `:8000` for every address
    #[arg(long, value_name = "ADDR")]
    listen: Listen,
}

/// Run the node: receive deploys, run the apps
#[derive(Debug, clap::Args)]
struct Serve {
    /// The node's folder
    #[arg(long, value_name = "DIR")]
    dir: PathBuf,
    /// Listen here this time, whatever node.yaml says
    #[arg(long, value_name = "ADDR")]
    listen: Option<Listen>,
    /// Delete what no release needs any more after this long: `90s`, `20m`, `1h`; longer than an upload takes
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = time)]
    keep_unused: Duration,
}

/// `90s`, `20m`, `1h`.
pub fn time(text: &str) -> std::result::Result<Duration, String> {
    let read = || {
        let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
        let seconds = match unit {
            "s" => 1,
            "m" => 60,
            "h" => 3600,
            _ => return None,
        };
        Some(Duration::from_secs(number.parse::<u32>().ok().map(u64::from)? * seconds))
    };
    read().ok_or_else(|| "write it like `90s`, `20m` or `1h`".to_owned())
}

/// Make another token; the node may be running
#[derive(Debug, clap::Args)]
struct Token {
    /// The node's folder
    #[arg(long, value_name = "DIR")]
    dir: PathBuf,
    /// For one app only
    #[arg(long, value_parser = AppName::parse)]
    app: Option<AppName>,
    /// What it allows: read, deploy, admin, or `*` for everything; each allows what stands before it
    #[arg(long, value_name = "VERB,...", value_delimiter = ',', default_value = "deploy")]
    can: Vec<Verb>,
}

pub fn run(args: Args, context: &Context) -> Outcome {
    match args.command {
        Command::Init(init) => Ok(Box::new(init.run(context)?)),
        Command::Serve(serve) => serve::run(&context.cwd.join(serve.dir), serve.listen, serve.keep_unused, context),
        Command::Token(token) => Ok(Box::new(token.run(context)?)),
        Command::Render(args) => render::run(args, context),
        Command::Upgrade(args) => upgrade::run(args, context),
        Command::Host => host::run(),
        Command::Services(args) => services::run(args, context),
    }
}

#[derive(Debug, Serialize)]
struct Made {
    dir: PathBuf,
    domain: String,
    listen: Listen,
    token: String,
}

impl Init {
    fn run(self, context: &Context) -> Result<Made> {
        let config = Config::new(&self.domain, self.listen)?;
        let token = server::init(&context.cwd.join(&self.dir), &config)?;
        context.say("Made", format!("a node in `{}`", self.dir.display()));
        Ok(Made { dir: self.dir, domain: config.domain, listen: config.listen, token })
    }
}

impl Text for Made {
    fn text(&self, paint: Paint) -> String {
        let Self { dir, domain, listen, token } = self;
        let port = match listen.0.port() {
            80 => String::new(),
            port => format!(":{port}"),
        };
        format!(
            "{token}\n\n\
             This is the admin token. It is shown this once; for another one: {}\n\n  \
             {}\n  {}",
            paint.marked(&format!("`dae node token --dir {} --can admin`", dir.display())),
            paint.key(&format!("dae node serve --dir {}", dir.display())),
            paint.key(&format!("dae remote add NAME http://{domain}{port} --token {token}")),
        )
    }
}

#[derive(Debug, Serialize)]
struct Given {
    token: String,
    #[serde(flatten)]
    grant: Grant,
}

impl Token {
    fn run(self, context: &Context) -> Result<Given> {
        let grant = Grant { app: self.app, can: self.can };
        let token = server::token(&context.cwd.join(self.dir), &grant)?;
        let can = grant.can.iter().map(Verb::to_string).collect::<Vec<_>>().join(", ");
        let of = grant.app.as_ref().map_or_else(|| "every app".to_owned(), |app| format!("`{app}`"));
        context.say("Made", format!("a token for {of}: {can}; it is shown this once"));
        Ok(Given { token, grant })
    }
}

impl Text for Given {
    fn text(&self, _: Paint) -> String {
        self.token.clone()
    }
}

/// For [`serve`]: what the terminal gets from the node's tasks.
type Terminal = Arc<crate::term::Terminal>;
