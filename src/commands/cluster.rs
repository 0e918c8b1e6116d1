//! What the commands share where a remote is a Kubernetes cluster: its settings as flags, and the way of an app to an image
//! that a cluster can run.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;
use serde_json::Value;

use super::online::block_on;
use super::{Context, pack};
use crate::app::{App, AppName};
use crate::packaging::{self, Base, Image, OnBase, Program};
use crate::problem::{Doing as _, Problem, Result};
use crate::remote::api::{ReleaseId, Releases};
use crate::remote::cluster::{BASE, Cluster, Gateway, label, service};
use crate::remote::deploy::{Step, seconds};
pub use crate::remote::kubernetes::Changed;
use crate::remote::kubernetes::api::Over;
use crate::remote::kubernetes::history::History;
use crate::remote::kubernetes::manifests::RELEASE;
use crate::remote::kubernetes::registry::{self, Push, Pushed};
use crate::remote::kubernetes::{Api, Arrived, Rollout, Terms, Word, rollout, trial};
use crate::remote::reference::Reference;
use crate::remote::{Client, Remotes, origin};
use crate::term::{Line, Paint, Text};

/// The word in the place of an address that makes a remote a cluster.
pub const KUBERNETES: &str = "kubernetes";

/// What is known of a cluster.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Where the remote is `kubernetes`")]
pub struct Settings {
    /// The context in the kubeconfig [default: the current one, or the pod's own account]
    #[arg(long, value_name = "NAME")]
    pub context: Option<String>,
    /// The kubeconfig [default: KUBECONFIG, or ~/.kube/config]
    #[arg(long, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
    /// The namespace its apps live in
    #[arg(long, value_name = "NAME")]
    pub namespace: Option<String>,
    /// The repository for images, as `ghcr.io/acme/shop`; the nodes must be able to pull from it
    #[arg(long, value_name = "REPOSITORY")]
    pub registry: Option<String>,
    /// The image with Python below each app; `{python}` stands for the version [default: Docker Hub's python:{python}-slim]
    #[arg(long, value_name = "IMAGE")]
    pub base: Option<String>,
    /// Apps answer at NAME.DOMAIN [default: inside the cluster only]
    #[arg(long, value_name = "DOMAIN")]
    pub domain: Option<String>,
    /// Requests from outside come by this Gateway, as `NAMESPACE/NAME` [default: the only one there is, else an Ingress]
    #[arg(long, value_name = "GATEWAY")]
    pub gateway: Option<String>,
    /// The class of the Ingress
    #[arg(long, value_name = "CLASS", conflicts_with = "gateway")]
    pub ingress_class: Option<String>,
    /// The storage class for permanent files; it must let several nodes write
    #[arg(long, value_name = "CLASS")]
    pub storage_class: Option<String>,
    /// A Secret by which the nodes pull images
    #[arg(long, value_name = "NAME")]
    pub pull_secret: Option<String>,
    /// Where a service is, as `memcache=cache:11211` or `mysql=mysql://user@db:3306/shop`; again for others
    #[arg(long, value_name = "KIND=ADDRESS")]
    pub service: Vec<String>,
    /// Run memcache, beansdb and the queue beside each app where no --service names them; for trials
    #[arg(long)]
    pub trial: bool,
}

const SERVICES: [&str; 4] = ["mysql", "memcache", "beansdb", "queue"];

impl Settings {
    /// The first that is set, by its flag.
    pub fn any(&self) -> Option<&'static str> {
        [
            ("--context", self.context.is_some()),
            ("--kubeconfig", self.kubeconfig.is_some()),
            ("--namespace", self.namespace.is_some()),
            ("--registry", self.registry.is_some()),
            ("--base", self.base.is_some()),
            ("--domain", self.domain.is_some()),
            ("--gateway", self.gateway.is_some()),
            ("--ingress-class", self.ingress_class.is_some()),
            ("--storage-class", self.storage_class.is_some()),
            ("--pull-secret", self.pull_secret.is_some()),
            ("--service", !self.service.is_empty()),
            ("--trial", self.trial),
        ]
        .into_iter()
        .find_map(|(flag, set)| set.then_some(flag))
    }

    pub fn read(self, context: &Context, name: &str) -> Result<Cluster> {
        let missing = |flag: &str, example: &str| {
            Problem::new("remote.kubernetes", format!("a cluster needs {flag}"))
                .try_running(format!("dae remote add {name} kubernetes --namespace shop --registry ghcr.io/acme/shop"))
                .hint(format!("as in `{flag} {example}`"))
                .exit(2)
        };
        let namespace = self.namespace.ok_or_else(|| missing("--namespace", "shop"))?;
        let namespace = label(&namespace, "namespace")?;
        let registry = Reference::parse(&self.registry.ok_or_else(|| missing("--registry", "ghcr.io/acme/shop"))?)?;
        if registry.tag.is_some() || registry.digest.is_some() {
            return Err(Problem::new("image.reference", format!("`{registry}` names one image of a repository"))
                .hint(format!("write the repository alone: `{}/{}`", registry.registry, registry.repository))
                .exit(2));
        }
        let base = self.base.unwrap_or_else(|| BASE.to_owned());
        Reference::parse(&base.replace("{python}", "3.11"))?;
        let gateway = self.gateway.map(|text| Gateway::parse(&text, &namespace)).transpose()?;
        if let Some(domain) = &self.domain {
            for part in domain.split('.') {
                label(part, "domain")?;
            }
        }
        let mut services = BTreeMap::new();
        for text in &self.service {
            let (kind, address) = text.split_once('=').unwrap_or((text, ""));
            if !SERVICES.contains(&kind) {
                return Err(Problem::new(
                    "kubernetes.service",
                    format!("`{kind}` is no service that an app is told of"),
                )
                .hint("write `mysql`, `memcache`, `beansdb` or `queue`")
                .exit(2));
            }
            services.extend(service(kind, address)?);
        }
        Ok(Cluster {
            context: self.context,
            kubeconfig: self.kubeconfig.map(|path| context.cwd.join(path)),
            namespace,
            registry,
            base,
            bases: BTreeMap::new(),
            domain: self.domain,
            gateway,
            ingress_class: self.ingress_class,
            storage_class: self.storage_class,
            pull_secret: self.pull_secret,
            services,
            trial: self.trial,
        })
    }
}

