//! One report, in Sentry's terms: version 7 as sentry-sdk sends it, version 6 as raven does, and the older names of raven's
//! parts. Nothing in it is certain to be there.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

/// What a report comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    pub id: String,
    /// Reports with the same one are one error.
    pub key: String,
    /// The exception's type, or the level of a message.
    pub kind: String,
    pub message: String,
    /// `app.py:12 in view`: the deepest frame of the app's own.
    pub place: String,
    pub level: String,
}

/// An exception with its frames, the deepest last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exception {
    pub kind: String,
    pub message: String,
    pub frames: Vec<Frame>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Frame {
    pub file: String,
    /// 0 where it is not known.
    pub line: u64,
    pub function: String,
    pub code: String,
    /// Of the app itself, and not of a package.
    pub own: bool,
}

/// A message is longer only in the event itself.
const LONGEST: usize = 500;

impl Event {
    /// `None` where the report is no event at all.
    pub fn read(report: &Map<String, Value>) -> Option<Self> {
        let exceptions = exceptions(report);
        let level = text(report.get("level")).unwrap_or("error").to_owned();
        let (kind, message) = match exceptions.last() {
            Some(raised) => (raised.kind.clone(), raised.message.clone()),
            None => (level.clone(), message(report)?),
        };
        let own = exceptions.iter().rev().find_map(|exception| exception.frames.iter().rev().find(|frame| frame.own));
        let frame = own.or_else(|| exceptions.last()?.frames.last());
        let place = frame.map(Frame::to_string).unwrap_or_default();
        let id = text(report.get("event_id")).unwrap_or_default();
        let id = id.chars().filter(char::is_ascii_hexdigit).take(32).collect::<String>().to_ascii_lowercase();
        let key = key(report, &exceptions, &kind, &message);
        Some(Self { id, key, kind, message: short(&message), place, level })
    }
}

/// The exceptions of a report: what was raised first comes first, what was seen last.
pub fn exceptions(report: &Map<String, Value>) -> Vec<Exception> {
    let found = report.get("exception").or_else(|| report.get("sentry.interfaces.Exception"));
    let values: Vec<&Value> = match found {
        Some(Value::Array(values)) => values.iter().collect(),
        Some(Value::Object(one)) => match one.get("values") {
            Some(Value::Array(values)) => values.iter().collect(),
            _ => found.into_iter().collect(),
        },
        _ => Vec::new(),
    };
    let mut exceptions: Vec<Exception> = values.into_iter().filter_map(Value::as_object).map(exception).collect();
    // The oldest form keeps the frames of the one exception beside it.
    let beside = report.get("stacktrace").or_else(|| report.get("sentry.interfaces.Stacktrace"));
    if let Some(last) = exceptions.last_mut()
        && last.frames.is_empty()
    {
        last.frames = frames(beside);
    }
    exceptions
}

fn exception(value: &Map<String, Value>) -> Exception {
    Exception {
        kind: text(value.get("type")).unwrap_or("Error").to_owned(),
        message: text(value.get("value")).unwrap_or_default().to_owned(),
        frames: frames(value.get("stacktrace").or_else(|| value.get("raw_stacktrace"))),
    }
}

fn frames(stacktrace: Option<&Value>) -> Vec<Frame> {
    let frames = stacktrace.and_then(|found| found.get("frames")).and_then(Value::as_array);
    let mut frames: Vec<Frame> = frames.into_iter().flatten().filter_map(Value::as_object).map(frame).collect();
    if !frames.iter().any(|frame| frame.own) {
        // A client that does not know which are.
        let library = |file: &str| file.contains("site-packages") || file.contains("/lib/python");
        for frame in &mut frames {
            frame.own = !library(&frame.file);
        }
    }
    frames
}

fn frame(value: &Map<String, Value>) -> Frame {
    Frame {
        file: text(value.get("filename")).or_else(|| text(value.get("abs_path"))).unwrap_or("?").to_owned(),
        line: value.get("lineno").and_then(Value::as_u64).unwrap_or_default(),
        function: text(value.get("function")).unwrap_or("?").to_owned(),
        code: text(value.get("context_line")).unwrap_or_default().trim().to_owned(),
        own: value.get("in_app").and_then(Value::as_bool).unwrap_or_default(),
    }
}

impl std::fmt::Display for Frame {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{} in {}", self.file, self.line, self.function)
    }
}

/// What a report without an exception says.
fn message(report: &Map<String, Value>) -> Option<String> {
    let entry = report.get("logentry").or_else(|| report.get("sentry.interfaces.Message"));
    let entry = entry.or_else(|| report.get("message").filter(|message| message.is_object()));
    let inner = |name| entry.and_then(|entry| text(entry.get(name)));
    let said = inner("formatted").or_else(|| text(report.get("message"))).or_else(|| inner("message"))?;
    Some(said.to_owned())
}

