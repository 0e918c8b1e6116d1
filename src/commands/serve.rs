//! `dae serve`.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot};

use super::{Context, Outcome, foreground, services};
use crate::app::{self, App, DevSettings, Elsewhere};
use crate::dev_server::{DevServer, Event, Feed, Server, Session, port};
use crate::node::Cron;
use crate::problem::{Doing as _, Problem, Result};
use crate::services::{Shared, Tell};
use crate::term::{Done, END_OF_INPUT, Keys, Line, Tone};

/// Run the app here, with live reload
///
/// Every save of the app's code is live with the next request; requests wait meanwhile and none is lost. A broken save shows
/// its traceback as a page and here, and the next good one recovers. The virtualenv is made or brought in line by itself.
///
/// Where the app is served already, this joins in: it shows what happens there, and Ctrl-C only leaves.
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

/// Who only looks whether the app is served holds its lock for a moment.
const LOOKS_WITHIN: Duration = Duration::from_millis(500);
const KEYS: &str = "[o]pen  [e]rrors  [r]estart  [?]  [q]uit";
/// How long a server in the background may take until its port is open.
const OPEN_WITHIN: Duration = Duration::from_secs(20);

pub fn run(args: Args, context: &Context) -> Outcome {
    let from = args.directory.as_ref().map_or_else(|| context.cwd.clone(), |directory| context.cwd.join(directory));
    let root = app::find(&from)?;
    if let Some(server) = Session::server(&root)? {
        return join(context, &server, args.detach);
    }
    if args.detach {
        return detach(context, &root);
    }
    if let Some(exit) = foreground::guard()? {
        return Ok(Box::new(Done { exit }));
    }
    let app = context.app_in(&root)?;
    let (settings, warnings) = DevSettings::read(&app.root, "dev.yaml")?;
    for warning in &warnings {
        context.warn(warning);
    }
    for Elsewhere { service, address } in settings.elsewhere() {
        context.terminal.tell(&Event::Elsewhere { service, address: address.to_string() });
    }
    serve(&args, app, context)
}

fn serve(args: &Args, app: App, context: &Context) -> Outcome {
    let mut session = Session::take_within(&app.root, LOOKS_WITHIN)?;
    keep_schema(&app.root);
    context.dirs.make_run()?;
    let listener = port::bind(SocketAddr::new(args.host, args.port))?;
    let runtime = foreground::runtime()?;
    let services_run = services::run_dir(context)?;
    let (tell, told) = mpsc::unbounded_channel();
    let tell = Tell::new(move |event| drop(tell.send(event)));
    let fresh = if args.fresh { Some(fresh_folder(&app.root)?) } else { None };
    let run = services_run.path();
    let space = || match &fresh {
        Some(folder) => services::fresh_space(context, &app, folder.path(), run, tell),
        None => services::space(context, &app, run, tell),
    };
    let shared = runtime.block_on(Shared::join(fresh.as_ref().map_or(&*app.root, |folder| folder.path()), space))?;
    let (type_in, typed) = mpsc::unbounded_channel();
    let server = DevServer {
        root: app.root.clone(),
        listener,
        run_dir: context.dirs.run.clone(),
        cold: args.cold,
        cron: if args.no_cron { Cron::ByHand } else { Cron::BySchedule },
        feed: Arc::new(Feed::default()),
        cache_dir: context.dirs.cache.clone(),
        inherited: context.environment.clone(),
        services: shared.provided.clone(),
        told,
        typed,
    };
    let outcome = runtime.block_on(run_with_keys(server, app, args.open, &mut session, type_in, context));
    runtime.block_on(shared.end());
    outcome?;
    foreground::end_descendants();
    context.terminal.line(&Line::new(Tone::Good, "stopped", "everything it started has ended"));
    Ok(Box::new(Done::default()))
}

