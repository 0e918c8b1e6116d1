//! Values as Python's clients keep them: what the flags of libmc mean, as far as it can be shown without Python.

use std::io::Read as _;

const PICKLE: u32 = 1;
const NUMBER: u32 = 2 | 4;
const BOOL: u32 = 8;
const COMPRESSED: u32 = 16;
const MARSHAL: u32 = 32;
const CHUNKED: u32 = 4096;
/// More than this is not unpacked to be shown.
const LIMIT: u64 = 64 << 20;

/// What a value is, to be shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// `bytes`, `int`, `bool`, `str`, or how it is packed.
    pub kind: &'static str,
    /// Unpacked, where it can be.
    pub data: Vec<u8>,
}

/// The value that stands behind `flags`.
pub fn shown(flags: u32, data: &[u8]) -> Shown {
    let unpacked;
    let mut data = data;
    if flags & COMPRESSED != 0 {
        let mut found = Vec::new();
        if flate2::read::ZlibDecoder::new(data).take(LIMIT).read_to_end(&mut found).is_err() {
            return Shown { kind: "compressed", data: data.to_vec() };
        }
        unpacked = found;
        data = &unpacked;
    }
    let (kind, data) = match flags & !COMPRESSED {
        0 => ("bytes", data),
        flags if flags & CHUNKED != 0 => ("pieces", data),
        flags if flags & BOOL != 0 => ("bool", if data == b"1" { &b"True"[..] } else { b"False" }),
        flags if flags & NUMBER != 0 => ("int", data),
        flags if flags & MARSHAL != 0 => match marshalled_text(data) {
            Some(text) => ("str", text),
            None => ("marshal", data),
        },
        flags if flags & PICKLE != 0 => ("pickle", data),
        _ => ("other", data),
    };
    Shown { kind, data: data.to_vec() }
}

/// A text as Python's `marshal` writes it.
fn marshalled_text(data: &[u8]) -> Option<&[u8]> {
    let (kind, rest) = data.split_first()?;
    let length = u32::from_le_bytes(rest.get(..4)?.try_into().ok()?);
    let text = &rest[4..];
    (*kind == b'u' && usize::try_from(length) == Ok(text.len())).then_some(text)
}

/// What a person types, as Python would have stored it: a whole number or a text.
pub fn typed(text: &str) -> (u32, Vec<u8>) {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    // What begins with a zero is a name of something.
    if is_number && (digits == "0" || !digits.starts_with('0')) && text != "-0" {
        return (4, text.as_bytes().to_vec());
    }
    let mut data = vec![b'u'];
    data.extend_from_slice(&u32::try_from(text.len()).unwrap_or(u32::MAX).to_le_bytes());
    data.extend_from_slice(text.as_bytes());
    (MARSHAL, data)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_typed_is_shown_again() {
        for (text, kind) in
            [("hello 你", "str"), ("7", "int"), ("-7", "int"), ("007", "str"), ("", "str"), ("-", "str")]
        {
            let (flags, data) = typed(text);
            assert_eq!(shown(flags, &data), Shown { kind, data: text.as_bytes().to_vec() });
        }
    }

    #[test]
    fn other_values_say_what_they_are() {
        for (flags, data, kind, found) in [
            (0, &b"x"[..], "bytes", &b"x"[..]),
            (8, b"0", "bool", b"False"),
            (32, b"N", "marshal", b"N"),
            (1, b"\x80", "pickle", b"\x80"),
            (16, b"no zlib", "compressed", b"no zlib"),
            (4096, b"3", "pieces", b"3"),
        ] {
            assert_eq!(shown(flags, data), Shown { kind, data: found.to_vec() });
        }
    }
}
