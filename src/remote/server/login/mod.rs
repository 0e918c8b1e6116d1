//! Login to the apps of a node: OpenID Connect at the gateway (Core 1.0, code flow with PKCE). An app sees the same as under
//! `dae serve`: the two addresses of `dae.api.users`, and the gateway's signed word on who asks.
//!
//! Theory of operation. A browser that is sent to the provider takes along, in a cookie, what must come back. What it brings is
//! redeemed by the node itself, and from then on the browser holds a signed cookie that names a session, which is kept here. When
//! what the provider said has grown old, the next request asks it again, and others of that session wait for the same answer.

mod person;
mod provider;
mod sessions;
mod settings;
mod token;

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};

use futures_util::FutureExt as _;
use hyper::header::{HeaderMap, HeaderValue};
use hyper::{Method, StatusCode};
use tokio::sync::watch;

use crate::app::AppName;
use crate::gateway::form::{dest, fields, take_cookie, withhold};
use crate::gateway::{Request, Response, Wants, plain, see_other, wants};
use crate::problem::{Hint, Problem, Result};
use crate::services::users::{IDENTITY, Keys, LOGIN, LOGOUT, User};
use person::Person;
use provider::{Attempt, Given, Provider, Trouble, random};
use sessions::{Kept, Session, Sessions};
pub use settings::{Settings, is_ours};

use super::blocking;
use super::pages::{Link, notice};

/// Where a provider sends browsers back to: to be registered there, for each host of an app.
const LOGIN_DONE: &str = "/_dae/login/done";
const LOGOUT_DONE: &str = "/_dae/logout/done";
/// In seconds: for the way there and back.
const ATTEMPT: i64 = 600;
/// A session ends, whatever the provider says.
const LONGEST: i64 = 30 * 24 * 3600;
/// One that the provider gives no means to ask about.
const UNASKED: i64 = 12 * 3600;
/// For so long somebody is believed while the provider does not answer.
const GRACE: i64 = 3600;
/// How often it is asked then.
const AGAIN: i64 = 30;

/// Every app's login, by its own host.
pub struct Logins {
    /// None: nobody logs in there.
    apps: RwLock<HashMap<String, Option<Arc<Login>>>>,
    changes: watch::Sender<()>,
    node: Option<Settings>,
    sessions: Arc<Sessions>,
    tell: Tell,
}

/// Hears what the owner of a node should know of.
pub type Tell = Arc<dyn Fn(&AppName, Problem) + Send + Sync>;

/// One app's login.
pub struct Login {
    app: AppName,
    keys: Keys,
    provider: Arc<Provider>,
    sessions: Arc<Sessions>,
    tell: Tell,
}

impl Logins {
    /// `node` is what node.yaml says.
    pub fn open(dir: &Path, node: Option<Settings>, tell: Tell) -> Result<Self> {
        let sessions = Arc::new(Sessions::open(&dir.join("login.sqlite"), super::secret::open(dir)?)?);
        Ok(Self { apps: RwLock::default(), changes: watch::Sender::new(()), node, sessions, tell })
    }

    /// Whether these settings of an app make sense on this node.
    pub fn check(&self, config: &BTreeMap<String, String>) -> Result<()> {
        Settings::of_app(self.node.as_ref(), config).map(drop)
    }

    /// From now on `app`, at `host`, has the login that `config` says; `env` is what its processes know.
    pub fn set(
        &self,
        app: &AppName,
        host: String,
        config: &BTreeMap<String, String>,
        env: &[(String, String)],
    ) -> Result<()> {
        let made = Settings::of_app(self.node.as_ref(), config).and_then(|settings| match settings {
            Some(settings) => Ok(Some(Arc::new(self.login(app, &host, settings, env)?))),
            None => Ok(None),
        });
        let login = made.as_ref().ok().cloned().flatten();
        self.apps.write().unwrap_or_else(PoisonError::into_inner).insert(host, login);
        self.changes.send_replace(());
        made.map(drop)
    }

