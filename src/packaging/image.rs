//! The image of an app: layers, a configuration and a manifest. No time, no machine and no person is in it: the same tree is
//! the same digest everywhere.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::cut::{self, Holds, plan};
use super::item::{Content, Item, Sums, in_parallel};
use super::layer::{Blob, Built, Store};
use super::release::{self, APP_DIR, RELEASE_FILE, RUNTIME_DIR, ReleaseFile, SITE_DIR};
use super::sealed::{self, Recipient, SEALED_FILE, Secrets};
use super::{Digest, dists, select};
use crate::app::{App, Manifest, Serves, Worker};
use crate::problem::{Doing as _, Problem, Result};
use crate::python::Environment;

pub const MANIFEST_TYPE: &str = "application/vnd.oci.image.manifest.v1+json";
pub const LAYER_TYPE: &str = "application/vnd.oci.image.layer.v1.tar+zstd";
pub(super) const CONFIG_TYPE: &str = "application/vnd.oci.image.config.v1+json";
/// On a layer: the distributions it holds, with blanks between.
pub const DISTS: &str = "dev.dae.dist";
/// On the layer of sealed secrets: the key they are sealed to.
pub const SEALED: &str = "dev.dae.sealed";
/// On the manifest: the app it is of.
const APP: &str = "dev.dae.app";

/// An image, every part of it on disk.
#[derive(Debug)]
pub struct Image {
    pub manifest: Blob,
    pub config: Blob,
    pub layers: Vec<Layer>,
    /// The app's own files, as they lie in its folder, sorted.
    pub files: Vec<FileInfo>,
    /// Hold secrets: they are in it for the one they are sealed to, or not at all.
    pub protected: Vec<String>,
    pub sealed: Option<Recipient>,
    /// What a remote is told of it.
    pub release: ReleaseFile,
    pub warnings: Vec<Problem>,
}

#[derive(Debug)]
pub struct Layer {
    pub blob: Blob,
    pub holds: Holds,
    pub new: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FileInfo {
    pub path: String,
    pub size: u64,
}

impl Image {
    pub fn digest(&self) -> &Digest {
        &self.manifest.digest
    }

    /// Everything a remote needs beside the manifest; each once.
    pub fn blobs(&self) -> impl Iterator<Item = &Blob> {
        std::iter::once(&self.config).chain(self.layers.iter().map(|layer| &layer.blob))
    }

