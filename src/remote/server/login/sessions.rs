//! Who is logged in to a node's apps, and the numbers people have here: one SQLite file, what is secret in it sealed. A session is
//! named by a random word that only its browser has; kept is the word's hash.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::{BoxFuture, Shared};
use rusqlite::{Connection, OptionalExtension as _, params};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::person::Person;
use crate::app::AppName;
use crate::packaging::Key;
use crate::problem::{Problem, Result};

pub struct Sessions {
    database: Mutex<Connection>,
    /// Opens what is sealed.
    key: Key,
    /// Those that were asked for lately.
    known: Mutex<HashMap<Hash, Arc<Session>>>,
}

type Hash = [u8; 32];

/// So many are held in memory.
const HELD: usize = 10_000;
/// The first number; below it apps keep users of their own making.
const FIRST: u64 = 1001;

const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS people (
    number INTEGER PRIMARY KEY AUTOINCREMENT, issuer TEXT NOT NULL, subject TEXT NOT NULL, UNIQUE (issuer, subject)
) STRICT;
CREATE TABLE IF NOT EXISTS sessions (
    hash BLOB PRIMARY KEY, app TEXT NOT NULL, ends INTEGER NOT NULL, sealed BLOB NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS sessions_ends ON sessions (ends);
";

/// What is kept of a session. Times are seconds since 1970.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    pub person: Person,
    pub number: u64,
    /// Issuer and client; another one's session is none.
    pub client: String,
    pub refresh: Option<String>,
    pub id_token: Option<String>,
    /// Then the provider is asked again.
    pub ask_at: i64,
    /// After this nobody is believed without its answer.
    pub good_until: i64,
    pub ends: i64,
}

pub struct Session {
    pub hash: Hash,
    kept: Mutex<Option<Kept>>,
    /// The provider is being asked; who comes meanwhile waits for the same answer.
    pub asking: Mutex<Option<Shared<BoxFuture<'static, ()>>>>,
}

impl Session {
    /// None: it has ended.
    pub fn kept(&self) -> Option<Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// In memory only.
    pub fn put_off(&self, until: i64) {
        if let Some(kept) = self.kept.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
            kept.ask_at = until;
        }
    }
}

impl Sessions {
    pub fn open(path: &Path, key: Key) -> Result<Self> {
        let open = || -> rusqlite::Result<Connection> {
            let database = Connection::open(path)?;
            database.busy_timeout(Duration::from_secs(10))?;
            database.execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;")?;
            database.execute_batch(SCHEMA)?;
            database.execute(
                "INSERT INTO sqlite_sequence (name, seq) SELECT 'people', ?1
                 WHERE NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = 'people')",
                [FIRST - 1],
            )?;
            Ok(database)
        };
        Ok(Self { database: Mutex::new(open().map_err(wrong)?), key, known: Mutex::default() })
    }

    /// The number of somebody, the same for ever and in every app.
    pub fn number(&self, issuer: &str, subject: &str) -> Result<u64> {
        let database = self.database();
        let find = || {
            let find = "SELECT number FROM people WHERE issuer = ?1 AND subject = ?2";
            database.query_row(find, [issuer, subject], |row| row.get(0)).optional()
        };
        let find_or_add = || -> rusqlite::Result<u64> {
            if let Some(number) = find()? {
                return Ok(number);
            }
            database.execute("INSERT INTO people (issuer, subject) VALUES (?1, ?2)", [issuer, subject])?;
            Ok(database.last_insert_rowid().unsigned_abs())
        };
        find_or_add().map_err(wrong)
    }

    /// Begins one that the word `word` names.
    pub fn begin(&self, app: &AppName, word: &str, kept: &Kept, now: i64) -> Result<()> {
        let sealed = self.seal(kept)?;
        let database = self.database();
        let write = || -> rusqlite::Result<()> {
            database.execute("DELETE FROM sessions WHERE ends < ?1", [now])?;
            let add = "INSERT INTO sessions (hash, app, ends, sealed) VALUES (?1, ?2, ?3, ?4)";
            database.execute(add, params![hash(word), app.as_str(), kept.ends, sealed])?;
            Ok(())
        };
        write().map_err(wrong)
    }

    /// One in memory, which is soon asked.
    pub fn held(&self, word: &str) -> Option<Arc<Session>> {
        self.known().get(&hash(word)).cloned()
    }

    pub fn find(&self, app: &AppName, word: &str) -> Result<Option<Arc<Session>>> {
        let hash = hash(word);
        let sealed: Option<Vec<u8>> = self
            .database()
            .query_row("SELECT sealed FROM sessions WHERE hash = ?1 AND app = ?2", params![hash, app.as_str()], |row| {
                row.get(0)
            })
            .optional()
            .map_err(wrong)?;
        let Some(sealed) = sealed else { return Ok(None) };
        let kept = serde_json::from_slice(&self.key.open(&sealed)?)
            .map_err(|error| Problem::new("login.session", "a session is not readable").because(error))?;
        let mut known = self.known();
        if known.len() >= HELD {
            // One that is in use must stay the only one.
            known.retain(|_, session| Arc::strong_count(session) > 1);
        }
        let session = || Arc::new(Session { hash, kept: Mutex::new(Some(kept)), asking: Mutex::default() });
        Ok(Some(known.entry(hash).or_insert_with(session).clone()))
    }

    /// Keeps what is new of one; one that has ended stays so.
    pub fn keep(&self, session: &Session, kept: Kept) -> Result<()> {
        let sealed = self.seal(&kept)?;
        {
            let mut now = session.kept.lock().unwrap_or_else(PoisonError::into_inner);
            if now.is_none() {
                return Ok(());
            }
            *now = Some(kept);
        }
        let write = "UPDATE sessions SET sealed = ?2 WHERE hash = ?1";
        self.database().execute(write, params![session.hash, sealed]).map(drop).map_err(wrong)
    }

    /// Ends it; its word names nothing any more. The answer is what was kept.
    pub fn end(&self, session: &Session) -> Result<Option<Kept>> {
        let kept = session.kept.lock().unwrap_or_else(PoisonError::into_inner).take();
        self.known().remove(&session.hash);
        self.database().execute("DELETE FROM sessions WHERE hash = ?1", [session.hash]).map_err(wrong)?;
        Ok(kept)
    }

    fn seal(&self, kept: &Kept) -> Result<Vec<u8>> {
        let plain = serde_json::to_vec(kept)
            .map_err(|error| Problem::new("login.session", "could not write a session").because(error))?;
        self.key.public().seal(&plain)
    }

    fn database(&self) -> MutexGuard<'_, Connection> {
        self.database.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn known(&self) -> MutexGuard<'_, HashMap<Hash, Arc<Session>>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn hash(word: &str) -> Hash {
    Sha256::digest(word.as_bytes()).into()
}

