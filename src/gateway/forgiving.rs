//! A connection to an upstream that may answer before it has read the whole request, and close.
//!
//! Writing then fails while the answer is there to be read. So a failed write is taken as done, and what matters is whether an
//! answer comes; without one the end of the connection says so.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

#[derive(Debug)]
pub(super) struct Forgiving<S> {
    stream: S,
    /// Nobody reads what is written any more.
    deaf: bool,
}

impl<S> Forgiving<S> {
    pub(super) fn new(stream: S) -> Self {
        Self { stream, deaf: false }
    }

    fn forgive<T>(&mut self, result: io::Result<T>, instead: T) -> Poll<io::Result<T>> {
        match result {
            Err(error) if matches!(error.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset) => {
                self.deaf = true;
                Poll::Ready(Ok(instead))
            }
            result => Poll::Ready(result),
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Forgiving<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let result = std::task::ready!(Pin::new(&mut self.stream).poll_read(cx, buffer));
        // What it had not read when it closed makes the end of its answer look like an accident.
        match result {
            Err(error) if self.deaf && error.kind() == io::ErrorKind::ConnectionReset => Poll::Ready(Ok(())),
            result => Poll::Ready(result),
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Forgiving<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.deaf {
            return Poll::Ready(Ok(bytes.len()));
        }
        let result = std::task::ready!(Pin::new(&mut self.stream).poll_write(cx, bytes));
        self.forgive(result, bytes.len())
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let length = parts.iter().map(|part| part.len()).sum();
        if self.deaf {
            return Poll::Ready(Ok(length));
        }
        let result = std::task::ready!(Pin::new(&mut self.stream).poll_write_vectored(cx, parts));
        self.forgive(result, length)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.deaf {
            return Poll::Ready(Ok(()));
        }
        let result = std::task::ready!(Pin::new(&mut self.stream).poll_flush(cx));
        self.forgive(result, ())
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let result = std::task::ready!(Pin::new(&mut self.stream).poll_shutdown(cx));
        self.forgive(result, ())
    }
}
