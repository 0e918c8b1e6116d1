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
/// And this is too long for one.
const GET: usize = 4 << 20;

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
    /// So much of the input has no newline.
    scanned: usize,
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
            State::Ready => match line::newline(&input[self.scanned..]) {
                Some(end) => {
                    let end = self.scanned + end;
                    self.scanned = 0;
                    let line = Line::of(input, end + 1);
                    text::command(store, &line, &input[end + 1..], out, &mut self.state)
                }
                None => self.unended(input),
            },
        }
    }

    /// A line without an end: only a `get` may be long. It is read whole before it is answered, because its client may not
    /// read before it has written all of it.
    fn unended(&mut self, input: &[u8]) -> Step {
        self.scanned = input.len();
        if input.len() <= LINE {
            return Step::Wants(input.len() + 1);
        }
        let blanks = input.iter().take(100).take_while(|byte| **byte == b' ').count();
        let is_get = input[blanks..].starts_with(b"get ") || input[blanks..].starts_with(b"gets ");
        if is_get && input.len() < GET { Step::Wants(input.len() * 2) } else { Step::Close }
    }

    /// The next key of a `get`, or its end. All of the line is there, and its keys are good.
    fn keys(&mut self, keys: Keys, store: &mut Store, input: &[u8], out: &mut Vec<u8>) -> Step {
        let blanks = input.iter().take_while(|byte| **byte == b' ').count();
        let rest = &input[blanks..];
        let end = rest.iter().position(|byte| matches!(byte, b' ' | b'\n' | 0)).unwrap_or(rest.len());
        let is_last = rest.get(end) != Some(&b' ');
        let key = if is_last { rest[..end].strip_suffix(b"\r").unwrap_or(&rest[..end]) } else { &rest[..end] };
        if !key.is_empty() {
            text::get(store, key, keys, out);
        }
        if !is_last {
            return Step::Done(blanks + end + 1);
        }
        out.extend_from_slice(b"END\r\n");
        self.state = State::Ready;
        // After a NUL there are no more keys.
        let line = line::newline(&rest[end..]).map_or(input.len(), |newline| blanks + end + newline + 1);
        Step::Done(line)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::settings::Settings;
    use super::*;

    /// What is said to `input` when it comes in pieces of `piece` bytes.
    fn conversation(input: &[u8], piece: usize) -> Vec<u8> {
        let mut store = Store::new(Settings { memory: 64 << 10, ..Settings::default() });
        let mut session = Session::default();
        let (mut buffer, mut said) = (Vec::new(), Vec::new());
        for piece in input.chunks(piece) {
            buffer.extend_from_slice(piece);
            loop {
                let ran = session.run(&mut store, &buffer, &mut said);
                buffer.drain(..ran.consumed);
                match ran.then {
                    Then::Send => {}
                    Then::Close => return said,
                    Then::Read(wanted) => {
                        assert!(wanted > buffer.len(), "it waits for what is there");
                        break;
                    }
                }
            }
        }
        said
    }

    fn words() -> impl Strategy<Value = Vec<u8>> {
        let word = prop::sample::select(vec![
            "get ",
            "gets ",
            "gat 0 ",
            "set a 0 0 3\r\n",
            "abc\r\n",
            "\r\n",
            "\n",
            "a",
            " ",
            "ms a 3 ",
            "mg a ",
            "v ",
            "q ",
            "N30 ",
            "ma n ",
            "incr n 1\r\n",
            "set n 0 0 1\r\n5\r\n",
            "noreply\r\n",
            "md a ",
            "I ",
            "me a\r\n",
            "delete a\r\n",
            "append a 0 0 3\r\n",
            "set big 0 0 2000000\r\n",
            "\0",
            "k ",
            "O1 ",
            "flush_all\r\n",
            "mn\r\n",
            "quit\r\n",
        ]);
        prop::collection::vec(word, 0..40).prop_map(|words| words.concat().into_bytes())
    }

    proptest! {
        #[test]
        fn an_answer_does_not_depend_on_how_the_input_is_cut(input in words(), piece in 1..20_usize) {
            let (whole, cut) = (conversation(&input, usize::MAX), conversation(&input, piece));
            prop_assert_eq!(String::from_utf8_lossy(&whole), String::from_utf8_lossy(&cut));
        }

        #[test]
        fn no_input_is_too_much(input in prop::collection::vec(any::<u8>(), 0..300), binary in any::<bool>()) {
            let input = if binary { [&[binary::REQUEST][..], &input].concat() } else { input };
            conversation(&input, 5);
        }
    }
}
