//! `dae mc`.

use std::collections::BTreeMap;

use serde::Serialize;

use super::services::Services;
use super::{Context, Outcome};
use crate::app::{App, DevSettings};
use crate::problem::{Problem, Result};
use crate::services::kv::memcache::{Client, Key, Value};
use crate::services::kv::values;
use crate::term::{Done, Paint, Text};

/// Look into the app's memcache
///
/// It is the one that `dae serve` runs, or the one that dev.yaml names.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Show a value; exit code 1 when there is none
    Get(GetArgs),
    /// Store a value, as a text or a whole number of Python's
    Set(SetArgs),
    /// Let keys go
    Delete(DeleteArgs),
    /// List keys
    Keys(KeysArgs),
    /// What each server counts
    Stats,
    /// Let everything go
    Flush(FlushArgs),
}

#[derive(Debug, clap::Args)]
pub struct GetArgs {
    pub key: String,
    /// As it is kept, byte for byte
    #[arg(long)]
    pub raw: bool,
}

#[derive(Debug, clap::Args)]
pub struct SetArgs {
    pub key: String,
    pub value: String,
    /// Seconds until it goes by itself [default: never]
    #[arg(long, value_name = "SECONDS", default_value_t = 0, hide_default_value = true)]
    pub ttl: u32,
    /// As bytes, not as a text or a number
    #[arg(long)]
    pub raw: bool,
}

#[derive(Debug, clap::Args)]
pub struct DeleteArgs {
    #[arg(required = true, value_name = "KEY")]
    pub keys: Vec<String>,
}

#[derive(Debug, clap::Args)]
pub struct KeysArgs {
    /// Only those that begin like this
    #[arg(default_value = "", hide_default_value = true)]
    pub prefix: String,
    /// No more than so many
    #[arg(short = 'n', long, value_name = "N")]
    pub count: Option<usize>,
}

#[derive(Debug, clap::Args)]
pub struct FlushArgs {
    /// Even on a server that is not on this machine
    #[arg(long)]
    pub yes: bool,
}

#[derive(Serialize)]
struct Got {
    key: String,
    /// `str`, `int`, `bytes`, or how it is packed.
    kind: &'static str,
    flags: u32,
    size: usize,
    /// Where it is text.
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<String>,
    /// Where it is not.
    #[serde(skip_serializing_if = "Option::is_none")]
    base64: Option<String>,
}

#[derive(Serialize)]
struct Stored {
    key: String,
    size: usize,
    ttl: u32,
}

#[derive(Serialize)]
struct Deleted {
    deleted: Vec<String>,
    missing: Vec<String>,
}

#[derive(Serialize)]
struct Keys {
    keys: Vec<Listed>,
}

#[derive(Serialize)]
struct Listed {
    key: String,
    size: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires: Option<jiff::Timestamp>,
}

#[derive(Serialize)]
struct Stats {
    servers: BTreeMap<String, BTreeMap<String, String>>,
}

impl Text for Got {
    fn text(&self, _: Paint) -> String {
        let base64 = || self.base64.as_deref().unwrap_or_default();
        self.text.clone().unwrap_or_else(|| format!("{}, {} bytes, in base64:\n{}", self.kind, self.size, base64()))
    }
}

impl Text for Stored {
    fn text(&self, _: Paint) -> String {
        String::new()
    }
}

impl Text for Deleted {
    fn text(&self, _: Paint) -> String {
        self.missing.iter().map(|key| format!("there was no `{key}`")).collect::<Vec<_>>().join("\n")
    }
}

impl Text for Keys {
    fn text(&self, paint: Paint) -> String {
        if self.keys.is_empty() {
            return "no keys".into();
        }
        let width = self.keys.iter().map(|key| key.key.chars().count()).max().unwrap_or_default().min(60);
        let line = |key: &Listed| {
            let expires = key.expires.map_or_else(String::new, |time| {
                time.to_zoned(jiff::tz::TimeZone::system()).strftime("  until %m-%d %H:%M:%S").to_string()
            });
            format!("{:width$}  {:>8}{}", quiet(&key.key), key.size, paint.dim(&expires))
        };
        self.keys.iter().map(line).collect::<Vec<_>>().join("\n")
    }
}

impl Text for Stats {
    fn text(&self, paint: Paint) -> String {
        let mut lines = Vec::new();
        for (server, stats) in &self.servers {
            lines.push(paint.key(server));
            let width = stats.keys().map(String::len).max().unwrap_or_default();
            lines.extend(stats.iter().map(|(name, value)| format!("  {name:width$}  {value}")));
        }
        lines.join("\n")
    }
}

/// One line that steers no terminal.
fn quiet(text: &str) -> String {
    text.replace(char::is_control, " ")
}

