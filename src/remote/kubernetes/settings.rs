//! What is changed of an app without new code: its environment and its numbers of pods, each by a release of the same image; and
//! its hosts, at once.

use std::collections::BTreeMap;

use base64::Engine as _;
use serde_json::Value;

use super::api::{Over, folder};
use super::command::unknown_source;
use super::gray::busy;
use super::history::{Head, Held, KIND_IS_HEAD, Record};
use super::manifests::{REPLICAS, Source, Wanted, env_name, environment, manifests};
use super::rollout::{Arrived, Rollout};
use crate::app::Manifest;
use crate::problem::{Problem, Result};
use crate::remote::api::{Config, ConfigChange, Domains, ReleaseId, Scale, ScaleChange};
use crate::remote::client::exit;
use crate::remote::reference::Reference;
use crate::remote::settings::{Settings, host_name, said};

/// What a change came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Changed {
    /// It was so already, or waits for the first release.
    Now(Option<ReleaseId>),
    Live(Arrived),
}

/// What is live, and what it was made of.
struct Current {
    held: Held,
    live: Option<(Record, Source)>,
}

impl Rollout<'_> {
    async fn current(&self) -> Result<Current> {
        let held = self.history().head().await?;
        let Some(id) = held.head.live else { return Ok(Current { held, live: None }) };
        let record = self.history().record(id).await?.ok_or_else(|| unknown_source(id))?;
        let source = record.source.clone().ok_or_else(|| unknown_source(id))?;
        Ok(Current { held, live: Some((record, source)) })
    }

    /// What `dae config` set for a release; a Secret that only this reads.
    async fn env(&self, of: Option<&String>) -> Result<BTreeMap<String, String>> {
        let Some(of) = of else { return Ok(BTreeMap::new()) };
        let name = format!("{}-{}", self.app.host(), env_name(of));
        let found = self.api.find(&format!("{}/{name}", folder("Secret", self.api.namespace()))).await;
        let found = found.map_err(|failure| self.api.problem("read what is set", failure))?;
        let found = found.ok_or_else(|| {
            Problem::new("config.gone", format!("the Secret `{name}` is gone"))
                .because("it holds what was set before")
                .hint("it was taken away by hand; a new deploy does not bring it back")
                .exit(exit::REFUSED)
        })?;
        let text = |value: &Value| {
            let bytes = base64::engine::general_purpose::STANDARD.decode(value.as_str().unwrap_or_default());
            String::from_utf8_lossy(&bytes.unwrap_or_default()).into_owned()
        };
        let data = found["data"].as_object().cloned().unwrap_or_default();
        Ok(data.iter().map(|(name, value)| (name.clone(), text(value))).collect())
    }

    pub async fn config(&self, reveal: bool) -> Result<Config> {
        let Current { held, live } = self.current().await?;
        let env = self.env(env_of(&held, live.as_ref())).await?;
        let config = env.into_iter().map(|(name, value)| (name, Some(value).filter(|_| reveal))).collect();
        Ok(Config { app: self.app.clone(), release: held.head.live, config })
    }

    pub async fn change_config(&self, change: &ConfigChange) -> Result<Changed> {
        let Current { held, live } = self.current().await?;
        let before = self.env(env_of(&held, live.as_ref())).await?;
        let mut settings = Settings { env: before.clone(), ..Settings::default() };
        settings.change(change, |_| false).map_err(refused)?;
        if settings.env == before {
            return Ok(Changed::Now(held.head.live));
        }
        let Some((live, source)) = live else {
            // It waits for the first release.
            let of = "r0".to_owned();
            self.apply(&environment(self.app, self.api.namespace(), &of, &settings.env), Over::Anybody).await?;
            self.history().swap(&held, Head { env_of: Some(of), ..held.head.clone() }).await?;
            return Ok(Changed::Now(None));
        };
        let message = said("config", &change.set, &change.unset);
        let (id, held) = self.begin_change(&held).await?;
        let release = id.to_string();
        let secret = environment(self.app, self.api.namespace(), &release, &settings.env);
        let source = Source { env_of: Some(release.clone()), release, ..source };
        let again = Again { id, held, live: &live, source, message, by: change.by.clone(), repeats: None };
        self.again(again, &[secret]).await
    }

    pub async fn scale(&self) -> Result<Scale> {
        let (record, source) = self.current().await?.live.ok_or_else(|| self.nothing_live())?;
        let settings = Settings { scale: source.scale.clone(), ..Settings::default() };
        let processes = settings.counts(&in_pods(source.manifest));
        Ok(Scale { app: self.app.clone(), release: Some(record.release.id), processes })
    }

    /// The pods that are there go on; they say the name of the release whose code they are.
    pub async fn change_scale(&self, change: &ScaleChange) -> Result<Changed> {
        let Current { held, live } = self.current().await?;
        let (live, source) = live.ok_or_else(|| self.nothing_live())?;
        let manifest = in_pods(source.manifest.clone());
        let mut settings = Settings { scale: source.scale.clone(), ..Settings::default() };
        settings.scale(&change.processes, &manifest).map_err(refused)?;
        if settings.scale == source.scale {
            return Ok(Changed::Now(held.head.live));
        }
        let counts = settings.counts(&manifest);
        let named = change.processes.keys().filter_map(|name| Some(format!("{name}={}", counts.get(name)?.count)));
        let message = format!("scale: {}", named.collect::<Vec<_>>().join(" "));
        let (id, held) = self.begin_change(&held).await?;
        let source = Source { scale: settings.scale, ..source };
        let repeats = live.release.repeats.or(Some(live.release.id));
        self.again(Again { id, held, live: &live, source, message, by: change.by.clone(), repeats }, &[]).await
    }

    async fn begin_change(&self, held: &Held) -> Result<(ReleaseId, Held)> {
        if let Some(gray) = &held.head.gray {
            return Err(busy(gray.release));
        }
        self.begin(held).await
    }

    /// The live image with other settings.
    async fn again(&self, again: Again<'_>, secrets: &[Value]) -> Result<Changed> {
        let Again { id, held, live, source, message, by, repeats } = again;
        let image = Reference::parse(&live.release.image)?;
        let wanted = Wanted { app: self.app, cluster: &self.api.cluster, image: &image, source: &source };
        let objects = manifests(&wanted)?;
        let mut record = Self::record(id, live.release.image.clone(), Some(source), objects);
        record.release.message = Some(message);
        record.release.by = by;
        record.release.git.clone_from(&live.release.git);
        record.release.repeats = repeats;
        self.history().keep(&record).await?;
        self.run(&mut record, held, secrets).await.map(Changed::Live)
    }

    fn nothing_live(&self) -> Problem {
        Problem::new("release.none-live", format!("nothing of `{}` is live on `{}`", self.app, self.api.remote))
            .try_running("dae deploy")
            .exit(exit::REFUSED)
    }

    pub async fn domains(&self) -> Result<Domains> {
        let head = self.history().head().await?.head;
        Ok(self.domains_of(head))
    }

    fn domains_of(&self, head: Head) -> Domains {
        let own = match &self.api.cluster.domain {
            Some(domain) => format!("{}.{domain}", self.app.host()),
            None => format!("{}.{}.svc", self.app.host(), self.api.namespace()),
        };
        Domains { app: self.app.clone(), own, domains: head.domains, certificates: Vec::new() }
    }

    pub async fn add_domain(&self, host: &str) -> Result<Domains> {
        let host = host_name(host).map_err(refused)?;
        let Some(domain) = &self.api.cluster.domain else {
            return Err(Problem::new("domain.none", format!("remote `{}` has no domain", self.api.remote))
                .because("nothing leads requests from outside to its apps")
                .hint("`dae remote add NAME kubernetes ... --domain apps.example.com` sets one; then deploy")
                .exit(exit::REFUSED));
        };
        if host == *domain || host.ends_with(&format!(".{domain}")) {
            return Err(Problem::new("domain.own", format!("`{host}` belongs to the remote itself"))
                .because(format!("every name under {domain} is an app's own, or will be"))
                .exit(exit::REFUSED));
        }
        if let Some(owner) = self.owner(&host).await? {
            return Err(Problem::new("domain.taken", format!("`{host}` belongs to `{owner}`"))
                .hint(format!("take it away there first: `dae domains rm {host} --app {owner}`"))
                .exit(exit::REFUSED));
        }
        self.change_domains(|domains| {
            let mut domains: Vec<String> = domains.iter().filter(|known| **known != host).cloned().collect();
            domains.push(host.clone());
            domains.sort();
            domains
        })
        .await
    }

    pub async fn remove_domain(&self, host: &str) -> Result<Domains> {
        let host = host_name(host).map_err(refused)?;
        if !self.history().head().await?.head.domains.contains(&host) {
            return Err(Problem::new("domain.unknown", format!("`{}` does not answer for `{host}`", self.app))
                .hint("`dae domains list` shows what it answers for")
                .exit(exit::REFUSED));
        }
        self.change_domains(|domains| domains.iter().filter(|known| **known != host).cloned().collect()).await
    }

    async fn change_domains(&self, change: impl Fn(&[String]) -> Vec<String>) -> Result<Domains> {
        let change = |head: &Head| Some(Head { domains: change(&head.domains), ..head.clone() });
        let head = self.history().change(change).await?.map(|held| held.head).unwrap_or_default();
        if let Some(live) = head.live
            && let Some(record) = self.history().record(live).await?
        {
            self.route(&record, &head).await?;
        }
        Ok(self.domains_of(head))
    }

    /// Another app of the namespace that answers for a host.
    async fn owner(&self, host: &str) -> Result<Option<String>> {
        let list = format!("{}?labelSelector={KIND_IS_HEAD}", folder("ConfigMap", self.api.namespace()));
        let found = self.api.get(&list).await.map_err(|failure| self.api.problem("list the apps", failure))?;
        let heads = found["items"].as_array().into_iter().flatten();
        let others = heads.filter(|map| map["metadata"]["labels"]["app.kubernetes.io/name"] != self.app.host());
        let owner = others.into_iter().find(|map| {
            let head: Option<Head> = map["data"]["head"].as_str().and_then(|text| serde_json::from_str(text).ok());
            head.is_some_and(|head| head.domains.iter().any(|known| known == host))
        });
        Ok(owner.and_then(|map| map["metadata"]["labels"]["app.kubernetes.io/name"].as_str().map(str::to_owned)))
    }
}

/// The live image once more.
struct Again<'a> {
    id: ReleaseId,
    held: Held,
    live: &'a Record,
    source: Source,
    message: String,
    by: Option<String>,
    repeats: Option<ReleaseId>,
}

fn env_of<'a>(held: &'a Held, live: Option<&'a (Record, Source)>) -> Option<&'a String> {
    live.map_or(held.head.env_of.as_ref(), |(_, source)| source.env_of.as_ref())
}

/// app.yaml as a cluster counts: what a node has as web processes are pods here, and two of them usual.
fn in_pods(mut manifest: Manifest) -> Manifest {
    manifest.nworkers = REPLICAS;
    manifest
}

fn refused(problem: Problem) -> Problem {
    if problem.exit == 1 { problem.exit(exit::REFUSED) } else { problem }
}
