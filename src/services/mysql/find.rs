//! A MariaDB server of this machine, or one that was fetched. Knows nothing of apps.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::problem::{Doing as _, Problem, Result};

/// A server program that can be started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    pub program: PathBuf,
    /// Its messages, character sets and system tables.
    pub share: PathBuf,
    /// Where libraries lie that came with it; none where the system's are used.
    pub libraries: Option<PathBuf>,
    /// As in `10.11.19-MariaDB`.
    pub version: String,
}

const PROGRAMS: &[&str] = &["mariadbd", "mysqld"];
/// Servers stand outside of most users' PATH.
const FOLDERS: &[&str] = &[
    "/usr/sbin",
    "/usr/libexec",
    "/usr/local/sbin",
    "/usr/local/libexec",
    "/opt/homebrew/opt/mariadb/bin",
    "/usr/local/opt/mariadb/bin",
];
/// What makes a folder a server's share; newer versions renamed it.
pub const SYSTEM_TABLES: &[&str] = &["mariadb_system_tables.sql", "mysql_system_tables.sql"];

impl Server {
    /// The server that was fetched into `cache`, or the first good one along `path` and where servers stand.
    pub fn find(path: &str, cache: &Path) -> Option<Self> {
        let fetched = fetched(cache);
        let folders = path.split(':').filter(|folder| folder.starts_with('/')).chain(FOLDERS.iter().copied());
        let mut seen = Vec::new();
        for folder in folders.map(Path::new) {
            for name in PROGRAMS {
                // `mysqld` is often a link to `mariadbd`.
                let Ok(program) = folder.join(name).canonicalize() else { continue };
                if seen.contains(&program) {
                    continue;
                }
                seen.push(program.clone());
                if let Ok(server) = Self::at(program, None) {
                    return Some(server);
                }
            }
        }
        Self::at(fetched.join("usr/sbin/mariadbd"), Some(&fetched)).ok()
    }

    /// The server whose program is `program`; `root` is where it was unpacked.
    pub fn at(program: PathBuf, root: Option<&Path>) -> Result<Self> {
        let prefix = program.parent().and_then(Path::parent).unwrap_or(Path::new("/usr"));
        let share = ["share/mariadb", "share/mysql"]
            .iter()
            .map(|share| prefix.join(share))
            .find(|share| SYSTEM_TABLES.iter().any(|tables| share.join(tables).is_file()));
        let share = share.ok_or_else(|| {
            Problem::new("mysql.share", format!("`{}` has no system tables beside it", program.display()))
                .hint("only MariaDB can be used; a MySQL server is used through dev.yaml")
        })?;
        let libraries = root.map(|root| root.join("lib")).filter(|folder| folder.is_dir());
        let mut server = Self { program, share, libraries, version: String::new() };
        server.version = server.ask_version()?;
        Ok(server)
    }

    fn ask_version(&self) -> Result<String> {
        let mut command = Command::new(&self.program);
        command.args(["--no-defaults", "--version"]).envs(self.environment());
        let said = command.output().doing(|| format!("run `{}`", self.program.display()))?;
        let text = String::from_utf8_lossy(&said.stdout).into_owned();
        version_in(&text).ok_or_else(|| {
            Problem::new("mysql.version", format!("`{}` does not tell its version", self.program.display()))
                .detail(String::from_utf8_lossy(&said.stderr))
        })
    }

    /// The variables that it needs to run.
    pub fn environment(&self) -> Vec<(String, String)> {
        let libraries = self.libraries.iter().map(|folder| ("LD_LIBRARY_PATH".to_owned(), text(folder)));
        std::iter::once(("PATH".to_owned(), "/usr/bin:/bin".to_owned())).chain(libraries).collect()
    }

    /// The arguments that every start has; the first must stand first.
    pub fn args(&self, settings: &Path, data: &Path) -> Vec<String> {
        let mut args = vec![
            format!("--defaults-file={}", settings.display()),
            format!("--datadir={}", data.display()),
            format!("--lc-messages-dir={}", self.share.display()),
            format!("--character-sets-dir={}", self.share.join("charsets").display()),
        ];
        if nix::unistd::geteuid().is_root() {
            // It refuses to be root unless that is said.
            args.push("--user=root".into());
        }
        args
    }

    /// `10.11` of `10.11.19-MariaDB`: what a datadir may be opened with.
    pub fn series(&self) -> &str {
        series(&self.version)
    }
}

/// Where a server that was fetched is unpacked.
pub fn fetched(cache: &Path) -> PathBuf {
    cache.join("mariadb")
}

pub fn series(version: &str) -> &str {
    version.match_indices('.').nth(1).map_or(version, |(at, _)| &version[..at])
}

/// The version in what `--version` prints, where it is MariaDB's.
fn version_in(text: &str) -> Option<String> {
    let version = text.split_once("Ver ")?.1.split_whitespace().next()?;
    let (number, _) = version.split_once("-MariaDB")?;
    number.starts_with(|c: char| c.is_ascii_digit()).then(|| format!("{number}-MariaDB"))
}

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_mariadbs() {
        for (said, version) in [
            (
                "mariadbd  Ver 10.11.19-MariaDB-0+deb12u1 for debian-linux-gnu on x86_64 (Debian 12)",
                Some("10.11.19-MariaDB"),
            ),
            (
                "mariadbd from 11.8.2-MariaDB, client 15.2\n/x/mariadbd  Ver 11.8.2-MariaDB for Linux",
                Some("11.8.2-MariaDB"),
            ),
            ("/usr/sbin/mysqld  Ver 8.0.36 for Linux on x86_64 (MySQL Community Server - GPL)", None),
            ("", None),
        ] {
            assert_eq!(version_in(said).as_deref(), version, "{said}");
        }
        assert_eq!(series("10.11.19-MariaDB"), "10.11");
        assert_eq!(series("12"), "12");
    }
}
