//! pip-req.txt, read without losing anything: comments, blank lines, order, hashes, continued lines, options and line ends
//! stay as their author wrote them, and only what is asked for changes. Pure: it reads and writes no file.

mod edit;
mod line;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

pub use self::line::Pin;
use self::line::{Kind, Line, logical, names_of, place, read};
use super::requirement::{Name, Repository, Requirement};
use crate::problem::{Problem, Result};

/// The name of the file.
pub const PINS: &str = "pip-req.txt";

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pins {
    /// What it is called where a place in it is shown.
    file: PathBuf,
    lines: Vec<Line>,
}

/// A requirement that is to become a direct one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    pub requirement: Requirement,
    /// As it was typed.
    pub text: String,
    /// The branch its revision was taken from.
    pub follows: Option<String>,
}

impl Asked {
    pub fn parse(text: &str) -> Result<Self> {
        Ok(Self { requirement: Requirement::parse(text)?, text: text.trim().to_owned(), follows: None })
    }
}

impl Pins {
    pub fn parse(text: &str) -> Self {
        Self::parse_file(Path::new(PINS), text)
    }

    /// Reads another file of that kind.
    pub fn parse_file(file: &Path, text: &str) -> Self {
        let mut lines: Vec<Line> = Vec::new();
        let mut rest = text;
        let mut offset = 0;
        while !rest.is_empty() {
            let raw = logical(rest);
            rest = &rest[raw.len()..];
            let annotation = raw.starts_with([' ', '\t']) && raw.trim_start().starts_with('#');
            if let Some(Line { raw: above, kind: Kind::Pin(pin) }) = lines.last_mut().filter(|_| annotation) {
                let words = raw.trim().trim_start_matches('#').trim();
                // pip-compile's form: `# via flask`, or `# via` and one name a line.
                let carried_on = above.lines().last().is_some_and(|last| last.trim_start().starts_with('#'));
                if words == "via" || words.starts_with("via ") || carried_on {
                    let names = words.strip_prefix("via").filter(|rest| rest.is_empty() || rest.starts_with(' '));
                    pin.via.extend(names_of(names.unwrap_or(words)));
                    above.push_str(raw);
                    offset += raw.len();
                    continue;
                }
            }
            lines.push(Line { raw: raw.to_owned(), kind: read(raw, file, text, offset) });
            offset += raw.len();
        }
        Self { file: file.to_owned(), lines }
    }

    pub fn text(&self) -> String {
        self.lines.iter().map(|line| line.raw.as_str()).collect()
    }

    /// The text with these lines in place of the file's own.
    pub fn text_with(&self, lines: &BTreeMap<Name, String>) -> String {
        let told = |line: &Line| match &line.kind {
            Kind::Pin(pin) => lines.get(&pin.requirement.key()).map(|told| format!("{told}\n")),
            _ => None,
        };
        self.lines.iter().map(|line| told(line).unwrap_or_else(|| line.raw.clone())).collect()
    }

    pub fn iter(&self) -> impl Iterator<Item = &Pin> {
        self.lines.iter().filter_map(|line| match &line.kind {
            Kind::Pin(pin) => Some(pin),
            _ => None,
        })
    }

    pub fn get(&self, name: &Name) -> Option<&Pin> {
        self.iter().find(|pin| pin.requirement.key() == *name)
    }

    /// How the file spells each name.
    pub fn names(&self) -> BTreeMap<Name, String> {
        self.iter().map(|pin| (pin.requirement.key(), pin.requirement.name.clone())).collect()
    }

    /// Everything in the file that cannot be right.
    pub fn problems(&self) -> Vec<Problem> {
        let mut problems: Vec<Problem> = self
            .lines
            .iter()
            .filter_map(|line| match &line.kind {
                Kind::Wrong(problem) => Some(problem.clone()),
                _ => None,
            })
            .collect();
        let (mut seen, mut offset) = (BTreeMap::new(), 0);
        let text = self.text();
        for line in &self.lines {
            if let Kind::Pin(pin) = &line.kind
                && pin.requirement.marker.is_empty()
                && let Some(first) = seen.insert(pin.requirement.key(), pin.text.clone())
            {
                problems.push(
                    Problem::new("pins.twice", format!("`{}` is there twice", pin.requirement.name))
                        .at(place(&self.file, &text, offset, &pin.text))
                        .because(format!("`{first}` stands above it"))
                        .hint("take one of the two out"),
                );
            }
            offset += line.raw.len();
        }
        problems
    }

