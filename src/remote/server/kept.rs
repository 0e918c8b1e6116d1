//! What is kept of an app's services on a node, for those who look from elsewhere: its errors, its mail.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::IntoResponse as _;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Value, json};

use super::auth::Verb;
use super::caller::Caller;
use super::control::read;
use super::refusal::{Answer, Refused};
use super::{Server, blocking};
use crate::problem::Problem;
use crate::remote::api::Resolve;
use crate::services::errors::event::exceptions;
use crate::services::errors::{Resolved, Store};
use crate::services::mail::{self, Message};

/// So many mails are listed.
const MAILS: usize = 200;

pub fn routes() -> Router<Arc<Server>> {
    Router::new()
        .route("/dae/v1/apps/{app}/errors", get(errors))
        .route("/dae/v1/apps/{app}/errors/{number}", get(error))
        .route("/dae/v1/apps/{app}/errors/resolve", post(resolve))
        .route("/dae/v1/apps/{app}/mail", get(mails))
        .route("/dae/v1/apps/{app}/mail/{number}", get(mail))
}

async fn errors(State(server): State<Arc<Server>>, caller: Caller, Path(app): Path<String>) -> Answer {
    let app = caller.may(Verb::Read, &app)?;
    let data = server.platforms.data(&app);
    let live = server.store.live(&app)?.map(|live| live.created);
    let told = blocking(move || -> Result<Value, Refused> {
        let store = Store::look(&data)?;
        let errors = store.as_ref().map(|store| store.list(live)).transpose()?.unwrap_or_default();
        let refused = store.as_ref().map(Store::refused).transpose()?.unwrap_or_default();
        Ok(json!({ "edited": live, "errors": errors, "refused": refused }))
    });
    Ok(Json(told.await?).into_response())
}

async fn error(
    State(server): State<Arc<Server>>,
    caller: Caller,
    Path((app, number)): Path<(String, String)>,
) -> Answer {
    let app = caller.may(Verb::Read, &app)?;
    let data = server.platforms.data(&app);
    let live = server.store.live(&app)?.map(|live| live.created);
    let told = blocking(move || -> Result<Value, Refused> {
        let unknown = || no_error(&number);
        let wanted: u64 = number.parse().map_err(|_| unknown())?;
        let store = Store::look(&data)?.ok_or_else(unknown)?;
        let error = store.list(live)?.into_iter().find(|error| error.id == wanted).ok_or_else(unknown)?;
        let reports = store.reports(wanted)?;
        let exceptions = reports.first().and_then(Value::as_object).map(exceptions).unwrap_or_default();
        let mut told = serde_json::to_value(error).unwrap_or_default();
        told["exceptions"] = json!(exceptions);
        told["reports"] = json!(reports);
        Ok(told)
    });
    Ok(Json(told.await?).into_response())
}

fn no_error(number: &str) -> Refused {
    let number = number.escape_debug();
    Refused::new(StatusCode::NOT_FOUND, Problem::new("errors.number", format!("there is no error {number}")))
}

async fn resolve(State(server): State<Arc<Server>>, caller: Caller, Path(app): Path<String>, body: Body) -> Answer {
    let app = caller.may(Verb::Deploy, &app)?;
    let Resolve { errors, all } = read(body).await?;
    let data = server.platforms.data(&app);
    let told = blocking(move || -> Result<Value, Refused> {
        let store = Store::look(&data)?;
        let wanted: Vec<u64> = match &store {
            Some(store) if all => store.list(None)?.iter().map(|error| error.id).collect(),
            _ => errors,
        };
        let mut resolved = Vec::new();
        for number in wanted {
            let how = store.as_ref().map(|store| store.resolve(number, jiff::Timestamp::now())).transpose()?;
            match how {
                Some(Resolved::Now) => resolved.push(number),
                Some(Resolved::Before) => {}
                Some(Resolved::Unknown) | None => return Err(no_error(&number.to_string())),
            }
        }
        Ok(json!({ "resolved": resolved }))
    });
    Ok(Json(told.await?).into_response())
}

async fn mails(State(server): State<Arc<Server>>, caller: Caller, Path(app): Path<String>) -> Answer {
    let app = caller.may(Verb::Read, &app)?;
    let store = mail::Store::new(&server.platforms.data(&app));
    let told = blocking(move || -> Result<Value, Refused> {
        let kept = store.list()?;
        let mut mails = Vec::new();
        for kept in &kept[kept.len().saturating_sub(MAILS)..] {
            // One that went in between is not there.
            let Ok(bytes) = store.read(kept.number) else { continue };
            let Message { from, recipients, subject, attachments, .. } = Message::read(&bytes);
            mails.push(json!({
                "number": kept.number, "came": kept.came, "size": kept.size, "from": from, "to": recipients,
                "subject": subject, "attachments": attachments.len(),
            }));
        }
        Ok(json!({ "mails": mails }))
    });
    Ok(Json(told.await?).into_response())
}

async fn mail(
    State(server): State<Arc<Server>>,
    caller: Caller,
    Path((app, number)): Path<(String, String)>,
) -> Answer {
    // What is in it is the app's, as its data is.
    let app = caller.may(Verb::Deploy, &app)?;
    let store = mail::Store::new(&server.platforms.data(&app));
    let told = blocking(move || -> Result<Value, Refused> {
        let unknown = || {
            let said = format!("there is no mail {}", number.escape_debug());
            Refused::new(StatusCode::NOT_FOUND, Problem::new("mail.number", said))
        };
        let wanted: u64 = number.parse().map_err(|_| unknown())?;
        let kept = store.list()?.into_iter().find(|kept| kept.number == wanted).ok_or_else(unknown)?;
        let bytes = store.read(wanted)?;
        Ok(json!({ "number": wanted, "came": kept.came, "raw": String::from_utf8_lossy(&bytes) }))
    });
    Ok(Json(told.await?).into_response())
}
