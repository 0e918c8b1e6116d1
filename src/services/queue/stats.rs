//! What the `stats` commands and the lists answer: small YAML documents, key for key as beanstalkd has them.

use std::fmt::Write as _;

use super::command::Command;
use super::job::State;
use super::store::{SECOND, Store};
use super::tube::TubeId;

/// What is counted while the server runs.
#[derive(Debug, Default)]
pub struct Counts {
    /// In the order of [`COUNTED`].
    commands: [u64; COUNTED.len()],
    pub total: u64,
    pub timeouts: u64,
    pub waiting: u64,
    /// Connections there ever were.
    pub connections: u64,
}

/// The commands that are counted, in the order they are told.
const COUNTED: [&str; 22] = [
    "put",
    "peek",
    "peek-ready",
    "peek-delayed",
    "peek-buried",
    "reserve",
    "reserve-with-timeout",
    "delete",
    "release",
    "use",
    "watch",
    "ignore",
    "bury",
    "kick",
    "touch",
    "stats",
    "stats-job",
    "stats-tube",
    "list-tubes",
    "list-tube-used",
    "list-tubes-watched",
    "pause-tube",
];

/// What the store does not know of its server.
#[derive(Debug, Clone, Default)]
pub struct Server {
    /// Seconds since its start.
    pub uptime: u64,
    pub oldest_segment: u32,
    pub id: String,
}

impl Counts {
    pub fn put(&mut self) {
        self.commands[0] += 1;
    }

    pub fn command(&mut self, command: &Command) {
        let at = match command {
            Command::Peek(_) => 1,
            Command::PeekReady => 2,
            Command::PeekDelayed => 3,
            Command::PeekBuried => 4,
            Command::Reserve => 5,
            Command::ReserveWithTimeout(_) => 6,
            Command::Delete(_) => 7,
            Command::Release { .. } => 8,
            Command::Use(_) => 9,
            Command::Watch(_) => 10,
            Command::Ignore(_) => 11,
            Command::Bury { .. } => 12,
            Command::Kick(_) => 13,
            Command::Touch(_) => 14,
            Command::Stats => 15,
            Command::StatsJob(_) => 16,
            Command::StatsTube(_) => 17,
            Command::ListTubes => 18,
            Command::ListTubeUsed => 19,
            Command::ListTubesWatched => 20,
            Command::PauseTube { .. } => 21,
            Command::ReserveJob(_) | Command::KickJob(_) | Command::Quit => return,
        };
        self.commands[at] += 1;
    }
}

/// `OK`, the length, and a document of these lines.
fn document(to: &mut Vec<u8>, lines: &str) {
    to.extend_from_slice(format!("OK {}\r\n---\n{lines}\r\n", lines.len() + 4).as_bytes());
}

/// Into a string nothing fails.
macro_rules! line {
    ($to:expr, $key:expr, $value:expr) => {
        let _ = writeln!($to, "{}: {}", $key, $value);
    };
}

pub fn server(store: &Store, server: &Server, to: &mut Vec<u8>) {
    let mut text = String::new();
    let tubes = || store.tubes.order.iter().map(|id| &store.tubes[*id]);
    let connections = || store.connections.values();
    line!(text, "current-jobs-urgent", tubes().map(|tube| tube.urgent).sum::<u64>());
    line!(text, "current-jobs-ready", tubes().map(|tube| tube.ready.len()).sum::<usize>());
    line!(text, "current-jobs-reserved", tubes().map(|tube| tube.reserved).sum::<u64>());
    line!(text, "current-jobs-delayed", tubes().map(|tube| tube.delayed.len()).sum::<usize>());
    line!(text, "current-jobs-buried", tubes().map(|tube| tube.buried.len()).sum::<usize>());
    for (name, count) in COUNTED.iter().zip(store.counts.commands) {
        let _ = writeln!(text, "cmd-{name}: {count}");
    }
    line!(text, "job-timeouts", store.counts.timeouts);
    line!(text, "total-jobs", store.counts.total);
    line!(text, "max-job-size", store.max_job);
    line!(text, "current-tubes", store.tubes.order.len());
    line!(text, "current-connections", store.connections.len());
    line!(text, "current-producers", connections().filter(|connection| connection.is_producer).count());
    line!(text, "current-workers", connections().filter(|connection| connection.is_worker).count());
    line!(text, "current-waiting", store.counts.waiting);
    line!(text, "total-connections", store.counts.connections);
    line!(text, "pid", std::process::id());
    line!(text, "version", format_args!("\"dae {}\"", env!("CARGO_PKG_VERSION")));
    let (user, system) = used();
    line!(text, "rusage-utime", user);
    line!(text, "rusage-stime", system);
    line!(text, "uptime", server.uptime);
    line!(text, "binlog-oldest-index", server.oldest_segment);
    line!(text, "binlog-current-index", store.log.segment);
    line!(text, "binlog-records-migrated", store.log.migrated);
    line!(text, "binlog-records-written", store.log.records);
    line!(text, "binlog-max-size", super::log::SEGMENT);
    line!(text, "draining", store.draining);
    line!(text, "id", server.id);
    let host = nix::unistd::gethostname().unwrap_or_default();
    line!(text, "hostname", format_args!("\"{}\"", host.to_string_lossy()));
    line!(text, "os", format_args!("\"{}\"", std::env::consts::OS));
    line!(text, "platform", format_args!("\"{}\"", std::env::consts::ARCH));
    document(to, &text);
}

