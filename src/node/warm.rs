//! A warm parent: a Python that has imported an app's packages, from which generations are forked. See
//! `python/dae/parent.py` for what is spoken.
//!
//! What to import is learned: each generation tells which modules of others it ended up with. A parent that would not be like
//! a fresh start (a thread, a connection) says so, and the generations start cold, with that reason.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError};
use std::time::{Duration, SystemTime};

use serde::Deserialize;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Mutex, mpsc, oneshot, watch};

use super::folder::Folder;
use super::handed::{HandedFile, HandedParent};
use super::output::{LastLines, Source, listener};
use super::standby::Standby;
use super::start::{io, python};
use super::verify::Verify;
use super::{Generation, Launch, Meanwhile, Settings, Surroundings, contract};
use crate::app::Worker;
use crate::problem::{Doing as _, Problem, Result};
use crate::supervisor::{Bundle, End, HandedProcess, Outlet, Process, Spec};

/// A parent that has not imported everything by then is not waited for.
const WARM_WITHIN: Duration = Duration::from_mins(1);

/// What answers for Thrift services stands on: see `python/dae/services.py`.
const FOR_SERVICES: [&str; 2] = ["dae.thrift.server", "dae.thrift.service"];

/// The times of files come from a clock that ticks more slowly: 100 times a second at least.
const CLOCK: Duration = Duration::from_millis(10);

/// What must be the same for a generation to be forked from a parent.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Fit {
    launch: Launch,
    worker: Worker,
    env: Vec<(String, String)>,
}

#[derive(Debug)]
pub(super) struct Parent {
    fit: Fit,
    /// What it has imported, or cannot import without the app.
    known: HashSet<String>,
    /// Why nothing may be forked from it.
    refused: Option<String>,
    /// What it has imported of packages, as it was then.
    files: Vec<File>,
    forks: mpsc::UnboundedSender<Order>,
    /// Ends with this, and so do all it forked. None: it is somebody else's.
    process: std::sync::Mutex<Option<Process>>,
    dir: std::sync::Mutex<Folder>,
}

#[derive(Debug)]
enum Order {
    Fork(Fork),
    /// Another process will talk to it.
    Leave(oneshot::Sender<Talk>),
}

#[derive(Debug)]
struct Fork {
    config: Value,
    reply: oneshot::Sender<Process>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Word {
    Warm { warm: Warm },
    Forked { forked: u64, pid: u32 },
    Ended { ended: u32, code: Option<i32>, signal: Option<i32> },
}

#[derive(Debug, Deserialize)]
struct Warm {
    refused: Option<String>,
    failed: Vec<String>,
    files: Vec<PathBuf>,
}

/// A file, and what tells whether it was written since.
#[derive(Debug)]
struct File {
    path: PathBuf,
    stamp: Option<(SystemTime, u64)>,
}

impl File {
    /// One that was imported at some time after `since`. Was it written after that too, nobody knows which of it was
    /// imported, and it counts as changed.
    fn imported(path: PathBuf, since: SystemTime) -> Self {
        let stamp = Self::stamp(&path).filter(|(written, _)| *written < since);
        Self { path, stamp }
    }

