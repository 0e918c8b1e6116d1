//! A deploy, seen from the client: offer, upload what is missing, ask for a release, follow it to its end.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::api::{DeployEvent, NewRelease, Offered, OfferedBlob, ReleaseId, Traffic};
use super::client::{Changed, Client, exit};
use super::events::Live;
use super::registry::Offer;
use crate::app::AppName;
use crate::packaging::{Blob, Digest, Image, Recipient};
use crate::problem::{Problem, Result};
use crate::term::{self, Line, Progress, Shown, Tone};

/// What is told while an app is deployed.
#[derive(Debug, Clone)]
pub enum Step {
    Uploading {
        done: u64,
        total: u64,
    },
    Pushed {
        layers: usize,
        of: usize,
        bytes: u64,
        took: Duration,
    },
    /// The remote's own words.
    Remote(Box<DeployEvent>),
}

/// How a deploy ended well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Deployed {
    /// The same image serves already; nothing was done.
    Already(ReleaseId),
    Live(Live),
}

pub type Tell<'a> = &'a (dyn Fn(Step) + Sync);

/// Whom an app's secrets are sealed to.
pub async fn recipient(client: &Client) -> Result<Option<Recipient>> {
    match client.capabilities().await?.seals_to {
        Some(key) => key.parse().map(Some),
        None => Err(Problem::new("remote.seals-not", format!("remote `{}` takes no protected files", client.name))
            .because("it tells no key to seal them to")
            .hint("update the remote, or take `protected_files` out of app.yaml")
            .exit(exit::REFUSED)),
    }
}

/// What a remote is asked about before anything is sent.
pub fn offered(image: &Image) -> Offered {
    let mut blobs: Vec<_> =
        image.blobs().map(|blob| OfferedBlob { digest: blob.digest.to_string(), size: blob.size }).collect();
    blobs.sort_by(|a, b| a.digest.cmp(&b.digest));
    blobs.dedup();
    Offered {
        image: image.digest().to_string(),
        blobs,
        python: image.release.python.clone(),
        platform: image.release.platform.clone(),
        sealed_to: image.sealed.as_ref().map(ToString::to_string),
    }
}

/// Deploys `image` in the place of whatever is live when this begins.
pub async fn deploy(
    client: &Client,
    app: &AppName,
    image: &Image,
    new: NewRelease,
    tell: Tell<'_>,
) -> Result<Deployed> {
    let blobs: Vec<Blob> = image.blobs().cloned().collect();
    push_blobs(client, app, &image.manifest, &blobs, new, async |_| Ok(()), tell).await
}

/// The same of an image's parts. `fetch` brings those that are missing to where `blobs` says they are.
pub async fn push_blobs(
    client: &Client,
    app: &AppName,
    manifest: &Blob,
    blobs: &[Blob],
    mut new: NewRelease,
    fetch: impl AsyncFn(&HashSet<Digest>) -> Result<()>,
    tell: Tell<'_>,
) -> Result<Deployed> {
    let pushed = tokio::select! {
        pushed = push(client, app, manifest, blobs, fetch, tell) => pushed?,
        _ = tokio::signal::ctrl_c() => return Err(
            Problem::new("deploy.cancelled", "stopped before anything was released")
                .hint("what has arrived is not sent again")
                .exit(exit::CANCELLED),
        ),
    };
    let live = match pushed {
        Pushed::Live(release) => return Ok(Deployed::Already(release)),
        Pushed::InPlaceOf(live) => live,
    };
    new.image = manifest.digest.to_string();
    released(client, app, &new, live, tell).await
}

/// Makes a release of what is there, and follows it to its end.
pub async fn released(
    client: &Client,
    app: &AppName,
    new: &NewRelease,
    live: Option<ReleaseId>,
    tell: Tell<'_>,
) -> Result<Deployed> {
    let accepted = client.release(app, new, live).await?;
    follow(client, &accepted.events, accepted.release, tell).await.map(Deployed::Live)
}

enum Pushed {
    /// The same image serves already.
    Live(ReleaseId),
    /// What was live when it began.
    InPlaceOf(Option<ReleaseId>),
}

async fn push(
    client: &Client,
    app: &AppName,
    manifest: &Blob,
    blobs: &[Blob],
    fetch: impl AsyncFn(&HashSet<Digest>) -> Result<()>,
    tell: Tell<'_>,
) -> Result<Pushed> {
    let start = Instant::now();
    let mut offer = client.offer(app, manifest).await?;
    if let Offer::Live(release) = offer {
        return Ok(Pushed::Live(release));
    }
    let live = client.live(app).await?;
    // The first is the image's configuration, and no layer.
    let of = blobs.len().saturating_sub(1);
    let mut layers = 0;
    let before = client.sent().1;
    if let Offer::Misses(missing) = &offer {
        layers = blobs.iter().skip(1).filter(|blob| missing.contains(&blob.digest)).count();
        fetch(missing).await?;
        let wanted = blobs.iter().filter(|blob| missing.contains(&blob.digest));
        client.upload_blobs(app.as_str(), wanted, &|done, total| tell(Step::Uploading { done, total })).await?;
        offer = client.offer(app, manifest).await?;
    }
    if let Offer::Misses(missing) = offer {
        let what = format!("remote `{}` still misses {} layers", client.name, missing.len());
        return Err(Problem::new("push.missing", what)
            .because("it took them and does not have them")
            .try_running("dae deploy")
            .exit(exit::UPLOAD));
    }
    let bytes = client.sent().1 - before;
    tell(Step::Pushed { layers, of, bytes, took: start.elapsed() });
    Ok(Pushed::InPlaceOf(live))
}

