//! Who may do what: tokens, and what each grants.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use crate::app::AppName;
use crate::problem::{Problem, Result};

/// SHA-256 of a token.
pub type Hash = [u8; 32];

/// Each grants what stands before it too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verb {
    /// Releases, their events, logs; pulling images.
    Read,
    /// Pushing images, making releases, rolling back.
    Deploy,
    /// All there is, and all there will be.
    Admin,
}

impl fmt::Display for Verb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Read => "read",
            Self::Deploy => "deploy",
            Self::Admin => "admin",
        })
    }
}

impl FromStr for Verb {
    type Err = Problem;

    /// `*` is `admin`.
    fn from_str(text: &str) -> Result<Self> {
        match text {
            "read" => Ok(Self::Read),
            "deploy" => Ok(Self::Deploy),
            "admin" | "*" => Ok(Self::Admin),
            _ => Err(Problem::new("auth.verb", format!("`{text}` is nothing a token can allow"))
                .hint("it is `read`, `deploy` or `admin`")
                .exit(2)),
        }
    }
}

/// What a token allows, and on which app: without one, on all.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Grant {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub app: Option<AppName>,
    pub can: Vec<Verb>,
}

impl Grant {
    pub fn allows(&self, verb: Verb, app: &AppName) -> bool {
        self.app.as_ref().is_none_or(|own| own == app) && self.can.iter().any(|can| *can >= verb)
    }

    /// It sees every app, so that a blob of one is no secret from another.
    pub fn sees_all(&self) -> bool {
        self.app.is_none() && !self.can.is_empty()
    }
}

/// A new token. It is shown once; only its hash is kept.
pub fn new_token() -> Result<String> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes)
        .map_err(|error| Problem::new("auth.random", "this machine gives no random numbers").because(error))?;
    Ok(format!("dae_{}", URL_SAFE_NO_PAD.encode(bytes)))
}

pub fn hash(token: &str) -> Hash {
    Sha256::digest(token.as_bytes()).into()
}

/// The token in an `Authorization` header: `Bearer TOKEN`, or the password of `Basic`, as `podman login` sends it.
pub fn token_in(header: &str) -> Option<String> {
    let (scheme, value) = header.trim().split_once(' ')?;
    let value = value.trim();
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some(value.to_owned());
    }
    if scheme.eq_ignore_ascii_case("basic") {
        let decoded = String::from_utf8(STANDARD.decode(value).ok()?).ok()?;
        return decoded.split_once(':').map(|(_, password)| password.to_owned());
    }
    None
}

/// What the token grants. Every hash is compared, and each in the same time whatever it holds.
pub fn find<'t>(tokens: &'t [(Hash, Grant)], token: &str) -> Option<&'t Grant> {
    let wanted = hash(token);
    let mut found = None;
    for (hash, grant) in tokens {
        let differs = hash.iter().zip(&wanted).fold(0, |differs, (a, b)| differs | (a ^ b));
        if std::hint::black_box(differs) == 0 {
            found = Some(grant);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_grants_what() {
        let app = |name| AppName::parse(name).unwrap();
        let grant = |app, can| Grant { app, can };
        for (grant, verb, on, allowed) in [
            (grant(None, vec![Verb::Admin]), Verb::Deploy, "a", true),
            (grant(None, vec![Verb::Read]), Verb::Deploy, "a", false),
            (grant(Some(app("a")), vec![Verb::Deploy]), Verb::Read, "a", true),
            (grant(Some(app("a")), vec![Verb::Deploy]), Verb::Read, "b", false),
            (grant(Some(app("a")), vec![Verb::Deploy]), Verb::Admin, "a", false),
            (grant(None, vec![]), Verb::Read, "a", false),
        ] {
            assert_eq!(grant.allows(verb, &app(on)), allowed, "{grant:?} {verb} {on}");
        }
    }

    #[test]
    fn a_token_is_read_from_both_schemes() {
        for (header, token) in [
            ("Bearer t", Some("t")),
            ("bearer  t ", Some("t")),
            ("Basic dTpwOnc=", Some("p:w")),
            ("Basic !", None),
            ("Basic dQ==", None),
            ("Digest t", None),
            ("t", None),
            ("", None),
        ] {
            assert_eq!(token_in(header).as_deref(), token, "{header}");
        }
    }

    #[test]
    fn a_token_is_found_by_its_hash() {
        let grant = |can| Grant { app: None, can: vec![can] };
        let tokens = [(hash("a"), grant(Verb::Read)), (hash("b"), grant(Verb::Admin))];
        assert_eq!(find(&tokens, "b"), Some(&tokens[1].1));
        assert_eq!(find(&tokens, "c"), None);
        assert_ne!(new_token().unwrap(), new_token().unwrap());
    }
}
