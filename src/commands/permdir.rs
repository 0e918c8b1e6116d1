//! `dae permdir`.

use std::path::{Component, Path, PathBuf};

use serde::Serialize;

use super::{Context, Outcome};
use crate::app::DevSettings;
use crate::problem::{Doing as _, Problem, Result};
use crate::term::{Done, Paint, Text};

/// Look into the folder for the app's permanent files
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// List the files, or those of a folder
    Ls { path: Option<PathBuf> },
    /// Copy a file of yours into it
    Put {
        file: PathBuf,
        /// Its path there [default: the file's own name]
        path: Option<PathBuf>,
        /// Replace a file that is there
        #[arg(long)]
        again: bool,
        /// Refuse to let all files together grow beyond this many bytes
        #[arg(long, value_name = "BYTES", default_value_t = QUOTA)]
        quota: u64,
    },
    /// Copy a file out of it
    Get {
        path: PathBuf,
        /// The file to write [default: the same name, here]
        file: Option<PathBuf>,
    },
    /// Delete a file
    Rm { path: PathBuf },
}

/// As much as one app is expected to keep on one machine.
const QUOTA: u64 = 10 << 30;

#[derive(Debug, Serialize)]
struct Listed {
    root: PathBuf,
    files: Vec<Kept>,
    bytes: u64,
}

#[derive(Debug, Serialize)]
struct Kept {
    path: String,
    bytes: u64,
}

impl Text for Listed {
    fn text(&self, paint: Paint) -> String {
        let line =
            |file: &Kept| format!("{:>10}  {}", indicatif::HumanBytes(file.bytes).to_string(), paint.key(&file.path));
        self.files.iter().map(line).collect::<Vec<_>>().join("\n")
    }
}

pub fn run(args: Args, context: &Context) -> Outcome {
    let app = context.app()?;
    let (settings, _) = DevSettings::read(&app.root, "dev.yaml")?;
    let (_, branchs) = super::services::data(&app)?;
    let root = app.root.join(settings.permdir.or(branchs).unwrap_or_else(|| PathBuf::from("permdir")));
    std::fs::create_dir_all(&root).doing(|| format!("make the folder `{}`", root.display()))?;
    let root = root.canonicalize().doing(|| format!("open the folder `{}`", root.display()))?;
    match args.verb {
        Verb::Ls { path } => {
            let from = path.map_or_else(|| Ok(root.clone()), |path| below(&root, &path))?;
            let mut files = Vec::new();
            list(&root, &from, &mut files)?;
            files.sort_by(|a, b| a.path.cmp(&b.path));
            let bytes = files.iter().map(|file| file.bytes).sum();
            Ok(Box::new(Listed { root, files, bytes }))
        }
        Verb::Put { file, path, again, quota } => {
            let file = context.cwd.join(file);
            let name = path.or_else(|| file.file_name().map(PathBuf::from)).unwrap_or_default();
            let to = below(&root, &name)?;
            put(&root, &file, &to, again, quota)?;
            context.say("put", format!("`{}`", name.display()));
            Ok(Box::new(Done::default()))
        }
        Verb::Get { path, file } => {
            let from = below(&root, &path)?;
            let file = file.or_else(|| path.file_name().map(PathBuf::from)).unwrap_or_default();
            let to = context.cwd.join(file);
            std::fs::copy(&from, &to).doing(|| format!("copy `{}` to `{}`", path.display(), to.display()))?;
            context.say("got", format!("`{}`", to.display()));
            Ok(Box::new(Done::default()))
        }
        Verb::Rm { path } => {
            let file = below(&root, &path)?;
            std::fs::remove_file(&file).doing(|| format!("remove `{}`", path.display()))?;
            context.say("removed", format!("`{}`", path.display()));
            Ok(Box::new(Done::default()))
        }
    }
}

