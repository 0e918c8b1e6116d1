//! The control API: what [`crate::remote::api`] lists.

use std::convert::Infallible;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use futures_util::Stream;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::Server;
use super::access;
use super::auth::Verb;
use super::caller::{Asked, Caller};
use super::headers::Expected;
use super::logs;
use super::refusal::{Answer, Refused};
use super::releases::{Going, Reached};
use super::store::{Draft, Moved, With};
use crate::app::AppName;
use crate::packaging::{self, Digest};
use crate::problem::Problem;
use crate::remote::api::{
    Accepted, Capabilities, DeployEvent, LogLine, NewRelease, Processes, Release, ReleaseId, ReleaseState, Releases,
    Rollback, Share,
};

/// The largest body of a request here.
const LARGEST: usize = 512 << 10;

pub fn routes() -> Router<Arc<Server>> {
    Router::new()
        .route("/dae/v1", get(capabilities))
        .route("/dae/v1/openapi.yaml", get(description))
        .route("/dae/v1/apps/{app}/releases", get(releases).post(release))
        .route("/dae/v1/apps/{app}/releases/{id}/events", get(events))
        .route("/dae/v1/apps/{app}/rollback", post(rollback))
        .route("/dae/v1/apps/{app}/plan", post(super::plan::plan))
        .route("/dae/v1/apps/{app}/processes", get(processes))
        .route("/dae/v1/apps/{app}/logs", get(log_lines))
        .merge(super::changes::routes())
        .merge(super::kept::routes())
        .merge(super::queues::routes())
        .merge(super::cron::routes())
        .merge(super::traffic::routes())
        .merge(super::runs::routes())
        .merge(super::console::routes())
        .merge(super::maintenance::routes())
        .fallback(nothing)
}

async fn nothing(path: axum::http::Uri) -> Refused {
    if path.path().starts_with("/v2/") {
        return super::registry::nothing();
    }
    Refused::new(
        StatusCode::NOT_FOUND,
        Problem::new("node.no-such-path", "this is a dae node, and nothing is here")
            .hint("apps answer under their own names; the API is below `/dae/v1` and `/v2/`"),
    )
}

pub(super) async fn not_so() -> Refused {
    Refused::registry(StatusCode::METHOD_NOT_ALLOWED, "UNSUPPORTED", "that cannot be done here")
}

/// This API, for programs; nobody has to have a token to read it.
async fn description() -> Response {
    let text = include_str!("../../../docs/openapi.yaml");
    ([(header::CONTENT_TYPE, "application/yaml")], text).into_response()
}

async fn capabilities(State(server): State<Arc<Server>>, _: Caller) -> Answer {
    let domain = server.domain.clone();
    let pythons = {
        let server = server.clone();
        super::blocking(move || Ok::<_, Refused>(server.pythons())).await?
    };
    Ok(Json(Capabilities {
        api: 1,
        server: concat!("dae ", env!("CARGO_PKG_VERSION")).to_owned(),
        domain,
        pythons,
        platform: packaging::platform(),
        seals_to: Some(server.key.public().to_string()),
        elsewhere: server.backends.names(),
    })
    .into_response())
}

async fn releases(State(server): State<Arc<Server>>, caller: Caller, Path(app): Path<String>) -> Answer {
    let app = caller.may(Verb::Read, &app)?;
    let releases = server.store.releases(&app)?;
    Ok(Json(Releases { app, releases }).into_response())
}

async fn processes(State(server): State<Arc<Server>>, caller: Caller, Path(app): Path<String>) -> Answer {
    let app = caller.may(Verb::Read, &app)?;
    let processes = server.processes_of(&app).await;
    Ok(Json(Processes { app, processes }).into_response())
}

