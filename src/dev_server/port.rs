//! The one public port: bound, or named with who holds it.

use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;

use crate::problem::{Problem, Result};

/// Binds `address`; a port that is taken is a Problem that names the holder and the next free port.
pub fn bind(address: SocketAddr) -> Result<TcpListener> {
    TcpListener::bind(address).and_then(|listener| listener.set_nonblocking(true).map(|()| listener)).map_err(|error| {
        let port = address.port();
        match error.kind() {
            std::io::ErrorKind::AddrInUse => {
                let mut problem = Problem::new("serve.port-taken", format!("port {port} is taken"));
                if let Some(holder) = holder(port) {
                    problem = problem.because(holder.to_string());
                }
                match next_free(address) {
                    Some(free) => problem.try_running(format!("dae serve --port {free}")),
                    None => problem.hint("choose another with `--port`"),
                }
            }
            std::io::ErrorKind::PermissionDenied => {
                Problem::new("serve.port-forbidden", format!("port {port} may not be used by you"))
                    .hint("ports from 1024 on are free for all: `dae serve --port 8080`")
            }
            _ => Problem::new("serve.port", format!("could not listen on {address}")).because(error),
        }
    })
}

/// Binds `address`, or the next free port where that one is taken; then what is in the way comes too.
pub fn bind_or_next(address: SocketAddr) -> Result<(TcpListener, Option<Problem>)> {
    let taken = match bind(address) {
        Ok(listener) => return Ok((listener, None)),
        Err(taken) if taken.code == "serve.port-taken" => taken,
        Err(problem) => return Err(problem),
    };
    let Some(free) = next_free(address) else { return Err(taken) };
    let mut next = address;
    next.set_port(free);
    Ok((bind(next)?, Some(taken)))
}

/// The next port after a taken one that is free now.
pub fn next_free(taken: SocketAddr) -> Option<u16> {
    (1..=100).filter_map(|far| taken.port().checked_add(far)).find(|port| {
        let mut address = taken;
        address.set_port(*port);
        TcpListener::bind(address).is_ok()
    })
}

/// The process that listens on a port.
#[derive(Debug, PartialEq, Eq)]
pub struct Holder {
    pub pid: u32,
    pub command: String,
    pub folder: Option<PathBuf>,
}

impl std::fmt::Display for Holder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "process {} holds it: `{}`", self.pid, self.command)?;
        match &self.folder {
            Some(folder) => write!(f, " in `{}`", folder.display()),
            None => Ok(()),
        }
    }
}

/// Who listens on `port`, where the system lets us see (Linux, one's own processes).
pub fn holder(port: u16) -> Option<Holder> {
    let inodes = listening(port);
    let is_one = |target: PathBuf| {
        let target = target.to_string_lossy().into_owned();
        inodes.iter().any(|inode| target == format!("socket:[{inode}]"))
    };
    for process in std::fs::read_dir("/proc").ok()?.flatten() {
        let Some(pid) = process.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        let Ok(files) = std::fs::read_dir(process.path().join("fd")) else { continue };
        if files.flatten().filter_map(|file| std::fs::read_link(file.path()).ok()).any(is_one) {
            let line = std::fs::read(process.path().join("cmdline")).unwrap_or_default();
            let words: Vec<_> = line.split(|byte| *byte == 0).map(String::from_utf8_lossy).collect();
            return Some(Holder {
                pid,
                command: words.join(" ").trim().chars().take(80).collect(),
                folder: std::fs::read_link(process.path().join("cwd")).ok(),
            });
        }
    }
    None
}

/// Inodes of the sockets that listen on `port` (proc(5), /proc/net/tcp: state 0A is LISTEN).
fn listening(port: u16) -> Vec<String> {
    let suffix = format!(":{port:04X}");
    ["/proc/net/tcp", "/proc/net/tcp6"]
        .iter()
        .filter_map(|table| std::fs::read_to_string(table).ok())
        .flat_map(|table| {
            let lines: Vec<String> = table.lines().map(str::to_owned).collect();
            lines
        })
        .filter_map(|line| {
            let fields: Vec<&str> = line.split_whitespace().collect();
            let listens = fields.get(1)?.ends_with(&suffix) && *fields.get(3)? == "0A";
            listens.then(|| fields.get(9).map(|inode| (*inode).to_owned())).flatten()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_port_names_its_holder() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let problem = bind(taken.local_addr().unwrap()).unwrap_err();
        assert_eq!(problem.code, "serve.port-taken");
        assert_eq!(holder(taken.local_addr().unwrap().port()).unwrap().pid, std::process::id());
        assert_eq!(problem.hints.len(), 1);
    }
}
