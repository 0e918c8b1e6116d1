//! What says by its name that its value is a secret: Sentry's own list, as its server has it.

use std::borrow::Cow;
use std::sync::LazyLock;

use regex::Regex;

use crate::app::FILTERED;

/// Anywhere in a name.
const PARTS: &[&str] = &[
    "password",
    "passwd",
    "passphrase",
    "secret",
    "api_key",
    "apikey",
    "credential",
    "mysql_pwd",
    "privatekey",
    "private_key",
    "token",
    "sessionid",
];
/// As one of its words.
const WORDS: &[&str] = &["auth", "authorization", "bearer", "cookie", "cookies", "pwd", "session"];

/// Whether a value of that name is not kept.
pub fn is_sensitive(name: &str) -> bool {
    let name = name.to_ascii_lowercase().replace('-', "_");
    PARTS.iter().any(|part| name.contains(part))
        || name.split(|c: char| !c.is_ascii_alphanumeric()).any(|word| WORDS.contains(&word))
}

/// `password=x`, `'password': 'x'`, `Bearer x`, `//user:x@host`.
static SAID: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let names = PARTS.join("|").replace('_', "[_-]?");
    let value = r#"(?:\[Filtered\]|"[^"]*"|'[^']*'|[^\s&;,"')}\]]+)"#;
    let named = format!(r#"(?P<name>(?:{names}|pwd)[\w-]*(?:\s*=\s*|["']\s*:\s*)){value}"#);
    let bearer = r"(?P<scheme>\b(?:bearer|basic)\s+)[\w.~+/=-]{8,}";
    let url = r"(?P<user>://[^/\s:@]*:)[^/\s@]+(?P<at>@)";
    Regex::new(&format!("(?i){named}|{bearer}|{url}")).ok()
});

/// A text without what it says itself to be a secret.
pub fn without_secrets(text: &str) -> Cow<'_, str> {
    let Some(said) = &*SAID else { return Cow::Borrowed(text) };
    said.replace_all(text, format!("${{name}}${{scheme}}${{user}}{FILTERED}${{at}}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for (name, sensitive) in [
            ("password", true),
            ("DB_PASSWORD", true),
            ("X-Api-Key", true),
            ("access_token", true),
            ("Authorization", true),
            ("Set-Cookie", true),
            ("csrftoken", true),
            ("aws_secret_access_key", true),
            ("author", false),
            ("key", false),
            ("abs_path", false),
            ("stacktrace", false),
            ("sessions_of_today", false),
        ] {
            assert_eq!(is_sensitive(name), sensitive, "{name}");
        }
    }

    #[test]
    fn texts() {
        for (text, left) in [
            ("?user=a&password=hunter2&x=1", "?user=a&password=[Filtered]&x=1"),
            ("{'db_password': 'a b', 'host': 'h'}", "{'db_password': [Filtered], 'host': 'h'}"),
            ("{\"token\": \"t\", \"n\": 1}", "{\"token\": [Filtered], \"n\": 1}"),
            ("API_KEY = abc", "API_KEY = [Filtered]"),
            ("Authorization: Bearer abcdefgh.ijk", "Authorization: Bearer [Filtered]"),
            ("mysql://u:s3cret@h/db", "mysql://u:[Filtered]@h/db"),
            ("http://127.0.0.1:8080/a@b", "http://127.0.0.1:8080/a@b"),
            ("KeyError: 'token'", "KeyError: 'token'"),
            ("password=[Filtered]&a=b", "password=[Filtered]&a=b"),
            ("no password was given", "no password was given"),
        ] {
            assert_eq!(without_secrets(text), left);
        }
    }
}