fn wrong(error: rusqlite::Error) -> Problem {
    Problem::new("login.store", "what is kept of logins does not answer").because(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(number: u64) -> Kept {
        let person = Person {
            subject: "s".into(),
            name: "Ann".into(),
            username: "ann".into(),
            email: String::new(),
            admin: false,
        };
        let (refresh, id_token) = (Some("swordfish".into()), None);
        Kept { person, number, client: "c".into(), refresh, id_token, ask_at: 1, good_until: 2, ends: 100 }
    }

    #[test]
    fn a_session_is_its_apps_and_ends_for_good() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("login.sqlite");
        let key = Key::generate();
        let open = || Sessions::open(&path, Key::parse(&key.secret()).unwrap()).unwrap();
        let app = |name| AppName::parse(name).unwrap();
        let sessions = open();
        assert_eq!(sessions.number("i", "a").unwrap(), FIRST);
        assert_eq!((sessions.number("i", "b").unwrap(), sessions.number("j", "a").unwrap()), (FIRST + 1, FIRST + 2));
        sessions.begin(&app("blog"), "word", &kept(FIRST), 0).unwrap();
        drop(sessions);

        let sessions = open();
        assert_eq!(sessions.number("i", "b").unwrap(), FIRST + 1);
        assert!(sessions.held("word").is_none() && sessions.find(&app("shop"), "word").unwrap().is_none());
        let session = sessions.find(&app("blog"), "word").unwrap().unwrap();
        assert_eq!(session.kept(), Some(kept(FIRST)));
        sessions.keep(&session, Kept { ask_at: 50, ..kept(FIRST) }).unwrap();
        assert_eq!(open().find(&app("blog"), "word").unwrap().unwrap().kept().unwrap().ask_at, 50);
        let at_rest = std::fs::read(&path).unwrap();
        assert!(!at_rest.windows(9).any(|part| part == b"swordfish"));

        assert!(sessions.end(&session).unwrap().is_some());
        // An answer that comes late brings nothing back.
        sessions.keep(&session, kept(FIRST)).unwrap();
        assert!(sessions.held("word").is_none() && sessions.find(&app("blog"), "word").unwrap().is_none());

        sessions.begin(&app("blog"), "old", &kept(FIRST), 0).unwrap();
        sessions.begin(&app("blog"), "new", &Kept { ends: 200, ..kept(FIRST) }, 101).unwrap();
        assert!(sessions.find(&app("blog"), "old").unwrap().is_none());
    }
}
