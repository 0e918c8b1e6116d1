//! One OpenID provider, seen from a client of it: discovery, the way there, a code for tokens, new tokens for old, the way out.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jsonwebtoken::jwk::JwkSet;
use reqwest::Url;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::person::Person;
use super::settings::Settings;
use super::token::{self, Claims, Expected, Fault};
use crate::problem::{Problem, Result};
use crate::remote::config::is_here;

/// For so long what was discovered counts; keys that are new are asked for when they are needed.
const KNOWN_FOR: Duration = Duration::from_hours(1);
/// A token by an unknown key has the keys asked for again, this often at most.
const KEYS_AGAIN: Duration = Duration::from_secs(10);
const LARGEST: usize = 1 << 20;
const USUAL_SCOPES: &[&str] = &["openid", "profile", "email"];
/// Asks for a token that brings others later, where the provider knows this word.
const LASTING: &str = "offline_access";
/// Where the provider does not say how long its answer holds, in seconds.
const HOLDS: i64 = 3600;

#[derive(Debug)]
pub struct Provider {
    pub settings: Settings,
    http: reqwest::Client,
    known: Mutex<Option<Known>>,
}

#[derive(Debug, Clone)]
struct Known {
    metadata: Arc<Metadata>,
    keys: Arc<JwkSet>,
    since: Instant,
    keys_since: Instant,
}

/// OpenID Connect Discovery 1.0, section 3; RP-Initiated Logout 1.0, section 2.1.
#[derive(Debug, Deserialize)]
struct Metadata {
    issuer: String,
    authorization_endpoint: String,
    token_endpoint: String,
    jwks_uri: String,
    userinfo_endpoint: Option<String>,
    end_session_endpoint: Option<String>,
    #[serde(default)]
    scopes_supported: Vec<String>,
    #[serde(default)]
    token_endpoint_auth_methods_supported: Vec<String>,
}

/// Why there is no answer to go on with.
#[derive(Debug, Clone)]
pub enum Trouble {
    /// The provider is not there, or says what cannot be used; later it may be otherwise.
    Silent(Problem),
    /// It says no.
    Refused(Problem),
}

impl Trouble {
    pub fn problem(self) -> Problem {
        match self {
            Self::Silent(problem) | Self::Refused(problem) => problem,
        }
    }
}

/// One way there and back: what must come back, and what proves that it was begun here.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Attempt {
    pub state: String,
    nonce: String,
    verifier: String,
    /// A path of the app's, for the time after.
    pub dest: String,
}

/// What the provider gave.
#[derive(Debug, Clone)]
pub struct Given {
    /// None: it said nothing new.
    pub claims: Option<Claims>,
    pub refresh: Option<String>,
    pub id_token: Option<String>,
    /// For how many seconds nobody need ask again.
    pub holds: i64,
}

#[derive(Debug, Deserialize)]
struct Tokens {
    access_token: Option<String>,
    id_token: Option<String>,
    refresh_token: Option<String>,
    expires_in: Option<Value>,
}

impl Attempt {
    pub fn new(dest: String) -> Result<Self> {
        Ok(Self { state: random()?, nonce: random()?, verifier: random()?, dest })
    }
}

/// 256 bits, as they may stand in an address.
pub fn random() -> Result<String> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes)
        .map_err(|error| Problem::new("login.random", "this machine gives no random numbers").because(error))?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

