//! The task queue: a server of beanstalkd's protocol whose jobs outlive it.
//!
//! Theory of operation. Every client is a task; all of them do their requests on one `Store` under a lock that is never
//! held across a wait. What a request changes the store tells its log; the answer goes out when that is written
//! (`Journal`), or safe on the disk, as the `Sync` policy says. A job that was reserved when the server died stays so until its
//! time to run is over, and whoever reserved it may still delete it: a server that is killed runs nothing twice.

mod client;
mod command;
mod execute;
mod input;
mod job;
mod journal;
mod log;
pub mod look;
mod record;
mod recover;
mod server;
mod stats;
mod store;
mod tube;

use std::path::PathBuf;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::runtime::Builder;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub use client::Client;

use super::{Guarded, Running, Space, Tell};
use crate::problem::{Doing as _, Result};
use crate::supervisor::Owner;

/// The largest body of a job, in bytes; beanstalkd's own default is a sixteenth of it.
pub const MAX_JOB: u32 = 1 << 20;

/// How safe a job is when its client is told that it was taken. A killed server loses nothing either way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sync {
    /// On the disk.
    EveryJob,
    /// On the disk soon: a machine that loses its power loses the last of it.
    Within(Duration),
}

#[derive(Debug, Clone)]
pub struct Settings {
    /// Where the journal is.
    pub folder: PathBuf,
    /// In bytes.
    pub max_job: u32,
    pub sync: Sync,
}

/// Starts the queue of an app.
pub fn start(space: &Space) -> Result<Running> {
    let listener = space.listen("queue")?;
    let address = listener.local_addr().doing(|| "find the queue's port")?;
    let settings = Settings { folder: space.data.join("queue"), max_job: MAX_JOB, sync: Sync::EveryJob };
    let stop = CancellationToken::new();
    let task = apart(listener, space.owner, settings, space.tell.clone(), stop.clone())?;
    Ok(Running::new("queue", vec![("DAE_QUEUE".into(), address.to_string())], stop, task))
}

/// Serves on threads of its own, for one of them may wait for the disk.
fn apart(
    listener: std::net::TcpListener,
    owner: Option<Owner>,
    settings: Settings,
    tell: Tell,
    stop: CancellationToken,
) -> Result<JoinHandle<()>> {
    let what = || "start the threads of the queue";
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().doing(what)?;
    let (end, ended) = oneshot::channel::<()>();
    let serving = async move {
        let Ok(listener) = TcpListener::from_std(listener) else { return };
        serve(Guarded::new(listener, owner), settings, tell, stop).await;
    };
    std::thread::Builder::new()
        .name("queue".into())
        .spawn(move || {
            runtime.block_on(serving);
            drop(end);
        })
        .doing(what)?;
    Ok(tokio::spawn(async move {
        // The word is never said: that nobody can say it any more is the end.
        let _ = ended.await;
    }))
}

/// Answers on `listener` until `stop`. On a runtime of several threads one of them may wait for the disk.
pub async fn serve(listener: impl Into<Guarded<TcpListener>>, settings: Settings, tell: Tell, stop: CancellationToken) {
    server::serve(listener.into(), settings, tell, stop).await;
}

/// What the reader makes of a client's bytes that come in pieces of that size; for the fuzzer.
pub fn read_all(bytes: &[u8], piece: usize, max_job: u32) -> Vec<String> {
    let mut input = input::Input::new(max_job);
    let mut requests = Vec::new();
    for piece in bytes.chunks(piece.max(1)) {
        input.buffer().extend_from_slice(piece);
        requests.extend(std::iter::from_fn(|| input.next()).map(|request| format!("{request:?}")));
    }
    requests
}
