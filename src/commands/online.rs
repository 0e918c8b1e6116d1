//! What the commands that speak to a remote share: which remote, whose token, and the one place where they begin tokio.

use std::future::Future;

use super::Context;
use super::cluster::Target;
use crate::app::{self, App, AppName};
use crate::problem::{Doing as _, Problem, Result};
use crate::remote::config::parse_url;
use crate::remote::{Client, Credentials, Remotes, Token};

/// Which remote a command speaks to.
#[derive(Debug, clap::Args)]
pub struct Which {
    /// The remote, by its name [default: the one chosen with `dae remote use`]
    #[arg(long, value_name = "NAME")]
    pub remote: Option<String>,
}

/// Which app, where a command needs no more of it than its name.
#[derive(Debug, clap::Args)]
pub struct WhichApp {
    /// The app, by its name [default: the one in this folder]
    #[arg(long, value_name = "NAME", value_parser = AppName::parse)]
    pub app: Option<AppName>,
}

/// A remote's app in the place of the one in this folder.
#[derive(Debug, clap::Args)]
pub struct There {
    /// Of the app as it runs on this remote
    #[arg(long, global = true, value_name = "NAME")]
    pub remote: Option<String>,
    /// Which app, on the remote [default: the one in this folder]
    #[arg(long, global = true, value_name = "NAME", value_parser = AppName::parse)]
    pub app: Option<AppName>,
}

impl There {
    /// None: the one in this folder is meant.
    pub fn client(self, context: &Context) -> Result<Option<(Client, AppName)>> {
        let Self { remote: Some(remote), app } = self else { return Ok(None) };
        let app = WhichApp { app }.name(context)?;
        let (client, _) = Which { remote: Some(remote) }.client(context, Some(&app))?;
        Ok(Some((client, app)))
    }
}

impl Which {
    /// The remote that is meant, and the user's remotes for remembering things in.
    pub fn client(&self, context: &Context, app: Option<&AppName>) -> Result<(Client, Remotes)> {
        let remotes = Remotes::read(&context.dirs.config)?;
        let (name, remote) = remotes.pick(self.remote.as_deref().or(context.remote.as_deref()), app)?;
        if remote.kubernetes.is_some() {
            return Err(Problem::new(
                "remote.is-cluster",
                format!("remote `{name}` is a cluster, and this is for nodes"),
            )
            .hint("what it does there, `kubectl` does on a cluster")
            .exit(3));
        }
        let client = client(context, name, &remote.url)?;
        Ok((client, remotes))
    }

    /// The remote that is meant, where it is a cluster.
    pub fn cluster(&self, context: &Context, app: Option<&AppName>) -> Result<Option<Target>> {
        let remotes = Remotes::read(&context.dirs.config)?;
        let (name, remote) = remotes.pick(self.remote.as_deref().or(context.remote.as_deref()), app)?;
        let Some(cluster) = remote.kubernetes.clone() else { return Ok(None) };
        Ok(Some(Target { name: name.to_owned(), cluster: *cluster, remotes }))
    }
}

impl WhichApp {
    pub fn name(&self, context: &Context) -> Result<AppName> {
        match &self.app {
            Some(name) => Ok(name.clone()),
            None => Ok(App::read(&app::find(&context.cwd)?)?.0.name),
        }
    }
}

/// A client of the remote; `DAE_TOKEN` counts for more than what is kept.
pub fn client(context: &Context, name: &str, url: &str) -> Result<Client> {
    let token = match &context.token {
        Some(token) => Some(Token::parse(token)?),
        None => Credentials::read(&context.dirs.config)?.get(name).cloned(),
    };
    Client::new(name, parse_url(url)?, token)
}

/// Runs what waits for a network.
pub fn block_on<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.doing(|| "get ready to wait for the network")?.block_on(work)
}
