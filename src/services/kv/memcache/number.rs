//! Numbers as memcached reads and writes them: C's `strtoul` with its blanks, signs and wrapping, because clients have come to
//! rely on it.

/// The longest a number can be.
const DIGITS: usize = 20;

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | 0x0b | 0x0c | b'\r')
}

/// Sign and magnitude; what follows the digits must be a blank, a NUL or the end.
fn parts(text: &[u8]) -> Option<(bool, u64)> {
    let blanks = text.iter().take_while(|byte| is_space(**byte)).count();
    let text = &text[blanks..];
    let (negative, text) = match text.first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    };
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if digits == 0 || text.get(digits).is_some_and(|byte| *byte != 0 && !is_space(*byte)) {
        return None;
    }
    let mut magnitude: u64 = 0;
    for byte in &text[..digits] {
        magnitude = magnitude.checked_mul(10)?.checked_add(u64::from(byte - b'0'))?;
    }
    Some((negative, magnitude))
}

/// An unsigned number of 64 bits.
pub(super) fn wide(text: &[u8]) -> Option<u64> {
    let (negative, magnitude) = parts(text)?;
    let value = if negative { magnitude.wrapping_neg() } else { magnitude };
    // A number that looks negative to C is refused only when a minus sign made it so.
    if value.cast_signed() < 0 && negative { None } else { Some(value) }
}

/// An unsigned number of which 32 bits are kept.
pub(super) fn unsigned(text: &[u8]) -> Option<u32> {
    wide(text).map(low)
}

/// A signed number of which 32 bits are kept.
pub(super) fn signed(text: &[u8]) -> Option<i32> {
    let (negative, magnitude) = parts(text)?;
    let limit = if negative { 1 << 63 } else { (1 << 63) - 1 };
    let value = if negative { magnitude.wrapping_neg() } else { magnitude };
    (magnitude <= limit).then(|| low(value).cast_signed())
}

/// The lower half.
#[expect(clippy::cast_possible_truncation, reason = "what is above 32 bits is dropped, as C does it")]
fn low(value: u64) -> u32 {
    value as u32
}

/// Appends a number in decimal.
pub(super) fn push(out: &mut Vec<u8>, mut value: u64) {
    let mut digits = [0; DIGITS];
    let mut at = DIGITS;
    loop {
        at -= 1;
        digits[at] = b'0' + u8::try_from(value % 10).unwrap_or_default();
        value /= 10;
        if value == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}

/// A length as a number of the wire.
pub(super) fn length(value: usize) -> u64 {
    u64::try_from(value).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_c_reads_them() {
        for (text, value) in [
            ("0", Some(0)),
            (" +7", Some(7)),
            ("12 x", Some(12)),
            ("12\0x", Some(12)),
            ("12x", None),
            ("", None),
            ("-", None),
            ("-1", None),
            ("-18446744073709551615", Some(1)),
            ("18446744073709551615", Some(u64::MAX)),
            ("18446744073709551616", None),
        ] {
            assert_eq!(wide(text.as_bytes()), value, "{text:?}");
        }
        for (text, value) in [
            ("-1", Some(-1)),
            ("4294967297", Some(1)),
            ("2147483648", Some(i32::MIN)),
            ("9223372036854775808", None),
            ("abc", None),
        ] {
            assert_eq!(signed(text.as_bytes()), value, "{text:?}");
        }
        assert_eq!(unsigned(b"4294967296"), Some(0));
    }

    #[test]
    fn numbers_are_written() {
        for value in [0, 7, 10, 4_294_967_296, u64::MAX] {
            let mut out = Vec::new();
            push(&mut out, value);
            assert_eq!(out, value.to_string().into_bytes());
        }
    }
}
