//! A cluster as a remote: the objects an app becomes, its image in a plain registry, and what runs in its containers.

mod changes;
mod cluster;
mod commands;
mod credentials;
pub mod golden;
mod gray;
mod logins;
mod logs;
mod openapi;
mod podman;
mod registry;
mod releases;
mod trial;

use std::path::Path;

use serde_json::{Value, json};

use crate::harness::{Http, Place, free_port, get, python};
use registry::Registry;

/// The example's look on an app that needs nothing beside it: its services are not in this container's reach.
fn guestbook(place: &Place) {
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/guestbook");
    for file in ["pip-req.txt", "static/guestbook.css"] {
        place.write(format!("guestbook/{file}"), std::fs::read(from.join(file)).unwrap());
    }
    place.write("guestbook/app.yaml", GUESTBOOK_YAML).write("guestbook/app.py", GUESTBOOK);
}

const GUESTBOOK_YAML: &str = r"application: guestbook
handlers:
- url: /static/(.*)
  static_files: static/\1
- url: /.*
  wsgi_app: app:app
";
const GUESTBOOK: &str = "from flask import Flask

app = Flask(__name__)


@app.get('/')
def index():
    return 'Nobody was here yet.'
";

/// Adds the cluster remote `prod`, whose images go to `registry`.
fn remote(place: &Place, registry: &Registry, more: &[&str]) {
    remote_on(place, registry, &registry.host(), more);
}

/// The same with the base at `host`: another name of the registry is another registry, from which the base is copied.
fn remote_on(place: &Place, registry: &Registry, host: &str, more: &[&str]) {
    registry.put_base("library/python", &format!("{}-slim", minor(place)));
    remote_with_base(place, registry, host, more);
}

/// The same with the base that is there.
fn remote_with_base(place: &Place, registry: &Registry, host: &str, more: &[&str]) {
    let repository = format!("{}/shop", registry.host());
    let base = format!("{host}/library/python:{{python}}-slim");
    let args = ["remote", "add", "prod", "kubernetes", "--context", "prod", "--namespace", "shop", "--registry"];
    let args = args.into_iter().chain([repository.as_str(), "--base", &base, "--domain", "apps.example"]);
    place.dae(args.chain(more.iter().copied())).ok();
}

/// The version of the Python that apps get here: `3.11`.
fn minor(place: &Place) -> String {
    let ask = "import sys; print('%d.%d' % sys.version_info[:2])";
    place.command(python(), ["-c", ask]).ok().stdout.trim().to_owned()
}

#[test]
fn the_guestbook_is_pushed_to_a_plain_registry_and_its_image_answers() {
    let place = Place::new();
    let Some(registry) = Registry::start(&place) else { return };
    guestbook(&place);
    remote_on(&place, &registry, &format!("localhost:{}", registry.port), &["--no-check"]);
    let yaml = || place.dae(["-C", "guestbook", "deploy", "--output", "yaml"]).ok();
    let first = yaml();
    assert!(first.stderr.contains("remembered"), "{}", first.stderr);
    assert!(first.stdout.starts_with("apiVersion: v1\n"), "{}", first.stdout);
    let image =
        first.stdout.lines().find_map(|line| line.trim().strip_prefix("image: ")).unwrap().trim_matches('"').to_owned();

    let manifest = registry.manifest(&image);
    let kinds: Vec<&str> =
        manifest["layers"].as_array().unwrap().iter().map(|layer| layer["mediaType"].as_str().unwrap()).collect();
    assert_eq!(kinds[0], "application/vnd.oci.image.layer.v1.tar+gzip", "the base's comes first");
    assert!(kinds[1..].iter().all(|kind| *kind == "application/vnd.oci.image.layer.v1.tar+zstd"));

    // The same again is the same text, and nothing is sent.
    let second = yaml();
    assert_eq!(first.stdout, second.stdout);
    assert!(second.stderr.contains("nothing: all"), "{}", second.stderr);

    // A changed line is one small layer.
    let app = place.read("guestbook/app.py");
    place.write("guestbook/app.py", format!("{app}\n# changed\n"));
    let third = yaml();
    assert!(third.stderr.contains("Pushed 1 of "), "{}", third.stderr);
    assert_ne!(first.stdout, third.stdout);

    let image =
        third.stdout.lines().find_map(|line| line.trim().strip_prefix("image: ")).unwrap().trim_matches('"').to_owned();
    let root = place.path("unpacked");
    registry.unpack(&image, &root);
    let port = free_port();
    let container = root.join("dae/runtime/dae/container.py");
    let mut web = place
        .command(python(), [Path::new("-s"), Path::new("-S"), &container, Path::new("web")])
        .env("PORT", port.to_string())
        .env("DAE_RELEASE", "r7")
        .env("DAE_PERMDIR", place.path("permdir"))
        .spawn();
    std::fs::create_dir(place.path("permdir")).unwrap();
    wait_for(port, &mut web);
    let mut browser = Http::open(port);
    let mut ask = |path: &str| browser.get("guestbook.apps.example", path).unwrap();
    assert_eq!((ask("/_dae/ready/r7").status, ask("/_dae/ready/r6").status), (200, 503));
    let page = ask("/");
    assert!(page.status == 200 && page.text().contains("Nobody was here yet."), "{}", page.text());
    assert_eq!(page.header("x-dae-release"), Some("r7"));
    let css = ask("/static/guestbook.css");
    assert_eq!(css.text(), place.read("guestbook/static/guestbook.css"));
    assert_eq!(css.header("content-type"), Some("text/css; charset=utf-8"));
    let tag = css.header("etag").unwrap().to_owned();
    let again = browser.send("GET", "x", "/static/guestbook.css", &[("If-None-Match", &tag)], b"").unwrap();
    assert_eq!(again.status, 304);
    let some = browser.send("GET", "x", "/static/guestbook.css", &[("Range", "bytes=0-3")], b"").unwrap();
    assert_eq!((some.status, some.text().len()), (206, 4));
    for private in ["/static/../app.py", "/static/%2e%2e/app.yaml", "/static/none.css"] {
        assert_eq!(browser.get("x", private).unwrap().status, 404, "{private}");
    }
    let ran = web.stop();
    assert!(!ran.stderr.contains("Traceback"), "{}", ran.raw());
    a_container_of_other_kinds(&place, &root);
}

