//! Nothing outlives dae: a command that starts processes runs below a guardian, the same program again.
//!
//! Theory of operation. The process a person starts becomes the guardian: it starts itself once more, waits for that to end,
//! and then ends every descendant that is left. Both are child subreapers, so a process that forked twice and took a session
//! of its own falls to the one that works, and when that dies, by whatever means, to the guardian. When the guardian dies
//! first, the one that works gets a signal for it and ends everything itself. Python's processes die with their parent too
//! (`python/dae/lifeline.py`), which covers the death of both at once but for what has left the family by then.
//!
//! Where another process is to take the place of the one that works, there is a second guardian between the two, and what the one
//! that works starts is that one's own (`siblings`). So each of the three may be killed: one that ends the rest is always there.
//!
//! Elsewhere than on Linux there are no subreapers: the groups of the processes that were started are ended, and what took a
//! session of its own is not found.

use std::io;
use std::os::fd::{AsFd as _, AsRawFd as _, FromRawFd as _, OwnedFd, RawFd};
use std::process::Command;
use std::time::Duration;

#[cfg(target_os = "linux")]
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::sys::signal::{SigSet, SigmaskHow, Signal, kill, sigprocmask};
use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg, send};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{Pid, getpid, getppid};

use super::parent::end_with_us;
use super::process::End;
use super::siblings::{self, Word};

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

/// Whose children are what the one that works starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Children {
    Its,
    /// A guardian's: a successor of the one that works may follow them.
    Guardians,
}

/// Makes this process a guardian, and returns in the one that works at once, in the guardian at the end. To be called while
/// there is one thread.
pub fn guard(children: Children) -> io::Result<Role> {
    let is_below = std::env::var(GUARDED).is_ok_and(|pid| pid == getppid().to_string());
    let is_linked = std::env::var_os(siblings::LINK).is_some();
    if is_below {
        // What the guardian holds back for itself was inherited.
        sigprocmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::empty()), None)?;
        hold_on();
        if children == Children::Its || is_linked || cfg!(not(target_os = "linux")) {
            bury_orphans();
            siblings::join()?;
            return Ok(Role::Works);
        }
    }
    adopt_orphans();
    let mut watched = SigSet::empty();
    for signal in [Signal::SIGCHLD, Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP, Signal::SIGQUIT] {
        watched.add(signal);
    }
    // Held back, to be taken one by one.
    sigprocmask(SigmaskHow::SIG_BLOCK, Some(&watched), None)?;
    let mut command = Command::new(std::env::current_exe()?);
    command.args(std::env::args_os().skip(1)).env(GUARDED, getpid().to_string()).env_remove(siblings::LINK);
    // Alone it would take itself for the first one, and be a guardian. It has started nothing yet; what it gets when it has, `hold_on`
    // says.
    end_with_us(&mut command, Signal::SIGKILL);
    let mut links = Vec::new();
    let mut theirs = None;
    if is_below {
        let (ours, end) = siblings::link()?;
        fcntl(&end, FcntlArg::F_SETFD(FdFlag::empty()))?;
        command.env(siblings::LINK, end.as_raw_fd().to_string());
        links.push(ours);
        theirs = Some(end);
    }
    let child = command.spawn()?;
    drop(theirs);
    let child = Pid::from_raw(i32::try_from(child.id()).map_err(io::Error::other)?);
    let ended = wait(child, &watched, links, is_below)?;
    end_descendants();
    Ok(Role::Guarded(ended))
}

/// Whether the guardian has died: then nobody but this process ends what it started.
pub fn is_orphaned() -> bool {
    std::env::var(GUARDED).is_ok_and(|pid| pid != getppid().to_string())
}

/// Those above this one that guard it; none where it is not guarded.
pub(super) fn guardians() -> Vec<Pid> {
    if std::env::var_os(GUARDED).is_none() {
        return Vec::new();
    }
    let parent = getppid();
    #[cfg(target_os = "linux")]
    if siblings::is_joined() {
        return [parent].into_iter().chain(process(parent.as_raw()).map(|guardian| guardian.parent)).collect();
    }
    vec![parent]
}

/// What a process of dae's own needs in its environment to be guarded as this one is.
pub fn passport() -> Option<(String, String)> {
    Some((GUARDED.to_owned(), std::env::var(GUARDED).ok()?))
}

