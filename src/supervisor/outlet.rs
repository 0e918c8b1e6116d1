//! Where a process's output comes out, and what is typed goes in: a terminal of our own making, or a plain pipe.

use std::fmt;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use nix::sys::stat::Mode;
use portable_pty::{MasterPty, PtyPair, PtySize, native_pty_system};

use super::output::{Heard, Output, Tap, read_lines};
use super::process::{Io, Process};

/// How large a terminal is, in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    pub rows: u16,
    pub cols: u16,
}

impl Default for Window {
    fn default() -> Self {
        Self { rows: 40, cols: 120 }
    }
}

impl From<Window> for PtySize {
    fn from(Window { rows, cols }: Window) -> Self {
        Self { rows, cols, pixel_width: 0, pixel_height: 0 }
    }
}

/// Types into the terminal of a process, and says how large it is.
#[derive(Clone)]
pub struct Keyboard(Arc<Mutex<NearEnd>>);

struct NearEnd {
    master: Box<dyn MasterPty + Send>,
    writer: Box<dyn Write + Send>,
}

impl fmt::Debug for Keyboard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keyboard")
    }
}

impl Keyboard {
    pub fn type_in(&self, text: &[u8]) -> io::Result<()> {
        let writer = &mut self.near_end().writer;
        writer.write_all(text).and_then(|()| writer.flush())
    }

    /// The processes at the terminal are told by the system (SIGWINCH).
    pub fn resize(&self, window: Window) -> io::Result<()> {
        self.near_end().master.resize(window.into()).map_err(io::Error::other)
    }

    fn near_end(&self) -> MutexGuard<'_, NearEnd> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(super) fn open_pty(window: Window) -> io::Result<PtyPair> {
    native_pty_system().openpty(window.into()).map_err(io::Error::other)
}

/// What comes out of a terminal, and how it is typed to.
pub(super) fn ends(master: Box<dyn MasterPty + Send>) -> io::Result<(Box<dyn Read + Send>, Keyboard)> {
    let reader = master.try_clone_reader().map_err(io::Error::other)?;
    let writer = master.take_writer().map_err(io::Error::other)?;
    Ok((reader, Keyboard(Arc::new(Mutex::new(NearEnd { master, writer })))))
}

/// For a process that somebody else starts: it opens [`Outlet::path`] as its standard streams.
pub struct Outlet {
    pub path: PathBuf,
    end: End,
}

enum End {
    Pty(PtyPair),
    Pipe(File),
}

impl Outlet {
    /// `path` is where a pipe is made; a terminal has a place of its own.
    pub fn open(io: Io, path: &Path) -> io::Result<Self> {
        match io {
            Io::Pty => {
                let pair = open_pty(Window::default())?;
                let path = pair.master.tty_name().ok_or_else(|| io::Error::other("the terminal has no name"))?;
                Ok(Self { path, end: End::Pty(pair) })
            }
            Io::Pipe => {
                nix::unistd::mkfifo(path, Mode::S_IRUSR | Mode::S_IWUSR)?;
                // Without waiting for the writer.
                let reader = File::options().read(true).custom_flags(nix::libc::O_NONBLOCK).open(path)?;
                Ok(Self { path: path.to_owned(), end: End::Pipe(reader) })
            }
        }
    }

    /// To be called when the process has opened it, or will not: `hear` gets what comes until nobody holds it open.
    pub fn hear(self, process: &mut Process, hear: impl FnMut(Heard<'_>) + Send + 'static) -> io::Result<()> {
        if let Some(tap) = self.open_for(hear)? {
            process.tapped(tap);
        }
        Ok(())
    }

    fn open_for(self, hear: impl FnMut(Heard<'_>) + Send + 'static) -> io::Result<Option<Tap>> {
        match self.end {
            End::Pty(pair) => {
                let (output, keyboard) = ends(pair.master)?;
                let read = move || read_lines(output, Some(&keyboard), hear);
                std::thread::Builder::new().name("output".into()).spawn(read)?;
                Ok(None)
            }
            End::Pipe(reader) => {
                use nix::fcntl::{FcntlArg, OFlag, fcntl};
                fcntl(&reader, FcntlArg::F_SETFL(OFlag::empty()))?;
                Tap::open(Output { pipe: reader.into(), begun: Vec::new() }, hear).map(Some)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn what_another_process_writes_to_it_is_heard() {
        for io in [Io::Pty, Io::Pipe] {
            let dir = tempfile::tempdir().unwrap();
            let outlet = Outlet::open(io, &dir.path().join("out")).unwrap();
            let mut write = File::options().write(true).open(&outlet.path).unwrap();
            let (tell, heard) = mpsc::channel();
            let _tap = outlet
                .open_for(move |came| {
                    if let Heard::Line(line) = came {
                        tell.send(line).unwrap();
                    }
                })
                .unwrap();
            write.write_all(b"one\ntwo\n").unwrap();
            assert_eq!([heard.recv().unwrap(), heard.recv().unwrap()], ["one", "two"], "{io:?}");
            drop(write);
            assert!(heard.recv().is_err(), "{io:?}: the thread ends with the last writer");
        }
    }
}
