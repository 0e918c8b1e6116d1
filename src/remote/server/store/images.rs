//! Which blobs, manifests and tags belong to which app. The bytes are in [`Blobs`](super::super::blobs::Blobs).

use rusqlite::{OptionalExtension as _, params};

use super::{Store, wrong};
use crate::app::AppName;
use crate::packaging::Digest;
use crate::problem::Result;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredManifest {
    pub digest: Digest,
    pub media_type: String,
}

impl Store {
    /// The app's repository holds the blob from now on.
    pub fn link_blobs(&self, app: &AppName, digests: &[&Digest]) -> Result<()> {
        let mut connection = self.lock();
        let transaction = connection.transaction().map_err(wrong)?;
        for digest in digests {
            transaction
                .prepare_cached("INSERT OR IGNORE INTO blobs (app, digest) VALUES (?1, ?2)")
                .and_then(|mut statement| statement.execute(params![app.as_str(), digest.as_str()]))
                .map_err(wrong)?;
        }
        transaction.commit().map_err(wrong)
    }

    pub fn has_blob(&self, app: &AppName, digest: &Digest) -> Result<bool> {
        self.lock()
            .prepare_cached("SELECT 1 FROM blobs WHERE app = ?1 AND digest = ?2")
            .and_then(|mut statement| statement.exists(params![app.as_str(), digest.as_str()]))
            .map_err(wrong)
    }

    pub fn put_manifest(&self, app: &AppName, manifest: &StoredManifest, tag: Option<&str>) -> Result<()> {
        let StoredManifest { digest, media_type } = manifest;
        let mut connection = self.lock();
        let transaction = connection.transaction().map_err(wrong)?;
        transaction
            .execute(
                "INSERT OR REPLACE INTO manifests (app, digest, media_type) VALUES (?1, ?2, ?3)",
                params![app.as_str(), digest.as_str(), media_type],
            )
            .map_err(wrong)?;
        if let Some(tag) = tag {
            transaction
                .execute(
                    "INSERT OR REPLACE INTO tags (app, tag, digest) VALUES (?1, ?2, ?3)",
                    params![app.as_str(), tag, digest.as_str()],
                )
                .map_err(wrong)?;
        }
        transaction.commit().map_err(wrong)
    }

    pub fn manifest(&self, app: &AppName, digest: &Digest) -> Result<Option<StoredManifest>> {
        let media_type = self
            .lock()
            .prepare_cached("SELECT media_type FROM manifests WHERE app = ?1 AND digest = ?2")
            .and_then(|mut statement| {
                statement.query_row(params![app.as_str(), digest.as_str()], |row| row.get(0)).optional()
            })
            .map_err(wrong)?;
        Ok(media_type.map(|media_type| StoredManifest { digest: digest.clone(), media_type }))
    }

    pub fn tagged(&self, app: &AppName, tag: &str) -> Result<Option<StoredManifest>> {
        let digest: Option<String> = self
            .lock()
            .query_row("SELECT digest FROM tags WHERE app = ?1 AND tag = ?2", params![app.as_str(), tag], |row| {
                row.get(0)
            })
            .optional()
            .map_err(wrong)?;
        match digest {
            Some(digest) => self.manifest(app, &Digest::parse(&digest)?),
            None => Ok(None),
        }
    }

    /// Every manifest, and whether it has a tag.
    pub fn manifests(&self) -> Result<Vec<(AppName, Digest, bool)>> {
        let connection = self.lock();
        let mut statement = connection
            .prepare_cached(
                "SELECT app, digest, EXISTS (SELECT 1 FROM tags WHERE tags.app = manifests.app
                                                                  AND tags.digest = manifests.digest) FROM manifests",
            )
            .map_err(wrong)?;
        let rows = statement.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?, row.get(2)?)));
        let rows = rows.map_err(wrong)?.collect::<rusqlite::Result<Vec<_>>>().map_err(wrong)?;
        rows.into_iter().map(|(app, digest, tag)| Ok((AppName::parse(&app)?, Digest::parse(&digest)?, tag))).collect()
    }

    /// Every blob, by the apps whose repositories hold it.
    pub fn blobs(&self) -> Result<Vec<(AppName, Digest)>> {
        let connection = self.lock();
        let mut statement = connection.prepare_cached("SELECT app, digest FROM blobs").map_err(wrong)?;
        let rows = statement.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)));
        let rows = rows.map_err(wrong)?.collect::<rusqlite::Result<Vec<_>>>().map_err(wrong)?;
        rows.into_iter().map(|(app, digest)| Ok((AppName::parse(&app)?, Digest::parse(&digest)?))).collect()
    }

    /// The apps' repositories no longer hold these, be they blobs or manifests.
    pub fn unlink(&self, gone: &[(AppName, Digest)]) -> Result<()> {
        let mut connection = self.lock();
        let transaction = connection.transaction().map_err(wrong)?;
        for (app, digest) in gone {
            for table in ["blobs", "manifests"] {
                transaction
                    .prepare_cached(&format!("DELETE FROM {table} WHERE app = ?1 AND digest = ?2"))
                    .and_then(|mut statement| statement.execute(params![app.as_str(), digest.as_str()]))
                    .map_err(wrong)?;
            }
        }
        transaction.commit().map_err(wrong)
    }

    /// Whether there was such a tag.
    pub fn untag(&self, app: &AppName, tag: &str) -> Result<bool> {
        self.lock()
            .execute("DELETE FROM tags WHERE app = ?1 AND tag = ?2", params![app.as_str(), tag])
            .map(|count| count == 1)
            .map_err(wrong)
    }

    /// Takes a manifest away with its tags; whether it was there is the answer.
    pub fn forget_manifest(&self, app: &AppName, digest: &Digest) -> Result<bool> {
        let mut connection = self.lock();
        let transaction = connection.transaction().map_err(wrong)?;
        let both = params![app.as_str(), digest.as_str()];
        transaction.execute("DELETE FROM tags WHERE app = ?1 AND digest = ?2", both).map_err(wrong)?;
        let gone = transaction.execute("DELETE FROM manifests WHERE app = ?1 AND digest = ?2", both).map_err(wrong)?;
        transaction.commit().map_err(wrong)?;
        Ok(gone == 1)
    }

    /// At most `count` tags after `after`, in their order.
    pub fn tags(&self, app: &AppName, after: &str, count: u32) -> Result<Vec<String>> {
        let connection = self.lock();
        let mut statement = connection
            .prepare("SELECT tag FROM tags WHERE app = ?1 AND tag > ?2 ORDER BY tag LIMIT ?3")
            .map_err(wrong)?;
        let rows = statement.query_map(params![app.as_str(), after, count], |row| row.get(0)).map_err(wrong)?;
        rows.collect::<rusqlite::Result<_>>().map_err(wrong)
    }
}
