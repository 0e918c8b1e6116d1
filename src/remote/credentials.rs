//! The tokens of a user's remotes, in a file nobody else may read.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::file::{Who, write};
use crate::problem::{Doing as _, Problem, Result};

/// What a remote knows somebody by. Never shown.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Token(String);

impl Token {
    pub fn parse(text: &str) -> Result<Self> {
        let text = text.trim();
        if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Ok(Self(text.to_owned()));
        }
        Err(Problem::new("remote.bad-token", "that is no token")
            .hint("a token is one word of letters, digits and signs, as `dae node token` prints it")
            .exit(2))
    }

    pub fn secret(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}

#[derive(Debug)]
pub struct Credentials {
    path: PathBuf,
    /// By the remote's name.
    tokens: BTreeMap<String, Token>,
}

impl Credentials {
    /// Reads `credentials.json` in a user's settings. A file that others could read is closed to them first.
    pub fn read(config: &Path) -> Result<Self> {
        let path = config.join("credentials.json");
        let doing = || format!("read `{}`", path.display());
        let bytes = match fs::read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self { path, tokens: BTreeMap::new() }),
            bytes => bytes.doing(doing)?,
        };
        if fs::metadata(&path).doing(doing)?.permissions().mode() & 0o077 != 0 {
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).doing(doing)?;
        }
        let tokens = serde_json::from_slice(&bytes).map_err(|_| {
            Problem::new("remote.credentials", format!("`{}` is not readable", path.display()))
                .hint("remove it, and add the remotes again with their tokens")
        })?;
        Ok(Self { path, tokens })
    }

    pub fn write(&self) -> Result<()> {
        let text = serde_json::to_vec_pretty(&self.tokens).map_err(io::Error::from).doing(|| "write JSON")?;
        write(&self.path, &text, Who::Owner)
    }

    pub fn get(&self, remote: &str) -> Option<&Token> {
        self.tokens.get(remote)
    }

    pub fn set(&mut self, remote: &str, token: Option<Token>) {
        match token {
            Some(token) => drop(self.tokens.insert(remote.to_owned(), token)),
            None => drop(self.tokens.remove(remote)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_the_owners_alone_and_never_shown() {
        let dir = tempfile::tempdir().unwrap();
        let mut credentials = Credentials::read(dir.path()).unwrap();
        let token = Token::parse(" s3cret\n").unwrap();
        assert_eq!(format!("{token:?}"), "Token(..)");
        credentials.set("prod", Some(token.clone()));
        credentials.write().unwrap();
        let path = dir.path().join("credentials.json");
        let mode = || fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(), 0o600);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert_eq!(Credentials::read(dir.path()).unwrap().get("prod"), Some(&token));
        assert_eq!(mode(), 0o600);
        for bad in ["", "two words", "täken", "a\nb"] {
            assert!(Token::parse(bad).is_err(), "{bad:?}");
        }
    }
}
