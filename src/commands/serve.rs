//! `dae serve`.

mod already;
mod background;
mod debugger;
mod filter;
mod screen;

use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream, ToSocketAddrs as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;

use super::{Context, Outcome, foreground, services};
use crate::app::{self, Address, App, DevSettings, Elsewhere};
use crate::dev_server::{DevServer, Event, Feed, Named, Notice, Served, Session, Tagged, port};
use crate::node::{Cron, Verify};
use crate::problem::{Doing as _, Problem, Result};
use crate::services::state::SOCKET;
use crate::services::{Shared, Tell};
use crate::term::{self, Done, Line, Tone};

/// Run the app here, with live reload
///
/// Every save of the app's code is live with the next request; requests wait meanwhile and none is lost. A broken save shows
/// its traceback as a page and here, and the next good one recovers. The virtualenv is made or brought in line by itself.
///
/// Several apps share one port, each under its own name, and find each other's Thrift services by themselves.
///
/// Where the app is served already, this joins in: it shows what happens there, and Ctrl-C only leaves.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The app's folder; of several, the first is started first
    #[arg(value_name = "APP_DIR")]
    pub directories: Vec<PathBuf>,
    /// The port to answer on; without it 8080, or the next that is free
    #[arg(short, long, value_name = "N")]
    pub port: Option<u16>,
    /// The address to answer on; only this machine reaches the default one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1")]
    pub host: IpAddr,
    /// Start a new Python for every reload, instead of forking one that has imported the packages
    #[arg(long)]
    pub cold: bool,
    /// Look for changed files by the clock, where the system does not tell of them
    #[arg(long)]
    pub poll: bool,
    /// Start the app cold once more behind every warm reload, and tell what is not alike
    #[arg(long, conflicts_with = "cold")]
    pub verify_reload: bool,
    /// Go on in the background; `dae stop` ends it
    #[arg(long)]
    pub detach: bool,
    /// Run scheduled tasks only by hand: `dae cron run`
    #[arg(long)]
    pub no_cron: bool,
    /// Open the app in a browser
    #[arg(long)]
    pub open: bool,
    /// Begin with no data at all, and throw away what comes; the app's own data is left alone
    #[arg(long)]
    pub fresh: bool,
}

/// Where no port is asked for.
const PORT: u16 = 8080;
/// Who only looks whether the app is served holds its lock for a moment.
const LOOKS_WITHIN: Duration = Duration::from_millis(500);

pub fn run(args: Args, context: &Context) -> Outcome {
    let roots = roots(&args.directories, context)?;
    let (mut running, mut idle) = (Vec::new(), Vec::new());
    for root in roots {
        match Session::server(&root)? {
            Some(server) => running.push(server),
            None => idle.push(root),
        }
    }
    for server in &running {
        context.say("serving", format!("`{}` already, process {}", server.url, server.pid));
    }
    if idle.is_empty() {
        return if args.detach { Ok(Box::new(Done::default())) } else { already::join(context, &running) };
    }
    if args.detach {
        return background::start(context, &idle);
    }
    if let Some(exit) = foreground::guard()? {
        return Ok(Box::new(Done { exit }));
    }
    let apps = idle.iter().map(|root| context.app_in(root)).collect::<Result<Vec<_>>>()?;
    differ(&apps)?;
    for app in &apps {
        let (settings, warnings) = DevSettings::read(&app.root, "dev.yaml")?;
        for warning in &warnings {
            context.warn(warning);
        }
        for Elsewhere { service, address } in settings.named() {
            if !address.is_local() {
                tell(context, app, apps.len(), &Event::Elsewhere { service, address: address.to_string() });
            } else if !answers(&address) {
                let what = format!("nobody listens at `{address}`, where dev.yaml has {service}");
                let hint = format!("start it, or take `{service}` out of dev.yaml: then it is dae's own");
                context.warn(&Problem::new("dev.away", what).hint(hint));
            }
        }
    }
    serve(&args, apps, context)
}

/// Whether anybody listens at an address of this machine.
fn answers(address: &Address) -> bool {
    let mut found = (address.host.as_str(), address.port).to_socket_addrs().into_iter().flatten();
    found.any(|socket| TcpStream::connect_timeout(&socket, Duration::from_millis(300)).is_ok())
}

/// The folders of the apps meant, each once.
fn roots(directories: &[PathBuf], context: &Context) -> Result<Vec<PathBuf>> {
    if directories.is_empty() {
        return Ok(vec![app::find(&context.cwd)?]);
    }
    let mut roots: Vec<PathBuf> = Vec::new();
    for directory in directories {
        let root = app::find(&context.cwd.join(directory))?;
        if !roots.contains(&root) {
            roots.push(root);
        }
    }
    Ok(roots)
}

/// One port has one app of a name.
fn differ(apps: &[App]) -> Result<()> {
    for (at, app) in apps.iter().enumerate() {
        if let Some(other) = apps[..at].iter().find(|other| other.name == app.name) {
            let message = format!("two of these apps are called `{}`", app.name);
            return Err(Problem::new("serve.same-name", message)
                .because(format!("in `{}` and in `{}`", other.root.display(), app.root.display()))
                .hint("serve them apart, each with a `--port` of its own"));
        }
    }
    Ok(())
}

