//! A scheduled task as a person looks at it: what it is, whether it is paused, when it runs next.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Store;
use crate::app::{CronJob, Overlap, Runs};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Planned {
    pub name: String,
    pub schedule: String,
    pub timezone: String,
    #[serde(flatten)]
    pub runs: Runs,
    pub overlap: Overlap,
    pub paused: bool,
    /// RFC 3339, by the clocks of the time zone.
    pub next: Vec<String>,
}

impl Planned {
    /// With the next `count` runs after `after`; `store` is none where nothing is kept yet.
    pub fn of(job: &CronJob, store: Option<&Store>, after: Timestamp, count: usize) -> Self {
        let zone = job.zone();
        let told = |run: Timestamp| run.to_zoned(zone.clone()).strftime("%Y-%m-%dT%H:%M:%S%:z").to_string();
        Self {
            name: job.name.clone(),
            schedule: job.schedule.as_str().to_owned(),
            timezone: job.timezone.clone(),
            runs: job.runs.clone(),
            overlap: job.overlap,
            paused: store.is_some_and(|store| store.is_paused(&job.name).unwrap_or(false)),
            next: job.runs_after(after).take(count).map(told).collect(),
        }
    }
}
