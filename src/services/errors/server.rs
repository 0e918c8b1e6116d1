//! The intake: Sentry's two routes on a listener of their own.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::body::{LARGEST, Unreadable, unpack, unpack_old};
use super::envelope::Envelope;
use super::event::Event;
use super::secrets::Filter;
use super::store::{Added, Store};
use crate::problem::Result;
use crate::services::{self, Guarded, Known, NewError, Space, Tell};

/// Whoever sends a report when the services end may finish it within this.
const LAST_WORDS: Duration = Duration::from_millis(300);
/// A report that is larger loses the parts that make reports large.
const LARGEST_KEPT: usize = 512 << 10;

/// Where reports come in.
#[derive(Debug)]
pub struct Intake {
    key: String,
    data: PathBuf,
    /// The app's code, where it is known.
    code: Option<PathBuf>,
    config: Known,
    tell: Tell,
    /// Opened with the first report.
    store: Mutex<Option<Store>>,
}

/// Why a report is not taken.
struct Refusal(StatusCode, String);

impl Intake {
    pub fn new(key: String, space: &Space) -> Self {
        Self {
            key,
            data: space.data.clone(),
            code: space.machine.code.clone(),
            config: space.machine.config.clone(),
            tell: space.tell.clone(),
            store: Mutex::default(),
        }
    }

    /// Takes reports until `stop`.
    pub async fn serve(self: Arc<Self>, listener: Guarded<TcpListener>, stop: CancellationToken) {
        let routes = Router::new()
            .route("/api/{project}/envelope/", post(envelope))
            .route("/api/{project}/envelope", post(envelope))
            .route("/api/{project}/store/", post(store))
            .route("/api/{project}/store", post(store))
            .route("/api/store/", post(old_store))
            .layer(DefaultBodyLimit::max(LARGEST))
            .with_state(self);
        let serving = axum::serve(listener, routes).with_graceful_shutdown(stop.clone().cancelled_owned());
        let serving = std::future::IntoFuture::into_future(serving);
        let late = async {
            stop.cancelled().await;
            tokio::time::sleep(LAST_WORDS).await;
        };
        tokio::select! { _ = serving => {}, () = late => {} }
    }

    /// Does what a request asks, off the threads that serve others.
    async fn take(self: Arc<Self>, work: impl FnOnce(&Self) -> Result<String, Refusal> + Send + 'static) -> Response {
        let taken = tokio::task::spawn_blocking(move || {
            let taken = work(&self);
            if let Err(Refusal(status, why)) = &taken
                && *status != StatusCode::FORBIDDEN
            {
                self.tell.note("errors", format!("a report was refused: {why}"));
                // It was said.
                let _ = self.with_store(|store| store.refuse(why, Timestamp::now()));
            }
            taken
        });
        match taken.await {
            Ok(Ok(id)) => Json(json!({ "id": id })).into_response(),
            Ok(Err(Refusal(status, why))) => {
                // Sentry's clients look for it there.
                let told: String = why.chars().filter(|c| c.is_ascii() && !c.is_control()).take(300).collect();
                (status, [("x-sentry-error", told)], Json(json!({ "detail": why }))).into_response()
            }
            Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        }
    }

    fn with_store<T>(&self, work: impl FnOnce(&mut Store) -> Result<T>) -> Result<T> {
        let mut store = self.store.lock().unwrap_or_else(PoisonError::into_inner);
        let open = match store.take() {
            Some(open) => open,
            None => Store::open(&self.data)?,
        };
        work(store.insert(open))
    }

    fn admit(&self, key: Option<&str>) -> Result<(), Refusal> {
        if key == Some(&self.key) {
            return Ok(());
        }
        Err(Refusal(StatusCode::FORBIDDEN, "bad sentry DSN public key".into()))
    }

    fn envelope(&self, key: Option<&str>, body: &[u8], encoding: &str) -> Result<String, Refusal> {
        let body = unpack(body, encoding)?;
        let bad = |why: String| Refusal(StatusCode::BAD_REQUEST, format!("malformed envelope: {why}"));
        let envelope = Envelope::read(&body).map_err(bad)?;
        let dsn = envelope.header.get("dsn").and_then(Value::as_str);
        let own = dsn.and_then(|dsn| dsn.split_once("//")?.1.split(['@', ':']).next());
        self.admit(key.or(own))?;
        let mut id = envelope.header.get("event_id").and_then(Value::as_str).unwrap_or_default().to_owned();
        // All of them are good, or none is kept.
        let mut events = Vec::new();
        for item in envelope.items.iter().filter(|item| item.kind == "event") {
            events.push(object(item.payload).map_err(|why| bad(format!("an event is no JSON object: {why}")))?);
        }
        for event in events {
            id = self.keep(event)?;
        }
        Ok(id)
    }

