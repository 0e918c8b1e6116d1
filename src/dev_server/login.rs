//! Login under `dae serve`: a page to be anybody, a cookie that remembers it, and the signed word that the app believes. What
//! a client says of itself never reaches the app.

use std::collections::BTreeMap;
use std::path::Path;

use http_body_util::{BodyExt as _, Limited};
use hyper::header::{HeaderMap, HeaderValue};
use hyper::{Method, StatusCode};
use minijinja::context;
use minijinja::value::{Serde, Value};

use super::instance;
use crate::app::AppName;
use crate::gateway::form::{dest, fields, is_foreign, take_cookie, withhold};
use crate::gateway::{Request, Response, html, plain, see_other};
use crate::problem::{Problem, Result};
use crate::services::Provided;
use crate::services::users::{IDENTITY, Keys, LOGIN, LOGOUT, Personas, User};

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

    fn page(&self, status: StatusCode, fields: &BTreeMap<String, String>, wrong: &str) -> Response {
        let mut environment = minijinja::Environment::new();
        environment.set_auto_escape_callback(|_| minijinja::AutoEscape::Html);
        let personas = self.personas.list();
        let page = environment.render_str(
            PAGE,
            context! { app => self.app.as_str(), personas => Value::from(Serde(&personas)), dest => dest(fields), wrong },
        );
        html(status, page.unwrap_or_else(|error| error.to_string()))
    }

    /// Puts the gateway's word in the place of whatever the client said.
    pub fn introduce(&self, headers: &mut HeaderMap) {
        withhold(headers, IDENTITY);
        let wanted = headers.remove(WANTED);
        let wanted = wanted.as_ref().map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
        let session = take_cookie(headers, &self.cookie);
        let user = match wanted {
            Some(name) => self.personas.find(name.trim()).or_else(|| User::typed(&name, false)),
            None => session.and_then(|token| self.keys.read_session(&self.app, &token)),
        };
        let word = user.and_then(|user| self.keys.word(&self.app, &user, now()));
        if let Some(word) = word.and_then(|word| HeaderValue::from_str(&word).ok()) {
            headers.insert(IDENTITY, word);
        }
    }
}

fn go(to: &str, cookie: &str) -> Response {
    see_other(to, &[format!("{cookie}; Path=/; HttpOnly; SameSite=Lax")])
}

fn now() -> i64 {
    jiff::Timestamp::now().as_second()
}

#[cfg(test)]
mod tests {
    use hyper::header::COOKIE;

    use super::*;

    fn users(data: &std::path::Path) -> Provided {
        let key = Keys::of(data).unwrap().identity;
        let file = Personas::of(data).path().to_string_lossy().into_owned();
        Provided { service: "users".into(), env: vec![("DAE_IDENTITY_KEY".into(), key), ("DAE_USERS".into(), file)] }
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
