//! `dae deploy` where the remote is a Kubernetes cluster.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use super::cluster::{self, Target};
use super::online::block_on;
use super::{Context, Outcome};
use crate::app::App;
use crate::problem::{Problem, Result};
use crate::remote::api::ReleaseId;
use crate::remote::kubernetes::manifests::{Wanted, manifests, yaml};
use crate::term::{Line, Paint, Text};

/// What only a cluster has.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Where the remote is a Kubernetes cluster")]
pub struct Flags {
    /// Push the image, and print the objects instead of applying them
    #[arg(long, value_name = "FORMAT")]
    pub output: Option<Output>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Output {
    Yaml,
}

impl Flags {
    /// For a node none of them is there.
    pub fn refuse(&self) -> Result<()> {
        let Some(_) = self.output else { return Ok(()) };
        Err(Problem::new("deploy.node", "`--output` is for a cluster, and this remote is a node")
            .hint("`--remote NAME` names another remote")
            .exit(2))
    }
}

/// What was said of the release.
pub struct Said {
    pub message: Option<String>,
    pub attach: Option<ReleaseId>,
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

pub fn run(context: &Context, app: &App, mut target: Target, flags: Flags, _said: Said) -> Outcome {
    let packed = cluster::pack(context, app, &mut target)?;
    let image = packed.reference(&target.cluster);
    // The same app is the same text, so that a repository of objects changes only with it.
    let release = image.digest.as_ref().map(|digest| format!("i{}", &digest.hex()[..12])).unwrap_or_default();
    let scale = BTreeMap::new();
    let wanted = Wanted {
        app: &app.name,
        manifest: &app.manifest,
        cluster: &target.cluster,
        release: &release,
        image: &image,
        scale: &scale,
        protected: &packed.image.protected,
    };
    let objects = manifests(&wanted)?;
    block_on(cluster::push(context, app, &target, &packed))?;
    if flags.output == Some(Output::Yaml) && !packed.image.protected.is_empty() {
        let name = format!("{}-files-{release}", app.name.host());
        context.terminal.line(&Line::warning(format!(
            "Secret {name} holds protected files and is not printed; its keys are f0, f1, ... in this order: {}",
            packed.image.protected.join(", ")
        )));
    }
    Ok(Box::new(Objects { image: image.to_string(), objects }))
}
