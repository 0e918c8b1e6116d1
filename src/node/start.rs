//! From a generation to processes that answer, or to the reason why not.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::Value;
use tokio::net::UnixDatagram;

use super::output::{LastLines, Source, listener};
use super::selftest::selftest;
use super::sockets::Sockets;
use super::verify::Likeness;
use super::warm::{Forked, Parent, Warmth};
use super::{Generation, Launch, Meanwhile, Settings, Start, Surroundings, contract, handlers};
use crate::gateway::{Gone, Upstream};
use crate::problem::{Doing as _, Place, Problem, Result};
use crate::supervisor::{Io, Process, Spec};

/// As much as a datagram can hold by itself on Linux.
pub(super) const LONGEST_WORD: usize = 1 << 18;

/// A generation whose processes are up. Dropping it kills them.
#[derive(Debug)]
pub(super) struct Running {
    pub number: u64,
    pub generation: Arc<Generation>,
    pub upstream: Arc<Upstream>,
    pub web: Option<Process>,
    pub start: Start,
    /// The modules of others that it imported, where that was asked.
    pub learned: Option<Vec<String>>,
    pub parent: Option<Arc<Parent>>,
    /// Where there is a process.
    pub sockets: Option<Sockets>,
}

/// The web processes that another process has left.
pub(super) struct TakenWeb {
    pub process: Process,
    pub sockets: Sockets,
    pub parent: Option<Arc<Parent>>,
}

/// By whom that is answered which was asked before those were taken up that answer now.
pub(super) enum AnsweredBy {
    /// By this process, which had given them up.
    This(Arc<Upstream>),
    /// By the one that has left them, until it is gone.
    Another(Gone),
}

/// What the web processes tell: see `python/dae/boot.py`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Word {
    Learned(Vec<String>),
    Ready(i32),
    Broken(Broken),
}

#[derive(Debug, Deserialize)]
struct Broken {
    message: String,
    traceback: String,
    file: Option<PathBuf>,
    line: Option<usize>,
    column: Option<usize>,
    text: Option<String>,
}

/// Starts all of `generation` and waits until it answers. Dropping the future ends what it started.
pub(super) async fn start(
    number: u64,
    generation: Arc<Generation>,
    surroundings: Surroundings,
    warmth: Warmth,
) -> Result<Running> {
    let settings = &*surroundings.settings;
    if !generation.manifest.needs_worker() {
        let upstream = Arc::new(dressed(Upstream::new(PathBuf::new()), &generation)?);
        let start = Start::Cold("it has no process".into());
        return Ok(Running {
            number,
            generation,
            upstream,
            web: None,
            start,
            learned: None,
            parent: None,
            sockets: None,
        });
    }
    let Web { process: web, sockets, last_lines, start, parent } =
        Web::start(number, &generation, &surroundings, &warmth).await?;
    let upstream = Arc::new(dressed(Upstream::new(sockets.web()), &generation)?);
    let wanted = match settings.rollout.meanwhile {
        // Whoever saves wants an answer; the other workers follow.
        Meanwhile::Hold => 1,
        Meanwhile::KeepServing => generation.manifest.nworkers,
    };
    let mut words = Words { notify: &sockets.notify, buffer: vec![0; LONGEST_WORD], learned: None };
    tokio::select! {
        ready = words.ready(usize::from(wanted)) => ready?,
        end = web.ended() => {
            // Its last word may be the reason; it was sent before the end.
            words.last()?;
            return Err(Problem::new("app.ended", "the app's web process ended before it answered")
                .because(end)
                .detail(last_lines.text()));
        }
        () = tokio::time::sleep(settings.rollout.ready_within) => {
            let within = settings.rollout.ready_within.as_secs();
            return Err(Problem::new("app.slow", format!("the app was not ready within {within} seconds"))
                .detail(last_lines.text())
                .hint("look for something at import that waits: a connection, a lock, a download"));
        }
    }
    // Whoever saves looks for themselves.
    if settings.rollout.meanwhile == Meanwhile::KeepServing {
        let host = format!("{}.{}", generation.app.host(), settings.domain);
        selftest(&generation, &upstream, &host, settings.rollout.ready_within).await?;
    }
    let learned = words.learned;
    let sockets = Some(sockets);
    Ok(Running { number, generation, upstream, web: Some(web), start, learned, parent, sockets })
}

/// The web processes of a generation that starts.
struct Web {
    process: Process,
    sockets: Sockets,
    last_lines: LastLines,
    start: Start,
    parent: Option<Arc<Parent>>,
}

impl Web {
    /// What stood by, or a fork of the warm parent, or a Python of their own: the first of these there is.
    async fn start(
        number: u64,
        generation: &Arc<Generation>,
        surroundings: &Surroundings,
        warmth: &Warmth,
    ) -> Result<Self> {
        if let Some((sockets, forked)) = warmth.take_standby(number, generation, surroundings).await {
            return Ok(Self::warm(sockets, forked));
        }
        let settings = &*surroundings.settings;
        let sockets = Sockets::make(number, generation, settings)?;
        let config = sockets.boot(generation, settings);
        let source = Source { generation, number: Some(number), process: "web" };
        let reason = match warmth.fork(source, surroundings, &config).await {
            Ok(forked) => return Ok(Self::warm(sockets, forked)),
            Err(reason) => reason,
        };
        let spec = cold(generation, settings, &config);
        let last_lines = LastLines::default();
        let hear = listener(source, surroundings, last_lines.clone())?;
        let process = Process::start(&spec, hear).doing(|| format!("start `{}`", spec.program.display()))?;
        Ok(Self { process, sockets, last_lines, start: Start::Cold(reason), parent: None })
    }

