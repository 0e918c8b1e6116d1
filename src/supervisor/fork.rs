//! A process whose parent is the guardian, as a sibling of the one that starts it (CLONE_PARENT, clone(2)).

use std::ffi::CString;
use std::io::{self, Read as _};
use std::os::fd::{AsFd, AsRawFd as _, FromRawFd as _, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;

use nix::fcntl::{FcntlArg, fcntl};
use nix::libc;
use nix::unistd::Pid;

use super::confine::{Ready, check};
use super::process::Spec;

/// Numbers from here on are not the child's to be.
const OUT_OF_THE_WAY: i32 = 64;

/// Whom signals of its terminal and its group reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Group {
    Own,
    Ours,
}

/// Starts it with these as its standard streams, and `files` as numbers 3 and after.
pub(super) fn fork(spec: &Spec, streams: [&dyn AsFd; 3], files: &[OwnedFd], group: Group) -> io::Result<Pid> {
    let text = |bytes: &[u8]| CString::new(bytes).map_err(io::Error::other);
    let program = text(program(spec)?.as_os_str().as_bytes())?;
    let dir = text(spec.dir.as_os_str().as_bytes())?;
    let mut args = vec![text(spec.program.as_os_str().as_bytes())?];
    for arg in &spec.args {
        args.push(text(arg.as_bytes())?);
    }
    let env = spec.env.iter().map(|(name, value)| text(format!("{name}={value}").as_bytes()));
    let env = env.collect::<io::Result<Vec<_>>>()?;
    let pointers = |texts: &[CString]| -> Vec<*const libc::c_char> {
        texts.iter().map(|text| text.as_ptr()).chain([std::ptr::null()]).collect()
    };
    let (args, env) = ((pointers(&args), args), (pointers(&env), env));
    let given = streams.iter().map(|stream| stream.as_fd()).chain(files.iter().map(AsFd::as_fd));
    let given = given.map(aside).collect::<io::Result<Vec<_>>>()?;
    let ready = spec.confine.as_deref().map(Ready::of).transpose()?;
    let (mut failed, writer) = io::pipe()?;
    let tell = aside(writer.as_fd())?;
    drop(writer);
    let child = Child { program, dir, args: &args.0, env: &env.0, given, ready, group, tell };

    // SAFETY: as fork(2): the child has one thread, and calls nothing but what `Child::begin` does.
    let pid = unsafe {
        libc::syscall(
            libc::SYS_clone,
            libc::c_long::from(libc::CLONE_PARENT | libc::SIGCHLD),
            0_usize,
            0_usize,
            0_usize,
            0_usize,
        )
    };
    if pid == 0 {
        child.begin();
    }
    if pid < 0 {
        return Err(io::Error::last_os_error());
    }
    drop(child);
    let mut number = [0; 4];
    match failed.read_exact(&mut number) {
        // It has begun.
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
            Ok(Pid::from_raw(i32::try_from(pid).map_err(io::Error::other)?))
        }
        Err(error) => Err(error),
        Ok(()) => Err(io::Error::from_raw_os_error(i32::from_ne_bytes(number))),
    }
}

fn aside(file: std::os::fd::BorrowedFd<'_>) -> io::Result<OwnedFd> {
    let number = fcntl(file, FcntlArg::F_DUPFD_CLOEXEC(OUT_OF_THE_WAY))?;
    // SAFETY: the number was just made by `fcntl`, and nobody else has it.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}

/// Where its program is: a plain name is looked for on the path that it will have.
fn program(spec: &Spec) -> io::Result<PathBuf> {
    if spec.program.as_os_str().as_bytes().contains(&b'/') {
        return Ok(spec.program.clone());
    }
    let path = spec.env.iter().rfind(|(name, _)| name == "PATH").map_or("/usr/bin:/bin", |(_, path)| path);
    let found = std::env::split_paths(path).map(|folder| folder.join(&spec.program)).find(|program| program.is_file());
    found.ok_or_else(|| io::Error::from_raw_os_error(libc::ENOENT))
}

struct Child<'a> {
    program: CString,
    dir: CString,
    args: &'a [*const libc::c_char],
    env: &'a [*const libc::c_char],
    given: Vec<OwnedFd>,
    ready: Option<Ready>,
    group: Group,
    tell: OwnedFd,
}

impl Child<'_> {
    /// In the child. System calls only: no memory is taken, no lock, and nothing is dropped.
    fn begin(&self) -> ! {
        let error = self.become_it();
        let number = error.raw_os_error().unwrap_or(libc::EINVAL).to_ne_bytes();
        // SAFETY: the number lives through the call; `_exit` runs nothing of ours.
        unsafe {
            libc::write(self.tell.as_raw_fd(), number.as_ptr().cast(), number.len());
            libc::_exit(127)
        }
    }

    /// Comes back only when it could not.
    fn become_it(&self) -> io::Error {
        // SAFETY: all calls take numbers, or pointers to what was made before the fork and lives as long as this.
        let prepared = unsafe { self.prepare() };
        if let Err(error) = prepared.and_then(|()| self.ready.as_ref().map_or(Ok(()), Ready::enter)) {
            return error;
        }
        // SAFETY: both lists end in null, and their texts live.
        unsafe { libc::execve(self.program.as_ptr(), self.args.as_ptr(), self.env.as_ptr()) };
        io::Error::last_os_error()
    }

    /// SAFETY: to be called in the child only.
    unsafe fn prepare(&self) -> io::Result<()> {
        for (number, file) in (0..).zip(&self.given) {
            let number: RawFd = number;
            // SAFETY: numbers only.
            check(unsafe { libc::dup2(file.as_raw_fd(), number) })?;
        }
        // SAFETY: the set is made here and lives through the calls.
        unsafe {
            let mut none: libc::sigset_t = std::mem::zeroed();
            libc::sigemptyset(&raw mut none);
            check(libc::sigprocmask(libc::SIG_SETMASK, &raw const none, std::ptr::null_mut()))?;
            // Rust's runtime ignores it; others do not expect that.
            if libc::signal(libc::SIGPIPE, libc::SIG_DFL) == libc::SIG_ERR {
                return Err(io::Error::last_os_error());
            }
            match (self.group, &self.ready) {
                (Group::Ours, _) => {}
                (Group::Own, None) => check(libc::setpgid(0, 0))?,
                // Where the kernel shares the processor by session, each has its share.
                (Group::Own, Some(_)) => check(libc::setsid())?,
            }
            check(libc::chdir(self.dir.as_ptr()))
        }
    }
}
