//! A cluster as a remote: the objects an app becomes, its image in a plain registry, and what runs in its containers.

mod cluster;
mod golden;
mod registry;
mod releases;

use std::path::Path;

use crate::harness::{Http, Place, free_port, python};
use registry::Registry;

/// The example, in a place of its own.
fn guestbook(place: &Place) {
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/guestbook");
    for file in ["app.yaml", "app.py", "pip-req.txt", "static/guestbook.css", "templates/index.html"] {
        place.write(format!("guestbook/{file}"), std::fs::read(from.join(file)).unwrap());
    }
}

/// Adds the cluster remote `prod`, whose images go to `registry`.
fn remote(place: &Place, registry: &Registry, more: &[&str]) {
    registry.put_base("library/python", &format!("{}-slim", minor(place)));
    let repository = format!("{}/shop", registry.host());
    let base = format!("{}/library/python:{{python}}-slim", registry.host());
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
    remote(&place, &registry, &["--no-check"]);
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
    let mut get = |path: &str| browser.get("guestbook.apps.example", path).unwrap();
    assert_eq!((get("/_dae/ready/r7").status, get("/_dae/ready/r6").status), (200, 503));
    let page = get("/");
    assert!(page.status == 200 && page.text().contains("Nobody was here yet."), "{}", page.text());
    assert_eq!(page.header("x-dae-release"), Some("r7"));
    let css = get("/static/guestbook.css");
    assert_eq!(css.text(), place.read("guestbook/static/guestbook.css"));
    assert_eq!(css.header("content-type"), Some("text/css; charset=utf-8"));
    let tag = css.header("etag").unwrap().to_owned();
    let again = browser.send("GET", "x", "/static/guestbook.css", &[("If-None-Match", &tag)], b"").unwrap();
    assert_eq!(again.status, 304);
    let part = browser.send("GET", "x", "/static/guestbook.css", &[("Range", "bytes=0-3")], b"").unwrap();
    assert_eq!((part.status, part.text().len()), (206, 4));
    for private in ["/static/../app.py", "/static/%2e%2e/app.yaml", "/static/none.css"] {
        assert_eq!(browser.get("x", private).unwrap().status, 404, "{private}");
    }
    let ran = web.stop();
    assert!(!ran.stderr.contains("Traceback"), "{}", ran.raw());
}

/// Until something listens there.
fn wait_for(port: u16, running: &mut crate::harness::Running) {
    let begin = std::time::Instant::now();
    while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(!running.ended() && begin.elapsed() < crate::harness::PATIENCE, "{}", running.said());
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
}
