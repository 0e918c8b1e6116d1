//! The same image from one remote to another: what was tested there is what runs here, byte for byte.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;

use reqwest::Method;
use reqwest::header::ACCEPT;
use serde::Deserialize;
use tokio::io::AsyncWriteExt as _;

use super::api::{NewRelease, ReleaseId, ReleaseState};
use super::client::{Ask, Client, exit};
use super::deploy::{Deployed, Tell, push_blobs, released};
use crate::app::AppName;
use crate::packaging::{Blob, Digest, Hashing, MANIFEST_TYPE, SEALED};
use crate::problem::{Doing as _, Problem, Result};

/// Which image of a remote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Which {
    Live,
    Of(ReleaseId),
    Is(Digest),
}

/// `sha256:...` or `app@sha256:...` at the remote that is deployed to; or `REMOTE`, `REMOTE/r42`, `REMOTE@sha256:...`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    /// None: where it is deployed to.
    pub remote: Option<String>,
    pub which: Which,
}

impl Reference {
    pub fn parse(text: &str, app: &AppName) -> Result<Self> {
        let wrong = |why: &dyn std::fmt::Display| {
            Problem::new("image.reference", format!("`{text}` names no image"))
                .because(why)
                .hint("write `REMOTE/r42` for a release of another remote, `REMOTE` for its live one, or `sha256:...`")
                .exit(2)
        };
        if text.starts_with("sha256:") {
            let digest = Digest::parse(text).map_err(|problem| wrong(&problem))?;
            return Ok(Self { remote: None, which: Which::Is(digest) });
        }
        let some = |name: &str| (!name.is_empty() && name != app.as_str()).then(|| name.to_owned());
        if let Some((name, digest)) = text.split_once('@') {
            let digest = Digest::parse(digest).map_err(|problem| wrong(&problem))?;
            return Ok(Self { remote: some(name), which: Which::Is(digest) });
        }
        let (name, which) = match text.split_once('/') {
            Some((name, release)) => (name, Which::Of(release.parse().map_err(|problem: Problem| wrong(&problem))?)),
            None => (text, Which::Live),
        };
        if name.is_empty() {
            return Err(wrong(&"it names no remote"));
        }
        Ok(Self { remote: Some(name.to_owned()), which })
    }
}

/// An image somewhere, and what is known of where it came from.
pub struct Found {
    pub digest: Digest,
    pub release: Option<ReleaseId>,
    pub git: Option<super::api::GitState>,
}

/// Which image of `app` at `client` is meant.
pub async fn find(client: &Client, app: &AppName, which: &Which) -> Result<Found> {
    let digest = match which {
        Which::Is(digest) => Some(digest.to_string()),
        Which::Live | Which::Of(_) => None,
    };
    let releases = client.releases(app).await?.releases;
    let found = releases.into_iter().find(|release| match (which, &digest) {
        (Which::Live, _) => release.state == ReleaseState::Live,
        (Which::Of(id), _) => release.id == *id,
        (Which::Is(_), digest) => Some(&release.image) == digest.as_ref(),
    });
    match (found, which) {
        (Some(release), _) => {
            Ok(Found { digest: Digest::parse(&release.image)?, release: Some(release.id), git: release.git })
        }
        (None, Which::Is(digest)) => Ok(Found { digest: digest.clone(), release: None, git: None }),
        (None, _) => {
            let what = if let Which::Of(id) = which { id.to_string() } else { "live release".to_owned() };
            Err(Problem::new("image.none", format!("remote `{}` has no {what} of `{app}`", client.name))
                .try_running(format!("dae releases --remote {}", client.name))
                .exit(exit::REFUSED))
        }
    }
}

#[derive(Debug, Deserialize)]
struct Manifest {
    config: Part,
    layers: Vec<Part>,
}

#[derive(Debug, Deserialize)]
struct Part {
    digest: Digest,
    size: u64,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
}

/// Makes a release of an image that `to` holds already.
pub async fn release_there(
    to: &Client,
    app: &AppName,
    digest: &Digest,
    mut new: NewRelease,
    tell: Tell<'_>,
) -> Result<Deployed> {
    let live = to.releases(app).await?.releases.into_iter().find(|release| release.state == ReleaseState::Live);
    if let Some(live) = live.as_ref().filter(|live| live.image == digest.as_str()) {
        return Ok(Deployed::Already(live.id));
    }
    new.image = digest.to_string();
    released(to, app, &new, live.map(|live| live.id), tell).await
}

