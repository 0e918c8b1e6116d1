//! The flags of a meta command: one letter each, some with a value behind it.

use std::borrow::Cow;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use super::line::Line;
use super::number;

const BAD_TOKEN: &str = "CLIENT_ERROR bad token in command line format";

#[derive(Debug)]
pub(super) struct Flags<'a> {
    key: Cow<'a, [u8]>,
    words: Vec<&'a [u8]>,
    /// The key came as base64.
    pub binary: bool,
    pub quiet: bool,
    pub value: bool,
    pub no_bump: bool,
    pub stale: bool,
    pub mode: Option<u8>,
    pub ttl: Option<i32>,
    pub vivify: Option<i32>,
    pub renew: Option<i32>,
    pub of_client: u32,
    pub cas: Option<u64>,
    pub delta: u64,
    pub initial: u64,
}

/// What is wrong, as it is told.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Wrong {
    pub message: &'static str,
}

/// A key that came as base64.
pub(super) fn decode(key: &[u8]) -> Option<Vec<u8>> {
    BASE64_STANDARD.decode(key).ok().filter(|key| !key.is_empty())
}

impl<'a> Flags<'a> {
    /// The flags are the words from `first` on. Of several faults the last is told, unless one ends the reading.
    pub(super) fn of(line: &Line<'a>, first: usize) -> Result<Self, Wrong> {
        let mut flags = Self {
            key: Cow::Borrowed(line.word(1)),
            words: line.words().get(first..).unwrap_or_default().to_vec(),
            binary: false,
            quiet: false,
            value: false,
            no_bump: false,
            stale: false,
            mode: None,
            ttl: None,
            vivify: None,
            renew: None,
            of_client: 0,
            cas: None,
            delta: 1,
            initial: 0,
        };
        let (mut seen, mut wrong) = (0_u128, None);
        for index in 0..flags.words.len() {
            let word = flags.words[index];
            let letter = word[0];
            if letter >= 127 || seen & (1 << letter) != 0 {
                return Err(Wrong { message: "CLIENT_ERROR duplicate flag" });
            }
            seen |= 1 << letter;
            let known = flags.read(letter, &word[1..]);
            match known {
                Ok(true) => {}
                Ok(false) => return Err(Wrong { message: "CLIENT_ERROR invalid flag" }),
                Err("") => wrong = wrong.or(Some("CLIENT_ERROR bad command line format")),
                Err(message) => wrong = Some(message),
            }
        }
        wrong.map_or(Ok(flags), |message| Err(Wrong { message }))
    }

    /// One flag; `false` for a letter that is none.
    fn read(&mut self, letter: u8, value: &[u8]) -> Result<bool, &'static str> {
        match letter {
            b'b' => {
                self.binary = true;
                self.key = decode(&self.key).ok_or("CLIENT_ERROR error decoding key")?.into();
            }
            b'N' => self.vivify = Some(number::signed(value).ok_or(BAD_TOKEN)?),
            b'T' => self.ttl = Some(number::signed(value).ok_or(BAD_TOKEN)?),
            b'R' => self.renew = Some(number::signed(value).ok_or(BAD_TOKEN)?),
            b'O' | b'P' | b'L' | b'k' | b's' | b't' | b'c' | b'f' | b'l' | b'h' => {}
            b'v' => self.value = true,
            b'u' => self.no_bump = true,
            b'q' => self.quiet = true,
            b'F' => self.of_client = number::unsigned(value).ok_or("")?,
            b'C' => self.cas = Some(number::wide(value).ok_or(BAD_TOKEN)?),
            b'M' => match value {
                [mode] => self.mode = Some(*mode),
                _ => return Err("CLIENT_ERROR incorrect length for M token"),
            },
            b'J' => self.initial = number::wide(value).ok_or("CLIENT_ERROR invalid numeric initial value")?,
            b'D' => self.delta = number::wide(value).ok_or("CLIENT_ERROR invalid numeric delta value")?,
            b'I' => self.stale = true,
            _ => return Ok(false),
        }
        Ok(true)
    }

    pub(super) fn key(&self) -> &[u8] {
        &self.key
    }

    pub(super) fn words(&self) -> impl Iterator<Item = &'a [u8]> {
        self.words.iter().copied()
    }

    /// Whether the item is answered as it was before it was fetched.
    pub(super) fn is_late(&self) -> bool {
        self.words().any(|word| matches!(word[0], b'l' | b'h' | b'N' | b'T' | b'R'))
    }
}
