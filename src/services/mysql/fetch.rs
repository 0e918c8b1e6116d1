//! A MariaDB from the system's own packages, without root: apt-get finds and checks it, dpkg-deb unpacks it into the cache.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use super::find::{Server, fetched};
use crate::problem::{Doing as _, Problem, Result};
use crate::services::copy;

const PACKAGE: &str = "mariadb-server-core";

/// Whether this machine has what it takes.
pub fn possible() -> bool {
    ["apt-get", "dpkg-deb"].iter().all(|program| Path::new("/usr/bin").join(program).is_file())
}

/// Fetches the server into `cache`: some seconds, 7 MB, 45 MB unpacked.
pub fn fetch(cache: &Path) -> Result<Server> {
    let place = fetched(cache);
    let doing = || "make a folder for a moment".to_owned();
    let scratch = tempfile::tempdir().doing(doing)?;
    let debs = download(scratch.path())?;
    copy::into_place(&place, |root| {
        unpack(&debs, root)?;
        let program = root.join("usr/sbin/mariadbd");
        if !missing(&program)?.is_empty() {
            libraries(&debs, scratch.path(), root)?;
        }
        Server::at(program, Some(root)).map(drop)
    })?;
    Server::at(place.join("usr/sbin/mariadbd"), Some(&place))
}

/// The package's file, by the lists that are there, or by new ones of our own.
fn download(scratch: &Path) -> Result<PathBuf> {
    let folder = scratch.join("server");
    copy::make_private(&folder)?;
    if !apt(scratch, Lists::Machine, &folder, &[PACKAGE])?.status.success() {
        let state = scratch.join("lists");
        for below in ["partial", "archives/partial"] {
            copy::make_private(&state.join(below))?;
        }
        let updated = run(Command::new("apt-get").args(Lists::Own.options(scratch)).arg("update"))?;
        let got = apt(scratch, Lists::Own, &folder, &[PACKAGE])?;
        if !got.status.success() {
            return Err(Problem::new("mysql.fetch", "could not fetch MariaDB from the system's packages")
                .detail(said(&updated) + &said(&got))
                .try_running(format!("sudo apt-get install --no-install-recommends {PACKAGE}")));
        }
    }
    Ok(folder)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Lists {
    Machine,
    /// The machine's are empty or old, and only root may renew them.
    Own,
}

impl Lists {
    fn options(self, scratch: &Path) -> Vec<String> {
        let own = scratch.join("lists");
        match self {
            Self::Machine => Vec::new(),
            Self::Own => vec![
                "-o".into(),
                format!("Dir::State::lists={}", own.display()),
                "-o".into(),
                format!("Dir::Cache={}", own.display()),
            ],
        }
    }
}

fn apt(scratch: &Path, lists: Lists, folder: &Path, packages: &[&str]) -> Result<Output> {
    run(Command::new("apt-get").args(lists.options(scratch)).arg("download").args(packages).current_dir(folder))
}

fn unpack(folder: &Path, root: &Path) -> Result<()> {
    for entry in folder.read_dir().doing(|| format!("read `{}`", folder.display()))?.flatten() {
        let output = run(Command::new("dpkg-deb").arg("-x").arg(entry.path()).arg(root))?;
        if !output.status.success() {
            return Err(Problem::new("mysql.unpack", "could not unpack MariaDB").detail(said(&output)));
        }
    }
    Ok(())
}

/// The libraries that the program wants and the machine has not.
fn missing(program: &Path) -> Result<Vec<String>> {
    let output = run(Command::new("ldd").arg(program))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let lines = text.lines().filter(|line| line.contains("not found"));
    Ok(lines.filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect())
}

/// The libraries of the packages that the server's names, laid beside it.
fn libraries(debs: &Path, scratch: &Path, root: &Path) -> Result<()> {
    let deb = debs.read_dir().doing(|| "read what was fetched")?.flatten().next().map(|entry| entry.path());
    let deb = deb.ok_or_else(|| Problem::new("mysql.fetch", "apt-get fetched nothing"))?;
    let depends = run(Command::new("dpkg-deb").arg("-f").arg(deb).arg("Depends"))?;
    let depends = String::from_utf8_lossy(&depends.stdout).into_owned();
    let folder = scratch.join("libraries");
    let unpacked = scratch.join("unpacked");
    copy::make_private(&folder)?;
    copy::make_private(&unpacked)?;
    let names = depends.split(',').filter_map(|one| one.split_whitespace().next());
    // The C library belongs to the machine: one of another version does not run here.
    for name in names.filter(|name| name.starts_with("lib") && !name.starts_with("libc6")) {
        let got = apt(scratch, Lists::Machine, &folder, &[name])?;
        if !got.status.success() {
            apt(scratch, Lists::Own, &folder, &[name])?;
        }
    }
    unpack(&folder, &unpacked)?;
    let beside = root.join("lib");
    copy::make_private(&beside)?;
    collect(&unpacked, &beside)
}

/// Every library below `from`, into the one folder `to`.
fn collect(from: &Path, to: &Path) -> Result<()> {
    for entry in from.read_dir().doing(|| format!("read `{}`", from.display()))?.flatten() {
        let path = entry.path();
        let name = entry.file_name();
        if path.is_dir() && !path.is_symlink() {
            collect(&path, to)?;
        } else if name.to_string_lossy().contains(".so") && !to.join(&name).exists() {
            // A link among them leads to the file beside it, whose contents it gets.
            let _ = std::fs::copy(&path, to.join(&name));
        }
    }
    Ok(())
}

fn run(command: &mut Command) -> Result<Output> {
    command.env("LC_ALL", "C.UTF-8").output().doing(|| format!("run `{}`", command.get_program().to_string_lossy()))
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[allow(clippy::print_stdout, reason = "a test that is left out says so")]
    fn a_server_is_fetched_without_root() {
        if !possible() {
            return println!("skipped: there is no apt-get on this machine");
        }
        let dir = tempfile::tempdir().unwrap();
        let server = fetch(dir.path()).unwrap();
        assert!(server.version.ends_with("-MariaDB"), "{}", server.version);
        assert_eq!(Server::find("", dir.path()).unwrap().series(), server.series());
        // The libraries that a machine may lack, as if this one did.
        let beside = tempfile::tempdir().unwrap();
        let debs = download(beside.path()).unwrap();
        let root = beside.path().join("root");
        copy::make_private(&root).unwrap();
        libraries(&debs, beside.path(), &root).unwrap();
        let found: Vec<_> = root.join("lib").read_dir().unwrap().flatten().map(|entry| entry.file_name()).collect();
        assert!(found.iter().any(|name| name.to_string_lossy().starts_with("libaio.so")), "{found:?}");
    }
}
