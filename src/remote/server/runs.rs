//! One-off commands beside the live release. Each is a task of the node's own and prints into a file, so whoever asked for it
//! may go and come back; those that listen read the file.

use std::collections::{HashMap, VecDeque};
use std::convert::Infallible;
use std::fs::{self, File};
use std::io::{self, BufRead as _, Write as _};
use std::path::{Path as FilePath, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::IntoResponse as _;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::routing::{delete, get};
use axum::{Json, Router};
use futures_util::Stream;
use tokio::sync::{oneshot, watch};
use tokio_util::sync::CancellationToken;

use super::auth::Verb;
use super::caller::Caller;
use super::changes::nothing_live;
use super::command::Prepared;
use super::control::{no_release, read};
use super::refusal::{Answer, Refused};
use super::{Server, blocking};
use crate::app::AppName;
use crate::problem::{Doing as _, Problem, Result};
use crate::remote::api::{NewRun, ReleaseId, ReleaseState, RunAccepted, RunEvent, RunId, Runs as Told};
use crate::supervisor::{End, Heard, Process, Signal, Spec};

/// Runs of an app that are remembered, with what they printed.
pub const REMEMBERED: usize = 50;
/// How long one may take over its end after it was asked.
pub(super) const GRACE: Duration = Duration::from_secs(10);
/// What a run may print, in bytes; beyond that it goes on unheard.
const MOST_PRINTED: u64 = 64 << 20;
const LONGEST_COMMAND: usize = 64 << 10;
const AT_ONCE: usize = 32;

/// Those that run.
#[derive(Default)]
pub struct Runs {
    running: Mutex<HashMap<(AppName, RunId), Running>>,
    /// Changes whenever one printed something or ended.
    changed: watch::Sender<u64>,
}

struct Running {
    pub leader: u32,
    stop: CancellationToken,
}

impl Runs {
    fn running(&self) -> std::sync::MutexGuard<'_, HashMap<(AppName, RunId), Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The answer is how it is told to end.
    pub(super) fn began(&self, app: &AppName, id: RunId, process: &Process) -> CancellationToken {
        let stop = CancellationToken::new();
        self.running().insert((app.clone(), id), Running { leader: process.id(), stop: stop.clone() });
        self.change();
        stop
    }

    /// One that runs, in words.
    pub fn under_way(&self) -> Option<String> {
        let (app, id) = self.running().keys().next().cloned()?;
        Some(format!("{id} of {app} goes on"))
    }

    fn change(&self) {
        self.changed.send_modify(|count| *count += 1);
    }

    /// The leaders of an app's runs, by their numbers.
    pub fn leaders(&self, app: &AppName) -> Vec<(RunId, u32)> {
        let running = self.running();
        let mut found: Vec<_> =
            running.iter().filter(|((of, _), _)| of == app).map(|((_, id), one)| (*id, one.leader)).collect();
        found.sort();
        found
    }
}

pub fn routes() -> Router<Arc<Server>> {
    Router::new()
        .route("/dae/v1/apps/{app}/runs", get(list).post(start))
        .route("/dae/v1/apps/{app}/runs/{id}", delete(end))
        .route("/dae/v1/apps/{app}/runs/{id}/events", get(events))
}

async fn list(State(server): State<Arc<Server>>, caller: Caller, Path(app): Path<String>) -> Answer {
    let app = caller.may(Verb::Read, &app)?;
    let runs = server.store.runs(&app, 100)?;
    Ok(Json(Told { app, runs }).into_response())
}

async fn start(State(server): State<Arc<Server>>, caller: Caller, Path(app): Path<String>, body: Body) -> Answer {
    let app = caller.may(Verb::Deploy, &app)?;
    let new: NewRun = read(body).await?;
    // In one piece: this request may be given up at any await, a run may not.
    let begun = tokio::spawn({
        let (server, app) = (server.clone(), app.clone());
        async move {
            let Ready { release, prepared } = server.ready_to_run(&app, &new).await?;
            let id = server.store.add_run(&app, &new, release)?;
            if let Err(problem) = server.begin(&app, id, prepared) {
                server.store.end_run(&app, id, 127, Some(&problem.to_string()))?;
                let status = StatusCode::UNPROCESSABLE_ENTITY;
                return Err(Refused::new(status, problem));
            }
            Ok::<_, Refused>((id, release))
        }
    });
    let (run, release) = begun.await.map_err(|_| Problem::new("node.stopping", "the node is stopping"))??;
    let events = format!("/dae/v1/apps/{app}/runs/{run}/events");
    Ok((StatusCode::ACCEPTED, [(header::LOCATION, events.clone())], Json(RunAccepted { run, release, events }))
        .into_response())
}

/// A command that may run, with the code of this release.
pub(super) struct Ready {
    pub release: ReleaseId,
    pub prepared: Prepared,
}

impl Server {
    /// Checks what is asked for and lays out what it runs with.
    pub(super) async fn ready_to_run(
        self: &Arc<Self>,
        app: &AppName,
        new: &NewRun,
    ) -> std::result::Result<Ready, Refused> {
        let bad = |what: &str| {
            let problem = Problem::new("run.command", format!("the command {what}"));
            Refused::new(StatusCode::UNPROCESSABLE_ENTITY, problem)
        };
        if new.command.first().is_none_or(String::is_empty) {
            return Err(bad("is empty"));
        }
        if new.command.iter().any(|word| word.contains('\0')) {
            return Err(bad("holds a NUL"));
        }
        if new.command.iter().map(|word| word.len() + 1).sum::<usize>() > LONGEST_COMMAND {
            return Err(bad("is longer than 64 KiB"));
        }
        if self.runs.leaders(app).len() >= AT_ONCE {
            return Err(Refused::new(
                StatusCode::CONFLICT,
                Problem::new("run.too-many", format!("{AT_ONCE} commands of `{app}` are running"))
                    .hint("`dae ps` shows them; wait for one, or end one"),
            ));
        }
        let release = match new.release {
            None => self.store.live(app)?.ok_or_else(|| nothing_live(app))?,
            Some(id) => self.store.release(app, id)?.ok_or_else(|| no_release(app, id))?,
        };
        if release.state == ReleaseState::Starting {
            return Err(Refused::new(
                StatusCode::CONFLICT,
                Problem::new("run.starting", format!("{} is not ready yet", release.id)),
            ));
        }
        let assembled = self.assemble(app, &release).await?;
        let (generation, _) = self.generation(app, &release, &assembled).await?;
        let (server, command) = (self.clone(), new.command.clone());
        let prepared = blocking(move || server.prepare(&generation, &command)).await?;
        Ok(Ready { release: release.id, prepared })
    }

    /// Writes down how a run ended; its exit code, as a shell has it, is the answer.
    pub(super) async fn run_ended(
        self: &Arc<Self>,
        app: &AppName,
        id: RunId,
        end: End,
        why: Option<&'static str>,
    ) -> u8 {
        let code = match end {
            End::Code(code) => u8::try_from(code).unwrap_or(255),
            End::Signal(signal) => u8::try_from(128 + signal).unwrap_or(255),
        };
        let (keeper, name) = (self.clone(), app.clone());
        // If the store cannot be written, the next start of the node says how it ended.
        let _ = blocking(move || {
            keeper.store.end_run(&name, id, code, why)?;
            keeper.forget_runs()
        })
        .await;
        self.runs.running().remove(&(app.clone(), id));
        self.runs.change();
        code
    }

    fn printed(&self, app: &AppName, id: RunId) -> PathBuf {
        self.dir.join("runs").join(app.as_str()).join(format!("{id}.log"))
    }

    fn begin(self: &Arc<Self>, app: &AppName, id: RunId, prepared: Prepared) -> Result<()> {
        let path = self.printed(app, id);
        let folder = path.parent().unwrap_or(&self.dir);
        fs::create_dir_all(folder).doing(|| format!("make the folder `{}`", folder.display()))?;
        let mut file = File::create(&path).doing(|| format!("write `{}`", path.display()))?;
        let Prepared { spec, folder } = prepared;
        let (heard_all, all_heard) = oneshot::channel::<()>();
        let server = self.clone();
        let mut left = MOST_PRINTED;
        let hear = move |heard: Heard<'_>| {
            // Dropped with this closure, when there is nothing more to hear.
            let _open = &heard_all;
            let Some(line) = heard.line() else { return };
            let line = if line.len() as u64 + 1 > left {
                "(too much was printed; the rest is lost)\n".into()
            } else {
                line + "\n"
            };
            if left > 0 {
                left = left.saturating_sub(if line.starts_with("(too much") { left } else { line.len() as u64 });
                // A full disk must not end the command.
                let _ = file.write_all(line.as_bytes());
                server.runs.change();
            }
        };
        let process = Process::start(&spec, hear).map_err(|error| not_started(&spec, error))?;
        let stop = self.runs.began(app, id, &process);
        let (server, app) = (self.clone(), app.clone());
        tokio::spawn(async move {
            let asked = tokio::select! {
                end = process.ended() => Err(end),
                () = stop.cancelled() => Ok(()),
            };
            let (end, why) = match asked {
                Err(end) => (end, None),
                Ok(()) => (process.stop(Signal::SIGTERM, GRACE).await, Some("it was told to end")),
            };
            // What it left behind is gone with its group, so the pipe closes soon.
            let _ = tokio::time::timeout(Duration::from_secs(5), all_heard).await;
            drop(folder);
            server.run_ended(&app, id, end, why).await;
        });
        Ok(())
    }

    fn forget_runs(&self) -> Result<()> {
        for (app, id) in self.store.forget_runs(REMEMBERED)? {
            // What is not there need not be taken away.
            let _ = fs::remove_file(self.printed(&app, id));
        }
        Ok(())
    }
}