    /// Direct requirements that name no single version.
    pub fn loose(&self) -> impl Iterator<Item = &Pin> {
        self.iter().filter(|pin| pin.requirement.is_from_index() && pin.requirement.pinned().is_none())
    }

    pub fn has_hashes(&self) -> bool {
        self.iter().any(|pin| !pin.hashes.is_empty())
    }

    /// Requirements from a version control system that name no single revision, each as a problem at its place.
    pub fn moving(&self) -> Vec<Problem> {
        let (text, mut offset, mut problems) = (self.text(), 0, Vec::new());
        for line in &self.lines {
            if let Kind::Pin(pin) = &line.kind
                && let Some(repository) = pin.requirement.repository()
                && !repository.is_pinned()
            {
                problems.push(moving(pin, repository).at(place(&self.file, &text, offset, &pin.text)));
            }
            offset += line.raw.len();
        }
        problems
    }

    /// Other files of requirements (`-r`) and of constraints (`-c`) that it names, as written.
    pub fn named(&self) -> Vec<(Names, &str)> {
        let options = self.lines.iter().filter_map(|line| match &line.kind {
            Kind::Option(text) => Some(text.as_str()),
            _ => None,
        });
        options
            .filter_map(|text| {
                let (kind, rest) = [
                    (Names::Requirements, "--requirement"),
                    (Names::Requirements, "-r"),
                    (Names::Constraints, "--constraint"),
                    (Names::Constraints, "-c"),
                ]
                .into_iter()
                .find_map(|(kind, option)| text.strip_prefix(option).map(|rest| (kind, rest)))?;
                Some((kind, rest.trim_start_matches([' ', '=', '\t']).trim()))
            })
            .collect()
    }

    /// What an installer is asked for when `asked` is added: options and direct requirements, the asked ones as they were
    /// typed in place of the file's own.
    pub fn wish(&self, asked: &[Asked]) -> String {
        let named: BTreeSet<Name> = asked.iter().map(|one| one.requirement.key()).collect();
        let mut wish = String::new();
        for line in &self.lines {
            match &line.kind {
                Kind::Option(text) => wish.push_str(text),
                Kind::Pin(pin) if pin.is_direct() && !named.contains(&pin.requirement.key()) => {
                    wish.push_str(&pin.text);
                }
                _ => continue,
            }
            wish.push('\n');
        }
        for one in asked {
            wish.push_str(&one.text);
            wish.push('\n');
        }
        wish
    }

    /// The versions that should stay where there is a choice: one `name==version` a line.
    pub fn preferred(&self) -> String {
        let pinned = self
            .iter()
            .filter(|pin| pin.requirement.marker.is_empty())
            .filter_map(|pin| Some(format!("{}=={}\n", pin.requirement.name, pin.requirement.pinned()?)));
        pinned.collect()
    }
}

/// What a named file is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Names {
    Requirements,
    Constraints,
}

fn moving(pin: &Pin, repository: &Repository) -> Problem {
    let name = &pin.requirement.name;
    let why = match &repository.rev {
        Some(rev) if rev.len() >= 4 && rev.bytes().all(|byte| byte.is_ascii_hexdigit()) => {
            format!("`{rev}` is the short form of a revision, which may come to mean another one")
        }
        Some(rev) => format!("`{rev}` is a branch or a tag, and they move"),
        None => "it names no revision, so every machine would get another one".to_owned(),
    };
    Problem::new("pins.moving", format!("`{name}` is not pinned to one revision"))
        .because(why)
        .try_running(format!("dae update {name}"))
}