/// Ends every process below this one, whatever session it is in.
pub fn end_descendants() {
    if is_orphaned() {
        // They would have been the guardian's to end.
        siblings::end_all();
    }
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

/// Waits for `child` to end, or for whoever works by then; words for it that only we were given are passed on. One that is below
/// another guardian does not outlive it.
fn wait(mut child: Pid, watched: &SigSet, mut links: Vec<OwnedFd>, is_below: bool) -> io::Result<Ended> {
    let mut signals = Signals::open(watched)?;
    loop {
        match signals.next(&links)? {
            Came::Word(at) => match hear(&links[at]) {
                Some((Word::Link, Some(link))) => links.push(link),
                // Its end was told already.
                Some((Word::Works(next), _)) if kill(next, None).is_err() => return Ok(Ended::Signal(Signal::SIGKILL)),
                Some((Word::Works(next), _)) => child = next,
                Some(_) => {}
                None => drop(links.remove(at)),
            },
            Came::Signal(Signal::SIGCHLD, _) => loop {
                let (pid, end) = match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
                    Ok(WaitStatus::Exited(pid, code)) => (pid, End::Code(code)),
                    Ok(WaitStatus::Signaled(pid, signal, _)) => (pid, End::Signal(signal as i32)),
                    Ok(WaitStatus::StillAlive) | Err(_) => break,
                    Ok(_) => continue,
                };
                if pid == child {
                    return Ok(match end {
                        End::Code(code) => Ended::Code(u8::try_from(code).unwrap_or(1)),
                        End::Signal(signal) => Ended::Signal(Signal::try_from(signal).unwrap_or(Signal::SIGKILL)),
                    });
                }
                // An orphan, buried; or one that somebody follows.
                let told = siblings::told(pid, end);
                for link in &links {
                    // Who has ended is no longer told.
                    let _ = send(link.as_raw_fd(), &told, siblings::SAYING | MsgFlags::MSG_DONTWAIT);
                }
            },
            // A key pressed at the terminal: the child has heard it too.
            Came::Signal(Signal::SIGINT | Signal::SIGQUIT, From::Keyboard) => {}
            Came::Signal(..) if is_below && is_orphaned() => return Ok(Ended::Signal(Signal::SIGKILL)),
            Came::Signal(signal, _) => drop(kill(child, signal)),
        }
    }
}

/// What one of those that are linked says; none when it is gone.
fn hear(link: &OwnedFd) -> Option<(Word, Option<OwnedFd>)> {
    let mut buffer = [0; 8];
    let mut parts = [io::IoSliceMut::new(&mut buffer)];
    let mut space = nix::cmsg_space!(RawFd);
    let message = recvmsg::<()>(link.as_raw_fd(), &mut parts, Some(&mut space), siblings::HEARING).ok()?;
    if message.bytes == 0 {
        return None;
    }
    let mut file = None;
    for control in message.cmsgs().ok()? {
        if let ControlMessageOwned::ScmRights(numbers) = control {
            // SAFETY: the system made these numbers for us this instant.
            file = numbers.into_iter().map(|number| unsafe { OwnedFd::from_raw_fd(number) }).next_back();
        }
    }
    let length = message.bytes;
    siblings::heard(&buffer[..length]).map(|word| (word, file))
}

enum Came {
    Signal(Signal, From),
    /// From the link of that place.
    Word(usize),
}

enum From {
    Keyboard,
    Process,
}

#[cfg(target_os = "linux")]
struct Signals(nix::sys::signalfd::SignalFd);

#[cfg(target_os = "linux")]
impl Signals {
    fn open(watched: &SigSet) -> io::Result<Self> {
        use nix::sys::signalfd::{SfdFlags, SignalFd};
        Ok(Self(SignalFd::with_flags(watched, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)?))
    }

