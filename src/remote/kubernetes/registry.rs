//! Images to and from a plain registry: a base is looked up, and an app's image on it pushed. Of a base in the same registry
//! nothing passes this machine; from another one its layers are copied once.

use std::collections::{BTreeSet, HashSet};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use futures_util::{StreamExt as _, TryStreamExt as _};
use reqwest::header::{ACCEPT, CONTENT_TYPE};
use reqwest::{Method, StatusCode, Url};
use serde_json::Value;
use tokio::io::AsyncWriteExt as _;

use crate::packaging::{Base, Blob, Descriptor, Digest, MANIFEST_TYPE, OnBase, platform};
use crate::problem::{Doing as _, Problem, Result};
use crate::remote::client::{Answer, Ask, Client, Silent, exit};
use crate::remote::login::Login;
use crate::remote::reference::Reference;
use crate::remote::registry::{location, missing, read};

const INDEX_TYPE: &str = "application/vnd.oci.image.index.v1+json";
const DOCKER_TYPE: &str = "application/vnd.docker.distribution.manifest.v2+json";
const DOCKER_LIST_TYPE: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
const AT_ONCE: usize = 8;
/// Registries hand layers out from somewhere else.
const REDIRECTS: usize = 5;

/// What came of a push.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pushed {
    /// The image by its digest.
    pub image: Reference,
    pub layers: usize,
    pub of: usize,
    pub bytes: u64,
    pub took: Duration,
}

/// A registry, and what this user is there.
pub fn client(reference: &Reference, env: &[(String, String)]) -> Result<Client> {
    let host = match reference.registry.as_str() {
        "docker.io" => "registry-1.docker.io",
        other => other,
    };
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    let here = name == "localhost" || name.ends_with(".localhost") || name.starts_with("127.") || name == "[::1]";
    let scheme = if here { "http" } else { "https" };
    let url = Url::parse(&format!("{scheme}://{host}"))
        .map_err(|error| Problem::new("image.reference", format!("`{host}` is no registry")).because(error).exit(2))?;
    Client::of_registry(&reference.registry, url, Login::find(reference, env))
}

/// The base that `reference` names, for machines like this one.
pub async fn base(client: &Client, reference: &Reference) -> Result<Base> {
    let repository = &reference.repository;
    let (mut digest, mut manifest) = manifest(client, reference, reference.wanted()).await?;
    if let Some(choice) = manifest["manifests"].as_array() {
        let wanted = platform();
        let is_it = |entry: &&Value| {
            let of = &entry["platform"];
            format!("{}/{}", of["os"].as_str().unwrap_or_default(), of["architecture"].as_str().unwrap_or_default())
                == wanted
        };
        let chosen = choice.iter().find(is_it).and_then(|entry| entry["digest"].as_str()).ok_or_else(|| {
            Problem::new("registry.platform", format!("the base `{reference}` is not there for {wanted}"))
                .hint("name another one: `dae remote add ... --base IMAGE`")
                .exit(exit::REFUSED)
        })?;
        (digest, manifest) = self::manifest(client, reference, chosen).await?;
    }
    let broken = || {
        Problem::new("registry.manifest", format!("the manifest of `{reference}` is not readable")).exit(exit::REFUSED)
    };
    let layers: Vec<Descriptor> =
        serde_json::from_value(manifest["layers"].clone()).map_err(|error| broken().because(error))?;
    let config = Digest::parse(manifest["config"]["digest"].as_str().unwrap_or_default()).map_err(|_| broken())?;
    let bytes = get(client, &format!("/v2/{repository}/blobs/{config}")).await?.body;
    if Digest::of(&bytes) != config {
        return Err(broken().because("its configuration is not what its digest says"));
    }
    let config = serde_json::from_slice(&bytes).map_err(|error| broken().because(error))?;
    Ok(Base { name: Reference { digest: None, ..reference.clone() }.to_string(), digest, layers, config })
}

async fn manifest(client: &Client, reference: &Reference, wanted: &str) -> Result<(Digest, Value)> {
    let accept = [MANIFEST_TYPE, INDEX_TYPE, DOCKER_TYPE, DOCKER_LIST_TYPE].join(", ");
    let ask = Ask::new(Method::GET, format!("/v2/{}/manifests/{wanted}", reference.repository)).header(ACCEPT, accept);
    let answer = client.patiently(&ask).await?;
    if answer.status == StatusCode::NOT_FOUND {
        return Err(Problem::new("registry.not-there", format!("there is no image `{reference}`"))
            .because(format!("registry `{}` does not know `{wanted}` of it", client.name))
            .hint(
                "the base is set by `dae remote add NAME kubernetes ... --base IMAGE`; `{python}` in it is the version",
            )
            .exit(exit::REFUSED));
    }
    if !answer.status.is_success() {
        return Err(client.refused(&answer, exit::REFUSED));
    }
    let found = Digest::of(&answer.body);
    if wanted.starts_with("sha256:") && found.as_str() != wanted {
        return Err(
            Problem::new("registry.digest", format!("`{reference}` is not what its digest says")).exit(exit::REFUSED)
        );
    }
    let value = serde_json::from_slice(&answer.body).map_err(|error| {
        Problem::new("registry.manifest", format!("the manifest of `{reference}` is not readable"))
            .because(error)
            .exit(exit::REFUSED)
    })?;
    Ok((found, value))
}

