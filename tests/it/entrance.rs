//! A node's entrance: the access log, what an app is spared, and the page while it is closed.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use serde_json::Value;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{self, Message};

use crate::deploy::{Remote, app_py};
use crate::harness::{Answer, Http, PATIENCE, get};

const BROWSER: (&str, &str) = ("Accept", "text/html");

impl Remote {
    /// A node with these lines in its node.yaml, started again to read them.
    fn with(lines: &str) -> Self {
        let mut remote = Self::new();
        remote.stop();
        let text = remote.place.read("node/node.yaml");
        remote.place.write("node/node.yaml", format!("{text}{lines}"));
        let mut node = remote.place.dae(["node", "serve", "--dir", "node"]).spawn();
        node.until("Ready");
        remote.node = Some(node);
        remote
    }

    fn site(&self) -> String {
        format!("daetest.apps.localhost:{}", self.port)
    }

    fn look(&self, headers: &[(&str, &str)], path: &str) -> Answer {
        Http::open(self.port).send("GET", &self.site(), path, headers, b"").unwrap()
    }
}

#[test]
fn every_answer_of_an_app_is_in_its_access_log() {
    let remote = Remote::new();
    remote.deploy();
    remote.look(
        &[("User-Agent", "cu\"rl"), ("Referer", "http://example.com/"), ("X-Forwarded-For", "192.0.2.7")],
        "/a?b=c",
    );
    let logged = remote.dae(&["logs", "--remote", "prod", "--access"]).ok().stdout;
    let line = logged.lines().last().unwrap();
    let (by, rest) = line.split_once(" - - [").unwrap();
    assert_eq!(by, "192.0.2.7");
    assert!(rest.ends_with(" +0000] \"GET /a?b=c HTTP/1.1\" 200 - \"http://example.com/\" \"cu\\x22rl\""), "{line}");
    // The processes' own logs hold nothing of it, and what is nobody's is in no log.
    assert!(!remote.dae(&["logs", "--remote", "prod"]).ok().stdout.contains("192.0.2.7"));
    get(remote.port, "nobody.apps.localhost", "/");
    let files: Vec<_> =
        std::fs::read_dir(remote.place.path("node/access")).unwrap().map(|file| file.unwrap().file_name()).collect();
    assert_eq!(files, ["daetest.log"]);

    let mut follows = remote.dae(&["logs", "--remote", "prod", "--access", "-f", "-n", "1"]).spawn();
    follows.until("/a?b=c");
    remote.look(&[], "/second");
    follows.until("GET /second HTTP/1.1");
}

