//! The two policies by which a generation takes the last one's place.

use std::time::Duration;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meanwhile {
    /// Requests wait for the new one: never an old answer.
    Hold,
    /// The last one serves.
    KeepServing,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnFailure {
    /// The problem is the answer, until the next generation.
    ShowProblem,
    KeepLast,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rollout {
    pub meanwhile: Meanwhile,
    pub on_failure: OnFailure,
    /// How long a generation may take to be ready.
    pub ready_within: Duration,
    /// How long the last one's requests may go on.
    pub drain_within: Duration,
    /// How long the one that was replaced is kept ready to come back; zero: it ends when it is drained.
    pub keep_warm: Duration,
    /// How long a queue worker that was replaced may take over the job it holds.
    pub finish_within: Duration,
    /// How long processes may take over an orderly end, after that.
    pub end_within: Duration,
}

impl Rollout {
    /// `dae serve`: a problem shows as a page, never a stale answer.
    pub const LIVE: Self = Self {
        meanwhile: Meanwhile::Hold,
        on_failure: OnFailure::ShowProblem,
        ready_within: Duration::from_mins(1),
        drain_within: Duration::from_secs(5),
        keep_warm: Duration::ZERO,
        finish_within: Duration::from_secs(10),
        end_within: Duration::from_millis(600),
    };
    /// A remote: never down.
    pub const RELEASE: Self = Self {
        meanwhile: Meanwhile::KeepServing,
        on_failure: OnFailure::KeepLast,
        ready_within: Duration::from_mins(1),
        drain_within: Duration::from_secs(30),
        keep_warm: Duration::from_mins(10),
        finish_within: Duration::from_mins(5),
        end_within: Duration::from_secs(10),
    };
}
