//! What is known of an app's scheduled runs: each with its times, its exit and its output; what is paused; how far the
//! clock was followed. Read by `dae cron` while a server writes.

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Row, params};
use serde::{Deserialize, Serialize};

use crate::problem::{Doing as _, Problem, Result};

/// Runs kept of a job; older ones are forgotten.
const KEPT: u32 = 200;

const SCHEMA: &str = "
    pragma journal_mode = wal;
    create table if not exists runs (
        id integer primary key, job text not null, due integer not null, began integer not null, ended integer,
        by text not null, outcome text not null, code integer, output text not null default '');
    create index if not exists runs_of on runs (job, id);
    create table if not exists paused (job text primary key);
    create table if not exists followed (job text primary key, schedule text not null, until integer not null);
";

#[derive(Debug)]
pub struct Store(Mutex<Connection>);

/// One run of a job, or one that did not come to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    pub id: i64,
    pub job: String,
    /// The time it was for.
    pub due: Timestamp,
    pub began: Timestamp,
    pub ended: Option<Timestamp>,
    /// `schedule`, or `hand`.
    pub by: String,
    pub outcome: Outcome,
    /// The script's exit code, the answer's status, or the signal it was ended by, below zero.
    pub code: Option<i32>,
    /// The end of what it printed, or the beginning of the answer's body.
    pub output: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    Running,
    Good,
    Failed,
    /// It was due while nothing served the app.
    Missed,
    /// It was due while the last one went on.
    Skipped,
    /// The server ended while it went on.
    Lost,
}

impl Outcome {
    const ALL: [Self; 6] = [Self::Running, Self::Good, Self::Failed, Self::Missed, Self::Skipped, Self::Lost];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Good => "good",
            Self::Failed => "failed",
            Self::Missed => "missed",
            Self::Skipped => "skipped",
            Self::Lost => "lost",
        }
    }
}

fn failed(error: rusqlite::Error) -> Problem {
    Problem::new("cron.store", "could not use what is kept of the scheduled runs").because(error)
}

impl Store {
    /// Opens what is kept in `folder`; none: nothing ever was.
    pub fn look(folder: &Path) -> Result<Option<Self>> {
        if folder.exists() { Self::open(folder).map(Some) } else { Ok(None) }
    }

    /// Opens what is kept in `folder`, and makes it where it is not there.
    pub fn open(folder: &Path) -> Result<Self> {
        std::fs::create_dir_all(folder).doing(|| format!("make the folder `{}`", folder.display()))?;
        let db = Connection::open(folder.join("cron.sqlite")).map_err(failed)?;
        db.busy_timeout(Duration::from_secs(10)).map_err(failed)?;
        db.execute_batch(SCHEMA).map_err(failed)?;
        Ok(Self(Mutex::new(db)))
    }

    fn db(&self) -> MutexGuard<'_, Connection> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What was running when the server died runs no more.
    pub fn lose(&self) -> Result<()> {
        let db = self.db();
        db.execute("update runs set outcome = 'lost' where outcome = 'running'", []).map(drop).map_err(failed)
    }

    pub fn begin(&self, job: &str, due: Timestamp, by: &str) -> Result<i64> {
        self.add(job, due, by, Outcome::Running, "")
    }

    /// Notes a run that began, or one that will not be.
    pub fn add(&self, job: &str, due: Timestamp, by: &str, outcome: Outcome, output: &str) -> Result<i64> {
        let now = Timestamp::now().as_millisecond();
        let db = self.db();
        db.execute(
            "insert into runs (job, due, began, by, outcome, output) values (?1, ?2, ?3, ?4, ?5, ?6)",
            params![job, due.as_millisecond(), now, by, outcome.as_str(), output],
        )
        .map_err(failed)?;
        let id = db.last_insert_rowid();
        db.execute(
            "delete from runs where job = ?1 and outcome <> 'running' and id <= \
             (select id from runs where job = ?1 order by id desc limit 1 offset ?2)",
            params![job, KEPT],
        )
        .map_err(failed)?;
        Ok(id)
    }

    pub fn end(&self, id: i64, outcome: Outcome, code: Option<i32>, output: &str) -> Result<()> {
        let now = Timestamp::now().as_millisecond();
        self.db()
            .execute(
                "update runs set ended = ?2, outcome = ?3, code = ?4, output = ?5 where id = ?1",
                params![id, now, outcome.as_str(), code, output],
            )
            .map(drop)
            .map_err(failed)
    }

    pub fn run(&self, id: i64) -> Result<Option<Run>> {
        self.db().query_row("select * from runs where id = ?1", [id], read).optional().map_err(failed)
    }

    /// The newest first, of one job or of all.
    pub fn runs(&self, job: Option<&str>, most: u32) -> Result<Vec<Run>> {
        let db = self.db();
        let mut query =
            db.prepare("select * from runs where ?1 is null or job = ?1 order by id desc limit ?2").map_err(failed)?;
        let runs = query.query_map(params![job, most], read).map_err(failed)?;
        runs.collect::<rusqlite::Result<_>>().map_err(failed)
    }

    pub fn pause(&self, job: &str) -> Result<()> {
        self.db().execute("insert or ignore into paused values (?1)", [job]).map(drop).map_err(failed)
    }

    pub fn resume(&self, job: &str) -> Result<()> {
        self.db().execute("delete from paused where job = ?1", [job]).map(drop).map_err(failed)
    }

    pub fn is_paused(&self, job: &str) -> Result<bool> {
        let found = self.db().query_row("select 1 from paused where job = ?1", [job], |_| Ok(())).optional();
        found.map(|found| found.is_some()).map_err(failed)
    }

    /// Up to when this job's `schedule` was followed; `None` for one that is new or has another.
    pub fn followed(&self, job: &str, schedule: &str) -> Result<Option<Timestamp>> {
        let db = self.db();
        let until = db
            .query_row("select until from followed where job = ?1 and schedule = ?2", [job, schedule], |row| row.get(0))
            .optional()
            .map_err(failed)?;
        Ok(until.and_then(|until: i64| Timestamp::from_millisecond(until).ok()))
    }

    pub fn follow(&self, job: &str, schedule: &str, until: Timestamp) -> Result<()> {
        let db = self.db();
        let sql = "insert or replace into followed values (?1, ?2, ?3)";
        db.execute(sql, params![job, schedule, until.as_millisecond()]).map(drop).map_err(failed)
    }
}

fn read(row: &Row<'_>) -> rusqlite::Result<Run> {
    let time = |at: i64| Timestamp::from_millisecond(at).unwrap_or_default();
    let outcome: String = row.get("outcome")?;
    Ok(Run {
        id: row.get("id")?,
        job: row.get("job")?,
        due: time(row.get("due")?),
        began: time(row.get("began")?),
        ended: row.get::<_, Option<i64>>("ended")?.map(time),
        by: row.get("by")?,
        outcome: Outcome::ALL.into_iter().find(|known| known.as_str() == outcome).unwrap_or(Outcome::Lost),
        code: row.get("code")?,
        output: row.get("output")?,
    })
}
