//! A child process: a handle, one thread that hears its output and one that waits for its end.
//!
//! Each child leads a process group of its own, and whatever ends it ends the group: first a word to the leader, so that it
//! may end its own children in order, then, after the grace, SIGKILL to all of the group.

use std::io::{self, Read};
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;
use portable_pty::CommandBuilder;
use tokio::sync::watch;

use super::confine::Confinement;
#[cfg(target_os = "linux")]
use super::fork::{Group, fork};
use super::outlet::{self, Keyboard, Window};
use super::output::{Heard, Output, Tap, read_lines};
use super::siblings;

/// How to start a process. Its environment is `env` and nothing else.
#[derive(Debug, Clone)]
pub struct Spec {
    pub program: PathBuf,
    pub args: Vec<String>,
    pub dir: PathBuf,
    pub env: Vec<(String, String)>,
    pub io: Io,
    /// None: it may do what dae may.
    pub confine: Option<Arc<Confinement>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Io {
    /// A terminal of its own: colours, unbuffered lines, a usable debugger.
    Pty,
    /// Plain pipes, stdout and stderr as one.
    Pipe,
}

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    Code(i32),
    Signal(i32),
}

impl std::fmt::Display for End {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Code(code) => write!(f, "it ended with code {code}"),
            Self::Signal(signal) => match Signal::try_from(*signal) {
                Ok(signal) => write!(f, "it was ended by {signal}"),
                Err(_) => write!(f, "it was ended by signal {signal}"),
            },
        }
    }
}

/// A running process. Dropping the handle kills the process and its group.
#[derive(Debug)]
pub struct Process {
    pid: Pid,
    end: watch::Receiver<Option<End>>,
    /// Where its output is read that another may read on.
    tap: Option<Tap>,
    is_left: bool,
}

/// A running process that is somebody else's to follow.
#[derive(Debug)]
pub struct Left {
    pub pid: u32,
    /// None: it has ended, or nobody else can read it.
    pub output: Option<Output>,
}

