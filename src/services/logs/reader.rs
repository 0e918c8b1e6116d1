//! Reading the logs of an app: those of all its processes, in the order of time.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufRead as _, BufReader};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::file::{ASIDE, aside};
use super::line::{Levels, Line, split};
use crate::problem::{Doing as _, Result};

/// Everything that `folders` hold, each with what stands before the name of a process in it; what was put aside too.
pub fn read(folders: &[(PathBuf, &str)], mut hear: impl FnMut(Line)) -> Result<()> {
    let mut all: Vec<Line> = Vec::new();
    for (process, path) in files(folders)? {
        let mut levels = Levels::default();
        let older = (1..=ASIDE).rev().map(|number| aside(&path, number)).filter(|path| path.exists());
        for path in older.chain([path.clone()]) {
            let mut tail = Tail::open(&path).doing(|| format!("read the log `{}`", path.display()))?;
            tail.rest(|text| all.push(line(&process, text, &mut levels)))
                .doing(|| format!("read the log `{}`", path.display()))?;
        }
    }
    // Stable: a line without a time stays behind the one it came after.
    let mut last = None;
    let mut keyed: Vec<_> = all
        .into_iter()
        .map(|line| {
            last = line.time.or(last);
            (last, line)
        })
        .collect();
    keyed.sort_by_key(|(time, _)| *time);
    for (_, line) in keyed {
        hear(line);
    }
    Ok(())
}

fn line(process: &str, kept: &str, levels: &mut Levels) -> Line {
    let (time, text) = split(kept);
    Line { time, process: process.to_owned(), level: levels.of(text), text: text.to_owned() }
}

/// Processes and their files.
fn files(folders: &[(PathBuf, &str)]) -> Result<BTreeMap<String, PathBuf>> {
    let mut found = BTreeMap::new();
    for (folder, before) in folders {
        let entries = match std::fs::read_dir(folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            entries => entries.doing(|| format!("read `{}`", folder.display()))?,
        };
        for entry in entries.flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            if let Some(process) = name.strip_suffix(".log") {
                found.insert(format!("{before}{process}"), entry.path());
            }
        }
    }
    Ok(found)
}

/// A file that is read to its end, and later further.
#[derive(Debug)]
struct Tail {
    path: PathBuf,
    file: BufReader<File>,
    inode: u64,
    /// A line that has not come to its end yet.
    begun: Vec<u8>,
}

impl Tail {
    fn open(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let inode = file.metadata()?.ino();
        Ok(Self { path: path.to_owned(), file: BufReader::new(file), inode, begun: Vec::new() })
    }

    /// What came since.
    fn rest(&mut self, mut hear: impl FnMut(&str)) -> io::Result<()> {
        while self.file.read_until(b'\n', &mut self.begun)? > 0 {
            if self.begun.last() != Some(&b'\n') {
                break;
            }
            self.begun.pop();
            hear(&String::from_utf8_lossy(&self.begun));
            self.begun.clear();
        }
        Ok(())
    }

    /// Whether another file stands in its place.
    fn is_aside(&self) -> bool {
        std::fs::metadata(&self.path).is_ok_and(|meta| meta.ino() != self.inode)
    }
}

/// Reads on as the logs grow.
#[derive(Debug)]
pub struct Follow {
    folders: Vec<(PathBuf, &'static str)>,
    tails: BTreeMap<String, (Tail, Levels)>,
}

impl Follow {
    /// From here on: what is there already is not heard again.
    pub fn new(folders: Vec<(PathBuf, &'static str)>) -> Result<Self> {
        let mut follow = Self { folders, tails: BTreeMap::new() };
        follow.next(drop)?;
        Ok(follow)
    }

    /// What came since the last time. Logs may begin, and be put aside.
    pub fn next(&mut self, mut hear: impl FnMut(Line)) -> Result<()> {
        for (process, path) in files(&self.folders)? {
            let doing = || format!("read the log `{}`", path.display());
            if !self.tails.contains_key(&process) {
                // It may have gone this instant; then it comes next time.
                let Ok(tail) = Tail::open(&path) else { continue };
                self.tails.insert(process.clone(), (tail, Levels::default()));
            }
            let Some((tail, levels)) = self.tails.get_mut(&process) else { continue };
            // In this order: what was written before it was put aside is read.
            let is_aside = tail.is_aside();
            tail.rest(|text| hear(line(&process, text, levels))).doing(doing)?;
            if is_aside && let Ok(new) = Tail::open(&path) {
                *tail = new;
                tail.rest(|text| hear(line(&process, text, levels))).doing(doing)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn logs_are_read_in_the_order_of_time_and_followed() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("app");
        std::fs::create_dir(&folder).unwrap();
        let write = |name: &str, lines: &[&str]| {
            let mut file = File::options().create(true).append(true).open(folder.join(name)).unwrap();
            for line in lines {
                writeln!(file, "2026-11-22T18:34:{line}").unwrap();
            }
        };
        write("web.log.1", &["10.000Z one"]);
        write("web.log", &["12.000Z three", "14.000Z ERROR five"]);
        write("feed.log", &["11.000Z two", "13.000Z four"]);
        let folders = vec![(folder.clone(), ""), (dir.path().join("none"), "scribe/")];
        let mut heard = Vec::new();
        read(&folders, |line| heard.push(format!("{} {}", line.process, line.text))).unwrap();
        assert_eq!(heard, ["web one", "feed two", "web three", "feed four", "web ERROR five"]);

        let mut follow = Follow::new(folders).unwrap();
        let mut next = || {
            let mut heard = Vec::new();
            follow.next(|line| heard.push(line.text)).unwrap();
            heard
        };
        assert!(next().is_empty());
        write("web.log", &["15.000Z six"]);
        std::fs::rename(folder.join("web.log"), folder.join("web.log.1")).unwrap();
        write("web.log", &["16.000Z seven"]);
        write("new.log", &["17.000Z eight"]);
        let mut heard = next();
        heard.sort();
        assert_eq!(heard, ["eight", "seven", "six"]);
    }
}
