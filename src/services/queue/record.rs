//! One line of the journal's story, to bytes and back: `length u32, crc u32, payload`, all little-endian.

use super::command::Name;
use super::job::{History, State};

/// Before the payload.
pub const HEADER: usize = 8;
/// No record is longer: a job of the largest limit there may be, and room for the rest.
pub const LONGEST: u32 = u32::MAX / 2;

/// What happened to a job. Times are nanoseconds since the Unix epoch, delays and times to run seconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Record<'a> {
    /// All of it: as it was put, or as it is when the part of the journal it stood in is taken away.
    Whole(Whole<'a>),
    /// Reserved until then; once more, where `touch` asked for more time.
    Reserved {
        id: u64,
        due: u64,
        again: bool,
    },
    /// Its holder has gone.
    LetGo {
        id: u64,
    },
    Released {
        id: u64,
        pri: u32,
        delay: u32,
        due: u64,
    },
    /// `due` is its place in the row.
    Buried {
        id: u64,
        pri: u32,
        due: u64,
    },
    Kicked {
        id: u64,
    },
    Deleted {
        id: u64,
    },
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Whole<'a> {
    pub id: u64,
    pub tube: Name,
    pub pri: u32,
    pub delay: u32,
    pub ttr: u32,
    pub created: u64,
    pub state: State,
    pub due: u64,
    pub history: History,
    pub body: &'a [u8],
}

/// Adds the record of a whole job; the parts are as in [`Whole`].
pub fn put(to: &mut Vec<u8>, whole: &Whole<'_>) {
    framed(to, |to| {
        let history = &whole.history;
        let counted = *history != History::default();
        to.push(if counted { 9 } else { 1 });
        u64s(to, [whole.id, whole.created, whole.due]);
        u32s(to, [whole.pri, whole.delay, whole.ttr]);
        to.push(whole.state as u8);
        if counted {
            u32s(to, [history.reserves, history.timeouts, history.releases, history.buries, history.kicks]);
        }
        let name = whole.tube.as_str().as_bytes();
        // At most 200.
        to.push(u8::try_from(name.len()).unwrap_or(u8::MAX));
        to.extend_from_slice(name);
        to.extend_from_slice(whole.body);
    });
}

impl<'a> Record<'a> {
    /// Adds it to `to`.
    pub fn write(&self, to: &mut Vec<u8>) {
        let Self::Whole(whole) = self else { return framed(to, |to| self.write_payload(to)) };
        put(to, whole);
    }

    fn write_payload(&self, to: &mut Vec<u8>) {
        match self {
            Self::Whole(_) => {}
            Self::Reserved { id, due, again } => {
                to.push(if *again { 3 } else { 2 });
                u64s(to, [*id, *due]);
            }
            Self::LetGo { id } => {
                to.push(4);
                u64s(to, [*id]);
            }
            Self::Released { id, pri, delay, due } => {
                to.push(5);
                u64s(to, [*id, *due]);
                u32s(to, [*pri, *delay]);
            }
            Self::Buried { id, pri, due } => {
                to.push(6);
                u64s(to, [*id, *due]);
                u32s(to, [*pri]);
            }
            Self::Kicked { id } => {
                to.push(7);
                u64s(to, [*id]);
            }
            Self::Deleted { id } => {
                to.push(8);
                u64s(to, [*id]);
            }
        }
    }

    /// The record that `bytes` begin with, and its length; `None` where there is no whole one.
    pub fn read(bytes: &'a [u8]) -> Option<(Self, usize)> {
        let mut header = Reader(bytes);
        let (length, crc) = (header.u32()?, header.u32()?);
        if length == 0 || length > LONGEST {
            return None;
        }
        let payload = header.0.get(..length as usize)?;
        if crc32fast::hash(payload) != crc {
            return None;
        }
        Some((Self::read_payload(Reader(payload))?, HEADER + length as usize))
    }

