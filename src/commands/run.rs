//! `dae run`.

use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;

use super::{Context, Outcome};
use crate::app::{App, DevSettings};
use crate::dev_server::local::Local;
use crate::problem::{Doing as _, Problem};
use crate::python;

/// Run a command as the app's own processes run: in the virtualenv, with the platform's environment
///
/// The exit code is the command's own. Write `--` before it: `dae run -- python manage.py migrate`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The command and its arguments
    #[arg(last = true, required = true, value_name = "CMD")]
    pub command: Vec<String>,
}

pub fn run(args: Args, context: &Context) -> Outcome {
    let app = context.app()?;
    become_command(context, &app, "dev.yaml", &args.command)
}

/// Turns this process into `command`, so that signals, the terminal and the exit code are its own. `settings` names the file
/// that says where the services are.
pub fn become_command(context: &Context, app: &App, settings: &str, command: &[String]) -> Outcome {
    let Some((program, args)) = command.split_first() else {
        return Err(Problem::new("run.nothing", "there is no command to run").try_running("dae run -- CMD").exit(2));
    };
    let (settings, _) = DevSettings::read(&app.root, settings)?;
    let terminal = context.terminal.clone();
    let python = python::prepare(app, &context.dirs.cache, &|event| terminal.tell(&event))?;
    terminal.still();
    let env = Local { app, python: &python, settings: &settings, inherited: &context.environment }.environment();
    let program = found(program, &env);
    let error = Command::new(&program).args(args).current_dir(&context.cwd).env_clear().envs(env).exec();
    if error.kind() == std::io::ErrorKind::NotFound {
        return Err(Problem::new("run.not-found", format!("there is no program `{program}`"))
            .hint("it is looked for in the virtualenv first, then on your PATH"));
    }
    Err(error).doing(|| format!("run `{program}`"))
}

/// The virtualenv's program of that name before all others: `exec` looks along the PATH dae itself has.
fn found(program: &str, env: &[(String, String)]) -> String {
    let path = env.iter().find(|(name, _)| name == "PATH").map_or("", |(_, value)| value);
    let own = path.split(':').next().map(|bin| Path::new(bin).join(program)).filter(|_| !program.contains('/'));
    own.filter(|own| own.is_file()).map_or_else(|| program.to_owned(), |own| own.to_string_lossy().into_owned())
}
