//! app.yaml: what an app asks of the platform. Text becomes a [`Manifest`] here, and inside nothing is checked again.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::AppName;
use super::yaml::{Key, Node, Source, Value};
use crate::problem::{Place, Problem, Result};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    pub application: AppName,
    pub version: String,
    /// `python`, or `python3.12`.
    pub runtime: String,
    pub handlers: Vec<Handler>,
    pub worker: Worker,
    pub nworkers: u16,
    /// Paths or patterns of files that hold secrets.
    pub protected_files: Vec<String>,
    /// Keys that are known and carried, and that nothing here reads yet.
    pub carried: BTreeMap<String, serde_json::Value>,
}

/// One entry of `handlers`: the first whose `url` matches a whole path answers it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Handler {
    pub url: String,
    pub serves: Serves,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Serves {
    WsgiApp(Target),
    AsgiApp(Target),
    Websocket(Target),
    /// A path under the app's root, in which `\1` stands for the first group of `url`.
    StaticFiles(String),
    /// A folder under the app's root; `url` is a plain prefix.
    StaticDir(String),
}

/// `module:callable`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    pub module: String,
    pub callable: String,
}

/// How a worker runs the app's code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Worker {
    Async,
    Sync,
    Asgi,
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.module, self.callable)
    }
}

impl Worker {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Async => "async",
            Self::Sync => "sync",
            Self::Asgi => "asgi",
        }
    }
}

/// Keys that are accepted and carried along.
const CARRIED: &[&str] = &[
    "api_version",
    "cron",
    "daemons",
    "enable_jenkins",
    "irc_report_channel",
    "queues",
    "release_managers",
    "report_observer_emails",
    "selftest",
    "services",
    "services_idls",
    "state",
];
const READ: &[&str] = &["application", "version", "runtime", "handlers", "worker", "nworkers", "protected_files"];
const HANDLER: &[&str] = &["url", "wsgi_app", "asgi_app", "websocket", "static_files", "static_dir", "upload", "scope"];

impl Manifest {
    /// Reads the bytes of an app.yaml shown as `file`; warnings come beside the manifest, all faults as one problem.
    pub fn parse(file: &Path, bytes: &[u8]) -> Result<(Self, Vec<Problem>)> {
        let text = std::str::from_utf8(bytes).map_err(|error| {
            let before = String::from_utf8_lossy(&bytes[..error.valid_up_to()]);
            Problem::new("app-yaml.encoding", format!("`{}` is not UTF-8", file.display()))
                .at(Place::in_text(file, &before, before.len(), 0))
                .because(format!("the byte {:#04x} after that cannot be read", bytes[error.valid_up_to()]))
                .hint("save it as UTF-8")
        })?;
        let source = Source { file, text };
        let root = source.read()?;
        let mut reader = Reader { source, problems: Vec::new(), warnings: Vec::new() };
        let manifest = reader.manifest(&root);
        reader.problems.sort_by_key(|problem| problem.place.as_ref().map_or(0, |at| at.line));
        match (manifest, Problem::all(reader.problems)) {
            (_, Some(problem)) => Err(problem),
            (Some(manifest), None) => Ok((manifest, reader.warnings)),
            (None, None) => Err(Problem::new("app-yaml", format!("`{}` could not be read", file.display()))),
        }
    }

    /// The WSGI or ASGI handlers, those a worker process answers.
    pub fn needs_worker(&self) -> bool {
        self.handlers
            .iter()
            .any(|handler| matches!(handler.serves, Serves::WsgiApp(_) | Serves::AsgiApp(_) | Serves::Websocket(_)))
    }
}

/// Collects every fault while it reads on.
struct Reader<'a> {
    source: Source<'a>,
    problems: Vec<Problem>,
    warnings: Vec<Problem>,
}

type Keys<'n> = BTreeMap<&'n str, (&'n Key, &'n Node)>;

