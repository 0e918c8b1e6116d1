//! The gateway by itself, between raw sockets and an upstream that tells what reached it. Cases are named after what
//! RFC 9110, 9112 and 9113 ask of an intermediary.

use std::convert::Infallible;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use dae::gateway::{ANY_HOST, Front, Gateway, Route, Routes, Upstream, serve};
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream, UnixListener};

struct Plain;

impl Front for Plain {}

/// A gateway in front of an upstream that answers every request with what it saw of it.
struct Place {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<String>>>,
    routes: Arc<Routes>,
    _dir: tempfile::TempDir,
}

impl Place {
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let socket = dir.path().join("web");
        let listener = UnixListener::bind(&socket).unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        tokio::spawn(upstream(listener, seen.clone()));
        let routes = Arc::new(Routes::default());
        routes.set(ANY_HOST, Route::Serving(Arc::new(Upstream::new(socket))));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let gateway =
            Arc::new(Gateway { routes: routes.clone(), front: Arc::new(Plain), patience: Duration::from_secs(2) });
        tokio::spawn(serve(vec![listener.into()], gateway, std::future::pending(), Duration::ZERO));
        Self { address, seen, routes, _dir: dir }
    }

    /// Sends the bytes, and gives what came back until the gateway closed or said nothing for a while.
    async fn say(&self, bytes: &[u8]) -> String {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        // It may have closed before it has read all of it.
        let _ = stream.write_all(bytes).await;
        let mut answer = Vec::new();
        let mut part = [0; 4096];
        while let Ok(Ok(count @ 1..)) = tokio::time::timeout(Duration::from_millis(300), stream.read(&mut part)).await {
            answer.extend_from_slice(&part[..count]);
        }
        String::from_utf8_lossy(&answer).into_owned()
    }

    fn seen(&self) -> Vec<String> {
        std::mem::take(&mut *self.seen.lock().unwrap())
    }
}