/// By what the client says, else by the exception and where the app's own code was; not by lines, which move with every edit, and
/// not by the message, which names what differs from time to time.
fn key(report: &Map<String, Value>, exceptions: &[Exception], kind: &str, message: &str) -> String {
    let mut ours = String::new();
    for exception in exceptions {
        let _ = writeln!(ours, "{}", exception.kind);
        for frame in exception.frames.iter().filter(|frame| frame.own) {
            let _ = writeln!(ours, "{}\0{}", frame.file, frame.function);
        }
    }
    if exceptions.is_empty() {
        // The words before their values were put in.
        let entry = report.get("logentry").or_else(|| report.get("sentry.interfaces.Message"));
        let template = entry.and_then(|entry| text(entry.get("message"))).unwrap_or(message);
        let _ = write!(ours, "{kind}\n{}\n{template}", text(report.get("logger")).unwrap_or_default());
    }
    let said = report.get("fingerprint").and_then(Value::as_array).filter(|said| !said.is_empty());
    let parts: Vec<&str> = match said {
        Some(said) => said
            .iter()
            .map(|part| match text(Some(part)) {
                Some("{{ default }}" | "{{default}}") | None => ours.as_str(),
                Some(part) => part,
            })
            .collect(),
        None => vec![&ours],
    };
    let digest = Sha256::digest(parts.join("\0\0"));
    digest[..12].iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"))
}

fn text(value: Option<&Value>) -> Option<&str> {
    value.and_then(Value::as_str).filter(|text| !text.is_empty())
}

/// The first line, and no endless one.
fn short(text: &str) -> String {
    text.trim().lines().next().unwrap_or_default().chars().take(LONGEST).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Event {
        Event::read(&serde_json::from_str(json).unwrap()).unwrap()
    }

    fn raised(kind: &str, file: &str, line: u64) -> String {
        format!(
            r#"{{"event_id":"AB-cd","exception":{{"values":[{{"type":"{kind}","value":"at {line}","stacktrace":{{"frames":[
            {{"filename":"flask/app.py","function":"wsgi","lineno":1,"in_app":false}},
            {{"filename":"{file}","function":"view","lineno":{line},"in_app":true,"context_line":"  x()"}},
            {{"filename":"json/decoder.py","function":"decode","lineno":{line},"in_app":false}}]}}}}]}}}}"#
        )
    }

    #[test]
    fn an_exception_is_grouped_by_its_type_and_the_apps_frames() {
        let first = read(&raised("KeyError", "app.py", 3));
        assert_eq!((first.id.as_str(), first.kind.as_str(), first.message.as_str()), ("abcd", "KeyError", "at 3"));
        assert_eq!(first.place, "app.py:3 in view");
        assert_eq!(first.key, read(&raised("KeyError", "app.py", 9)).key);
        assert_ne!(first.key, read(&raised("ValueError", "app.py", 3)).key);
        assert_ne!(first.key, read(&raised("KeyError", "other.py", 3)).key);
    }

    #[test]
    fn messages_and_older_forms_are_read() {
        for (json, kind, message) in [
            (r#"{"message":"hello","level":"warning"}"#, "warning", "hello"),
            (r#"{"logentry":{"message":"%s left","formatted":"3 left"}}"#, "error", "3 left"),
            (
                r#"{"sentry.interfaces.Message":{"message":"%s left","params":[3]},"message":"3 left"}"#,
                "error",
                "3 left",
            ),
            (
                r#"{"sentry.interfaces.Exception":{"type":"E","value":"v"},"sentry.interfaces.Stacktrace":{"frames":[]}}"#,
                "E",
                "v",
            ),
            (r#"{"exception":[{"type":"E","value":"v\nw"}]}"#, "E", "v"),
            (r#"{"exception":{"values":[{"value":3}, 4]}}"#, "Error", ""),
        ] {
            let event = read(json);
            assert_eq!((event.kind.as_str(), event.message.as_str()), (kind, message), "{json}");
        }
        let left = |n| read(&format!(r#"{{"logentry":{{"message":"%s left","formatted":"{n} left"}}}}"#)).key;
        assert_eq!(left(1), left(2));
        let said = |mark: &str, kind: &str| {
            read(&format!(r#"{{"fingerprint":[{mark}],"exception":[{{"type":"{kind}"}}]}}"#)).key
        };
        assert_eq!(said("\"x\"", "A"), said("\"x\"", "B"));
        assert_ne!(said("\"{{ default }}\", \"x\"", "A"), said("\"{{ default }}\", \"x\"", "B"));
        assert_eq!(Event::read(&Map::new()), None);
    }
}
