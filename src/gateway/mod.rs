//! HTTP in front of whatever answers: a table from host names to upstreams, and a proxy. Knows no apps.

mod routes;

pub use routes::{Lease, Route, Routes, Upstream};

use std::future::Future;
use std::pin::Pin;

use bytes::Bytes;
use http_body_util::combinators::BoxBody;

pub type Body = BoxBody<Bytes, Box<dyn std::error::Error + Send + Sync>>;
pub type Request = hyper::Request<hyper::body::Incoming>;
pub type Response = hyper::Response<Body>;

/// What answers before any route is looked at: a node's control API, a dev server's pages.
pub trait Front: Send + Sync + 'static {
    /// `Err` hands the request back: the routes answer it.
    fn answer(&self, request: Request) -> Pin<Box<dyn Future<Output = Result<Response, Request>> + Send + '_>>;
}