    fn read_payload(mut from: Reader<'a>) -> Option<Self> {
        Some(match from.u8()? {
            kind @ (1 | 9) => {
                let (id, created, due) = (from.u64()?, from.u64()?, from.u64()?);
                let (pri, delay, ttr) = (from.u32()?, from.u32()?, from.u32()?);
                let state = State::from_byte(from.u8()?)?;
                let mut history = History::default();
                if kind == 9 {
                    let counts = [&mut history.reserves, &mut history.timeouts, &mut history.releases];
                    for count in counts.into_iter().chain([&mut history.buries, &mut history.kicks]) {
                        *count = from.u32()?;
                    }
                }
                let length = from.u8()?;
                let tube = Name::parse(from.take(length.into())?)?;
                Self::Whole(Whole { id, tube, pri, delay, ttr, created, state, due, history, body: from.0 })
            }
            kind @ (2 | 3) => Self::Reserved { id: from.u64()?, due: from.u64()?, again: kind == 3 },
            4 => Self::LetGo { id: from.u64()? },
            5 => {
                let (id, due) = (from.u64()?, from.u64()?);
                Self::Released { id, due, pri: from.u32()?, delay: from.u32()? }
            }
            6 => Self::Buried { id: from.u64()?, due: from.u64()?, pri: from.u32()? },
            7 => Self::Kicked { id: from.u64()? },
            8 => Self::Deleted { id: from.u64()? },
            _ => return None,
        })
    }
}

/// Room for the frame, the payload, then the frame.
fn framed(to: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    let start = to.len();
    to.extend_from_slice(&[0; HEADER]);
    write(to);
    let payload = start + HEADER;
    let length = u32::try_from(to.len() - payload).unwrap_or(u32::MAX);
    let crc = crc32fast::hash(&to[payload..]);
    to[start..start + 4].copy_from_slice(&length.to_le_bytes());
    to[start + 4..payload].copy_from_slice(&crc.to_le_bytes());
}

fn u64s<const N: usize>(to: &mut Vec<u8>, values: [u64; N]) {
    for value in values {
        to.extend_from_slice(&value.to_le_bytes());
    }
}

fn u32s<const N: usize>(to: &mut Vec<u8>, values: [u32; N]) {
    for value in values {
        to.extend_from_slice(&value.to_le_bytes());
    }
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn u8(&mut self) -> Option<u8> {
        self.take(1).map(|bytes| bytes[0])
    }

    fn u32(&mut self) -> Option<u32> {
        Some(u32::from_le_bytes(self.take(4)?.try_into().ok()?))
    }

    fn u64(&mut self) -> Option<u64> {
        Some(u64::from_le_bytes(self.take(8)?.try_into().ok()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn some() -> Vec<Record<'static>> {
        let history = History { reserves: 1, timeouts: 2, releases: 3, buries: 4, kicks: 5 };
        let whole = |history, state| Whole {
            id: 7,
            tube: Name::default(),
            pri: 1,
            delay: 2,
            ttr: 3,
            created: 4,
            state,
            due: 5,
            history,
            body: b"body",
        };
        vec![
            Record::Whole(whole(History::default(), State::Delayed)),
            Record::Whole(whole(history, State::Buried)),
            Record::Reserved { id: 1, due: 2, again: false },
            Record::Reserved { id: 1, due: 2, again: true },
            Record::LetGo { id: 3 },
            Record::Released { id: 1, pri: 2, delay: 3, due: 4 },
            Record::Buried { id: 1, pri: u32::MAX, due: 6 },
            Record::Kicked { id: u64::MAX },
            Record::Deleted { id: 9 },
        ]
    }

    #[test]
    fn records_come_back_and_what_is_torn_does_not() {
        for record in some() {
            let mut bytes = Vec::new();
            record.write(&mut bytes);
            assert_eq!(Record::read(&bytes), Some((record.clone(), bytes.len())));
            for cut in 0..bytes.len() {
                assert_eq!(Record::read(&bytes[..cut]), None, "{record:?} {cut}");
                let mut turned = bytes.clone();
                turned[cut] ^= 0x10;
                assert_ne!(Record::read(&turned).map(|(record, _)| record), Some(record.clone()), "{record:?} {cut}");
            }
        }
        assert_eq!(Record::read(&[0; 64]), None);
    }
}
