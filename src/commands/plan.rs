//! `dae plan`, and `dae deploy --plan`.

use serde::Serialize;

use super::online::{Which, block_on};
use super::{Context, Outcome, cluster_deploy, pack};
use crate::app::App;
use crate::packaging::{FileInfo, Image};
use crate::problem::Result;
use crate::remote::Client;
use crate::remote::api::{Planned, ReleaseId};
use crate::remote::client::exit;
use crate::remote::deploy::{self, size};
use crate::remote::difference::{Change, Sign, differences};
use crate::term::{Paint, Text, Tone};

/// Show what `dae deploy` would send and change, and do nothing
///
/// With --exit-code: 0 when there is nothing to do, 1 when there is, 255 on a problem.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    pub which: Which,
    /// Tell by the exit code whether there is something to do
    #[arg(long)]
    pub exit_code: bool,
}

/// How many of the largest files are named.
const LARGEST: usize = 10;
/// Smaller ones are no matter.
const LARGE: u64 = 100 << 10;

#[derive(Serialize)]
pub struct Plan {
    remote: String,
    image: String,
    live: Option<ReleaseId>,
    /// There is nothing to do.
    unchanged: bool,
    layers: usize,
    missing_layers: usize,
    /// Of what would be sent, the manifest's two journeys among them.
    bytes: u64,
    changes: Vec<Change>,
    /// The largest of the app's own files, where they are large.
    largest: Vec<FileInfo>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    sealed: Vec<String>,
    #[serde(skip)]
    exit: u8,
}

impl Text for Plan {
    fn text(&self, paint: Paint) -> String {
        let Some(live) = self.live else {
            return self.lines(paint, format!("the first release on {}", self.remote));
        };
        if self.unchanged {
            return format!("nothing to do: {live} on {} is the same image", self.remote);
        }
        self.lines(paint, format!("in the place of {live} on {}", self.remote))
    }

    fn exit(&self) -> u8 {
        self.exit
    }
}

impl Plan {
    fn lines(&self, paint: Paint, first: String) -> String {
        let mut lines = vec![first];
        lines.push(format!("sends {} of {} layers, {}", self.missing_layers, self.layers, size(self.bytes)));
        lines.extend(self.changes.iter().map(|Change { sign, what }| match sign {
            Sign::Added => paint.tone(Tone::Good, &format!("+ {what}")),
            Sign::Removed => paint.tone(Tone::Bad, &format!("- {what}")),
            Sign::Changed => format!("~ {what}"),
        }));
        if !self.sealed.is_empty() {
            lines.push(format!("sealed: {}", self.sealed.join(", ")));
        }
        if !self.largest.is_empty() {
            lines.push(paint.dim("largest files:"));
            lines.extend(self.largest.iter().map(|file| format!("{:>10}  {}", size(file.size), file.path)));
        }
        lines.join("\n")
    }
}

pub fn run(args: Args, context: &Context) -> Outcome {
    planned(&args, context).map_err(|problem| if args.exit_code { problem.exit(255) } else { problem })
}

fn planned(args: &Args, context: &Context) -> Outcome {
    let app = context.app()?;
    let exit = |unchanged: bool| u8::from(args.exit_code && !unchanged);
    if let Some(target) = args.which.cluster(context, Some(&app.name))? {
        let mut plan = cluster_deploy::plan(context, &app, target)?;
        plan.exit = exit(plan.unchanged);
        return Ok(Box::new(plan));
    }
    let (client, _) = args.which.client(context, Some(&app.name))?;
    let mut plan = make(context, &app, &client)?;
    plan.exit = exit(plan.unchanged);
    Ok(Box::new(plan))
}

/// What deploying `app` as it stands to `client` would do.
pub fn make(context: &Context, app: &App, client: &Client) -> Result<Plan> {
    let image = pack::pack(context, app, || block_on(deploy::recipient(client)))?;
    let planned = block_on(client.plan(&app.name, &deploy::offered(&image), exit::REFUSED))?;
    let Planned { live, missing, refused, runs } = planned;
    if let Some(problem) = crate::problem::Problem::all(refused) {
        return Err(problem.exit(exit::REFUSED));
    }
    let unchanged = live.as_ref().is_some_and(|live| live.image == image.digest().to_string());
    let is_missing = |digest: &crate::packaging::Digest| missing.iter().any(|missing| missing == digest.as_str());
    let sent: u64 = image.blobs().filter(|blob| is_missing(&blob.digest)).map(|blob| blob.size).sum();
    let manifests = image.manifest.size * if missing.is_empty() { 1 } else { 2 };
    Ok(Plan {
        remote: client.name.clone(),
        image: image.digest().to_string(),
        live: live.map(|live| live.id),
        unchanged,
        layers: image.layers.len(),
        missing_layers: image.layers.iter().filter(|layer| is_missing(&layer.blob.digest)).count(),
        bytes: if unchanged { image.manifest.size } else { sent + manifests },
        changes: if unchanged { Vec::new() } else { differences(runs.as_ref(), &image)? },
        largest: largest(&image),
        sealed: image.protected.clone(),
        exit: 0,
    })
}

fn largest(image: &Image) -> Vec<FileInfo> {
    let mut files: Vec<FileInfo> = image.files.iter().filter(|file| file.size >= LARGE).cloned().collect();
    files.sort_by(|a, b| b.size.cmp(&a.size).then_with(|| a.path.cmp(&b.path)));
    files.truncate(LARGEST);
    files
}
