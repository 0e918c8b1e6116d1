//! A gray release: one that is tried beside the live one, on a share of the visitors.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::IntoResponse as _;
use axum::routing::get;
use axum::{Json, Router};

use super::auth::Verb;
use super::caller::Caller;
use super::changes::met;
use super::control::{expected, read};
use super::headers::Expected;
use super::refusal::{Answer, Refused};
use super::{Server, blocking};
use crate::app::AppName;
use crate::gateway;
use crate::problem::{Problem, Result};
use crate::remote::api::{ReleaseId, Share, Traffic, TrafficChange};

pub fn routes() -> Router<Arc<Server>> {
    Router::new().route("/dae/v1/apps/{app}/traffic", get(traffic).put(change))
}

async fn traffic(State(server): State<Arc<Server>>, caller: Caller, Path(app): Path<String>) -> Answer {
    let app = caller.may(Verb::Read, &app)?;
    Ok(Json(told(&server, app)?).into_response())
}

fn told(server: &Server, app: AppName) -> Result<Traffic> {
    let live = server.store.live(&app)?.map(|live| live.id);
    let gray = server.store.gray(&app)?;
    Ok(Traffic { app, live, gray })
}

async fn change(
    State(server): State<Arc<Server>>,
    caller: Caller,
    Path(app): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Answer {
    let app = caller.may(Verb::Deploy, &app)?;
    let expected = expected(&headers)?;
    let TrafficChange { release, share } = read(body).await?;
    let visitors = visitors(&share).map_err(|problem| Refused::new(StatusCode::UNPROCESSABLE_ENTITY, problem))?;
    met(&app, expected, server.store.live(&app)?.as_ref())?;
    let gray = server.store.gray(&app)?.map(|gray| gray.release);
    let Some(id) = gray.filter(|gray| release.is_none_or(|release| release == *gray)) else {
        return Err(not_tried(&app, release, gray));
    };
    let name = id.to_string();
    let share = Some(share).filter(|share| *share != Share::default());
    let promoted = share.as_ref().is_some_and(|share| share.percent == 100);
    // The visitors first: what is in the store after a kill is a share that the owner asked for, this one or the last.
    let met = if promoted {
        server.node.promote(&app, &name).await
    } else {
        server.node.share(&app, &name, share.is_some().then_some(visitors)).await
    };
    if !met {
        return Err(Refused::new(
            StatusCode::CONFLICT,
            Problem::new("traffic.not-running", format!("{id} of `{app}` does not run at this moment"))
                .hint("its process has ended and is started again; why, `dae logs` shows"),
        ));
    }
    let (keeper, of) = (server.clone(), app.clone());
    let kept = blocking(move || {
        let store = &keeper.store;
        if promoted { store.promote(&of, id) } else { store.reshare(&of, id, share.as_ref()) }
    });
    if !kept.await? {
        // A release that went live in between has ended it.
        return Err(not_tried(&app, Some(id), None));
    }
    if promoted {
        server.set_login(&app, id).await?;
    }
    Ok(Json(told(&server, app)?).into_response())
}

/// Nothing is tried any more: what a rollback that names no release does first.
pub(super) async fn end(server: Arc<Server>, app: AppName, expected: Expected) -> Answer {
    met(&app, expected, server.store.live(&app)?.as_ref())?;
    if let Some(gray) = server.store.gray(&app)? {
        server.node.share(&app, &gray.release.to_string(), None).await;
        let (keeper, of) = (server.clone(), app.clone());
        blocking(move || keeper.store.reshare(&of, gray.release, None)).await?;
    }
    Ok(Json(told(&server, app)?).into_response())
}

fn not_tried(app: &AppName, wanted: Option<ReleaseId>, gray: Option<ReleaseId>) -> Refused {
    let problem = match (wanted, gray) {
        (Some(wanted), Some(gray)) => {
            Problem::new("traffic.other", format!("it is not {wanted} of `{app}` that is tried, but {gray}"))
        }
        (Some(wanted), None) => Problem::new("traffic.none", format!("{wanted} of `{app}` is not tried on anybody")),
        (None, _) => Problem::new("traffic.none", format!("no release of `{app}` is tried on anybody")),
    };
    Refused::new(StatusCode::CONFLICT, problem.hint("`dae deploy --traffic 10` tries one on a tenth of the visitors"))
}

/// What a share says, as the gateway reads it.
pub(super) fn visitors(share: &Share) -> Result<gateway::Share> {
    let mut wrong = Vec::new();
    if share.percent > 100 {
        wrong.push(
            Problem::new("traffic.percent", format!("{} percent are more than all", share.percent))
                .hint("it is a number from 0 to 100"),
        );
    }
    let mut headers = Vec::new();
    for (name, value) in &share.headers {
        match (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            (Ok(name), Ok(value)) => headers.push((name, value)),
            _ => wrong.push(Problem::new(
                "traffic.header",
                format!("`{}: {}` is no header", name.escape_debug(), value.escape_debug()),
            )),
        }
    }
    let mut networks = Vec::new();
    for network in &share.networks {
        let one = network.parse::<std::net::IpAddr>().map(Into::into);
        match network.parse().or(one) {
            Ok(network) => networks.push(network),
            Err(_) => wrong.push(
                Problem::new("traffic.network", format!("`{}` is no network", network.escape_debug()))
                    .hint("write it as `10.0.0.0/8`, or as one address"),
            ),
        }
    }
    match Problem::all(wrong) {
        Some(problem) => Err(problem),
        None => Ok(gateway::Share { percent: share.percent, headers, networks }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_that_is_wrong_with_a_share_is_told() {
        let share = |percent, header: (&str, &str), network: &str| Share {
            percent,
            headers: [(header.0.to_owned(), header.1.to_owned())].into(),
            networks: vec![network.to_owned()],
        };
        assert!(visitors(&share(100, ("X-Gray", "yes"), "10.0.0.0/8")).is_ok());
        assert!(visitors(&share(0, ("x-gray", ""), "2001:db8::1")).is_ok());
        let problem = visitors(&share(101, ("a b", "x"), "10.0.0.0/33")).unwrap_err();
        let codes: Vec<_> = std::iter::once(&problem).chain(&problem.others).map(|one| one.code.to_string()).collect();
        assert_eq!(codes, ["traffic.percent", "traffic.header", "traffic.network"]);
        assert!(visitors(&share(1, ("x", "a\nb"), "nowhere")).is_err());
    }
}
