//! What other dae processes ask of a dev server, under `/_dae/` on its own port.
//!
//! A web page of somebody else's may send requests to this machine too, but not with a header of its own choosing, unless it
//! is asked for leave first, and that is never given.

use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::StreamExt as _;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{Method, StatusCode};
use serde::{Deserialize, Serialize};
use tokio::sync::{broadcast, mpsc};

use super::feed::{Feed, Item};
use crate::app::AppName;
use crate::gateway::{BodyError, Request, Response, full, plain};
use crate::node::Node;
use crate::node::cron::Run;
use crate::problem::{Problem, Result};

/// Every request to the control paths carries it.
pub const HEADER: &str = "x-dae-control";
pub const STATUS: &str = "/_dae/status";
pub const RESTART: &str = "/_dae/restart";
pub const EVENTS: &str = "/_dae/events";
/// Runs a scheduled task: `?NAME`, or `?NAME@TIME`.
pub const CRON: &str = "/_dae/cron";

/// How a dev server is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    pub app: String,
    pub url: String,
    pub pid: u32,
    /// When it was started, RFC 3339.
    pub since: jiff::Timestamp,
    #[serde(default)]
    pub processes: Vec<Process>,
}

/// A process of the app: the one that leads the web processes, or one of the crew.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Process {
    pub process: String,
    pub pid: u32,
}

/// How a run by hand went.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Ran {
    Run(Run),
    Problem(Problem),
}

impl From<Result<Run>> for Ran {
    fn from(ran: Result<Run>) -> Self {
        ran.map_or_else(Self::Problem, Self::Run)
    }
}

/// The answering side.
pub struct Control {
    pub status: Status,
    pub app: AppName,
    pub node: Arc<Node>,
    pub feed: Arc<Feed>,
    pub restarts: mpsc::UnboundedSender<()>,
}

type Answering<'a> = Pin<Box<dyn Future<Output = Response> + Send + 'a>>;

impl Control {
    /// The answer to a control path; `None` for any other.
    pub fn answer(&self, request: &Request) -> Option<Answering<'_>> {
        let path = request.uri().path();
        if !matches!(path, STATUS | RESTART | EVENTS | CRON) {
            return None;
        }
        if !request.headers().contains_key(HEADER) {
            return Some(ready(plain(StatusCode::FORBIDDEN, "this is for dae itself")));
        }
        Some(match (path, request.method()) {
            (STATUS, &Method::GET) => Box::pin(async { json(&self.status().await) }),
            (CRON, &Method::POST) => {
                let wanted = request.uri().query().unwrap_or_default().to_owned();
                Box::pin(async move { self.run_job(&wanted).await })
            }
            (EVENTS, &Method::GET) => ready(self.events()),
            (RESTART, &Method::POST) => {
                if let Some(process) = request.uri().query() {
                    let process = process.to_owned();
                    return Some(Box::pin(async move { self.restart(&process).await }));
                }
                // An error means that the server is going down.
                let _ = self.restarts.send(());
                ready(json(&self.status))
            }
            _ => ready(plain(StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed")),
        })
    }

    async fn status(&self) -> Status {
        let running = self.node.running(&self.app).await.into_iter();
        let processes = running.map(|seen| Process { process: seen.process, pid: seen.leader }).collect();
        Status { processes, ..self.status.clone() }
    }

    async fn run_job(&self, wanted: &str) -> Response {
        let (job, due) = match wanted.split_once('@') {
            Some((job, due)) => (job, due.parse().ok()),
            None => (wanted, Some(jiff::Timestamp::now())),
        };
        let Some(due) = due else { return plain(StatusCode::BAD_REQUEST, "no time") };
        let ended = match self.node.run_job(&self.app, job, due).await {
            Ok(begun) => begun.ended().await,
            Err(problem) => Err(problem),
        };
        json(&Ran::from(ended))
    }

    /// Starts one of the crew anew.
    async fn restart(&self, process: &str) -> Response {
        match self.node.restart(&self.app, process).await {
            0 => plain(StatusCode::NOT_FOUND, "Not Found"),
            _ => json(&self.status),
        }
    }

    fn events(&self) -> Response {
        let (past, now) = self.feed.join();
        let next = futures_util::stream::unfold(now, |mut now| async move {
            loop {
                match now.recv().await {
                    Ok(item) => return Some((item, now)),
                    // It could not keep up; the newest counts.
                    Err(broadcast::error::RecvError::Lagged(_)) => {}
                    Err(broadcast::error::RecvError::Closed) => return None,
                }
            }
        });
        let lines =
            futures_util::stream::iter(past).chain(next).map(|item| Ok::<_, BodyError>(Frame::data(line(&item))));
        let mut response = Response::new(BodyExt::boxed_unsync(StreamBody::new(lines)));
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/x-ndjson"));
        response
    }
}

fn ready(response: Response) -> Answering<'static> {
    Box::pin(std::future::ready(response))
}

fn line(item: &Item) -> Bytes {
    Bytes::from(format!("{}\n", serde_json::json!(item)))
}

fn json(value: &impl Serialize) -> Response {
    let mut response = Response::new(full(serde_json::json!(value).to_string()));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
