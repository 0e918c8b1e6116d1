//! One client's conversation, without its socket: bytes in, bytes out. Nothing is kept for what a client only announces: a
//! command waits in the input until its data is there.

use super::binary;
use super::line::{self, Line};
use super::number;
use super::stats;
use super::store::Store;
use super::text;

/// What is to be sent is handed over when it has grown to this.
const OUT: usize = 64 << 10;
/// A line this long without an end is no command, unless it is a `get` of many keys.
const LINE: usize = 2048;

/// What a stretch of input led to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ran {
    /// Bytes of the input that are done with.
    pub consumed: usize,
    pub then: Then,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Then {
    /// More input is needed; as far as is known, so many bytes together.
    Read(usize),
    /// There is more to be said to the same input once this has been sent.
    Send,
    /// The client is let go once this has been sent.
    Close,
}

/// One step's outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    Done(usize),
    /// So much input is needed.
    Wants(usize),
    Close,
}

#[derive(Debug, Default)]
pub struct Session {
    state: State,
    /// Which protocol a client speaks is seen by its first byte.
    binary: bool,
}

#[derive(Debug, Default)]
pub(super) enum State {
    #[default]
    Start,
    /// Between commands.
    Ready,
    /// Data of a command that was refused.
    Swallow(u64),
    /// Keys of a `get` that are read as they come.
    Keys(Keys),
    /// A listing of all items, from this slot on.
    Listing(usize),
}

/// What is done with each key of a `get`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Keys {
    pub with_cas: bool,
    /// The expiry that each item gets.
    pub touch: Option<u32>,
}

impl Session {
    /// Answers as much of `input` as is complete, until `out` is large enough to be sent.
    pub fn run(&mut self, store: &mut Store, input: &[u8], out: &mut Vec<u8>) -> Ran {
        let mut consumed = 0;
        loop {
            if out.len() >= OUT {
                return Ran { consumed, then: Then::Send };
            }
            match self.step(store, &input[consumed..], out) {
                Step::Done(bytes) => consumed += bytes,
                Step::Wants(bytes) => return Ran { consumed, then: Then::Read(bytes) },
                Step::Close => return Ran { consumed, then: Then::Close },
            }
        }
    }

    fn step(&mut self, store: &mut Store, input: &[u8], out: &mut Vec<u8>) -> Step {
        match &mut self.state {
            State::Listing(slot) => {
                match stats::listing(store, *slot, OUT, out) {
                    Some(next) => *slot = next,
                    None => self.state = State::Ready,
                }
                Step::Done(0)
            }
            _ if input.is_empty() => Step::Wants(1),
            State::Start => {
                self.binary = input[0] == binary::REQUEST;
                self.state = State::Ready;
                Step::Done(0)
            }
            State::Ready if self.binary => binary::step(store, input, out, &mut self.state),
            State::Swallow(left) => {
                let swallowed = usize::try_from(*left).unwrap_or(usize::MAX).min(input.len());
                *left -= number::length(swallowed);
                if *left == 0 {
                    self.state = State::Ready;
                }
                Step::Done(swallowed)
            }
            State::Keys(keys) => {
                let keys = *keys;
                self.keys(keys, store, input, out)
            }
            State::Ready => match line::newline(input) {
                Some(end) => {
                    let line = Line::of(input, end + 1);
                    text::command(store, &line, &input[end + 1..], out, &mut self.state)
                }
                None if input.len() <= LINE => Step::Wants(input.len() + 1),
                None => self.long_get(input),
            },
        }
    }

    fn long_get(&mut self, input: &[u8]) -> Step {
        let blanks = input.iter().take(100).take_while(|byte| **byte == b' ').count();
        let (with_cas, word) = match &input[blanks..] {
            rest if rest.starts_with(b"get ") => (false, 4),
            rest if rest.starts_with(b"gets ") => (true, 5),
            _ => return Step::Close,
        };
        self.state = State::Keys(Keys { with_cas, touch: None });
        Step::Done(blanks + word)
    }

    /// The next key of a `get`, or its end.
    fn keys(&mut self, keys: Keys, store: &mut Store, input: &[u8], out: &mut Vec<u8>) -> Step {
        let blanks = input.iter().take_while(|byte| **byte == b' ').count();
        let rest = &input[blanks..];
        let Some(end) = rest.iter().position(|byte| matches!(byte, b' ' | b'\n' | 0)) else {
            // The rest of a key, and a carriage return.
            return if rest.len() > store.settings.key() + 1 { Step::Close } else { Step::Wants(input.len() + 1) };
        };
        let key = if rest[end] == b'\n' { line::content(&rest[..=end]) } else { &rest[..end] };
        if key.len() > store.settings.key() {
            return Step::Close;
        }
        if !key.is_empty() && key != b"\r" {
            text::get(store, key, keys, out);
        }
        match rest[end] {
            b'\n' => {
                out.extend_from_slice(b"END\r\n");
                self.state = State::Ready;
                Step::Done(blanks + end + 1)
            }
            b' ' => Step::Done(blanks + end + 1),
            // After a NUL there are no more keys.
            _ => match line::newline(&rest[end..]) {
                Some(newline) => {
                    out.extend_from_slice(b"END\r\n");
                    self.state = State::Ready;
                    Step::Done(blanks + end + newline + 1)
                }
                None => Step::Close,
            },
        }
    }
}
