//! The keys of one app, and what is signed with them: JSON Web Tokens, HS256.

use std::io::Write as _;
use std::path::Path;

use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, encode};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::Digest as _;

use super::User;
use crate::app::AppName;
use crate::problem::{Doing as _, Problem, Result};

/// The word on who asks goes from the gateway to a process beside it; nobody can use it later. In seconds.
const WORD: i64 = 60;
/// A browser stays logged in, in seconds.
pub const SESSION: i64 = 30 * 24 * 3600;

#[derive(Clone)]
pub struct Keys {
    /// Shared with the app, which believes the gateway by it.
    pub identity: String,
    /// The gateway's own.
    session: String,
}

#[derive(Debug, Serialize, Deserialize)]
struct Claims {
    iss: String,
    aud: String,
    sub: String,
    iat: i64,
    exp: i64,
    #[serde(flatten)]
    user: User,
}

#[derive(Debug, Serialize, Deserialize)]
struct Given<T> {
    iss: String,
    aud: String,
    exp: i64,
    what: T,
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Keys")
    }
}

impl Keys {
    /// The keys below a space's `data`, made at the first time: who is logged in stays so over a restart.
    pub fn of(data: &Path) -> Result<Self> {
        Self::beside(&data.join("users/personas.json"))
    }

    /// Those in the folder of `file`.
    pub fn beside(file: &Path) -> Result<Self> {
        let folder = file.parent().unwrap_or(Path::new("."));
        let path = folder.join("key");
        if let Some(keys) = Self::read(&path) {
            return Ok(keys);
        }
        let [identity, session] = [Self::random()?, Self::random()?];
        std::fs::create_dir_all(folder).doing(|| format!("make the folder `{}`", folder.display()))?;
        let write = || -> std::io::Result<()> {
            // Only its owner may read a temporary file.
            let mut file = tempfile::NamedTempFile::new_in(folder)?;
            writeln!(file, "{identity}\n{session}")?;
            match file.persist_noclobber(&path) {
                // Another process was first; its keys count.
                Err(error)
                    if error.error.kind() == std::io::ErrorKind::AlreadyExists && Self::read(&path).is_some() =>
                {
                    Ok(())
                }
                Err(error) if error.error.kind() == std::io::ErrorKind::AlreadyExists => {
                    // There is a file and no keys in it.
                    error.file.persist(&path).map(drop).map_err(Into::into)
                }
                kept => kept.map(drop).map_err(Into::into),
            }
        };
        write().doing(|| format!("write `{}`", path.display()))?;
        Ok(Self::read(&path).unwrap_or(Self { identity, session }))
    }

    fn read(path: &Path) -> Option<Self> {
        let text = std::fs::read_to_string(path).ok()?;
        let mut lines = text.lines().filter(|line| line.len() == 64).map(str::to_owned);
        Some(Self { identity: lines.next()?, session: lines.next()? })
    }

    fn random() -> Result<String> {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes)
            .map_err(|error| Problem::new("users.key", "there is no randomness").because(error))?;
        Ok(sha2::Sha256::digest(bytes).iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}")))
    }

    /// The gateway's word to `app` that `user` asks.
    pub fn word(&self, app: &AppName, user: &User, now: i64) -> Option<String> {
        sign(&self.identity, app.as_str().to_owned(), user, now, WORD)
    }

    /// Anything the gateway gives a browser for `purpose`, to have it back unchanged.
    pub fn seal<T: Serialize>(&self, app: &AppName, purpose: &str, what: &T, now: i64, lasts: i64) -> Option<String> {
        let claims = Given { iss: "dae".into(), aud: given(purpose, app), exp: now + lasts, what };
        encode(&Header::new(Algorithm::HS256), &claims, &EncodingKey::from_secret(self.session.as_bytes())).ok()
    }

    /// What [`Keys::seal`] was given, if it was this app's, for this purpose and not too long ago.
    pub fn unseal<T: DeserializeOwned>(&self, app: &AppName, purpose: &str, token: &str) -> Option<T> {
        let key = DecodingKey::from_secret(self.session.as_bytes());
        decode::<Given<T>>(token, &key, &wanted(&given(purpose, app), &["exp", "aud", "iss"]))
            .ok()
            .map(|read| read.claims.what)
    }

    /// What a browser keeps to be known again.
    pub fn session(&self, app: &AppName, user: &User, now: i64) -> Option<String> {
        sign(&self.session, session_of(app), user, now, SESSION)
    }

    /// Who a browser is, if it brings a session of `app` that holds.
    pub fn read_session(&self, app: &AppName, token: &str) -> Option<User> {
        let wanted = wanted(&session_of(app), &["exp", "aud", "iss", "sub"]);
        let key = DecodingKey::from_secret(self.session.as_bytes());
        decode::<Claims>(token, &key, &wanted).ok().map(|read| read.claims.user)
    }
}

