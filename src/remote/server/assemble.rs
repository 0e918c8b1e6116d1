//! From an image to folders that Python runs from. Every layer is unpacked once; what is made of layers are hard links:
//!
//! ```text
//! layers/DIGEST/                 one layer, read-only
//! sites/KEY/                     third-party packages, shared by all images with the same ones
//! runtimes/KEY/                  the runtime set, likewise
//! apps/APP/releases/DIGEST/app   the app's own files, for all releases of one image
//! apps/APP/learned/KEY.json      what a warm parent with the packages `sites/KEY` should import
//! apps/APP/permdir               the app's permanent files, linked into every release
//! ```
//!
//! A folder that has its name is whole: it was made aside and renamed, so after a crash it is made again or used as it is.

use std::collections::BTreeMap;
use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::blobs::Blobs;
use super::isolation::give_secrets;
use crate::app::AppName;
use crate::packaging::{
    self, APP_DIR, Digest, Key, Limits, RELEASE_FILE, RUNTIME_DIR, ReleaseFile, SEALED_FILE, SITE_DIR,
};
use crate::problem::{Doing as _, Problem, Result};

/// A release on disk, ready to be run.
#[derive(Debug, Clone)]
pub struct Assembled {
    pub file: ReleaseFile,
    /// The app's code.
    pub root: PathBuf,
    pub site: PathBuf,
    pub runtime: PathBuf,
    /// Where it is kept what a warm parent should import.
    pub learned: PathBuf,
    /// Layers that were not here unpacked before.
    pub unpacked: usize,
}

/// `release.json` in a release's folder: the image's own, and what it was put together with.
#[derive(Debug, Serialize, Deserialize)]
struct Record {
    release: ReleaseFile,
    site: String,
    runtime: String,
}

pub struct Assembly<'a> {
    pub dir: &'a Path,
    pub blobs: &'a Blobs,
    /// Opens what is sealed.
    pub key: &'a Key,
    /// Whose what was sealed is, once it is opened; none: the node's.
    pub user: Option<u32>,
}

#[derive(Debug, Deserialize)]
struct Manifest {
    layers: Vec<Descriptor>,
}

#[derive(Debug, Deserialize)]
struct Descriptor {
    digest: Digest,
}

/// Takes away what was being made when the node was killed.
pub fn tidy(dir: &Path) {
    let apps = fs::read_dir(dir.join("apps")).into_iter().flatten().flatten();
    let releases = apps.map(|app| app.path().join("releases"));
    for folder in ["layers", "sites", "runtimes"].map(|name| dir.join(name)).into_iter().chain(releases) {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            if entry.file_name().to_string_lossy().starts_with(ASIDE) {
                let _ = fs::remove_dir_all(entry.path());
            }
        }
    }
}

/// What is being made, or taken away, begins so.
pub const ASIDE: &str = ".making-";

/// What a release's folder was put together with, below the node's folder.
pub fn made_with(place: &Path) -> Vec<String> {
    let record =
        fs::read(place.join("release.json")).ok().and_then(|bytes| serde_json::from_slice::<Record>(&bytes).ok());
    record.map(|Record { site, runtime, .. }| vec![site, runtime]).unwrap_or_default()
}

/// What an image that was put together runs with.
pub fn release_file_of(dir: &Path, app: &AppName, image: &Digest) -> Option<ReleaseFile> {
    let place = dir.join("apps").join(app.as_str()).join("releases").join(image.hex());
    let bytes = fs::read(place.join("release.json")).ok()?;
    serde_json::from_slice::<Record>(&bytes).ok().map(|record| record.release)
}

