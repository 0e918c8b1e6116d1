//! Clients over sockets: a thread for each, and one store for all.
//!
//! Whatever stands complete in a client's input is answered in one go, and sent in one write. A client that does not read what
//! it asked for keeps nobody waiting but itself: no lock is held while something is sent.
//!
//! Most clients ask, and wait for the answer. A thread that waits in the read itself is woken sooner, by one call of the system
//! less, than a task that waits for a poll of all sockets.

use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::sync::{Arc, Mutex, PoisonError};
use std::{net, thread};

use tokio::net::{TcpListener, UnixListener};
use tokio_util::sync::CancellationToken;

use super::number;
use super::session::{Session, Then};
use super::store::Store;
use crate::services::Guarded;

/// How much room there is at least for what comes next.
const READ: usize = 16 << 10;
/// A large value is read in stretches that double up to this: memory is taken for what has come, not for what was announced.
const STRETCH: usize = 256 << 10;
/// A buffer larger than this is not kept by a client that is silent.
const KEEP: usize = 64 << 10;
/// What a client's thread needs, with room to spare.
const STACK: usize = 256 << 10;

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
    Tcp(Guarded<TcpListener>),
    Unix(Guarded<UnixListener>),
}

/// Serves clients until `stop`; those that are there are then let go.
pub async fn serve(listener: Listener, store: Shared, stop: CancellationToken) {
    // Lets the clients go, whichever way this ends.
    let clients = Clients::default();
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => return,
            accepted = accept(&listener) => accepted,
        };
        if accepted.and_then(|stream| clients.serve(stream, store.clone())).is_err() {
            // Too many threads; some will be gone.
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    }
}

async fn accept(listener: &Listener) -> io::Result<Stream> {
    match listener {
        Listener::Tcp(listener) => {
            let stream = listener.accept().await.0.into_std()?;
            stream.set_nodelay(true)?;
            stream.set_nonblocking(false)?;
            Ok(Stream::Tcp(stream))
        }
        Listener::Unix(listener) => {
            let stream = listener.accept().await.into_std()?;
            stream.set_nonblocking(false)?;
            Ok(Stream::Unix(stream))
        }
    }
}

enum Stream {
    Tcp(net::TcpStream),
    Unix(std::os::unix::net::UnixStream),
}

impl Stream {
    /// Wakes whoever waits in a read or a write of it.
    fn end(&self) {
        // Where the client has gone already there is nothing to end.
        let _ = match self {
            Self::Tcp(stream) => stream.shutdown(Shutdown::Both),
            Self::Unix(stream) => stream.shutdown(Shutdown::Both),
        };
    }
}

impl Read for &Stream {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        match self {
            Stream::Tcp(stream) => (&mut &*stream).read(bytes),
            Stream::Unix(stream) => (&mut &*stream).read(bytes),
        }
    }
}

impl Write for &Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Stream::Tcp(stream) => (&mut &*stream).write(bytes),
            Stream::Unix(stream) => (&mut &*stream).write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The clients of one listener that are there; dropped, it lets them go.
#[derive(Default)]
struct Clients(Arc<Mutex<Open>>);

#[derive(Default)]
struct Open {
    streams: HashMap<u64, Arc<Stream>>,
    next: u64,
}

impl Clients {
    fn serve(&self, stream: Stream, store: Shared) -> io::Result<()> {
        let stream = Arc::new(stream);
        let number = {
            let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            open.next += 1;
            let number = open.next;
            open.streams.insert(number, stream.clone());
            number
        };
        let leaves = Leaves(self.0.clone(), number);
        thread::Builder::new().name("memcache".into()).stack_size(STACK).spawn(move || {
            let _leaves = leaves;
            client(&stream, &store);
        })?;
        Ok(())
    }
}

impl Drop for Clients {
    fn drop(&mut self) {
        for stream in self.0.lock().unwrap_or_else(PoisonError::into_inner).streams.values() {
            stream.end();
        }
    }
}

/// Takes a client off the list, however its thread ends.
struct Leaves(Arc<Mutex<Open>>, u64);

impl Drop for Leaves {
    fn drop(&mut self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).streams.remove(&self.1);
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

fn client(stream: &Stream, store: &Shared) {
    let Some(_counted) = Counted::of(store) else {
        let _ = (&mut &*stream).write_all(b"ERROR Too many open connections\r\n");
        return;
    };
    // However a conversation breaks off, there is nobody left to tell.
    let _ = conversation(stream, store);
    stream.end();
}

fn conversation(mut stream: &Stream, store: &Shared) -> io::Result<()> {
    let mut session = Session::default();
    let mut input = Input::default();
    let mut output = Vec::new();
    let mut received = 0;
    loop {
        let ran = store.with(|store| {
            store.tick();
            store.counts.bytes_read += number::length(received);
            let ran = session.run(store, input.unread(), &mut output);
            store.counts.bytes_written += number::length(output.len());
            ran
        });
        input.consume(ran.consumed);
        received = 0;
        if !output.is_empty() {
            stream.write_all(&output)?;
            output.clear();
            output.shrink_to(KEEP);
        }
        match ran.then {
            Then::Send => {}
            Then::Close => return Ok(()),
            Then::Read(wanted) => {
                let missing = wanted.saturating_sub(input.unread().len());
                received = input.read(stream, missing.clamp(READ, STRETCH))?;
                if received == 0 {
                    return Ok(());
                }
            }
        }
    }
}

/// What a client has sent and nobody has answered yet: a stretch of a buffer that is made once.
#[derive(Default)]
struct Input {
    bytes: Vec<u8>,
    from: usize,
    to: usize,
}

impl Input {
    fn unread(&self) -> &[u8] {
        &self.bytes[self.from..self.to]
    }

    fn consume(&mut self, bytes: usize) {
        self.from += bytes;
        if self.from == self.to {
            (self.from, self.to) = (0, 0);
            if self.bytes.len() > KEEP {
                self.bytes = Vec::new();
            }
        }
    }

    /// Waits for more, at most `room` bytes and whatever else fits. 0: the client has said its last word.
    fn read(&mut self, mut stream: &Stream, room: usize) -> io::Result<usize> {
        if self.bytes.len() - self.to < room {
            self.bytes.copy_within(self.from..self.to, 0);
            (self.from, self.to) = (0, self.to - self.from);
            self.bytes.resize(self.bytes.len().max(self.to + room), 0);
        }
        loop {
            match stream.read(&mut self.bytes[self.to..]) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => {
                    self.to += *read.as_ref().unwrap_or(&0);
                    return read;
                }
            }
        }
    }
}