/// The place of `path` below the folder; a link on the way may not lead out of it either.
fn below(root: &Path, path: &Path) -> Result<PathBuf> {
    let out = || {
        Problem::new("permdir.outside", format!("`{}` leads out of the app's permdir", path.display()))
            .hint("write a path below it, as in `avatars/1.png`")
            .exit(2)
    };
    if path.as_os_str().is_empty()
        || !path.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir))
    {
        return Err(out());
    }
    let whole = root.join(path);
    // What is there already says where it really is.
    let mut there = whole.as_path();
    while std::fs::symlink_metadata(there).is_err() {
        there = there.parent().unwrap_or(root);
    }
    match there.canonicalize() {
        Ok(real) if real.starts_with(root) => Ok(whole),
        _ => Err(out()),
    }
}

fn put(root: &Path, file: &Path, to: &Path, again: bool, quota: u64) -> Result<()> {
    let doing = || format!("copy `{}` to `{}`", file.display(), to.display());
    if to.is_dir() || to.exists() && !again {
        return Err(Problem::new("permdir.there", format!("`{}` is there already", to.display()))
            .hint("add `--again` to replace it"));
    }
    let mut files = Vec::new();
    list(root, root, &mut files)?;
    let replaced = to.metadata().map_or(0, |meta| meta.len());
    let held = files.iter().map(|file| file.bytes).sum::<u64>() - replaced;
    let wanted = std::fs::metadata(file).doing(doing)?.len();
    if held + wanted > quota {
        let free = quota.saturating_sub(held);
        return Err(Problem::new(
            "permdir.quota",
            format!("`{}` has {wanted} bytes, and {free} are left of the quota", file.display()),
        )
        .hint("delete something with `dae permdir rm`, or allow more with `--quota`"));
    }
    let folder = to.parent().unwrap_or(root);
    std::fs::create_dir_all(folder).doing(doing)?;
    // Whole or not at all: it may be served this moment.
    let aside = tempfile::Builder::new().prefix(".putting-").tempfile_in(folder).doing(doing)?;
    std::fs::copy(file, aside.path()).doing(doing)?;
    aside.persist(to).map_err(|error| error.error).doing(doing)?;
    Ok(())
}

fn list(root: &Path, folder: &Path, found: &mut Vec<Kept>) -> Result<()> {
    let doing = || format!("read `{}`", folder.display());
    for entry in std::fs::read_dir(folder).doing(doing)? {
        let entry = entry.doing(doing)?;
        let meta = entry.metadata().doing(doing)?;
        if meta.is_dir() {
            list(root, &entry.path(), found)?;
        } else {
            let path = entry.path();
            let path = path.strip_prefix(root).unwrap_or(&path).to_string_lossy().into_owned();
            found.push(Kept { path, bytes: meta.len() });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_leads_out() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap().join("permdir");
        std::fs::create_dir(&root).unwrap();
        std::os::unix::fs::symlink("/etc", root.join("link")).unwrap();
        std::os::unix::fs::symlink("/nowhere", root.join("dangling")).unwrap();
        for path in ["", "..", "../x", "a/../../x", "/etc/passwd", "link/passwd", "link", "dangling"] {
            assert_eq!(below(&root, Path::new(path)).unwrap_err().code, "permdir.outside", "{path}");
        }
        for path in ["a", "a/b/c", "./a"] {
            assert!(below(&root, Path::new(path)).unwrap().starts_with(&root));
        }
    }

    #[test]
    fn the_quota_holds() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("permdir");
        std::fs::create_dir(&root).unwrap();
        let file = dir.path().join("file");
        std::fs::write(&file, [0; 60]).unwrap();
        put(&root, &file, &root.join("a"), false, 100).unwrap();
        assert_eq!(put(&root, &file, &root.join("b"), false, 100).unwrap_err().code, "permdir.quota");
        assert_eq!(put(&root, &file, &root.join("a"), false, 100).unwrap_err().code, "permdir.there");
        put(&root, &file, &root.join("a"), true, 100).unwrap();
    }
}