    fn stamp(path: &Path) -> Option<(SystemTime, u64)> {
        let meta = path.metadata().ok()?;
        Some((meta.modified().ok()?, meta.len()))
    }
}

/// One app's warm parent, or none yet. Shared by the seat and what it starts.
#[derive(Debug, Clone, Default)]
pub(super) struct Warmth {
    parent: Arc<Mutex<Option<Arc<Parent>>>>,
    /// Held by whoever makes a parent behind; those who come meanwhile find what they wanted.
    learning: Arc<Mutex<()>>,
    /// The number of the generation that is prepared for.
    pub(super) next: Arc<AtomicU64>,
    pub(super) standby: Arc<std::sync::Mutex<Option<Standby>>>,
}

/// A forked process. Its parent must live as long: with it ends all it forked.
#[derive(Debug)]
pub(super) struct Forked {
    pub process: Process,
    pub last_lines: LastLines,
    pub parent: Arc<Parent>,
}

impl Warmth {
    /// The process `source` is to be, from the parent, or the reason why it must start cold. Where there is no parent yet and
    /// an earlier run has learned what to import, the parent comes first: all is imported once in any case.
    pub async fn fork(
        &self,
        source: Source<'_>,
        surroundings: &Surroundings,
        config: &Value,
    ) -> Result<Forked, String> {
        let generation = source.generation;
        let Some(learned) = &generation.learned else {
            return Err("no warm parent is kept here".into());
        };
        let settings = &surroundings.settings;
        let mut place = self.parent.clone().lock_owned().await;
        if place.is_none() {
            let modules = read_learned(learned).ok_or("first start")?;
            let (generation, surroundings) = (generation.clone(), surroundings.clone());
            // A task of its own: a generation that is given up meanwhile must not take the parent with it.
            let starting = tokio::spawn(async move {
                *place = Parent::start(&generation, &surroundings, modules).await.ok().map(Arc::new);
                place
            });
            place = starting.await.map_err(|error| error.to_string())?;
        }
        let parent = place.clone().ok_or("the warm parent could not be started")?;
        drop(place);
        if let Some(reason) = parent.misfit(generation, settings) {
            return Err(reason);
        }
        if let Some((process, last_lines)) = parent.fork(source, surroundings, config).await {
            return Ok(Forked { process, last_lines, parent });
        }
        *self.parent.lock().await = None;
        Err("the warm parent ended".into())
    }

    /// `generation` serves, or failed to: makes all ready for number `next`, behind its back. `learned` is what it has
    /// imported that the parent had not.
    pub fn prepare(
        &self,
        next: u64,
        generation: Arc<Generation>,
        surroundings: Surroundings,
        learned: Option<Vec<String>>,
    ) {
        let warmth = self.clone();
        self.next.store(next, Ordering::Relaxed);
        tokio::spawn(async move {
            if let Some(modules) = learned {
                warmth.learn(&generation, &surroundings, modules).await;
            }
            if surroundings.settings.rollout.meanwhile == Meanwhile::Hold && generation.manifest.needs_worker() {
                warmth.stand_by(next, &generation, &surroundings).await;
            }
        });
    }

    /// `generation` serves and has imported `modules`: there is a parent that has imported them too.
    async fn learn(&self, generation: &Generation, surroundings: &Surroundings, modules: Vec<String>) {
        let _one = self.learning.lock().await;
        let mut held = self.parent.lock().await;
        keep(generation.learned.as_deref(), &modules);
        let of_no_use = match &*held {
            None => true,
            Some(parent) if parent.suits(generation, &surroundings.settings, &modules) => return,
            Some(parent) => parent.misfit(generation, &surroundings.settings).is_some(),
        };
        if of_no_use {
            // The next generation waits for it: that is sooner than a start of its own.
            *held = Parent::start(generation, surroundings, modules).await.ok().map(Arc::new);
        } else {
            drop(held);
            if let Ok(parent) = Parent::start(generation, surroundings, modules).await {
                *self.parent.lock().await = Some(Arc::new(parent));
            }
        }
    }

    /// Whether `parent` is the one there is, and may be forked for `generation`.
    pub async fn has_fit(&self, parent: &Arc<Parent>, generation: &Generation, settings: &Settings) -> bool {
        let held = self.parent.lock().await;
        held.as_ref().is_some_and(|held| Arc::ptr_eq(held, parent) && held.misfit(generation, settings).is_none())
    }

    /// The next parent imports `modules` and nothing more.
    pub async fn relearn(&self, generation: &Generation, surroundings: &Surroundings, modules: Vec<String>) {
        keep(generation.learned.as_deref(), &modules);
        if let Ok(parent) = Parent::start(generation, surroundings, modules).await {
            *self.parent.lock().await = Some(Arc::new(parent));
        }
    }