impl Assembly<'_> {
    /// Puts together what `image` of `app` runs from, or finds it there.
    pub fn release(&self, app: &AppName, image: &Digest) -> Result<Assembled> {
        let folder = self.dir.join("apps").join(app.as_str());
        let place = folder.join("releases").join(image.hex());
        if let Some(assembled) = self.there(&folder, &place) {
            return Ok(assembled);
        }
        let manifest: Manifest = serde_json::from_slice(&self.blobs.read(image)?)
            .map_err(|error| not_ours(image, "its manifest is not readable").because(error))?;
        let folder_of = |digest: &Digest| self.dir.join("layers").join(digest.hex());
        let layers: Vec<_> = manifest.layers.iter().map(|layer| (&layer.digest, folder_of(&layer.digest))).collect();
        let unpacked = self.unpack(&layers)?;
        let file = release_file(image, &layers)?;
        if file.app != *app {
            return Err(not_ours(image, &format!("it is of the app `{}`", file.app))
                .hint(format!("deploy it as `{}`", file.app)));
        }
        if file.platform != packaging::platform() {
            return Err(Problem::new("release.platform", "the image was made for another platform")
                .because(format!("it is for {}, this node is {}", file.platform, packaging::platform()))
                .hint("package it on a machine like the node"));
        }
        let site = self.shared("sites", SITE_DIR, &layers)?;
        let runtime = self.shared("runtimes", RUNTIME_DIR, &layers)?;
        let permdir = folder.join("permdir");
        fs::create_dir_all(&permdir).doing(|| format!("make the folder `{}`", permdir.display()))?;
        if place.is_dir() {
            // What it was put together with is gone; nothing of it runs.
            fs::remove_dir_all(&place).doing(|| format!("make `{}` again", place.display()))?;
        }
        let record = Record { release: file, site, runtime };
        self.whole(&place, |into| {
            let root = into.join("app");
            fs::create_dir(&root)?;
            for (_, layer) in &layers {
                link_tree(&layer.join(APP_DIR), &root, &["permdir"])?;
            }
            std::os::unix::fs::symlink("../../../permdir", root.join("permdir"))?;
            for (_, layer) in &layers {
                self.unseal(&layer.join(SEALED_FILE), into, &root)?;
            }
            let mut file = File::create(into.join("release.json"))?;
            io::Write::write_all(&mut file, &serde_json::to_vec_pretty(&record)?)?;
            Ok(file.sync_all()?)
        })?;
        let assembled = self.there(&folder, &place).ok_or_else(|| {
            Problem::new("release.assemble", format!("`{}` is not as it was made", place.display()))
                .hint("is anybody else changing the node's folder?")
        })?;
        Ok(Assembled { unpacked, ..assembled })
    }

    /// Puts the secrets in their places; a layer without any is fine.
    fn unseal(&self, sealed: &Path, into: &Path, root: &Path) -> std::result::Result<(), Fault> {
        let bytes = match fs::read(sealed) {
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                return Ok(());
            }
            bytes => bytes?,
        };
        let opened = into.join("opened");
        fs::create_dir(&opened)?;
        packaging::unseal(&bytes, self.key, &opened).map_err(|problem| {
            problem.try_running("dae deploy").hint("in the app's folder, to seal them for this one")
        })?;
        if let Some(user) = self.user {
            give_secrets(&opened, user)?;
        }
        link_tree(&opened, root, &["permdir"])?;
        fs::remove_dir_all(&opened)?;
        Ok(())
    }

    /// What was put together before, with all it was put together with.
    fn there(&self, folder: &Path, place: &Path) -> Option<Assembled> {
        let bytes = fs::read(place.join("release.json")).ok()?;
        let Record { release, site, runtime } = serde_json::from_slice(&bytes).ok()?;
        let (root, site, runtime) = (place.join("app"), self.dir.join(site), self.dir.join(runtime));
        let learned = folder.join("learned").join(site.with_extension("json").file_name()?);
        let whole = root.is_dir() && site.is_dir() && runtime.is_dir();
        whole.then_some(Assembled { file: release, root, site, runtime, learned, unpacked: 0 })
    }

    /// Unpacks the layers that are not here yet; how many is the answer.
    fn unpack(&self, layers: &[(&Digest, PathBuf)]) -> Result<usize> {
        let parent = self.dir.join("layers");
        let missing: BTreeMap<_, _> =
            layers.iter().filter(|(_, place)| !place.is_dir()).map(|(digest, place)| (*digest, place)).collect();
        if missing.is_empty() {
            return Ok(0);
        }
        let made = || -> std::result::Result<(), Fault> {
            fs::create_dir_all(&parent)?;
            let mut asides = Vec::new();
            for (digest, place) in &missing {
                let aside = Self::aside(&parent)?;
                let path = self.blobs.path(digest);
                let blob = File::open(&path).doing(|| format!("open the blob `{}`", path.display()))?;
                packaging::unpack(io::BufReader::new(blob), digest, aside.path(), Limits::default())?;
                read_only(aside.path())?;
                asides.push((aside, *place));
            }
            // Once for all of them: a name must not outlive, by a power cut, what it stands for.
            nix::unistd::syncfs(File::open(&parent)?).map_err(io::Error::from)?;
            asides.into_iter().try_for_each(|(aside, place)| settle(aside, place))?;
            Ok(())
        };
        made().map_err(|fault| self.problem(fault, &parent)).map(|()| missing.len())
    }

    fn aside(parent: &Path) -> io::Result<tempfile::TempDir> {
        let aside = tempfile::Builder::new().prefix(ASIDE).tempdir_in(parent)?;
        fs::set_permissions(aside.path(), Permissions::from_mode(0o755))?;
        Ok(aside)
    }

    /// The folder `of` of all layers together, under a name that follows from the layers: same layers, same folder.
    /// The answer is its path below the node's folder.
    fn shared(&self, kind: &str, of: &str, layers: &[(&Digest, PathBuf)]) -> Result<String> {
        let having: Vec<_> = layers.iter().filter(|(_, layer)| layer.join(of).is_dir()).collect();
        let key = having.iter().map(|(digest, _)| digest.as_str()).collect::<Vec<_>>().join("\n");
        let name = format!("{kind}/{}", Digest::of(key.as_bytes()).hex());
        self.whole(&self.dir.join(&name), |into| {
            having.iter().try_for_each(|(_, layer)| link_tree(&layer.join(of), into, &[]))?;
            Ok(())
        })?;
        Ok(name)
    }

    /// Makes the folder `place` whole or not at all, if it is not there.
    fn whole(&self, place: &Path, fill: impl FnOnce(&Path) -> std::result::Result<(), Fault>) -> Result<()> {
        if place.is_dir() {
            return Ok(());
        }
        let parent = place.parent().unwrap_or(self.dir);
        let made = || -> std::result::Result<(), Fault> {
            fs::create_dir_all(parent)?;
            let aside = Self::aside(parent)?;
            fill(aside.path())?;
            Ok(settle(aside, place)?)
        };
        made().map_err(|fault| self.problem(fault, place))
    }

    fn problem(&self, fault: Fault, place: &Path) -> Problem {
        match fault {
            Fault::Problem(problem) if problem.code == "io.disk-full" => self.blobs.disk.full(),
            Fault::Problem(problem) => *problem,
            Fault::Io(error) => self.blobs.disk.problem(&error, 0, || format!("make the folder `{}`", place.display())),
        }
    }
}

