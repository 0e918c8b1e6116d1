//! One request: whom it is for, the lease, there and back.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use bytes::Bytes;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use hyper::body::{Body as HttpBody, Frame, Incoming, SizeHint};
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::{StatusCode, Version};

use super::accept::Peer;
use super::connection::Connection;
use super::lingering::Lingering;
use super::routes::NoLease;
use super::rules::Found;
use super::upgrade::Protocol;
use super::{
    Access, Asker, Body, BodyError, Gateway, Lease, Request, Response, Visitor, Wants, files, form, plain, rules,
    upgrade,
};
use crate::problem::Problem;

/// Headers about one connection, not about the message (RFC 9110, 7.6.1).
const HOP_BY_HOP: [HeaderName; 7] = [
    header::CONNECTION,
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    HeaderName::from_static("keep-alive"),
];

const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

impl Gateway {
    pub(super) async fn handle(self: Arc<Self>, mut request: Request, peer: Peer) -> Response {
        let start = Instant::now();
        say_how(&mut request, peer);
        let mut access = Access {
            host: host(&request),
            method: request.method().to_string(),
            path: request.uri().path_and_query().map_or_else(|| "/".into(), ToString::to_string),
            status: 0,
            took: start.elapsed(),
            by: asker(&request, peer),
        };
        let front = self.front.of(&access.host).unwrap_or(&*self.front);
        let request = match front.answer(request).await {
            Ok(response) => return response,
            Err(request) => request,
        };
        if is_ambiguous(&request) {
            drop(Lingering::new(request.into_body()));
            return closing(plain(StatusCode::BAD_REQUEST, "Bad Request"));
        }
        let wants = wants(request.headers());
        let response = if let Some(response) = front.instead(&access.host, wants) {
            drop(Lingering::new(request.into_body()));
            response
        } else {
            match self.forward(request, &access.host, peer).await {
                Ok(response) => front.dress(response, wants),
                Err((status, problem)) => come_again(front.stand_in(status, &problem, wants)),
            }
        };
        access.status = response.status().as_u16();
        access.took = start.elapsed();
        front.served(access, &response);
        response
    }

    async fn forward(&self, request: Request, host: &str, peer: Peer) -> Result<Response, (StatusCode, Arc<Problem>)> {
        let visitor = Visitor { address: peer.address.ip(), headers: request.headers() };
        let lease = match self.routes.lease(host, self.patience, Some(visitor)).await {
            Ok(lease) => lease,
            Err(none) => {
                drop(Lingering::new(request.into_body()));
                return Err(refused(none, host));
            }
        };
        let (upstream, drawn) = (lease.upstream.clone(), lease.drawn);
        if let Some(most) = upstream.limits.body.filter(|most| request.body().size_hint().lower() > *most) {
            drop(Lingering::new(request.into_body()));
            return Err(too_large(most));
        }
        let answered = match rules::find(&upstream.rules, request.uri().path()) {
            Found::File(from, path) => Ok(files::send(request, from, path).await),
            Found::Nothing => Ok(plain(StatusCode::NOT_FOUND, "Not Found")),
            Found::Process => relay(request, lease, peer.address).await,
        };
        answered.map(|mut response| {
            for (name, value) in &upstream.headers {
                response.headers_mut().insert(name, value.clone());
            }
            if let Some(drawn) = drawn {
                response.headers_mut().append(header::SET_COOKIE, drawn.cookie());
            }
            response
        })
    }
}

fn asker(request: &Request, peer: Peer) -> Asker {
    let headers = request.headers();
    Asker {
        address: Visitor { address: peer.address.ip(), headers }.from(),
        version: request.version(),
        referer: headers.get(header::REFERER).cloned(),
        agent: headers.get(header::USER_AGENT).cloned(),
    }
}

/// Where the answer is that there is none just now.
fn come_again(mut response: Response) -> Response {
    if response.status() == StatusCode::SERVICE_UNAVAILABLE {
        response.headers_mut().entry(header::RETRY_AFTER).or_insert(HeaderValue::from_static("1"));
    }
    response
}

fn too_large(most: u64) -> (StatusCode, Arc<Problem>) {
    let problem = Problem::new("gateway.too-large", format!("a request may have {most} bytes, and this one has more"));
    (StatusCode::PAYLOAD_TOO_LARGE, Arc::new(problem))
}

/// Why there is no answer of an app's.
fn refused(none: NoLease, host: &str) -> (StatusCode, Arc<Problem>) {
    match none {
        NoLease::Broken(problem) => (StatusCode::INTERNAL_SERVER_ERROR, problem),
        NoLease::UnknownHost => {
            let problem = Problem::new("gateway.unknown-host", format!("nothing answers for `{host}` here"));
            (StatusCode::NOT_FOUND, Arc::new(problem))
        }
        NoLease::OutOfPatience => {
            let problem = Problem::new("gateway.not-ready", format!("`{host}` was not ready in time"));
            (StatusCode::SERVICE_UNAVAILABLE, Arc::new(problem))
        }
        NoLease::Full => {
            let problem = Problem::new("gateway.full", format!("`{host}` answers as many requests as it may at once"));
            (StatusCode::SERVICE_UNAVAILABLE, Arc::new(problem))
        }
    }
}

