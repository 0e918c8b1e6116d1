//! Images made up on the spot: one small file, and what a remote is told of it.

use serde_json::{Value, json};

use crate::app::{AppName, Manifest};
use crate::packaging::{APP_DIR, Digest, LAYER_TYPE, MANIFEST_TYPE, RELEASE_FILE};
use crate::problem::{Doing as _, Result};

/// An image in memory.
pub struct Image {
    pub manifest: Vec<u8>,
    /// Its configuration, then its layers.
    pub blobs: Vec<Vec<u8>>,
}

/// What an image is like.
pub struct Draft<'a> {
    pub app: &'a AppName,
    /// `3.11`.
    pub python: &'a str,
    pub platform: &'a str,
    /// What the one file says.
    pub says: &'a str,
    /// Where that is in its layer.
    pub path: &'a str,
    /// Of `release.json`: 1, if it is to be understood.
    pub format: u32,
}

/// Where the file belongs, so that the app answers with it.
pub const PLACE: &str = "dae/app/static/says.txt";

impl Image {
    pub fn digest(&self) -> String {
        Digest::of(&self.manifest).to_string()
    }

    pub fn make(draft: &Draft<'_>) -> Result<Self> {
        let Draft { app, python, platform, says, path, format } = draft;
        let yaml = format!("application: {app}\nhandlers:\n- url: /.*\n  static_files: static/says.txt\n");
        let (manifest, _) = Manifest::parse(std::path::Path::new("app.yaml"), yaml.as_bytes())?;
        let release = json!({
            "format": format, "app": app, "manifest": manifest, "python": python, "python_full": format!("{python}.0"),
            "platform": platform, "pins": null, "dae": env!("CARGO_PKG_VERSION"),
        });
        let yaml_at = format!("{APP_DIR}/app.yaml");
        let layers = [
            layer(&[(path, says.as_bytes()), (&yaml_at, yaml.as_bytes())])?,
            layer(&[(RELEASE_FILE, release.to_string().as_bytes())])?,
        ];
        let (os, architecture) = platform.split_once('/').unwrap_or(("linux", "amd64"));
        let diffs: Vec<&String> = layers.iter().map(|layer| &layer.diff).collect();
        let config = json!({
            "architecture": architecture, "os": os, "config": {}, "rootfs": { "type": "layers", "diff_ids": diffs },
        });
        let mut blobs = vec![config.to_string().into_bytes()];
        blobs.extend(layers.into_iter().map(|layer| layer.bytes));
        let manifest = manifest_of(&blobs).to_string().into_bytes();
        Ok(Self { manifest, blobs })
    }
}

/// The manifest of a configuration and layers.
fn manifest_of(blobs: &[Vec<u8>]) -> Value {
    let told = |kind: &str, blob: &Vec<u8>| json!({ "mediaType": kind, "digest": Digest::of(blob).to_string(), "size": blob.len() });
    let layers: Vec<Value> = blobs[1..].iter().map(|blob| told(LAYER_TYPE, blob)).collect();
    json!({
        "schemaVersion": 2, "mediaType": MANIFEST_TYPE,
        "config": told("application/vnd.oci.image.config.v1+json", &blobs[0]), "layers": layers,
    })
}

struct Layer {
    bytes: Vec<u8>,
    /// The digest before compression.
    diff: String,
}

fn layer(files: &[(&str, &[u8])]) -> Result<Layer> {
    let made = || -> std::io::Result<Layer> {
        let mut tar = tar::Builder::new(Vec::new());
        for (path, bytes) in files {
            let mut header = tar::Header::new_ustar();
            // Not by `set_path`, which would not write what leads out.
            header.as_old_mut().name[..path.len()].copy_from_slice(path.as_bytes());
            header.set_size(bytes.len() as u64);
            header.set_mode(0o644);
            header.set_cksum();
            tar.append(&header, *bytes)?;
        }
        let plain = tar.into_inner()?;
        Ok(Layer { diff: Digest::of(&plain).to_string(), bytes: zstd::encode_all(plain.as_slice(), 3)? })
    };
    made().doing(|| "make a small layer")
}
