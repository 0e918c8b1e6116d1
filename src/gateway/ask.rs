//! A question of our own to an upstream, past every route: is it well?

use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt as _, Empty};
use hyper::header::HOST;
use hyper::{Request, StatusCode};

use super::rules::{self, Found};
use super::{BodyError, Upstream};

/// As much of an answer's body as is read, in bytes.
const MOST: usize = 64 << 10;

/// Tells the app that dae asks, and for which scheduled task. Taken out of whatever comes from outside.
pub const CRON_HEADER: &str = "x-dae-cron";

/// What `upstream` answers to a GET of `path`, a query included, of `host`: the status and the beginning of the body.
pub async fn ask(
    upstream: &Upstream,
    host: &str,
    path: &str,
    headers: &[(&str, &str)],
) -> Result<(StatusCode, Bytes), BodyError> {
    match rules::find(&upstream.rules, path.split('?').next().unwrap_or_default()) {
        Found::Process => {}
        Found::File(files, path) if files.resolve(&path).is_some() => return Ok((StatusCode::OK, Bytes::new())),
        Found::File(..) | Found::Nothing => return Ok((StatusCode::NOT_FOUND, Bytes::new())),
    }
    let body = Empty::<Bytes>::new().map_err(|never| match never {}).boxed_unsync();
    let own = headers.iter().fold(Request::get(path), |request, (name, value)| request.header(*name, *value));
    let request = own
        .header(HOST, host)
        .header("x-forwarded-for", "127.0.0.1")
        .header("x-forwarded-host", host)
        .header("x-forwarded-proto", "http")
        .body(body)?;
    let mut sender = upstream.connect().await?.apart();
    let mut response = sender.send_request(request).await?;
    let mut body = BytesMut::new();
    while let Some(frame) = response.frame().await {
        if let Ok(data) = frame?.into_data() {
            body.extend_from_slice(&data);
        }
        if body.len() >= MOST {
            break;
        }
    }
    Ok((response.status(), body.freeze()))
}
