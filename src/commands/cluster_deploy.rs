//! `dae deploy` where the remote is a Kubernetes cluster.

use std::time::{Duration, Instant};

use serde::Serialize;
use serde_json::Value;

use super::cluster::{self, Packed, Target};
use super::online::block_on;
use super::{Context, Outcome};
use crate::app::App;
use crate::packaging::Image;
use crate::problem::{Doing as _, Problem, Result};
use crate::remote::api::{ReleaseId, Share};
use crate::remote::client::exit;
use crate::remote::deploy::{millis, seconds};
use crate::remote::kubernetes::api::{Api, Over};
use crate::remote::kubernetes::history::{Head, Held, Record};
use crate::remote::kubernetes::manifests::{Source, Wanted, manifests, protected, yaml};
use crate::remote::kubernetes::plan::{self, Change, Kind};
use crate::remote::kubernetes::rollout::{Rollout, Terms};
use crate::remote::kubernetes::{Arrived, Word, dressed};
use crate::remote::reference::Reference;
use crate::remote::{Remotes, origin};
use crate::term::{Line, Paint, Text};

/// What only a cluster has.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Where the remote is a Kubernetes cluster")]
pub struct Flags {
    /// Push the image, and print the objects instead of applying them
    #[arg(long, value_name = "FORMAT", conflicts_with_all = ["plan", "attach"])]
    pub output: Option<Output>,
    /// Set what others have changed by hand, too
    #[arg(long)]
    pub force: bool,
    /// How long the pods may take to be ready
    #[arg(long, value_name = "SECONDS", default_value_t = 660)]
    pub within: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Output {
    Yaml,
}

impl Flags {
    /// For a node none of them is there.
    pub fn refuse(&self) -> Result<()> {
        let flag = match self {
            Self { output: Some(_), .. } => "--output",
            Self { force: true, .. } => "--force",
            _ => return Ok(()),
        };
        Err(Problem::new("deploy.node", format!("`{flag}` is for a cluster, and this remote is a node"))
            .hint("`--remote NAME` names another remote")
            .exit(2))
    }

    fn over(&self) -> Over {
        if self.force { Over::Anybody } else { Over::NobodyElse }
    }

    pub fn terms(&self) -> Terms {
        Terms { over: self.over(), within: Duration::from_secs(self.within) }
    }
}

/// What was said of the release.
pub struct Said {
    pub message: Option<String>,
    pub attach: Option<ReleaseId>,
    pub plan: bool,
    /// On whom it is tried first.
    pub share: Option<Share>,
}

#[derive(Serialize)]
struct Objects {
    image: String,
    objects: Vec<Value>,
}

impl Text for Objects {
    fn text(&self, _: Paint) -> String {
        yaml(&self.objects).trim_end().to_owned()
    }
}

#[derive(Serialize)]
pub struct Plan {
    remote: String,
    image: String,
    live: Option<ReleaseId>,
    /// There is nothing to do.
    pub unchanged: bool,
    changes: Vec<Change>,
    #[serde(skip)]
    pub exit: u8,
}

impl Text for Plan {
    fn text(&self, paint: Paint) -> String {
        let value = |value: &Option<Value>| value.as_ref().map_or_else(|| "nothing".to_owned(), Value::to_string);
        let one = |change: &Change| {
            let head = match change.kind {
                Kind::Made => paint.good(&format!("+ {}", change.object)),
                Kind::Changed => format!("~ {}", change.object),
                Kind::Same => paint.dim(&format!("  {}", change.object)),
                Kind::Removed => paint.bad(&format!("- {}", change.object)),
            };
            let fields = change.fields.iter().map(|field| {
                format!("\n    {}: {} -> {}", field.path, paint.bad(&value(&field.from)), paint.good(&value(&field.to)))
            });
            head + &fields.collect::<String>()
        };
        let first = match self.live {
            Some(live) if self.unchanged => return format!("nothing to do: {live} on {} is just this", self.remote),
            Some(live) => format!("in the place of {live} on {}", self.remote),
            None => format!("the first release on {}", self.remote),
        };
        std::iter::once(first).chain(self.changes.iter().map(one)).collect::<Vec<_>>().join("\n")
    }

