//! What services tell while they run.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::problem::Problem;
use crate::term::{self, Line, Shown, Tone};

#[derive(Debug, Clone, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// Something to know of, as that a database was started, or that a mail came in.
    Service { service: String, text: String },
    /// A service cannot do its work.
    ServiceFailed { service: String, problem: Problem },
    /// An error was reported for the first time, or again after somebody was done with it.
    Error(NewError),
    /// All services have stopped for a moment; who connects waits.
    ServicesPaused,
    /// They are back, with other data perhaps, for this reason. Connections from before are cut.
    ServicesResumed { why: String },
}

/// An error that somebody should look at.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct NewError {
    pub number: u64,
    pub kind: String,
    pub message: String,
    pub place: String,
    /// Somebody was done with it.
    pub back: bool,
}

/// Where events go.
#[derive(Clone)]
pub struct Tell(Arc<dyn Fn(Event) + Send + Sync>);

impl Tell {
    pub fn new(hear: impl Fn(Event) + Send + Sync + 'static) -> Self {
        Self(Arc::new(hear))
    }

    /// For whoever wants to know of nothing.
    pub fn nobody() -> Self {
        Self::new(drop)
    }

    pub fn note(&self, service: &str, text: impl Into<String>) {
        (self.0)(Event::Service { service: service.to_owned(), text: text.into() });
    }

    pub fn event(&self, event: Event) {
        (self.0)(event);
    }

    pub fn failed(&self, service: &str, problem: Problem) {
        (self.0)(Event::ServiceFailed { service: service.to_owned(), problem });
    }
}

impl fmt::Debug for Tell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tell")
    }
}

impl term::Event for Event {
    fn show(&self) -> Shown<'_> {
        match self {
            Self::Service { service, text } => Shown::Line(Line::new(Tone::Plain, service.clone(), text.clone())),
            Self::ServiceFailed { problem, .. } => Shown::Problem(problem),
            // It is said in words too.
            Self::Error(_) | Self::ServicesPaused => Shown::Nothing,
            Self::ServicesResumed { why } => Shown::Line(Line::good("state", why.clone())),
        }
    }

    fn json(&self) -> serde_json::Value {
        serde_json::to_value(self).unwrap_or_default()
    }
}
