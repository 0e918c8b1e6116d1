//! `dae errors`.

use std::fmt::Write as _;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::online::{There, block_on};
use super::{Context, Outcome, services};
use crate::app::{self, App, AppName};
use crate::problem::{Problem, Result};
use crate::remote::Client;
use crate::remote::api::Resolve;
use crate::services::errors::event::{Exception, exceptions};
use crate::services::errors::{Group, Refused, Resolved, Store, last_edit};
use crate::term::{Paint, Text};

/// What went wrong in the app: uncaught exceptions, and all that is reported in Sentry's way
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    pub command: Command,
    #[command(flatten)]
    pub there: There,
}

#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// List the errors that are not done with, the one seen last first
    List(ListArgs),
    /// Show one error: its traceback, how often it came and when
    Show(ShowArgs),
    /// Say that errors are done with; one that is seen again comes back
    Resolve(ResolveArgs),
}

#[derive(Debug, clap::Args)]
pub struct ListArgs {
    /// Those that are done with too
    #[arg(long)]
    pub all: bool,
    /// Only those seen since the app's code was last edited; on a remote, since the live release
    #[arg(long)]
    pub since_edit: bool,
}

#[derive(Debug, clap::Args)]
pub struct ShowArgs {
    /// Its number [default: that of the one seen last]
    pub number: Option<u64>,
}

#[derive(Debug, clap::Args)]
pub struct ResolveArgs {
    /// Their numbers
    #[arg(required_unless_present = "all")]
    pub numbers: Vec<u64>,
    /// All there are
    #[arg(long, conflicts_with = "numbers")]
    pub all: bool,
}

#[derive(Serialize, Deserialize)]
struct Listed {
    /// When a file of the app was last changed.
    edited: Option<Timestamp>,
    errors: Vec<Group>,
    /// Reports that could not be read.
    refused: Vec<Refused>,
    #[serde(skip)]
    since: Since,
}

/// Since when errors are counted apart.
#[derive(Debug, Clone, Copy, Default)]
enum Since {
    #[default]
    Edit,
    /// On a remote.
    Release,
}

impl Since {
    fn as_str(self) -> &'static str {
        match self {
            Self::Edit => "since your last edit",
            Self::Release => "since the live release",
        }
    }
}

#[derive(Serialize, Deserialize)]
struct Shown {
    #[serde(flatten)]
    error: Group,
    /// The latest report: the cause first, what was raised last.
    exceptions: Vec<Exception>,
    reports: Vec<Value>,
    #[serde(skip)]
    counted: Since,
}

#[derive(Serialize, Deserialize)]
struct Done {
    resolved: Vec<u64>,
}

impl Text for Listed {
    fn text(&self, paint: Paint) -> String {
        let mut text = String::new();
        if self.errors.is_empty() {
            text.push_str("no errors\n");
        }
        for error in &self.errors {
            let Group { id, kind, message, place, count, since, .. } = error;
            let message = if message.is_empty() { String::new() } else { format!(": {}", quiet(message)) };
            let _ = writeln!(text, "{id:>4}  {}{message}", paint.bad(&quiet(kind)));
            let place = if place.is_empty() { String::new() } else { format!("{}, ", quiet(place)) };
            let when = at(error.last);
            let times = if *count == 1 { format!("once, {when}") } else { format!("{count} times, last {when}") };
            let news = match since {
                _ if error.resolved.is_some() => ", done with".into(),
                0 => format!(", not {}", self.since.as_str()),
                since => format!(", {since} {}", self.since.as_str()),
            };
            let _ = writeln!(text, "      {}", paint.dim(&format!("{place}{times}{news}")));
        }
        if let Some(last) = self.refused.last() {
            let count = self.refused.len();
            let _ =
                writeln!(text, "{count} reports could not be read; the last, {}: {}", at(last.time), quiet(&last.why));
        }
        text.trim_end().to_owned()
    }
}

impl Text for Shown {
    fn text(&self, paint: Paint) -> String {
        let mut text = String::new();
        let Group { id, kind, message, count, first, last, since, .. } = &self.error;
        for exception in &self.exceptions {
            if !exception.frames.is_empty() {
                let _ = writeln!(text, "Traceback (most recent call last):");
            }
            for frame in &exception.frames {
                let place = format!("  {}:{} in {}", frame.file, frame.line, frame.function);
                let shown = format!("{}\n    {}", quiet(&place), quiet(&frame.code));
                let _ = writeln!(text, "{}", if frame.own { shown } else { paint.dim(&shown) });
            }
            let message = quiet(&exception.message);
            let _ = writeln!(text, "{}: {message}\n", paint.bad(&quiet(&exception.kind)));
        }
        if self.exceptions.is_empty() {
            let _ = writeln!(text, "{}: {}\n", paint.bad(&quiet(kind)), quiet(message));
        }
        let report = self.reports.first();
        for (name, path) in [
            ("request", &["request", "url"][..]),
            ("in", &["transaction"]),
            ("process", &["tags", "process"]),
            ("release", &["release"]),
            ("logger", &["logger"]),
        ] {
            let value = report.and_then(|report| path.iter().try_fold(report, |value, part| value.get(*part)));
            if let Some(value) = value.and_then(Value::as_str) {
                let _ = writeln!(text, "{} {}", paint.key(&format!("{name}:")), quiet(value));
            }
        }
        let _ =
            writeln!(text, "{} number {id}, {count} times from {} to {}", paint.key("seen:"), at(*first), at(*last));
        let _ = write!(text, "{} {since} times", paint.key(&format!("{}:", self.counted.as_str())));
        text
    }
}

