//! How one gets into a registry of images: by what `docker login` or `podman login` left, asked for in the way the registry
//! wants it (the token specification of the distribution project).

use std::collections::BTreeMap;
use std::fmt;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::header::{HeaderMap, HeaderValue, WWW_AUTHENTICATE};
use reqwest::{StatusCode, Url};
use serde::Deserialize;

use super::client::{Answer, exit};
use crate::problem::Problem;

/// Who somebody is at one registry, and what the registry gave for it.
pub struct Login {
    known: Option<Known>,
    /// What goes along with every request now.
    header: Mutex<Option<HeaderValue>>,
}

enum Known {
    Password {
        user: String,
        password: String,
    },
    /// What `docker login` keeps for registries that give it.
    Identity(String),
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Login(known: {})", self.known.is_some())
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct File {
    auths: BTreeMap<String, Entry>,
    cred_helpers: BTreeMap<String, String>,
    creds_store: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Entry {
    auth: String,
    identitytoken: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Helped {
    username: String,
    secret: String,
}

impl Login {
    /// What this user has for `registry`; `env` is the environment.
    pub fn find(registry: &str, env: &[(String, String)]) -> Self {
        let known = files(env).into_iter().find_map(|path| in_file(&path, registry));
        Self { known, header: Mutex::new(None) }
    }

    pub fn header(&self) -> Option<HeaderValue> {
        self.header.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Gets what a refusal asks for; says whether there is something new to try.
    pub async fn answer(&self, http: &reqwest::Client, headers: &HeaderMap) -> bool {
        let mut wanted = headers.get_all(WWW_AUTHENTICATE).iter().filter_map(|value| value.to_str().ok());
        let Some(wanted) = wanted.find_map(Challenge::parse) else { return false };
        let value = match (&wanted, &self.known) {
            (Challenge::Basic, Some(known @ Known::Password { .. })) => known.basic(),
            (Challenge::Basic, _) => None,
            (Challenge::Bearer { .. }, known) => wanted.token(http, known.as_ref()).await,
        };
        let Some(mut value) = value.and_then(|value| HeaderValue::try_from(value).ok()) else { return false };
        value.set_sensitive(true);
        let mut header = self.header.lock().unwrap_or_else(PoisonError::into_inner);
        let news = header.as_ref() != Some(&value);
        *header = Some(value);
        news
    }

    /// A registry's refusal in words.
    pub fn refused(&self, registry: &str, answer: &Answer, usual: u8) -> Problem {
        let said = serde_json::from_slice::<Errors>(&answer.body).map(|body| body.errors).unwrap_or_default();
        let said = said.into_iter().map(|error| format!("{}: {}", error.code, error.message));
        let mut problem = Problem::new("registry.refused", format!("registry `{registry}` answered {}", answer.status));
        problem.causes.extend(said);
        let login = format!("docker login {registry}");
        match (answer.status, &self.known) {
            (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN, None) => problem
                .because("no credentials are known for it")
                .try_running(login)
                .hint("or with podman; what either keeps is used")
                .exit(exit::REFUSED),
            (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN, Some(_)) => {
                problem.because("the credentials that are kept for it do not do").try_running(login).exit(exit::REFUSED)
            }
            (StatusCode::NOT_FOUND, _) => {
                problem.hint("look whether the repository is there and its name right: `dae remote list`").exit(usual)
            }
            _ => problem.exit(usual),
        }
    }
}

impl Known {
    fn basic(&self) -> Option<String> {
        match self {
            Self::Password { user, password } => {
                Some(format!("Basic {}", STANDARD.encode(format!("{user}:{password}"))))
            }
            Self::Identity(_) => None,
        }
    }
}

#[derive(Deserialize)]
struct Errors {
    errors: Vec<RegistryError>,
}

#[derive(Deserialize)]
#[serde(default)]
#[derive(Default)]
struct RegistryError {
    code: String,
    message: String,
}

/// What a registry wants: `WWW-Authenticate`.
#[derive(Debug, PartialEq, Eq)]
enum Challenge {
    Basic,
    Bearer { realm: String, service: Option<String>, scope: Option<String> },
}

#[derive(Deserialize)]
struct Given {
    #[serde(alias = "access_token")]
    token: String,
}

impl Challenge {
    fn parse(text: &str) -> Option<Self> {
        let (scheme, rest) = text.trim().split_once(' ').unwrap_or((text.trim(), ""));
        if scheme.eq_ignore_ascii_case("basic") {
            return Some(Self::Basic);
        }
        if !scheme.eq_ignore_ascii_case("bearer") {
            return None;
        }
        let mut found = BTreeMap::new();
        let mut rest = rest;
        // A scope holds commas, so a value ends at its quote.
        while let Some((name, after)) = rest.split_once("=\"") {
            let (value, after) = after.split_once('"')?;
            found.insert(name.trim_matches([',', ' ']).to_ascii_lowercase(), value.to_owned());
            rest = after;
        }
        Some(Self::Bearer {
            realm: found.remove("realm")?,
            service: found.remove("service"),
            scope: found.remove("scope"),
        })
    }

    async fn token(&self, http: &reqwest::Client, known: Option<&Known>) -> Option<String> {
        let Self::Bearer { realm, service, scope } = self else { return None };
        let mut url = Url::parse(realm).ok()?;
        let pairs = |name: &'static str, value: &Option<String>| value.clone().map(|value| (name, value));
        let asked: Vec<(&str, String)> = pairs("service", service)
            .into_iter()
            .chain(scope.iter().flat_map(|scope| scope.split(' ')).map(|scope| ("scope", scope.to_owned())))
            .collect();
        let request = if let Some(Known::Identity(token)) = known {
            let mut form = url::form(&asked);
            form.push_str(&url::form(&[
                ("grant_type", "refresh_token".to_owned()),
                ("client_id", "dae".to_owned()),
                ("refresh_token", token.clone()),
            ]));
            http.post(url).header("content-type", "application/x-www-form-urlencoded").body(form)
        } else {
            url.query_pairs_mut().extend_pairs(&asked);
            let request = http.get(url);
            match known.and_then(Known::basic) {
                Some(basic) => request.header("authorization", basic),
                None => request,
            }
        };
        let response = request.send().await.ok()?.error_for_status().ok()?;
        let given: Given = serde_json::from_slice(&response.bytes().await.ok()?).ok()?;
        Some(format!("Bearer {}", given.token))
    }
}

mod url {
    /// `a=1&b=2&`, escaped.
    pub fn form(pairs: &[(&str, String)]) -> String {
        let Ok(mut url) = reqwest::Url::parse("x://x") else { return String::new() };
        url.query_pairs_mut().extend_pairs(pairs);
        url.query().map(|query| format!("{query}&")).unwrap_or_default()
    }
}

/// Where credentials are kept, in the order in which they count.
fn files(env: &[(String, String)]) -> Vec<PathBuf> {
    let get = |wanted: &str| {
        env.iter().find(|(name, value)| name == wanted && !value.is_empty()).map(|(_, value)| PathBuf::from(value))
    };
    let docker = get("DOCKER_CONFIG").or_else(|| get("HOME").map(|home| home.join(".docker")));
    [
        get("REGISTRY_AUTH_FILE"),
        docker.map(|dir| dir.join("config.json")),
        get("XDG_RUNTIME_DIR").map(|dir| dir.join("containers/auth.json")),
        get("HOME").map(|dir| dir.join(".config/containers/auth.json")),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn in_file(path: &PathBuf, registry: &str) -> Option<Known> {
    let file: File = serde_json::from_slice(&std::fs::read(path).ok()?).ok()?;
    let names: &[&str] = match registry {
        "docker.io" => &["https://index.docker.io/v1/", "docker.io", "index.docker.io", "registry-1.docker.io"],
        other => &[other],
    };
    let same = |key: &str| {
        let plain = key.trim_start_matches("https://").trim_start_matches("http://").trim_end_matches('/');
        names.contains(&key) || names.contains(&plain)
    };
    let helper = file.cred_helpers.iter().find(|(key, _)| same(key)).map(|(_, helper)| helper);
    if let Some(helper) = helper.or(file.creds_store.as_ref())
        && let Some(known) = help(helper, names)
    {
        return Some(known);
    }
    let (_, entry) = file.auths.iter().find(|(key, _)| same(key))?;
    if !entry.identitytoken.is_empty() {
        return Some(Known::Identity(entry.identitytoken.clone()));
    }
    let pair = String::from_utf8(STANDARD.decode(entry.auth.trim_end_matches('\0')).ok()?).ok()?;
    let (user, password) = pair.split_once(':')?;
    Some(Known::Password { user: user.to_owned(), password: password.trim_end_matches('\0').to_owned() })
}

/// Asks `docker-credential-HELPER`, which knows the key ring of this system.
fn help(helper: &str, names: &[&str]) -> Option<Known> {
    names.iter().find_map(|name| {
        let mut child = Command::new(format!("docker-credential-{helper}"))
            .arg("get")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .ok()?;
        child.stdin.take()?.write_all(name.as_bytes()).ok()?;
        let output = child.wait_with_output().ok()?;
        let given: Helped = serde_json::from_slice(&output.stdout).ok().filter(|_| output.status.success())?;
        Some(match given.username.as_str() {
            "<token>" => Known::Identity(given.secret),
            _ => Known::Password { user: given.username, password: given.secret },
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_registry_wants() {
        let bearer = |realm: &str, service: Option<&str>, scope: Option<&str>| {
            Some(Challenge::Bearer {
                realm: realm.into(),
                service: service.map(str::to_owned),
                scope: scope.map(str::to_owned),
            })
        };
        for (text, wanted) in [
            ("Basic realm=\"x\"", Some(Challenge::Basic)),
            (
                "Bearer realm=\"https://a/token\",service=\"a\",scope=\"repository:x:pull,push\"",
                bearer("https://a/token", Some("a"), Some("repository:x:pull,push")),
            ),
            ("bearer realm=\"https://a\"", bearer("https://a", None, None)),
            ("Bearer service=\"a\"", None),
            ("Bearer realm=\"a", None),
            ("Negotiate", None),
            ("", None),
        ] {
            assert_eq!(Challenge::parse(text), wanted, "{text}");
        }
    }

    #[test]
    fn what_docker_login_left() {
        let dir = tempfile::tempdir().unwrap();
        let config = serde_json::json!({
            "auths": {
                "ghcr.io": {"auth": STANDARD.encode("me:s:ecret")},
                "https://index.docker.io/v1/": {"auth": STANDARD.encode("hub:h")},
                "id.example": {"identitytoken": "i"},
            },
        });
        std::fs::write(dir.path().join("config.json"), config.to_string()).unwrap();
        let env = vec![("DOCKER_CONFIG".to_owned(), dir.path().to_str().unwrap().to_owned())];
        let told = |registry| match Login::find(registry, &env).known {
            None => "none".to_owned(),
            Some(Known::Identity(token)) => format!("identity {token}"),
            Some(known) => known.basic().unwrap(),
        };
        assert_eq!(told("ghcr.io"), format!("Basic {}", STANDARD.encode("me:s:ecret")));
        assert_eq!(told("docker.io"), format!("Basic {}", STANDARD.encode("hub:h")));
        assert_eq!((told("id.example"), told("other.example")), ("identity i".into(), "none".into()));
        assert!(format!("{:?}", Login::find("ghcr.io", &env)).ends_with("(known: true)"));
    }
}
