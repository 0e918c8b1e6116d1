//! Manifests and tags. A manifest is taken only when all it names is there.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;
use serde_json::json;

use super::super::Server;
use super::super::auth::Verb;
use super::super::caller::Caller;
use super::super::refusal::{Answer, Refused};
use super::super::store::StoredManifest;
use super::DIGEST_HEADER;
use crate::app::AppName;
use crate::packaging::Digest;
use crate::remote::api::LIVE_HEADER;

/// The specification's least upper limit.
const LARGEST: usize = 4 << 20;
const TAGS_AT_ONCE: u32 = 1000;
const INDEX_TYPE: &str = "application/vnd.oci.image.index.v1+json";

#[derive(Debug)]
enum Reference {
    Digest(Digest),
    Tag(String),
}

impl Reference {
    fn parse(text: &str) -> Result<Self, Refused> {
        if text.contains(':') {
            return super::digest(text).map(Self::Digest);
        }
        let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let good = text.len() <= 128 && text.starts_with(word) && text.chars().all(|c| word(c) || c == '.' || c == '-');
        if good {
            return Ok(Self::Tag(text.to_owned()));
        }
        Err(Refused::registry(StatusCode::BAD_REQUEST, "MANIFEST_INVALID", format!("`{text}` is no tag"))
            .hint("a tag has up to 128 letters, digits, `_`, `.` and `-`"))
    }
}

/// As much of a manifest or an index as a registry has to understand.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Manifest {
    schema_version: u32,
    media_type: Option<String>,
    artifact_type: Option<String>,
    config: Option<Descriptor>,
    #[serde(default)]
    layers: Vec<Descriptor>,
    #[serde(default)]
    manifests: Vec<Descriptor>,
    subject: Option<Descriptor>,
    annotations: Option<serde_json::Value>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Descriptor {
    media_type: Option<String>,
    digest: Digest,
    size: u64,
}

pub async fn put(
    State(server): State<Arc<Server>>,
    caller: Caller,
    Path((app, reference)): Path<(String, String)>,
    headers: HeaderMap,
    body: Body,
) -> Answer {
    let app = caller.may(Verb::Deploy, &app)?;
    let reference = Reference::parse(&reference)?;
    let bytes = axum::body::to_bytes(body, LARGEST).await.map_err(|error| too_large(&error))?;
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).map(str::to_owned);
    super::super::blocking(move || {
        let _using = server.using();
        let digest = Digest::of(&bytes);
        if let Reference::Digest(wanted) = &reference
            && *wanted != digest
        {
            let message = format!("the manifest is not {wanted}: it has the digest {digest}");
            return Err(Refused::registry(StatusCode::BAD_REQUEST, "DIGEST_INVALID", message));
        }
        let invalid = |message: String| Refused::registry(StatusCode::BAD_REQUEST, "MANIFEST_INVALID", message);
        let manifest: Manifest = serde_json::from_slice(&bytes)
            .map_err(|error| invalid(format!("the manifest is not readable: {error}")))?;
        if manifest.schema_version != 2 {
            return Err(invalid(format!("a manifest of schema version {} is not taken", manifest.schema_version)));
        }
        let Some(media_type) = manifest.media_type.clone().or(content_type) else {
            return Err(invalid("the manifest has no media type".into()));
        };
        check(&server, &caller, &app, &manifest)?;
        server.blobs.put(&app, &bytes)?;
        let stored = StoredManifest { digest, media_type };
        let tag = match &reference {
            Reference::Tag(tag) => Some(tag.as_str()),
            Reference::Digest(_) => None,
        };
        server.store.put_manifest(&app, &stored, tag)?;
        let digest = stored.digest;
        let headers = [("location", format!("/v2/{app}/manifests/{digest}")), (DIGEST_HEADER, digest.to_string())];
        let mut response = (StatusCode::CREATED, headers).into_response();
        let live = server.store.live(&app)?.filter(|live| live.image == digest.as_str());
        if let Some(value) = live.and_then(|live| live.id.to_string().try_into().ok()) {
            response.headers_mut().insert(LIVE_HEADER, value);
        }
        // Says that who refers to what is understood here.
        if let Some(value) = manifest.subject.and_then(|subject| subject.digest.as_str().try_into().ok()) {
            response.headers_mut().insert("oci-subject", value);
        }
        Ok(response)
    })
    .await
}