async fn run_with_keys(
    server: DevServer,
    app: App,
    open_it: bool,
    session: &mut Session,
    type_in: mpsc::UnboundedSender<(String, String)>,
    context: &Context,
) -> Result<()> {
    let (events, mut heard) = mpsc::unbounded_channel();
    let (press, mut pressed) = mpsc::unbounded_channel();
    let (quit, quitting) = oneshot::channel::<()>();
    let mut quit = Some(quit);
    let signal = foreground::stop()?;
    let stop = async {
        tokio::select! { () = signal => {} Ok(()) = quitting => {} }
    };
    let feed = server.feed.clone();
    let mut running = tokio::spawn(server.run(app, events, stop));
    let mut serving: Option<Server> = None;
    let mut last_problem: Option<Event> = None;
    let mut debugger: Option<Debugger> = None;
    let keys = Keys::listen(&context.terminal, move |key| {
        // After the end nobody hears keys.
        let _ = press.send(key);
    });
    loop {
        // The server's end counts, not the last sender's: a process that left the family may hold its output open for ever.
        let event = tokio::select! {
            biased;
            Some(event) = heard.recv() => event,
            Some(key) = pressed.recv() => {
                if let Some(waiting) = debugger.as_mut().filter(|debugger| !debugger.sent) {
                    if let Some(line) = waiting.press(key) {
                        // The server may be going down.
                        let _ = type_in.send((waiting.process.clone(), line));
                        keys.as_ref().inspect(|keys| keys.singles());
                    }
                    continue;
                }
                match (key, &serving, &last_problem) {
                    ('q', ..) => drop(quit.take().map(|quit| quit.send(()))),
                    ('o', Some(server), _) => open(context, &server.url),
                    ('r', Some(server), _) => drop(server.restart().await),
                    ('e', _, Some(problem)) => context.terminal.tell(problem),
                    ('e', ..) => context.say("errors", "none so far"),
                    ('?', ..) => context.terminal.line(&Line::new(Tone::Quiet, "keys", KEYS)),
                    _ => {}
                }
                continue;
            }
            result = &mut running => break result.unwrap_or_else(|e| std::panic::resume_unwind(e.into_panic())),
        };
        match &event {
            Event::Ready { status, address } => {
                let server = Server { pid: status.pid, url: status.url.clone(), address: *address };
                session.tell(&server)?;
                greet(context, &server.url, keys.is_some());
                if open_it {
                    open(context, &server.url);
                }
                serving = Some(server);
            }
            Event::Started { .. } | Event::Reloaded { .. } | Event::Broken { .. } => {
                // Whoever waited there has gone.
                if debugger.take().is_some() {
                    keys.as_ref().inspect(|keys| keys.singles());
                }
                if matches!(event, Event::Broken { .. }) {
                    last_problem = Some(event.clone());
                }
            }
            Event::Prompt { process, prompt } => {
                feed.publish(&event);
                if let Some(keys) = &keys {
                    if debugger.as_ref().is_none_or(|debugger| debugger.process != *process) {
                        context.terminal.tell(&event);
                    }
                    debugger = Some(Debugger::new(process, prompt));
                    context.terminal.prompt(prompt);
                    keys.lines();
                } else {
                    context.terminal.tell(&event);
                }
                continue;
            }
            Event::Output { process, line } if debugger.as_ref().is_some_and(|d| d.echoes(process, line)) => continue,
            _ => {}
        }
        feed.publish(&event);
        context.terminal.tell(&event);
    }
}

/// A debugger that waits for a line, and what was typed to it.
struct Debugger {
    process: String,
    prompt: String,
    line: Vec<u8>,
    sent: bool,
}

impl Debugger {
    fn new(process: &str, prompt: &str) -> Self {
        Self { process: process.to_owned(), prompt: prompt.to_owned(), line: Vec::new(), sent: false }
    }