/// The time this process has computed, its own and the system's for it: `seconds.microseconds`.
fn used() -> (String, String) {
    use nix::sys::resource::{UsageWho, getrusage};
    let told = |time: nix::sys::time::TimeVal| format!("{}.{:06}", time.tv_sec(), time.tv_usec());
    getrusage(UsageWho::RUSAGE_SELF).map(|used| (told(used.user_time()), told(used.system_time()))).unwrap_or_default()
}

pub fn job(store: &Store, id: u64, to: &mut Vec<u8>) -> bool {
    let Some(job) = store.jobs.get(&id) else { return false };
    let now = store.clock.now();
    let left = match job.state {
        State::Reserved | State::Delayed => job.due.saturating_sub(now) / SECOND,
        State::Ready | State::Buried => 0,
    };
    let history = job.history.as_deref().copied().unwrap_or_default();
    let mut text = String::new();
    line!(text, "id", id);
    line!(text, "tube", format_args!("\"{}\"", store.tubes[job.tube].name.as_str()));
    line!(text, "state", job.state.as_str());
    line!(text, "pri", job.pri);
    line!(text, "age", now.saturating_sub(job.created) / SECOND);
    line!(text, "delay", job.delay);
    line!(text, "ttr", job.ttr);
    line!(text, "time-left", left);
    line!(text, "file", job.segment);
    line!(text, "reserves", history.reserves);
    line!(text, "timeouts", history.timeouts);
    line!(text, "releases", history.releases);
    line!(text, "buries", history.buries);
    line!(text, "kicks", history.kicks);
    document(to, &text);
    true
}

pub fn tube(store: &Store, id: TubeId, to: &mut Vec<u8>) {
    let tube = &store.tubes[id];
    let left = if tube.pause > 0 { tube.paused_until.saturating_sub(store.clock.now()) } else { 0 };
    let mut text = String::new();
    line!(text, "name", format_args!("\"{}\"", tube.name.as_str()));
    line!(text, "current-jobs-urgent", tube.urgent);
    line!(text, "current-jobs-ready", tube.ready.len());
    line!(text, "current-jobs-reserved", tube.reserved);
    line!(text, "current-jobs-delayed", tube.delayed.len());
    line!(text, "current-jobs-buried", tube.buried.len());
    line!(text, "total-jobs", tube.total);
    line!(text, "current-using", tube.using);
    line!(text, "current-watching", tube.watching);
    line!(text, "current-waiting", tube.waiting.len());
    line!(text, "cmd-delete", tube.deletes);
    line!(text, "cmd-pause-tube", tube.pauses);
    line!(text, "pause", tube.pause / SECOND);
    line!(text, "pause-time-left", left / SECOND);
    document(to, &text);
}

/// A list of these tubes.
pub fn tubes(store: &Store, ids: &[TubeId], to: &mut Vec<u8>) {
    let names = ids.iter().map(|id| store.tubes[*id].name.as_str());
    document(to, &names.flat_map(|name| ["- ", name, "\n"]).collect::<String>());
}
