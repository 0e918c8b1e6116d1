//! What can be changed of an app without new code: its environment, how many of its processes run, the hosts it answers for.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, put};
use axum::{Json, Router};
use serde::Deserialize;

use super::auth::Verb;
use super::caller::{Asked, Caller};
use super::control::{Begin, accept, expected, precondition, read};
use super::headers::Expected;
use super::refusal::{Answer, Refused};
use super::store::{Draft, Moved, With};
use super::{Server, blocking, login};
use crate::app::{AppName, Manifest};
use crate::problem::Problem;
use crate::remote::api::{Config, ConfigChange, Domains, Release, Scale, ScaleChange};
use crate::remote::settings::{Settings, host_name, said};

pub fn routes() -> Router<Arc<Server>> {
    Router::new()
        .route("/dae/v1/apps/{app}/config", get(config).patch(change_config))
        .route("/dae/v1/apps/{app}/scale", get(scale).patch(change_scale))
        .route("/dae/v1/apps/{app}/domains", get(domains))
        .route("/dae/v1/apps/{app}/domains/{host}", put(add_domain).delete(remove_domain))
}

#[derive(Debug, Deserialize)]
struct Shown {
    #[serde(default)]
    reveal: bool,
}

async fn config(
    State(server): State<Arc<Server>>,
    caller: Caller,
    Path(app): Path<String>,
    Asked(shown): Asked<Shown>,
) -> Answer {
    // Who may change the code may read all that the code can.
    let app = caller.may(if shown.reveal { Verb::Deploy } else { Verb::Read }, &app)?;
    let (live, settings) = current(&server, &app)?;
    Ok(Json(told(app, live.as_ref(), settings, shown.reveal)).into_response())
}

fn current(server: &Server, app: &AppName) -> Result<(Option<Release>, Settings), Refused> {
    Ok((server.store.live(app)?, server.settings_of(app, None)?))
}

fn told(app: AppName, live: Option<&Release>, settings: Settings, reveal: bool) -> Config {
    let config = settings.env.into_iter().map(|(name, value)| (name, Some(value).filter(|_| reveal))).collect();
    Config { app, release: live.map(|live| live.id), config }
}