/// Gives a whole folder its name. That somebody else made the same one meanwhile is as good.
fn settle(aside: tempfile::TempDir, place: &Path) -> io::Result<()> {
    match fs::rename(aside.path(), place) {
        Err(_) if place.is_dir() => Ok(()),
        Err(error) => Err(error),
        Ok(()) => {
            // The name it had is gone, and with it nothing is to be taken away.
            let _ = aside.keep();
            Ok(())
        }
    }
}

/// Why a folder could not be filled.
enum Fault {
    Io(io::Error),
    Problem(Box<Problem>),
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<serde_json::Error> for Fault {
    fn from(error: serde_json::Error) -> Self {
        Self::Io(error.into())
    }
}

impl From<Problem> for Fault {
    fn from(problem: Problem) -> Self {
        Self::Problem(Box::new(problem))
    }
}

#[derive(Deserialize)]
struct Format {
    format: u32,
}

fn release_file(image: &Digest, layers: &[(&Digest, PathBuf)]) -> Result<ReleaseFile> {
    let path = layers.iter().rev().map(|(_, layer)| layer.join(RELEASE_FILE)).find(|path| path.is_file());
    let Some(path) = path else {
        return Err(not_ours(image, &format!("none of its layers holds `{RELEASE_FILE}`")));
    };
    let bytes = fs::read(&path).doing(|| format!("read `{}`", path.display()))?;
    let unreadable = |error| not_ours(image, &format!("its `{RELEASE_FILE}` is not readable")).because(error);
    let Format { format } = serde_json::from_slice(&bytes).map_err(unreadable)?;
    if format != 1 {
        return Err(not_ours(image, &format!("its `{RELEASE_FILE}` is of format {format}, this node reads 1")));
    }
    serde_json::from_slice(&bytes).map_err(unreadable)
}

fn not_ours(image: &Digest, why: &str) -> Problem {
    Problem::new("release.image", format!("the image {} cannot be run here", image.short()))
        .because(why)
        .hint("a node runs what `dae deploy` and `dae package` make")
}

/// Nobody writes to a layer: its files are in every release that has it.
fn read_only(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        if kind.is_dir() {
            read_only(&entry.path())?;
        } else if kind.is_file() {
            let executable = entry.metadata()?.permissions().mode() & 0o100 != 0;
            fs::set_permissions(entry.path(), Permissions::from_mode(if executable { 0o555 } else { 0o444 }))?;
        }
    }
    Ok(())
}

