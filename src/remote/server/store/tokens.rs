//! The tokens a node takes, by their hashes.

use rusqlite::params;

use super::{Store, wrong};
use crate::app::AppName;
use crate::problem::Result;
use crate::remote::server::auth::{Grant, Hash, Verb};

impl Store {
    pub fn add_token(&self, hash: &Hash, grant: &Grant) -> Result<()> {
        let can = grant.can.iter().map(Verb::to_string).collect::<Vec<_>>().join(",");
        self.lock()
            .execute(
                "INSERT INTO tokens (hash, app, can, created) VALUES (?1, ?2, ?3, ?4)",
                params![hash, grant.app.as_ref().map(AppName::as_str), can, jiff::Timestamp::now().to_string()],
            )
            .map_err(wrong)?;
        Ok(())
    }

    /// All of them: who asks compares each in constant time.
    pub fn tokens(&self) -> Result<Vec<(Hash, Grant)>> {
        let connection = self.lock();
        let mut statement = connection.prepare_cached("SELECT hash, app, can FROM tokens").map_err(wrong)?;
        let rows = statement
            .query_map([], |row| Ok((row.get(0)?, row.get::<_, Option<String>>(1)?, row.get::<_, String>(2)?)))
            .map_err(wrong)?;
        let mut tokens = Vec::new();
        for row in rows {
            let (hash, app, can) = row.map_err(wrong)?;
            let app = app.as_deref().map(AppName::parse).transpose()?;
            let can = can.split(',').map(str::parse).collect::<Result<_>>()?;
            tokens.push((hash, Grant { app, can }));
        }
        Ok(tokens)
    }
}