impl Text for Done {
    fn text(&self, _: Paint) -> String {
        match self.resolved.len() {
            0 => "nothing was left to do".into(),
            1 => format!("{} is done with", self.resolved[0]),
            count => format!("{count} errors are done with"),
        }
    }
}

pub fn run(args: Args, context: &Context) -> Outcome {
    if let Some((client, app)) = args.there.client(context)? {
        return there(args.command, &client, &app);
    }
    let (app, _) = App::read(&app::find(&context.cwd)?)?;
    let (data, _) = services::data(&app)?;
    let (store, edited) = (Store::look(&data)?, last_edit(&app.root));
    match args.command {
        Command::List(args) => list(&args, store.as_ref(), edited),
        Command::Show(args) => show(&args, store.as_ref(), edited),
        Command::Resolve(args) => resolve(&args, store.as_ref()),
    }
}

/// On a remote.
fn there(command: Command, client: &Client, app: &AppName) -> Outcome {
    match command {
        Command::List(args) => {
            let mut listed: Listed = block_on(client.kept(app, &["errors"], &[]))?;
            listed.errors.retain(|error| is_listed(&args, error));
            Ok(Box::new(Listed { since: Since::Release, ..listed }))
        }
        Command::Show(args) => {
            let last = || -> Result<u64> {
                let listed: Listed = block_on(client.kept(app, &["errors"], &[]))?;
                listed.errors.first().map(|error| error.id).ok_or_else(|| unknown(None))
            };
            let number = args.number.map_or_else(last, Ok)?;
            let shown: Shown = block_on(client.kept(app, &["errors", &number.to_string()], &[]))?;
            Ok(Box::new(Shown { counted: Since::Release, ..shown }))
        }
        Command::Resolve(args) => {
            let wanted = Resolve { errors: args.numbers, all: args.all };
            let done: Done = block_on(client.order(app, &["errors", "resolve"], &wanted))?;
            Ok(Box::new(done))
        }
    }
}

fn is_listed(args: &ListArgs, error: &Group) -> bool {
    (args.all || error.resolved.is_none()) && (!args.since_edit || error.since > 0)
}

fn list(args: &ListArgs, store: Option<&Store>, edited: Option<Timestamp>) -> Outcome {
    let Some(store) = store else {
        return Ok(Box::new(Listed { edited, errors: Vec::new(), refused: Vec::new(), since: Since::Edit }));
    };
    let mut errors = store.list(edited)?;
    errors.retain(|error| is_listed(args, error));
    Ok(Box::new(Listed { edited, errors, refused: store.refused()?, since: Since::Edit }))
}

fn show(args: &ShowArgs, store: Option<&Store>, edited: Option<Timestamp>) -> Outcome {
    let Some(store) = store else { return Err(unknown(args.number)) };
    let found = store.list(edited)?.into_iter().find(|error| args.number.is_none_or(|number| error.id == number));
    let error = found.ok_or_else(|| unknown(args.number))?;
    let reports = store.reports(error.id)?;
    let exceptions = reports.first().and_then(Value::as_object).map(exceptions).unwrap_or_default();
    Ok(Box::new(Shown { error, exceptions, reports, counted: Since::Edit }))
}

fn resolve(args: &ResolveArgs, store: Option<&Store>) -> Outcome {
    let open = |store: &Store| -> Result<Vec<u64>> {
        Ok(store.list(None)?.iter().filter(|error| error.resolved.is_none()).map(|error| error.id).collect())
    };
    let numbers = match store {
        Some(store) if args.all => open(store)?,
        _ => args.numbers.clone(),
    };
    let mut resolved = Vec::new();
    for number in numbers {
        match store.map_or(Ok(Resolved::Unknown), |store| store.resolve(number, Timestamp::now()))? {
            Resolved::Now => resolved.push(number),
            Resolved::Before => {}
            Resolved::Unknown => return Err(unknown(Some(number))),
        }
    }
    Ok(Box::new(Done { resolved }))
}

fn unknown(number: Option<u64>) -> Problem {
    let said = number.map_or_else(|| "there is no error".into(), |number| format!("there is no error {number}"));
    Problem::new("errors.number", said).try_running("dae errors list --all")
}

fn at(time: Timestamp) -> String {
    time.to_zoned(jiff::tz::TimeZone::system()).strftime("%m-%d %H:%M:%S").to_string()
}

/// One line that steers no terminal.
fn quiet(text: &str) -> String {
    text.replace(char::is_control, " ")
}
