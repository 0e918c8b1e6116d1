//! A file as an answer: which of its forms is sent, whether the client has it already (RFC 9110, section 13), and what it is.
//! tower-http sends the bytes and ranges of them.
//!
//! An entity tag is the digest of what is sent. Times would lie: whatever unpacks a release may give all files one time.

use std::collections::HashMap;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use http_body_util::BodyExt as _;
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::{Method, StatusCode};
use sha2::{Digest as _, Sha256};
use tower_http::services::ServeFile;

use super::rules::Files;
use super::{BodyError, Request, Response, full, plain};

/// Larger files are known by when and where they were written; reading them whole for a tag takes too long.
const READ_WHOLE: u64 = 32 << 20;
/// What was written within this time may be written again without its times telling.
const LATELY: Duration = Duration::from_secs(2);
/// Files that are remembered.
const REMEMBERED: usize = 8192;
/// A file cannot be older than this: then its time says nothing. 2000-01-01.
const FIRST_TIME: Duration = Duration::from_hours(262_968);
/// Compressed forms that may stand beside a file, the best first.
const FORMS: [(&str, &str); 2] = [("br", "br"), ("gzip", "gz")];

/// A file in the form that is sent.
struct Form {
    path: PathBuf,
    size: u64,
    tag: String,
    modified: Option<SystemTime>,
    encoding: Option<&'static str>,
    /// Another form would be sent to another client.
    varies: bool,
    kind: String,
}

/// What a file holds.
#[derive(Debug, Clone)]
struct Content {
    tag: String,
    utf8: bool,
}

/// Sends the file at `relative`, or says that there is none.
pub(super) async fn send(mut request: Request, files: Arc<Files>, relative: String) -> Response {
    let headers = request.headers().clone();
    let looked = tokio::task::spawn_blocking(move || look(&files, &relative, &headers)).await;
    let Ok(Some(form)) = looked else { return plain(StatusCode::NOT_FOUND, "Not Found") };
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let mut response = plain(StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed");
        response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
        return response;
    }
    let mut response = if let Some(status) = form.precondition(request.headers()) {
        let mut response = Response::new(full(""));
        *response.status_mut() = status;
        response
    } else {
        let ranged = request.method() == Method::GET && form.takes_range(request.headers());
        let headers = request.headers_mut();
        if !ranged {
            headers.remove(header::RANGE);
        }
        for name in [header::IF_MODIFIED_SINCE, header::IF_UNMODIFIED_SINCE, header::ACCEPT_ENCODING] {
            headers.remove(name);
        }
        match ServeFile::new(&form.path).try_call(request).await {
            Ok(response) => response.map(|body| body.map_err(BodyError::from).boxed_unsync()),
            Err(_) => return plain(StatusCode::NOT_FOUND, "Not Found"),
        }
    };
    form.describe(&mut response);
    response
}

/// The form to send of the file at `relative`.
fn look(files: &Files, relative: &str, headers: &HeaderMap) -> Option<Form> {
    let path = files.resolve(relative)?;
    let meta = path.metadata().ok()?;
    let content = content(&path, &meta)?;
    let kind = kind(&path, content.utf8);
    let mut form = Form {
        size: meta.len(),
        tag: content.tag,
        modified: modified(&meta),
        path,
        encoding: None,
        varies: false,
        kind,
    };
    let accepted = accepted(headers);
    for (encoding, end) in FORMS {
        let Some(beside) = files.resolve(&format!("{relative}.{end}")) else { continue };
        let Ok(compressed) = beside.metadata() else { continue };
        // Older than the file itself, it is what the file was.
        if compressed.modified().ok() < meta.modified().ok() {
            continue;
        }
        form.varies = true;
        if form.encoding.is_none() && accepted(encoding) {
            let Some(found) = self::content(&beside, &compressed) else { continue };
            (form.path, form.size, form.tag, form.encoding) = (beside, compressed.len(), found.tag, Some(encoding));
        }
    }
    Some(form)
}

/// When it was written, if that can be believed; a client that learns it the second it happened would take the next write of
/// that second for the same.
fn modified(meta: &Metadata) -> Option<SystemTime> {
    let modified = meta.modified().ok()?;
    let believable = modified > SystemTime::UNIX_EPOCH + FIRST_TIME
        && SystemTime::now().duration_since(modified).is_ok_and(|since| since > LATELY);
    believable.then_some(modified)
}

