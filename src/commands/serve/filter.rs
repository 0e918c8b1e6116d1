//! Which lines of the apps the terminal of `dae serve` shows: those of one process, from a level on, or with a text in them. What
//! dae itself has to say is always shown, and the log files keep everything.

use std::collections::HashMap;

use crate::app::AppName;
use crate::dev_server::Event;
use crate::services::logs::{Level, line::Levels};
use crate::term::{Edit, Typed};

const QUESTION: &str = "show only (a process, a level, any text; Enter: all): ";
const ESCAPE: char = '\u{1b}';

#[derive(Debug, Default)]
pub struct Filter {
    wanted: Option<Wanted>,
    /// What was typed of the next one so far.
    typed: Option<Edit>,
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
pub enum Pressed {
    Typed,
    /// It is settled; this is what a person should know.
    Settled(String),
}

impl Filter {
    pub fn is_typed(&self) -> bool {
        self.typed.is_some()
    }

    pub fn begin(&mut self) {
        self.typed = Some(Edit::default());
    }

    /// The line that is typed.
    pub fn line(&self) -> Option<String> {
        Some(format!("{QUESTION}{}", self.typed.as_ref()?.text()))
    }

    /// A key, where one is typed to it: while it is asked for, and `Esc` at any time.
    pub fn press(&mut self, key: char) -> Option<Pressed> {
        let text = if key == ESCAPE && (self.typed.is_some() || self.wanted.is_some()) {
            String::new()
        } else {
            match self.typed.as_mut()?.press(key) {
                Typed::Line(line) => line,
                Typed::End => String::new(),
                Typed::More | Typed::Next => return Some(Pressed::Typed),
            }
        };
        self.typed = None;
        Some(Pressed::Settled(self.want(text.trim())))
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

    fn types(filter: &mut Filter, text: &str) -> Option<Pressed> {
        text.bytes().filter_map(|byte| filter.press(char::from(byte))).last()
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
    fn what_is_typed_is_seen_and_escape_shows_all() {
        let mut filter = Filter::default();
        assert_eq!(filter.press('w'), None);
        assert_eq!(filter.press(ESCAPE), None);
        filter.begin();
        assert_eq!(types(&mut filter, "a好\u{7f}"), Some(Pressed::Typed));
        assert_eq!(filter.line(), Some(format!("{QUESTION}a")));
        assert_eq!(filter.press('\n'), Some(Pressed::Settled("only `a`; Esc shows all".into())));
        let app = AppName::parse("app").unwrap();
        assert!(!filter.shows(&app, &output("web", "x")));
        let all = "all is shown again; 1 lines were not: `dae logs` has them";
        assert_eq!(filter.press(ESCAPE), Some(Pressed::Settled(all.into())));
        assert!(filter.shows(&app, &output("web", "x")));
        assert_eq!(filter.line(), None);
    }
}
