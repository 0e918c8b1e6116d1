//! Which requests are the node's own: those for its domain itself, for an address, or for `localhost`. All others belong to
//! the apps.

use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;

use axum::Router;
use axum::response::IntoResponse as _;
use http_body_util::BodyExt as _;
use hyper::StatusCode;
use tower::ServiceExt as _;

use super::refusal::Refused;
use super::{Server, login, maintenance, pages};
use crate::app::AppName;
use crate::gateway::form::withhold;
use crate::gateway::{Access, Front, Request, Response, Wants, plain};
use crate::problem::Problem;
use crate::services::users::IDENTITY;

pub struct NodeFront {
    domain: String,
    server: Arc<Server>,
    router: Router,
}

impl NodeFront {
    pub fn new(server: Arc<Server>) -> Self {
        Self { domain: server.domain.clone(), router: routes().with_state(server.clone()), server }
    }

    fn is_ours(&self, request: &Request) -> bool {
        host_of(request).is_none_or(|host| is_own_host(host, &self.domain))
    }

    /// An authority asks whose a host is; or it was asked for by http and is to be had by https.
    fn before_all(&self, request: &Request) -> Option<Response> {
        let tls = self.server.tls.as_ref()?;
        let proto = request.headers().get("x-forwarded-proto").map(hyper::header::HeaderValue::as_bytes);
        if proto == Some(b"https") {
            return None;
        }
        if let Some(answer) = tls.challenge(request.uri().path()) {
            return Some(plain(StatusCode::OK, &answer));
        }
        let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
        let to = tls.instead(&name_of(host_of(request)?).to_ascii_lowercase(), path)?;
        let mut response = plain(StatusCode::PERMANENT_REDIRECT, &to);
        response.headers_mut().insert(hyper::header::LOCATION, to.parse().ok()?);
        Some(response)
    }

    /// Whose answers a host gives, where it is one of an app that was ever live here.
    fn app_of(&self, host: &str) -> Option<AppName> {
        let own = self.server.app_host(&self.server.node.routes.own(host));
        self.server.node.routes.get(&own)?;
        let label = own.strip_suffix(&self.domain)?.strip_suffix('.')?;
        AppName::parse(&label.replace('-', "_")).ok()
    }

    /// A release that does not run is asked for by its own address.
    fn runs_not(&self, request: &Request) -> Option<Response> {
        let host = name_of(host_of(request)?).to_ascii_lowercase();
        let label = host.strip_suffix(&self.domain)?.strip_suffix('.')?;
        let (release, app) = label.split_once("--").filter(|_| is_address_of_release(label))?;
        let known = self.server.node.routes.get(&host).is_some();
        (!known).then(|| {
            let live = format!("{app}.{}", self.domain);
            plain(
                StatusCode::NOT_FOUND,
                &format!(
                    "{release} of {app} does not run.\n\nThe live release does, at {live}; one that is tried on a share of the \
                     visitors; and the one that was live last, for some minutes.\nTo bring {release} back: dae rollback {release}"
                ),
            )
        })
    }
}

/// Another process takes over this moment: who comes again is answered by that.
fn leaving() -> axum::response::Response {
    let problem = Problem::new("node.leaving", "the node is being upgraded").hint("try again in a moment");
    let refused = Refused::new(StatusCode::SERVICE_UNAVAILABLE, problem);
    let mut response = refused.into_response();
    response.headers_mut().insert(hyper::header::RETRY_AFTER, hyper::header::HeaderValue::from_static("1"));
    response.headers_mut().insert(hyper::header::CONNECTION, hyper::header::HeaderValue::from_static("close"));
    response
}

/// Whether an app's host, the part below the domain, would be taken for that of one release: `r42--hello`.
pub(super) fn is_address_of_release(label: &str) -> bool {
    let number = label.split_once("--").and_then(|(release, _)| release.strip_prefix('r'));
    number.is_some_and(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
}

fn host_of(request: &Request) -> Option<&str> {
    request.uri().host().or_else(|| request.headers().get(hyper::header::HOST)?.to_str().ok())
}

/// Without its port and last dot.
fn name_of(host: &str) -> &str {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.rsplit_once(':').map_or(host, |(name, _)| name),
    };
    name.trim_end_matches('.')
}

/// Whether the host of a `Host` header, with its port, is the node's own.
fn is_own_host(host: &str, domain: &str) -> bool {
    let name = name_of(host);
    name.is_empty()
        || name.eq_ignore_ascii_case(domain)
        || name.eq_ignore_ascii_case("localhost")
        || name.parse::<IpAddr>().is_ok()
}

fn routes() -> Router<Arc<Server>> {
    super::registry::routes().merge(super::control::routes()).method_not_allowed_fallback(super::control::not_so)
}

impl Front for NodeFront {
    fn answer(&self, mut request: Request) -> Pin<Box<dyn Future<Output = Result<Response, Request>> + Send + '_>> {
        Box::pin(async move {
            if let Some(response) = self.before_all(&request) {
                return Ok(response);
            }
            if !self.is_ours(&request) {
                // Who asks is not for a client to say.
                withhold(request.headers_mut(), IDENTITY);
                if let Some(none) = self.runs_not(&request) {
                    return Ok(none);
                }
                let host = name_of(host_of(&request).unwrap_or_default()).to_ascii_lowercase();
                let login = self.server.login_at(&host).await;
                let is_page = login::is_page(request.uri().path());
                match login {
                    Some(login) if is_page => return Ok(login.answer(request).await),
                    Some(login) => {
                        let is_https = login::is_https(request.headers());
                        login.introduce(request.headers_mut(), is_https).await;
                    }
                    None if is_page => return Ok(login::none(&request)),
                    None => {}
                }
                return Err(request);
            }
            if self.server.is_leaving() && !request.method().is_safe() {
                return Ok(leaving().map(|body| body.map_err(Into::into).boxed_unsync()));
            }
            let Ok(response) = self.router.clone().oneshot(request).await;
            Ok(response.map(|body| body.map_err(Into::into).boxed_unsync()))
        })
    }

    fn instead(&self, host: &str, wants: Wants) -> Option<Response> {
        if self.server.closed.is_empty() {
            return None;
        }
        let closure = self.server.closed.get(&self.app_of(host)?)?;
        Some(maintenance::page(&closure, wants))
    }

    fn stand_in(&self, status: StatusCode, problem: &Problem, wants: Wants) -> Response {
        pages::stand_in(status, problem, wants)
    }

    fn served(&self, access: Access, answer: &Response) {
        if let Some(app) = self.app_of(&access.host) {
            self.server.access.write(app, &access, answer);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_route_contradicts_another() {
        let _ = routes();
    }

    #[test]
    fn what_names_one_release() {
        for (label, names) in [
            ("r42--hello", true),
            ("r1--a-b--c", true),
            ("hello", false),
            ("r--hello", false),
            ("r4x--hello", false),
            ("x1--hello", false),
            ("r42-hello", false),
        ] {
            assert_eq!(is_address_of_release(label), names, "{label}");
        }
    }

    #[test]
    fn whose_a_request_is() {
        for (host, ours) in [
            ("example.com", true),
            ("Example.COM:8000", true),
            ("example.com.", true),
            ("127.0.0.1:80", true),
            ("[::1]:80", true),
            ("[::1]", true),
            ("localhost:80", true),
            ("", true),
            ("a.example.com", false),
            ("a.localhost", false),
            ("other.org", false),
        ] {
            assert_eq!(is_own_host(host, "example.com"), ours, "{host}");
        }
    }
}
