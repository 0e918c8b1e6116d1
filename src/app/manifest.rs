//! app.yaml: what an app asks of the platform. Text becomes a [`Manifest`] here, and inside nothing is checked again.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::reader::{Keys, Reader, decode};
use super::script::Script;
use super::yaml::{Node, Source, Value};
use super::{AppName, CronJob, Daemon, Handler, Protected, Queue, Serves, Service};
use crate::problem::{Place, Problem, Result};

/// It travels in releases, so other versions of dae read what this one writes: a new field has a default.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    pub application: AppName,
    pub version: String,
    /// `python`, or `python3.12`.
    pub runtime: String,
    #[serde(default = "one")]
    pub api_version: String,
    pub handlers: Vec<Handler>,
    pub worker: Worker,
    pub nworkers: u16,
    #[serde(default)]
    pub daemons: Vec<Daemon>,
    #[serde(default)]
    pub cron: Vec<CronJob>,
    #[serde(default)]
    pub queues: Vec<Queue>,
    #[serde(default)]
    pub services: Vec<Service>,
    /// The .thrift files, where they are not those that `services` name.
    #[serde(default)]
    pub services_idls: Vec<String>,
    /// Patterns of files that hold secrets, good for [`Protected`].
    pub protected_files: Vec<String>,
    /// Run once with new code before it serves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub release: Option<Script>,
    #[serde(default)]
    pub selftest: Vec<Probe>,
    #[serde(default)]
    pub release_managers: Vec<String>,
    #[serde(default)]
    pub report_observer_emails: Vec<String>,
    #[serde(default)]
    pub irc_report_channel: Vec<String>,
    #[serde(default)]
    pub enable_jenkins: bool,
}

/// A question to the app, and the answer that says it is well.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Probe {
    pub url: String,
    pub status: u16,
}

/// How a worker runs the app's code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Worker {
    Async,
    Sync,
    Asgi,
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

fn one() -> String {
    "1".into()
}

pub(super) const WORKERS: &[(&str, Worker)] =
    &[("async", Worker::Async), ("sync", Worker::Sync), ("asgi", Worker::Asgi)];
pub(super) const PROBE: &[&str] = &["url", "status"];
pub(super) const KEYS: &[&str] = &[
    "application",
    "version",
    "runtime",
    "api_version",
    "handlers",
    "worker",
    "nworkers",
    "daemons",
    "cron",
    "queues",
    "services",
    "services_idls",
    "protected_files",
    "release",
    "selftest",
    "release_managers",
    "report_observer_emails",
    "irc_report_channel",
    "enable_jenkins",
];

impl Manifest {
    /// Reads the bytes of an app.yaml shown as `file`; warnings come beside the manifest, all faults as one problem.
    pub fn parse(file: &Path, bytes: &[u8]) -> Result<(Self, Vec<Problem>)> {
        let source = Source { file, text: decode("app-yaml", file, bytes)? };
        let root = source.read()?;
        let mut reader = Reader::new("app-yaml", source);
        let manifest = reader.manifest(&root);
        reader.done(manifest)
    }

    /// The WSGI or ASGI handlers, those a worker process answers.
    pub fn needs_worker(&self) -> bool {
        self.handlers
            .iter()
            .any(|handler| matches!(handler.serves, Serves::WsgiApp(_) | Serves::AsgiApp(_) | Serves::Websocket(_)))
    }

    /// What nobody may see.
    pub fn protected(&self) -> Result<Protected> {
        Protected::new(&self.protected_files).map_err(|(pattern, why)| {
            Problem::new("app-yaml.protected_files", format!("`{pattern}` is no pattern")).because(why)
        })
    }
}

