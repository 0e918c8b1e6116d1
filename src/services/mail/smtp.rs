//! The server's side of SMTP (RFC 5321) as a machine without a network: bytes in, replies and pieces of messages out.
//!
//! With it go SIZE (1870), 8BITMIME (6152), PIPELINING (2920), CHUNKING (3030), SMTPUTF8 (6531) and AUTH (4954), which takes
//! any name and any password. STARTTLS is refused: nothing leaves the machine.

use std::mem;

/// Longer lines of a command are refused; RFC 4954 wants 12288 for AUTH.
const LONGEST_LINE: usize = 12_288;
/// RFC 5321 wants 100 at least.
const MOST_RECIPIENTS: usize = 1000;
/// A message larger than the limit is read to its end, so that its sender hears why; beyond this many bytes it is cut off.
const MOST_IGNORED: u64 = 1 << 30;
/// So many commands that make no sense, and the client is no mail client.
const MOST_WRONG: u32 = 20;

/// What a client told before its message.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Envelope {
    /// Empty for a notice that nobody should answer.
    pub from: String,
    pub to: Vec<String>,
}

/// What the server has to do, in this order.
#[derive(Debug, PartialEq, Eq)]
pub enum Action {
    /// One or more whole lines.
    Reply(String),
    /// A message begins.
    Begin(Envelope),
    /// The next piece of it, as its writer had it.
    Data(Vec<u8>),
    /// It is whole. The server replies when it is kept.
    Finish,
    /// What there is of it is of no use.
    Abandon,
    Close,
}

/// One connection.
#[derive(Debug)]
pub struct Session {
    largest: u64,
    state: State,
    greeted: bool,
    utf8: bool,
    from: Option<String>,
    to: Vec<String>,
    line: Vec<u8>,
    overlong: bool,
    wrong: u32,
    /// Bytes of the message so far, or more than `largest` when it is ignored.
    size: u64,
}

#[derive(Debug, PartialEq, Eq, Clone, Copy)]
enum State {
    Command,
    /// The text of DATA; how much of the end mark `\r\n.\r\n` has been seen.
    Data(Mark),
    /// So many bytes of a BDAT chunk are to come.
    Chunk {
        left: u64,
        last: bool,
        refused: bool,
    },
    /// Between the chunks of one message.
    Chunks,
    /// The client's next line is its user name, its password, or both.
    Login(Login),
    Closed,
}

#[derive(Debug, PartialEq, Eq, Clone, Copy)]
enum Login {
    User,
    Last,
}

/// Where in the text of DATA the next byte stands.
#[derive(Debug, PartialEq, Eq, Clone, Copy)]
enum Mark {
    LineStart,
    Within,
    Cr,
    Dot,
    DotCr,
}

impl Session {
    /// `largest`: the size limit of a message in bytes.
    pub fn new(largest: u64) -> Self {
        Self {
            largest,
            state: State::Command,
            greeted: false,
            utf8: false,
            from: None,
            to: Vec::new(),
            line: Vec::new(),
            overlong: false,
            wrong: 0,
            size: 0,
        }
    }

    /// The server's first word.
    pub fn greeting() -> Action {
        reply("220 localhost dae keeps your mail")
    }

    /// Reads what the client sent next.
    pub fn read(&mut self, mut bytes: &[u8]) -> Vec<Action> {
        let mut actions = Vec::new();
        while !bytes.is_empty() && self.state != State::Closed {
            bytes = match self.state {
                State::Data(mark) => self.data(bytes, mark, &mut actions),
                State::Chunk { left, last, refused } => self.chunk(bytes, left, last, refused, &mut actions),
                _ => self.lines(bytes, &mut actions),
            };
        }
        actions
    }

