//! Which lines of the apps the terminal of `dae serve` shows: those of one process, from a level on, or with a text in them. What
//! dae itself has to say is always shown, and the log files keep everything.

use std::collections::HashMap;

use crate::app::AppName;
use crate::dev_server::Event;
use crate::services::logs::{Level, line::Levels};

pub const QUESTION: &str = "show only (a process, a level, any text; Enter: all): ";
const ESCAPE: char = '\u{1b}';
const BACKSPACE: [char; 2] = ['\u{7f}', '\u{8}'];

#[derive(Debug, Default)]
pub struct Filter {
    wanted: Option<Wanted>,
    /// What was typed of the next one so far, byte by byte.
    typed: Option<Vec<u8>>,
    levels: HashMap<(AppName, String), Levels>,
    /// Lines that were not shown.
    hidden: usize,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Wanted {
    From(Level),
    /// In lower case.
    Text(String),
}

/// What a key that was typed to it comes to.
#[derive(Debug, PartialEq, Eq)]
pub enum Typed {
    /// This much is to be echoed.
    Echo(String),
    /// It is settled; this is what a person should know.
    Settled(String),
}

impl Filter {
    pub fn is_typed(&self) -> bool {
        self.typed.is_some()
    }

    pub fn begin(&mut self) {
        self.typed = Some(Vec::new());
    }

    /// A key, where one is typed to it: while it is asked for, and `Esc` at any time.
    pub fn press(&mut self, key: char) -> Option<Typed> {
        if key == ESCAPE && (self.typed.is_some() || self.wanted.is_some()) {
            self.typed = None;
            return Some(Typed::Settled(self.want("")));
        }
        let typed = self.typed.as_mut()?;
        if key == '\n' || key == '\r' {
            let text = String::from_utf8_lossy(typed).into_owned();
            self.typed = None;
            return Some(Typed::Settled(self.want(text.trim())));
        }
        if BACKSPACE.contains(&key) {
            // A character may be several bytes.
            let erased = loop {
                match typed.pop() {
                    Some(byte) if byte & 0xc0 == 0x80 => {}
                    other => break other.is_some(),
                }
            };
            return Some(Typed::Echo(if erased { "\u{8} \u{8}".into() } else { String::new() }));
        }
        let before = String::from_utf8_lossy(typed).into_owned();
        typed.extend(u8::try_from(key).ok().filter(|byte| *byte >= b' '));
        // The part of a character that is not whole yet is not shown.
        let echo =
            std::str::from_utf8(typed).ok().and_then(|now| now.strip_prefix(before.trim_end_matches('\u{fffd}')));
        Some(Typed::Echo(echo.unwrap_or_default().to_owned()))
    }

    fn want(&mut self, text: &str) -> String {
        let hidden = std::mem::take(&mut self.hidden);
        self.wanted = match Level::parse(text) {
            _ if text.is_empty() => None,
            Ok(level) => Some(Wanted::From(level)),
            Err(_) => Some(Wanted::Text(text.to_lowercase())),
        };
        match &self.wanted {
            None if hidden > 0 => format!("all is shown again; {hidden} lines were not: `dae logs` has them"),
            None => "all is shown".into(),
            Some(Wanted::From(_)) => format!("only `{text}` and worse; Esc shows all"),
            Some(Wanted::Text(_)) => format!("only `{text}`; Esc shows all"),
        }
    }

    /// Whether `event` is to be shown. It has to see every one: a traceback's lines have the level of its first.
    pub fn shows(&mut self, app: &AppName, event: &Event) -> bool {
        let (process, text, level) = match event {
            Event::Output { process, line } => {
                let plain = console::strip_ansi_codes(line);
                let levels = self.levels.entry((app.clone(), process.clone())).or_default();
                let level = levels.of(&plain);
                (process.as_str(), plain.into_owned(), level)
            }
            Event::Served(access) => {
                let level = match access.status {
                    500.. => Level::Error,
                    400.. => Level::Warning,
                    _ => Level::Info,
                };
                ("access", format!("{} {} {}", access.status, access.method, access.path), level)
            }
            Event::Cron { job, text, is_bad } => {
                ("cron", format!("{job}: {text}"), if *is_bad { Level::Error } else { Level::Info })
            }
            _ => return true,
        };
        let shows = match &self.wanted {
            None => true,
            Some(Wanted::From(least)) => level >= *least,
            Some(Wanted::Text(wanted)) => process == wanted || text.to_lowercase().contains(wanted),
        };
        self.hidden += usize::from(!shows);
        shows
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn types(filter: &mut Filter, text: &str) -> Vec<Typed> {
        text.bytes().filter_map(|byte| filter.press(char::from(byte))).collect()
    }

    fn output(process: &str, line: &str) -> Event {
        Event::Output { process: process.into(), line: line.into() }
    }

    #[test]
    fn a_process_a_level_or_a_text() {
        let app = AppName::parse("app").unwrap();
        let all = [
            output("web", "hello"),
            output("feed", "\u{1b}[31mERROR\u{1b}[0m no tea"),
            output("feed", "  and the rest"),
            output("web", "WARNING: Low"),
        ];
        let mut filter = Filter::default();
        for (typed, shown) in [
            ("web\n", vec![0, 3]),
            ("error\n", vec![1, 2]),
            ("warn\n", vec![1, 2, 3]),
            ("LOW\n", vec![3]),
            ("fexx\u{7f}\u{7f}ed\n", vec![1, 2]),
            ("\n", vec![0, 1, 2, 3]),
        ] {
            filter.begin();
            types(&mut filter, typed);
            assert!(!filter.is_typed());
            let seen: Vec<usize> = (0..all.len()).filter(|at| filter.shows(&app, &all[*at])).collect();
            assert_eq!(seen, shown, "{typed:?}");
        }
    }

    #[test]
    fn what_is_typed_is_echoed_and_escape_shows_all() {
        let mut filter = Filter::default();
        assert_eq!(filter.press('w'), None);
        assert_eq!(filter.press(ESCAPE), None);
        filter.begin();
        let echo = |text: &str| Typed::Echo(text.into());
        assert_eq!(types(&mut filter, "a好"), [echo("a"), echo(""), echo(""), echo("好")]);
        assert_eq!(filter.press('\u{7f}'), Some(echo("\u{8} \u{8}")));
        assert_eq!(filter.press('\n'), Some(Typed::Settled("only `a`; Esc shows all".into())));
        let app = AppName::parse("app").unwrap();
        assert!(!filter.shows(&app, &output("web", "x")));
        let all = "all is shown again; 1 lines were not: `dae logs` has them";
        assert_eq!(filter.press(ESCAPE), Some(Typed::Settled(all.into())));
        assert!(filter.shows(&app, &output("web", "x")));
    }
}
