//! One line of the protocol, read. What beanstalkd takes is taken, to the odd blank; see its doc/protocol.txt.

/// A tube's name: 1 to 200 of the characters below, `-` not first.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Name(Box<str>);

const LONGEST_NAME: usize = 200;

pub const BAD_FORMAT: &str = "BAD_FORMAT\r\n";
pub const UNKNOWN_COMMAND: &str = "UNKNOWN_COMMAND\r\n";

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    Peek(u64),
    PeekReady,
    PeekDelayed,
    PeekBuried,
    Reserve,
    /// In seconds.
    ReserveWithTimeout(u32),
    ReserveJob(u64),
    Delete(u64),
    Release {
        id: u64,
        pri: u32,
        /// In seconds.
        delay: u32,
    },
    Bury {
        id: u64,
        pri: u32,
    },
    /// At most so many.
    Kick(u32),
    KickJob(u64),
    Touch(u64),
    Use(Name),
    Watch(Name),
    Ignore(Name),
    PauseTube {
        name: Name,
        /// In seconds.
        delay: u32,
    },
    Stats,
    StatsJob(u64),
    StatsTube(Name),
    ListTubes,
    ListTubeUsed,
    ListTubesWatched,
    Quit,
}

/// What a line says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Line {
    Command(Command),
    /// A job's body of `size` bytes follows.
    Put(Put),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Put {
    pub pri: u32,
    /// In seconds.
    pub delay: u32,
    /// In seconds.
    pub ttr: u32,
    pub size: u32,
    /// Something follows the size. It is no matter for a job that is too big.
    pub trails: bool,
}

impl Name {
    pub fn parse(text: &[u8]) -> Option<Self> {
        let good = !text.is_empty()
            && text.len() <= LONGEST_NAME
            && text[0] != b'-'
            && text.iter().all(|byte| is_of_name(*byte));
        let text = std::str::from_utf8(text).ok()?;
        good.then(|| Self(text.into()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for Name {
    fn default() -> Self {
        Self("default".into())
    }
}

fn is_of_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-+/;.$_()".contains(&byte)
}

/// Reads a line without its end. `Err` is the answer.
pub fn parse(line: &[u8]) -> Result<Line, &'static str> {
    if line.contains(&0) {
        return Err(BAD_FORMAT);
    }
    // As beanstalkd tells them apart: by the first that the line begins with, in this order.
    let rest = |word: &str| line.strip_prefix(word.as_bytes());
    let alone = |rest: &[u8], command: Command| if rest.is_empty() { Some(command) } else { None };
    let command = if let Some(rest) = rest("put ") {
        return put(rest).map(Line::Put).ok_or(BAD_FORMAT);
    } else if let Some(rest) = rest("peek ") {
        last_u64(rest).map(Command::Peek)
    } else if let Some(rest) = rest("peek-ready") {
        alone(rest, Command::PeekReady)
    } else if let Some(rest) = rest("peek-delayed") {
        alone(rest, Command::PeekDelayed)
    } else if let Some(rest) = rest("peek-buried") {
        alone(rest, Command::PeekBuried)
    } else if let Some(rest) = rest("reserve-with-timeout ") {
        let seconds = first_u32(rest).map(|(seconds, _)| seconds);
        seconds.filter(|seconds| i32::try_from(*seconds).is_ok()).map(Command::ReserveWithTimeout)
    } else if let Some(rest) = rest("reserve-job ") {
        last_u64(rest).map(Command::ReserveJob)
    } else if let Some(rest) = rest("reserve") {
        alone(rest, Command::Reserve)
    } else if let Some(rest) = rest("delete ") {
        last_u64(rest).map(Command::Delete)
    } else if let Some(rest) = rest("release ") {
        release(rest)
    } else if let Some(rest) = rest("bury ") {
        first_u64(rest).and_then(|(id, rest)| Some(Command::Bury { id, pri: last_u32(rest)? }))
    } else if let Some(rest) = rest("kick ") {
        count(rest).map(Command::Kick)
    } else if let Some(rest) = rest("kick-job ") {
        last_u64(rest).map(Command::KickJob)
    } else if let Some(rest) = rest("touch ") {
        last_u64(rest).map(Command::Touch)
    } else if let Some(rest) = rest("stats-job ") {
        last_u64(rest).map(Command::StatsJob)
    } else if let Some(rest) = rest("stats-tube ") {
        Name::parse(rest).map(Command::StatsTube)
    } else if let Some(rest) = rest("stats") {
        alone(rest, Command::Stats)
    } else if let Some(rest) = rest("use ") {
        Name::parse(rest).map(Command::Use)
    } else if let Some(rest) = rest("watch ") {
        Name::parse(rest).map(Command::Watch)
    } else if let Some(rest) = rest("ignore ") {
        Name::parse(rest).map(Command::Ignore)
    } else if let Some(rest) = rest("list-tubes-watched") {
        alone(rest, Command::ListTubesWatched)
    } else if let Some(rest) = rest("list-tube-used") {
        alone(rest, Command::ListTubeUsed)
    } else if let Some(rest) = rest("list-tubes") {
        alone(rest, Command::ListTubes)
    } else if rest("quit").is_some() {
        Some(Command::Quit)
    } else if let Some(rest) = rest("pause-tube") {
        pause_tube(rest)
    } else {
        return Err(UNKNOWN_COMMAND);
    };
    command.map(Line::Command).ok_or(BAD_FORMAT)
}

fn put(rest: &[u8]) -> Option<Put> {
    let (pri, rest) = first_u32(rest)?;
    let (delay, rest) = first_u32(rest)?;
    let (ttr, rest) = first_u32(rest)?;
    let (size, rest) = first_u32(rest)?;
    Some(Put { pri, delay, ttr, size, trails: !rest.is_empty() })
}

fn release(rest: &[u8]) -> Option<Command> {
    let (id, rest) = first_u64(rest)?;
    let (pri, rest) = first_u32(rest)?;
    Some(Command::Release { id, pri, delay: last_u32(rest)? })
}

fn pause_tube(rest: &[u8]) -> Option<Command> {
    let rest = rest.trim_ascii_start();
    let end = rest.iter().position(|byte| !is_of_name(*byte)).unwrap_or(rest.len());
    let (name, delay) = rest.split_at(end);
    Some(Command::PauseTube { delay: last_u32(delay)?, name: Name::parse(name)? })
}

/// As `strtoul` reads it: a sign is taken, and a negative number is a great one. What follows is no matter.
fn count(text: &[u8]) -> Option<u32> {
    let text = text.trim_ascii_start();
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, text),
    };
    let (number, _) = first_digits(digits)?;
    let number = if negative { number.wrapping_neg() } else { number };
    #[expect(clippy::cast_possible_truncation, reason = "beanstalkd keeps the low half")]
    Some(number as u32)
}