/// What a rollback came to.
#[derive(Debug)]
pub enum RolledBack {
    Live {
        was: Option<ReleaseId>,
        live: Live,
    },
    /// There was a release that was tried beside the live one: that is no more.
    Withdrawn(Traffic),
}

/// Switches back to `to`, or to the release before the live one.
pub async fn rollback(client: &Client, app: &AppName, to: Option<ReleaseId>, tell: Tell<'_>) -> Result<RolledBack> {
    let was = client.live(app).await?;
    match client.rollback(app, to, was).await? {
        Changed::Released(accepted) => {
            let live = follow(client, &accepted.events, accepted.release, tell).await?;
            Ok(RolledBack::Live { was, live })
        }
        Changed::Now(traffic) => Ok(RolledBack::Withdrawn(traffic)),
    }
}

/// Follows what a change brought about.
pub async fn changed<T>(client: &Client, changed: Changed<T>, tell: Tell<'_>) -> Result<Option<Live>> {
    match changed {
        Changed::Released(accepted) => follow(client, &accepted.events, accepted.release, tell).await.map(Some),
        Changed::Now(_) => Ok(None),
    }
}

/// Follows a release that is under way, or was.
pub async fn attach(client: &Client, app: &AppName, release: ReleaseId, tell: Tell<'_>) -> Result<Live> {
    follow(client, &format!("/dae/v1/apps/{app}/releases/{release}/events"), release, tell).await
}

async fn follow(client: &Client, events: &str, release: ReleaseId, tell: Tell<'_>) -> Result<Live> {
    let mut hear = |event: &DeployEvent| tell(Step::Remote(Box::new(event.clone())));
    tokio::select! {
        outcome = client.follow(events, release, &mut hear) => outcome,
        _ = tokio::signal::ctrl_c() => Err(Problem::new("deploy.cancelled", format!("stopped watching; {release} goes on at the remote"))
            .try_running(format!("dae deploy --attach {release}"))
            .exit(exit::CANCELLED)),
    }
}

/// Bytes as people say them.
pub fn size(bytes: u64) -> String {
    match bytes {
        0..1000 => format!("{bytes} bytes"),
        1000..1_000_000 => format!("{} KB", bytes.div_ceil(1000)),
        _ => format!("{}.{} MB", bytes / 1_000_000, bytes % 1_000_000 / 100_000),
    }
}

pub fn seconds(took: Duration) -> String {
    format!("{:.2} s", took.as_secs_f64())
}

impl term::Event for Step {
    fn show(&self) -> Shown<'_> {
        match self {
            Self::Uploading { done, total } => Shown::Progress(Progress::bytes("Uploading", "", *done, *total)),
            Self::Pushed { layers, of, bytes, took } => {
                let text = match layers {
                    0 => format!("nothing: all {of} layers are there"),
                    _ => format!("{layers} of {of} layers, {} in {}", size(*bytes), seconds(*took)),
                };
                Shown::Line(Line::good("Pushed", text))
            }
            Self::Remote(event) => remote(event),
        }
    }

    fn json(&self) -> Value {
        match self {
            Self::Uploading { done, total } => json!({"event": "uploading", "done": done, "total": total}),
            Self::Pushed { layers, of, bytes, took } => {
                json!({"event": "pushed", "layers": layers, "of": of, "bytes": bytes, "took_ms": millis(*took)})
            }
            Self::Remote(event) => serde_json::to_value(event).unwrap_or_default(),
        }
    }
}

fn remote(event: &DeployEvent) -> Shown<'_> {
    match event {
        DeployEvent::Step { step, text, .. } if step == "services" => Shown::Line(Line::warning(text.clone())),
        DeployEvent::Step { step, text, took_ms } => {
            let (word, text) = match (step.as_str(), text.strip_prefix("unpacked ")) {
                ("assemble", Some(what)) => ("Unpacked".to_owned(), what.to_owned()),
                ("assemble", None) => ("Unpacked".to_owned(), format!("nothing: {text}")),
                ("start", _) => ("Started".to_owned(), text.clone()),
                (step, _) => (capitalised(step), text.clone()),
            };
            Shown::Line(Line::good(word, format!("{text} in {}", seconds(Duration::from_millis(*took_ms)))))
        }
        DeployEvent::Output { process, line } => {
            Shown::Line(Line::new(Tone::Process(0), process.clone(), line.clone()))
        }
        // The answer says it, or the problem does.
        DeployEvent::Live { .. } | DeployEvent::Failed { .. } => Shown::Nothing,
    }
}

fn capitalised(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().into_iter().flat_map(char::to_uppercase).chain(letters).collect()
}

pub fn millis(took: Duration) -> u64 {
    u64::try_from(took.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_as_people_say_them() {
        for (bytes, text) in [
            (0, "0 bytes"),
            (999, "999 bytes"),
            (1000, "1 KB"),
            (77_500, "78 KB"),
            (1_000_000, "1.0 MB"),
            (33_490_000, "33.4 MB"),
        ] {
            assert_eq!(size(bytes), text);
        }
    }
}