    fn exit(&self) -> u8 {
        self.exit
    }
}

#[derive(Serialize)]
struct Report {
    outcome: &'static str,
    release: ReleaseId,
    url: String,
    remote: String,
    image: String,
    took_ms: u64,
    /// Of which the cluster took so much.
    cluster_ms: u64,
}

impl Text for Report {
    fn text(&self, _: Paint) -> String {
        self.url.clone()
    }
}

pub fn run(context: &Context, app: &App, mut target: Target, flags: Flags, said: Said) -> Outcome {
    let start = Instant::now();
    if let Some(release) = said.attach {
        let attached = Box::pin(attach(context, app, &target, &flags, release));
        let arrived = block_on(watched(attached, Some(release)))?;
        return finish(context, app, target, String::new(), arrived, start.elapsed());
    }
    let packed = cluster::pack(context, app, &mut target)?;
    let image = packed.reference(&target.cluster);
    let deploy = Deploy { context, app, target: &target, packed: &packed, image: &image, flags: &flags };
    if flags.output == Some(Output::Yaml) {
        return deploy.print();
    }
    if said.plan {
        return Ok(Box::new(deploy.plan()?));
    }
    let tried = said.share.clone();
    let (id, outcome) = block_on(deploy.run(said.message, said.share))?;
    let Some(arrived) = outcome else {
        context.say("Unchanged", format!("{id} is live already, {}", seconds(start.elapsed())));
        let Target { name: remote, cluster, .. } = &target;
        let url = cluster.url(&app.name);
        return Ok(Box::new(Report {
            outcome: "unchanged",
            release: id,
            url,
            remote: remote.clone(),
            image: image.to_string(),
            took_ms: millis(start.elapsed()),
            cluster_ms: 0,
        }));
    };
    if let Some(share) = tried {
        let whom = super::traffic::said(&share);
        let took = start.elapsed();
        context.say("Gray", format!("{id} of {} for {whom} in {}", app.name, seconds(took)));
        let url = target.cluster.url(&app.name);
        return Ok(Box::new(Report {
            outcome: "gray",
            release: id,
            url,
            remote: target.name,
            image: image.to_string(),
            took_ms: millis(took),
            cluster_ms: millis(arrived.waited),
        }));
    }
    finish(context, app, target, image.to_string(), arrived, start.elapsed())
}

/// What a deploy without flags of its own would change.
pub fn plan(context: &Context, app: &App, mut target: Target) -> Result<Plan> {
    let packed = cluster::pack(context, app, &mut target)?;
    let image = packed.reference(&target.cluster);
    let flags = Flags { output: None, force: false, within: 0 };
    Deploy { context, app, target: &target, packed: &packed, image: &image, flags: &flags }.plan()
}

/// Until it is done, or the user has had enough: the cluster goes on by itself.
async fn watched<T>(work: impl Future<Output = Result<T>>, release: Option<ReleaseId>) -> Result<T> {
    tokio::select! {
        outcome = work => outcome,
        _ = tokio::signal::ctrl_c() => {
            let problem = match release {
                Some(release) => Problem::new("deploy.cancelled", format!("stopped watching; the cluster goes on with {release}"))
                    .try_running(format!("dae deploy --attach {release}")),
                None => Problem::new("deploy.cancelled", "stopped; what has begun, the cluster goes on with")
                    .try_running("dae releases"),
            };
            Err(problem.exit(exit::CANCELLED))
        }
    }
}

async fn attach(context: &Context, app: &App, target: &Target, flags: &Flags, release: ReleaseId) -> Result<Arrived> {
    let api = target.connect().await?;
    let tell = |word: Word| context.terminal.tell(&word);
    Rollout { api: &api, app: &app.name, tell: &tell, terms: flags.terms() }.attach(release).await
}

struct Deploy<'a> {
    context: &'a Context,
    app: &'a App,
    target: &'a Target,
    packed: &'a Packed,
    image: &'a Reference,
    flags: &'a Flags,
}

