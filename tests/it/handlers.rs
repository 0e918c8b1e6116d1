//! What app.yaml's handlers answer, over real connections: files, applications, websockets; the first match wins.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;

use crate::harness::{Answer, Http, PATIENCE, Place, Running, free_port};

const WSGI: &str = r#"
def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain; charset=utf-8")])
    path = environ["PATH_INFO"].encode("latin-1").decode("utf-8", "replace")
    return [f"app {environ['SCRIPT_NAME']}{path}".encode()]

def other(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"other"]

def ws(ws):
    while True:
        data = ws.receive()
        if data == "end":
            return
        if data == "fail":
            raise RuntimeError("as asked")
        ws.send(data[::-1])
"#;

const ASGI: &str = r#"
async def app(scope, receive, send):
    assert scope["type"] == "http", scope["type"]
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": b"app " + scope["path"].encode()})

async def ws(ws):
    while True:
        data = await ws.receive()
        if data == "end":
            return
        if data == "fail":
            raise RuntimeError("as asked")
        await ws.send(data[::-1])
"#;

const HEAD: &str = "application: a\nversion: 1\nruntime: python\napi_version: 1\n";

fn serve(place: &Place, port: u16) -> Running {
    place.write("a/pip-req.txt", "");
    let mut serve = place.dae(["-C", "a", "serve", "--port", &port.to_string()]).spawn();
    serve.until("started");
    serve
}

fn shown(answer: &Answer, names: &[&str]) -> String {
    let headers: Vec<String> =
        names.iter().filter_map(|name| Some(format!("{name}: {}", answer.header(name)?))).collect();
    format!("{} [{}] {}", answer.status, headers.join("; "), answer.text().trim_end())
}

type Case<'a> = (&'a str, &'a str, &'a [(&'a str, &'a str)]);

