//! One-off commands: what was run, and how it ended. What they printed is in files.

use rusqlite::{Row, params};

use super::{Store, wrong};
use crate::app::AppName;
use crate::problem::Result;
use crate::remote::api::{NewRun, ReleaseId, Run, RunId};

/// Why a run has ended that nobody saw ending.
const LOST: &str = "the node was stopped";

impl Store {
    /// A new run of `release`'s code.
    pub fn add_run(&self, app: &AppName, new: &NewRun, release: ReleaseId) -> Result<RunId> {
        let command = serde_json::to_string(&new.command).unwrap_or_default();
        self.lock()
            .query_row(
                "INSERT INTO runs (app, id, release, command, by, created)
                 SELECT ?1, 1 + coalesce(max(id), 0), ?2, ?3, ?4, ?5 FROM runs WHERE app = ?1 RETURNING id",
                params![app.as_str(), release.0, command, new.by, jiff::Timestamp::now().to_string()],
                |row| row.get(0).map(RunId),
            )
            .map_err(wrong)
    }

    pub fn end_run(&self, app: &AppName, id: RunId, code: u8, why: Option<&str>) -> Result<()> {
        self.lock()
            .execute(
                "UPDATE runs SET code = ?3, why = ?4 WHERE app = ?1 AND id = ?2 AND code IS NULL",
                params![app.as_str(), id.0, code, why],
            )
            .map(drop)
            .map_err(wrong)
    }

    /// Ends those that ran when the node was stopped or killed: they ended with it.
    pub fn end_lost_runs(&self) -> Result<()> {
        let ended = self.lock().execute("UPDATE runs SET code = 137, why = ?1 WHERE code IS NULL", [LOST]);
        ended.map(drop).map_err(wrong)
    }

    /// A run, and why it ended where it did not by itself.
    pub fn run(&self, app: &AppName, id: RunId) -> Result<Option<(Run, Option<String>)>> {
        let connection = self.lock();
        let mut statement = connection.prepare_cached(&format!("{SELECT} AND id = ?2")).map_err(wrong)?;
        let mut rows = statement.query_map(params![app.as_str(), id.0], read).map_err(wrong)?;
        rows.next().transpose().map_err(wrong)
    }

    /// The last `count`, newest first.
    pub fn runs(&self, app: &AppName, count: u32) -> Result<Vec<Run>> {
        let connection = self.lock();
        let mut statement = connection.prepare_cached(&format!("{SELECT} ORDER BY id DESC LIMIT ?2")).map_err(wrong)?;
        let rows = statement.query_map(params![app.as_str(), count], read).map_err(wrong)?;
        rows.map(|row| row.map(|(run, _)| run)).collect::<rusqlite::Result<_>>().map_err(wrong)
    }

    /// Forgets all but the `keep` last of each app that have ended; those forgotten are the answer.
    pub fn forget_runs(&self, keep: usize) -> Result<Vec<(AppName, RunId)>> {
        let connection = self.lock();
        let mut statement = connection
            .prepare_cached(
                "DELETE FROM runs WHERE code IS NOT NULL AND (app, id) IN (
                     SELECT app, id FROM (
                         SELECT app, id, row_number() OVER (PARTITION BY app ORDER BY id DESC) AS place FROM runs)
                     WHERE place > ?1) RETURNING app, id",
            )
            .map_err(wrong)?;
        let rows = statement.query_map([keep], |row| Ok((row.get::<_, String>(0)?, row.get(1)?))).map_err(wrong)?;
        let rows: Vec<(String, u64)> = rows.collect::<rusqlite::Result<_>>().map_err(wrong)?;
        rows.into_iter().map(|(app, id)| Ok((AppName::parse(&app)?, RunId(id)))).collect()
    }
}

const SELECT: &str = "SELECT id, release, command, by, created, code, why FROM runs WHERE app = ?1";

fn read(row: &Row) -> rusqlite::Result<(Run, Option<String>)> {
    let created: String = row.get(4)?;
    let run = Run {
        id: RunId(row.get(0)?),
        release: ReleaseId(row.get(1)?),
        command: super::releases::parsed(row, 2)?,
        by: row.get(3)?,
        created: created.parse().map_err(|error| super::releases::bad(4, error))?,
        code: row.get(5)?,
    };
    Ok((run, row.get(6)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_counted_ended_and_forgotten() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::create(&dir.path().join("store")).unwrap();
        let app = AppName::parse("a").unwrap();
        let new = NewRun { command: vec!["x".into(), "a b".into()], release: None, by: None };
        let add = || store.add_run(&app, &new, ReleaseId(4)).unwrap();
        assert_eq!([add(), add(), add()], [1, 2, 3].map(RunId));
        store.end_run(&app, RunId(1), 7, None).unwrap();
        store.end_run(&app, RunId(1), 9, None).unwrap();
        store.end_lost_runs().unwrap();
        let (run, why) = store.run(&app, RunId(1)).unwrap().unwrap();
        assert_eq!((run.code, run.command, run.release, why), (Some(7), new.command.clone(), ReleaseId(4), None));
        assert_eq!(store.run(&app, RunId(3)).unwrap().unwrap().1.as_deref(), Some(LOST));
        assert_eq!(add(), RunId(4));
        assert_eq!(store.forget_runs(2).unwrap(), [(app.clone(), RunId(1)), (app.clone(), RunId(2))]);
        assert_eq!(store.runs(&app, 9).unwrap().iter().map(|run| run.id.0).collect::<Vec<_>>(), [4, 3]);
    }
}
