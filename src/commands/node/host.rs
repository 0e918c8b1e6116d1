//! `dae node host`: the process of a node in which its apps' services run. The node starts it and talks to it.

use std::os::fd::{FromRawFd as _, OwnedFd};

use crate::commands::{Outcome, foreground};
use crate::problem::{Problem, Result};
use crate::remote::server::host;
use crate::term::Done;

/// Where the node leaves its end of the talk.
const SOCKET: i32 = 3;

pub fn run() -> Outcome {
    if let Some(exit) = foreground::guard()? {
        return Ok(Box::new(Done { exit }));
    }
    let socket = socket()?;
    foreground::runtime()?.block_on(async { host(socket, foreground::stop()?).await })?;
    foreground::end_descendants();
    Ok(Box::new(Done::default()))
}

fn socket() -> Result<OwnedFd> {
    let none = || Problem::new("node.host", "a node starts this by itself").exit(2);
    if !is_socket() {
        return Err(none());
    }
    // SAFETY: the node left it here for this process alone, and it is asked for once.
    let socket = unsafe { OwnedFd::from_raw_fd(SOCKET) };
    let kept = nix::fcntl::fcntl(&socket, nix::fcntl::FcntlArg::F_SETFD(nix::fcntl::FdFlag::FD_CLOEXEC));
    kept.map_err(|error| none().because(error))?;
    Ok(socket)
}

/// Before anything of our own has that number.
fn is_socket() -> bool {
    let target = std::fs::read_link(format!("/proc/self/fd/{SOCKET}"));
    target.is_ok_and(|target| target.to_string_lossy().starts_with("socket:"))
}
