//! What a node remembers, in one SQLite file: releases and their events, images, tokens. All that was acknowledged
//! survives a kill; two processes may have it open.

mod images;
mod releases;
mod tokens;

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rusqlite::{Connection, ErrorCode, OpenFlags};

pub use images::StoredManifest;
pub use releases::{Draft, Expected, Moved, SUPERSEDED};

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

/// The schema's version, kept in SQLite's `user_version`.
const VERSION: i64 = 1;

impl Store {
    /// Makes the file, or opens one that is there.
    pub fn create(path: &Path) -> Result<Self> {
        let mut connection = open(path, OpenFlags::SQLITE_OPEN_CREATE)?;
        let transaction = connection.transaction().map_err(wrong)?;
        let version: i64 = transaction.query_row("PRAGMA user_version", [], |row| row.get(0)).map_err(wrong)?;
        if version == 0 {
            transaction.execute_batch(SCHEMA).map_err(wrong)?;
            transaction.pragma_update(None, "user_version", VERSION).map_err(wrong)?;
        }
        transaction.commit().map_err(wrong)?;
        Self::checked(connection, path)
    }

    /// Opens the file, which must be there.
    pub fn open(path: &Path) -> Result<Self> {
        Self::checked(open(path, OpenFlags::empty())?, path)
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
    fn only_a_store_is_opened() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("store.sqlite");
        assert_eq!(Store::open(&path).err().unwrap().code, "node.store");
        Store::create(&path).unwrap();
        Store::create(&path).unwrap();
        let other = Connection::open(&path).unwrap();
        other.pragma_update(None, "user_version", 99).unwrap();
        assert_eq!(Store::open(&path).err().unwrap().code, "node.store-version");
    }
}