impl Process {
    /// Starts it; `hear` gets every line it prints, on a thread of its own.
    pub fn start(spec: &Spec, hear: impl FnMut(Heard<'_>) + Send + 'static) -> io::Result<Self> {
        match spec.io {
            Io::Pty => {
                let parts = at_terminal(spec, Window::default())?;
                Self::follow(parts, |output, keyboard| read_lines(output, Some(keyboard), hear))
            }
            Io::Pipe => Self::start_with(spec, Vec::new(), hear),
        }
    }

    /// Starts it at a terminal that somebody sits at: `hear` gets what it prints as it comes, and may take its time.
    pub fn seated(
        spec: &Spec,
        window: Window,
        mut hear: impl FnMut(&[u8]) + Send + 'static,
    ) -> io::Result<(Self, Keyboard)> {
        let parts = at_terminal(spec, window)?;
        let keyboard = parts.keyboard.clone();
        let process = Self::follow(parts, move |mut output, _| {
            let mut chunk = [0; 8192];
            // The last writer's going is an error here, and no end.
            while let Ok(count @ 1..) = output.read(&mut chunk) {
                hear(&chunk[..count]);
            }
        })?;
        Ok((process, keyboard))
    }

    /// The same on plain pipes, with `files` as its open files number 3 and after, as systemd hands sockets over.
    pub fn start_with(
        spec: &Spec,
        files: Vec<OwnedFd>,
        hear: impl FnMut(Heard<'_>) + Send + 'static,
    ) -> io::Result<Self> {
        let (reader, writer) = io::pipe()?;
        let (pid, end) = if siblings::is_joined() {
            beside(spec, &writer, &files)?
        } else {
            let child = in_pipe(spec, writer, files)?;
            let pid = pid_of(child.id())?;
            (pid, awaited(pid, || end_of(child))?)
        };
        let tap = Tap::open(Output { pipe: reader.into(), begun: Vec::new() }, hear)?;
        Ok(Self { pid, end, tap: Some(tap), is_left: false })
    }

    fn follow(parts: Parts, read: impl FnOnce(Box<dyn Read + Send>, &Keyboard) + Send + 'static) -> io::Result<Self> {
        let Parts { pid, output, keyboard, wait } = parts;
        std::thread::Builder::new().name("output".into()).spawn(move || read(output, &keyboard))?;
        Ok(Self { pid, end: awaited(pid, wait)?, tap: None, is_left: false })
    }

    /// Gives it up: it runs on, and nothing of it is heard here any more.
    pub async fn leave(mut self) -> Left {
        self.is_left = true;
        siblings::leave(self.pid);
        let output = match self.tap.take() {
            Some(tap) => tap.leave().await,
            None => None,
        };
        Left { pid: self.id(), output }
    }

    /// Follows one that was left, where it is the guardian's; `hear` gets what it prints from there on.
    pub fn take_up(left: Left, hear: impl FnMut(Heard<'_>) + Send + 'static) -> io::Result<Self> {
        let end = siblings::follow(pid_of(left.pid)?)?;
        Self::take_up_with(left, end, hear)
    }

    /// The same for one that somebody else waits for.
    pub fn take_up_with(
        left: Left,
        end: watch::Receiver<Option<End>>,
        hear: impl FnMut(Heard<'_>) + Send + 'static,
    ) -> io::Result<Self> {
        let mut process = Self::adopted(left.pid, end)?;
        process.tap = left.output.map(|output| Tap::open(output, hear)).transpose()?;
        Ok(process)
    }

    /// Its output is read there.
    pub(super) fn tapped(&mut self, tap: Tap) {
        self.tap = Some(tap);
    }

    /// A process that somebody else started and waits for: it leads a group of its own, and `end` will tell its end.
    pub fn adopted(id: u32, end: watch::Receiver<Option<End>>) -> io::Result<Self> {
        Ok(Self { pid: pid_of(id)?, end, tap: None, is_left: false })
    }

    /// Ends what a process that has ended left behind in its group.
    pub fn sweep(id: u32) {
        if let Ok(pid) = pid_of(id) {
            // None left is the usual error.
            let _ = killpg(pid, Signal::SIGKILL);
        }
    }

    pub fn id(&self) -> u32 {
        self.pid.as_raw().unsigned_abs()
    }

    /// Waits for the end.
    pub async fn ended(&self) -> End {
        let mut end = self.end.clone();
        match end.wait_for(Option::is_some).await {
            Ok(end) => end.unwrap_or(End::Code(-1)),
            Err(_) => End::Code(-1),
        }
    }

    /// Asks it to end with `word`, and makes it end after `grace`.
    pub async fn stop(self, word: Signal, grace: Duration) -> End {
        self.signal(word);
        if let Ok(end) = tokio::time::timeout(grace, self.ended()).await {
            return end;
        }
        self.kill();
        self.ended().await
    }

    /// Tells it something, and none of its children.
    pub fn signal(&self, signal: Signal) {
        if self.end.borrow().is_none() {
            // It may have ended this instant; then there is nothing to tell.
            let _ = kill(self.pid, signal);
        }
    }

    fn kill(&self) {
        if !self.is_left && self.end.borrow().is_none() {
            let _ = killpg(self.pid, Signal::SIGKILL);
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// How a process ended whose end somebody else took note of: only `guardian::end_descendants` does, and it kills.
const BURIED: End = End::Signal(Signal::SIGKILL as i32);

struct Parts {
    pid: Pid,
    output: Box<dyn Read + Send>,
    keyboard: Keyboard,
    wait: Box<dyn FnOnce() -> End + Send>,
}

/// Waits for the end of `pid` on a thread of its own.
fn awaited(pid: Pid, wait: impl FnOnce() -> End + Send + 'static) -> io::Result<watch::Receiver<Option<End>>> {
    let (tell, end) = watch::channel(None);
    std::thread::Builder::new().name("wait".into()).spawn(move || {
        let end = wait();
        // The leader is gone; what it left behind in its group goes too. None left is the usual error.
        let _ = killpg(pid, Signal::SIGKILL);
        // Nobody listening any more is fine.
        let _ = tell.send(Some(end));
    })?;
    Ok(end)
}

/// Started as the guardian's own.
#[cfg(target_os = "linux")]
fn beside(spec: &Spec, output: &io::PipeWriter, files: &[OwnedFd]) -> io::Result<(Pid, watch::Receiver<Option<End>>)> {
    let nothing = std::fs::File::open("/dev/null")?;
    siblings::born(|| fork(spec, [&nothing, output, output], files, Group::Own))
}

#[cfg(not(target_os = "linux"))]
fn beside(_: &Spec, _: &io::PipeWriter, _: &[OwnedFd]) -> io::Result<(Pid, watch::Receiver<Option<End>>)> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Nobody's numbers while a child is made.
const OUT_OF_THE_WAY: i32 = 64;

/// Makes `files` the child's numbers 3 and after.
fn hand_over(command: &mut Command, files: Vec<OwnedFd>) -> io::Result<()> {
    use std::os::unix::process::CommandExt as _;
    if files.is_empty() {
        return Ok(());
    }
    let aside = |file: OwnedFd| nix::fcntl::fcntl(&file, nix::fcntl::FcntlArg::F_DUPFD_CLOEXEC(OUT_OF_THE_WAY));
    // SAFETY: the numbers were just made by `fcntl`, and nobody else has them.
    let owned = |number| unsafe { OwnedFd::from_raw_fd(number) };
    let files = files.into_iter().map(|file| aside(file).map(owned)).collect::<Result<Vec<OwnedFd>, _>>()?;
    let place = move || {
        for (number, file) in (3..).zip(&files) {
            // SAFETY: `dup2` takes numbers only. What it replaces is std's pipe at the most, whose end the system tells too.
            if unsafe { nix::libc::dup2(file.as_raw_fd(), number) } < 0 {
                return Err(io::Error::last_os_error());
            }
        }
        Ok(())
    };
    // SAFETY: between fork and exec only `dup2` is called, which is safe there (signal-safety(7)); nothing is allocated.
    unsafe { command.pre_exec(place) };
    Ok(())
}

fn in_pipe(spec: &Spec, writer: io::PipeWriter, files: Vec<OwnedFd>) -> io::Result<Child> {
    let mut command = command(spec);
    hand_over(&mut command, files)?;
    command.stdin(Stdio::null()).stdout(writer.try_clone()?).stderr(writer);
    lead_group(&mut command, spec, Tty::None)?;
    // What holds the writer open goes with the command.
    command.spawn()
}

fn command(spec: &Spec) -> Command {
    let mut command = Command::new(&spec.program);
    command.args(&spec.args).current_dir(&spec.dir).env_clear();
    command.envs(spec.env.iter().map(|(name, value)| (name, value)));
    command
}

fn end_of(mut child: Child) -> End {
    use std::os::unix::process::ExitStatusExt as _;
    match child.wait() {
        Ok(status) => match status.signal() {
            Some(signal) => End::Signal(signal),
            None => End::Code(status.code().unwrap_or(-1)),
        },
        Err(_) => BURIED,
    }
}

/// Whether the standard input becomes the terminal of its session.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Tty {
    None,
    Input,
}

/// What is confined leads a session too: where the kernel shares the processor by session, each has its share.
#[cfg(target_os = "linux")]
fn lead_group(command: &mut Command, spec: &Spec, terminal: Tty) -> io::Result<()> {
    use std::os::unix::process::CommandExt as _;
    let Some(confinement) = &spec.confine else {
        command.process_group(0);
        return Ok(());
    };
    let ready = super::confine::Ready::of(confinement)?;
    let enter = move || {
        // SAFETY: both calls take numbers only.
        unsafe {
            super::confine::check(nix::libc::setsid())?;
            if terminal == Tty::Input {
                super::confine::check(nix::libc::ioctl(0, nix::libc::TIOCSCTTY, 0))?;
            }
        }
        ready.enter()
    };
    // SAFETY: between fork and exec there are system calls only, and nothing is allocated.
    unsafe { command.pre_exec(enter) };
    Ok(())
}

#[cfg(not(target_os = "linux"))]
fn lead_group(command: &mut Command, _: &Spec, _: Tty) -> io::Result<()> {
    use std::os::unix::process::CommandExt as _;
    command.process_group(0);
    Ok(())
}

fn at_terminal(spec: &Spec, window: Window) -> io::Result<Parts> {
    if spec.confine.is_some() { in_confined_pty(spec, window) } else { in_pty(spec, window) }
}

/// As [`in_pty`], whose library knows nothing of confinement.
fn in_confined_pty(spec: &Spec, window: Window) -> io::Result<Parts> {
    let pair = outlet::open_pty(window)?;
    let name = pair.master.tty_name().ok_or_else(|| io::Error::other("the terminal has no name"))?;
    let slave = std::fs::File::options().read(true).write(true).open(&name)?;
    if let Some(confinement) = &spec.confine {
        confinement.give(&name)?;
        if confinement.user.is_none() {
            // Who is typed to here is the same user as others, who would read along.
            only_here(&slave)?;
        }
    }
    let mut command = command(spec);
    command.stdin(slave.try_clone()?).stdout(slave.try_clone()?).stderr(slave);
    lead_group(&mut command, spec, Tty::Input)?;
    let child = command.spawn()?;
    drop((command, pair.slave));
    let pid = pid_of(child.id())?;
    let (output, keyboard) = outlet::ends(pair.master)?;
    Ok(Parts { pid, output, keyboard, wait: Box::new(|| end_of(child)) })
}

/// Nobody opens this terminal once more, but for the system's administrator: see ioctl_tty(2).
fn only_here(terminal: &std::fs::File) -> io::Result<()> {
    use std::os::fd::AsRawFd as _;
    // SAFETY: it takes numbers only.
    let done = unsafe { nix::libc::ioctl(terminal.as_raw_fd(), nix::libc::TIOCEXCL) };
    if done < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

fn in_pty(spec: &Spec, window: Window) -> io::Result<Parts> {
    let pair = outlet::open_pty(window)?;
    let mut command = CommandBuilder::new(&spec.program);
    command.args(&spec.args);
    command.cwd(&spec.dir);
    command.env_clear();
    for (name, value) in &spec.env {
        command.env(name, value);
    }
    let mut child = pair.slave.spawn_command(command).map_err(io::Error::other)?;
    drop(pair.slave);
    let id = child.process_id().ok_or_else(|| io::Error::other("the process ended before it had a number"))?;
    let pid = pid_of(id)?;
    let (output, keyboard) = outlet::ends(pair.master)?;
    let wait = move || match child.wait() {
        Ok(status) => match status.signal() {
            Some(_) => End::Signal(Signal::SIGKILL as i32),
            None => End::Code(i32::try_from(status.exit_code()).unwrap_or(-1)),
        },
        Err(_) => BURIED,
    };
    Ok(Parts { pid, output, keyboard, wait: Box::new(wait) })
}

/// Never 0 or less: to `kill` those mean other processes than the child.
fn pid_of(id: u32) -> io::Result<Pid> {
    match i32::try_from(id) {
        Ok(id @ 1..) => Ok(Pid::from_raw(id)),
        _ => Err(io::Error::other(format!("{id} is no process number"))),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    fn shell(script: &str, io: Io) -> (Process, mpsc::Receiver<String>) {
        let (tell, heard) = mpsc::channel();
        let spec = Spec {
            program: "/bin/sh".into(),
            args: vec!["-c".into(), script.into()],
            dir: "/".into(),
            env: vec![("A".into(), "b".into()), ("PATH".into(), "/usr/bin:/bin".into())],
            io,
            confine: None,
        };
        (Process::start(&spec, move |came| drop(came.line().map(|line| tell.send(line)))).unwrap(), heard)
    }

    #[tokio::test]
    async fn lines_and_the_code_come_back() {
        for io in [Io::Pipe, Io::Pty] {
            let (process, heard) = shell("echo $A; echo err >&2; [ -t 1 ] && echo tty; exit 7", io);
            assert_eq!(process.ended().await, End::Code(7));
            let mut lines: Vec<String> = heard.iter().collect();
            lines.sort();
            let mut wanted = vec!["b", "err"];
            wanted.extend((io == Io::Pty).then_some("tty"));
            assert_eq!(lines, wanted);
        }
    }

    #[tokio::test]
    async fn open_files_are_handed_over_by_number() {
        let (tell, heard) = mpsc::channel();
        let files: Vec<OwnedFd> = ["one", "two"]
            .into_iter()
            .map(|text| {
                let (reader, mut writer) = io::pipe().unwrap();
                io::Write::write_all(&mut writer, text.as_bytes()).unwrap();
                reader.into()
            })
            .collect();
        let script = "cat <&3; echo; cat <&4; echo".to_owned();
        let args = vec!["-c".into(), script];
        let env = vec![("PATH".into(), "/usr/bin:/bin".into())];
        let spec = Spec { program: "/bin/sh".into(), args, dir: "/".into(), env, io: Io::Pipe, confine: None };
        let process =
            Process::start_with(&spec, files, move |came| drop(came.line().map(|line| tell.send(line)))).unwrap();
        assert_eq!(process.ended().await, End::Code(0));
        assert_eq!(heard.iter().collect::<Vec<_>>(), ["one", "two"]);
    }

    #[tokio::test]
    async fn somebody_may_sit_at_its_terminal() {
        let (tell, heard) = mpsc::channel();
        let script = "read word; stty size; echo $word; exit 3";
        let spec = Spec {
            program: "/bin/sh".into(),
            args: vec!["-c".into(), script.into()],
            dir: "/".into(),
            env: vec![("PATH".into(), "/usr/bin:/bin".into())],
            io: Io::Pty,
            confine: None,
        };
        let window = |rows| Window { rows, cols: 81 };
        let (process, keyboard) =
            Process::seated(&spec, window(21), move |bytes| tell.send(bytes.to_vec()).unwrap()).unwrap();
        keyboard.resize(window(22)).unwrap();
        keyboard.type_in(b"hello\n").unwrap();
        assert_eq!(process.ended().await, End::Code(3));
        assert_eq!(String::from_utf8(heard.iter().flatten().collect()).unwrap(), "hello\r\n22 81\r\nhello\r\n");
    }

    #[tokio::test]
    async fn what_ignores_the_word_is_killed_with_its_children() {
        for io in [Io::Pipe, Io::Pty] {
            let (process, heard) = shell("trap '' TERM; sleep 1000 & echo $!; wait; wait", io);
            let child = heard.recv().unwrap().parse().unwrap();
            process.stop(Signal::SIGTERM, Duration::from_millis(50)).await;
            let gone = || kill(Pid::from_raw(child), None).is_err() || is_zombie(child);
            for _ in 0..100 {
                if gone() {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            assert!(gone());
        }
    }

    fn is_zombie(pid: i32) -> bool {
        std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| stat.contains(") Z"))
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn nobody_of_the_same_user_opens_the_terminal_of_another() {
        let confined = |number, script: String| Spec {
            program: "/bin/sh".into(),
            args: vec!["-c".into(), script],
            dir: "/".into(),
            env: vec![("PATH".into(), "/usr/bin:/bin".into())],
            io: Io::Pipe,
            confine: Some(Arc::new(Confinement {
                number,
                user: None,
                files: None,
                limits: crate::supervisor::confine::Limits::default(),
                cgroup: None,
            })),
        };
        let (tell, told) = mpsc::channel();
        let hear = move |bytes: &[u8]| drop(tell.send(String::from_utf8_lossy(bytes).into_owned()));
        let window = Window::default();
        let (_seated, _keyboard) = Process::seated(&confined(1, "tty; read line".into()), window, hear).unwrap();
        let mut name = String::new();
        while !name.ends_with('\n') {
            name += &told.recv_timeout(Duration::from_secs(20)).unwrap();
        }
        let name = name.trim();
        assert!(name.starts_with("/dev/pts/"), "{name}");
        for way in ["<", ">"] {
            let (tell, heard) = mpsc::channel();
            let hear = move |came: Heard<'_>| drop(came.line().map(|line| tell.send(line)));
            let other = Process::start(&confined(2, format!("true {way} {name}")), hear).unwrap();
            assert!(matches!(other.ended().await, End::Code(1..)), "{way}");
            let said = heard.recv_timeout(Duration::from_secs(20)).unwrap();
            assert!(said.contains("busy"), "{said}");
        }
    }
}