async fn upstream(listener: UnixListener, seen: Arc<Mutex<Vec<String>>>) {
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let seen = seen.clone();
        tokio::spawn(async move {
            let service = service_fn(move |request| {
                let seen = seen.clone();
                async move { Ok::<_, Infallible>(tell(request, &seen).await) }
            });
            let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

async fn tell(request: Request<Incoming>, seen: &Mutex<Vec<String>>) -> Response<dae::gateway::Body> {
    let mut text = format!("{} {}", request.method(), request.uri());
    let mut names: Vec<&str> = request.headers().keys().map(hyper::header::HeaderName::as_str).collect();
    names.sort_unstable();
    for name in names {
        let values = request.headers().get_all(name).iter().map(|v| String::from_utf8_lossy(v.as_bytes()).into_owned());
        let _ = write!(text, " | {name}: {}", values.collect::<Vec<_>>().join(" + "));
    }
    let path = request.uri().path().to_owned();
    // What broke off was no request; whether its beginning came as far as this, nobody can say.
    if let Ok(body) = request.into_body().collect().await {
        let trailers = body.trailers().map(|t| format!(" trailers {t:?}")).unwrap_or_default();
        let _ = write!(text, " | {:?}{trailers}", String::from_utf8_lossy(&body.to_bytes()));
        seen.lock().unwrap().push(text);
    }
    let full = |text: &str| Full::new(Bytes::from(text.to_owned())).map_err(|never| match never {}).boxed_unsync();
    let response = Response::builder().header("x-answer", "one").header("x-answer", "two");
    match path.as_str() {
        "/204" => response.status(204).body(full("")),
        "/304" => response.status(304).header("content-length", "7").body(full("")),
        "/hop" => response.header("connection", "x-secret").header("x-secret", "1").body(full("hop")),
        "/trailers" => {
            let mut trailers = hyper::HeaderMap::new();
            trailers.insert("x-sum", "42".parse().unwrap());
            let frames = [Frame::data(Bytes::from("a")), Frame::data(Bytes::from("b")), Frame::trailers(trailers)];
            let frames = futures_util::stream::iter(frames.map(Ok));
            response.header("trailer", "x-sum").body(StreamBody::new(frames).boxed_unsync())
        }
        _ => response.body(full("seen")),
    }
    .unwrap()
}

/// What matters of an answer: status lines, the headers that are about the message, and how it is framed.
fn gist(answer: &str) -> String {
    let lines = answer.lines().filter(|line| {
        let name = line.split(':').next().unwrap_or_default().to_ascii_lowercase();
        name != "date"
    });
    lines.collect::<Vec<_>>().join(" / ")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_are_framed_as_the_rfc_says() {
    let place = Place::new().await;
    let host = "Host: a.test\r\n";
    let big = format!("GET / HTTP/1.1\r\n{host}X: {}\r\n\r\n", "x".repeat(600_000));
    let many = format!("GET / HTTP/1.1\r\n{host}{}\r\n", "X: 1\r\n".repeat(500));
    let cases: &[(&str, String)] = &[
        ("plain", format!("GET /a?b=c%20d HTTP/1.1\r\n{host}Connection: close\r\n\r\n")),
        (
            "two after each other",
            format!("GET /1 HTTP/1.1\r\n{host}\r\nGET /2 HTTP/1.1\r\n{host}Connection: close\r\n\r\n"),
        ),
        ("HTTP/1.0 closes", format!("GET / HTTP/1.0\r\n{host}\r\n")),
        ("HTTP/1.0 without a host", "GET / HTTP/1.0\r\n\r\n".into()),
        ("HTTP/1.0 keeps if asked", format!("GET / HTTP/1.0\r\n{host}Connection: keep-alive\r\n\r\n")),
        (
            "absolute form counts before Host",
            format!("GET http://b.test/x HTTP/1.1\r\n{host}Connection: close\r\n\r\n"),
        ),
        ("OPTIONS *", format!("OPTIONS * HTTP/1.1\r\n{host}Connection: close\r\n\r\n")),
        ("a method nobody knows", format!("BREW /pot HTTP/1.1\r\n{host}Connection: close\r\n\r\n")),
        ("HEAD has no body", format!("HEAD / HTTP/1.1\r\n{host}Connection: close\r\n\r\n")),
        ("204", format!("GET /204 HTTP/1.1\r\n{host}Connection: close\r\n\r\n")),
        ("304", format!("GET /304 HTTP/1.1\r\n{host}Connection: close\r\n\r\n")),
        (
            "what is about one hop stays there",
            format!(
                "GET /hop HTTP/1.1\r\n{host}Connection: close, x-mine\r\nX-Mine: 1\r\nTE: gzip\r\nKeep-Alive: 9\r\nProxy-Authorization: x\r\n\r\n"
            ),
        ),
        (
            "X-Forwarded-For grows",
            format!("GET / HTTP/1.1\r\n{host}X-Forwarded-For: 9.9.9.9\r\nConnection: close\r\n\r\n"),
        ),
        ("a body by length", format!("POST / HTTP/1.1\r\n{host}Content-Length: 5\r\nConnection: close\r\n\r\nhello")),
        (
            "a chunked body",
            format!(
                "POST / HTTP/1.1\r\n{host}Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n5\r\nhello\r\n1\r\n!\r\n0\r\n\r\n"
            ),
        ),
        (
            "chunk extensions",
            format!(
                "POST / HTTP/1.1\r\n{host}Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n5;a=b\r\nhello\r\n0\r\n\r\n"
            ),
        ),
        (
            "trailers of a request",
            format!(
                "POST / HTTP/1.1\r\n{host}Transfer-Encoding: chunked\r\nTrailer: x-sum\r\nConnection: close\r\n\r\n1\r\na\r\n0\r\nX-Sum: 3\r\n\r\n"
            ),
        ),
        (
            "trailers of an answer",
            format!("GET /trailers HTTP/1.1\r\n{host}TE: trailers\r\nConnection: TE, close\r\n\r\n"),
        ),
        (
            "100-continue",
            format!(
                "POST / HTTP/1.1\r\n{host}Content-Length: 2\r\nExpect: 100-continue\r\nConnection: close\r\n\r\nhi"
            ),
        ),
        // Smuggling: two readers must not see two different messages.
        (
            "length and chunked",
            format!(
                "POST / HTTP/1.1\r\n{host}Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /evil HTTP/1.1\r\n{host}\r\n"
            ),
        ),
        ("two lengths", format!("POST / HTTP/1.1\r\n{host}Content-Length: 4\r\nContent-Length: 5\r\n\r\nhello")),
        (
            "two equal lengths",
            format!(
                "POST / HTTP/1.1\r\n{host}Content-Length: 5\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello"
            ),
        ),
        ("a length with a sign", format!("POST / HTTP/1.1\r\n{host}Content-Length: +5\r\n\r\nhello")),
        ("a length of words", format!("POST / HTTP/1.1\r\n{host}Content-Length: five\r\n\r\nhello")),
        ("a negative length", format!("POST / HTTP/1.1\r\n{host}Content-Length: -1\r\n\r\nhello")),
        (
            "a length past 64 bits",
            format!("POST / HTTP/1.1\r\n{host}Content-Length: 99999999999999999999\r\n\r\nhello"),
        ),
        ("chunked twice", format!("POST / HTTP/1.1\r\n{host}Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n")),
        ("chunked is not last", format!("POST / HTTP/1.1\r\n{host}Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n")),
        ("a coding nobody knows", format!("POST / HTTP/1.1\r\n{host}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n")),
        ("chunked in HTTP/1.0", format!("POST / HTTP/1.0\r\n{host}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n")),
        (
            "a chunk size of words",
            format!("POST / HTTP/1.1\r\n{host}Transfer-Encoding: chunked\r\n\r\nxyz\r\nhello\r\n0\r\n\r\n"),
        ),
        (
            "a chunk longer than its size",
            format!("POST / HTTP/1.1\r\n{host}Transfer-Encoding: chunked\r\n\r\n3\r\nhello\r\n0\r\n\r\n"),
        ),
        (
            "a chunk size past 64 bits",
            format!(
                "POST / HTTP/1.1\r\n{host}Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\nhello\r\n0\r\n\r\n"
            ),
        ),
        ("a space before the colon", format!("GET / HTTP/1.1\r\n{host}X-A : 1\r\n\r\n")),
        ("a folded header", format!("GET / HTTP/1.1\r\n{host}X-A: 1\r\n 2\r\n\r\n")),
        ("a NUL in a header", format!("GET / HTTP/1.1\r\n{host}X-A: 1\02\r\n\r\n")),
        ("a bare CR in a header", format!("GET / HTTP/1.1\r\n{host}X-A: 1\r2\r\n\r\n")),
        ("a header without a name", format!("GET / HTTP/1.1\r\n{host}: 1\r\n\r\n")),
        ("no host", "GET / HTTP/1.1\r\n\r\n".into()),
        ("two hosts", format!("GET / HTTP/1.1\r\n{host}Host: b.test\r\n\r\n")),
        ("a version to come", format!("GET / HTTP/3.7\r\n{host}\r\n")),
        ("a space in the path", format!("GET /a b HTTP/1.1\r\n{host}\r\n")),
        ("no request at all", "hello\r\n\r\n".into()),
        ("TLS on a plain port", "\u{16}\u{3}\u{1}\u{2}\0\u{1}\0".into()),
        ("a head of 600 kB", big),
        ("500 headers", many),
    ];
    let mut told = String::new();
    for (name, request) in cases {
        let answer = place.say(request.as_bytes()).await;
        let _ = writeln!(told, "{name}\n    {}", gist(&answer));
        for seen in place.seen() {
            let _ = writeln!(told, "    > {seen}");
        }
    }
    insta::assert_snapshot!(told);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn http2_by_prior_knowledge() {
    let place = Place::new().await;
    let stream = TcpStream::connect(place.address).await.unwrap();
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let request = |path: &str| Request::get(format!("http://a.test{path}"));
    // Two at once, and cookies that came one by one.
    let with_cookies = request("/a").header("cookie", "a=1").header("cookie", "b=2");
    let first = sender.send_request(with_cookies.body(Full::new(Bytes::from("hi"))).unwrap());
    let second =
        sender.send_request(request("/trailers").header("te", "trailers").body(Full::new(Bytes::new())).unwrap());
    let (first, second) = (first.await.unwrap(), second.await.unwrap());
    assert_eq!((first.status(), first.version()), (200.try_into().unwrap(), hyper::Version::HTTP_2));
    assert_eq!(first.into_body().collect().await.unwrap().to_bytes(), "seen");
    let second = second.into_body().collect().await.unwrap();
    assert_eq!(second.trailers().unwrap()["x-sum"], "42");
    assert_eq!(second.to_bytes(), "ab");
    let seen = place.seen();
    let first = seen.iter().find(|seen| seen.starts_with("GET /a ")).unwrap_or_else(|| panic!("{seen:#?}"));
    assert!(first.contains("| cookie: a=1; b=2 |") && first.contains("| host: a.test |"), "{first}");
    assert!(first.ends_with(r#"| "hi""#), "{first}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_sends_much_to_what_is_broken_reads_the_answer() {
    let place = Place::new().await;
    place.routes.set(ANY_HOST, Route::Broken(Arc::new(dae::problem::Problem::new("app", "broken"))));
    let mut stream = TcpStream::connect(place.address).await.unwrap();
    let size = 20 << 20;
    let head = format!("POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: {size}\r\nConnection: close\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    let part = vec![b'x'; 1 << 20];
    for _ in 0..20 {
        stream.write_all(&part).await.unwrap();
    }
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 500"), "{answer}");
}
