//! What belongs to an app's releases beside their images, sealed: this module never sees what is in it.

use rusqlite::{OptionalExtension as _, Transaction, params};

use super::{Store, wrong};
use crate::app::AppName;
use crate::problem::Result;
use crate::remote::api::ReleaseId;

impl Store {
    /// Those of a release; without one, those that the next release will have.
    pub fn settings(&self, app: &AppName, of: Option<ReleaseId>) -> Result<Option<Vec<u8>>> {
        let connection = self.lock();
        let which = match of {
            Some(_) => "SELECT settings FROM releases WHERE app = ?1 AND id = ?2",
            None => "SELECT settings FROM apps WHERE name = ?1 AND ?2 IS NULL",
        };
        connection
            .prepare_cached(&format!("SELECT sealed FROM settings WHERE app = ?1 AND id = ({which})"))
            .and_then(|mut statement| {
                statement.query_row(params![app.as_str(), of.map(|id| id.0)], |row| row.get(0)).optional()
            })
            .map_err(wrong)
    }

    /// Sets those of the next release, if nothing is live; whether that was so is the answer.
    pub fn set_aside(&self, app: &AppName, sealed: &[u8]) -> Result<bool> {
        let mut connection = self.lock();
        let transaction = connection.transaction().map_err(wrong)?;
        transaction.execute("INSERT OR IGNORE INTO apps (name) VALUES (?1)", [app.as_str()]).map_err(wrong)?;
        let id = add(&transaction, app, sealed)?;
        let set = transaction
            .execute("UPDATE apps SET settings = ?2 WHERE name = ?1 AND live IS NULL", params![app.as_str(), id])
            .map_err(wrong)?;
        if set == 1 {
            transaction.commit().map_err(wrong)?;
        }
        Ok(set == 1)
    }
}

/// The number by which they are referred to.
pub(super) fn add(transaction: &Transaction, app: &AppName, sealed: &[u8]) -> Result<u64> {
    transaction
        .query_row(
            "INSERT INTO settings (app, id, sealed)
             SELECT ?1, 1 + coalesce(max(id), 0), ?2 FROM settings WHERE app = ?1 RETURNING id",
            params![app.as_str(), sealed],
            |row| row.get(0),
        )
        .map_err(wrong)
}
