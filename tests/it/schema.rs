//! app.yaml's schema, by an independent judge: `jsonschema` from PyPI.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::harness::{Place, python, shared_cache};

/// Reads a list of [name, text]; tells the names whose text breaks the schema, and why.
const JUDGE: &str = "
import json, sys, yaml, jsonschema
schema, cases = json.load(sys.stdin)
jsonschema.Draft202012Validator.check_schema(schema)
judge = jsonschema.Draft202012Validator(schema)
json.dump([[name, [e.message for e in judge.iter_errors(yaml.safe_load(text))]] for name, text in cases], sys.stdout)
";

fn judged(place: &Place, cases: &[(String, String)]) -> Vec<(String, Vec<String>)> {
    let target = shared_cache().join("jsonschema-4");
    if !target.join("yaml").is_dir() {
        let args = [
            "-m",
            "pip",
            "install",
            "-q",
            "--disable-pip-version-check",
            "jsonschema>=4,<5",
            "pyyaml>=6,<7",
            "--target",
        ];
        place.command(python(), args).arg(&target).ok();
    }
    let schema: serde_json::Value = serde_json::from_str(&place.dae(["schema"]).ok().stdout).unwrap();
    let mut judge = Command::new(python())
        .args(["-c", JUDGE])
        .env("PYTHONPATH", target)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let input = serde_json::to_string(&(schema, cases)).unwrap();
    judge.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let said = judge.wait_with_output().unwrap();
    assert!(said.status.success());
    serde_json::from_slice(&said.stdout).unwrap()
}

#[test]
fn every_example_and_new_app_fits_and_what_does_not_is_found() {
    let place = Place::new();
    let guestbook = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/guestbook/app.yaml");
    let mut good = vec![("guestbook".to_owned(), std::fs::read_to_string(guestbook).unwrap())];
    for template in ["blank", "web.py", "flask", "django", "fastapi"] {
        let name = template.replace('.', "");
        place.dae(["create", &name, "-t", template, "--no-venv", "--no-git"]).ok();
        let text = place.read(format!("{name}/app.yaml"));
        assert!(text.starts_with("# yaml-language-server: $schema=.dae/app.schema.json\n"), "{text}");
        assert_eq!(place.read(format!("{name}/.dae/app.schema.json")).trim(), place.dae(["schema"]).ok().stdout.trim());
        good.push((name, text));
    }
    for (name, wrong) in judged(&place, &good) {
        assert!(wrong.is_empty(), "{name}: {wrong:?}");
    }
    let handlers = "handlers: [{url: /.*, wsgi_app: app:app}]";
    let bad = [
        "handlers: []".to_owned(),
        format!("application: My-App\n{handlers}"),
        format!("application: a\n{handlers}\nworker: fast"),
        format!("application: a\n{handlers}\nnworkers: many"),
        "application: a\nhandlers: [{wsgi_app: app:app}]".to_owned(),
        format!("application: a\n{handlers}\ncron: [{{name: n}}]"),
    ];
    let bad: Vec<_> = bad.into_iter().map(|text| (text.clone(), text)).collect();
    for (text, wrong) in judged(&place, &bad) {
        assert!(!wrong.is_empty(), "{text}");
    }
}