impl Deploy<'_> {
    fn image(&self) -> &Image {
        &self.packed.image
    }

    fn wanted<'b>(&'b self, source: &'b Source) -> Wanted<'b> {
        Wanted { app: &self.app.name, cluster: &self.target.cluster, image: self.image, source }
    }

    /// What a release of this name is made of; what was set for the app goes on from what is live, or waits in the head.
    fn source(&self, release: &str, head: &Head, live: Option<&Record>) -> Source {
        let live = live.and_then(|record| record.source.as_ref());
        Source {
            manifest: self.app.manifest.clone(),
            release: release.to_owned(),
            protected: self.image().protected.clone(),
            files_of: release.to_owned(),
            env_of: live.map_or_else(|| head.env_of.clone(), |source| source.env_of.clone()),
            scale: live.map(|source| source.scale.clone()).unwrap_or_default(),
            trial: self.packed.trial(&self.target.cluster),
        }
    }

    fn print(&self) -> Outcome {
        // The same app is the same text, so that a repository of objects changes only with it.
        let release = self.image.digest.as_ref().map(|digest| format!("i{}", &digest.hex()[..12])).unwrap_or_default();
        let objects = manifests(&self.wanted(&self.source(&release, &Head::default(), None)))?;
        block_on(cluster::push(self.context, self.app, self.target, self.packed))?;
        if !self.image().protected.is_empty() {
            let name = format!("{}-files-{release}", self.app.name.host());
            self.context.terminal.line(&Line::warning(format!(
                "Secret {name} holds protected files and is not printed; its keys are f0, f1, ... in this order: {}",
                self.image().protected.join(", ")
            )));
        }
        Ok(Box::new(Objects { image: self.image.to_string(), objects }))
    }

    fn plan(&self) -> Result<Plan> {
        block_on(async {
            let api = self.target.connect().await?;
            let rollout = self.rollout(&api, &|_| {});
            let (held, live) = live(&rollout).await?;
            let mut plan = Plan {
                remote: self.target.name.clone(),
                image: self.image.to_string(),
                live: held.head.live,
                unchanged: self.is_settled(&held.head, live.as_ref())?,
                changes: Vec::new(),
                exit: 0,
            };
            if plan.unchanged {
                return Ok(plan);
            }
            let release = format!("r{}", held.head.newest + 1);
            let source = self.source(&release, &held.head, live.as_ref());
            let objects: Vec<Value> =
                manifests(&self.wanted(&source))?.iter().map(|object| dressed(object, &held.head)).collect();
            let before = live.map(|record| record.objects).unwrap_or_default();
            plan.changes = plan::plan(&api, &objects, &before, self.flags.over()).await?;
            Ok(plan)
        })
    }

    fn rollout<'a>(&'a self, api: &'a Api, tell: &'a (dyn Fn(Word) + Sync)) -> Rollout<'a> {
        Rollout { api, app: &self.app.name, tell, terms: self.flags.terms() }
    }

    async fn run(&self, message: Option<String>, share: Option<Share>) -> Result<(ReleaseId, Option<Arrived>)> {
        let api = self.target.connect().await?;
        let tell = |word: Word| self.context.terminal.tell(&word);
        let rollout = self.rollout(&api, &tell);
        // Before anything is sent: whether the cluster can be reached at all, and what is live there.
        let (held, live) = live(&rollout).await?;
        if let Some(share) = &share {
            rollout.may_share(&held.head, share)?;
        }
        if let Some(live) = &live
            && self.is_settled(&held.head, Some(live))?
        {
            return Ok((live.release.id, None));
        }
        let files = self.contents()?;
        watched(cluster::push(self.context, self.app, self.target, self.packed), None).await?;
        let (id, held) = rollout.begin(&held).await?;
        let source = self.source(&id.to_string(), &held.head, live.as_ref());
        let objects = manifests(&self.wanted(&source))?;
        let secrets: Vec<Value> = protected(&self.wanted(&source), &files)?.into_iter().collect();
        let mut record = Rollout::record(id, self.image.to_string(), Some(source), objects);
        record.release.message = message;
        record.release.by = Some(origin::by());
        record.release.git = origin::git(&self.app.root);
        record.share = share;
        let work = async {
            rollout.history().keep(&record).await?;
            if record.share.is_some() {
                rollout.try_out(&mut record, held, &secrets).await
            } else {
                rollout.run(&mut record, held, &secrets).await
            }
        };
        match watched(work, Some(id)).await {
            Ok(arrived) => Ok((id, Some(arrived))),
            Err(problem) => {
                if problem.code == "kubernetes.image" {
                    cluster::doubt(self.context, self.target)?;
                }
                Err(problem)
            }
        }
    }

    /// Whether the live release is just what this one would be, and nothing else is on its way. Of secrets nobody can tell.
    fn is_settled(&self, head: &Head, live: Option<&Record>) -> Result<bool> {
        let settled = head.starting.is_none() && head.gray.is_none() && !self.flags.force;
        let Some(live) = live.filter(|_| settled && self.image().protected.is_empty()) else { return Ok(false) };
        let Some(made) = &live.source else { return Ok(false) };
        let mut source = self.source(&made.release, head, Some(live));
        source.files_of.clone_from(&made.files_of);
        Ok(manifests(&self.wanted(&source))? == live.objects)
    }

    fn contents(&self) -> Result<Vec<Vec<u8>>> {
        let read = |path: &String| {
            let path = self.app.root.join(path);
            std::fs::read(&path).doing(|| format!("read `{}`", path.display()))
        };
        self.image().protected.iter().map(read).collect()
    }
}

/// What the cluster remembers, and the live release among it.
async fn live(rollout: &Rollout<'_>) -> Result<(Held, Option<Record>)> {
    let (held, records) = rollout.history().records().await?;
    let live = records.into_iter().find(|record| Some(record.release.id) == held.head.live);
    Ok((held, live))
}

fn finish(context: &Context, app: &App, target: Target, image: String, arrived: Arrived, took: Duration) -> Outcome {
    let Arrived { release, waited } = arrived;
    let url = target.cluster.url(&app.name);
    let Target { name: remote, mut remotes, .. } = target;
    remember(&mut remotes, &remote, app, &url)?;
    let own = seconds(took.saturating_sub(waited));
    context.say("Live", format!("{release} of {} in {}, {own} of them dae's own", app.name, seconds(took)));
    Ok(Box::new(Report {
        outcome: "live",
        release,
        url,
        remote,
        image,
        took_ms: millis(took),
        cluster_ms: millis(waited),
    }))
}

fn remember(remotes: &mut Remotes, remote: &str, app: &App, url: &str) -> Result<()> {
    if remotes.saw(remote, &app.name, url) { remotes.write() } else { Ok(()) }
}
