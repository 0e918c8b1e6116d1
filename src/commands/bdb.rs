//! `dae bdb`.

use std::collections::BTreeMap;

use base64::Engine as _;
use serde::Serialize;

use super::services::Services;
use super::{Context, Outcome, foreground};
use crate::problem::{Problem, Result};
use crate::services::kv::beansdb::{Answer, Client, Listed};
use crate::services::kv::values;
use crate::term::{Done, Paint, Text};

/// Look into the app's beansdb
///
/// It is the one that `dae serve` runs, or the one that dev.yaml names.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Show values; exit code 1 when one is not there
    Get(Keys),
    /// Store a value, as a text or a whole number of Python's
    Set(SetArgs),
    /// Show which version keys are at, those that were deleted too
    Versions(Keys),
    /// List keys, or a level of the hash tree
    Ls(LsArgs),
}

#[derive(Debug, clap::Args)]
pub struct Keys {
    #[arg(required = true, value_name = "KEY")]
    pub keys: Vec<String>,
}

#[derive(Debug, clap::Args)]
pub struct SetArgs {
    pub key: String,
    pub value: String,
    /// As bytes, not as a text or a number
    #[arg(long)]
    pub raw: bool,
    /// Only if it is above the one that is there [default: the next one]
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    pub version: i32,
}

#[derive(Debug, clap::Args)]
pub struct LsArgs {
    /// A node of the hash tree, as `@` or `@0f`; else keys are listed that begin so
    #[arg(default_value = "", hide_default_value = true)]
    pub prefix: String,
    /// Those that were deleted as well
    #[arg(long)]
    pub deleted: bool,
}

#[derive(Serialize)]
struct Got {
    values: Vec<Value>,
    missing: Vec<String>,
}

#[derive(Serialize)]
struct Value {
    key: String,
    /// `str`, `int`, `bytes`, or how it is packed.
    kind: &'static str,
    flag: u32,
    size: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    base64: Option<String>,
}

#[derive(Serialize)]
struct Versions {
    versions: BTreeMap<String, Known>,
}

#[derive(Serialize)]
struct Known {
    version: i64,
    hash: u32,
    flag: u32,
    size: u64,
    time: Option<jiff::Timestamp>,
}

#[derive(Serialize)]
struct Listing {
    nodes: Vec<Node>,
    keys: BTreeMap<String, i32>,
}

#[derive(Serialize)]
struct Node {
    path: String,
    hash: u32,
    count: u32,
}

impl Text for Got {
    fn text(&self, paint: Paint) -> String {
        let alone = self.values.len() == 1 && self.missing.is_empty();
        let value = |value: &Value| {
            let text = value.text.clone().unwrap_or_else(|| {
                let base64 = value.base64.as_deref().unwrap_or_default();
                format!("{}, {} bytes, in base64: {base64}", value.kind, value.size)
            });
            if alone { text } else { format!("{} {text}", paint.dim(&value.key)) }
        };
        let missing = self.missing.iter().map(|key| format!("there is no `{key}`"));
        self.values.iter().map(value).chain(missing).collect::<Vec<_>>().join("\n")
    }

    fn exit(&self) -> u8 {
        u8::from(!self.missing.is_empty())
    }
}

impl Text for Versions {
    fn text(&self, paint: Paint) -> String {
        let line = |(key, version): (&String, &Known)| {
            let Known { version, size, flag, time, .. } = version;
            let what = if *version < 0 { "deleted".into() } else { format!("{size} bytes, flag {flag}") };
            let time = time.map(|time| time.to_string()).unwrap_or_default();
            format!("{key} {version}  {}", paint.dim(&format!("{what}, {time}")))
        };
        self.versions.iter().map(line).collect::<Vec<_>>().join("\n")
    }
}

impl Text for Listing {
    fn text(&self, paint: Paint) -> String {
        let nodes = self.nodes.iter().map(|node| format!("{}/ {} {}", node.path, node.hash, node.count));
        let keys = self.keys.iter().map(|(key, version)| format!("{key} {}", paint.dim(&version.to_string())));
        nodes.chain(keys).collect::<Vec<_>>().join("\n")
    }
}

