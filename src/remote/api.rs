//! The wire between a deploying client and a node, version 1: the types both sides speak. Bytes travel by the OCI
//! distribution protocol (`/v2/`); this is the rest, all JSON under `/dae/v1`.
//!
//! | request | answer |
//! |---|---|
//! | `GET /dae/v1` | [`Capabilities`] |
//! | `PUT /v2/{app}/manifests/{digest}` | 201 with [`LIVE_HEADER`] naming the release when that image is live already; or 404 with one `MANIFEST_BLOB_UNKNOWN` a missing blob |
//! | `POST /dae/v1/apps/{app}/releases` with [`NewRelease`], `If-Match: "r41"` or `"none"` | 202 with [`Accepted`]; 412 when something else is live |
//! | `GET /dae/v1/apps/{app}/releases` | [`Releases`], newest first |
//! | `GET /dae/v1/apps/{app}/releases/{id}/events` | Server-sent events, each a [`DeployEvent`]; resumes after `Last-Event-ID` |
//! | `POST /dae/v1/apps/{app}/rollback` with [`Rollback`] | 202 with [`Accepted`] |
//! | `GET /dae/v1/apps/{app}/traffic` | [`Traffic`] |
//! | `PUT /dae/v1/apps/{app}/traffic` with [`TrafficChange`], `If-Match` | [`Traffic`]; 409 when that release is not tried |
//! | `POST /dae/v1/apps/{app}/plan` with [`Offered`] | [`Planned`]; nothing is written |
//! | `GET /dae/v1/apps/{app}/config?reveal=true` | [`Config`] |
//! | `PATCH /dae/v1/apps/{app}/config` with [`ConfigChange`], `If-Match` | 202 with [`Accepted`]; 200 with [`Config`] when nothing is live, or nothing changes |
//! | `GET /dae/v1/apps/{app}/scale` | [`Scale`] |
//! | `PATCH /dae/v1/apps/{app}/scale` with [`ScaleChange`], `If-Match` | 202 with [`Accepted`]; 200 with [`Scale`] when nothing changes |
//! | `GET /dae/v1/apps/{app}/domains` | [`Domains`] |
//! | `PUT`, `DELETE /dae/v1/apps/{app}/domains/{host}` | [`Domains`]; 409 when another app has that host |
//! | `POST /dae/v1/apps/{app}/runs` with [`NewRun`] | 202 with [`RunAccepted`] |
//! | `GET /dae/v1/apps/{app}/runs` | [`Runs`], newest first |
//! | `GET /dae/v1/apps/{app}/runs/{id}/events` | Server-sent events, each a [`RunEvent`]; resumes after `Last-Event-ID` |
//! | `DELETE /dae/v1/apps/{app}/runs/{id}` | 202: it is told to end |
//! | `GET /dae/v1/apps/{app}/console` as a websocket | a run that somebody sits at: see [`super::console`] |
//! | `GET /dae/v1/apps/{app}/errors`, `errors/{number}`, `mail`, `mail/{number}` | what is kept of its services, as `dae errors` and `dae mail` have it with `--json` |
//! | `POST /dae/v1/apps/{app}/errors/resolve` with [`Resolve`] | the numbers that are done with now |
//! | `GET /dae/v1/apps/{app}/processes` | [`Processes`] |
//! | `GET /dae/v1/apps/{app}/logs?lines=N&process=P&release=R&access=true` | plain text lines, of the access log where that is asked for; with `follow=true` server-sent events, each a [`LogLine`], without end |
//! | `GET`, `PUT` with [`Close`], `DELETE /dae/v1/apps/{app}/maintenance` | [`Maintenance`]: visitors get a page that says so |
//! | `GET /dae/v1/openapi.yaml` | this, for programs; without a token |
//!
//! Every request carries `Authorization: Bearer TOKEN`. A refusal is RFC 9457 `application/problem+json`: a [`Refusal`].

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::app::AppName;
use crate::problem::Problem;

/// On the answer to a manifest's PUT: the live release, when it is of that very image.
pub const LIVE_HEADER: &str = "dae-live";
/// On every answer of an app run by a node: the release that gave it.
pub const RELEASE_HEADER: &str = "x-dae-release";
/// The media type of a refusal.
pub const PROBLEM_TYPE: &str = "application/problem+json";

/// `r1`, `r2`, ...: an app's releases on one remote, counted up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ReleaseId(pub u64);

impl std::fmt::Display for ReleaseId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "r{}", self.0)
    }
}

impl From<ReleaseId> for String {
    fn from(id: ReleaseId) -> Self {
        id.to_string()
    }
}

impl TryFrom<String> for ReleaseId {
    type Error = Problem;

    fn try_from(text: String) -> Result<Self, Problem> {
        text.parse()
    }
}

