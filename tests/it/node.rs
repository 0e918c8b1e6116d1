//! `dae node`: a remote, spoken to as any client might, and killed as any machine might.

use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};

use nix::sys::signal::Signal;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::harness::{Answer, Http, Place, Running};

mod collect;
mod crew;
mod kills;
mod releases;
mod render;
mod rollout;
mod upgrade;

/// A node in `DIR/node` of a place, and a token for everything.
struct Node {
    place: Place,
    token: String,
    running: Running,
    port: u16,
}

impl Node {
    fn new() -> Self {
        Self::at(&Place::new(), "node")
    }

    fn at(place: &Place, dir: &str) -> Self {
        let made = place
            .dae(["node", "init", "--domain", "localhost", "--listen", "127.0.0.1:0", "--json", "--dir", dir])
            .ok();
        let token = made.json()["token"].as_str().unwrap().to_owned();
        let (running, port) = serve(place, dir);
        Self { place: place.clone(), token, running, port }
    }

    fn token_for(&self, app: &str, can: &str) -> String {
        let made = self.place.dae(["node", "token", "--dir", "node", "--app", app, "--can", can]).ok();
        made.stdout.trim().to_owned()
    }

    fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        let bearer = format!("Bearer {}", self.token);
        let mut headers = headers.to_vec();
        if !headers.iter().any(|(name, _)| *name == "Authorization") {
            headers.push(("Authorization", &bearer));
        }
        Http::open(self.port).send(method, "localhost", path, &headers, body).unwrap()
    }

    fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, &[], b"")
    }

    fn json(&self, path: &str) -> Value {
        serde_json::from_slice(&self.get(path).body).unwrap()
    }

    fn push_blob(&self, app: &str, bytes: &[u8]) -> Value {
        let digest = digest(bytes);
        let answer = self.ask("POST", &format!("/v2/{app}/blobs/uploads/?digest={digest}"), &[], bytes);
        assert_eq!(answer.status, 201, "{}", answer.text());
        json!({ "digest": digest, "size": bytes.len() })
    }

    fn put_manifest(&self, app: &str, reference: &str, manifest: &[u8]) -> Answer {
        self.ask("PUT", &format!("/v2/{app}/manifests/{reference}"), &[("Content-Type", MANIFEST)], manifest)
    }

    /// The process that is the node, and not the one that guards it.
    fn own_pid(&self) -> i32 {
        self.place.read("node/lock").trim().parse().unwrap()
    }

    /// Kills it without a word, as a power cut does: with all it runs.
    fn kill(&mut self) {
        let _ = nix::sys::signal::kill(nix::unistd::Pid::from_raw(self.own_pid()), Signal::SIGKILL);
        while !self.running.ended() {
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        // Its own apps, known by the folder they work in.
        let apps = self.place.path("node/apps");
        for process in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
            let pid = process.file_name().to_str().and_then(|name| name.parse().ok());
            let ours = std::fs::read_link(process.path().join("cwd")).is_ok_and(|cwd| cwd.starts_with(&apps));
            if let (Some(pid), true) = (pid, ours) {
                let _ = nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), Signal::SIGKILL);
            }
        }
    }

    fn serve(&mut self) {
        (self.running, self.port) = serve(&self.place, "node");
    }

    /// Another process runs it from now on.
    fn took_over(&mut self, mut running: Running) {
        self.port = ready(&mut running);
        self.running = running;
    }
}

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

fn serve(place: &Place, dir: &str) -> (Running, u16) {
    let mut running = place.dae(["node", "serve", "--json", "--dir", dir]).spawn();
    let port = ready(&mut running);
    (running, port)
}

/// The port it listens on.
fn ready(running: &mut Running) -> u16 {
    let ready = running.event("ready");
    ready["listen"].as_str().unwrap().rsplit(':').next().unwrap().parse().unwrap()
}

fn digest(bytes: &[u8]) -> String {
    let mut name = String::from("sha256:");
    for byte in Sha256::digest(bytes) {
        write!(name, "{byte:02x}").unwrap();
    }
    name
}

fn manifest(config: &Value, layers: &[Value]) -> Vec<u8> {
    json!({ "schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": layers }).to_string().into_bytes()
}