    fn store(&self, key: Option<&str>, body: &[u8], encoding: &str) -> Result<String, Refusal> {
        self.admit(key)?;
        let mut body = unpack(body, encoding)?;
        if encoding.is_empty() {
            body = unpack_old(body)?;
        }
        let bad = |why: String| Refusal(StatusCode::BAD_REQUEST, format!("malformed event: {why}"));
        self.keep(object(&body).map_err(bad)?)
    }

    fn keep(&self, mut report: Map<String, Value>) -> Result<String, Refusal> {
        Filter::of(&report, self.code.as_deref(), self.config.values()).object(&mut report);
        let Some(mut event) = Event::read(&report) else {
            return Err(Refusal(StatusCode::BAD_REQUEST, "malformed event: neither an exception nor a message".into()));
        };
        if event.id.len() != 32 {
            event.id = fresh_id();
        }
        let mut text = Value::Object(report.clone()).to_string();
        for part in ["breadcrumbs", "modules", "extra", "request", "contexts", "threads"] {
            if text.len() > LARGEST_KEPT && report.remove(part).is_some() {
                text = Value::Object(report.clone()).to_string();
            }
        }
        if text.len() > LARGEST_KEPT {
            text = json!({ "level": event.level, "message": event.message }).to_string();
        }
        match self.with_store(|store| store.add(&event, &text, Timestamp::now())) {
            Ok(Some(added)) => self.announce(&event, &added),
            Ok(None) => {}
            Err(problem) => {
                self.tell.failed("errors", problem.clone());
                return Err(Refusal(StatusCode::SERVICE_UNAVAILABLE, problem.to_string()));
            }
        }
        Ok(event.id)
    }

    fn announce(&self, event: &Event, added: &Added) {
        let Added { error, count, back } = added;
        if *count > 1 && !back {
            return;
        }
        let word = if *back { "back" } else { "new" };
        let place = if event.place.is_empty() { String::new() } else { format!(" at {}", event.place) };
        let line = format!("{word}, number {error}: {}: {}{place}", event.kind, event.message);
        self.tell.note("errors", line.replace(char::is_control, " "));
        let Event { kind, message, place, .. } = event.clone();
        self.tell.event(services::Event::Error(NewError { number: *error, kind, message, place, back: *back }));
    }
}

impl From<Unreadable> for Refusal {
    fn from(unreadable: Unreadable) -> Self {
        match unreadable {
            Unreadable::TooLarge => Self(StatusCode::PAYLOAD_TOO_LARGE, format!("larger than {LARGEST} bytes")),
            Unreadable::Encoding(name) => {
                Self(StatusCode::UNSUPPORTED_MEDIA_TYPE, format!("the encoding `{name}` is not known"))
            }
            Unreadable::Broken(why) => Self(StatusCode::BAD_REQUEST, why),
        }
    }
}

type Asked = (State<Arc<Intake>>, Query<Vec<(String, String)>>, HeaderMap);

async fn envelope(_: Path<String>, (State(intake), query, headers): Asked, body: Bytes) -> Response {
    let (key, encoding) = (key(&headers, &query), encoding(&headers));
    intake.take(move |intake| intake.envelope(key.as_deref(), &body, &encoding)).await
}

async fn store(_: Path<String>, (State(intake), query, headers): Asked, body: Bytes) -> Response {
    let (key, encoding) = (key(&headers, &query), encoding(&headers));
    intake.take(move |intake| intake.store(key.as_deref(), &body, &encoding)).await
}

async fn old_store((State(intake), query, headers): Asked, body: Bytes) -> Response {
    let (key, encoding) = (key(&headers, &query), encoding(&headers));
    intake.take(move |intake| intake.store(key.as_deref(), &body, &encoding)).await
}

/// `X-Sentry-Auth: Sentry sentry_key=..., ...`, also as Authorization, or the query's `sentry_key`.
fn key(headers: &HeaderMap, query: &[(String, String)]) -> Option<String> {
    let names = ["x-sentry-auth", "authorization"];
    let said = names.iter().filter_map(|name| headers.get(*name)?.to_str().ok()).find_map(|value| {
        let mut parts = value.trim_start_matches("Sentry ").split(',');
        parts.find_map(|part| part.trim().strip_prefix("sentry_key=")).map(str::to_owned)
    });
    said.or_else(|| query.iter().find(|(name, _)| name == "sentry_key").map(|(_, value)| value.clone()))
}

fn encoding(headers: &HeaderMap) -> String {
    headers.get(header::CONTENT_ENCODING).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
}

fn object(bytes: &[u8]) -> Result<Map<String, Value>, String> {
    serde_json::from_slice(bytes).map_err(|error| error.to_string())
}

/// For a client that gives none.
fn fresh_id() -> String {
    let mut random = [0; 16];
    // Without randomness two of them may be taken for one.
    let _ = getrandom::fill(&mut random);
    format!("{:032x}", u128::from_be_bytes(random))
}