    /// Ends the parent.
    pub async fn end(&self) {
        self.standby.lock().unwrap_or_else(PoisonError::into_inner).take();
        self.parent.lock().await.take();
    }
}

impl Parent {
    /// Starts one for generations like `generation`, and waits until it has imported `modules`.
    async fn start(generation: &Generation, surroundings: &Surroundings, mut modules: Vec<String>) -> Result<Self> {
        if !generation.manifest.services.is_empty() {
            modules.extend(FOR_SERVICES.map(str::to_owned));
        }
        let settings = &*surroundings.settings;
        let source = Source { generation, number: None, process: "web" };
        let hear = listener(source, surroundings, LastLines::default())?;
        let dir = settings.run_dir(generation, "parent")?;
        let control = dir.path().join("control");
        let door = UnixListener::bind(&control).doing(|| format!("make the socket `{}`", control.display()))?;
        generation.launch.give(&control)?;
        generation.launch.give(dir.path())?;
        let fit = Fit::of(generation, settings);
        let spec = spec(&fit, settings, dir.path(), &control, &modules);
        let since = SystemTime::now() - CLOCK;
        let process = Process::start(&spec, hear).doing(|| format!("start `{}`", spec.program.display()))?;
        let warmed = async {
            let (stream, _) = door.accept().await.doing(|| "hear from the warm parent")?;
            let mut talk = Talk { stream, heard: Vec::new(), alive: HashMap::new(), count: 0 };
            match talk.read().await {
                Some(Word::Warm { warm }) => Ok((talk, warm)),
                _ => Err(Problem::new("node.parent", "the warm parent ended while it imported")),
            }
        };
        let (talk, warm) = tokio::select! {
            warmed = tokio::time::timeout(WARM_WITHIN, warmed) => {
                warmed.map_err(|_| Problem::new("node.parent", "the warm parent took longer than a minute to import"))??
            }
            end = process.ended() => return Err(Problem::new("node.parent", "the warm parent ended").because(end)),
        };
        let files = warm.files.into_iter().map(|file| File::imported(file, since)).collect();
        let (forks, wanted) = mpsc::unbounded_channel();
        tokio::spawn(talk.go_on(wanted));
        let mut known: HashSet<String> = modules.into_iter().collect();
        known.extend(warm.failed);
        let (process, dir) = (std::sync::Mutex::new(Some(process)), std::sync::Mutex::new(dir));
        Ok(Self { fit, known, refused: warm.refused, files, forks, process, dir })
    }

    /// Why `generation` cannot be forked from this parent; `None` when it can.
    fn misfit(&self, generation: &Generation, settings: &Settings) -> Option<String> {
        let fit = Fit::of(generation, settings);
        if let Some(file) = self.changed() {
            let name = file.file_name().unwrap_or(file.as_os_str());
            Some(format!("a package's file changed ({})", name.display()))
        } else if let Some(refused) = &self.refused {
            Some(refused.clone())
        } else if fit.launch != self.fit.launch {
            let because = generation.launch.edition.because;
            Some(if because.is_empty() { "the packages may have changed" } else { because }.into())
        } else if fit == self.fit {
            None
        } else {
            Some("app.yaml or the environment changed".into())
        }
    }

    /// A file of what it has imported that was written since. Looking takes about a microsecond a file.
    fn changed(&self) -> Option<&Path> {
        let changed = |file: &&File| File::stamp(&file.path) != file.stamp;
        self.files.iter().find(changed).map(|file| &*file.path)
    }

    /// Whether it is as good for the generations after `generation`, which imported `modules`, as a new one would be.
    fn suits(&self, generation: &Generation, settings: &Settings, modules: &[String]) -> bool {
        let lacks = modules.iter().any(|module| !self.known.contains(module));
        let unchanged = Fit::of(generation, settings) == self.fit && self.changed().is_none();
        let would_refuse_too = self.refused.is_some() && unchanged;
        !lacks && (would_refuse_too || self.misfit(generation, settings).is_none())
    }

