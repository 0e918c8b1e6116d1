//! What `dae serve` tells while it runs.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use serde::Serialize;

use super::Status;
use crate::gateway::Access;
use crate::node::Start;
use crate::problem::Problem;
use crate::services;
use crate::term::{self, Line, Progress, Shown, Tone};

#[derive(Debug, Clone, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// dev.yaml points a service at a server that is not on this machine.
    Elsewhere {
        service: String,
        address: String,
    },
    /// The entrance is open.
    Ready {
        #[serde(flatten)]
        status: Status,
        address: SocketAddr,
    },
    /// The first generation answers.
    Started {
        #[serde(serialize_with = "milliseconds")]
        took_ms: Duration,
        start: Start,
    },
    /// The next generation answers, its services too; `took_ms` counts from the moment the system told of the change.
    Reloaded {
        #[serde(serialize_with = "milliseconds")]
        took_ms: Duration,
        start: Start,
        changed: Vec<PathBuf>,
    },
    /// Only browsers fetch what changed.
    Refreshed {
        changed: Vec<PathBuf>,
    },
    /// The app cannot be run as it is.
    Broken {
        problem: Problem,
    },
    /// A cold start was compared with the warm reload before it.
    Verified {
        problem: Option<Problem>,
    },
    /// Changed files are looked for by the clock.
    Polling {
        because: String,
    },
    /// A process ended by itself.
    Restarting {
        process: String,
        why: String,
    },
    /// A queue worker with the code before does the job it holds first, or took too long over that.
    Leaving {
        process: String,
        text: String,
        is_bad: bool,
    },
    /// A scheduled task ran, or did not.
    Cron {
        job: String,
        text: String,
        is_bad: bool,
    },
    Output {
        process: String,
        line: String,
    },
    /// A debugger waits in a process for a line.
    Prompt {
        process: String,
        terminal: u64,
        prompt: String,
    },
    /// Nobody is left at a terminal where a debugger waited.
    Left {
        process: String,
        terminal: u64,
    },
    Served(Access),
    Python(crate::python::Event),
    Service(services::Event),
}

fn milliseconds<S: serde::Serializer>(took: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u128(took.as_millis())
}

impl term::Event for Event {
    fn show(&self) -> Shown<'_> {
        Shown::Line(match self {
            Self::Elsewhere { service, address } => Line::warning(format!(
                "dev.yaml: {service} is `{address}`, not on this machine: what the app writes there stays"
            )),
            // The greeting says it; and who has the keyboard is told by whoever gives it.
            Self::Ready { .. } | Self::Left { .. } => return Shown::Nothing,
            Self::Started { took_ms, .. } => Line::good("started", format!("in {}", Took(*took_ms))),
            Self::Reloaded { took_ms, start, changed } => {
                let cold = match start {
                    Start::Warm | Start::Kept => String::new(),
                    Start::Cold(reason) => format!(" · cold: {reason}"),
                };
                Line::good("reloaded", format!("in {} · {}{cold}", Took(*took_ms), names(changed)))
            }
            Self::Refreshed { changed } => Line::good("refreshed", names(changed)),
            Self::Broken { problem } | Self::Verified { problem: Some(problem) } => return Shown::Problem(problem),
            Self::Verified { problem: None } => Line::new(Tone::Quiet, "", "a cold start is just like it"),
            Self::Polling { because } => {
                Line::new(Tone::Plain, "polling", format!("changes are noticed within half a second: {because}"))
            }
            Self::Restarting { process, why } => {
                Line::new(Tone::Warning, "restarting", format!("{process}, for {why}"))
            }
            Self::Leaving { process, text, is_bad } => {
                let tone = if *is_bad { Tone::Warning } else { Tone::Plain };
                Line::new(tone, "leaving", format!("{process}: {text}"))
            }
            Self::Cron { job, text, is_bad } => {
                let tone = if *is_bad { Tone::Warning } else { Tone::Good };
                Line::new(tone, "cron", format!("{job}: {text}"))
            }
            Self::Output { process, line } => Line::new(Tone::Process(color(process)), process.clone(), line.clone()),
            Self::Prompt { process, .. } => Line::new(
                Tone::Warning,
                "debugger",
                format!("{process} waits for a line in the terminal of `dae serve`; `c` goes on"),
            ),
            Self::Served(access) => {
                let tone = match access.status {
                    500.. => Tone::Bad,
                    400.. => Tone::Warning,
                    _ => Tone::Quiet,
                };
                let text = format!("{} {} · {}", access.method, access.path, Took(access.took));
                Line::new(tone, access.status.to_string(), text)
            }
            Self::Python(event) => return event.show(),
            Self::Service(event) => return event.show(),
        })
    }

    fn json(&self) -> serde_json::Value {
        match self {
            Self::Python(event) => event.json(),
            Self::Service(event) => event.json(),
            _ => serde_json::to_value(self).unwrap_or_default(),
        }
    }
}

/// An event of one app among several.
pub struct Tagged<'a> {
    app: &'a str,
    event: &'a dyn term::Event,
    problem: Option<Problem>,
}

impl<'a> Tagged<'a> {
    pub fn new(app: &'a str, event: &'a dyn term::Event) -> Self {
        let problem = match event.show() {
            Shown::Problem(problem) => {
                Some(Problem { message: format!("{app}: {}", problem.message), ..problem.clone() })
            }
            _ => None,
        };
        Self { app, event, problem }
    }
}

impl term::Event for Tagged<'_> {
    fn show(&self) -> Shown<'_> {
        if let Some(problem) = &self.problem {
            return Shown::Problem(problem);
        }
        let app = self.app;
        match self.event.show() {
            Shown::Line(Line { word, text, tone: tone @ Tone::Process(_) }) => {
                Shown::Line(Line { word: format!("{app}/{word}"), text, tone })
            }
            Shown::Line(line) => Shown::Line(Line { text: format!("{app}: {}", line.text), ..line }),
            Shown::Progress(progress) => {
                Shown::Progress(Progress { text: format!("{app}: {}", progress.text), ..progress })
            }
            shown => shown,
        }
    }

    fn json(&self) -> serde_json::Value {
        let mut json = self.event.json();
        if let Some(fields) = json.as_object_mut() {
            fields.insert("app".into(), self.app.into());
        }
        json
    }
}

/// A process's colour follows from its name, so that it is the same tomorrow.
fn color(process: &str) -> u8 {
    process.bytes().fold(0, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte))
}

fn names(changed: &[PathBuf]) -> String {
    let first = changed.first().map(|path| path.display().to_string()).unwrap_or_default();
    match changed.len() {
        0 | 1 => first,
        count => format!("{first} and {} more", count - 1),
    }
}

/// A time as a person reads it.
struct Took(Duration);

impl std::fmt::Display for Took {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0.as_millis() {
            0 => write!(f, "{} µs", self.0.as_micros()),
            ms @ 1..1000 => write!(f, "{ms} ms"),
            _ => write!(f, "{:.1} s", self.0.as_secs_f64()),
        }
    }
}