#[test]
fn an_app_is_spared_too_many_and_too_large_requests() {
    let remote = Remote::with("access_log: json\nlimits: {requests: 2, body: 1K}\n");
    let waits = "import time\ndef app(environ, start):\n    if environ['PATH_INFO'] == '/wait':\n        \
                 open(environ['QUERY_STRING'], 'w').close()\n        while not os.path.exists(os.environ['DAE_PERMDIR'] + '/go'): time.sleep(0.01)\n    \
                 length = environ['wsgi.input'].read()\n    start('200 OK', [])\n    return [str(len(length)).encode()]\n";
    let waits = waits.replace("environ['QUERY_STRING']", "os.environ['DAE_PERMDIR'] + '/' + environ['QUERY_STRING']");
    remote.place.write("daetest/app.py", format!("import os\n{waits}"));
    remote.deploy();
    let send = |body: &[u8]| Http::open(remote.port).send("POST", &remote.site(), "/", &[BROWSER], body).unwrap();
    assert_eq!(send(&[b'x'; 1024]).text(), "1024");
    let large = send(&[b'x'; 1025]);
    assert_eq!(large.status, 413);
    assert!(large.text().contains("<h1>This is too large</h1>"), "{}", large.text());
    assert!(large.text().contains("1024 bytes"), "{}", large.text());
    // Its length is not told before it is sent.
    let mut stream = TcpStream::connect(("127.0.0.1", remote.port)).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let head = format!(
        "POST / HTTP/1.1\r\nHost: {}\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n",
        remote.site()
    );
    stream.write_all(head.as_bytes()).unwrap();
    for _ in 0..3 {
        stream.write_all(format!("200\r\n{}\r\n", "x".repeat(512)).as_bytes()).unwrap();
    }
    stream.write_all(b"0\r\n\r\n").unwrap();
    let mut told = String::new();
    stream.read_to_string(&mut told).unwrap();
    assert!(told.starts_with("HTTP/1.1 413 "), "{told}");

    let waiting: Vec<_> = ["one", "two"]
        .map(|name| {
            let (port, host) = (remote.port, remote.site());
            std::thread::spawn(move || Http::open(port).get(&host, &format!("/wait?{name}")).unwrap().status)
        })
        .into();
    let permdir = remote.place.path("node/apps/daetest/permdir");
    let deadline = std::time::Instant::now() + PATIENCE;
    while !permdir.join("one").exists() || !permdir.join("two").exists() {
        assert!(std::time::Instant::now() < deadline);
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    let full = remote.look(&[BROWSER], "/");
    assert_eq!((full.status, full.header("retry-after")), (503, Some("1")));
    assert!(full.text().contains("Too much is going on"), "{}", full.text());
    assert_eq!(remote.look(&[], "/").text(), "Service Unavailable\n");
    std::fs::write(permdir.join("go"), "").unwrap();
    assert_eq!(waiting.into_iter().map(|one| one.join().unwrap()).collect::<Vec<_>>(), [200, 200]);
    assert_eq!(remote.look(&[], "/").status, 200);

    let logged = remote.dae(&["logs", "--remote", "prod", "--access"]).ok().stdout;
    let logged: Vec<Value> = logged.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let statuses: Vec<_> = logged.iter().map(|line| line["status"].as_u64().unwrap()).collect();
    assert_eq!(statuses, [200, 413, 413, 503, 503, 200, 200, 200]);
    assert_eq!((&logged[0]["release"], &logged[0]["method"]), (&"r1".into(), &"POST".into()));
    assert_eq!(logged[1]["bytes"], large.body.len());
}

#[test]
fn an_app_is_closed_for_maintenance() {
    let mut remote = Remote::new();
    let unknown = remote.dae(&["maintenance", "on"]).run();
    assert!(unknown.code == 1 && unknown.stderr.contains("was never deployed"), "{}", unknown.raw());
    remote.deploy();
    assert!(remote.dae(&["maintenance"]).ok().stdout.contains("daetest is open on prod"));
    let closed = remote.dae(&["maintenance", "on", "--message", "Back <soon>", "--retry-after", "20m"]).ok();
    assert!(closed.stdout.contains("closed for maintenance on prod"), "{}", closed.raw());
    let visit = remote.look(&[BROWSER], "/");
    assert_eq!((visit.status, visit.header("retry-after")), (503, Some("1200")));
    assert!(visit.text().contains("Back &lt;soon&gt;"), "{}", visit.text());
    assert_eq!(remote.look(&[], "/").text(), "Closed for maintenance\nBack <soon>\n");
    assert_eq!(get(remote.port, &format!("r1--{}", remote.site()), "/").status, 503);
    // What is not for visitors goes on, and the node remembers.
    assert_eq!(remote.dae(&["run", "--remote", "prod", "--", "echo", "runs"]).ok().stdout, "runs\n");
    remote.place.write("daetest/app.py", app_py("two"));
    remote.place.write("daetest/maintenance.html", "<p>our own</p>");
    remote.deploy();
    assert_eq!(remote.look(&[], "/").status, 503);
    remote.stop();
    let mut node = remote.place.dae(["node", "serve", "--dir", "node"]).spawn();
    node.until("Back");
    remote.node = Some(node);
    assert_eq!(remote.look(&[], "/").status, 503);
    let again = remote.dae(&["maintenance", "on", "--json"]).ok().json();
    assert_eq!((&again["on"], &again["own_page"], &again["retry_after_s"]), (&true.into(), &true.into(), &300.into()));
    let own = remote.look(&[BROWSER], "/");
    assert_eq!((own.status, own.text().as_str()), (503, "<p>our own</p>"));
    remote.dae(&["maintenance", "off"]).ok();
    assert_eq!(remote.says(), crate::deploy::said("two", "r2"));
    let long = format!(r#"{{"message": "{}"}}"#, "x".repeat(1001));
    assert_eq!(remote.ask("PUT", "/dae/v1/apps/daetest/maintenance", &[], &long).status, 422);
}

#[test]
fn a_websocket_is_told_to_come_again_when_its_release_has_drained() {
    let remote = Remote::with("drain_s: 1\n");
    let place = &remote.place;
    place.write(
        "daetest/app.yaml",
        "application: daetest\nhandlers:\n- url: /ws\n  websocket: app:talk\n- url: /.*\n  wsgi_app: app:app\n",
    );
    let code =
        |says: &str| format!("def talk(ws):\n    while True:\n        ws.send(ws.receive())\n\n\n{}", app_py(says));
    place.write("daetest/app.py", code("one"));
    remote.deploy();
    let open = || {
        let stream = TcpStream::connect(("127.0.0.1", remote.port)).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        tungstenite::client(format!("ws://{}/ws", remote.site()), stream).unwrap().0
    };
    let mut socket = open();
    socket.send(Message::text("hello")).unwrap();
    assert_eq!(socket.read().unwrap(), Message::text("hello"));
    place.write("daetest/app.py", code("two"));
    remote.deploy();
    let Message::Close(Some(told)) = socket.read().unwrap() else { panic!() };
    assert_eq!(told.code, CloseCode::Restart);
    assert!(matches!(socket.read(), Err(tungstenite::Error::ConnectionClosed)));
    let mut again = open();
    again.send(Message::text("hello")).unwrap();
    assert_eq!(again.read().unwrap(), Message::text("hello"));
}
