//! What went wrong in an app, by the protocol of Sentry (which onimaru, the real DAE's, was built from): whatever reports to
//! Sentry reports here.

mod body;
mod edit;
pub mod envelope;
pub mod event;
mod secrets;
mod sensitive;
mod server;
mod store;

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

pub use edit::last_edit;
pub use sensitive::is_sensitive;
pub use server::Intake;
pub use store::{Group, Refused, Resolved, Store};

use super::{Running, Space};
use crate::problem::{Doing as _, Problem, Result};

/// Listens on a port of its own, and keeps what is reported below the space.
#[expect(clippy::unused_async, reason = "it is started as all services are")]
pub async fn start(space: &Space) -> Result<Running> {
    let listener = space.guarded("errors")?;
    let address = listener.local_addr().doing(|| "find the port for errors")?;
    // Any web page may send requests to this machine; only who was told the key may report.
    let key = space.kept.word("errors", random_key)?;
    let dsn = format!("http://{key}@{address}/1");
    let intake = Arc::new(Intake::new(key, space));
    let stop = CancellationToken::new();
    let task = tokio::spawn(intake.serve(listener, stop.clone()));
    Ok(Running::new("errors", vec![("SENTRY_DSN".into(), dsn)], stop, task))
}

fn random_key() -> Result<String> {
    let mut random = [0; 16];
    getrandom::fill(&mut random)
        .map_err(|error| Problem::new("errors.key", "there is no randomness").because(error))?;
    Ok(format!("{:032x}", u128::from_be_bytes(random)))
}
