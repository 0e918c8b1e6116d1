//! Releases: accepted by compare-and-set on the live one, ended by their last event.

use rusqlite::types::Type;
use rusqlite::{Connection, OptionalExtension as _, Row, Transaction, params};

use super::super::headers::Expected;
use super::{Store, wrong};
use crate::app::AppName;
use crate::packaging::Digest;
use crate::problem::{Problem, Result};
use crate::remote::api::{DeployEvent, GitState, Release, ReleaseId, ReleaseState};

/// A release about to be accepted.
#[derive(Debug, Clone, Default)]
pub struct Draft {
    pub image: String,
    pub message: Option<String>,
    pub by: Option<String>,
    pub git: Option<GitState>,
    pub repeats: Option<ReleaseId>,
    pub settings: With,
}

/// Which settings a release has.
#[derive(Debug, Clone, Default)]
pub enum With {
    /// Those of the one that is live, or what was set before anything was.
    #[default]
    Current,
    /// Those of an earlier one.
    Of(ReleaseId),
    /// These, sealed.
    New(Vec<u8>),
}

/// Something else is live than was expected.
#[derive(Debug)]
pub struct Moved {
    pub live: Option<Box<Release>>,
}

impl Store {
    /// Records `draft` as the app's next release, if what is live is what was expected.
    pub fn accept(
        &self,
        app: &AppName,
        draft: Draft,
        expected: Expected,
    ) -> Result<std::result::Result<Release, Moved>> {
        let mut connection = self.lock();
        let transaction = connection.transaction().map_err(wrong)?;
        transaction.execute("INSERT OR IGNORE INTO apps (name) VALUES (?1)", [app.as_str()]).map_err(wrong)?;
        let live = live(&transaction, app)?;
        if !expected.is_met_by(live.as_ref().map(|release| release.id)) {
            return Ok(Err(Moved { live: live.map(Box::new) }));
        }
        let id = transaction
            .query_row("UPDATE apps SET last = last + 1 WHERE name = ?1 RETURNING last", [app.as_str()], |row| {
                row.get(0)
            })
            .map_err(wrong)?;
        let Draft { image, message, by, git, repeats, settings } = draft;
        let settings: Option<u64> = match settings {
            With::Current => transaction
                .query_row("SELECT settings FROM apps WHERE name = ?1", [app.as_str()], |row| row.get(0))
                .map_err(wrong)?,
            With::Of(id) => transaction
                .query_row(
                    "SELECT settings FROM releases WHERE app = ?1 AND id = ?2",
                    params![app.as_str(), id.0],
                    |row| row.get(0),
                )
                .map_err(wrong)?,
            With::New(sealed) => Some(super::settings::add(&transaction, app, &sealed)?),
        };
        let created = jiff::Timestamp::now();
        transaction
            .execute(
                "INSERT INTO releases (app, id, image, created, state, message, by, git, repeats, settings)
                 VALUES (?1, ?2, ?3, ?4, 'starting', ?5, ?6, ?7, ?8, ?9)",
                params![
                    app.as_str(),
                    id,
                    image,
                    created.to_string(),
                    message,
                    by,
                    git.as_ref().map(text),
                    repeats.map(|id| id.0),
                    settings,
                ],
            )
            .map_err(wrong)?;
        transaction.commit().map_err(wrong)?;
        let id = ReleaseId(id);
        Ok(Ok(Release { id, image, created, state: ReleaseState::Starting, message, by, git, repeats, problem: None }))
    }

    pub fn live(&self, app: &AppName) -> Result<Option<Release>> {
        live(&self.lock(), app)
    }

    pub fn release(&self, app: &AppName, id: ReleaseId) -> Result<Option<Release>> {
        select(&self.lock(), "WHERE app = ?1 AND id = ?2", params![app.as_str(), id.0])
            .map(|found| found.into_iter().next())
    }

    /// Newest first.
    pub fn releases(&self, app: &AppName) -> Result<Vec<Release>> {
        select(&self.lock(), "WHERE app = ?1 ORDER BY id DESC", params![app.as_str()])
    }

    /// The release that was live before the live one.
    pub fn before_live(&self, app: &AppName) -> Result<Option<Release>> {
        let found =
            select(&self.lock(), "WHERE app = ?1 AND state = 'past' ORDER BY id DESC LIMIT 1", params![app.as_str()])?;
        Ok(found.into_iter().next())
    }

