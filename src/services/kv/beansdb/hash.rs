//! The two hashes of the dialect. Clients and peers compare them, so they are exactly those of the C server.

/// FNV-1a of 32 bits, as the C server has it on x86: its bytes are signed, so those from 0x80 on fill the upper bits.
pub fn fnv1a(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0x811c_9dc5, |hash, byte| (hash ^ signed(*byte)).wrapping_mul(0x0100_0193))
}

fn signed(byte: u8) -> u32 {
    i32::from(byte.cast_signed()).cast_unsigned()
}

/// What a version says of its value, in 16 bits. Of long values only both ends count.
pub fn value_hash(value: &[u8]) -> u16 {
    const END: usize = 512;
    let length = u32::try_from(value.len()).unwrap_or(u32::MAX).wrapping_mul(97);
    let hash = if value.len() <= 2 * END {
        length.wrapping_add(fnv1a(value))
    } else {
        let first = length.wrapping_add(fnv1a(&value[..END]));
        first.wrapping_mul(97).wrapping_add(fnv1a(&value[value.len() - END..]))
    };
    low(hash)
}

/// The lower 16 bits.
pub fn low(hash: u32) -> u16 {
    (hash & 0xffff) as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fnv1a_of_known_strings() {
        assert_eq!(fnv1a(b""), 0x811c_9dc5);
        assert_eq!(fnv1a(b"a"), 0xe40c_292c);
        assert_eq!(fnv1a(b"foobar"), 0xbf9c_f968);
        // By hand: (0x811c9dc5 ^ 0xffffffff) * 0x01000193.
        assert_eq!(fnv1a(b"\xff"), 0x7ee3_623a_u32.wrapping_mul(0x0100_0193));
    }

    #[test]
    fn a_long_value_is_told_by_its_ends() {
        let mut value = vec![7; 5000];
        let before = value_hash(&value);
        value[2500] = 8;
        assert_eq!(value_hash(&value), before);
        value[4999] = 8;
        assert_ne!(value_hash(&value), before);
        assert_eq!(value_hash(b""), 0x9dc5);
    }
}
