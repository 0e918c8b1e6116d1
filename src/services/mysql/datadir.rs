//! One app's own datadir: made whole from the base, with the app's schema in it, and never opened by an older server.

use std::fs::{File, TryLockError};
use std::io::{Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};

use super::Own;
use super::find::{Server, series};
use crate::problem::{Doing as _, Problem, Result};
use crate::services::{Space, copy};

/// In a datadir: the version of the server that last opened it.
const VERSION: &str = "dae-version";

pub fn folder(space: &Space) -> PathBuf {
    space.data.join("mysql")
}

/// Where the server keeps its files.
pub fn place(space: &Space) -> PathBuf {
    folder(space).join("data")
}

/// The app's password, the same from one start to the next: other programs of the developer may know it. It outlives the
/// files for as long as the services run: the app's processes have been told it.
pub fn password(space: &Space) -> Result<String> {
    let folder = folder(space);
    copy::make_private(&folder)?;
    let path = folder.join("password");
    let kept = std::fs::read_to_string(&path).ok();
    let kept = kept.filter(|text| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric()));
    let word = space.kept.word("mysql", || kept.clone().map_or_else(random_password, Ok))?;
    if kept.as_ref() != Some(&word) {
        write_private(&path, &word)?;
    }
    Ok(word)
}

pub fn random_password() -> Result<String> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(std::io::Error::other).doing(|| "find a random password")?;
    Ok(format!("{:032x}", u128::from_ne_bytes(bytes)))
}

/// A file that only the user may read.
pub fn write_private(path: &Path, text: &str) -> Result<()> {
    use std::os::unix::fs::OpenOptionsExt as _;
    File::options()
        .create(true)
        .write(true)
        .truncate(true)
        .mode(0o600)
        .open(path)
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .doing(|| format!("write `{}`", path.display()))
}

/// The lock on the datadir; the server inherits it, so it is held for as long as any server works there.
pub fn lock(own: &Own) -> Result<File> {
    let folder = folder(&own.space);
    copy::make_private(&folder)?;
    let path = folder.join("lock");
    let doing = || format!("open `{}`", path.display());
    let mut file = File::options().create(true).truncate(false).read(true).write(true).open(&path).doing(doing)?;
    match file.try_lock() {
        Ok(()) => {
            file.set_len(0).doing(doing)?;
            Ok(file)
        }
        Err(TryLockError::WouldBlock) => {
            let mut text = String::new();
            let _ = file.read_to_string(&mut text);
            let pid = text.trim().to_owned();
            let problem = Problem::new("mysql.locked", "another database server works on this app's data");
            Err(if pid.is_empty() {
                problem
            } else {
                problem.because(format!("process {pid}")).try_running(format!("kill {pid}"))
            })
        }
        Err(TryLockError::Error(error)) => Err(error).doing(|| format!("lock `{}`", path.display())),
    }
}

/// Notes in the lock which process has inherited it.
pub fn note_owner(mut lock: &File, pid: u32) {
    // Only a message would be the poorer without it.
    let _ = lock.rewind().and_then(|()| lock.set_len(0)).and_then(|()| write!(lock, "{pid}"));
}

/// Refuses data that `server` is too old for.
pub fn check(data: &Path, server: &Server) -> Result<()> {
    let path = data.join(VERSION);
    let Ok(known) = std::fs::read_to_string(&path) else { return Ok(()) };
    let number =
        |version: &str| -> Vec<u32> { series(version).split('.').map(|part| part.parse().unwrap_or(0)).collect() };
    if number(&known) > number(&server.version) {
        let (known, series) = (series(&known).to_owned(), server.series().to_owned());
        return Err(Problem::new(
            "mysql.newer-data",
            format!(
                "this app's database was written by MariaDB {known}, and `{}` is {series}",
                server.program.display()
            ),
        )
        .hint(format!(
            "install MariaDB {known} or newer; or begin anew with `dae db reset`, which deletes what is in it"
        )));
    }
    Ok(())
}

/// Notes that `server` has opened it.
pub fn note(data: &Path, server: &Server) -> Result<()> {
    let path = data.join(VERSION);
    if std::fs::read_to_string(&path).is_ok_and(|known| known == server.version) {
        return Ok(());
    }
    std::fs::write(&path, &server.version).doing(|| format!("write `{}`", path.display()))
}