    /// The first release of an image.
    pub fn first_with(&self, app: &AppName, image: &str) -> Result<Option<ReleaseId>> {
        let id: Option<u64> = self
            .lock()
            .prepare_cached("SELECT min(id) FROM releases WHERE app = ?1 AND image = ?2")
            .and_then(|mut statement| statement.query_row(params![app.as_str(), image], |row| row.get(0)))
            .map_err(wrong)?;
        Ok(id.map(ReleaseId))
    }

    /// Forgets releases, and their stories: all but the live one, the one tried beside it, those that start, the `keep` last that were live once and
    /// the `keep` last that never were. How many are forgotten is the answer.
    pub fn forget_old(&self, keep: usize) -> Result<usize> {
        let mut connection = self.lock();
        let transaction = connection.transaction().map_err(wrong)?;
        let forgotten = transaction
            .execute(
                "DELETE FROM releases WHERE (app, id) IN (
                     SELECT app, id FROM (
                         SELECT app, id, row_number() OVER (PARTITION BY app, state = 'past' ORDER BY id DESC) AS place
                         FROM releases WHERE state NOT IN ('live', 'gray', 'starting'))
                     WHERE place > ?1)",
                [keep],
            )
            .map_err(wrong)?;
        if forgotten > 0 {
            let left = "SELECT 1 FROM releases WHERE releases.app = events.app AND releases.id = events.release";
            transaction.execute(&format!("DELETE FROM events WHERE NOT EXISTS ({left})"), []).map_err(wrong)?;
            let used = "SELECT 1 FROM releases WHERE releases.app = settings.app AND releases.settings = settings.id
                        UNION ALL SELECT 1 FROM apps WHERE apps.name = settings.app AND apps.settings = settings.id";
            transaction.execute(&format!("DELETE FROM settings WHERE NOT EXISTS ({used})"), []).map_err(wrong)?;
        }
        transaction.commit().map_err(wrong)?;
        Ok(forgotten)
    }

    /// The images of all releases, by their apps.
    pub fn released(&self) -> Result<Vec<(AppName, Digest)>> {
        let connection = self.lock();
        let mut statement = connection.prepare_cached("SELECT DISTINCT app, image FROM releases").map_err(wrong)?;
        let rows = statement.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)));
        let rows = rows.map_err(wrong)?.collect::<rusqlite::Result<Vec<_>>>().map_err(wrong)?;
        rows.into_iter().map(|(app, image)| Ok((AppName::parse(&app)?, Digest::parse(&image)?))).collect()
    }

    pub fn knows(&self, app: &AppName) -> Result<bool> {
        self.lock()
            .prepare_cached("SELECT 1 FROM apps WHERE name = ?1")
            .and_then(|mut statement| statement.exists([app.as_str()]))
            .map_err(wrong)
    }

    /// Every app that has a live release.
    pub fn live_apps(&self) -> Result<Vec<(AppName, ReleaseId)>> {
        let connection = self.lock();
        let mut statement =
            connection.prepare("SELECT name, live FROM apps WHERE live IS NOT NULL ORDER BY name").map_err(wrong)?;
        let rows = statement.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get(1)?))).map_err(wrong)?;
        let mut apps = Vec::new();
        for row in rows {
            let (name, live) = row.map_err(wrong)?;
            apps.push((AppName::parse(&name)?, ReleaseId(live)));
        }
        Ok(apps)
    }

    /// Adds to a release's story. Its end, [`DeployEvent::Live`] or [`DeployEvent::Failed`], also changes its state;
    /// what comes after the end is dropped. Whether anything was added is the answer.
    pub fn tell(&self, app: &AppName, id: ReleaseId, events: &[DeployEvent]) -> Result<bool> {
        let mut connection = self.lock();
        let transaction = connection.transaction().map_err(wrong)?;
        for event in events {
            if !tell(&transaction, app, id, event)? {
                return Ok(false);
            }
        }
        transaction.commit().map_err(wrong)?;
        Ok(true)
    }

    /// The events after number `after`, with their numbers, which count from 1.
    pub fn events(&self, app: &AppName, id: ReleaseId, after: u64) -> Result<Vec<(u64, DeployEvent)>> {
        let connection = self.lock();
        let mut statement = connection
            .prepare_cached(
                "SELECT number, event FROM events WHERE app = ?1 AND release = ?2 AND number > ?3 ORDER BY number",
            )
            .map_err(wrong)?;
        let rows = statement
            .query_map(params![app.as_str(), id.0, after], |row| Ok((row.get(0)?, parsed(row, 1)?)))
            .map_err(wrong)?;
        rows.collect::<rusqlite::Result<_>>().map_err(wrong)
    }

    /// Ends the releases that were starting when the node was stopped or killed.
    pub fn fail_unfinished(&self) -> Result<()> {
        let mut connection = self.lock();
        let transaction = connection.transaction().map_err(wrong)?;
        let unfinished: Vec<(String, u64)> = transaction
            .prepare("SELECT app, id FROM releases WHERE state = 'starting'")
            .and_then(|mut statement| {
                statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<rusqlite::Result<_>>()
            })
            .map_err(wrong)?;
        for (app, id) in unfinished {
            let app = AppName::parse(&app)?;
            let serving = live(&transaction, &app)?.map(|release| release.id);
            let problem =
                Problem::new("release.node-stopped", "the node was stopped while it started").hint("deploy it again");
            tell(&transaction, &app, ReleaseId(id), &DeployEvent::Failed { release: ReleaseId(id), problem, serving })?;
        }
        transaction.commit().map_err(wrong)
    }
}

