//! What the oldest and the newest supported Kubernetes say of the types that our objects use: the names and types of all fields, and
//! which must be there. tests/kubernetes/openapi.py keeps it from the API's own documents.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use serde_json::Value;

#[derive(Deserialize)]
pub struct Api {
    version: String,
    kinds: BTreeMap<String, String>,
    types: BTreeMap<String, Type>,
}

#[derive(Deserialize)]
struct Type {
    required: Vec<String>,
    fields: BTreeMap<String, String>,
}

impl Api {
    pub fn all() -> [Self; 2] {
        ["1.33", "1.37"].map(|version| {
            let path = format!("tests/it/kubernetes/api/{version}.json");
            let text = std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap();
            serde_json::from_slice(&text).unwrap()
        })
    }

    pub fn holds(&self, name: &str, objects: &[Value]) {
        let mut wrong = Vec::new();
        for object in objects {
            let kind = format!("{} {}", object["apiVersion"].as_str().unwrap(), object["kind"].as_str().unwrap());
            match self.kinds.get(&kind) {
                Some(wanted) => self.compare(wanted, object, &kind, &mut wrong),
                None => wrong.push(format!("there is no {kind}")),
            }
        }
        assert!(
            wrong.is_empty(),
            "{name}, Kubernetes {}: tests/kubernetes/openapi.py\n{}",
            self.version,
            wrong.join("\n")
        );
    }

    /// A type is its name, `[T]`, `{T}`, or `one|of|these` behind `=`.
    fn compare(&self, wanted: &str, value: &Value, place: &str, wrong: &mut Vec<String>) {
        let inner = || &wanted[1..wanted.len() - 1];
        match (wanted.as_bytes()[0], value) {
            (b'[', Value::Array(list)) => {
                list.iter()
                    .enumerate()
                    .for_each(|(at, one)| self.compare(inner(), one, &format!("{place}[{at}]"), wrong));
            }
            (b'{', Value::Object(map)) => {
                map.iter().for_each(|(key, one)| self.compare(inner(), one, &format!("{place}.{key}"), wrong));
            }
            (b'=', Value::String(text)) if wanted[1..].split('|').any(|known| known == text) => {}
            _ => match (self.types.get(wanted), value) {
                (Some(known), Value::Object(map)) => {
                    let lacking = known.required.iter().filter(|name| !map.contains_key(*name));
                    wrong.extend(lacking.map(|name| format!("{place} lacks {name}")));
                    for (name, one) in map {
                        match known.fields.get(name) {
                            Some(field) => self.compare(field, one, &format!("{place}.{name}"), wrong),
                            None => wrong.push(format!("{place} has no field {name}")),
                        }
                    }
                }
                (None, value) if is_simple(wanted, value) => {}
                _ => wrong.push(format!("{place}: {value} is no {wanted}")),
            },
        }
    }
}

fn is_simple(wanted: &str, value: &Value) -> bool {
    match wanted {
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "string-or-number" => value.is_string() || value.is_number(),
        "any" => true,
        _ => false,
    }
}

#[test]
fn what_is_wrong_is_found() {
    let facts = serde_json::json!({
        "version": "1", "kinds": {"v1 A": "A"},
        "types": {"A": {"required": ["b"], "fields": {"b": "[B]", "apiVersion": "string", "kind": "string", "c": "=x|y", "m": "{integer}"}},
            "B": {"required": [], "fields": {"n": "integer"}}},
    });
    let api: Api = serde_json::from_value(facts).unwrap();
    let object = |more: Value| {
        let mut object = serde_json::json!({"apiVersion": "v1", "kind": "A", "b": [{"n": 1}], "c": "x", "m": {"k": 1}});
        object.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        object
    };
    api.holds("good", &[object(serde_json::json!({}))]);
    for bad in [
        serde_json::json!({"b": 1}),
        serde_json::json!({"b": [{"n": "1"}]}),
        serde_json::json!({"b": [{"o": 1}]}),
        serde_json::json!({"c": "z"}),
        serde_json::json!({"d": 1}),
        serde_json::json!({"m": {"k": "1"}}),
        serde_json::json!({"kind": "B"}),
    ] {
        let found = std::panic::catch_unwind(|| api.holds("bad", &[object(bad.clone())]));
        assert!(found.is_err(), "{bad}");
    }
}
