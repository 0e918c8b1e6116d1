//! Blobs, read and let go.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _};
use tokio_util::io::ReaderStream;

use super::super::Server;
use super::super::auth::Verb;
use super::super::caller::Caller;
use super::super::headers::Part;
use super::super::refusal::{Answer, Refused};
use super::DIGEST_HEADER;
use crate::problem::Doing as _;

pub async fn get(
    State(server): State<Arc<Server>>,
    caller: Caller,
    Path((app, digest)): Path<(String, String)>,
    headers: HeaderMap,
) -> Answer {
    let app = caller.may(Verb::Read, &app)?;
    let digest = super::digest(&digest)?;
    server.blobs.touch(&digest);
    let known = caller.0.sees_all() || server.store.has_blob(&app, &digest)?;
    let Some(size) = server.blobs.size(&digest).filter(|_| known) else {
        let message = format!("`{app}` holds no blob {digest}");
        return Err(Refused::registry(StatusCode::NOT_FOUND, "BLOB_UNKNOWN", message));
    };
    let path = server.blobs.path(&digest);
    let mut file = tokio::fs::File::open(&path).await.doing(|| format!("open `{}`", path.display()))?;
    let range = headers.get(header::RANGE).and_then(|value| value.to_str().ok()).map(|range| Part::read(range, size));
    let (status, first, length) = match range {
        None | Some(Part::Whole) => (StatusCode::OK, 0, size),
        Some(Part::Some { first, length }) => (StatusCode::PARTIAL_CONTENT, first, length),
        Some(Part::Nowhere) => {
            let message = format!("the blob has {size} bytes");
            return Err(Refused::registry(StatusCode::RANGE_NOT_SATISFIABLE, "SIZE_INVALID", message)
                .header(header::CONTENT_RANGE, format!("bytes */{size}")));
        }
    };
    if first > 0 {
        file.seek(std::io::SeekFrom::Start(first)).await.doing(|| format!("read `{}`", path.display()))?;
    }
    let body = Body::from_stream(ReaderStream::with_capacity(file.take(length), 64 << 10));
    let mut response: Response = (
        status,
        [
            (header::CONTENT_TYPE.as_str(), "application/octet-stream".to_owned()),
            (header::CONTENT_LENGTH.as_str(), length.to_string()),
            (header::ACCEPT_RANGES.as_str(), "bytes".to_owned()),
            (header::ETAG.as_str(), format!("\"{digest}\"")),
            (DIGEST_HEADER, digest.to_string()),
        ],
        body,
    )
        .into_response();
    if status == StatusCode::PARTIAL_CONTENT {
        let shown = format!("bytes {first}-{}/{size}", first + length - 1);
        if let Ok(value) = shown.try_into() {
            response.headers_mut().insert(header::CONTENT_RANGE, value);
        }
    }
    Ok(response)
}

/// The app's repository holds it no longer. What a manifest leads to stays: there would be no pulling that.
pub async fn delete(
    State(server): State<Arc<Server>>,
    caller: Caller,
    Path((app, digest)): Path<(String, String)>,
) -> Answer {
    let app = caller.may(Verb::Deploy, &app)?;
    let digest = super::digest(&digest)?;
    super::super::blocking(move || {
        if !server.store.has_blob(&app, &digest)? {
            let message = format!("`{app}` holds no blob {digest}");
            return Err(Refused::registry(StatusCode::NOT_FOUND, "BLOB_UNKNOWN", message));
        }
        if server.forget_blob(&app, &digest)? {
            return Ok(StatusCode::ACCEPTED.into_response());
        }
        let message = format!("a manifest of `{app}` leads to {digest}");
        Err(Refused::registry(StatusCode::CONFLICT, "DENIED", message).hint("delete that first"))
    })
    .await
}