/// Carries an image from one remote to another, only what is missing there, and makes a release of it. `aside` is a folder for
/// what is on its way.
pub async fn promote(
    from: &Client,
    to: &Client,
    app: &AppName,
    digest: &Digest,
    new: NewRelease,
    aside: &Path,
    tell: Tell<'_>,
) -> Result<Deployed> {
    let ask = Ask::new(Method::GET, format!("/v2/{app}/manifests/{digest}")).header(ACCEPT, MANIFEST_TYPE);
    let answer = from.send(ask).await?;
    if !answer.status.is_success() {
        return Err(from.refused(&answer, exit::REFUSED));
    }
    let lies = |what: &str| {
        Problem::new("image.lies", format!("remote `{}` gave something else than {what}", from.name))
            .exit(exit::REFUSED)
    };
    if Digest::of(&answer.body) != *digest {
        return Err(lies(digest.as_str()));
    }
    let Manifest { config, layers } = serde_json::from_slice(&answer.body).map_err(|error| {
        Problem::new("image.manifest", format!("the manifest {} is not readable", digest.short()))
            .because(error)
            .exit(exit::REFUSED)
    })?;
    opens_there(to, &layers).await?;
    let path = |digest: &Digest| aside.join(digest.hex());
    let manifest = Blob { digest: digest.clone(), size: answer.body.len() as u64, path: path(digest) };
    tokio::fs::write(&manifest.path, &answer.body).await.doing(|| format!("write `{}`", manifest.path.display()))?;
    let parts = std::iter::once(config).chain(layers);
    let blobs: Vec<Blob> =
        parts.map(|part| Blob { path: path(&part.digest), digest: part.digest, size: part.size }).collect();
    let fetch = async |missing: &HashSet<Digest>| {
        for blob in blobs.iter().filter(|blob| missing.contains(&blob.digest)) {
            download(from, app, blob, &lies).await?;
        }
        Ok(())
    };
    push_blobs(to, app, &manifest, &blobs, new, fetch, tell).await
}

/// Secrets are sealed to one remote.
async fn opens_there(to: &Client, layers: &[Part]) -> Result<()> {
    let Some(sealed) = layers.iter().find_map(|layer| layer.annotations.get(SEALED)) else { return Ok(()) };
    if to.capabilities().await?.seals_to.as_ref() == Some(sealed) {
        return Ok(());
    }
    Err(Problem::new("sealed.elsewhere", format!("the image holds secrets that remote `{}` cannot open", to.name))
        .because("its protected files are sealed to the remote it was deployed to first")
        .hint(format!(
            "deploy it from the app's folder: `dae deploy --remote {}`; or keep such values in `dae config`",
            to.name
        ))
        .exit(exit::REFUSED))
}

async fn download(from: &Client, app: &AppName, blob: &Blob, lies: &impl Fn(&str) -> Problem) -> Result<()> {
    if blob.path.exists() {
        return Ok(());
    }
    let doing = || format!("write `{}`", blob.path.display());
    let mut response = from.begin(Ask::new(Method::GET, format!("/v2/{app}/blobs/{}", blob.digest))).await?;
    if !response.status().is_success() {
        return Err(Problem::new(
            "image.blob",
            format!("remote `{}` does not give {}", from.name, blob.digest.short()),
        )
        .because(response.status())
        .exit(exit::UPLOAD));
    }
    let mut file = tokio::fs::File::create(&blob.path).await.doing(doing)?;
    let mut hash = Hashing::new(std::io::sink());
    let mut size = 0;
    while let Some(chunk) =
        response.chunk().await.map_err(|error| Problem::from(from.silent(&error)).exit(exit::UPLOAD))?
    {
        size += chunk.len() as u64;
        if size > blob.size {
            return Err(lies(blob.digest.as_str()));
        }
        let _ = std::io::Write::write_all(&mut hash, &chunk);
        file.write_all(&chunk).await.doing(doing)?;
    }
    file.flush().await.doing(doing)?;
    if hash.finish().0 == blob.digest { Ok(()) } else { Err(lies(blob.digest.as_str())) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_names_an_image() {
        let app = AppName::parse("a").unwrap();
        let hex = "0".repeat(64);
        let read = |text: &str| {
            Reference::parse(text, &app).map(|Reference { remote, which }| match which {
                Which::Live => format!("{remote:?} live"),
                Which::Of(id) => format!("{remote:?} {id}"),
                Which::Is(digest) => format!("{remote:?} {}", digest.short()),
            })
        };
        let short = Digest::parse(&format!("sha256:{hex}")).unwrap().short().to_string();
        assert_eq!(read("staging").unwrap(), "Some(\"staging\") live");
        assert_eq!(read("staging/r4").unwrap(), "Some(\"staging\") r4");
        assert_eq!(read(&format!("staging@sha256:{hex}")).unwrap(), format!("Some(\"staging\") {short}"));
        assert_eq!(read(&format!("a@sha256:{hex}")).unwrap(), format!("None {short}"));
        assert_eq!(read(&format!("sha256:{hex}")).unwrap(), format!("None {short}"));
        for bad in ["", "/r4", "staging/x", "sha256:1", "staging@x"] {
            assert_eq!(read(bad).unwrap_err().exit, 2, "{bad}");
        }
    }
}
