//! The text protocol: bytes become requests. Pure; knows no sockets and no store.

use bytes::{Buf as _, Bytes, BytesMut};

/// Longer keys are refused.
const LONGEST_KEY: usize = 250;
/// Longer values are refused, unless it is said otherwise.
pub const LONGEST_VALUE: usize = 50 << 20;
/// A line with so many bytes and no end is no command.
const LONGEST_LINE: usize = 1 << 20;

const BAD_LINE: &str = "CLIENT_ERROR bad command line format";
const BAD_DELTA: &str = "CLIENT_ERROR invalid numeric delta argument";
const BAD_CHUNK: &str = "CLIENT_ERROR bad data chunk";
const TOO_LARGE: &str = "SERVER_ERROR object too large";
const TOO_LONG: &str = "CLIENT_ERROR line too long";
const UNKNOWN: &str = "ERROR";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reply {
    Wanted,
    Unwanted,
}

/// What a client asks for. A key in it need not be one that the store takes: see `is_key`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    Get(Vec<Bytes>),
    Write(Write, Reply),
    FlushAll(Reply),
    OptimizeStat,
    Stats,
    ResetStats,
    Version,
    Verbosity(Reply),
    Quit,
    /// To be answered with this line.
    Refused(&'static str, Reply),
    /// To be answered with this line and closed: nobody can know where the next command begins.
    Lost(&'static str),
}

/// What changes the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Write {
    /// `version` stands where memcached has the expiry.
    Set {
        key: Bytes,
        flag: u32,
        version: i32,
        value: Bytes,
    },
    Append {
        key: Bytes,
        value: Bytes,
    },
    Incr {
        key: Bytes,
        delta: i64,
    },
    Delete {
        key: Bytes,
    },
}

impl Write {
    pub fn key(&self) -> &Bytes {
        match self {
            Self::Set { key, .. } | Self::Append { key, .. } | Self::Incr { key, .. } | Self::Delete { key } => key,
        }
    }
}

/// What the store takes as a key. Bytes from 0x80 on are letters of some language.
pub fn is_key(key: &[u8]) -> bool {
    let plain = |byte: &u8| !byte.is_ascii_control() && *byte != b' ';
    (1..=LONGEST_KEY).contains(&key.len()) && key.iter().all(plain)
}

/// Cuts requests off the front of what has come in.
#[derive(Debug)]
pub struct Decoder {
    longest_value: usize,
    /// Bytes still to come of a value that is not taken.
    skipped: usize,
}

/// A line with a value after it, understood.
struct Header {
    write: Write,
    reply: Reply,
    length: usize,
    /// Why the value is read over and not taken.
    refused: Option<&'static str>,
}

impl Decoder {
    pub fn new(longest_value: usize) -> Self {
        Self { longest_value, skipped: 0 }
    }

    /// The next request; `None` until more has come.
    pub fn next(&mut self, bytes: &mut BytesMut) -> Option<Request> {
        let now = self.skipped.min(bytes.len());
        bytes.advance(now);
        self.skipped -= now;
        if self.skipped > 0 {
            return None;
        }
        let Some(end) = bytes.iter().take(LONGEST_LINE).position(|byte| *byte == b'\n') else {
            return (bytes.len() >= LONGEST_LINE).then(|| {
                bytes.clear();
                Request::Lost(TOO_LONG)
            });
        };
        let line = bytes[..end].strip_suffix(b"\r").unwrap_or(&bytes[..end]);
        let words: Vec<&[u8]> = line.split(|byte| *byte == b' ').filter(|word| !word.is_empty()).collect();
        if !matches!(words[..], [b"set" | b"append", _, _, _, _] | [b"set" | b"append", _, _, _, _, _]) {
            let request = plain(&words);
            bytes.advance(end + 1);
            return Some(request);
        }
        match self.header(&words) {
            Ok(header) => self.with_value(bytes, end + 1, header),
            Err(reply) => {
                bytes.advance(end + 1);
                Some(Request::Refused(BAD_LINE, reply))
            }
        }
    }

