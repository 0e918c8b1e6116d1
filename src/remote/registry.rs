//! Pushes an image by the OCI distribution protocol: the manifest first, then only what the registry says it misses.

use std::collections::HashSet;
use std::io::SeekFrom;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _};
use reqwest::header::{CONTENT_RANGE, CONTENT_TYPE, LOCATION, RANGE};
use reqwest::{Method, StatusCode};
use serde::Deserialize;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _};

use super::api::{LIVE_HEADER, ReleaseId};
use super::client::{Answer, Ask, Client, Silent, exit};
use crate::app::AppName;
use crate::packaging::{Blob, Digest, MANIFEST_TYPE};
use crate::problem::{Doing as _, Problem, Result};

/// What a registry says to a manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Offer {
    /// It is there, and what it describes is what serves.
    Live(ReleaseId),
    Taken,
    Misses(HashSet<Digest>),
}

/// How far an upload has come, in bytes.
pub type Progress<'a> = &'a (dyn Fn(u64, u64) + Sync);

/// Larger ones go in parts, which can be gone on with.
const WHOLE: u64 = 1 << 20;
/// The largest part that every registry takes.
const PART: usize = 4 << 20;
const AT_ONCE: usize = 4;
/// Milliseconds before each further try.
const PAUSES: [u64; 4] = [200, 600, 1800, 5000];

impl Client {
    /// Offers a manifest.
    pub async fn offer(&self, app: &AppName, manifest: &Blob) -> Result<Offer> {
        let body = read(manifest).await?;
        let ask = Ask::new(Method::PUT, format!("/v2/{app}/manifests/{}", manifest.digest))
            .header(CONTENT_TYPE, MANIFEST_TYPE)
            .body(body);
        let answer = self.patiently(&ask).await?;
        if answer.status.is_success() {
            let live = answer.headers.get(LIVE_HEADER).and_then(|value| value.to_str().ok()?.parse().ok());
            return Ok(live.map_or(Offer::Taken, Offer::Live));
        }
        let missing = missing(&answer.body);
        if missing.is_empty() { Err(self.refused(&answer, exit::UPLOAD)) } else { Ok(Offer::Misses(missing)) }
    }

    /// Uploads blobs into a repository, each once.
    pub async fn upload_blobs<'a>(
        &self,
        repository: &str,
        blobs: impl Iterator<Item = &'a Blob>,
        tell: Progress<'_>,
    ) -> Result<u64> {
        let mut seen = HashSet::new();
        let blobs: Vec<&Blob> = blobs.filter(|blob| seen.insert(&blob.digest)).collect();
        let total = blobs.iter().map(|blob| blob.size).sum();
        let done = AtomicU64::new(0);
        let grown = |bytes| tell(done.fetch_add(bytes, Ordering::Relaxed) + bytes, total);
        tell(0, total);
        futures_util::stream::iter(blobs)
            .map(|blob| self.upload_one(repository, blob, &grown))
            .buffer_unordered(AT_ONCE)
            .try_collect::<()>()
            .await?;
        Ok(total)
    }

    async fn upload_one(&self, repository: &str, blob: &Blob, grown: &(dyn Fn(u64) + Sync)) -> Result<()> {
        if blob.size > WHOLE {
            return Parts { client: self, repository, blob, grown, told: 0 }.upload().await;
        }
        let ask = Ask::new(Method::POST, format!("/v2/{repository}/blobs/uploads/?digest={}", blob.digest))
            .header(CONTENT_TYPE, "application/octet-stream")
            .body(read(blob).await?);
        let answer = self.patiently(&ask).await?;
        match answer.status {
            StatusCode::CREATED => grown(blob.size),
            // It does not take blobs in one request, and has begun an upload instead.
            StatusCode::ACCEPTED => {
                let place = location(&answer).ok_or_else(|| self.refused(&answer, exit::UPLOAD))?;
                let ask = Ask::new(Method::PUT, with_digest(&place, &blob.digest))
                    .header(CONTENT_TYPE, "application/octet-stream")
                    .body(ask.body);
                let answer = self.patiently(&ask).await?;
                if answer.status != StatusCode::CREATED {
                    return Err(self.refused(&answer, exit::UPLOAD));
                }
                grown(blob.size);
            }
            _ => return Err(self.refused(&answer, exit::UPLOAD)),
        }
        Ok(())
    }

    /// Sends a request that does no harm when it arrives twice, until it is answered by more than "not now".
    pub(super) async fn patiently(&self, ask: &Ask) -> Result<Answer> {
        let mut tries = PAUSES.iter();
        loop {
            let outcome = self.send(ask.clone()).await;
            let not_now = match &outcome {
                Err(Silent::BrokeOff(_)) => true,
                Err(Silent::Unreachable(_)) => false,
                Ok(answer) => is_not_now(answer.status),
            };
            let Some(pause) = tries.next().filter(|_| not_now) else {
                return outcome.map_err(|silent| match silent {
                    Silent::Unreachable(problem) => problem,
                    Silent::BrokeOff(problem) => {
                        problem.hint("do it again: what has arrived is not sent again").exit(exit::UPLOAD)
                    }
                });
            };
            tokio::time::sleep(Duration::from_millis(*pause)).await;
        }
    }
}

