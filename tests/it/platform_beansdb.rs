//! tests/platform/test_beansdb.py against the service: our own client and libmc. And what docs/beansdb.md shows; `dae bdb`.

use std::path::Path;

use crate::beansdb::Server;
use crate::harness::{Place, python};
use crate::mail::{app, platform, python_with};

#[test]
fn python_clients_find_the_dialect() {
    let place = Place::new();
    let server = Server::start(&place.path("beansdb"));
    let python = python_with(&place, "beansdb", &["pytest==9.2.0", "libmc==1.4.17", "gevent==26.9.0"]);
    let ours = Path::new(env!("CARGO_MANIFEST_DIR")).join("python");
    let address = server.address.to_string();
    let env = [("DAE_BEANSDB", &*address), ("PYTHONPATH", ours.to_str().unwrap())];
    let said = platform(&place, &python, "test_beansdb.py", &env);
    assert!(said.contains("passed") && !said.contains("skipped"), "{said}");
}

#[test]
fn what_the_documentation_shows_works() {
    let place = Place::new();
    let server = Server::start(&place.path("beansdb"));
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(root.join("docs/beansdb.md")).unwrap();
    let code = text.split("```python\n").nth(1).unwrap().split("```").next().unwrap();
    place.write("shown.py", code);
    let shown = place.command(python(), ["shown.py"]);
    shown.env("DAE_BEANSDB", server.address.to_string()).env("PYTHONPATH", root.join("python")).ok();
}

#[test]
fn looking_in() {
    let place = app("    start_response('200 OK', [])\n    return []");
    let dae = |args: &[&str]| place.dae(args).dir("app").run();
    let json = |args: &[&str]| {
        let mut args = args.to_vec();
        args.push("--json");
        dae(&args).json()
    };
    let missing = dae(&["bdb", "get", "a"]);
    assert_eq!((missing.code, &*missing.stdout), (1, "there is no `a`\n"), "{}", missing.raw());
    for value in ["one", "two"] {
        let set = dae(&["bdb", "set", "a", value]);
        assert_eq!(set.code, 0, "{}", set.raw());
    }
    assert_eq!(dae(&["bdb", "get", "a"]).stdout, "two\n");
    assert_eq!(json(&["bdb", "get", "a"])["values"][0]["text"], "two");
    let version = json(&["bdb", "versions", "a"]);
    assert_eq!((&version["versions"]["a"]["version"], &version["versions"]["a"]["size"]), (&2.into(), &8.into()));
    let refused = dae(&["bdb", "set", "a", "three", "--version", "2"]);
    assert!(refused.code == 1 && refused.stderr.contains("`a` was not stored"), "{}", refused.raw());
    assert_eq!(dae(&["bdb", "ls"]).stdout, "a 2\n");
    assert_eq!(json(&["bdb", "ls", "@e"])["keys"]["a"], 2);
    assert_eq!(json(&["bdb", "ls", "@"])["nodes"][14]["count"], 1);
    let bad = dae(&["bdb", "get", "a b"]);
    assert!(bad.code == 1 && bad.stderr.contains("is no key"), "{}", bad.raw());
}
