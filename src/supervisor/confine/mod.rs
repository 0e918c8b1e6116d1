//! What a process may do: whose it is, which files it may touch, how much it may take. Knows no apps.
//!
//! Theory of operation. All that needs memory is made ready before the fork (`Ready`); between fork and exec there are only
//! system calls. What is given up there cannot be had again: no privileges come by exec (`no_new_privs`), the files are those
//! of a landlock domain, calls that reach beyond the process are refused by seccomp, and the limits' ceilings only go down.
//!
//! A process carries its owner's number where nobody can change it: as the ceilings of two limits that have no effect, of which
//! one is higher and the other lower for a greater number. Who lowers one is no longer told to be anybody's (`owner`).
//!
//! Elsewhere than on Linux nothing is confined.

#[cfg(target_os = "linux")]
mod calls;
#[cfg(target_os = "linux")]
mod files;
mod owner;

use std::path::PathBuf;

pub use owner::{Owner, processes};

/// What processes of one owner may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Confinement {
    /// Tells its processes from those of others; never 0.
    pub number: u32,
    /// The user, and the group of that number, it becomes; none: it stays who dae is.
    pub user: Option<u32>,
    /// None: whatever that user may touch.
    pub files: Option<Files>,
    pub limits: Limits,
    /// A control group it joins.
    pub cgroup: Option<PathBuf>,
}

/// The files it may touch; what is not there is passed over.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Files {
    pub read: Vec<PathBuf>,
    pub write: Vec<PathBuf>,
    /// To write, but for links: dae itself goes there.
    pub run: Vec<PathBuf>,
}

/// For one process each, but for the processes of its user.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Limits {
    /// In bytes, of its own.
    pub memory: Option<u64>,
    /// Processes and threads of its user.
    pub processes: Option<u64>,
    /// In bytes, of one file.
    pub file: Option<u64>,
}

impl Confinement {
    pub fn owner(&self) -> Owner {
        self.user.map_or(Owner::Number(self.number), Owner::User)
    }

    /// Makes `path` its user's.
    pub fn give(&self, path: &std::path::Path) -> std::io::Result<()> {
        match self.user {
            Some(user) => std::os::unix::fs::lchown(path, Some(user), Some(user)),
            None => Ok(()),
        }
    }
}

/// Which version of landlock the kernel has; 0: none.
#[cfg(target_os = "linux")]
pub fn landlock() -> i32 {
    files::version()
}

#[cfg(not(target_os = "linux"))]
pub fn landlock() -> i32 {
    0
}

#[cfg(target_os = "linux")]
pub(super) use ready::{Ready, check};

#[cfg(target_os = "linux")]
mod ready {
    use std::fs::File;
    use std::io;
    use std::os::fd::{AsRawFd as _, OwnedFd};

    use nix::libc;

    use super::{Confinement, Limits, calls, files, owner};

    /// All that a child needs on its way to its program.
    pub struct Ready {
        user: Option<u32>,
        domain: Option<OwnedFd>,
        limits: Vec<(libc::__rlimit_resource_t, u64, u64)>,
        group: Option<File>,
    }

    impl Ready {
        pub fn of(confinement: &Confinement) -> io::Result<Self> {
            let Confinement { number, user, files, limits, cgroup } = confinement;
            calls::filters(*user).as_ref().map_err(|error| io::Error::other(error.clone()))?;
            let domain = files.as_ref().map(files::domain).transpose().map_err(io::Error::other)?.flatten();
            let group = cgroup.as_ref().map(|group| File::options().write(true).open(group.join("cgroup.procs")));
            let Limits { memory, processes, file } = limits;
            let mut all = owner::marks(*number).to_vec();
            // It ends where its address space would have to be written down.
            all.push((libc::RLIMIT_CORE, 0, 0));
            all.extend(memory.map(|most| (libc::RLIMIT_DATA, most, most)));
            all.extend(processes.map(|most| (libc::RLIMIT_NPROC, most, most)));
            all.extend(file.map(|most| (libc::RLIMIT_FSIZE, most, most)));
            Ok(Self { user: *user, domain, limits: all, group: group.transpose()? })
        }

        /// To be called between fork and exec. Makes system calls only, and takes no memory.
        pub fn enter(&self) -> io::Result<()> {
            // SAFETY: all calls take numbers, or pointers to what lives as long as this or is a constant.
            unsafe {
                if let Some(group) = &self.group {
                    check(libc::write(group.as_raw_fd(), b"0".as_ptr().cast(), 1) as i64)?;
                }
                for (limit, soft, hard) in &self.limits {
                    let mut now = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
                    check(libc::getrlimit(*limit, &raw mut now))?;
                    let most = (*hard).min(now.rlim_max);
                    check(libc::setrlimit(*limit, &libc::rlimit { rlim_cur: (*soft).min(most), rlim_max: most }))?;
                }
                if libc::geteuid() == 0 {
                    for capability in 0..64 {
                        // One the kernel does not know cannot be dropped.
                        let _ = libc::prctl(libc::PR_CAPBSET_DROP, capability, 0, 0, 0);
                    }
                    // Not by libc's functions, which ask every thread there was before the fork to do the same.
                    check(libc::syscall(libc::SYS_setgroups, 0_usize, std::ptr::null::<libc::gid_t>()))?;
                    if let Some(user) = self.user.map(libc::c_long::from) {
                        check(libc::syscall(libc::SYS_setresgid, user, user, user))?;
                        check(libc::syscall(libc::SYS_setresuid, user, user, user))?;
                    }
                }
                // The third version of it, of this process; see capset(2).
                let header: [u32; 2] = [0x2008_0522, 0];
                let none = [0_u32; 6];
                check(libc::syscall(libc::SYS_capset, header.as_ptr(), none.as_ptr()))?;
                check(libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))?;
            }
            if let Some(domain) = &self.domain {
                files::enter(domain, self.user.is_none())?;
            }
            calls::filters(self.user).as_ref().map_or(Ok(()), |filters| calls::enter(filters))
        }
    }

    /// What C says of its errors.
    pub fn check(result: impl Into<i64>) -> io::Result<()> {
        if result.into() < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
    }
}
