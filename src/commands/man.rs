//! `dae man`.

use std::io;

use serde::Serialize;

use super::{Context, Outcome};
use crate::problem::{Doing as _, Problem};
use crate::term::{Paint, Text};

/// Print a man page: dae's own, or that of one command
///
/// Read it with `dae man deploy | man -l -`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The command, as in `dae man remote add`
    pub command: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Page {
    name: String,
    roff: String,
}

impl Text for Page {
    fn text(&self, _: Paint) -> String {
        self.roff.clone()
    }
}

pub fn run(args: Args, _: &Context) -> Outcome {
    let wanted = std::iter::once("dae").chain(args.command.iter().map(String::as_str)).collect::<Vec<_>>().join("-");
    let mut pages = pages().doing(|| "write the man pages")?;
    match pages.iter().position(|(name, _)| *name == wanted) {
        Some(at) => {
            let (name, roff) = pages.swap_remove(at);
            Ok(Box::new(Page { name, roff }))
        }
        None => Err(Problem::new("man.unknown", format!("there is no command `{}`", args.command.join(" ")))
            .try_running("dae --help")
            .exit(2)),
    }
}

/// Every page: its name without the section, and its text.
pub fn pages() -> io::Result<Vec<(String, String)>> {
    let mut root = crate::cli::definition();
    root.build();
    let mut pages = Vec::new();
    collect(&root, "dae", &mut pages)?;
    Ok(pages)
}

fn collect(command: &clap::Command, name: &str, pages: &mut Vec<(String, String)>) -> io::Result<()> {
    let mut roff = Vec::new();
    clap_mangen::Man::new(command.clone()).title(name.to_uppercase()).render(&mut roff)?;
    pages.push((name.to_owned(), String::from_utf8_lossy(&roff).into_owned()));
    for sub in command.get_subcommands().filter(|sub| sub.get_name() != "help" && !sub.is_hide_set()) {
        collect(sub, &format!("{name}-{}", sub.get_name()), pages)?;
    }
    Ok(())
}
