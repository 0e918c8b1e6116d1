//! Whose a process or a connection is, from what the system tells of it and the process cannot change.

use std::fs;
use std::net::SocketAddr;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub enum Owner {
    /// All processes of that user.
    User(u32),
    /// All processes that carry that number, as the same user as dae.
    Number(u32),
}

/// Between these and no limit at all nobody has one.
const HIGH: u64 = 1 << 40;

/// The limits that carry `number`: locks are not limited since Linux 2.4.25, and the time of real-time processes is only for
/// those that may be such. Soft, hard.
#[cfg(target_os = "linux")]
pub(super) fn marks(number: u32) -> [(nix::libc::__rlimit_resource_t, u64, u64); 2] {
    let (above, below) = (HIGH + u64::from(number), HIGH - u64::from(number));
    [(nix::libc::RLIMIT_LOCKS, above, above), (nix::libc::RLIMIT_RTTIME, below, below)]
}

/// What a process carries.
#[derive(Debug, PartialEq, Eq)]
enum Mark {
    None,
    Number(u32),
    /// It has lowered one of the limits.
    Spoilt,
}

/// From `/proc/PID/limits`.
fn mark(limits: &str) -> Mark {
    let hard = |name: &str| {
        let line = limits.lines().find_map(|line| line.strip_prefix(name))?;
        line.split_whitespace().nth(1)?.parse::<u64>().ok()
    };
    let (above, below) = (hard("Max file locks"), hard("Max realtime timeout"));
    let number = match (above, below) {
        (None, None) => return Mark::None,
        (Some(above), Some(below)) => above.checked_sub(HIGH).filter(|number| Some(*number) == HIGH.checked_sub(below)),
        _ => None,
    };
    number.and_then(|number| u32::try_from(number).ok()).map_or(Mark::Spoilt, Mark::Number)
}

fn mark_of(pid: u32) -> Option<Mark> {
    fs::read_to_string(format!("/proc/{pid}/limits")).ok().map(|limits| mark(&limits))
}

fn user_of(pid: u32) -> Option<u32> {
    use std::os::unix::fs::MetadataExt as _;
    // Not the folder's own: that of a process that is not to be looked into is root's.
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("Uid:"))?;
    let real = line.split_whitespace().next()?.parse().ok();
    real.or_else(|| fs::metadata(format!("/proc/{pid}")).ok().map(|meta| meta.uid()))
}

/// The processes of the machine.
fn all() -> impl Iterator<Item = u32> {
    fs::read_dir("/proc").into_iter().flatten().flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

/// Processes that have an owner among those `wanted` tells, by their numbers.
pub fn processes<T>(wanted: impl Fn(Owner) -> Option<T>) -> Vec<(u32, T)> {
    let me = nix::unistd::getuid().as_raw();
    let owner = |pid: u32| {
        let user = user_of(pid)?;
        if user != me {
            return wanted(Owner::User(user));
        }
        match mark_of(pid)? {
            Mark::Number(number) => wanted(Owner::Number(number)),
            _ => None,
        }
    };
    all().filter_map(|pid| Some((pid, owner(pid)?))).collect()
}

impl Owner {
    /// Whether the process at the other end of a unix socket is its owner's, or nobody's: dae itself, or who runs it.
    pub fn has_process(self, pid: u32, user: u32) -> bool {
        let me = nix::unistd::getuid().as_raw();
        match self {
            Self::User(own) => user == own || user == me,
            Self::Number(number) => {
                user == me && matches!(mark_of(pid), Some(Mark::None)) || mark_of(pid) == Some(Mark::Number(number))
            }
        }
    }

    /// The same for a connection from `peer` on this machine to `local`.
    pub fn has_connection(self, peer: SocketAddr, local: SocketAddr) -> bool {
        let me = nix::unistd::getuid().as_raw();
        let Some((user, inode)) = socket(peer, local) else { return false };
        match self {
            Self::User(own) => user == own || user == me,
            Self::Number(number) => user == me && held_by(number, inode),
        }
    }
}

/// The user and the inode of the socket that connects `from` with `to`.
fn socket(from: SocketAddr, to: SocketAddr) -> Option<(u32, u64)> {
    ["/proc/net/tcp", "/proc/net/tcp6"].iter().find_map(|table| find(&fs::read_to_string(table).ok()?, from, to))
}

/// See proc_net_tcp(5).
fn find(table: &str, from: SocketAddr, to: SocketAddr) -> Option<(u32, u64)> {
    let (from, to) = (written(from)?, written(to)?);
    let row = table.lines().find_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let mine = fields.get(1)?.ends_with(&from) && fields.get(2)?.ends_with(&to);
        if mine { Some((fields.get(7)?.parse().ok()?, fields.get(9)?.parse().ok()?)) } else { None }
    });
    row.filter(|(_, inode)| *inode != 0)
}

/// `0100007F:1F90`; an address of version 4 as one of version 6 ends so too.
fn written(address: SocketAddr) -> Option<String> {
    let SocketAddr::V4(address) = address else { return None };
    Some(format!("{:08X}:{:04X}", u32::from_ne_bytes(address.ip().octets()), address.port()))
}

/// Whether a process with this number, or with none, has that socket open.
fn held_by(number: u32, inode: u64) -> bool {
    let wanted = format!("socket:[{inode}]");
    let has = |pid: u32| {
        let open = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
        open.filter_map(|entry| fs::read_link(entry.path()).ok()).any(|link| link.as_os_str() == wanted.as_str())
    };
    let mut others = Vec::new();
    for pid in all() {
        match mark_of(pid) {
            Some(Mark::Number(found)) if found == number && has(pid) => return true,
            Some(Mark::None) => others.push(pid),
            _ => {}
        }
    }
    others.into_iter().any(has)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(above: &str, below: &str) -> Mark {
        mark(&format!(
            "Limit                     Soft Limit           Hard Limit           Units     \n\
             Max file locks            {above}        {above}        locks     \n\
             Max realtime timeout      {below}        {below}        us        \n"
        ))
    }

    #[test]
    fn a_number_is_read_and_not_made_up() {
        let number = |above: u64, below: u64| limits(&above.to_string(), &below.to_string());
        assert_eq!(limits("unlimited", "unlimited"), Mark::None);
        assert_eq!(number(HIGH + 7, HIGH - 7), Mark::Number(7));
        // Ceilings can only be lowered: from 7 neither a smaller number can be had nor a greater one.
        assert_eq!(number(HIGH + 3, HIGH - 7), Mark::Spoilt);
        assert_eq!(number(HIGH + 7, HIGH - 9), Mark::Spoilt);
        assert_eq!(limits("unlimited", "100"), Mark::Spoilt);
    }

    #[test]
    fn a_connection_of_this_process_is_found() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let client = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (peer, local) = (client.local_addr().unwrap(), client.peer_addr().unwrap());
        assert!(Owner::Number(5).has_connection(peer, local), "who carries no number may come");
        assert!(Owner::User(nix::unistd::getuid().as_raw()).has_connection(peer, local));
        drop(client);
        assert!(!Owner::Number(5).has_connection(peer, local));
    }
}
