//! Errors on disk: reports that are alike are one error with a count, its first and last time, and its latest reports.

use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, params};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::event::Event;
use crate::problem::{Doing as _, Problem, Result};

/// So many of an error's reports are kept whole, the newest.
const REPORTS: u64 = 10;
/// So many of an error's times are kept, the newest.
const TIMES: u64 = 1_000;
/// So many errors are kept, those seen last.
const MOST: u64 = 2_000;
const REFUSALS: u64 = 20;

const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS errors (
    id INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT NOT NULL UNIQUE, kind TEXT NOT NULL, message TEXT NOT NULL,
    place TEXT NOT NULL, level TEXT NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL, count INTEGER NOT NULL,
    resolved INTEGER);
CREATE TABLE IF NOT EXISTS reports (
    id TEXT PRIMARY KEY, error INTEGER NOT NULL REFERENCES errors ON DELETE CASCADE, time INTEGER NOT NULL, body TEXT);
CREATE INDEX IF NOT EXISTS reports_of ON reports (error, time);
CREATE TABLE IF NOT EXISTS refused (time INTEGER NOT NULL, why TEXT NOT NULL);
";

/// An app's errors.
#[derive(Debug)]
pub struct Store {
    database: Connection,
}

/// Reports that are alike.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    pub id: u64,
    pub kind: String,
    pub message: String,
    pub place: String,
    pub level: String,
    pub first: Timestamp,
    pub last: Timestamp,
    pub count: u64,
    /// When somebody said that it is done with.
    pub resolved: Option<Timestamp>,
    /// How often it was seen since the given time; of its last thousand times.
    pub since: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    pub time: Timestamp,
    pub why: String,
}

/// What became of a report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Added {
    pub error: u64,
    pub count: u64,
    /// It was done with and is there again.
    pub back: bool,
}

/// Whether there was such an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resolved {
    Now,
    Before,
    Unknown,
}

impl Store {
    /// The errors below a space's `data`; makes the file where it is not there.
    pub fn open(data: &Path) -> Result<Self> {
        let path = data.join("errors.db");
        let open = || -> rusqlite::Result<Connection> {
            let database = Connection::open(&path)?;
            database.busy_timeout(Duration::from_secs(10))?;
            database
                .execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA foreign_keys = ON;")?;
            database.execute_batch(SCHEMA)?;
            Ok(database)
        };
        let database = open().map_err(wrong)?;
        Ok(Self { database })
    }

    /// The errors that are there; none where nothing was ever reported.
    pub fn look(data: &Path) -> Result<Option<Self>> {
        let there = data.join("errors.db").try_exists().doing(|| format!("look into `{}`", data.display()))?;
        there.then(|| Self::open(data)).transpose()
    }

    /// Keeps a report; `None` for one that is there already.
    pub fn add(&mut self, event: &Event, report: &str, now: Timestamp) -> Result<Option<Added>> {
        let mut add = || -> rusqlite::Result<Option<Added>> {
            let change = self.database.transaction()?;
            let now = now.as_millisecond();
            let known =
                change.query_row("SELECT id FROM reports WHERE id = ?", [&event.id], |_| Ok(())).optional()?.is_some();
            if known {
                return Ok(None);
            }
            let back = change
                .query_row("SELECT resolved IS NOT NULL FROM errors WHERE key = ?", [&event.key], |row| row.get(0))
                .optional()?
                .unwrap_or(false);
            // Not in one statement: an INSERT that turns into an UPDATE uses up a number.
            let again = change
                .query_row(
                    "UPDATE errors SET message = ?2, place = ?3, level = ?4, last = ?5, count = count + 1, resolved = NULL
                     WHERE key = ?1 RETURNING id, count",
                    params![event.key, event.message, event.place, event.level, now],
                    |row| Ok((row.get(0)?, row.get(1)?)),
                )
                .optional()?;
            let (error, count) = match again {
                Some(again) => again,
                None => change.query_row(
                    "INSERT INTO errors (key, kind, message, place, level, first, last, count)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6, 1) RETURNING id, count",
                    params![event.key, event.kind, event.message, event.place, event.level, now],
                    |row| Ok((row.get(0)?, row.get(1)?)),
                )?,
            };
            change.execute(
                "INSERT INTO reports (id, error, time, body) VALUES (?, ?, ?, ?)",
                params![event.id, error, now, report],
            )?;
            change.execute(
                "UPDATE reports SET body = NULL WHERE error = ?1 AND body IS NOT NULL AND rowid NOT IN
                 (SELECT rowid FROM reports WHERE error = ?1 ORDER BY time DESC, rowid DESC LIMIT ?2)",
                params![error, REPORTS],
            )?;
            change.execute(
                "DELETE FROM reports WHERE error = ?1 AND rowid NOT IN
                 (SELECT rowid FROM reports WHERE error = ?1 ORDER BY time DESC, rowid DESC LIMIT ?2)",
                params![error, TIMES],
            )?;
            if count == 1 {
                change.execute(
                    "DELETE FROM errors WHERE id NOT IN (SELECT id FROM errors ORDER BY last DESC, id DESC LIMIT ?)",
                    [MOST],
                )?;
            }
            change.commit()?;
            Ok(Some(Added { error, count, back }))
        };
        add().map_err(wrong)
    }

    /// Keeps why a report could not be taken.
    pub fn refuse(&self, why: &str, now: Timestamp) -> Result<()> {
        let refuse = || -> rusqlite::Result<()> {
            self.database
                .execute("INSERT INTO refused (time, why) VALUES (?, ?)", params![now.as_millisecond(), why])?;
            let old = "DELETE FROM refused WHERE rowid NOT IN (SELECT rowid FROM refused ORDER BY rowid DESC LIMIT ?)";
            self.database.execute(old, [REFUSALS])?;
            Ok(())
        };
        refuse().map_err(wrong)
    }

