//! The system calls that are refused: those that reach beyond the process, into others or into the kernel. All others are
//! allowed, as an app may bring any library.

use std::collections::BTreeMap;
use std::io;
use std::sync::OnceLock;

use nix::libc;
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen as Length, SeccompCmpOp as Compare, SeccompCondition, SeccompFilter,
    SeccompRule, sock_filter,
};

use super::ready::check;

type Rules = BTreeMap<i64, Vec<SeccompRule>>;

/// Refused with "not permitted".
const REFUSED: &[libc::c_long] = &[
    libc::SYS_acct,
    libc::SYS_add_key,
    libc::SYS_adjtimex,
    libc::SYS_bpf,
    libc::SYS_clock_adjtime,
    libc::SYS_clock_settime,
    libc::SYS_delete_module,
    libc::SYS_fanotify_init,
    libc::SYS_finit_module,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fsopen,
    libc::SYS_fspick,
    libc::SYS_init_module,
    libc::SYS_kcmp,
    libc::SYS_kexec_file_load,
    libc::SYS_kexec_load,
    libc::SYS_keyctl,
    libc::SYS_migrate_pages,
    libc::SYS_mount,
    libc::SYS_mount_setattr,
    libc::SYS_move_mount,
    libc::SYS_move_pages,
    libc::SYS_mq_open,
    libc::SYS_open_by_handle_at,
    libc::SYS_open_tree,
    libc::SYS_perf_event_open,
    libc::SYS_pidfd_getfd,
    libc::SYS_pivot_root,
    libc::SYS_process_madvise,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_ptrace,
    libc::SYS_quotactl,
    libc::SYS_reboot,
    libc::SYS_request_key,
    libc::SYS_setdomainname,
    libc::SYS_sethostname,
    libc::SYS_setns,
    libc::SYS_settimeofday,
    libc::SYS_swapoff,
    libc::SYS_swapon,
    libc::SYS_syslog,
    libc::SYS_umount2,
    libc::SYS_unshare,
    libc::SYS_userfaultfd,
    libc::SYS_vhangup,
];

/// Said not to be there: who asks knows another way. What `clone3` is to do cannot be looked at.
const NOT_THERE: &[libc::c_long] =
    &[libc::SYS_clone3, libc::SYS_io_uring_enter, libc::SYS_io_uring_register, libc::SYS_io_uring_setup];

/// What the kernel keeps by number, for whoever is that user: where all apps are one, each could have what is another's.
const BY_NUMBER: &[libc::c_long] = &[
    libc::SYS_msgctl,
    libc::SYS_msgget,
    libc::SYS_msgrcv,
    libc::SYS_msgsnd,
    libc::SYS_semctl,
    libc::SYS_semget,
    libc::SYS_semop,
    libc::SYS_semtimedop,
    libc::SYS_shmat,
    libc::SYS_shmctl,
    libc::SYS_shmget,
];

/// Calls numbered from here on are those of x32: the same ones by other numbers.
#[cfg(target_arch = "x86_64")]
const X32: u32 = 0x4000_0000;

/// The filters, made once, of processes that are `user`.
pub fn filters(user: Option<u32>) -> &'static Result<Vec<BpfProgram>, String> {
    static OF_ITS_OWN: OnceLock<Result<Vec<BpfProgram>, String>> = OnceLock::new();
    static OF_ALL: OnceLock<Result<Vec<BpfProgram>, String>> = OnceLock::new();
    let (filters, further) = if user.is_some() { (&OF_ITS_OWN, &[][..]) } else { (&OF_ALL, BY_NUMBER) };
    filters.get_or_init(|| make(further).map_err(|error| error.to_string()))
}

