//! Connections in: HTTP/1.1, and HTTP/2 from clients that begin with it (h2c with prior knowledge; RFC 9113, 3.3) or ask for
//! it in TLS. The listeners and the word to stop come from outside, so that a test binds port 0.

use std::convert::Infallible;
use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use std::net::SocketAddr;

use hyper::header::{CONNECTION, HeaderValue, UPGRADE};
use hyper::server::conn;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;
use tokio_util::task::TaskTracker;

use super::{Gateway, lanes, tls};

/// A client that takes longer than this for a request's head is let go.
const HEAD_WITHIN: Duration = Duration::from_mins(1);

/// How long a client may take to agree on TLS.
const HANDSHAKE_WITHIN: Duration = Duration::from_secs(15);

/// Where connections come in.
pub struct Door {
    pub listener: TcpListener,
    /// None: it is plain HTTP.
    pub tls: Option<TlsAcceptor>,
}

impl From<TcpListener> for Door {
    fn from(listener: TcpListener) -> Self {
        Self { listener, tls: None }
    }
}

/// Hears why no more connections are taken.
type Stopped = watch::Receiver<Option<Stop>>;

/// Returns when no more connections are taken.
async fn told(stopped: &mut Stopped) {
    drop(stopped.wait_for(Option::is_some).await);
}

/// Returns when a connection on which nothing is under way is to be closed.
async fn closing(stopped: &mut Stopped) {
    let why = stopped.wait_for(Option::is_some).await.map_or(Some(Stop::Ends), |why| *why);
    if why == Some(Stop::Succeeded) {
        tokio::time::sleep(LAST_ASKED).await;
    }
}

/// Where a request comes from.
#[derive(Debug, Clone, Copy)]
pub(super) struct Peer {
    pub address: SocketAddr,
    /// Nobody on the way can read it.
    pub is_private: bool,
}

/// Why no more connections are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// All of it ends.
    Ends,
    /// Another process takes them.
    Succeeded,
}

/// An open connection on which nothing comes for so long, though it may, is closed where another process takes connections:
/// whoever asks on it at that moment would have to ask again.
const LAST_ASKED: Duration = Duration::from_secs(5);

/// Answers connections of `doors` until `stop` is ready; answers under way then have `drain` to finish. Returns when that
/// was.
pub async fn serve(
    doors: Vec<Door>,
    gateway: Arc<Gateway>,
    stop: impl Future<Output = Stop> + Send,
    drain: Duration,
) -> Instant {
    let tracker = TaskTracker::new();
    let (stopping, stopped) = watch::channel(None);
    let open = doors.into_iter().map(|door| accept(door, gateway.clone(), tracker.clone(), stopped.clone()));
    let why = tokio::select! {
        _ = futures_util::future::join_all(open) => Stop::Ends,
        why = stop => why,
    };
    let told = Instant::now();
    stopping.send_replace(Some(why));
    tracker.close();
    // What has not finished by then is cut with its upstream.
    let _ = tokio::time::timeout(drain, tracker.wait()).await;
    told
}

async fn accept(door: Door, gateway: Arc<Gateway>, tracker: TaskTracker, stopped: Stopped) {
    loop {
        let Ok((stream, address)) = door.listener.accept().await else {
            // Out of file descriptors, most likely: some will be free in a moment.
            tokio::time::sleep(Duration::from_millis(20)).await;
            continue;
        };
        // A socket option that does not take only costs speed.
        let _ = stream.set_nodelay(true);
        let Ok(stream) = stream.into_std() else { continue };
        let (gateway, mut stopped, tls) = (gateway.clone(), stopped.clone(), door.tls.clone());
        let answered = async move {
            let Ok(stream) = TcpStream::from_std(stream) else { return };
            let stopped = &mut stopped;
            match tls {
                None => {
                    let peer = Peer { address, is_private: false };
                    match begins(&stream).await {
                        Some(Begins::Http1) => http1(stream, peer, gateway, stopped).await,
                        Some(Begins::Http2) => http2(stream, peer, gateway, stopped).await,
                        None => {}
                    }
                }
                Some(tls) => {
                    let peer = Peer { address, is_private: true };
                    // A client that speaks no TLS, or does not like the certificate, has been told so by the protocol.
                    let Ok(Ok(stream)) = tokio::time::timeout(HANDSHAKE_WITHIN, tls.accept(stream)).await else {
                        return;
                    };
                    if stream.get_ref().1.alpn_protocol() == Some(tls::H2) {
                        http2(stream, peer, gateway, stopped).await;
                    } else {
                        http1(stream, peer, gateway, stopped).await;
                    }
                }
            }
        };
        tracker.spawn_on(answered, &lanes::next());
    }
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

async fn http1<S>(stream: S, peer: Peer, gateway: Arc<Gateway>, stopped: &mut Stopped)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let last = stopped.clone();
    let service = service_fn(|request| {
        let (answer, last) = (gateway.clone().handle(request, peer), last.clone());
        async move {
            let mut answer = answer.await;
            if last.borrow().is_some() && !answer.headers().contains_key(UPGRADE) {
                // The next request goes where connections are taken.
                answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            }
            Ok::<_, Infallible>(answer)
        }
    });
    let connection = conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_WITHIN)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    tokio::pin!(connection);
    // How a connection ends is the client's business.
    tokio::select! {
        _ = &mut connection => {}
        () = closing(stopped) => {
            connection.as_mut().graceful_shutdown();
            let _ = connection.await;
        }
    }
}

async fn http2<S>(stream: S, peer: Peer, gateway: Arc<Gateway>, stopped: &mut Stopped)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
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
        () = told(stopped) => {
            connection.as_mut().graceful_shutdown();
            let _ = connection.await;
        }
    }
}
