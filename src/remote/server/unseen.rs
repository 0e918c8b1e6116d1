//! What of an app is not kept with its errors and with what it prints: the values of its configuration and of its protected
//! files.

use reqwest::Url;

use super::assemble::Assembled;
use crate::app::{Secrets, protected};
use crate::services::errors::is_sensitive;

/// Shorter lines of a value may be anything.
const LONG_LINE: usize = 20;

pub struct Unseen {
    /// The values of the configuration alone.
    pub config: Vec<String>,
    pub all: Secrets,
}

impl Unseen {
    /// Reads the protected files. `config` has names and values.
    pub fn of(assembled: &Assembled, config: impl Iterator<Item = (String, String)>) -> Self {
        let secret = config.filter(|(name, value)| is_sensitive(name) || !is_plain(value));
        let mut values: Vec<String> = secret.flat_map(|(_, value)| parts(value)).collect();
        let config = values.clone();
        values.extend(protected(&assembled.root, &assembled.file.manifest).1);
        Self { config, all: Secrets::new(values) }
    }
}

/// A word or a number, as of `MODE=production`: it may be in any line, and says nothing there.
fn is_plain(value: &str) -> bool {
    value.bytes().all(|byte| byte.is_ascii_alphabetic()) || value.bytes().all(|byte| byte.is_ascii_digit())
}

/// A value, and what of it may turn up alone: it is printed line by line, and an address has a password.
fn parts(value: String) -> Vec<String> {
    let lines = value.lines().filter(|line| line.len() >= LONG_LINE).map(str::to_owned);
    let password = Url::parse(&value).ok().and_then(|url| url.password().map(str::to_owned));
    let mut parts: Vec<String> = lines.chain(password).collect();
    parts.push(value);
    parts
}

#[cfg(test)]
mod tests {
    #[test]
    fn what_turns_up_alone() {
        let parts = |value: &str| super::parts(value.to_owned());
        assert_eq!(parts("blue"), ["blue"]);
        assert_eq!(parts("mysql://u:pw@h/db"), ["pw", "mysql://u:pw@h/db"]);
        let key = "-----BEGIN KEY-----\nMIIEvQIBADANBgkqhkiG9w0B\nab\n";
        assert_eq!(parts(key), ["MIIEvQIBADANBgkqhkiG9w0B", key]);
    }
}