impl Reader<'_> {
    fn manifest(&mut self, root: &Node) -> Option<Manifest> {
        let file = format!("`{}`", self.source.file.display());
        if matches!(root.value, Value::Null) {
            self.push(
                Problem::new("app-yaml.empty", format!("{file} is empty"))
                    .at(Place::in_text(self.source.file, "", 0, 0))
                    .hint("the least it needs is `application: NAME` and one handler; `dae create` writes both"),
            );
            return None;
        }
        let keys = self.keys(root, "app.yaml", KEYS)?;
        let application = self.application(&keys, &file);
        let version = keys.get("version").map_or(Some(one()), |node| self.word(node, "version", "version: 1"));
        let api_version =
            keys.get("api_version").map_or(Some(one()), |node| self.word(node, "api_version", "api_version: 1"));
        let runtime = self.runtime(&keys);
        let handlers = self.handlers(&keys, &file);
        let named = self.choice(&keys, "worker", "kind of worker", WORKERS);
        let worker = self.worker_for(&keys, &handlers, named);
        Some(Manifest {
            version: version.unwrap_or_default(),
            runtime: runtime.unwrap_or_default(),
            api_version: api_version.unwrap_or_default(),
            handlers,
            worker,
            nworkers: self.small(&keys, "nworkers", 1, 1),
            daemons: self.daemons(&keys),
            cron: self.cron(&keys),
            queues: self.queues(&keys),
            services: self.services(&keys),
            services_idls: self.files(&keys, "services_idls", ".thrift"),
            protected_files: self.protected_files(&keys),
            release: keys.get("release").and_then(|node| self.command_line(node, "release", "migrate.py --all")),
            selftest: self.selftest(&keys),
            release_managers: self.one_or_more(&keys, "release_managers"),
            report_observer_emails: self.one_or_more(&keys, "report_observer_emails"),
            irc_report_channel: self.one_or_more(&keys, "irc_report_channel"),
            enable_jenkins: self.flag(&keys, "enable_jenkins"),
            // Last, so that without a name everything else is read all the same.
            application: application?,
        })
    }

    fn application(&mut self, keys: &Keys, file: &str) -> Option<AppName> {
        let node = self.required(keys, "application", file, "application: NAME")?;
        let name = self.text(node, "application")?;
        match AppName::parse(&name) {
            Ok(name) => Some(name),
            Err(problem) => {
                let problem = problem.at(self.source.value_place(node));
                self.push(match AppName::nearest(&name) {
                    Some(near) => problem.hint(format!("write `application: {near}`")),
                    None => problem.hint("write `application: NAME`"),
                });
                None
            }
        }
    }

    /// `python` or `python3.12`.
    fn runtime(&mut self, keys: &Keys) -> Option<String> {
        let Some(node) = keys.get("runtime") else { return Some("python".into()) };
        let runtime = node.scalar();
        let digits = |part: &str| (1..=3).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
        let good =
            |version: &str| version.is_empty() || version.split('.').count() <= 3 && version.split('.').all(digits);
        if runtime.strip_prefix("python").is_some_and(good) {
            return Some(runtime);
        }
        let bare = runtime.trim_start_matches(|c: char| !c.is_ascii_digit());
        let hint = if runtime == "python " || bare.is_empty() || !good(bare) {
            "write `python` or `python3.12`".to_owned()
        } else {
            format!("write `python{bare}`")
        };
        self.wrong(node, "runtime", format!("{} is no runtime", node.told()), hint);
        None
    }

    fn protected_files(&mut self, keys: &Keys) -> Vec<String> {
        let mut patterns = Vec::new();
        for node in self.list(keys, "protected_files", "protected_files: [...]") {
            let Some(pattern) = self.text(node, "protected_files") else { continue };
            if let Err((_, why)) = Protected::new(std::slice::from_ref(&pattern)) {
                let hint = "write paths as in `.gitignore`: `local_config.py`, `secrets/*`";
                self.wrong(node, "protected_files", format!("`{pattern}` is no pattern: {why}"), hint);
            }
            patterns.push(pattern);
        }
        patterns
    }

    fn selftest(&mut self, keys: &Keys) -> Vec<Probe> {
        let nodes = self.list(keys, "selftest", "selftest: [{url: /, status: 200}]");
        nodes.iter().filter_map(|node| self.probe(node)).collect()
    }

    fn probe(&mut self, node: &Node) -> Option<Probe> {
        let keys = self.keys(node, "a selftest", PROBE)?;
        let url = self.required(&keys, "url", "this selftest", "url: /").and_then(|node| self.own_url(node));
        let status = u16::try_from(self.number(&keys, "status", 100..=599, 200)).unwrap_or(200);
        Some(Probe { url: url?, status })
    }
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

        hint: write `async`, `sync` or `asgi`

        error: `nworkers` wants a number, and there is a text
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
          |   ^^^^^^^^^^^^^

        hint: add `url: /.*`

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

        hint: take one of them out
        ");
    }

    #[test]
    fn what_is_no_yaml_or_no_map_is_said() {
        insta::assert_snapshot!([said(""), said("just words"), said("a: [1\nb: 2"), said("a:\n\t- b")].join("---\n"), @"
        error: `app.yaml` is empty
         --> app.yaml:1:1

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

    const WHOLE: &str = r#"
application: whole
version: 2
runtime: python3.12
api_version: 1
handlers:
- {url: /static/(.*), static_files: static/\1, upload: static/.*}
- {url: /files, static_dir: public}
- {url: /ws, websocket: app:ws}
- {url: /.*, wsgi_app: app:app, scope: internal}
worker: async
nworkers: 2
daemons:
- {name: feed, script: feed.py --verbose, num_instances: 1, mem_limit: 64M}
cron:
- {name: nightly, schedule: "0 3 * * *", timezone: Asia/Shanghai, script: jobs/nightly.py}
- {name: often, schedule: every 5 minutes, url: /tasks/often, overlap: wait}
queues:
- {name: default, workers: 1, retries: 5, timeout: 60}
services:
- interface: user.UserStorage
  handler: user.handler:UserStorageHandler
  client_param: {retries: 3, connect_timeout: 1.2, read_timeout: 2}
services_idls: [user.thrift]
protected_files: [local_config.py, "secrets/*"]
selftest: [{url: /, status: 200}]
release_managers: hongqn
report_observer_emails: [a@example.com, b@example.com]
irc_report_channel: code
enable_jenkins: true
"#;

    #[test]
    fn every_key_is_read_and_travels() {
        let (manifest, warnings) =
            parse(WHOLE).unwrap_or_else(|problem| panic!("{}", draw(&problem, Paint { color: false })));
        assert_eq!(warnings, []);
        let wire = serde_json::to_value(&manifest).unwrap();
        insta::assert_json_snapshot!(wire, @r#"
        {
          "api_version": "1",
          "application": "whole",
          "cron": [
            {
              "name": "nightly",
              "overlap": "skip",
              "runs": {
                "script": "jobs/nightly.py"
              },
              "schedule": "0 3 * * *",
              "timezone": "Asia/Shanghai"
            },
            {
              "name": "often",
              "overlap": "wait",
              "runs": {
                "url": "/tasks/often"
              },
              "schedule": "every 5 minutes",
              "timezone": "UTC"
            }
          ],
          "daemons": [
            {
              "mem_limit": 67108864,
              "name": "feed",
              "num_instances": 1,
              "script": "feed.py --verbose"
            }
          ],
          "enable_jenkins": true,
          "handlers": [
            {
              "serves": {
                "static_files": "static/\\1"
              },
              "upload": "static/.*",
              "url": "/static/(.*)"
            },
            {
              "serves": {
                "static_dir": "public"
              },
              "url": "/files"
            },
            {
              "serves": {
                "websocket": {
                  "callable": "ws",
                  "module": "app"
                }
              },
              "url": "/ws"
            },
            {
              "scope": "internal",
              "serves": {
                "wsgi_app": {
                  "callable": "app",
                  "module": "app"
                }
              },
              "url": "/.*"
            }
          ],
          "irc_report_channel": [
            "code"
          ],
          "nworkers": 2,
          "protected_files": [
            "local_config.py",
            "secrets/*"
          ],
          "queues": [
            {
              "name": "default",
              "retries": 5,
              "timeout": 60,
              "workers": 1
            }
          ],
          "release_managers": [
            "hongqn"
          ],
          "report_observer_emails": [
            "a@example.com",
            "b@example.com"
          ],
          "runtime": "python3.12",
          "selftest": [
            {
              "status": 200,
              "url": "/"
            }
          ],
          "services": [
            {
              "client_param": {
                "connect_timeout": 1.2,
                "read_timeout": 2.0,
                "retries": 3
              },
              "handler": {
                "callable": "UserStorageHandler",
                "module": "user.handler"
              },
              "interface": {
                "idl": "user",
                "service": "UserStorage"
              }
            }
          ],
          "services_idls": [
            "user.thrift"
          ],
          "version": "2",
          "worker": "async"
        }
        "#);
        assert_eq!(serde_json::from_value::<Manifest>(wire.clone()).unwrap(), manifest);

        let mut newer = wire;
        newer["what_comes_later"] = serde_json::json!({ "a": 1 });
        newer["handlers"][0]["cache"] = 3.into();
        assert_eq!(serde_json::from_value::<Manifest>(newer).unwrap(), manifest);
    }

    #[test]
    fn a_release_of_the_first_version_is_read() {
        let wire = serde_json::json!({
            "application": "p", "version": "1", "runtime": "python", "worker": "async", "nworkers": 1,
            "handlers": [{ "url": "/.*", "serves": { "wsgi_app": { "module": "app", "callable": "app" } } }],
            "protected_files": [], "carried": { "api_version": 1 },
        });
        let (manifest, _) = parse("application: p\nhandlers:\n- url: /.*\n  wsgi_app: app:app\n").unwrap();
        assert_eq!(serde_json::from_value::<Manifest>(wire).unwrap(), manifest);
    }

    #[test]
    fn values_of_the_other_keys_are_checked() {
        insta::assert_snapshot!(said(
            r#"application: a
runtime: python-3
api_version: []
worker: asnyc
handlers:
- url: /s/(.*)
  static_files: static/\2
- url: /t/(.*)
  static_files: ../\1
- url: /static/.*
  static_dir: static
- url: /(?!x).*
  wsgi_app: app:app
daemons:
- {name: feed, script: "a 'b", mem_limit: 64, num_instance: 2}
- {name: feed, script: b.py}
cron:
- {name: x, schedule: "0 25 * * *", script: a.py, timezone: Shanghai}
- {schedule: "@dayly", script: a.py, url: /a, overlap: skipp}
queues: {name: a}
services:
- {interface: UserStorage, handler: user, client_param: {retry: 3, read_timeout: -1}}
services_idls: [user.txt, /etc/user.thrift]
protected_files: ["a["]
selftest: [{url: x, status: 20}]
enable_jenkins: maybe
"#
        ), @r#"
        error: `python-3` is no runtime
         --> app.yaml:2:10
          |
        2 | runtime: python-3
          |          ^^^^^^^^

        hint: write `python3`

        error: `api_version` wants a number or a word, and there is a list
         --> app.yaml:3:14
          |
        3 | api_version: []
          |              ^

        hint: write `api_version: 1`

        error: `asnyc` is no kind of worker
         --> app.yaml:4:9
          |
        4 | worker: asnyc
          |         ^^^^^

        hint: did you mean `async`?

        error: `static/\2` cannot be filled in: `\2` stands for a group, and `url` has only one
         --> app.yaml:7:17
          |
        7 |   static_files: static/\2
          |                 ^^^^^^^^^

        hint: put brackets round that part of `url`, as in `/static/(.*)`

        error: `../\1` does not lie in the app
         --> app.yaml:9:17
          |
        9 |   static_files: ../\1
          |                 ^^^^^

        hint: write a path below the folder of app.yaml, as in `static/\1`

        error: the `url` of a `static_dir` is a plain prefix, and `/static/.*` is a pattern
          --> app.yaml:10:8
           |
        10 | - url: /static/.*
           |        ^^^^^^^^^^

        hint: write `/static`; or use `static_files` for a pattern

        error: `/(?!x).*` is not taken as a `url`
          --> app.yaml:12:9
           |
        12 | - url: /(?!x).*
           |         ^
          because: a look-around, which is not taken here

        hint: write the more special handler before this one instead: the first match wins

        error: `a 'b` is no command line: a `'` is not closed
          --> app.yaml:15:24
           |
        15 | - {name: feed, script: "a 'b", mem_limit: 64, num_instance: 2}
           |                        ^^^^^^

        hint: write `feed.py --verbose`

        error: `mem_limit` wants an amount of memory, and there is `64`
          --> app.yaml:15:43
           |
        15 | - {name: feed, script: "a 'b", mem_limit: 64, num_instance: 2}
           |                                           ^^

        hint: write a number and its unit, from 1M on: `mem_limit: 64M`

        error: `feed` is the name of two: a daemon has its own
          --> app.yaml:16:10
           |
        16 | - {name: feed, script: b.py}
           |          ^^^^

        hint: give each another name

        error: `0 25 * * *` is no schedule
          --> app.yaml:18:26
           |
        18 | - {name: x, schedule: "0 25 * * *", script: a.py, timezone: Shanghai}
           |                          ^^
          because: `25` is no hour

        hint: write a number from 0 to 23; or `*`

        error: `Shanghai` is no time zone
          --> app.yaml:18:61
           |
        18 | - {name: x, schedule: "0 25 * * *", script: a.py, timezone: Shanghai}
           |                                                             ^^^^^^^^

        hint: did you mean `Asia/Shanghai`?

        error: this cron job has no `name`
          --> app.yaml:19:3
           |
        19 | - {schedule: "@dayly", script: a.py, url: /a, overlap: skipp}
           |   ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^

        hint: add `name: nightly`

        error: `@dayly` is no schedule
          --> app.yaml:19:15
           |
        19 | - {schedule: "@dayly", script: a.py, url: /a, overlap: skipp}
           |               ^^^^^^
          because: `@dayly` is not known

        hint: did you mean `@daily`?

        error: this cron job has a `script` and a `url`
          --> app.yaml:19:43
           |
        19 | - {schedule: "@dayly", script: a.py, url: /a, overlap: skipp}
           |                                           ^^

        hint: keep one of them

        error: `skipp` is no way to treat an overlap
          --> app.yaml:19:56
           |
        19 | - {schedule: "@dayly", script: a.py, url: /a, overlap: skipp}
           |                                                        ^^^^^

        hint: did you mean `skip`?

        error: `queues` wants a list, and there is a set of keys
          --> app.yaml:20:9
           |
        20 | queues: {name: a}
           |         ^

        hint: write `queues: [{name: default, workers: 1}]`

        error: `UserStorage` does not name a service
          --> app.yaml:22:15
           |
        22 | - {interface: UserStorage, handler: user, client_param: {retry: 3, read_timeout: -1}}
           |               ^^^^^^^^^^^

        hint: write the .thrift file and the service in it: `user.UserStorage` is UserStorage of user.thrift

        error: `user` does not name a callable
          --> app.yaml:22:37
           |
        22 | - {interface: UserStorage, handler: user, client_param: {retry: 3, read_timeout: -1}}
           |                                     ^^^^

        hint: write `module:callable`, as in `app:app`

        error: `read_timeout` wants a time in seconds, and there is `-1`
          --> app.yaml:22:82
           |
        22 | - {interface: UserStorage, handler: user, client_param: {retry: 3, read_timeout: -1}}
           |                                                                                  ^^

        hint: write `read_timeout: 1.5`

        error: `user.txt` is no .thrift file
          --> app.yaml:23:17
           |
        23 | services_idls: [user.txt, /etc/user.thrift]
           |                 ^^^^^^^^

        hint: name files that end in `.thrift`

        error: `/etc/user.thrift` does not lie in the app
          --> app.yaml:23:27
           |
        23 | services_idls: [user.txt, /etc/user.thrift]
           |                           ^^^^^^^^^^^^^^^^

        hint: write a path below the folder of app.yaml, as in `static/site.css`

        error: `x` is no path of the app
          --> app.yaml:25:18
           |
        25 | selftest: [{url: x, status: 20}]
           |                  ^

        hint: begin it with one `/`, as in `/tasks/nightly`

        error: `status` wants a number, and there is `20`
          --> app.yaml:25:29
           |
        25 | selftest: [{url: x, status: 20}]
           |                             ^^

        hint: write a whole number from 100 to 599

        error: `enable_jenkins` wants yes or no, and there is `maybe`
          --> app.yaml:26:17
           |
        26 | enable_jenkins: maybe
           |                 ^^^^^

        hint: write `enable_jenkins: true` or `enable_jenkins: false`

        error: 25 problems
        "#);
    }

    #[test]
    fn what_is_likely_a_mistake_warns() {
        insta::assert_snapshot!(said(
            "application: a\nworker: sync\nhandlers:\n- url: static/(.*)\n  static_files: static/\\1\n- url: /(.*)\n  static_files: \\1\n\
             - {url: /ws, websocket: app:ws}\ndaemon: []\n"
        ), @r"
        error: with `worker: sync` every open websocket keeps one of the `nworkers` from all else
         --> app.yaml:2:9
          |
        2 | worker: sync
          |         ^^^^

        hint: write `worker: async`
        error: `static/(.*)` matches no path
         --> app.yaml:4:8
          |
        4 | - url: static/(.*)
          |        ^^^^^^^^^^^

        hint: write `/static/(.*)`: a path begins with `/`
        error: `\1` lets everybody ask for nearly every file of the app
         --> app.yaml:7:17
          |
        7 |   static_files: \1
          |                 ^^

        hint: keep such files in a folder of their own: `static/\1`
        error: the handler of `/ws` is never reached
         --> app.yaml:8:3
          |
        8 | - {url: /ws, websocket: app:ws}
          |   ^

        hint: move it above the one that takes every path
        error: `daemon` is no key of app.yaml
         --> app.yaml:9:1
          |
        9 | daemon: []
          | ^^^^^^

        hint: did you mean `daemons`?
        ");
    }

    #[test]
    fn the_schema_has_the_keys_that_are_read() {
        let schema: serde_json::Value = serde_json::from_str(crate::app::SCHEMA).unwrap();
        let own = |schema: &serde_json::Value| -> Vec<String> {
            let mut keys: Vec<String> = schema["properties"].as_object().unwrap().keys().cloned().collect();
            keys.sort();
            keys
        };
        let sorted = |keys: &[&str]| {
            let mut keys: Vec<String> = keys.iter().map(|key| (*key).to_owned()).collect();
            keys.sort();
            keys
        };
        let of = |name: &str| &schema["properties"][name]["items"];
        for (schema, keys) in [
            (&schema, KEYS),
            (of("handlers"), crate::app::handler::KEYS),
            (of("daemons"), crate::app::process::DAEMON),
            (of("queues"), crate::app::process::QUEUE),
            (of("cron"), crate::app::cron::KEYS),
            (of("services"), crate::app::service::SERVICE),
            (&of("services")["properties"]["client_param"], crate::app::service::CLIENT_PARAM),
            (of("selftest"), PROBE),
        ] {
            assert_eq!(own(schema), sorted(keys));
        }
        let words = |list: &serde_json::Value| -> Vec<String> { serde_json::from_value(list["enum"].clone()).unwrap() };
        assert_eq!(words(&schema["properties"]["worker"]), WORKERS.map_words());
        assert_eq!(words(&of("cron")["properties"]["overlap"]), crate::app::cron::OVERLAPS.map_words());
    }

    trait Words {
        fn map_words(&self) -> Vec<String>;
    }

    impl<T> Words for &[(&str, T)] {
        fn map_words(&self) -> Vec<String> {
            self.iter().map(|(word, _)| (*word).to_owned()).collect()
        }
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_are_too_much(bytes: Vec<u8>) {
            let _ = Manifest::parse(Path::new("app.yaml"), &bytes);
            let _ = crate::app::DevSettings::parse(Path::new("dev.yaml"), &bytes);
        }

        /// The whole file with a piece of it replaced: what is read differs, and how it ends does not.
        #[test]
        fn no_edit_is_too_much(at in 0..1200_usize, length in 0..40_usize, text in "[-a-z0-9:{}\\[\\],\"'#&*!|>%@ \n\t\\\\(?你]{0,12}") {
            let chars: Vec<char> = WHOLE.chars().collect();
            let at = at.min(chars.len());
            let end = (at + length).min(chars.len());
            let edited: String = chars[..at].iter().copied().chain(text.chars()).chain(chars[end..].iter().copied()).collect();
            match parse(&edited) {
                Ok((manifest, _)) => {
                    let wire = serde_json::to_string(&manifest).unwrap();
                    proptest::prop_assert_eq!(serde_json::from_str::<Manifest>(&wire).unwrap(), manifest);
                }
                Err(problem) => drop(draw(&problem, Paint { color: false })),
            }
        }
    }
}
