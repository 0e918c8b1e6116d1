//! Speaks to a remote: every request carries the token and is counted, every failure becomes a Problem with the exit code
//! `dae deploy` promises for it.

use std::net::Ipv6Addr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use base64::Engine as _;
use bytes::Bytes;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Method, StatusCode, Url};
use serde::de::DeserializeOwned;

use super::api::{
    Accepted, Capabilities, Close, Config, ConfigChange, Domains, Maintenance, NewRelease, NewRun, Offered, Planned,
    Processes, Refusal, ReleaseId, ReleaseState, Releases, Rollback, RunAccepted, RunId, Runs, Scale, ScaleChange,
    Traffic, TrafficChange,
};
use super::config::is_here;
use super::credentials::Token;
use super::login::Login;
use crate::app::AppName;
use crate::problem::{Problem, Result};

/// Exit codes of `dae deploy`.
pub mod exit {
    pub const REFUSED: u8 = 3;
    pub const UPLOAD: u8 = 4;
    pub const COMMAND: u8 = 5;
    pub const UNHEALTHY: u8 = 6;
    pub const OVERTAKEN: u8 = 7;
    pub const CANCELLED: u8 = 8;
    pub const UNREACHABLE: u8 = 9;
}

/// How often a node is asked again that says when to come again, and how long to wait for that at the most, in seconds.
const TRIES: u32 = 20;
const LONGEST_PAUSE: u64 = 5;

/// One remote.
#[derive(Debug)]
pub struct Client {
    http: reqwest::Client,
    /// The name the user gave it.
    pub name: String,
    url: Url,
    token: Option<Token>,
    /// Where it is a registry of images and no node: how one gets in there.
    login: Option<Login>,
    requests: AtomicU64,
    sent: AtomicU64,
}

/// An answer, read whole.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

/// A request about to be sent; can be sent again.
#[derive(Debug, Clone)]
#[must_use]
pub struct Ask {
    pub method: Method,
    /// Below the remote's address, or absolute as a `Location` may be.
    pub path: String,
    pub headers: Vec<(HeaderName, String)>,
    pub body: Bytes,
}

/// Why there is no answer.
#[derive(Debug)]
pub enum Silent {
    /// Nobody listens, or the name leads nowhere.
    Unreachable(Problem),
    /// It broke off; another try may do.
    BrokeOff(Problem),
}

impl Silent {
    /// A connection that broke off while an answer was read.
    pub fn from_error(client: &Client, error: &reqwest::Error) -> Self {
        client.silent(error)
    }
}

impl From<Silent> for Problem {
    fn from(silent: Silent) -> Self {
        match silent {
            Silent::Unreachable(problem) | Silent::BrokeOff(problem) => problem,
        }
    }
}

impl Ask {
    pub fn new(method: Method, path: impl Into<String>) -> Self {
        Self { method, path: path.into(), headers: Vec::new(), body: Bytes::new() }
    }

    pub fn header(mut self, name: HeaderName, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }
}

impl Client {
    pub fn new(name: &str, url: Url, token: Option<Token>) -> Result<Self> {
        Self::with(name, url, token, None)
    }

    /// A client of a registry of images, which is named by its host.
    pub fn of_registry(host: &str, url: Url, login: Login) -> Result<Self> {
        Self::with(host, url, None, Some(login))
    }

