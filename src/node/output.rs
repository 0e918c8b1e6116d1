//! What an app's processes print: to the log file, to whoever listens, and the last of it to explain an end.

use std::collections::VecDeque;
use std::io::Write as _;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::mpsc;

use super::{Event, Generation, Settings};
use crate::problem::{Doing as _, Result};

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

/// Hears a process's lines: to the log file, to the last lines, to the events.
pub(super) fn listener(
    generation: &Generation,
    settings: &Settings,
    process: &str,
    last_lines: LastLines,
    events: mpsc::UnboundedSender<Event>,
) -> Result<impl FnMut(String) + Send + 'static> {
    let app = generation.app.clone();
    let process = process.to_owned();
    let folder = settings.log_dir.join(app.as_str());
    std::fs::create_dir_all(&folder).doing(|| format!("make the folder `{}`", folder.display()))?;
    let path = folder.join(format!("{process}.log"));
    let mut file = std::fs::File::options()
        .create(true)
        .append(true)
        .open(&path)
        .doing(|| format!("open the log `{}`", path.display()))?;
    Ok(move |line: String| {
        // A full disk must not take the app down with its log.
        let _ = file.write_all(format!("{}\n", console::strip_ansi_codes(&line)).as_bytes());
        last_lines.add(line.clone());
        // Nobody listens any more when the node goes down.
        let _ = events.send(Event::Output { app: app.clone(), process: process.clone(), line });
    })
}
