//! What is told while a release is brought to a cluster.

use std::time::Duration;

use serde_json::{Value, json};

use crate::remote::api::ReleaseId;
use crate::remote::deploy::{millis, seconds};
use crate::term::{Event, Line, Progress, Shown, Tone};

#[derive(Debug, Clone)]
pub enum Word {
    Applied {
        objects: usize,
        took: Duration,
    },
    Waiting {
        what: String,
        ready: u64,
        of: u64,
    },
    /// No node has room for a pod, and there may be soon.
    Crowded {
        why: String,
    },
    Rolled {
        what: String,
        pods: u64,
        took: Duration,
    },
    /// The last good one was put back.
    Restored(ReleaseId),
    /// A line of the release command.
    Said(String),
    Commanded {
        script: String,
        took: Duration,
    },
    /// Who gets which release has changed.
    Shared {
        release: ReleaseId,
        percent: u8,
    },
}

impl Event for Word {
    fn show(&self) -> Shown<'_> {
        match self {
            Self::Applied { objects, took } => {
                Shown::Line(Line::good("Applied", format!("{objects} objects in {}", seconds(*took))))
            }
            Self::Waiting { what, ready, of } => Shown::Progress(Progress {
                done: *ready,
                total: *of,
                ..Progress::spinner("Waiting", format!("for the pods of {what}"))
            }),
            Self::Crowded { why } => Shown::Line(Line::new(Tone::Warning, "Waiting", format!("for room: {why}"))),
            Self::Rolled { what, pods, took } => Shown::Line(Line::good(
                "Ready",
                format!("{what}: {pods} pods, which took the cluster {}", seconds(*took)),
            )),
            Self::Restored(release) => {
                Shown::Line(Line::new(Tone::Warning, "Restored", format!("{release}, the last good one")))
            }
            Self::Said(line) => Shown::Line(Line::new(Tone::Process(0), "release", line.clone())),
            Self::Commanded { script, took } => {
                Shown::Line(Line::good("Release", format!("{script} in {}", seconds(*took))))
            }
            Self::Shared { release, percent } => {
                Shown::Line(Line::good("Shared", format!("{release} gets {percent} of 100 requests")))
            }
        }
    }

    fn json(&self) -> Value {
        match self {
            Self::Applied { objects, took } => {
                json!({"event": "applied", "objects": objects, "took_ms": millis(*took)})
            }
            Self::Waiting { what, ready, of } => json!({"event": "waiting", "what": what, "ready": ready, "of": of}),
            Self::Crowded { why } => json!({"event": "crowded", "why": why}),
            Self::Rolled { what, pods, took } => {
                json!({"event": "rolled", "what": what, "pods": pods, "took_ms": millis(*took)})
            }
            Self::Restored(release) => json!({"event": "restored", "release": release}),
            Self::Said(line) => json!({"event": "output", "process": "release", "line": line}),
            Self::Commanded { script, took } => {
                json!({"event": "step", "step": "release", "text": script, "took_ms": millis(*took)})
            }
            Self::Shared { release, percent } => json!({"event": "shared", "release": release, "percent": percent}),
        }
    }
}