    pub fn size(&self) -> u64 {
        self.manifest.size + self.blobs().map(|blob| blob.size).sum::<u64>()
    }
}

/// What `pack` would take of the app's own files.
#[derive(Debug, Serialize)]
pub struct Listing {
    pub files: Vec<FileInfo>,
    pub protected: Vec<String>,
}

/// The app's own files, without reading them; warnings come beside them.
pub fn list(app: &App) -> Result<(Listing, Vec<Problem>)> {
    let selection = select::select(&app.root, &app.manifest)?;
    let files = selection.files.iter().map(|file| info(&file.path, file.meta.len()));
    let mut files: Vec<FileInfo> = files.chain(selection.links.iter().map(|link| info(&link.path, 0))).collect();
    files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok((Listing { files, protected: selection.protected.into_keys().collect() }, selection.warnings))
}

fn info(path: &str, size: u64) -> FileInfo {
    FileInfo { path: path[APP_DIR.len() + 1..].to_owned(), size }
}

/// Packs the app; its layers are kept in `cache`, and digests of files in its `.dae/`. Its secrets are sealed to whoever
/// `recipient` names, which is asked only when there are some; without one they are left out.
pub fn pack(
    app: &App,
    environment: &Environment,
    cache: &Path,
    recipient: impl FnOnce() -> Result<Option<Recipient>>,
) -> Result<Image> {
    let mut sums = Sums::open(app.root.join(".dae/package/sums"));
    let selection = select::select(&app.root, &app.manifest)?;
    let site = dists::site(&environment.site_packages, &mut sums)?;
    let (own, others) = dists::runtime(&environment.runtime, &mut sums)?;
    let mut items = sums.items(selection.files)?;
    let pins =
        items.iter().find(|item| item.path == format!("{APP_DIR}/pip-req.txt")).map(|item| match &item.content {
            Content::File { digest, .. } => digest.clone(),
            Content::Bytes(_) | Content::Link(_) => Digest::of(b""),
        });
    items.extend(selection.links);
    items.sort_by(|a, b| a.path.cmp(&b.path));
    let files = items.iter().map(|item| info(&item.path, item.size())).collect();

    let mut plans = cut::dists(site.dists);
    plans.extend([others, own].into_iter().filter(|items| !items.is_empty()).map(|items| plan(Holds::Runtime, items)));
    plans.extend(cut::app(items));
    let release = release_file(app, environment, pins);
    plans.push(plan(Holds::Release, vec![item(&release)?]));

    let store = Store { folder: cache.join("layers") };
    let mut built = in_parallel(&plans, |plan| store.build(plan))?;
    let recipient = if selection.protected.is_empty() { None } else { recipient()? };
    if let Some(recipient) = &recipient {
        built.push(seal(&store, &selection.protected, recipient)?);
        plans.push(plan(Holds::Sealed(recipient.to_string()), Vec::new()));
    }
    // Only a convenience for the next run: a checkout that cannot be written to is packed all the same.
    let _ = sums.save();
    store.tidy();

    let config = store.keep(&config(&app.manifest, &built)?)?;
    let layers: Vec<Layer> = plans
        .into_iter()
        .zip(built)
        .map(|(plan, built)| Layer { blob: built.blob, holds: plan.holds, new: built.new })
        .collect();
    let manifest = store.keep(&manifest(app, &config, &layers)?)?;
    let warnings = selection.warnings.into_iter().chain(site.warnings).collect();
    let protected = selection.protected.into_keys().collect();
    Ok(Image { manifest, config, layers, files, protected, sealed: recipient, release, warnings })
}

/// The layer of the secrets: made once, because sealing makes other bytes each time.
fn seal(store: &Store, protected: &BTreeMap<String, PathBuf>, to: &Recipient) -> Result<Built> {
    let secrets = select::secrets(protected)?;
    store.once(&sealed::digest(&secrets, to), || {
        let content = Content::Bytes(sealed::seal(&secrets, to)?);
        let item = Item { path: SEALED_FILE.to_owned(), executable: false, content };
        Ok(plan(Holds::Sealed(to.to_string()), vec![item]))
    })
}

/// What the app keeps secret, to be handed over by other means than an image.
pub fn secrets(app: &App) -> Result<Secrets> {
    select::secrets(&select::select(&app.root, &app.manifest)?.protected)
}

fn release_file(app: &App, environment: &Environment, pins: Option<Digest>) -> ReleaseFile {
    let full = &environment.version;
    ReleaseFile {
        format: 1,
        app: app.name.clone(),
        manifest: app.manifest.clone(),
        python: full.splitn(3, '.').take(2).collect::<Vec<_>>().join("."),
        python_full: full.clone(),
        platform: release::platform(),
        pins,
        dae: env!("CARGO_PKG_VERSION").to_owned(),
    }
}

fn item(release: &ReleaseFile) -> Result<Item> {
    let mut bytes = json(release)?;
    bytes.push(b'\n');
    Ok(Item { path: RELEASE_FILE.to_owned(), executable: false, content: Content::Bytes(bytes) })
}

/// Structures whose fields are written in the order declared, and maps sorted: one value, one text.
fn json(value: &impl Serialize) -> Result<Vec<u8>> {
    serde_json::to_vec(value).map_err(std::io::Error::from).doing(|| "write JSON")
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ManifestJson<'a> {
    schema_version: u32,
    media_type: &'a str,
    config: Descriptor<'a>,
    layers: Vec<Descriptor<'a>>,
    annotations: BTreeMap<&'a str, String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Descriptor<'a> {
    media_type: &'a str,
    digest: &'a Digest,
    size: u64,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    annotations: BTreeMap<&'a str, String>,
}

fn manifest(app: &App, config: &Blob, layers: &[Layer]) -> Result<Vec<u8>> {
    let layers = layers.iter().map(|layer| Descriptor {
        media_type: LAYER_TYPE,
        digest: &layer.blob.digest,
        size: layer.blob.size,
        annotations: match &layer.holds {
            Holds::Dists(names) => BTreeMap::from([(DISTS, names.join(" "))]),
            Holds::Sealed(to) => BTreeMap::from([(SEALED, to.clone())]),
            Holds::App | Holds::Runtime | Holds::Release => BTreeMap::new(),
        },
    });
    json(&ManifestJson {
        schema_version: 2,
        media_type: MANIFEST_TYPE,
        config: Descriptor {
            media_type: CONFIG_TYPE,
            digest: &config.digest,
            size: config.size,
            annotations: BTreeMap::new(),
        },
        layers: layers.collect(),
        annotations: BTreeMap::from([(APP, app.name.to_string())]),
    })
}

#[derive(Serialize)]
struct ConfigJson<'a> {
    architecture: &'a str,
    os: &'a str,
    config: RunJson,
    rootfs: RootJson<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct RunJson {
    env: Vec<String>,
    entrypoint: Vec<String>,
    working_dir: String,
}

#[derive(Serialize)]
struct RootJson<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    diff_ids: Vec<&'a Digest>,
}

fn config(manifest: &Manifest, layers: &[Built]) -> Result<Vec<u8>> {
    json(&ConfigJson {
        architecture: release::architecture(),
        os: release::os(),
        config: RunJson {
            env: vec![
                format!("PYTHONPATH=/{APP_DIR}:/{SITE_DIR}:/{RUNTIME_DIR}"),
                "PYTHONUNBUFFERED=1".to_owned(),
                "DAE_ENV=production".to_owned(),
                format!("DAE_APPNAME={}", manifest.application),
                format!("DAE_APPROOT=/{APP_DIR}"),
                format!("DAE_WORKER={}", manifest.worker.as_str()),
            ],
            entrypoint: entrypoint(manifest),
            working_dir: format!("/{APP_DIR}"),
        },
        rootfs: RootJson { kind: "layers", diff_ids: layers.iter().map(|layer| &layer.diff_id).collect() },
    })
}

/// How a container with a Python of the right version answers HTTP on port 8080, with nothing of ours around it.
fn entrypoint(manifest: &Manifest) -> Vec<String> {
    let target = manifest.handlers.iter().find_map(|handler| match &handler.serves {
        Serves::WsgiApp(target) | Serves::AsgiApp(target) => Some(target.to_string()),
        Serves::Websocket(_) | Serves::StaticFiles(_) | Serves::StaticDir(_) => None,
    });
    let Some(target) = target else { return vec!["python3".to_owned()] };
    let class: &[&str] = match manifest.worker {
        Worker::Async => &["--worker-class", "gevent"],
        Worker::Asgi => &["--worker-class", "asgi"],
        Worker::Sync => &[],
    };
    let workers = manifest.nworkers.to_string();
    ["python3", "-m", "gunicorn", "--bind", "0.0.0.0:8080", "--workers", &workers]
        .into_iter()
        .chain(class.iter().copied())
        .chain([target.as_str()])
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    /// An app and its environment with fixed content, written in the order given.
    fn tree(files: &[(&str, &str)], mode: u32) -> (tempfile::TempDir, App, Environment) {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap();
        for (path, content) in files {
            let path = root.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, content).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        }
        let app = App::read(&root.join("app")).unwrap().0;
        let environment = Environment {
            python: PathBuf::from("/nowhere/python"),
            version: "3.11.7".into(),
            site_packages: root.join("site"),
            runtime: root.join("runtime"),
        };
        (dir, app, environment)
    }

