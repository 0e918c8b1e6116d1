//! `dae completions`.

use serde::Serialize;

use super::{Context, Outcome};
use crate::term::{Paint, Text};

/// Print the completion script of a shell
///
/// bash: `dae completions bash > ~/.local/share/bash-completion/completions/dae`
#[derive(Debug, clap::Args)]
pub struct Args {
    pub shell: clap_complete::Shell,
}

#[derive(Debug, Serialize)]
struct Script {
    shell: String,
    script: String,
}

impl Text for Script {
    fn text(&self, _: Paint) -> String {
        self.script.clone()
    }
}

pub fn run(args: Args, _: &Context) -> Outcome {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut crate::cli::definition(), "dae", &mut script);
    let script = String::from_utf8_lossy(&script).into_owned();
    Ok(Box::new(Script { shell: args.shell.to_string(), script }))
}
