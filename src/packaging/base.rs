//! An app's image on top of another one that brings Python and its system: the same layers, so a registry or a machine that has
//! them needs nothing new. Of the base its manifest and its configuration are needed, and not its bytes.

use std::fs;
use std::path::Path;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::image::{CONFIG_TYPE, MANIFEST_TYPE};
use super::layer::Store;
use super::{Blob, Digest, Image, release};
use crate::problem::{Doing as _, Problem, Result};

/// An image to stand on.
#[derive(Debug, Clone)]
pub struct Base {
    /// By its digest, as people find it again.
    pub name: String,
    pub digest: Digest,
    pub layers: Vec<Descriptor>,
    /// Its configuration, whole.
    pub config: Value,
}

/// A layer of a base.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    pub media_type: String,
    pub digest: Digest,
    pub size: u64,
}

/// What a registry needs beside the layers of both.
#[derive(Debug)]
pub struct OnBase {
    pub manifest: Blob,
    pub config: Blob,
}

/// Nobody's user, by number: a system without users has it too.
pub(super) const USER: &str = "10001:10001";
/// How a container of the image answers HTTP.
const ENTRYPOINT: [&str; 5] = ["python3", "-s", "-S", "/dae/runtime/dae/container.py", "web"];

impl Image {
    /// This image on `base`; the two new blobs are kept in `cache`.
    pub fn on(&self, base: &Base, cache: &Path) -> Result<OnBase> {
        let store = Store { folder: cache.join("layers") };
        let own = read(&self.config)?;
        for part in ["os", "architecture"] {
            if own[part] != base.config[part] {
                let platform = format!("{}/{}", text(&base.config["os"]), text(&base.config["architecture"]));
                return Err(Problem::new("image.platform", format!("the base `{}` is for {platform}", base.name))
                    .because(format!("the app's packages are installed for {}", release::platform()))
                    .hint("deploy from a machine like the cluster's, or name another base: `dae remote add ... --base`")
                    .exit(3));
            }
        }
        let diff_ids = [list(&base.config["rootfs"]["diff_ids"]), list(&own["rootfs"]["diff_ids"])].concat();
        let config = json!({
            "architecture": own["architecture"],
            "os": own["os"],
            "config": {
                "User": USER,
                "Env": environment(&base.config["config"]["Env"], &own["config"]["Env"]),
                "Entrypoint": ENTRYPOINT,
                "WorkingDir": own["config"]["WorkingDir"],
            },
            "rootfs": {"type": "layers", "diff_ids": diff_ids},
        });
        let config = store.keep(config.to_string().as_bytes())?;
        let own = read(&self.manifest)?;
        let layers: Vec<Value> = base.layers.iter().map(Descriptor::json).chain(list(&own["layers"])).collect();
        let mut annotations = own["annotations"].as_object().cloned().unwrap_or_default();
        annotations.insert("org.opencontainers.image.base.name".into(), json!(base.name));
        annotations.insert("org.opencontainers.image.base.digest".into(), json!(base.digest));
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": MANIFEST_TYPE,
            "config": {"mediaType": CONFIG_TYPE, "digest": config.digest, "size": config.size},
            "layers": layers,
            "annotations": annotations,
        });
        let manifest = store.keep(manifest.to_string().as_bytes())?;
        Ok(OnBase { manifest, config })
    }
}

impl Descriptor {
    /// Docker's layers are the same bytes under another name.
    pub(super) fn json(&self) -> Value {
        let media_type = match self.media_type.as_str() {
            "application/vnd.docker.image.rootfs.diff.tar.gzip" => "application/vnd.oci.image.layer.v1.tar+gzip",
            "application/vnd.docker.image.rootfs.diff.tar" => "application/vnd.oci.image.layer.v1.tar",
            other => other,
        };
        json!({"mediaType": media_type, "digest": self.digest, "size": self.size})
    }
}

/// The base's variables with ours in their place.
fn environment(base: &Value, own: &Value) -> Vec<String> {
    let mut env = Map::new();
    for pair in list(base).iter().chain(&list(own)) {
        if let Some((name, value)) = pair.as_str().and_then(|pair| pair.split_once('=')) {
            env.insert(name.to_owned(), json!(value));
        }
    }
    env.iter().map(|(name, value)| format!("{name}={}", text(value))).collect()
}

fn list(value: &Value) -> Vec<Value> {
    value.as_array().cloned().unwrap_or_default()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or("-")
}

fn read(blob: &Blob) -> Result<Value> {
    let doing = || format!("read `{}`", blob.path.display());
    let bytes = fs::read(&blob.path).doing(doing)?;
    serde_json::from_slice(&bytes).map_err(std::io::Error::from).doing(doing)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(dir: &Path) -> Image {
        let store = Store { folder: dir.join("layers") };
        let layer = Digest::of(b"own");
        let config = json!({
            "architecture": "amd64", "os": "linux",
            "config": {"Env": ["A=own", "DAE_APPNAME=a"], "WorkingDir": "/dae/app"},
            "rootfs": {"type": "layers", "diff_ids": [layer]},
        });
        let config = store.keep(config.to_string().as_bytes()).unwrap();
        let manifest =
            json!({"layers": [{"mediaType": "own", "digest": layer, "size": 3}], "annotations": {"dev.dae.app": "a"}});
        let manifest = store.keep(manifest.to_string().as_bytes()).unwrap();
        Image {
            manifest,
            config,
            layers: Vec::new(),
            files: Vec::new(),
            protected: Vec::new(),
            sealed: None,
            release: crate::packaging::ReleaseFile::example(""),
            warnings: Vec::new(),
        }
    }

    fn base(architecture: &str) -> Base {
        Base {
            name: "docker.io/library/python:3.11-slim".into(),
            digest: Digest::of(b"manifest"),
            layers: vec![Descriptor {
                media_type: "application/vnd.docker.image.rootfs.diff.tar.gzip".into(),
                digest: Digest::of(b"base"),
                size: 4,
            }],
            config: json!({
                "architecture": architecture, "os": "linux",
                "config": {"Env": ["PATH=/usr/local/bin:/bin", "A=base"], "Cmd": ["python3"]},
                "rootfs": {"type": "layers", "diff_ids": [Digest::of(b"base diff")]},
            }),
        }
    }

    #[test]
    fn the_layers_of_both_and_our_way_to_start() {
        let dir = tempfile::tempdir().unwrap();
        let on = image(dir.path()).on(&base("amd64"), dir.path()).unwrap();
        let config = read(&on.config).unwrap();
        assert_eq!(config["rootfs"]["diff_ids"], json!([Digest::of(b"base diff"), Digest::of(b"own")]));
        assert_eq!(config["config"]["Env"], json!(["A=own", "DAE_APPNAME=a", "PATH=/usr/local/bin:/bin"]));
        assert_eq!((&config["config"]["User"], &config["config"]["Cmd"]), (&json!(USER), &Value::Null));
        let manifest = read(&on.manifest).unwrap();
        assert_eq!(manifest["config"]["digest"], json!(on.config.digest));
        assert_eq!(manifest["layers"][0]["mediaType"], "application/vnd.oci.image.layer.v1.tar+gzip");
        assert_eq!(manifest["layers"][1]["digest"], json!(Digest::of(b"own")));
        let again = image(dir.path()).on(&base("amd64"), dir.path()).unwrap();
        assert_eq!(again.manifest.digest, on.manifest.digest);
    }

    #[test]
    fn a_base_for_another_machine_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let problem = image(dir.path()).on(&base("arm64"), dir.path()).unwrap_err();
        assert_eq!((problem.code.as_ref(), problem.exit), ("image.platform", 3));
    }
}
