//! What an app's processes print: to the log files, to whoever listens, and the last of it to explain an end.

use std::collections::{HashMap, VecDeque};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use super::{Event, Generation, Surroundings};
use crate::app::AppName;
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

/// The processes whose debugger waits for a line, or did last, by app and process.
#[derive(Debug, Clone, Default)]
pub(super) struct Keyboards(Arc<Mutex<HashMap<(AppName, String), Keyboard>>>);

impl Keyboards {
    /// Types `text` into the terminal of `process`.
    pub fn type_in(&self, app: &AppName, process: &str, text: &str) -> Result<()> {
        let keyboards = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let keyboard = keyboards.get(&(app.clone(), process.to_owned()));
        let keyboard =
            keyboard.ok_or_else(|| Problem::new("debugger.none", format!("no debugger waits in `{process}`")))?;
        keyboard.type_in(text.as_bytes()).doing(|| format!("type into `{process}`"))
    }

    fn waits(&self, app: &AppName, process: &str, keyboard: &Keyboard) {
        let mut keyboards = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        keyboards.insert((app.clone(), process.to_owned()), keyboard.clone());
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
    Ok(move |came: Heard<'_>| {
        let line = match came {
            Heard::Line(mut line) => {
                secrets.hide(&mut line);
                line
            }
            Heard::Prompt(prompt, keyboard) => {
                keyboards.waits(&app, &process, keyboard);
                let event = Event::Prompt { app: app.clone(), process: process.clone(), prompt: prompt.to_owned() };
                return drop(events.send(event));
            }
        };
        logs.write(&process, &console::strip_ansi_codes(&line));
        last_lines.add(line.clone());
        // Nobody listens any more when the node goes down.
        let _ = events.send(Event::Output { app: app.clone(), generation, process: process.clone(), line });
    })
}