    /// `set` and `append` KEY FLAG VERSION LENGTH. An error where the length cannot be known.
    fn header(&self, words: &[&[u8]]) -> Result<Header, Reply> {
        let reply = reply(words);
        let length: usize = number(words[4]).ok_or(reply)?;
        let (flag, version) = (number(words[2]), number(words[3]));
        let key = Bytes::copy_from_slice(words[1]);
        let refused = if length > self.longest_value {
            Some(TOO_LARGE)
        } else if flag.is_none() || version.is_none() || key.len() > LONGEST_KEY {
            Some(BAD_LINE)
        } else {
            None
        };
        let value = Bytes::new();
        let write = if words[0] == b"append" {
            Write::Append { key, value }
        } else {
            Write::Set { key, flag: flag.unwrap_or(0), version: version.unwrap_or(0), value }
        };
        Ok(Header { write, reply, length, refused })
    }

    fn with_value(&mut self, bytes: &mut BytesMut, line: usize, header: Header) -> Option<Request> {
        let Header { mut write, reply, length, refused } = header;
        if let Some(why) = refused {
            // The C server takes the value for the next command; whoever chooses values must not choose commands.
            self.skipped = length.saturating_add(2);
            bytes.advance(line);
            return Some(Request::Refused(why, reply));
        }
        let end = line + length;
        if bytes.len() < end + 2 {
            // Not more than doubled: what a client says of a length is not yet memory it has filled.
            let missing = end + 2 - bytes.len();
            bytes.reserve(missing.min(bytes.len().max(1 << 16)));
            return None;
        }
        if bytes[end..end + 2] != *b"\r\n" {
            bytes.advance(end + 2);
            return Some(Request::Refused(BAD_CHUNK, reply));
        }
        let mut whole = bytes.split_to(end + 2).freeze();
        whole.truncate(end);
        whole.advance(line);
        if let Write::Set { value, .. } | Write::Append { value, .. } = &mut write {
            *value = whole;
        }
        Some(Request::Write(write, reply))
    }
}

/// A request that is one line. Commands are case-sensitive.
fn plain(words: &[&[u8]]) -> Request {
    let key = |word: &[u8]| Bytes::copy_from_slice(word);
    let reply = reply(words);
    match *words {
        [b"get", ref keys @ ..] if !keys.is_empty() => {
            if keys.iter().any(|key| key.len() > LONGEST_KEY) {
                return Request::Refused(BAD_LINE, Reply::Wanted);
            }
            Request::Get(keys.iter().map(|word| key(word)).collect())
        }
        [b"delete" | b"incr", name, ..] if words.len() <= 4 && name.len() > LONGEST_KEY => {
            Request::Refused(BAD_LINE, reply)
        }
        [b"delete", name] | [b"delete", name, _] => Request::Write(Write::Delete { key: key(name) }, reply),
        [b"incr", name, delta] | [b"incr", name, delta, _] => match self::delta(delta) {
            Some(delta) => Request::Write(Write::Incr { key: key(name), delta }, reply),
            None => Request::Refused(BAD_DELTA, reply),
        },
        [b"stats"] => Request::Stats,
        [b"stats", b"reset"] => Request::ResetStats,
        [b"version"] => Request::Version,
        [b"verbosity", _] | [b"verbosity", _, b"noreply"] => Request::Verbosity(reply),
        [b"quit"] => Request::Quit,
        [b"optimize_stat"] => Request::OptimizeStat,
        [b"flush_all", ref rest @ ..] if rest.len() <= 2 || rest.len() == 3 && reply == Reply::Unwanted => {
            let rest = &rest[..rest.len() - usize::from(reply == Reply::Unwanted)];
            let limit = rest.first().is_none_or(|word| number::<i64>(word).is_some());
            let tree = rest.get(1).is_none_or(|word| matches!(word, [b'@'] | [b'@', b'0'..=b'9' | b'a'..=b'f']));
            if limit && tree { Request::FlushAll(reply) } else { Request::Refused(BAD_LINE, reply) }
        }
        _ => Request::Refused(UNKNOWN, Reply::Wanted),
    }
}

fn reply(words: &[&[u8]]) -> Reply {
    if words.last().is_some_and(|word| *word == b"noreply") { Reply::Unwanted } else { Reply::Wanted }
}

fn number<T: std::str::FromStr>(word: &[u8]) -> Option<T> {
    std::str::from_utf8(word).ok()?.parse().ok()
}