/// The same image with other words in its release.json.
fn a_container_of_other_kinds(place: &Place, root: &Path) {
    let path = root.join("dae/release.json");
    let good: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    let change = |change: &dyn Fn(&mut Value)| {
        let mut release = good.clone();
        change(&mut release);
        std::fs::write(&path, release.to_string()).unwrap();
    };
    let container = |port: u16, args: &[&str]| {
        let script = root.join("dae/runtime/dae/container.py");
        let words = ["-s".as_ref(), "-S".as_ref(), script.as_os_str()];
        place
            .command(python(), words.into_iter().chain(args.iter().map(std::ffi::OsStr::new)))
            .env("PORT", port.to_string())
            .env("DAE_RELEASE", "r7")
            .env("DAE_PERMDIR", place.path("permdir"))
    };
    // A selftest that fails ends it, and says why.
    change(&|release| release["manifest"]["selftest"] = json!([{"url": "/", "status": 418}]));
    let port = free_port();
    let mut web = container(port, &["web"]).spawn();
    wait_for(port, &mut web);
    assert_eq!(get(port, "x", "/_dae/ready/r7").status, 503);
    let ran = web.wait();
    assert!(ran.stderr.contains("the selftest of / was answered with 200; app.yaml wants 418"), "{}", ran.raw());

    // ASGI, its files and its selftest.
    let app = "async def app(scope, receive, send):\n    if scope['type'] == 'http':\n        await send({'type': 'http.response.start', 'status': 200, 'headers': []})\n        await send({'type': 'http.response.body', 'body': scope['path'].encode()})\n";
    std::fs::write(root.join("dae/app/other.py"), app).unwrap();
    let asgi = |target: &str| {
        let target = json!({"module": target, "callable": "app"});
        let files = json!({"url": "/static/(.*)", "serves": {"static_files": "static/\\1"}});
        let handlers = json!([files, {"url": "/.*", "serves": {"asgi_app": target}}]);
        change(&|release| {
            release["manifest"]["worker"] = json!("asgi");
            release["manifest"]["handlers"] = handlers.clone();
            release["manifest"]["selftest"] =
                json!([{"url": "/x", "status": 200}, {"url": "/static/none", "status": 404}]);
        });
    };
    asgi("other");
    let port = free_port();
    let mut web = container(port, &["web"]).spawn();
    wait_for(port, &mut web);
    let ready = get(port, "x", "/_dae/ready/r7");
    assert_eq!((ready.status, get(port, "x", "/_dae/ready/r8").status), (200, 503), "{}", ready.text());
    let page = get(port, "x", "/a/b");
    assert_eq!((page.text().as_str(), page.header("x-dae-release")), ("/a/b", Some("r7")));
    assert_eq!(get(port, "x", "/static/guestbook.css").text(), place.read("guestbook/static/guestbook.css"));
    drop(web);

    // Code that does not import.
    asgi("nowhere");
    let ran = container(free_port(), &["web"]).run();
    assert!(ran.code != 0 && ran.stderr.contains("No module named 'nowhere'"), "{}", ran.raw());

    // Scripts, with their arguments and the app's packages; programs; a Python of another version.
    std::fs::create_dir_all(root.join("dae/app/jobs")).unwrap();
    std::fs::write(root.join("dae/app/jobs/beside.py"), "word = 'beside'\n").unwrap();
    std::fs::write(
        root.join("dae/app/jobs/job.py"),
        "import sys, os, flask, beside, dae\nprint(sys.argv, beside.word, os.environ['DAE_ENV'])\n",
    )
    .unwrap();
    let ran = container(0, &["run", "jobs/job.py", "-v", "a b"]).ok();
    assert_eq!(ran.stdout, "['jobs/job.py', '-v', 'a b'] beside production\n");
    assert_eq!(container(0, &["run", "sh", "-c", "pwd; exit 7"]).run().code, 7);
    // A Python of its own, and a program that a package brings.
    let ask = "import sys, flask, dae, other; print(sys.argv[1:])";
    assert_eq!(container(0, &["run", "python", "-c", ask, "x"]).ok().stdout, "['x']\n");
    assert!(container(0, &["run", "flask", "--version"]).ok().stdout.contains("Flask"));
    change(&|release| release["python"] = json!("2.7"));
    let ran = container(0, &["web"]).run();
    assert!(ran.code == 1 && ran.stderr.contains("are for Python 2.7"), "{}", ran.raw());
}

/// Until something listens there.
fn wait_for(port: u16, running: &mut crate::harness::Running) {
    let begin = std::time::Instant::now();
    while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(!running.ended() && begin.elapsed() < crate::harness::PATIENCE, "{}", running.said());
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
}
