//! A child process that ends with the one that starts it, from before its first instruction on.

use std::process::Command;

use nix::sys::signal::Signal;

/// What `command` starts gets `signal` when the thread that starts it ends. Nothing elsewhere than on Linux.
#[cfg(target_os = "linux")]
pub fn end_with_us(command: &mut Command, signal: Signal) {
    use std::os::unix::process::CommandExt as _;
    let parent = nix::unistd::getpid();
    // SAFETY: between fork and exec only prctl and getppid are called, both of which may be called there.
    unsafe {
        command.pre_exec(move || {
            nix::sys::prctl::set_pdeathsig(signal)?;
            // We may have died before the line above.
            if nix::unistd::getppid() == parent { Ok(()) } else { Err(nix::errno::Errno::ESRCH.into()) }
        });
    }
}

#[cfg(not(target_os = "linux"))]
pub fn end_with_us(_: &mut Command, _: Signal) {}
