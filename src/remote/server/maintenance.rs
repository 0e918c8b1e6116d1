//! Apps that are closed for maintenance: their visitors get a page and are told when to come again; all else goes on.

use std::collections::HashMap;
use std::io::Read as _;
use std::path::Path as FilePath;
use std::sync::{Arc, PoisonError, RwLock};

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::IntoResponse as _;
use axum::routing::get;
use axum::{Json, Router};
use hyper::header::{HeaderValue, RETRY_AFTER};

use super::auth::Verb;
use super::caller::Caller;
use super::control::{read, unknown_app};
use super::pages::notice;
use super::refusal::{Answer, Refused};
use super::store::{Closure, Store};
use super::{Server, blocking};
use crate::app::AppName;
use crate::gateway::{Response, Wants, html, plain};
use crate::problem::{Problem, Result};
use crate::remote::api::{Close, Maintenance};

/// An app's own page for this, in its folder.
const PAGE: &str = "maintenance.html";
const LARGEST_PAGE: u64 = 256 << 10;
const LONGEST_MESSAGE: usize = 1000;
/// When visitors should come again, where nobody says, in seconds.
const USUAL: u32 = 300;

pub fn routes() -> Router<Arc<Server>> {
    Router::new().route("/dae/v1/apps/{app}/maintenance", get(show).put(close).delete(open))
}

/// Those that are closed.
pub struct Closed(RwLock<HashMap<AppName, Arc<Closure>>>);

impl Closed {
    pub fn of(store: &Store) -> Result<Self> {
        let closed = store.closed_apps()?.into_iter().map(|(app, closure)| (app, Arc::new(closure)));
        Ok(Self(RwLock::new(closed.collect())))
    }

    pub fn get(&self, app: &AppName) -> Option<Arc<Closure>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(app).cloned()
    }

    /// Most often no app is, and nobody has to be looked for.
    pub fn is_empty(&self) -> bool {
        self.0.read().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    fn set(&self, app: AppName, closure: Option<Closure>) {
        let mut closed = self.0.write().unwrap_or_else(PoisonError::into_inner);
        match closure {
            Some(closure) => drop(closed.insert(app, Arc::new(closure))),
            None => drop(closed.remove(&app)),
        }
    }
}

/// What a visitor gets.
pub fn page(closure: &Closure, wants: Wants) -> Response {
    const MESSAGE: &str = "Closed for maintenance";
    let status = StatusCode::SERVICE_UNAVAILABLE;
    let mut response = match (wants, &closure.page, &closure.message) {
        (Wants::Text, _, None) => plain(status, MESSAGE),
        (Wants::Text, _, Some(message)) => plain(status, &format!("{MESSAGE}\n{message}")),
        (Wants::Html, Some(page), _) => {
            let mut response = html(status, page.clone());
            // It is the app's own, and may be as it likes.
            response.headers_mut().remove("content-security-policy");
            response
        }
        (Wants::Html, None, message) => {
            let more = message.clone().unwrap_or_else(|| "It will be back soon.".to_owned());
            notice(status, MESSAGE, vec![more], None)
        }
    };
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(closure.retry_after_s));
    response
}

fn told(app: AppName, closure: Option<&Closure>) -> axum::response::Response {
    let own_page = closure.is_some_and(|closure| closure.page.is_some());
    let told = match closure {
        None => Maintenance { app, on: false, since: None, by: None, message: None, retry_after_s: None, own_page },
        Some(Closure { since, by, message, retry_after_s, page: _ }) => Maintenance {
            app,
            on: true,
            since: Some(*since),
            by: by.clone(),
            message: message.clone(),
            retry_after_s: Some(*retry_after_s),
            own_page,
        },
    };
    Json(told).into_response()
}

async fn show(State(server): State<Arc<Server>>, caller: Caller, Path(app): Path<String>) -> Answer {
    let app = caller.may(Verb::Read, &app)?;
    let closure = server.closed.get(&app);
    Ok(told(app, closure.as_deref()))
}

async fn close(State(server): State<Arc<Server>>, caller: Caller, Path(app): Path<String>, body: Body) -> Answer {
    let app = caller.may(Verb::Deploy, &app)?;
    let Close { message, retry_after_s, by } = read(body).await?;
    if message.as_ref().is_some_and(|message| message.len() > LONGEST_MESSAGE || message.contains('\0')) {
        let problem = Problem::new("maintenance.message", "the message is longer than 1000 bytes, or holds a NUL");
        return Err(Refused::new(StatusCode::UNPROCESSABLE_ENTITY, problem));
    }
    if !server.store.knows(&app)? {
        return Err(unknown_app(&app));
    }
    let page = match server.store.live(&app)? {
        Some(live) => {
            let root = server.assemble(&app, &live).await?.root;
            blocking(move || Ok::<_, Refused>(own_page(&root))).await?
        }
        None => None,
    };
    let retry_after_s = retry_after_s.unwrap_or(USUAL);
    let closure = Closure { since: jiff::Timestamp::now(), by, message, retry_after_s, page };
    blocking(move || {
        server.store.close_app(&app, &closure)?;
        server.closed.set(app.clone(), Some(closure.clone()));
        Ok(told(app, Some(&closure)))
    })
    .await
}

async fn open(State(server): State<Arc<Server>>, caller: Caller, Path(app): Path<String>) -> Answer {
    let app = caller.may(Verb::Deploy, &app)?;
    blocking(move || {
        server.store.open_app(&app)?;
        server.closed.set(app.clone(), None);
        Ok(told(app, None))
    })
    .await
}

/// One that is too large, or no text, is none.
fn own_page(root: &FilePath) -> Option<String> {
    let path = root.join(PAGE);
    if !path.symlink_metadata().ok()?.is_file() {
        return None;
    }
    let mut page = String::new();
    let mut file = std::fs::File::open(path).ok()?.take(LARGEST_PAGE + 1);
    let length = file.read_to_string(&mut page).ok()?;
    (length as u64 <= LARGEST_PAGE).then_some(page)
}
