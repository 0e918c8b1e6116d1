//! From a YAML tree to values, key by key: collects every fault and every warning while it reads on. Knows the shapes of values
//! (a text, a number in a range, one word of a few), not the meaning of any key.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::path::{Component, Path};

use super::yaml::{Key, Node, Source, Value};
use crate::problem::{Place, Problem, Result};

pub(super) struct Reader<'a> {
    pub source: Source<'a>,
    /// What the codes of its problems begin with: `app-yaml`.
    area: &'static str,
    problems: Vec<Problem>,
    warnings: Vec<Problem>,
}

/// The keys of one map, each with the value that counts.
pub(super) struct Keys<'n> {
    pub node: &'n Node,
    values: BTreeMap<&'n str, &'n Node>,
}

impl<'n> Keys<'n> {
    /// Every key and its value.
    pub fn all(&self) -> impl Iterator<Item = (&'n str, &'n Node)> + '_ {
        self.values.iter().map(|(name, node)| (*name, *node))
    }

    /// The value of `name`; one that is there and empty counts as not there, as everywhere in YAML.
    pub fn get(&self, name: &str) -> Option<&'n Node> {
        self.values.get(name).copied().filter(|node| !matches!(node.value, Value::Null))
    }
}

/// The text in the bytes of `file`.
pub(super) fn decode<'b>(area: &'static str, file: &Path, bytes: &'b [u8]) -> Result<&'b str> {
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let before = String::from_utf8_lossy(&bytes[..error.valid_up_to()]);
        Problem::new(format!("{area}.encoding"), format!("`{}` is not UTF-8", file.display()))
            .at(Place::in_text(file, &before, before.len(), 0))
            .because(format!("the byte {:#04x} after that cannot be read", bytes[error.valid_up_to()]))
            .hint("save it as UTF-8")
    })?;
    Ok(text.strip_prefix('\u{feff}').unwrap_or(text))
}

impl<'a> Reader<'a> {
    pub fn new(area: &'static str, source: Source<'a>) -> Self {
        Self { source, area, problems: Vec::new(), warnings: Vec::new() }
    }

    /// What was read, with the warnings; or all problems as one.
    pub fn done<T>(mut self, value: Option<T>) -> Result<(T, Vec<Problem>)> {
        let line = |problem: &Problem| problem.place.as_ref().map_or((0, 0), |at| (at.line, at.column));
        self.problems.sort_by_key(line);
        self.warnings.sort_by_key(line);
        match (value, Problem::all(self.problems)) {
            (_, Some(problem)) => Err(problem),
            (Some(value), None) => Ok((value, self.warnings)),
            (None, None) => Err(Problem::new(self.area, format!("`{}` could not be read", self.source.file.display()))),
        }
    }

    /// `what` follows the area in the problem's code.
    pub fn wrong(&mut self, node: &Node, what: &str, message: impl Into<String>, hint: impl Into<String>) {
        let place = self.source.value_place(node);
        self.push(Problem::new(format!("{}.{what}", self.area), message).at(place).hint(hint));
    }

    pub fn push(&mut self, problem: Problem) {
        self.problems.push(problem);
    }

    pub fn warn(&mut self, node: &Node, what: &str, message: impl Into<String>, hint: impl Into<String>) {
        let place = self.source.value_place(node);
        self.warnings.push(Problem::new(format!("{}.{what}", self.area), message).at(place).hint(hint));
    }

    fn wrong_type(&mut self, node: &Node, wanted: &str, hint: impl Into<String>) {
        self.wrong(node, "type", format!("{wanted}, and there is {}", node.kind()), hint);
    }