pub(super) fn not_started(spec: &Spec, error: io::Error) -> Problem {
    let what = if error.kind() == io::ErrorKind::NotFound { "there is no program" } else { "could not run" };
    Problem::new("run.start", format!("{what} `{}`", spec.program.display())).because(error)
}

fn id_of(text: &str) -> std::result::Result<RunId, Refused> {
    text.parse().map_err(|problem| Refused::new(StatusCode::BAD_REQUEST, problem))
}

fn no_run(app: &AppName, id: RunId) -> Refused {
    let problem = Problem::new("run.unknown", format!("`{app}` has no {id}")).hint("`dae ps` shows those that run");
    Refused::new(StatusCode::NOT_FOUND, problem)
}

async fn end(State(server): State<Arc<Server>>, caller: Caller, Path((app, id)): Path<(String, String)>) -> Answer {
    let app = caller.may(Verb::Deploy, &app)?;
    let id = id_of(&id)?;
    if server.store.run(&app, id)?.is_none() {
        return Err(no_run(&app, id));
    }
    if let Some(running) = server.runs.running().get(&(app, id)) {
        running.stop.cancel();
    }
    Ok(StatusCode::ACCEPTED.into_response())
}

async fn events(
    State(server): State<Arc<Server>>,
    caller: Caller,
    Path((app, id)): Path<(String, String)>,
    headers: HeaderMap,
) -> Answer {
    let app = caller.may(Verb::Read, &app)?;
    let id = id_of(&id)?;
    if server.store.run(&app, id)?.is_none() {
        return Err(no_run(&app, id));
    }
    let after = headers.get("last-event-id").and_then(|value| value.to_str().ok()?.parse().ok()).unwrap_or(0);
    Ok(Sse::new(follow(server, app, id, after)).keep_alive(KeepAlive::default()).into_response())
}

