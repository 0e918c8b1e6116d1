//! Which apps are closed for maintenance, and what is said meanwhile.

use jiff::Timestamp;
use rusqlite::{Row, params};

use super::releases::bad;
use super::{Store, wrong};
use crate::app::AppName;
use crate::problem::Result;

/// What visitors of a closed app are told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Closure {
    pub since: Timestamp,
    pub by: Option<String>,
    pub message: Option<String>,
    /// When they should come again.
    pub retry_after_s: u32,
    /// A page of the app's own.
    pub page: Option<String>,
}

impl Store {
    pub fn close_app(&self, app: &AppName, closure: &Closure) -> Result<()> {
        let Closure { since, by, message, retry_after_s, page } = closure;
        self.lock()
            .execute(
                "INSERT OR REPLACE INTO maintenance (app, since, by, message, retry_after_s, page)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                params![app.as_str(), since.to_string(), by, message, retry_after_s, page],
            )
            .map(drop)
            .map_err(wrong)
    }

    pub fn open_app(&self, app: &AppName) -> Result<()> {
        self.lock().execute("DELETE FROM maintenance WHERE app = ?1", [app.as_str()]).map(drop).map_err(wrong)
    }

    pub fn closed_apps(&self) -> Result<Vec<(AppName, Closure)>> {
        let connection = self.lock();
        let mut statement = connection
            .prepare_cached("SELECT app, since, by, message, retry_after_s, page FROM maintenance")
            .map_err(wrong)?;
        let rows = statement.query_map([], read).map_err(wrong)?;
        let rows: Vec<(String, Closure)> = rows.collect::<rusqlite::Result<_>>().map_err(wrong)?;
        rows.into_iter().map(|(app, closure)| Ok((AppName::parse(&app)?, closure))).collect()
    }
}

fn read(row: &Row) -> rusqlite::Result<(String, Closure)> {
    let since: String = row.get(1)?;
    let closure = Closure {
        since: since.parse().map_err(|error| bad(1, error))?,
        by: row.get(2)?,
        message: row.get(3)?,
        retry_after_s: row.get(4)?,
        page: row.get(5)?,
    };
    Ok((row.get(0)?, closure))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_app_is_closed_and_opened() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::create(&dir.path().join("store")).unwrap();
        let app = AppName::parse("a").unwrap();
        let mut closure =
            Closure { since: Timestamp::UNIX_EPOCH, by: None, message: None, retry_after_s: 60, page: None };
        store.close_app(&app, &closure).unwrap();
        closure.message = Some("soon".into());
        store.close_app(&app, &closure).unwrap();
        assert_eq!(store.closed_apps().unwrap(), [(app.clone(), closure)]);
        store.open_app(&app).unwrap();
        assert_eq!(store.closed_apps().unwrap(), []);
    }
}