/// A cluster that a command was pointed at.
pub struct Target {
    pub name: String,
    pub cluster: Cluster,
    pub remotes: Remotes,
}

impl Target {
    pub async fn connect(&self) -> Result<Api> {
        Api::connect(&self.name, &self.cluster).await
    }
}

/// What changes an app there, as the commands without terms of their own do.
pub fn rollout<'a>(api: &'a Api, app: &'a AppName, tell: &'a (dyn Fn(Word) + Sync)) -> Rollout<'a> {
    Rollout { api, app, tell, terms: Terms { over: Over::Anybody, within: WITHIN } }
}

pub fn tell_changed(context: &Context, app: &AppName, changed: Changed, took: Duration) {
    match changed {
        Changed::Now(Some(release)) => context.say("Set", format!("{release} of {app} has it already")),
        Changed::Now(None) => context.say("Set", format!("{app} has it from its first release on")),
        Changed::Live(arrived) => {
            context.say("Live", format!("{} of {app} in {}", arrived.release, seconds(took)));
        }
    }
}

/// How long pods may take to be ready.
const WITHIN: Duration = Duration::from_mins(11);

/// An app, packed for a cluster.
pub struct Packed {
    pub image: Image,
    base: Base,
    from: Reference,
    on: OnBase,
    /// The services for trials, where some are wanted.
    trial: Option<Program>,
}

impl Packed {
    /// Where the nodes will find it.
    pub fn reference(&self, cluster: &Cluster) -> Reference {
        cluster.registry.at(&self.on.manifest.digest)
    }

    /// The same of the services for trials.
    pub fn trial(&self, cluster: &Cluster) -> Option<Reference> {
        self.trial.as_ref().map(|program| cluster.registry.at(&program.on.manifest.digest))
    }
}

/// Packs the app on the remote's base; a base that was never looked up is, and is remembered by its digest.
pub fn pack(context: &Context, app: &App, target: &mut Target) -> Result<Packed> {
    let (image, python) = pack::image(context, app, || Ok(None))?;
    let version = python.splitn(3, '.').take(2).collect::<Vec<_>>().join(".");
    let from = target.cluster.base_for(&version)?;
    let client = registry::client(&from, &context.environment)?;
    let base = block_on(registry::base(&client, &from))?;
    if from.digest.is_none() {
        let found = Reference { digest: Some(base.digest.clone()), ..from.clone() };
        context.terminal.line(&Line::good("Base", format!("{from} is {}; remembered", base.digest.short())));
        target.cluster.bases.insert(from.to_string(), found);
        target.remotes.add_cluster(&target.name, target.cluster.clone())?;
        target.remotes.write()?;
    }
    let on = image.on(&base, &context.dirs.cache)?;
    let trial =
        if trial::missing(&target.cluster).is_empty() { None } else { Some(services(&base, &context.dirs.cache)?) };
    Ok(Packed { image, base, from, on, trial })
}

/// This very program, as an image.
fn services(base: &Base, cache: &Path) -> Result<Program> {
    if !cfg!(target_os = "linux") {
        return Err(Problem::new(
            "kubernetes.trial",
            "the services for trials are this program, and it is none for Linux",
        )
        .hint("deploy from a Linux machine, or name the services: `dae remote add ... --service KIND=ADDRESS`")
        .exit(3));
    }
    let program = std::env::current_exe().doing(|| "find this program")?;
    packaging::program(&program, base, cache)
}

