//! What is told while Python is made ready.

use std::path::PathBuf;
use std::time::Duration;

use serde::Serialize;

use crate::term::{self, Line, Progress, Shown, Tone};

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// Another dae is at work in the same app.
    Waiting {
        lock: PathBuf,
    },
    /// An interpreter was chosen and a virtualenv is being made.
    MakingVenv {
        python: String,
    },
    MadeVenv {
        python: String,
        #[serde(rename = "took_ms", serialize_with = "ms")]
        took: Duration,
    },
    /// uv is not on this machine yet and is being fetched.
    FetchingUv,
    FetchedUv {
        #[serde(rename = "took_ms", serialize_with = "ms")]
        took: Duration,
    },
    /// uv cannot be had; pip does the work.
    UsingPip {
        why: String,
    },
    /// Mercurial is not on this machine yet and is being fetched.
    FetchingHg,
    /// A repository is asked for its branches and tags.
    Asking {
        repository: String,
    },
    Resolving,
    Resolved {
        packages: usize,
        #[serde(rename = "took_ms", serialize_with = "ms")]
        took: Duration,
    },
    Installing,
    Installed {
        packages: usize,
        #[serde(rename = "took_ms", serialize_with = "ms")]
        took: Duration,
    },
    Removed {
        packages: usize,
    },
    /// The network could not be reached and everything was in the cache.
    Offline,
    MakingRuntime {
        python: String,
    },
    MadeRuntime {
        packages: usize,
        #[serde(rename = "took_ms", serialize_with = "ms")]
        took: Duration,
    },
}

fn ms<S: serde::Serializer>(took: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u128(took.as_millis())
}

impl term::Event for Event {
    fn show(&self) -> Shown<'_> {
        let packages = |count: usize| if count == 1 { "1 package".to_owned() } else { format!("{count} packages") };
        let in_time = |text: String, took: &Duration| format!("{text} in {:.1} s", took.as_secs_f64());
        match self {
            Self::Waiting { .. } => {
                Shown::Line(Line::new(Tone::Plain, "Waiting", "for another dae that is installing into this app"))
            }
            Self::MakingVenv { python } => {
                Shown::Progress(Progress::spinner("Making", format!("venv, Python {python}")))
            }
            Self::MadeVenv { python, took } => {
                Shown::Line(Line::good("Made", in_time(format!("venv, Python {python},"), took)))
            }
            Self::FetchingUv => Shown::Progress(Progress::spinner("Fetching", "uv, once, to install with")),
            Self::FetchedUv { took } => {
                Shown::Line(Line::good("Fetched", in_time("uv, to install with,".to_owned(), took)))
            }
            Self::UsingPip { why } => {
                Shown::Line(Line::new(Tone::Plain, "Using", format!("pip, which is slower: {why}")))
            }
            Self::FetchingHg => Shown::Progress(Progress::spinner("Fetching", "Mercurial, once")),
            Self::Asking { repository } => Shown::Progress(Progress::spinner("Asking", repository.clone())),
            Self::Resolving => Shown::Progress(Progress::spinner("Resolving", "what is needed")),
            Self::Resolved { packages: count, took } => {
                Shown::Line(Line::good("Resolved", in_time(packages(*count), took)))
            }
            Self::Installing => Shown::Progress(Progress::spinner("Installing", "into the virtualenv")),
            Self::Installed { packages: count, took } => {
                Shown::Line(Line::good("Installed", in_time(packages(*count), took)))
            }
            Self::Removed { packages: count } => Shown::Line(Line::good("Removed", packages(*count))),
            Self::Offline => Shown::Line(Line::warning("the package index cannot be reached; the cache was enough")),
            Self::MakingRuntime { python } => {
                Shown::Progress(Progress::spinner("Making", format!("dae's own packages for Python {python}")))
            }
            Self::MadeRuntime { packages: count, took } => {
                Shown::Line(Line::good("Made", in_time(format!("dae's own {},", packages(*count)), took)))
            }
        }
    }

    fn json(&self) -> serde_json::Value {
        serde_json::to_value(self).unwrap_or_default()
    }
}