/// As C's `strtoull` has it: what is below zero or large wraps around, and is below zero again when it is added.
fn delta(word: &[u8]) -> Option<i64> {
    number::<i64>(word).or_else(|| number::<u64>(word).map(u64::cast_signed))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(decoder: &mut Decoder, bytes: &mut BytesMut) -> Vec<Request> {
        std::iter::from_fn(|| decoder.next(bytes)).collect()
    }

    fn decoded(text: &[u8]) -> Vec<Request> {
        all(&mut Decoder::new(10), &mut BytesMut::from(text))
    }

    #[test]
    fn it_does_not_matter_how_bytes_come_in() {
        let text =
            b"set a 5 -3 4 noreply\r\n\r\n\r\n\r\nget a ?a\nset b 0 0 11\r\nhello world\r\nset c 0 0 3\r\nabcd\r\n\
                     incr d -1\r\nset e 0 0 99999999999999999999 \r\ndelete f 0 noreply\r\nflush_all 10 @f\r\n";
        let whole = decoded(text);
        assert_eq!(whole.len(), 9);
        for size in 1..text.len() {
            let (mut decoder, mut bytes, mut found) = (Decoder::new(10), BytesMut::new(), Vec::new());
            for part in text.chunks(size) {
                bytes.extend_from_slice(part);
                found.extend(all(&mut decoder, &mut bytes));
            }
            assert_eq!(found, whole, "in parts of {size}");
            assert_eq!(bytes.len(), 0);
        }
    }

    #[test]
    fn lines() {
        let refused = |text: &str| match &decoded(text.as_bytes())[..] {
            [Request::Refused(line, reply)] => format!("{line} {reply:?}"),
            other => format!("{other:?}"),
        };
        let long = "k".repeat(251);
        for (text, answer) in [
            ("\r\n", "ERROR Wanted"),
            ("get\r\n", "ERROR Wanted"),
            ("GET a\r\n", "ERROR Wanted"),
            ("gets a\r\n", "ERROR Wanted"),
            ("touch a 0 noreply\r\n", "ERROR Wanted"),
            ("quit now\r\n", "ERROR Wanted"),
            ("stats items\r\n", "ERROR Wanted"),
            ("set a 0 0\r\n", "ERROR Wanted"),
            ("delete\r\n", "ERROR Wanted"),
            ("delete a b c\r\n", "ERROR Wanted"),
            ("set a x 0 0\r\n\r\n", "CLIENT_ERROR bad command line format Wanted"),
            ("set a 0 x 0 noreply\r\n\r\n", "CLIENT_ERROR bad command line format Unwanted"),
            ("set a 0 0 -1\r\n", "CLIENT_ERROR bad command line format Wanted"),
            ("incr a b\r\n", "CLIENT_ERROR invalid numeric delta argument Wanted"),
            ("flush_all x\r\n", "CLIENT_ERROR bad command line format Wanted"),
            ("flush_all 1 @g noreply\r\n", "CLIENT_ERROR bad command line format Unwanted"),
            (&format!("get a {long}\r\n"), "CLIENT_ERROR bad command line format Wanted"),
            (&format!("delete {long}\r\n"), "CLIENT_ERROR bad command line format Wanted"),
            (&format!("incr {long} 1 noreply\r\n"), "CLIENT_ERROR bad command line format Unwanted"),
            (&format!("set {long} 0 0 3\r\nabc\r\n"), "CLIENT_ERROR bad command line format Wanted"),
        ] {
            assert_eq!(refused(text), answer, "{text:?}");
        }
        assert_eq!(decoded(&vec![b'a'; LONGEST_LINE + 1])[0], Request::Lost(TOO_LONG));
        assert_eq!(delta(b"18446744073709551615"), Some(-1));
    }

    #[test]
    fn keys() {
        for (key, good) in [
            (&b"a"[..], true),
            (b"", false),
            (b"a b", false),
            (b"a\tb", false),
            (b"a\x7f", false),
            ("豆瓣".as_bytes(), true),
            (&[b'k'; 250], true),
            (&[b'k'; 251], false),
        ] {
            assert_eq!(is_key(key), good, "{key:?}");
        }
    }
}