    fn next(&mut self, links: &[OwnedFd]) -> io::Result<Came> {
        use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
        // The kernel itself sent it (`SI_KERNEL`, sigaction(2)).
        const BY_KERNEL: i32 = 0x80;
        loop {
            // First what is said, so that an end is told to all who say that they want to know.
            let mut ready: Vec<PollFd<'_>> =
                links.iter().map(|link| PollFd::new(link.as_fd(), PollFlags::POLLIN)).collect();
            ready.push(PollFd::new(self.0.as_fd(), PollFlags::POLLIN));
            match poll(&mut ready, PollTimeout::NONE) {
                Ok(_) => {}
                Err(Errno::EINTR) => continue,
                Err(error) => return Err(error.into()),
            }
            let came = |watched: &PollFd<'_>| watched.revents().is_some_and(|came| !came.is_empty());
            if let Some(at) = ready[..links.len()].iter().position(came) {
                return Ok(Came::Word(at));
            }
            match self.0.read_signal() {
                Ok(Some(info)) => {
                    let signal = i32::try_from(info.ssi_signo).map_err(io::Error::other)?;
                    let from = if info.ssi_code == BY_KERNEL { From::Keyboard } else { From::Process };
                    return Ok(Came::Signal(Signal::try_from(signal)?, from));
                }
                Ok(None) | Err(Errno::EINTR | Errno::EAGAIN) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}

#[cfg(not(target_os = "linux"))]
struct Signals(SigSet);

#[cfg(not(target_os = "linux"))]
impl Signals {
    fn open(watched: &SigSet) -> io::Result<Self> {
        Ok(Self(*watched))
    }

    fn next(&mut self, _: &[OwnedFd]) -> io::Result<Came> {
        let signal = self.0.wait()?;
        // Unknown here; a second word to stop does no harm.
        Ok(Came::Signal(signal, From::Process))
    }
}

#[cfg(target_os = "linux")]
fn adopt_orphans() {
    // An old kernel refuses: then what leaves the family is not found.
    let _ = nix::sys::prctl::set_child_subreaper(true);
}

#[cfg(not(target_os = "linux"))]
fn adopt_orphans() {}

/// Does not outlive the guardian.
fn hold_on() {
    adopt_orphans();
    #[cfg(target_os = "linux")]
    {
        let _ = nix::sys::prctl::set_pdeathsig(Signal::SIGTERM);
        if is_orphaned() {
            // It died before it could be heard.
            std::process::exit(1);
        }
    }
}

fn bury_orphans() {
    // An error means no thread for it: then they are buried when this process ends.
    #[cfg(target_os = "linux")]
    let _ = std::thread::Builder::new().name("burials".into()).spawn(bury);
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
    /// In the system's ticks since it was started.
    birth: u64,
}

/// All processes of the machine.
#[cfg(target_os = "linux")]
fn processes() -> Vec<Entry> {
    let read = |entry: std::fs::DirEntry| process(entry.file_name().to_str()?.parse().ok()?);
    std::fs::read_dir("/proc").into_iter().flatten().flatten().filter_map(read).collect()
}

/// One (proc(5), /proc/PID/stat: the name stands in parentheses, then state and parent; 18 further on its birth).
#[cfg(target_os = "linux")]
fn process(pid: i32) -> Option<Entry> {
    let stat = std::fs::read(format!("/proc/{pid}/stat")).ok()?;
    let stat = String::from_utf8_lossy(&stat);
    let mut fields = stat.get(stat.rfind(')')? + 1..)?.split_whitespace();
    let is_dead = fields.next()? == "Z";
    let parent = fields.next()?.parse().ok()?;
    let birth = fields.nth(17)?.parse().ok()?;
    Some(Entry { pid: Pid::from_raw(pid), parent: Pid::from_raw(parent), is_dead, birth })
}

/// When a process was born, on a clock of the system's.
#[cfg(target_os = "linux")]
pub(super) fn birth(pid: u32) -> Option<u64> {
    process(i32::try_from(pid).ok()?).map(|process| process.birth)
}

/// The children of this process's parent that are not older than that.
#[cfg(target_os = "linux")]
pub(super) fn younger_siblings(birth: u64) -> Vec<Pid> {
    let parent = getppid();
    let younger = |process: &Entry| process.parent == parent && process.birth >= birth;
    processes().iter().filter(|process| younger(process)).map(|process| process.pid).collect()
}

#[cfg(not(target_os = "linux"))]
pub(super) fn younger_siblings(_: u64) -> Vec<Pid> {
    Vec::new()
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
