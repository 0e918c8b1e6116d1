//! The jobs and where each of them is; the connections and what each of them holds. Pure but for the clock: every change is
//! told to the log, and written by others.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use tokio::sync::{Notify, oneshot};

use super::command::{Name, Put};
use super::job::{History, Job, NOBODY, State};
use super::log::{Log, weight};
use super::record::{Record, Whole};
use super::stats::Counts;
use super::tube::{DEFAULT, TubeId, Tubes};

/// Who reserved a job is warned so long before its time is over, in nanoseconds.
pub const MARGIN: u64 = SECOND;
pub const SECOND: u64 = 1_000_000_000;

/// The time of day that never goes back, in nanoseconds since the Unix epoch.
#[derive(Debug)]
pub struct Clock {
    began: Instant,
    began_at: u64,
}

#[derive(Debug)]
pub struct Store {
    pub clock: Clock,
    pub max_job: u32,
    pub jobs: BTreeMap<u64, Box<Job>>,
    pub tubes: Tubes,
    pub connections: HashMap<u32, Connection>,
    /// When what is delayed or reserved is ready again.
    due: BTreeSet<(u64, u64)>,
    paused: BTreeSet<(u64, TubeId)>,
    pub next_id: u64,
    next_connection: u32,
    next_wait: u64,
    last_buried: u64,
    pub counts: Counts,
    pub log: Log,
    /// No new jobs are taken.
    pub draining: bool,
    /// None can be kept at the moment.
    pub full: bool,
    /// Somebody sleeps until `armed`, and is woken for what comes before.
    pub alarm: Arc<Notify>,
    armed: u64,
}

#[derive(Debug)]
pub struct Connection {
    pub using: TubeId,
    pub watching: Vec<TubeId>,
    /// What it reserved, by the end of its time.
    pub reserved: BTreeSet<(u64, u64)>,
    waiting: Option<(u64, oneshot::Sender<Grant>)>,
    pub is_producer: bool,
    pub is_worker: bool,
}

/// A job for a connection that waited: the answer, and how much of the log must be written before it may go out.
#[derive(Debug)]
pub struct Grant {
    pub answer: Vec<u8>,
    pub end: u64,
}

impl Default for Clock {
    fn default() -> Self {
        let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Self { began: Instant::now(), began_at: nanoseconds(since_epoch) }
    }
}

impl Clock {
    pub fn now(&self) -> u64 {
        self.began_at + nanoseconds(self.began.elapsed())
    }

    pub fn instant(&self, at: u64) -> Instant {
        self.began + Duration::from_nanos(at.saturating_sub(self.began_at))
    }
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

impl Store {
    pub fn new(max_job: u32) -> Self {
        Self {
            clock: Clock::default(),
            max_job,
            jobs: BTreeMap::new(),
            tubes: Tubes::default(),
            connections: HashMap::new(),
            due: BTreeSet::new(),
            paused: BTreeSet::new(),
            next_id: 1,
            next_connection: 0,
            next_wait: 0,
            last_buried: 0,
            counts: Counts::default(),
            log: Log::default(),
            draining: false,
            full: false,
            alarm: Arc::default(),
            armed: u64::MAX,
        }
    }

    pub fn connect(&mut self) -> u32 {
        while self.next_connection == NOBODY || self.connections.contains_key(&self.next_connection) {
            self.next_connection = self.next_connection.wrapping_add(1);
        }
        let id = self.next_connection;
        self.next_connection = id.wrapping_add(1);
        self.tubes[DEFAULT].using += 1;
        self.tubes[DEFAULT].watching += 1;
        self.counts.connections += 1;
        let connection = Connection {
            using: DEFAULT,
            watching: vec![DEFAULT],
            reserved: BTreeSet::new(),
            waiting: None,
            is_producer: false,
            is_worker: false,
        };
        self.connections.insert(id, connection);
        id
    }

    /// The connection has gone: what it reserved is ready again.
    pub fn disconnect(&mut self, id: u32) {
        self.give_up(id);
        let Some(connection) = self.connections.get_mut(&id) else { return };
        for (_, job) in std::mem::take(&mut connection.reserved) {
            self.tell(&Record::LetGo { id: job });
            self.be_ready(job);
        }
        if let Some(Connection { using, watching, .. }) = self.connections.remove(&id) {
            self.tubes[using].using -= 1;
            self.tubes.tidy(using);
            for tube in watching {
                self.tubes[tube].watching -= 1;
                self.tubes.tidy(tube);
            }
        }
    }