impl std::str::FromStr for ReleaseId {
    type Err = Problem;

    /// Accepts `r42` and `42`.
    fn from_str(text: &str) -> Result<Self, Problem> {
        let number = text.strip_prefix('r').unwrap_or(text);
        number.parse().map(Self).map_err(|_| {
            Problem::new("release.id", format!("`{text}` is no release"))
                .hint("write it as `dae releases` shows it: `r42`")
        })
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Capabilities {
    /// Version of this protocol: 1.
    pub api: u32,
    /// The server's program and version: `dae 0.1.0`.
    pub server: String,
    /// Apps answer at `NAME.domain`.
    pub domain: String,
    /// Full versions of the interpreters it can run: `3.11.7`.
    pub pythons: Vec<String>,
    /// `linux/amd64`.
    pub platform: String,
    /// The public key that secrets are sealed to: `age1...`. Without one it takes no protected files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seals_to: Option<String>,
    /// The apps' services that are real servers and not the remote's own: `mysql`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub elsewhere: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewRelease {
    /// The image's manifest: `sha256:...`. It must have been pushed.
    pub image: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Who deploys, as `user@host`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub git: Option<GitState>,
    /// Try it beside the live one on a share of the visitors; without one it takes the live one's place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub share: Option<Share>,
}

/// The visitors on whom a release is tried.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Share {
    /// Of a hundred, who stay with it.
    #[serde(default)]
    pub percent: u8,
    /// And every request with one of these headers, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// And every request from one of these networks: `10.0.0.0/8`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub networks: Vec<String>,
}

/// A release that is tried beside the live one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gray {
    pub release: ReleaseId,
    #[serde(flatten)]
    pub share: Share,
}

/// Who gets which release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Traffic {
    pub app: AppName,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub live: Option<ReleaseId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gray: Option<Gray>,
}

/// The share of the gray release, whole: 100 percent make it live, none and no rule take it back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrafficChange {
    /// Which is meant; without one whichever it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub release: Option<ReleaseId>,
    #[serde(flatten)]
    pub share: Share,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GitState {
    /// The full revision.
    pub revision: String,
    /// There were changes that no commit holds.
    pub dirty: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Accepted {
    pub release: ReleaseId,
    /// Path of its events.
    pub events: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rollback {
    /// Without one: the release that was live before this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<ReleaseId>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Releases {
    pub app: AppName,
    pub releases: Vec<Release>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Release {
    pub id: ReleaseId,
    pub image: String,
    /// When it was accepted, RFC 3339 in UTC.
    pub created: jiff::Timestamp,
    pub state: ReleaseState,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub git: Option<GitState>,
    /// Set on a release that a rollback made: the one it repeats.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repeats: Option<ReleaseId>,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<Problem>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ReleaseState {
    /// Being made; after a crash of the node it becomes `Failed`.
    Starting,
    Live,
    /// Tried beside the live one.
    Gray,
    /// Was live once.
    Past,
    /// Was tried, and never live.
    Withdrawn,
    Failed,
    /// Another one was wanted before this one was ready.
    Superseded,
}

/// An image that might be pushed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offered {
    /// Its manifest's digest.
    pub image: String,
    /// Everything it needs beside the manifest.
    pub blobs: Vec<OfferedBlob>,
    /// What its packages were installed for: `3.11`.
    pub python: String,
    /// `linux/amd64`.
    pub platform: String,
    /// The key its secrets are sealed to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sealed_to: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OfferedBlob {
    pub digest: String,
    /// In bytes.
    pub size: u64,
}

/// What would come of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Planned {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub live: Option<Release>,
    /// Digests that would have to be sent.
    pub missing: Vec<String>,
    /// Why it would be refused.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub refused: Vec<Problem>,
    /// What the live release runs with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runs: Option<RunsWith>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunsWith {
    /// Its app.yaml, as it was read.
    pub manifest: serde_json::Value,
    /// `3.11.7`.
    pub python: String,
    /// Its packages, each as `name==version`, sorted.
    pub dists: Vec<String>,
    /// What was set by config, by name.
    pub config: Vec<String>,
}

/// What is set for an app, and is its processes' environment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Config {
    pub app: AppName,
    /// The live release it belongs to; without one it waits for the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub release: Option<ReleaseId>,
    /// Values only when they were asked for.
    pub config: BTreeMap<String, Option<String>>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfigChange {
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub set: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unset: Vec<String>,
    /// Who changes it, as `user@host`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
}

/// How many of each of its processes run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scale {
    pub app: AppName,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub release: Option<ReleaseId>,
    /// `web`, the daemons and `queue NAME`.
    pub processes: BTreeMap<String, Scaled>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scaled {
    pub count: u16,
    /// What app.yaml says.
    pub usual: u16,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScaleChange {
    /// None: what app.yaml says.
    pub processes: BTreeMap<String, Option<u16>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
}

/// Errors that somebody is done with.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resolve {
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<u64>,
    /// All there are.
    #[serde(default)]
    pub all: bool,
}

/// How many failed jobs are given another try.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retried {
    pub retried: u64,
}