/// Where it is kept what an earlier push has left in a repository.
fn note(cache: &Path, client: &Client, to: &Reference) -> PathBuf {
    let key = Digest::of(format!("{} {}", client.address(), to.repository).as_bytes());
    cache.join("registries").join(format!("{}.json", &key.hex()[..16]))
}

/// Forgets what is believed to be there: a cluster that could not pull knows better.
pub fn doubt(cache: &Path, client: &Client, to: &Reference) {
    let _ = std::fs::remove_file(note(cache, client, to));
}

/// A GET that goes where it is sent.
async fn get(client: &Client, path: &str) -> Result<Answer> {
    let mut path = path.to_owned();
    for _ in 0..REDIRECTS {
        let answer = client.patiently(&Ask::new(Method::GET, path)).await?;
        match location(&answer).filter(|_| answer.status.is_redirection()) {
            Some(elsewhere) => path = elsewhere,
            None if answer.status.is_success() => return Ok(answer),
            None => return Err(client.refused(&answer, exit::UPLOAD)),
        }
    }
    Err(Problem::new("registry.redirects", format!("registry `{}` sends from one place to the next", client.name)))
}

/// One image on its way to where the cluster finds it.
#[derive(Debug)]
pub struct Push<'a> {
    /// Of the registry that is pushed to.
    pub client: &'a Client,
    pub to: &'a Reference,
    /// Kept with the manifest, so that a registry that tidies up leaves it.
    pub tag: String,
    /// Its own layers.
    pub layers: Vec<&'a Blob>,
    pub base: &'a Base,
    /// Where the base is, and its registry.
    pub from: (&'a Client, &'a Reference),
    pub on: &'a OnBase,
    pub cache: &'a Path,
}