    fn with(name: &str, url: Url, token: Option<Token>, login: Option<Login>) -> Result<Self> {
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("dae/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(Duration::from_secs(10))
            .read_timeout(Duration::from_mins(1))
            // A redirect would carry the token to wherever it points.
            .redirect(reqwest::redirect::Policy::none());
        if is_here(&url) {
            builder = builder.no_proxy();
            // Below `localhost` every name is this machine's (RFC 6761, 6.3), and few systems know.
            if let Some(name) = url.domain() {
                builder =
                    builder.resolve_to_addrs(name, &[([127, 0, 0, 1], 0).into(), (Ipv6Addr::LOCALHOST, 0).into()]);
            }
        }
        let http = builder.build().map_err(|error| {
            Problem::new("remote.tls", "could not get ready to speak to the remote").because(causes(&error))
        })?;
        Ok(Self { http, name: name.to_owned(), url, token, login, requests: 0.into(), sent: 0.into() })
    }

    /// The same remote, asked by somebody else.
    pub fn with_token(&self, token: Option<&str>) -> Result<Self> {
        Self::new(&self.name, self.url.clone(), token.map(Token::parse).transpose()?)
    }

    /// What `Authorization` is where the token is taken as a password.
    pub fn basic(&self) -> Option<String> {
        let token = self.token.as_ref()?;
        let pair = base64::engine::general_purpose::STANDARD.encode(format!("dae:{}", token.secret()));
        Some(format!("Basic {pair}"))
    }

    /// How many requests were sent, and how many bytes of bodies.
    pub fn sent(&self) -> (u64, u64) {
        (self.requests.load(Ordering::Relaxed), self.sent.load(Ordering::Relaxed))
    }

    /// Sends a request and returns as soon as the answer begins.
    pub async fn begin(&self, ask: Ask) -> Result<reqwest::Response, Silent> {
        self.begin_as(ask, self.login.as_ref().and_then(Login::header)).await
    }

    /// `login` is who asks, where it is a registry that is asked.
    async fn begin_as(&self, ask: Ask, login: Option<HeaderValue>) -> Result<reqwest::Response, Silent> {
        let url = self.url.join(&ask.path).map_err(|error| {
            Silent::Unreachable(
                Problem::new("remote.protocol", format!("the remote named a bad place `{}`", ask.path)).because(error),
            )
        })?;
        let mut request = self.http.request(ask.method, url.clone());
        // A `Location` elsewhere, as registries before an object store give, is told no secrets.
        if let Some(token) = self.token.as_ref().filter(|_| url.origin() == self.url.origin()) {
            let value = HeaderValue::try_from(format!("Bearer {}", token.secret()));
            if let Ok(mut value) = value {
                value.set_sensitive(true);
                request = request.header(reqwest::header::AUTHORIZATION, value);
            }
        }
        if let Some(value) = login.filter(|_| url.origin() == self.url.origin()) {
            request = request.header(reqwest::header::AUTHORIZATION, value);
        }
        for (name, value) in ask.headers {
            request = request.header(name, value);
        }
        self.requests.fetch_add(1, Ordering::Relaxed);
        self.sent.fetch_add(ask.body.len() as u64, Ordering::Relaxed);
        request.body(ask.body).send().await.map_err(|error| self.silent(&error))
    }

    /// The same of a node that another process is taking over this moment: it has done nothing, and says when to come again.
    async fn begin_patiently(&self, ask: Ask) -> Result<reqwest::Response, Silent> {
        for _ in 0..TRIES {
            let response = self.begin(ask.clone()).await?;
            let after = response
                .headers()
                .get(reqwest::header::RETRY_AFTER)
                .and_then(|value| value.to_str().ok()?.parse().ok());
            match after {
                Some(seconds @ ..=LONGEST_PAUSE) if response.status() == StatusCode::SERVICE_UNAVAILABLE => {
                    tokio::time::sleep(Duration::from_secs(seconds)).await;
                }
                _ => return Ok(response),
            }
        }
        self.begin(ask).await
    }

    /// Sends a request and reads the answer to its end.
    pub async fn send(&self, ask: Ask) -> Result<Answer, Silent> {
        let response = match &self.login {
            None => self.begin_patiently(ask).await?,
            Some(login) => {
                let used = login.header();
                let response = self.begin_as(ask.clone(), used.clone()).await?;
                if response.status() != StatusCode::UNAUTHORIZED {
                    response
                } else if let Some(new) = login.answer(&self.http, response.headers(), used.as_ref()).await {
                    // It said what it wants to know: on the first refusal, and again when that has grown old.
                    self.begin_as(ask, Some(new)).await?
                } else {
                    response
                }
            }
        };
        let (status, headers) = (response.status(), response.headers().clone());
        let body = response.bytes().await.map_err(|error| self.silent(&error))?;
        Ok(Answer { status, headers, body })
    }

    pub(super) fn silent(&self, error: &reqwest::Error) -> Silent {
        let address = self.url.as_str().trim_end_matches('/');
        if self.login.is_some() {
            let problem = Problem::new("registry.silent", format!("registry `{}` does not answer", self.name))
                .because(causes(error))
                .hint("look whether its name is right: `dae remote list`")
                .exit(exit::UPLOAD);
            return if error.is_connect() { Silent::Unreachable(problem) } else { Silent::BrokeOff(problem) };
        }
        if error.is_connect() || error.is_builder() {
            return Silent::Unreachable(
                Problem::new("remote.unreachable", format!("remote `{}` does not answer at {address}", self.name))
                    .because(causes(error))
                    .hint("look whether it runs, and whether the address is right: `dae remote list`")
                    .exit(exit::UNREACHABLE),
            );
        }
        Silent::BrokeOff(
            Problem::new("remote.broke-off", format!("the connection to remote `{}` broke off", self.name))
                .because(causes(error))
                .hint("what was deployed so far: `dae releases`")
                .exit(exit::UNREACHABLE),
        )
    }

    /// What a refusal says; `usual` is the exit code where its status has no meaning of its own.
    pub fn refused(&self, answer: &Answer, usual: u8) -> Problem {
        if let Some(login) = &self.login {
            return login.refused(&self.name, answer, usual);
        }
        let said = serde_json::from_slice::<Refusal>(&answer.body).ok().map(|refusal| refusal.problem);
        let mut problem = said.unwrap_or_else(|| self.unexpected(answer));
        if problem.exit == 1 {
            problem.exit = match answer.status {
                StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => exit::REFUSED,
                StatusCode::PRECONDITION_FAILED => exit::OVERTAKEN,
                StatusCode::BAD_GATEWAY | StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT => {
                    exit::UNREACHABLE
                }
                _ => usual,
            };
        }
        if answer.status == StatusCode::UNAUTHORIZED {
            let name = &self.name;
            problem = problem.because(match self.token {
                None => format!("no token is known for remote `{name}`"),
                Some(_) => format!("it was asked at {}, which is remote `{name}`", self.address()),
            });
            problem = problem.hint(format!(
                "give it with `dae remote add {name} {} --token TOKEN`, or in `DAE_TOKEN`",
                self.address()
            ));
        }
        problem
    }

    /// A host as the remote is reached: with its scheme and port.
    pub fn url_of(&self, host: &str) -> String {
        let port = self.url.port().map(|port| format!(":{port}")).unwrap_or_default();
        format!("{}://{host}{port}", self.url.scheme())
    }

    pub fn address(&self) -> &str {
        self.url.as_str().trim_end_matches('/')
    }

    /// An answer that is none of ours: a proxy's, or of something that is no remote.
    fn unexpected(&self, answer: &Answer) -> Problem {
        let status = answer.status;
        let text = String::from_utf8_lossy(&answer.body);
        let text: String = text.chars().take(400).collect();
        let problem =
            Problem::new("remote.answer", format!("remote `{}` answered {status}", self.name)).detail(text.trim());
        if status.is_redirection() || status == StatusCode::NOT_FOUND {
            return problem.hint(format!("is {} a dae remote? `dae remote list`", self.address()));
        }
        problem
    }

    async fn json<T: DeserializeOwned>(&self, ask: Ask, usual: u8) -> Result<T> {
        let answer = self.send(ask).await?;
        if !answer.status.is_success() {
            return Err(self.refused(&answer, usual));
        }
        self.parsed(&answer, usual)
    }

    fn parsed<T: DeserializeOwned>(&self, answer: &Answer, usual: u8) -> Result<T> {
        serde_json::from_slice(&answer.body).map_err(|error| {
            self.unexpected(answer).because(error).hint(format!("is {} a dae remote?", self.address())).exit(usual)
        })
    }

    pub async fn capabilities(&self) -> Result<Capabilities> {
        let found: Capabilities = self.json(Ask::new(Method::GET, "/dae/v1"), exit::REFUSED).await?;
        if found.api == 1 {
            return Ok(found);
        }
        Err(Problem::new(
            "remote.version",
            format!("remote `{}` speaks version {} of the protocol, and this is 1", self.name, found.api),
        )
        .hint("use a dae of the remote's age")
        .exit(exit::REFUSED))
    }

    pub async fn releases(&self, app: &AppName) -> Result<Releases> {
        self.json(Ask::new(Method::GET, format!("/dae/v1/apps/{app}/releases")), 1).await
    }

    pub async fn processes(&self, app: &AppName) -> Result<Processes> {
        self.json(Ask::new(Method::GET, format!("/dae/v1/apps/{app}/processes")), 1).await
    }

    /// The live one, if there is one.
    pub async fn live(&self, app: &AppName) -> Result<Option<ReleaseId>> {
        let releases = self.releases(app).await?.releases;
        Ok(releases.into_iter().find(|release| release.state == ReleaseState::Live).map(|release| release.id))
    }

    /// Asks for a new release in the place of `live`, and of nothing else.
    pub async fn release(&self, app: &AppName, new: &NewRelease, live: Option<ReleaseId>) -> Result<Accepted> {
        let ask = body_of(Method::POST, &format!("/dae/v1/apps/{app}/releases"), new)?;
        self.json(if_live(ask, live), exit::UNHEALTHY).await
    }

    /// A release, or what is tried beside the live one is taken back.
    pub async fn rollback(
        &self,
        app: &AppName,
        to: Option<ReleaseId>,
        live: Option<ReleaseId>,
    ) -> Result<Changed<Traffic>> {
        self.changed(body_of(Method::POST, &format!("/dae/v1/apps/{app}/rollback"), &Rollback { to })?, live).await
    }

    pub async fn traffic(&self, app: &AppName) -> Result<Traffic> {
        self.json(Ask::new(Method::GET, format!("/dae/v1/apps/{app}/traffic")), 1).await
    }

    pub async fn change_traffic(
        &self,
        app: &AppName,
        change: &TrafficChange,
        live: Option<ReleaseId>,
    ) -> Result<Traffic> {
        let ask = body_of(Method::PUT, &format!("/dae/v1/apps/{app}/traffic"), change)?;
        self.json(if_live(ask, live), 1).await
    }

    /// What a deploy of an image would do; `usual` is the exit code of a refusal.
    pub async fn plan(&self, app: &AppName, offered: &Offered, usual: u8) -> Result<Planned> {
        self.json(body_of(Method::POST, &format!("/dae/v1/apps/{app}/plan"), offered)?, usual).await
    }

    pub async fn config(&self, app: &AppName, reveal: bool) -> Result<Config> {
        let query = if reveal { "?reveal=true" } else { "" };
        self.json(Ask::new(Method::GET, format!("/dae/v1/apps/{app}/config{query}")), 1).await
    }

    pub async fn change_config(
        &self,
        app: &AppName,
        change: &ConfigChange,
        live: Option<ReleaseId>,
    ) -> Result<Changed<Config>> {
        self.changed(body_of(Method::PATCH, &format!("/dae/v1/apps/{app}/config"), change)?, live).await
    }

    pub async fn scale(&self, app: &AppName) -> Result<Scale> {
        self.json(Ask::new(Method::GET, format!("/dae/v1/apps/{app}/scale")), 1).await
    }

    pub async fn change_scale(
        &self,
        app: &AppName,
        change: &ScaleChange,
        live: Option<ReleaseId>,
    ) -> Result<Changed<Scale>> {
        self.changed(body_of(Method::PATCH, &format!("/dae/v1/apps/{app}/scale"), change)?, live).await
    }

    async fn changed<T: DeserializeOwned>(&self, ask: Ask, live: Option<ReleaseId>) -> Result<Changed<T>> {
        let answer = self.send(if_live(ask, live)).await?;
        match answer.status {
            StatusCode::ACCEPTED => self.parsed(&answer, 1).map(Changed::Released),
            status if status.is_success() => self.parsed(&answer, 1).map(Changed::Now),
            _ => Err(self.refused(&answer, 1)),
        }
    }

    /// What is kept of an app's services there: `["errors"]`, `["mail", "3"]`.
    pub async fn kept<T: DeserializeOwned>(&self, app: &AppName, what: &[&str], query: &[(&str, &str)]) -> Result<T> {
        self.json(Ask::new(Method::GET, self.below(app, what, query)), 1).await
    }

    /// Something is done with that.
    pub async fn order<T: DeserializeOwned>(
        &self,
        app: &AppName,
        what: &[&str],
        body: &impl serde::Serialize,
    ) -> Result<T> {
        self.json(body_of(Method::POST, &self.below(app, what, &[]), body)?, 1).await
    }

    pub async fn maintenance(&self, app: &AppName) -> Result<Maintenance> {
        self.json(Ask::new(Method::GET, format!("/dae/v1/apps/{app}/maintenance")), 1).await
    }

    /// Closes the app, or opens it again.
    pub async fn set_maintenance(&self, app: &AppName, close: Option<&Close>) -> Result<Maintenance> {
        let path = format!("/dae/v1/apps/{app}/maintenance");
        match close {
            Some(close) => self.json(body_of(Method::PUT, &path, close)?, 1).await,
            None => self.json(Ask::new(Method::DELETE, path), 1).await,
        }
    }

    pub async fn domains(&self, app: &AppName) -> Result<Domains> {
        self.json(Ask::new(Method::GET, format!("/dae/v1/apps/{app}/domains")), 1).await
    }

    pub async fn add_domain(&self, app: &AppName, host: &str) -> Result<Domains> {
        self.json(Ask::new(Method::PUT, self.below(app, &["domains", host], &[])), 1).await
    }

    pub async fn remove_domain(&self, app: &AppName, host: &str) -> Result<Domains> {
        self.json(Ask::new(Method::DELETE, self.below(app, &["domains", host], &[])), 1).await
    }

    /// An address below an app's; what a person typed may hold anything.
    fn below(&self, app: &AppName, what: &[&str], query: &[(&str, &str)]) -> String {
        let mut url = self.url.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.clear().extend(["dae", "v1", "apps", app.as_str()]).extend(what);
        }
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        url.into()
    }

