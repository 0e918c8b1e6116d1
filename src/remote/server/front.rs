//! Which requests are the node's own: those for its domain itself, for an address, or for `localhost`. All others belong to
//! the apps.

use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;

use axum::Router;
use http_body_util::BodyExt as _;
use tower::ServiceExt as _;

use super::Server;
use crate::gateway::{Front, Request, Response};

pub struct NodeFront {
    domain: String,
    router: Router,
}

impl NodeFront {
    pub fn new(server: Arc<Server>) -> Self {
        Self { domain: server.domain.clone(), router: routes().with_state(server) }
    }

    fn is_ours(&self, request: &Request) -> bool {
        let host = request.uri().host().or_else(|| request.headers().get(hyper::header::HOST)?.to_str().ok());
        host.is_none_or(|host| is_own_host(host, &self.domain))
    }
}

/// Whether the host of a `Host` header, with its port, is the node's own.
fn is_own_host(host: &str, domain: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.rsplit_once(':').map_or(host, |(name, _)| name),
    };
    let name = name.trim_end_matches('.');
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
            if !self.is_ours(&request) {
                // Who asks is not for a client to say.
                request.headers_mut().remove("x-dae-user");
                return Err(request);
            }
            let Ok(response) = self.router.clone().oneshot(request).await;
            Ok(response.map(|body| body.map_err(Into::into).boxed_unsync()))
        })
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
