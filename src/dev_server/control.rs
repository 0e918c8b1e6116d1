//! What other dae processes ask of a dev server, under `/_dae/` on its own port.
//!
//! A web page of somebody else's may send requests to this machine too, but not with a header of its own choosing, unless it
//! is asked for leave first, and that is never given.

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
use crate::gateway::{BodyError, Request, Response, full, plain};

/// Every request to the control paths carries it.
pub const HEADER: &str = "x-dae-control";
pub const STATUS: &str = "/_dae/status";
pub const RESTART: &str = "/_dae/restart";
pub const EVENTS: &str = "/_dae/events";

/// How a dev server is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    pub app: String,
    pub url: String,
    pub pid: u32,
    /// When it was started, RFC 3339.
    pub since: jiff::Timestamp,
}

/// The answering side.
#[derive(Debug)]
pub struct Control {
    pub status: Status,
    pub feed: Arc<Feed>,
    pub restarts: mpsc::UnboundedSender<()>,
}

impl Control {
    /// The answer to a control path; `None` for any other.
    pub fn answer(&self, request: &Request) -> Option<Response> {
        let path = request.uri().path();
        if !matches!(path, STATUS | RESTART | EVENTS) {
            return None;
        }
        if !request.headers().contains_key(HEADER) {
            return Some(plain(StatusCode::FORBIDDEN, "this is for dae itself"));
        }
        Some(match (path, request.method()) {
            (STATUS, &Method::GET) => json(&self.status),
            (EVENTS, &Method::GET) => self.events(),
            (RESTART, &Method::POST) => {
                // An error means that the server is going down.
                let _ = self.restarts.send(());
                json(&self.status)
            }
            _ => plain(StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed"),
        })
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

fn line(item: &Item) -> Bytes {
    Bytes::from(format!("{}\n", serde_json::json!(item)))
}

fn json(value: &impl Serialize) -> Response {
    let mut response = Response::new(full(serde_json::json!(value).to_string()));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