    fn login(&self, app: &AppName, host: &str, settings: Settings, env: &[(String, String)]) -> Result<Login> {
        let value = |name: &str| env.iter().find(|(known, _)| known == name).map(|(_, value)| value);
        let (Some(identity), Some(users)) = (value("DAE_IDENTITY_KEY"), value("DAE_USERS")) else {
            return Err(Problem::new("login.service", "the service `users` does not run"));
        };
        let mut keys = Keys::beside(Path::new(users))?;
        keys.identity.clone_from(identity);
        // What was discovered stays so.
        let before = self.of(host).map(|login| login.provider.clone());
        let provider = match before.filter(|provider| provider.settings == settings) {
            Some(provider) => provider,
            None => Arc::new(Provider::new(settings)?),
        };
        Ok(Login { app: app.clone(), keys, provider, sessions: self.sessions.clone(), tell: self.tell.clone() })
    }

    /// That of the app whose own host this is.
    pub fn of(&self, host: &str) -> Option<Arc<Login>> {
        self.apps.read().unwrap_or_else(PoisonError::into_inner).get(host).cloned().flatten()
    }

    /// Whether it was said that it has one, or none.
    pub fn knows(&self, host: &str) -> bool {
        self.apps.read().unwrap_or_else(PoisonError::into_inner).contains_key(host)
    }

    pub fn changes(&self) -> watch::Receiver<()> {
        self.changes.subscribe()
    }
}

/// Whether a path is the gateway's own.
pub fn is_page(path: &str) -> bool {
    [LOGIN, LOGIN_DONE, LOGOUT, LOGOUT_DONE].contains(&path)
}

/// What the pages say where there is no login.
pub fn none(request: &Request) -> Response {
    let problem = Problem::new("login.none", "nobody can log in here")
        .because("no login is set up for this app")
        .hint("who runs it finds out how in docs/login.md");
    page(StatusCode::NOT_FOUND, &problem, None, wants(request.headers()))
}

impl Login {
    /// The pages.
    pub async fn answer(&self, mut request: Request) -> Response {
        let wants = wants(request.headers());
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            return plain(StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed");
        }
        let Some(here) = Here::of(&request) else { return plain(StatusCode::BAD_REQUEST, "Bad Request") };
        let fields = fields(request.uri().query().unwrap_or_default());
        let path = request.uri().path().to_owned();
        let headers = request.headers_mut();
        let answer = match path.as_str() {
            LOGIN => self.send_there(&here, &fields).await,
            LOGIN_DONE => self.take_back(&here, &fields, headers).await,
            LOGOUT => self.log_out(&here, &fields, headers).await,
            _ => {
                let dest = fields.get("state").and_then(|state| self.keys.unseal(&self.app, "out", state));
                Ok(see_other(&dest.unwrap_or_else(|| "/".to_owned()), &[]))
            }
        };
        answer.unwrap_or_else(|Refusal { status, problem, dest }| {
            if status.is_server_error() {
                (self.tell)(&self.app, problem.clone());
            }
            page(status, &problem, Some(&dest), wants)
        })
    }

    async fn send_there(&self, here: &Here, fields: &BTreeMap<String, String>) -> Result<Response, Refusal> {
        let dest = dest(fields);
        let failed = |problem| Refusal::new(StatusCode::SERVICE_UNAVAILABLE, problem, &dest);
        let attempt = Attempt::new(dest.clone()).map_err(failed)?;
        let back = here.at(LOGIN_DONE);
        let prompt = fields.get("prompt").filter(|prompt| *prompt == "login").map(String::as_str);
        let to = self.provider.way_there(&attempt, &back, prompt).await.map_err(|trouble| failed(trouble.problem()))?;
        let taken = self.keys.seal(&self.app, "begin", &attempt, now(), ATTEMPT).unwrap_or_default();
        let cookie = format!("{}={taken}", begin_cookie(&attempt.state));
        Ok(see_other(&to, &[here.cookie(&cookie, LOGIN, Some(ATTEMPT))]))
    }