    const FILES: &[(&str, &str)] = &[
        ("app/app.yaml", "application: a\nhandlers:\n- url: /.*\n  wsgi_app: app:app\n"),
        ("app/app.py", "x = 1\n"),
        ("app/lib/y.py", "y = 1\n"),
        ("app/pip-req.txt", "web.py==0.62\n"),
        ("site/web/__init__.py", ""),
        ("site/web.py-0.62.dist-info/RECORD", "web/__init__.py,,\n../../bin/x,sha256=1,2\n"),
        ("runtime/dae/__init__.py", ""),
        ("runtime/gunicorn/__init__.py", ""),
    ];

    #[test]
    fn the_same_tree_is_the_same_digest_in_another_folder() {
        let (one, app, environment) = tree(FILES, 0o600);
        let first = pack(&app, &environment, &one.path().join("cache"), || Ok(None)).unwrap();
        let mut files = FILES.to_vec();
        files.reverse();
        files.extend([("app/.git/HEAD", "ref: x"), ("app/venv/x", ""), ("app/__pycache__/app.pyc", "1")]);
        let (two, app, environment) = tree(&files, 0o664);
        for file in ["app/app.py", "site/web/__init__.py"] {
            let file = fs::File::options().append(true).open(two.path().join(file)).unwrap();
            file.set_modified(std::time::UNIX_EPOCH).unwrap();
        }
        let second = pack(&app, &environment, &two.path().join("cache"), || Ok(None)).unwrap();
        assert_eq!(first.digest(), second.digest());

        fs::write(app.root.join("lib/y.py"), "y = 2\n").unwrap();
        let third = pack(&app, &environment, &two.path().join("cache"), || Ok(None)).unwrap();
        assert_ne!(second.digest(), third.digest());
        assert_eq!(third.layers.iter().filter(|layer| layer.new).count(), 1, "one layer changed");
        let gone: Vec<_> = second.layers.iter().map(|layer| &layer.blob.digest).collect();
        assert_eq!(third.layers.iter().filter(|layer| !gone.contains(&&layer.blob.digest)).count(), 1);
    }