    pub fn put(&mut self, connection: u32, put: Put, body: Box<[u8]>) -> u64 {
        let now = self.clock.now();
        let tube = self.connections[&connection].using;
        let id = self.next_id;
        self.next_id += 1;
        let delayed = put.delay > 0;
        let state = if delayed { State::Delayed } else { State::Ready };
        let due = if delayed { now + u64::from(put.delay) * SECOND } else { 0 };
        let whole = Whole {
            id,
            tube: self.tubes[tube].name.clone(),
            pri: put.pri,
            delay: put.delay,
            ttr: put.ttr.max(1),
            created: now,
            state,
            due,
            history: History::default(),
            body: &body,
        };
        let segment = self.log.tell(&Record::Whole(whole), self.next_id);
        self.log.live += weight(self.tubes[tube].name.as_str(), body.len());
        let ttr = put.ttr.max(1);
        let job = Job {
            body,
            created: now,
            due,
            tube,
            pri: put.pri,
            delay: put.delay,
            ttr,
            segment,
            holder: NOBODY,
            state,
            history: None,
        };
        self.jobs.insert(id, Box::new(job));
        self.tubes[tube].total += 1;
        self.counts.total += 1;
        self.enter(id, state, due);
        self.hand_out(tube);
        id
    }

    /// The job of the highest priority among the tubes `connection` watches.
    pub fn best(&self, connection: u32) -> Option<u64> {
        let watching = self.connections[&connection].watching.iter();
        let first = |tube: &TubeId| {
            let tube = &self.tubes[*tube];
            if tube.pause > 0 { None } else { tube.ready.first().copied() }
        };
        watching.filter_map(first).min().map(|(_, id)| id)
    }

    pub fn reserve(&mut self, connection: u32, id: u64) {
        let now = self.clock.now();
        self.leave(id);
        let Some(job) = self.jobs.get_mut(&id) else { return };
        job.history().reserves += 1;
        job.holder = connection;
        let due = now + u64::from(job.ttr) * SECOND;
        self.enter(id, State::Reserved, due);
        self.tell(&Record::Reserved { id, due, again: false });
    }

    /// What `connection` waits for comes by the answer.
    pub fn wait(&mut self, connection: u32) -> oneshot::Receiver<Grant> {
        let (grant, granted) = oneshot::channel();
        let number = self.next_wait;
        self.next_wait += 1;
        if let Some(waiting) = self.connections.get_mut(&connection) {
            waiting.waiting = Some((number, grant));
            for tube in &waiting.watching {
                self.tubes[*tube].waiting.insert(number, connection);
            }
            self.counts.waiting += 1;
        }
        granted
    }

    /// It waits no more; `false`: it did not, for it has been given a job.
    pub fn give_up(&mut self, connection: u32) -> bool {
        self.take_waiting(connection).is_some()
    }

    fn take_waiting(&mut self, connection: u32) -> Option<oneshot::Sender<Grant>> {
        let waiting = self.connections.get_mut(&connection)?;
        let (number, grant) = waiting.waiting.take()?;
        for tube in &waiting.watching {
            self.tubes[*tube].waiting.remove(&number);
        }
        self.counts.waiting -= 1;
        Some(grant)
    }

    /// When the time of the first job `connection` holds is nearly over.
    pub fn soon(&self, connection: u32) -> Option<u64> {
        self.connections[&connection].reserved.first().map(|(due, _)| due.saturating_sub(MARGIN))
    }

    /// A job that `connection` reserved; or that somebody did before the server was started anew, whoever that was.
    pub fn holds(&self, connection: u32, id: u64) -> bool {
        let holders = [connection, NOBODY];
        self.jobs.get(&id).is_some_and(|job| job.state == State::Reserved && holders.contains(&job.holder))
    }

