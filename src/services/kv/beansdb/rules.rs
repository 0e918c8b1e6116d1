//! The version rules of the dialect: which version a set makes, if any. A version below zero is a deletion.

/// The version that `set` with `wanted` (the field memcached uses for the expiry) makes of a key at version `old`, 0 where
/// there is none. `None`: it is refused. A body does not go with a deletion.
pub fn next_version(old: i32, wanted: i32, body: Body) -> Option<i32> {
    let reached = old.unsigned_abs();
    let following = || i32::try_from(reached).ok()?.checked_add(1);
    match wanted {
        0 => following(),
        ..0 if body == Body::Some || old <= 0 => None,
        -1 => following().map(|version| -version),
        _ => (wanted.unsigned_abs() > reached).then_some(wanted),
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Body {
    Empty,
    Some,
}

impl Body {
    pub fn of(value: &[u8]) -> Self {
        if value.is_empty() { Self::Empty } else { Self::Some }
    }
}

#[cfg(test)]
mod tests {
    use super::Body::{Empty, Some as Full};
    use super::*;

    #[test]
    fn the_table() {
        for (old, wanted, body, version) in [
            (0, 0, Full, Some(1)),
            (7, 0, Full, Some(8)),
            (-7, 0, Full, Some(8)),
            (0, 5, Full, Some(5)),
            (5, 5, Full, None),
            (5, 4, Full, None),
            (5, 6, Empty, Some(6)),
            (-5, 5, Full, None),
            (-5, 6, Full, Some(6)),
            (5, -1, Empty, Some(-6)),
            (5, -1, Full, None),
            (0, -1, Empty, None),
            (-5, -1, Empty, None),
            (5, -5, Empty, None),
            (5, -9, Empty, Some(-9)),
            (5, -9, Full, None),
            (i32::MAX, 0, Full, None),
            (i32::MAX, -1, Empty, None),
            (5, i32::MIN, Empty, Some(i32::MIN)),
            (i32::MIN, 0, Full, None),
        ] {
            assert_eq!(next_version(old, wanted, body), version, "old {old}, wanted {wanted}, {body:?}");
        }
    }
}
