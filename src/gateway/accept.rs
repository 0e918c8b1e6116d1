//! Connections in. The listener and the word to stop come from outside, so that a test binds port 0.

use std::convert::Infallible;
use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
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
    let (stopping, stopped) = tokio::sync::watch::channel(());
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
            let service = service_fn(|request| {
                let answer = gateway.clone().handle(request, peer);
                async move { Ok::<_, Infallible>(answer.await) }
            });
            let connection = http1::Builder::new()
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