async fn release(
    State(server): State<Arc<Server>>,
    caller: Caller,
    Path(app): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Answer {
    let app = caller.may(Verb::Deploy, &app)?;
    let expected = expected(&headers)?;
    let NewRelease { image, message, by, git, share } = read(body).await?;
    let unprocessable = |problem| Refused::new(StatusCode::UNPROCESSABLE_ENTITY, problem);
    if super::front::is_address_of_release(&app.host()) {
        return Err(unprocessable(
            Problem::new("app.name-taken", format!("`{app}` would answer at the address of another app's release"))
                .hint("give it a name that does not begin like `r1__`"),
        ));
    }
    // All of the visitors are no trial.
    let share = share.filter(|share| share.percent != 100);
    if let Some(share) = &share {
        super::traffic::visitors(share).map_err(unprocessable)?;
        if server.store.live(&app)?.is_none() {
            return Err(super::changes::nothing_live(&app));
        }
    }
    let image = Digest::parse(&image).map_err(|problem| Refused::new(StatusCode::UNPROCESSABLE_ENTITY, problem))?;
    if server.store.manifest(&app, &image)?.is_none() {
        return Err(Refused::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            Problem::new("release.no-image", format!("`{app}` has no image {} on this node", image.short()))
                .hint("push it first"),
        ));
    }
    server.blobs.touch(&image);
    let draft = Draft { image: image.to_string(), message, by, git, repeats: None, settings: With::Current };
    accept(server, app, Begin { draft, expected, share }, &headers).await
}

