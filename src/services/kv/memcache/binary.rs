//! The binary protocol, which some clients still choose: one frame, one answer. It counts and stores as the text protocol does.
//! Facts: memcached's wiki on the binary protocol, and memcached 1.6.18's answers.

use super::items::Id;
use super::number;
use super::session::{State, Step};
use super::stats;
use super::store::{Direction, Mode, New, Store, Stored, Sum};
use super::text::{VERSION, fetch};

/// The first byte of every request.
pub(super) const REQUEST: u8 = 0x80;
const ANSWER: u8 = 0x81;
const HEADER: usize = 24;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Status {
    Good = 0,
    NotFound = 1,
    Exists = 2,
    TooLarge = 3,
    Invalid = 4,
    NotStored = 5,
    NotANumber = 6,
    Unknown = 0x81,
}

impl Status {
    fn text(self) -> &'static str {
        match self {
            Self::Good => "",
            Self::NotFound => "Not found",
            Self::Exists => "Data exists for key.",
            Self::TooLarge => "Too large.",
            Self::Invalid => "Invalid arguments",
            Self::NotStored => "Not stored.",
            Self::NotANumber => "Non-numeric server-side value for incr or decr",
            Self::Unknown => "Unknown command",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Command {
    Get { key: bool },
    Touch { value: bool, key: bool },
    Store(Mode),
    Join(Mode),
    Delta(Direction),
    Delete,
    Flush,
    Noop,
    Version,
    Stat,
    Quit,
}

/// The command of an opcode, and whether only what is out of the ordinary is answered.
fn command(opcode: u8) -> Option<(Command, bool)> {
    Some(match opcode {
        0x00 => (Command::Get { key: false }, false),
        0x09 => (Command::Get { key: false }, true),
        0x0c => (Command::Get { key: true }, false),
        0x0d => (Command::Get { key: true }, true),
        0x1c => (Command::Touch { value: false, key: false }, false),
        0x1d => (Command::Touch { value: true, key: false }, false),
        0x1e => (Command::Touch { value: true, key: false }, true),
        0x23 => (Command::Touch { value: true, key: true }, false),
        0x24 => (Command::Touch { value: true, key: true }, true),
        0x01 => (Command::Store(Mode::Set), false),
        0x11 => (Command::Store(Mode::Set), true),
        0x02 => (Command::Store(Mode::Add), false),
        0x12 => (Command::Store(Mode::Add), true),
        0x03 => (Command::Store(Mode::Replace), false),
        0x13 => (Command::Store(Mode::Replace), true),
        0x0e => (Command::Join(Mode::Append), false),
        0x19 => (Command::Join(Mode::Append), true),
        0x0f => (Command::Join(Mode::Prepend), false),
        0x1a => (Command::Join(Mode::Prepend), true),
        0x05 => (Command::Delta(Direction::Up), false),
        0x15 => (Command::Delta(Direction::Up), true),
        0x06 => (Command::Delta(Direction::Down), false),
        0x16 => (Command::Delta(Direction::Down), true),
        0x04 => (Command::Delete, false),
        0x14 => (Command::Delete, true),
        0x08 => (Command::Flush, false),
        0x18 => (Command::Flush, true),
        0x0a => (Command::Noop, false),
        0x0b => (Command::Version, false),
        0x10 => (Command::Stat, false),
        0x07 => (Command::Quit, false),
        0x17 => (Command::Quit, true),
        _ => return None,
    })
}

/// A request's first bytes, in order: what it is and how long its parts are.
#[derive(Debug, Clone, Copy)]
struct Header {
    opcode: u8,
    key: usize,
    extras: usize,
    body: usize,
    /// Given back as it came.
    opaque: [u8; 4],
    cas: u64,
}

/// `N` bytes from an offset; where they are not, zeros.
fn bytes<const N: usize>(input: &[u8], at: usize) -> [u8; N] {
    input.get(at..at + N).and_then(|found| found.try_into().ok()).unwrap_or([0; N])
}

fn length(wide: u32) -> usize {
    usize::try_from(wide).unwrap_or(usize::MAX)
}

impl Header {
    fn of(input: &[u8]) -> Self {
        Self {
            opcode: input[1],
            key: u16::from_be_bytes(bytes(input, 2)).into(),
            extras: input[4].into(),
            body: length(u32::from_be_bytes(bytes(input, 8))),
            opaque: bytes(input, 12),
            cas: u64::from_be_bytes(bytes(input, 16)),
        }
    }

    fn whole(&self) -> usize {
        HEADER.saturating_add(self.body)
    }

    /// Whether the lengths are those that the command may have.
    fn fits(&self, command: Command) -> bool {
        let Self { key, extras, body, .. } = *self;
        let no_value = body == key + extras;
        match command {
            Command::Get { .. } | Command::Delete => key > 0 && extras == 0 && no_value,
            Command::Touch { .. } => key > 0 && extras == 4,
            Command::Store(_) => key > 0 && extras == 8,
            Command::Join(_) => key > 0 && extras == 0,
            Command::Delta(_) => key > 0 && extras == 20 && no_value,
            Command::Flush => key == 0 && no_value && matches!(extras, 0 | 4),
            Command::Noop | Command::Version | Command::Quit => body == 0,
            Command::Stat => extras == 0,
        }
    }

    /// An answer of three parts after its header.
    fn answer(&self, out: &mut Vec<u8>, status: Status, cas: u64, extras: &[u8], key: &[u8], value: &[u8]) {
        let body = u32::try_from(extras.len() + key.len() + value.len()).unwrap_or(u32::MAX);
        out.extend_from_slice(&[ANSWER, self.opcode]);
        out.extend_from_slice(&u16::try_from(key.len()).unwrap_or_default().to_be_bytes());
        out.extend_from_slice(&[u8::try_from(extras.len()).unwrap_or_default(), 0]);
        out.extend_from_slice(&(status as u16).to_be_bytes());
        out.extend_from_slice(&body.to_be_bytes());
        out.extend_from_slice(&self.opaque);
        out.extend_from_slice(&cas.to_be_bytes());
        for part in [extras, key, value] {
            out.extend_from_slice(part);
        }
    }

    fn refuse(&self, out: &mut Vec<u8>, status: Status) {
        self.answer(out, status, 0, b"", b"", status.text().as_bytes());
    }
}

/// Answers the next frame.
pub(super) fn step(store: &mut Store, input: &[u8], out: &mut Vec<u8>, state: &mut State) -> Step {
    if input[0] != REQUEST {
        return Step::Close;
    }
    if input.len() < HEADER {
        return Step::Wants(HEADER);
    }
    let header = Header::of(input);
    if header.key + header.extras > header.body {
        header.refuse(out, Status::Unknown);
        return Step::Close;
    }
    let swallow = |state: &mut State| {
        *state = State::Swallow(number::length(header.whole()));
        Step::Done(0)
    };
    let Some((command, quiet)) = command(header.opcode) else {
        header.refuse(out, Status::Unknown);
        return swallow(state);
    };
    if header.key > store.settings.key() || !header.fits(command) {
        header.refuse(out, Status::Invalid);
        return Step::Close;
    }
    let value = header.body - header.key - header.extras;
    let start = HEADER + header.extras;
    if matches!(command, Command::Store(_) | Command::Join(_)) && !store.fits(header.key, value, 0) {
        let Some(key) = input.get(start..start + header.key) else { return Step::Wants(start + header.key) };
        if command == Command::Store(Mode::Set) {
            store.refuse(key);
        } else {
            store.counts.store_too_large += 1;
        }
        header.refuse(out, Status::TooLarge);
        return swallow(state);
    }
    // Only what is stored may be long; nothing else waits for more than a key.
    if !matches!(command, Command::Store(_) | Command::Join(_)) && value > store.settings.key() {
        header.refuse(out, Status::Invalid);
        return Step::Close;
    }
    let Some(frame) = input.get(..header.whole()) else { return Step::Wants(header.whole()) };
    let request = Request {
        header,
        extras: &frame[HEADER..start],
        key: &frame[start..start + header.key],
        value: &frame[start + header.key..],
        quiet,
    };
    match command {
        Command::Quit => {
            if !quiet {
                header.answer(out, Status::Good, 0, b"", b"", b"");
            }
            return Step::Close;
        }
        command => request.run(command, store, out),
    }
    Step::Done(frame.len())
}

struct Request<'a> {
    header: Header,
    extras: &'a [u8],
    key: &'a [u8],
    value: &'a [u8],
    quiet: bool,
}

impl Request<'_> {
    fn run(&self, command: Command, store: &mut Store, out: &mut Vec<u8>) {
        match command {
            Command::Get { key } => {
                let found = fetch(store, self.key);
                self.found(store, found, true, key, out);
            }
            Command::Touch { value, key } => {
                let expires = store.expiry(u32::from_be_bytes(bytes(self.extras, 0)).into());
                let found = store.touch(self.key, expires);
                self.found(store, found, value, key, out);
            }
            Command::Store(mode) => {
                let mode = if self.header.cas == 0 { mode } else { Mode::Cas };
                self.store(mode, store, out);
            }
            Command::Join(mode) => self.store(mode, store, out),
            Command::Delta(direction) => self.delta(direction, store, out),
            Command::Delete => self.delete(store, out),
            Command::Flush => {
                let delay = u32::from_be_bytes(bytes(self.extras, 0));
                store.flush(delay.into());
                self.done(out, 0, b"");
            }
            Command::Version => self.done(out, 0, VERSION.as_bytes()),
            Command::Stat => self.stat(store, out),
            Command::Noop | Command::Quit => self.done(out, 0, b""),
        }
    }

