//! A listener that only one app's processes get through: services without passwords stand behind it.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};

use crate::supervisor::Owner;

/// How long to wait where the system has no more file descriptors.
const PAUSE: Duration = Duration::from_millis(20);

/// Whose processes may connect; none: anybody's.
#[derive(Debug)]
pub struct Guarded<L> {
    listener: L,
    owner: Option<Owner>,
}

impl<L> Guarded<L> {
    pub fn new(listener: L, owner: Option<Owner>) -> Self {
        Self { listener, owner }
    }
}

impl<L> From<L> for Guarded<L> {
    /// For anybody.
    fn from(listener: L) -> Self {
        Self::new(listener, None)
    }
}

impl Guarded<TcpListener> {
    /// The next one that may connect; others are hung up on.
    pub async fn accept(&self) -> (TcpStream, SocketAddr) {
        loop {
            match self.next().await {
                Ok(accepted) => return accepted,
                // Out of file descriptors, most likely: some will be free in a moment.
                Err(_) => tokio::time::sleep(PAUSE).await,
            }
        }
    }

    async fn next(&self) -> io::Result<(TcpStream, SocketAddr)> {
        loop {
            let (stream, peer) = self.listener.accept().await?;
            let Some(owner) = self.owner else { return Ok((stream, peer)) };
            // At once, though it reads some files: whoever waits for this may give it up at any await.
            if owner.has_connection(peer, stream.local_addr()?) {
                return Ok((stream, peer));
            }
        }
    }

    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

impl Guarded<UnixListener> {
    /// The next one that may connect; others are hung up on.
    pub async fn accept(&self) -> UnixStream {
        loop {
            match self.next().await {
                Ok(stream) => return stream,
                Err(_) => tokio::time::sleep(PAUSE).await,
            }
        }
    }

    async fn next(&self) -> io::Result<UnixStream> {
        loop {
            let (stream, _) = self.listener.accept().await?;
            let Some(owner) = self.owner else { return Ok(stream) };
            let known = stream.peer_cred()?;
            let pid = known.pid().and_then(|pid| u32::try_from(pid).ok());
            if pid.is_some_and(|pid| owner.has_process(pid, known.uid())) {
                return Ok(stream);
            }
        }
    }
}

impl axum::serve::Listener for Guarded<TcpListener> {
    type Io = TcpStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (TcpStream, SocketAddr) {
        Self::accept(self).await
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}
