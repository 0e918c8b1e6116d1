//! The debuggers that wait in processes of the apps, and which of them has the keyboard: the first, until it lets its program go
//! on, ends, or is put aside; then the next.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::app::AppName;
use crate::term::{Edit, Typed};

/// What ends a debugger, as pdb has it; a breakpoint that comes after it waits its turn anew.
const ENDS: [&str; 6] = ["c", "cont", "continue", "q", "quit", "exit"];
/// For so long after a line, what is typed is meant for the debugger's next prompt; after that, the program is under way, and keys
/// are keys.
const TYPED_AHEAD: Duration = Duration::from_secs(1);

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Debugger {
    pub app: AppName,
    pub process: String,
    /// Of all terminals, which it waits at.
    pub terminal: u64,
    pub prompt: String,
}

#[derive(Debug, Default)]
pub struct Debuggers {
    current: Option<Current>,
    waiting: VecDeque<Debugger>,
    /// The line that was typed last.
    said: Option<(Debugger, String)>,
}

#[derive(Debug)]
struct Current {
    debugger: Debugger,
    edit: Edit,
    /// When the last line went to it, as long as it has not come back for more.
    sent: Option<Instant>,
}

impl Current {
    fn new(debugger: Debugger) -> Self {
        Self { debugger, edit: Edit::default(), sent: None }
    }
}

/// What a key comes to that is a debugger's.
#[derive(Debug, PartialEq, Eq)]
pub enum Pressed {
    /// The line at the bottom looks different now.
    Typed,
    /// A line is whole, for this one.
    Line(Debugger, String),
    /// It is put aside.
    Aside(Debugger),
}

/// How one that wants a line stands.
#[derive(Debug, PartialEq, Eq)]
pub enum Stands {
    /// It has the keyboard already.
    On,
    First,
    Behind,
}

impl Debuggers {
    /// A debugger wants a line. `is_free`: nothing else is typed.
    pub fn wants(&mut self, debugger: Debugger, is_free: bool) -> Stands {
        self.waiting.retain(|waiting| waiting.terminal != debugger.terminal);
        match &mut self.current {
            Some(current) if current.debugger.terminal == debugger.terminal => {
                if is_free {
                    current.debugger = debugger;
                    current.sent = None;
                    return Stands::On;
                }
                self.current = None;
                self.waiting.push_front(debugger);
                Stands::Behind
            }
            None if is_free => {
                self.current = Some(Current::new(debugger));
                Stands::First
            }
            _ => {
                self.waiting.push_back(debugger);
                Stands::Behind
            }
        }
    }

    /// Gives the keyboard, where nobody has it, to the one that waits longest.
    pub fn give_next(&mut self) -> Option<&Debugger> {
        if self.current.is_some() {
            return None;
        }
        self.current = Some(Current::new(self.waiting.pop_front()?));
        self.current()
    }

    /// The same where somebody has it whose program is under way.
    pub fn turn(&mut self) -> Option<&Debugger> {
        if !self.waiting.is_empty() {
            self.current.take_if(|current| current.sent.is_some());
        }
        self.give_next()
    }

    pub fn current(&self) -> Option<&Debugger> {
        self.current.as_ref().map(|current| &current.debugger)
    }

    /// The line that is typed.
    pub fn line(&self) -> Option<String> {
        let current = self.current.as_ref().filter(|current| current.sent.is_none())?;
        Some(format!("{}{}", current.debugger.prompt, current.edit.text()))
    }

    pub fn press(&mut self, key: char, now: Instant) -> Option<Pressed> {
        let current = self.current.as_mut()?;
        let mut edit = std::mem::take(&mut current.edit);
        let typed = edit.press(key);
        if typed != Typed::Next && current.sent.is_some_and(|at| now.duration_since(at) > TYPED_AHEAD) {
            return None;
        }
        let line = match typed {
            Typed::More => {
                current.edit = edit;
                return Some(Pressed::Typed);
            }
            Typed::Next => return self.put_aside().map(Pressed::Aside),
            Typed::Line(line) => line,
            // As if it had been typed: the end of the input ends a debugger.
            Typed::End => "q".to_owned(),
        };
        let debugger = current.debugger.clone();
        current.sent = Some(now);
        if ENDS.contains(&line.trim()) {
            self.current = None;
        }
        self.said = Some((debugger.clone(), line.clone()));
        Some(Pressed::Line(debugger, line))
    }

