//! `handlers` in app.yaml: the first whose `url` matches a whole path answers it.

use std::fmt;

use regex::Regex;
use serde::{Deserialize, Serialize};

use super::reader::{Keys, Reader, is_below};
use super::template::{self, Piece};
use super::yaml::Node;
use super::{Worker, pattern};
use crate::problem::{Problem, Result};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Handler {
    /// A regular expression as Python has them; before `static_dir` a plain prefix.
    pub url: String,
    pub serves: Serves,
    /// Which files of a static handler an upload to a CDN would take: a regular expression; carried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upload: Option<String>,
    /// Seen in apps of the real DAE; carried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Serves {
    WsgiApp(Target),
    AsgiApp(Target),
    Websocket(Target),
    /// A path under the app's root, in which `\1` stands for the first group of `url`.
    StaticFiles(String),
    /// A folder under the app's root.
    StaticDir(String),
}

/// `module:callable`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    pub module: String,
    pub callable: String,
}

/// Which file a static handler means.
#[derive(Debug, Clone)]
pub struct StaticRule {
    pub url: Regex,
    /// A path under the app's root.
    pub path: Vec<Piece>,
    /// The path begins with a folder that the handler names, so that not all of the app lies open.
    pub names_folder: bool,
}

pub(super) const KEYS: &[&str] =
    &["url", "wsgi_app", "asgi_app", "websocket", "static_files", "static_dir", "upload", "scope"];
const ANSWERS: [&str; 5] = ["wsgi_app", "asgi_app", "websocket", "static_files", "static_dir"];

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.module, self.callable)
    }
}

impl Target {
    fn parse(text: &str) -> Option<Self> {
        let word = |word: &str| {
            word.starts_with(|c: char| c.is_alphabetic() || c == '_')
                && word.chars().all(|c| c.is_alphanumeric() || c == '_')
        };
        let good = |part: &str| part.split('.').all(word);
        let (module, callable) = text.split_once(':')?;
        (good(module) && good(callable)).then(|| Self { module: module.into(), callable: callable.into() })
    }
}

impl Handler {
    /// What its `url` matches, for a handler that a process answers.
    pub fn pattern(&self) -> Result<Regex> {
        pattern::whole(&self.url).map_err(|refused| {
            let problem = Problem::new("app-yaml.url", format!("`{}` is not taken as a `url`", self.url));
            problem.because(refused.why).hint(refused.hint)
        })
    }

    /// What it serves from files, if it does.
    pub fn static_rule(&self) -> Result<Option<StaticRule>> {
        let (url, template) = match &self.serves {
            Serves::StaticFiles(template) => (self.pattern()?, template.clone()),
            Serves::StaticDir(folder) => {
                let prefix = regex::escape(self.url.trim_end_matches('/'));
                let folder = folder.replace('\\', r"\\");
                let anything = Handler { url: format!("{prefix}/(?s:(.*))"), ..self.clone() };
                (anything.pattern()?, format!(r"{}/\1", folder.trim_end_matches('/')))
            }
            _ => return Ok(None),
        };
        let path = template::pieces(&template, &url).map_err(|why| {
            Problem::new("app-yaml.template", format!("`{template}` cannot be filled in")).because(why)
        })?;
        let names_folder = match path.as_slice() {
            [Piece::Text(folder), ..] => folder.trim_start_matches("./").contains('/') || path.len() == 1,
            _ => false,
        };
        Ok(Some(StaticRule { url, path, names_folder }))
    }
}

