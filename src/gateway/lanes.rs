//! The threads that answer: each has a runtime of its own, so that what happens on a connection wakes its own thread and no other.

use std::future::pending;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use tokio::runtime::{Builder, Handle};

/// More would wait for the apps.
const MOST: usize = 8;

/// Until the process ends: what began on a connection, a websocket say, goes on when no more connections are taken.
static LANES: OnceLock<Vec<Handle>> = OnceLock::new();
static NEXT: AtomicUsize = AtomicUsize::new(0);

/// Where the next connection goes.
pub(super) fn next() -> Handle {
    let lanes = LANES.get_or_init(|| {
        let count = thread::available_parallelism().map_or(1, usize::from).min(MOST);
        (0..count).filter_map(|_| lane().ok()).collect()
    });
    let turn = NEXT.fetch_add(1, Ordering::Relaxed);
    // Where no thread is to be had, the caller's own has to do.
    lanes.get(turn % lanes.len().max(1)).cloned().unwrap_or_else(Handle::current)
}

fn lane() -> std::io::Result<Handle> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let handle = runtime.handle().clone();
    thread::Builder::new().name("gateway".to_owned()).spawn(move || runtime.block_on(pending::<()>()))?;
    Ok(handle)
}
