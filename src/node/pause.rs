//! How long to wait before what ended by itself is started again: longer each time it ends young.

use std::time::Duration;

/// One that lived longer than this is started at once.
const OLD: Duration = Duration::from_secs(10);
const SHORTEST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(10);

#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Pause(Duration);

impl Pause {
    /// The next one, after something that `lived` so long.
    pub fn after(&mut self, lived: Duration) -> Duration {
        self.0 = if lived > OLD { Duration::ZERO } else { (self.0 * 2).clamp(SHORTEST, LONGEST) };
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_dies_young_waits_longer_each_time() {
        let mut pause = Pause::default();
        let mut after = |seconds| pause.after(Duration::from_secs(seconds)).as_millis();
        assert_eq!([after(0), after(1), after(0), after(11), after(0)], [100, 200, 400, 0, 100]);
        assert_eq!((0..10).map(|_| after(0)).last(), Some(10_000));
    }
}