    pub fn delete(&mut self, connection: u32, id: u64) -> bool {
        let Some(job) = self.jobs.get(&id) else { return false };
        if job.state == State::Reserved && !self.holds(connection, id) {
            return false;
        }
        self.leave(id);
        if let Some(job) = self.jobs.remove(&id) {
            self.tubes[job.tube].deletes += 1;
            self.log.live = self.log.live.saturating_sub(weight(self.tubes[job.tube].name.as_str(), job.body.len()));
            self.tell(&Record::Deleted { id });
            self.tubes.tidy(job.tube);
        }
        true
    }

    pub fn release(&mut self, connection: u32, id: u64, pri: u32, delay: u32) -> bool {
        if !self.holds(connection, id) {
            return false;
        }
        let now = self.clock.now();
        self.leave(id);
        let Some(job) = self.jobs.get_mut(&id) else { return false };
        (job.pri, job.delay) = (pri, delay);
        job.history().releases += 1;
        let tube = job.tube;
        let due = if delay > 0 { now + u64::from(delay) * SECOND } else { 0 };
        self.enter(id, if delay > 0 { State::Delayed } else { State::Ready }, due);
        self.tell(&Record::Released { id, pri, delay, due });
        self.hand_out(tube);
        true
    }

    pub fn bury(&mut self, connection: u32, id: u64, pri: u32) -> bool {
        if !self.holds(connection, id) {
            return false;
        }
        self.leave(id);
        let Some(job) = self.jobs.get_mut(&id) else { return false };
        job.pri = pri;
        job.history().buries += 1;
        let due = self.clock.now().max(self.last_buried + 1);
        self.last_buried = due;
        self.enter(id, State::Buried, due);
        self.tell(&Record::Buried { id, pri, due });
        true
    }

    pub fn touch(&mut self, connection: u32, id: u64) -> bool {
        if !self.holds(connection, id) {
            return false;
        }
        let now = self.clock.now();
        self.leave(id);
        let Some(job) = self.jobs.get_mut(&id) else { return false };
        job.holder = connection;
        let due = now + u64::from(job.ttr) * SECOND;
        self.enter(id, State::Reserved, due);
        self.tell(&Record::Reserved { id, due, again: true });
        true
    }

    /// Makes up to `most` jobs of the tube ready: buried ones, and where there are none, delayed ones.
    pub fn kick(&mut self, tube: TubeId, most: u32) -> u32 {
        let mut count = 0;
        let buried = !self.tubes[tube].buried.is_empty();
        while count < most {
            let tube = &self.tubes[tube];
            let first = if buried { tube.buried.first() } else { tube.delayed.first() };
            let Some((_, id)) = first.copied() else { break };
            self.kick_job(id);
            count += 1;
        }
        count
    }

    pub fn kick_job(&mut self, id: u64) -> bool {
        let Some(job) = self.jobs.get_mut(&id) else { return false };
        if !matches!(job.state, State::Buried | State::Delayed) {
            return false;
        }
        job.history().kicks += 1;
        self.tell(&Record::Kicked { id });
        self.be_ready(id);
        true
    }

    pub fn pause(&mut self, tube: TubeId, pause: u64) {
        let until = self.clock.now() + pause;
        let paused = &mut self.tubes[tube];
        (paused.pause, paused.paused_until) = (pause, until);
        paused.pauses += 1;
        self.paused.insert((until, tube));
        self.arm(until);
    }

    /// Does what is due. The answer is when to come again.
    pub fn tick(&mut self) -> u64 {
        let now = self.clock.now();
        while let Some((_, id)) = self.due.first().copied().filter(|(due, _)| *due <= now) {
            if let Some(job) = self.jobs.get_mut(&id)
                && job.state == State::Reserved
            {
                job.history().timeouts += 1;
                self.counts.timeouts += 1;
            }
            self.be_ready(id);
        }
        while let Some((until, id)) = self.paused.first().copied().filter(|(until, _)| *until <= now) {
            self.paused.remove(&(until, id));
            // Another tube may have its place by now.
            if let Some(tube) = self.tubes.get_mut(id).filter(|tube| tube.paused_until == until) {
                tube.pause = 0;
                self.hand_out(id);
            }
        }
        let due = self.due.first().map(|(at, _)| *at);
        let paused = self.paused.first().map(|(at, _)| *at);
        self.armed = due.into_iter().chain(paused).min().unwrap_or(u64::MAX);
        self.armed
    }

