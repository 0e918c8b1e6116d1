//! The description of the control API: every route is in it, and it holds no other; and what is said with it, tried.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::deploy::Remote;
use crate::harness::Http;

const METHODS: &[&str] = &["get", "put", "post", "patch", "delete"];

fn description() -> Value {
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/openapi.yaml")).unwrap();
    serde_yaml::from_str(&text).unwrap()
}

/// `get /dae/v1/apps/{}/releases`, from the description.
fn described() -> BTreeSet<String> {
    let paths = description()["paths"].as_object().unwrap().clone();
    let of = |(path, item): (String, Value)| {
        let known = METHODS.iter().filter(move |method| item.get(method).is_some());
        known.map(move |method| format!("{method} {}", nameless(&path))).collect::<Vec<_>>()
    };
    paths.into_iter().flat_map(of).collect()
}

fn nameless(path: &str) -> String {
    regex_lite::Regex::new(r"\{[^}]*\}").unwrap().replace_all(path, "{}").into_owned()
}

/// The same, from where the server says it.
fn routed() -> BTreeSet<String> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/remote/server");
    let route = regex_lite::Regex::new(r#"\.route\(\s*"(/dae/v1[^"]*)",\s*([^\n]*)"#).unwrap();
    let mut found = BTreeSet::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "rs") {
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        for captures in route.captures_iter(&text) {
            let methods = METHODS.iter().filter(|method| {
                let call = format!(r"\b{method}\(");
                regex_lite::Regex::new(&call).unwrap().is_match(&captures[2])
            });
            found.extend(methods.map(|method| format!("{method} {}", nameless(&captures[1]))));
        }
    }
    found
}

#[test]
fn every_route_is_described_and_no_other() {
    let (described, routed) = (described(), routed());
    assert!(routed.len() > 15, "the routes were not found: {routed:?}");
    let difference: Vec<_> = described.symmetric_difference(&routed).collect();
    assert!(difference.is_empty(), "{difference:#?}");
}

#[test]
fn what_is_described_is_there_and_wants_a_token() {
    let remote = Remote::new();
    for route in described() {
        let (method, path) = route.split_once(' ').unwrap();
        let path = path.replacen("{}", "daetest", 1).replace("{}", "r1");
        let answer = Http::open(remote.port).send(&method.to_uppercase(), "127.0.0.1", &path, &[], b"").unwrap();
        let open = path == "/dae/v1/openapi.yaml";
        assert_eq!(answer.status, if open { 200 } else { 401 }, "{route}: {}", answer.text());
        if open {
            assert_eq!(answer.header("content-type"), Some("application/yaml"));
            assert!(answer.text().starts_with("openapi: 3.1.0\n"));
        }
    }
}

/// As much of JSON Schema as the description uses; what is wrong, with its place.
fn faults(schema: &Value, value: &Value, at: &str, all: &Value) -> Vec<String> {
    if let Some(reference) = schema["$ref"].as_str() {
        let target = all.pointer(reference.trim_start_matches('#')).unwrap_or_else(|| panic!("{reference}"));
        return faults(target, value, at, all);
    }
    let mut wrong = Vec::new();
    let types: Vec<&str> = match &schema["type"] {
        Value::String(one) => vec![one],
        Value::Array(some) => some.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    let is = |kind: &str| match kind {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        other => panic!("{other}"),
    };
    if !types.is_empty() && !types.iter().any(|kind| is(kind)) {
        wrong.push(format!("{at}: {value} is no {types:?}"));
    }
    if let (Some(pattern), Some(text)) = (schema["pattern"].as_str(), value.as_str())
        && !regex_lite::Regex::new(pattern).unwrap().is_match(text)
    {
        wrong.push(format!("{at}: `{text}` does not match {pattern}"));
    }
    if schema["enum"].as_array().is_some_and(|values| !values.contains(value)) {
        wrong.push(format!("{at}: {value} is none of {}", schema["enum"]));
    }
    if schema.get("const").is_some_and(|constant| constant != value) {
        wrong.push(format!("{at}: {value} is not {}", schema["const"]));
    }
    if let Some(object) = value.as_object() {
        for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            if !object.contains_key(name) {
                wrong.push(format!("{at}: no `{name}`"));
            }
        }
        for (name, value) in object {
            let at = format!("{at}.{name}");
            match (schema["properties"].get(name), schema.get("additionalProperties")) {
                (Some(schema), _) | (None, Some(schema)) => wrong.extend(faults(schema, value, &at, all)),
                (None, None) if schema.get("properties").is_some() => wrong.push(format!("{at} is not described")),
                (None, None) => {}
            }
        }
    }
    for (number, item) in value.as_array().into_iter().flatten().enumerate() {
        if let Some(schema) = schema.get("items") {
            wrong.extend(faults(schema, item, &format!("{at}[{number}]"), all));
        }
    }
    wrong
}

#[test]
fn answers_are_as_described() {
    let remote = Remote::new();
    let yaml = remote.place.read("daetest/app.yaml");
    let more = "queues: [{name: default}]\ncron: [{name: a, schedule: '@daily', url: /a}]\n";
    remote.place.write("daetest/app.yaml", yaml + more);
    remote.deploy();
    remote.dae(&["config", "set", "A=1"]).ok();
    remote.dae(&["cron", "run", "a", "--remote", "prod"]).ok();
    remote.dae(&["run", "--remote", "prod", "--", "true"]).ok();
    remote.place.write("daetest/app.py", "import nothing_like_this");
    remote.dae(&["deploy"]).run();
    let all = description();
    let json = |path: &str, status: &str, kind: &str, method: &str| {
        let pointer = format!(
            "/paths/{}/{method}/responses/{status}/content/{}/schema",
            path.replace('/', "~1"),
            kind.replace('/', "~1")
        );
        all.pointer(&pointer).unwrap_or_else(|| panic!("{pointer}")).clone()
    };
    let app = "/dae/v1/apps/{app}";
    for path in [
        "/dae/v1".to_owned(),
        format!("{app}/releases"),
        format!("{app}/config"),
        format!("{app}/scale"),
        format!("{app}/traffic"),
        format!("{app}/domains"),
        format!("{app}/runs"),
        format!("{app}/processes"),
        format!("{app}/queues"),
        format!("{app}/cron"),
        format!("{app}/cron/runs"),
    ] {
        let answer = remote.ask("GET", &path.replace("{app}", "daetest"), &[], "");
        assert_eq!(answer.status, 200, "{path}");
        let wrong = faults(&json(&path, "200", "application/json", "get"), &answer.json(), &path, &all);
        assert!(wrong.is_empty(), "{wrong:#?}");
    }
    let refusal = all.pointer("/components/responses/Refused/content/application~1problem+json/schema").unwrap();
    for (method, path, status) in [
        ("GET", "/dae/v1/apps/NO/releases", 400),
        ("GET", "/dae/v1/apps/daetest/releases/r99/events", 404),
        ("GET", "/dae/v1/apps/daetest/config?reveal=perhaps", 400),
        ("GET", "/dae/v1/apps/daetest/logs?lines=-1", 400),
        ("POST", "/dae/v1/apps/daetest/releases", 422),
        ("DELETE", "/dae/v1/apps/daetest/domains/a.example", 404),
    ] {
        let answer = remote.ask(method, path, &[], "{}");
        assert_eq!(answer.status, status, "{path}: {}", answer.text());
        assert_eq!(answer.header("content-type"), Some("application/problem+json"));
        let wrong = faults(refusal, &answer.json(), path, &all);
        assert!(wrong.is_empty(), "{wrong:#?}");
    }
}