impl Provider {
    pub fn new(settings: Settings) -> Result<Self> {
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("dae/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(Duration::from_secs(5))
            .timeout(Duration::from_secs(10))
            // No endpoint of a provider leads elsewhere; with a secret in hand nobody follows.
            .redirect(reqwest::redirect::Policy::none());
        if Url::parse(&settings.issuer).is_ok_and(|url| is_here(&url)) {
            builder = builder.no_proxy();
        }
        let http = builder.build().map_err(|error| {
            Problem::new("login.tls", "could not get ready to speak to the provider").because(error)
        })?;
        Ok(Self { settings, http, known: Mutex::default() })
    }

    /// Names whom its sessions are of.
    pub fn client(&self) -> String {
        format!("{} {}", self.settings.issuer, self.settings.client_id)
    }

    /// Where to send a browser that is to come back to `back`.
    pub async fn way_there(&self, attempt: &Attempt, back: &str, prompt: Option<&str>) -> Result<String, Trouble> {
        let known = self.known().await?;
        let mut url = self.endpoint(&known.metadata.authorization_endpoint)?;
        let scopes = self.scopes(&known.metadata);
        url.query_pairs_mut()
            .append_pair("response_type", "code")
            .append_pair("client_id", &self.settings.client_id)
            .append_pair("redirect_uri", back)
            .append_pair("scope", &scopes)
            .append_pair("state", &attempt.state)
            .append_pair("nonce", &attempt.nonce)
            .append_pair("code_challenge", &URL_SAFE_NO_PAD.encode(Sha256::digest(&attempt.verifier)))
            .append_pair("code_challenge_method", "S256")
            .extend_pairs(prompt.map(|prompt| ("prompt", prompt)));
        Ok(url.into())
    }

    fn scopes(&self, metadata: &Metadata) -> String {
        let mut scopes: Vec<&str> = self.settings.scopes.iter().map(String::as_str).collect();
        if scopes.is_empty() {
            scopes.extend(USUAL_SCOPES);
            scopes.extend(metadata.scopes_supported.iter().map(String::as_str).filter(|scope| *scope == LASTING));
        }
        if !scopes.contains(&"openid") {
            scopes.insert(0, "openid");
        }
        scopes.join(" ")
    }

    /// Tokens for the code that a browser brought back to `back`.
    pub async fn redeem(&self, code: &str, attempt: &Attempt, back: &str, now: i64) -> Result<Given, Trouble> {
        let form = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", back),
            ("code_verifier", &attempt.verifier),
        ];
        let tokens = self.tokens(&form).await?;
        let Some(id_token) = &tokens.id_token else {
            return Err(useless("gave no ID token"));
        };
        let mut claims = self.believed(id_token, Some(&attempt.nonce), now).await?;
        if self.is_short_of(&claims)
            && let Some(more) = self.userinfo(&tokens, &claims).await?
        {
            // What is signed counts first.
            for (name, value) in more {
                claims.entry(name).or_insert(value);
            }
        }
        Ok(Self::given(tokens, Some(claims)))
    }

    /// New tokens for the old one of `person`.
    pub async fn renew(&self, refresh: &str, person: &Person, now: i64) -> Result<Given, Trouble> {
        let tokens = self.tokens(&[("grant_type", "refresh_token"), ("refresh_token", refresh)]).await?;
        let told = match &tokens.id_token {
            Some(token) => Some(self.believed(token, None, now).await?),
            None => None,
        };
        let other = || Trouble::Refused(Problem::new("login.other-person", "the provider speaks of somebody else now"));
        let is_same = |claims: &Claims| claims.get("sub").and_then(Value::as_str) == Some(&person.subject);
        if told.as_ref().is_some_and(|claims| !is_same(claims)) {
            return Err(other());
        }
        let subject = Claims::from_iter([("sub".to_owned(), person.subject.clone().into())]);
        // The old token may be void by now: without this answer too, what is new is kept.
        let now_so = self.userinfo(&tokens, &subject).await.unwrap_or_default();
        let claims = match (told, now_so) {
            (Some(mut told), Some(more)) => {
                told.extend(more);
                Some(told)
            }
            (Some(told), None) if !self.is_short_of(&told) => Some(told),
            (None, Some(more)) => Some(more),
            _ => None,
        };
        Ok(Self::given(tokens, claims))
    }

    /// Where to send a browser that logs out, so that the provider forgets it too; none where it does not offer that.
    pub async fn way_out(&self, id_token: &str, back: &str, state: &str) -> Option<String> {
        let known = self.known().await.ok()?;
        let mut url = self.endpoint(known.metadata.end_session_endpoint.as_ref()?).ok()?;
        url.query_pairs_mut()
            .append_pair("id_token_hint", id_token)
            .append_pair("client_id", &self.settings.client_id)
            .append_pair("post_logout_redirect_uri", back)
            .append_pair("state", state);
        Some(url.into())
    }

    fn given(tokens: Tokens, claims: Option<Claims>) -> Given {
        let seconds = |value: Value| value.as_i64().or_else(|| value.as_str()?.parse().ok());
        let holds = tokens.expires_in.and_then(seconds).unwrap_or(HOLDS).clamp(1, HOLDS);
        Given { claims, refresh: tokens.refresh_token, id_token: tokens.id_token, holds }
    }

    /// Whether something of use may stand in the user info only.
    fn is_short_of(&self, claims: &Claims) -> bool {
        let settings = &self.settings;
        let groups = !settings.allowed_groups.is_empty() || !settings.admin_groups.is_empty();
        !claims.contains_key("email")
            || !claims.contains_key("name")
            || groups && !claims.contains_key(&settings.groups_claim)
    }