impl Reader<'_> {
    pub(super) fn handlers(&mut self, keys: &Keys, file: &str) -> Vec<Handler> {
        let example = "handlers: [{url: /.*, wsgi_app: app:app}]";
        let Some(node) = self.required(keys, "handlers", file, example) else { return Vec::new() };
        let nodes = self.list(keys, "handlers", example);
        if nodes.is_empty() && node.kind() == "a list" {
            self.wrong(node, "handlers", "`handlers` is empty", format!("write `{example}`"));
        }
        let mut takes_all = false;
        let mut handlers = Vec::new();
        for node in nodes {
            let Some(handler) = self.handler(node) else { continue };
            if takes_all {
                let message = format!("the handler of `{}` is never reached", handler.url);
                self.warn(node, "unreached", message, "move it above the one that takes every path");
            }
            takes_all |= ["/.*", ".*", "/(.*)", "(.*)"].contains(&handler.url.as_str())
                && !matches!(handler.serves, Serves::StaticDir(_));
            handlers.push(handler);
        }
        handlers
    }

    fn handler(&mut self, node: &Node) -> Option<Handler> {
        let keys = self.keys(node, "a handler", KEYS)?;
        let url_node = self.required(&keys, "url", "this handler", "url: /.*");
        let url = url_node.and_then(|node| self.text(node, "url"));
        let answers: Vec<&str> = ANSWERS.into_iter().filter(|name| keys.get(name).is_some()).collect();
        let one_of = "give it one of `wsgi_app`, `asgi_app`, `websocket`, `static_files`, `static_dir`";
        let name = match answers.as_slice() {
            [name] => *name,
            [] => {
                if let Some(url) = &url {
                    self.wrong(node, "handler", format!("the handler of `{url}` does not say what answers"), one_of);
                }
                return None;
            }
            several => {
                let message = format!("this handler names more than one thing that answers: {}", several.join(", "));
                self.wrong(node, "handler", message, one_of);
                return None;
            }
        };
        let upload = self.upload(&keys);
        let scope = self.optional_text(&keys, "scope");
        let value = keys.get(name)?;
        let serves = match name {
            "wsgi_app" => self.target(value, name).map(Serves::WsgiApp),
            "asgi_app" => self.target(value, name).map(Serves::AsgiApp),
            "websocket" => self.target(value, name).map(Serves::Websocket),
            "static_files" => self.text(value, name).map(Serves::StaticFiles),
            _ => self.path(value, name).map(Serves::StaticDir),
        };
        let (url_node, url) = (url_node?, url?);
        if name == "static_dir" {
            self.prefix(url_node, &url)?;
        }
        let pattern = if name == "static_dir" { None } else { Some(self.url(url_node, &url)?) };
        if let (Some(Serves::StaticFiles(template)), Some(pattern)) = (&serves, &pattern) {
            self.template(value, template, pattern);
        }
        Some(Handler { url, serves: serves?, upload, scope })
    }

    fn url(&mut self, node: &Node, url: &str) -> Option<Regex> {
        if url.starts_with('^') || url.ends_with('$') && !url.ends_with(r"\$") {
            let hint = format!("write `{}`", url.trim_start_matches('^').trim_end_matches('$'));
            self.wrong(node, "url", format!("`{url}` is matched whole already"), hint);
            return None;
        }
        if url.starts_with(|c: char| c.is_alphanumeric() || c == '_') {
            self.warn(
                node,
                "url",
                format!("`{url}` matches no path"),
                format!("write `/{url}`: a path begins with `/`"),
            );
        }
        pattern::whole(url)
            .map_err(|refused| {
                let place = self.source.part_place(node, url, refused.at, 1);
                let message = format!("`{url}` is not taken as a `url`");
                self.push(Problem::new("app-yaml.url", message).at(place).because(refused.why).hint(refused.hint));
            })
            .ok()
    }

    /// The `url` of a `static_dir`.
    fn prefix(&mut self, node: &Node, url: &str) -> Option<()> {
        let special = url.find(|c: char| r"()[]{}*+?|\^$".contains(c));
        if let (Some(at), true) = (special, url.starts_with('/')) {
            let plain = url[..at].trim_end_matches(['/', '.']);
            let hint = match plain {
                "" => "write the prefix alone, as in `/static`; or use `static_files` for a pattern".to_owned(),
                plain => format!("write `{plain}`; or use `static_files` for a pattern"),
            };
            self.wrong(
                node,
                "url",
                format!("the `url` of a `static_dir` is a plain prefix, and `{url}` is a pattern"),
                hint,
            );
            return None;
        }
        if !url.starts_with('/') {
            self.wrong(
                node,
                "url",
                format!("`{url}` matches no path"),
                format!("write `/{url}`: a path begins with `/`"),
            );
            return None;
        }
        Some(())
    }

    fn template(&mut self, node: &Node, template: &str, url: &Regex) {
        let pieces = match template::pieces(template, url) {
            Ok(pieces) => pieces,
            Err(why) => {
                let hint = "put brackets round that part of `url`, as in `/static/(.*)`";
                return self.wrong(node, "template", format!("`{template}` cannot be filled in: {why}"), hint);
            }
        };
        // What the groups stand for is looked at when a file is asked for.
        let filled: String =
            pieces.iter().map(|piece| if let Piece::Text(text) = piece { text } else { "x" }).collect();
        if !is_below(&filled) {
            let hint = "write a path below the folder of app.yaml, as in `static/\\1`";
            return self.wrong(node, "path", format!("`{template}` does not lie in the app"), hint);
        }
        if matches!(pieces.first(), Some(Piece::Group(_))) {
            let message = format!("`{template}` lets everybody ask for nearly every file of the app");
            self.warn(node, "open", message, "keep such files in a folder of their own: `static/\\1`");
        }
    }

    fn upload(&mut self, keys: &Keys) -> Option<String> {
        let node = keys.get("upload")?;
        let text = self.text(node, "upload")?;
        if let Err(refused) = pattern::whole(&text) {
            let place = self.source.part_place(node, &text, refused.at, 1);
            let message = format!("`{text}` is not taken as `upload`");
            self.push(Problem::new("app-yaml.upload", message).at(place).because(refused.why).hint(refused.hint));
        }
        Some(text)
    }

    /// `module:callable`.
    pub(super) fn target(&mut self, node: &Node, name: &str) -> Option<Target> {
        let text = self.text(node, name)?;
        let target = Target::parse(&text);
        if target.is_none() {
            let hint = "write `module:callable`, as in `app:app`";
            self.wrong(node, "target", format!("`{text}` does not name a callable"), hint);
        }
        target
    }

    /// Which kind of worker the handlers ask for; `named` is what app.yaml says.
    pub(super) fn worker_for(&mut self, keys: &Keys, handlers: &[Handler], named: Option<Worker>) -> Worker {
        let first = |wanted: fn(&Serves) -> bool| handlers.iter().position(|handler| wanted(&handler.serves));
        let asgi = first(|serves| matches!(serves, Serves::AsgiApp(_)));
        let wsgi = first(|serves| matches!(serves, Serves::WsgiApp(_)));
        let websocket = first(|serves| matches!(serves, Serves::Websocket(_)));
        let worker = named.unwrap_or(if asgi.is_some() { Worker::Asgi } else { Worker::Async });
        let node = keys.get("worker").or_else(|| keys.get("handlers")).unwrap_or(keys.node);
        if wsgi.is_some() && asgi.is_some() {
            let hint = "wrap one in the other inside the app, or make two apps";
            self.wrong(node, "worker", "`wsgi_app` and `asgi_app` cannot share a worker", hint);
        } else if wsgi.is_some() && worker == Worker::Asgi {
            self.wrong(
                node,
                "worker",
                "a `wsgi_app` does not run in a worker `asgi`",
                "write `worker: async` or `asgi_app`",
            );
        } else if asgi.is_some() && worker != Worker::Asgi {
            let message = format!("an `asgi_app` does not run in a worker `{}`", worker.as_str());
            self.wrong(node, "worker", message, "write `worker: asgi`, or leave it out");
        } else if websocket.is_some() && worker == Worker::Sync {
            let message = "with `worker: sync` every open websocket keeps one of the `nworkers` from all else";
            self.warn(node, "websocket", message, "write `worker: async`");
        }
        worker
    }
}