    fn put_aside(&mut self) -> Option<Debugger> {
        let Current { debugger, sent, .. } = self.current.take()?;
        self.give_next();
        // A program that is under way may come back for a line, and then waits again.
        if sent.is_none() {
            self.waiting.push_back(debugger.clone());
        }
        Some(debugger)
    }

    /// Nobody is left at that terminal.
    pub fn left(&mut self, terminal: u64) {
        self.waiting.retain(|waiting| waiting.terminal != terminal);
        self.current.take_if(|current| current.debugger.terminal == terminal);
    }

    /// Whether a line of output only repeats what was typed.
    pub fn echoes(&self, app: &AppName, process: &str, line: &str) -> bool {
        self.said.as_ref().is_some_and(|(debugger, said)| {
            debugger.app == *app
                && debugger.process == process
                && line.trim_end() == format!("{}{said}", debugger.prompt).trim_end()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(terminal: u64) -> Debugger {
        let app = AppName::parse("app").unwrap();
        Debugger { app, process: format!("p{terminal}"), terminal, prompt: "(Pdb) ".into() }
    }

    fn types(all: &mut Debuggers, text: &str, now: Instant) -> Option<Pressed> {
        text.bytes().map(|byte| all.press(char::from(byte), now)).last().flatten()
    }

    fn current(all: &Debuggers) -> Option<u64> {
        all.current().map(|debugger| debugger.terminal)
    }

    #[test]
    fn the_first_has_the_keyboard_until_it_goes_on_and_then_the_next() {
        let (mut all, now) = (Debuggers::default(), Instant::now());
        assert_eq!(all.press('q', now), None);
        assert_eq!(all.wants(at(1), true), Stands::First);
        assert_eq!(all.wants(at(2), true), Stands::Behind);
        assert_eq!(types(&mut all, "p x", now), Some(Pressed::Typed));
        assert_eq!(all.line().as_deref(), Some("(Pdb) p x"));
        assert_eq!(all.press('\n', now), Some(Pressed::Line(at(1), "p x".into())));
        // Its answer comes, and it is still its turn; what was typed meanwhile is its own.
        assert_eq!((all.line(), all.give_next()), (None, None));
        assert!(all.echoes(&at(1).app, "p1", "(Pdb) p x\r"));
        assert_eq!(types(&mut all, "co", now), Some(Pressed::Typed));
        assert_eq!(all.wants(at(1), true), Stands::On);
        assert_eq!(all.line().as_deref(), Some("(Pdb) co"));
        assert_eq!(types(&mut all, "nt\n", now), Some(Pressed::Line(at(1), "cont".into())));
        assert_eq!(current(&all), None);
        assert_eq!(all.give_next(), Some(&at(2)));
        assert_eq!(all.press('\u{4}', now), Some(Pressed::Line(at(2), "q".into())));
        assert_eq!(all.give_next(), None);
        assert_eq!(all.press('q', now), None);
    }

    #[test]
    fn one_is_put_aside_and_comes_back() {
        let (mut all, now) = (Debuggers::default(), Instant::now());
        all.wants(at(1), true);
        assert_eq!(types(&mut all, "half\u{e}", now), Some(Pressed::Aside(at(1))));
        assert_eq!((current(&all), all.press('q', now)), (None, None));
        // It was put aside: the next that comes does not wait for it.
        assert_eq!(all.wants(at(2), true), Stands::First);
        assert_eq!(all.press('\u{e}', now), Some(Pressed::Aside(at(2))));
        assert_eq!(all.line().as_deref(), Some("(Pdb) "));
        assert_eq!(current(&all), Some(1));
        all.left(1);
        assert_eq!(all.give_next(), Some(&at(2)));
        all.left(2);
        assert_eq!(all.give_next(), None);
        assert_eq!(all.line(), None);
    }

    #[test]
    fn a_program_that_is_long_under_way_leaves_the_keys_alone() {
        let (mut all, now) = (Debuggers::default(), Instant::now());
        all.wants(at(1), true);
        all.wants(at(2), true);
        types(&mut all, "n\n", now);
        let later = now + 2 * TYPED_AHEAD;
        assert_eq!(all.press('d', later), None);
        assert_eq!(all.turn(), Some(&at(2)));
        assert_eq!(all.turn(), None, "it wants a line");
        assert_eq!(all.wants(at(1), true), Stands::Behind);
        // Something else is typed when it comes back.
        types(&mut all, "n\n", later);
        assert_eq!(all.wants(at(2), false), Stands::Behind);
        assert_eq!(all.give_next(), Some(&at(2)));
    }
}
