//! What a person is told when something stands in the way: plain data. It imports nothing of ours and draws nothing;
//! the terminal, `--json`, the browser page and the wire all show this one value.

use std::borrow::Cow;
use std::fmt::Display;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

pub type Result<T, E = Problem> = std::result::Result<T, E>;

/// One thing that is wrong: what was wanted, what stood in the way, where, and what to type next.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[must_use]
pub struct Problem {
    /// Stable and for programs: `area.what`, as in `app.bad-name`.
    pub code: Cow<'static, str>,
    /// One line, lowercase, no full stop.
    pub message: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
    /// What lies beneath, outermost first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub causes: Vec<String>,
    /// Output of somebody else, verbatim: a traceback, an installer's last lines.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub detail: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hints: Vec<Hint>,
    /// Further problems found in the same look, so that a file's faults are told at once.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub others: Vec<Problem>,
    /// The process's exit code when this ends a command.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub exit: u8,
}

fn one() -> u8 {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature serde asks for")]
fn is_one(exit: &u8) -> bool {
    *exit == 1
}

/// A place in a text file. Lines and columns count from 1, columns in characters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    pub file: PathBuf,
    pub line: usize,
    pub column: usize,
    /// How many characters are meant; 0 for the place alone.
    pub length: usize,
    /// The line itself.
    pub text: String,
}

/// What to do next.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Hint {
    /// A command to type, as it is typed.
    Run(String),
    /// Anything else, a short phrase.
    Say(String),
}

impl Problem {
    pub fn new(code: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Self {
        Self {
            code: code.into(),
            message: message.into(),
            place: None,
            causes: Vec::new(),
            detail: String::new(),
            hints: Vec::new(),
            others: Vec::new(),
            exit: 1,
        }
    }

    pub fn at(mut self, place: Place) -> Self {
        self.place = Some(place);
        self
    }

    pub fn because(mut self, cause: impl Display) -> Self {
        self.causes.push(cause.to_string());
        self
    }

    pub fn detail(mut self, text: impl Into<String>) -> Self {
        self.detail = text.into();
        self
    }

    pub fn try_running(mut self, command: impl Into<String>) -> Self {
        self.hints.push(Hint::Run(command.into()));
        self
    }

    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(Hint::Say(hint.into()));
        self
    }

    pub fn exit(mut self, code: u8) -> Self {
        self.exit = code;
        self
    }

    /// The first of `problems` carrying the rest; `None` when there are none.
    pub fn all(problems: impl IntoIterator<Item = Problem>) -> Option<Self> {
        let mut problems = problems.into_iter();
        let mut first = problems.next()?;
        first.others.extend(problems);
        Some(first)
    }
}

impl Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)?;
        for cause in &self.causes {
            write!(f, ": {cause}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Problem {}

impl Place {
    /// The place of `length` characters from byte `offset` of `text`, the whole of `file`.
    /// An offset past the end, or inside a character, names the nearest place before it.
    pub fn in_text(file: &Path, text: &str, offset: usize, length: usize) -> Self {
        let mut offset = offset.min(text.len());
        while !text.is_char_boundary(offset) {
            offset -= 1;
        }
        let start = text[..offset].rfind('\n').map_or(0, |at| at + 1);
        let line = text[start..].lines().next().unwrap_or_default();
        let column = text[start..offset].chars().count() + 1;
        Self {
            file: file.to_owned(),
            line: text[..offset].matches('\n').count() + 1,
            column,
            length: length.min(line.chars().count().saturating_sub(column - 1)),
            text: line.to_owned(),
        }
    }
}

/// Names what was being done when an `io` error came, so that no file error reaches a person bare.
pub trait Doing<T> {
    /// `what` follows "could not": `read /tmp/app.yaml`.
    fn doing<D: Display>(self, what: impl FnOnce() -> D) -> Result<T>;
}

impl<T> Doing<T> for io::Result<T> {
    fn doing<D: Display>(self, what: impl FnOnce() -> D) -> Result<T> {
        self.map_err(|error| {
            let problem = Problem::new(io_code(error.kind()), format!("could not {}", what())).because(&error);
            match error.kind() {
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                    problem.hint("free some space and try again; nothing was changed")
                }
                io::ErrorKind::PermissionDenied => problem.hint("check who owns it and its permissions"),
                _ => problem,
            }
        })
    }
}

fn io_code(kind: io::ErrorKind) -> &'static str {
    match kind {
        io::ErrorKind::NotFound => "io.not-found",
        io::ErrorKind::PermissionDenied => "io.permission",
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "io.disk-full",
        _ => "io",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_found_by_offset() {
        let text = "one\nzwei 你好 drei\n";
        let at = |offset, length| {
            let place = Place::in_text(Path::new("f"), text, offset, length);
            (place.line, place.column, place.length, place.text)
        };
        assert_eq!(at(0, 3), (1, 1, 3, "one".into()));
        assert_eq!(at(9, 2), (2, 6, 2, "zwei 你好 drei".into()));
        assert_eq!(at(10, 99), (2, 6, 7, "zwei 你好 drei".into()));
        assert_eq!(at(999, 1), (3, 1, 0, String::new()));
    }

    #[test]
    fn a_problem_survives_the_wire() {
        let problem = Problem::new("a.b", "no").because("x").try_running("dae y").exit(6);
        let wire = serde_json::to_string(&problem).unwrap();
        assert_eq!(serde_json::from_str::<Problem>(&wire).unwrap(), problem);
    }
}