    /// The keys of a map. One that comes twice warns and the last counts, as PyYAML has it; one nobody knows warns.
    pub fn keys<'n>(&mut self, node: &'n Node, what: &str, known: &[&str]) -> Option<Keys<'n>> {
        let keys = self.any_keys(node, what)?;
        let Value::Map(pairs) = &node.value else { return None };
        for (key, _) in pairs {
            let name = key.name.as_str();
            if !known.contains(&name) {
                let problem = self.about_key(key, "unknown-key", format!("`{name}` is no key of {what}"));
                self.warnings.push(match nearest(name, known) {
                    Some(near) => problem.hint(format!("did you mean `{near}`?")),
                    None => problem.hint(format!("it is left out; known are {}", words(known))),
                });
            }
        }
        Some(keys)
    }

    /// The keys of a map that may have any.
    pub fn any_keys<'n>(&mut self, node: &'n Node, what: &str) -> Option<Keys<'n>> {
        let Value::Map(pairs) = &node.value else {
            self.wrong_type(node, &format!("{what} wants keys"), "write `key: value`, one a line");
            return None;
        };
        let mut values = BTreeMap::new();
        for (key, node) in pairs {
            if values.insert(key.name.as_str(), node).is_some() {
                let message = format!("`{}` is there twice; the last one counts", key.name);
                let problem = self.about_key(key, "twice", message).hint("take one of them out");
                self.warnings.push(problem);
            }
        }
        Some(Keys { node, values })
    }

    fn about_key(&self, key: &Key, what: &str, message: String) -> Problem {
        Problem::new(format!("{}.{what}", self.area), message).at(self.source.key_place(key))
    }

    /// The value of a key that has to be there; `what` names the map it is missing from.
    pub fn required<'n>(&mut self, keys: &Keys<'n>, name: &str, what: &str, example: &str) -> Option<&'n Node> {
        let found = keys.get(name);
        if found.is_none() {
            let place = self.source.start_place(keys.node);
            let problem = Problem::new(format!("{}.missing", self.area), format!("{what} has no `{name}`"));
            self.push(problem.at(place).hint(format!("add `{example}`")));
        }
        found
    }

    pub fn text(&mut self, node: &Node, name: &str) -> Option<String> {
        if let Value::Text(text) = &node.value {
            return Some(text.clone());
        }
        let hint = match node.value {
            Value::List(_) | Value::Map(_) => format!("write `{name}: ...` with a plain word"),
            _ => format!("put quotes round it: `{name}: \"{}\"`", node.scalar()),
        };
        self.wrong_type(node, &format!("`{name}` wants a text"), hint);
        None
    }

    pub fn optional_text(&mut self, keys: &Keys, name: &str) -> Option<String> {
        let node = keys.get(name)?;
        self.text(node, name)
    }

    /// A text or a number, as it is written: a version, a channel.
    pub fn word(&mut self, node: &Node, name: &str, example: &str) -> Option<String> {
        if matches!(node.value, Value::Null | Value::List(_) | Value::Map(_)) {
            let wanted = format!("`{name}` wants a number or a word");
            self.wrong_type(node, &wanted, format!("write `{example}`"));
            return None;
        }
        Some(node.scalar())
    }

    /// The entries of a list.
    pub fn list<'n>(&mut self, keys: &Keys<'n>, name: &str, example: &str) -> &'n [Node] {
        match keys.get(name) {
            None => &[],
            Some(Node { value: Value::List(nodes), .. }) => nodes,
            Some(node) => {
                self.wrong_type(node, &format!("`{name}` wants a list"), format!("write `{example}`"));
                &[]
            }
        }
    }

    pub fn texts(&mut self, keys: &Keys, name: &str) -> Vec<String> {
        let nodes = self.list(keys, name, &format!("{name}: [...]"));
        nodes.iter().filter_map(|node| self.text(node, name)).collect()
    }

    /// One text, or a list of them.
    pub fn one_or_more(&mut self, keys: &Keys, name: &str) -> Vec<String> {
        match keys.get(name) {
            Some(Node { value: Value::Text(text), .. }) => vec![text.clone()],
            Some(node) if !matches!(node.value, Value::List(_)) => {
                self.wrong_type(
                    node,
                    &format!("`{name}` wants a text or a list of them"),
                    format!("write `{name}: [...]`"),
                );
                Vec::new()
            }
            _ => self.texts(keys, name),
        }
    }

    pub fn number(&mut self, keys: &Keys, name: &str, range: RangeInclusive<u32>, otherwise: u32) -> u32 {
        let Some(node) = keys.get(name) else { return otherwise };
        let found = if let Value::Int(n) = node.value { u32::try_from(n).ok() } else { None };
        if let Some(n) = found.filter(|n| range.contains(n)) {
            return n;
        }
        let there = if let Value::Int(n) = node.value { format!("`{n}`") } else { node.kind().to_owned() };
        let hint = format!("write a whole number from {} to {}", range.start(), range.end());
        self.wrong(node, name, format!("`{name}` wants a number, and there is {there}"), hint);
        otherwise
    }

    /// A time in seconds, more than nothing.
    pub fn seconds(&mut self, keys: &Keys, name: &str) -> Option<f64> {
        let node = keys.get(name)?;
        let seconds = match node.value {
            #[expect(
                clippy::cast_precision_loss,
                reason = "a time out far beyond 2^53 seconds is refused all the same"
            )]
            Value::Int(n) => n as f64,
            Value::Float(n) => n,
            _ => f64::NAN,
        };
        if seconds > 0.0 && seconds <= 86_400.0 {
            return Some(seconds);
        }
        let message = format!("`{name}` wants a time in seconds, and there is {}", node.told());
        self.wrong(node, name, message, format!("write `{name}: 1.5`"));
        None
    }

    pub fn flag(&mut self, keys: &Keys, name: &str) -> bool {
        match keys.get(name).map(|node| (node, &node.value)) {
            None => false,
            Some((_, Value::Bool(value))) => *value,
            // Words that PyYAML, a reader of the YAML before 1.2, takes for them.
            Some((_, Value::Text(text))) if ["yes", "on", "Yes", "On", "YES", "ON"].contains(&text.as_str()) => true,
            Some((_, Value::Text(text))) if ["no", "off", "No", "Off", "NO", "OFF"].contains(&text.as_str()) => false,
            Some((node, _)) => {
                let message = format!("`{name}` wants yes or no, and there is {}", node.told());
                self.wrong(node, name, message, format!("write `{name}: true` or `{name}: false`"));
                false
            }
        }
    }

    /// One word of a few.
    pub fn choice<T: Copy>(&mut self, keys: &Keys, name: &str, what: &str, choices: &[(&str, T)]) -> Option<T> {
        let node = keys.get(name)?;
        let text = match &node.value {
            Value::Text(text) => text.clone(),
            _ => node.scalar(),
        };
        if let Some((_, choice)) = choices.iter().find(|(word, _)| *word == text) {
            return Some(*choice);
        }
        let known: Vec<&str> = choices.iter().map(|(word, _)| *word).collect();
        let hint = match nearest(&text.to_lowercase(), &known) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("write {}", words(&known)),
        };
        self.wrong(node, name, format!("{} is no {what}", node.told()), hint);
        None
    }

    /// A path below the app's folder.
    pub fn path(&mut self, node: &Node, name: &str) -> Option<String> {
        let text = self.text(node, name)?;
        if is_below(&text) {
            return Some(text);
        }
        let hint = "write a path below the folder of app.yaml, as in `static/site.css`";
        self.wrong(node, "path", format!("`{text}` does not lie in the app"), hint);
        None
    }

    /// Notes the name of an entry; a second one of the same name is a problem.
    pub fn own_name(&mut self, seen: &mut Vec<String>, node: &Node, what: &str) -> Option<String> {
        let name = self.text(node, "name")?;
        let good = name.starts_with(|c: char| c.is_ascii_alphabetic())
            && name.len() <= 32
            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
        if !good {
            let hint = "write up to 32 letters, digits, `_` and `-`, a letter first";
            self.wrong(node, "name", format!("`{name}` cannot be the name of {what}"), hint);
            return None;
        }
        if seen.contains(&name) {
            let message = format!("`{name}` is the name of two: {what} has its own");
            self.wrong(node, "name", message, "give each another name");
            return None;
        }
        seen.push(name.clone());
        Some(name)
    }
}

/// Whether a relative path cannot lead out of the folder it is taken from.
pub(super) fn is_below(path: &str) -> bool {
    let parts = || Path::new(path).components();
    parts().all(|part| matches!(part, Component::Normal(_) | Component::CurDir))
        && parts().any(|part| matches!(part, Component::Normal(_)))
        && !path.contains('\0')
}

/// The known word a person most likely meant.
pub(super) fn nearest<'k>(word: &str, known: &[&'k str]) -> Option<&'k str> {
    known
        .iter()
        .map(|candidate| (strsim::damerau_levenshtein(word, candidate), *candidate))
        .min()
        .filter(|(far, candidate)| *far <= (candidate.chars().count() / 3).max(1))
        .map(|(_, candidate)| candidate)
}

/// `a`, `b` or `c`.
pub(super) fn words(known: &[&str]) -> String {
    let quoted: Vec<String> = known.iter().map(|word| format!("`{word}`")).collect();
    match quoted.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
        _ => quoted.concat(),
    }
}
