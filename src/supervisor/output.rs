//! What a process prints, cut into lines, and the prompt of a debugger that waits for a word.

use std::io::Read;

use super::outlet::Keyboard;

/// A line longer than this is cut: nobody reads on, and memory is bounded.
const LONGEST: usize = 64 * 1024;
/// How the debuggers that read lines begin theirs: pdb, also within a debugged call, pdb++ and ipdb's plain form.
const PROMPTS: &[&str] = &["(Pdb) ", "((Pdb)) ", "(Pdb++) ", "ipdb> "];

#[derive(Debug)]
pub enum Heard<'a> {
    /// Without its end.
    Line(String),
    /// A debugger waits for a line, to be typed here.
    Prompt(&'static str, &'a Keyboard),
    /// Nobody is left at the terminal where a debugger waited.
    Left,
}

impl Heard<'_> {
    /// For whoever is no debugger's user.
    pub fn line(self) -> Option<String> {
        match self {
            Self::Line(line) => Some(line),
            Self::Prompt(..) | Self::Left => None,
        }
    }
}

/// Reads to the end of `from` and gives every line to `hear`.
pub(super) fn read_lines(mut from: impl Read, keyboard: Option<&Keyboard>, mut hear: impl FnMut(Heard<'_>)) {
    let mut line = Vec::new();
    let mut chunk = [0; 8192];
    let mut has_prompted = false;
    // A pseudo-terminal whose last writer has gone gives an error where a pipe gives an end.
    while let Ok(count @ 1..) = from.read(&mut chunk) {
        for byte in &chunk[..count] {
            match byte {
                b'\n' => hear(Heard::Line(take(&mut line))),
                _ if line.len() < LONGEST => line.push(*byte),
                _ => {}
            }
        }
        if let Some(keyboard) = keyboard
            && let Some(prompt) = prompt(&line)
        {
            has_prompted = true;
            hear(Heard::Prompt(prompt, keyboard));
        }
    }
    if !line.is_empty() {
        hear(Heard::Line(take(&mut line)));
    }
    if has_prompted {
        hear(Heard::Left);
    }
}

/// The debugger's prompt, if that is all there is of a line so far.
fn prompt(line: &[u8]) -> Option<&'static str> {
    let text = std::str::from_utf8(line).ok().filter(|text| text.ends_with(' ') && text.len() < 80)?;
    let text = console::strip_ansi_codes(text);
    PROMPTS.iter().find(|prompt| text.trim_start_matches('\r') == **prompt).copied()
}

fn take(line: &mut Vec<u8>) -> String {
    while line.last() == Some(&b'\r') {
        line.pop();
    }
    let text = String::from_utf8_lossy(line).into_owned();
    line.clear();
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines() {
        let mut heard = Vec::new();
        read_lines(&b"a\r\n\n\xffb\n(Pdb) "[..], None, |came| {
            if let Heard::Line(line) = came {
                heard.push(line);
            }
        });
        assert_eq!(heard, ["a", "", "\u{fffd}b", "(Pdb) "]);
    }

    #[test]
    fn a_prompt_is_told_from_a_line() {
        for (line, wanted) in [
            ("(Pdb) ", Some("(Pdb) ")),
            ("\u{1b}[?2004h(Pdb) ", Some("(Pdb) ")),
            ("ipdb> ", Some("ipdb> ")),
            ("(Pdb) n", None),
            ("(Pdb)", None),
            ("name? ", None),
            ("", None),
        ] {
            assert_eq!(prompt(line.as_bytes()), wanted, "{line:?}");
        }
    }
}