/// A session is no word and a word is no session, whatever the keys.
fn session_of(app: &AppName) -> String {
    given("session", app)
}

fn given(purpose: &str, app: &AppName) -> String {
    format!("{purpose}:{app}")
}

fn wanted(audience: &str, required: &[&str]) -> Validation {
    let mut wanted = Validation::new(Algorithm::HS256);
    wanted.set_audience(&[audience]);
    wanted.set_issuer(&["dae"]);
    wanted.set_required_spec_claims(required);
    wanted.leeway = 0;
    wanted
}

fn sign(key: &str, aud: String, user: &User, now: i64, lasts: i64) -> Option<String> {
    let claims =
        Claims { iss: "dae".into(), aud, sub: user.id.clone(), iat: now, exp: now + lasts, user: user.clone() };
    encode(&Header::new(Algorithm::HS256), &claims, &EncodingKey::from_secret(key.as_bytes())).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_holds_for_its_app_and_its_time() {
        let dir = tempfile::tempdir().unwrap();
        let keys = Keys::of(dir.path()).unwrap();
        assert_eq!(Keys::of(dir.path()).unwrap().identity, keys.identity);
        let name = |name| AppName::parse(name).unwrap();
        let (blog, shop, ann) = (name("blog"), name("shop"), User::typed("Ann Lee", true).unwrap());
        let now = jiff::Timestamp::now().as_second();
        let token = keys.session(&blog, &ann, now).unwrap();
        assert_eq!(keys.read_session(&blog, &token), Some(ann.clone()));
        assert_eq!(keys.read_session(&shop, &token), None);
        assert_eq!(keys.read_session(&blog, &keys.session(&blog, &ann, now - SESSION - 1).unwrap()), None);
        assert_eq!(keys.read_session(&blog, &keys.word(&blog, &ann, now).unwrap()), None);
        let other = Keys::of(tempfile::tempdir().unwrap().path()).unwrap();
        assert_eq!(other.read_session(&blog, &token), None);
        let (head, rest) = token.split_at(token.len() - 4);
        let changed = if rest.starts_with('x') { 'y' } else { 'x' };
        assert_eq!(keys.read_session(&blog, &format!("{head}{changed}{}", &rest[1..])), None);
        assert_eq!(keys.read_session(&blog, "eyJhbGciOiJub25lIn0.e30."), None);
        let given = keys.seal(&blog, "begin", &"x", now, 60).unwrap();
        let read = |app, purpose, token: &str| keys.unseal::<String>(app, purpose, token);
        assert_eq!(read(&blog, "begin", &given), Some("x".into()));
        assert_eq!((read(&shop, "begin", &given), read(&blog, "session", &given)), (None, None));
        assert_eq!(read(&blog, "begin", &keys.seal(&blog, "begin", &"x", now - 61, 60).unwrap()), None);
        assert_eq!(other.unseal::<String>(&blog, "begin", &given), None);
    }

    #[test]
    fn a_name_is_a_user() {
        let user = |text| User::typed(text, false).map(|user| (user.username, user.email));
        assert_eq!(user("Ann Lee"), Some(("ann.lee".into(), "ann.lee@example.com".into())));
        assert_eq!(user("bob@corp.com"), Some(("bob".into(), "bob@corp.com".into())));
        assert_eq!((user(" "), user("\n@x")), (None, None));
        assert_eq!(User::typed("ann", true).unwrap().id, User::typed("ANN", false).unwrap().id);
        assert!(User::typed("小明", false).unwrap().id.parse::<u32>().unwrap() >= 1000);
    }
}