#[test]
fn files_are_sent_as_rfc_9110_says() {
    let place = Place::new();
    place.write("a/app.py", WSGI);
    place.write(
        "a/app.yaml",
        format!(
            "{HEAD}handlers:\n- {{url: /s/(.*), static_files: static/\\1}}\n- {{url: /d, static_dir: static/deep}}\n\
             - {{url: /open/(.*), static_files: \\1}}\n- {{url: /s/never, wsgi_app: app:other}}\n- {{url: /你好, wsgi_app: app:other}}\n\
             - {{url: /app.*, wsgi_app: app:app}}\nprotected_files: [\"static/*.key\"]\n"
        ),
    );
    place.write("a/static/x.css", "body {color: red}");
    place.write("a/static/x.css.gz", "gzipped, says its name");
    place.write("a/static/x.css.br", "brotli, says its name");
    place.write("a/static/old.js", "new").write("a/static/latin.txt", b"caf\xe9").write("a/static/none", "?");
    place.write("a/static/old.js.gz", "older than the file").write("a/static/secret.key", "k");
    place
        .write("a/static/deep/y.json", "{}")
        .write("a/static/empty.txt", "")
        .write("a/dev.yaml", "mysql: {host: localhost}");
    let set = |name: &str, seconds: u64| {
        let file = std::fs::File::options().append(true).open(place.path(format!("a/static/{name}"))).unwrap();
        file.set_modified(std::time::UNIX_EPOCH + std::time::Duration::from_secs(seconds)).unwrap();
    };
    for name in ["x.css", "x.css.gz", "x.css.br", "old.js"] {
        set(name, 1_700_000_000);
    }
    set("old.js.gz", 1_600_000_000);
    set("empty.txt", 0);
    let port = free_port();
    let serve = serve(&place, port);
    let mut http = Http::open(port);
    let mut ask = |method: &str, path: &str, headers: &[(&str, &str)]| {
        http.send(method, &format!("a.localhost:{port}"), path, headers, b"").unwrap()
    };

    let first = ask("GET", "/s/x.css", &[]);
    let tag = first.header("etag").unwrap().to_owned();
    assert!(tag.starts_with('"') && tag.len() == 26, "{tag}");
    let names = [
        "content-type",
        "content-length",
        "content-range",
        "content-encoding",
        "vary",
        "last-modified",
        "accept-ranges",
        "allow",
    ];
    let weak = format!("W/{tag}");
    let both = format!("\"x\", {tag}");
    let (same, older) = ("Tue, 14 Nov 2023 22:13:20 GMT", "Tue, 14 Nov 2023 22:13:19 GMT");
    let css = "/s/x.css";
    let cases: &[Case] = &[
        ("GET", css, &[]),
        ("HEAD", css, &[]),
        ("POST", css, &[]),
        ("GET", css, &[("If-None-Match", &tag)]),
        ("GET", css, &[("If-None-Match", &weak)]),
        ("GET", css, &[("If-None-Match", &both)]),
        ("HEAD", css, &[("If-None-Match", "*")]),
        ("GET", css, &[("If-None-Match", "\"other\""), ("If-Modified-Since", same)]),
        ("GET", css, &[("If-Modified-Since", same)]),
        ("GET", css, &[("If-Modified-Since", older)]),
        ("GET", css, &[("If-Modified-Since", "yesterday")]),
        ("GET", css, &[("If-Match", "\"other\"")]),
        ("GET", css, &[("If-Match", &tag)]),
        ("GET", css, &[("If-Unmodified-Since", older)]),
        ("GET", css, &[("Range", "bytes=0-3")]),
        ("GET", css, &[("Range", "bytes=5-")]),
        ("GET", css, &[("Range", "bytes=-4")]),
        ("GET", css, &[("Range", "bytes=10-99")]),
        ("GET", css, &[("Range", "bytes=17-")]),
        ("GET", css, &[("Range", "bytes=4-2")]),
        ("GET", css, &[("Range", "bytes=0-1,3-4")]),
        ("GET", css, &[("Range", "lines=0-1")]),
        ("HEAD", css, &[("Range", "bytes=0-3")]),
        ("GET", css, &[("Range", "bytes=0-3"), ("If-Range", &tag)]),
        ("GET", css, &[("Range", "bytes=0-3"), ("If-Range", &weak)]),
        ("GET", css, &[("Range", "bytes=0-3"), ("If-Range", same)]),
        ("GET", css, &[("Range", "bytes=0-3"), ("If-Range", older)]),
        ("GET", css, &[("Accept-Encoding", "gzip, deflate, br")]),
        ("GET", css, &[("Accept-Encoding", "br;q=0, gzip;q=0.5")]),
        ("GET", css, &[("Accept-Encoding", "*")]),
        ("GET", css, &[("Accept-Encoding", "identity")]),
        ("GET", css, &[("Accept-Encoding", "gzip"), ("If-None-Match", &tag)]),
        ("GET", css, &[("Accept-Encoding", "gzip"), ("Range", "bytes=0-6")]),
        ("GET", "/s/x.css.gz", &[]),
        ("GET", "/s/old.js", &[("Accept-Encoding", "gzip")]),
        ("GET", "/s/latin.txt", &[]),
        ("GET", "/s/none", &[]),
        ("GET", "/s/empty.txt", &[]),
        ("GET", "/s/empty.txt", &[("Range", "bytes=0-")]),
        ("GET", "/d/y.json", &[]),
        ("GET", "/d/", &[]),
        ("GET", "/d", &[]),
    ];
    let told = cases.iter().fold(String::new(), |told, (method, path, headers)| {
        let asked: Vec<String> = headers.iter().map(|(name, value)| format!("{name}: {value}")).collect();
        let answer = shown(&ask(method, path, headers), &names);
        format!("{told}{method} {path} {}\n  {answer}\n", asked.join("; "))
    });
    insta::assert_snapshot!(told.replace(&tag, "[TAG]").replace(&tag[1..], "[TAG]"), @r#"
    GET /s/x.css 
      200 [content-type: text/css; charset=utf-8; content-length: 17; vary: accept-encoding; last-modified: Tue, 14 Nov 2023 22:13:20 GMT; accept-ranges: bytes] body {color: red}
    HEAD /s/x.css 
      200 [content-type: text/css; charset=utf-8; content-length: 17; vary: accept-encoding; last-modified: Tue, 14 Nov 2023 22:13:20 GMT; accept-ranges: bytes] 
    POST /s/x.css 
      405 [content-type: text/plain; charset=utf-8; content-length: 19; allow: GET, HEAD] Method Not Allowed
    GET /s/x.css If-None-Match: [TAG]
      304 [vary: accept-encoding; last-modified: Tue, 14 Nov 2023 22:13:20 GMT] 
    GET /s/x.css If-None-Match: W/[TAG]
      304 [vary: accept-encoding; last-modified: Tue, 14 Nov 2023 22:13:20 GMT] 
    GET /s/x.css If-None-Match: "x", [TAG]
      304 [vary: accept-encoding; last-modified: Tue, 14 Nov 2023 22:13:20 GMT] 
    HEAD /s/x.css If-None-Match: *
      304 [vary: accept-encoding; last-modified: Tue, 14 Nov 2023 22:13:20 GMT] 
    GET /s/x.css If-None-Match: "other"; If-Modified-Since: Tue, 14 Nov 2023 22:13:20 GMT
      200 [content-type: text/css; charset=utf-8; content-length: 17; vary: accept-encoding; last-modified: Tue, 14 Nov 2023 22:13:20 GMT; accept-ranges: bytes] body {color: red}
    GET /s/x.css If-Modified-Since: Tue, 14 Nov 2023 22:13:20 GMT
      304 [vary: accept-encoding; last-modified: Tue, 14 Nov 2023 22:13:20 GMT] 
    GET /s/x.css If-Modified-Since: Tue, 14 Nov 2023 22:13:19 GMT
      200 [content-type: text/css; charset=utf-8; content-length: 17; vary: accept-encoding; last-modified: Tue, 14 Nov 2023 22:13:20 GMT; accept-ranges: bytes] body {color: red}
    GET /s/x.css If-Modified-Since: yesterday
      200 [content-type: text/css; charset=utf-8; content-length: 17; vary: accept-encoding; last-modified: Tue, 14 Nov 2023 22:13:20 GMT; accept-ranges: bytes] body {color: red}
    GET /s/x.css If-Match: "other"
      412 [content-length: 0; vary: accept-encoding; last-modified: Tue, 14 Nov 2023 22:13:20 GMT] 
    GET /s/x.css If-Match: [TAG]
      200 [content-type: text/css; charset=utf-8; content-length: 17; vary: accept-encoding; last-modified: Tue, 14 Nov 2023 22:13:20 GMT; accept-ranges: bytes] body {color: red}
    GET /s/x.css If-Unmodified-Since: Tue, 14 Nov 2023 22:13:19 GMT
      412 [content-length: 0; vary: accept-encoding; last-modified: Tue, 14 Nov 2023 22:13:20 GMT] 
    GET /s/x.css Range: bytes=0-3
      206 [content-type: text/css; charset=utf-8; content-length: 4; content-range: bytes 0-3/17; vary: accept-encoding; last-modified: Tue, 14 Nov 2023 22:13:20 GMT; accept-ranges: bytes] body
    GET /s/x.css Range: bytes=5-
      206 [content-type: text/css; charset=utf-8; content-length: 12; content-range: bytes 5-16/17; vary: accept-encoding; last-modified: Tue, 14 Nov 2023 22:13:20 GMT; accept-ranges: bytes] {color: red}
    GET /s/x.css Range: bytes=-4
      206 [content-type: text/css; charset=utf-8; content-length: 4; content-range: bytes 13-16/17; vary: accept-encoding; last-modified: Tue, 14 Nov 2023 22:13:20 GMT; accept-ranges: bytes] red}
    GET /s/x.css Range: bytes=10-99
      206 [content-type: text/css; charset=utf-8; content-length: 7; content-range: bytes 10-16/17; vary: accept-encoding; last-modified: Tue, 14 Nov 2023 22:13:20 GMT; accept-ranges: bytes] r: red}
    GET /s/x.css Range: bytes=17-
      416 [content-length: 0; content-range: bytes */17; vary: accept-encoding; last-modified: Tue, 14 Nov 2023 22:13:20 GMT; accept-ranges: bytes] 
    GET /s/x.css Range: bytes=4-2
      200 [content-type: text/css; charset=utf-8; content-length: 17; vary: accept-encoding; last-modified: Tue, 14 Nov 2023 22:13:20 GMT; accept-ranges: bytes] body {color: red}
    GET /s/x.css Range: bytes=0-1,3-4
      200 [content-type: text/css; charset=utf-8; content-length: 17; vary: accept-encoding; last-modified: Tue, 14 Nov 2023 22:13:20 GMT; accept-ranges: bytes] body {color: red}
    GET /s/x.css Range: lines=0-1
      200 [content-type: text/css; charset=utf-8; content-length: 17; vary: accept-encoding; last-modified: Tue, 14 Nov 2023 22:13:20 GMT; accept-ranges: bytes] body {color: red}
    HEAD /s/x.css Range: bytes=0-3
      200 [content-type: text/css; charset=utf-8; content-length: 17; vary: accept-encoding; last-modified: Tue, 14 Nov 2023 22:13:20 GMT; accept-ranges: bytes] 
    GET /s/x.css Range: bytes=0-3; If-Range: [TAG]
      206 [content-type: text/css; charset=utf-8; content-length: 4; content-range: bytes 0-3/17; vary: accept-encoding; last-modified: Tue, 14 Nov 2023 22:13:20 GMT; accept-ranges: bytes] body
    GET /s/x.css Range: bytes=0-3; If-Range: W/[TAG]
      200 [content-type: text/css; charset=utf-8; content-length: 17; vary: accept-encoding; last-modified: Tue, 14 Nov 2023 22:13:20 GMT; accept-ranges: bytes] body {color: red}
    GET /s/x.css Range: bytes=0-3; If-Range: Tue, 14 Nov 2023 22:13:20 GMT
      206 [content-type: text/css; charset=utf-8; content-length: 4; content-range: bytes 0-3/17; vary: accept-encoding; last-modified: Tue, 14 Nov 2023 22:13:20 GMT; accept-ranges: bytes] body
    GET /s/x.css Range: bytes=0-3; If-Range: Tue, 14 Nov 2023 22:13:19 GMT
      200 [content-type: text/css; charset=utf-8; content-length: 17; vary: accept-encoding; last-modified: Tue, 14 Nov 2023 22:13:20 GMT; accept-ranges: bytes] body {color: red}
    GET /s/x.css Accept-Encoding: gzip, deflate, br
      200 [content-type: text/css; charset=utf-8; content-length: 21; content-encoding: br; vary: accept-encoding; last-modified: Tue, 14 Nov 2023 22:13:20 GMT; accept-ranges: bytes] brotli, says its name
    GET /s/x.css Accept-Encoding: br;q=0, gzip;q=0.5
      200 [content-type: text/css; charset=utf-8; content-length: 22; content-encoding: gzip; vary: accept-encoding; last-modified: Tue, 14 Nov 2023 22:13:20 GMT; accept-ranges: bytes] gzipped, says its name
    GET /s/x.css Accept-Encoding: *
      200 [content-type: text/css; charset=utf-8; content-length: 21; content-encoding: br; vary: accept-encoding; last-modified: Tue, 14 Nov 2023 22:13:20 GMT; accept-ranges: bytes] brotli, says its name
    GET /s/x.css Accept-Encoding: identity
      200 [content-type: text/css; charset=utf-8; content-length: 17; vary: accept-encoding; last-modified: Tue, 14 Nov 2023 22:13:20 GMT; accept-ranges: bytes] body {color: red}
    GET /s/x.css Accept-Encoding: gzip; If-None-Match: [TAG]
      200 [content-type: text/css; charset=utf-8; content-length: 22; content-encoding: gzip; vary: accept-encoding; last-modified: Tue, 14 Nov 2023 22:13:20 GMT; accept-ranges: bytes] gzipped, says its name
    GET /s/x.css Accept-Encoding: gzip; Range: bytes=0-6
      206 [content-type: text/css; charset=utf-8; content-length: 7; content-range: bytes 0-6/22; content-encoding: gzip; vary: accept-encoding; last-modified: Tue, 14 Nov 2023 22:13:20 GMT; accept-ranges: bytes] gzipped
    GET /s/x.css.gz 
      200 [content-type: application/gzip; content-length: 22; last-modified: Tue, 14 Nov 2023 22:13:20 GMT; accept-ranges: bytes] gzipped, says its name
    GET /s/old.js Accept-Encoding: gzip
      200 [content-type: text/javascript; charset=utf-8; content-length: 3; last-modified: Tue, 14 Nov 2023 22:13:20 GMT; accept-ranges: bytes] new
    GET /s/latin.txt 
      200 [content-type: text/plain; content-length: 4; accept-ranges: bytes] caf�
    GET /s/none 
      200 [content-type: application/octet-stream; content-length: 1; accept-ranges: bytes] ?
    GET /s/empty.txt 
      200 [content-type: text/plain; charset=utf-8; content-length: 0; accept-ranges: bytes] 
    GET /s/empty.txt Range: bytes=0-
      200 [content-type: text/plain; charset=utf-8; content-length: 0; accept-ranges: bytes] 
    GET /d/y.json 
      200 [content-type: application/json; content-length: 2; accept-ranges: bytes] {}
    GET /d/ 
      404 [content-type: text/plain; charset=utf-8; content-length: 10] Not Found
    GET /d 
      404 [content-type: text/plain; charset=utf-8; content-length: 10] Not Found
    "#);

    for (path, status) in [
        ("/s/secret.key", 404),
        ("/s/%2e%2e/app.py", 404),
        ("/s/../app.py", 404),
        ("/open/app.py", 404),
        ("/open/dev.yaml", 404),
        ("/open/app.yaml", 404),
        ("/open/pip-req.txt", 404),
        ("/open/static/secret.key", 404),
        ("/open/venv/pyvenv.cfg", 404),
        ("/open//etc/passwd", 404),
        ("/open/.dae/logs", 404),
        ("/open/static/x.css", 200),
        ("/s/never", 404),
        ("/s/%ff", 404),
        ("/%E4%BD%A0%E5%A5%BD", 200),
        ("/app/%ff", 200),
        ("/none", 404),
        ("/app%0a", 404),
    ] {
        assert_eq!(ask("GET", path, &[]).status, status, "{path}");
    }
    assert_eq!(ask("GET", "/app/x", &[("SCRIPT_NAME", "/app"), ("Script-Name", "/app")]).text(), "app /app/x");
    // A save shows at once, also within one tick of the clock.
    for text in ["one", "two", "six"] {
        place.write("a/static/none", text);
        assert_eq!(ask("GET", "/s/none", &[("If-None-Match", "\"0\"")]).text(), text);
    }
    let ran = serve.stop();
    assert!([0, 130].contains(&ran.code), "{}", ran.raw());
}

