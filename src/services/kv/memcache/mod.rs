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

use tokio::net::{TcpListener, UnixListener};
use tokio_util::sync::CancellationToken;

use crate::problem::{Doing as _, Problem, Result};
use crate::services::{Running, Space};

/// The socket's name in the space's folder for sockets.
const SOCKET: &str = "memcache.sock";

/// Starts an app's memcached on a free port of this machine and on a socket. It is empty at its start, as every memcached is.
pub fn start(space: &Space) -> Result<Running> {
    let (tcp, unix) = (space.listen("memcache")?, space.listen_unix(SOCKET)?);
    let port = tcp.local_addr().doing(|| "learn the port of memcache")?.port();
    let stop = CancellationToken::new();
    let ended = apart(tcp, unix, stop.clone())?;
    let task = tokio::spawn(async move {
        let _ = ended.await;
    });
    Ok(Running::new("memcache", vec![("DAE_MEMCACHE".into(), format!("127.0.0.1:{port}"))], stop, task))
}

/// Serves on a thread of its own: clients wait for each answer, and a thread that has nothing else to do gives it soonest.
/// What is returned resolves when the thread has ended.
fn apart(
    tcp: std::net::TcpListener,
    unix: std::os::unix::net::UnixListener,
    stop: CancellationToken,
) -> Result<tokio::sync::oneshot::Receiver<()>> {
    let (end, ended) = tokio::sync::oneshot::channel::<()>();
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().doing(|| "start the thread of memcache")?;
    let serve_both = async move {
        let store = Shared::new(Store::new(Settings::default()));
        let listeners = (TcpListener::from_std(tcp), UnixListener::from_std(unix));
        // Both were listeners a moment ago.
        if let (Ok(tcp), Ok(unix)) = listeners {
            tokio::join!(
                serve(Listener::Tcp(tcp), store.clone(), stop.clone()),
                serve(Listener::Unix(unix), store, stop),
            );
        }
    };
    std::thread::Builder::new()
        .name("memcache".into())
        .spawn(move || {
            runtime.block_on(serve_both);
            drop(end);
        })
        .map_err(|error| Problem::new("memcache.thread", "could not start a thread for memcache").because(error))?;
    Ok(ended)
}
