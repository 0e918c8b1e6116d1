//! `dae open`.

use serde::Serialize;

use super::online::{Which, WhichApp, block_on};
use super::{Context, Outcome, cluster};
use crate::app::AppName;
use crate::problem::{Doing as _, Problem, Result};
use crate::term::{Paint, Text};

/// Open the app, where it runs on a remote, in a browser
///
/// Without a screen it only prints the address.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    pub which: Which,
    #[command(flatten)]
    pub app: WhichApp,
    /// Only print the address
    #[arg(long)]
    pub print: bool,
}

#[derive(Serialize)]
struct Address {
    remote: String,
    url: String,
}

impl Text for Address {
    fn text(&self, _: Paint) -> String {
        self.url.clone()
    }
}

pub fn run(args: Args, context: &Context) -> Outcome {
    let app = args.app.name(context)?;
    let (remote, url) = match args.which.cluster(context, Some(&app))? {
        Some(target) => {
            let live = block_on(async { cluster::live(&target.connect().await?, &app).await })?;
            (target.name.clone(), live.map(|_| target.cluster.url(&app)))
        }
        None => at_node(&args.which, context, &app)?,
    };
    let url = url.ok_or_else(|| {
        Problem::new("release.none-live", format!("nothing of `{app}` is live on remote `{remote}`"))
            .try_running(format!("dae deploy --remote {remote}"))
    })?;
    let set = |name: &str| context.environment.iter().any(|(known, value)| known == name && !value.is_empty());
    let screen = cfg!(target_os = "macos") || set("DISPLAY") || set("WAYLAND_DISPLAY") || set("BROWSER");
    if !args.print && screen {
        let program = if cfg!(target_os = "macos") { "open" } else { "xdg-open" };
        let mut command = std::process::Command::new(program);
        command.arg(&url).stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
        command.spawn().doing(|| format!("open {url} with `{program}`"))?;
    }
    Ok(Box::new(Address { remote, url }))
}

/// The remote's name, and where the app answers if something of it is live.
fn at_node(which: &Which, context: &Context, app: &AppName) -> Result<(String, Option<String>)> {
    let (client, remotes) = which.client(context, Some(app))?;
    if block_on(client.live(app))?.is_none() {
        return Ok((client.name, None));
    }
    let url = match remotes.seen(&client.name, app) {
        Some(url) => url.to_owned(),
        // Somebody else deployed it: it answers where the remote does.
        None => client.url_of(&block_on(client.domains(app))?.own),
    };
    Ok((client.name, Some(url)))
}