    /// Forks a process of a generation, told by `config` (see parent.py). What it prints is its own.
    async fn fork(
        &self,
        source: Source<'_>,
        surroundings: &Surroundings,
        config: &Value,
    ) -> Option<(Process, LastLines)> {
        let last_lines = LastLines::default();
        let Source { generation, number, process } = source;
        let hear = listener(source, surroundings, last_lines.clone()).ok()?;
        let dir = self.dir.lock().unwrap_or_else(PoisonError::into_inner).path().to_owned();
        let pipe = dir.join(format!("output-{process}-{}", number.unwrap_or_default()));
        let outlet = Outlet::open(io(&surroundings.settings), &pipe).ok()?;
        generation.launch.give(&outlet.path).ok()?;
        let mut config = config.clone();
        config["output"] = json!(outlet.path);
        let (reply, forked) = oneshot::channel();
        self.forks.send(Order::Fork(Fork { config, reply })).ok()?;
        let mut process = forked.await.ok()?;
        outlet.hear(&mut process, hear).ok()?;
        // Both ends are open; a terminal has no such file.
        let _ = std::fs::remove_file(pipe);
        Some((process, last_lines))
    }
}

impl Fit {
    /// The same words for the same.
    fn in_words(&self) -> String {
        format!("{self:?}")
    }

    fn of(generation: &Generation, settings: &Settings) -> Self {
        let mut env = contract::environment(generation, settings.environment, &settings.inherited);
        env.retain(|(name, _)| !contract::OF_ONE.contains(&name.as_str()));
        Self { launch: generation.launch.clone(), worker: generation.manifest.worker, env }
    }
}

/// It knows neither the app's folder nor what else is one generation's own.
fn spec(fit: &Fit, settings: &Settings, dir: &Path, control: &Path, modules: &[String]) -> Spec {
    let boot = json!({
        "root": dir,
        "runtime": fit.launch.runtime,
        "site": fit.launch.site,
        "worker": fit.worker,
        "control": control,
        "preload": modules,
        "likeness": settings.verify == Verify::Reloads,
    });
    let mut env = fit.env.clone();
    env.push(("DAE_BOOT".into(), boot.to_string()));
    python(&fit.launch, settings, "dae/parent.py", dir.to_owned(), env)
}

/// The talk with a parent.
#[derive(Debug)]
struct Talk {
    stream: UnixStream,
    /// What has come and is not read yet.
    heard: Vec<u8>,
    alive: HashMap<u32, watch::Sender<Option<End>>>,
    count: u64,
}

impl Talk {
    /// Until the parent ends; then all it forked has ended too.
    async fn go_on(mut self, mut wanted: mpsc::UnboundedReceiver<Order>) {
        let mut asked: HashMap<u64, oneshot::Sender<Process>> = HashMap::new();
        loop {
            tokio::select! {
                order = wanted.recv() => match order {
                    None => break,
                    Some(Order::Leave(reply)) => {
                        // Whoever asked holds the parent, and so waits.
                        let _ = reply.send(self);
                        return;
                    }
                    Some(Order::Fork(fork)) => {
                        self.count += 1;
                        let line = format!("{}\n", json!({ "fork": self.count, "config": fork.config }));
                        asked.insert(self.count, fork.reply);
                        if self.stream.write_all(line.as_bytes()).await.is_err() {
                            break;
                        }
                    }
                },
                word = self.read() => match word {
                    Some(Word::Forked { forked, pid }) => {
                        let (tell, end) = watch::channel(None);
                        self.alive.insert(pid, tell);
                        if let (Some(reply), Ok(process)) = (asked.remove(&forked), Process::adopted(pid, end)) {
                            // Not wanted any more: the handle comes back and its drop ends the process.
                            let _ = reply.send(process);
                        }
                    }
                    Some(Word::Ended { ended, code, signal }) => {
                        Process::sweep(ended);
                        if let Some(tell) = self.alive.remove(&ended) {
                            let end = signal.map_or(End::Code(code.unwrap_or(-1)), End::Signal);
                            // Nobody may care any more.
                            let _ = tell.send(Some(end));
                        }
                    }
                    Some(Word::Warm { .. }) => {}
                    None => break,
                },
            }
        }
        for (pid, tell) in self.alive {
            Process::sweep(pid);
            let _ = tell.send(Some(End::Signal(9)));
        }
    }

    /// The next word; `None` when the parent has gone. Given up, nothing is lost.
    async fn read(&mut self) -> Option<Word> {
        loop {
            if let Some(end) = self.heard.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.heard.drain(..=end).collect();
                // The rest of a line of which a successor that came to nothing has read the beginning is no word.
                if let Ok(word) = serde_json::from_slice(&line) {
                    return Some(word);
                }
                continue;
            }
            if self.stream.read_buf(&mut self.heard).await.ok()? == 0 {
                return None;
            }
        }
    }
}

