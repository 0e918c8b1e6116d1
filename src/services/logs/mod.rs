//! Logs: the files that an app's processes and its Scribe clients write to, how they are read again, and a Scribe server.

mod category;
mod file;
mod forward;
pub mod line;
mod reader;
pub mod scribe;
mod server;

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

pub use category::Categories;
pub use file::LogFile;
pub use line::{Level, Line};
pub use reader::{Follow, read};
pub use server::Server;

use super::{Running, Space};
use crate::problem::{Doing as _, Result};

/// Listens on a port of its own, and keeps what comes in `logs/scribe` beside the space's data.
#[expect(clippy::unused_async, reason = "it is started as all services are")]
pub async fn start(space: &Space) -> Result<Running> {
    let listener = space.guarded("scribe")?;
    let address = listener.local_addr().doing(|| "find the port for logs")?;
    let stop = CancellationToken::new();
    let server = Arc::new(Server::new(space));
    let task = tokio::spawn(server.serve(listener, stop.clone()));
    Ok(Running::new("scribe", vec![("DAE_SCRIBE".into(), address.to_string())], stop, task))
}
