//! `dae mail`.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::{Command as Program, Stdio};

use serde::{Deserialize, Serialize};

use super::online::{There, block_on};
use super::{Context, Outcome, services};
use crate::app::{self, App, AppName};
use crate::problem::{Doing as _, Problem, Result};
use crate::remote::Client;
use crate::services::mail::{Kept, Message, Store};
use crate::term::{Paint, Text};

/// Mail the app has sent; under `dae serve` it is kept here and none leaves the machine
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    pub command: Command,
    #[command(flatten)]
    pub there: There,
}

#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// List what was sent, the newest last
    List(ListArgs),
    /// Show one message
    Show(ShowArgs),
    /// Open one message in a browser
    Open(OpenArgs),
}

#[derive(Debug, clap::Args)]
pub struct ListArgs {
    /// How many of the last ones
    #[arg(short = 'n', long, value_name = "N", default_value_t = 30)]
    pub lines: usize,
}

#[derive(Debug, clap::Args)]
pub struct ShowArgs {
    /// Its number [default: the last one's]
    pub number: Option<u64>,
    /// As it was sent
    #[arg(long)]
    pub raw: bool,
    /// Write its attachments into this folder
    #[arg(long, value_name = "DIR")]
    pub save: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
pub struct OpenArgs {
    /// Its number [default: the last one's]
    pub number: Option<u64>,
}

#[derive(Serialize, Deserialize)]
struct Listed {
    mails: Vec<Entry>,
}

#[derive(Serialize, Deserialize)]
struct Entry {
    number: u64,
    came: jiff::Timestamp,
    size: u64,
    from: String,
    to: Vec<String>,
    subject: String,
    attachments: usize,
}

#[derive(Serialize)]
struct Shown {
    number: u64,
    came: jiff::Timestamp,
    #[serde(flatten)]
    message: Message,
    #[serde(skip_serializing_if = "Option::is_none")]
    raw: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    saved: Vec<PathBuf>,
}

#[derive(Serialize)]
struct Opened {
    file: PathBuf,
}

impl Text for Listed {
    fn text(&self, paint: Paint) -> String {
        let width = self.mails.last().map_or(1, |mail| mail.number.to_string().len());
        let line = |mail: &Entry| {
            let came = mail.came.to_zoned(jiff::tz::TimeZone::system()).strftime("%m-%d %H:%M").to_string();
            let to = mail.to.join(", ");
            format!("{:>width$}  {}  {to}  {}", mail.number, paint.dim(&came), quiet(&mail.subject))
        };
        if self.mails.is_empty() {
            return "no mail was sent yet".into();
        }
        self.mails.iter().map(line).collect::<Vec<_>>().join("\n")
    }
}

impl Text for Shown {
    fn text(&self, paint: Paint) -> String {
        if let Some(raw) = &self.raw {
            return raw.trim_end().to_owned();
        }
        let mut text = String::new();
        let message = &self.message;
        for (name, value) in &message.headers {
            let _ = writeln!(text, "{} {}", paint.key(&format!("{name}:")), quiet(value));
        }
        let _ = writeln!(text, "{} {}", paint.key("delivered to:"), quiet(&message.recipients.join(", ")));
        for part in &message.attachments {
            let what = format!("{} ({}, {} bytes)", part.name, part.kind, part.size);
            let _ = writeln!(text, "{} {}", paint.key("attached:"), quiet(&what));
        }
        for path in &self.saved {
            let _ = writeln!(text, "{} {}", paint.key("saved:"), path.display());
        }
        let body = message.text.as_deref().or(message.html.as_deref()).unwrap_or_default();
        let _ = write!(
            text,
            "\n{}",
            body.replace('\r', "").replace(|c: char| c.is_control() && c != '\n' && c != '\t', "\u{fffd}")
        );
        text.trim_end().to_owned()
    }
}

impl Text for Opened {
    fn text(&self, _: Paint) -> String {
        String::new()
    }
}

pub fn run(args: Args, context: &Context) -> Outcome {
    if let Some((client, app)) = args.there.client(context)? {
        return there(args.command, &client, &app, context);
    }
    let (app, _) = App::read(&app::find(&context.cwd)?)?;
    let (data, _) = services::data(&app)?;
    let store = Store::new(&data);
    match args.command {
        Command::List(args) => list(&args, &store),
        Command::Show(args) => show(&args, &store, context),
        Command::Open(args) => open(&args, &store, &data, context),
    }
}

/// On a remote.
fn there(command: Command, client: &Client, app: &AppName, context: &Context) -> Outcome {
    let all = || -> Result<Listed> { block_on(client.kept(app, &["mail"], &[])) };
    match command {
        Command::List(args) => {
            let mut listed = all()?;
            listed.mails.drain(..listed.mails.len().saturating_sub(args.lines));
            Ok(Box::new(listed))
        }
        Command::Show(args) => {
            let last = || all()?.mails.last().map(|mail| mail.number).ok_or_else(none_sent);
            let number = args.number.map_or_else(last, Ok)?;
            let Fetched { number, came, raw } = block_on(client.kept(app, &["mail", &number.to_string()], &[]))?;
            shown(number, came, raw.as_bytes(), &args, context)
        }
        Command::Open(_) => Err(Problem::new("mail.there", "a mail on a remote is not opened in a browser")
            .try_running("dae mail show --remote NAME")),
    }
}

#[derive(Deserialize)]
struct Fetched {
    number: u64,
    came: jiff::Timestamp,
    raw: String,
}

fn list(args: &ListArgs, store: &Store) -> Outcome {
    let kept = store.list()?;
    let last = &kept[kept.len().saturating_sub(args.lines)..];
    let entry = |kept: &Kept| {
        let message = Message::read(&store.read(kept.number)?);
        Ok(Entry {
            number: kept.number,
            came: kept.came,
            size: kept.size,
            from: message.from,
            to: message.recipients,
            subject: message.subject,
            attachments: message.attachments.len(),
        })
    };
    Ok(Box::new(Listed { mails: last.iter().map(entry).collect::<Result<_>>()? }))
}

/// The message that is meant.
fn find(store: &Store, number: Option<u64>) -> Result<Kept> {
    let kept = store.list()?;
    let found = match number {
        None => kept.last(),
        Some(number) => kept.iter().find(|kept| kept.number == number),
    };
    found.cloned().ok_or_else(|| match number {
        None => none_sent(),
        Some(number) => Problem::new("mail.number", format!("there is no mail {number}")).try_running("dae mail list"),
    })
}

fn none_sent() -> Problem {
    Problem::new("mail.none", "no mail was sent yet")
}

fn show(args: &ShowArgs, store: &Store, context: &Context) -> Outcome {
    let kept = find(store, args.number)?;
    shown(kept.number, kept.came, &store.read(kept.number)?, args, context)
}

fn shown(number: u64, came: jiff::Timestamp, bytes: &[u8], args: &ShowArgs, context: &Context) -> Outcome {
    let message = Message::read(bytes);
    let mut saved = Vec::new();
    if let Some(folder) = &args.save {
        let folder = context.cwd.join(folder);
        std::fs::create_dir_all(&folder).doing(|| format!("make the folder `{}`", folder.display()))?;
        for (at, part) in message.attachments.iter().enumerate() {
            // A name of somebody else's choosing: it may not lead anywhere, nor hide, nor be written over.
            let name: String = part.name.chars().filter(|c| c.is_alphanumeric() || "._- ".contains(*c)).collect();
            let path = folder.join(format!("{}-{}", at + 1, name.trim_start_matches('.')));
            std::fs::write(&path, &part.bytes).doing(|| format!("write `{}`", path.display()))?;
            saved.push(path);
        }
    }
    let raw = args.raw.then(|| String::from_utf8_lossy(bytes).into_owned());
    Ok(Box::new(Shown { number, came, message, raw, saved }))
}

fn open(args: &OpenArgs, store: &Store, data: &std::path::Path, context: &Context) -> Outcome {
    let kept = find(store, args.number)?;
    let message = Message::read(&store.read(kept.number)?);
    let escape = |text: &str| text.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;");
    let header = |(name, value): &(String, String)| format!("<div><b>{name}:</b> {}</div>", escape(value));
    let headers = message.headers.iter().map(header).collect::<Vec<_>>().join("\n");
    let body = match (&message.html, &message.text) {
        (Some(html), _) => html.clone(),
        (None, text) => format!("<pre>{}</pre>", escape(text.as_deref().unwrap_or_default())),
    };
    // A mail is anybody's text: it may be looked at, and do nothing.
    let policy = "default-src 'none'; img-src data:; style-src 'unsafe-inline'";
    let page = format!(
        "<!doctype html>\n<meta charset=\"utf-8\">\n<meta http-equiv=\"Content-Security-Policy\" content=\"{policy}\">\n\
         <title>{}</title>\n<div style=\"font: 14px sans-serif; border-bottom: 1px solid; padding-bottom: 1em\">\n{headers}</div>\n{body}\n",
        escape(&message.subject),
    );
    let folder = data.join("mail");
    let file = folder.join(format!("{}.html", kept.number));
    std::fs::write(&file, page).doing(|| format!("write `{}`", file.display()))?;
    context.say("opening", format!("`{}`", file.display()));
    let program = if cfg!(target_os = "macos") { "open" } else { "xdg-open" };
    let started = Program::new(program).arg(&file).stdin(Stdio::null()).stdout(Stdio::null()).spawn();
    if let Err(error) = started {
        let told = Problem::new("mail.browser", format!("could not open a browser with `{program}`")).because(error);
        context.warn(&told);
    }
    Ok(Box::new(Opened { file }))
}

/// One line that steers no terminal.
fn quiet(text: &str) -> String {
    text.replace(char::is_control, " ")
}
