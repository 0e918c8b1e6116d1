//! One logical line of pip-req.txt: its bytes, and what they mean.

use std::fmt::Write as _;
use std::path::Path;

use crate::problem::{Place, Problem};
use crate::python::requirement::{self, Name, Requirement};

/// A logical line: with what a `\` carries on, and with the indented `# via` lines below it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    /// Verbatim, line ends included.
    pub(super) raw: String,
    pub(super) kind: Kind,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    /// Nothing, or a comment.
    Blank,
    /// `--index-url ...`, `-r ...`.
    Option(String),
    Pin(Pin),
    /// Not understood; kept, and told by [`super::Pins::problems`].
    Wrong(Problem),
}

/// One requirement of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pin {
    pub requirement: Requirement,
    /// The requirement as it stands, without hashes and comment.
    pub text: String,
    pub hashes: Vec<String>,
    /// What else stands behind it, as written: `--config-settings ...`.
    pub(super) options: Vec<String>,
    /// Who needs it; empty for a direct requirement.
    pub via: Vec<String>,
    /// The author's own words behind it, and which branch it follows.
    pub(super) comment: Option<String>,
}

const FOLLOWS: &str = "follows ";

impl Pin {
    pub fn is_direct(&self) -> bool {
        self.via.is_empty()
    }

    /// The branch that a revision was taken from and is moved along.
    pub fn follows(&self) -> Option<&str> {
        let words = self.comment.as_deref()?.strip_prefix(FOLLOWS)?;
        words.split(char::is_whitespace).next().map(|branch| branch.trim_end_matches([';', ',']))
    }

    pub(super) fn write(&self, end: &str) -> String {
        let mut line = self.text.clone();
        for option in &self.options {
            let _ = write!(line, " {option}");
        }
        for hash in &self.hashes {
            let _ = write!(line, " \\{end}    --hash={hash}");
        }
        if !self.via.is_empty() {
            let _ = write!(line, "  # via {}", self.via.join(", "));
        } else if let Some(comment) = &self.comment {
            let _ = write!(line, "  # {comment}");
        }
        line + end
    }
}

/// The author's words with the branch before them.
pub(super) fn following(comment: Option<&str>, branch: Option<&str>) -> Option<String> {
    let own = comment.map(|comment| match comment.strip_prefix(FOLLOWS) {
        Some(words) => words.split_once(char::is_whitespace).map_or("", |(_, own)| own.trim()),
        None => comment,
    });
    let own = own.filter(|own| !own.is_empty());
    match (branch, own) {
        (Some(branch), Some(own)) => Some(format!("{FOLLOWS}{branch}; {own}")),
        (Some(branch), None) => Some(format!("{FOLLOWS}{branch}")),
        (None, own) => own.map(str::to_owned),
    }
}

impl Line {
    pub(super) fn is(&self, name: &Name) -> bool {
        matches!(&self.kind, Kind::Pin(pin) if pin.requirement.key() == *name)
    }
}

/// The names behind `via`.
pub(super) fn names_of(text: &str) -> impl Iterator<Item = String> {
    text.split(',').map(str::trim).filter(|who| !who.is_empty() && !who.starts_with("-r")).map(str::to_owned)
}

/// The first logical line of `text`, its end included.
pub(super) fn logical(text: &str) -> &str {
    let mut length = 0;
    for line in text.split_inclusive('\n') {
        length += line.len();
        let bare = line.trim_end_matches(['\n', '\r']);
        if !bare.ends_with('\\') || bare.trim_start().starts_with('#') {
            break;
        }
    }
    &text[..length]
}

/// What a logical line means; `text` is the whole file, in which it stands at `offset`.
pub(super) fn read(raw: &str, file: &Path, text: &str, offset: usize) -> Kind {
    // As pip joins them: the `\` goes, blanks stay, and a comment's line ends what was carried on.
    let bare = if offset == 0 { raw.trim_start_matches('\u{feff}') } else { raw };
    let joined: String = bare
        .lines()
        .map(|line| match line.strip_suffix('\\') {
            // However many there are, as pip has it.
            Some(line) => line.trim_end_matches('\\').to_owned(),
            None if line.trim_start().starts_with('#') => format!(" {line}"),
            None => line.to_owned(),
        })
        .collect();
    let (code, comment) = uncommented(joined.trim());
    if code.is_empty() {
        return Kind::Blank;
    }
    if code.starts_with('-') && requirement::editable(code).is_none() {
        return Kind::Option(code.to_owned());
    }
    let (wanted, options) = with_options(code);
    let (hashes, options): (Vec<String>, Vec<String>) =
        options.into_iter().partition(|option| option.starts_with("--hash"));
    let hashes = hashes.iter().map(|hash| hash["--hash".len()..].trim_start_matches(['=', ' ']).to_owned()).collect();
    match Requirement::parse(wanted) {
        Ok(parsed) => {
            let via = comment.and_then(|comment| comment.strip_prefix("via "));
            let via = via.map(|names| names_of(names).collect()).unwrap_or_default();
            let comment = comment.filter(|comment| !comment.starts_with("via ") && !comment.is_empty());
            let comment = comment.map(str::to_owned);
            Kind::Pin(Pin { requirement: parsed, text: wanted.to_owned(), hashes, options, via, comment })
        }
        Err(problem) => Kind::Wrong(problem.at(place(file, text, offset, wanted))),
    }
}

/// A `#` begins a comment at the start or behind a blank; elsewhere it is a URL's fragment.
fn uncommented(line: &str) -> (&str, Option<&str>) {
    let at =
        line.match_indices('#').map(|(at, _)| at).find(|at| line[..*at].chars().last().is_none_or(char::is_whitespace));
    at.map_or((line, None), |at| (line[..at].trim_end(), Some(line[at..].trim_start_matches('#').trim())))
}

/// A requirement, and each option behind it with its value.
fn with_options(code: &str) -> (&str, Vec<String>) {
    let lead = if requirement::editable(code).is_some() { 2 } else { 0 };
    let starts = |at: usize| code[at + 1..].starts_with('-') && code.as_bytes()[at].is_ascii_whitespace();
    let mut cuts: Vec<usize> = (lead..code.len()).filter(|at| code.is_char_boundary(at + 1) && starts(*at)).collect();
    let Some(first) = cuts.first().copied() else { return (code, Vec::new()) };
    cuts.push(code.len());
    let options = cuts.windows(2).map(|cut| code[cut[0]..cut[1]].trim().to_owned()).collect();
    (code[..first].trim_end(), options)
}

/// Where `wanted` stands at or after `offset`.
pub(super) fn place(file: &Path, text: &str, offset: usize, wanted: &str) -> Place {
    let at = text[offset..].find(wanted).map_or(offset, |found| offset + found);
    Place::in_text(file, text, at, wanted.chars().count())
}