    fn arm(&mut self, at: u64) {
        if at < self.armed {
            self.armed = at;
            self.alarm.notify_one();
        }
    }

    fn tell(&mut self, record: &Record<'_>) {
        self.log.tell(record, self.next_id);
    }

    fn be_ready(&mut self, id: u64) {
        self.leave(id);
        let Some(tube) = self.jobs.get(&id).map(|job| job.tube) else { return };
        self.enter(id, State::Ready, 0);
        self.hand_out(tube);
    }

    /// Takes a job out of the row it is in.
    fn leave(&mut self, id: u64) {
        let Some(job) = self.jobs.get_mut(&id) else { return };
        let tube = &mut self.tubes[job.tube];
        match job.state {
            State::Ready => {
                tube.ready.remove(&(job.pri, id));
                tube.urgent -= u64::from(job.is_urgent());
            }
            State::Delayed => {
                tube.delayed.remove(&(job.due, id));
                self.due.remove(&(job.due, id));
            }
            State::Buried => drop(tube.buried.remove(&(job.due, id))),
            State::Reserved => {
                tube.reserved -= 1;
                self.due.remove(&(job.due, id));
                if let Some(connection) = self.connections.get_mut(&job.holder) {
                    connection.reserved.remove(&(job.due, id));
                }
            }
        }
    }

    /// Puts a job that is in no row into that of its state; for a reserved one its holder is set.
    fn enter(&mut self, id: u64, state: State, due: u64) {
        let Some(job) = self.jobs.get_mut(&id) else { return };
        (job.state, job.due) = (state, due);
        let tube = &mut self.tubes[job.tube];
        match state {
            State::Ready => {
                tube.ready.insert((job.pri, id));
                tube.urgent += u64::from(job.is_urgent());
            }
            State::Delayed => {
                tube.delayed.insert((due, id));
                self.due.insert((due, id));
                self.arm(due);
            }
            State::Buried => drop(tube.buried.insert((due, id))),
            State::Reserved => {
                tube.reserved += 1;
                self.due.insert((due, id));
                if let Some(connection) = self.connections.get_mut(&job.holder) {
                    connection.reserved.insert((due, id));
                }
                self.arm(due);
            }
        }
    }

    /// Gives the tube's jobs to those that wait for them.
    fn hand_out(&mut self, id: TubeId) {
        while let Some(tube) = self.tubes.get_mut(id) {
            let (Some((_, connection)), Some((_, job))) = (tube.waiting.first_key_value(), tube.ready.first()) else {
                return;
            };
            if tube.pause > 0 {
                return;
            }
            let (connection, job) = (*connection, *job);
            let Some(grant) = self.take_waiting(connection) else { return };
            self.reserve(connection, job);
            let mut answer = Vec::new();
            self.write_job(&mut answer, "RESERVED", job);
            // A connection that is just going gives back what it has.
            let _ = grant.send(Grant { answer, end: self.log.end });
        }
    }

    /// `WORD id bytes`, and the body.
    pub fn write_job(&self, to: &mut Vec<u8>, word: &str, id: u64) {
        use std::io::Write as _;
        let Some(job) = self.jobs.get(&id) else { return };
        // Into memory nothing fails.
        let _ = write!(to, "{word} {id} {}\r\n", job.body.len());
        to.extend_from_slice(&job.body);
        to.extend_from_slice(b"\r\n");
    }

    /// All of a job, for the journal.
    fn whole(&self, id: u64) -> Option<Whole<'_>> {
        let job = self.jobs.get(&id)?;
        Some(Whole {
            id,
            tube: self.tubes[job.tube].name.clone(),
            pri: job.pri,
            delay: job.delay,
            ttr: job.ttr,
            created: job.created,
            state: job.state,
            due: job.due,
            history: job.history.as_deref().copied().unwrap_or_default(),
            body: &job.body,
        })
    }

    /// Tells these jobs once more where they stand in part `segment` of the journal, so that it may go.
    pub fn migrate(&mut self, segment: u32, ids: &[u64]) {
        for id in ids {
            if self.jobs.get(id).is_none_or(|job| job.segment != segment) {
                continue;
            }
            let mut log = std::mem::take(&mut self.log);
            let to = self.whole(*id).map(|whole| log.tell(&Record::Whole(whole), self.next_id));
            log.migrated += 1;
            self.log = log;
            if let (Some(job), Some(to)) = (self.jobs.get_mut(id), to) {
                job.segment = to;
            }
        }
    }

