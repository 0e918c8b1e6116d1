//! What a new image would change beside the code: packages, the interpreter, what app.yaml says.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::Value;

use super::api::RunsWith;
use crate::packaging::{Holds, Image};
use crate::problem::{Problem, Result};

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Change {
    pub sign: Sign,
    pub what: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Sign {
    Added,
    Removed,
    Changed,
}

/// Lists in app.yaml whose members have names.
const NAMED: &[(&str, &str)] = &[("daemons", "daemon"), ("cron", "cron job"), ("queues", "queue")];
/// Said by other means: which code it is, and which secrets.
const SILENT: &[&str] = &["application", "version"];

/// From what runs to `image`; when nothing runs there is nothing to compare.
pub fn differences(runs: Option<&RunsWith>, image: &Image) -> Result<Vec<Change>> {
    let Some(runs) = runs else { return Ok(Vec::new()) };
    let mut changes = Vec::new();
    if runs.python != image.release.python_full {
        changes.push(changed(format!("Python {} -> {}", runs.python, image.release.python_full)));
    }
    let new: BTreeSet<&str> = image
        .layers
        .iter()
        .filter_map(|layer| match &layer.holds {
            Holds::Dists(names) => Some(names),
            Holds::App | Holds::Runtime | Holds::Release | Holds::Sealed(_) => None,
        })
        .flatten()
        .map(String::as_str)
        .collect();
    changes.extend(dists(&versions(runs.dists.iter().map(String::as_str)), &versions(new.into_iter())));
    let manifest = serde_json::to_value(&image.release.manifest)
        .map_err(|error| Problem::new("json", "could not write JSON").because(error))?;
    changes.extend(manifests(&runs.manifest, &manifest));
    Ok(changes)
}

fn changed(what: String) -> Change {
    Change { sign: Sign::Changed, what }
}

fn versions<'a>(dists: impl Iterator<Item = &'a str>) -> BTreeMap<&'a str, &'a str> {
    dists.map(|dist| dist.split_once("==").unwrap_or((dist, ""))).collect()
}

fn dists(old: &BTreeMap<&str, &str>, new: &BTreeMap<&str, &str>) -> Vec<Change> {
    let names: BTreeSet<&&str> = old.keys().chain(new.keys()).collect();
    let of = |name: &&&str| match (old.get(**name), new.get(**name)) {
        (Some(old), Some(new)) if old == new => None,
        (Some(old), Some(new)) => Some(changed(format!("{name} {old} -> {new}"))),
        (Some(old), None) => Some(Change { sign: Sign::Removed, what: format!("{name} {old}") }),
        (None, Some(new)) => Some(Change { sign: Sign::Added, what: format!("{name} {new}") }),
        (None, None) => None,
    };
    names.iter().filter_map(of).collect()
}

fn manifests(old: &Value, new: &Value) -> Vec<Change> {
    let empty = serde_json::Map::new();
    let (old, new) = (old.as_object().unwrap_or(&empty), new.as_object().unwrap_or(&empty));
    let keys: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    let mut changes = Vec::new();
    for key in keys.into_iter().filter(|key| !SILENT.contains(&key.as_str())) {
        let (was, is) = (old.get(key).unwrap_or(&Value::Null), new.get(key).unwrap_or(&Value::Null));
        if was == is {
            continue;
        }
        match NAMED.iter().find(|(list, _)| list == key) {
            Some((_, what)) => changes.extend(members(what, was, is)),
            None if is_short(was) && is_short(is) => {
                changes.push(changed(format!("{key}: {} -> {}", told(was), told(is))));
            }
            None => changes.push(changed(format!("{key} in app.yaml"))),
        }
    }
    changes
}

fn members(what: &str, old: &Value, new: &Value) -> Vec<Change> {
    let by_name = |list: &Value| -> BTreeMap<String, Value> {
        let members = list.as_array().into_iter().flatten();
        members.map(|member| (member["name"].as_str().unwrap_or_default().to_owned(), member.clone())).collect()
    };
    let (old, new) = (by_name(old), by_name(new));
    let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    let of = |name: &&String| match (old.get(*name), new.get(*name)) {
        (Some(old), Some(new)) if old == new => None,
        (Some(_), Some(_)) => Some(changed(format!("{what} {name}"))),
        (Some(_), None) => Some(Change { sign: Sign::Removed, what: format!("{what} {name}") }),
        (None, _) => Some(Change { sign: Sign::Added, what: format!("{what} {name}") }),
    };
    names.iter().filter_map(of).collect()
}

fn is_short(value: &Value) -> bool {
    !value.is_array() && !value.is_object()
}

fn told(value: &Value) -> String {
    match value {
        Value::Null => "none".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn shown(changes: &[Change]) -> String {
        let line = |change: &Change| format!("{:?} {}", change.sign, change.what);
        changes.iter().map(line).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn packages() {
        let old = versions(["flask==3.0", "web.py==0.62", "x==1"].into_iter());
        let new = versions(["flask==3.1", "x==1", "y==2"].into_iter());
        insta::assert_snapshot!(shown(&dists(&old, &new)), @r"
        Changed flask 3.0 -> 3.1
        Removed web.py 0.62
        Added y 2
        ");
    }

    #[test]
    fn what_app_yaml_says() {
        let old = json!({"nworkers": 1, "version": "1", "daemons": [{"name": "a", "script": "a.py"}, {"name": "b"}],
                         "handlers": [1], "release": null});
        let new = json!({"nworkers": 2, "version": "2", "daemons": [{"name": "a", "script": "x.py"}, {"name": "c"}],
                         "handlers": [2], "release": "migrate.py"});
        insta::assert_snapshot!(shown(&manifests(&old, &new)), @r"
        Changed daemon a
        Removed daemon b
        Added daemon c
        Changed handlers in app.yaml
        Changed nworkers: 1 -> 2
        Changed release: none -> migrate.py
        ");
        assert_eq!(manifests(&old, &old), []);
    }
}
