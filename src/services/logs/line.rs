//! One line of a log, as it is kept and as it is meant.

use std::sync::OnceLock;

use jiff::Timestamp;
use regex_lite::Regex;
use serde::{Deserialize, Serialize};

/// As Python's logging has them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    Debug,
    Info,
    Warning,
    Error,
    Critical,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Line {
    /// `None` for lines of an older dae, which kept no times.
    pub time: Option<Timestamp>,
    pub process: String,
    pub level: Level,
    pub text: String,
}

/// In the first part of a line only: further on they are words.
const HEAD: usize = 100;

impl Level {
    /// `warning`, `WARN`, `error`; as people write it.
    pub fn parse(text: &str) -> Result<Self, String> {
        Ok(match text.to_ascii_lowercase().as_str() {
            "debug" | "trace" => Self::Debug,
            "info" => Self::Info,
            "warn" | "warning" => Self::Warning,
            "error" => Self::Error,
            "critical" | "fatal" => Self::Critical,
            _ => return Err("it is one of debug, info, warning, error, critical".into()),
        })
    }

    /// What a line says of itself, if it does: the word of its level stands near its beginning, in capitals.
    fn said(text: &str) -> Option<Self> {
        static WORDS: OnceLock<Option<Regex>> = OnceLock::new();
        if text.starts_with("Traceback (most recent call last)") {
            return Some(Self::Error);
        }
        let pattern = r"\b(TRACE|DEBUG|INFO|WARN|WARNING|ERROR|CRITICAL|FATAL)\b";
        let words = WORDS.get_or_init(|| Regex::new(pattern).ok()).as_ref()?;
        let mut end = text.len().min(HEAD);
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        Self::parse(words.find(&text[..end])?.as_str()).ok()
    }
}

/// Gives each line of one process its level: a line that says none and goes on with what stood before it, as those of a
/// traceback do, has that one's.
#[derive(Debug, Default)]
pub struct Levels {
    last: Option<Level>,
    in_traceback: bool,
}

impl Levels {
    pub fn of(&mut self, text: &str) -> Level {
        let goes_on = text.starts_with([' ', '\t']);
        if let Some(level) = Level::said(text).filter(|_| !goes_on) {
            self.last = Some(level);
            self.in_traceback = text.starts_with("Traceback");
            return level;
        }
        if goes_on || text.is_empty() {
            return self.last.unwrap_or(Level::Info);
        }
        if std::mem::take(&mut self.in_traceback) {
            // The last line of a traceback: what was raised.
            return self.last.unwrap_or(Level::Error);
        }
        self.last = None;
        Level::Info
    }
}

/// The time before a kept line, and the rest of it.
pub fn split(kept: &str) -> (Option<Timestamp>, &str) {
    // `2026-11-22T18:34:14.123Z `
    match kept.split_at_checked(24) {
        Some((time, rest)) if time.ends_with('Z') => match (time.parse(), rest.strip_prefix(' ')) {
            (Ok(time), Some(rest)) => (Some(time), rest),
            _ => (None, kept),
        },
        _ => (None, kept),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_told_by_the_lines_themselves() {
        let mut levels = Levels::default();
        let lines = [
            ("hello", Level::Info),
            ("WARNING:root:low on tea", Level::Warning),
            ("and this says nothing", Level::Info),
            ("2026-11-22 18:34:14,123 app ERROR no tea", Level::Error),
            ("Traceback (most recent call last):", Level::Error),
            ("  File \"app.py\", line 3, in INFO", Level::Error),
            ("ValueError: no tea", Level::Error),
            ("an ERRORS page", Level::Info),
            ("[2026-11-22 18:34:14 +0000] [7] [CRITICAL] worker timeout", Level::Critical),
            ("\u{4f60}\u{597d} DEBUG x", Level::Debug),
        ];
        for (text, level) in lines {
            assert_eq!(levels.of(text), level, "{text}");
        }
        assert_eq!(Level::parse("warn"), Ok(Level::Warning));
        assert!(Level::parse("loud").is_err());
    }

    #[test]
    fn a_kept_line_is_split() {
        let (time, text) = split("2026-11-22T18:34:14.123Z hello you");
        assert_eq!((time.unwrap().to_string().as_str(), text), ("2026-11-22T18:34:14.123Z", "hello you"));
        for old in ["hello", "", "a line that is long enough to Z hold", "你好你好你好你好你好你好你好你好"]
        {
            assert_eq!(split(old), (None, old));
        }
    }
}