/// Repeats the tree `from` in `to`, its files as hard links; what is there already is replaced. `without` names entries at
/// the top that are left out. A tree that is not there is an empty one.
fn link_tree(from: &Path, to: &Path, without: &[&str]) -> io::Result<()> {
    let entries = match fs::read_dir(from) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        if entry.file_name().to_str().is_some_and(|name| without.contains(&name)) {
            continue;
        }
        let target = to.join(entry.file_name());
        let kind = entry.file_type()?;
        if kind.is_dir() {
            match fs::create_dir(&target) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                made => made?,
            }
            link_tree(&entry.path(), &target, &[])?;
            continue;
        }
        match fs::remove_file(&target) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        if kind.is_symlink() {
            std::os::unix::fs::symlink(fs::read_link(entry.path())?, &target)?;
        } else {
            match fs::hard_link(entry.path(), &target) {
                // An empty file that every package has may run into the file system's limit of links.
                Err(error) if error.kind() == io::ErrorKind::TooManyLinks => drop(fs::copy(entry.path(), &target)?),
                linked => linked?,
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt as _;

    use serde_json::json;

    use super::super::disk::Disk;
    use super::*;
    use crate::app::Manifest as AppYaml;

    fn layer(files: &[(&str, &[u8])]) -> Vec<u8> {
        let mut tar = tar::Builder::new(zstd::Encoder::new(Vec::new(), 1).unwrap());
        for (path, content) in files {
            let mut header = tar::Header::new_gnu();
            header.set_mode(0o644);
            header.set_size(content.len() as u64);
            tar.append_data(&mut header, path, *content).unwrap();
        }
        tar.into_inner().unwrap().finish().unwrap()
    }

    fn image(blobs: &Blobs, app: &AppName, layers: &[Vec<u8>]) -> Digest {
        let layers: Vec<_> = layers
            .iter()
            .map(|bytes| json!({ "digest": blobs.put(app, bytes).unwrap(), "size": bytes.len() }))
            .collect();
        blobs.put(app, json!({ "schemaVersion": 2, "layers": layers }).to_string().as_bytes()).unwrap()
    }

    fn release(app: &str) -> Vec<u8> {
        let yaml = format!("application: {app}\nhandlers:\n- url: /.*\n  wsgi_app: app:app\n");
        let file = ReleaseFile {
            format: 1,
            app: AppName::parse(app).unwrap(),
            manifest: AppYaml::parse(Path::new("app.yaml"), yaml.as_bytes()).unwrap().0,
            python: "3.11".into(),
            python_full: "3.11.7".into(),
            platform: packaging::platform(),
            pins: None,
            dae: "0".into(),
        };
        layer(&[(RELEASE_FILE, &serde_json::to_vec(&file).unwrap())])
    }

    #[test]
    fn releases_share_what_they_have_in_common() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path();
        let app = AppName::parse("a").unwrap();
        let blobs = Blobs::open(dir, Disk::of(dir)).unwrap();
        let key = Key::generate();
        let assembly = Assembly { dir, blobs: &blobs, key: &key, user: None };
        let site = layer(&[("dae/site/web/__init__.py", b"site"), ("dae/runtime/dae/boot.py", b"boot")]);
        let code = |text: &str| layer(&[("dae/app/app.py", text.as_bytes()), ("dae/app/permdir/x", b"no")]);
        let first = image(&blobs, &app, &[site.clone(), code("1"), release("a")]);
        let second = image(&blobs, &app, &[site, code("2"), release("a")]);
        let one = assembly.release(&app, &first).unwrap();
        let two = assembly.release(&app, &second).unwrap();
        assert_eq!((one.unpacked, two.unpacked), (3, 1));
        assert_eq!((&one.site, &one.runtime), (&two.site, &two.runtime));
        assert_eq!(fs::read(one.root.join("app.py")).unwrap(), b"1");
        assert_eq!(fs::read(two.root.join("app.py")).unwrap(), b"2");
        fs::write(one.root.join("permdir/kept"), "x").unwrap();
        assert_eq!(fs::read(two.root.join("permdir/kept")).unwrap(), b"x");
        assert!(!two.root.join("permdir/x").exists());
        let code = fs::metadata(one.root.join("app.py")).unwrap();
        assert_eq!((code.nlink(), code.mode() & 0o777), (2, 0o444));
        // Once more finds it; what a kill left is swept.
        fs::create_dir(dir.join("layers/.making-x")).unwrap();
        tidy(dir);
        assert!(!dir.join("layers/.making-x").exists());
        assert_eq!(assembly.release(&app, &second).unwrap().unpacked, 0);
        // A release whose shared part is gone is put together again.
        fs::remove_dir_all(&two.site).unwrap();
        assert_eq!(fs::read(assembly.release(&app, &second).unwrap().site.join("web/__init__.py")).unwrap(), b"site");
    }

    #[test]
    fn secrets_are_put_in_their_places_and_for_the_owner_alone() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path();
        let app = AppName::parse("a").unwrap();
        let blobs = Blobs::open(dir, Disk::of(dir)).unwrap();
        let key = Key::generate();
        let packed = layer(&[("local_config.py", b"KEY = 1"), ("conf/secret", b"s")]);
        let sealed = layer(&[(SEALED_FILE, &key.public().seal(&packed).unwrap())]);
        let code = layer(&[("dae/app/conf/open", b"o"), ("dae/app/local_config.py", b"another")]);
        let image = image(&blobs, &app, &[code, sealed, release("a")]);
        let other = Key::generate();
        let problem = Assembly { dir, blobs: &blobs, key: &other, user: None }.release(&app, &image).unwrap_err();
        assert_eq!(problem.code, "sealed.open");
        assert!(folders_in(&dir.join("apps/a/releases")).is_empty(), "nothing is left of it");
        let assembled = Assembly { dir, blobs: &blobs, key: &key, user: None }.release(&app, &image).unwrap();
        let at = |path: &str| assembled.root.join(path);
        assert_eq!(fs::read(at("local_config.py")).unwrap(), b"KEY = 1");
        assert_eq!(fs::metadata(at("conf/secret")).unwrap().mode() & 0o777, 0o600);
        assert_eq!((fs::read(at("conf/open")).unwrap(), at("../opened").exists()), (b"o".to_vec(), false));
    }

    fn folders_in(folder: &Path) -> Vec<PathBuf> {
        fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect()
    }

    #[test]
    fn what_cannot_be_run_leaves_no_release() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path();
        let app = AppName::parse("a").unwrap();
        let blobs = Blobs::open(dir, Disk::of(dir)).unwrap();
        let key = Key::generate();
        let assembly = Assembly { dir, blobs: &blobs, key: &key, user: None };
        for (layers, why) in [
            (vec![], "none of its layers"),
            (vec![release("b")], "it is of the app `b`"),
            (vec![layer(&[(RELEASE_FILE, b"{\"format\": 2}")])], "format 2"),
            (vec![layer(&[(RELEASE_FILE, b"nonsense")])], "not readable"),
        ] {
            let problem = assembly.release(&app, &image(&blobs, &app, &layers)).unwrap_err();
            assert!(problem.to_string().contains(why), "{problem}");
        }
        let problem = assembly.release(&app, &image(&blobs, &app, &[b"no layer".to_vec()])).unwrap_err();
        assert_eq!(problem.code, "image.layer");
        assert!(!dir.join("apps/a/releases/r1").exists());
    }
}
