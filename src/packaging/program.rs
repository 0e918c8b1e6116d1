//! An image that runs one program on a base, for those who keep it beside an app.

use std::fs::File;
use std::io;
use std::path::Path;

use serde_json::{Value, json};

use super::cut::{Holds, Plan};
use super::image::{CONFIG_TYPE, LAYER_TYPE, MANIFEST_TYPE};
use super::item::{Content, Item};
use super::layer::{Blob, Store};
use super::{Base, Hashing, OnBase};
use crate::problem::{Doing as _, Result};

/// Where the program is in it.
pub const PROGRAM: &str = "/dae/bin/dae";

/// One layer, and what a registry needs beside it and the base's.
#[derive(Debug)]
pub struct Program {
    pub layer: Blob,
    pub on: OnBase,
}

/// The program at `path` on `base`; the new blobs are kept in `cache`.
pub fn program(path: &Path, base: &Base, cache: &Path) -> Result<Program> {
    let doing = || format!("read `{}`", path.display());
    let mut hashing = Hashing::new(io::sink());
    let size = File::open(path).and_then(|mut file| io::copy(&mut file, &mut hashing)).doing(doing)?;
    let (digest, _, _) = hashing.finish();
    let store = Store { folder: cache.join("layers") };
    let built = store.once(&digest, || {
        let content = Content::File { from: path.to_owned(), size, digest: digest.clone() };
        let path = PROGRAM.trim_start_matches('/').to_owned();
        Ok(Plan { holds: Holds::App, items: vec![Item { path, executable: true, content }] })
    })?;
    let mut diff_ids = base.config["rootfs"]["diff_ids"].as_array().cloned().unwrap_or_default();
    diff_ids.push(json!(built.diff_id));
    let config = json!({
        "architecture": base.config["architecture"],
        "os": base.config["os"],
        "config": {"User": super::base::USER, "Env": base.config["config"]["Env"], "Entrypoint": [PROGRAM]},
        "rootfs": {"type": "layers", "diff_ids": diff_ids},
    });
    let config = store.keep(config.to_string().as_bytes())?;
    let own = json!({"mediaType": LAYER_TYPE, "digest": built.blob.digest, "size": built.blob.size});
    let layers: Vec<Value> = base.layers.iter().map(super::Descriptor::json).chain([own]).collect();
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST_TYPE,
        "config": {"mediaType": CONFIG_TYPE, "digest": config.digest, "size": config.size},
        "layers": layers,
    });
    let manifest = store.keep(manifest.to_string().as_bytes())?;
    Ok(Program { layer: built.blob, on: OnBase { manifest, config } })
}