/// A parent that another process has left, and what tells how those end that it has forked.
pub(super) struct TakenParent {
    pub parent: Arc<Parent>,
    pub ends: HashMap<u32, watch::Receiver<Option<End>>>,
}

impl Parent {
    /// Gives it up, for another process; nothing can be forked from it here any more. None: it has ended.
    pub async fn leave(&self, files: &mut Bundle) -> Option<HandedParent> {
        let (reply, talk) = oneshot::channel();
        self.forks.send(Order::Leave(reply)).ok()?;
        let Talk { stream, heard, alive, count } = talk.await.ok()?;
        let control = files.put(stream.into_std().ok()?);
        let process = self.process.lock().unwrap_or_else(PoisonError::into_inner).take()?;
        let process = HandedProcess::new(process.leave().await, files);
        let dir = self.dir.lock().unwrap_or_else(PoisonError::into_inner).leave();
        Some(HandedParent {
            process,
            dir,
            control,
            heard,
            alive: alive.into_keys().collect(),
            count,
            fit: self.fit.in_words(),
            known: self.known.iter().cloned().collect(),
            refused: self.refused.clone(),
            files: self.files.iter().map(|file| HandedFile::new(file.path.clone(), file.stamp)).collect(),
        })
    }

    /// One that another process has left, for generations like `generation`.
    pub fn take_up(
        handed: HandedParent,
        generation: &Generation,
        surroundings: &Surroundings,
        files: &mut Bundle,
    ) -> Result<TakenParent> {
        let HandedParent { process, dir, control, heard, alive, count, fit: words, known, mut refused, files: of } =
            handed;
        let source = Source { generation, number: None, process: "web" };
        let hear = listener(source, surroundings, LastLines::default())?;
        let process = process.left(files).and_then(|left| Process::take_up(left, hear));
        let process = process.doing(|| "take up a warm parent")?;
        let control = files.take(control).doing(|| "take up the talk with a warm parent")?;
        let stream = UnixStream::from_std(control.into()).doing(|| "talk to a warm parent")?;
        let fit = Fit::of(generation, &surroundings.settings);
        if fit.in_words() != words {
            refused.get_or_insert_with(|| "the node was upgraded".into());
        }
        let (alive, ends): (HashMap<_, _>, HashMap<_, _>) = alive
            .into_iter()
            .map(|pid| {
                let (tell, end) = watch::channel(None);
                ((pid, tell), (pid, end))
            })
            .unzip();
        let (forks, wanted) = mpsc::unbounded_channel();
        tokio::spawn(Talk { stream, heard, alive, count }.go_on(wanted));
        let files = of.into_iter().map(|file| File { stamp: file.stamp(), path: file.path }).collect();
        let (process, dir) = (std::sync::Mutex::new(Some(process)), std::sync::Mutex::new(dir.into()));
        let parent = Self { fit, known: known.into_iter().collect(), refused, files, forks, process, dir };
        Ok(TakenParent { parent: Arc::new(parent), ends })
    }
}

impl Warmth {
    /// The parent that there is.
    pub async fn parent(&self) -> Option<Arc<Parent>> {
        self.parent.lock().await.clone()
    }

    /// From now on there is this one.
    pub async fn set_parent(&self, parent: Arc<Parent>) {
        *self.parent.lock().await = Some(parent);
    }
}

/// What was learned in earlier runs.
fn read_learned(path: &Path) -> Option<Vec<String>> {
    let text = std::fs::read(path).ok()?;
    serde_json::from_slice(&text).ok()
}

/// Keeps what was learned. It can be learned again, so a write that fails is no matter.
fn keep(path: Option<&Path>, modules: &[String]) {
    if let Some(path) = path {
        let aside = path.with_extension("new");
        let _ = path.parent().map_or(Ok(()), std::fs::create_dir_all);
        let _ = std::fs::write(&aside, json!(modules).to_string()).and_then(|()| std::fs::rename(&aside, path));
    }
}
