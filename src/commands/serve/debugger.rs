//! A debugger that waits in a process of the app, and what is typed to it.

use crate::term::END_OF_INPUT;

/// A debugger that waits for a line, and what was typed to it.
pub struct Debugger {
    pub process: String,
    prompt: String,
    line: Vec<u8>,
    pub sent: bool,
}

impl Debugger {
    pub fn new(process: &str, prompt: &str) -> Self {
        Self { process: process.to_owned(), prompt: prompt.to_owned(), line: Vec::new(), sent: false }
    }

    pub fn prompt(&self) -> &str {
        &self.prompt
    }

    /// The line, when `key` ends it.
    pub fn press(&mut self, key: char) -> Option<String> {
        match key {
            '\n' | END_OF_INPUT => {
                self.sent = true;
                // As if it had been typed: the end of the input ends a debugger.
                Some(if key == '\n' { self.text() } else { "q".to_owned() })
            }
            // Keys come byte by byte.
            key => {
                self.line.extend(u8::try_from(key));
                None
            }
        }
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.line).into_owned()
    }

    /// Whether a line of output only repeats what was typed.
    pub fn echoes(&self, process: &str, line: &str) -> bool {
        self.sent && self.process == process && line.trim_end() == format!("{}{}", self.prompt, self.text()).trim_end()
    }
}