    async fn take_back(
        &self,
        here: &Here,
        fields: &BTreeMap<String, String>,
        headers: &mut HeaderMap,
    ) -> Result<Response, Refusal> {
        let field = |name: &str| fields.get(name).map(String::as_str).unwrap_or_default();
        let name = begin_cookie(field("state"));
        let taken = take_cookie(headers, &name);
        let attempt = taken.and_then(|token| self.keys.unseal::<Attempt>(&self.app, "begin", &token));
        let Some(attempt) = attempt.filter(|attempt| attempt.state == field("state")) else {
            let problem = Problem::new("login.state", "this login was not begun here, or too long ago")
                .because("nobody was logged in");
            return Err(Refusal::new(StatusCode::BAD_REQUEST, problem, "/"));
        };
        let dest = attempt.dest.clone();
        let refused = |status, problem| Refusal::new(status, problem, &dest);
        // Whoever answers says who it is, where it says so at all (RFC 9207).
        if fields.get("iss").is_some_and(|issuer| *issuer != self.provider.settings.issuer) {
            let problem = Problem::new("login.issuer", "another login provider answered than was asked");
            return Err(refused(StatusCode::BAD_REQUEST, problem));
        }
        let error = field("error");
        if !error.is_empty() {
            let why = Some(field("error_description")).filter(|why| !why.is_empty()).unwrap_or(error);
            let problem = Problem::new("login.denied", "the login provider did not log you in").because(why);
            return Err(refused(StatusCode::FORBIDDEN, problem));
        }
        let (now, back) = (now(), here.at(LOGIN_DONE));
        let given =
            self.provider.redeem(field("code"), &attempt, &back, now).await.map_err(|trouble| match trouble {
                Trouble::Silent(problem) => refused(StatusCode::BAD_GATEWAY, problem),
                Trouble::Refused(problem) => refused(StatusCode::BAD_REQUEST, problem),
            })?;
        let person = Person::of(given.claims.as_ref().unwrap_or(&serde_json::Map::new()), &self.provider.settings);
        let person = person.map_err(|why| {
            let problem = Problem::new("login.not-allowed", format!("you may not use {}", self.app)).because(why);
            refused(StatusCode::FORBIDDEN, problem)
        })?;
        let failed = |problem| refused(StatusCode::SERVICE_UNAVAILABLE, problem);
        let word = random().map_err(failed)?;
        self.begin(person, given, &word, now).await.map_err(failed)?;
        let session = self.keys.seal(&self.app, "session", &word, now, LONGEST).unwrap_or_default();
        let session = here.cookie(&format!("{}={session}", self.cookie(here)), "/", Some(LONGEST));
        Ok(see_other(&dest, &[session, here.cookie(&format!("{name}="), LOGIN, Some(0))]))
    }

    async fn begin(&self, person: Person, given: Given, word: &str, now: i64) -> Result<()> {
        let (sessions, app, word, client) =
            (self.sessions.clone(), self.app.clone(), word.to_owned(), self.provider.client());
        let issuer = self.provider.settings.issuer.clone();
        blocking(move || {
            let number = sessions.number(&issuer, &person.subject)?;
            let ends = now + if given.refresh.is_some() { LONGEST } else { UNASKED };
            let ask_at = if given.refresh.is_some() { now + given.holds } else { ends };
            let Given { refresh, id_token, .. } = given;
            let kept = Kept { person, number, client, refresh, id_token, ask_at, good_until: ask_at + GRACE, ends };
            sessions.begin(&app, &word, &kept, now)
        })
        .await
    }