fn is_not_now(status: StatusCode) -> bool {
    matches!(
        status,
        StatusCode::REQUEST_TIMEOUT
            | StatusCode::TOO_MANY_REQUESTS
            | StatusCode::BAD_GATEWAY
            | StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::GATEWAY_TIMEOUT
    )
}

/// One large blob on its way.
struct Parts<'a> {
    client: &'a Client,
    repository: &'a str,
    blob: &'a Blob,
    grown: &'a (dyn Fn(u64) + Sync),
    /// How much of it was reported.
    told: u64,
}

impl Parts<'_> {
    /// Goes on where an upload, of this run or an earlier one, broke off.
    async fn upload(mut self) -> Result<()> {
        let note = self.note();
        let mut place = tokio::fs::read_to_string(&note).await.ok();
        let mut tries = PAUSES.iter();
        loop {
            let outcome = self.attempt(&mut place, &note).await;
            let problem = match outcome {
                Ok(()) => {
                    let _ = tokio::fs::remove_file(&note).await;
                    return Ok(());
                }
                Err(Stopped::For(problem)) => return Err(problem),
                Err(Stopped::Now(problem)) => problem,
            };
            let Some(pause) = tries.next() else {
                return Err(problem.hint("do it again: it goes on where it stopped").exit(exit::UPLOAD));
            };
            tokio::time::sleep(Duration::from_millis(*pause)).await;
        }
    }

    /// Beside the blob: where the newest upload of it to this remote and app is. Lost, it begins again.
    fn note(&self) -> PathBuf {
        let key = Digest::of(format!("{} {}", self.client.address(), self.repository).as_bytes());
        self.blob.path.with_extension(format!("upload-{}", &key.hex()[..16]))
    }

    async fn attempt(&mut self, place: &mut Option<String>, note: &PathBuf) -> Result<(), Stopped> {
        let mut at = match place.take() {
            Some(known) => self.resume(known).await?,
            None => None,
        };
        if at.is_none() {
            let answer = self.send(Ask::new(Method::POST, format!("/v2/{}/blobs/uploads/", self.repository))).await?;
            at = Some((self.expect(&answer, StatusCode::ACCEPTED)?, 0));
        }
        let Some((mut upload, mut offset)) = at else { return Ok(()) };
        let path = &self.blob.path;
        let doing = || format!("read `{}`", path.display());
        let mut file = tokio::fs::File::open(path).await.doing(doing).map_err(Stopped::For)?;
        file.seek(SeekFrom::Start(offset)).await.doing(doing).map_err(Stopped::For)?;
        loop {
            *place = Some(upload.clone());
            // Only a convenience for the next run: without it, the blob is sent from its beginning.
            let _ = tokio::fs::write(note, &upload).await;
            self.tell(offset);
            let mut part = Vec::new();
            (&mut file).take(PART as u64).read_to_end(&mut part).await.doing(doing).map_err(Stopped::For)?;
            if part.is_empty() {
                break;
            }
            let length = part.len() as u64;
            let ask = Ask::new(Method::PATCH, upload)
                .header(CONTENT_TYPE, "application/octet-stream")
                .header(CONTENT_RANGE, format!("{offset}-{}", offset + length - 1))
                .body(part);
            let answer = self.send(ask).await?;
            upload = self.expect(&answer, StatusCode::ACCEPTED)?;
            offset += length;
        }
        let answer = self.send(Ask::new(Method::PUT, with_digest(&upload, &self.blob.digest))).await?;
        if answer.status == StatusCode::CREATED {
            return Ok(());
        }
        *place = None;
        Err(self.stopped(&answer))
    }

    /// How far an earlier upload has come; `None` when it is not there any more.
    async fn resume(&self, place: String) -> Result<Option<(String, u64)>, Stopped> {
        let answer = self.send(Ask::new(Method::GET, place.clone())).await?;
        if answer.status != StatusCode::NO_CONTENT {
            return Ok(None);
        }
        let range = answer.headers.get(RANGE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let last = range.rsplit('-').next().and_then(|last| last.parse::<u64>().ok());
        // `0-0` may mean one byte or none: then a new one costs nothing.
        let offset = last.filter(|last| *last > 0 && *last < self.blob.size).map(|last| last + 1);
        Ok(offset.map(|offset| (location(&answer).unwrap_or(place), offset)))
    }

    async fn send(&self, ask: Ask) -> Result<Answer, Stopped> {
        self.client.send(ask).await.map_err(|silent| match silent {
            Silent::Unreachable(problem) | Silent::BrokeOff(problem) => Stopped::Now(problem),
        })
    }

    fn expect(&self, answer: &Answer, status: StatusCode) -> Result<String, Stopped> {
        location(answer).filter(|_| answer.status == status).ok_or_else(|| self.stopped(answer))
    }

    /// Whether another try has a chance: not now, or out of step, as after a request that arrived though its answer did not.
    fn stopped(&self, answer: &Answer) -> Stopped {
        let problem = self.client.refused(answer, exit::UPLOAD);
        let out_of_step = [StatusCode::RANGE_NOT_SATISFIABLE, StatusCode::NOT_FOUND, StatusCode::CONFLICT];
        if is_not_now(answer.status) || out_of_step.contains(&answer.status) {
            Stopped::Now(problem)
        } else {
            Stopped::For(problem)
        }
    }

    fn tell(&mut self, offset: u64) {
        (self.grown)(offset.saturating_sub(self.told));
        self.told = self.told.max(offset);
    }
}