fn content(path: &Path, meta: &Metadata) -> Option<Content> {
    type Known = HashMap<[i64; 7], Content>;
    static KNOWN: LazyLock<Mutex<Known>> = LazyLock::new(Mutex::default);
    let known = || KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    let size = meta.len();
    let written = [meta.mtime(), meta.mtime_nsec(), meta.ctime(), meta.ctime_nsec()];
    let identity = [meta.dev().cast_signed(), meta.ino().cast_signed()];
    let [a, b, c, d] = written;
    let key = [a, b, c, d, identity[0], identity[1], size.cast_signed()];
    if let Some(content) = known().get(&key) {
        return Some(content.clone());
    }
    if size > READ_WHOLE {
        let mut hash = Sha256::new();
        for number in written.iter().chain(&identity) {
            hash.update(number.to_le_bytes());
        }
        hash.update(size.to_le_bytes());
        return Some(Content { tag: tag(hash), utf8: true });
    }
    let bytes = std::fs::read(path).ok()?;
    let content = Content { tag: tag(Sha256::new().chain_update(&bytes)), utf8: std::str::from_utf8(&bytes).is_ok() };
    let settled = [meta.modified().ok(), SystemTime::UNIX_EPOCH.checked_add(changed(meta))]
        .into_iter()
        .all(|time| time.is_some_and(|time| SystemTime::now().duration_since(time).is_ok_and(|since| since > LATELY)));
    if settled {
        let mut known = known();
        if known.len() >= REMEMBERED {
            known.clear();
        }
        known.insert(key, content.clone());
    }
    Some(content)
}

fn changed(meta: &Metadata) -> Duration {
    Duration::from_secs(u64::try_from(meta.ctime()).unwrap_or_default())
}

/// Strong, and short enough to read.
fn tag(hash: Sha256) -> String {
    use std::fmt::Write as _;
    let mut tag = String::from("\"");
    for byte in &hash.finalize()[..12] {
        let _ = write!(tag, "{byte:02x}");
    }
    tag + "\""
}

/// The media type by the name, with the encoding of a text where that is known.
fn kind(path: &Path, utf8: bool) -> String {
    let guess = mime_guess::from_path(path).first_raw().unwrap_or("application/octet-stream");
    let text = guess.starts_with("text/") || guess == "application/javascript";
    if text && utf8 { format!("{guess}; charset=utf-8") } else { guess.to_owned() }
}

/// Which encodings a client takes (RFC 9110, 12.5.3).
fn accepted(headers: &HeaderMap) -> impl Fn(&str) -> bool {
    let listed = list(headers, header::ACCEPT_ENCODING);
    let mut weights = HashMap::new();
    for entry in listed.split(',') {
        let mut parts = entry.split(';').map(str::trim);
        let name = parts.next().unwrap_or_default().to_ascii_lowercase();
        let weight = parts.find_map(|part| part.strip_prefix("q=")).map_or(Some(1.0), |q| q.parse::<f32>().ok());
        weights.insert(name, weight.unwrap_or(0.0));
    }
    move |encoding| weights.get(encoding).or_else(|| weights.get("*")).is_some_and(|weight| *weight > 0.0)
}

/// All values of a header that is a list.
fn list(headers: &HeaderMap, name: HeaderName) -> String {
    let values: Vec<&str> = headers.get_all(name).iter().filter_map(|value| value.to_str().ok()).collect();
    values.join(",")
}

fn date(headers: &HeaderMap, name: HeaderName) -> Option<SystemTime> {
    httpdate::parse_http_date(headers.get(name)?.to_str().ok()?).ok()
}

impl Form {
    /// The status that ends a conditional request, in the order of RFC 9110, 13.2.2.
    fn precondition(&self, headers: &HeaderMap) -> Option<StatusCode> {
        // As a header tells it: whole seconds.
        let modified = self.modified.map(httpdate::HttpDate::from);
        let newer_than = |since: SystemTime| modified.is_none_or(|modified| modified > httpdate::HttpDate::from(since));
        if headers.contains_key(header::IF_MATCH) {
            let tags = list(headers, header::IF_MATCH);
            if tags.trim() != "*" && !tags.split(',').any(|tag| tag.trim() == self.tag) {
                return Some(StatusCode::PRECONDITION_FAILED);
            }
        } else if modified.is_some() && date(headers, header::IF_UNMODIFIED_SINCE).is_some_and(newer_than) {
            return Some(StatusCode::PRECONDITION_FAILED);
        }
        if headers.contains_key(header::IF_NONE_MATCH) {
            let tags = list(headers, header::IF_NONE_MATCH);
            let same = |tag: &str| tag.trim().trim_start_matches("W/") == self.tag;
            (tags.trim() == "*" || tags.split(',').any(same)).then_some(StatusCode::NOT_MODIFIED)
        } else {
            let since = date(headers, header::IF_MODIFIED_SINCE)?;
            (!newer_than(since)).then_some(StatusCode::NOT_MODIFIED)
        }
    }