/// Sends the request on and the answer back. A request that a used connection did not take is sent again on a fresh one.
async fn relay(mut request: Request, lease: Lease, peer: SocketAddr) -> Result<Response, (StatusCode, Arc<Problem>)> {
    let failed = |error: &dyn std::fmt::Display| {
        let problem = Problem::new("gateway.upstream", "the app ended while it was asked").because(error);
        (StatusCode::BAD_GATEWAY, Arc::new(problem))
    };
    let unreadable = |error: &hyper::Error| {
        let problem = Problem::new("gateway.body", "the request's body is not framed as HTTP says").because(error);
        (StatusCode::BAD_REQUEST, Arc::new(problem))
    };
    let most = lease.upstream.limits.body;
    let client_upgrade = upgrade::wanted(request.headers()).then(|| hyper::upgrade::on(&mut request));
    let mut outgoing = prepare(request, peer, client_upgrade.is_some(), most);
    let mut connection = lease.upstream.connection().await.map_err(|error| failed(&error))?;
    loop {
        let used = connection.used;
        match connection.ask(outgoing).await {
            Ok(response) => return Ok(answer(response, connection, lease, client_upgrade)),
            Err(mut error) => match error.take_message() {
                Some(unsent) if used => {
                    outgoing = unsent;
                    connection = lease.upstream.connect().await.map_err(|error| failed(&error))?;
                }
                _ => {
                    let error = error.into_error();
                    return Err(match most {
                        Some(most) if is_too_large(&error) => too_large(most),
                        // What we sent on, the client's body, broke off.
                        _ if error.is_user() => unreadable(&error),
                        _ => failed(&error),
                    });
                }
            },
        }
    }
}

/// A body whose length was not told has turned out to be longer than it may be.
fn is_too_large(error: &hyper::Error) -> bool {
    std::iter::successors(std::error::Error::source(error), |error| error.source())
        .any(<dyn std::error::Error>::is::<LengthLimitError>)
}

/// Who is asked stands in `Host`, and that nobody could read it in `X-Forwarded-Proto`, whatever the client says.
fn say_how(request: &mut Request, peer: Peer) {
    if let Some(authority) = request.uri().authority().and_then(|one| HeaderValue::from_str(one.as_str()).ok())
        && request.version() == Version::HTTP_2
    {
        request.headers_mut().insert(header::HOST, authority);
    }
    if peer.is_private {
        request.headers_mut().insert(FORWARDED_PROTO, HeaderValue::from_static("https"));
    }
}

/// Whether two readers could understand it differently: not one Host in HTTP/1.1 (RFC 9112, 3.2), or chunked in other words
/// than this one (6.1).
fn is_ambiguous(request: &Request) -> bool {
    let headers = request.headers();
    let hosts = headers.get_all(header::HOST).iter().count();
    let needs_host = request.version() == Version::HTTP_11;
    let mut codings = headers.get_all(header::TRANSFER_ENCODING).iter();
    let plainly = codings.next().is_none_or(|coding| coding.as_bytes().eq_ignore_ascii_case(b"chunked"));
    hosts > 1 || (needs_host && hosts == 0) || !plainly || codings.next().is_some()
}

/// Nothing after this request on its connection can be trusted.
fn closing(mut response: Response) -> Response {
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    response
}

fn prepare(mut request: Request, peer: SocketAddr, upgrades: bool, most: Option<u64>) -> hyper::Request<Body> {
    let http10 = request.version() == Version::HTTP_10;
    *request.version_mut() = Version::HTTP_11;
    let uri = request.uri();
    // HTTP/1 between us and the upstream: the path alone; who was meant stands in Host.
    let authority = uri.authority().cloned();
    if let Some(path) = uri.path_and_query().cloned() {
        *request.uri_mut() = path.into();
    }
    let headers = request.headers_mut();
    form::withhold(headers, super::CRON_HEADER);
    join_cookies(headers);
    let protocol = upgrades.then(|| headers.get(header::UPGRADE).cloned()).flatten();
    // Trailers are passed on, so whoever wants them may say so to the upstream as well (RFC 9110, 6.5.1).
    let trailers = headers.get_all(header::TE).iter().any(|te| te.as_bytes().eq_ignore_ascii_case(b"trailers"));
    strip(headers);
    if let Some(protocol) = protocol {
        headers.insert(header::UPGRADE, protocol);
        headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
    } else if trailers {
        headers.insert(header::TE, HeaderValue::from_static("trailers"));
        headers.insert(header::CONNECTION, HeaderValue::from_static("te"));
    }
    if let Some(authority) = authority.and_then(|a| HeaderValue::from_str(a.as_str()).ok()) {
        headers.insert(header::HOST, authority);
    } else if http10 && !headers.contains_key(header::HOST) {
        headers.insert(header::HOST, HeaderValue::from_static("localhost"));
    }
    forwarded(headers, peer);
    let most = most.and_then(|most| usize::try_from(most).ok());
    request.map(|body: Incoming| match most {
        Some(most) => Limited::new(Lingering::new(body), most).boxed_unsync(),
        None => Lingering::new(body).boxed_unsync(),
    })
}

