//! The regular expressions of `url`: Python's, because an app's workers match them too, read here with the same meaning by an
//! engine whose time is linear. What the two would read differently is rewritten, or refused where it cannot be.

use std::fmt::Write as _;

use regex::Regex;

/// Why a pattern is not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// Characters before what is wrong.
    pub at: usize,
    pub why: String,
    pub hint: &'static str,
}

/// A regular expression for `url` that matches whole texts, with the groups Python would give.
pub fn whole(url: &str) -> Result<Regex, Refused> {
    let translated = translate(url)?;
    // What lies around the pattern must not be reached by flags inside it.
    let text = format!(r"\A(?:{translated})\z");
    regex::RegexBuilder::new(&text).size_limit(1 << 22).nest_limit(64).build().map_err(|error| {
        let said = match &error {
            regex::Error::CompiledTooBig(_) => "it is too large".to_owned(),
            other => {
                let last = other.to_string();
                last.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned()
            }
        };
        Refused { at: 0, why: said, hint: "mend the pattern" }
    })
}

const FIRST: &str = "write the more special handler before this one instead: the first match wins";
const MEND: &str = "mend the pattern";

/// The same pattern in the words of the `regex` crate.
fn translate(url: &str) -> Result<String, Refused> {
    let mut reader = Reader { chars: url.chars().collect(), at: 0, out: String::new() };
    reader.pattern()?;
    Ok(reader.out)
}

struct Reader {
    chars: Vec<char>,
    at: usize,
    out: String,
}

/// What a quantifier would repeat.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Before {
    Nothing,
    Thing,
    Quantifier,
}

impl Reader {
    fn peek(&self, ahead: usize) -> Option<char> {
        self.chars.get(self.at + ahead).copied()
    }

    fn refuse<T>(at: usize, why: impl Into<String>, hint: &'static str) -> Result<T, Refused> {
        Err(Refused { at, why: why.into(), hint })
    }

    fn pattern(&mut self) -> Result<(), Refused> {
        let mut before = Before::Nothing;
        // What stood before each open group.
        let mut open = 0_usize;
        while let Some(c) = self.peek(0) {
            let start = self.at;
            self.at += 1;
            match c {
                '(' => {
                    if self.group(start)? {
                        open += 1;
                        before = Before::Nothing;
                    }
                }
                ')' if open == 0 => return Self::refuse(start, "a `)` without its `(`", MEND),
                ')' => {
                    open -= 1;
                    self.out.push(')');
                    before = Before::Thing;
                }
                '|' => {
                    self.out.push('|');
                    before = Before::Nothing;
                }
                '*' | '+' | '?' => before = self.quantifier(start, c.to_string(), before)?,
                '{' => {
                    if let Some(count) = self.counted() {
                        before = self.quantifier(start, count, before)?;
                    } else {
                        self.out.push_str(r"\{");
                        before = Before::Thing;
                    }
                }
                '[' => {
                    self.class(start)?;
                    before = Before::Thing;
                }
                '\\' => {
                    let repeatable = self.escape(start, false)?;
                    before = if repeatable { Before::Thing } else { Before::Nothing };
                }
                '^' => {
                    self.out.push('^');
                    before = Before::Nothing;
                }
                '$' => return Self::refuse(start, "a `$` inside it", "a pattern is matched whole: take the `$` out"),
                '.' => {
                    self.out.push('.');
                    before = Before::Thing;
                }
                c => {
                    self.literal(c);
                    before = Before::Thing;
                }
            }
        }
        if open > 0 { Self::refuse(self.chars.len(), "a `(` without its `)`", MEND) } else { Ok(()) }
    }

