//! The task queues of an app on a node, for those who look from elsewhere and put back what failed.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::IntoResponse as _;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::json;

use super::auth::Verb;
use super::caller::Caller;
use super::control::read;
use super::refusal::{Answer, Refused};
use super::{Server, blocking};
use crate::app::AppName;
use crate::problem::{Problem, Result};
use crate::remote::api::{PauseQueue, Retried};
use crate::services::queue::Client;
use crate::services::queue::look::{self, Wanted};

pub fn routes() -> Router<Arc<Server>> {
    Router::new()
        .route("/dae/v1/apps/{app}/queues", get(queues))
        .route("/dae/v1/apps/{app}/queues/{queue}/failed", get(failed))
        .route("/dae/v1/apps/{app}/queues/{queue}/retry", post(retry_all))
        .route("/dae/v1/apps/{app}/queues/{queue}/pause", post(pause))
        .route("/dae/v1/apps/{app}/jobs/{job}", get(job))
        .route("/dae/v1/apps/{app}/jobs/{job}/retry", post(retry))
}

impl Server {
    /// Asks the queue of `app`; `none` where it has none yet.
    async fn ask_queue<T: Send + 'static>(
        &self,
        app: &AppName,
        none: impl FnOnce() -> Result<T>,
        ask: impl FnOnce(&mut Client) -> Result<T> + Send + 'static,
    ) -> Result<T, Refused> {
        if self.backends.has("queue") {
            let problem =
                Problem::new("queue.elsewhere", "the node's apps use a queue server of its own, which they share")
                    .hint(
                        "the app itself sees its part of it: `dae run --remote NAME -- python`, and `dae.api.mq` there",
                    );
            return Err(Refused::new(StatusCode::CONFLICT, problem));
        }
        let told = self.platforms.told(app).await;
        let answer = match told.into_iter().find(|(name, _)| name == "DAE_QUEUE") {
            Some((_, address)) => blocking(move || ask(&mut Client::connect(&address)?)).await,
            None => none(),
        };
        answer.map_err(refused)
    }
}

fn refused(problem: Problem) -> Refused {
    let status = match &*problem.code {
        "queue.name" => StatusCode::UNPROCESSABLE_ENTITY,
        "queue.no-job" | "queue.none" | "queue.unknown" => StatusCode::NOT_FOUND,
        "queue.not-failed" => StatusCode::CONFLICT,
        _ => return problem.into(),
    };
    Refused::new(status, problem)
}

fn number(job: &str) -> Result<u64, Refused> {
    let unknown = |_| Problem::new("queue.no-job", format!("there is no job {}", job.escape_debug()));
    job.parse().map_err(unknown).map_err(refused)
}

async fn queues(State(server): State<Arc<Server>>, caller: Caller, Path(app): Path<String>) -> Answer {
    let app = caller.may(Verb::Read, &app)?;
    let queues = server.ask_queue(&app, || Ok(Vec::new()), look::list).await?;
    Ok(Json(json!({ "queues": queues })).into_response())
}

async fn failed(
    State(server): State<Arc<Server>>,
    caller: Caller,
    Path((app, queue)): Path<(String, String)>,
) -> Answer {
    // What a task is called with is the app's, as its data is.
    let app = caller.may(Verb::Deploy, &app)?;
    show(&server, &app, Wanted::Failed(queue)).await
}

async fn job(State(server): State<Arc<Server>>, caller: Caller, Path((app, job)): Path<(String, String)>) -> Answer {
    let app = caller.may(Verb::Deploy, &app)?;
    show(&server, &app, Wanted::Number(number(&job)?)).await
}

async fn show(server: &Server, app: &AppName, wanted: Wanted) -> Answer {
    let none = || Err(look::missing(&wanted));
    let asked = wanted.clone();
    let job = server.ask_queue(app, none, move |client| look::show(client, &asked)).await?;
    Ok(Json(job).into_response())
}

async fn retry_all(
    State(server): State<Arc<Server>>,
    caller: Caller,
    Path((app, queue)): Path<(String, String)>,
) -> Answer {
    let app = caller.may(Verb::Deploy, &app)?;
    let retried = server.ask_queue(&app, || Ok(0), move |client| look::retry_all(client, &queue)).await?;
    Ok(Json(Retried { retried }).into_response())
}

async fn retry(State(server): State<Arc<Server>>, caller: Caller, Path((app, job)): Path<(String, String)>) -> Answer {
    let app = caller.may(Verb::Deploy, &app)?;
    let job = number(&job)?;
    let none = || Err(look::missing(&Wanted::Number(job)));
    server.ask_queue(&app, none, move |client| look::retry(client, job)).await?;
    Ok(Json(Retried { retried: 1 }).into_response())
}

async fn pause(
    State(server): State<Arc<Server>>,
    caller: Caller,
    Path((app, queue)): Path<(String, String)>,
    body: Body,
) -> Answer {
    let app = caller.may(Verb::Deploy, &app)?;
    let wanted: PauseQueue = read(body).await?;
    let none = || Err(look::no_queue(&queue));
    let asked = queue.clone();
    server.ask_queue(&app, none, move |client| look::pause(client, &asked, wanted.seconds)).await?;
    Ok(Json(wanted).into_response())
}