/// HTTP/2 may send each cookie by itself, HTTP/1 wants them in one field (RFC 9113, 8.2.3).
fn join_cookies(headers: &mut HeaderMap) {
    let cookies: Vec<&[u8]> = headers.get_all(header::COOKIE).iter().map(HeaderValue::as_bytes).collect();
    if cookies.len() > 1
        && let Ok(joined) = HeaderValue::from_bytes(&cookies.join(&b"; "[..]))
    {
        headers.insert(header::COOKIE, joined);
    }
}

fn forwarded(headers: &mut HeaderMap, peer: SocketAddr) {
    const FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
    const HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
    let before: Vec<&str> = headers.get_all(FOR).iter().filter_map(|value| value.to_str().ok()).collect();
    let peer = peer.ip().to_canonical().to_string();
    let chain = if before.is_empty() { peer } else { format!("{}, {peer}", before.join(", ")) };
    if let Ok(chain) = HeaderValue::from_str(&chain) {
        headers.insert(FOR, chain);
    }
    if let Some(host) = headers.get(header::HOST).cloned() {
        headers.entry(HOST).or_insert(host);
    }
    headers.entry(FORWARDED_PROTO).or_insert(HeaderValue::from_static("http"));
}

fn answer(
    mut response: hyper::Response<Incoming>,
    connection: Connection,
    lease: Lease,
    client: Option<hyper::upgrade::OnUpgrade>,
) -> Response {
    if response.status() == StatusCode::SWITCHING_PROTOCOLS {
        let server = hyper::upgrade::on(&mut response);
        drop(connection.apart());
        return match client {
            Some(client) => {
                upgrade::join(client, server, lease, Protocol::of(response.headers()));
                let empty = http_body_util::Empty::<Bytes>::new();
                response.map(|_| empty.map_err(|never| match never {}).boxed_unsync())
            }
            None => plain(StatusCode::BAD_GATEWAY, "the app switched protocols without being asked"),
        };
    }
    strip(response.headers_mut());
    *response.version_mut() = Version::HTTP_11;
    let streams = response.headers().get(header::CONTENT_TYPE).is_some_and(is_event_stream);
    let cut = streams.then(|| Box::pin(lease.cut()) as Pin<Box<dyn Future<Output = ()> + Send>>);
    response.map(|body| Leased { body, cut, rest: Some((connection, lease)), over: false }.boxed_unsync())
}

/// Server-sent events: a stream without an end, whose clients connect again by themselves.
fn is_event_stream(kind: &HeaderValue) -> bool {
    let kind = kind.as_bytes().split(|byte| *byte == b';').next().unwrap_or_default();
    kind.trim_ascii().eq_ignore_ascii_case(b"text/event-stream")
}

fn strip(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    for name in named.iter().chain(&HOP_BY_HOP) {
        headers.remove(name);
    }
}

/// The host a request is for: lowercase, without the port.
pub(super) fn host(request: &Request) -> String {
    let named = request.headers().get(header::HOST).and_then(|value| value.to_str().ok());
    let host = request.uri().host().or(named).unwrap_or_default();
    let without_port = match host.rfind(':') {
        Some(colon) if !host.ends_with(']') => &host[..colon],
        _ => host,
    };
    without_port.trim_end_matches('.').to_ascii_lowercase()
}

pub fn wants(headers: &HeaderMap) -> Wants {
    let accepted = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if accepted.contains("text/html") { Wants::Html } else { Wants::Text }
}

/// An answer's body with its lease; at its end the connection is free again.
struct Leased {
    body: Incoming,
    /// Ready when it is to end early, and in good order; none: it is never cut.
    cut: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    rest: Option<(Connection, Lease)>,
    over: bool,
}

impl Leased {
    fn finish(&mut self) {
        if let Some((connection, lease)) = self.rest.take() {
            lease.upstream.give_back(connection);
        }
    }
}

impl HttpBody for Leased {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if self.cut.as_mut().is_some_and(|cut| cut.as_mut().poll(cx).is_ready()) {
            self.cut = None;
            // With the lease goes the connection, for its answer was not read to the end.
            self.rest = None;
            self.over = true;
        }
        if self.over {
            return Poll::Ready(None);
        }
        let mut frame = Pin::new(&mut self.body).poll_frame(cx);
        // That it was asked for lets it come.
        if frame.is_pending()
            && let Some((connection, _)) = &mut self.rest
        {
            connection.advance(cx);
            frame = Pin::new(&mut self.body).poll_frame(cx);
        }
        let frame = std::task::ready!(frame);
        match &frame {
            None => self.finish(),
            Some(Err(_)) => self.rest = None,
            Some(Ok(_)) if self.body.is_end_stream() => self.finish(),
            Some(Ok(_)) => {}
        }
        Poll::Ready(frame.map(|frame| frame.map_err(BodyError::from)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Leased {
    fn drop(&mut self) {
        // An empty body is never polled.
        if self.body.is_end_stream() {
            self.finish();
        }
    }
}
