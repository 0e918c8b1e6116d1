//! Login under `dae serve`: a page to be anybody, a cookie that remembers it, and the signed word that the app believes. What
//! a client says of itself never reaches the app.

use std::collections::HashMap;
use std::path::Path;

use axum::extract::Query;
use http_body_util::{BodyExt as _, Limited};
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, COOKIE, HOST, HeaderMap, HeaderValue, LOCATION, ORIGIN, SET_COOKIE};
use hyper::{Method, StatusCode, Uri};
use minijinja::context;
use minijinja::value::{Serde, Value};

use super::instance;
use crate::app::AppName;
use crate::gateway::{Request, Response, full, plain};
use crate::problem::{Problem, Result};
use crate::services::Provided;
use crate::services::users::{Keys, Personas, User};

pub const LOGIN: &str = "/_dae/login";
pub const LOGOUT: &str = "/_dae/logout";
/// The gateway's word on who asks.
pub const IDENTITY: &str = "x-dae-user";
/// For curl: who one wants to be. A page of somebody else's cannot send it without leave.
const WANTED: &str = "x-dae-login";
const PAGE: &str = include_str!("../../templates/page/login.html");
const LARGEST: usize = 16 << 10;

#[derive(Debug)]
pub struct Login {
    app: AppName,
    keys: Keys,
    personas: Personas,
    /// The cookie's name, this copy's own: browsers share cookies between the ports of a host.
    cookie: String,
}

impl Login {
    /// By what the service `users` provides; the app lies in `root`.
    pub fn new(app: AppName, root: &Path, services: &[Provided]) -> Result<Self> {
        let env = |name| services.iter().flat_map(|one| &one.env).find(|(known, _)| known == name);
        let (Some((_, identity)), Some((_, personas))) = (env("DAE_IDENTITY_KEY"), env("DAE_USERS")) else {
            return Err(Problem::new("login.service", "the service `users` does not run"));
        };
        let cookie = format!("dae_login_{app}_{}", instance::mark(root));
        let personas = Personas::at(personas.into());
        let mut keys = Keys::beside(personas.path())?;
        keys.identity.clone_from(identity);
        Ok(Self { app, keys, personas, cookie })
    }