impl Reader<'_> {
    fn manifest(&mut self, root: &Node) -> Option<Manifest> {
        if matches!(root.value, Value::Null) {
            self.problems.push(
                Problem::new("app-yaml.empty", format!("`{}` is empty", self.source.file.display()))
                    .hint("the least it needs is `application: NAME` and one handler; `dae create` writes both"),
            );
            return None;
        }
        let keys = self.keys(root, "app.yaml", &[READ, CARRIED].concat())?;
        let application = self.application(&keys, root);
        let handlers = self.handlers(&keys, root);
        let asgi = handlers.iter().any(|handler| matches!(handler.serves, Serves::AsgiApp(_)));
        let (runtime, worker, nworkers) = (self.runtime(&keys), self.worker(&keys), self.nworkers(&keys));
        let protected_files = self.texts(&keys, "protected_files");
        let version = keys.get("version").map_or_else(|| "1".into(), |(_, node)| self.version(node));
        Some(Manifest {
            application: application?,
            version,
            runtime,
            handlers,
            worker: worker.unwrap_or(if asgi { Worker::Asgi } else { Worker::Async }),
            nworkers,
            protected_files,
            carried: keys
                .iter()
                .filter(|(name, _)| CARRIED.contains(name))
                .map(|(name, (_, node))| ((*name).to_owned(), node.json()))
                .collect(),
        })
    }

    fn application(&mut self, keys: &Keys, root: &Node) -> Option<AppName> {
        let Some((_, node)) = keys.get("application") else {
            self.missing("application", "application: NAME", root);
            return None;
        };
        let name = self.text(node, "application")?;
        match AppName::parse(&name) {
            Ok(name) => Some(name),
            Err(problem) => {
                let problem = problem.at(self.source.value_place(node));
                self.problems.push(match AppName::nearest(&name) {
                    Some(near) => problem.hint(format!("write `application: {near}`")),
                    None => problem,
                });
                None
            }
        }
    }

    fn version(&mut self, node: &Node) -> String {
        if matches!(node.value, Value::Null | Value::List(_) | Value::Map(_)) {
            let message = format!("`version` wants a number or a word, and there is {}", node.kind());
            self.wrong(node, "app-yaml.type", message, "write `version: 1`");
        }
        scalar(node)
    }

    fn runtime(&mut self, keys: &Keys) -> String {
        let Some((_, node)) = keys.get("runtime") else { return "python".into() };
        let Value::Text(runtime) = &node.value else {
            let message = format!("`runtime` wants a text, and there is {}", node.kind());
            self.wrong(node, "app-yaml.type", message, "write `python` or `python3.12`");
            return "python".into();
        };
        let version = runtime.strip_prefix("python");
        if !version.is_some_and(|v| v.chars().all(|c| c.is_ascii_digit() || c == '.')) {
            self.wrong(
                node,
                "app-yaml.runtime",
                format!("`{runtime}` is no runtime"),
                "write `python` or `python3.12`",
            );
        }
        runtime.clone()
    }

    fn worker(&mut self, keys: &Keys) -> Option<Worker> {
        let (_, node) = keys.get("worker")?;
        match self.text(node, "worker")?.as_str() {
            "async" => Some(Worker::Async),
            "sync" => Some(Worker::Sync),
            "asgi" => Some(Worker::Asgi),
            other => {
                let hint = "write `async` (the default), `sync` or `asgi`";
                self.wrong(node, "app-yaml.worker", format!("`{other}` is no kind of worker"), hint);
                None
            }
        }
    }

    fn nworkers(&mut self, keys: &Keys) -> u16 {
        match keys.get("nworkers") {
            None => 1,
            Some((_, Node { value: Value::Int(n @ 1..=1024), .. })) => u16::try_from(*n).unwrap_or(1),
            Some((_, node)) => {
                let there = if let Value::Int(n) = node.value { format!("`{n}`") } else { node.kind().to_owned() };
                let message = format!("`nworkers` wants a number of workers, and there is {there}");
                self.wrong(node, "app-yaml.nworkers", message, "write a whole number from 1 to 1024");
                1
            }
        }
    }

    fn handlers(&mut self, keys: &Keys, root: &Node) -> Vec<Handler> {
        let example = "handlers: [{url: /.*, wsgi_app: app:app}]";
        let Some((_, node)) = keys.get("handlers") else {
            self.missing("handlers", example, root);
            return Vec::new();
        };
        match &node.value {
            Value::List(nodes) if !nodes.is_empty() => nodes.iter().filter_map(|node| self.handler(node)).collect(),
            _ => {
                let message = format!("`handlers` wants a list, and there is {}", node.kind());
                self.wrong(node, "app-yaml.handlers", message, &format!("write `{example}`"));
                Vec::new()
            }
        }
    }

    fn handler(&mut self, node: &Node) -> Option<Handler> {
        let keys = self.keys(node, "a handler", HANDLER)?;
        let Some((_, url)) = keys.get("url") else {
            self.wrong(node, "app-yaml.handler", "this handler has no `url`".into(), "begin it with `url: /.*`");
            return None;
        };
        let text = self.text(url, "url")?;
        self.check_url(url, &text);
        let url = text;
        let mut serves = Vec::new();
        for name in ["wsgi_app", "asgi_app", "websocket", "static_files", "static_dir"] {
            let Some((_, value)) = keys.get(name) else { continue };
            let text = self.text(value, name)?;
            serves.push(match name {
                "static_files" => Serves::StaticFiles(text),
                "static_dir" => Serves::StaticDir(text),
                _ => {
                    let target = self.target(value, &text)?;
                    match name {
                        "wsgi_app" => Serves::WsgiApp(target),
                        "asgi_app" => Serves::AsgiApp(target),
                        _ => Serves::Websocket(target),
                    }
                }
            });
        }
        if serves.len() != 1 {
            let message = if serves.is_empty() {
                format!("the handler of `{url}` does not say what answers")
            } else {
                format!("the handler of `{url}` names more than one thing that answers")
            };
            let hint = "give it one of `wsgi_app`, `asgi_app`, `websocket`, `static_files`, `static_dir`";
            self.wrong(node, "app-yaml.handler", message, hint);
            return None;
        }
        Some(Handler { url, serves: serves.remove(0) })
    }

    fn check_url(&mut self, node: &Node, url: &str) {
        if url.starts_with('^') || url.ends_with('$') {
            let hint = format!("write `{}`", url.trim_start_matches('^').trim_end_matches('$'));
            self.wrong(node, "app-yaml.url", format!("`{url}` is matched whole already"), &hint);
        } else if let Err(error) = regex_lite::Regex::new(url) {
            self.wrong(node, "app-yaml.url", format!("`{url}` is no regular expression: {error}"), "mend the pattern");
        }
    }

    fn target(&mut self, node: &Node, text: &str) -> Option<Target> {
        let good = |part: &str| {
            !part.is_empty()
                && part.split('.').all(|word| {
                    word.starts_with(|c: char| c.is_alphabetic() || c == '_')
                        && word.chars().all(|c| c.is_alphanumeric() || c == '_')
                })
        };
        match text.split_once(':') {
            Some((module, callable)) if good(module) && good(callable) => {
                Some(Target { module: module.into(), callable: callable.into() })
            }
            _ => {
                let hint = "write `module:callable`, as in `app:app`";
                self.wrong(node, "app-yaml.target", format!("`{text}` does not name a callable"), hint);
                None
            }
        }
    }

    fn texts(&mut self, keys: &Keys, name: &str) -> Vec<String> {
        match keys.get(name) {
            None => Vec::new(),
            Some((_, Node { value: Value::List(nodes), .. })) => {
                nodes.iter().filter_map(|node| self.text(node, name)).collect()
            }
            Some((_, node)) => {
                let message = format!("`{name}` wants a list, and there is {}", node.kind());
                self.wrong(node, "app-yaml.type", message, &format!("write `{name}: [...]`"));
                Vec::new()
            }
        }
    }

    fn text(&mut self, node: &Node, name: &str) -> Option<String> {
        if let Value::Text(text) = &node.value {
            return Some(text.clone());
        }
        let message = format!("`{name}` wants a text, and there is {}", node.kind());
        self.wrong(node, "app-yaml.type", message, &format!("write `{name}: ...` with a plain word"));
        None
    }

    /// The keys of a map. One that comes twice warns and the last counts, as PyYAML has it; one nobody knows warns.
    fn keys<'n>(&mut self, node: &'n Node, what: &str, known: &[&str]) -> Option<Keys<'n>> {
        let Value::Map(pairs) = &node.value else {
            let message = format!("{what} wants keys, and there is {}", node.kind());
            self.wrong(node, "app-yaml.type", message, "write `key: value`, one a line");
            return None;
        };
        let mut keys = Keys::new();
        for (key, node) in pairs {
            let name = key.name.as_str();
            if !known.contains(&name) {
                let problem = Problem::new("app-yaml.unknown-key", format!("`{name}` is no key of {what}"))
                    .at(self.source.key_place(key));
                self.warnings.push(match nearest(name, known) {
                    Some(near) => problem.hint(format!("did you mean `{near}`?")),
                    None => problem,
                });
            }
            if keys.insert(name, (key, node)).is_some() {
                self.warnings.push(
                    Problem::new("app-yaml.twice", format!("`{name}` is there twice; the last one counts"))
                        .at(self.source.key_place(key)),
                );
            }
        }
        Some(keys)
    }

    fn missing(&mut self, name: &str, example: &str, _root: &Node) {
        self.problems.push(
            Problem::new("app-yaml.missing", format!("`{}` has no `{name}`", self.source.file.display()))
                .hint(format!("add `{example}`")),
        );
    }

    fn wrong(&mut self, node: &Node, code: &'static str, message: String, hint: &str) {
        self.problems.push(Problem::new(code, message).at(self.source.value_place(node)).hint(hint));
    }
}