    /// None where the provider has no such place.
    async fn userinfo(&self, tokens: &Tokens, claims: &Claims) -> Result<Option<Claims>, Trouble> {
        let known = self.known().await?;
        let (Some(place), Some(access)) = (&known.metadata.userinfo_endpoint, &tokens.access_token) else {
            return Ok(None);
        };
        let request = self.http.get(self.endpoint(place)?).header(AUTHORIZATION, format!("Bearer {access}"));
        let (status, body) = self.ask(request).await?;
        // A signed one is left alone: nobody asked for it.
        let Some(told) = serde_json::from_slice::<Claims>(&body).ok().filter(|_| status.is_success()) else {
            return Ok(None);
        };
        if told.get("sub") != claims.get("sub") {
            return Err(useless("spoke of two people at once"));
        }
        Ok(Some(told))
    }

    async fn tokens(&self, pairs: &[(&str, &str)]) -> Result<Tokens, Trouble> {
        let known = self.known().await?;
        let Settings { client_id, client_secret, .. } = &self.settings;
        let mut pairs = pairs.to_vec();
        let methods = &known.metadata.token_endpoint_auth_methods_supported;
        // Where nothing is said, Basic it is (Discovery 1.0, section 3).
        let by_header = methods.is_empty() || methods.iter().any(|method| method == "client_secret_basic");
        let mut request =
            self.http.post(self.endpoint(&known.metadata.token_endpoint)?).header(ACCEPT, "application/json");
        match client_secret {
            Some(secret) if by_header => {
                let words = format!("{}:{}", encoded(client_id), encoded(&secret.0));
                request = request.header(AUTHORIZATION, format!("Basic {}", STANDARD.encode(words)));
            }
            Some(secret) => pairs.extend([("client_id", client_id.as_str()), ("client_secret", &secret.0)]),
            None => pairs.push(("client_id", client_id)),
        }
        let request = request.header(CONTENT_TYPE, "application/x-www-form-urlencoded").body(form(&pairs));
        let (status, body) = self.ask(request).await?;
        if status.is_success() {
            return match serde_json::from_slice(&body) {
                Ok(tokens) => Ok(tokens),
                Err(error) => Err(useless(&format!("gave tokens that are not readable ({error})"))),
            };
        }
        let said: Value = serde_json::from_slice(&body).unwrap_or_default();
        let text = |name: &str| said[name].as_str().map(quiet);
        let error = text("error").unwrap_or_else(|| status.to_string());
        let why = text("error_description").map(|why| format!(": {why}")).unwrap_or_default();
        let problem = Problem::new("login.refused", "the login provider says no").because(format!("{error}{why}"));
        Err(match error.as_str() {
            "invalid_grant" => Trouble::Refused(problem),
            "invalid_client" | "unauthorized_client" => Trouble::Silent(
                problem.hint("`client_id` and `client_secret` are to be those that the provider has given"),
            ),
            _ => Trouble::Silent(problem),
        })
    }

    /// The claims of a token, with the newest keys where the known ones are too old.
    async fn believed(&self, id_token: &str, nonce: Option<&str>, now: i64) -> Result<Claims, Trouble> {
        let known = self.known().await?;
        let Settings { issuer, client_id, .. } = &self.settings;
        let expected = Expected { issuer, client_id, nonce, now };
        let mut read = token::read(id_token, &known.keys, expected);
        if read == Err(Fault::UnknownKey) && known.keys_since.elapsed() > KEYS_AGAIN {
            let keys = Arc::new(self.keys(&known.metadata).await?);
            read = token::read(id_token, &keys, expected);
            self.remember(Known { keys, keys_since: Instant::now(), ..known });
        }
        let bad = || Problem::new("login.token", "the login provider gave an ID token that cannot be believed");
        read.map_err(|fault| match fault {
            Fault::UnknownKey => {
                Trouble::Silent(bad().because("it is signed with a key that the provider does not show"))
            }
            Fault::Wrong(why) => Trouble::Silent(bad().because(why)),
            Fault::Clock(ahead) => {
                let which = if ahead > 0 { "ahead of" } else { "behind" };
                let differ = format!("this node's clock is {} s {which} the provider's", ahead.abs());
                Trouble::Silent(
                    Problem::new("login.clock", "the login provider's clock and this node's differ")
                        .because(differ)
                        .hint("have the node's clock set by NTP"),
                )
            }
        })
    }

    async fn known(&self) -> Result<Known, Trouble> {
        let before = self.known.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(known) = before.clone().filter(|known| known.since.elapsed() < KNOWN_FOR) {
            return Ok(known);
        }
        match self.discover().await {
            Ok(known) => {
                self.remember(known.clone());
                Ok(known)
            }
            // What was so an hour ago is most likely so still.
            Err(trouble) => before.ok_or(trouble),
        }
    }

    fn remember(&self, known: Known) {
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = Some(known);
    }