impl Push<'_> {
    /// Sends what is not there yet; `tell` hears how far it has come.
    pub async fn push(&self, tell: &(dyn Fn(u64, u64) + Sync)) -> Result<Pushed> {
        let start = Instant::now();
        let before = self.client.sent().1;
        let note = self.note();
        let mut known: BTreeSet<Digest> =
            tokio::fs::read(&note).await.ok().and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or_default();
        let mut sent = HashSet::new();
        // What an earlier push has left there is not asked for; should it be gone, the registry says so.
        for last in [false, true] {
            let wanted: Vec<Digest> = self.digests().filter(|digest| !known.contains(digest)).collect();
            let absent = self.absent(wanted).await?;
            self.send(&absent, tell).await?;
            sent.extend(absent);
            let answer = self.client.patiently(&self.manifest().await?).await?;
            if answer.status.is_success() {
                break;
            }
            let missing = missing(&answer.body);
            if last || known.is_empty() || answer.status.is_server_error() {
                return Err(self.client.refused(&answer, exit::UPLOAD));
            }
            // Some registries name what they miss, others only say that they do.
            known.retain(|digest| !missing.is_empty() && !missing.contains(digest));
        }
        known.extend(self.digests());
        // Only a convenience for the next run.
        if let (Some(folder), Ok(text)) = (note.parent(), serde_json::to_vec(&known)) {
            let _ = tokio::fs::create_dir_all(folder).await;
            let _ = tokio::fs::write(&note, text).await;
        }
        let layers = self.layers.iter().filter(|layer| sent.contains(&layer.digest)).count();
        Ok(Pushed {
            image: self.to.at(&self.on.manifest.digest),
            layers,
            of: self.layers.len(),
            bytes: self.client.sent().1 - before,
            took: start.elapsed(),
        })
    }

    fn note(&self) -> PathBuf {
        note(self.cache, self.client, self.to)
    }

    fn own(&self) -> impl Iterator<Item = &Blob> {
        std::iter::once(&self.on.config).chain(self.layers.iter().copied())
    }

    fn digests(&self) -> impl Iterator<Item = Digest> {
        self.own().map(|blob| blob.digest.clone()).chain(self.base.layers.iter().map(|layer| layer.digest.clone()))
    }

    async fn manifest(&self) -> Result<Ask> {
        Ok(Ask::new(Method::PUT, format!("/v2/{}/manifests/{}", self.to.repository, self.tag))
            .header(CONTENT_TYPE, MANIFEST_TYPE)
            .body(read(&self.on.manifest).await?))
    }

    async fn absent(&self, wanted: Vec<Digest>) -> Result<HashSet<Digest>> {
        let ask = async |digest: Digest| {
            let ask = Ask::new(Method::HEAD, format!("/v2/{}/blobs/{digest}", self.to.repository));
            let answer = self.client.patiently(&ask).await?;
            match answer.status {
                StatusCode::NOT_FOUND => Ok(Some(digest)),
                status if status.is_success() || status.is_redirection() => Ok(None),
                _ => Err(self.client.refused(&answer, exit::UPLOAD)),
            }
        };
        let mut digests = wanted.into_iter();
        let mut absent = HashSet::new();
        // The first one alone: it brings the registry's token for the others.
        if let Some(first) = digests.next() {
            absent.extend(ask(first).await?);
        }
        let others: Vec<Option<Digest>> =
            futures_util::stream::iter(digests).map(ask).buffer_unordered(AT_ONCE).try_collect().await?;
        absent.extend(others.into_iter().flatten());
        Ok(absent)
    }

    async fn send(&self, absent: &HashSet<Digest>, tell: &(dyn Fn(u64, u64) + Sync)) -> Result<()> {
        let mut copied = Vec::new();
        for layer in self.base.layers.iter().filter(|layer| absent.contains(&layer.digest)) {
            if !self.mounted(layer).await? {
                copied.push(self.fetched(layer).await?);
            }
        }
        let own = self.own().filter(|blob| absent.contains(&blob.digest));
        self.client.upload_blobs(&self.to.repository, own.chain(&copied), tell).await?;
        for blob in copied {
            let _ = tokio::fs::remove_file(blob.path).await;
        }
        Ok(())
    }

    /// Whether the registry takes a layer of the base from its other repository.
    async fn mounted(&self, layer: &Descriptor) -> Result<bool> {
        let (_, from) = self.from;
        if from.registry != self.to.registry {
            return Ok(false);
        }
        let path = format!("/v2/{}/blobs/uploads/?mount={}&from={}", self.to.repository, layer.digest, from.repository);
        let answer = self.client.patiently(&Ask::new(Method::POST, path)).await?;
        // Otherwise it has begun an upload, which it forgets.
        Ok(answer.status == StatusCode::CREATED)
    }

    /// A layer of the base, on this machine for as long as it is sent on.
    async fn fetched(&self, layer: &Descriptor) -> Result<Blob> {
        let folder = self.cache.join("registries");
        let path = folder.join(format!("{}.blob", layer.digest.hex()));
        let doing = || format!("write `{}`", path.display());
        tokio::fs::create_dir_all(&folder).await.doing(doing)?;
        let (client, from) = self.from;
        let mut place = format!("/v2/{}/blobs/{}", from.repository, layer.digest);
        // Brings the registry's token, which a request whose answer is streamed does not ask for.
        client.patiently(&Ask::new(Method::HEAD, place.clone())).await?;
        for _ in 0..REDIRECTS {
            let mut response = client.begin(Ask::new(Method::GET, place)).await?;
            if response.status().is_redirection() {
                let to = response.headers().get("location").and_then(|value| value.to_str().ok()).map(str::to_owned);
                place = to.unwrap_or_default();
                continue;
            }
            if !response.status().is_success() {
                let (status, headers) = (response.status(), response.headers().clone());
                let body = response.bytes().await.unwrap_or_default();
                return Err(client.refused(&Answer { status, headers, body }, exit::UPLOAD));
            }
            let mut file = tokio::fs::File::create(&path).await.doing(doing)?;
            let broke = |error: &reqwest::Error| Problem::from(Silent::from_error(client, error));
            while let Some(chunk) = response.chunk().await.map_err(|error| broke(&error))? {
                file.write_all(&chunk).await.doing(doing)?;
            }
            file.flush().await.doing(doing)?;
            let size = file.metadata().await.doing(doing)?.len();
            if size != layer.size {
                return Err(Problem::new("registry.short", format!("a layer of the base `{from}` came in part"))
                    .because(format!("it has {size} bytes of {}", layer.size))
                    .try_running("dae deploy")
                    .exit(exit::UPLOAD));
            }
            // Its digest is checked by the registry that takes it.
            return Ok(Blob { digest: layer.digest.clone(), size, path });
        }
        Err(Problem::new("registry.redirects", format!("registry `{}` sends from one place to the next", client.name)))
    }
}