    /// Every error, the one seen last first, with how often it was seen since `edit`.
    pub fn list(&self, edit: Option<Timestamp>) -> Result<Vec<Group>> {
        let list = || -> rusqlite::Result<Vec<Group>> {
            let mut select = self.database.prepare(
                "SELECT id, kind, message, place, level, first, last, count, resolved,
                        (SELECT count(*) FROM reports WHERE error = errors.id AND time > ?)
                 FROM errors ORDER BY last DESC, id DESC",
            )?;
            let edit = edit.map_or(i64::MAX, Timestamp::as_millisecond);
            select
                .query_map([edit], |row| {
                    Ok(Group {
                        id: row.get(0)?,
                        kind: row.get(1)?,
                        message: row.get(2)?,
                        place: row.get(3)?,
                        level: row.get(4)?,
                        first: time(row.get(5)?),
                        last: time(row.get(6)?),
                        count: row.get(7)?,
                        resolved: row.get::<_, Option<i64>>(8)?.map(time),
                        since: row.get(9)?,
                    })
                })?
                .collect()
        };
        list().map_err(wrong)
    }

    /// The latest reports of an error, the newest first.
    pub fn reports(&self, error: u64) -> Result<Vec<Value>> {
        let list = || -> rusqlite::Result<Vec<String>> {
            let mut select = self.database.prepare(
                "SELECT body FROM reports WHERE error = ? AND body IS NOT NULL ORDER BY time DESC, rowid DESC",
            )?;
            select.query_map([error], |row| row.get(0))?.collect()
        };
        Ok(list().map_err(wrong)?.iter().filter_map(|body| serde_json::from_str(body).ok()).collect())
    }

    pub fn refused(&self) -> Result<Vec<Refused>> {
        let list = || -> rusqlite::Result<Vec<Refused>> {
            let mut select = self.database.prepare("SELECT time, why FROM refused ORDER BY rowid")?;
            select.query_map([], |row| Ok(Refused { time: time(row.get(0)?), why: row.get(1)? }))?.collect()
        };
        list().map_err(wrong)
    }

    /// Says that an error is done with; seen again, it is there again.
    pub fn resolve(&self, error: u64, now: Timestamp) -> Result<Resolved> {
        let resolve = || -> rusqlite::Result<Resolved> {
            let set = "UPDATE errors SET resolved = ? WHERE id = ? AND resolved IS NULL";
            if self.database.execute(set, params![now.as_millisecond(), error])? > 0 {
                return Ok(Resolved::Now);
            }
            let known = self.database.query_row("SELECT 1 FROM errors WHERE id = ?", [error], |_| Ok(())).optional()?;
            Ok(if known.is_some() { Resolved::Before } else { Resolved::Unknown })
        };
        resolve().map_err(wrong)
    }
}

fn time(milliseconds: i64) -> Timestamp {
    Timestamp::from_millisecond(milliseconds).unwrap_or_default()
}

fn wrong(error: rusqlite::Error) -> Problem {
    Problem::new("errors.store", "the errors that are kept could not be reached")
        .because(error)
        .hint("they are in `.dae/data/errors.db`; it may be deleted")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(id: u64, key: &str) -> Event {
        Event {
            id: format!("{id:032x}"),
            key: key.into(),
            kind: "KeyError".into(),
            message: format!("number {id}"),
            place: "app.py:1 in f".into(),
            level: "error".into(),
        }
    }

    #[test]
    fn what_is_alike_is_counted() {
        let dir = tempfile::tempdir().unwrap();
        assert!(Store::look(dir.path()).unwrap().is_none());
        let mut store = Store::open(dir.path()).unwrap();
        let at = |second| Timestamp::from_second(second).unwrap();
        for number in 0..20 {
            let added = store.add(&event(number, "a"), &format!("{{\"n\":{number}}}"), at(100 + number.cast_signed()));
            assert_eq!(added.unwrap().unwrap().count, number + 1);
        }
        assert_eq!(store.add(&event(3, "a"), "{}", at(200)).unwrap(), None);
        store.add(&event(99, "b"), "{}", at(50)).unwrap();
        let listed = store.list(Some(at(117))).unwrap();
        let seen: Vec<_> =
            listed.iter().map(|group| (group.id, group.count, group.since, group.first, group.last)).collect();
        assert_eq!(seen, [(1, 20, 2, at(100), at(119)), (2, 1, 0, at(50), at(50))]);
        assert_eq!(store.list(None).unwrap()[0].since, 0);
        let reports = store.reports(1).unwrap();
        assert_eq!((reports.len(), &reports[0]["n"]), (10, &19.into()));
        assert_eq!(store.resolve(1, at(300)).unwrap(), Resolved::Now);
        assert_eq!(store.resolve(1, at(300)).unwrap(), Resolved::Before);
        assert_eq!(store.resolve(9, at(300)).unwrap(), Resolved::Unknown);
        assert_eq!(store.list(None).unwrap()[0].resolved, Some(at(300)));
        assert!(store.add(&event(21, "a"), "{}", at(301)).unwrap().unwrap().back);
        assert_eq!(Store::open(dir.path()).unwrap().list(None).unwrap()[0].resolved, None);
        store.refuse("no JSON", at(1)).unwrap();
        assert_eq!(store.refused().unwrap(), [Refused { time: at(1), why: "no JSON".into() }]);
    }
}
