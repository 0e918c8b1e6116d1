//! Which of an app's files are packed. What git would not take is not packed; `.daeignore`, in the same form, adds to that
//! and takes back.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use ignore::{DirEntry, WalkBuilder};

use super::item::{Content, Found, Item};
use super::release::APP_DIR;
use super::sealed::{self, Secret, Secrets};
use super::unpack::stays_inside;
use crate::app::{Manifest, Protected};
use crate::problem::{Doing as _, Problem, Result};

/// What was found under an app's root, sorted by path.
#[derive(Debug)]
pub struct Selection {
    pub files: Vec<Found>,
    pub links: Vec<Item>,
    /// Files that hold secrets, by their paths below the root; where they are links, what those lead to.
    pub protected: BTreeMap<String, PathBuf>,
    pub warnings: Vec<Problem>,
}

/// Never packed, wherever they lie: version control, what Python and editors leave behind.
const NEVER: &[&str] = &[".git", ".hg", ".svn", ".bzr", "__pycache__", ".DS_Store", ".hgtags"];
const NEVER_ENDING: &[&str] = &[".pyc", ".pyo", ".swp", "~"];
/// Never packed from an app's root: this machine's, this developer's, the app's data.
const NEVER_AT_ROOT: &[&str] = &["venv", ".venv", ".dae", "permdir", "dev.yaml"];

/// The files of the app in `root`, which is absolute and without links.
pub fn select(root: &Path, manifest: &Manifest) -> Result<Selection> {
    let protects = manifest.protected().map_err(|problem| problem.exit(3))?;
    let in_repository = root.ancestors().any(|folder| folder.join(".git").exists());
    let walk = WalkBuilder::new(root)
        .hidden(false)
        .ignore(false)
        .parents(in_repository)
        .require_git(false)
        .add_custom_ignore_filename(".daeignore")
        .filter_entry(|entry| !never(entry))
        .build();
    let mut selection =
        Selection { files: Vec::new(), links: Vec::new(), protected: BTreeMap::new(), warnings: Vec::new() };
    let mut problems = Vec::new();
    for entry in walk {
        let taken = entry
            .map_err(|error| Problem::new("package.read", "could not look through the app's files").because(error))
            .and_then(|entry| selection.take(root, &protects, &entry));
        problems.extend(taken.err());
    }
    for entry in named(root, &manifest.protected_files) {
        let relative = entry.path().strip_prefix(root).unwrap_or(entry.path());
        if protects.holds(relative) {
            problems.extend(selection.take(root, &protects, &entry).err());
        }
    }
    if let Some(problem) = Problem::all(problems) {
        return Err(problem.exit(3));
    }
    selection.files.sort_by(|a, b| a.path.cmp(&b.path));
    selection.links.sort_by(|a, b| a.path.cmp(&b.path));
    if selection.files.iter().all(|file| file.path != format!("{APP_DIR}/app.yaml")) {
        return Err(Problem::new("package.app-yaml", "app.yaml is ignored and would not be packed")
            .hint("take it out of `.gitignore`, or add the line `!app.yaml` to `.daeignore`")
            .exit(3));
    }
    Ok(selection)
}

fn never(entry: &DirEntry) -> bool {
    let Some(name) = entry.file_name().to_str() else { return false };
    entry.depth() > 0 && (NEVER.contains(&name) || NEVER_ENDING.iter().any(|end| name.ends_with(end)))
        || entry.depth() == 1 && NEVER_AT_ROOT.contains(&name)
        || entry.depth() > 0 && entry.path().join("pyvenv.cfg").is_file()
}

/// What stands where `patterns` point, whether git would take it or not: who names a secret in app.yaml and keeps it out of
/// the repository means it all the same. `.daeignore` counts. A pattern that begins with a wildcard names files at the root.
fn named(root: &Path, patterns: &[String]) -> Vec<DirEntry> {
    let mut found = Vec::new();
    for pattern in patterns.iter().filter(|pattern| !pattern.starts_with(['!', '#'])) {
        let parts: Vec<&str> = pattern.split('/').filter(|part| !part.is_empty()).collect();
        let plain = parts.iter().take_while(|part| !part.contains(['*', '?', '[', '{', '\\'])).count();
        let start: PathBuf = root.join(parts[..plain].iter().collect::<PathBuf>());
        if parts.contains(&"..") || start.symlink_metadata().is_err() {
            continue;
        }
        let walk = WalkBuilder::new(&start)
            .standard_filters(false)
            .parents(true)
            .add_custom_ignore_filename(".daeignore")
            .max_depth((start == root).then_some(1))
            .filter_entry(|entry| !never(entry))
            .build();
        // What cannot be read was told by the walk through everything, or git keeps it to itself.
        found.extend(walk.flatten());
    }
    found
}

