//! What a cluster remembers of an app's releases: one ConfigMap a release with its record and its objects, and one, the head, that
//! says which of them is live. The head is changed by comparing versions, so of two who deploy at once one learns of it.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::api::{Api, Failure, Over, Try, folder};
use super::manifests::{KIND, Source, labels, selector};
use crate::app::AppName;
use crate::problem::{Problem, Result};
use crate::remote::api::{Gray, Release, ReleaseId, ReleaseState, Share};
use crate::remote::client::exit;

/// Releases that are kept, beside the live one.
const KEPT: usize = 20;
/// How often a change of the head is tried anew.
const TRIES: usize = 5;

/// What finds the heads of all apps.
pub(super) const KIND_IS_HEAD: &str = "dae.dev/kind%3Dhead";

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// The last one that was good.
    pub live: Option<ReleaseId>,
    /// The one that somebody brings there.
    pub starting: Option<ReleaseId>,
    /// The number of the newest.
    pub newest: u64,
    /// Hosts that were added to the app's own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub domains: Vec<String>,
    /// What is tried beside the live one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gray: Option<Gray>,
    /// Whose Secret holds what `dae config` set before anything was live.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub env_of: Option<String>,
}

/// The head, and the version by which it is changed; none where there is no head yet.
#[derive(Debug, Clone, Default)]
pub struct Held {
    pub head: Head,
    version: Option<String>,
}

/// A release, as it is kept.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Record {
    pub release: Release,
    /// What it is on the cluster; Secrets are not among it.
    pub objects: Vec<Value>,
    /// What they were made of; not there in one that an earlier dae made.
    #[serde(default)]
    pub source: Option<Source>,
    /// On whom it is tried, where it is not to be live at once.
    #[serde(default)]
    pub share: Option<Share>,
}

/// An app's releases on one cluster.
pub struct History<'a> {
    pub api: &'a Api,
    pub app: &'a AppName,
}

