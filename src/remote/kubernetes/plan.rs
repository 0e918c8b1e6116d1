//! What a deploy would change: each object is applied for a try, and what the cluster would make of it compared with what is there.

use serde::Serialize;
use serde_json::Value;

use super::api::{Api, Over, Try, path, told};
use crate::problem::Result;

/// What would become of one object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Change {
    pub object: String,
    pub kind: Kind,
    /// Each field that differs, with what it is and what it would be.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<Field>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    Made,
    Changed,
    Same,
    Removed,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Field {
    pub path: String,
    pub from: Option<Value>,
    pub to: Option<Value>,
}

/// Fields by which a cluster keeps its own books.
const BOOKS: &[&str] = &["managedFields", "resourceVersion", "uid", "creationTimestamp", "generation", "selfLink"];

/// What applying `objects` would do; `before` are those of the live release.
pub async fn plan(api: &Api, objects: &[Value], before: &[Value], over: Over) -> Result<Vec<Change>> {
    let mut changes = Vec::new();
    for object in objects {
        let doing = |failure| api.problem(&format!("try {}", told(object)), failure);
        let there = api.find(&path(object)).await.map_err(doing)?;
        let would = api.apply(object, over, Try::Dry).await.map_err(doing)?;
        let fields = there.as_ref().map(|there| difference(there, &would)).unwrap_or_default();
        let kind = match &there {
            None => Kind::Made,
            Some(_) if fields.is_empty() => Kind::Same,
            Some(_) => Kind::Changed,
        };
        changes.push(Change { object: told(object), kind, fields });
    }
    let kept: Vec<String> = objects.iter().map(path).collect();
    let gone = before.iter().filter(|object| !kept.contains(&path(object)));
    changes.extend(gone.map(|object| Change { object: told(object), kind: Kind::Removed, fields: Vec::new() }));
    Ok(changes)
}

/// The fields in which two objects differ, the cluster's own books and their status aside.
pub fn difference(from: &Value, to: &Value) -> Vec<Field> {
    let mut fields = Vec::new();
    compare("", Some(from), Some(to), &mut fields);
    fields
}

fn compare(path: &str, from: Option<&Value>, to: Option<&Value>, fields: &mut Vec<Field>) {
    if from == to || path == "status" {
        return;
    }
    let below = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
    match (from, to) {
        (Some(Value::Object(from)), Some(Value::Object(to))) => {
            let mut names: Vec<&String> = from.keys().chain(to.keys()).collect();
            names.sort();
            names.dedup();
            for name in names.into_iter().filter(|name| path != "metadata" || !BOOKS.contains(&name.as_str())) {
                compare(&below(name), from.get(name), to.get(name), fields);
            }
        }
        (Some(Value::Array(from)), Some(Value::Array(to))) => {
            for number in 0..from.len().max(to.len()) {
                // What has a name is known by it.
                let name =
                    |list: &[Value]| list.get(number).and_then(|value| value["name"].as_str()).map(str::to_owned);
                let label = name(to).or_else(|| name(from)).unwrap_or_else(|| number.to_string());
                compare(&format!("{path}[{label}]"), from.get(number), to.get(number), fields);
            }
        }
        _ => fields.push(Field { path: path.to_owned(), from: from.cloned(), to: to.cloned() }),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_differs_is_named() {
        let from = json!({
            "metadata": {"name": "a", "resourceVersion": "1", "labels": {"x": "1"}}, "status": {"a": 1},
            "spec": {"replicas": 2, "env": [{"name": "A", "value": "1"}], "old": true},
        });
        let to = json!({
            "metadata": {"name": "a", "resourceVersion": "2", "labels": {"x": "2"}}, "status": {"a": 2},
            "spec": {"replicas": 3, "env": [{"name": "A", "value": "2"}, {"name": "B", "value": "3"}]},
        });
        let said: Vec<String> = difference(&from, &to)
            .iter()
            .map(|field| format!("{} {} {}", field.path, json!(field.from), json!(field.to)))
            .collect();
        assert_eq!(
            said,
            [
                "metadata.labels.x \"1\" \"2\"",
                "spec.env[A].value \"1\" \"2\"",
                "spec.env[B] null {\"name\":\"B\",\"value\":\"3\"}",
                "spec.old true null",
                "spec.replicas 2 3",
            ]
        );
        assert_eq!(difference(&from, &from), []);
    }
}
