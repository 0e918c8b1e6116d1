//! HTTP in front of whatever answers: a table from host names to upstreams, and a proxy. Knows no apps.
//!
//! Theory of operation. A request takes a [`Lease`] on what its host is routed to; the lease lives as long as the answer's
//! body, and is counted under the lock that guards the route. So when a route is changed, everybody who still uses the last
//! upstream is counted, and [`Upstream::idle`] can tell when it may go. A route that is `Held` lets requests wait.

mod accept;
mod ask;
mod connection;
mod files;
mod forgiving;
pub mod form;
mod frames;
mod lanes;
mod lingering;
mod page;
mod proxy;
mod routes;
mod rules;
mod split;
pub mod tls;
mod upgrade;
mod upstream;

use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full};
use hyper::header::HeaderValue;

pub use accept::{Door, Stop, serve};
pub use ask::{CRON_HEADER, ask};
pub use page::{html, plain, see_other};
pub use proxy::wants;
pub use routes::{ANY_HOST, Lease, Route, Routes};
pub use rules::{By, Files, Found, Piece, Rule, Withheld, find};
pub use split::{Share, Split, Visitor};
pub use upstream::{Gone, Limits, Upstream};

use crate::problem::Problem;

pub type BodyError = Box<dyn std::error::Error + Send + Sync>;
pub type Body = UnsyncBoxBody<Bytes, BodyError>;
pub type Request = hyper::Request<hyper::body::Incoming>;
pub type Response = hyper::Response<Body>;

/// What stands before and around the routes: a node's control API, a dev server's pages.
pub trait Front: Send + Sync + 'static {
    /// The front of that one host, where hosts have fronts of their own; it does all that follows in this one's place.
    fn of(&self, host: &str) -> Option<&dyn Front> {
        let _ = host;
        None
    }

    /// Answers before any route is looked at. `Err` hands the request back: the routes answer it.
    fn answer(&self, request: Request) -> Pin<Box<dyn Future<Output = Result<Response, Request>> + Send + '_>> {
        Box::pin(std::future::ready(Err(request)))
    }

    /// What is answered in the place of all that `host` is routed to, while that is closed.
    fn instead(&self, host: &str, wants: Wants) -> Option<Response> {
        let _ = (host, wants);
        None
    }

    /// A last touch to what an upstream answered.
    fn dress(&self, response: Response, wants: Wants) -> Response {
        let _ = wants;
        response
    }

    /// The answer where there is none: nothing is routed, or what is routed is broken. `problem` is not for everyone's
    /// eyes, so by itself only its kind is told.
    fn stand_in(&self, status: hyper::StatusCode, problem: &Problem, wants: Wants) -> Response {
        let _ = (problem, wants);
        plain(status, status.canonical_reason().unwrap_or("error"))
    }

    /// A request was answered.
    fn served(&self, access: Access, answer: &Response) {
        let _ = (access, answer);
    }
}

/// What a client would rather read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wants {
    Html,
    Text,
}

/// One answered request, for an access log.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Access {
    pub host: String,
    pub method: String,
    /// With the query.
    pub path: String,
    pub status: u16,
    /// Until the answer's head was there.
    pub took: Duration,
    #[serde(skip)]
    pub by: Asker,
}

/// Who has asked, as far as a request tells.
#[derive(Debug, Clone)]
pub struct Asker {
    /// As a proxy on this machine tells it, else where the connection came from.
    pub address: IpAddr,
    pub version: hyper::Version,
    pub referer: Option<HeaderValue>,
    pub agent: Option<HeaderValue>,
}

/// A gateway's parts.
pub struct Gateway {
    pub routes: Arc<Routes>,
    pub front: Arc<dyn Front>,
    /// How long a request waits for a route that is held.
    pub patience: Duration,
}

/// A body that is there already.
pub fn full(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into()).map_err(|never| match never {}).boxed_unsync()
}