impl History<'_> {
    fn map(&self, name: &str, kind: &str, data: Value) -> Value {
        let mut labels = labels(self.app);
        labels[KIND] = json!(kind);
        json!({
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": name, "namespace": self.api.namespace(), "labels": labels},
            "data": data,
        })
    }

    fn head_name(&self) -> String {
        format!("{}-dae", self.app.host())
    }

    fn name(&self, id: ReleaseId) -> String {
        format!("{}-release-{id}", self.app.host())
    }

    fn folder(&self) -> String {
        folder("ConfigMap", self.api.namespace())
    }

    pub async fn head(&self) -> Result<Held> {
        let path = format!("{}/{}", self.folder(), self.head_name());
        let found =
            self.api.find(&path).await.map_err(|failure| self.api.problem("read which release is live", failure))?;
        let Some(found) = found else { return Ok(Held::default()) };
        let text = found["data"]["head"].as_str().unwrap_or_default();
        let head = serde_json::from_str(text).map_err(|error| {
            Problem::new("kubernetes.head", format!("the ConfigMap `{}` is not readable", self.head_name()))
                .because(error)
                .hint("it was changed by hand; without it, the next deploy begins a new history")
                .exit(exit::REFUSED)
        })?;
        Ok(Held { head, version: found["metadata"]["resourceVersion"].as_str().map(str::to_owned) })
    }

    /// Puts `next` in the place of `held`, if nobody else did.
    pub async fn swap(&self, held: &Held, next: Head) -> Result<Held> {
        let text = serde_json::to_string(&next).unwrap_or_default();
        let mut map = self.map(&self.head_name(), "head", json!({"head": text}));
        let folder = self.folder();
        let outcome = match &held.version {
            None => self.api.create(&folder, &map).await,
            Some(version) => {
                map["metadata"]["resourceVersion"] = json!(version);
                self.api.replace(&format!("{folder}/{}", self.head_name()), &map).await
            }
        };
        match outcome {
            Ok(found) => {
                Ok(Held { head: next, version: found["metadata"]["resourceVersion"].as_str().map(str::to_owned) })
            }
            // It may have arrived although its answer did not; or somebody else's has.
            Err(failure) => match (&failure, self.head().await) {
                (Failure::Silent(_) | Failure::Refused(_), Ok(found))
                    if found.head == next && failure.code() != 409 =>
                {
                    Ok(found)
                }
                _ => Err(self.api.problem("say which release is live", failure)),
            },
        }
    }

    /// Changes the head, however often others change it meanwhile; `None` when `change` finds no reason to any more.
    pub async fn change(&self, change: impl Fn(&Head) -> Option<Head>) -> Result<Option<Held>> {
        let mut tries = 0..TRIES;
        loop {
            let held = self.head().await?;
            let Some(next) = change(&held.head) else { return Ok(None) };
            match self.swap(&held, next).await {
                Err(problem) if problem.exit == exit::OVERTAKEN && tries.next().is_some() => {}
                swapped => return swapped.map(Some),
            }
        }
    }

    pub async fn keep(&self, record: &Record) -> Result<()> {
        let data = json!({
            "release": serde_json::to_string(&record.release).unwrap_or_default(),
            "objects": serde_json::to_string(&record.objects).unwrap_or_default(),
            "source": serde_json::to_string(&record.source).unwrap_or_default(),
            "share": serde_json::to_string(&record.share).unwrap_or_default(),
        });
        let map = self.map(&self.name(record.release.id), "release", data);
        let kept = self.api.apply(&map, Over::Anybody, Try::Run).await;
        kept.map(drop).map_err(|failure| self.api.problem(&format!("keep release {}", record.release.id), failure))
    }

    pub async fn record(&self, id: ReleaseId) -> Result<Option<Record>> {
        let path = format!("{}/{}", self.folder(), self.name(id));
        let found =
            self.api.find(&path).await.map_err(|failure| self.api.problem(&format!("read release {id}"), failure))?;
        Ok(found.as_ref().and_then(read))
    }

    /// All that are kept, newest first, each in the state that the head gives it.
    pub async fn records(&self) -> Result<(Held, Vec<Record>)> {
        let held = self.head().await?;
        let path = format!("{}?labelSelector={},{KIND}%3Drelease", self.folder(), escaped(&selector(self.app)));
        let found = self.api.get(&path).await.map_err(|failure| self.api.problem("list the releases", failure))?;
        let mut records: Vec<Record> = found["items"].as_array().into_iter().flatten().filter_map(read).collect();
        for record in &mut records {
            record.release.state = state(&held.head, &record.release);
        }
        records.sort_by_key(|record| std::cmp::Reverse(record.release.id));
        Ok((held, records))
    }

    /// Takes away releases that nobody will go back to, and the Secrets that no other one needs.
    pub async fn tidy(&self) {
        let Ok((held, records)) = self.records().await else { return };
        let needed = |record: &&Record| {
            let id = record.release.id;
            held.head.live == Some(id) || held.head.gray.as_ref().is_some_and(|gray| gray.release == id)
        };
        let (kept, rest) = records.split_at(records.len().min(KEPT));
        let (also, gone): (Vec<&Record>, Vec<&Record>) = rest.iter().partition(needed);
        let kept = || kept.iter().chain(also.iter().copied()).filter_map(|record| record.source.as_ref());
        for record in gone {
            let name = record.release.id.to_string();
            let mut secrets = Vec::new();
            if !kept().any(|source| source.files_of == name) {
                secrets.push(format!("files-{name}"));
            }
            if !kept().any(|source| source.env_of.as_ref() == Some(&name)) {
                secrets.push(format!("env-{name}"));
            }
            // What cannot be taken away now is the next one's.
            for secret in secrets {
                let path = format!("{}/{}-{secret}", folder("Secret", self.api.namespace()), self.app.host());
                let _ = self.api.delete(&path).await;
            }
            let _ = self.api.delete(&format!("{}/{}", self.folder(), self.name(record.release.id))).await;
        }
    }
}

fn read(map: &Value) -> Option<Record> {
    let part = |name: &str| map["data"][name].as_str().unwrap_or_default();
    Some(Record {
        release: serde_json::from_str(part("release")).ok()?,
        objects: serde_json::from_str(part("objects")).ok()?,
        source: serde_json::from_str(part("source")).unwrap_or_default(),
        share: serde_json::from_str(part("share")).unwrap_or_default(),
    })
}

/// What became of a release: the head knows better than its record, which may be of somebody who was killed.
fn state(head: &Head, release: &Release) -> ReleaseState {
    match release.state {
        _ if head.live == Some(release.id) => ReleaseState::Live,
        _ if head.starting == Some(release.id) => ReleaseState::Starting,
        _ if head.gray.as_ref().is_some_and(|gray| gray.release == release.id) => ReleaseState::Gray,
        ReleaseState::Live | ReleaseState::Past => ReleaseState::Past,
        ReleaseState::Gray | ReleaseState::Withdrawn => ReleaseState::Withdrawn,
        ReleaseState::Starting | ReleaseState::Superseded => ReleaseState::Superseded,
        ReleaseState::Failed => ReleaseState::Failed,
    }
}

/// A selector in a query.
pub(super) fn escaped(selector: &str) -> String {
    selector.replace('=', "%3D").replace(',', "%2C")
}
