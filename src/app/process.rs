//! `daemons` and `queues` in app.yaml: what runs beside the web processes.

use serde::{Deserialize, Serialize};

use super::reader::{Keys, Reader};
use super::script::Script;
use super::yaml::{Node, Value};

/// A process that runs as long as the app does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Daemon {
    pub name: String,
    pub script: Script,
    pub num_instances: u16,
    /// In bytes.
    pub mem_limit: Option<u64>,
}

/// A queue of tasks, and how they are worked off.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Queue {
    pub name: String,
    pub workers: u16,
    /// How often a task that failed is tried again.
    pub retries: u16,
    /// Seconds after which a task counts as failed.
    pub timeout: u32,
}

pub(super) const DAEMON: &[&str] = &["name", "script", "num_instances", "mem_limit"];
pub(super) const QUEUE: &[&str] = &["name", "workers", "retries", "timeout"];

impl Reader<'_> {
    pub(super) fn daemons(&mut self, keys: &Keys) -> Vec<Daemon> {
        let mut names = Vec::new();
        let nodes = self.list(keys, "daemons", "daemons: [{name: feed, script: feed.py}]");
        nodes.iter().filter_map(|node| self.daemon(node, &mut names)).collect()
    }

    fn daemon(&mut self, node: &Node, names: &mut Vec<String>) -> Option<Daemon> {
        let keys = self.keys(node, "a daemon", DAEMON)?;
        let name = self
            .required(&keys, "name", "this daemon", "name: feed")
            .and_then(|node| self.own_name(names, node, "a daemon"));
        let script =
            self.required(&keys, "script", "this daemon", "script: feed.py").and_then(|node| self.script(node));
        let num_instances = self.small(&keys, "num_instances", 0, 1);
        let mem_limit = keys.get("mem_limit").and_then(|node| self.bytes(node, "mem_limit"));
        Some(Daemon { name: name?, script: script?, num_instances, mem_limit })
    }

    pub(super) fn queues(&mut self, keys: &Keys) -> Vec<Queue> {
        let mut names = Vec::new();
        let nodes = self.list(keys, "queues", "queues: [{name: default, workers: 1}]");
        nodes.iter().filter_map(|node| self.queue(node, &mut names)).collect()
    }

    fn queue(&mut self, node: &Node, names: &mut Vec<String>) -> Option<Queue> {
        let keys = self.keys(node, "a queue", QUEUE)?;
        let name = self
            .required(&keys, "name", "this queue", "name: default")
            .and_then(|node| self.own_name(names, node, "a queue"));
        let (workers, retries) = (self.small(&keys, "workers", 0, 1), self.small(&keys, "retries", 0, 5));
        let timeout = self.number(&keys, "timeout", 1..=86_400, 60);
        Some(Queue { name: name?, workers, retries, timeout })
    }

    /// A number of processes, or of tries.
    pub(super) fn small(&mut self, keys: &Keys, name: &str, least: u32, otherwise: u16) -> u16 {
        let number = self.number(keys, name, least..=1024, otherwise.into());
        u16::try_from(number).unwrap_or(otherwise)
    }

    /// `64M`: an amount of memory with its unit.
    fn bytes(&mut self, node: &Node, name: &str) -> Option<u64> {
        let text = if let Value::Text(text) = &node.value { text.as_str() } else { "" };
        let found = bytes(text).filter(|bytes| *bytes >= 1 << 20);
        if found.is_none() {
            let message = format!("`{name}` wants an amount of memory, and there is {}", node.told());
            self.wrong(node, name, message, format!("write a number and its unit, from 1M on: `{name}: 64M`"));
        }
        found
    }
}

/// `64M`, `1.5G`, `512 MiB`: units of 1024.
fn bytes(text: &str) -> Option<u64> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.')?;
    let (number, unit) = text.split_at(end);
    let power = match unit.trim().to_ascii_lowercase().as_str() {
        "k" | "kb" | "kib" => 10,
        "m" | "mb" | "mib" => 20,
        "g" | "gb" | "gib" => 30,
        "t" | "tb" | "tib" => 40,
        _ => return None,
    };
    let number: f64 = number.parse().ok()?;
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "bounded just below, and never negative"
    )]
    let bytes = (number < 1e6).then_some((number * (1_u64 << power) as f64) as u64);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_has_a_unit() {
        for (text, expected) in [
            ("64M", Some(64 << 20)),
            ("1.5G", Some(3 << 29)),
            ("512 MiB", Some(512 << 20)),
            ("2kb", Some(2048)),
            ("64", None),
            ("M", None),
            ("1.2.3M", None),
            ("-1M", None),
            ("64X", None),
            ("", None),
            ("9999999T", None),
        ] {
            assert_eq!(bytes(text), expected, "{text}");
        }
    }
}
