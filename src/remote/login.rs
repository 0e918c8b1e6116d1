//! How one gets into a registry of images: by what `docker login` or `podman login` left, asked for in the way the registry
//! wants it (the token specification of the distribution project).

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::header::{HeaderMap, HeaderValue, WWW_AUTHENTICATE};
use reqwest::{StatusCode, Url};
use serde::Deserialize;

use super::client::{Answer, exit};
use super::reference::Reference;
use crate::problem::Problem;

/// Who somebody is at one registry, and what the registry gave for it.
pub struct Login {
    known: Option<Known>,
    /// Why some of what is kept could not be used.
    trouble: Vec<String>,
    held: Mutex<Held>,
}

#[derive(Default)]
struct Held {
    /// What goes along with every request now.
    header: Option<HeaderValue>,
    /// All that was ever wanted, so that one token does for every repository of a push.
    scopes: BTreeSet<String>,
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
    /// What this user has for the registry of `to`; `env` is the environment.
    pub fn find(to: &Reference, env: &[(String, String)]) -> Self {
        let mut trouble = Vec::new();
        let known = files(env).into_iter().find_map(|path| in_file(&path, to, &mut trouble));
        Self { known, trouble, held: Mutex::default() }
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn header(&self) -> Option<HeaderValue> {
        self.held().header.clone()
    }

    /// Gets what the refusal of a request asks for that had `used` along; none where there is nothing new to try.
    pub async fn answer(
        &self,
        http: &reqwest::Client,
        headers: &HeaderMap,
        used: Option<&HeaderValue>,
    ) -> Option<HeaderValue> {
        let mut wanted = headers.get_all(WWW_AUTHENTICATE).iter().filter_map(|value| value.to_str().ok());
        let wanted = wanted.find_map(Challenge::parse)?;
        let scopes = {
            let mut held = self.held();
            let before = held.scopes.len();
            held.scopes.extend(wanted.scopes().map(str::to_owned));
            // Others were refused at the same time, and one of them has the new token.
            if held.scopes.len() == before && held.header.as_ref() != used {
                return held.header.clone();
            }
            held.scopes.clone()
        };
        let value = match (&wanted, &self.known) {
            (Challenge::Basic, Some(known @ Known::Password { .. })) => known.basic(),
            (Challenge::Basic, _) => None,
            (Challenge::Bearer { .. }, known) => wanted.token(http, &scopes, known.as_ref()).await,
        };
        let mut value = HeaderValue::try_from(value?).ok()?;
        value.set_sensitive(true);
        self.held().header = Some(value.clone());
        (used != Some(&value)).then_some(value)
    }

    /// A registry's refusal in words.
    pub fn refused(&self, registry: &str, answer: &Answer, usual: u8) -> Problem {
        let said = serde_json::from_slice::<Errors>(&answer.body).map(|body| body.errors).unwrap_or_default();
        let said = said.into_iter().map(|error| format!("{}: {}", error.code, error.message));
        let mut problem = Problem::new("registry.refused", format!("registry `{registry}` answered {}", answer.status));
        problem.causes.extend(said);
        if matches!(answer.status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) {
            problem.causes.extend(self.trouble.iter().cloned());
        }
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

    fn scopes(&self) -> impl Iterator<Item = &str> {
        let scope = match self {
            Self::Bearer { scope, .. } => scope.as_deref(),
            Self::Basic => None,
        };
        scope.into_iter().flat_map(|scope| scope.split(' '))
    }

    async fn token(&self, http: &reqwest::Client, scopes: &BTreeSet<String>, known: Option<&Known>) -> Option<String> {
        let Self::Bearer { realm, service, .. } = self else { return None };
        let mut url = Url::parse(realm).ok()?;
        let service = service.iter().map(|service| ("service", service.clone()));
        let asked: Vec<(&str, String)> = service.chain(scopes.iter().map(|scope| ("scope", scope.clone()))).collect();
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

fn in_file(path: &Path, to: &Reference, trouble: &mut Vec<String>) -> Option<Known> {
    let file: File = match serde_json::from_slice(&std::fs::read(path).ok()?) {
        Ok(file) => file,
        Err(error) => {
            trouble.push(format!("`{}` is not readable: {error}", path.display()));
            return None;
        }
    };
    let hosts: &[&str] = match to.registry.as_str() {
        "docker.io" => &["https://index.docker.io/v1/", "docker.io", "index.docker.io", "registry-1.docker.io"],
        other => &[other],
    };
    let same = |key: &str, name: &str| {
        let plain = key.trim_start_matches("https://").trim_start_matches("http://").trim_end_matches('/');
        name == key || name == plain
    };
    let for_host = |key: &str| hosts.iter().any(|host| same(key, host));
    let helper = file.cred_helpers.iter().find(|(key, _)| for_host(key)).map(|(_, helper)| helper);
    if let Some(helper) = helper.or(file.creds_store.as_ref()) {
        let asked = hosts.iter().find_map(|host| help(helper, host).transpose());
        match asked {
            Some(Ok(known)) => return Some(known),
            Some(Err(why)) => {
                trouble.push(format!("`docker-credential-{helper}`, which `{}` names, {why}", path.display()));
            }
            None => {}
        }
    }
    // podman keeps credentials of a single repository too, or of all below a name: the closest counts.
    let whole = format!("{}/{}", to.registry, to.repository);
    let closest = whole.rmatch_indices('/').map(|(end, _)| &whole[..end]).filter(|name| name.contains('/'));
    let names = std::iter::once(whole.as_str()).chain(closest).chain(hosts.iter().copied());
    let mut entries = names.filter_map(|name| file.auths.iter().find(|(key, _)| same(key, name)));
    entries.find_map(|(_, entry)| entry.known())
}

impl Entry {
    fn known(&self) -> Option<Known> {
        if !self.identitytoken.is_empty() {
            return Some(Known::Identity(self.identitytoken.clone()));
        }
        let pair = String::from_utf8(STANDARD.decode(self.auth.trim_end_matches('\0')).ok()?).ok()?;
        let (user, password) = pair.split_once(':')?;
        Some(Known::Password { user: user.to_owned(), password: password.trim_end_matches('\0').to_owned() })
    }
}

/// Asks `docker-credential-HELPER`, which knows the key ring of this system; `None` where it knows nothing of `host`.
fn help(helper: &str, host: &str) -> Result<Option<Known>, String> {
    let run = || -> std::io::Result<std::process::Output> {
        let mut child = Command::new(format!("docker-credential-{helper}"))
            .arg("get")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        if let Some(mut stdin) = child.stdin.take() {
            // One that knows what to say without being asked may be gone by now.
            let _ = stdin.write_all(host.as_bytes());
        }
        child.wait_with_output()
    };
    let output = run().map_err(|error| format!("cannot be run: {error}"))?;
    if !output.status.success() {
        // The protocol has its errors on stdout, and this one for a host it does not know.
        let said = String::from_utf8_lossy(if output.stdout.is_empty() { &output.stderr } else { &output.stdout });
        let first = said.lines().next().unwrap_or_default().trim();
        return if first.contains("credentials not found") { Ok(None) } else { Err(format!("says: {first}")) };
    }
    let given: Helped = serde_json::from_slice(&output.stdout).map_err(|error| format!("answers wrongly: {error}"))?;
    Ok(Some(match given.username.as_str() {
        "<token>" => Known::Identity(given.secret),
        _ => Known::Password { user: given.username, password: given.secret },
    }))
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
                "quay.example": {"auth": STANDARD.encode("all:a")},
                "quay.example/acme": {"auth": STANDARD.encode("acme:b")},
            },
        });
        std::fs::write(dir.path().join("config.json"), config.to_string()).unwrap();
        let env = vec![("DOCKER_CONFIG".to_owned(), dir.path().to_str().unwrap().to_owned())];
        let find = |image: &str| Login::find(&Reference::parse(image).unwrap(), &env);
        let told = |image| match find(image).known {
            None => "none".to_owned(),
            Some(Known::Identity(token)) => format!("identity {token}"),
            Some(known) => known.basic().unwrap(),
        };
        let basic = |pair: &str| format!("Basic {}", STANDARD.encode(pair));
        for (image, wanted) in [
            ("ghcr.io/acme/shop", basic("me:s:ecret")),
            ("python", basic("hub:h")),
            ("id.example/a", "identity i".into()),
            ("quay.example/acme/shop", basic("acme:b")),
            ("quay.example/acme2/shop", basic("all:a")),
            ("other.example/a", "none".into()),
        ] {
            assert_eq!(told(image), wanted, "{image}");
        }
        assert!(format!("{:?}", find("ghcr.io/a")).ends_with("(known: true)"));
    }
}
