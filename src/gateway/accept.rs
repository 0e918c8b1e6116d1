//! Connections in. The listener and the word to stop come from outside, so that a test binds port 0.

use std::convert::Infallible;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio_util::task::TaskTracker;

use super::Gateway;

/// A client that takes longer than this for a request's head is let go.
const HEAD_WITHIN: Duration = Duration::from_mins(1);
/// Answers under way when the word to stop comes may take this long.
const LAST_ANSWERS: Duration = Duration::from_secs(1);

/// Answers connections of `listener` until `stop` is ready.
pub async fn serve(listener: TcpListener, gateway: Arc<Gateway>, stop: impl Future<Output = ()> + Send) {
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
    drop(listener);
    drop(stopping);
    tracker.close();
    let _ = tokio::time::timeout(LAST_ANSWERS, tracker.wait()).await;
}
