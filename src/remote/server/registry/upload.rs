//! Blobs, written: in one request, or in parts that can be gone on with.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, BodyDataStream};
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::IntoResponse as _;
use futures_util::StreamExt as _;
use serde::Deserialize;

use super::super::Server;
use super::super::auth::Verb;
use super::super::blobs::{Absent, Broken, Upload};
use super::super::caller::Caller;
use super::super::headers::content_range;
use super::super::refusal::{Answer, Refused};
use super::DIGEST_HEADER;
use crate::app::AppName;
use crate::packaging::Digest;

#[derive(Debug, Deserialize)]
pub struct Begin {
    digest: Option<String>,
    mount: Option<String>,
    from: Option<String>,
}

/// `POST uploads/`: a mount, the whole blob at once, or the beginning of a conversation.
pub async fn begin(
    State(server): State<Arc<Server>>,
    caller: Caller,
    Path(app): Path<String>,
    Query(wanted): Query<Begin>,
    headers: HeaderMap,
    body: Body,
) -> Answer {
    let app = caller.may(Verb::Deploy, &app)?;
    if let Some(mount) = &wanted.mount {
        let mount = super::digest(mount)?;
        if may_mount(&server, &caller, &app, &mount, wanted.from.as_deref())? {
            server.store.link_blobs(&app, &[&mount])?;
            return Ok(created(&app, &mount));
        }
    }
    let digest = wanted.digest.as_deref().map(super::digest).transpose()?;
    let mut incoming = Incoming::new(&headers, body);
    if let Err(problem) = server.blobs.disk.room_for(incoming.length) {
        return Err(incoming.refuse(problem.into()).await);
    }
    let mut upload = server.blobs.begin(&app)?;
    let Some(digest) = digest else {
        upload.keep();
        return Ok(at(StatusCode::ACCEPTED, &app, &upload));
    };
    match server.blobs.append(&mut upload, &mut incoming.body).await {
        Ok(known) => name(&server, app, upload, digest, known).await,
        Err(broken) => Err(incoming.refuse(refuse(broken)).await),
    }
}

/// A blob is mounted only from where the caller may read it.
fn may_mount(
    server: &Server,
    caller: &Caller,
    app: &AppName,
    digest: &Digest,
    from: Option<&str>,
) -> Result<bool, Refused> {
    if server.blobs.size(digest).is_none() {
        return Ok(false);
    }
    if caller.0.sees_all() || server.store.has_blob(app, digest)? {
        return Ok(true);
    }
    let Some(from) = from.and_then(|from| AppName::parse(from).ok()) else { return Ok(false) };
    Ok(caller.0.allows(Verb::Read, &from) && server.store.has_blob(&from, digest)?)
}

/// `GET uploads/ID`: how far it has come.
pub async fn status(
    State(server): State<Arc<Server>>,
    caller: Caller,
    Path((app, id)): Path<(String, String)>,
) -> Answer {
    let app = caller.may(Verb::Deploy, &app)?;
    let upload = find(&server, &app, &id)?;
    Ok(at(StatusCode::NO_CONTENT, &app, &upload))
}

/// `PATCH uploads/ID`: the next part.
pub async fn append(
    State(server): State<Arc<Server>>,
    caller: Caller,
    Path((app, id)): Path<(String, String)>,
    headers: HeaderMap,
    body: Body,
) -> Answer {
    let app = caller.may(Verb::Deploy, &app)?;
    let mut incoming = Incoming::new(&headers, body);
    let mut upload = find(&server, &app, &id)?;
    take(&server, &app, &mut upload, &headers, &mut incoming).await?;
    Ok(at(StatusCode::ACCEPTED, &app, &upload))
}

#[derive(Debug, Deserialize)]
pub struct Finish {
    digest: Option<String>,
}

/// `PUT uploads/ID?digest=`: the last part, which may be empty, and the name.
pub async fn finish(
    State(server): State<Arc<Server>>,
    caller: Caller,
    Path((app, id)): Path<(String, String)>,
    Query(wanted): Query<Finish>,
    headers: HeaderMap,
    body: Body,
) -> Answer {
    let app = caller.may(Verb::Deploy, &app)?;
    let digest = super::digest(wanted.digest.as_deref().unwrap_or_default())?;
    let mut incoming = Incoming::new(&headers, body);
    let mut upload = find(&server, &app, &id)?;
    let known = take(&server, &app, &mut upload, &headers, &mut incoming).await?;
    name(&server, app, upload, digest, known).await
}

/// `DELETE uploads/ID`: thrown away.
pub async fn cancel(
    State(server): State<Arc<Server>>,
    caller: Caller,
    Path((app, id)): Path<(String, String)>,
) -> Answer {
    let app = caller.may(Verb::Deploy, &app)?;
    let upload = find(&server, &app, &id)?;
    upload.discard();
    Ok(StatusCode::NO_CONTENT.into_response())
}