enum Stopped {
    /// Another try may do.
    Now(Problem),
    For(Problem),
}

pub(super) fn location(answer: &Answer) -> Option<String> {
    answer.headers.get(LOCATION)?.to_str().ok().map(str::to_owned)
}

fn with_digest(place: &str, digest: &Digest) -> String {
    let sign = if place.contains('?') { '&' } else { '?' };
    format!("{place}{sign}digest={digest}")
}

pub(super) async fn read(blob: &Blob) -> Result<Bytes> {
    let bytes = tokio::fs::read(&blob.path).await.doing(|| format!("read `{}`", blob.path.display()))?;
    Ok(bytes.into())
}

#[derive(Deserialize)]
struct Errors {
    errors: Vec<Error>,
}

#[derive(Deserialize)]
struct Error {
    code: String,
    #[serde(default)]
    detail: Value,
}

/// The blobs a refused manifest needs. The specification leaves the form of `detail` open: a digest, or one in an object.
pub(super) fn missing(body: &[u8]) -> HashSet<Digest> {
    let errors = serde_json::from_slice::<Errors>(body).map(|body| body.errors).unwrap_or_default();
    let wanted =
        errors.into_iter().filter(|error| matches!(error.code.as_str(), "MANIFEST_BLOB_UNKNOWN" | "BLOB_UNKNOWN"));
    wanted
        .filter_map(|error| {
            let digest = error.detail.as_str().or_else(|| error.detail.get("digest")?.as_str())?;
            Digest::parse(digest).ok()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_read_in_every_form() {
        let [one, two] = [Digest::of(b"1"), Digest::of(b"2")];
        let body = serde_json::json!({"errors": [
            {"code": "MANIFEST_BLOB_UNKNOWN", "message": "blob unknown to registry", "detail": one},
            {"code": "MANIFEST_BLOB_UNKNOWN", "detail": {"digest": two}},
            {"code": "MANIFEST_BLOB_UNKNOWN"},
            {"code": "NAME_UNKNOWN", "detail": Digest::of(b"3")},
        ]});
        assert_eq!(missing(body.to_string().as_bytes()), HashSet::from([one, two]));
        assert!(missing(b"<html>").is_empty());
    }
}
