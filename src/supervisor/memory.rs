//! How much memory a group of processes has in use.

/// In bytes, all processes of the group of `leader` together; `None` where the system does not say.
#[cfg(target_os = "linux")]
pub fn memory_of_group(leader: u32) -> Option<u64> {
    use nix::unistd::{SysconfVar, sysconf};
    let page = sysconf(SysconfVar::PAGE_SIZE).ok().flatten().and_then(|size| u64::try_from(size).ok())?;
    let pages = |entry: std::fs::DirEntry| {
        let pid: u32 = entry.file_name().to_str()?.parse().ok()?;
        let stat = std::fs::read(format!("/proc/{pid}/stat")).ok()?;
        // proc_pid_stat(5): the name stands in parentheses; behind it the group is the third field, the pages the 22nd.
        let stat = String::from_utf8_lossy(&stat);
        let mut fields = stat.get(stat.rfind(')')? + 1..)?.split_whitespace();
        let group: u32 = fields.nth(2)?.parse().ok()?;
        if group == leader { fields.nth(18)?.parse::<u64>().ok() } else { None }
    };
    let entries = std::fs::read_dir("/proc").ok()?;
    Some(entries.flatten().filter_map(pages).sum::<u64>() * page)
}

#[cfg(not(target_os = "linux"))]
pub fn memory_of_group(_: u32) -> Option<u64> {
    None
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    #[test]
    fn a_group_is_measured() {
        let group = nix::unistd::getpgrp().as_raw().unsigned_abs();
        let held = vec![1_u8; 32 << 20];
        let used = super::memory_of_group(group).unwrap();
        assert!(used > held.iter().map(|byte| u64::from(*byte)).sum::<u64>(), "{used}");
        assert_eq!(super::memory_of_group(0x7fff_fff0), Some(0));
    }
}
