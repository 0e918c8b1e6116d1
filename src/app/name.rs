//! The name of an app.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::problem::{Problem, Result};

/// An app's name: a lowercase letter, then up to 15 of `a-z0-9_`, and not `init`, as the real DAE had it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AppName(String);

/// The longest name the real DAE took.
const LONGEST: usize = 16;

impl AppName {
    pub fn parse(text: &str) -> Result<Self> {
        let wrong = if text.is_empty() {
            "is empty"
        } else if text == "init" {
            "is reserved"
        } else if text.len() > LONGEST {
            "is longer than 16 characters"
        } else if !text.starts_with(|c: char| c.is_ascii_lowercase()) {
            "does not begin with a lowercase letter"
        } else if !text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_') {
            "may hold only lowercase letters, digits and `_`"
        } else {
            return Ok(Self(text.to_owned()));
        };
        Err(Problem::new("app.bad-name", format!("the app name `{text}` {wrong}")))
    }

    /// The nearest good name to what was typed, if there is one.
    pub fn nearest(text: &str) -> Option<Self> {
        let mut name = String::new();
        for c in text.trim().to_lowercase().chars() {
            match c {
                'a'..='z' | '0'..='9' => name.push(c),
                _ if name.ends_with('_') || name.is_empty() => {}
                _ => name.push('_'),
            }
        }
        let name = name.trim_start_matches(|c: char| !c.is_ascii_lowercase());
        let name: String = name.chars().take(LONGEST).collect();
        Self::parse(name.trim_end_matches('_')).ok()
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name as a label of a host name, in which `_` may not stand.
    pub fn host(&self) -> String {
        self.0.replace('_', "-")
    }
}

impl TryFrom<String> for AppName {
    type Error = Problem;

    fn try_from(text: String) -> Result<Self> {
        Self::parse(&text)
    }
}

impl From<AppName> for String {
    fn from(name: AppName) -> Self {
        name.0
    }
}

impl fmt::Display for AppName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for good in ["p", "daetest", "a1_b", "abcdefghijklmnop"] {
            assert!(AppName::parse(good).is_ok(), "{good}");
        }
        for (bad, nearest) in [
            ("", None),
            ("init", None),
            ("My-Blog", Some("my_blog")),
            ("1st", Some("st")),
            ("_x_", Some("x")),
            ("abcdefghijklmnopq", Some("abcdefghijklmnop")),
            ("Überblick", Some("berblick")),
            ("你好", None),
        ] {
            assert!(AppName::parse(bad).is_err(), "{bad}");
            assert_eq!(AppName::nearest(bad).as_ref().map(AppName::as_str), nearest, "{bad}");
        }
    }
}