    async fn log_out(
        &self,
        here: &Here,
        fields: &BTreeMap<String, String>,
        headers: &mut HeaderMap,
    ) -> Result<Response, Refusal> {
        let dest = dest(fields);
        let gone = here.cookie(&format!("{}=", self.cookie(here)), "/", Some(0));
        let session = match take_cookie(headers, &self.cookie(here)) {
            Some(token) => self.session(&token).await,
            None => None,
        };
        let Some(session) = session else { return Ok(see_other(&dest, &[gone])) };
        let sessions = self.sessions.clone();
        let failed = |problem| Refusal::new(StatusCode::SERVICE_UNAVAILABLE, problem, &dest);
        let kept = blocking(move || sessions.end(&session)).await.map_err(failed)?;
        let state = self.keys.seal(&self.app, "out", &dest, now(), ATTEMPT).unwrap_or_default();
        let out = match kept.and_then(|kept| kept.id_token) {
            Some(token) => self.provider.way_out(&token, &here.at(LOGOUT_DONE), &state).await,
            None => None,
        };
        Ok(see_other(&out.unwrap_or(dest), &[gone]))
    }

    /// Puts the gateway's word in the place of whatever the client said.
    pub async fn introduce(&self, headers: &mut HeaderMap, is_https: bool) {
        withhold(headers, IDENTITY);
        let Some(token) = take_cookie(headers, &cookie(&self.app, is_https)) else { return };
        let Some(user) = self.user(&token).await else { return };
        let word = self.keys.word(&self.app, &user, now());
        if let Some(word) = word.and_then(|word| HeaderValue::from_str(&word).ok()) {
            headers.insert(IDENTITY, word);
        }
    }

    fn cookie(&self, here: &Here) -> String {
        cookie(&self.app, here.is_https())
    }

    async fn session(&self, token: &str) -> Option<Arc<Session>> {
        let word: String = self.keys.unseal(&self.app, "session", token)?;
        if let Some(session) = self.sessions.held(&word) {
            return Some(session);
        }
        let (sessions, app) = (self.sessions.clone(), self.app.clone());
        blocking(move || sessions.find(&app, &word)).await.unwrap_or_else(|problem: Problem| {
            (self.tell)(&self.app, problem);
            None
        })
    }

    /// Who has this session, as the provider said lately.
    async fn user(&self, token: &str) -> Option<User> {
        let session = self.session(token).await?;
        let kept = session.kept().filter(|kept| kept.client == self.provider.client() && now() < kept.ends)?;
        if kept.ask_at <= now() {
            self.asked_again(&session).await;
        }
        let kept = session.kept().filter(|kept| now() < kept.good_until.min(kept.ends))?;
        Some(kept.person.user(kept.number))
    }

    /// Asks the provider, in a task of its own: its answer may void what it was asked with, so it must not be lost with the
    /// request that began it.
    async fn asked_again(&self, session: &Arc<Session>) {
        let asking = {
            let mut asking = session.asking.lock().unwrap_or_else(PoisonError::into_inner);
            let asked = || {
                let (session, provider) = (session.clone(), self.provider.clone());
                let (sessions, tell, app) = (self.sessions.clone(), self.tell.clone(), self.app.clone());
                let task = tokio::spawn(async move {
                    if let Err(problem) = renew(&session, &provider, &sessions).await {
                        tell(&app, problem);
                    }
                    *session.asking.lock().unwrap_or_else(PoisonError::into_inner) = None;
                });
                task.map(drop).boxed().shared()
            };
            asking.get_or_insert_with(asked).clone()
        };
        asking.await;
    }
}

async fn renew(session: &Arc<Session>, provider: &Provider, sessions: &Arc<Sessions>) -> Result<()> {
    let now = now();
    // Another asker may have been faster.
    let Some(kept) = session.kept().filter(|kept| kept.ask_at <= now) else { return Ok(()) };
    let given = match &kept.refresh {
        Some(refresh) => provider.renew(refresh, &kept.person, now).await,
        None => Err(Trouble::Refused(Problem::new("login.over", "it is over"))),
    };
    let (sessions, session) = (sessions.clone(), session.clone());
    let person = match &given {
        Ok(Given { claims: Some(claims), .. }) => Person::of(claims, &provider.settings).ok(),
        Ok(_) => Some(kept.person.clone()),
        Err(Trouble::Refused(_)) => None,
        Err(Trouble::Silent(problem)) => {
            session.put_off(now + AGAIN);
            return Err(problem.clone());
        }
    };
    blocking(move || match (person, given) {
        (Some(person), Ok(given)) => {
            let ask_at = now + given.holds;
            let (refresh, id_token) = (given.refresh.or(kept.refresh), given.id_token.or(kept.id_token));
            let kept = Kept { person, refresh, id_token, ask_at, good_until: ask_at + GRACE, ..kept };
            sessions.keep(&session, kept)
        }
        _ => sessions.end(&session).map(drop),
    })
    .await
}