    /// Takes in a record that was read back. Jobs are in no rows until [`Store::settle`].
    pub fn replay(&mut self, record: &Record<'_>, segment: u32) {
        match record {
            Record::Whole(whole) => {
                let history = (whole.history != History::default()).then(|| Box::new(whole.history));
                let job = Job {
                    body: whole.body.into(),
                    created: whole.created,
                    due: whole.due,
                    tube: self.tubes.make(&whole.tube),
                    pri: whole.pri,
                    delay: whole.delay,
                    ttr: whole.ttr,
                    segment,
                    holder: NOBODY,
                    state: whole.state,
                    history,
                };
                self.jobs.insert(whole.id, Box::new(job));
                self.next_id = self.next_id.max(whole.id + 1);
            }
            Record::Deleted { id } => drop(self.jobs.remove(id)),
            Record::Reserved { id, due, again } => self.replay_one(*id, |job| {
                (job.state, job.due) = (State::Reserved, *due);
                job.history().reserves += u32::from(!again);
            }),
            Record::LetGo { id } => self.replay_one(*id, |job| (job.state, job.due) = (State::Ready, 0)),
            Record::Released { id, pri, delay, due } => self.replay_one(*id, |job| {
                job.state = if *delay > 0 { State::Delayed } else { State::Ready };
                (job.pri, job.delay, job.due) = (*pri, *delay, *due);
                job.history().releases += 1;
            }),
            Record::Buried { id, pri, due } => self.replay_one(*id, |job| {
                (job.state, job.pri, job.due) = (State::Buried, *pri, *due);
                job.history().buries += 1;
            }),
            Record::Kicked { id } => self.replay_one(*id, |job| {
                (job.state, job.due) = (State::Ready, 0);
                job.history().kicks += 1;
            }),
        }
    }

    fn replay_one(&mut self, id: u64, change: impl FnOnce(&mut Job)) {
        if let Some(job) = self.jobs.get_mut(&id) {
            change(job);
        }
    }

    /// After the last record: every job goes to its row. One that was reserved stays so until its time is over.
    pub fn settle(&mut self) {
        let ids: Vec<(u64, State, u64)> = self.jobs.iter().map(|(id, job)| (*id, job.state, job.due)).collect();
        for (id, state, due) in ids {
            if state == State::Buried {
                self.last_buried = self.last_buried.max(due);
            }
            let job = &self.jobs[&id];
            self.log.live += weight(self.tubes[job.tube].name.as_str(), job.body.len());
            self.enter(id, state, due);
        }
        for tube in self.tubes.ids() {
            self.tubes.tidy(tube);
        }
        self.tick();
    }

    /// Uses the tube of this name from now on.
    pub fn use_tube(&mut self, connection: u32, name: &Name) {
        let next = self.tubes.make(name);
        self.tubes[next].using += 1;
        if let Some(connection) = self.connections.get_mut(&connection) {
            let last = std::mem::replace(&mut connection.using, next);
            self.tubes[last].using -= 1;
            self.tubes.tidy(last);
        }
    }

    /// The answer is how many it watches.
    pub fn watch(&mut self, connection: u32, name: &Name) -> usize {
        let tube = self.tubes.make(name);
        let Some(connection) = self.connections.get_mut(&connection) else { return 0 };
        if !connection.watching.contains(&tube) {
            connection.watching.push(tube);
            self.tubes[tube].watching += 1;
        }
        connection.watching.len()
    }

    /// The same; `None`: it is the last one, and stays.
    pub fn ignore(&mut self, connection: u32, name: &Name) -> Option<usize> {
        let tube = self.tubes.find(name);
        let connection = self.connections.get_mut(&connection)?;
        if let Some(at) = connection.watching.iter().position(|watched| Some(*watched) == tube) {
            if connection.watching.len() < 2 {
                return None;
            }
            let gone = connection.watching.swap_remove(at);
            let left = connection.watching.len();
            self.tubes[gone].watching -= 1;
            self.tubes.tidy(gone);
            return Some(left);
        }
        Some(connection.watching.len())
    }
}
