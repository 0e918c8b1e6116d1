//! All services of one app.

use futures_util::future::join_all;

use super::{Running, Space};
use crate::app::DevSettings;
use crate::problem::Result;

/// Dropping it lets go of the services without waiting for their end.
#[derive(Debug)]
pub struct Platform {
    running: Vec<Running>,
}

impl Platform {
    /// Starts every service that `settings` does not find elsewhere. Returns as soon as all of them listen.
    #[expect(clippy::unused_async, reason = "the services are not there yet")]
    pub async fn start(space: Space, settings: &DevSettings) -> Result<Self> {
        let running = Vec::new();
        drop((space, settings));
        Ok(Self { running })
    }

    /// What the app's processes are told: see `node/contract.rs`.
    pub fn env(&self) -> impl Iterator<Item = (String, String)> {
        self.running.iter().flat_map(|service| service.env.iter().cloned())
    }

    pub async fn stop(self) {
        join_all(self.running.into_iter().map(Running::stop)).await;
    }
}
