//! Whether a remote does what docs/remote-protocol.md says: asked point by point, from outside, of any implementer's. By
//! itself nothing is written there; with an app to try it on, tiny images are pushed and released.

mod image;
mod readings;
mod registry;
mod releases;

use reqwest::header::{HeaderMap, HeaderName};
use reqwest::{Method, StatusCode};
use serde_json::Value;

use super::api::Capabilities;
use super::client::{Answer, Ask, Client};
use super::finding::Finding;
use crate::app::AppName;
use crate::problem::{Problem, Result};

/// How a point came out, where it did not hold.
enum Miss {
    Failed(String),
    /// It may be left out, and is.
    NotOffered(String),
}

type Point<T = ()> = std::result::Result<T, Miss>;

/// A remote that is looked at.
struct Suite<'a> {
    client: &'a Client,
    /// The same without a token.
    stranger: Client,
    /// The same with a token nobody knows.
    impostor: Client,
    found: Capabilities,
    app: AppName,
    points: Vec<Finding>,
}

/// Asks `client`. With `app`, which the remote must not know yet, also all that writes.
pub async fn check(client: &Client, app: Option<&AppName>) -> Result<Vec<Finding>> {
    let found = client.capabilities().await?;
    let nobody = AppName::parse("conformance")?;
    if let Some(app) = app
        && !client.releases(app).await?.releases.is_empty()
    {
        return Err(Problem::new("check.app", format!("remote `{}` has releases of `{app}` already", client.name))
            .hint("name an app that is nobody's: it is deployed, broken and rolled back")
            .exit(2));
    }
    let mut suite = Suite {
        stranger: client.with_token(None)?,
        impostor: client.with_token(Some("dae_nobody-knows-this-one"))?,
        client,
        found,
        app: app.cloned().unwrap_or(nobody),
        points: Vec::new(),
    };
    suite.readings().await;
    if app.is_some() {
        suite.registry().await;
        suite.releases().await;
    }
    Ok(suite.points)
}

impl Suite<'_> {
    /// Notes how a point came out, and gives what it brought.
    fn note<T>(&mut self, what: &str, point: Point<T>) -> Option<T> {
        let (good, optional, note) = match &point {
            Ok(_) => (true, false, String::new()),
            Err(Miss::Failed(note)) => (false, false, note.clone()),
            Err(Miss::NotOffered(note)) => (false, true, format!("not offered, {note}")),
        };
        self.points.push(Finding { what: what.to_owned(), good, optional, note });
        point.ok()
    }

    fn releases_path(&self) -> String {
        format!("/dae/v1/apps/{}/releases", self.app)
    }

    fn of_app(&self, rest: &str) -> String {
        format!("/dae/v1/apps/{}/{rest}", self.app)
    }

    async fn get(&self, path: &str) -> Point<Answer> {
        ask(self.client, Ask::new(Method::GET, path)).await
    }

    async fn send(&self, method: Method, path: &str, body: &Value) -> Point<Answer> {
        ask(self.client, json(method, path, body)).await
    }
}

fn json(method: Method, path: &str, body: &Value) -> Ask {
    Ask::new(method, path).header(reqwest::header::CONTENT_TYPE, "application/json").body(body.to_string())
}

async fn ask(client: &Client, ask: Ask) -> Point<Answer> {
    client.send(ask).await.map_err(|silent| Miss::Failed(Problem::from(silent).to_string()))
}

fn failed<T>(note: impl Into<String>) -> Point<T> {
    Err(Miss::Failed(note.into()))
}

fn want(holds: bool, note: impl FnOnce() -> String) -> Point {
    if holds { Ok(()) } else { failed(note()) }
}

fn want_status(answer: &Answer, wanted: u16) -> Point {
    let text = || {
        let body: String = String::from_utf8_lossy(&answer.body).chars().take(160).collect();
        format!("answered {} and not {wanted}: {}", answer.status.as_u16(), body.trim())
    };
    want(answer.status.as_u16() == wanted, text)
}

/// 404 and 405 where something may be left out.
fn offered(answer: &Answer) -> Point {
    match answer.status {
        StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED | StatusCode::NOT_IMPLEMENTED => {
            Err(Miss::NotOffered(format!("answered {}", answer.status.as_u16())))
        }
        _ => Ok(()),
    }
}

/// RFC 9457, with the problem itself.
fn want_problem(answer: &Answer, status: u16) -> Point<String> {
    want_status(answer, status)?;
    let kind = header(&answer.headers, "content-type");
    want(kind.starts_with("application/problem+json"), || format!("a refusal of the type `{kind}`"))?;
    let body = value(answer)?;
    for member in ["type", "title", "status", "problem"] {
        want(body.get(member).is_some(), || format!("a refusal without `{member}`"))?;
    }
    want(body["status"] == status, || format!("`status` is {} and the answer's is {status}", body["status"]))?;
    let problem = &body["problem"];
    want(problem["message"].is_string(), || "a problem without a message".to_owned())?;
    problem["code"].as_str().map_or_else(|| failed("a problem without a code"), |code| Ok(code.to_owned()))
}

fn value(answer: &Answer) -> Point<Value> {
    serde_json::from_slice(&answer.body).map_err(|error| Miss::Failed(format!("no JSON: {error}")))
}

fn header(headers: &HeaderMap, name: &'static str) -> String {
    let value = headers.get(HeaderName::from_static(name)).and_then(|value| value.to_str().ok());
    value.unwrap_or_default().to_owned()
}
