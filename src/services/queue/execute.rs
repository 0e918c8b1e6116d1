//! One request, done: what changes in the store, and the answer.

use std::io::Write as _;
use std::time::Instant;

use tokio::sync::oneshot;

use super::command::Command;
use super::input::{JOB_TOO_BIG, Request};
use super::job::State;
use super::stats::{self, Server};
use super::store::{Grant, SECOND, Store};

pub const DEADLINE_SOON: &str = "DEADLINE_SOON\r\n";
pub const TIMED_OUT: &str = "TIMED_OUT\r\n";
const NOT_FOUND: &str = "NOT_FOUND\r\n";

/// How safe what was done must be before the answer may go out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Safe {
    /// Nothing changed that counts.
    Anyway,
    /// A killed process loses nothing.
    Written,
    /// Nor does a machine without power, by the journal's policy.
    Synced,
}

#[derive(Debug)]
pub enum Did {
    Answered(Safe),
    Waits(Wait),
    Quits,
}

/// No job is there yet.
#[derive(Debug)]
pub struct Wait {
    pub granted: oneshot::Receiver<Grant>,
    pub until: Option<Instant>,
    /// When what the connection holds already is nearly over.
    pub soon: Option<Instant>,
}

impl Store {
    /// Does what `connection` asks; the answer is added to `to`.
    pub fn execute(&mut self, connection: u32, request: Request, server: &Server, to: &mut Vec<u8>) -> Did {
        match request {
            Request::Refused(text) => {
                say(to, text);
                Did::Answered(Safe::Anyway)
            }
            Request::TooBig => {
                self.counts.put();
                say(to, JOB_TOO_BIG);
                Did::Answered(Safe::Anyway)
            }
            Request::Put(put, body) => {
                self.counts.put();
                if let Some(connection) = self.connections.get_mut(&connection) {
                    connection.is_producer = true;
                }
                if self.draining {
                    say(to, "DRAINING\r\n");
                    return Did::Answered(Safe::Anyway);
                }
                if self.full {
                    say(to, "OUT_OF_MEMORY\r\n");
                    return Did::Answered(Safe::Anyway);
                }
                let id = self.put(connection, put, body);
                // Into memory nothing fails, here and below.
                let _ = write!(to, "INSERTED {id}\r\n");
                Did::Answered(Safe::Synced)
            }
            Request::Command(command) => {
                self.counts.command(&command);
                self.command(connection, command, server, to)
            }
        }
    }

    fn command(&mut self, connection: u32, command: Command, server: &Server, to: &mut Vec<u8>) -> Did {
        let using = self.connections[&connection].using;
        let mut safe = Safe::Anyway;
        match command {
            Command::Quit => return Did::Quits,
            Command::Reserve => return self.reserve_any(connection, None, to),
            Command::ReserveWithTimeout(seconds) => return self.reserve_any(connection, Some(seconds), to),
            Command::ReserveJob(id) => {
                if self.jobs.get(&id).is_none_or(|job| job.state == State::Reserved) {
                    say(to, NOT_FOUND);
                } else {
                    if let Some(connection) = self.connections.get_mut(&connection) {
                        connection.is_worker = true;
                    }
                    self.reserve(connection, id);
                    self.write_job(to, "RESERVED", id);
                    safe = Safe::Written;
                }
            }
            Command::Peek(id) => self.peek(Some(id), to),
            Command::PeekReady => self.peek(self.tubes[using].ready.first().map(|(_, id)| *id), to),
            Command::PeekDelayed => self.peek(self.tubes[using].delayed.first().map(|(_, id)| *id), to),
            Command::PeekBuried => self.peek(self.tubes[using].buried.first().map(|(_, id)| *id), to),
            Command::Delete(id) => {
                found(to, self.delete(connection, id), "DELETED\r\n");
                safe = Safe::Synced;
            }
            Command::Release { id, pri, delay } => {
                found(to, self.release(connection, id, pri, delay), "RELEASED\r\n");
                // If that is lost it is ready when its time is over.
                safe = if delay > 0 { Safe::Synced } else { Safe::Written };
            }
            Command::Bury { id, pri } => {
                found(to, self.bury(connection, id, pri), "BURIED\r\n");
                safe = Safe::Synced;
            }
            Command::Kick(most) => {
                let _ = write!(to, "KICKED {}\r\n", self.kick(using, most));
                safe = Safe::Synced;
            }
            Command::KickJob(id) => {
                found(to, self.kick_job(id), "KICKED\r\n");
                safe = Safe::Synced;
            }
            Command::Touch(id) => {
                found(to, self.touch(connection, id), "TOUCHED\r\n");
                safe = Safe::Written;
            }
            Command::Use(name) => {
                self.use_tube(connection, &name);
                let _ = write!(to, "USING {}\r\n", name.as_str());
            }
            Command::Watch(name) => {
                let _ = write!(to, "WATCHING {}\r\n", self.watch(connection, &name));
            }
            Command::Ignore(name) => match self.ignore(connection, &name) {
                Some(count) => drop(write!(to, "WATCHING {count}\r\n")),
                None => say(to, "NOT_IGNORED\r\n"),
            },
            Command::PauseTube { name, delay } => {
                let tube = self.tubes.find(&name);
                found(to, tube.is_some(), "PAUSED\r\n");
                if let Some(tube) = tube {
                    // Never for no time at all: who waits is woken by the end of a pause.
                    self.pause(tube, (u64::from(delay) * SECOND).max(1));
                }
            }
            Command::Stats => stats::server(self, server, to),
            Command::StatsJob(id) => {
                if !stats::job(self, id, to) {
                    say(to, NOT_FOUND);
                }
            }
            Command::StatsTube(name) => match self.tubes.find(&name) {
                Some(tube) => stats::tube(self, tube, to),
                None => say(to, NOT_FOUND),
            },
            Command::ListTubes => stats::tubes(self, &self.tubes.order, to),
            Command::ListTubeUsed => drop(write!(to, "USING {}\r\n", self.tubes[using].name.as_str())),
            Command::ListTubesWatched => stats::tubes(self, &self.connections[&connection].watching, to),
        }
        Did::Answered(safe)
    }

    fn peek(&self, id: Option<u64>, to: &mut Vec<u8>) {
        match id.filter(|id| self.jobs.contains_key(id)) {
            Some(id) => self.write_job(to, "FOUND", id),
            None => say(to, NOT_FOUND),
        }
    }

    fn reserve_any(&mut self, connection: u32, seconds: Option<u32>, to: &mut Vec<u8>) -> Did {
        if let Some(connection) = self.connections.get_mut(&connection) {
            connection.is_worker = true;
        }
        if let Some(id) = self.best(connection) {
            self.reserve(connection, id);
            self.write_job(to, "RESERVED", id);
            return Did::Answered(Safe::Written);
        }
        let (now, soon) = (self.clock.now(), self.soon(connection));
        if soon.is_some_and(|soon| soon <= now) {
            say(to, DEADLINE_SOON);
            return Did::Answered(Safe::Anyway);
        }
        if seconds == Some(0) {
            say(to, TIMED_OUT);
            return Did::Answered(Safe::Anyway);
        }
        let until = seconds.map(|seconds| self.clock.instant(now + u64::from(seconds) * SECOND));
        let soon = soon.map(|soon| self.clock.instant(soon));
        Did::Waits(Wait { granted: self.wait(connection), until, soon })
    }
}

fn say(to: &mut Vec<u8>, answer: &str) {
    to.extend_from_slice(answer.as_bytes());
}

fn found(to: &mut Vec<u8>, found: bool, answer: &str) {
    say(to, if found { answer } else { NOT_FOUND });
}