/// A websocket client of its own: frames by RFC 6455.
struct Socket(BufReader<TcpStream>);

impl Socket {
    fn open(port: u16, path: &str) -> Self {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let head = format!(
            "GET {path} HTTP/1.1\r\nHost: a.localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).unwrap();
        let mut socket = Self(BufReader::new(stream));
        let lines: Vec<String> = std::iter::from_fn(|| {
            let mut line = String::new();
            socket.0.read_line(&mut line).unwrap();
            Some(line.trim_end().to_owned()).filter(|line| !line.is_empty())
        })
        .collect();
        assert!(lines[0].contains(" 101 "), "{lines:?}");
        let accept = lines.iter().find(|line| line.to_lowercase().starts_with("sec-websocket-accept"));
        // The example of the RFC, 1.3.
        assert!(accept.unwrap().ends_with("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), "{lines:?}");
        socket
    }

    fn send(&mut self, kind: u8, data: &[u8]) {
        let mut frame = vec![0x80 | kind];
        match data.len() {
            length @ ..126 => frame.push(0x80 | u8::try_from(length).unwrap()),
            length => {
                frame.push(0x80 | 127);
                frame.extend(u64::try_from(length).unwrap().to_be_bytes());
            }
        }
        let mask = [7, 11, 13, 17];
        frame.extend(mask);
        frame.extend(data.iter().enumerate().map(|(at, byte)| byte ^ mask[at % 4]));
        self.0.get_mut().write_all(&frame).unwrap();
    }

    fn receive(&mut self) -> (u8, Vec<u8>) {
        let mut head = [0; 2];
        self.0.read_exact(&mut head).unwrap();
        let length = match head[1] {
            126 => {
                let mut bytes = [0; 2];
                self.0.read_exact(&mut bytes).unwrap();
                u64::from(u16::from_be_bytes(bytes))
            }
            127 => {
                let mut bytes = [0; 8];
                self.0.read_exact(&mut bytes).unwrap();
                u64::from_be_bytes(bytes)
            }
            length => u64::from(length),
        };
        let mut data = vec![0; usize::try_from(length).unwrap()];
        self.0.read_exact(&mut data).unwrap();
        (head[0] & 0x0f, data)
    }
}

const TEXT: u8 = 1;
const BINARY: u8 = 2;
const CLOSE: u8 = 8;

fn websockets(worker: &str, code: &str) {
    let place = Place::new();
    let app = if worker == "asgi" { "asgi_app" } else { "wsgi_app" };
    place.write("a/app.py", code);
    place.write(
        "a/app.yaml",
        format!(
            "{HEAD}worker: {worker}\nhandlers:\n- {{url: /ws/.*, websocket: app:ws}}\n- {{url: /.*, {app}: app:app}}\n"
        ),
    );
    let port = free_port();
    let mut serve = serve(&place, port);
    let mut socket = Socket::open(port, "/ws/a");
    socket.send(TEXT, "abc 你好".as_bytes());
    assert_eq!(socket.receive(), (TEXT, "好你 cba".as_bytes().to_vec()));
    socket.send(BINARY, &[1, 2, 3]);
    assert_eq!(socket.receive(), (BINARY, vec![3, 2, 1]));
    let large: Vec<u8> = (0..3_000_000_u32).map(|n| n.to_le_bytes()[0]).collect();
    let reversed: Vec<u8> = large.iter().rev().copied().collect();
    socket.send(BINARY, &large);
    let (kind, back) = socket.receive();
    assert!(kind == BINARY && back == reversed, "{kind}: {} bytes", back.len());
    socket.send(TEXT, b"end");
    assert_eq!(socket.receive(), (CLOSE, 1000_u16.to_be_bytes().to_vec()));
    drop(socket);

    if worker != "sync" {
        // Two at once, and requests beside them.
        let (mut one, mut two) = (Socket::open(port, "/ws/1"), Socket::open(port, "/ws/2"));
        one.send(TEXT, b"1a");
        two.send(TEXT, b"2b");
        assert_eq!((two.receive().1, one.receive().1), (b"b2".to_vec(), b"a1".to_vec()));
    }
    let mut http = Http::open(port);
    let host = format!("a.localhost:{port}");
    assert_eq!(http.get(&host, "/x").unwrap().text(), "app /x");
    assert_eq!(http.get(&host, "/ws/plain").unwrap().status, 426);

    let mut failing = Socket::open(port, "/ws/f");
    failing.send(TEXT, b"fail");
    let (kind, data) = failing.receive();
    assert_eq!((kind, &data[..2]), (CLOSE, &1011_u16.to_be_bytes()[..]));
    serve.until("as asked");
    let ran = serve.stop();
    assert!([0, 130].contains(&ran.code), "{}", ran.raw());
}

#[test]
fn a_websocket_in_an_async_worker() {
    websockets("async", WSGI);
}

#[test]
fn a_websocket_in_a_sync_worker() {
    websockets("sync", WSGI);
}

#[test]
fn a_websocket_in_an_asgi_worker() {
    websockets("asgi", ASGI);
}
