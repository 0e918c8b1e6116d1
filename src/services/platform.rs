//! All services of one app. Each is cheap until it is used, so all are there: what an app needs is not guessed at.

use futures_util::future::join_all;

use super::kv::{beansdb, memcache};
use super::{Provided, Running, Space, errors, mail, mysql, queue};
use crate::problem::Result;

/// Dropping it lets go of the services without waiting for their end.
#[derive(Debug)]
pub struct Platform {
    running: Vec<Running>,
}

impl Platform {
    /// Starts every service. Returns as soon as all of them listen.
    pub async fn start(space: &Space) -> Result<Self> {
        let running = vec![
            // one line a service
            errors::start(space).await?,
            mail::start(space).await?,
            memcache::start(space).await?,
            beansdb::start(space).await?,
            mysql::start(space).await?,
            queue::start(space).await?,
        ];
        Ok(Self { running })
    }

    /// What the app's processes are told: see `node/contract.rs`.
    pub fn provided(&self) -> Vec<Provided> {
        let provided = |service: &Running| Provided { service: service.service.into(), env: service.env.clone() };
        self.running.iter().map(provided).collect()
    }

    /// Returns when everything is written.
    pub async fn stop(self) {
        join_all(self.running.into_iter().map(Running::stop)).await;
    }
}
