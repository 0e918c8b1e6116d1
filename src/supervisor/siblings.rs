//! Processes that are the guardian's own children: they outlive the one that started them, and another may follow them.
//!
//! Theory of operation. The guardian is the parent of the one that works and of all that this starts (`fork`, by CLONE_PARENT).
//! It alone can wait for them, and tells everybody it is linked with how each ended. A successor of the one that works is one
//! more sibling with a link of its own; from the word that it works on, its end is the end of all.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd, RawFd};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use nix::sys::signal::{Signal, kill, killpg};
use nix::sys::socket::{AddressFamily, ControlMessage, MsgFlags, SockFlag, SockType, recv, sendmsg, socketpair};
use nix::unistd::{Pid, getpid};
use tokio::sync::watch;

use super::guardian;
use super::process::End;

/// Names the open file that leads to the guardian.
pub(super) const LINK: &str = "DAE_SIBLINGS";
/// Ends that nobody asked for yet: a successor may, a moment later.
const UNCLAIMED: usize = 4096;

/// Nobody who is told anything may end us by not being there, and what comes is not for programs that are started.
#[cfg(target_os = "linux")]
pub(super) const SAYING: MsgFlags = MsgFlags::MSG_NOSIGNAL;
#[cfg(target_os = "linux")]
pub(super) const HEARING: MsgFlags = MsgFlags::MSG_CMSG_CLOEXEC;
#[cfg(target_os = "linux")]
const MADE: SockFlag = SockFlag::SOCK_CLOEXEC;
#[cfg(not(target_os = "linux"))]
pub(super) const SAYING: MsgFlags = MsgFlags::empty();
#[cfg(not(target_os = "linux"))]
pub(super) const HEARING: MsgFlags = MsgFlags::empty();
#[cfg(not(target_os = "linux"))]
const MADE: SockFlag = SockFlag::empty();

static JOINED: OnceLock<Link> = OnceLock::new();

struct Link {
    socket: OwnedFd,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    followed: HashMap<Pid, watch::Sender<Option<End>>>,
    unclaimed: VecDeque<(Pid, End)>,
}

/// What a worker tells the guardian.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Word {
    /// With the other end of a link.
    Link,
    /// This one is the one that works from now on.
    Works(Pid),
}

/// Two ends of a link.
pub(super) fn link() -> io::Result<(OwnedFd, OwnedFd)> {
    Ok(socketpair(AddressFamily::Unix, SockType::SeqPacket, None, MADE)?)
}

/// What is started from now on is the guardian's, where it left a link. To be called before there are threads that start
/// anything.
pub(super) fn join() -> io::Result<()> {
    let Some(number) = std::env::var(LINK).ok().and_then(|number| number.parse::<RawFd>().ok()) else { return Ok(()) };
    // SAFETY: whoever started this process says that this number is for it alone.
    let socket = unsafe { OwnedFd::from_raw_fd(number) };
    nix::fcntl::fcntl(&socket, nix::fcntl::FcntlArg::F_SETFD(nix::fcntl::FdFlag::FD_CLOEXEC))?;
    if JOINED.set(Link { socket, known: Mutex::default() }).is_err() {
        return Ok(());
    }
    std::thread::Builder::new().name("siblings".into()).spawn(hear)?;
    Ok(())
}

pub fn is_joined() -> bool {
    JOINED.get().is_some()
}

fn joined() -> io::Result<&'static Link> {
    JOINED.get().ok_or_else(|| io::Error::other("there is no guardian that could own a process"))
}

