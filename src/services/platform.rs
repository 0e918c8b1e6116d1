//! All services of one app. Each is cheap until it is used, so all are there: what an app needs is not guessed at.

use futures_util::future::join_all;

<<<<<<< HEAD
use super::kv::memcache;
use super::{Provided, Running, Space, mail, mysql};
=======
use super::kv::beansdb;
use super::{Provided, Running, Space, mail};
>>>>>>> 2cccbe0 (beansdb: an embedded server of the dialect)
use crate::problem::Result;

/// Dropping it lets go of the services without waiting for their end.
#[derive(Debug)]
pub struct Platform {
    running: Vec<Running>,
}

impl Platform {
    /// Starts every service. Returns as soon as all of them listen.
    pub async fn start(space: &Space) -> Result<Self> {
<<<<<<< HEAD
        let running = vec![mail::start(space).await?, memcache::start(space).await?, mysql::start(space).await?];
=======
        let running = vec![mail::start(space).await?, beansdb::start(space).await?];
>>>>>>> 2cccbe0 (beansdb: an embedded server of the dialect)
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
