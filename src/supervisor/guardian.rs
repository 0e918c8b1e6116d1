//! Nothing outlives dae: a command that starts processes runs below a guardian, the same program again.
//!
//! Theory of operation. The process a person starts becomes the guardian: it starts itself once more, waits for that to end,
//! and then ends every descendant that is left. Both are child subreapers, so a process that forked twice and took a session
//! of its own falls to the one that works, and when that dies, by whatever means, to the guardian. When the guardian dies
//! first, the one that works gets a signal for it and ends everything itself. Python's processes die with their parent too
//! (`python/dae/lifeline.py`), which covers the death of both at once but for what has left the family by then.
//!
//! Elsewhere than on Linux there are no subreapers: the groups of the processes that were started are ended, and what took a
//! session of its own is not found.

use std::io;
use std::process::Command;
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::signal::{SigSet, SigmaskHow, Signal, kill, sigprocmask};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{Pid, getpid, getppid};

use super::parent::end_with_us;

/// Names the guardian to the one that works.
const GUARDED: &str = "DAE_GUARDED";
/// How often what was orphaned and has ended is buried.
const BURIALS: Duration = Duration::from_secs(5);

/// Which of the two this process is, and was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// It works; its guardian waits.
    Works,
    /// It was the guardian; the one that worked ended like this, and nothing is left.
    Guarded(Ended),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    Code(u8),
    Signal(Signal),
}

/// Makes this process a guardian, and returns in the one that works at once, in the guardian at the end. To be called while
/// there is one thread.
pub fn guard() -> io::Result<Role> {
    let guardian = std::env::var(GUARDED).ok().and_then(|pid| pid.parse().ok()).map(Pid::from_raw);
    if guardian == Some(getppid()) {
        // What the guardian holds back for itself was inherited.
        sigprocmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::empty()), None)?;
        take_over();
        return Ok(Role::Works);
    }
    adopt_orphans();
    let mut watched = SigSet::empty();
    for signal in [Signal::SIGCHLD, Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP, Signal::SIGQUIT] {
        watched.add(signal);
    }
    // Held back, to be taken one by one.
    sigprocmask(SigmaskHow::SIG_BLOCK, Some(&watched), None)?;
    let mut command = Command::new(std::env::current_exe()?);
    command.args(std::env::args_os().skip(1)).env(GUARDED, getpid().to_string());
    // Alone it would take itself for the first one, and be a guardian. It has started nothing yet; what it gets when it has, `take_over`
    // says.
    end_with_us(&mut command, Signal::SIGKILL);
    let child = command.spawn()?;
    let child = Pid::from_raw(i32::try_from(child.id()).map_err(io::Error::other)?);
    let ended = wait(child, &watched)?;
    end_descendants();
    Ok(Role::Guarded(ended))
}

/// Whether the guardian has died: then nobody but this process ends what it started.
pub fn is_orphaned() -> bool {
    std::env::var(GUARDED).is_ok_and(|pid| pid != getppid().to_string())
}

/// Ends every process below this one, whatever session it is in.
pub fn end_descendants() {
    let mut left = descendants();
    while !left.is_empty() {
        for pid in &left {
            // Gone already is good.
            let _ = kill(*pid, Signal::SIGKILL);
        }
        while let Ok(WaitStatus::Exited(..) | WaitStatus::Signaled(..)) = waitpid(None, Some(WaitPidFlag::WNOHANG)) {}
        std::thread::sleep(Duration::from_millis(2));
        // What one of them had just started has fallen to us meanwhile.
        left = descendants();
    }
}

/// Waits for `child` to end; words for it that only we were given are passed on.
fn wait(child: Pid, watched: &SigSet) -> io::Result<Ended> {
    loop {
        match next(watched)? {
            (Signal::SIGCHLD, _) => loop {
                match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
                    Ok(WaitStatus::Exited(pid, code)) if pid == child => {
                        return Ok(Ended::Code(u8::try_from(code).unwrap_or(1)));
                    }
                    Ok(WaitStatus::Signaled(pid, signal, _)) if pid == child => return Ok(Ended::Signal(signal)),
                    Ok(WaitStatus::StillAlive) | Err(_) => break,
                    // An orphan, buried.
                    Ok(_) => {}
                }
            },
            // A key pressed at the terminal: the child has heard it too.
            (Signal::SIGINT | Signal::SIGQUIT, From::Keyboard) => {}
            (signal, _) => drop(kill(child, signal)),
        }
    }
}

