//! Sees to what no ceiling of the kernel holds: what the processes of one app take together.
//!
//! Too much memory ends the largest of them, too many processes end all of them, and who has filled the disk writes no more
//! until there is room again. All of it is told.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::sync::Arc;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::super::{Server, Told, blocking};
use super::config::{Bytes, Limits};
use super::folders::{PERMDIR, TMP, size};
use crate::app::AppName;
use crate::problem::Problem;
use crate::supervisor::confine;
use crate::supervisor::groups::Met;

const EVERY: Duration = Duration::from_secs(1);
/// Folders are looked through at most this often, and so seldom that it takes this part of the time at most.
const DISK_EVERY: Duration = Duration::from_secs(5);
const DISK_SHARE: u32 = 50;

/// An app has taken more than it may.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Over {
    pub app: AppName,
    pub text: String,
}

/// What is known of one app.
#[derive(Default)]
struct Known {
    disk: Option<Disk>,
    /// How often the kernel has held it back, and whether it did so in the last look.
    met: Met,
    is_refused: bool,
}

/// What is known of one app's disk.
struct Disk {
    look_at: Instant,
    /// It may not write just now.
    full: bool,
}

/// What one app's processes take together.
#[derive(Default)]
struct Taken {
    /// By number; in bytes of their own.
    processes: Vec<(u32, u64)>,
    tasks: u64,
}

impl Server {
    /// Never ends.
    pub async fn keep_apart(self: Arc<Self>) {
        let mut known: HashMap<AppName, Known> = HashMap::new();
        loop {
            tokio::time::sleep(EVERY).await;
            let server = self.clone();
            let looked = blocking(move || {
                let told = server.look(&mut known)?;
                Ok::<_, Problem>((known, told))
            });
            // The store cannot be read: who asks for anything is told.
            let Ok((looked, told)) = looked.await else { return };
            known = looked;
            for over in told {
                self.releases.told(Told::Over(over));
            }
        }
    }

    fn look(&self, known: &mut HashMap<AppName, Known>) -> Result<Vec<Over>, Problem> {
        let numbers = self.store.numbers()?;
        if numbers.is_empty() {
            return Ok(Vec::new());
        }
        let owners: HashMap<_, _> = numbers.iter().map(|(app, number)| (self.isolation.owner(*number), app)).collect();
        let mut taken: HashMap<&AppName, Taken> = HashMap::new();
        for (pid, app) in confine::processes(|owner| owners.get(&owner).copied()) {
            let Some((memory, tasks)) = taken_by(pid) else { continue };
            let taken = taken.entry(app).or_default();
            taken.processes.push((pid, memory));
            taken.tasks += tasks;
        }
        let mut told = Vec::new();
        for (app, number) in &numbers {
            let taken = taken.remove(app).unwrap_or_default();
            let limits = self.isolation.limits(app);
            told.extend(hold(&taken, limits).map(|text| Over { app: app.clone(), text }));
            let running: HashSet<u32> = taken.processes.iter().map(|(pid, _)| *pid).collect();
            let known = known.entry(app.clone()).or_default();
            told.extend(known.held(self.isolation.met(app), limits).map(|text| Over { app: app.clone(), text }));
            told.extend(self.disk(app, *number, limits, &running, &mut known.disk));
        }
        Ok(told)
    }

    /// Whether `app` may write.
    fn disk(
        &self,
        app: &AppName,
        number: u32,
        limits: Limits,
        running: &HashSet<u32>,
        disk: &mut Option<Disk>,
    ) -> Option<Over> {
        let most = limits.disk?.0;
        let disk = disk.get_or_insert_with(|| Disk { look_at: Instant::now(), full: false });
        let was_full = disk.full;
        if !running.is_empty() && disk.look_at <= Instant::now() {
            let (began, own) = (Instant::now(), self.dir.join("apps").join(app.as_str()));
            let used = size(&own.join(PERMDIR)) + size(&own.join(TMP));
            disk.full = used > most;
            disk.look_at = Instant::now() + DISK_EVERY.max(began.elapsed() * DISK_SHARE);
        }
        if disk.full || was_full {
            let soft = if disk.full { 0 } else { most };
            limit_files(self.isolation.user(number), running, soft);
        }
        let text = match (was_full, disk.full) {
            (false, true) => format!("its files have more than {}: it writes no more until some are gone", Bytes(most)),
            (true, false) => "there is room for its files again".to_owned(),
            _ => return None,
        };
        Some(Over { app: app.clone(), text })
    }
}

