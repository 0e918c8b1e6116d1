//! `dae venv`.

use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::process::{Command, Stdio};

use serde::Serialize;

use super::changes::with_project;
use super::{Context, Outcome};
use crate::problem::Problem;
use crate::term::{Format, Paint, Text};

/// Run a command inside the app's virtualenv, made ready first; its exit code is the answer
#[derive(Debug, clap::Args)]
pub struct Args {
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true, value_name = "CMD")]
    pub command: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Ended {
    exit: u8,
}

impl Text for Ended {
    fn text(&self, _: Paint) -> String {
        String::new()
    }

    fn exit(&self) -> u8 {
        self.exit
    }
}

#[expect(clippy::redundant_closure_for_method_calls, reason = "the method alone is for one lifetime only")]
pub fn run(args: Args, context: &Context) -> Outcome {
    let environment = with_project(context, |project| project.prepare())?;
    let bin = environment.python.parent().map(std::path::Path::to_owned).unwrap_or_default();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path = std::env::join_paths(std::iter::once(bin.clone()).chain(std::env::split_paths(&path)));
    let path = path.map_err(|error| Problem::new("env.path", "PATH cannot be added to").because(error))?;
    let (program, rest) = args.command.split_first().ok_or_else(|| Problem::new("venv.command", "no command"))?;
    // Looked for by the new PATH, which the system would not do by itself.
    let found = std::env::split_paths(&path).map(|folder| folder.join(program)).find(|file| file.is_file());
    let found = found.filter(|_| !program.contains('/')).unwrap_or_else(|| program.into());
    let mut command = Command::new(&found);
    command.args(rest).current_dir(&context.cwd).env("PATH", &path).env_remove("PYTHONHOME");
    command.env("VIRTUAL_ENV", bin.parent().unwrap_or(&bin));
    let failed = |error: std::io::Error| {
        Problem::new("venv.command", format!("could not run `{program}`"))
            .because(error)
            .hint(format!("see what the virtualenv has: `ls {}`", bin.display()))
            .exit(127)
    };
    if context.terminal.format == Format::Human {
        context.terminal.still();
        // It takes this process's place: signals, the terminal and the exit code are its own.
        return Err(failed(command.exec()));
    }
    let status = command.stdout(Stdio::from(std::io::stderr())).status().map_err(failed)?;
    let exit = status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or_default());
    Ok(Box::new(Ended { exit: u8::try_from(exit).unwrap_or(1) }))
}