/// No jobs of a queue are given out for so long; 0 ends a pause.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PauseQueue {
    pub seconds: u32,
}

/// A scheduled task, wanted now.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewCronRun {
    /// As if it were this time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<jiff::Timestamp>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct CronRunBegun {
    pub run: i64,
}

/// Whether a scheduled task runs by its schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PauseCron {
    pub paused: bool,
}

/// The hosts an app answers for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Domains {
    pub app: AppName,
    /// Its own, under the remote's domain.
    pub own: String,
    /// Those that were added, sorted.
    pub domains: Vec<String>,
    /// Of each of them, where the remote speaks TLS itself.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub certificates: Vec<HostCertificate>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostCertificate {
    pub host: String,
    /// None: there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<jiff::Timestamp>,
    /// Why there is no other one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<Problem>,
}

/// `run1`, `run2`, ...: an app's one-off commands, counted up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RunId(pub u64);

impl std::fmt::Display for RunId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "run{}", self.0)
    }
}

impl From<RunId> for String {
    fn from(id: RunId) -> Self {
        id.to_string()
    }
}

impl TryFrom<String> for RunId {
    type Error = Problem;

    fn try_from(text: String) -> Result<Self, Problem> {
        text.parse()
    }
}

impl std::str::FromStr for RunId {
    type Err = Problem;

    /// Accepts `run3` and `3`.
    fn from_str(text: &str) -> Result<Self, Problem> {
        let number = text.strip_prefix("run").unwrap_or(text);
        number.parse().map(Self).map_err(|_| {
            Problem::new("run.id", format!("`{text}` is no run")).hint("write it as `dae ps` shows it: `run3`")
        })
    }
}

/// Closes an app for maintenance.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Close {
    /// For its visitors.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// When they should come again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_s: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Maintenance {
    pub app: AppName,
    pub on: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<jiff::Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_s: Option<u32>,
    /// Visitors see a page of the app's own.
    #[serde(default)]
    pub own_page: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewRun {
    /// The program and its arguments; no shell reads them.
    pub command: Vec<String>,
    /// Whose code; without one the live release's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub release: Option<ReleaseId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunAccepted {
    pub run: RunId,
    pub release: ReleaseId,
    /// Path of its events.
    pub events: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Runs {
    pub app: AppName,
    pub runs: Vec<Run>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    pub id: RunId,
    pub release: ReleaseId,
    pub command: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    pub created: jiff::Timestamp,
    /// As a shell has it; none while it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<u8>,
}

/// What a node tells of one run, in order. The last is `Ended`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "lowercase")]
pub enum RunEvent {
    Output {
        line: String,
    },
    Ended {
        run: RunId,
        code: u8,
        /// Why, where it did not end by itself.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        why: Option<String>,
    },
}

/// A line of `logs?follow=true`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogLine {
    pub process: String,
    pub line: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Processes {
    pub app: AppName,
    pub processes: Vec<Process>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Process {
    pub release: ReleaseId,
    pub state: ProcessState,
    /// `web` or the name of a daemon; `web worker` for one that `web` started.
    pub process: String,
    pub pid: u32,
    pub uptime_s: u64,
    /// In bytes.
    pub memory: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ProcessState {
    Serving,
    /// For a share of the visitors.
    Gray,
    /// Was replaced, and is ready to come back.
    Kept,
    /// A one-off command.
    Running,
}

/// What a node tells of one release, in order. The last is `Live` or `Failed`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "lowercase")]
pub enum DeployEvent {
    /// A step ended well: `unpacked 2 layers`.
    Step {
        step: String,
        text: String,
        took_ms: u64,
    },
    /// A line one of its processes printed while starting.
    Output {
        process: String,
        line: String,
    },
    Live {
        release: ReleaseId,
        url: String,
        took_ms: u64,
        /// It is tried beside the live one, on these visitors.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        share: Option<Share>,
    },
    Failed {
        release: ReleaseId,
        problem: Problem,
        serving: Option<ReleaseId>,
    },
}

/// RFC 9457, with the whole problem as an extension member.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// `urn:dae:problem:` and the problem's code.
    #[serde(rename = "type")]
    pub kind: String,
    pub title: String,
    pub status: u16,
    pub problem: Problem,
}

impl Refusal {
    pub fn new(status: u16, problem: Problem) -> Self {
        Self { kind: format!("urn:dae:problem:{}", problem.code), title: problem.message.clone(), status, problem }
    }
}
