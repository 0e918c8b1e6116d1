//! `dae state`.

use std::path::{Path, PathBuf};
use std::time::Instant;

use jiff::tz::TimeZone;
use serde::Serialize;

use super::services::Services;
use super::{Context, Outcome, foreground};
use crate::app::{App, DevSettings};
use crate::problem::{Problem, Result};
use crate::services::state::{self, Order, State, States};
use crate::term::{Done, Paint, Text, confirm};

/// Save, restore and throw away the data of all services together, permanent files included
///
/// While `dae serve` runs, its services stand still for the moment it takes: requests wait, and the app starts anew with the
/// other data. memcache is empty afterwards.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Save everything under a name
    Save {
        name: String,
        /// Replace one of that name
        #[arg(long)]
        again: bool,
    },
    /// Bring a saved state back; what is there now is gone
    Restore {
        name: String,
        /// Do not ask
        #[arg(short, long)]
        yes: bool,
    },
    /// List what is saved
    List,
    /// Delete a saved state
    Rm { name: String },
    /// Throw everything away and begin anew
    Reset {
        /// Do not ask
        #[arg(short, long)]
        yes: bool,
    },
}

#[derive(Debug, Serialize)]
struct Listed {
    states: Vec<State>,
}

impl Text for Listed {
    fn text(&self, paint: Paint) -> String {
        if self.states.is_empty() {
            return "no state is saved".into();
        }
        let width = self.states.iter().map(|state| state.name.chars().count()).max().unwrap_or(0);
        let line = |state: &State| {
            let saved = state.saved.to_zoned(TimeZone::system()).strftime("%F %T");
            let gap = " ".repeat(width - state.name.chars().count());
            format!("{}{gap}  {saved}  {}", paint.key(&state.name), indicatif::HumanBytes(state.bytes))
        };
        self.states.iter().map(line).collect::<Vec<_>>().join("\n")
    }
}

pub fn run(args: Args, context: &Context) -> Outcome {
    let app = context.app()?;
    let order = match args.verb {
        Verb::List => return Ok(Box::new(Listed { states: states(&app)?.list()? })),
        Verb::Rm { name } => {
            states(&app)?.remove(&name)?;
            context.say("removed", format!("`{name}`"));
            return Ok(Box::new(Done::default()));
        }
        Verb::Save { name, again } => Order::Save { name, again },
        Verb::Restore { name, yes } => {
            agreed(context, yes, &format!("Replace the data of all services by `{name}`?"))?;
            Order::Restore { name }
        }
        Verb::Reset { yes } => {
            agreed(context, yes, "Throw away the data of all services?")?;
            Order::Reset
        }
    };
    if let Some(exit) = foreground::guard()? {
        return Ok(Box::new(Done { exit }));
    }
    let began = Instant::now();
    let services = Services::idle(&app)?;
    let given = match services.state_socket() {
        Some(socket) => state::ask(Path::new(socket), &order),
        None => states(&app)?.run(&order),
    };
    services.end(context);
    given?;
    context.say("state", format!("{}, in {} ms", order.told(), began.elapsed().as_millis()));
    Ok(Box::new(Done::default()))
}

/// Where the app's data is.
fn states(app: &App) -> Result<States> {
    let (data, branchs) = super::services::data(app)?;
    let (settings, _) = DevSettings::read(&app.root, "dev.yaml")?;
    let permdir = settings.permdir.or(branchs).unwrap_or_else(|| PathBuf::from("permdir"));
    Ok(States::of(&data, Some(app.root.join(permdir))))
}

fn agreed(context: &Context, yes: bool, question: &str) -> Result<()> {
    if yes || context.yes || context.terminal.interactive && confirm(&context.terminal, question, false)? {
        return Ok(());
    }
    Err(Problem::new("state.not-agreed", "what is there now would be gone")
        .hint("add `--yes`, or save it first: `dae state save NAME`")
        .exit(2))
}