/// A number behind blanks, and what follows it.
fn first_u64(text: &[u8]) -> Option<(u64, &[u8])> {
    let start = text.iter().position(|byte| *byte != b' ').unwrap_or(text.len());
    first_digits(&text[start..])
}

fn first_digits(text: &[u8]) -> Option<(u64, &[u8])> {
    let end = text.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(text.len());
    let number = std::str::from_utf8(&text[..end]).ok()?.parse().ok()?;
    Some((number, &text[end..]))
}

fn first_u32(text: &[u8]) -> Option<(u32, &[u8])> {
    let (number, rest) = first_u64(text)?;
    Some((number.try_into().ok()?, rest))
}

fn last_u64(text: &[u8]) -> Option<u64> {
    first_u64(text).filter(|(_, rest)| rest.is_empty()).map(|(number, _)| number)
}

fn last_u32(text: &[u8]) -> Option<u32> {
    last_u64(text)?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines() {
        let name = |text: &str| Name::parse(text.as_bytes()).unwrap();
        for (line, command) in [
            ("peek 7", Command::Peek(7)),
            ("peek   18446744073709551615", Command::Peek(u64::MAX)),
            ("reserve", Command::Reserve),
            ("reserve-with-timeout 3 and more", Command::ReserveWithTimeout(3)),
            ("release 1 2 3", Command::Release { id: 1, pri: 2, delay: 3 }),
            ("bury 1 4294967295", Command::Bury { id: 1, pri: u32::MAX }),
            ("kick 3 4", Command::Kick(3)),
            ("kick -1", Command::Kick(u32::MAX)),
            ("use a-+/;.$_()", Command::Use(name("a-+/;.$_()"))),
            ("pause-tube  x 5", Command::PauseTube { name: name("x"), delay: 5 }),
            ("quit it", Command::Quit),
        ] {
            assert_eq!(parse(line.as_bytes()), Ok(Line::Command(command)), "{line}");
        }
        let put = |trails| Line::Put(Put { pri: 1, delay: 2, ttr: 3, size: 4, trails });
        assert_eq!(parse(b"put 1 2 3 4"), Ok(put(false)));
        assert_eq!(parse(b"put 1 2 3 4 5"), Ok(put(true)));
        let long = format!("use {}", "a".repeat(201));
        for bad in [
            "put 1 2 3",
            "put -1 2 3 4",
            "put 4294967296 0 0 0",
            "peek x",
            "peek 1 ",
            "peek-ready ",
            "reserve ",
            "reserve-with-timeout 2147483648",
            "reserve-with-timeout",
            "delete 18446744073709551616",
            "release 1 2",
            "kick x",
            "use",
            "use ",
            "use -a",
            "use a b",
            "use ä",
            "watch a\0",
            "pause-tube x",
            "stats me",
            &long,
        ] {
            let wanted = if bad == "use" { UNKNOWN_COMMAND } else { BAD_FORMAT };
            assert_eq!(parse(bad.as_bytes()), Err(wanted), "{bad}");
        }
        for unknown in ["", "put", "PUT 1 2 3 4", " stats", "hello", "kick"] {
            assert_eq!(parse(unknown.as_bytes()), Err(UNKNOWN_COMMAND), "{unknown}");
        }
    }
}