    pub(super) fn logs_path(&self, app: &AppName, lines: &Lines<'_>) -> String {
        let Lines { count, process, release, access } = lines;
        let mut url = self.url.clone();
        url.set_path(&format!("/dae/v1/apps/{app}/logs"));
        let mut query = url.query_pairs_mut();
        query.append_pair("lines", &count.to_string());
        if let Some(process) = process {
            query.append_pair("process", process);
        }
        if let Some(release) = release {
            query.append_pair("release", &release.to_string());
        }
        if *access {
            query.append_pair("access", "true");
        }
        drop(query);
        url.into()
    }

    pub async fn start_run(&self, app: &AppName, new: &NewRun) -> Result<RunAccepted> {
        self.json(body_of(Method::POST, &format!("/dae/v1/apps/{app}/runs"), new)?, 1).await
    }

    pub async fn runs(&self, app: &AppName) -> Result<Runs> {
        self.json(Ask::new(Method::GET, format!("/dae/v1/apps/{app}/runs")), 1).await
    }

    pub async fn end_run(&self, app: &AppName, run: RunId) -> Result<()> {
        let answer = self.send(Ask::new(Method::DELETE, format!("/dae/v1/apps/{app}/runs/{run}"))).await?;
        if answer.status.is_success() { Ok(()) } else { Err(self.refused(&answer, 1)) }
    }

