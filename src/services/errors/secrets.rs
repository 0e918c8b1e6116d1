//! What is not kept of a report, whatever it brings with it: what stands in the app's protected files and in its
//! configuration, and what by its name is a secret. Sentry's own scrubbing marks it so.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::sensitive::{is_sensitive, without_secrets};
use crate::app::{self, App, FILTERED, Secrets};

/// Lines of code say what is called a secret and not what it is; and what packages there are is none.
const AS_THEY_ARE: &[&str] =
    &["context_line", "pre_context", "post_context", "filename", "abs_path", "function", "module", "modules"];

/// Takes secrets out of the reports of an app.
#[derive(Debug, Default)]
pub struct Filter {
    /// Of the protected files.
    values: Secrets,
    files: Vec<PathBuf>,
    /// Of the configuration.
    config: Secrets,
}

impl Filter {
    /// For the app that `report` is from: where the app's code is can be told by the report's frames.
    pub fn of(report: &Map<String, Value>, otherwise: Option<&Path>, config: Secrets) -> Self {
        let mut roots: Vec<PathBuf> = otherwise.into_iter().map(Path::to_owned).collect();
        let mut paths = Vec::new();
        abs_paths(report, &mut paths);
        for path in paths {
            let folder = Path::new(path).parent().filter(|folder| folder.is_absolute());
            // What lies in a known one needs no look.
            if let Some(folder) = folder.filter(|folder| !roots.iter().any(|root| folder.starts_with(root)))
                && roots.len() < 4
                && let Ok(root) = app::find(folder)
            {
                roots.push(root);
            }
        }
        let (mut files, mut values) = (Vec::new(), Vec::new());
        for root in roots {
            // Without an app.yaml that can be read there are no protected files.
            let Ok((app, _)) = App::read(&root) else { continue };
            let protected = app::protected(&app.root, &app.manifest);
            files.extend(protected.0);
            values.extend(protected.1);
        }
        Self { values: Secrets::new(values), files, config }
    }

    pub fn object(&self, object: &mut Map<String, Value>) {
        let path = object.get("abs_path").and_then(Value::as_str).map(PathBuf::from);
        if path.is_some_and(|path| self.files.contains(&path)) {
            for part in ["context_line", "pre_context", "post_context", "vars"] {
                object.remove(part);
            }
        }
        for (name, value) in object.iter_mut() {
            if AS_THEY_ARE.contains(&name.as_str()) {
                self.value(value, Said::Code);
            } else if is_sensitive(name) && says_something(value) {
                *value = FILTERED.into();
            } else {
                self.value(value, Said::Data);
            }
        }
    }

    fn value(&self, value: &mut Value, said: Said) {
        match value {
            Value::String(text) => {
                self.values.hide(text);
                self.config.hide(text);
                if said == Said::Data && text != FILTERED {
                    *text = without_secrets(text).into_owned();
                }
            }
            // A header, as some clients send it.
            Value::Array(pair) if matches!(&pair[..], [Value::String(name), Value::String(_)] if is_sensitive(name)) => {
                pair[1] = FILTERED.into();
            }
            Value::Array(values) => values.iter_mut().for_each(|value| self.value(value, said)),
            Value::Object(object) => self.object(object),
            Value::Number(number) => {
                let number = number.to_string();
                if self.values.are(&number) || self.config.are(&number) {
                    *value = FILTERED.into();
                }
            }
            Value::Null | Value::Bool(_) => {}
        }
    }
}

/// What a text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Said {
    Code,
    Data,
}

fn says_something(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(_) => false,
        Value::String(text) => !text.is_empty(),
        Value::Array(values) => !values.is_empty(),
        Value::Object(object) => !object.is_empty(),
        Value::Number(_) => true,
    }
}

fn abs_paths<'a>(object: &'a Map<String, Value>, found: &mut Vec<&'a str>) {
    for (name, value) in object {
        match value {
            Value::String(path) if name == "abs_path" && found.len() < 200 => found.push(path),
            Value::Object(object) => abs_paths(object, found),
            Value::Array(values) => {
                values.iter().filter_map(Value::as_object).for_each(|object| abs_paths(object, found));
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_protected_files_hold_is_taken_out() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap();
        let write = |name: &str, text: &str| std::fs::write(root.join(name), text).unwrap();
        write(
            "app.yaml",
            "application: app\nprotected_files: [local_config.py, \"*.key\"]\nhandlers:\n- url: /.*\n  wsgi_app: app:app\n",
        );
        write(
            "local_config.py",
            "# a comment\nPASSWORD = 'hunter2hunter2'\nPIN = '4711'\nDSN = \"mysql://u:s3cret@h/db\"  # x\nDEBUG = True\n",
        );
        write("top.key", "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEA\n");
        write("app.py", "name = 'public-value'\n");
        let file = |name: &str| root.join(name).to_string_lossy().into_owned();
        let report = json!({
            "request": {"headers": {"Cookie": "a=b", "Host": "h"}, "query_string": "token=t&x=1", "env": [["X-Api-Key", "k"]]},
            "message": "login with hunter2hunter2 failed at 14711",
            "extra": {"url": "mysql://u:s3cret@h/db", "pin": 4711, "repr": "'4711'", "x": ["public-value", "[Filtered]", true],
                      "key": "-MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEA-"},
            "exception": [{"stacktrace": {"frames": [
                {"abs_path": file("app.py"), "context_line": "name = 'public-value'"},
                {"abs_path": file("local_config.py"), "context_line": "boom", "vars": {"a": "b"}},
                {"abs_path": "/elsewhere/x.py", "context_line": "password = ask()", "vars": {
                    "password": "'p'", "api_key": 7, "token": null, "author": "'of-the-config'",
                    "conf": "{'passwd': 'x', 'host': 'h'}", "inner": {"client_secret": {"a": 1}}, "dsn": "mysql://u:pw@h/db"}},
            ]}}],
        });
        let Value::Object(mut report) = report else { unreachable!() };
        Filter::of(&report, None, Secrets::new(["of-the-config".to_owned()])).object(&mut report);
        let kept = serde_json::to_string_pretty(&report).unwrap().replace(root.to_str().unwrap(), "[ROOT]");
        insta::assert_snapshot!(kept, @r#"
        {
          "exception": [
            {
              "stacktrace": {
                "frames": [
                  {
                    "abs_path": "[ROOT]/app.py",
                    "context_line": "name = 'public-value'"
                  },
                  {
                    "abs_path": "[ROOT]/local_config.py"
                  },
                  {
                    "abs_path": "/elsewhere/x.py",
                    "context_line": "password = ask()",
                    "vars": {
                      "api_key": "[Filtered]",
                      "author": "'[Filtered]'",
                      "conf": "{'passwd': [Filtered], 'host': 'h'}",
                      "dsn": "mysql://u:[Filtered]@h/db",
                      "inner": {
                        "client_secret": "[Filtered]"
                      },
                      "password": "[Filtered]",
                      "token": null
                    }
                  }
                ]
              }
            }
          ],
          "extra": {
            "key": "-[Filtered]-",
            "pin": "[Filtered]",
            "repr": "[Filtered]",
            "url": "[Filtered]",
            "x": [
              "public-value",
              "[Filtered]",
              true
            ]
          },
          "message": "login with [Filtered] failed at 14711",
          "request": {
            "env": [
              [
                "X-Api-Key",
                "[Filtered]"
              ]
            ],
            "headers": {
              "Cookie": "[Filtered]",
              "Host": "h"
            },
            "query_string": "token=[Filtered]&x=1"
          }
        }
        "#);
    }
}
