//! From a generation to processes that answer, or to the reason why not.

use std::collections::{HashSet, VecDeque};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use serde::Deserialize;
use serde_json::json;
use tokio::net::UnixDatagram;
use tokio::sync::mpsc;

use super::{Event, Generation, Meanwhile, Settings, contract};
use crate::app::Serves;
use crate::gateway::{By, Rule, Upstream};
use crate::problem::{Doing as _, Place, Problem, Result};
use crate::supervisor::{Io, Process, Spec};

/// How many of a process's last lines are kept to explain its end.
const LAST_LINES: usize = 40;

/// A generation whose processes are up. Dropping it kills them.
#[derive(Debug)]
pub(super) struct Running {
    pub number: u64,
    pub generation: Arc<Generation>,
    pub upstream: Arc<Upstream>,
    pub web: Option<Process>,
    /// Its sockets; gone with it.
    _dir: tempfile::TempDir,
}

/// The last lines a process printed.
#[derive(Debug, Clone, Default)]
struct LastLines(Arc<Mutex<VecDeque<String>>>);

impl LastLines {
    fn add(&self, line: String) {
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.len() == LAST_LINES {
            lines.pop_front();
        }
        lines.push_back(line);
    }

    fn text(&self) -> String {
        let lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        lines.iter().flat_map(|line| [line.as_str(), "\n"]).collect()
    }
}

/// What the web processes tell: see `python/dae/boot.py`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Word {
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
    settings: Arc<Settings>,
    events: mpsc::UnboundedSender<Event>,
) -> Result<Running> {
    let dir = tempfile::Builder::new()
        .prefix(&format!("{}-{number}-", generation.app))
        .tempdir_in(&settings.run_dir)
        .doing(|| format!("make a folder in `{}`", settings.run_dir.display()))?;
    let socket = dir.path().join("web");
    let mut upstream = Upstream::new(socket.clone());
    upstream.rules = rules(&generation);
    if let Some(release) = generation.release.as_deref().and_then(|release| release.parse().ok()) {
        upstream.headers.push((hyper::header::HeaderName::from_static("x-dae-release"), release));
    }
    let last_lines = LastLines::default();
    let mut running =
        Running { number, generation: generation.clone(), upstream: Arc::new(upstream), web: None, _dir: dir };
    if !generation.manifest.needs_worker() {
        return Ok(running);
    }
    let notify_path = socket.with_file_name("notify");
    let notify = UnixDatagram::bind(&notify_path).doing(|| format!("make the socket `{}`", notify_path.display()))?;
    let spec = web(&generation, &settings, &socket, &notify_path);
    let hear = listener(&generation, &settings, "web", last_lines.clone(), events)?;
    let web = Process::start(&spec, hear).doing(|| format!("start `{}`", spec.program.display()))?;
    let wanted = match settings.rollout.meanwhile {
        // Whoever saves wants an answer; the other workers follow.
        Meanwhile::Hold => 1,
        Meanwhile::KeepServing => generation.manifest.nworkers,
    };
    tokio::select! {
        ready = ready(&notify, usize::from(wanted)) => ready?,
        end = web.ended() => {
            // Its last word may be the reason; it was sent before the end.
            let mut buffer = vec![0; 1 << 16];
            while let Ok(length) = notify.try_recv(&mut buffer) {
                if let Ok(Word::Broken(broken)) = serde_json::from_slice(&buffer[..length]) {
                    return Err(broken.problem());
                }
            }
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
    running.web = Some(web);
    Ok(running)
}

async fn ready(notify: &UnixDatagram, wanted: usize) -> Result<()> {
    let mut pids = HashSet::new();
    let mut buffer = vec![0; 1 << 16];
    while pids.len() < wanted {
        let length = notify.recv(&mut buffer).await.doing(|| "hear whether the app is ready")?;
        match serde_json::from_slice(&buffer[..length]) {
            Ok(Word::Ready(pid)) => drop(pids.insert(pid)),
            Ok(Word::Broken(broken)) => return Err(broken.problem()),
            // Not a word of ours.
            Err(_) => {}
        }
    }
    Ok(())
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

fn web(generation: &Generation, settings: &Settings, socket: &Path, notify: &Path) -> Spec {
    let launch = &generation.launch;
    let manifest = &generation.manifest;
    let handlers: Vec<_> = manifest
        .handlers
        .iter()
        .filter_map(|handler| {
            match &handler.serves {
                Serves::WsgiApp(target) => Some(("wsgi_app", target)),
                Serves::AsgiApp(target) => Some(("asgi_app", target)),
                _ => None,
            }
            .map(|(kind, target)| json!({ "url": handler.url, "kind": kind, "target": target.to_string() }))
        })
        .collect();
    let boot = json!({
        "app": generation.app,
        "root": generation.root,
        "runtime": launch.runtime,
        "site": launch.site,
        "handlers": handlers,
        "worker": manifest.worker,
        "nworkers": manifest.nworkers,
        "socket": socket,
        "notify": notify,
        "environment": settings.environment,
    });
    let mut env = contract::environment(generation, settings);
    env.push(("DAE_BOOT".into(), boot.to_string()));
    // Without a virtualenv nothing of the machine's own Python packages may leak in.
    let mut args: Vec<String> = launch.site.iter().flat_map(|_| ["-s".into(), "-S".into()]).collect();
    args.push(launch.runtime.join("dae/boot.py").to_string_lossy().into_owned());
    let io = if settings.environment == "SDK" { Io::Pty } else { Io::Pipe };
    Spec { program: launch.python.clone(), args, dir: generation.root.clone(), env, io }
}

/// Hears a process's lines: to the log file, to the last lines, to the events.
fn listener(
    generation: &Generation,
    settings: &Settings,
    process: &str,
    last_lines: LastLines,
    events: mpsc::UnboundedSender<Event>,
) -> Result<impl FnMut(String) + Send + 'static> {
    let app = generation.app.clone();
    let process = process.to_owned();
    let folder = settings.log_dir.join(app.as_str());
    std::fs::create_dir_all(&folder).doing(|| format!("make the folder `{}`", folder.display()))?;
    let path = folder.join(format!("{process}.log"));
    let mut file = std::fs::File::options()
        .create(true)
        .append(true)
        .open(&path)
        .doing(|| format!("open the log `{}`", path.display()))?;
    Ok(move |line: String| {
        // A full disk must not take the app down with its log.
        let _ = file.write_all(format!("{}\n", console::strip_ansi_codes(&line)).as_bytes());
        last_lines.add(line.clone());
        // Nobody listens any more when the node goes down.
        let _ = events.send(Event::Output { app: app.clone(), process: process.clone(), line });
    })
}

fn rules(generation: &Generation) -> Vec<Rule> {
    let root = generation.root.canonicalize().unwrap_or_else(|_| generation.root.clone());
    let file = |template: &str| By::File { root: root.clone(), template: template.to_owned() };
    generation
        .manifest
        .handlers
        .iter()
        .filter_map(|handler| match &handler.serves {
            Serves::StaticFiles(template) => Rule::new(&handler.url, file(template)),
            Serves::StaticDir(folder) => {
                let prefix = handler.url.trim_end_matches('/');
                Rule::new(&format!("{prefix}/(.*)"), file(&format!("{}/\\1", folder.trim_end_matches('/'))))
            }
            _ => Rule::new(&handler.url, By::Process),
        })
        .collect()
}
