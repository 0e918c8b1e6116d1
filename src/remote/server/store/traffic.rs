//! Which release is tried beside the live one, and on whom.

use rusqlite::{OptionalExtension as _, Transaction, params};

use super::releases::parsed;
use super::{Store, wrong};
use crate::app::AppName;
use crate::problem::Result;
use crate::remote::api::{Gray, ReleaseId, Share};

impl Store {
    pub fn gray(&self, app: &AppName) -> Result<Option<Gray>> {
        self.lock()
            .prepare_cached("SELECT gray, share FROM apps WHERE name = ?1 AND gray IS NOT NULL")
            .and_then(|mut statement| {
                let read = |row: &rusqlite::Row| Ok(Gray { release: ReleaseId(row.get(0)?), share: parsed(row, 1)? });
                statement.query_row([app.as_str()], read).optional()
            })
            .map_err(wrong)
    }

    /// Gives the gray release another share; none takes it back. Whether it is the gray one is the answer.
    pub fn reshare(&self, app: &AppName, id: ReleaseId, share: Option<&Share>) -> Result<bool> {
        let mut connection = self.lock();
        let transaction = connection.transaction().map_err(wrong)?;
        let is = is_gray(&transaction, app, id)?;
        match share {
            _ if !is => {}
            None => withdraw(&transaction, app)?,
            Some(share) => set(&transaction, app, id, share)?,
        }
        transaction.commit().map_err(wrong)?;
        Ok(is)
    }

    /// The gray release is the live one from now on. Whether it was the gray one is the answer.
    pub fn promote(&self, app: &AppName, id: ReleaseId) -> Result<bool> {
        let mut connection = self.lock();
        let transaction = connection.transaction().map_err(wrong)?;
        if !is_gray(&transaction, app, id)? {
            return Ok(false);
        }
        super::releases::goes_live(&transaction, app, id)?;
        transaction.commit().map_err(wrong)?;
        Ok(true)
    }
}

fn is_gray(transaction: &Transaction, app: &AppName, id: ReleaseId) -> Result<bool> {
    transaction
        .prepare_cached("SELECT 1 FROM apps WHERE name = ?1 AND gray = ?2")
        .and_then(|mut statement| statement.exists(params![app.as_str(), id.0]))
        .map_err(wrong)
}

/// `id` is tried, in the place of what was.
pub(super) fn goes_gray(transaction: &Transaction, app: &AppName, id: ReleaseId, share: &Share) -> Result<()> {
    withdraw(transaction, app)?;
    transaction
        .execute("UPDATE releases SET state = 'gray' WHERE app = ?1 AND id = ?2", params![app.as_str(), id.0])
        .map_err(wrong)?;
    set(transaction, app, id, share)
}

fn set(transaction: &Transaction, app: &AppName, id: ReleaseId, share: &Share) -> Result<()> {
    transaction
        .execute(
            "UPDATE apps SET gray = ?2, share = ?3 WHERE name = ?1",
            params![app.as_str(), id.0, super::releases::text(share)],
        )
        .map_err(wrong)?;
    Ok(())
}

/// Nothing is tried any more.
pub(super) fn withdraw(transaction: &Transaction, app: &AppName) -> Result<()> {
    transaction
        .execute("UPDATE releases SET state = 'withdrawn' WHERE app = ?1 AND state = 'gray'", [app.as_str()])
        .and_then(|_| transaction.execute("UPDATE apps SET gray = NULL, share = NULL WHERE name = ?1", [app.as_str()]))
        .map_err(wrong)?;
    Ok(())
}