    fn warm(sockets: Sockets, forked: Forked) -> Self {
        let Forked { process, last_lines, parent } = forked;
        Self { process, sockets, last_lines, start: Start::Warm, parent: Some(parent) }
    }
}

impl Running {
    /// Those that were left or given up.
    pub fn take_up(
        number: u64,
        generation: Arc<Generation>,
        web: Option<TakenWeb>,
        before: &AnsweredBy,
    ) -> Result<Self> {
        let start = Start::Kept;
        let upstream = |socket| match before {
            AnsweredBy::This(upstream) => upstream.again(),
            AnsweredBy::Another(process) => Upstream::left_by(socket, process.clone()),
        };
        let (upstream, web, parent, sockets) = match web {
            Some(TakenWeb { process, sockets, parent }) => {
                (upstream(sockets.web()), Some(process), parent, Some(sockets))
            }
            None => (upstream(PathBuf::new()), None, None, None),
        };
        let upstream = Arc::new(dressed(upstream, &generation)?);
        Ok(Self { number, generation, upstream, web, start, learned: None, parent, sockets })
    }

    /// What its processes are like, where that was asked.
    pub fn likeness(&self) -> Option<Likeness> {
        serde_json::from_slice(&std::fs::read(self.sockets.as_ref()?.likeness()).ok()?).ok()
    }

    /// The same processes under the name of `generation`, which they are just like.
    pub fn becomes(&mut self, generation: Arc<Generation>) {
        // Its handlers were good once before.
        if let Ok(upstream) = dressed(self.upstream.again(), &generation) {
            self.upstream = Arc::new(upstream);
        }
        self.generation = generation;
        self.start = Start::Kept;
    }
}

/// What the gateway has to know of a generation.
fn dressed(mut upstream: Upstream, generation: &Generation) -> Result<Upstream> {
    upstream.rules = handlers::rules(generation)?;
    upstream.limits = generation.limits;
    if let Some(release) = generation.release.as_deref().and_then(|release| release.parse().ok()) {
        upstream.headers.push((hyper::header::HeaderName::from_static("x-dae-release"), release));
    }
    Ok(upstream)
}

/// What the web processes say while they start.
pub(super) struct Words<'a> {
    pub notify: &'a UnixDatagram,
    pub buffer: Vec<u8>,
    pub learned: Option<Vec<String>>,
}

impl Words<'_> {
    /// Waits until `wanted` workers are ready, or one says why it never will be.
    pub async fn ready(&mut self, wanted: usize) -> Result<()> {
        let mut pids = HashSet::new();
        while pids.len() < wanted {
            let length = self.notify.recv(&mut self.buffer).await.doing(|| "hear whether the app is ready")?;
            match serde_json::from_slice(&self.buffer[..length]) {
                Ok(Word::Ready(pid)) => drop(pids.insert(pid)),
                Ok(Word::Learned(modules)) => self.learned = Some(modules),
                Ok(Word::Broken(broken)) => return Err(broken.problem()),
                // Not a word of ours.
                Err(_) => {}
            }
        }
        Ok(())
    }

    /// What was said before the end and is not heard yet.
    pub fn last(&mut self) -> Result<()> {
        while let Ok(length) = self.notify.try_recv(&mut self.buffer) {
            if let Ok(Word::Broken(broken)) = serde_json::from_slice(&self.buffer[..length]) {
                return Err(broken.problem());
            }
        }
        Ok(())
    }
}

impl Broken {
    fn problem(self) -> Problem {
        let problem = Problem::new("app.import", self.message).detail(self.traceback);
        match (self.file, self.line) {
            (Some(file), Some(line)) => {
                let text = self.text.unwrap_or_default();
                let blank = text.len() - text.trim_start().len();
                let column = self.column.unwrap_or(1).max(blank + 1);
                let length = if column == blank + 1 { text.trim().chars().count() } else { 1 };
                problem.at(Place { file, line, column, length, text })
            }
            _ => problem,
        }
    }
}

/// A Python of its own for a generation.
fn cold(generation: &Generation, settings: &Settings, config: &Value) -> Spec {
    let launch = &generation.launch;
    let mut env = contract::environment(generation, settings.environment, &settings.inherited);
    env.push(("DAE_BOOT".into(), config.to_string()));
    python(launch, settings, "dae/boot.py", generation.root.clone(), env)
}

/// A Python that runs `script` of the runtime set.
pub(super) fn python(
    launch: &Launch,
    settings: &Settings,
    script: &str,
    dir: PathBuf,
    env: Vec<(String, String)>,
) -> Spec {
    // Without a virtualenv nothing of the machine's own Python packages may leak in.
    let mut args: Vec<String> = launch.site.iter().flat_map(|_| ["-s".into(), "-S".into()]).collect();
    args.push(launch.runtime.join(script).to_string_lossy().into_owned());
    Spec { program: launch.python.clone(), args, dir, env, io: io(settings), confine: launch.confine.clone() }
}

/// A developer sees colours and may debug.
pub(super) fn io(settings: &Settings) -> Io {
    if settings.environment == "SDK" { Io::Pty } else { Io::Pipe }
}