impl Selection {
    fn take(&mut self, root: &Path, protects: &Protected, entry: &DirEntry) -> Result<()> {
        let from = entry.path();
        let Ok(relative) = from.strip_prefix(root) else { return Ok(()) };
        let Some(kind) = entry.file_type().filter(|kind| !kind.is_dir()) else { return Ok(()) };
        let Some(name) = relative.to_str() else {
            return Err(Problem::new("package.name", format!("the name of `{}` is not UTF-8", relative.display()))
                .hint("rename it, or add it to `.daeignore`"));
        };
        if protects.holds(relative) {
            if from.metadata().is_ok_and(|meta| meta.is_file()) {
                self.protected.insert(name.to_owned(), from.to_owned());
            } else {
                self.warnings.push(
                    Problem::new("package.protected", format!("the protected `{name}` is no file and is not packed"))
                        .hint("name files in `protected_files`, or a folder that holds some"),
                );
            }
            return Ok(());
        }
        let path = format!("{APP_DIR}/{name}");
        if kind.is_symlink() {
            match link(root, from)? {
                Some(to) => self.links.push(Item { path, executable: false, content: Content::Link(to) }),
                None => self.warnings.push(
                    Problem::new("package.link", format!("the link `{name}` leads out of the app and is not packed"))
                        .hint("copy what it points to, or add it to `.daeignore`"),
                ),
            }
        } else if kind.is_file() {
            let meta = fs::symlink_metadata(from).doing(|| format!("look at `{name}`"))?;
            self.files.push(Found { path, from: from.to_owned(), meta });
        } else {
            self.warnings.push(Problem::new("package.kind", format!("`{name}` is no file and is not packed")));
        }
        Ok(())
    }
}

/// Reads what is to be sealed.
pub fn secrets(files: &BTreeMap<String, PathBuf>) -> Result<Secrets> {
    let mut secrets = Secrets::new();
    let mut total = 0;
    for (name, from) in files {
        let doing = || format!("read the protected file `{name}`");
        total += fs::metadata(from).doing(doing)?.len();
        if total > sealed::LARGEST {
            return Err(Problem::new("package.protected-size", "the protected files are too large to be sealed")
                .because(format!("up to `{name}` they have {total} bytes, and {} are allowed", sealed::LARGEST))
                .hint("name only what is secret in `protected_files`")
                .exit(3));
        }
        let bytes = fs::read(from).doing(doing)?;
        let executable = fs::metadata(from).doing(doing)?.permissions().mode() & 0o100 != 0;
        secrets.insert(name.clone(), Secret { executable, bytes });
    }
    Ok(secrets)
}

/// Where a link inside the app points, in a form that holds on every machine; `None` when it leads out or nowhere.
fn link(root: &Path, from: &Path) -> Result<Option<String>> {
    let to = fs::read_link(from).doing(|| format!("read the link `{}`", from.display()))?;
    let Ok(real) = from.canonicalize() else { return Ok(None) };
    let (Ok(real), Some(folder)) = (real.strip_prefix(root), from.parent()) else { return Ok(None) };
    let Ok(folder) = folder.strip_prefix(root) else { return Ok(None) };
    let to = if stays_inside(folder, &to) { to } else { climb(folder, real) };
    Ok(to.to_str().map(str::to_owned))
}