/// A scalar as it would be written.
fn scalar(node: &Node) -> String {
    match node.json() {
        serde_json::Value::String(text) => text,
        other => other.to_string(),
    }
}

/// The known word a person most likely meant.
fn nearest<'k>(word: &str, known: &[&'k str]) -> Option<&'k str> {
    known
        .iter()
        .map(|candidate| (strsim::levenshtein(word, candidate), *candidate))
        .min()
        .filter(|(far, candidate)| *far <= candidate.len() / 3)
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::term::{Paint, draw};

    fn parse(text: &str) -> Result<(Manifest, Vec<Problem>)> {
        Manifest::parse(Path::new("app.yaml"), text.as_bytes())
    }

    fn said(text: &str) -> String {
        match parse(text) {
            Err(problem) => draw(&problem, Paint { color: false }),
            Ok((_, warnings)) => warnings.iter().map(|problem| draw(problem, Paint { color: false })).collect(),
        }
    }

    #[test]
    fn the_form_dae_create_made_in_2012() {
        let (manifest, warnings) = parse(
            "application: p\nversion: 1\nruntime: python\napi_version: 1\n\nhandlers:\n- url: /.*\n  wsgi_app: app:app\n",
        )
        .unwrap();
        assert_eq!(manifest.application.as_str(), "p");
        assert_eq!(manifest.handlers[0].url, "/.*");
        assert_eq!((manifest.worker, manifest.nworkers), (Worker::Async, 1));
        assert_eq!(warnings, []);
    }

    #[test]
    fn everything_wrong_is_told_at_once() {
        insta::assert_snapshot!(said(
            "application: My-App\nworker: fast\nnworkers: many\nhandlers:\n- url: ^/x$\n  wsgi_app: app\n- static_dir: s\n"
        ), @"
        error: the app name `My-App` does not begin with a lowercase letter
         --> app.yaml:1:14
          |
        1 | application: My-App
          |              ^^^^^^

        hint: write `application: my_app`

        error: `fast` is no kind of worker
         --> app.yaml:2:9
          |
        2 | worker: fast
          |         ^^^^

        hint: write `async` (the default), `sync` or `asgi`

        error: `nworkers` wants a number of workers, and there is a text
         --> app.yaml:3:11
          |
        3 | nworkers: many
          |           ^^^^

        hint: write a whole number from 1 to 1024

        error: `^/x$` is matched whole already
         --> app.yaml:5:8
          |
        5 | - url: ^/x$
          |        ^^^^

        hint: write `/x`

        error: `app` does not name a callable
         --> app.yaml:6:13
          |
        6 |   wsgi_app: app
          |             ^^^

        hint: write `module:callable`, as in `app:app`

        error: this handler has no `url`
         --> app.yaml:7:3
          |
        7 | - static_dir: s
          |   ^

        hint: begin it with `url: /.*`

        error: 6 problems
        ");
    }

    #[test]
    fn a_misspelt_key_and_one_that_comes_twice_warn() {
        insta::assert_snapshot!(said(
            "application: a\nhandler: x\nhandlers: []\nhandlers:\n- url: /.*\n  wsgi_app: app:app\n"
        ), @"
        error: `handler` is no key of app.yaml
         --> app.yaml:2:1
          |
        2 | handler: x
          | ^^^^^^^

        hint: did you mean `handlers`?
        error: `handlers` is there twice; the last one counts
         --> app.yaml:4:1
          |
        4 | handlers:
          | ^^^^^^^^
        ");
    }

    #[test]
    fn what_is_no_yaml_or_no_map_is_said() {
        insta::assert_snapshot!([said(""), said("just words"), said("a: [1\nb: 2"), said("a:\n\t- b")].join("---\n"), @"
        error: `app.yaml` is empty

        hint: the least it needs is `application: NAME` and one handler; `dae create` writes both
        ---
        error: app.yaml wants keys, and there is a text
         --> app.yaml:1:1
          |
        1 | just words
          | ^^^^^^^^^^

        hint: write `key: value`, one a line
        ---
        error: `app.yaml` is not readable as YAML
         --> app.yaml:2:2
          |
        2 | b: 2
          |  ^
          because: illegal placement of ':' indicator

        hint: look at the indentation and the colons near that line
        ---
        error: `app.yaml` is not readable as YAML
         --> app.yaml:2:2
          |
        2 |  - b
          |  ^
          because: tabs disallowed within this context (block indentation)

        hint: YAML is indented with blanks, never with tabs
        ");
    }
}
