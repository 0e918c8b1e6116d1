//! `dae run`.

use std::io::IsTerminal as _;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::Path;
use std::process::{Command, ExitStatus};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::signal::unix::{SignalKind, signal};

pub mod console;
mod remote;

pub use remote::Where;

use super::services::Services;
use super::{Context, Outcome, foreground};
use crate::app::{App, DevSettings};
use crate::dev_server::local::Local;
use crate::dev_server::{Session, interfaces};
use crate::problem::{Doing as _, Problem, Result};
use crate::python;
use crate::term::Done;

/// Run a command as the app's own processes run: in the virtualenv, with the platform's environment and services
///
/// The exit code is the command's own. Write `--` before it: `dae run -- python manage.py migrate`.
///
/// With --remote it runs there, beside the live release and with its code, packages and environment, whether or not anybody goes on
/// listening; with -it for as long as somebody sits at it, and Ctrl-C goes there.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The command and its arguments
    #[arg(last = true, required_unless_present = "attach", value_name = "CMD")]
    pub command: Vec<String>,
    #[command(flatten)]
    pub there: remote::There,
}

pub fn run(args: Args, context: &Context) -> Outcome {
    if args.there.interactive {
        return console::run(&args.there.place, args.command, context);
    }
    if args.there.place.is_meant() {
        return remote::run(args.there, args.command, context);
    }
    let app = context.app()?;
    with_services(context, &app, &args.command)
}

/// Runs `command` beside the services of the app: those of the `dae serve` that runs, or its own.
pub fn with_services(context: &Context, app: &App, command: &[String]) -> Outcome {
    if Session::server(&app.root)?.is_some() {
        let services = Services::open(context, app)?;
        let command = Prepared::new(context, app, "dev.yaml", command, &services)?;
        services.end(context);
        return Err(command.become_it());
    }
    if let Some(exit) = foreground::guard()? {
        return Ok(Box::new(Done { exit }));
    }
    let services = Services::open(context, app)?;
    let command = Prepared::new(context, app, "dev.yaml", command, &services)?;
    let exit = services.block_on(command.run())?;
    services.end(context);
    foreground::end_descendants();
    Ok(Box::new(Done { exit }))
}

/// A command and all it runs with.
#[derive(Debug)]
pub struct Prepared {
    program: String,
    command: Command,
}

impl Prepared {
    /// `settings` names the file that says which services are elsewhere.
    pub fn new(context: &Context, app: &App, settings: &str, command: &[String], services: &Services) -> Result<Self> {
        let Some((program, args)) = command.split_first() else {
            return Err(Problem::new("run.nothing", "there is no command to run")
                .try_running("dae run -- CMD")
                .exit(2));
        };
        let (settings, _) = DevSettings::read(&app.root, settings)?;
        // What its own code imports, as the files say now.
        interfaces::bring_in_line(app)?;
        let terminal = context.terminal.clone();
        let python = python::prepare(app, &context.dirs.cache, &|event| terminal.tell(&event))?;
        terminal.still();
        let inherited = &context.environment;
        let local = Local { app, python: &python, settings: &settings, services: services.provided(), inherited };
        let env = local.environment();
        let program = found(program, &env);
        let mut command = Command::new(&program);
        command.args(args).current_dir(&context.cwd).env_clear().envs(env);
        Ok(Self { program, command })
    }

    /// Sets a variable of its environment.
    #[must_use]
    pub fn set(mut self, name: &str, value: &Path) -> Self {
        self.command.env(name, value);
        self
    }

    /// Turns this process into the command, so that signals, the terminal and the exit code are its own.
    fn become_it(mut self) -> Problem {
        let error = self.command.exec();
        self.not_started(&error)
    }

    /// Runs it to its end; the answer is its exit code. The terminal is the command's, and so is Ctrl-C.
    pub async fn run(mut self) -> Result<u8> {
        let listen = |kind| signal(kind).doing(|| "listen for signals");
        let mut interrupt = listen(SignalKind::interrupt())?;
        let mut quit = listen(SignalKind::quit())?;
        let mut terminate = listen(SignalKind::terminate())?;
        let mut hangup = listen(SignalKind::hangup())?;
        let child = self.command.spawn();
        let mut child = child.map_err(|error| self.not_started(&error))?;
        let pid = i32::try_from(child.id()).ok().filter(|pid| *pid > 0).map(Pid::from_raw);
        // It may have ended this instant.
        let pass_on = |signal| pid.map(|pid| kill(pid, signal));
        let mut waiting = tokio::task::spawn_blocking(move || child.wait());
        // Whoever types Ctrl-C is heard by the command too.
        let typed = std::io::stdin().is_terminal();
        loop {
            tokio::select! {
                status = &mut waiting => {
                    let status = status.map_err(std::io::Error::other).and_then(|status| status);
                    return status.map(code).doing(|| format!("wait for `{}`", self.program));
                }
                Some(()) = interrupt.recv() => drop((!typed).then(|| pass_on(Signal::SIGINT))),
                Some(()) = quit.recv() => drop((!typed).then(|| pass_on(Signal::SIGQUIT))),
                Some(()) = terminate.recv() => drop(pass_on(Signal::SIGTERM)),
                Some(()) = hangup.recv() => drop(pass_on(Signal::SIGHUP)),
            }
        }
    }

    fn not_started(&self, error: &std::io::Error) -> Problem {
        let program = &self.program;
        if error.kind() == std::io::ErrorKind::NotFound {
            return Problem::new("run.not-found", format!("there is no program `{program}`"))
                .hint("it is looked for in the virtualenv first, then on your PATH");
        }
        Problem::new("run.start", format!("could not run `{program}`")).because(error)
    }
}

/// As a shell tells it.
fn code(status: ExitStatus) -> u8 {
    let code = status.code().or(status.signal().map(|signal| 128 + signal)).unwrap_or(1);
    u8::try_from(code).unwrap_or(1)
}

/// The virtualenv's program of that name before all others: `exec` looks along the PATH dae itself has.
fn found(program: &str, env: &[(String, String)]) -> String {
    let path = env.iter().find(|(name, _)| name == "PATH").map_or("", |(_, value)| value);
    let own = path.split(':').next().map(|bin| Path::new(bin).join(program)).filter(|_| !program.contains('/'));
    own.filter(|own| own.is_file()).map_or_else(|| program.to_owned(), |own| own.to_string_lossy().into_owned())
}