    /// The line, when `key` ends it.
    fn press(&mut self, key: char) -> Option<String> {
        match key {
            '\n' | END_OF_INPUT => {
                self.sent = true;
                // As if it had been typed: the end of the input ends a debugger.
                Some(if key == '\n' { self.text() } else { "q".to_owned() })
            }
            // Keys come byte by byte.
            key => {
                self.line.extend(u8::try_from(key));
                None
            }
        }
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.line).into_owned()
    }

    /// Whether a line of output only repeats what was typed.
    fn echoes(&self, process: &str, line: &str) -> bool {
        self.sent && self.process == process && line.trim_end() == format!("{}{}", self.prompt, self.text()).trim_end()
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

/// Shows what happens at the server that runs already.
fn join(context: &Context, server: &Server, detach: bool) -> Outcome {
    let (url, pid) = (&server.url, server.pid);
    context.say("serving", format!("`{url}` already, process {pid}"));
    if detach {
        return Ok(Box::new(Done::default()));
    }
    context.terminal.line(&Line::new(Tone::Quiet, "leave", "Ctrl-C; `dae stop` ends the server"));
    foreground::runtime()?.block_on(async {
        let stop = foreground::stop()?;
        tokio::select! {
            followed = server.follow(|item| context.terminal.tell(&item)) => {
                followed?;
                context.terminal.line(&Line::new(Tone::Plain, "ended", format!("process {pid} serves no more")));
            }
            () = stop => {
                context.terminal.line(&Line::new(Tone::Good, "left", format!("process {pid} goes on serving `{url}`")));
            }
        }
        Ok::<_, Problem>(())
    })?;
    Ok(Box::new(Done::default()))
}

/// Starts this very command once more without `--detach`, and waits until its port is open.
fn detach(context: &Context, root: &Path) -> Outcome {
    use std::os::unix::process::CommandExt as _;
    let folder = root.join(".dae/logs");
    std::fs::create_dir_all(&folder).doing(|| format!("make the folder `{}`", folder.display()))?;
    let path = folder.join("serve.log");
    let log = std::fs::File::create(&path).doing(|| format!("write `{}`", path.display()))?;
    let mut child = Command::new(std::env::current_exe().doing(|| "find dae itself")?)
        .args(std::env::args_os().skip(1).filter(|arg| arg != "--detach"))
        .stdin(Stdio::null())
        .stdout(log.try_clone().doing(|| format!("write `{}`", path.display()))?)
        .stderr(log)
        // Not in this terminal's group any more: its Ctrl-C is not meant for it.
        .process_group(0)
        .spawn()
        .doing(|| "start the server")?;
    let since = Instant::now();
    loop {
        if let Some(server) = Session::server(root)? {
            context.say("serving", format!("`{}` in the background, process {}", server.url, server.pid));
            let hint = format!("`dae stop`; what it says is in `{}`", path.display());
            context.terminal.line(&Line::new(Tone::Quiet, "end it", hint));
            return Ok(Box::new(Done::default()));
        }
        let ended = child.try_wait().doing(|| "look at the server")?.is_some();
        if ended || since.elapsed() > OPEN_WITHIN {
            // Told by its own words; a log that cannot be read says nothing.
            let said = std::fs::read_to_string(&path).unwrap_or_default();
            return Err(Problem::new("serve.detached", "the server in the background did not start").detail(said));
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn greet(context: &Context, url: &str, keys: bool) {
    context.say("serving", format!("`{url}`"));
    let (word, text) = if keys { ("keys", KEYS) } else { ("stop", "Ctrl-C") };
    context.terminal.line(&Line::new(Tone::Quiet, word, text));
}

/// Opens a page with the program the system has for it.
fn open(context: &Context, url: &str) {
    let program = if cfg!(target_os = "macos") { "open" } else { "xdg-open" };
    if let Err(error) = Command::new(program).arg(url).spawn() {
        context.terminal.line(&Line::warning(format!("could not open a browser with `{program}`: {error}")));
    }
}
