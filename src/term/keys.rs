//! Single keys, while a command that stays runs in a terminal. Lines are not waited for and keys are not echoed, but where
//! somebody types to another program; Ctrl-C works as ever.

use std::io::{self, Read as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use nix::sys::termios::{LocalFlags, SetArg, Termios, tcgetattr, tcsetattr};

use super::Terminal;

/// As long as it lives, keys are heard. Its drop gives the terminal back as it was.
#[derive(Debug)]
pub struct Keys {
    before: Termios,
    single: Termios,
    /// Whole lines are typed.
    lines: Arc<AtomicBool>,
}

/// What Ctrl-D says in a line.
pub const END_OF_INPUT: char = '\u{4}';

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
        let lines = Arc::new(AtomicBool::new(false));
        let keys = Self { before, single, lines: lines.clone() };
        std::thread::Builder::new()
            .name("keys".into())
            .spawn(move || {
                let mut key = [0];
                // Ends with the terminal, or with the process.
                loop {
                    match io::stdin().read(&mut key) {
                        Ok(1) => hear(char::from(key[0])),
                        Ok(_) if lines.load(Ordering::Relaxed) => {
                            hear(END_OF_INPUT);
                            // A terminal that has gone says the same again and again.
                            std::thread::sleep(Duration::from_millis(50));
                        }
                        _ => return,
                    }
                }
            })
            .ok()?;
        Some(keys)
    }

    /// From now on lines are typed, seen and edited as ever; they are still heard key by key.
    pub fn lines(&self) {
        self.lines.store(true, Ordering::Relaxed);
        give_back(&self.before);
    }

    pub fn singles(&self) {
        self.lines.store(false, Ordering::Relaxed);
        give_back(&self.single);
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