impl Known {
    /// What is told of what the kernel has held back since the last look: of refused processes once, however long it goes on.
    fn held(&mut self, met: Met, limits: Limits) -> Option<String> {
        let (ended, refused) = (met.ended.saturating_sub(self.met.ended), met.refused.saturating_sub(self.met.refused));
        let is_new = refused > 0 && !self.is_refused;
        (self.met, self.is_refused) = (met, refused > 0);
        if let Some(most) = limits.memory.filter(|_| ended > 0) {
            return Some(format!("more memory than the {most} that are allowed: {ended} of its processes are ended"));
        }
        let most = limits.processes.filter(|_| is_new)?;
        Some(format!("more processes and threads than the {most} that are allowed: {refused} were not started"))
    }
}

/// Ends what is too much; what is told of it.
fn hold(taken: &Taken, limits: Limits) -> Option<String> {
    if let Some(most) = limits.processes.filter(|most| taken.tasks > u64::from(*most)) {
        // First none of them may start another one.
        for signal in [Signal::SIGSTOP, Signal::SIGKILL] {
            taken.processes.iter().for_each(|(pid, _)| end(*pid, signal));
        }
        return Some(format!("{} processes and threads, where {most} are allowed: all are ended", taken.tasks));
    }
    let used: u64 = taken.processes.iter().map(|(_, memory)| memory).sum();
    let most = limits.memory.filter(|most| used > most.0)?;
    let (largest, memory) = taken.processes.iter().max_by_key(|(_, memory)| *memory)?;
    end(*largest, Signal::SIGKILL);
    Some(format!(
        "{} MB of memory, where {most} are allowed: the process {largest}, with {} MB, is ended",
        used >> 20,
        memory >> 20
    ))
}

fn end(pid: u32, signal: Signal) {
    // Never 0 or less, which mean others. It may have ended this instant.
    let _ = i32::try_from(pid).ok().filter(|pid| *pid > 1).map(|pid| kill(Pid::from_raw(pid), signal));
}

/// The memory of a process that it shares with no file, and its threads: see proc_pid_statm(5) and proc_pid_stat(5).
fn taken_by(pid: u32) -> Option<(u64, u64)> {
    let statm = fs::read_to_string(format!("/proc/{pid}/statm")).ok()?;
    let mut pages = statm.split_whitespace().skip(1).map(|field| field.parse::<u64>().unwrap_or(0));
    let (resident, shared) = (pages.next()?, pages.next()?);
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let tasks = stat.rsplit_once(')')?.1.split_whitespace().nth(17)?.parse().ok()?;
    let page = nix::unistd::sysconf(nix::unistd::SysconfVar::PAGE_SIZE).ok()??;
    Some((resident.saturating_sub(shared) * page.unsigned_abs(), tasks))
}

/// Sets how large a file these processes may write. That of another user is for that user to say, so a child says it as that one.
#[cfg(target_os = "linux")]
fn limit_files(user: Option<u32>, processes: &HashSet<u32>, soft: u64) {
    use std::os::unix::process::CommandExt as _;

    use nix::libc;
    let processes: Vec<i32> = processes.iter().filter_map(|pid| i32::try_from(*pid).ok()).collect();
    let set = move || {
        for pid in &processes {
            let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
            // SAFETY: both calls read and write what is on this stack.
            unsafe {
                if libc::prlimit(*pid, libc::RLIMIT_FSIZE, std::ptr::null(), &raw mut limit) == 0 {
                    limit.rlim_cur = soft.min(limit.rlim_max);
                    libc::prlimit(*pid, libc::RLIMIT_FSIZE, &raw const limit, std::ptr::null_mut());
                }
            }
        }
        Ok(())
    };
    match user {
        None => drop::<std::io::Result<()>>(set()),
        Some(user) => {
            let mut child = std::process::Command::new("/bin/true");
            child.uid(user).gid(user);
            // SAFETY: between fork and exec there are system calls only.
            unsafe { child.pre_exec(set) };
            // Whether the program is there does not matter.
            let _ = child.status();
        }
    }
}

#[cfg(not(target_os = "linux"))]
fn limit_files(_: Option<u32>, _: &HashSet<u32>, _: u64) {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_kernel_held_back_is_told_once() {
        let limits = Limits { memory: Some(Bytes(64 << 20)), processes: Some(9), ..Limits::default() };
        let mut known = Known::default();
        let mut held = |ended, refused| known.held(Met { ended, refused }, limits);
        assert_eq!(held(0, 0), None);
        assert_eq!(held(2, 0).unwrap(), "more memory than the 64M that are allowed: 2 of its processes are ended");
        assert_eq!(held(2, 5).unwrap(), "more processes and threads than the 9 that are allowed: 5 were not started");
        assert_eq!((held(2, 8), held(2, 8)), (None, None));
        assert!(held(2, 9).is_some());
    }
}
