//! What the commands that stay share: the tokio runtime, and the word to stop.

use tokio::signal::unix::{SignalKind, signal};

use crate::problem::{Doing as _, Result};

/// The runtime of a command that serves.
pub fn runtime() -> Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .doing(|| "start the server's threads")
}

/// Ready at Ctrl-C, a closed terminal or a word to end. Call it inside a runtime.
pub fn stop() -> Result<impl Future<Output = ()> + Send + 'static> {
    let listen = |kind| signal(kind).doing(|| "listen for signals");
    let mut interrupt = listen(SignalKind::interrupt())?;
    let mut terminate = listen(SignalKind::terminate())?;
    let mut hangup = listen(SignalKind::hangup())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
    })
}
