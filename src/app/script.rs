//! A command line of an app's own: `feed.py --verbose`.

use serde::{Deserialize, Serialize};

/// A line that splits into at least one word, as a shell would split it; nothing in it is expanded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Script {
    text: String,
    words: Vec<String>,
}

impl Script {
    /// `Err` says why it cannot be split.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let words = split(text)?;
        if words.is_empty() { Err("it is empty") } else { Ok(Self { text: text.to_owned(), words }) }
    }

    /// The program or Python file, and its arguments.
    pub fn words(&self) -> &[String] {
        &self.words
    }

    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl TryFrom<String> for Script {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text)
    }
}

impl From<Script> for String {
    fn from(script: Script) -> Self {
        script.text
    }
}

/// Words as POSIX `sh` quotes them.
fn split(text: &str) -> Result<Vec<String>, &'static str> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\'' => {
                let word = word.get_or_insert_default();
                loop {
                    match chars.next() {
                        Some('\'') => break,
                        Some(c) => word.push(c),
                        None => return Err("a `'` is not closed"),
                    }
                }
            }
            '"' => {
                let word = word.get_or_insert_default();
                loop {
                    match chars.next() {
                        Some('"') => break,
                        Some('\\') if chars.peek().is_some_and(|c| "\"\\$`".contains(*c)) => word.extend(chars.next()),
                        Some(c) => word.push(c),
                        None => return Err("a `\"` is not closed"),
                    }
                }
            }
            '\\' => word.get_or_insert_default().push(chars.next().ok_or("a `\\` ends it")?),
            '\0' => return Err("it holds a NUL"),
            c if c.is_whitespace() => words.extend(word.take()),
            c => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_a_shells() {
        let words = |text| Script::parse(text).map(|script| script.words);
        assert_eq!(words("feed.py --verbose").unwrap(), ["feed.py", "--verbose"]);
        assert_eq!(words(r#" a 'b c'"d\"e" \  '' "#).unwrap(), ["a", r#"b cd"e"#, " ", ""]);
        for (text, why) in [("", "it is empty"), ("a 'b", "a `'` is not closed"), ("a\\", "a `\\` ends it")] {
            assert_eq!(words(text), Err(why));
        }
    }
}
