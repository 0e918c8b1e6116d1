//! Clients over sockets: a task for each, and one store for all.
//!
//! Whatever stands complete in a client's input is answered in one go, and sent in one write. A client that does not read what
//! it asked for keeps nobody waiting but itself: no lock is held while something is sent.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::{Buf as _, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, UnixListener};
use tokio_util::sync::CancellationToken;

use super::number;
use super::session::{Session, Then};
use super::store::Store;

/// How much room there is at least for what comes next.
const READ: usize = 16 << 10;
/// A large value is read in stretches that double up to this: memory is taken for what has come, not for what was announced.
const STRETCH: usize = 256 << 10;
/// A buffer larger than this is not kept by a client that is silent.
const KEEP: usize = 64 << 10;

/// A store that all clients share.
#[derive(Debug, Clone)]
pub struct Shared(Arc<Mutex<Store>>);

impl Shared {
    pub fn new(store: Store) -> Self {
        Self(Arc::new(Mutex::new(store)))
    }

    pub(super) fn with<T>(&self, act: impl FnOnce(&mut Store) -> T) -> T {
        // A panic under the lock is a bug of ours; the others are served all the same.
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Where clients come from.
#[derive(Debug)]
pub enum Listener {
    Tcp(TcpListener),
    Unix(UnixListener),
}

/// Serves clients until `stop`; those that are there are then let go.
pub async fn serve(listener: Listener, store: Shared, stop: CancellationToken) {
    // Ends the clients' tasks, whichever way this ends.
    let clients = stop.child_token();
    let _ends = clients.clone().drop_guard();
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => return,
            accepted = accept(&listener) => accepted,
        };
        let Ok(stream) = accepted else {
            // Too many open files; some will be closed.
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
            continue;
        };
        let (store, clients) = (store.clone(), clients.clone());
        match stream {
            Stream::Tcp(stream) => tokio::spawn(client(stream, store, clients)),
            Stream::Unix(stream) => tokio::spawn(client(stream, store, clients)),
        };
    }
}

enum Stream {
    Tcp(tokio::net::TcpStream),
    Unix(tokio::net::UnixStream),
}

async fn accept(listener: &Listener) -> io::Result<Stream> {
    match listener {
        Listener::Tcp(listener) => {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            Ok(Stream::Tcp(stream))
        }
        Listener::Unix(listener) => Ok(Stream::Unix(listener.accept().await?.0)),
    }
}

/// Counted while it is open.
struct Counted(Shared);

impl Counted {
    /// `None` where there are enough already.
    fn of(store: &Shared) -> Option<Self> {
        store.with(|inner| {
            inner.counts.total_connections += 1;
            if inner.counts.connections >= number::length(inner.settings.connections) {
                inner.counts.rejected_connections += 1;
                return None;
            }
            inner.counts.connections += 1;
            Some(Self(store.clone()))
        })
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.with(|inner| inner.counts.connections -= 1);
    }
}

async fn client(mut stream: impl AsyncRead + AsyncWrite + Unpin, store: Shared, stop: CancellationToken) {
    let Some(_counted) = Counted::of(&store) else {
        let _ = stream.write_all(b"ERROR Too many open connections\r\n").await;
        return;
    };
    tokio::select! {
        () = stop.cancelled() => {}
        // However a conversation breaks off, there is nobody left to tell.
        _ = conversation(&mut stream, &store) => {}
    }
}

async fn conversation(stream: &mut (impl AsyncRead + AsyncWrite + Unpin), store: &Shared) -> io::Result<()> {
    let mut session = Session::default();
    let mut input = BytesMut::with_capacity(READ);
    let mut output = Vec::new();
    let mut received = 0;
    loop {
        let ran = store.with(|store| {
            store.tick();
            store.counts.bytes_read += number::length(received);
            let ran = session.run(store, &input, &mut output);
            store.counts.bytes_written += number::length(output.len());
            ran
        });
        received = 0;
        input.advance(ran.consumed);
        if !output.is_empty() {
            stream.write_all(&output).await?;
            output.clear();
            output.shrink_to(KEEP);
        }
        match ran.then {
            Then::Send => tokio::task::yield_now().await,
            Then::Close => return stream.shutdown().await,
            Then::Read(wanted) => {
                if input.is_empty() && input.capacity() > KEEP {
                    input = BytesMut::with_capacity(READ);
                }
                let missing = wanted.saturating_sub(input.len());
                input.reserve(missing.clamp(READ, STRETCH));
                received = stream.read_buf(&mut input).await?;
                if received == 0 {
                    return Ok(());
                }
            }
        }
    }
}
