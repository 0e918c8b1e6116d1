//! What app.yaml's handlers say, for those who act on it: the gateway sends files, the workers call what is named.

use std::path::Path;
use std::sync::Arc;

use serde_json::{Value, json};

use super::Generation;
use crate::app::{self, Manifest, Serves, StaticRule};
use crate::gateway::{By, Files, Piece, Rule, Withheld};
use crate::problem::Result;

/// Never sent, whatever a handler says: what app.yaml and its kin hold is nobody's business.
const NEVER_AT_ROOT: &[&str] = &["app.yaml", "dev.yaml", "test.yaml", "pip-req.txt", "venv"];
/// Sent only by a handler that names a folder: one that does not would lay the whole app open.
const ONLY_FROM_FOLDERS: &[&str] = &["py", "sql", "thrift", "yaml", "yml", "toml", "ini", "cfg", "sqlite3", "db"];

/// The gateway's rules, in the order of the handlers.
pub(super) fn rules(generation: &Generation) -> Result<Vec<Rule>> {
    let root = generation.root.canonicalize().unwrap_or_else(|_| generation.root.clone());
    let manifest = &generation.manifest;
    let permdir = generation.permdir();
    let rule = |handler: &app::Handler| match handler.static_rule()? {
        Some(rule) => files(rule, &root, &permdir, manifest),
        None => Ok(Rule { url: handler.pattern()?, by: By::Process }),
    };
    manifest.handlers.iter().map(rule).collect()
}

fn files(rule: StaticRule, root: &Path, permdir: &Path, manifest: &Manifest) -> Result<Rule> {
    let protected = manifest.protected()?;
    let names_folder = rule.names_folder;
    let withheld = move |path: &Path| protected.holds(path) || is_private(path, names_folder);
    let piece = |piece: app::Piece| match piece {
        app::Piece::Text(text) => Piece::Text(text),
        app::Piece::Group(number) => Piece::Group(number),
    };
    let files = Files {
        root: root.to_owned(),
        permdir: permdir.to_owned(),
        path: rule.path.into_iter().map(piece).collect(),
        withheld: Withheld(Box::new(withheld)),
    };
    Ok(Rule { url: rule.url, by: By::Files(Arc::new(files)) })
}

fn is_private(path: &Path, names_folder: bool) -> bool {
    let first = path.components().find(|part| part.as_os_str() != ".").map(|part| part.as_os_str().to_string_lossy());
    let end = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
    first.is_some_and(|first| NEVER_AT_ROOT.contains(&&*first))
        || path.components().any(|part| part.as_os_str() == "__pycache__")
        || matches!(end.as_str(), "pyc" | "pyo")
        || !names_folder && ONLY_FROM_FOLDERS.contains(&end.as_str())
}

/// What boot.py is told: every handler in its order, so that the first match is the same there as here.
pub(super) fn of_worker(manifest: &Manifest) -> Value {
    let told = |handler: &app::Handler| {
        let (kind, target) = match &handler.serves {
            Serves::WsgiApp(target) => ("wsgi_app", target.to_string()),
            Serves::AsgiApp(target) => ("asgi_app", target.to_string()),
            Serves::Websocket(target) => ("websocket", target.to_string()),
            // The gateway's: what comes through nevertheless is not there.
            Serves::StaticFiles(_) => ("static_files", String::new()),
            Serves::StaticDir(_) => return None,
        };
        Some(json!({ "url": handler.url, "kind": kind, "target": target }))
    };
    manifest.handlers.iter().filter_map(told).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_private() {
        for (path, from_folder, from_anywhere) in [
            ("static/a.css", false, false),
            ("static/example.py", false, true),
            ("app.py", false, true),
            ("databases/schema.sql", false, true),
            ("app.yaml", true, true),
            ("./dev.yaml", true, true),
            ("static/app.yaml", false, true),
            ("venv/bin/python", true, true),
            ("static/__pycache__/a.css", true, true),
            ("static/a.PYC", true, true),
        ] {
            let path = Path::new(path);
            assert_eq!(
                (is_private(path, true), is_private(path, false)),
                (from_folder, from_anywhere),
                "{}",
                path.display()
            );
        }
    }
}
