//! Who is in a crew: what app.yaml asks for beside the web processes.

use serde_json::{Value, json};

use super::super::start::python;
use super::super::{Generation, Settings, contract};
use crate::app::{Daemon, Queue};
use crate::supervisor::Spec;

/// One process, as the generation wants it.
#[derive(Debug, Clone)]
pub(in super::super) struct Member {
    /// Names it in logs and in what is told: `feed`, or `feed.2` where there are several.
    pub label: String,
    /// The program of the runtime set that it begins with.
    pub program: &'static str,
    /// What that program is told beyond where the app is.
    pub config: Value,
    pub env: Vec<(String, String)>,
    /// In bytes; above it the process is started anew.
    pub mem_limit: Option<u64>,
    pub leaves: Leaves,
}

/// When a member that is replaced ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Leaves {
    /// Before anything of the next crew is started.
    AtOnce,
    /// When it has done the job it holds; the next crew is at work by then.
    AfterItsJob,
}

/// All members of the crew of `generation`, in the order of app.yaml.
pub(super) fn members(generation: &Generation) -> Vec<Member> {
    let manifest = &generation.manifest;
    let daemons = manifest.daemons.iter().flat_map(daemon);
    let queues = manifest.queues.iter().flat_map(queue);
    daemons.chain(queues).collect()
}

fn daemon(daemon: &Daemon) -> impl Iterator<Item = Member> + '_ {
    labels(daemon.name.clone(), daemon.num_instances).map(|label| Member {
        label,
        program: "dae/script.py",
        config: json!({ "words": daemon.script.words() }),
        env: Vec::new(),
        mem_limit: daemon.mem_limit,
        leaves: Leaves::AtOnce,
    })
}

fn queue(queue: &Queue) -> impl Iterator<Item = Member> + '_ {
    labels(format!("queue.{}", queue.name), queue.workers).map(|label| Member {
        label,
        program: "dae/worker.py",
        config: json!({ "queue": queue.name, "retries": queue.retries, "timeout": queue.timeout }),
        env: Vec::new(),
        mem_limit: None,
        leaves: Leaves::AfterItsJob,
    })
}

/// `feed`; or `feed.1`, `feed.2`.
fn labels(name: String, count: u16) -> impl Iterator<Item = String> {
    (1..=count).map(move |number| if count == 1 { name.clone() } else { format!("{name}.{number}") })
}

impl Member {
    /// How to start it.
    pub fn spec(&self, generation: &Generation, settings: &Settings) -> Spec {
        let launch = &generation.launch;
        let mut config = json!({
            "root": generation.root,
            "runtime": launch.runtime,
            "site": launch.site,
            "environment": settings.environment,
            "process": self.label,
        });
        if let (Value::Object(config), Value::Object(own)) = (&mut config, &self.config) {
            config.extend(own.clone());
        }
        let mut env = contract::environment(generation, settings.environment, &settings.inherited);
        env.retain(|(name, _)| !self.env.iter().any(|(own, _)| own == name));
        env.extend(self.env.iter().cloned());
        env.push(("DAE_BOOT".into(), config.to_string()));
        python(launch, settings, self.program, generation.root.clone(), env)
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn several_are_numbered() {
        let labels = |count| super::labels("feed".into(), count).collect::<Vec<_>>();
        assert_eq!(labels(1), ["feed"]);
        assert_eq!(labels(2), ["feed.1", "feed.2"]);
        assert!(labels(0).is_empty());
    }
}
