//! Connections in: HTTP/1.1, and HTTP/2 from clients that begin with it (h2c with prior knowledge; RFC 9113, 3.3). The
//! listener and the word to stop come from outside, so that a test binds port 0.

use std::convert::Infallible;
use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use std::net::SocketAddr;

use hyper::server::conn;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_util::task::TaskTracker;

use super::Gateway;

/// A client that takes longer than this for a request's head is let go.
const HEAD_WITHIN: Duration = Duration::from_mins(1);

/// Answers connections of `listener` until `stop` is ready; answers under way then have `drain` to finish. Returns when
/// that was.
pub async fn serve(
    listener: TcpListener,
    gateway: Arc<Gateway>,
    stop: impl Future<Output = ()> + Send,
    drain: Duration,
) -> Instant {
    let tracker = TaskTracker::new();
    let (stopping, stopped) = watch::channel(());
    tokio::pin!(stop);
    loop {
        let (stream, peer) = tokio::select! {
            accepted = listener.accept() => if let Ok(accepted) = accepted { accepted } else {
                // Out of file descriptors, most likely: some will be free in a moment.
                tokio::time::sleep(Duration::from_millis(20)).await;
                continue;
            },
            () = &mut stop => break,
        };
        // A socket option that does not take only costs speed.
        let _ = stream.set_nodelay(true);
        let gateway = gateway.clone();
        let mut stopped = stopped.clone();
        tracker.spawn(async move {
            match begins(&stream).await {
                Some(Begins::Http1) => http1(stream, peer, gateway, &mut stopped).await,
                Some(Begins::Http2) => http2(stream, peer, gateway, &mut stopped).await,
                None => {}
            }
        });
    }
    let told = Instant::now();
    drop(listener);
    drop(stopping);
    tracker.close();
    // What has not finished by then is cut with its upstream.
    let _ = tokio::time::timeout(drain, tracker.wait()).await;
    told
}

enum Begins {
    Http1,
    Http2,
}

/// The first bytes of HTTP/2's preface; no method of HTTP/1 begins like this (RFC 9113, 3.4).
const PREFACE: &[u8] = b"PRI";

/// What a client speaks, by its first bytes. `None`: it says nothing, or has gone.
async fn begins(stream: &TcpStream) -> Option<Begins> {
    let look = async {
        let mut first = [0; PREFACE.len()];
        loop {
            match stream.peek(&mut first).await {
                Ok(0) | Err(_) => return None,
                Ok(count) if count == PREFACE.len() && first == PREFACE => return Some(Begins::Http2),
                Ok(count) if PREFACE.starts_with(&first[..count]) => tokio::time::sleep(Duration::from_millis(2)).await,
                Ok(_) => return Some(Begins::Http1),
            }
        }
    };
    tokio::time::timeout(HEAD_WITHIN, look).await.ok().flatten()
}

async fn http1(stream: TcpStream, peer: SocketAddr, gateway: Arc<Gateway>, stopped: &mut watch::Receiver<()>) {
    let service = service_fn(|request| {
        let answer = gateway.clone().handle(request, peer);
        async move { Ok::<_, Infallible>(answer.await) }
    });
    let connection = conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_WITHIN)
        .preserve_header_case(true)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    tokio::pin!(connection);
    // How a connection ends is the client's business.
    tokio::select! {
        _ = &mut connection => {}
        _ = stopped.changed() => {
            connection.as_mut().graceful_shutdown();
            let _ = connection.await;
        }
    }
}

async fn http2(stream: TcpStream, peer: SocketAddr, gateway: Arc<Gateway>, stopped: &mut watch::Receiver<()>) {
    let service = service_fn(|request| {
        let answer = gateway.clone().handle(request, peer);
        async move { Ok::<_, Infallible>(answer.await) }
    });
    let connection = conn::http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    tokio::select! {
        _ = &mut connection => {}
        _ = stopped.changed() => {
            connection.as_mut().graceful_shutdown();
            let _ = connection.await;
        }
    }
}
