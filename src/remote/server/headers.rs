//! What the headers of a request ask for, read: knows neither requests nor the store.

use crate::problem::Result;
use crate::remote::api::ReleaseId;

/// What must be live for a change to be accepted: `If-Match`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    Anything,
    Nothing,
    Release(ReleaseId),
}

impl Expected {
    /// `"r41"`, `"none"`, or `*`.
    pub fn read(text: &str) -> Result<Self> {
        match text.trim().trim_matches('"') {
            "*" => Ok(Self::Anything),
            "none" => Ok(Self::Nothing),
            id => id.parse().map(Self::Release),
        }
    }

    pub fn is_met_by(self, live: Option<ReleaseId>) -> bool {
        match self {
            Self::Anything => true,
            Self::Nothing => live.is_none(),
            Self::Release(id) => live == Some(id),
        }
    }
}

/// What a `Range` header asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    Whole,
    Some { first: u64, length: u64 },
    Nowhere,
}

impl Part {
    /// Of `size` bytes. What is unreadable or asks for several parts is ignored, as RFC 9110 allows.
    pub fn read(range: &str, size: u64) -> Self {
        let Some((first, last)) = range.strip_prefix("bytes=").and_then(|range| range.split_once('-')) else {
            return Self::Whole;
        };
        let (first, last) = match (number(first), number(last)) {
            (Some(first), Some(last)) if first <= last => (first, last.min(size.saturating_sub(1))),
            (Some(first), None) if last.is_empty() => (first, size.saturating_sub(1)),
            (None, Some(0)) if first.is_empty() => return Self::Nowhere,
            (None, Some(count)) if first.is_empty() => (size.saturating_sub(count), size.saturating_sub(1)),
            _ => return Self::Whole,
        };
        if first < size { Self::Some { first, length: last - first + 1 } } else { Self::Nowhere }
    }
}

/// The first and the last byte of a part that is uploaded: `0-99`, as the specification has it, or `bytes 0-99/100`, as some
/// write it.
pub fn content_range(text: &str) -> Option<(u64, u64)> {
    let text = text.strip_prefix("bytes ").unwrap_or(text);
    let text = text.split_once('/').map_or(text, |(range, _)| range);
    let (first, last) = text.split_once('-')?;
    Some((number(first.trim())?, number(last.trim())?))
}

/// Digits and nothing else: Rust's own reading takes a `+` before them.
fn number(text: &str) -> Option<u64> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges() {
        let some = |first, length| Part::Some { first, length };
        for (range, size, wanted) in [
            ("bytes=0-0", 10, some(0, 1)),
            ("bytes=3-", 10, some(3, 7)),
            ("bytes=3-99", 10, some(3, 7)),
            ("bytes=-4", 10, some(6, 4)),
            ("bytes=-40", 10, some(0, 10)),
            ("bytes=10-", 10, Part::Nowhere),
            ("bytes=-0", 10, Part::Nowhere),
            ("bytes=0-", 0, Part::Nowhere),
            ("bytes=-5", 0, Part::Nowhere),
            ("bytes=5-3", 10, Part::Whole),
            ("bytes=+1-3", 10, Part::Whole),
            ("bytes=--3", 10, Part::Whole),
            ("bytes=0-1,4-5", 10, Part::Whole),
            ("bytes=0-99999999999999999999", 10, Part::Whole),
            ("lines=1-2", 10, Part::Whole),
        ] {
            assert_eq!(Part::read(range, size), wanted, "{range}");
        }
    }

    #[test]
    fn parts_that_are_uploaded() {
        for (text, wanted) in [
            ("0-99", Some((0, 99))),
            ("bytes 100-199/200", Some((100, 199))),
            ("bytes 0-9/*", Some((0, 9))),
            ("+0-9", None),
            ("0", None),
            ("-9", None),
            ("0-", None),
            ("", None),
        ] {
            assert_eq!(content_range(text), wanted, "{text:?}");
        }
    }

    #[test]
    fn what_must_be_live() {
        for (text, wanted) in [
            ("\"r41\"", Some(Expected::Release(ReleaseId(41)))),
            ("42", Some(Expected::Release(ReleaseId(42)))),
            ("\"none\"", Some(Expected::Nothing)),
            (" * ", Some(Expected::Anything)),
            ("", None),
            ("\"r1\", \"r2\"", None),
            ("W/\"r1\"", None),
            ("r-1", None),
        ] {
            assert_eq!(Expected::read(text).ok(), wanted, "{text:?}");
        }
    }
}