fn tell(transaction: &Transaction, app: &AppName, id: ReleaseId, event: &DeployEvent) -> Result<bool> {
    let state: Option<String> = transaction
        .prepare_cached("SELECT state FROM releases WHERE app = ?1 AND id = ?2")
        .and_then(|mut statement| statement.query_row(params![app.as_str(), id.0], |row| row.get(0)).optional())
        .map_err(wrong)?;
    if state.as_deref() != Some("starting") {
        return Ok(false);
    }
    transaction
        .prepare_cached(
            "INSERT INTO events (app, release, number, event)
             SELECT ?1, ?2, 1 + coalesce(max(number), 0), ?3 FROM events WHERE app = ?1 AND release = ?2",
        )
        .and_then(|mut statement| statement.execute(params![app.as_str(), id.0, text(event)]))
        .map_err(wrong)?;
    let end = |state: &str, problem: Option<&Problem>| {
        transaction
            .execute(
                "UPDATE releases SET state = ?3, problem = ?4 WHERE app = ?1 AND id = ?2",
                params![app.as_str(), id.0, state, problem.map(text)],
            )
            .map_err(wrong)
    };
    match event {
        DeployEvent::Live { share: None, .. } => goes_live(transaction, app, id)?,
        DeployEvent::Live { share: Some(share), .. } => super::traffic::goes_gray(transaction, app, id, share)?,
        DeployEvent::Failed { problem, .. } => {
            end(if problem.code == SUPERSEDED { "superseded" } else { "failed" }, Some(problem))?;
        }
        DeployEvent::Step { .. } | DeployEvent::Output { .. } => {}
    }
    Ok(true)
}

/// `id` takes the place of what is live, and of what is tried.
pub(super) fn goes_live(transaction: &Transaction, app: &AppName, id: ReleaseId) -> Result<()> {
    let state = |from: &str, which: &str| format!("UPDATE releases SET state = '{from}' WHERE app = ?1 AND {which}");
    transaction.execute(&state("past", "state = 'live'"), [app.as_str()]).map_err(wrong)?;
    transaction.execute(&state("live", "id = ?2"), params![app.as_str(), id.0]).map_err(wrong)?;
    super::traffic::withdraw(transaction, app)?;
    transaction
        .execute(
            "UPDATE apps SET live = ?2, settings = (SELECT settings FROM releases WHERE app = ?1 AND id = ?2)
             WHERE name = ?1",
            params![app.as_str(), id.0],
        )
        .map_err(wrong)?;
    Ok(())
}

/// The code of the problem that ends a release because of a later one.
pub const SUPERSEDED: &str = "release.superseded";

