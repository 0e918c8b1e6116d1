//! What the commands that stay share: the tokio runtime, and the word to stop.

use tokio::signal::unix::{SignalKind, signal};

use crate::problem::{Doing as _, Problem, Result};
use crate::supervisor::guardian::{self, Children, Ended, Role};
use crate::term::{give_back, terminal_mode};

/// The runtime of a command that serves.
pub fn runtime() -> Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .doing(|| "start the server's threads")
}

/// Puts the rest of the command below a guardian. The answer is the guardian's: the exit code it ends with; without one,
/// this is the process that works.
pub fn guard() -> Result<Option<u8>> {
    guard_with(Children::Its)
}

/// The same for one whose place another may take while all that it has started runs on.
pub fn guard_all() -> Result<Option<u8>> {
    guard_with(Children::Guardians)
}

fn guard_with(children: Children) -> Result<Option<u8>> {
    let mode = terminal_mode();
    let role = guardian::guard(children).doing(|| "start below a guardian")?;
    if let (Role::Guarded(_), Some(mode)) = (role, mode) {
        give_back(&mode);
    }
    match role {
        Role::Works => Ok(None),
        Role::Guarded(Ended::Code(code)) => Ok(Some(code)),
        Role::Guarded(Ended::Signal(signal)) => {
            Err(Problem::new("guardian.died", format!("dae was ended by {signal}; so is everything it had started"))
                .exit(128 + u8::try_from(signal as i32).unwrap_or(0)))
        }
    }
}

pub use guardian::end_descendants;

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
        if guardian::is_orphaned() {
            // Somebody killed the guardian to be rid of all of this.
            guardian::end_descendants();
            std::process::exit(137);
        }
    })
}