pub fn run(args: Args, context: &Context) -> Outcome {
    // Hosting the services may mean to start processes.
    if let Some(exit) = foreground::guard()? {
        return Ok(Box::new(Done { exit }));
    }
    let app = context.app()?;
    let services = Services::open(context, &app)?;
    let done = services.variable(&app, "DAE_BEANSDB").and_then(|address| {
        let mut client = Client::open(&address)?;
        act(args.command, &mut client)
    });
    services.end(context);
    done
}

fn act(command: Command, client: &mut Client) -> Outcome {
    Ok(match command {
        Command::Get(args) => Box::new(get(client, &args.keys)?),
        Command::Set(args) => {
            let (flag, value) = if args.raw { (0, args.value.into_bytes()) } else { values::typed(&args.value) };
            if !client.set(&args.key, flag, args.version, &value)? {
                let message = format!("`{}` was not stored", args.key);
                return Err(Problem::new("beansdb.not-stored", message)
                    .because("its version is not below the one that was asked for, or it is no key")
                    .try_running(format!("dae bdb versions {}", args.key)));
            }
            Box::new(versions(client, &[args.key])?)
        }
        Command::Versions(args) => Box::new(versions(client, &args.keys)?),
        Command::Ls(args) => Box::new(list(client, &args)?),
    })
}

fn get(client: &mut Client, keys: &[String]) -> Result<Got> {
    let mut got = Got { values: Vec::new(), missing: Vec::new() };
    for key in keys {
        match client.get(key)? {
            Some(answer) => got.values.push(value(key, &answer)),
            None => got.missing.push(key.clone()),
        }
    }
    Ok(got)
}

fn value(key: &str, answer: &Answer) -> Value {
    let values::Shown { kind, data } = values::shown(answer.flag, &answer.value);
    let size = answer.value.len();
    let (text, base64) = match String::from_utf8(data) {
        Ok(text) if !matches!(kind, "pickle" | "marshal" | "compressed") => (Some(text), None),
        _ => (None, Some(base64::engine::general_purpose::STANDARD.encode(&answer.value))),
    };
    Value { key: key.to_owned(), kind, flag: answer.flag, size, text, base64 }
}

fn versions(client: &mut Client, keys: &[String]) -> Result<Versions> {
    let mut versions = BTreeMap::new();
    for key in keys {
        let Some(answer) = client.get(&format!("?{key}"))? else { continue };
        let text = String::from_utf8_lossy(&answer.value).into_owned();
        let numbers: Vec<i64> = text.split(' ').filter_map(|word| word.parse().ok()).collect();
        let [version, hash, flag, size, time] = numbers[..] else { continue };
        let version = Known {
            version,
            hash: u32::try_from(hash).unwrap_or(0),
            flag: u32::try_from(flag).unwrap_or(0),
            size: u64::try_from(size).unwrap_or(0),
            time: jiff::Timestamp::from_second(time).ok(),
        };
        versions.insert(key.clone(), version);
    }
    Ok(Versions { versions })
}

fn list(client: &mut Client, args: &LsArgs) -> Result<Listing> {
    let mut listing = Listing { nodes: Vec::new(), keys: BTreeMap::new() };
    if let Some(path) = args.prefix.strip_prefix('@') {
        for line in client.list(path)? {
            match line {
                Listed::Node { digit, hash, count } => {
                    listing.nodes.push(Node { path: format!("@{path}{digit}"), hash, count });
                }
                Listed::Key { key, version } => {
                    listing.keys.insert(key, version);
                }
            }
        }
        return Ok(listing);
    }
    let mut paths = vec![String::new()];
    while let Some(path) = paths.pop() {
        for line in client.list(&path)? {
            match line {
                Listed::Node { digit, count, .. } if count > 0 || args.deleted => paths.push(format!("{path}{digit}")),
                Listed::Key { key, version } if key.starts_with(&args.prefix) && (version > 0 || args.deleted) => {
                    listing.keys.insert(key, version);
                }
                _ => {}
            }
        }
    }
    Ok(listing)
}
