//! The scheduled tasks of an app on a node, for those who look from elsewhere and run them by hand.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::IntoResponse as _;
use axum::routing::{get, post};
use axum::{Json, Router};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::json;

use super::auth::Verb;
use super::caller::{Asked, Caller};
use super::changes::nothing_live;
use super::control::read;
use super::refusal::{Answer, Refused};
use super::{Server, blocking};
use crate::app::{AppName, CronJob};
use crate::node::cron::{Planned, Store, folder, unknown};
use crate::problem::{Problem, Result};
use crate::remote::api::{CronRunBegun, NewCronRun, PauseCron};

/// Of each job, where it is not said.
const USUAL: u16 = 10;
const MOST: u16 = 1000;

pub fn routes() -> Router<Arc<Server>> {
    Router::new()
        .route("/dae/v1/apps/{app}/cron", get(jobs))
        .route("/dae/v1/apps/{app}/cron/jobs/{job}/pause", post(pause))
        .route("/dae/v1/apps/{app}/cron/jobs/{job}/runs", post(run_now))
        .route("/dae/v1/apps/{app}/cron/runs", get(runs))
        .route("/dae/v1/apps/{app}/cron/runs/{run}", get(run))
}

impl Server {
    /// The jobs of the release that is live.
    async fn cron_jobs(self: &Arc<Self>, app: &AppName) -> Result<Vec<CronJob>, Refused> {
        let Some(live) = self.store.live(app)? else { return Ok(Vec::new()) };
        Ok(self.assemble(app, &live).await?.file.manifest.cron)
    }

    /// What is kept of the runs of `app`, asked away from the threads that answer.
    async fn kept_of_cron<T: Send + 'static>(
        &self,
        app: &AppName,
        ask: impl FnOnce(Option<Store>) -> Result<T> + Send + 'static,
    ) -> Result<T, Refused> {
        let folder = folder(&self.settings().cron_dir, app);
        Ok(blocking(move || ask(Store::look(&folder)?)).await?)
    }
}

fn no_job(job: &str) -> Refused {
    Refused::new(StatusCode::NOT_FOUND, unknown(job))
}

#[derive(Debug, Deserialize)]
struct Listed {
    count: Option<u16>,
    at: Option<Timestamp>,
}

async fn jobs(
    State(server): State<Arc<Server>>,
    caller: Caller,
    Path(app): Path<String>,
    Asked(Listed { count, at }): Asked<Listed>,
) -> Answer {
    let app = caller.may(Verb::Read, &app)?;
    let jobs = server.cron_jobs(&app).await?;
    let (count, after) = (count.unwrap_or(USUAL).min(MOST), at.unwrap_or_else(Timestamp::now));
    let planned = move |store: Option<Store>| -> Result<Vec<Planned>> {
        Ok(jobs.iter().map(|job| Planned::of(job, store.as_ref(), after, count.into())).collect())
    };
    let planned = server.kept_of_cron(&app, planned).await?;
    Ok(Json(json!({ "jobs": planned })).into_response())
}

async fn pause(
    State(server): State<Arc<Server>>,
    caller: Caller,
    Path((app, job)): Path<(String, String)>,
    body: Body,
) -> Answer {
    let app = caller.may(Verb::Deploy, &app)?;
    let PauseCron { paused } = read(body).await?;
    if !server.cron_jobs(&app).await?.iter().any(|known| known.name == job) {
        return Err(no_job(&job));
    }
    let folder = folder(&server.settings().cron_dir, &app);
    let change = if paused { Store::pause } else { Store::resume };
    blocking(move || change(&Store::open(&folder)?, &job)).await?;
    Ok(Json(PauseCron { paused }).into_response())
}

async fn run_now(
    State(server): State<Arc<Server>>,
    caller: Caller,
    Path((app, job)): Path<(String, String)>,
    body: Body,
) -> Answer {
    let app = caller.may(Verb::Deploy, &app)?;
    let NewCronRun { at } = read(body).await?;
    if server.store.live(&app)?.is_none() {
        return Err(nothing_live(&app));
    }
    let begun = server.node.run_job(&app, &job, at.unwrap_or_else(Timestamp::now)).await;
    let begun = begun.map_err(|problem| match &*problem.code {
        "cron.unknown" => no_job(&job),
        "cron.stopping" | "cron.broken" => Refused::new(StatusCode::CONFLICT, problem),
        _ => problem.into(),
    })?;
    Ok((StatusCode::ACCEPTED, Json(CronRunBegun { run: begun.id })).into_response())
}

#[derive(Debug, Deserialize)]
struct Wanted {
    job: Option<String>,
    count: Option<u16>,
}

async fn runs(
    State(server): State<Arc<Server>>,
    caller: Caller,
    Path(app): Path<String>,
    Asked(Wanted { job, count }): Asked<Wanted>,
) -> Answer {
    let app = caller.may(Verb::Read, &app)?;
    let count = count.unwrap_or(USUAL).min(MOST);
    let runs = server.kept_of_cron(&app, move |store| {
        let runs = store.map(|store| store.runs(job.as_deref(), count.into())).transpose()?;
        Ok(runs.unwrap_or_default())
    });
    Ok(Json(json!({ "runs": runs.await? })).into_response())
}

async fn run(State(server): State<Arc<Server>>, caller: Caller, Path((app, run)): Path<(String, String)>) -> Answer {
    let app = caller.may(Verb::Read, &app)?;
    let unknown = Refused::new(
        StatusCode::NOT_FOUND,
        Problem::new("cron.no-run", format!("no run {} is kept", run.escape_debug())).try_running("dae cron runs"),
    );
    let Ok(run) = run.parse::<i64>() else { return Err(unknown) };
    let found = server.kept_of_cron(&app, move |store| Ok(store.map(|store| store.run(run)).transpose()?.flatten()));
    Ok(Json(found.await?.ok_or(unknown)?).into_response())
}
