//! What node.yaml says of how apps are kept apart, and of how much each may take.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::gateway;
use crate::supervisor::groups::Ceilings;

/// `isolation:`. All of it is on where the machine has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Apart {
    /// Each app its own user, where the node is root.
    pub users: bool,
    /// The app with the number 1 has the one after it.
    pub first_user: u32,
    /// Each app its own files, by landlock.
    pub files: bool,
    /// Each app a control group, where the node may make some.
    pub groups: bool,
    /// Further files that all apps may read, and write.
    pub read: Vec<PathBuf>,
    pub write: Vec<PathBuf>,
}

impl Default for Apart {
    fn default() -> Self {
        let (read, write) = Default::default();
        Self { users: true, first_user: 20000, files: true, groups: true, read, write }
    }
}

/// `limits:`, and the same for one app below `apps:`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Of all its processes together; half of the machine's where nothing is said.
    pub memory: Option<Bytes>,
    /// With their threads; 1024 where nothing is said.
    pub processes: Option<u32>,
    /// Processors at once, as in `1.5`; not limited where nothing is said.
    pub cpu: Option<Processors>,
    /// Of its permanent and its temporary files; half of the disk where nothing is said.
    pub disk: Option<Bytes>,
    /// Requests that it answers at once, open streams and websockets among them; 4096 where nothing is said.
    pub requests: Option<u32>,
    /// Of a request's body; unlimited where nothing is said.
    pub body: Option<Bytes>,
}

const USUAL_PROCESSES: u32 = 1024;
const USUAL_REQUESTS: u32 = 4096;

impl Limits {
    /// What is not said here is as in `others`.
    pub fn or(self, others: Self) -> Self {
        Self {
            memory: self.memory.or(others.memory),
            processes: self.processes.or(others.processes),
            cpu: self.cpu.or(others.cpu),
            disk: self.disk.or(others.disk),
            requests: self.requests.or(others.requests),
            body: self.body.or(others.body),
        }
    }

    /// What is not said at all follows from the machine that `dir` is on.
    pub fn usual(self, dir: &Path) -> Self {
        let memory = || {
            let text = std::fs::read_to_string("/proc/meminfo").ok()?;
            let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
            line.split_whitespace().next()?.parse::<u64>().ok().map(|kilobytes| Bytes(kilobytes * 1024 / 2))
        };
        let disk = || {
            let stat = nix::sys::statvfs::statvfs(dir).ok()?;
            Some(Bytes(stat.blocks() * stat.fragment_size() / 2))
        };
        Self {
            memory: self.memory.or_else(memory),
            processes: self.processes.or(Some(USUAL_PROCESSES)),
            cpu: self.cpu,
            disk: self.disk.or_else(disk),
            requests: self.requests.or(Some(USUAL_REQUESTS)),
            body: self.body,
        }
    }

    /// What the kernel holds all of an app's processes to.
    pub fn of_group(self) -> Ceilings {
        let (processes, cpu) = (self.processes.map(u64::from), self.cpu.map(|cpu| u64::from(cpu.0)));
        Ceilings { memory: self.memory.map(|bytes| bytes.0), processes, cpu }
    }

    /// What the gateway holds an app to.
    pub fn of_gateway(self) -> gateway::Limits {
        let requests = self.requests.and_then(|requests| usize::try_from(requests).ok());
        gateway::Limits { requests, body: self.body.map(|body| body.0) }
    }
}

/// In thousandths of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct Processors(pub u32);

impl TryFrom<f64> for Processors {
    type Error = String;

    fn try_from(number: f64) -> Result<Self, String> {
        if !(0.01..=1024.0).contains(&number) {
            return Err(format!("`{number}` is no number of processors: write one as in `0.5` or `2`"));
        }
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is between 10 and 1,024,000")]
        Ok(Self((number * 1000.0).round() as u32))
    }
}

impl From<Processors> for f64 {
    fn from(processors: Processors) -> Self {
        f64::from(processors.0) / 1000.0
    }
}

/// `512M`, `2G`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Bytes(pub u64);

const UNITS: [(char, u64); 3] = [('G', 1 << 30), ('M', 1 << 20), ('K', 1 << 10)];

impl FromStr for Bytes {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let read = || {
            let (unit, bytes) = UNITS.iter().find(|(unit, _)| text.ends_with(*unit))?;
            text.strip_suffix(*unit)?.parse::<u64>().ok()?.checked_mul(*bytes).filter(|bytes| *bytes > 0).map(Self)
        };
        read().ok_or_else(|| format!("`{text}` is no amount: write a number and its unit, as in `512M` or `2G`"))
    }
}

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = UNITS.iter().find(|(_, bytes)| self.0.is_multiple_of(*bytes)).unwrap_or(&UNITS[2]);
        write!(f, "{}{}", self.0 / unit.1, unit.0)
    }
}

impl TryFrom<String> for Bytes {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Bytes> for String {
    fn from(bytes: Bytes) -> Self {
        bytes.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts() {
        for (text, wanted) in [("1G", Some(1 << 30)), ("64M", Some(64 << 20)), ("3K", Some(3 << 10)), ("64", None)] {
            let read = text.parse::<Bytes>();
            assert_eq!(read.as_ref().ok().map(|bytes| bytes.0), wanted, "{text}");
            assert!(read.is_err() || read.unwrap().to_string() == text);
        }
        for text in ["", "M", "0M", "-1G", "99999999999999999G", "1.5G", "1g"] {
            assert!(text.parse::<Bytes>().is_err(), "{text}");
        }
    }

    #[test]
    fn processors() {
        let read = |text: &str| serde_yaml::from_str::<Limits>(&format!("cpu: {text}")).map(|limits| limits.cpu);
        for (text, wanted) in [("2", 2000), ("0.5", 500), ("1.25", 1250)] {
            assert_eq!(read(text).unwrap(), Some(Processors(wanted)), "{text}");
        }
        for text in ["0", "-1", "0.001", "1e9", ".nan", "half"] {
            assert!(read(text).is_err(), "{text}");
        }
    }

    #[test]
    fn what_an_app_is_not_given_all_have() {
        let all = Limits { memory: Some(Bytes(1)), processes: Some(2), ..Limits::default() };
        let own = Limits { memory: Some(Bytes(3)), ..Limits::default() };
        assert_eq!(own.or(all), Limits { memory: Some(Bytes(3)), ..all });
        let usual = Limits::default().usual(Path::new("/"));
        assert!(usual.memory > Some(Bytes(1 << 20)) && usual.disk > Some(Bytes(1 << 20)));
    }
}
