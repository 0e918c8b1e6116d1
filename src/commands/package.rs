//! `dae package`.

use std::path::PathBuf;

use serde::Serialize;

use super::{Context, Outcome, pack};
use crate::packaging::write_layout;
use crate::remote::deploy::size;
use crate::term::{Paint, Text};

/// Build the app's image as an OCI layout
///
/// The image holds the app's files, as git would take them, and every installed package; the same app gives the same digest
/// on every machine. `.daeignore`, in the form of `.gitignore`, leaves out more files, or with `!` takes some back. What
/// `protected_files` names is left out: secrets are sealed to the remote they go to, by `dae deploy`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Where the layout goes [default: .dae/image in the app]
    #[arg(short, long, value_name = "DIR")]
    pub output: Option<PathBuf>,
    /// Only list the app's files that would be packed
    #[arg(long)]
    pub list_files: bool,
}

#[derive(Serialize)]
struct Package {
    image: String,
    path: PathBuf,
    layers: usize,
    new_layers: usize,
    files: usize,
    bytes: u64,
    manifest_bytes: u64,
    /// Hold secrets, and are left out.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    protected: Vec<String>,
}

impl Text for Package {
    fn text(&self, paint: Paint) -> String {
        format!(
            "{}\n{} {} layers, {}, {} of the app's files",
            self.image,
            paint.dim(&format!("in {}:", self.path.display())),
            self.layers,
            size(self.bytes),
            self.files,
        )
    }
}

pub fn run(args: Args, context: &Context) -> Outcome {
    let app = context.app()?;
    if args.list_files {
        return Ok(Box::new(pack::list(context, &app, pack::Secrets::LeftOut)?));
    }
    let image = pack::pack(context, &app, || Ok(None))?;
    let path = args.output.map_or_else(|| app.root.join(".dae/image"), |output| plain(context.cwd.join(output)));
    write_layout(&image, &path)?;
    Ok(Box::new(Package {
        image: image.digest().to_string(),
        path,
        layers: image.layers.len(),
        new_layers: image.layers.iter().filter(|layer| layer.new).count(),
        files: image.files.len(),
        bytes: image.size(),
        manifest_bytes: image.manifest.size,
        protected: image.protected,
    }))
}

/// The same path without `..`, where the folder it is in is there.
fn plain(path: PathBuf) -> PathBuf {
    match (path.parent().and_then(|parent| parent.canonicalize().ok()), path.file_name()) {
        (Some(parent), Some(name)) => parent.join(name),
        _ => path,
    }
}
