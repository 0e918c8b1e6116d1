//! What an app's processes print: to the log files, to whoever listens, and the last of it to explain an end.

use std::collections::{HashMap, VecDeque};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{Event, Generation, Surroundings};
use crate::problem::{Doing as _, Problem, Result};
use crate::services::logs::LogFile;
use crate::supervisor::{Heard, Keyboard};

/// How many of a process's last lines are kept to explain its end.
const LAST_LINES: usize = 40;

/// The last lines a process printed.
#[derive(Debug, Clone, Default)]
pub(super) struct LastLines(Arc<Mutex<VecDeque<String>>>);

impl LastLines {
    fn add(&self, line: String) {
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.len() == LAST_LINES {
            lines.pop_front();
        }
        lines.push_back(line);
    }

    pub fn text(&self) -> String {
        let lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        lines.iter().flat_map(|line| [line.as_str(), "\n"]).collect()
    }
}

/// An app's log files, one a process, each with those put aside when it was full. The generations of an app write to the
/// same ones, so they share this.
#[derive(Debug, Clone)]
pub(super) struct Logs {
    folder: PathBuf,
    files: Arc<Mutex<HashMap<String, LogFile>>>,
}

impl Logs {
    pub fn new(folder: PathBuf) -> Self {
        Self { folder, files: Arc::default() }
    }

    fn open(&self, process: &str) -> Result<()> {
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        if files.contains_key(process) {
            return Ok(());
        }
        std::fs::create_dir_all(&self.folder).doing(|| format!("make the folder `{}`", self.folder.display()))?;
        let path = self.folder.join(format!("{process}.log"));
        let log = LogFile::open(&path).doing(|| format!("open the log `{}`", path.display()))?;
        files.insert(process.to_owned(), log);
        Ok(())
    }

    fn write(&self, process: &str, line: &str) {
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(log) = files.get_mut(process) {
            // A full disk must not take the app down with its log.
            let _ = log.write(line);
        }
    }
}

/// Who prints: a process of a generation, or of several where there is no number.
#[derive(Clone, Copy)]
pub(super) struct Source<'a> {
    pub generation: &'a Generation,
    pub number: Option<u64>,
    pub process: &'a str,
}

/// The terminals at which a debugger waits for a line, or did last, by their numbers: processes of one name may have several.
#[derive(Debug, Clone, Default)]
pub(super) struct Keyboards(Arc<Mutex<HashMap<u64, Keyboard>>>);

/// The number of the last terminal; no two nodes of this process give the same one.
static LAST: AtomicU64 = AtomicU64::new(0);

impl Keyboards {
    /// Types `text` into the terminal of that number.
    pub fn type_in(&self, terminal: u64, text: &str) -> Result<()> {
        let keyboard = self.numbered().get(&terminal).cloned();
        let keyboard = keyboard.ok_or_else(|| Problem::new("debugger.none", "the debugger waits no more"))?;
        keyboard.type_in(text.as_bytes()).doing(|| "type to the debugger")
    }

    fn add(&self, keyboard: &Keyboard) -> u64 {
        let number = LAST.fetch_add(1, Ordering::Relaxed) + 1;
        self.numbered().insert(number, keyboard.clone());
        number
    }

    fn remove(&self, terminal: u64) {
        self.numbered().remove(&terminal);
    }

    fn numbered(&self) -> MutexGuard<'_, HashMap<u64, Keyboard>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Hears a process's lines: to the log file, to the last lines, to the events.
pub(super) fn listener(
    source: Source<'_>,
    surroundings: &Surroundings,
    last_lines: LastLines,
) -> Result<impl FnMut(Heard<'_>) + Send + 'static> {
    let Surroundings { events, logs, keyboards, .. } = surroundings.clone();
    logs.open(source.process)?;
    let (app, generation, process) = (source.generation.app.clone(), source.number, source.process.to_owned());
    let secrets = source.generation.secrets.clone();
    let mut terminal = None;
    Ok(move |came: Heard<'_>| {
        let line = match came {
            Heard::Line(mut line) => {
                secrets.hide(&mut line);
                line
            }
            Heard::Prompt(prompt, keyboard) => {
                let terminal = *terminal.get_or_insert_with(|| keyboards.add(keyboard));
                let (app, process, prompt) = (app.clone(), process.clone(), prompt.to_owned());
                return drop(events.send(Event::Prompt { app, process, terminal, prompt }));
            }
            Heard::Left => {
                let Some(terminal) = terminal.take() else { return };
                keyboards.remove(terminal);
                return drop(events.send(Event::Left { app: app.clone(), process: process.clone(), terminal }));
            }
        };
        logs.write(&process, &console::strip_ansi_codes(&line));
        last_lines.add(line.clone());
        // Nobody listens any more when the node goes down.
        let _ = events.send(Event::Output { app: app.clone(), generation, process: process.clone(), line });
    })
}