    /// The last of these lines.
    pub async fn logs(&self, app: &AppName, lines: &Lines<'_>) -> Result<String> {
        let answer = self.send(Ask::new(Method::GET, self.logs_path(app, lines))).await?;
        if !answer.status.is_success() {
            return Err(self.refused(&answer, 1));
        }
        Ok(String::from_utf8_lossy(&answer.body).into_owned())
    }
}

/// Which lines of an app's logs.
#[derive(Debug, Clone, Copy, Default)]
pub struct Lines<'a> {
    pub count: usize,
    pub process: Option<&'a str>,
    pub release: Option<ReleaseId>,
    /// Of the access log.
    pub access: bool,
}

/// What came of a change.
#[derive(Debug)]
pub enum Changed<T> {
    /// A new release is made of it.
    Released(Accepted),
    /// Nothing had to be released: this is how it is.
    Now(T),
}

fn body_of(method: Method, path: &str, body: &impl serde::Serialize) -> Result<Ask> {
    let body = serde_json::to_vec(body).map_err(|error| Problem::new("json", "could not write JSON").because(error))?;
    Ok(Ask::new(method, path).header(reqwest::header::CONTENT_TYPE, "application/json").body(body))
}

/// Only in the place of `live`, and of nothing else.
fn if_live(ask: Ask, live: Option<ReleaseId>) -> Ask {
    let live = live.map_or_else(|| "none".to_owned(), |id| id.to_string());
    ask.header(reqwest::header::IF_MATCH, format!("\"{live}\""))
}

/// An error and what lies beneath it; reqwest's own text leaves that out.
fn causes(error: &dyn std::error::Error) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}
