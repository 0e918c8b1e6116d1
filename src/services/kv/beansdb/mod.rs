//! beansdb: the persistent key-value store of an app, in the dialect of memcached's protocol that douban's beansdb speaks.
//! `docs/beansdb.md` tells it to users.

mod client;
mod codec;
mod compaction;
mod hash;
mod hint;
mod log;
mod record;
mod rules;
mod server;
mod shelf;
mod stats;
mod store;
mod tree;
mod writer;

use tokio_util::sync::CancellationToken;

pub use client::{Answer, Client, Listed};
pub use codec::{Decoder, Request, Write};
pub use server::serve;
pub use shelf::Shelf;
pub use store::{Store, Written};

use crate::problem::{Doing as _, Result};
use crate::services::{Running, Space};

/// Listens; the store is opened for the first connection.
#[expect(clippy::unused_async, reason = "as every service is started")]
pub async fn start(space: &Space) -> Result<Running> {
    let listener = space.guarded("beansdb")?;
    let address = listener.local_addr().doing(|| "listen for beansdb")?;
    let shelf = Shelf::new(space.data.join("beansdb"), space.tell.clone());
    let stop = CancellationToken::new();
    let task = tokio::spawn(serve(listener, shelf, stop.clone()));
    Ok(Running::new("beansdb", vec![("DAE_BEANSDB".into(), address.to_string())], stop, task))
}