fn make(further: &[libc::c_long]) -> Result<Vec<BpfProgram>, seccompiler::Error> {
    let always = |calls: &[libc::c_long]| calls.iter().map(|call| (*call, Vec::new())).collect::<Rules>();
    let mut refused = always(REFUSED);
    refused.append(&mut always(further));
    // Another process's limits, priority, place: where all apps are one user it could be anybody's.
    let of_others = |argument| Ok::<_, seccompiler::Error>(vec![when(argument, Compare::Ne, 0)?]);
    refused.insert(libc::SYS_prlimit64, of_others(0)?);
    refused.insert(libc::SYS_sched_setaffinity, of_others(0)?);
    refused.insert(libc::SYS_sched_setattr, of_others(0)?);
    refused.insert(libc::SYS_sched_setparam, of_others(0)?);
    refused.insert(libc::SYS_sched_setscheduler, of_others(0)?);
    refused.insert(libc::SYS_setpriority, vec![when(0, Compare::Ne, 0)?, when(1, Compare::Ne, 0)?]);
    refused.insert(libc::SYS_ioprio_set, vec![when(0, Compare::Ne, 1)?, when(1, Compare::Ne, 0)?]);
    // Types into a terminal.
    #[expect(clippy::useless_conversion, reason = "with musl they are ints")]
    let (sti, linux) = (u64::from(libc::TIOCSTI), u64::from(libc::TIOCLINUX));
    refused.insert(libc::SYS_ioctl, vec![when(1, Compare::Eq, sti)?, when(1, Compare::Eq, linux)?]);
    // Lists all sockets of the machine, those with secret names among them: see sock_diag(7).
    let netlink = [(0, libc::AF_NETLINK), (2, libc::NETLINK_SOCK_DIAG)];
    let netlink = netlink.map(|(argument, value)| condition(argument, Compare::Eq, u64::from(value.unsigned_abs())));
    let netlink = netlink.into_iter().collect::<Result<_, _>>()?;
    refused.insert(libc::SYS_socket, vec![SeccompRule::new(netlink)?]);
    let namespaces = [
        libc::CLONE_NEWUSER,
        libc::CLONE_NEWNS,
        libc::CLONE_NEWNET,
        libc::CLONE_NEWPID,
        libc::CLONE_NEWIPC,
        libc::CLONE_NEWUTS,
        libc::CLONE_NEWCGROUP,
    ];
    let a_new = |flag: i32| {
        let flag = u64::from(flag.unsigned_abs());
        when(0, Compare::MaskedEq(flag), flag)
    };
    refused.insert(libc::SYS_clone, namespaces.into_iter().map(a_new).collect::<Result<_, _>>()?);
    let mut filters = vec![program(refused, libc::EPERM)?, program(always(NOT_THERE), libc::ENOSYS)?];
    filters.extend(by_other_numbers());
    Ok(filters)
}

fn when(argument: u8, compare: Compare, value: u64) -> Result<SeccompRule, seccompiler::Error> {
    Ok(SeccompRule::new(vec![condition(argument, compare, value)?])?)
}

fn condition(argument: u8, compare: Compare, value: u64) -> Result<SeccompCondition, seccompiler::Error> {
    Ok(SeccompCondition::new(argument, Length::Dword, compare, value)?)
}

fn program(rules: Rules, refusal: i32) -> Result<BpfProgram, seccompiler::Error> {
    let refusal = SeccompAction::Errno(refusal.unsigned_abs());
    let arch = std::env::consts::ARCH.try_into()?;
    Ok(SeccompFilter::new(rules, SeccompAction::Allow, refusal, arch)?.try_into()?)
}

#[cfg(target_arch = "x86_64")]
fn by_other_numbers() -> Vec<BpfProgram> {
    // See linux/bpf_common.h and linux/seccomp.h: load the call's number; where it is one of those, refuse it.
    const LOAD: u16 = 0x20;
    const IF_AT_LEAST: u16 = 0x35;
    const RETURN: u16 = 0x06;
    let step = |code, jt, jf, k| sock_filter { code, jt, jf, k };
    vec![vec![
        step(LOAD, 0, 0, 0),
        step(IF_AT_LEAST, 0, 1, X32),
        step(RETURN, 0, 0, libc::SECCOMP_RET_ERRNO | libc::ENOSYS.unsigned_abs()),
        step(RETURN, 0, 0, libc::SECCOMP_RET_ALLOW),
    ]]
}

#[cfg(not(target_arch = "x86_64"))]
fn by_other_numbers() -> Vec<BpfProgram> {
    Vec::new()
}

/// For a child between fork and exec that has given up new privileges.
pub fn enter(filters: &[BpfProgram]) -> io::Result<()> {
    for filter in filters {
        let program = libc::sock_fprog {
            // Whole filters have some hundreds of steps, and 4096 at most.
            len: u16::try_from(filter.len()).unwrap_or(u16::MAX),
            filter: filter.as_ptr().cast::<libc::sock_filter>().cast_mut(),
        };
        // SAFETY: the program lives through the call, and its steps are laid out as in C.
        check(unsafe { libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const program, 0, 0) })?;
    }
    Ok(())
}
