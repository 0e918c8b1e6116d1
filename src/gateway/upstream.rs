//! A server behind the gateway, on a unix socket, with the connections to it that are free.

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use hyper::header::{HeaderName, HeaderValue};
use tokio::sync::{Notify, watch};

use super::Rule;
use super::connection::Connection;

/// A free connection older than this is not used again: shorter than the server's own keep-alive, so that the server never
/// closes one just as a request goes out on it.
const FREE_FOR: Duration = Duration::from_secs(50);
/// Free connections kept.
const KEPT: usize = 64;

/// What a server is spared.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Limits {
    /// More requests than these at once, open streams and websockets among them.
    pub requests: Option<usize>,
    /// Requests with a larger body, in bytes.
    pub body: Option<u64>,
}

#[derive(Debug)]
pub struct Upstream {
    socket: PathBuf,
    /// Set on every answer.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// What is answered from files; all else goes to the socket.
    pub rules: Vec<Rule>,
    pub limits: Limits,
    leases: Arc<Leases>,
    free: Arc<Mutex<Vec<Free>>>,
    /// Counts up when what does not end by itself is to end: websockets, event streams.
    pub(super) cuts: Arc<watch::Sender<u64>>,
    /// Another process that may still answer by the same server.
    other: Option<Gone>,
}

/// A process that has gone when nobody is there any more who could tell.
pub type Gone = watch::Receiver<()>;

/// Who is still being answered.
#[derive(Debug, Default)]
struct Leases {
    count: AtomicUsize,
    /// Told whenever the last of them is given up.
    last: Notify,
}

/// A connection that waits for a request, and since when.
type Free = (Connection, Instant);

impl Upstream {
    /// A server that listens on the unix socket at `socket`.
    pub fn new(socket: PathBuf) -> Self {
        Self {
            socket,
            headers: Vec::new(),
            rules: Vec::new(),
            limits: Limits::default(),
            leases: Arc::default(),
            free: Arc::default(),
            cuts: Arc::new(watch::Sender::new(0)),
            other: None,
        }
    }

    /// The same for one that another process has left, which may go on to answer what it has begun.
    #[must_use]
    pub fn left_by(socket: PathBuf, other: Gone) -> Self {
        Self { other: Some(other), ..Self::new(socket) }
    }

    /// The same server under other headers, rules and limits: what is under way with one is under way with the other.
    #[must_use]
    pub fn again(&self) -> Self {
        let Self { socket, leases, free, cuts, other, .. } = self;
        Self {
            socket: socket.clone(),
            headers: Vec::new(),
            rules: Vec::new(),
            limits: Limits::default(),
            leases: leases.clone(),
            free: free.clone(),
            cuts: cuts.clone(),
            other: other.clone(),
        }
    }

    /// Ends websockets and event streams, which do not end by themselves; their clients connect anew. What begins after this
    /// goes on.
    pub fn cut(&self) {
        self.cuts.send_modify(|count| *count += 1);
    }

    /// Returns when nobody holds a lease, nor could another process.
    pub async fn idle(&self) {
        if let Some(mut other) = self.other.clone() {
            // Nothing is ever told: an error is the end.
            while other.changed().await.is_ok() {}
        }
        loop {
            // Asked for before the count is read, so that no end is missed.
            let last = self.leases.last.notified();
            if self.leases.count.load(Ordering::Acquire) == 0 {
                return;
            }
            last.await;
        }
    }

    /// False: there are as many as there may be.
    pub(super) fn count_lease(&self) -> bool {
        let before = self.leases.count.fetch_add(1, Ordering::AcqRel);
        let counts = self.limits.requests.is_none_or(|most| before < most);
        if !counts {
            self.uncount_lease();
        }
        counts
    }

    pub(super) fn uncount_lease(&self) {
        if self.leases.count.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.leases.last.notify_waiters();
        }
    }

    /// Closes the free connections, so that the server need not wait for them when it ends.
    pub fn close(&self) {
        self.free.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// A connection that is ready for a request, where there is one a used one.
    pub(super) async fn connection(&self) -> std::io::Result<Connection> {
        match self.take_free() {
            Some(connection) => Ok(connection),
            None => self.connect().await,
        }
    }

    pub(super) async fn connect(&self) -> std::io::Result<Connection> {
        Connection::open(&self.socket).await
    }

    fn take_free(&self) -> Option<Connection> {
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let here = thread::current().id();
        while !free.is_empty() {
            let at = free.iter().rposition(|(connection, _)| connection.home == here).unwrap_or(free.len() - 1);
            let (mut connection, since) = free.remove(at);
            if since.elapsed() < FREE_FOR && connection.is_ready() {
                return Some(connection);
            }
        }
        None
    }

    /// Takes a connection whose answer has been read; it may still have to send the rest of its request.
    pub(super) fn give_back(self: &Arc<Self>, mut connection: Connection) {
        if connection.is_ready() {
            let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
            if free.len() < KEPT {
                free.push((connection, Instant::now()));
            }
        } else if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let upstream = self.clone();
            runtime.spawn(async move {
                if connection.ready().await {
                    upstream.give_back(connection);
                }
            });
        }
    }
}
