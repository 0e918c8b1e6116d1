//! One connection to an upstream. It has no task of its own: whoever waits for its answer moves it along, so that an answer
//! wakes one task and not two.

use std::fmt;
use std::future::{Future, poll_fn};
use std::io;
use std::path::Path;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};
use std::thread::{self, ThreadId};

use hyper::body::Incoming;
use hyper::client::conn::TrySendError;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::net::UnixStream;

use super::Body;
use super::forgiving::Forgiving;

/// What moves the bytes of a connection.
type Wire = Pin<Box<dyn Future<Output = hyper::Result<()>> + Send>>;

pub(super) struct Connection {
    sender: SendRequest<Body>,
    /// `None` when it has ended. How it ended, whoever waits for an answer is told.
    wire: Option<Wire>,
    /// It carried a request before, so the server may have closed it meanwhile.
    pub(super) used: bool,
    /// The thread that hears of its bytes first.
    pub(super) home: ThreadId,
}

impl Connection {
    pub(super) async fn open(socket: &Path) -> io::Result<Self> {
        let stream = UnixStream::connect(socket).await?;
        let (sender, wire) = http1::Builder::new()
            // An answer's names reach the client as the app wrote them. A request's need not: WSGI and ASGI know one case of them.
            .preserve_header_case(true)
            .handshake(TokioIo::new(Forgiving::new(stream)))
            .await
            .map_err(io::Error::other)?;
        Ok(Self { sender, wire: Some(Box::pin(wire.with_upgrades())), used: false, home: thread::current().id() })
    }

    /// Sends a request, and waits for the answer's head.
    pub(super) async fn ask(
        &mut self,
        request: hyper::Request<Body>,
    ) -> Result<hyper::Response<Incoming>, TrySendError<hyper::Request<Body>>> {
        let mut answer = pin!(self.sender.try_send_request(request));
        let wire = &mut self.wire;
        self.used = true;
        poll_fn(|cx| {
            advance(wire, cx);
            answer.as_mut().poll(cx)
        })
        .await
    }

    /// Moves what there is to move. To be called by whoever reads the answer's body.
    pub(super) fn advance(&mut self, cx: &mut Context<'_>) {
        advance(&mut self.wire, cx);
    }

    /// Whether a request can go out on it at once. One that the server has closed is not ready.
    pub(super) fn is_ready(&mut self) -> bool {
        self.advance(&mut Context::from_waker(Waker::noop()));
        self.wire.is_some() && self.sender.is_ready()
    }

    /// Waits until a request can go out. False: it never will.
    pub(super) async fn ready(&mut self) -> bool {
        poll_fn(|cx| {
            self.advance(cx);
            if self.wire.is_some() { self.sender.poll_ready(cx).map(|ready| ready.is_ok()) } else { Poll::Ready(false) }
        })
        .await
    }

    /// Lets it go on by itself, in a task of its own.
    pub(super) fn apart(self) -> SendRequest<Body> {
        if let Some(wire) = self.wire {
            tokio::spawn(wire);
        }
        self.sender
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("ended", &self.wire.is_none())
            .field("used", &self.used)
            .finish_non_exhaustive()
    }
}

fn advance(wire: &mut Option<Wire>, cx: &mut Context<'_>) {
    if wire.as_mut().is_some_and(|wire| wire.as_mut().poll(cx).is_ready()) {
        *wire = None;
    }
}
