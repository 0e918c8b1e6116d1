//! What stands in an app's protected files is not kept, whatever a report brings with it: the values are taken out, as
//! Sentry's own scrubbing marks it.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use crate::app::{self, App};

const FILTERED: &str = "[Filtered]";
/// A shorter value is taken out only where it stands alone: within other words it may be there by chance.
const LONG_ENOUGH: usize = 6;
/// A shorter one says nothing.
const SHORTEST: usize = 3;
/// No more of a file is read, in bytes, and no more files than so many.
const MOST: u64 = 256 << 10;
const MOST_FILES: usize = 64;

/// The values of protected files.
#[derive(Debug, Default)]
pub struct Secrets {
    values: Vec<String>,
    files: Vec<PathBuf>,
}

impl Secrets {
    /// Those of the app that `report` is from: where the app's code is can be told by the report's frames.
    pub fn of(report: &Map<String, Value>, otherwise: Option<&Path>) -> Self {
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
        let mut secrets = Self::default();
        for root in roots {
            secrets.add(&root);
        }
        secrets
    }

    fn add(&mut self, root: &Path) {
        // Without an app.yaml that can be read there are no protected files.
        let Ok((app, _)) = App::read(root) else { return };
        if app.manifest.protected_files.is_empty() {
            return;
        }
        let Ok(protected) = app.manifest.protected() else { return };
        let mut values = HashSet::new();
        for file in files(&app.root) {
            let Ok(relative) = file.strip_prefix(&app.root) else { continue };
            if self.files.len() < MOST_FILES && protected.holds(relative) {
                if let Ok(bytes) = read(&file) {
                    values_in(&String::from_utf8_lossy(&bytes), &mut values);
                }
                self.files.push(file);
            }
        }
        self.values.extend(values);
        // What contains another one first, or half of it would be left.
        self.values.sort_by_key(|value| std::cmp::Reverse(value.len()));
    }

    /// Takes them out of a report.
    pub fn filter(&self, report: &mut Map<String, Value>) {
        if !self.files.is_empty() {
            self.object(report);
        }
    }

    fn object(&self, object: &mut Map<String, Value>) {
        let path = object.get("abs_path").and_then(Value::as_str).map(PathBuf::from);
        if path.is_some_and(|path| self.files.contains(&path)) {
            for part in ["context_line", "pre_context", "post_context", "vars"] {
                object.remove(part);
            }
        }
        for (_, value) in object.iter_mut() {
            self.value(value);
        }
    }

    fn value(&self, value: &mut Value) {
        match value {
            Value::String(text) => self.text(text),
            Value::Array(values) => values.iter_mut().for_each(|value| self.value(value)),
            Value::Object(object) => self.object(object),
            Value::Number(number) => {
                if self.values.iter().any(|secret| *secret == number.to_string()) {
                    *value = FILTERED.into();
                }
            }
            Value::Null | Value::Bool(_) => {}
        }
    }

    fn text(&self, text: &mut String) {
        for secret in &self.values {
            // A client has local variables as Python writes them, with quotes.
            if secret.len() < LONG_ENOUGH {
                if text.trim_matches(['\'', '"']) == secret {
                    FILTERED.clone_into(text);
                }
            } else if text.contains(secret.as_str()) {
                *text = text.replace(secret.as_str(), FILTERED);
            }
        }
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

fn read(file: &Path) -> std::io::Result<Vec<u8>> {
    use std::io::Read as _;
    let mut bytes = Vec::new();
    std::fs::File::open(file)?.take(MOST).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// What may be a value: what stands in quotes, what follows `=` or `:`, and long lines whole, as those of a key.
fn values_in(text: &str, values: &mut HashSet<String>) {
    let mut add = |value: &str| {
        let value = value.trim().trim_matches(['\'', '"', ',', ';']);
        if value.len() >= SHORTEST && !["true", "false", "none", "null"].contains(&value.to_ascii_lowercase().as_str())
        {
            values.insert(value.to_owned());
        }
    };
    for line in text.lines().map(str::trim) {
        if line.starts_with('#') || line.is_empty() {
            continue;
        }
        for quote in ['\'', '"'] {
            line.split(quote).skip(1).step_by(2).for_each(&mut add);
        }
        if let Some((_, value)) = line.split_once(['=', ':']) {
            add(value);
        } else if !line.contains([' ', '(', '[', '{']) {
            add(line);
        }
        if line.len() >= 40 {
            add(line);
        }
    }
}

fn files(root: &Path) -> Vec<PathBuf> {
    let skip = ["venv", ".dae", ".git", ".hg", "permdir", "node_modules", "__pycache__"];
    let walk = ignore::WalkBuilder::new(root)
        .standard_filters(false)
        .filter_entry(move |entry| !skip.contains(&entry.file_name().to_string_lossy().as_ref()))
        .build();
    let files = walk.flatten().filter(|entry| entry.file_type().is_some_and(|kind| kind.is_file()));
    files.map(ignore::DirEntry::into_path).take(20_000).collect()
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
            "message": "login with hunter2hunter2 failed at 14711",
            "extra": {"url": "mysql://u:s3cret@h/db", "pin": 4711, "repr": "'4711'", "x": ["public-value", "[Filtered]", true],
                      "key": "-MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEA-"},
            "exception": [{"stacktrace": {"frames": [
                {"abs_path": file("app.py"), "context_line": "name = 'public-value'"},
                {"abs_path": file("local_config.py"), "context_line": "boom", "vars": {"a": "b"}},
            ]}}],
        });
        let Value::Object(mut report) = report else { unreachable!() };
        Secrets::of(&report, None).filter(&mut report);
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
          "message": "login with [Filtered] failed at 14711"
        }
        "#);
    }
}