/// The way from a folder to a file, both relative to the same root.
fn climb(folder: &Path, to: &Path) -> PathBuf {
    let common = folder.components().zip(to.components()).take_while(|(a, b)| a == b).count();
    let up = folder.components().skip(common).map(|_| std::path::Component::ParentDir);
    let way: PathBuf = up.chain(to.components().skip(common)).collect();
    if way.as_os_str().is_empty() { PathBuf::from(".") } else { way }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    /// An app with the files named, each with its own path as content unless `path=content` says otherwise.
    fn app(files: &[&str]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for file in files {
            let (path, content) = file.split_once('=').unwrap_or((file, file));
            let path = dir.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
        dir
    }

    fn manifest(protected: &[&str]) -> Manifest {
        let yaml = format!(
            "application: a\nhandlers:\n- url: /.*\n  wsgi_app: app:app\nprotected_files: {}\n",
            serde_json::json!(protected)
        );
        Manifest::parse(Path::new("app.yaml"), yaml.as_bytes()).unwrap().0
    }

    fn packed(dir: &tempfile::TempDir, protected: &[&str]) -> (String, Selection) {
        let root = dir.path().canonicalize().unwrap();
        let selection = select(&root, &manifest(protected)).unwrap();
        let short = |path: &str| path.strip_prefix("dae/app/").unwrap().to_owned();
        let names = selection.files.iter().map(|file| short(&file.path)).collect::<Vec<_>>().join(" ");
        (names, selection)
    }

    #[test]
    fn what_git_would_not_take_is_not_packed() {
        let dir = app(&[
            "app.yaml",
            "app.py",
            ".hidden",
            "venv/bin/python",
            "lib/venv/x.py",
            "env2/pyvenv.cfg",
            "env2/bin/python",
            ".git/config",
            "sub/.git=gitdir: elsewhere",
            ".dae/x",
            "permdir/x",
            "dev.yaml",
            "lib/dev.yaml",
            "__pycache__/app.cpython-311.pyc",
            "lib/old.pyc",
            "a.log",
            "keep.log",
            "lib/b.log",
            "lib/built/x.js",
            "notes/x.txt",
            "notes/y.txt",
            ".gitignore=*.log\n!keep.log\nbuilt/\n",
            ".daeignore=notes/x.txt\n!built/\n",
        ]);
        assert_eq!(
            packed(&dir, &[]).0,
            ".daeignore .gitignore .hidden app.py app.yaml keep.log lib/built/x.js lib/dev.yaml lib/venv/x.py notes/y.txt"
        );
    }

    #[test]
    fn protected_files_are_apart_whatever_git_says() {
        let dir = app(&[
            "app.yaml",
            "local_config.py",
            "lib/local_config.py",
            "secrets/a/key",
            "secrets/no",
            "secretsx",
            "top.pem",
            "node_modules/x/test.pem",
            "lib/own.pem",
            "out.key",
            ".gitignore=local_config.py\nsecrets/\n*.pem\nnode_modules\n",
            ".daeignore=secrets/no\n",
        ]);
        symlink("/etc/hosts", dir.path().join("linked.key")).unwrap();
        symlink("/etc", dir.path().join("folder.key")).unwrap();
        let (names, selection) = packed(&dir, &["/local_config.py", "secrets/*", "*.pem", "*.key", "../x", "gone"]);
        assert_eq!(names, ".daeignore .gitignore app.yaml secretsx");
        let protected: Vec<_> = selection.protected.keys().map(String::as_str).collect();
        assert_eq!(protected, ["linked.key", "local_config.py", "out.key", "secrets/a/key", "top.pem"]);
        assert_eq!(selection.warnings[0].code, "package.protected");
        let secrets = secrets(&selection.protected).unwrap();
        assert_eq!(secrets["secrets/a/key"].bytes, b"secrets/a/key");
        assert_eq!(secrets["linked.key"].bytes, fs::read("/etc/hosts").unwrap());
    }

    #[test]
    fn links_are_kept_when_they_stay_inside() {
        let dir = app(&["app.yaml", "lib/deep/x.py"]);
        let root = dir.path().canonicalize().unwrap();
        for (at, to) in [
            ("plain", Path::new("lib/deep")),
            ("lib/up", Path::new("../app.yaml")),
            ("lib/odd", Path::new("deep/../../app.yaml")),
            ("absolute", &root.join("lib")),
            ("out", Path::new("/etc/hosts")),
            ("gone", Path::new("nowhere")),
        ] {
            symlink(to, root.join(at)).unwrap();
        }
        let (_, selection) = packed(&dir, &[]);
        let links: Vec<_> = selection
            .links
            .iter()
            .map(|link| match &link.content {
                Content::Link(to) => format!("{} -> {to}", link.path),
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(
            links,
            [
                "dae/app/absolute -> lib",
                "dae/app/lib/odd -> ../app.yaml",
                "dae/app/lib/up -> ../app.yaml",
                "dae/app/plain -> lib/deep"
            ]
        );
        assert_eq!(selection.warnings.len(), 2);
    }

    #[test]
    fn an_app_without_its_app_yaml_is_refused() {
        let dir = app(&["app.yaml", ".gitignore=*.yaml\n"]);
        let problem = select(&dir.path().canonicalize().unwrap(), &manifest(&[])).unwrap_err();
        assert_eq!((problem.code.as_ref(), problem.exit), ("package.app-yaml", 3));
    }
}