async fn change_config(
    State(server): State<Arc<Server>>,
    caller: Caller,
    Path(app): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Answer {
    let app = caller.may(Verb::Deploy, &app)?;
    let expected = expected(&headers)?;
    let change: ConfigChange = read(body).await?;
    let (live, before) = current(&server, &app)?;
    let mut settings = before.clone();
    settings
        .change(&change, login::is_ours)
        .and_then(|()| server.logins.check(&settings.env))
        .map_err(unprocessable)?;
    if settings == before {
        met(&app, expected, live.as_ref())?;
        return Ok(Json(told(app, live.as_ref(), settings, false)).into_response());
    }
    let Some(live) = live else {
        let sealed = server.seal_settings(&settings)?;
        if !expected.is_met_by(None) || !server.store.set_aside(&app, &sealed)? {
            return Err(precondition(&app, Moved { live: server.store.live(&app)?.map(Box::new) }));
        }
        return Ok(Json(told(app, None, settings, false)).into_response());
    };
    let message = said("config", &change.set, &change.unset);
    again(server, app, live, settings, Said { message, by: change.by }, expected, &headers).await
}

/// What a release is remembered by.
struct Said {
    message: String,
    by: Option<String>,
}

/// The live image with other settings.
async fn again(
    server: Arc<Server>,
    app: AppName,
    live: Release,
    settings: Settings,
    said: Said,
    expected: Expected,
    headers: &HeaderMap,
) -> Answer {
    // What was looked at is what is replaced, whatever was asked for: else somebody's change in between would be lost.
    met(&app, expected, Some(&live))?;
    let expected = Expected::Release(live.id);
    let Said { message, by } = said;
    let settings = With::New(server.seal_settings(&settings)?);
    let draft = Draft { image: live.image, message: Some(message), by, git: live.git, repeats: None, settings };
    accept(server, app, Begin { draft, expected, share: None }, headers).await
}

pub(super) fn met(app: &AppName, expected: Expected, live: Option<&Release>) -> Result<(), Refused> {
    if expected.is_met_by(live.map(|live| live.id)) {
        return Ok(());
    }
    Err(precondition(app, Moved { live: live.cloned().map(Box::new) }))
}

fn unprocessable(problem: Problem) -> Refused {
    Refused::new(StatusCode::UNPROCESSABLE_ENTITY, problem)
}

async fn scale(State(server): State<Arc<Server>>, caller: Caller, Path(app): Path<String>) -> Answer {
    let app = caller.may(Verb::Read, &app)?;
    let (live, settings) = current(&server, &app)?;
    let live = live.ok_or_else(|| nothing_live(&app))?;
    let manifest = manifest_of(&server, &app, &live).await?;
    Ok(scale_told(app, &live, &settings, &manifest))
}

fn scale_told(app: AppName, live: &Release, settings: &Settings, manifest: &Manifest) -> Response {
    Json(Scale { app, release: Some(live.id), processes: settings.counts(manifest) }).into_response()
}

/// app.yaml of a release.
async fn manifest_of(server: &Arc<Server>, app: &AppName, release: &Release) -> Result<Manifest, Refused> {
    Ok(server.assemble(app, release).await?.file.manifest)
}

pub(super) fn nothing_live(app: &AppName) -> Refused {
    let problem = Problem::new("release.none-live", format!("nothing of `{app}` is live on this node"));
    Refused::new(StatusCode::CONFLICT, problem.try_running("dae deploy"))
}

async fn change_scale(
    State(server): State<Arc<Server>>,
    caller: Caller,
    Path(app): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Answer {
    let app = caller.may(Verb::Deploy, &app)?;
    let expected = expected(&headers)?;
    let ScaleChange { processes, by } = read(body).await?;
    let (live, before) = current(&server, &app)?;
    let live = live.ok_or_else(|| nothing_live(&app))?;
    let manifest = manifest_of(&server, &app, &live).await?;
    let mut settings = before.clone();
    settings.scale(&processes, &manifest).map_err(unprocessable)?;
    if settings == before {
        met(&app, expected, Some(&live))?;
        return Ok(scale_told(app, &live, &settings, &manifest));
    }
    let counts = settings.counts(&manifest);
    let named = processes.keys().filter_map(|name| Some(format!("{name}={}", counts.get(name)?.count)));
    let message = format!("scale: {}", named.collect::<Vec<_>>().join(" "));
    again(server, app, live, settings, Said { message, by }, expected, &headers).await
}

async fn domains(State(server): State<Arc<Server>>, caller: Caller, Path(app): Path<String>) -> Answer {
    let app = caller.may(Verb::Read, &app)?;
    domains_told(&server, app)
}

fn domains_told(server: &Server, app: AppName) -> Answer {
    let domains = server.store.domains(&app)?;
    let own = server.host_of(&app);
    let hosts = std::iter::once(own.clone()).chain(domains.iter().cloned());
    let certificates = server.tls.as_ref().map(|tls| tls.told(hosts)).unwrap_or_default();
    Ok(Json(Domains { app, own, domains, certificates }).into_response())
}

async fn add_domain(
    State(server): State<Arc<Server>>,
    caller: Caller,
    Path((app, host)): Path<(String, String)>,
) -> Answer {
    let app = caller.may(Verb::Deploy, &app)?;
    let host = host_name(&host).map_err(unprocessable)?;
    let conflict = |problem| Refused::new(StatusCode::CONFLICT, problem);
    if host == server.domain || host.ends_with(&format!(".{}", server.domain)) || host == "localhost" {
        return Err(conflict(
            Problem::new("domain.own", format!("`{host}` belongs to the node itself"))
                .because(format!("every name under {} is an app's own, or will be", server.domain))
                .hint(format!("`{app}` answers at {}", server.host_of(&app))),
        ));
    }
    let (name, to) = (app.clone(), host.clone());
    let (keeper, added) = {
        let keeper = server.clone();
        blocking(move || Ok::<_, Refused>((keeper.clone(), keeper.store.add_domain(&name, &to)?))).await?
    };
    match added {
        Ok(()) => {
            keeper.node.routes.alias(&host, &keeper.host_of(&app));
            keeper.look_at_certificates();
            domains_told(&keeper, app)
        }
        Err(owner) => {
            // Whose it is, is told to those who may know of that app.
            let whose = if caller.0.allows(Verb::Read, &owner) { format!("`{owner}`") } else { "another app".into() };
            Err(conflict(
                Problem::new("domain.taken", format!("`{host}` belongs to {whose}"))
                    .hint(format!("take it away there first: `dae domains rm {host} --app NAME`")),
            ))
        }
    }
}

async fn remove_domain(
    State(server): State<Arc<Server>>,
    caller: Caller,
    Path((app, host)): Path<(String, String)>,
) -> Answer {
    let app = caller.may(Verb::Deploy, &app)?;
    let host = host_name(&host).map_err(unprocessable)?;
    if !server.store.remove_domain(&app, &host)? {
        return Err(Refused::new(
            StatusCode::NOT_FOUND,
            Problem::new("domain.unknown", format!("`{app}` does not answer for `{host}`"))
                .hint("`dae domains list` shows what it answers for"),
        ));
    }
    server.node.routes.unalias(&host);
    domains_told(&server, app)
}
