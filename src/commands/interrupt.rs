//! Ctrl-C in a command that has something to put back: the signal is noted, children are ended, and the command finds its
//! own way out, so that there is one way of cleaning up and not two.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use tokio::signal::unix::{SignalKind, signal};

use crate::problem::{Doing as _, Problem, Result};
use crate::supervisor::guardian::descendants;
use crate::term::show_cursor;

/// How long children may take to end when asked, before they are killed.
const GRACE: Duration = Duration::from_secs(2);

/// Watches for SIGINT, SIGTERM and SIGHUP.
#[derive(Debug)]
pub struct Interrupt {
    came: Arc<AtomicBool>,
    /// There is something to put back.
    holds: Arc<AtomicBool>,
}

impl Interrupt {
    /// Until [`Interrupt::hold`] a signal ends the process as ever, but not in the middle of a question with the cursor hidden.
    pub fn watch() -> Result<Self> {
        let (came, holds) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.doing(|| "watch for Ctrl-C")?;
        let guard = runtime.enter();
        let wait = |kind| signal(kind).doing(|| "watch for Ctrl-C");
        let mut interrupt = wait(SignalKind::interrupt())?;
        let mut terminate = wait(SignalKind::terminate())?;
        let mut hangup = wait(SignalKind::hangup())?;
        drop(guard);
        let (noted, held) = (came.clone(), holds.clone());
        std::thread::spawn(move || {
            runtime.block_on(async {
                tokio::select! { _ = interrupt.recv() => {} _ = terminate.recv() => {} _ = hangup.recv() => {} }
            });
            noted.store(true, Ordering::SeqCst);
            if !held.load(Ordering::SeqCst) {
                show_cursor();
                std::process::exit(130);
            }
            end_children();
        });
        Ok(Self { came, holds })
    }

    /// From here on a signal is only noted, and [`Interrupt::check`] tells of it.
    pub fn hold(&self) -> Result<()> {
        self.holds.store(true, Ordering::SeqCst);
        self.check()
    }

    /// A problem with exit code 130 once a signal came.
    pub fn check(&self) -> Result<()> {
        if !self.came.load(Ordering::SeqCst) {
            return Ok(());
        }
        Err(Problem::new("interrupted", "stopped; everything is as it was before").exit(130))
    }
}

/// Ends children until the process itself ends: the step that was under way may start another one before it gives up. Where
/// the system does not say which they are, they come to their own end, and the command ends after them.
fn end_children() {
    let since = Instant::now();
    loop {
        let signal = if since.elapsed() < GRACE { Signal::SIGTERM } else { Signal::SIGKILL };
        for child in descendants() {
            let _ = kill(child, signal);
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}
