//! An embedded memcached. `line` and `number` read what clients write, `text`, `meta`, `binary` and `stats` answer it, `store`
//! and `items` keep the data; `session` is one client's conversation without its socket, and `server` has the sockets. `client`
//! looks into this one or any other.

mod binary;
mod client;
mod clock;
mod counts;
mod flags;
mod items;
mod line;
mod meta;
mod number;
mod server;
mod session;
mod settings;
mod slab;
mod stats;
mod store;
mod text;

pub use client::{Client, Key, Value};
pub use server::{Listener, Shared, serve};
pub use session::{Ran, Session, Then};
pub use settings::Settings;
pub use store::Store;

use tokio_util::sync::CancellationToken;

use crate::problem::{Doing as _, Result};
use crate::services::{Running, Space};

/// The socket's name in the space's folder for sockets.
const SOCKET: &str = "memcache.sock";

/// Starts an app's memcached on a free port of this machine and on a socket. It is empty at its start, as every memcached is.
pub fn start(space: &Space) -> Result<Running> {
    let (tcp, unix) = (space.guarded("memcache")?, space.guarded_unix(SOCKET)?);
    let port = tcp.local_addr().doing(|| "learn the port of memcache")?.port();
    let (tcp, unix) = (Listener::Tcp(tcp), Listener::Unix(unix));
    let store = Shared::new(Store::new(Settings::default()));
    let stop = CancellationToken::new();
    let (mine, token) = (store.clone(), stop.clone());
    let task = tokio::spawn(async move {
        tokio::join!(serve(tcp, mine, token.clone()), serve(unix, store, token));
    });
    Ok(Running::new("memcache", vec![("DAE_MEMCACHE".into(), format!("127.0.0.1:{port}"))], stop, task))
}
