//! What long work says while it goes on. An event is data; how it looks follows from [`Shown`].

use serde::{Deserialize, Serialize};

use crate::problem::Problem;

/// Something that happened. Serialised it is one line of `--json`, with its kind under `event`.
pub trait Event: Send + Sync {
    fn show(&self) -> Shown<'_>;
    fn json(&self) -> serde_json::Value;
}

/// How a person sees an event on stderr.
#[derive(Debug)]
pub enum Shown<'a> {
    /// Only for programs.
    Nothing,
    Line(Line),
    /// A part of the answer that comes before its end: a line on stdout.
    Answer(&'a str),
    /// Replaces the one moving line, until the next `Line` or `Progress`.
    Progress(Progress),
    Problem(&'a Problem),
}

/// A word in the gutter and what follows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    pub word: String,
    pub text: String,
    pub tone: Tone,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Tone {
    Good,
    Plain,
    Quiet,
    Warning,
    Bad,
    /// A process's own colour, stable from run to run.
    Process(u8),
}

/// How far long work has come; `total` 0 when nobody can know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    pub word: String,
    pub text: String,
    pub done: u64,
    pub total: u64,
    pub unit: Unit,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    Items,
    Bytes,
}

impl Line {
    pub fn new(tone: Tone, word: impl Into<String>, text: impl Into<String>) -> Self {
        Self { word: word.into(), text: text.into(), tone }
    }

    pub fn good(word: impl Into<String>, text: impl Into<String>) -> Self {
        Self::new(Tone::Good, word, text)
    }

    pub fn warning(text: impl Into<String>) -> Self {
        Self::new(Tone::Warning, "warning", text)
    }
}

impl Progress {
    /// Work whose length nobody can know: a spinner.
    pub fn spinner(word: impl Into<String>, text: impl Into<String>) -> Self {
        Self { word: word.into(), text: text.into(), done: 0, total: 0, unit: Unit::Items }
    }

    pub fn bytes(word: impl Into<String>, text: impl Into<String>, done: u64, total: u64) -> Self {
        Self { word: word.into(), text: text.into(), done, total, unit: Unit::Bytes }
    }
}