    fn done(&self, out: &mut Vec<u8>, cas: u64, value: &[u8]) {
        if !self.quiet {
            self.header.answer(out, Status::Good, cas, b"", b"", value);
        }
    }

    fn found(&self, store: &Store, found: Option<Id>, with_value: bool, with_key: bool, out: &mut Vec<u8>) {
        let key = if with_key { self.key } else { b"" };
        match found {
            Some(id) => {
                let item = store.items.get(id);
                let value = if with_value { item.value() } else { b"" };
                self.header.answer(out, Status::Good, item.cas, &item.flags.to_be_bytes(), key, value);
            }
            None if self.quiet => {}
            None if with_key => self.header.answer(out, Status::NotFound, 0, b"", key, b""),
            None => self.header.refuse(out, Status::NotFound),
        }
    }

    fn store(&self, mode: Mode, store: &mut Store, out: &mut Vec<u8>) {
        let expires = store.expiry(u32::from_be_bytes(bytes(self.extras, 4)).into());
        let stored = store.store(&New {
            mode,
            key: self.key,
            value: self.value,
            flags: u32::from_be_bytes(bytes(self.extras, 0)),
            expires,
            cas: self.header.cas,
            may_be_stale: false,
            marks: 0,
        });
        match (stored, mode) {
            (Stored::Done(cas), _) => self.done(out, cas, b""),
            (Stored::Exists, _) | (Stored::Refused, Mode::Add) => self.header.refuse(out, Status::Exists),
            (Stored::NotFound, _) | (Stored::Refused, Mode::Replace) => self.header.refuse(out, Status::NotFound),
            (Stored::Refused, _) => self.header.refuse(out, Status::NotStored),
        }
    }