fn too_large(error: &axum::Error) -> Refused {
    let message = format!("the manifest could not be read, or is larger than {LARGEST} bytes: {error}");
    Refused::registry(StatusCode::PAYLOAD_TOO_LARGE, "SIZE_INVALID", message)
}

/// Everything it names must be in the app's repository, or be brought there by somebody who sees all repositories.
fn check(server: &Server, caller: &Caller, app: &AppName, manifest: &Manifest) -> Result<(), Refused> {
    for part in &manifest.manifests {
        if server.store.manifest(app, &part.digest)?.is_none() {
            let message = format!("`{app}` holds no manifest {}", part.digest);
            return Err(Refused::registry(StatusCode::NOT_FOUND, "MANIFEST_BLOB_UNKNOWN", message));
        }
    }
    let mut missing = BTreeMap::new();
    let mut linked = Vec::new();
    for part in manifest.config.iter().chain(&manifest.layers) {
        server.blobs.touch(&part.digest);
        match server.blobs.size(&part.digest) {
            Some(size) if size != part.size => {
                let message = format!("{} has {size} bytes, and the manifest says {}", part.digest, part.size);
                return Err(Refused::registry(StatusCode::BAD_REQUEST, "SIZE_INVALID", message));
            }
            Some(_) if server.store.has_blob(app, &part.digest)? => {}
            Some(_) if caller.0.sees_all() => linked.push(&part.digest),
            _ => {
                missing.insert(&part.digest, part.size);
            }
        }
    }
    if !missing.is_empty() {
        // Now, and not after an hour of uploading.
        server.blobs.disk.room_for(missing.values().fold(0, |sum, size| sum.saturating_add(*size)))?;
        let message = format!("{} of the image's blobs are not here yet", missing.len());
        let mut refused = Refused::new(
            StatusCode::NOT_FOUND,
            crate::problem::Problem::new("registry.manifest-blob-unknown", message),
        );
        for digest in missing.keys() {
            refused = refused.error("MANIFEST_BLOB_UNKNOWN", "not here yet", json!({ "digest": digest }));
        }
        return Err(refused);
    }
    if !linked.is_empty() {
        server.store.link_blobs(app, &linked)?;
    }
    Ok(())
}

pub async fn get(
    State(server): State<Arc<Server>>,
    caller: Caller,
    Path((app, reference)): Path<(String, String)>,
) -> Answer {
    let app = caller.may(Verb::Read, &app)?;
    let found = match Reference::parse(&reference)? {
        Reference::Digest(digest) => server.store.manifest(&app, &digest)?,
        Reference::Tag(tag) => server.store.tagged(&app, &tag)?,
    };
    let Some(StoredManifest { digest, media_type }) = found else {
        let message = format!("`{app}` holds no manifest {reference}");
        return Err(Refused::registry(StatusCode::NOT_FOUND, "MANIFEST_UNKNOWN", message));
    };
    let bytes = server.blobs.read(&digest)?;
    let headers = [
        (header::CONTENT_TYPE.as_str(), media_type),
        (header::ETAG.as_str(), format!("\"{digest}\"")),
        (DIGEST_HEADER, digest.to_string()),
    ];
    Ok((headers, bytes).into_response())
}