/// Pushes what the registry does not have.
pub async fn push(context: &Context, app: &App, target: &Target, packed: &Packed) -> Result<Pushed> {
    let to = &target.cluster.registry;
    let client = registry::client(to, &context.environment)?;
    let from: Client = registry::client(&packed.from, &context.environment)?;
    let push = |on, layers, name: &str| Push {
        client: &client,
        to,
        tag: tag(name, on),
        layers,
        base: &packed.base,
        from: (&from, &packed.from),
        on,
        cache: &context.dirs.cache,
    };
    let tell = |done, total| context.terminal.tell(&Step::Uploading { done, total });
    if let Some(program) = &packed.trial {
        push(&program.on, vec![&program.layer], trial::SERVICES).push(&tell).await?;
    }
    let layers = packed.image.layers.iter().map(|layer| &layer.blob).collect();
    let pushed = push(&packed.on, layers, &app.name.host()).push(&tell).await?;
    let Pushed { layers, of, bytes, took, .. } = pushed;
    context.terminal.tell(&Step::Pushed { layers, of, bytes, took });
    Ok(pushed)
}

fn tag(name: &str, on: &OnBase) -> String {
    format!("{name}-{}", &on.manifest.digest.hex()[..12])
}

/// A cluster could not pull what was pushed: the next push looks at everything again.
pub fn doubt(context: &Context, target: &Target) -> Result<()> {
    let to = &target.cluster.registry;
    registry::doubt(&context.dirs.cache, &registry::client(to, &context.environment)?, to);
    Ok(())
}

/// The release that serves.
pub async fn live(api: &Api, app: &AppName) -> Result<Option<ReleaseId>> {
    Ok(History { api, app }.head().await?.head.live)
}

/// The releases a cluster keeps.
pub async fn releases(api: &Api, app: &AppName) -> Result<Releases> {
    let (_, records) = History { api, app }.records().await?;
    Ok(Releases { app: app.clone(), releases: records.into_iter().map(|record| record.release).collect() })
}

pub async fn rollback(
    context: &Context,
    target: &Target,
    app: &AppName,
    to: Option<ReleaseId>,
) -> Result<(Option<ReleaseId>, Arrived)> {
    let api = target.connect().await?;
    let tell = |word: Word| context.terminal.tell(&word);
    rollout(&api, app, &tell).rollback(to, origin::by()).await
}

/// A pod, as `dae ps` shows it.
#[derive(Debug, Serialize)]
pub struct Pod {
    pub release: String,
    /// `web`, `daemon-feed`.
    pub process: String,
    pub name: String,
    pub state: String,
    pub ready: bool,
    pub restarts: u64,
    pub node: String,
}

#[derive(Serialize)]
#[expect(clippy::struct_field_names, reason = "the word of the answer")]
pub struct Pods {
    pub app: AppName,
    pub remote: String,
    pub pods: Vec<Pod>,
}

impl Text for Pods {
    fn text(&self, paint: Paint) -> String {
        if self.pods.is_empty() {
            return format!("no pod of {} runs on {}", self.app, self.remote);
        }
        let width = |cell: fn(&Pod) -> &str| self.pods.iter().map(|pod| cell(pod).len()).max().unwrap_or(0);
        let (process, name, state) = (width(|pod| &pod.process), width(|pod| &pod.name), width(|pod| &pod.state));
        let line = |pod: &Pod| {
            let told = format!("{:state$}", pod.state);
            let told = if pod.ready { paint.good(&told) } else { paint.bad(&told) };
            let restarts = if pod.restarts == 0 { String::new() } else { format!("  {} restarts", pod.restarts) };
            let text = format!(
                "{:5} {told}  {:process$}  {:name$}  {}{restarts}",
                pod.release, pod.process, pod.name, pod.node
            );
            text.trim_end().to_owned()
        };
        self.pods.iter().map(line).collect::<Vec<_>>().join("\n")
    }
}

pub async fn pods(api: &Api, app: &AppName) -> Result<Vec<Pod>> {
    let mut pods: Vec<Pod> = rollout::pods(api, app).await?.iter().map(pod).collect();
    pods.sort_by(|a, b| (&a.process, &a.name).cmp(&(&b.process, &b.name)));
    Ok(pods)
}

fn pod(found: &Value) -> Pod {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let (meta, status) = (&found["metadata"], &found["status"]);
    let container = &status["containerStatuses"][0];
    let waiting = &container["state"]["waiting"]["reason"];
    let ready = container["ready"] == true;
    let state = match waiting.as_str() {
        _ if !meta["deletionTimestamp"].is_null() => "ending".to_owned(),
        Some(reason) => reason.to_owned(),
        None if ready => "ready".to_owned(),
        None => text(&status["phase"]).to_lowercase(),
    };
    Pod {
        release: text(&meta["labels"][RELEASE]),
        process: text(&meta["labels"]["app.kubernetes.io/component"]),
        name: text(&meta["name"]),
        state,
        ready,
        restarts: container["restartCount"].as_u64().unwrap_or(0),
        node: text(&found["spec"]["nodeName"]),
    }
}