enum From {
    Keyboard,
    Process,
}

#[cfg(target_os = "linux")]
fn next(watched: &SigSet) -> io::Result<(Signal, From)> {
    use nix::sys::signalfd::{SfdFlags, SignalFd};
    // The kernel itself sent it (`SI_KERNEL`, sigaction(2)).
    const BY_KERNEL: i32 = 0x80;
    let signals = SignalFd::with_flags(watched, SfdFlags::SFD_CLOEXEC)?;
    loop {
        match signals.read_signal() {
            Ok(Some(info)) => {
                let signal = i32::try_from(info.ssi_signo).map_err(io::Error::other)?;
                let from = if info.ssi_code == BY_KERNEL { From::Keyboard } else { From::Process };
                return Ok((Signal::try_from(signal)?, from));
            }
            Ok(None) | Err(Errno::EINTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

#[cfg(not(target_os = "linux"))]
fn next(watched: &SigSet) -> io::Result<(Signal, From)> {
    let signal = watched.wait()?;
    // Unknown here; a second word to stop does no harm.
    Ok((signal, From::Process))
}

#[cfg(target_os = "linux")]
fn adopt_orphans() {
    // An old kernel refuses: then what leaves the family is not found.
    let _ = nix::sys::prctl::set_child_subreaper(true);
}

#[cfg(not(target_os = "linux"))]
fn adopt_orphans() {}

fn take_over() {
    adopt_orphans();
    #[cfg(target_os = "linux")]
    {
        let _ = nix::sys::prctl::set_pdeathsig(Signal::SIGTERM);
        if is_orphaned() {
            // It died before it could be heard.
            std::process::exit(1);
        }
        // An error means no thread for it: then they are buried when this process ends.
        let _ = std::thread::Builder::new().name("burials".into()).spawn(bury);
    }
}

/// Orphans that have ended are waited for by nobody. One that stays dead from one look to the next is such.
#[cfg(target_os = "linux")]
fn bury() {
    let mut dead: Vec<Pid> = Vec::new();
    loop {
        std::thread::sleep(BURIALS);
        let me = getpid();
        let now: Vec<Pid> =
            processes().into_iter().filter(|p| p.parent == me && p.is_dead).map(|process| process.pid).collect();
        for pid in now.iter().filter(|pid| dead.contains(pid)) {
            let _ = waitpid(*pid, Some(WaitPidFlag::WNOHANG));
        }
        dead = now;
    }
}

#[cfg(target_os = "linux")]
struct Entry {
    pid: Pid,
    parent: Pid,
    is_dead: bool,
}

/// All processes of the machine (proc(5), /proc/PID/stat: the name stands in parentheses, then state and parent).
#[cfg(target_os = "linux")]
fn processes() -> Vec<Entry> {
    let read = |entry: std::fs::DirEntry| {
        let pid = entry.file_name().to_str()?.parse().ok()?;
        let stat = std::fs::read(entry.path().join("stat")).ok()?;
        let stat = String::from_utf8_lossy(&stat);
        let mut fields = stat.get(stat.rfind(')')? + 1..)?.split_whitespace();
        let is_dead = fields.next()? == "Z";
        let parent = fields.next()?.parse().ok()?;
        Some(Entry { pid: Pid::from_raw(pid), parent: Pid::from_raw(parent), is_dead })
    };
    std::fs::read_dir("/proc").into_iter().flatten().flatten().filter_map(read).collect()
}

/// Every process below this one; none where the system does not say.
#[cfg(target_os = "linux")]
pub fn descendants() -> Vec<Pid> {
    let all = processes();
    let mut family = vec![getpid()];
    let mut at = 0;
    while at < family.len() {
        let parent = family[at];
        family.extend(all.iter().filter(|process| process.parent == parent).map(|process| process.pid));
        at += 1;
    }
    family.split_off(1)
}

#[cfg(not(target_os = "linux"))]
pub fn descendants() -> Vec<Pid> {
    Vec::new()
}
