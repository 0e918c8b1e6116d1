//! Which of an app's files are packed. What git would not take is not packed; `.daeignore`, in the same form, adds to that
//! and takes back.

use std::fs;
use std::path::{Path, PathBuf};

use ignore::gitignore::{Gitignore, GitignoreBuilder};
use ignore::{DirEntry, WalkBuilder};

use super::item::{Content, Found, Item};
use super::release::APP_DIR;
use super::unpack::stays_inside;
use crate::problem::{Doing as _, Problem, Result};

/// What was found under an app's root, sorted by path.
#[derive(Debug)]
pub struct Selection {
    pub files: Vec<Found>,
    pub links: Vec<Item>,
    /// Paths that hold secrets and stay here.
    pub protected: Vec<String>,
    pub warnings: Vec<Problem>,
}

/// Never packed, wherever they lie: version control, what Python and editors leave behind.
const NEVER: &[&str] = &[".git", ".hg", ".svn", ".bzr", "__pycache__", ".DS_Store", ".hgtags"];
const NEVER_ENDING: &[&str] = &[".pyc", ".pyo", ".swp", "~"];
/// Never packed from an app's root: this machine's, this developer's, the app's data.
const NEVER_AT_ROOT: &[&str] = &["venv", ".venv", ".dae", "permdir", "dev.yaml"];

/// The files of the app in `root`, which is absolute and without links.
pub fn select(root: &Path, protected_files: &[String]) -> Result<Selection> {
    let protects = protecting(root, protected_files)?;
    let in_repository = root.ancestors().any(|folder| folder.join(".git").exists());
    let walk = WalkBuilder::new(root)
        .hidden(false)
        .ignore(false)
        .parents(in_repository)
        .require_git(false)
        .add_custom_ignore_filename(".daeignore")
        .filter_entry(|entry| !never(entry))
        .build();
    let mut selection = Selection { files: Vec::new(), links: Vec::new(), protected: Vec::new(), warnings: Vec::new() };
    let mut problems = Vec::new();
    for entry in walk {
        let taken = entry
            .map_err(|error| Problem::new("package.read", "could not look through the app's files").because(error))
            .and_then(|entry| selection.take(root, &protects, &entry));
        problems.extend(taken.err());
    }
    if let Some(problem) = Problem::all(problems) {
        return Err(problem.exit(3));
    }
    selection.files.sort_by(|a, b| a.path.cmp(&b.path));
    selection.links.sort_by(|a, b| a.path.cmp(&b.path));
    selection.protected.sort();
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

fn protecting(root: &Path, patterns: &[String]) -> Result<Gitignore> {
    let mut builder = GitignoreBuilder::new(root);
    for pattern in patterns {
        builder.add_line(None, pattern).map_err(|error| wrong_pattern(pattern, error))?;
    }
    builder.build().map_err(|error| wrong_pattern(&patterns.join(", "), error))
}

fn wrong_pattern(pattern: &str, error: ignore::Error) -> Problem {
    Problem::new("package.protected", format!("`{pattern}` in `protected_files` is no pattern"))
        .because(error)
        .hint("write paths as in `.gitignore`: `local_config.py`, `secrets/*`")
        .exit(3)
}

impl Selection {
    fn take(&mut self, root: &Path, protects: &Gitignore, entry: &DirEntry) -> Result<()> {
        let from = entry.path();
        let Ok(relative) = from.strip_prefix(root) else { return Ok(()) };
        let Some(kind) = entry.file_type().filter(|kind| !kind.is_dir()) else { return Ok(()) };
        let Some(name) = relative.to_str() else {
            return Err(Problem::new("package.name", format!("the name of `{}` is not UTF-8", relative.display()))
                .hint("rename it, or add it to `.daeignore`"));
        };
        if protects.matched_path_or_any_parents(relative, false).is_ignore() {
            self.protected.push(name.to_owned());
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

    fn packed(dir: &tempfile::TempDir, protected: &[&str]) -> (String, Selection) {
        let root = dir.path().canonicalize().unwrap();
        let protected: Vec<String> = protected.iter().map(|text| (*text).to_owned()).collect();
        let selection = select(&root, &protected).unwrap();
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
    fn protected_files_stay_here() {
        let dir = app(&["app.yaml", "local_config.py", "lib/local_config.py", "secrets/a/key", "secretsx"]);
        let (names, selection) = packed(&dir, &["/local_config.py", "secrets/*"]);
        assert_eq!(names, "app.yaml lib/local_config.py secretsx");
        assert_eq!(selection.protected, ["local_config.py", "secrets/a/key"]);
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
        let problem = select(&dir.path().canonicalize().unwrap(), &[]).unwrap_err();
        assert_eq!((problem.code.as_ref(), problem.exit), ("package.app-yaml", 3));
    }
}