/// A tag goes alone; a digest with all its tags. What a release is of stays: there would be no way back to it.
pub async fn delete(
    State(server): State<Arc<Server>>,
    caller: Caller,
    Path((app, reference)): Path<(String, String)>,
) -> Answer {
    let app = caller.may(Verb::Deploy, &app)?;
    let parsed = Reference::parse(&reference)?;
    super::super::blocking(move || {
        let gone = match &parsed {
            Reference::Tag(tag) => server.store.untag(&app, tag)?,
            Reference::Digest(digest) => {
                if server.store.released()?.iter().any(|(of, image)| *of == app && image == digest) {
                    let message = format!("{digest} is released");
                    return Err(Refused::registry(StatusCode::CONFLICT, "DENIED", message)
                        .hint("images of releases go with the releases, when enough later ones are there"));
                }
                server.store.forget_manifest(&app, digest)?
            }
        };
        if gone {
            return Ok(StatusCode::ACCEPTED.into_response());
        }
        let message = format!("`{app}` holds no manifest {reference}");
        Err(Refused::registry(StatusCode::NOT_FOUND, "MANIFEST_UNKNOWN", message))
    })
    .await
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Kind {
    artifact_type: Option<String>,
}

/// What was put about an image: signatures, lists of what is in it.
pub async fn referrers(
    State(server): State<Arc<Server>>,
    caller: Caller,
    Path((app, digest)): Path<(String, String)>,
    Query(kind): Query<Kind>,
) -> Answer {
    let app = caller.may(Verb::Read, &app)?;
    let of = super::digest(&digest)?;
    let wanted = kind.artifact_type.clone();
    let manifests = super::super::blocking(move || {
        let mut found = Vec::new();
        for (_, digest, _) in server.store.manifests()?.into_iter().filter(|(owner, ..)| *owner == app) {
            let Ok(bytes) = server.blobs.read(&digest) else { continue };
            let Ok(manifest) = serde_json::from_slice::<Manifest>(&bytes) else { continue };
            if manifest.subject.is_none_or(|subject| subject.digest != of) {
                continue;
            }
            let stored = server.store.manifest(&app, &digest)?.map(|stored| stored.media_type);
            // As the specification has it for images that say nothing of what they are.
            let kind = manifest.artifact_type.or_else(|| manifest.config.and_then(|config| config.media_type));
            if wanted.is_none() || kind == wanted {
                let mut descriptor = json!({
                    "mediaType": manifest.media_type.or(stored),
                    "digest": digest,
                    "size": bytes.len(),
                    "artifactType": kind,
                });
                if let Some(annotations) = manifest.annotations {
                    descriptor["annotations"] = annotations;
                }
                found.push(descriptor);
            }
        }
        Ok::<_, Refused>(found)
    })
    .await?;
    let index = json!({ "schemaVersion": 2, "mediaType": INDEX_TYPE, "manifests": manifests });
    let mut response = ([(header::CONTENT_TYPE, INDEX_TYPE)], index.to_string()).into_response();
    if kind.artifact_type.is_some() {
        let applied = axum::http::HeaderValue::from_static("artifactType");
        response.headers_mut().insert("oci-filters-applied", applied);
    }
    Ok(response)
}

#[derive(Debug, Deserialize)]
pub struct Page {
    n: Option<u32>,
    #[serde(default)]
    last: String,
}

pub async fn tags(
    State(server): State<Arc<Server>>,
    caller: Caller,
    Path(app): Path<String>,
    Query(page): Query<Page>,
) -> Result<Response, Refused> {
    let app = caller.may(Verb::Read, &app)?;
    let count = page.n.unwrap_or(TAGS_AT_ONCE).min(TAGS_AT_ONCE);
    let tags = server.store.tags(&app, &page.last, count)?;
    let next = tags.last().filter(|_| count > 0 && tags.len() == count as usize);
    let link = next.map(|last| format!("</v2/{app}/tags/list?n={count}&last={last}>; rel=\"next\""));
    let mut response = axum::Json(json!({ "name": app, "tags": tags })).into_response();
    if let Some(link) = link.and_then(|link| link.try_into().ok()) {
        response.headers_mut().insert(header::LINK, link);
    }
    Ok(response)
}
