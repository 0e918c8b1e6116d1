//! What of an upstream is answered from files, and what goes to its process: first match wins, as app.yaml's handlers say.

use std::path::{Component, Path, PathBuf};

use http_body_util::BodyExt as _;
use hyper::{Method, StatusCode};
use regex_lite::Regex;
use tower_http::services::ServeFile;

use super::{BodyError, Request, Response, plain};

#[derive(Debug)]
pub struct Rule {
    /// Matches a whole path.
    pub url: Regex,
    pub by: By,
}

#[derive(Debug)]
pub enum By {
    Process,
    /// A file under `root` (canonical): `template` with the groups of `url` filled in.
    File {
        root: PathBuf,
        template: String,
    },
}

impl Rule {
    /// A rule for paths that `url` matches whole; `None` when it is no regular expression.
    pub fn new(url: &str, by: By) -> Option<Self> {
        Regex::new(&format!("^(?:{url})$")).ok().map(|url| Self { url, by })
    }
}

/// What the rules say of a path.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    Process,
    File(PathBuf),
    /// A rule names a file, and there is none that may be sent.
    NoFile,
}

/// By whom `path` is answered.
pub(super) fn find(rules: &[Rule], path: &str) -> Found {
    let path = decode(path);
    for rule in rules {
        let Some(groups) = path.as_deref().and_then(|path| rule.url.captures(path)) else { continue };
        return match &rule.by {
            By::Process => Found::Process,
            By::File { root, template } => resolve(root, &fill(template, &groups)).map_or(Found::NoFile, Found::File),
        };
    }
    Found::Process
}

/// `\1` to `\9` in a template stand for the groups.
fn fill(template: &str, groups: &regex_lite::Captures<'_>) -> String {
    let mut filled = String::new();
    let mut chars = template.chars();
    while let Some(c) = chars.next() {
        match (c, chars.clone().next().and_then(|c| c.to_digit(10))) {
            ('\\', Some(n)) => {
                chars.next();
                filled.push_str(groups.get(n as usize).map_or("", |group| group.as_str()));
            }
            _ => filled.push(c),
        }
    }
    filled
}

/// A path below the root that stays there, links followed; only `permdir` may itself be a link to elsewhere.
fn resolve(root: &Path, relative: &str) -> Option<PathBuf> {
    let relative = Path::new(relative);
    let plain = relative.components().all(|part| match part {
        Component::Normal(name) => !name.to_string_lossy().starts_with('.'),
        _ => false,
    });
    if !plain || relative.as_os_str().as_encoded_bytes().contains(&0) {
        return None;
    }
    let path = root.join(relative).canonicalize().ok()?;
    let inside =
        path.starts_with(root) || root.join("permdir").canonicalize().is_ok_and(|permdir| path.starts_with(permdir));
    (inside && path.is_file()).then_some(path)
}

/// Percent-decoded; `None` when that is no UTF-8.
fn decode(path: &str) -> Option<String> {
    let bytes = path.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let hex = (bytes[at] == b'%')
            .then(|| path.get(at + 1..at + 3).and_then(|hex| u8::from_str_radix(hex, 16).ok()))
            .flatten();
        decoded.push(hex.unwrap_or(bytes[at]));
        at += if hex.is_some() { 3 } else { 1 };
    }
    String::from_utf8(decoded).ok()
}

/// Sends a file, with ranges and validators.
pub(super) async fn send(request: Request, file: PathBuf) -> Response {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return plain(StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed");
    }
    match ServeFile::new(file).try_call(request).await {
        Ok(response) => response.map(|body| body.map_err(BodyError::from).boxed_unsync()),
        Err(_) => plain(StatusCode::NOT_FOUND, "Not Found"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_files_of_the_folder_are_found() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        for name in ["static", "static/a b", "secret"] {
            std::fs::create_dir(root.join(name)).unwrap();
        }
        for name in ["static/x.css", "static/a b/y.js", "secret/key", "app.py", "static/.env"] {
            std::fs::write(root.join(name), "").unwrap();
        }
        std::os::unix::fs::symlink("/etc/hostname", root.join("static/out")).unwrap();
        let rule =
            |url, template: &str| Rule::new(url, By::File { root: root.clone(), template: template.into() }).unwrap();
        let rules = [
            rule("/static/(.*)", r"static/\1"),
            rule("/favicon.ico", "static/x.css"),
            Rule::new("/.*", By::Process).unwrap(),
            rule("/never", "app.py"),
        ];
        let found = |path: &str| find(&rules, path);
        let file = |path: &str| Found::File(root.join(path));
        assert_eq!(found("/static/x.css"), file("static/x.css"));
        assert_eq!(found("/static/a%20b/y.js"), file("static/a b/y.js"));
        assert_eq!(found("/favicon.ico"), file("static/x.css"));
        for refused in
            ["../app.py", "%2e%2e/app.py", "..%2fsecret/key", "/etc/passwd", "out", ".env", "", "x.css%00", "nothing"]
        {
            assert_eq!(found(&format!("/static/{refused}")), Found::NoFile, "{refused}");
        }
        for process in ["/", "/never", "/staticx"] {
            assert_eq!(found(process), Found::Process, "{process}");
        }
    }
}