    /// Whether a range is asked for that can be answered with one part; any other is answered with the whole.
    fn takes_range(&self, headers: &HeaderMap) -> bool {
        let value = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
        let number = |digits: &str| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        let range =
            value(header::RANGE).and_then(|range| range.strip_prefix("bytes=")).and_then(|range| range.split_once('-'));
        let good = range.is_some_and(|(first, last)| match (first.parse::<u64>(), last.parse::<u64>()) {
            (Ok(low), Ok(high)) => number(first) && number(last) && low <= high,
            (Ok(_), Err(_)) => number(first) && last.is_empty(),
            (Err(_), Ok(_)) => first.is_empty() && number(last),
            _ => false,
        });
        let same = match value(header::IF_RANGE) {
            None => true,
            Some(tag) if tag.starts_with('"') => tag == self.tag,
            Some(_) => {
                let since = date(headers, header::IF_RANGE).map(httpdate::HttpDate::from);
                since.is_some() && since == self.modified.map(httpdate::HttpDate::from)
            }
        };
        // Of nothing there is no part.
        good && same && self.size > 0
    }

    /// Says what was sent. A browser asks each time whether it still has it: a new release or a saved file shows at once.
    fn describe(&self, response: &mut Response) {
        let answers = !matches!(response.status(), StatusCode::NOT_MODIFIED | StatusCode::PRECONDITION_FAILED);
        let whole = response.status() != StatusCode::RANGE_NOT_SATISFIABLE;
        let headers = response.headers_mut();
        if !whole {
            headers.remove(header::CONTENT_TYPE);
        }
        let mut set = |name: HeaderName, value: &str| match HeaderValue::from_str(value) {
            Ok(value) => drop(headers.insert(name, value)),
            Err(_) => drop(headers.remove(name)),
        };
        set(header::ETAG, &self.tag);
        set(header::CACHE_CONTROL, "no-cache");
        if self.varies {
            set(header::VARY, "accept-encoding");
        }
        if answers && whole {
            set(header::CONTENT_TYPE, &self.kind);
            set(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
            set(header::ACCEPT_RANGES, "bytes");
        }
        if let (Some(encoding), true) = (self.encoding, answers && whole) {
            set(header::CONTENT_ENCODING, encoding);
        }
        match self.modified {
            Some(modified) => set(header::LAST_MODIFIED, &httpdate::fmt_http_date(modified)),
            None => drop(headers.remove(header::LAST_MODIFIED)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::rules::{By, Piece, tests::rule};
    use super::*;

    #[test]
    fn the_best_form_the_client_takes() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        let write = |name: &str, text: &str, seconds: u64| {
            std::fs::write(root.join(name), text).unwrap();
            let file = std::fs::File::options().append(true).open(root.join(name)).unwrap();
            file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)).unwrap();
        };
        for (name, text, seconds) in [
            ("x.css", "plain", 9),
            ("x.css.gz", "gzip", 9),
            ("x.css.br", "brotli", 9),
            ("old.js", "new", 9),
            ("old.js.gz", "old", 8),
            ("y.css", "plain", 9),
            ("y.css.gz", "gzip", 10),
        ] {
            write(name, text, 1_700_000_000 + seconds);
        }
        std::os::unix::fs::symlink("/etc/hostname", root.join("y.css.br")).unwrap();
        let By::Files(files) = rule(&root, "/(.*)", &[Piece::Group(1)]).by else { panic!("a rule of files") };
        let form = |name: &str, accepted: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT_ENCODING, accepted.parse().unwrap());
            let form = look(&files, name, &headers).unwrap();
            (std::fs::read_to_string(form.path).unwrap(), form.encoding, form.varies, form.kind, form.tag)
        };
        for (name, accepted, text, encoding, varies) in [
            ("x.css", "gzip, deflate, br", "brotli", Some("br"), true),
            ("x.css", "GZIP", "gzip", Some("gzip"), true),
            ("x.css", "br;q=0, gzip;q=0.5", "gzip", Some("gzip"), true),
            ("x.css", "*", "brotli", Some("br"), true),
            ("x.css", "*;q=0", "plain", None, true),
            ("x.css", "identity", "plain", None, true),
            ("x.css.gz", "gzip", "gzip", None, false),
            ("old.js", "gzip", "new", None, false),
            ("y.css", "gzip, br", "gzip", Some("gzip"), true),
        ] {
            let (found, with, other, kind, _) = form(name, accepted);
            assert_eq!((found.as_str(), with, other), (text, encoding, varies), "{name} {accepted}");
            assert!(
                kind.starts_with("text/javascript") || name.contains(".gz") || kind == "text/css; charset=utf-8",
                "{kind}"
            );
        }
        assert_ne!(form("x.css", "br").4, form("x.css", "gzip").4, "each form has a tag of its own");
    }
}
