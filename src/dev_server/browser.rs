//! What the browser sees of `dae serve` itself: pages refresh by themselves, and a problem is a page.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::StreamExt as _;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use hyper::header::{
    ACCEPT, ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderValue,
};
use hyper::{Method, StatusCode};
use minijinja::context;
use minijinja::value::{Serde, Value};
use tokio::sync::watch;

use super::Event;
use super::control::{Control, Status};
use super::login::Login;
use super::tell::Tell;
use crate::gateway::{Access, Body, BodyError, Front, Request, Response, Wants, full, plain};
use crate::problem::Problem;
use crate::services::users::{LOGIN, LOGOUT};
use crate::term::{Paint, draw};

const SCRIPT: &str = include_str!("../../templates/page/refresh.js");
const PAGE: &str = include_str!("../../templates/page/problem.html");

/// The front of a dev server.
pub struct Browser {
    /// Counts what there was to see; a page that knows an older number reloads itself. None: the server ends.
    seen: watch::Sender<Option<u64>>,
    control: Control,
    login: Login,
    tell: Tell,
}

impl Browser {
    pub fn new(control: Control, login: Login, tell: Tell) -> Arc<Self> {
        // Not from 0: a page left open over a restart of dae must see a change.
        let begin = jiff::Timestamp::now().as_millisecond().unsigned_abs();
        Arc::new(Self { seen: watch::Sender::new(Some(begin)), control, login, tell })
    }

    pub fn status(&self) -> &Status {
        &self.control.status
    }

    /// What pages show has changed.
    pub fn refresh(&self) {
        self.seen.send_modify(|number| *number = number.map(|number| number + 1));
    }

    /// Lets go of the pages that listen, so that nobody waits for them.
    pub fn close(&self) {
        self.seen.send_replace(None);
    }

    /// With the number of the moment, so that a change between the page and its first word with us is not missed.
    fn tag(&self) -> String {
        let seen = self.seen.borrow().unwrap_or_default();
        format!("<script src=\"/_dae/refresh.js\" data-seen=\"{seen}\" async></script>")
    }

    fn stream(&self) -> Response {
        let seen = self.seen.subscribe();
        let numbers = futures_util::stream::unfold((seen, true), |(mut seen, first)| async move {
            if !first && seen.changed().await.is_err() {
                return None;
            }
            let number = (*seen.borrow_and_update())?;
            Some((format!("retry: 200\ndata: {number}\n\n"), (seen, false)))
        });
        let body = StreamBody::new(numbers.map(|text| Ok::<_, BodyError>(Frame::data(Bytes::from(text)))));
        let mut response = Response::new(BodyExt::boxed_unsync(body));
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        response
    }
}

impl Front for Browser {
    fn answer(&self, mut request: Request) -> Pin<Box<dyn Future<Output = Result<Response, Request>> + Send + '_>> {
        let path = request.uri().path();
        if let Some(answer) = self.control.answer(&request) {
            return Box::pin(async { Ok(answer.await) });
        }
        if matches!(path, LOGIN | LOGOUT) {
            return Box::pin(async { Ok(self.login.answer(request).await) });
        }
        let answer = match path {
            "/_dae/refresh" => Ok(self.stream()),
            "/_dae/refresh.js" => {
                let mut response = Response::new(full(SCRIPT));
                let kind = HeaderValue::from_static("text/javascript; charset=utf-8");
                response.headers_mut().insert(CONTENT_TYPE, kind);
                Ok(response)
            }
            _ if path.starts_with("/_dae/") => Ok(plain(StatusCode::NOT_FOUND, "Not Found")),
            _ => {
                // So that the script can be added to a page without unpacking it; what a page fetches comes as it is sent.
                let page = request.headers().get(ACCEPT).and_then(|kinds| kinds.to_str().ok());
                if *request.method() == Method::GET && page.is_some_and(|kinds| kinds.contains("text/html")) {
                    request.headers_mut().remove(ACCEPT_ENCODING);
                }
                self.login.introduce(request.headers_mut());
                Err(request)
            }
        };
        Box::pin(std::future::ready(answer))
    }

    fn dress(&self, mut response: Response, wants: Wants) -> Response {
        // A page without a kind (web.py's first example is one) would be guessed at, and a guess of plain text runs no
        // script. Only browsers that open a page are told otherwise.
        if wants == Wants::Html && !response.headers().contains_key(CONTENT_TYPE) && response.status().is_success() {
            response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
        }
        let headers = response.headers();
        let html = headers
            .get(CONTENT_TYPE)
            .and_then(|kind| kind.to_str().ok())
            .is_some_and(|kind| kind.starts_with("text/html"));
        if !html || headers.contains_key(CONTENT_ENCODING) || response.body().is_end_stream() {
            return response;
        }
        let length = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
        let tag = self.tag();
        if let Some(length) = length {
            response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(length + tag.len()));
        }
        response.map(|body| Followed { body, tag: Some(tag.into()) }.boxed_unsync())
    }

    fn stand_in(&self, status: StatusCode, problem: &Problem, wants: Wants) -> Response {
        if wants == Wants::Text {
            return plain(status, draw(problem, Paint { color: false }).trim_end());
        }
        let mut response = Response::new(full(page(problem, &self.tag())));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        response
    }

    fn served(&self, access: Access, _: &Response) {
        self.tell.event(Event::Served(access));
    }
}

/// The page of a problem and those found with it.
fn page(problem: &Problem, tag: &str) -> String {
    let one = |problem: &Problem| {
        let place = problem.place.as_ref();
        let part = |from: usize, count: usize| {
            place.map(|at| at.text.chars().skip(from).take(count).collect::<String>()).unwrap_or_default()
        };
        let (begin, length) = place.map_or((0, 0), |at| (at.column.saturating_sub(1), at.length));
        context! {
            message => problem.message.clone(), place => Value::from(Serde(place)), causes => Value::from(Serde(&problem.causes)), detail => problem.detail.clone(),
            hints => Value::from(Serde(&problem.hints)),
            before => part(0, begin), meant => part(begin, length), after => part(begin + length, usize::MAX),
        }
    };
    let problems: Vec<_> = std::iter::once(problem).chain(&problem.others).map(one).collect();
    let mut environment = minijinja::Environment::new();
    environment.set_auto_escape_callback(|_| minijinja::AutoEscape::Html);
    environment
        .render_str(PAGE, context! { problem => problems[0].clone(), problems, script => tag })
        .unwrap_or_else(|error| format!("<pre>{error}</pre>"))
}

/// A body with the tag behind it.
struct Followed {
    body: Body,
    tag: Option<Bytes>,
}

impl HttpBody for Followed {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match std::task::ready!(Pin::new(&mut self.body).poll_frame(cx)) {
            None => Poll::Ready(self.tag.take().map(|tag| Ok(Frame::data(tag)))),
            frame => Poll::Ready(frame),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.tag.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}
