//! What an app's processes are and need, from the system's own tables.

use std::fs;
use std::time::Duration;

use nix::unistd::{SysconfVar, sysconf};

use super::Server;
use crate::app::AppName;
use crate::node::Duty;
use crate::remote::api::{Process, ProcessState, ReleaseId};

/// As much of `/proc/PID/stat` as is needed.
struct Stat {
    pid: u32,
    group: u32,
    /// In clock ticks after the machine's start.
    started: u64,
}

impl Server {
    /// Those of the release that serves first, its crew, then those of the one kept warm; each leader before its workers.
    pub(super) async fn processes_of(&self, app: &AppName) -> Vec<Process> {
        let running = self.node.running(app).await;
        let table = table();
        let mut processes = Vec::new();
        for one in running {
            let Some(release) = one.release.as_deref().and_then(|release| release.parse::<ReleaseId>().ok()) else {
                continue;
            };
            let state = match one.duty {
                Duty::Serves => ProcessState::Serving,
                Duty::Tried => ProcessState::Gray,
                Duty::Kept => ProcessState::Kept,
            };
            let mut members: Vec<&Stat> = table.iter().filter(|stat| stat.group == one.leader).collect();
            members.sort_by_key(|stat| (stat.pid != one.leader, stat.pid));
            processes.extend(members.into_iter().map(|stat| Process {
                release,
                state,
                process: if stat.pid == one.leader { one.process.clone() } else { format!("{} worker", one.process) },
                pid: stat.pid,
                uptime_s: uptime(stat.started).as_secs(),
                memory: memory(stat.pid),
            }));
        }
        for (id, leader) in self.runs.leaders(app) {
            let Ok(Some((run, _))) = self.store.run(app, id) else { continue };
            let members = table.iter().filter(|stat| stat.pid == leader);
            processes.extend(members.map(|stat| Process {
                release: run.release,
                state: ProcessState::Running,
                process: format!("{id}: {}", run.command.join(" ")),
                pid: stat.pid,
                uptime_s: uptime(stat.started).as_secs(),
                memory: memory(stat.pid),
            }));
        }
        processes
    }
}

fn table() -> Vec<Stat> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| stat(entry.file_name().to_str()?.parse().ok()?)).collect()
}

/// See `proc_pid_stat(5)`: the name, in brackets, may itself hold brackets and blanks.
fn stat(pid: u32) -> Option<Stat> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
    Some(Stat { pid, group: fields.get(2)?.parse().ok()?, started: fields.get(19)?.parse().ok()? })
}

fn uptime(started: u64) -> Duration {
    let ticks = sysconf(SysconfVar::CLK_TCK).ok().flatten().and_then(|ticks| u64::try_from(ticks).ok()).unwrap_or(100);
    let text = fs::read_to_string("/proc/uptime").unwrap_or_default();
    let now = text.split_whitespace().next().and_then(|seconds| seconds.parse::<f64>().ok()).unwrap_or_default();
    Duration::from_secs_f64(now).saturating_sub(Duration::from_millis(started * 1000 / ticks))
}

/// In bytes: its own share of what it has in memory, where the system tells that; else all of it.
fn memory(pid: u32) -> u64 {
    let kilobytes = |file: &str, name: &str| {
        let text = fs::read_to_string(format!("/proc/{pid}/{file}")).ok()?;
        let line = text.lines().find_map(|line| line.strip_prefix(name))?;
        line.split_whitespace().next()?.parse::<u64>().ok()
    };
    kilobytes("smaps_rollup", "Pss:").or_else(|| kilobytes("status", "VmRSS:")).unwrap_or_default() * 1024
}
