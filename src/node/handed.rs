//! What one node's process leaves of an app to the next one: which processes run, and what they are heard and told by.
//!
//! Theory of operation. A node that is to be replaced stops hearing its processes, each in the middle of a line perhaps, and
//! gives their open files away (`Bundle`); the processes notice nothing. The next one makes the same generation of the same
//! release, and takes up what was left in the place of a start. What cannot be taken up is started anew.

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use crate::app::AppName;
use crate::problem::{Doing as _, Problem, Result};
use crate::supervisor::{Bundle, HandedProcess, Number, Process};

/// Of one app.
#[derive(Debug, Serialize, Deserialize)]
pub struct Handed {
    pub app: AppName,
    /// Of what serves.
    pub release: String,
    pub(super) generation: u64,
    pub(super) web: Option<HandedWeb>,
    pub(super) crew: Vec<HandedMember>,
    pub(super) offer: Option<HandedOffer>,
    pub(super) parents: Vec<HandedParent>,
    /// Which of them the next generation is forked from.
    pub(super) warm: Option<usize>,
}

/// The web processes.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct HandedWeb {
    pub process: HandedProcess,
    /// Where their sockets are.
    pub dir: PathBuf,
    pub notify: Number,
    /// What they were forked from.
    pub parent: Option<usize>,
}

/// The Thrift services.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct HandedOffer {
    pub ports: HandedPorts,
    pub answering: Option<HandedAnswering>,
}

/// The processes that answer for them.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct HandedAnswering {
    pub process: HandedProcess,
    pub dir: PathBuf,
    /// What they were forked from.
    pub parent: Option<usize>,
}

/// Where they listen, and by what their connections go from one generation to the next.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct HandedPorts {
    pub listening: Vec<HandedPort>,
    pub door: Option<(Number, PathBuf)>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct HandedPort {
    pub service: String,
    pub interface: String,
    pub file: Number,
    pub notices: Vec<PathBuf>,
}

/// A member of the crew.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct HandedMember {
    pub label: String,
    pub process: HandedProcess,
}

/// A warm parent.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct HandedParent {
    pub process: HandedProcess,
    pub dir: PathBuf,
    pub control: Number,
    /// What it has said and nobody has read.
    pub heard: Vec<u8>,
    /// What it has forked.
    pub alive: Vec<u32>,
    /// How many forks it was asked for.
    pub count: u64,
    /// In words: what must be the same.
    pub fit: String,
    pub known: Vec<String>,
    pub refused: Option<String>,
    pub files: Vec<HandedFile>,
}

/// A file of a package, and when it was written, since 1970, and its length.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct HandedFile {
    pub path: PathBuf,
    pub stamp: Option<(Duration, u64)>,
}

impl Handed {
    /// The processes that lead what was left.
    pub fn pids(&self) -> Vec<u32> {
        let parents = self.parents.iter().flat_map(|parent| parent.alive.iter().copied().chain([parent.process.pid]));
        let web = self.web.iter().map(|web| web.process.pid);
        let answering = self.offer.iter().filter_map(|offer| Some(offer.answering.as_ref()?.process.pid));
        parents.chain(web).chain(answering).chain(self.crew.iter().map(|member| member.process.pid)).collect()
    }

    /// Nobody takes it up: it ends.
    pub fn end(pids: &[u32]) {
        for pid in pids {
            Process::sweep(*pid);
        }
    }
}

impl HandedParent {
    /// Its open files go from one bundle into another.
    pub fn give(&mut self, from: &mut Bundle, to: &mut Bundle) -> Result<()> {
        let mut give = |number: &mut Number| {
            *number = to.put(from.take(*number).doing(|| "take up a warm parent")?);
            Ok::<(), Problem>(())
        };
        give(&mut self.control)?;
        self.process.output.as_mut().map_or(Ok(()), give)
    }
}

impl HandedFile {
    pub fn new(path: PathBuf, stamp: Option<(SystemTime, u64)>) -> Self {
        let since = |time: SystemTime| time.duration_since(SystemTime::UNIX_EPOCH).ok();
        Self { path, stamp: stamp.and_then(|(time, length)| Some((since(time)?, length))) }
    }

    pub fn stamp(&self) -> Option<(SystemTime, u64)> {
        let (since, length) = self.stamp?;
        Some((SystemTime::UNIX_EPOCH.checked_add(since)?, length))
    }
}