async fn rollback(
    State(server): State<Arc<Server>>,
    caller: Caller,
    Path(app): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Answer {
    let app = caller.may(Verb::Deploy, &app)?;
    let expected = expected(&headers)?;
    let Rollback { to } = read(body).await?;
    if to.is_none() && server.store.gray(&app)?.is_some() {
        return super::traffic::end(server, app, expected).await;
    }
    let conflict = |problem| Refused::new(StatusCode::CONFLICT, problem);
    let target = match to {
        Some(id) => server.store.release(&app, id)?.ok_or_else(|| no_release(&app, id))?,
        None => server.store.before_live(&app)?.ok_or_else(|| {
            conflict(
                Problem::new("release.nothing-before", format!("there is nothing to roll `{app}` back to"))
                    .because("no other release was live before"),
            )
        })?,
    };
    match target.state {
        ReleaseState::Past | ReleaseState::Withdrawn => {}
        ReleaseState::Gray => {
            return Err(conflict(
                Problem::new("release.gray", format!("{} is tried beside the live one", target.id))
                    .hint("to make it live: `dae traffic 100`"),
            ));
        }
        ReleaseState::Live => {
            return Err(conflict(Problem::new("release.live-already", format!("{} is live already", target.id))));
        }
        ReleaseState::Starting | ReleaseState::Failed | ReleaseState::Superseded => {
            return Err(conflict(
                Problem::new("release.never-live", format!("{} was never live", target.id))
                    .hint("`dae releases` shows those that were"),
            ));
        }
    }
    let message = Some(format!("rollback to {}", target.id));
    let (image, git, repeats, settings) = (target.image, target.git, Some(target.id), With::Of(target.id));
    let draft = Draft { image, message, by: None, git, repeats, settings };
    accept(server, app, Begin { draft, expected, share: None }, &headers).await
}

/// A release about to be made.
pub(super) struct Begin {
    pub draft: Draft,
    pub expected: Expected,
    /// Tried on these, beside the live one.
    pub share: Option<Share>,
}

pub(super) async fn accept(server: Arc<Server>, app: AppName, begin: Begin, headers: &HeaderMap) -> Answer {
    let reached = Reached::by(headers);
    let Begin { draft, expected, share } = begin;
    // Accepted and started in one piece: this request may be given up at any await, a release may not.
    let accepted = super::blocking(move || match server.store.accept(&app, draft, expected)? {
        Ok(release) => {
            let events = format!("/dae/v1/apps/{app}/releases/{}/events", release.id);
            let accepted = Accepted { release: release.id, events };
            let url = match share {
                Some(_) => reached.url(&format!("{}--{}", release.id, server.host_of(&app))),
                None => reached.url(&server.host_of(&app)),
            };
            server.start_release(app, Going { release, expected, share, url });
            Ok(accepted)
        }
        Err(moved) => Err(precondition(&app, moved)),
    })
    .await?;
    Ok((StatusCode::ACCEPTED, [(header::LOCATION, accepted.events.clone())], Json(accepted)).into_response())
}

/// By `If-Match`; without one anything may be live.
pub(super) fn expected(headers: &HeaderMap) -> Result<Expected, Refused> {
    let Some(value) = headers.get(header::IF_MATCH) else { return Ok(Expected::Anything) };
    Expected::read(value.to_str().unwrap_or_default()).map_err(|problem| Refused::new(StatusCode::BAD_REQUEST, problem))
}

pub(super) fn precondition(app: &AppName, moved: Moved) -> Refused {
    let problem = match &moved.live {
        None => Problem::new("release.moved", format!("nothing of `{app}` is live")),
        Some(live) => live_instead(app, live),
    };
    let live = moved.live.map_or_else(|| "none".to_owned(), |live| live.id.to_string());
    Refused::new(StatusCode::PRECONDITION_FAILED, problem).header(header::ETAG, format!("\"{live}\""))
}

/// Somebody else was faster.
pub(super) fn live_instead(app: &AppName, live: &Release) -> Problem {
    let by = live.by.as_ref().map(|by| format!(" by {by}")).unwrap_or_default();
    let said = live.message.as_ref().map(|message| format!(": {message}")).unwrap_or_default();
    Problem::new("release.moved", format!("{} of `{app}` went live meanwhile", live.id))
        .because(format!("it was deployed {}{by}{said}", live.created.strftime("%Y-%m-%d %H:%M:%S UTC")))
        .hint("look at what it changed, then deploy again to replace it")
}

pub(super) fn unknown_app(app: &AppName) -> Refused {
    let problem = Problem::new("app.unknown", format!("`{app}` was never deployed to this node"));
    Refused::new(StatusCode::NOT_FOUND, problem.try_running("dae deploy"))
}

pub(super) fn no_release(app: &AppName, id: ReleaseId) -> Refused {
    Refused::new(
        StatusCode::NOT_FOUND,
        Problem::new("release.unknown", format!("`{app}` has no release {id}"))
            .hint("`dae releases` shows those there are"),
    )
}

pub(super) async fn read<T: DeserializeOwned>(body: Body) -> Result<T, Refused> {
    read_up_to(body, LARGEST).await
}

pub(super) async fn read_up_to<T: DeserializeOwned>(body: Body, largest: usize) -> Result<T, Refused> {
    let bytes = axum::body::to_bytes(body, largest).await.map_err(|error| {
        Refused::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            Problem::new("node.too-large", format!("the request could not be read, or has more than {largest} bytes"))
                .because(error),
        )
    })?;
    serde_json::from_slice(&bytes).map_err(|error| {
        Refused::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            Problem::new("node.bad-request", "the request is not what is wanted here").because(error),
        )
    })
}

async fn events(
    State(server): State<Arc<Server>>,
    caller: Caller,
    Path((app, id)): Path<(String, String)>,
    headers: HeaderMap,
) -> Answer {
    let app = caller.may(Verb::Read, &app)?;
    let id: ReleaseId = id.parse().map_err(|problem| Refused::new(StatusCode::BAD_REQUEST, problem))?;
    if server.store.release(&app, id)?.is_none() {
        return Err(no_release(&app, id));
    }
    let after = headers.get("last-event-id").and_then(|value| value.to_str().ok()?.parse().ok()).unwrap_or(0);
    Ok(Sse::new(follow(server, app, id, after)).keep_alive(KeepAlive::default()).into_response())
}

