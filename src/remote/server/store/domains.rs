//! Which app answers for which host.

use rusqlite::{OptionalExtension as _, params};

use super::{Store, wrong};
use crate::app::AppName;
use crate::problem::Result;

impl Store {
    /// Gives `host` to `app`. `Err` is the app that has it.
    pub fn add_domain(&self, app: &AppName, host: &str) -> Result<std::result::Result<(), AppName>> {
        let mut connection = self.lock();
        let transaction = connection.transaction().map_err(wrong)?;
        let owner: Option<String> = transaction
            .query_row("SELECT app FROM domains WHERE host = ?1", [host], |row| row.get(0))
            .optional()
            .map_err(wrong)?;
        match owner {
            Some(owner) if owner == app.as_str() => return Ok(Ok(())),
            Some(owner) => return Ok(Err(AppName::parse(&owner)?)),
            None => {}
        }
        transaction
            .execute("INSERT INTO domains (host, app) VALUES (?1, ?2)", params![host, app.as_str()])
            .map_err(wrong)?;
        transaction.commit().map_err(wrong)?;
        Ok(Ok(()))
    }

    /// Whether `app` had it.
    pub fn remove_domain(&self, app: &AppName, host: &str) -> Result<bool> {
        self.lock()
            .execute("DELETE FROM domains WHERE host = ?1 AND app = ?2", params![host, app.as_str()])
            .map(|count| count == 1)
            .map_err(wrong)
    }

    pub fn domains(&self, app: &AppName) -> Result<Vec<String>> {
        let connection = self.lock();
        let mut statement =
            connection.prepare_cached("SELECT host FROM domains WHERE app = ?1 ORDER BY host").map_err(wrong)?;
        let rows = statement.query_map([app.as_str()], |row| row.get(0)).map_err(wrong)?;
        rows.collect::<rusqlite::Result<_>>().map_err(wrong)
    }

    /// Every host that was added, with its app.
    pub fn all_domains(&self) -> Result<Vec<(String, AppName)>> {
        let connection = self.lock();
        let mut statement = connection.prepare_cached("SELECT host, app FROM domains").map_err(wrong)?;
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get::<_, String>(1)?))).map_err(wrong)?;
        let rows: Vec<(String, String)> = rows.collect::<rusqlite::Result<_>>().map_err(wrong)?;
        rows.into_iter().map(|(host, app)| Ok((host, AppName::parse(&app)?))).collect()
    }
}
