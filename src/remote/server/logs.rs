//! The last lines that an app's processes printed: `APP/PROCESS.log`.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::Path;

use axum::response::sse::Event;
use futures_util::Stream;
use tokio::sync::broadcast;

use crate::app::AppName;
use crate::problem::{Doing as _, Problem, Result};
use crate::remote::api::{DeployEvent, LogLine};

/// How many lines, when nobody says.
pub const USUAL: usize = 200;
pub const MOST: usize = 20_000;
/// Lines that a slow listener may be behind.
pub const BEHIND: usize = 4096;
/// No more of a file is read: lines have no limit of their own.
const FARTHEST: u64 = 16 << 20;

/// The last `count` lines of one process, or of every one with its name before each line.
pub fn tail(folder: &Path, process: Option<&str>, count: usize) -> Result<String> {
    let mut names = Vec::new();
    match std::fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        entries => {
            let entries = entries.doing(|| format!("read `{}`", folder.display()))?;
            let names_of = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok());
            names.extend(names_of.filter_map(|name| name.strip_suffix(".log").map(str::to_owned)));
            names.sort();
        }
    }
    if let Some(wanted) = process {
        let Some(name) = names.iter().find(|name| *name == wanted) else {
            return Err(Problem::new("logs.process", format!("there is no log of a process `{wanted}`"))
                .hint(format!("there is: {}", names.join(", "))));
        };
        return last(&folder.join(format!("{name}.log")), count);
    }
    let mut text = String::new();
    for name in &names {
        let lines = last(&folder.join(format!("{name}.log")), count)?;
        if names.len() == 1 {
            return Ok(lines);
        }
        for line in lines.lines() {
            text.extend([name, " | ", line, "\n"]);
        }
    }
    Ok(text)
}

/// The same, line by line with their processes.
pub fn last_lines(folder: &Path, process: Option<&str>, count: usize) -> Result<Vec<LogLine>> {
    let text = tail(folder, process, count)?;
    let only = match process {
        Some(process) => Some(process.to_owned()),
        // With one log the names are left out.
        None => one_log(folder),
    };
    let line = |line: &str| {
        let (process, line) =
            only.as_deref().map_or_else(|| line.split_once(" | ").unwrap_or(("", line)), |process| (process, line));
        LogLine { process: process.to_owned(), line: line.to_owned() }
    };
    Ok(text.lines().map(line).collect())
}

fn one_log(folder: &Path) -> Option<String> {
    let names = std::fs::read_dir(folder).ok()?.flatten().filter_map(|entry| entry.file_name().into_string().ok());
    let mut logs = names.filter_map(|name| name.strip_suffix(".log").map(str::to_owned));
    logs.next().filter(|_| logs.next().is_none())
}

/// Events of `last`, and then of all that is heard.
pub fn follow(
    last: Vec<LogLine>,
    heard: broadcast::Receiver<(AppName, LogLine)>,
    app: AppName,
    process: Option<String>,
) -> impl Stream<Item = std::result::Result<Event, Infallible>> + Send {
    futures_util::stream::unfold((VecDeque::from(last), heard), move |(mut last, mut heard)| {
        let (app, process) = (app.clone(), process.clone());
        async move {
            loop {
                if let Some(line) = last.pop_front() {
                    return Some((Ok(Event::default().json_data(&line).ok()?), (last, heard)));
                }
                match heard.recv().await {
                    Ok((of, line)) if of == app && process.as_ref().is_none_or(|wanted| *wanted == line.process) => {
                        last.push_back(line);
                    }
                    Ok(_) => {}
                    Err(broadcast::error::RecvError::Lagged(count)) => {
                        let line = format!("({count} lines were lost on the way)");
                        last.push_back(LogLine { process: "dae".to_owned(), line });
                    }
                    Err(broadcast::error::RecvError::Closed) => return None,
                }
            }
        }
    })
}

/// What a release's processes printed while it started.
pub fn of_release(events: &[(u64, DeployEvent)], process: Option<&str>, count: usize) -> String {
    let lines = events.iter().filter_map(|(_, event)| match event {
        DeployEvent::Output { process: from, line } if process.is_none_or(|wanted| wanted == from) => {
            Some(line.as_str())
        }
        _ => None,
    });
    let lines: Vec<&str> = lines.collect();
    lines[lines.len().saturating_sub(count)..].iter().flat_map(|line| [line, "\n"]).collect()
}

pub fn last(path: &Path, count: usize) -> Result<String> {
    let read = || -> io::Result<String> {
        let mut file = File::open(path)?;
        let end = file.metadata()?.len();
        let mut wanted = 64 << 10;
        loop {
            let from = end.saturating_sub(wanted);
            file.seek(SeekFrom::Start(from))?;
            let mut bytes = Vec::new();
            file.by_ref().take(end - from).read_to_end(&mut bytes)?;
            let text = String::from_utf8_lossy(&bytes);
            let lines: Vec<&str> = text.lines().collect();
            if lines.len() > count || from == 0 || wanted >= FARTHEST {
                // The first line may be a part of one, unless the file begins there.
                let whole = if from == 0 { &lines[..] } else { lines.get(1..).unwrap_or_default() };
                let wanted = &whole[whole.len().saturating_sub(count)..];
                return Ok(wanted.iter().flat_map(|line| [line, "\n"]).collect());
            }
            wanted *= 8;
        }
    };
    read().doing(|| format!("read the log `{}`", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_lines_come() {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, lines: std::ops::Range<usize>| {
            let text = lines.map(|n| format!("line {n}")).collect::<Vec<_>>().join("\n");
            std::fs::write(dir.path().join(name), text).unwrap();
        };
        assert_eq!(tail(dir.path(), None, 5).unwrap(), "");
        write("web.log", 0..50_000);
        assert_eq!(tail(dir.path(), None, 2).unwrap(), "line 49998\nline 49999\n");
        assert_eq!(tail(dir.path(), None, 20_000).unwrap().lines().next(), Some("line 30000"));
        assert_eq!(tail(dir.path(), None, 90_000).unwrap().lines().count(), 50_000);
        write("feed.log", 0..3);
        assert_eq!(tail(dir.path(), None, 1).unwrap(), "feed | line 2\nweb | line 49999\n");
        assert_eq!(tail(dir.path(), Some("feed"), 1).unwrap(), "line 2\n");
        assert_eq!(tail(dir.path(), Some("../feed"), 1).unwrap_err().hints.len(), 1);
    }
}