    async fn discover(&self) -> Result<Known, Trouble> {
        let issuer = &self.settings.issuer;
        let place = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
        let metadata: Metadata = self.fetch(&place).await?;
        if metadata.issuer != *issuer {
            let problem = Problem::new("login.issuer", "the login provider goes by another name")
                .because(format!("it calls itself `{}`", quiet(&metadata.issuer)))
                .hint("write `issuer` just so");
            return Err(Trouble::Silent(problem));
        }
        let keys = Arc::new(self.keys(&metadata).await?);
        let now = Instant::now();
        Ok(Known { metadata: Arc::new(metadata), keys, since: now, keys_since: now })
    }

    /// Those of a kind that is not known are left out.
    async fn keys(&self, metadata: &Metadata) -> Result<JwkSet, Trouble> {
        #[derive(Deserialize)]
        struct Keys {
            keys: Vec<Value>,
        }
        let told: Keys = self.fetch(&metadata.jwks_uri).await?;
        Ok(JwkSet { keys: told.keys.into_iter().filter_map(|key| serde_json::from_value(key).ok()).collect() })
    }

    async fn fetch<T: DeserializeOwned>(&self, place: &str) -> Result<T, Trouble> {
        let request = self.http.get(self.endpoint(place)?).header(ACCEPT, "application/json");
        let (status, body) = self.ask(request).await?;
        if !status.is_success() {
            return Err(useless(&format!("answered {status} at {}", quiet(place))));
        }
        match serde_json::from_slice(&body) {
            Ok(read) => Ok(read),
            Err(error) => Err(useless(&format!("gave something else at {}: {error}", quiet(place)))),
        }
    }

    /// No address of a provider that is reached safely is an unsafe one.
    fn endpoint(&self, place: &str) -> Result<Url, Trouble> {
        let url = Url::parse(place).ok().filter(|url| {
            url.scheme() == "https"
                || url.scheme() == "http" && is_here(url) && self.settings.issuer.starts_with("http:")
        });
        let problem =
            || Problem::new("login.endpoint", "the login provider names an address that is not to be trusted");
        url.ok_or_else(|| Trouble::Silent(problem().because(quiet(place))))
    }

    async fn ask(&self, request: reqwest::RequestBuilder) -> Result<(reqwest::StatusCode, Vec<u8>), Trouble> {
        let silent = |error: reqwest::Error| {
            let mut problem = Problem::new("login.silent", "the login provider does not answer");
            let mut cause = Some(&error as &dyn std::error::Error);
            while let Some(error) = cause {
                problem = problem.because(error);
                cause = error.source();
            }
            Trouble::Silent(problem)
        };
        let mut response = request.send().await.map_err(silent)?;
        let (status, mut body) = (response.status(), Vec::new());
        while let Some(part) = response.chunk().await.map_err(silent)? {
            body.extend_from_slice(&part);
            if body.len() > LARGEST {
                return Err(useless("said more than anybody wants to know"));
            }
        }
        Ok((status, body))
    }
}

/// It is there, and says what cannot be used.
fn useless(what: &str) -> Trouble {
    Trouble::Silent(
        Problem::new("login.provider", "the login provider does not do its part").because(format!("it {what}")),
    )
}

fn form(pairs: &[(&str, &str)]) -> String {
    // The one address that cannot be wrong is written here.
    let Ok(mut url) = Url::parse("http://form") else { return String::new() };
    url.query_pairs_mut().extend_pairs(pairs);
    url.query().unwrap_or_default().to_owned()
}

/// As a form has it (RFC 6749, 2.3.1).
fn encoded(text: &str) -> String {
    form(&[("", text)]).trim_start_matches('=').to_owned()
}

/// A short line of somebody else's words.
fn quiet(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(300).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_stand_in_a_form() {
        assert_eq!(form(&[("a", "b c&d"), ("e", "=é")]), "a=b+c%26d&e=%3D%C3%A9");
        assert_eq!(encoded("a:b=c"), "a%3Ab%3Dc");
    }

    #[test]
    fn only_safe_places_are_asked() {
        let of = |issuer: &str, place: &str| Provider::new(Settings::of(issuer, "us")).unwrap().endpoint(place).is_ok();
        assert!(of("https://id.example.com", "https://login.example.net/token"));
        assert!(!of("https://id.example.com", "http://id.example.com/token"));
        assert!(!of("https://id.example.com", "http://127.0.0.1/token"));
        assert!(of("http://127.0.0.1:9", "http://127.0.0.1:9/token"));
        assert!(!of("http://127.0.0.1:9", "http://id.example.com/token"));
        assert!(!of("http://127.0.0.1:9", "file:///etc/passwd"));
    }
}
