//! Single keys, while a command that stays runs in a terminal. Lines are not waited for and keys are not echoed; Ctrl-C works as
//! ever.

use std::io::{self, Read as _};

use nix::sys::termios::{LocalFlags, SetArg, Termios, tcgetattr, tcsetattr};

use super::Terminal;

/// As long as it lives, keys are heard. Its drop gives the terminal back as it was.
#[derive(Debug)]
pub struct Keys {
    before: Termios,
}

impl Keys {
    /// `hear` gets each key, on a thread of its own; `None` where nobody sits there to press one.
    pub fn listen(terminal: &Terminal, mut hear: impl FnMut(char) + Send + 'static) -> Option<Self> {
        if !terminal.interactive {
            return None;
        }
        let before = tcgetattr(io::stdin()).ok()?;
        let mut single = before.clone();
        single.local_flags.remove(LocalFlags::ICANON | LocalFlags::ECHO);
        tcsetattr(io::stdin(), SetArg::TCSANOW, &single).ok()?;
        let keys = Self { before };
        std::thread::Builder::new()
            .name("keys".into())
            .spawn(move || {
                let mut key = [0];
                // Ends with the terminal, or with the process.
                while let Ok(1) = io::stdin().read(&mut key) {
                    hear(char::from(key[0]));
                }
            })
            .ok()?;
        Some(keys)
    }
}

impl Drop for Keys {
    fn drop(&mut self) {
        give_back(&self.before);
    }
}

/// How the terminal is now, to be given back by who outlives the one that changes it.
pub fn terminal_mode() -> Option<Termios> {
    tcgetattr(io::stdin()).ok()
}

pub fn give_back(mode: &Termios) {
    // The terminal may be gone; then nobody minds.
    let _ = tcsetattr(io::stdin(), SetArg::TCSANOW, mode);
}
