//! YAML as a tree in which every key and value knows its place, so that all faults of a file can be told at once.

use std::fmt;
use std::path::Path;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_yaml::{DuplicateKeyPolicy, Location, Spanned};

use crate::problem::{Place, Problem, Result};

/// A value and where it stands.
#[derive(Debug, Clone)]
pub struct Node {
    pub value: Value,
    at: Location,
}

#[derive(Debug, Clone)]
pub enum Value {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    List(Vec<Node>),
    /// In the order written; a key may come twice.
    Map(Vec<(Key, Node)>),
}

#[derive(Debug, Clone)]
pub struct Key {
    pub name: String,
    at: Location,
}

/// The file a tree was read from, for naming places in it.
#[derive(Debug, Clone, Copy)]
pub struct Source<'a> {
    pub file: &'a Path,
    pub text: &'a str,
}

impl Source<'_> {
    /// The tree, or what keeps the text from being one.
    pub fn read(self) -> Result<Node> {
        let options = serde_yaml::options! {
            duplicate_keys: DuplicateKeyPolicy::PassThrough,
            with_snippet: false,
        };
        serde_yaml::from_str_with_options(self.text, options).map_err(|error| self.broken(&error))
    }

    fn broken(self, error: &serde_yaml::Error) -> Problem {
        let name = self.file.display();
        let mut problem = Problem::new("yaml", format!("`{name}` is not readable as YAML"));
        let said = error.without_snippet().to_string();
        let said = said.split(" at line ").next().unwrap_or_default();
        if said.contains("multiple YAML documents") {
            let problem = problem.because("a second document begins after `---`");
            let problem = problem.hint("take the `---` out, or what follows it");
            return error.location().map_or(problem.clone(), |at| problem.at(self.place(at, 1)));
        }
        problem = problem.because(said.lines().next().unwrap_or_default());
        let Some(at) = error.location() else { return problem };
        let place = self.place(at, 1);
        if place.text.contains('\t') {
            problem = problem.hint("YAML is indented with blanks, never with tabs");
        } else if place.text.contains(": *") {
            problem = problem.hint("put quotes round a value that begins with `*`");
        } else {
            problem = problem.hint("look at the indentation and the colons near that line");
        }
        problem.at(place)
    }

    fn place(self, at: Location, length: usize) -> Place {
        let line = usize::try_from(at.line()).unwrap_or(1).max(1);
        let text = self.text.lines().nth(line - 1).unwrap_or_default().trim_end_matches('\r');
        let column = usize::try_from(at.column()).unwrap_or(1).max(1);
        let rest = text.chars().count().saturating_sub(column - 1);
        Place { file: self.file.to_owned(), line, column, length: length.min(rest), text: text.to_owned() }
    }

    pub fn key_place(self, key: &Key) -> Place {
        self.place(key.at, key.name.chars().count())
    }

    /// The first line of a value, for what should be in it and is not.
    pub fn start_place(self, node: &Node) -> Place {
        let mut place = self.place(node.at, 1);
        place.length = place.text.chars().skip(place.column - 1).collect::<String>().trim_end().chars().count();
        place
    }

    /// The place of some characters of a text, which is what `node` holds; of all of it where it is written otherwise than it reads.
    pub fn part_place(self, node: &Node, text: &str, at: usize, length: usize) -> Place {
        let whole = self.value_place(node);
        let written: String = whole.text.chars().skip(whole.column - 1).collect();
        let quoted = usize::from(written.starts_with(['"', '\'']));
        if !written.chars().skip(quoted).collect::<String>().starts_with(text) || whole.text.is_empty() {
            return whole;
        }
        let column = whole.column + quoted + at;
        let rest = (whole.text.chars().count() + 1).saturating_sub(column);
        Place { column, length: length.min(rest), ..whole }
    }

    /// The place of a value: all of a one-line scalar, the first character of anything larger.
    pub fn value_place(self, node: &Node) -> Place {
        let mut place = self.place(node.at, 1);
        let rest: String = place.text.chars().skip(place.column - 1).collect();
        let written = match &node.value {
            Value::List(_) | Value::Map(_) => return place,
            Value::Text(text) if rest.starts_with(text.as_str()) => text.as_str(),
            _ => match rest.chars().next() {
                Some(quote @ ('"' | '\'')) => rest[1..].find(quote).map_or(rest.as_str(), |end| &rest[..end + 2]),
                _ => rest.split([',', '}', ']']).next().and_then(|rest| rest.split(" #").next()).unwrap_or_default(),
            },
        };
        place.length = written.trim_end().chars().count();
        place
    }
}

impl Node {
    /// What a person calls this kind of value.
    pub fn kind(&self) -> &'static str {
        match self.value {
            Value::Null => "nothing",
            Value::Bool(_) => "yes or no",
            Value::Int(_) | Value::Float(_) => "a number",
            Value::Text(_) => "a text",
            Value::List(_) => "a list",
            Value::Map(_) => "a set of keys",
        }
    }

    /// A scalar as it is written; nothing for what is none.
    pub fn scalar(&self) -> String {
        match &self.value {
            Value::Null | Value::List(_) | Value::Map(_) => String::new(),
            Value::Bool(value) => value.to_string(),
            Value::Int(value) => value.to_string(),
            Value::Float(value) => value.to_string(),
            Value::Text(text) => text.clone(),
        }
    }

    /// The value itself in backticks, or its kind where it would not fit into a line.
    pub fn told(&self) -> String {
        match self.scalar() {
            text if text.is_empty() || text.chars().count() > 60 || text.contains('\n') => self.kind().to_owned(),
            text => format!("`{text}`"),
        }
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Spanned { value, referenced, .. } = Spanned::<Value>::deserialize(deserializer)?;
        Ok(Self { value, at: referenced })
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyValue)
    }
}

struct AnyValue;

impl<'de> Visitor<'de> for AnyValue {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Int(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(i64::try_from(value).map_or_else(|_| Value::Text(value.to_string()), Value::Int))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Value::Float(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::Text(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let mut nodes = Vec::new();
        while let Some(node) = seq.next_element()? {
            nodes.push(node);
        }
        Ok(Value::List(nodes))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut pairs = Vec::new();
        while let Some(Spanned { value: name, referenced: at, .. }) = map.next_key::<Spanned<String>>()? {
            pairs.push((Key { name, at }, map.next_value()?));
        }
        Ok(Value::Map(pairs))
    }
}
