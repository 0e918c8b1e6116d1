//! An empty datadir, made once for each server version and copied for each app.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use sha2::{Digest as _, Sha256};

use super::find::{SYSTEM_TABLES, Server};
use super::zones;
use crate::problem::{Doing as _, Problem, Result};
use crate::services::{Disk, copy};

const SETTINGS: &str = include_str!("tuned.cnf");
/// Beyond them, where a power cut may take the last rows.
const HASTY: &str = include_str!("hasty.cnf");

/// The file of settings for a server.
pub fn settings(disk: Disk) -> String {
    match disk {
        Disk::Hasty => format!("{SETTINGS}{HASTY}"),
        Disk::Lasting => SETTINGS.to_owned(),
    }
}

/// Nobody gets in but whom an app's own start lets in. `mariadb.sys` owns a view that clients read.
const NOBODY: &str = "
DELETE FROM mysql.global_priv WHERE User <> 'mariadb.sys';
DELETE FROM mysql.proxies_priv;
";

/// The base for `server`, below `cache`; made where it is not there yet, in about a second.
pub fn ensure(server: &Server, cache: &Path) -> Result<PathBuf> {
    let place = cache.join("mysql").join(format!("{}-{}", server.version, recipe()));
    if !place.is_dir() {
        copy::into_place(&place, |aside| make(server, aside))?;
    }
    Ok(place)
}

/// Changes with how a base is made.
fn recipe() -> String {
    let hash = Sha256::new().chain_update(SETTINGS).chain_update(NOBODY).chain_update("1").finalize();
    let start = hash.iter().take(4).fold(0_u32, |start, byte| start << 8 | u32::from(*byte));
    format!("{start:08x}")
}

/// The server's own bootstrap; its `install-db` script wants programs of the client's package.
fn make(server: &Server, data: &Path) -> Result<()> {
    let mut script = "create database mysql;\nuse mysql;\n".to_owned();
    let tables = SYSTEM_TABLES
        .iter()
        .map(|name| name.trim_end_matches(".sql"))
        .find(|name| server.share.join(format!("{name}.sql")).is_file());
    let tables = tables.unwrap_or("mysql_system_tables");
    for name in [tables.to_owned(), format!("{tables}_data")] {
        let path = server.share.join(format!("{name}.sql"));
        script += &std::fs::read_to_string(&path).doing(|| format!("read `{}`", path.display()))?;
    }
    script += &zones::statements();
    script += NOBODY;
    let settings = data.with_extension("cnf");
    std::fs::write(&settings, self::settings(Disk::Hasty)).doing(|| format!("write `{}`", settings.display()))?;
    let mut child = Command::new(&server.program)
        .args(server.args(&settings, data))
        .args(["--bootstrap", "--enforce-storage-engine="])
        .current_dir(data)
        .env_clear()
        .envs(server.environment())
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .doing(|| format!("start `{}`", server.program.display()))?;
    let stdin = child.stdin.take();
    let feed = std::thread::spawn(move || stdin.map(|mut stdin| stdin.write_all(script.as_bytes())));
    let output = child.wait_with_output().doing(|| "wait for the database server")?;
    // Where it could not be written to, it has said why.
    let _ = feed.join();
    let said = String::from_utf8_lossy(&output.stderr);
    if output.status.success() && !said.contains("\nERROR") {
        return Ok(());
    }
    Err(Problem::new("mysql.bootstrap", format!("MariaDB {} could not make an empty database", server.version))
        .because(output.status)
        .detail(last_lines(&said)))
}

fn last_lines(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(15)..].join("\n")
}
