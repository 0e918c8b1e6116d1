//! A landlock domain: see landlock(7).

use std::io;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::path::Path;

use landlock::{
    ABI, Access as _, AccessFs, BitFlags, CompatLevel, Compatible as _, PathBeneath, PathFd, RulesetAttr as _,
    RulesetCreated, RulesetCreatedAttr as _, RulesetError, Scope,
};
use nix::libc;

use super::Files;
use super::ready::check;

/// The accesses to files that are governed; those to devices are not.
const GOVERNED: ABI = ABI::V3;

/// What programs find on any machine. Not all of /etc: there may be secrets in it.
const SYSTEM: &[&str] = &[
    "/bin",
    "/etc/alternatives",
    "/etc/ca-certificates",
    "/etc/ca-certificates.conf",
    "/etc/crypto-policies",
    "/etc/fonts",
    "/etc/gai.conf",
    "/etc/group",
    "/etc/host.conf",
    "/etc/hostname",
    "/etc/hosts",
    "/etc/ld.so.cache",
    "/etc/ld.so.conf",
    "/etc/ld.so.conf.d",
    "/etc/localtime",
    "/etc/magic",
    "/etc/mime.types",
    "/etc/nsswitch.conf",
    "/etc/os-release",
    "/etc/passwd",
    "/etc/pki/tls/certs",
    "/etc/pki/ca-trust",
    "/etc/protocols",
    "/etc/resolv.conf",
    "/etc/services",
    "/etc/ssl/certs",
    "/etc/ssl/openssl.cnf",
    "/etc/terminfo",
    "/etc/timezone",
    "/lib",
    "/lib32",
    "/lib64",
    "/nix/store",
    "/sbin",
    "/sys/devices/system",
    "/usr",
];

/// Written to by everybody, and kept by nobody.
const DEVICES: &[&str] = &["/dev/null", "/dev/zero", "/dev/full", "/dev/tty", "/dev/ptmx", "/dev/pts"];
const SOURCES: &[&str] = &["/dev/random", "/dev/urandom"];

/// Of the machine; what /proc tells of other processes is more than that.
const OF_THE_MACHINE: &[&str] = &[
    "/proc/cpuinfo",
    "/proc/filesystems",
    "/proc/loadavg",
    "/proc/meminfo",
    "/proc/stat",
    "/proc/sys",
    "/proc/uptime",
    "/proc/version",
];

/// Of the process itself. Not `net`, which names the sockets of others.
const OF_ITSELF: &[&std::ffi::CStr] = &[
    c"/proc/self/cgroup",
    c"/proc/self/cmdline",
    c"/proc/self/comm",
    c"/proc/self/environ",
    c"/proc/self/fd",
    c"/proc/self/limits",
    c"/proc/self/maps",
    c"/proc/self/mountinfo",
    c"/proc/self/mounts",
    c"/proc/self/smaps_rollup",
    c"/proc/self/stat",
    c"/proc/self/statm",
    c"/proc/self/status",
    c"/proc/self/task",
];

/// Which version of it the kernel has; 0: none.
pub fn version() -> i32 {
    const VERSION: u32 = 1;
    // SAFETY: with this flag it takes no pointer and tells a number.
    let version =
        unsafe { libc::syscall(libc::SYS_landlock_create_ruleset, std::ptr::null::<libc::c_void>(), 0, VERSION) };
    i32::try_from(version).unwrap_or(0).max(0)
}

/// A domain that a process may enter; none where the kernel knows none.
pub fn domain(files: &Files) -> Result<Option<OwnedFd>, RulesetError> {
    let all = AccessFs::from_all(GOVERNED);
    let read = AccessFs::ReadFile | AccessFs::ReadDir | AccessFs::Execute;
    let write = all & !(AccessFs::MakeChar | AccessFs::MakeBlock);
    let mut domain = landlock::Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(all)?
        .scope(Scope::AbstractUnixSocket | Scope::Signal)?
        .create()?;
    for path in SYSTEM.iter().chain(OF_THE_MACHINE).chain(SOURCES).map(Path::new) {
        domain = beneath(domain, path, read)?;
    }
    for path in DEVICES.iter().map(Path::new) {
        domain = beneath(domain, path, read | AccessFs::WriteFile)?;
    }
    // The semaphores of multiprocessing; what others have there must be known by its name.
    domain = beneath(domain, Path::new("/dev/shm"), write & !(AccessFs::ReadDir | AccessFs::MakeSym))?;
    for path in &files.read {
        domain = beneath(domain, path, read)?;
    }
    for path in &files.write {
        domain = beneath(domain, path, write)?;
    }
    for path in &files.run {
        domain = beneath(domain, path, write & !AccessFs::MakeSym)?;
    }
    Ok(domain.into())
}

fn beneath(domain: RulesetCreated, path: &Path, access: BitFlags<AccessFs>) -> Result<RulesetCreated, RulesetError> {
    let Ok(opened) = PathFd::new(path) else { return Ok(domain) };
    let access = if path.is_dir() { access } else { access & AccessFs::from_file(GOVERNED) };
    domain.add_rule(PathBeneath::new(opened, access))
}

/// `struct landlock_path_beneath_attr`.
#[repr(C, packed)]
struct Beneath {
    access: u64,
    parent: i32,
}

/// For a child between fork and exec: what is in `domain`, and what /proc tells of itself where `of_itself`; else all of /proc.
pub fn enter(domain: &OwnedFd, of_itself: bool) -> io::Result<()> {
    const PATH_BENEATH: u32 = 1;
    // See linux/landlock.h.
    const READ_FILE: u64 = 1 << 2;
    const READ_DIR: u64 = 1 << 3;
    let allow = |path: &std::ffi::CStr| {
        // SAFETY: the path is a constant, and the rule lives through the call. The number it holds is closed again.
        unsafe {
            let opened = libc::open(path.as_ptr(), libc::O_PATH | libc::O_CLOEXEC);
            if opened < 0 {
                return;
            }
            let rule = |access| Beneath { access, parent: opened };
            let add = |rule: &Beneath| {
                libc::syscall(libc::SYS_landlock_add_rule, domain.as_raw_fd(), PATH_BENEATH, &raw const *rule, 0)
            };
            // A file has no entries to be read.
            if add(&rule(READ_FILE | READ_DIR)) < 0 {
                add(&rule(READ_FILE));
            }
            libc::close(opened);
        }
    };
    if of_itself {
        for path in OF_ITSELF {
            allow(path);
        }
    } else {
        allow(c"/proc");
    }
    // SAFETY: it takes numbers only.
    check(unsafe { libc::syscall(libc::SYS_landlock_restrict_self, domain.as_raw_fd(), 0) })
}
