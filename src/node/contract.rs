//! The environment contract: every variable an app's processes can count on. The same under `dae serve`, on a node and on
//! Kubernetes.
//!
//! | name | value |
//! |---|---|
//! | `DAE_ENV` | `SDK` under `dae serve`, `production` on a remote |
//! | `DAE_APPNAME` | the app's name |
//! | `DAE_APPROOT` | the folder app.yaml is in |
//! | `DAE_WORKER` | `async`, `sync` or `asgi` |
//! | `DAE_PERMDIR` | the folder for permanent files |
//! | `DAE_MYSQL_HOST`, `_PORT`, `_USER`, `_PASSWORD`, `_DB` | the app's database |
//! | `DAE_MYSQL_SOCKET` | the same database's unix socket, where it is on this machine |
//! | `DAE_SQLSTORE` | JSON `{farm: {host, port, user, passwd, db, tables}}`, where dev.yaml names farms |
//! | `DAE_STATE` | where `dae state` reaches whoever hosts the services: a unix socket |
//! | `DAE_MEMCACHE`, `DAE_BEANSDB` | `host:port`, several with commas between, where one is set |
//! | `DAE_MEMCACHE_PREFIX`, `DAE_BEANSDB_PREFIX`, `DAE_QUEUE_PREFIX` | what stands before the app's keys and tubes, where it shares those servers with others |
//! | `DAE_DPARK` | `dask://host:port` of the cluster that computes for dpark, where one is set |
//! | `DAE_QUEUE` | `host:port`, where one is set |
//! | `DAE_SMTP` | `host:port` of the server that takes mail, where one is set |
//! | `SENTRY_DSN` | where errors are reported, as Sentry's clients read it |
//! | `DAE_SERVICE_APP_SERVICE` | `host:port`, several with commas between: where a Thrift service of that app answers, where one is set |
//! | `DAE_SERVICES` | the folders that say where services on this machine answer, with colons between |
//! | `DAE_SCRIBE` | `host:port` of the server that takes logs by Scribe's protocol |
//! | `DAE_IDENTITY_KEY` | what the gateway's word on a user is signed with |
//! | `DAE_USERS` | under `dae serve`: the file of the users one has been |
//! | `DAE_RELEASE` | on a remote: the release that brought the code, `r42`; a rollback to it keeps the name |

use std::collections::HashMap;

use super::{Generation, Settings};

/// Variables of ours that are no business of an app, and one that would hide its bytecode cache.
const WITHHELD: &[&str] =
    &["DAE_TOKEN", "DAE_REMOTE", "DAE_YES", "DAE_GUARDED", "PYTHONDONTWRITEBYTECODE", "PYTHONHOME"];

/// Those that differ from one generation to the next, so a warm parent knows none of them.
pub const OF_ONE: &[&str] = &["DAE_APPROOT", "DAE_PERMDIR", "DAE_RELEASE"];

/// What a process forked from the warm parent is told of its environment.
pub fn of_one(generation: &Generation, settings: &Settings) -> HashMap<String, String> {
    let env = environment(generation, settings.environment, &settings.inherited).into_iter();
    env.filter(|(name, _)| OF_ONE.contains(&name.as_str())).collect()
}

/// The whole environment of a process of `generation`: `named` becomes `DAE_ENV`, and `inherited` is what dae itself was
/// started with.
pub fn environment(generation: &Generation, named: &str, inherited: &[(String, String)]) -> Vec<(String, String)> {
    let mut env: Vec<(String, String)> =
        inherited.iter().filter(|(name, _)| !WITHHELD.contains(&name.as_str())).cloned().collect();
    let mut set = |name: &str, value: String| {
        env.retain(|(known, _)| known != name);
        env.push((name.to_owned(), value));
    };
    let path = |path: &std::path::Path| path.to_string_lossy().into_owned();
    set("DAE_ENV", named.to_owned());
    set("DAE_APPNAME", generation.app.to_string());
    set("DAE_APPROOT", path(&generation.root));
    set("DAE_WORKER", generation.manifest.worker.as_str().to_owned());
    set("DAE_PERMDIR", path(&generation.permdir()));
    if let Some(release) = &generation.brought_by {
        set("DAE_RELEASE", release.clone());
    }
    set("PYTHONUNBUFFERED", "1".into());
    for (name, value) in &generation.env {
        set(name, value.clone());
    }
    env
}