fn live(connection: &Connection, app: &AppName) -> Result<Option<Release>> {
    let found = select(connection, "WHERE app = ?1 AND state = 'live'", params![app.as_str()])?;
    Ok(found.into_iter().next())
}

fn select(connection: &Connection, which: &str, params: impl rusqlite::Params) -> Result<Vec<Release>> {
    let sql = format!("SELECT id, image, created, state, message, by, git, repeats, problem FROM releases {which}");
    let mut statement = connection.prepare_cached(&sql).map_err(wrong)?;
    let rows = statement.query_map(params, read).map_err(wrong)?;
    rows.collect::<rusqlite::Result<_>>().map_err(wrong)
}

fn read(row: &Row) -> rusqlite::Result<Release> {
    let created: String = row.get(2)?;
    let state: String = row.get(3)?;
    let optional = |at: usize| row.get::<_, Option<String>>(at);
    Ok(Release {
        id: ReleaseId(row.get(0)?),
        image: row.get(1)?,
        created: created.parse().map_err(|error| bad(2, error))?,
        state: serde_json::from_value(state.into()).map_err(|error| bad(3, error))?,
        message: row.get(4)?,
        by: row.get(5)?,
        git: optional(6)?.map(|_| parsed(row, 6)).transpose()?,
        repeats: row.get::<_, Option<u64>>(7)?.map(ReleaseId),
        problem: optional(8)?.map(|_| parsed(row, 8)).transpose()?,
    })
}

pub(super) fn parsed<T: serde::de::DeserializeOwned>(row: &Row, at: usize) -> rusqlite::Result<T> {
    serde_json::from_str(&row.get::<_, String>(at)?).map_err(|error| bad(at, error))
}

pub(super) fn bad(at: usize, error: impl std::error::Error + Send + Sync + 'static) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(at, Type::Text, Box::new(error))
}

