//! Copies of one app in folders of their own, served at once: they share no data, no address, no cookie and no reload.
//! `DAE_COPIES=20` for more copies than a few.

use std::collections::HashSet;

use crate::harness::{Answer, Http, Place, Running, free_port};

const APP_YAML: &str = "application: daetest\nnworkers: 1\nhandlers:\n- url: /.*\n  wsgi_app: app:app\n";
/// Each service is told what `put` brings and says what it has.
const APP: &str = r#"
import os

from dae.api import beanstalk, users
from dae.api.bdb import bdb
from dae.api.memcache import mc
from dae.api.permdir import get_permdir

VERSION = "one"
ADDRESSES = ["DAE_MEMCACHE", "DAE_BEANSDB", "DAE_QUEUE", "DAE_SMTP", "DAE_PERMDIR", "DAE_STATE", "DAE_IDENTITY_KEY"]


def queue(act):
    with beanstalk.Client(os.environ["DAE_QUEUE"], watch=["copies"]) as client:
        client.use("copies")
        return act(client)


def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain"), ("Set-Cookie", "seen=" + environ["QUERY_STRING"])])
    path, told = environ["PATH_INFO"], environ["QUERY_STRING"]
    kept = os.path.join(get_permdir(), "told")
    if path == "/put":
        mc.set("told", told)
        bdb.set("told", told)
        queue(lambda client: client.put(told))
        with open(kept, "w") as file:
            file.write(told)
        return [b"kept"]
    if path == "/addresses":
        return [" ".join(os.environ.get(name, "-") for name in ADDRESSES).encode()]
    if path == "/who":
        user = users.get_current_user()
        return [(user.username if user else "nobody").encode()]
    if path == "/version":
        return [VERSION.encode()]
    job = queue(lambda client: client.reserve(5))
    said = [mc.get("told"), bdb.get("told"), job.body.decode() if isinstance(job.body, bytes) else job.body]
    with open(kept) as file:
        said.append(file.read())
    return [" ".join(map(str, said)).encode()]
"#;

struct Copy {
    serve: Running,
    port: u16,
}

impl Copy {
    fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        Http::open(self.port).send(method, "daetest.localhost", path, headers, body.as_bytes()).unwrap()
    }

    fn get(&self, path: &str) -> String {
        self.ask("GET", path, &[], "").text()
    }
}

#[test]
fn share_nothing() {
    let count: usize = std::env::var("DAE_COPIES").ok().map_or(6, |count| count.parse().unwrap());
    let place = Place::new();
    let start = |number: usize| {
        let folder = format!("copy{number}");
        place.write(format!("{folder}/app.yaml"), APP_YAML).write(format!("{folder}/app.py"), APP);
        place.write(format!("{folder}/pip-req.txt"), "");
        std::fs::create_dir(place.path(format!("{folder}/permdir"))).unwrap();
        let port = free_port();
        Copy { serve: place.dae(["serve", &folder, "--json", "--port", &port.to_string()]).spawn(), port }
    };
    // All at once.
    let mut copies: Vec<Copy> = (0..count).map(start).collect();
    for copy in &mut copies {
        copy.serve.event("started");
    }

    // Data: all write before one reads.
    for (number, copy) in copies.iter().enumerate() {
        assert_eq!(copy.get(&format!("/put?copy{number}")), "kept");
    }
    for (number, copy) in copies.iter().enumerate() {
        assert_eq!(copy.get("/look"), vec![format!("copy{number}"); 4].join(" "));
    }

    // Addresses, folders, sockets, keys.
    let mut addresses = HashSet::new();
    for copy in &copies {
        let said = copy.get("/addresses");
        assert!(!said.contains(" - ") && said.split(' ').count() == 7, "{said}");
        for address in said.split(' ') {
            assert!(addresses.insert(address.to_owned()), "{address} is somebody else's too");
        }
    }

    // A browser has one jar for all ports of a host: whoever logs in at one is not logged out at another.
    let mut jar: Vec<String> = Vec::new();
    for (number, copy) in copies.iter().enumerate() {
        let cookies = jar.join("; ");
        let done = copy.ask("POST", "/_dae/login", &[("Cookie", &cookies)], &format!("user=user{number}"));
        let cookie = done.header("set-cookie").unwrap().split(';').next().unwrap().to_owned();
        let name = cookie.split('=').next().unwrap().to_owned();
        jar.retain(|kept| kept.split('=').next() != Some(&name));
        jar.push(cookie);
    }
    assert_eq!(jar.len(), count);
    let cookies = jar.join("; ");
    for (number, copy) in copies.iter().enumerate() {
        assert_eq!(copy.ask("GET", "/who", &[("Cookie", &cookies)], "").text(), format!("user{number}"));
    }

    // A reload.
    place.write("copy1/app.py", APP.replace("\"one\"", "\"two\""));
    copies[1].serve.event("reloaded");
    for (number, copy) in copies.iter_mut().enumerate() {
        assert_eq!(copy.get("/version"), if number == 1 { "two" } else { "one" });
        assert!(number == 1 || !copy.serve.said().contains("\"reloaded\""), "{}", copy.serve.said());
    }

    // An end.
    let ended = copies.remove(0).serve.stop();
    assert_eq!(ended.code, 0, "{}", ended.raw());
    for copy in copies {
        assert!(copy.get("/version").len() == 3);
        assert_eq!(copy.serve.stop().code, 0);
    }
}

#[test]
fn a_copy_beside_another_finds_a_port_and_a_name_of_its_own() {
    let place = Place::new();
    place.write("copy/app.yaml", APP_YAML).write("copy/app.py", APP).write("copy/pip-req.txt", "");
    // It may be somebody else's already.
    let _taken = std::net::TcpListener::bind("127.0.0.1:8080");
    let mut serve = place.dae(["serve", "copy", "--json"]).spawn();
    let url = serve.event("ready")["url"].as_str().unwrap().to_owned();
    serve.event("started");
    let (host, port) = url.strip_prefix("http://").unwrap().split_once(':').unwrap();
    assert!(host.starts_with("daetest-") && host.ends_with(".localhost") && port != "8080", "{url}");
    for host in [host, "daetest.localhost"] {
        let mut http = Http::open(port.parse().unwrap());
        assert_eq!(http.get(host, "/version").unwrap().text(), "one");
    }
    assert_eq!(serve.stop().code, 0);
}