    #[test]
    fn secrets_are_one_layer_that_stays_the_same() {
        let mut files = FILES.to_vec();
        files[0].1 = "application: a\nhandlers:\n- url: /.*\n  wsgi_app: app:app\nprotected_files: [key]\n";
        files.push(("app/key", "hush hush"));
        let (dir, app, environment) = tree(&files, 0o644);
        let cache = dir.path().join("cache");
        let key = crate::packaging::Key::generate();
        let pack = |to: Option<Recipient>| pack(&app, &environment, &cache, || Ok(to)).unwrap();
        let (left_out, first, again) = (pack(None), pack(Some(key.public())), pack(Some(key.public())));
        assert_eq!(first.digest(), again.digest());
        assert_eq!((left_out.layers.len() + 1, left_out.sealed.is_none()), (first.layers.len(), true));
        for blob in first.blobs() {
            let bytes = fs::read(&blob.path).unwrap();
            let plain = zstd::decode_all(bytes.as_slice()).unwrap_or(bytes);
            assert!(!plain.windows(4).any(|part| part == b"hush"), "{}", blob.path.display());
        }
        assert_ne!(pack(Some(crate::packaging::Key::generate().public())).digest(), first.digest());
        fs::write(app.root.join("key"), "other").unwrap();
        assert_ne!(pack(Some(key.public())).digest(), first.digest());
    }

    #[test]
    fn a_manifest_and_its_configuration_name_what_is_there() {
        let (dir, app, environment) = tree(FILES, 0o644);
        let image = pack(&app, &environment, &dir.path().join("cache"), || Ok(None)).unwrap();
        let manifest: serde_json::Value = serde_json::from_slice(&fs::read(&image.manifest.path).unwrap()).unwrap();
        assert_eq!(manifest["layers"][0]["annotations"]["dev.dae.dist"], "web.py==0.62");
        let into = dir.path().join("out");
        fs::create_dir(&into).unwrap();
        for blob in image.blobs().skip(1) {
            let file = fs::File::open(&blob.path).unwrap();
            crate::packaging::unpack(file, &blob.digest, &into, crate::packaging::Limits::default()).unwrap();
        }
        let release: ReleaseFile = serde_json::from_slice(&fs::read(into.join(RELEASE_FILE)).unwrap()).unwrap();
        assert_eq!((release.python.as_str(), &release.manifest), ("3.11", &app.manifest));
        assert_eq!(release.pins, Some(Digest::of(b"web.py==0.62\n")));
        let config: serde_json::Value = serde_json::from_slice(&fs::read(&image.config.path).unwrap()).unwrap();
        assert_eq!(config["rootfs"]["diff_ids"].as_array().unwrap().len(), image.layers.len());
        insta::assert_snapshot!(config["config"].to_string(), @r#"{"Entrypoint":["python3","-m","gunicorn","--bind","0.0.0.0:8080","--workers","1","--worker-class","gevent","app:app"],"Env":["PYTHONPATH=/dae/app:/dae/site:/dae/runtime","PYTHONUNBUFFERED=1","DAE_ENV=production","DAE_APPNAME=a","DAE_APPROOT=/dae/app","DAE_WORKER=async"],"WorkingDir":"/dae/app"}"#);
    }
}
