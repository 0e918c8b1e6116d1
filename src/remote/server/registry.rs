//! The OCI distribution protocol 1.1, as much as dae, podman, docker and skopeo need to push and pull. A repository is an app.

use std::sync::Arc;

use axum::Router;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};

use super::Server;
use super::caller::Caller;
use super::refusal::Refused;
use crate::packaging::Digest;

mod blob;
mod manifest;
mod upload;

pub fn routes() -> Router<Arc<Server>> {
    let uploads = post(upload::begin);
    Router::new()
        .route("/v2", get(version))
        .route("/v2/", get(version))
        .route("/v2/{app}/blobs/{digest}", get(blob::get).delete(blob::delete))
        .route("/v2/{app}/blobs/uploads", uploads.clone())
        .route("/v2/{app}/blobs/uploads/", uploads)
        .route(
            "/v2/{app}/blobs/uploads/{id}",
            get(upload::status).patch(upload::append).put(upload::finish).delete(upload::cancel),
        )
        .route("/v2/{app}/manifests/{reference}", get(manifest::get).put(manifest::put).delete(manifest::delete))
        .route("/v2/{app}/referrers/{digest}", get(manifest::referrers))
        .route("/v2/{app}/tags/list", get(manifest::tags))
}

async fn version(_: Caller) -> Response {
    ([("docker-distribution-api-version", "registry/2.0")], axum::Json(serde_json::json!({}))).into_response()
}

/// For paths below `/v2/` that are none of these.
pub fn nothing() -> Refused {
    Refused::registry(StatusCode::NOT_FOUND, "NAME_INVALID", "there is no such repository or endpoint")
        .hint("a repository has the name of an app, as in `/v2/daetest/...`")
}

fn digest(text: &str) -> Result<Digest, Refused> {
    Digest::parse(text).map_err(|problem| Refused::registry(StatusCode::BAD_REQUEST, "DIGEST_INVALID", problem.message))
}

const DIGEST_HEADER: &str = "docker-content-digest";