/// Plain data always becomes JSON: none of these types has a map with keys that are no text.
pub(super) fn text(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::remote::api::ReleaseState as State;

    fn store() -> (tempfile::TempDir, Store, AppName) {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::create(&dir.path().join("store")).unwrap();
        (dir, store, AppName::parse("a").unwrap())
    }

    fn draft(image: &str) -> Draft {
        Draft { image: image.into(), ..Draft::default() }
    }

    fn went_live(id: u64) -> DeployEvent {
        DeployEvent::Live { release: ReleaseId(id), url: "u".into(), took_ms: 1, share: None }
    }

    fn failed(id: u64, code: &'static str) -> DeployEvent {
        DeployEvent::Failed { release: ReleaseId(id), problem: Problem::new(code, "no"), serving: None }
    }

    fn states(store: &Store, app: &AppName) -> Vec<(u64, ReleaseState)> {
        store.releases(app).unwrap().into_iter().map(|release| (release.id.0, release.state)).collect()
    }

    #[test]
    fn a_release_is_made_against_the_live_one() {
        let (_dir, store, app) = store();
        let accept = |expected| store.accept(&app, draft("i"), expected).unwrap();
        assert_eq!(accept(Expected::Nothing).unwrap().id, ReleaseId(1));
        // Not live yet: nothing is what is live.
        assert_eq!(accept(Expected::Nothing).unwrap().id, ReleaseId(2));
        assert!(accept(Expected::Release(ReleaseId(1))).unwrap_err().live.is_none());
        assert!(store.tell(&app, ReleaseId(2), &[went_live(2)]).unwrap());
        assert_eq!(accept(Expected::Nothing).unwrap_err().live.unwrap().id, ReleaseId(2));
        assert_eq!(accept(Expected::Release(ReleaseId(2))).unwrap().id, ReleaseId(3));
        assert_eq!(accept(Expected::Anything).unwrap().id, ReleaseId(4));
    }

    #[test]
    fn settings_go_with_releases() {
        let (_dir, store, app) = store();
        assert!(store.set_aside(&app, b"before").unwrap());
        let release = |settings| {
            let id = store.accept(&app, Draft { settings, ..draft("i") }, Expected::Anything).unwrap().unwrap().id;
            (id, store.settings(&app, Some(id)).unwrap())
        };
        let next = || store.settings(&app, None).unwrap();
        let (first, settings) = release(With::Current);
        assert_eq!((settings.unwrap(), next().unwrap()), (b"before".to_vec(), b"before".to_vec()));
        store.tell(&app, first, &[went_live(first.0)]).unwrap();
        assert!(!store.set_aside(&app, b"late").unwrap());
        // One that fails changes nothing.
        let (second, settings) = release(With::New(b"new".to_vec()));
        assert_eq!((settings.unwrap(), next().unwrap()), (b"new".to_vec(), b"before".to_vec()));
        store.tell(&app, second, &[failed(second.0, "x")]).unwrap();
        let (third, _) = release(With::New(b"newer".to_vec()));
        store.tell(&app, third, &[went_live(third.0)]).unwrap();
        assert_eq!(next().unwrap(), b"newer");
        let (fourth, settings) = release(With::Of(first));
        assert_eq!(settings.unwrap(), b"before");
        store.tell(&app, fourth, &[went_live(fourth.0)]).unwrap();
        assert_eq!(next().unwrap(), b"before");
        store.forget_old(0).unwrap();
        let left: u64 = store.lock().query_row("SELECT count(*) FROM settings", [], |row| row.get(0)).unwrap();
        assert_eq!(left, 1);
    }

    #[test]
    fn the_last_event_ends_a_release_once() {
        let (_dir, store, app) = store();
        for _ in 0..4 {
            store.accept(&app, draft("i"), Expected::Anything).unwrap().unwrap();
        }
        assert!(store.tell(&app, ReleaseId(1), &[went_live(1)]).unwrap());
        assert!(!store.tell(&app, ReleaseId(1), &[failed(1, "x")]).unwrap());
        assert!(store.tell(&app, ReleaseId(2), &[failed(2, SUPERSEDED)]).unwrap());
        assert!(store.tell(&app, ReleaseId(3), &[went_live(3)]).unwrap());
        assert!(!store.tell(&app, ReleaseId(9), &[went_live(9)]).unwrap());
        store.fail_unfinished().unwrap();
        assert_eq!(
            states(&store, &app),
            [(4, State::Failed), (3, State::Live), (2, State::Superseded), (1, State::Past)]
        );
        assert_eq!(store.before_live(&app).unwrap().unwrap().id, ReleaseId(1));
        assert_eq!(store.live_apps().unwrap(), [(app.clone(), ReleaseId(3))]);
        let DeployEvent::Failed { problem, serving, .. } = &store.events(&app, ReleaseId(4), 0).unwrap()[0].1 else {
            panic!("r4 has no end");
        };
        assert_eq!((&*problem.code, *serving), ("release.node-stopped", Some(ReleaseId(3))));
    }

    #[test]
    fn old_releases_are_forgotten() {
        let (_dir, store, app) = store();
        for id in 1..=9 {
            store.accept(&app, draft(&format!("i{id}")), Expected::Anything).unwrap().unwrap();
            let end = if id % 2 == 0 { failed(id, "x") } else { went_live(id) };
            store.tell(&app, ReleaseId(id), &[end]).unwrap();
        }
        store.accept(&app, draft("i"), Expected::Anything).unwrap().unwrap();
        assert_eq!(store.forget_old(2).unwrap(), 4);
        let left: Vec<_> = states(&store, &app).into_iter().map(|(id, _)| id).collect();
        assert_eq!(left, [10, 9, 8, 7, 6, 5]);
        assert_eq!((store.events(&app, ReleaseId(4), 0).unwrap(), store.forget_old(2).unwrap()), (vec![], 0));
        assert_eq!(store.events(&app, ReleaseId(5), 0).unwrap().len(), 1);
    }

    #[test]
    fn events_are_numbered_from_one() {
        let (_dir, store, app) = store();
        store.accept(&app, draft("i"), Expected::Anything).unwrap().unwrap();
        let line = |n: u8| DeployEvent::Output { process: "web".into(), line: n.to_string() };
        store.tell(&app, ReleaseId(1), &[line(1), line(2)]).unwrap();
        store.tell(&app, ReleaseId(1), &[line(3), went_live(1)]).unwrap();
        let numbers =
            |after| store.events(&app, ReleaseId(1), after).unwrap().into_iter().map(|(n, _)| n).collect::<Vec<_>>();
        assert_eq!(numbers(0), [1, 2, 3, 4]);
        assert_eq!(numbers(3), [4]);
    }
}