impl Link {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A link for a successor.
pub fn another() -> io::Result<OwnedFd> {
    let (ours, theirs) = link()?;
    say(Word::Link, Some(&theirs))?;
    Ok(ours)
}

/// The successor `pid` works from now on; this process may end.
pub fn hand_on(pid: u32) -> io::Result<()> {
    let pid = i32::try_from(pid).map_err(io::Error::other)?;
    say(Word::Works(Pid::from_raw(pid)), None)
}

fn say(word: Word, file: Option<&OwnedFd>) -> io::Result<()> {
    let numbers = match word {
        Word::Link => [1, 0],
        Word::Works(pid) => [2, pid.as_raw()],
    };
    let bytes = bytes(&numbers);
    let files: Vec<RawFd> = file.iter().map(|file| file.as_raw_fd()).collect();
    let control = [ControlMessage::ScmRights(&files)];
    let control = if files.is_empty() { &control[..0] } else { &control[..] };
    sendmsg::<()>(joined()?.socket.as_raw_fd(), &[io::IoSlice::new(&bytes)], control, SAYING, None)?;
    Ok(())
}

/// Starts one by `fork`, and how it will end.
pub(super) fn born(fork: impl FnOnce() -> io::Result<Pid>) -> io::Result<(Pid, watch::Receiver<Option<End>>)> {
    let link = joined()?;
    // Held meanwhile, so that no end is heard before it is known whose it is.
    let mut known = link.known();
    let pid = fork()?;
    known.unclaimed.retain(|(ended, _)| *ended != pid);
    let (tell, end) = watch::channel(None);
    known.followed.insert(pid, tell);
    Ok((pid, end))
}

/// How one will end, or has, that a predecessor had started.
pub(super) fn follow(pid: Pid) -> io::Result<watch::Receiver<Option<End>>> {
    let mut known = joined()?.known();
    let ended = known.unclaimed.iter().position(|(ended, _)| *ended == pid);
    if let Some((_, end)) = ended.and_then(|at| known.unclaimed.remove(at)) {
        return Ok(watch::channel(Some(end)).1);
    }
    let (tell, end) = watch::channel(None);
    known.followed.insert(pid, tell);
    Ok(end)
}

/// It is somebody else's to follow.
pub(super) fn leave(pid: Pid) {
    if let Ok(link) = joined() {
        link.known().followed.remove(&pid);
    }
}

/// Tells it something, if it is there still.
pub(super) fn tell(pid: u32, signal: Signal) {
    if let Ok(pid @ 1..) = i32::try_from(pid) {
        let _ = kill(Pid::from_raw(pid), signal);
    }
}

/// Ends what a successor has started that came to nothing: what is not older than it, and is not followed here.
pub fn end_younger(birth: Option<u64>) {
    let (Some(birth), Ok(link)) = (birth, joined()) else { return };
    let known = link.known();
    for pid in guardian::younger_siblings(birth) {
        if pid != getpid() && !known.followed.contains_key(&pid) {
            // Gone already is good.
            let _ = killpg(pid, Signal::SIGKILL);
        }
    }
}

/// Ends all that are followed, with their groups.
pub(super) fn end_all() {
    let Ok(link) = joined() else { return };
    for pid in link.known().followed.keys() {
        let _ = killpg(*pid, Signal::SIGKILL);
    }
}

fn hear() {
    let Ok(link) = joined() else { return };
    let mut buffer = [0; 12];
    loop {
        match recv(link.socket.as_raw_fd(), &mut buffer, MsgFlags::empty()) {
            Ok(12) => {}
            Err(nix::Error::EINTR) => continue,
            // The guardian is gone, and who works hears of that otherwise.
            _ => return,
        }
        let [pid, kind, value] = numbers(&buffer);
        let (pid, end) = (Pid::from_raw(pid), if kind == 0 { End::Code(value) } else { End::Signal(value) });
        let mut known = link.known();
        if let Some(tell) = known.followed.remove(&pid) {
            // The leader is gone; what it left behind in its group goes too. None left is the usual error.
            let _ = killpg(pid, Signal::SIGKILL);
            // Nobody listening any more is fine.
            let _ = tell.send(Some(end));
        } else {
            if known.unclaimed.len() == UNCLAIMED {
                known.unclaimed.pop_front();
            }
            known.unclaimed.push_back((pid, end));
        }
    }
}

/// How the guardian tells of an end.
pub(super) fn told(pid: Pid, end: End) -> Vec<u8> {
    let (kind, value) = match end {
        End::Code(code) => (0, code),
        End::Signal(signal) => (1, signal),
    };
    bytes(&[pid.as_raw(), kind, value])
}

/// What a worker said.
pub(super) fn heard(bytes: &[u8]) -> Option<Word> {
    match numbers(bytes.get(..8)?) {
        [1, _] => Some(Word::Link),
        [2, pid] if pid > 0 => Some(Word::Works(Pid::from_raw(pid))),
        _ => None,
    }
}

fn bytes(numbers: &[i32]) -> Vec<u8> {
    numbers.iter().flat_map(|number| number.to_ne_bytes()).collect()
}

/// As many as are wanted; what is missing is 0.
fn numbers<const N: usize>(bytes: &[u8]) -> [i32; N] {
    let mut numbers = [0; N];
    for (number, bytes) in numbers.iter_mut().zip(bytes.as_chunks::<4>().0) {
        *number = i32::from_ne_bytes(*bytes);
    }
    numbers
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_is_heard() {
        let pid = Pid::from_raw(77);
        assert_eq!(numbers::<3>(&told(pid, End::Signal(9))), [77, 1, 9]);
        assert_eq!(heard(&bytes(&[2, 77])), Some(Word::Works(pid)));
        assert_eq!(heard(&bytes(&[1, 0])), Some(Word::Link));
        // Never a word that would mean all processes.
        for bad in [&bytes(&[2, 0])[..], &bytes(&[2, -1]), &bytes(&[3, 1]), &[1, 0]] {
            assert_eq!(heard(bad), None);
        }
    }
}