    /// What follows a `(`; false when it was only a remark or flags, and no group is open.
    fn group(&mut self, start: usize) -> Result<bool, Refused> {
        if self.peek(0) != Some('?') {
            self.out.push('(');
            return Ok(true);
        }
        self.at += 1;
        let rest: String = self.chars[self.at..].iter().take(3).collect();
        if rest.starts_with("P<") {
            self.at += 2;
            let name: String = self.chars[self.at..].iter().take_while(|c| **c != '>').collect();
            self.at += name.chars().count() + 1;
            let good = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
                && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
            if !good || self.at > self.chars.len() {
                return Self::refuse(start, format!("`{name}` cannot name a group"), "write `(?P<name>...)`");
            }
            let _ = write!(self.out, "(?P<{name}>");
            return Ok(true);
        }
        if rest.starts_with(['=', '!']) || rest.starts_with("<=") || rest.starts_with("<!") {
            return Self::refuse(start, "a look-around, which is not taken here", FIRST);
        }
        let unknown = [
            ("P=", "a back-reference, which is not taken here", "write out what it stands for"),
            ("P>", "a form Python does not know", MEND),
            ("<", "a group named in a way Python does not know", "write `(?P<name>...)`"),
            (">", "an atomic group, which is not taken here", "leave the `?>` out"),
            ("(", "a condition, which is not taken here", "write the two cases with `|`"),
            ("#", "a comment, which is not taken here", "put it beside the handler, after `# `"),
        ];
        if let Some((_, why, hint)) = unknown.iter().find(|(begin, ..)| rest.starts_with(begin)) {
            return Self::refuse(start, *why, hint);
        }
        self.flags(start)
    }

    /// `(?i:`, `(?:`, `(?-i:`, and `(?i)` at the very beginning.
    fn flags(&mut self, start: usize) -> Result<bool, Refused> {
        let flags: String = self.chars[self.at..].iter().take_while(|c| !matches!(**c, ':' | ')')).collect();
        self.at += flags.chars().count();
        let (on, off) = flags.split_once('-').unwrap_or((&flags, ""));
        let known = |flags: &str| flags.chars().all(|c| matches!(c, 'i' | 's'));
        let once = |flags: &str| flags.chars().enumerate().all(|(at, c)| flags.find(c) == Some(at));
        let end = self.peek(0);
        self.at += 1;
        let dash = flags.contains('-');
        let good = known(on)
            && known(off)
            && once(&on.chars().chain(off.chars()).collect::<String>())
            && (!dash || !off.is_empty())
            && match end {
                Some(':') => true,
                // Python wants those for all of the pattern at its beginning.
                Some(')') => start == 0 && !dash && !on.is_empty(),
                _ => false,
            };
        if !good {
            return Self::refuse(
                start,
                format!("`(?{flags}`, which is not taken here"),
                "write `(?i:...)` or `(?:...)`",
            );
        }
        let _ = write!(self.out, "(?{flags}{}", end.unwrap_or_default());
        Ok(end == Some(':'))
    }

    /// The inside of a `{...}` that Python takes for a quantifier, rewritten; `None` when it is text.
    fn counted(&mut self) -> Option<String> {
        let end = self.chars[self.at..].iter().position(|c| *c == '}')?;
        let inside: String = self.chars[self.at..self.at + end].iter().collect();
        let digits = |text: &str| text.chars().all(|c| c.is_ascii_digit());
        let count = match inside.split_once(',') {
            None if !inside.is_empty() && digits(&inside) => format!("{{{inside}}}"),
            Some((low, high)) if digits(low) && digits(high) => {
                format!("{{{},{high}}}", if low.is_empty() { "0" } else { low })
            }
            _ => return None,
        };
        self.at += end + 1;
        Some(count)
    }

    fn quantifier(&mut self, start: usize, text: String, before: Before) -> Result<Before, Refused> {
        match before {
            Before::Nothing => {
                return Self::refuse(start, "nothing to repeat", "put a `\\` before it to mean the character");
            }
            Before::Quantifier => return Self::refuse(start, "a repeat of a repeat", MEND),
            Before::Thing => {}
        }
        self.out.push_str(&text);
        if self.peek(0) == Some('?') {
            self.at += 1;
            self.out.push('?');
        } else if self.peek(0) == Some('+') {
            return Self::refuse(self.at, "a possessive repeat, which is not taken here", "leave the `+` out");
        }
        Ok(Before::Quantifier)
    }