/// How far a listener has come.
struct Listener {
    changes: watch::Receiver<u64>,
    file: Option<io::BufReader<File>>,
    /// Lines read so far; an event's number is its line's.
    line: u64,
    /// Of a line that is not whole yet.
    part: Vec<u8>,
    ready: VecDeque<(u64, RunEvent)>,
    ended: bool,
}

/// At most this many lines are read at once.
const CHUNK: usize = 1000;

impl Listener {
    /// Reads the next lines; whether there were any is the answer.
    fn read(&mut self, path: &FilePath, after: u64) -> bool {
        if self.file.is_none() {
            self.file = File::open(path).ok().map(io::BufReader::new);
        }
        let Some(file) = &mut self.file else { return false };
        let before = self.line;
        for _ in 0..CHUNK {
            if file.read_until(b'\n', &mut self.part).unwrap_or(0) == 0 || self.part.last() != Some(&b'\n') {
                break;
            }
            self.line += 1;
            if self.line > after {
                let line = String::from_utf8_lossy(&self.part[..self.part.len() - 1]).into_owned();
                self.ready.push_back((self.line, RunEvent::Output { line }));
            }
            self.part.clear();
        }
        self.line > before
    }
}

fn follow(
    server: Arc<Server>,
    app: AppName,
    id: RunId,
    after: u64,
) -> impl Stream<Item = std::result::Result<Event, Infallible>> + Send {
    let listener = Listener {
        changes: server.runs.changed.subscribe(),
        file: None,
        line: 0,
        part: Vec::new(),
        ready: VecDeque::new(),
        ended: false,
    };
    let path = server.printed(&app, id);
    futures_util::stream::unfold((server, listener), move |(server, mut listener)| {
        let (app, path) = (app.clone(), path.clone());
        async move {
            loop {
                if let Some((number, event)) = listener.ready.pop_front() {
                    let sent = Event::default().id(number.to_string()).json_data(&event).ok()?;
                    return Some((Ok(sent), (server, listener)));
                }
                if listener.ended {
                    return None;
                }
                // Looked at in this order, so that what comes in between is not slept through.
                listener.changes.borrow_and_update();
                let (run, why) = server.store.run(&app, id).ok()??;
                if listener.read(&path, after) {
                    continue;
                }
                if let Some(code) = run.code {
                    listener.ended = true;
                    listener.ready.push_back((listener.line + 1, RunEvent::Ended { run: id, code, why }));
                    continue;
                }
                listener.changes.changed().await.ok()?;
            }
        }
    })
}
