//! Mail that stays here: an SMTP server that takes every message and sends none on.

mod message;
mod server;
pub mod smtp;
mod store;

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

pub use message::{Message, Part};
pub use server::serve;
pub use store::{Kept, Store};

use super::{Running, Space};
use crate::problem::{Doing as _, Result};

/// Listens on a port of its own, and keeps what comes below the space.
#[expect(clippy::unused_async, reason = "it is started as all services are")]
pub async fn start(space: &Space) -> Result<Running> {
    let listener = space.guarded("mail")?;
    let address = listener.local_addr().doing(|| "find the port for mail")?;
    let store = Arc::new(Store::new(&space.data));
    let stop = CancellationToken::new();
    let task = tokio::spawn(serve(listener, store, space.tell.clone(), stop.clone()));
    Ok(Running::new("mail", vec![("DAE_SMTP".into(), address.to_string())], stop, task))
}