    /// How much of `bytes` is one line, taken; the rest comes back.
    fn lines<'a>(&mut self, bytes: &'a [u8], actions: &mut Vec<Action>) -> &'a [u8] {
        let Some(end) = bytes.iter().position(|byte| *byte == b'\n') else {
            self.keep(bytes);
            return &[];
        };
        self.keep(&bytes[..end]);
        let mut line = mem::take(&mut self.line);
        if line.last() == Some(&b'\r') {
            line.pop();
        }
        if mem::take(&mut self.overlong) {
            self.refuse("500 5.5.6 a line this long is no command", actions);
        } else if let State::Login(login) = self.state {
            self.login(&line, login, actions);
        } else {
            self.command(&line, actions);
        }
        &bytes[end + 1..]
    }

    fn keep(&mut self, bytes: &[u8]) {
        if self.line.len() + bytes.len() > LONGEST_LINE {
            self.overlong = true;
            self.line.clear();
        }
        if !self.overlong {
            self.line.extend_from_slice(bytes);
        }
    }

    fn refuse(&mut self, why: &str, actions: &mut Vec<Action>) {
        self.wrong += 1;
        if self.wrong > MOST_WRONG {
            actions.push(reply("421 4.7.0 too many commands that make no sense"));
            self.close(actions);
        } else {
            actions.push(reply(why));
        }
    }

    fn close(&mut self, actions: &mut Vec<Action>) {
        if self.state == State::Chunks {
            actions.push(Action::Abandon);
        }
        actions.push(Action::Close);
        self.state = State::Closed;
    }

    /// Back to where a message may begin.
    fn reset(&mut self, actions: &mut Vec<Action>) {
        if self.state == State::Chunks {
            actions.push(Action::Abandon);
        }
        self.state = State::Command;
        self.from = None;
        self.to.clear();
        self.utf8 = false;
        self.size = 0;
    }

    fn command(&mut self, line: &[u8], actions: &mut Vec<Action>) {
        let Ok(line) = str::from_utf8(line) else {
            return self.refuse("500 5.5.2 a command is text", actions);
        };
        let (verb, rest) = line.split_once(' ').unwrap_or((line, ""));
        let rest = rest.trim();
        let verb = verb.trim().to_ascii_uppercase();
        if self.state == State::Chunks && !matches!(verb.as_str(), "BDAT" | "RSET" | "NOOP" | "QUIT" | "EHLO" | "HELO")
        {
            return self.refuse("503 5.5.1 the message is not whole yet", actions);
        }
        match verb.as_str() {
            "EHLO" | "HELO" if rest.is_empty() => actions.push(reply("501 5.5.4 say who you are")),
            "HELO" => {
                self.reset(actions);
                self.greeted = true;
                actions.push(reply("250 localhost"));
            }
            "EHLO" => {
                self.reset(actions);
                self.greeted = true;
                let size = format!("SIZE {}", self.largest);
                let offered = [
                    "PIPELINING",
                    &size,
                    "8BITMIME",
                    "SMTPUTF8",
                    "CHUNKING",
                    "ENHANCEDSTATUSCODES",
                    "AUTH PLAIN LOGIN",
                    "HELP",
                ];
                let (last, more) = offered.split_last().unwrap_or((&"HELP", &[]));
                let more: String = more.iter().flat_map(|word| ["250-", word, "\r\n"]).collect();
                actions.push(Action::Reply(format!("250-localhost\r\n{more}250 {last}\r\n")));
            }
            "MAIL" => self.mail(rest, actions),
            "RCPT" => self.rcpt(rest, actions),
            "DATA" if !rest.is_empty() => actions.push(reply("501 5.5.4 DATA stands alone")),
            "DATA" => {
                if !self.ready(actions) {
                    return;
                }
                actions.push(reply("354 the message, then a line with a dot"));
                self.begin(actions);
                self.state = State::Data(Mark::LineStart);
            }
            "BDAT" => self.bdat(rest, actions),
            "RSET" => {
                self.reset(actions);
                actions.push(reply("250 2.0.0 as new"));
            }
            "NOOP" => actions.push(reply("250 2.0.0 still here")),
            "VRFY" if rest.is_empty() => actions.push(reply("501 5.5.4 whom?")),
            "VRFY" => actions.push(reply("252 2.5.2 everybody is taken")),
            "HELP" => actions.push(reply("214 2.0.0 dae keeps every message: `dae mail list`")),
            "STARTTLS" => actions.push(reply("454 4.7.0 no TLS here, and nothing leaves this machine: go on without")),
            "AUTH" => self.auth(rest, actions),
            "QUIT" => {
                actions.push(reply("221 2.0.0 goodbye"));
                self.close(actions);
            }
            _ => self.refuse("500 5.5.1 there is no such command", actions),
        }
    }

    fn mail(&mut self, rest: &str, actions: &mut Vec<Action>) {
        if !self.greeted {
            return self.refuse("503 5.5.1 say EHLO first", actions);
        }
        if self.from.is_some() {
            return self.refuse("503 5.5.1 there is a sender already", actions);
        }
        let Some((path, parameters)) = path(rest, "FROM:") else {
            return actions.push(reply("501 5.5.4 say MAIL FROM:<address>"));
        };
        let mut utf8 = false;
        for parameter in parameters.split_whitespace() {
            let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            match name.to_ascii_uppercase().as_str() {
                "SIZE" => match value.parse::<u64>() {
                    Ok(size) if size > self.largest => return actions.push(self.too_large()),
                    Ok(_) => {}
                    Err(_) => return actions.push(reply("501 5.5.4 SIZE is a number")),
                },
                "BODY" if ["7BIT", "8BITMIME"].contains(&value.to_ascii_uppercase().as_str()) => {}
                "SMTPUTF8" if value.is_empty() => utf8 = true,
                "AUTH" => {}
                _ => return actions.push(reply("555 5.5.4 there is no such parameter")),
            }
        }
        if let Some(refusal) = refusal(path, utf8) {
            return actions.push(reply(refusal));
        }
        self.utf8 = utf8;
        self.from = Some(path.to_owned());
        actions.push(reply("250 2.1.0 sender taken"));
    }

    fn rcpt(&mut self, rest: &str, actions: &mut Vec<Action>) {
        if self.from.is_none() {
            return self.refuse("503 5.5.1 say MAIL first", actions);
        }
        let Some((path, parameters)) = path(rest, "TO:") else {
            return actions.push(reply("501 5.5.4 say RCPT TO:<address>"));
        };
        if !parameters.trim().is_empty() {
            return actions.push(reply("555 5.5.4 there is no such parameter"));
        }
        if path.is_empty() {
            return actions.push(reply("501 5.1.3 a recipient has a name"));
        }
        if let Some(refusal) = refusal(path, self.utf8) {
            return actions.push(reply(refusal));
        }
        if self.to.len() >= MOST_RECIPIENTS {
            return actions.push(reply("452 4.5.3 too many recipients"));
        }
        self.to.push(path.to_owned());
        actions.push(reply("250 2.1.5 recipient taken"));
    }

    /// Whether a message may come; says why not.
    fn ready(&mut self, actions: &mut Vec<Action>) -> bool {
        if self.from.is_none() {
            self.refuse("503 5.5.1 say MAIL first", actions);
        } else if self.to.is_empty() {
            self.refuse("503 5.5.1 say RCPT first", actions);
        }
        self.from.is_some() && !self.to.is_empty()
    }

    fn begin(&mut self, actions: &mut Vec<Action>) {
        self.size = 0;
        let from = self.from.clone().unwrap_or_default();
        actions.push(Action::Begin(Envelope { from, to: self.to.clone() }));
    }

    fn too_large(&self) -> Action {
        reply(&format!("552 5.3.4 larger than {} bytes", self.largest))
    }

    /// Passes on a piece of the message, unless it is larger than it may be. False: there is no end to it.
    fn piece(&mut self, piece: Vec<u8>, actions: &mut Vec<Action>) -> bool {
        let before = self.size;
        self.size += piece.len() as u64;
        if self.size <= self.largest {
            if !piece.is_empty() {
                actions.push(Action::Data(piece));
            }
        } else if before <= self.largest {
            actions.push(Action::Abandon);
        }
        if self.size > MOST_IGNORED.max(self.largest) {
            actions.push(self.too_large());
            actions.push(Action::Close);
            self.state = State::Closed;
            return false;
        }
        true
    }

    /// The message has come to its end.
    fn end(&mut self, actions: &mut Vec<Action>) {
        actions.push(if self.size > self.largest { self.too_large() } else { Action::Finish });
        self.state = State::Command;
        self.reset(actions);
    }

    fn data<'a>(&mut self, bytes: &'a [u8], mut mark: Mark, actions: &mut Vec<Action>) -> &'a [u8] {
        let mut piece = Vec::with_capacity(bytes.len());
        for (at, &byte) in bytes.iter().enumerate() {
            mark = match (mark, byte) {
                (Mark::LineStart, b'.') => Mark::Dot,
                (Mark::Dot, b'\r') => Mark::DotCr,
                (Mark::DotCr, b'\n') => {
                    if self.piece(piece, actions) {
                        self.end(actions);
                    }
                    return &bytes[at + 1..];
                }
                (mark, byte) => {
                    // The first dot of a line is not the message's own (RFC 5321, 4.5.2); what was taken for the end mark is.
                    if mark == Mark::DotCr {
                        piece.push(b'\r');
                    }
                    piece.push(byte);
                    match (mark, byte) {
                        (_, b'\r') => Mark::Cr,
                        (Mark::Cr, b'\n') => Mark::LineStart,
                        _ => Mark::Within,
                    }
                }
            };
        }
        if self.piece(piece, actions) {
            self.state = State::Data(mark);
        }
        &[]
    }

    fn bdat(&mut self, rest: &str, actions: &mut Vec<Action>) {
        let mut words = rest.split_whitespace();
        let size = words.next().and_then(|word| word.parse::<u64>().ok());
        let last = words.next().map(|word| word.eq_ignore_ascii_case("LAST"));
        let (Some(left), Some(true) | None, None) = (size, last, words.next()) else {
            // Where the chunk ends cannot be known.
            actions.push(reply("501 5.5.4 say BDAT size [LAST]"));
            return self.close(actions);
        };
        let (last, first) = (last.is_some(), self.state != State::Chunks);
        // The chunk comes, wanted or not.
        let refused = first && !self.ready(actions);
        if self.state == State::Closed {
            return;
        }
        if first && !refused {
            self.begin(actions);
        }
        self.state = State::Chunk { left, last, refused };
        if left == 0 {
            self.chunk(&[], 0, last, refused, actions);
        }
    }

    fn chunk<'a>(
        &mut self,
        bytes: &'a [u8],
        left: u64,
        last: bool,
        refused: bool,
        actions: &mut Vec<Action>,
    ) -> &'a [u8] {
        let taken = bytes.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        let (piece, rest) = bytes.split_at(taken);
        if !refused && !self.piece(piece.to_vec(), actions) {
            return &[];
        }
        let left = left - taken as u64;
        if left > 0 {
            self.state = State::Chunk { left, last, refused };
        } else if refused {
            self.state = State::Command;
        } else if last {
            self.end(actions);
        } else {
            actions.push(if self.size > self.largest { self.too_large() } else { reply("250 2.0.0 go on") });
            self.state = State::Chunks;
        }
        rest
    }

    fn auth(&mut self, rest: &str, actions: &mut Vec<Action>) {
        if !self.greeted {
            return self.refuse("503 5.5.1 say EHLO first", actions);
        }
        let mut words = rest.split_whitespace();
        let mechanism = words.next().unwrap_or_default().to_ascii_uppercase();
        match (mechanism.as_str(), words.next()) {
            ("PLAIN", Some(word)) => self.login(word.as_bytes(), Login::Last, actions),
            ("LOGIN", Some(word)) => self.login(word.as_bytes(), Login::User, actions),
            ("PLAIN", None) => {
                actions.push(reply("334 "));
                self.state = State::Login(Login::Last);
            }
            ("LOGIN", None) => {
                // `Username:`, as RFC-less as it is known.
                actions.push(reply("334 VXNlcm5hbWU6"));
                self.state = State::Login(Login::User);
            }
            _ => actions.push(reply("504 5.5.4 PLAIN or LOGIN")),
        }
    }

    /// Everybody may come in; what they say is not kept.
    fn login(&mut self, line: &[u8], login: Login, actions: &mut Vec<Action>) {
        use base64::Engine as _;
        self.state = State::Command;
        if line == b"*" {
            return actions.push(reply("501 5.7.0 as you like"));
        }
        if line != b"=" && base64::engine::general_purpose::STANDARD.decode(line).is_err() {
            return actions.push(reply("501 5.5.2 that is not base64"));
        }
        match login {
            Login::User => {
                actions.push(reply("334 UGFzc3dvcmQ6"));
                self.state = State::Login(Login::Last);
            }
            Login::Last => actions.push(reply("235 2.7.0 everybody may come in")),
        }
    }
}