    fn delta(&self, direction: Direction, store: &mut Store, out: &mut Vec<u8>) {
        /// This time to live asks for no new item.
        const NEVER: u32 = u32::MAX;
        let delta = u64::from_be_bytes(bytes(self.extras, 0));
        let initial = u64::from_be_bytes(bytes(self.extras, 8));
        let ttl = u32::from_be_bytes(bytes(self.extras, 16));
        match store.add_delta(self.key, direction, delta, self.header.cas) {
            Sum::Now(value, id) => self.done(out, store.items.get(id).cas, &value.to_be_bytes()),
            Sum::NotANumber => self.header.refuse(out, Status::NotANumber),
            Sum::Exists => self.header.refuse(out, Status::Exists),
            Sum::NotFound if ttl == NEVER => self.header.refuse(out, Status::NotFound),
            Sum::NotFound => {
                let expires = store.expiry(ttl.into());
                let id = store.vivify(self.key, initial.to_string().as_bytes(), expires);
                self.done(out, store.items.get(id).cas, &initial.to_be_bytes());
            }
        }
    }

    fn delete(&self, store: &mut Store, out: &mut Vec<u8>) {
        match store.find(self.key) {
            None => {
                store.counts.delete_misses += 1;
                self.header.refuse(out, Status::NotFound);
            }
            Some(id) if self.header.cas != 0 && self.header.cas != store.items.get(id).cas => {
                self.header.refuse(out, Status::Exists);
            }
            Some(id) => {
                store.remove(id);
                self.done(out, 0, b"");
            }
        }
    }

    /// One answer a figure; an empty one ends them.
    fn stat(&self, store: &mut Store, out: &mut Vec<u8>) {
        let header = self.header;
        let mut tell = |name: &str, value: &str| {
            header.answer(out, Status::Good, 0, b"", name.as_bytes(), value.as_bytes());
        };
        if self.key == b"reset" {
            store.counts.reset();
        } else if !stats::of(store, self.key, &mut tell) {
            return header.refuse(out, Status::NotFound);
        }
        header.answer(out, Status::Good, 0, b"", b"", b"");
    }
}