/// An app's event; among several it says whose it is.
fn tell(context: &Context, app: &App, of: usize, event: &dyn term::Event) {
    if of > 1 {
        context.terminal.tell(&Tagged::new(app.name.as_str(), event));
    } else {
        context.terminal.tell(event);
    }
}

fn serve(args: &Args, apps: Vec<App>, context: &Context) -> Outcome {
    let mut sessions = Vec::new();
    for app in &apps {
        sessions.push(Session::take_within(&app.root, LOOKS_WITHIN)?);
        keep_schema(&app.root);
    }
    context.dirs.make_run()?;
    let (listener, named) = listen(args, context)?;
    let runtime = foreground::runtime()?;
    let (mut served, mut seen, mut around) = (Vec::new(), Vec::new(), Vec::new());
    let mut outcome = Ok(());
    for (app, session) in apps.into_iter().zip(sessions) {
        let (hear, told) = mpsc::unbounded_channel();
        let (type_in, typed) = mpsc::unbounded_channel();
        let surroundings = Surroundings::begin(&runtime, args, &app, hear, context);
        let surroundings = match surroundings {
            Ok(surroundings) => surroundings,
            Err(problem) => {
                outcome = Err(problem);
                break;
            }
        };
        let feed = Arc::new(Feed::default());
        let state = surroundings.state();
        seen.push(screen::App { name: app.name.clone(), session, feed: feed.clone(), type_in, state, serving: None });
        served.push(Served { app, feed, services: surroundings.shared.provided.clone(), told, typed });
        around.push(surroundings);
    }
    if outcome.is_ok() {
        let all = DevServer {
            listener,
            named,
            run_dir: context.dirs.run.clone(),
            cold: args.cold,
            verify: if args.verify_reload { Verify::Reloads } else { Verify::Nothing },
            notice: if args.poll { Notice::ByClock } else { Notice::BySystem },
            cache_dir: context.dirs.cache.clone(),
            inherited: context.environment.clone(),
            cron: if args.no_cron { Cron::ByHand } else { Cron::BySchedule },
            apps: served,
        };
        outcome = runtime.block_on(screen::run(all, seen, args.open, context));
    }
    for Surroundings { shared, .. } in around {
        runtime.block_on(shared.end());
    }
    outcome?;
    foreground::end_descendants();
    context.terminal.line(&Line::new(Tone::Good, "stopped", "everything it started has ended"));
    Ok(Box::new(Done::default()))
}

fn listen(args: &Args, context: &Context) -> Result<(TcpListener, Named)> {
    let at = |port| SocketAddr::new(args.host, port);
    if let Some(port) = args.port {
        return Ok((port::bind(at(port))?, Named::ByApp));
    }
    let (listener, taken) = port::bind_or_next(at(PORT))?;
    let Some(taken) = taken else { return Ok((listener, Named::ByApp)) };
    context.terminal.line(&Line::new(Tone::Plain, "port", format!("{taken}; this one takes the next")));
    Ok((listener, Named::ByCopy))
}

/// What an app finds around it, and the folders that go with it.
struct Surroundings {
    shared: Shared,
    _run: tempfile::TempDir,
    _fresh: Option<tempfile::TempDir>,
}

impl Surroundings {
    fn begin(
        runtime: &tokio::runtime::Runtime,
        args: &Args,
        app: &App,
        hear: mpsc::UnboundedSender<crate::services::Event>,
        context: &Context,
    ) -> Result<Self> {
        let run = services::run_dir(context)?;
        let tell = Tell::new(move |event| drop(hear.send(event)));
        let fresh = if args.fresh { Some(fresh_folder(&app.root)?) } else { None };
        let space = || match &fresh {
            Some(folder) => services::fresh_space(context, app, folder.path(), run.path(), tell),
            None => services::space(context, app, run.path(), tell),
        };
        let root = fresh.as_ref().map_or(&*app.root, |folder| folder.path());
        let shared = runtime.block_on(Shared::join(root, space))?;
        Ok(Self { shared, _run: run, _fresh: fresh })
    }

    /// Where whoever hosts the services hears of their state.
    fn state(&self) -> Option<PathBuf> {
        let all = self.shared.provided.iter().flat_map(|provided| &provided.env);
        all.into_iter().find(|(name, _)| name == SOCKET).map(|(_, path)| PathBuf::from(path))
    }
}

/// Where a throw-away space is: on the app's own disk, where its base can share its blocks.
fn fresh_folder(root: &Path) -> Result<tempfile::TempDir> {
    let below = root.join(".dae");
    let made = tempfile::Builder::new().prefix("fresh-").tempdir_in(&below);
    made.doing(|| format!("make a folder in `{}`", below.display()))
}

/// Editors read it by the first line of app.yaml. Not worth ending for: without it they only complete nothing.
fn keep_schema(root: &Path) {
    let path = root.join(app::SCHEMA_FILE);
    if !std::fs::read(&path).is_ok_and(|there| there == app::SCHEMA.as_bytes()) {
        let _ = std::fs::write(&path, app::SCHEMA);
    }
}
