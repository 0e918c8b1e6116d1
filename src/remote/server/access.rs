//! The access log: a line for every answer that an app's visitors got, in a file an app, put aside when it is full.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use hyper::body::Body as _;
use hyper::header::HeaderValue;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::sync::broadcast;

use super::logs::{BEHIND, last};
use crate::app::AppName;
use crate::gateway::{Access, Response};
use crate::problem::Result;
use crate::remote::api::{LogLine, RELEASE_HEADER};
use crate::services::logs::LogFile;

/// `access_log:` in node.yaml.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// As Apache and nginx name it; what reads their logs reads it.
    #[default]
    Combined,
    /// An object a line.
    Json,
    Off,
}

/// What its lines are told by.
pub const PROCESS: &str = "access";

pub struct AccessLog {
    format: Format,
    folder: PathBuf,
    files: Mutex<HashMap<AppName, LogFile>>,
    lines: broadcast::Sender<(AppName, LogLine)>,
}

impl AccessLog {
    pub fn new(folder: PathBuf, format: Format) -> Self {
        Self { format, folder, files: Mutex::default(), lines: broadcast::channel(BEHIND).0 }
    }

    /// What is written from now on.
    pub fn follow(&self) -> broadcast::Receiver<(AppName, LogLine)> {
        self.lines.subscribe()
    }

    /// The last `count` lines of an app.
    pub fn last(&self, app: &AppName, count: usize) -> Result<String> {
        let path = self.path(app);
        if path.exists() { last(&path, count) } else { Ok(String::new()) }
    }

    pub fn write(&self, app: AppName, access: &Access, answer: &Response) {
        let at = Timestamp::now();
        let line = match self.format {
            Format::Combined => combined(at, access, answer),
            Format::Json => json(at, access, answer),
            Format::Off => return,
        };
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        // A disk that takes no more must not end what is answered.
        let _ = self.append(&mut files, &app, &line);
        drop(files);
        if self.lines.receiver_count() > 0 {
            // Who listened has gone this instant.
            let _ = self.lines.send((app, LogLine { process: PROCESS.to_owned(), line }));
        }
    }

    fn append(&self, files: &mut HashMap<AppName, LogFile>, app: &AppName, line: &str) -> io::Result<()> {
        if let Some(file) = files.get_mut(app) {
            return file.write_bare(line);
        }
        std::fs::create_dir_all(&self.folder)?;
        let mut file = LogFile::open(&self.path(app))?;
        file.write_bare(line)?;
        files.insert(app.clone(), file);
        Ok(())
    }

    fn path(&self, app: &AppName) -> PathBuf {
        self.folder.join(format!("{app}.log"))
    }
}

/// Below a node's folder.
pub fn folder(dir: &Path) -> PathBuf {
    dir.join("access")
}

/// Bytes of the answer's body, where it says so before it is sent.
fn length(answer: &Response) -> Option<u64> {
    answer.body().size_hint().exact()
}

fn combined(at: Timestamp, access: &Access, answer: &Response) -> String {
    let Access { method, path, status, by, .. } = access;
    let quoted =
        |value: &Option<HeaderValue>| value.as_ref().map_or_else(|| "-".to_owned(), |value| escaped(value.as_bytes()));
    format!(
        "{} - - [{}] \"{method} {} {:?}\" {status} {} \"{}\" \"{}\"",
        by.address,
        at.strftime("%d/%b/%Y:%H:%M:%S +0000"),
        escaped(path.as_bytes()),
        by.version,
        length(answer).map_or_else(|| "-".to_owned(), |length| length.to_string()),
        quoted(&by.referer),
        quoted(&by.agent),
    )
}

fn json(at: Timestamp, access: &Access, answer: &Response) -> String {
    let Access { host, method, path, status, took, by } = access;
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let release = answer.headers().get(RELEASE_HEADER).map(text);
    let took_ms = (took.as_secs_f64() * 1e6).round() / 1e3;
    serde_json::json!({
        "time": format!("{at:.3}"), "client": by.address, "host": host, "method": method, "path": path,
        "protocol": format!("{:?}", by.version), "status": status, "bytes": length(answer), "took_ms": took_ms,
        "referer": by.referer.as_ref().map(text), "agent": by.agent.as_ref().map(text), "release": release,
    })
    .to_string()
}

/// As nginx writes what others may have made up: no quote ends early, and no line.
fn escaped(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for byte in bytes {
        match byte {
            b' '..=b'~' if !b"\"\\".contains(byte) => text.push(char::from(*byte)),
            // Writing to a string does not fail.
            _ => drop(write!(text, "\\x{byte:02X}")),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::gateway::{Asker, full};

    #[test]
    fn a_line_is_as_its_readers_expect() {
        let mut answer = Response::new(full("hello"));
        answer.headers_mut().insert(RELEASE_HEADER, "r7".parse().unwrap());
        let access = Access {
            host: "a.example.com".into(),
            method: "GET".into(),
            path: "/a?b=\"c".into(),
            status: 200,
            took: Duration::from_micros(1234),
            by: Asker {
                address: "192.0.2.7".parse().unwrap(),
                version: hyper::Version::HTTP_11,
                referer: None,
                agent: Some(HeaderValue::from_bytes(b"curl \"\\\xe4").unwrap()),
            },
        };
        let at = Timestamp::from_second(1_772_928_000).unwrap();
        insta::assert_snapshot!(combined(at, &access, &answer), @r#"192.0.2.7 - - [08/Mar/2026:00:00:00 +0000] "GET /a?b=\x22c HTTP/1.1" 200 5 "-" "curl \x22\x5C\xE4""#);
        let json: serde_json::Value = serde_json::from_str(&json(at, &access, &answer)).unwrap();
        let wanted = serde_json::json!({
            "time": "2026-03-08T00:00:00.000Z", "client": "192.0.2.7", "host": "a.example.com", "method": "GET",
            "path": "/a?b=\"c", "protocol": "HTTP/1.1", "status": 200, "bytes": 5, "took_ms": 1.234, "referer": null,
            "agent": "curl \"\\\u{fffd}", "release": "r7",
        });
        assert_eq!(json, wanted);
    }
}
