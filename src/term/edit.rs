//! A line that somebody types, key by key. What of it is to be seen is somebody else's to show.

const ESCAPE: char = '\u{1b}';
const TAB: &[u8] = b"    ";

#[derive(Debug, Default)]
pub struct Edit {
    /// A character comes byte by byte.
    typed: Vec<u8>,
    escape: Escape,
}

/// Arrows and their like come as several keys, and mean nothing here.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Escape {
    #[default]
    None,
    Begun,
    Within,
}

/// What a key comes to.
#[derive(Debug, PartialEq, Eq)]
pub enum Typed {
    /// It is in the line, or took something out of it.
    More,
    /// The line is whole.
    Line(String),
    /// Ctrl-D in an empty line: nothing more will be typed.
    End,
    /// Ctrl-N.
    Next,
}

impl Edit {
    pub fn press(&mut self, key: char) -> Typed {
        match (self.escape, key) {
            (Escape::Begun, '[' | 'O') => {
                self.escape = Escape::Within;
                return Typed::More;
            }
            (Escape::Within, '\u{20}'..='\u{3f}') => return Typed::More,
            (Escape::Begun | Escape::Within, _) => {
                self.escape = Escape::None;
                return Typed::More;
            }
            (Escape::None, _) => {}
        }
        match key {
            '\n' | '\r' => return Typed::Line(String::from_utf8_lossy(&std::mem::take(&mut self.typed)).into_owned()),
            '\u{4}' if self.typed.is_empty() => return Typed::End,
            '\u{e}' => return Typed::Next,
            '\u{8}' | '\u{7f}' => self.erase(),
            // Ctrl-U and Ctrl-W, as a terminal itself has them.
            '\u{15}' => self.typed.clear(),
            '\u{17}' => {
                let kept = self.typed.trim_ascii_end();
                let word = kept.iter().rposition(u8::is_ascii_whitespace).map_or(0, |at| at + 1);
                self.typed.truncate(word);
            }
            '\t' => self.typed.extend(TAB),
            ESCAPE => self.escape = Escape::Begun,
            key => self.typed.extend(u8::try_from(key).ok().filter(|byte| *byte >= b' ')),
        }
        Typed::More
    }

    /// A character may be several bytes.
    fn erase(&mut self) {
        while self.typed.pop().is_some_and(|byte| byte & 0xc0 == 0x80) {}
    }

    /// What was typed so far, without the part of a character that is not whole yet.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.typed).trim_end_matches('\u{fffd}').to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_make_a_line() {
        for (typed, wanted) in [
            ("p secret\n", "p secret"),
            ("a好x\u{7f}\u{7f}b\r", "ab"),
            ("\u{7f}a\n", "a"),
            ("one two  \u{17}three\n", "one three"),
            ("one\u{17}\u{17}two\n", "two"),
            ("wrong\u{15}right\n", "right"),
            ("a\u{1b}[A\u{1b}[1;5Cb\u{1b}OHc\u{1}\n", "abc"),
            ("\tx\u{4}\n", "    x"),
            ("\n", ""),
        ] {
            let mut edit = Edit::default();
            let mut came: Vec<Typed> = typed.bytes().map(|byte| edit.press(char::from(byte))).collect();
            assert_eq!(came.pop(), Some(Typed::Line(wanted.into())), "{typed:?}");
            assert!(came.iter().all(|typed| *typed == Typed::More), "{typed:?}");
            assert_eq!(edit.text(), "");
        }
    }

    #[test]
    fn half_a_character_is_not_seen_and_control_keys_are_told() {
        let mut edit = Edit::default();
        let seen: Vec<String> = "a好".bytes().map(|byte| (edit.press(char::from(byte)), edit.text()).1).collect();
        assert_eq!(seen, ["a", "a", "a", "a好"]);
        assert_eq!(edit.press('\u{e}'), Typed::Next);
        assert_eq!(Edit::default().press('\u{4}'), Typed::End);
    }
}
