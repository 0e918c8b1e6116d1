//! The whole terminal for a program elsewhere: every key goes there, Ctrl-C too, and what it writes is written as it is.

use std::io::{self, IsTerminal as _, Read as _, Write as _};

use nix::sys::termios::{SetArg, Termios, cfmakeraw, tcgetattr, tcsetattr};

use super::keys::give_back;
use super::{Format, Terminal};

/// As long as it lives, the terminal is the other program's. Its drop gives it back as it was.
#[derive(Debug)]
pub struct Raw {
    before: Termios,
}

impl Raw {
    /// Whether there is a terminal to give away.
    pub fn is_possible(terminal: &Terminal) -> bool {
        terminal.format == Format::Human && io::stdin().is_terminal() && io::stdout().is_terminal()
    }

    /// `hear` gets what is typed, on a thread of its own; no more when it says so.
    pub fn take(mut hear: impl FnMut(&[u8]) -> bool + Send + 'static) -> io::Result<Self> {
        let before = tcgetattr(io::stdin())?;
        let mut raw = before.clone();
        cfmakeraw(&mut raw);
        tcsetattr(io::stdin(), SetArg::TCSANOW, &raw)?;
        let taken = Self { before };
        std::thread::Builder::new().name("typed".into()).spawn(move || {
            let mut chunk = [0; 4096];
            // Ends with the terminal, or with the process.
            while let Ok(count @ 1..) = io::stdin().read(&mut chunk) {
                if !hear(&chunk[..count]) {
                    return;
                }
            }
        })?;
        Ok(taken)
    }

    pub fn write(&self, bytes: &[u8]) -> io::Result<()> {
        let mut stdout = io::stdout().lock();
        stdout.write_all(bytes).and_then(|()| stdout.flush())
    }

    /// Rows and columns.
    pub fn size() -> (u16, u16) {
        console::Term::stdout().size()
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        give_back(&self.before);
    }
}