    fn literal(&mut self, c: char) {
        let mut buffer = [0; 4];
        self.out.push_str(&regex::escape(c.encode_utf8(&mut buffer)));
    }

    /// What follows a `\`; whether it can be repeated.
    fn escape(&mut self, start: usize, in_class: bool) -> Result<bool, Refused> {
        let Some(c) = self.peek(0) else { return Self::refuse(start, "a `\\` at its end", MEND) };
        self.at += 1;
        match c {
            'd' | 'D' | 'w' | 'W' | 's' | 'S' => {
                // Python's `\s` has the four separators besides.
                match (c, in_class) {
                    ('s', false) => self.out.push_str(r"[\s\x1c-\x1f]"),
                    ('s', true) => self.out.push_str(r"\s\x1c-\x1f"),
                    ('S', _) => self.out.push_str(r"[^\s\x1c-\x1f]"),
                    ('w', false) => self.out.push_str(r"[\p{L}\p{N}_]"),
                    ('w', true) => self.out.push_str(r"\p{L}\p{N}_"),
                    ('W', _) => self.out.push_str(r"[^\p{L}\p{N}_]"),
                    _ => {
                        let _ = write!(self.out, r"\{c}");
                    }
                }
                Ok(true)
            }
            'a' | 'f' | 'n' | 'r' | 't' | 'v' => {
                let _ = write!(self.out, r"\{c}");
                Ok(true)
            }
            'A' if !in_class => {
                self.out.push_str(r"\A");
                Ok(false)
            }
            'Z' if !in_class => {
                self.out.push_str(r"\z");
                Ok(false)
            }
            'b' if in_class => {
                self.out.push_str(r"\x08");
                Ok(true)
            }
            'b' | 'B' => {
                Self::refuse(start, format!("`\\{c}`, which is not taken here"), "name the characters around it")
            }
            'x' | 'u' | 'U' => {
                let digits = match c {
                    'x' => 2,
                    'u' => 4,
                    _ => 8,
                };
                let hex: String = self.chars[self.at..].iter().take(digits).collect();
                let code = u32::from_str_radix(&hex, 16).ok().filter(|_| hex.len() == digits && !hex.starts_with('+'));
                let Some(meant) = code.and_then(char::from_u32) else {
                    return Self::refuse(start, format!("`\\{c}{hex}`, which is no character"), MEND);
                };
                self.at += digits;
                self.literal(meant);
                Ok(true)
            }
            '0'..='9' => {
                Self::refuse(start, "a back-reference, which is not taken here", "write out what it stands for")
            }
            c if c.is_alphabetic() => Self::refuse(start, format!("`\\{c}`, which Python does not know"), MEND),
            c => {
                self.literal(c);
                Ok(true)
            }
        }
    }

