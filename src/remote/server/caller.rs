//! Who sent a request, and whether they may.

use std::sync::Arc;

use axum::extract::{FromRequestParts, Query};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};

use serde::de::DeserializeOwned;

use super::Server;
use super::auth::{self, Grant, Verb};
use super::refusal::Refused;
use crate::app::AppName;
use crate::problem::Problem;

/// Somebody with a token this node gave out.
pub struct Caller(pub Grant);

impl FromRequestParts<Arc<Server>> for Caller {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, server: &Arc<Server>) -> Result<Self, Refused> {
        let sent = parts.headers.get(header::AUTHORIZATION).map(|value| value.to_str().ok().and_then(auth::token_in));
        // Programs that push images ask for a password only when they are challenged with `Basic`.
        let scheme = if parts.uri.path().starts_with("/v2") { "Basic" } else { "Bearer" };
        let unknown = |problem: Problem| {
            let message = problem.message.clone();
            Refused::new(StatusCode::UNAUTHORIZED, problem)
                .error("UNAUTHORIZED", &message, serde_json::Value::Null)
                .header(header::WWW_AUTHENTICATE, format!("{scheme} realm=\"dae node\""))
        };
        let hint = "ask who runs the node for one: `dae node token`";
        match sent {
            None => Err(unknown(
                Problem::new("auth.missing", "this node wants a token")
                    .hint(hint)
                    .hint("then give it in `DAE_TOKEN`, or to `dae remote add`"),
            )),
            Some(None) => Err(unknown(
                Problem::new("auth.unreadable", "the `Authorization` header is not readable")
                    .hint("write it as `Authorization: Bearer TOKEN`"),
            )),
            Some(Some(token)) => match auth::find(&server.store.tokens()?, &token) {
                Some(grant) => Ok(Self(grant.clone())),
                None => Err(unknown(Problem::new("auth.unknown", "this node does not know that token").hint(hint))),
            },
        }
    }
}

/// What stands behind the `?`.
pub struct Asked<T>(pub T);

impl<T: DeserializeOwned> FromRequestParts<Arc<Server>> for Asked<T> {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, _: &Arc<Server>) -> Result<Self, Refused> {
        match Query::try_from_uri(&parts.uri) {
            Ok(Query(asked)) => Ok(Self(asked)),
            Err(error) => Err(Refused::new(
                StatusCode::BAD_REQUEST,
                Problem::new("node.bad-query", "what stands behind the `?` is not what is wanted here").because(error),
            )),
        }
    }
}

impl Caller {
    /// The app of a path, when the caller may do that to it.
    pub fn may(&self, verb: Verb, app: &str) -> Result<AppName, Refused> {
        let app = AppName::parse(app).map_err(|problem| {
            let message = problem.message.clone();
            Refused::new(StatusCode::BAD_REQUEST, problem)
                .error("NAME_INVALID", &message, serde_json::Value::Null)
                .hint("a lowercase letter, then up to 15 of `a-z`, `0-9` and `_`")
        })?;
        if self.0.allows(verb, &app) {
            return Ok(app);
        }
        let message = format!("this token may not {verb} `{app}`");
        let can = self.0.can.iter().map(Verb::to_string).collect::<Vec<_>>().join(", ");
        let of = self.0.app.as_ref().map_or_else(|| "all apps".to_owned(), |app| format!("`{app}`"));
        Err(Refused::new(
            StatusCode::FORBIDDEN,
            Problem::new("auth.forbidden", &message).because(format!("it is for {of}: {can}")),
        )
        .error("DENIED", &message, serde_json::Value::Null)
        .hint(format!("ask who runs the node for one that may: `dae node token --app {app} --can {verb}`")))
    }
}
