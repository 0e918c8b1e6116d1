//! The numbers of apps: what tells the processes of one from those of another.

use rusqlite::params;

use super::{Store, wrong};
use crate::app::AppName;
use crate::problem::Result;

impl Store {
    /// The number of `app`, the same for ever; from 1 on.
    pub fn number(&self, app: &AppName) -> Result<u32> {
        let mut connection = self.lock();
        let transaction = connection.transaction().map_err(wrong)?;
        transaction.execute("INSERT OR IGNORE INTO numbers (app) VALUES (?1)", params![app.as_str()]).map_err(wrong)?;
        let number = transaction
            .query_row("SELECT number FROM numbers WHERE app = ?1", [app.as_str()], |row| row.get(0))
            .map_err(wrong)?;
        transaction.commit().map_err(wrong)?;
        Ok(number)
    }

    pub fn numbers(&self) -> Result<Vec<(AppName, u32)>> {
        let connection = self.lock();
        let mut statement = connection.prepare_cached("SELECT app, number FROM numbers").map_err(wrong)?;
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).map_err(wrong)?;
        let rows: Vec<(String, u32)> = rows.collect::<rusqlite::Result<_>>().map_err(wrong)?;
        rows.into_iter().map(|(app, number)| Ok((AppName::parse(&app)?, number))).collect()
    }
}