/// Why a page is no other one, and where the visitor wanted to go.
struct Refusal {
    status: StatusCode,
    problem: Problem,
    dest: String,
}

impl Refusal {
    fn new(status: StatusCode, problem: Problem, dest: &str) -> Self {
        Self { status, problem, dest: dest.to_owned() }
    }
}

/// How the browser reached us.
struct Here {
    scheme: &'static str,
    /// With the port.
    host: String,
}

impl Here {
    fn of(request: &Request) -> Option<Self> {
        let named = || request.headers().get(hyper::header::HOST)?.to_str().ok();
        let host = request.uri().authority().map(hyper::http::uri::Authority::as_str).or_else(named)?;
        let good =
            !host.is_empty() && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._:[]".contains(&byte));
        let scheme = if is_https(request.headers()) { "https" } else { "http" };
        good.then(|| Self { scheme, host: host.to_owned() })
    }

    fn is_https(&self) -> bool {
        self.scheme == "https"
    }

    fn at(&self, path: &str) -> String {
        format!("{}://{}{path}", self.scheme, self.host)
    }

    fn cookie(&self, pair: &str, path: &str, lasts: Option<i64>) -> String {
        let lasts = lasts.map(|seconds| format!("; Max-Age={seconds}")).unwrap_or_default();
        let secure = if self.is_https() { "; Secure" } else { "" };
        format!("{pair}; Path={path}; HttpOnly; SameSite=Lax{lasts}{secure}")
    }
}

/// The web server before the node says so.
pub fn is_https(headers: &HeaderMap) -> bool {
    headers.get("x-forwarded-proto").and_then(|value| value.to_str().ok()).is_some_and(|proto| proto == "https")
}

/// Browsers share cookies between the ports of a host. With this prefix they take it from the host itself alone.
fn cookie(app: &AppName, is_https: bool) -> String {
    format!("{}dae_login_{app}", if is_https { "__Host-" } else { "" })
}

/// One for each way there, so that two tabs do not get in each other's way.
fn begin_cookie(state: &str) -> String {
    let plain = state.chars().filter(|c| c.is_ascii_alphanumeric() || "-_".contains(*c));
    format!("dae_begin_{}", plain.take(12).collect::<String>())
}

fn page(status: StatusCode, problem: &Problem, dest: Option<&str>, wants: Wants) -> Response {
    let hints = problem.hints.iter().map(|hint| match hint {
        Hint::Run(text) | Hint::Say(text) => text.clone(),
    });
    if wants == Wants::Text {
        let lines = std::iter::once(problem.message.clone()).chain(problem.causes.iter().cloned()).chain(hints);
        return plain(status, &lines.collect::<Vec<_>>().join("\n"));
    }
    let causes: Vec<String> = problem.causes.iter().cloned().chain(hints).collect();
    // The provider would say the same again of who is logged in there.
    let other = problem.code == "login.not-allowed";
    let label = if other { "Log in as somebody else" } else { "Try again" };
    let other = if other { "&prompt=login" } else { "" };
    let again = dest.map(|dest| format!("{LOGIN}?dest={}{other}", percent(dest)));
    notice(status, &problem.message, causes, again.as_deref().map(|to| Link { to, label }))
}

fn percent(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte);
    text.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

fn now() -> i64 {
    jiff::Timestamp::now().as_second()
}