    /// The pages.
    pub async fn answer(&self, request: Request) -> Response {
        let fields = fields(request.uri().query().unwrap_or_default());
        match (request.uri().path(), request.method()) {
            (LOGIN, &Method::GET | &Method::HEAD) => self.page(StatusCode::OK, &fields, ""),
            (LOGIN, &Method::POST) => self.log_in(request).await,
            (LOGOUT, &Method::GET | &Method::POST) => go(&dest(&fields), &format!("{}=; Max-Age=0", self.cookie)),
            _ => plain(StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed"),
        }
    }

    async fn log_in(&self, request: Request) -> Response {
        if is_foreign(request.headers()) {
            return plain(StatusCode::FORBIDDEN, "another site may not log anybody in here");
        }
        let Ok(body) = Limited::new(request.into_body(), LARGEST).collect().await else {
            return plain(StatusCode::PAYLOAD_TOO_LARGE, "nobody has a name that long");
        };
        let fields = fields(&String::from_utf8_lossy(&body.to_bytes()));
        let field = |name: &str| fields.get(name).map(String::as_str).unwrap_or_default();
        let user = match self.personas.find(field("persona")) {
            Some(persona) => Some(persona),
            None => User::typed(field("user"), !field("admin").is_empty()),
        };
        let Some(user) = user else {
            return self.page(StatusCode::BAD_REQUEST, &fields, "type a name, or pick one");
        };
        // Who cannot be kept cannot be picked next time.
        let _ = self.personas.keep(&user);
        match self.keys.session(&self.app, &user, now()) {
            Some(token) => {
                let lasts = 30 * 24 * 3600;
                go(&dest(&fields), &format!("{}={token}; Max-Age={lasts}", self.cookie))
            }
            None => plain(StatusCode::INTERNAL_SERVER_ERROR, "the session could not be signed"),
        }
    }

    fn page(&self, status: StatusCode, fields: &HashMap<String, String>, wrong: &str) -> Response {
        let mut environment = minijinja::Environment::new();
        environment.set_auto_escape_callback(|_| minijinja::AutoEscape::Html);
        let personas = self.personas.list();
        let page = environment.render_str(
            PAGE,
            context! { app => self.app.as_str(), personas => Value::from(Serde(&personas)), dest => dest(fields), wrong },
        );
        let mut response = Response::new(full(page.unwrap_or_else(|error| error.to_string())));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        let policy = "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'";
        headers.insert("content-security-policy", HeaderValue::from_static(policy));
        response
    }

    /// Puts the gateway's word in the place of whatever the client said.
    pub fn introduce(&self, headers: &mut HeaderMap) {
        headers.remove(IDENTITY);
        let wanted = headers.remove(WANTED);
        let wanted = wanted.as_ref().map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
        let session = self.take_session(headers);
        let user = match wanted {
            Some(name) => self.personas.find(name.trim()).or_else(|| User::typed(&name, false)),
            None => session.and_then(|token| self.keys.read_session(&self.app, &token)),
        };
        let word = user.and_then(|user| self.keys.word(&self.app, &user, now()));
        if let Some(word) = word.and_then(|word| HeaderValue::from_str(&word).ok()) {
            headers.insert(IDENTITY, word);
        }
    }

    /// The session among the cookies, which is none of the app's business.
    fn take_session(&self, headers: &mut HeaderMap) -> Option<String> {
        let mut found = None;
        let mut others: Vec<HeaderValue> = Vec::new();
        for value in headers.get_all(COOKIE) {
            let Ok(text) = value.to_str() else {
                others.push(value.clone());
                continue;
            };
            let ours = |pair: &&str| pair.trim().split('=').next() == Some(self.cookie.as_str());
            let (session, rest): (Vec<&str>, Vec<&str>) = text.split(';').partition(ours);
            if let Some((_, token)) = session.first().and_then(|pair| pair.split_once('=')) {
                found = found.or_else(|| Some(token.trim().to_owned()));
            }
            let rest = rest.join(";");
            if let (false, Ok(rest)) = (rest.trim().is_empty(), HeaderValue::from_str(rest.trim())) {
                others.push(rest);
            }
        }
        headers.remove(COOKIE);
        for value in others {
            headers.append(COOKIE, value);
        }
        found
    }
}

/// A form that another site's page has sent.
fn is_foreign(headers: &HeaderMap) -> bool {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    if let Some(site) = text("sec-fetch-site") {
        return !["same-origin", "none"].contains(&site);
    }
    text(ORIGIN.as_str()).is_some_and(|origin| origin.split_once("://").map(|(_, host)| host) != text(HOST.as_str()))
}

/// Where to go then: a path of this app's, and nowhere else.
fn dest(fields: &HashMap<String, String>) -> String {
    let wanted = fields.get("dest").map(String::as_str).unwrap_or_default();
    let inside = wanted.starts_with('/') && !wanted.starts_with("//") && !wanted.contains(['\\', '\r', '\n', '\t']);
    if inside && !wanted.starts_with("/_dae/log") { wanted.to_owned() } else { "/".into() }
}

fn go(to: &str, cookie: &str) -> Response {
    let mut response = Response::new(full(""));
    *response.status_mut() = StatusCode::SEE_OTHER;
    let headers = response.headers_mut();
    // A path beyond ASCII goes as it must be written.
    let to: String = to
        .bytes()
        .map(|byte| if byte.is_ascii_graphic() { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect();
    headers.insert(LOCATION, HeaderValue::from_str(&to).unwrap_or(HeaderValue::from_static("/")));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Ok(cookie) = HeaderValue::from_str(&format!("{cookie}; Path=/; HttpOnly; SameSite=Lax")) {
        headers.insert(SET_COOKIE, cookie);
    }
    response
}

/// What a form or a query holds.
fn fields(encoded: &str) -> HashMap<String, String> {
    let pairs = format!("/?{encoded}").parse::<Uri>().ok().and_then(|uri| Query::try_from_uri(&uri).ok());
    pairs.map(|Query(pairs): Query<Vec<(String, String)>>| pairs.into_iter().collect()).unwrap_or_default()
}

fn now() -> i64 {
    jiff::Timestamp::now().as_second()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn users(data: &std::path::Path) -> Provided {
        let key = Keys::of(data).unwrap().identity;
        let file = Personas::of(data).path().to_string_lossy().into_owned();
        Provided { service: "users".into(), env: vec![("DAE_IDENTITY_KEY".into(), key), ("DAE_USERS".into(), file)] }
    }

    #[test]
    fn nobody_is_led_elsewhere() {
        for (wanted, led) in [
            ("/a?b=c", "/a?b=c"),
            ("", "/"),
            ("//evil.example", "/"),
            ("/\\evil.example", "/"),
            ("https://evil.example", "/"),
            ("/_dae/logout", "/"),
        ] {
            assert_eq!(dest(&HashMap::from([("dest".into(), wanted.into())])), led, "{wanted}");
        }
    }

    #[test]
    fn what_a_client_says_of_itself_is_not_passed_on() {
        let dir = tempfile::tempdir().unwrap();
        let login = Login::new(AppName::parse("blog").unwrap(), dir.path(), &[users(dir.path())]).unwrap();
        let pass = |pairs: &[(&'static str, &str)]| {
            let mut headers = HeaderMap::new();
            for (name, value) in pairs {
                headers.append(*name, HeaderValue::from_str(value).unwrap());
            }
            login.introduce(&mut headers);
            let cookie = headers.get(COOKIE).map(|value| value.to_str().unwrap().to_owned());
            (headers.get_all(IDENTITY).iter().count(), headers.contains_key(WANTED), cookie)
        };
        assert_eq!(pass(&[(IDENTITY, "a.b.c"), (IDENTITY, "d")]), (0, false, None));
        assert_eq!(pass(&[(WANTED, "ann"), (IDENTITY, "x")]), (1, false, None));
        let token = login.keys.session(&login.app, &User::typed("ann", false).unwrap(), now()).unwrap();
        let cookies = format!("a=b; {}={token}; c=d", login.cookie);
        assert_eq!(pass(&[("cookie", &cookies)]), (1, false, Some("a=b; c=d".into())));
        assert_eq!(pass(&[("cookie", &format!("{}=x.y.z", login.cookie))]), (0, false, None));
        // Of another copy of the same app.
        let other = Login::new(AppName::parse("blog").unwrap(), Path::new("/"), &[users(dir.path())]).unwrap();
        assert_eq!(pass(&[("cookie", &format!("{}={token}", other.cookie))]).0, 0);
    }
}