fn reply(line: &str) -> Action {
    Action::Reply(format!("{line}\r\n"))
}

/// The address in `FROM:<a@b> PARAMETERS`, and the parameters. Brackets left out are forgiven.
fn path<'a>(rest: &'a str, word: &str) -> Option<(&'a str, &'a str)> {
    let rest =
        rest.get(..word.len()).filter(|head| head.eq_ignore_ascii_case(word)).map(|_| rest[word.len()..].trim())?;
    let Some(inner) = rest.strip_prefix('<') else {
        let (path, parameters) = rest.split_once(' ').unwrap_or((rest, ""));
        return Some((path, parameters)).filter(|(path, _)| !path.is_empty());
    };
    // A quoted local part may hold a bracket.
    let mut quoted = false;
    let end = inner.char_indices().find(|(_, c)| {
        quoted ^= *c == '"';
        *c == '>' && !quoted
    })?;
    let path = &inner[..end.0];
    // A source route is ignored (RFC 5321, appendix C).
    let path = if path.starts_with('@') { path.split_once(':').map_or(path, |(_, path)| path) } else { path };
    Some((path, &inner[end.0 + 1..]))
}

/// Why an address is not taken.
fn refusal(path: &str, utf8: bool) -> Option<&'static str> {
    // A quoted local part may hold what else would end it.
    let bad = |c: char| c.is_control() || [' ', '<', '>'].contains(&c) && !path.starts_with('"');
    if path.chars().any(bad) || path.len() > 320 {
        Some("553 5.1.3 that is no address")
    } else if !utf8 && !path.is_ascii() {
        Some("553 5.6.7 an address beyond ASCII needs SMTPUTF8")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;

    /// What a client that sends `text` hears, and what is kept, as one picture.
    fn talk(text: &str, step: usize) -> String {
        let mut session = Session::new(64);
        let mut picture = String::new();
        let mut message = Vec::new();
        for piece in text.as_bytes().chunks(step) {
            for action in session.read(piece) {
                match action {
                    Action::Reply(text) => picture.push_str(&text.replace("\r\n", "\n")),
                    Action::Begin(envelope) => {
                        let _ = writeln!(picture, "  [{} -> {}]", envelope.from, envelope.to.join(" "));
                        message.clear();
                    }
                    Action::Data(piece) => message.extend(piece),
                    Action::Finish => drop(writeln!(picture, "  [{:?}]", String::from_utf8_lossy(&message))),
                    Action::Abandon => picture.push_str("  [abandoned]\n"),
                    Action::Close => picture.push_str("  [closed]\n"),
                }
            }
        }
        picture
    }

    fn same_at_every_cut(text: &str) -> String {
        let whole = talk(text, usize::MAX);
        for step in [1, 2, 3, 7] {
            assert_eq!(talk(text, step), whole, "in pieces of {step}");
        }
        whole
    }

    #[test]
    fn a_message_comes_through_unstuffed_however_it_is_cut() {
        let text = "EHLO me\r\nMAIL FROM:<a@b> SIZE=9 BODY=8BITMIME\r\nRCPT TO:<c@d>\r\nrcpt to: e@f\r\nDATA\r\n\
            ..a\r\n.b\r\nc\r.\r\n\n.\n..\r\n.\r\nNOOP\r\nQUIT\r\nNOOP\r\n";
        insta::assert_snapshot!(same_at_every_cut(text), @r#"
        250-localhost
        250-PIPELINING
        250-SIZE 64
        250-8BITMIME
        250-SMTPUTF8
        250-CHUNKING
        250-ENHANCEDSTATUSCODES
        250-AUTH PLAIN LOGIN
        250 HELP
        250 2.1.0 sender taken
        250 2.1.5 recipient taken
        250 2.1.5 recipient taken
        354 the message, then a line with a dot
          [a@b -> c@d e@f]
          [".a\r\nb\r\nc\r.\r\n\n.\n..\r\n"]
        250 2.0.0 still here
        221 2.0.0 goodbye
          [closed]
        "#);
    }

    #[test]
    fn chunks_make_a_message_too() {
        let text = "HELO me\r\nMAIL FROM:<>\r\nRCPT TO:<c@d>\r\nBDAT 4\r\n.\r\n.BDAT 0\r\nBDAT 3 LAST\r\nx\r\n\
            BDAT 2 LAST\r\nno\
            MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nBDAT 1\r\nxRSET\r\nBDAT what\r\n";
        insta::assert_snapshot!(same_at_every_cut(text), @r#"
        250 localhost
        250 2.1.0 sender taken
        250 2.1.5 recipient taken
          [ -> c@d]
        250 2.0.0 go on
        250 2.0.0 go on
          [".\r\n.x\r\n"]
        503 5.5.1 say MAIL first
        250 2.1.0 sender taken
        250 2.1.5 recipient taken
          [a@b -> c@d]
        250 2.0.0 go on
          [abandoned]
        250 2.0.0 as new
        501 5.5.4 say BDAT size [LAST]
          [closed]
        "#);
    }

    #[test]
    fn what_is_wrong_is_said() {
        let long = format!("NOOP {}\r\n", "x".repeat(LONGEST_LINE));
        let text = format!(
            "MAIL FROM:<a@b>\r\nEHLO\r\nHELO me\r\nDATA\r\nMAIL TO:<a@b>\r\nMAIL FROM:<a@b> SIZE=65\r\nMAIL FROM:<ü@b>\r\n\
            MAIL FROM:<a@b> RET=FULL\r\nMAIL FROM:<ü@b> SMTPUTF8\r\nRCPT TO:<>\r\nRCPT TO:<a b@c>\r\nDATA\r\nRCPT TO:<ü@d>\r\nDATA\r\n{}\r\n.\r\n\
            STARTTLS\r\nAUTH LOGIN\r\nbWU=\r\nbWU=\r\nAUTH PLAIN AG1lAG1l\r\nAUTH PLAIN ?\r\nAUTH CRAM-MD5\r\nVRFY x\r\n{long}EHLOX\r\n",
            "x".repeat(65)
        );
        insta::assert_snapshot!(same_at_every_cut(&text), @"
        503 5.5.1 say EHLO first
        501 5.5.4 say who you are
        250 localhost
        503 5.5.1 say MAIL first
        501 5.5.4 say MAIL FROM:<address>
        552 5.3.4 larger than 64 bytes
        553 5.6.7 an address beyond ASCII needs SMTPUTF8
        555 5.5.4 there is no such parameter
        250 2.1.0 sender taken
        501 5.1.3 a recipient has a name
        553 5.1.3 that is no address
        503 5.5.1 say RCPT first
        250 2.1.5 recipient taken
        354 the message, then a line with a dot
          [ü@b -> ü@d]
          [abandoned]
        552 5.3.4 larger than 64 bytes
        454 4.7.0 no TLS here, and nothing leaves this machine: go on without
        334 VXNlcm5hbWU6
        334 UGFzc3dvcmQ6
        235 2.7.0 everybody may come in
        235 2.7.0 everybody may come in
        501 5.5.2 that is not base64
        504 5.5.4 PLAIN or LOGIN
        252 2.5.2 everybody is taken
        500 5.5.6 a line this long is no command
        500 5.5.1 there is no such command
        ");
    }

    #[test]
    fn nonsense_does_not_go_on_for_ever() {
        let picture = talk(&"x\r\n".repeat(100), usize::MAX);
        assert_eq!(picture.matches("500").count(), 20);
        assert!(picture.ends_with("421 4.7.0 too many commands that make no sense\n  [closed]\n"), "{picture}");
    }
}