/// A release's story from after event `after` to its end.
fn follow(
    server: Arc<Server>,
    app: AppName,
    id: ReleaseId,
    after: u64,
) -> impl Stream<Item = Result<Event, Infallible>> + Send {
    use std::collections::VecDeque;
    let changes = server.releases.changes();
    let start = (server, changes, VecDeque::<(u64, DeployEvent)>::new(), after, false);
    futures_util::stream::unfold(start, move |(server, mut changes, mut ready, mut after, mut ended)| {
        let app = app.clone();
        async move {
            loop {
                if let Some((number, event)) = ready.pop_front() {
                    ended |= matches!(event, DeployEvent::Live { .. } | DeployEvent::Failed { .. });
                    after = number;
                    let sent = Event::default().id(number.to_string()).json_data(&event).ok()?;
                    return Some((Ok(sent), (server, changes, ready, after, ended)));
                }
                if ended {
                    return None;
                }
                // Looked at before the store, so that what comes in between is not slept through.
                changes.borrow_and_update();
                let state = server.store.release(&app, id).ok()??.state;
                ready = server.store.events(&app, id, after).ok()?.into();
                if !ready.is_empty() {
                    continue;
                }
                if state != ReleaseState::Starting || changes.changed().await.is_err() {
                    return None;
                }
            }
        }
    })
}

#[derive(Debug, Deserialize)]
struct Wanted {
    lines: Option<usize>,
    process: Option<String>,
    release: Option<String>,
    /// Go on with what is printed from now on.
    #[serde(default)]
    follow: bool,
    /// Of the access log, and of no process.
    #[serde(default)]
    access: bool,
}

async fn log_lines(
    State(server): State<Arc<Server>>,
    caller: Caller,
    Path(app): Path<String>,
    Asked(wanted): Asked<Wanted>,
) -> Result<Response, Refused> {
    let app = caller.may(Verb::Read, &app)?;
    if !server.store.knows(&app)? {
        return Err(unknown_app(&app));
    }
    if wanted.access {
        return access_lines(server, app, wanted).await;
    }
    let release = wanted.release.as_deref().map(str::parse::<ReleaseId>).transpose();
    let release = release.map_err(|problem| Refused::new(StatusCode::BAD_REQUEST, problem))?;
    let count = wanted.lines.unwrap_or(logs::USUAL).min(logs::MOST);
    if wanted.follow {
        // Heard before the files are read: a line in between comes twice rather than never.
        let heard = server.releases.lines();
        let folder = server.settings().log_dir.join(app.as_str());
        let process = wanted.process.clone();
        let last = super::blocking(move || logs::last_lines(&folder, process.as_deref(), count)).await?;
        return Ok(told_on(logs::follow(last, heard, app, wanted.process)));
    }
    super::blocking(move || {
        let lines = match release {
            Some(id) if server.store.release(&app, id)?.is_none() => return Err(no_release(&app, id)),
            Some(id) => logs::of_release(&server.store.events(&app, id, 0)?, wanted.process.as_deref(), count),
            None => {
                let folder = server.settings().log_dir.join(app.as_str());
                logs::tail(&folder, wanted.process.as_deref(), count)?
            }
        };
        Ok(told(lines))
    })
    .await
}

async fn access_lines(server: Arc<Server>, app: AppName, wanted: Wanted) -> Result<Response, Refused> {
    let count = wanted.lines.unwrap_or(logs::USUAL).min(logs::MOST);
    // Heard before the file is read, as above.
    let heard = server.access.follow();
    let name = app.clone();
    let last = super::blocking(move || server.access.last(&name, count)).await?;
    if !wanted.follow {
        return Ok(told(last));
    }
    let line = |line: &str| LogLine { process: access::PROCESS.to_owned(), line: line.to_owned() };
    Ok(told_on(logs::follow(last.lines().map(line).collect(), heard, app, None)))
}

fn told(lines: String) -> Response {
    ([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], lines).into_response()
}

fn told_on(events: impl Stream<Item = Result<Event, Infallible>> + Send + 'static) -> Response {
    Sse::new(events).keep_alive(KeepAlive::default()).into_response()
}
