//! The next generation, forked before anybody wants it: its server is up, and its workers wait at a gate before they import
//! the app. A save opens the gate.
//!
//! Only where a reload holds requests, so for whoever writes the app: one generation follows another there, alike in all but
//! the app's own files. One that is wanted otherwise (app.yaml, packages, the environment) is started anew, and what stood by
//! ends.

use std::fs::File;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use futures_util::FutureExt as _;
use serde_json::{Value, json};

use super::output::Source;
use super::sockets::Sockets;
use super::warm::{Forked, Warmth};
use super::{Generation, Settings, Surroundings};
use crate::problem::{Doing as _, Problem, Result};

/// After a reload the processor belongs to whoever looks at it.
const CALM: Duration = Duration::from_millis(100);

#[derive(Debug)]
pub(super) struct Standby {
    /// The generation's number, when it is wanted.
    number: u64,
    config: Value,
    sockets: Sockets,
    forked: Forked,
    /// Locked until it is wanted.
    gate: File,
}

impl Standby {
    /// Forks one that waits, to be `generation` once more.
    async fn start(
        warmth: &Warmth,
        number: u64,
        generation: &Arc<Generation>,
        surroundings: &Surroundings,
    ) -> Result<Self> {
        let settings = &*surroundings.settings;
        let sockets = Sockets::make(number, generation, settings)?;
        let path = sockets.beside("gate");
        let gate = File::create(&path).doing(|| format!("make the file `{}`", path.display()))?;
        gate.lock().doing(|| format!("lock the file `{}`", path.display()))?;
        let config = sockets.boot(generation, settings);
        let mut waiting = config.clone();
        waiting["gate"] = json!(path);
        let source = Source { generation, number: Some(number), process: "web" };
        let forked = warmth.fork(source, surroundings, &waiting).await;
        let forked = forked.map_err(|reason| Problem::new("node.standby", reason))?;
        Ok(Self { number, config, sockets, forked, gate })
    }

    fn fits(&self, number: u64, generation: &Generation, settings: &Settings) -> bool {
        let ended = self.forked.process.ended().now_or_never().is_some();
        !ended && self.number == number && self.config == self.sockets.boot(generation, settings)
    }
}

impl Warmth {
    /// Has one ready for when `generation` is wanted once more, as number `number`. One that could not be started is none.
    pub async fn stand_by(&self, number: u64, generation: &Arc<Generation>, surroundings: &Surroundings) {
        tokio::time::sleep(CALM).await;
        if self.next.load(Ordering::Relaxed) != number {
            return;
        }
        let standby = Standby::start(self, number, generation, surroundings).await.ok();
        *self.standby.lock().unwrap_or_else(PoisonError::into_inner) = standby;
    }

    /// What stood by, if it is what is wanted: it imports the app from now on.
    pub async fn take_standby(
        &self,
        number: u64,
        generation: &Generation,
        surroundings: &Surroundings,
    ) -> Option<(Sockets, Forked)> {
        let standby = self.standby.lock().unwrap_or_else(PoisonError::into_inner).take()?;
        let settings = &surroundings.settings;
        let wanted = standby.fits(number, generation, settings)
            && self.has_fit(&standby.forked.parent, generation, settings).await;
        (wanted && standby.gate.unlock().is_ok()).then_some((standby.sockets, standby.forked))
    }
}