pub fn run(args: Args, context: &Context) -> Outcome {
    let app = context.app()?;
    let (addresses, _services) = servers(&app)?;
    match args.command {
        Command::Get(args) => get(args, &addresses),
        Command::Set(args) => set(args, &addresses),
        Command::Delete(args) => delete(args, &addresses),
        Command::Keys(args) => keys(&args, &addresses),
        Command::Stats => stats(&addresses),
        Command::Flush(args) => flush(&args, context, &addresses),
    }
}

/// The addresses, and what keeps the services there while they are asked.
fn servers(app: &App) -> Result<(Vec<String>, Option<Services>)> {
    let (settings, _) = DevSettings::read(&app.root, "dev.yaml")?;
    if !settings.memcache.is_empty() {
        return Ok((settings.memcache.iter().map(ToString::to_string).collect(), None));
    }
    let Some(services) = Services::running(app)? else {
        // What a memcached holds goes with it, so there is nothing to be looked at.
        return Err(Problem::new(
            "memcache.none",
            format!("{} does not run, and its memcache ended with it", app.name),
        )
        .try_running("dae serve"));
    };
    let address = services.variable(app, "DAE_MEMCACHE")?;
    Ok((vec![address], Some(services)))
}

fn get(args: GetArgs, addresses: &[String]) -> Outcome {
    for address in addresses {
        let Some(value) = Client::connect(address)?.get(&args.key)? else { continue };
        let size = value.data.len();
        let shown = if args.raw {
            values::Shown { kind: "bytes", data: value.data }
        } else {
            values::shown(value.flags, &value.data)
        };
        let is_text = |text: &String| !text.contains(|c: char| c.is_control() && !matches!(c, '\n' | '\r' | '\t'));
        let (text, base64) = match String::from_utf8(shown.data) {
            Ok(text) if is_text(&text) => (Some(text), None),
            Ok(text) => (None, Some(encoded(text.as_bytes()))),
            Err(error) => (None, Some(encoded(error.as_bytes()))),
        };
        return Ok(Box::new(Got { key: args.key, kind: shown.kind, flags: value.flags, size, text, base64 }));
    }
    Err(Problem::new("memcache.missing", format!("there is no `{}`", args.key)).try_running("dae mc keys"))
}

fn encoded(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::prelude::BASE64_STANDARD.encode(bytes)
}

fn set(args: SetArgs, addresses: &[String]) -> Outcome {
    let [address] = addresses else {
        return Err(Problem::new(
            "memcache.several",
            "dev.yaml names several servers, and which has a key its client knows",
        )
        .try_running("dae run -- python -c 'from dae.api.mc import mc; mc.set(...)'"));
    };
    let (flags, data) = if args.raw { (0, args.value.into_bytes()) } else { values::typed(&args.value) };
    let size = data.len();
    Client::connect(address)?.set(&args.key, &Value { flags, data }, args.ttl)?;
    Ok(Box::new(Stored { key: args.key, size, ttl: args.ttl }))
}

fn delete(args: DeleteArgs, addresses: &[String]) -> Outcome {
    let mut clients = addresses.iter().map(|address| Client::connect(address)).collect::<Result<Vec<_>>>()?;
    let mut answer = Deleted { deleted: Vec::new(), missing: Vec::new() };
    for key in args.keys {
        let mut found = false;
        for client in &mut clients {
            found |= client.delete(&key)?;
        }
        if found { &mut answer.deleted } else { &mut answer.missing }.push(key);
    }
    Ok(Box::new(answer))
}

fn keys(args: &KeysArgs, addresses: &[String]) -> Outcome {
    let mut found = Vec::new();
    for address in addresses {
        Client::connect(address)?.keys(|key: Key| {
            if key.key.starts_with(args.prefix.as_bytes()) {
                let expires = key.expires.and_then(|time| jiff::Timestamp::from_second(time.try_into().ok()?).ok());
                found.push(Listed { key: String::from_utf8_lossy(&key.key).into_owned(), size: key.size, expires });
            }
        })?;
    }
    found.sort_by(|one, other| one.key.cmp(&other.key));
    found.truncate(args.count.unwrap_or(usize::MAX));
    Ok(Box::new(Keys { keys: found }))
}

fn stats(addresses: &[String]) -> Outcome {
    let told = |address: &String| Ok((address.clone(), Client::connect(address)?.stats()?.into_iter().collect()));
    Ok(Box::new(Stats { servers: addresses.iter().map(told).collect::<Result<_>>()? }))
}

fn flush(args: &FlushArgs, context: &Context, addresses: &[String]) -> Outcome {
    let (settings, _) = DevSettings::read(&context.app()?.root, "dev.yaml")?;
    let elsewhere = settings.memcache.iter().find(|address| !address.is_local());
    if let Some(address) = elsewhere.filter(|_| !args.yes && !context.yes) {
        return Err(Problem::new(
            "memcache.elsewhere",
            format!("`{address}` is not on this machine; others may use it"),
        )
        .try_running("dae mc flush --yes"));
    }
    for address in addresses {
        Client::connect(address)?.flush()?;
        context.say("flushed", address.clone());
    }
    Ok(Box::new(Done::default()))
}
