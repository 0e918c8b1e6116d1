//! What a node remembers, in one SQLite file: releases and their events, images, tokens. All that was acknowledged
//! survives a kill; two processes may have it open.

mod domains;
mod images;
mod maintenance;
mod numbers;
mod releases;
mod runs;
mod settings;
mod tokens;
mod traffic;

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rusqlite::{Connection, ErrorCode, OpenFlags};

pub use images::StoredManifest;
pub use maintenance::Closure;
pub use releases::{Draft, Moved, SUPERSEDED, With};

use crate::problem::{Problem, Result};

pub struct Store {
    connection: Mutex<Connection>,
}

const SCHEMA: &str = "
CREATE TABLE apps (
    name TEXT PRIMARY KEY,
    -- The number of the newest release; numbers are never used twice.
    last INTEGER NOT NULL DEFAULT 0,
    live INTEGER
) STRICT;
CREATE TABLE releases (
    app TEXT NOT NULL REFERENCES apps (name),
    id INTEGER NOT NULL,
    image TEXT NOT NULL,
    created TEXT NOT NULL,
    state TEXT NOT NULL,
    message TEXT,
    by TEXT,
    git TEXT,
    repeats INTEGER,
    problem TEXT,
    PRIMARY KEY (app, id)
) STRICT;
CREATE TABLE events (
    app TEXT NOT NULL,
    release INTEGER NOT NULL,
    number INTEGER NOT NULL,
    event TEXT NOT NULL,
    PRIMARY KEY (app, release, number)
) STRICT;
CREATE TABLE blobs (
    app TEXT NOT NULL,
    digest TEXT NOT NULL,
    PRIMARY KEY (app, digest)
) STRICT;
CREATE TABLE manifests (
    app TEXT NOT NULL,
    digest TEXT NOT NULL,
    media_type TEXT NOT NULL,
    PRIMARY KEY (app, digest)
) STRICT;
CREATE TABLE tags (
    app TEXT NOT NULL,
    tag TEXT NOT NULL,
    digest TEXT NOT NULL,
    PRIMARY KEY (app, tag)
) STRICT;
CREATE TABLE tokens (
    id INTEGER PRIMARY KEY,
    -- SHA-256 of the token; the token itself is kept nowhere.
    hash BLOB NOT NULL UNIQUE,
    app TEXT,
    can TEXT NOT NULL,
    created TEXT NOT NULL
) STRICT;
";

/// What each later version adds.
const ADDED: &[&str] = &[
    "
-- What belongs to a release beside its image: environment and scale, sealed to the node's own key.
CREATE TABLE settings (
    app TEXT NOT NULL,
    id INTEGER NOT NULL,
    sealed BLOB NOT NULL,
    PRIMARY KEY (app, id)
) STRICT;
-- Those of the next release.
ALTER TABLE apps ADD COLUMN settings INTEGER;
ALTER TABLE releases ADD COLUMN settings INTEGER;
CREATE TABLE domains (
    host TEXT PRIMARY KEY,
    app TEXT NOT NULL
) STRICT;
CREATE TABLE runs (
    app TEXT NOT NULL,
    id INTEGER NOT NULL,
    release INTEGER NOT NULL,
    command TEXT NOT NULL,
    by TEXT,
    created TEXT NOT NULL,
    -- None while it runs.
    code INTEGER,
    why TEXT,
    PRIMARY KEY (app, id)
) STRICT;
",
    "
-- The release that is tried beside the live one, and on whom, as JSON.
ALTER TABLE apps ADD COLUMN gray INTEGER;
ALTER TABLE apps ADD COLUMN share TEXT;
",
    "
-- What tells the processes of one app from those of another; from 1 on, and never used twice.
CREATE TABLE numbers (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    app TEXT NOT NULL UNIQUE
) STRICT;
",
    "
-- The apps that are closed for maintenance.
CREATE TABLE maintenance (
    app TEXT PRIMARY KEY,
    since TEXT NOT NULL,
    by TEXT,
    message TEXT,
    retry_after_s INTEGER NOT NULL,
    page TEXT
) STRICT;
",
];

/// The schema's version, kept in SQLite's `user_version`.
const VERSION: i64 = 5;