    /// What follows a `[`, up to its `]`.
    fn class(&mut self, start: usize) -> Result<(), Refused> {
        self.out.push('[');
        if self.peek(0) == Some('^') {
            self.at += 1;
            self.out.push('^');
        }
        let first = self.at;
        // Whether a `-` here could begin a range, as after one character; and whether one is being ended.
        let (mut after_one, mut in_range) = (false, false);
        loop {
            let Some(c) = self.peek(0) else { return Self::refuse(start, "a `[` without its `]`", MEND) };
            let here = self.at;
            self.at += 1;
            match c {
                ']' if here != first => {
                    self.out.push(']');
                    return Ok(());
                }
                '-' if after_one && !in_range && self.peek(0).is_some_and(|next| next != ']') => {
                    self.out.push('-');
                    (after_one, in_range) = (false, true);
                }
                '\\' => {
                    let set = self.peek(0).is_some_and(|c| "dDwWsS".contains(c));
                    let joined = self.peek(1) == Some('-') && self.peek(2).is_some_and(|c| c != ']');
                    if set && (in_range || joined) {
                        return Self::refuse(here, "a range that begins or ends with a set", MEND);
                    }
                    self.escape(here, true)?;
                    (after_one, in_range) = (!set && !in_range, false);
                }
                c => {
                    self.literal(c);
                    (after_one, in_range) = (!in_range, false);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_those_of_a_whole_match() {
        let regex = whole(r"/(?P<kind>css|js)/(.*)").unwrap();
        let groups = regex.captures("/css/a/b.css").unwrap();
        assert_eq!((&groups["kind"], &groups[2]), ("css", "a/b.css"));
        assert!(regex.captures("/css").is_none() && regex.captures("x/css/a").is_none());
        assert!(!whole("/a").unwrap().is_match("/a\n"), "Python's fullmatch does not take a last line's end either");
    }

    #[test]
    fn what_python_means_otherwise_is_refused_with_a_way_out() {
        let said = |url: &str| match whole(url) {
            Ok(_) => format!("{url}  taken"),
            Err(Refused { at, why, hint }) => format!("{url}  {at}: {why}; {hint}"),
        };
        let patterns = [
            r"/(?!static).*",
            r"/(?<=a)b",
            r"/(?<name>a)",
            r"/(a)\1",
            r"/(?>a)",
            r"/a*+",
            r"/a**",
            r"/(",
            r"/)",
            r"/[a",
            r"/(?P<1>a)",
            r"/a(?i)",
            r"/\p{L}",
            r"/a\b",
            "/a$b",
            r"*",
            r"/(?#x)",
            r"/[z-a]",
            r"/(a{1000}){1000}",
        ];
        insta::assert_snapshot!(patterns.map(said).join("\n"), @r"
        /(?!static).*  1: a look-around, which is not taken here; write the more special handler before this one instead: the first match wins
        /(?<=a)b  1: a look-around, which is not taken here; write the more special handler before this one instead: the first match wins
        /(?<name>a)  1: a group named in a way Python does not know; write `(?P<name>...)`
        /(a)\1  4: a back-reference, which is not taken here; write out what it stands for
        /(?>a)  1: an atomic group, which is not taken here; leave the `?>` out
        /a*+  3: a possessive repeat, which is not taken here; leave the `+` out
        /a**  3: a repeat of a repeat; mend the pattern
        /(  2: a `(` without its `)`; mend the pattern
        /)  1: a `)` without its `(`; mend the pattern
        /[a  1: a `[` without its `]`; mend the pattern
        /(?P<1>a)  1: `1` cannot name a group; write `(?P<name>...)`
        /a(?i)  2: `(?i`, which is not taken here; write `(?i:...)` or `(?:...)`
        /\p{L}  1: `\p`, which Python does not know; mend the pattern
        /a\b  2: `\b`, which is not taken here; name the characters around it
        /a$b  2: a `$` inside it; a pattern is matched whole: take the `$` out
        *  0: nothing to repeat; put a `\` before it to mean the character
        /(?#x)  1: a comment, which is not taken here; put it beside the handler, after `# `
        /[z-a]  0: invalid character class range, the start must be <= the end; mend the pattern
        /(a{1000}){1000}  0: it is too large; mend the pattern
        ");
    }

    #[test]
    fn what_python_takes_for_text_is_text() {
        for (url, path) in [
            ("/a{", "/a{"),
            ("/a{x}", "/a{x}"),
            ("/[[]", "/["),
            ("/[a&&b]", "/&"),
            ("/[]]", "/]"),
            (r"/\<", "/<"),
            ("/a{,2}", "/"),
            ("/[a-]", "/-"),
            ("/[[:a]", "/:"),
            ("/#x y", "/#x y"),
            (r"/[\w-]", "/-"),
            ("/[~~]", "/~"),
        ] {
            let regex = whole(url).unwrap_or_else(|refused| panic!("{url}: {refused:?}"));
            assert!(regex.is_match(path) || regex.is_match(&format!("{path}a")), "{url} {path}");
        }
    }
}