fn find(server: &Server, app: &AppName, id: &str) -> Result<Upload, Refused> {
    server.blobs.upload(app, id).map_err(|absent| match absent {
        Absent::Unknown => Refused::registry(StatusCode::NOT_FOUND, "BLOB_UPLOAD_UNKNOWN", "there is no such upload")
            .hint("begin it again"),
        Absent::Busy => {
            Refused::registry(StatusCode::CONFLICT, "BLOB_UPLOAD_INVALID", "another request writes to this upload")
                .hint("wait until that has ended and ask how far it came")
        }
    })
}

/// Writes one part behind those that came before.
async fn take(
    server: &Server,
    app: &AppName,
    upload: &mut Upload,
    headers: &HeaderMap,
    incoming: &mut Incoming,
) -> Result<Option<Digest>, Refused> {
    if let Some(range) = headers.get(header::CONTENT_RANGE) {
        let range = range.to_str().ok().and_then(content_range);
        let follows = range.is_some_and(|(first, last)| {
            first == upload.size && (incoming.length == 0 || last.checked_sub(first) == Some(incoming.length - 1))
        });
        if !follows {
            let message = format!("the upload has {} bytes, the next part begins there", upload.size);
            let refused = Refused::registry(StatusCode::RANGE_NOT_SATISFIABLE, "BLOB_UPLOAD_INVALID", message)
                .header(header::LOCATION, location(app, upload))
                .header(header::RANGE, range_of(upload));
            return Err(incoming.refuse(refused).await);
        }
    }
    if let Err(problem) = server.blobs.disk.room_for(incoming.length) {
        return Err(incoming.refuse(problem.into()).await);
    }
    match server.blobs.append(upload, &mut incoming.body).await {
        Ok(known) => Ok(known),
        Err(broken) => Err(incoming.refuse(refuse(broken)).await),
    }
}

/// Reading the disk once more and waiting for it take time that is not the other requests'.
async fn name(server: &Arc<Server>, app: AppName, upload: Upload, digest: Digest, known: Option<Digest>) -> Answer {
    let server = server.clone();
    super::super::blocking(move || match server.blobs.finish(&upload, &digest, known)? {
        Ok(()) => {
            server.store.link_blobs(&app, &[&digest])?;
            Ok(created(&app, &digest))
        }
        Err(found) => {
            let message = format!("the upload is not {digest}: it has the digest {found}");
            Err(Refused::registry(StatusCode::BAD_REQUEST, "DIGEST_INVALID", message)
                .hint("nothing of it was kept; send it again"))
        }
    })
    .await
}

fn refuse(broken: Broken) -> Refused {
    match broken {
        Broken::Sender(why) => {
            Refused::registry(StatusCode::BAD_REQUEST, "BLOB_UPLOAD_INVALID", format!("the request broke off: {why}"))
        }
        Broken::Full(problem) | Broken::Failed(problem) => problem.into(),
    }
}

fn created(app: &AppName, digest: &Digest) -> axum::response::Response {
    let headers = [("location", format!("/v2/{app}/blobs/{digest}")), (DIGEST_HEADER, digest.to_string())];
    (StatusCode::CREATED, headers).into_response()
}

fn at(status: StatusCode, app: &AppName, upload: &Upload) -> axum::response::Response {
    let headers =
        [("location", location(app, upload)), ("range", range_of(upload)), ("docker-upload-uuid", upload.id.clone())];
    (status, headers).into_response()
}

fn location(app: &AppName, upload: &Upload) -> String {
    format!("/v2/{app}/blobs/uploads/{}", upload.id)
}

/// The specification has no way to write "nothing yet"; registries say `0-0`.
fn range_of(upload: &Upload) -> String {
    format!("0-{}", upload.size.saturating_sub(1))
}

/// A body about to be written to the disk.
struct Incoming {
    body: BodyDataStream,
    /// 0 when the sender does not tell.
    length: u64,
    waits: bool,
}

/// How much of a refused body is read, so that a sender who writes everything before it reads gets to know why.
const DRAINED: usize = 64 << 20;
const DRAINED_WITHIN: Duration = Duration::from_secs(5);

impl Incoming {
    fn new(headers: &HeaderMap, body: Body) -> Self {
        let length = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
        Self { body: body.into_data_stream(), length: length.unwrap_or(0), waits: headers.contains_key(header::EXPECT) }
    }

    /// Reads on for a while, unless the sender waits to be asked for the body.
    async fn refuse(&mut self, refused: Refused) -> Refused {
        if !self.waits {
            let mut left = DRAINED;
            let drain = async {
                while let Some(Ok(chunk)) = self.body.next().await {
                    left = left.saturating_sub(chunk.len());
                    if left == 0 {
                        break;
                    }
                }
            };
            let _ = tokio::time::timeout(DRAINED_WITHIN, drain).await;
        }
        refused
    }
}