/// The status, and the code of the problem or of the first OCI error.
fn said(answer: &Answer) -> String {
    let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let code = body["errors"][0]["code"].as_str().or(body["problem"]["code"].as_str()).unwrap_or_default();
    format!("{} {code}", answer.status).trim_end().to_owned()
}

#[test]
fn a_node_is_made_once() {
    let place = Place::new();
    let init = ["node", "init", "--dir", "n", "--domain", "Apps.Example.com", "--listen", ":8000"];
    let made = place.dae(init).ok();
    let token = made.stdout.lines().next().unwrap().to_owned();
    insta::assert_snapshot!(made.to_string().replace(&token, "[TOKEN]"), @"
    exit: 0
    --- stdout
    [TOKEN]

    This is the admin token. It is shown this once; for another one: `dae node token --dir n --can admin`

      dae node serve --dir n
      dae remote add NAME http://apps.example.com:8000 --token [TOKEN]
    --- stderr
            Made a node in `n`
    ");
    insta::assert_snapshot!(place.read("n/node.yaml"), @r#"
    # A dae node. Read when it starts: `dae node serve`.

    # Apps answer at NAME.apps.example.com; the node itself at apps.example.com.
    domain: apps.example.com
    # Where it listens for plain HTTP.
    listen: "0.0.0.0:8000"
    # TLS, with certificates from Let's Encrypt, whose terms you accept by that, or with your own:
    # tls:
    #   listen: ":443"
    #   acme: {email: you@example.com}
    #   certificates: [{cert: /etc/ssl/apps.pem, key: /etc/ssl/apps.key}]
    # Lists the apps' Thrift services for other machines, and has them listen where those reach this one.
    # zookeeper: zk1:2181,zk2:2181
    # Servers in the place of the node's own services: see docs/node.md.
    # services:
    #   mysql: {host: db.example.com, user: dae, passwd: SECRET}
    #   memcache: ["cache:11211"]
    "#);
    let kept = std::fs::read(place.path("n/store.sqlite")).unwrap();
    assert!(!kept.windows(token.len()).any(|window| window == token.as_bytes()), "the token itself is kept");
    insta::assert_snapshot!(place.dae(init).run(), @"
    exit: 1
    --- stderr
    error: `[DIR]/n` is a node already

    hint: type `dae node serve --dir [DIR]/n`
    hint: for another token: `dae node token --dir [DIR]/n`
    ");
    insta::assert_snapshot!(place.dae(["node", "init", "--dir", "m", "--domain", "10.0.0.1", "--listen", ":1"]).run(), @"
    exit: 2
    --- stderr
    error: the domain `10.0.0.1` is an address, and `NAME.ADDRESS` is no host name

    hint: give the domain under which the apps get their names: `--domain apps.example.com`
    hint: on one machine `--domain localhost` needs no DNS: apps answer at `NAME.localhost`
    ");
    insta::assert_snapshot!(place.dae(["node", "serve", "--dir", "m"]).run(), @"
    exit: 1
    --- stderr
    error: there is no node in `[DIR]/m`
      because: it has no `node.yaml`

    hint: type `dae node init --dir [DIR]/m --domain DOMAIN --listen ADDR`
    ");
    assert!(!place.path("m").exists());
}

#[test]
fn one_folder_is_one_nodes_and_one_port_one_programs() {
    let node = Node::new();
    let second = node.place.dae(["node", "serve", "--dir", "node"]).run();
    let pid = format!("process {}", node.own_pid());
    insta::assert_snapshot!(second.to_string().replace(&pid, "process [PID]"), @"
    exit: 1
    --- stderr
    error: a node is running in `[DIR]/node` already
      because: it is the process [PID]

    hint: stop it first, or use it
    ");
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let listen = taken.local_addr().unwrap().to_string();
    node.place.dae(["node", "init", "--dir", "other", "--domain", "localhost", "--listen", &listen]).ok();
    insta::assert_snapshot!(node.place.dae(["node", "serve", "--dir", "other"]).run(), @"
    exit: 1
    --- stderr
    error: the port [PORT] is in use already
      because: another program listens at 127.0.0.1:[PORT]

    hint: stop that program, or listen elsewhere: `dae node serve --listen ADDR`
    ");
    // The first one has noticed nothing, and ends when it is asked to.
    assert_eq!(node.get("/v2/").status, 200);
    let ended = node.running.stop();
    assert_eq!(ended.code, 0, "{}", ended.raw());
    // A stopped node's folder is free again.
    let (again, _) = serve(&node.place, "node");
    assert_eq!(again.stop().code, 0);
}

#[test]
fn who_may_do_what() {
    let node = Node::new();
    // Made while the node runs.
    let own = format!("Bearer {}", node.token_for("own", "deploy"));
    let reader = format!("Bearer {}", node.token_for("own", "read"));
    let all = format!("Bearer {}", node.token);
    let basic = {
        use base64::Engine as _;
        format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(format!("me:{}", node.token)))
    };
    let image = json!({ "image": digest(b"nothing") }).to_string();
    let upload = "/v2/own/blobs/uploads/";
    let mut picture = String::new();
    for (who, token) in
        [("nobody", ""), ("stranger", "Bearer x"), ("own", &own), ("reader", &reader), ("all", &all), ("basic", &basic)]
    {
        for (method, path, body) in [
            ("GET", "/v2/", ""),
            ("GET", "/dae/v1", ""),
            ("POST", upload, ""),
            ("POST", "/v2/other/blobs/uploads/", ""),
            ("GET", "/v2/other/tags/list", ""),
            ("GET", "/dae/v1/apps/own/releases", ""),
            ("POST", "/dae/v1/apps/own/releases", image.as_str()),
            ("POST", "/dae/v1/apps/own/rollback", "{}"),
            ("GET", "/dae/v1/apps/own/releases/r1/events", ""),
            ("GET", "/dae/v1/apps/own/logs", ""),
            ("GET", "/dae/v1/apps/own/processes", ""),
        ] {
            let header = if token.is_empty() { ("X-None", "") } else { ("Authorization", token) };
            let answer = Http::open(node.port).send(method, "localhost", path, &[header], body.as_bytes()).unwrap();
            writeln!(picture, "{who:<8} {method:<4} {path:<36} {}", said(&answer)).unwrap();
        }
    }
    insta::assert_snapshot!(picture, @"
    nobody   GET  /v2/                                 401 UNAUTHORIZED
    nobody   GET  /dae/v1                              401 UNAUTHORIZED
    nobody   POST /v2/own/blobs/uploads/               401 UNAUTHORIZED
    nobody   POST /v2/other/blobs/uploads/             401 UNAUTHORIZED
    nobody   GET  /v2/other/tags/list                  401 UNAUTHORIZED
    nobody   GET  /dae/v1/apps/own/releases            401 UNAUTHORIZED
    nobody   POST /dae/v1/apps/own/releases            401 UNAUTHORIZED
    nobody   POST /dae/v1/apps/own/rollback            401 UNAUTHORIZED
    nobody   GET  /dae/v1/apps/own/releases/r1/events  401 UNAUTHORIZED
    nobody   GET  /dae/v1/apps/own/logs                401 UNAUTHORIZED
    nobody   GET  /dae/v1/apps/own/processes           401 UNAUTHORIZED
    stranger GET  /v2/                                 401 UNAUTHORIZED
    stranger GET  /dae/v1                              401 UNAUTHORIZED
    stranger POST /v2/own/blobs/uploads/               401 UNAUTHORIZED
    stranger POST /v2/other/blobs/uploads/             401 UNAUTHORIZED
    stranger GET  /v2/other/tags/list                  401 UNAUTHORIZED
    stranger GET  /dae/v1/apps/own/releases            401 UNAUTHORIZED
    stranger POST /dae/v1/apps/own/releases            401 UNAUTHORIZED
    stranger POST /dae/v1/apps/own/rollback            401 UNAUTHORIZED
    stranger GET  /dae/v1/apps/own/releases/r1/events  401 UNAUTHORIZED
    stranger GET  /dae/v1/apps/own/logs                401 UNAUTHORIZED
    stranger GET  /dae/v1/apps/own/processes           401 UNAUTHORIZED
    own      GET  /v2/                                 200
    own      GET  /dae/v1                              200
    own      POST /v2/own/blobs/uploads/               202
    own      POST /v2/other/blobs/uploads/             403 DENIED
    own      GET  /v2/other/tags/list                  403 DENIED
    own      GET  /dae/v1/apps/own/releases            200
    own      POST /dae/v1/apps/own/releases            422 release.no-image
    own      POST /dae/v1/apps/own/rollback            409 release.nothing-before
    own      GET  /dae/v1/apps/own/releases/r1/events  404 release.unknown
    own      GET  /dae/v1/apps/own/logs                404 app.unknown
    own      GET  /dae/v1/apps/own/processes           200
    reader   GET  /v2/                                 200
    reader   GET  /dae/v1                              200
    reader   POST /v2/own/blobs/uploads/               403 DENIED
    reader   POST /v2/other/blobs/uploads/             403 DENIED
    reader   GET  /v2/other/tags/list                  403 DENIED
    reader   GET  /dae/v1/apps/own/releases            200
    reader   POST /dae/v1/apps/own/releases            403 DENIED
    reader   POST /dae/v1/apps/own/rollback            403 DENIED
    reader   GET  /dae/v1/apps/own/releases/r1/events  404 release.unknown
    reader   GET  /dae/v1/apps/own/logs                404 app.unknown
    reader   GET  /dae/v1/apps/own/processes           200
    all      GET  /v2/                                 200
    all      GET  /dae/v1                              200
    all      POST /v2/own/blobs/uploads/               202
    all      POST /v2/other/blobs/uploads/             202
    all      GET  /v2/other/tags/list                  200
    all      GET  /dae/v1/apps/own/releases            200
    all      POST /dae/v1/apps/own/releases            422 release.no-image
    all      POST /dae/v1/apps/own/rollback            409 release.nothing-before
    all      GET  /dae/v1/apps/own/releases/r1/events  404 release.unknown
    all      GET  /dae/v1/apps/own/logs                404 app.unknown
    all      GET  /dae/v1/apps/own/processes           200
    basic    GET  /v2/                                 200
    basic    GET  /dae/v1                              200
    basic    POST /v2/own/blobs/uploads/               202
    basic    POST /v2/other/blobs/uploads/             202
    basic    GET  /v2/other/tags/list                  200
    basic    GET  /dae/v1/apps/own/releases            200
    basic    POST /dae/v1/apps/own/releases            422 release.no-image
    basic    POST /dae/v1/apps/own/rollback            409 release.nothing-before
    basic    GET  /dae/v1/apps/own/releases/r1/events  404 release.unknown
    basic    GET  /dae/v1/apps/own/logs                404 app.unknown
    basic    GET  /dae/v1/apps/own/processes           200
    ");
    let challenge = |path| {
        let answer = Http::open(node.port).get("localhost", path).unwrap();
        answer.header("www-authenticate").unwrap().to_owned()
    };
    assert_eq!(challenge("/v2/"), "Basic realm=\"dae node\"");
    assert_eq!(challenge("/dae/v1"), "Bearer realm=\"dae node\"");
}

#[test]
fn blobs_come_whole_in_parts_and_again() {
    let node = Node::new();
    let whole = b"hello, blob".as_slice();
    let name = digest(whole);
    let post = |query: &str| node.ask("POST", &format!("/v2/a/blobs/uploads/{query}"), &[], b"");
    let place = |answer: &Answer| answer.header("location").unwrap().to_owned();

    // In parts. What does not follow is refused, and says where to go on.
    let begun = post("");
    assert_eq!((begun.status, begun.header("range")), (202, Some("0-0")));
    let at = place(&begun);
    let part = |range: &str, bytes: &[u8]| node.ask("PATCH", &at, &[("Content-Range", range)], bytes);
    let first = part("0-4", &whole[..5]);
    assert_eq!((first.status, first.header("range")), (202, Some("0-4")));
    let gap = part("7-10", &whole[7..]);
    assert_eq!((said(&gap).as_str(), gap.header("range")), ("416 BLOB_UPLOAD_INVALID", Some("0-4")));
    assert_eq!(part("5-99", &whole[5..7]).status, 416);
    let status = node.get(&at);
    assert_eq!((status.status, status.header("range")), (204, Some("0-4")));
    let finish = format!("{at}?digest={name}");
    let finished = node.ask("PUT", &finish, &[], &whole[5..]);
    assert_eq!((finished.status, place(&finished)), (201, format!("/v2/a/blobs/{name}")));
    assert_eq!(said(&node.get(&at)), "404 BLOB_UPLOAD_UNKNOWN");

    // Read back, in part too.
    let path = format!("/v2/a/blobs/{name}");
    assert_eq!(node.get(&path).body, whole);
    let head = node.ask("HEAD", &path, &[], b"");
    assert_eq!(
        (head.status, head.header("content-length"), head.header("docker-content-digest")),
        (200, Some("11"), Some(&*name))
    );
    let part = node.ask("GET", &path, &[("Range", "bytes=7-")], b"");
    assert_eq!((part.status, part.text().as_str(), part.header("content-range")), (206, "blob", Some("bytes 7-10/11")));
    assert_eq!(node.ask("GET", &path, &[("Range", "bytes=11-")], b"").status, 416);

    // What is not what it says is thrown away.
    let wrong = digest(b"something else");
    let query = format!("?digest={wrong}");
    assert_eq!(said(&node.ask("POST", &format!("/v2/a/blobs/uploads/{query}"), &[], whole)), "400 DIGEST_INVALID");
    let at = place(&post(""));
    assert_eq!(said(&node.ask("PUT", &format!("{at}?digest={wrong}"), &[], whole)), "400 DIGEST_INVALID");
    assert_eq!(said(&node.get(&at)), "404 BLOB_UPLOAD_UNKNOWN");
    assert_eq!(said(&node.get(&format!("/v2/a/blobs/{wrong}"))), "404 BLOB_UNKNOWN");

    // Cancelled, and mounted.
    let at = place(&post(""));
    assert_eq!(node.ask("DELETE", &at, &[], b"").status, 204);
    assert_eq!(node.ask("DELETE", &at, &[], b"").status, 404);
    assert_eq!(post(&format!("?mount={name}&from=a")).status, 201);
    assert_eq!(post(&format!("?mount={wrong}&from=a")).status, 202);
}

#[test]
fn a_blob_goes_when_no_manifest_leads_to_it() {
    let node = Node::new();
    let config = node.push_blob("a", b"{}");
    node.push_blob("a", b"alone");
    node.push_blob("b", b"alone");
    let bytes = manifest(&config, &[]);
    assert_eq!(node.put_manifest("a", "v1", &bytes).status, 201);
    let delete = |app: &str, digest: &str| {
        let answer = node.ask("DELETE", &format!("/v2/{app}/blobs/{digest}"), &[], b"");
        if answer.status == 202 { "202".to_owned() } else { said(&answer) }
    };
    let (config, alone) = (digest(b"{}"), digest(b"alone"));
    assert_eq!(delete("a", &config), "409 DENIED");
    assert_eq!(delete("a", &alone), "202");
    assert_eq!(delete("a", &alone), "404 BLOB_UNKNOWN");
    assert_eq!(delete("a", &digest(&bytes)), "404 BLOB_UNKNOWN");
    assert_eq!(delete("a", "sha256:1"), "400 DIGEST_INVALID");
    // Another app's is its own.
    assert_eq!(node.get(&format!("/v2/b/blobs/{alone}")).text(), "alone");
    assert_eq!(node.ask("DELETE", &format!("/v2/a/manifests/{}", digest(&bytes)), &[], b"").status, 202);
    assert_eq!(delete("a", &config), "202");
}

#[test]
fn one_app_sees_nothing_of_another() {
    let node = Node::new();
    let secret = node.push_blob("own", b"secret");
    let digest = secret["digest"].as_str().unwrap();
    let other = format!("Bearer {}", node.token_for("other", "deploy"));
    let ask = |method, path: &str, body: &[u8]| node.ask(method, path, &[("Authorization", &other)], body);
    assert_eq!(said(&ask("GET", &format!("/v2/other/blobs/{digest}"), b"")), "404 BLOB_UNKNOWN");
    // A mount from where it may not read is an upload.
    let mount = ask("POST", &format!("/v2/other/blobs/uploads/?mount={digest}&from=own"), b"");
    assert_eq!(mount.status, 202);
    let manifest = manifest(&secret, &[]);
    assert_eq!(said(&ask("PUT", "/v2/other/manifests/v1", &manifest)), "404 MANIFEST_BLOB_UNKNOWN");
    // Who may see both need not send it again.
    assert_eq!(node.put_manifest("third", "v1", &manifest).status, 201);
    assert_eq!(node.get(&format!("/v2/third/blobs/{digest}")).text(), "secret");
}

#[test]
fn a_manifest_is_taken_when_all_it_names_is_there() {
    let node = Node::new();
    let config = node.push_blob("a", b"{}");
    let layer = |bytes: &[u8]| json!({ "digest": digest(bytes), "size": bytes.len() });
    let bytes = manifest(&config, &[layer(b"one"), layer(b"two"), layer(b"one")]);
    let name = digest(&bytes);
    let refused = node.put_manifest("a", &name, &bytes);
    assert_eq!(refused.status, 404);
    let body: Value = serde_json::from_slice(&refused.body).unwrap();
    let mut missing: Vec<&str> =
        body["errors"].as_array().unwrap().iter().map(|error| error["detail"]["digest"].as_str().unwrap()).collect();
    missing.sort_unstable();
    let mut wanted = [digest(b"one"), digest(b"two")];
    wanted.sort_unstable();
    assert_eq!(missing, wanted);
    node.push_blob("a", b"one");
    node.push_blob("a", b"two");
    let taken = node.put_manifest("a", &name, &bytes);
    assert_eq!(
        (taken.status, taken.header("docker-content-digest"), taken.header("dae-live")),
        (201, Some(&*name), None)
    );
    assert_eq!(node.put_manifest("a", "v1.0", &bytes).status, 201);
    assert_eq!(node.put_manifest("a", "latest", &bytes).status, 201);
    let tagged = node.get("/v2/a/manifests/v1.0");
    assert_eq!((tagged.header("content-type"), &tagged.body), (Some(MANIFEST), &bytes));
    assert_eq!(node.json("/v2/a/tags/list"), json!({ "name": "a", "tags": ["latest", "v1.0"] }));
    let page = node.get("/v2/a/tags/list?n=1");
    assert_eq!(page.header("link"), Some("</v2/a/tags/list?n=1&last=latest>; rel=\"next\""));

    let put = |reference: &str, bytes: &[u8]| said(&node.put_manifest("a", reference, bytes));
    let get = |path: &str| said(&node.get(path));
    let wrong_size = manifest(&json!({ "digest": config["digest"], "size": 3 }), &[]);
    let large = vec![b' '; (4 << 20) + 1];
    insta::assert_snapshot!(
        [
            put(&digest(b"other"), &bytes),
            put("v1", b"nonsense"),
            put("v1", b"{\"schemaVersion\": 1}"),
            put("v1", &wrong_size),
            put("v1", &large),
            put("-v", &bytes),
            put("sha512:00", &bytes),
            get("/v2/a/manifests/none"),
            get("/v2/A-b/tags/list"),
            get("/v2/%2e%2e/tags/list"),
            get("/v2/..%2f..%2fetc/tags/list"),
            get("/v2/a/blobs/..%2f..%2fstore.sqlite"),
            get("/v2/a/blobs/sha256:..%2f..%2f..%2fstore.sqlite"),
            get("/v2/a/blobs/uploads/..%2f..%2fstore.sqlite"),
            get("/v2/a/b/tags/list"),
            said(&node.ask("DELETE", "/v2/a/manifests/v1", &[], b"")),
        ]
        .join("\n"),
        @"
    400 DIGEST_INVALID
    400 MANIFEST_INVALID
    400 MANIFEST_INVALID
    400 SIZE_INVALID
    413 SIZE_INVALID
    400 MANIFEST_INVALID
    400 DIGEST_INVALID
    404 MANIFEST_UNKNOWN
    400 NAME_INVALID
    400 NAME_INVALID
    400 NAME_INVALID
    400 DIGEST_INVALID
    400 DIGEST_INVALID
    404 BLOB_UPLOAD_UNKNOWN
    404 NAME_INVALID
    404 MANIFEST_UNKNOWN
    "
    );
}

#[test]
fn what_was_acknowledged_survives_a_kill() {
    let mut node = Node::new();
    let config = node.push_blob("a", b"{}");
    let bytes = manifest(&config, &[]);
    assert_eq!(node.put_manifest("a", "v1", &bytes).status, 201);
    let begun = node.ask("POST", "/v2/a/blobs/uploads/", &[], b"");
    let at = begun.header("location").unwrap().to_owned();
    assert_eq!(node.ask("PATCH", &at, &[], b"first ").status, 202);
    node.kill();
    node.serve();
    assert_eq!(node.get("/v2/a/manifests/v1").body, bytes);
    assert_eq!(node.get(&at).header("range"), Some("0-5"));
    let finish = format!("{at}?digest={}", digest(b"first second"));
    assert_eq!(node.ask("PUT", &finish, &[], b"second").status, 201);
}

#[test]
fn a_request_that_breaks_off_can_be_gone_on_with() {
    let node = Node::new();
    let at = node.ask("POST", "/v2/a/blobs/uploads/", &[], b"").header("location").unwrap().to_owned();
    let mut stream = TcpStream::connect(("127.0.0.1", node.port)).unwrap();
    let head = format!(
        "PATCH {at} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {}\r\nContent-Length: 100\r\n\r\nten bytes.",
        node.token
    );
    stream.write_all(head.as_bytes()).unwrap();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    // The node closes its side when it has put away what came.
    let mut rest = String::new();
    let _ = stream.read_to_string(&mut rest);
    let status = node.get(&at);
    assert_eq!((status.status, status.header("range")), (204, Some("0-9")), "{rest}");
}

#[test]
fn a_full_disk_is_told_in_numbers_and_keeps_nothing_by_halves() {
    let place = Place::new();
    let mount = place.path("disk");
    std::fs::create_dir(&mount).unwrap();
    let mounted =
        std::process::Command::new("mount").args(["-t", "tmpfs", "-o", "size=24m", "tmpfs"]).arg(&mount).output();
    match mounted {
        Ok(output) if output.status.success() => {}
        why => {
            #[expect(clippy::print_stderr, reason = "a test that is skipped says why")]
            {
                eprintln!("skipped: no small disk can be mounted here: {why:?}");
            }
            return;
        }
    }
    let _unmount = Unmount(mount.clone());
    let node = Node::at(&place, "disk/node");
    let refused = |answer: &Answer| {
        assert_eq!(answer.status, 507, "{}", answer.text());
        let body: Value = serde_json::from_slice(&answer.body).unwrap();
        assert_eq!(body["problem"]["code"], "node.disk-full");
        body["problem"]["causes"][0].as_str().unwrap().to_owned()
    };
    let empty = |what: &str| assert_eq!(std::fs::read_dir(mount.join("node/uploads")).unwrap().count(), 0, "{what}");
    // Told before it is sent: the manifest says how much is to come.
    let layer = json!({ "digest": digest(b"large"), "size": 1_u64 << 40 });
    let told = refused(&node.put_manifest("a", "v1", &manifest(&layer, &[])));
    assert!(told.starts_with("1.1 TB needed, "), "{told}");
    // Told by its length.
    let large = vec![7; 30 << 20];
    let told = refused(&node.ask("POST", &format!("/v2/a/blobs/uploads/?digest={}", digest(&large)), &[], &large));
    assert!(told.starts_with("31.5 MB needed, "), "{told}");
    empty("by length");
    // Of no known length: the disk itself says no.
    let mut stream = TcpStream::connect(("127.0.0.1", node.port)).unwrap();
    let head = format!(
        "POST /v2/a/blobs/uploads/?digest={} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {}\r\n\
         Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n",
        digest(&large),
        node.token
    );
    stream.write_all(head.as_bytes()).unwrap();
    for chunk in large.chunks(1 << 20) {
        stream.write_all(format!("{:x}\r\n", chunk.len()).as_bytes()).unwrap();
        stream.write_all(chunk).unwrap();
        stream.write_all(b"\r\n").unwrap();
    }
    stream.write_all(b"0\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 507 "), "{answer}");
    assert!(answer.contains("free for uploads"), "{answer}");
    empty("without a length");
    // The node goes on.
    node.push_blob("a", b"small");
    assert_eq!(node.running.stop().code, 0);
}

struct Unmount(std::path::PathBuf);

impl Drop for Unmount {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount").arg("-l").arg(&self.0).status();
    }
}