impl Store {
    /// Makes the file, or opens one that is there.
    pub fn create(path: &Path) -> Result<Self> {
        let mut connection = open(path, OpenFlags::SQLITE_OPEN_CREATE)?;
        let transaction = connection.transaction().map_err(wrong)?;
        let version: i64 = transaction.query_row("PRAGMA user_version", [], |row| row.get(0)).map_err(wrong)?;
        if version == 0 {
            transaction.execute_batch(SCHEMA).map_err(wrong)?;
            transaction.pragma_update(None, "user_version", 1).map_err(wrong)?;
        }
        transaction.commit().map_err(wrong)?;
        drop(connection);
        Self::open(path)
    }

    /// Opens the file, which must be there; one of an earlier version is brought up to this one.
    pub fn open(path: &Path) -> Result<Self> {
        let mut connection = open(path, OpenFlags::empty())?;
        let transaction = connection.transaction().map_err(wrong)?;
        let version: i64 = transaction.query_row("PRAGMA user_version", [], |row| row.get(0)).map_err(wrong)?;
        let missing = usize::try_from(version - 1).ok().and_then(|there| ADDED.get(there..)).unwrap_or_default();
        for added in missing {
            transaction.execute_batch(added).map_err(wrong)?;
        }
        if !missing.is_empty() {
            transaction.pragma_update(None, "user_version", VERSION).map_err(wrong)?;
        }
        transaction.commit().map_err(wrong)?;
        Self::checked(connection, path)
    }

    fn checked(connection: Connection, path: &Path) -> Result<Self> {
        let version: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0)).map_err(wrong)?;
        if version != VERSION {
            return Err(Problem::new("node.store-version", format!("`{}` was made by another dae", path.display()))
                .because(format!("it is of version {version}, this dae reads version {VERSION}"))
                .hint("run the node with the dae that made it"));
        }
        Ok(Self { connection: Mutex::new(connection) })
    }

    /// A poisoned lock means another thread died between two statements; SQLite has undone its transaction.
    fn lock(&self) -> MutexGuard<'_, Connection> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn open(path: &Path, flags: OpenFlags) -> Result<Connection> {
    let flags = flags | OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(path, flags)
        .map_err(|error| wrong(error).because(format!("while opening `{}`", path.display())))?;
    connection.busy_timeout(std::time::Duration::from_secs(10)).map_err(wrong)?;
    connection.pragma_update(None, "journal_mode", "WAL").map_err(wrong)?;
    connection.pragma_update(None, "synchronous", "FULL").map_err(wrong)?;
    connection.pragma_update(None, "foreign_keys", true).map_err(wrong)?;
    connection.set_transaction_behavior(rusqlite::TransactionBehavior::Immediate);
    Ok(connection)
}

/// A fault of the store as a problem.
fn wrong(error: rusqlite::Error) -> Problem {
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => Problem::new("node.disk-full", "the node's disk is full")
            .because("the store cannot be written")
            .hint("free some space on the node and try again; nothing was changed"),
        Some(ErrorCode::DatabaseBusy) => {
            Problem::new("node.store-busy", "the node's store is in use").because(error).hint("try again")
        }
        _ => Problem::new("node.store", "the node's store does not answer").because(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_earlier_one_is_brought_up_to_date() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("store.sqlite");
        let old = Connection::open(&path).unwrap();
        old.execute_batch(SCHEMA).unwrap();
        old.execute_batch("INSERT INTO apps (name, last, live) VALUES ('a', 1, 1)").unwrap();
        old.execute_batch("INSERT INTO releases (app, id, image, created, state) VALUES ('a', 1, 'i', '2026-01-01T00:00:00Z', 'live')").unwrap();
        old.pragma_update(None, "user_version", 1).unwrap();
        drop(old);
        for _ in 0..2 {
            let store = Store::open(&path).unwrap();
            let app = crate::app::AppName::parse("a").unwrap();
            assert_eq!(store.live(&app).unwrap().unwrap().id.0, 1);
            assert_eq!(store.settings(&app, None).unwrap(), None);
        }
    }

    #[test]
    fn only_a_store_is_opened() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("store.sqlite");
        assert_eq!(Store::open(&path).err().unwrap().code, "node.store");
        Store::create(&path).unwrap();
        Store::create(&path).unwrap();
        assert_eq!(VERSION, 1 + i64::try_from(ADDED.len()).unwrap());
        let other = Connection::open(&path).unwrap();
        other.pragma_update(None, "user_version", 99).unwrap();
        assert_eq!(Store::open(&path).err().unwrap().code, "node.store-version");
    }
}
