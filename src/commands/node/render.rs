//! `dae node render`.

use std::path::PathBuf;

use serde::Serialize;

use crate::commands::{Context, Outcome};
use crate::problem::{Doing as _, Result};
use crate::remote::server::{Config, render};
use crate::term::{Paint, Text};

/// Print a configuration for a program beside the node: nginx, keepalived, systemd
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    for_what: For,
}

#[derive(Debug, clap::Subcommand)]
enum For {
    /// A web server in front of the node
    Nginx {
        #[command(flatten)]
        node: Node,
        /// Where nginx listens
        #[arg(long, value_name = "PORT", default_value_t = 80)]
        port: u16,
    },
    /// An address shared by two machines: it is with one whose node answers
    Keepalived {
        #[command(flatten)]
        node: Node,
        /// The address that moves: `192.0.2.10/24`
        #[arg(long, value_name = "ADDR", value_parser = address)]
        address: String,
        /// On which of the machines' network interfaces
        #[arg(long, value_name = "NAME", default_value = "eth0", value_parser = interface)]
        interface: String,
    },
    /// A unit that runs the node, from the machine's start on
    Systemd {
        #[command(flatten)]
        node: Node,
        /// Run it as this user, not as root
        #[arg(long, value_name = "USER", value_parser = interface)]
        user: Option<String>,
    },
}

#[derive(Debug, clap::Args)]
struct Node {
    /// The node's folder
    #[arg(long, value_name = "DIR")]
    dir: PathBuf,
}

fn address(text: &str) -> std::result::Result<String, String> {
    let (ip, bits) = text.split_once('/').unwrap_or((text, "32"));
    let good = ip.parse::<std::net::IpAddr>().is_ok() && bits.parse::<u8>().is_ok_and(|bits| bits <= 128);
    if good { Ok(text.to_owned()) } else { Err("write it like `192.0.2.10/24`".into()) }
}

/// A plain word.
fn interface(text: &str) -> std::result::Result<String, String> {
    let good = !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || "._-@".contains(c));
    if good { Ok(text.to_owned()) } else { Err("it is one word".into()) }
}

pub fn run(args: Args, context: &Context) -> Outcome {
    Ok(Box::new(Rendered { text: args.for_what.render(context)? }))
}

impl For {
    fn render(self, context: &Context) -> Result<String> {
        let config = |node: &Node| Config::read(&context.cwd.join(&node.dir));
        match self {
            Self::Nginx { node, port } => render::nginx(&config(&node)?, port),
            Self::Keepalived { node, address, interface } => render::keepalived(&config(&node)?, &address, &interface),
            Self::Systemd { node, user } => {
                config(&node)?;
                let dir = context.cwd.join(&node.dir).canonicalize().doing(|| "find the node's folder")?;
                let program = std::env::current_exe().doing(|| "find this program")?;
                render::systemd(&program, &dir, user.as_deref())
            }
        }
    }
}

#[derive(Debug, Serialize)]
struct Rendered {
    text: String,
}

impl Text for Rendered {
    fn text(&self, _: Paint) -> String {
        self.text.trim_end().to_owned()
    }
}
