//! `dae serve`.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use tokio::sync::mpsc;

use super::{Context, Outcome, foreground};
use crate::app;
use crate::dev_server::{DevServer, Event, Server, Session, port};
use crate::term::{Done, Line, Tone};

/// Run the app here, with live reload
///
/// Every save of the app's code is live with the next request; requests wait meanwhile and none is lost. A broken save shows
/// its traceback as a page and here, and the next good one recovers. The virtualenv is made or brought in line by itself.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The app's folder
    #[arg(value_name = "APP_DIR")]
    pub directory: Option<PathBuf>,
    /// The port to answer on
    #[arg(short, long, value_name = "N", default_value_t = 8080)]
    pub port: u16,
    /// The address to answer on; only this machine reaches the default one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1")]
    pub host: IpAddr,
    /// Start a new Python for every reload, instead of forking one that has imported the packages
    #[arg(long)]
    pub cold: bool,
    /// Open the app in a browser
    #[arg(long)]
    pub open: bool,
}

pub fn run(args: Args, context: &Context) -> Outcome {
    if let Some(exit) = foreground::guard()? {
        return Ok(Box::new(Done { exit }));
    }
    let from = args.directory.map_or_else(|| context.cwd.clone(), |directory| context.cwd.join(directory));
    let app = context.app_in(&app::find(&from)?)?;
    let mut session = Session::take(&app.root)?;
    context.dirs.make_run()?;
    let listener = port::bind(SocketAddr::new(args.host, args.port))?;
    let server = DevServer {
        root: app.root.clone(),
        listener,
        run_dir: context.dirs.run.clone(),
        cold: args.cold,
        cache_dir: context.dirs.cache.clone(),
        inherited: context.environment.clone(),
    };
    let runtime = foreground::runtime()?;
    runtime.block_on(async {
        let (events, mut heard) = mpsc::unbounded_channel();
        let stop = foreground::stop()?;
        let mut running = tokio::spawn(server.run(app, events, stop));
        loop {
            // Its end counts, not the last sender's: a process that left the family may hold its output open for ever.
            let event = tokio::select! {
                biased;
                Some(event) = heard.recv() => event,
                result = &mut running => break result.unwrap_or_else(|e| std::panic::resume_unwind(e.into_panic())),
            };
            if let Event::Ready { url, pid, .. } = &event {
                session.tell(&Server { pid: *pid, url: url.clone() })?;
                greet(context, url);
                if args.open {
                    open(context, url);
                }
            }
            context.terminal.tell(&event);
        }
    })?;
    foreground::end_descendants();
    context.terminal.line(&Line::new(Tone::Good, "stopped", "everything it started has ended"));
    Ok(Box::new(Done::default()))
}

fn greet(context: &Context, url: &str) {
    context.say("serving", format!("`{url}`"));
    context.terminal.line(&Line::new(Tone::Quiet, "stop", "Ctrl-C"));
}

/// Opens a page with the program the system has for it.
fn open(context: &Context, url: &str) {
    let program = if cfg!(target_os = "macos") { "open" } else { "xdg-open" };
    if let Err(error) = std::process::Command::new(program).arg(url).spawn() {
        context.terminal.line(&Line::warning(format!("could not open a browser with `{program}`: {error}")));
    }
}
