//! From a .thrift file's text to its words, each with its place and the comments before it.

use super::syntax::Span;

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Word {
    /// Letters, digits, `_`, `.`: a keyword, a name, a name in another file.
    Name(String),
    Int(i64),
    Double(f64),
    /// Between quotes.
    Text(String),
    Symbol(char),
    End,
}

#[derive(Debug, Clone)]
pub(super) struct Token {
    pub word: Word,
    pub span: Span,
    /// Those between the word before and this one.
    pub comments: Vec<Comment>,
}

#[derive(Debug, Clone)]
pub(super) struct Comment {
    pub text: String,
    /// It stands behind the word before, on the same line.
    pub trails: bool,
    /// Nothing but one line's end is between it and what follows.
    pub adjoins: bool,
}

/// What is no word of the language.
#[derive(Debug, Clone)]
pub(super) struct Stray {
    pub span: Span,
    pub message: String,
}

pub(super) struct Lexer<'a> {
    text: &'a str,
    at: usize,
    pub strays: Vec<Stray>,
}

impl<'a> Lexer<'a> {
    pub fn new(text: &'a str) -> Self {
        let at = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
        Self { text, at, strays: Vec::new() }
    }

    /// All of it; the last one is the end.
    pub fn all(mut self) -> (Vec<Token>, Vec<Stray>) {
        let mut tokens = Vec::new();
        loop {
            let comments = self.blank();
            let start = self.at;
            let word = self.word();
            let end = word == Word::End;
            tokens.push(Token { word, span: start..self.at, comments });
            if end {
                return (tokens, self.strays);
            }
        }
    }

    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    /// Takes what fits.
    fn run(&mut self, fits: impl Fn(char) -> bool) -> &'a str {
        let rest = self.rest();
        let end = rest.find(|c| !fits(c)).unwrap_or(rest.len());
        self.at += end;
        &rest[..end]
    }

    fn stray(&mut self, start: usize, message: impl Into<String>) {
        self.strays.push(Stray { span: start..self.at, message: message.into() });
    }

    /// Goes past blanks and comments.
    fn blank(&mut self) -> Vec<Comment> {
        let mut comments: Vec<Comment> = Vec::new();
        let mut lines = usize::from(self.at == 0);
        loop {
            let ends = self.run(char::is_whitespace).matches('\n').count();
            lines += ends;
            if let (Some(last), true) = (comments.last_mut(), ends > 1) {
                last.adjoins = false;
            }
            let rest = self.rest();
            let text = if rest.starts_with("//") || rest.starts_with('#') {
                let line = self.run(|c| c != '\n');
                line.trim_start_matches(['/', '#']).trim().to_owned()
            } else if let Some(inner) = rest.strip_prefix("/*") {
                let start = self.at;
                let closed = inner.find("*/");
                self.at += closed.map_or(rest.len(), |end| end + 4);
                if closed.is_none() {
                    self.strays.push(Stray { span: start..start + 2, message: "this comment is never closed".into() });
                }
                plain(inner.get(..closed.unwrap_or(inner.len())).unwrap_or_default())
            } else {
                return comments;
            };
            comments.push(Comment { text, trails: lines == 0, adjoins: true });
        }
    }

    fn word(&mut self) -> Word {
        let start = self.at;
        let Some(first) = self.peek() else { return Word::End };
        if first.is_ascii_alphabetic() || first == '_' {
            return Word::Name(self.run(|c| c.is_ascii_alphanumeric() || c == '_' || c == '.').to_owned());
        }
        let signed = matches!(first, '+' | '-' | '.')
            && self.rest()[1..].starts_with(|c: char| c.is_ascii_digit() || (c == '.' && first != '.'));
        if first.is_ascii_digit() || signed {
            return self.number();
        }
        self.at += first.len_utf8();
        if first == '"' || first == '\'' {
            return self.quoted(first);
        }
        if !"{}()<>[],;:=*&-".contains(first) {
            self.stray(start, format!("`{}` means nothing here", first.escape_default()));
            // Said once; reading goes on behind it.
            self.blank();
            return self.word();
        }
        Word::Symbol(first)
    }

    fn number(&mut self) -> Word {
        let start = self.at;
        if self.rest().starts_with(['+', '-']) {
            self.at += 1;
        }
        if self.rest().starts_with("0x") || self.rest().starts_with("0X") {
            self.at += 2;
            let hex = self.run(|c| c.is_ascii_hexdigit());
            let number = i64::from_str_radix(hex, 16).ok();
            let negative = self.text[start..].starts_with('-');
            return self.int(start, number.map(|number| if negative { -number } else { number }));
        }
        self.run(|c| c.is_ascii_digit());
        let mut whole = true;
        if self.rest().starts_with('.') {
            whole = false;
            self.at += 1;
            self.run(|c| c.is_ascii_digit());
        }
        let exponent = self.rest().strip_prefix(['e', 'E']);
        if exponent.is_some_and(|rest| rest.trim_start_matches(['+', '-']).starts_with(|c: char| c.is_ascii_digit())) {
            whole = false;
            self.at += 1;
            self.run(|c| matches!(c, '+' | '-'));
            self.run(|c| c.is_ascii_digit());
        }
        let text = &self.text[start..self.at];
        if whole {
            return self.int(start, text.strip_prefix('+').unwrap_or(text).parse().ok());
        }
        Word::Double(text.parse().unwrap_or_default())
    }

    fn int(&mut self, start: usize, number: Option<i64>) -> Word {
        if number.is_none() {
            self.stray(start, format!("`{}` does not fit into 64 bits", &self.text[start..self.at]));
        }
        Word::Int(number.unwrap_or_default())
    }

    /// Behind the opening quote.
    fn quoted(&mut self, quote: char) -> Word {
        let start = self.at - 1;
        let mut said = String::new();
        while let Some(c) = self.peek() {
            self.at += c.len_utf8();
            match c {
                c if c == quote => return Word::Text(said),
                '\\' => {
                    let Some(escaped) = self.peek() else { break };
                    self.at += escaped.len_utf8();
                    match escaped {
                        'n' => said.push('\n'),
                        't' => said.push('\t'),
                        'r' => said.push('\r'),
                        '\\' | '"' | '\'' => said.push(escaped),
                        other => said.extend(['\\', other]),
                    }
                }
                c => said.push(c),
            }
        }
        self.strays.push(Stray { span: start..start + 1, message: "this text is never closed".into() });
        Word::Text(said)
    }
}

/// A block comment without its stars.
fn plain(text: &str) -> String {
    let lines = text.lines().map(|line| line.trim().trim_start_matches('*').trim());
    lines.collect::<Vec<_>>().join("\n").trim().to_owned()
}
