//! From an accepted release to one that serves, or to the reason why not. Each is a task of the node's own.

use std::collections::{HashMap, HashSet, VecDeque};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::http::{HeaderMap, header};
use futures_util::FutureExt as _;
use tokio::sync::{Notify, broadcast, mpsc, watch};

use super::assemble::{Assembled, Assembly};
use super::control::live_instead;
use super::front::is_address_of_release;
use super::headers::Expected;
use super::login::Login;
use super::store::SUPERSEDED;
use super::unseen::Unseen;
use super::{Collected, Server};
use crate::app::AppName;
use crate::node::{Edition, Event, Generation, Handed, Launch, Start, Wanted};
use crate::packaging::Digest;
use crate::problem::{Problem, Result};
use crate::python::Interpreter;
use crate::remote::api::{DeployEvent, Gray, LogLine, Release, ReleaseId, ReleaseState, Share};
use crate::remote::client::exit;
use crate::supervisor::{Bundle, End, Heard, Process, Signal};

/// What happened, for whoever runs the node.
#[derive(Debug, Clone)]
pub enum Told {
    Release {
        app: AppName,
        release: ReleaseId,
        event: DeployEvent,
    },
    /// A release that was live before the node was started serves again, or cannot.
    Back {
        app: AppName,
        release: ReleaseId,
        how: Result<Duration, Box<Problem>>,
    },
    Node(Event),
    /// Those who watch an app's errors could not be told of one.
    Observers {
        app: AppName,
        problem: Problem,
    },
    /// Somebody could not log in to an app, for a reason that is not theirs.
    Login {
        app: AppName,
        problem: Problem,
    },
    /// There is a new certificate for a host, good until then; or there is none, or no newer one.
    Certificate {
        host: String,
        how: Result<jiff::Timestamp, Box<Problem>>,
    },
    Collected(Collected),
    Over(super::Over),
    Backend(super::BackendChange),
}

pub struct Releases {
    /// Changes whenever a release's story does.
    changed: watch::Sender<u64>,
    /// A release has come to its end.
    ended: Notify,
    /// Live releases that were stopped with the node and do not serve again yet.
    coming_back: watch::Sender<HashSet<AppName>>,
    /// The release whose processes are starting: their output is its story.
    starting: Mutex<HashMap<AppName, ReleaseId>>,
    /// All that are on their way.
    going: Mutex<HashSet<(AppName, ReleaseId)>>,
    /// The machine's interpreters, as far as they were looked for: that takes longer than a rollback should.
    pythons: Mutex<Vec<Interpreter>>,
    tell: Box<dyn Fn(Told) + Send + Sync>,
    /// Every line that any app prints.
    lines: broadcast::Sender<(AppName, LogLine)>,
}

const STOPPING: &str = "node.stopping";
/// How long who asks for an app that comes back with the node is kept waiting.
const BACK_WITHIN: Duration = Duration::from_mins(1);
/// How long a release command may take.
const COMMAND_WITHIN: Duration = Duration::from_mins(30);
/// Lines that explain why it failed.
const LAST_LINES: usize = 100;
/// Lines of a starting release that are told; a program that floods must not fill the store.
const MOST_LINES: usize = 2_000;

impl Releases {
    pub fn new(coming_back: HashSet<AppName>, tell: impl Fn(Told) + Send + Sync + 'static) -> Self {
        Self {
            changed: watch::Sender::new(0),
            ended: Notify::new(),
            coming_back: watch::Sender::new(coming_back),
            starting: Mutex::default(),
            going: Mutex::default(),
            pythons: Mutex::default(),
            tell: Box::new(tell),
            lines: broadcast::channel(super::logs::BEHIND).0,
        }
    }

    /// What is printed from now on.
    pub fn lines(&self) -> broadcast::Receiver<(AppName, LogLine)> {
        self.lines.subscribe()
    }

    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    /// Waits for the end of the next release.
    pub async fn ended(&self) {
        self.ended.notified().await;
    }

    /// What comes up, in words.
    pub(super) fn under_way(&self) -> Option<String> {
        let going = self.going.lock().unwrap_or_else(PoisonError::into_inner).iter().next().cloned();
        if let Some((app, id)) = going {
            return Some(format!("the release {id} of {app} is on its way"));
        }
        self.coming_back.borrow().iter().next().map(|app| format!("{app} comes back"))
    }

    pub fn told(&self, told: Told) {
        (self.tell)(told);
    }

    /// A later one of the same app may be starting by now.
    fn no_longer_starting(&self, app: &AppName, id: ReleaseId) {
        let mut starting = self.starting();
        if starting.get(app) == Some(&id) {
            starting.remove(app);
        }
    }

    fn pythons(&self) -> std::sync::MutexGuard<'_, Vec<Interpreter>> {
        self.pythons.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn starting(&self) -> std::sync::MutexGuard<'_, HashMap<AppName, ReleaseId>> {
        self.starting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A release on its way.
pub(super) struct Going {
    pub release: Release,
    pub expected: Expected,
    /// The visitors it is tried on; none: it takes the live one's place.
    pub share: Option<Share>,
    /// Where it will answer.
    pub url: String,
}

/// How a client reached the node: with which scheme and port.
pub(super) struct Reached {
    scheme: &'static str,
    port: Option<u16>,
}

impl Reached {
    pub fn by(headers: &HeaderMap) -> Self {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let scheme = if text("x-forwarded-proto") == Some("https") { "https" } else { "http" };
        let host = text(header::HOST.as_str()).unwrap_or_default();
        let port = host.rsplit_once(':').and_then(|(_, port)| port.parse::<u16>().ok());
        Self { scheme, port: port.filter(|port| *port != 80 && *port != 443) }
    }

    pub fn url(&self, host: &str) -> String {
        let port = self.port.map(|port| format!(":{port}")).unwrap_or_default();
        format!("{}://{host}{port}", self.scheme)
    }
}

impl Server {
    /// Full versions of the interpreters on this machine.
    pub(super) fn pythons(&self) -> Vec<String> {
        let installed = Interpreter::installed();
        let versions = installed.iter().map(|python| python.version.to_string()).collect();
        *self.releases.pythons() = installed;
        versions
    }

    /// The newest interpreter that compiled packages made for `minor` fit. Looked for only when none is known.
    pub(super) fn interpreter(&self, minor: &str) -> Result<Interpreter> {
        let fitting = |pythons: &[Interpreter]| {
            let fitting = pythons.iter().filter(|python| python.version.minor() == minor && python.path.exists());
            let fitting = fitting.filter(|python| self.isolation.reaches(&python.path));
            fitting.max_by_key(|python| python.version).cloned()
        };
        let known = fitting(&self.releases.pythons());
        if let Some(python) = known {
            return Ok(python);
        }
        let installed = Interpreter::installed();
        let found = fitting(&installed).ok_or_else(|| none_fits(minor, &installed));
        *self.releases.pythons() = installed;
        found
    }

    /// Begins to bring an accepted release up; it goes on whoever listens.
    pub(super) fn start_release(self: &Arc<Self>, app: AppName, going: Going) {
        let server = self.clone();
        let name = (app.clone(), going.release.id);
        self.releases.going.lock().unwrap_or_else(PoisonError::into_inner).insert(name.clone());
        tokio::spawn(async move {
            let began = Instant::now();
            let id = going.release.id;
            let brought = server.bring_up(&app, &going).await;
            let Going { url, share, .. } = going;
            server.releases.no_longer_starting(&app, id);
            let took_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
            let end = match brought {
                Ok(()) => DeployEvent::Live { release: id, url, took_ms, share },
                Err(problem) => {
                    let serving = server.store.live(&app).ok().flatten().map(|live| live.id);
                    DeployEvent::Failed { release: id, problem, serving }
                }
            };
            server.tell(&app, id, vec![end]).await;
            server.releases.going.lock().unwrap_or_else(PoisonError::into_inner).remove(&name);
            server.look_at_certificates();
            server.releases.ended.notify_one();
        });
    }

    async fn bring_up(self: &Arc<Self>, app: &AppName, going: &Going) -> Result<()> {
        let Going { release, expected, share, .. } = going;
        let (expected, visitors) = (*expected, share.as_ref().map(super::traffic::visitors).transpose()?);
        let began = Instant::now();
        let assembled = self.assemble(app, release).await?;
        let text = match assembled.unpacked {
            0 => "every layer was here already".to_owned(),
            1 => "unpacked 1 layer".to_owned(),
            count => format!("unpacked {count} layers"),
        };
        self.step(app, release.id, "assemble", text, began).await;
        let (began, backends) = (Instant::now(), self.backends.clone());
        for down in super::blocking(move || Ok::<_, Problem>(backends.unreachable())).await? {
            self.step(app, release.id, "services", format!("{down}; the app fails where it uses it"), began).await;
        }
        let began = Instant::now();
        let generation = self.generation(app, release, &assembled).await?;
        let text = generation.1;
        self.step(app, release.id, "python", text, began).await;

        self.release_command(app, release, expected, &generation.0, &assembled).await?;

        // What was live comes first: it goes on should this one fail.
        let mut coming_back = self.releases.coming_back.subscribe();
        // An error means that the node is gone, and this task with it.
        let _ = coming_back.wait_for(|apps| !apps.contains(app)).await;
        let is_tried = visitors.is_some();
        // From here to `want` there is no await: two releases of one app pass one after the other.
        let wanted = {
            let mut starting = self.releases.starting();
            self.still_wanted(app, release, expected)?;
            starting.insert(app.clone(), release.id);
            match visitors {
                Some(visitors) => self.node.try_out(generation.0, visitors).left_future(),
                None => self.node.want(generation.0).right_future(),
            }
        };
        match wanted.await {
            Wanted::Serving { took, start } => {
                // One that is tried has the live one's.
                if !is_tried {
                    self.set_login(app, release.id).await?;
                }
                let text = match start {
                    Start::Warm => "warm".to_owned(),
                    Start::Cold(reason) => format!("cold ({reason})"),
                    Start::Kept => "at once (it was kept warm)".to_owned(),
                };
                self.step_took(app, release.id, "start", text, took).await;
                Ok(())
            }
            Wanted::Failed(problem) => Err(readable(*problem, &assembled)),
            Wanted::Superseded => Err(self.superseded(app, release.id)?),
        }
    }

    /// What app.yaml wants run once before new code serves. Neither a rollback nor a change of settings brings any.
    async fn release_command(
        self: &Arc<Self>,
        app: &AppName,
        release: &Release,
        expected: Expected,
        generation: &Generation,
        assembled: &Assembled,
    ) -> Result<()> {
        let Some(script) = &generation.manifest.release else { return Ok(()) };
        let serves_already = |live: Release| live.image == release.image;
        if release.repeats.is_some() || self.store.live(app)?.is_some_and(serves_already) {
            return Ok(());
        }
        let lock = {
            let mut commands = self.commands.lock().unwrap_or_else(PoisonError::into_inner);
            commands.entry(app.clone()).or_default().clone()
        };
        let _alone = lock.lock().await;
        // Somebody else's may have run while this one waited, and made it outdated.
        self.still_wanted(app, release, expected)?;
        let began = Instant::now();
        let prepared = {
            let (server, generation, words) = (self.clone(), generation.clone(), script.words().to_vec());
            super::blocking(move || server.prepare(&generation, &words)).await?
        };
        let (say, mut said) = mpsc::unbounded_channel();
        let secrets = generation.secrets.clone();
        let hear = move |heard: Heard<'_>| {
            let Some(mut line) = heard.line() else { return };
            secrets.hide(&mut line);
            // Nobody listens any more when it took too long.
            let _ = say.send(line);
        };
        let process = Process::start(&prepared.spec, hear).map_err(|error| command_failed(script.as_str(), &error))?;
        let mut last = VecDeque::new();
        let mut count = 0;
        let hear = async {
            let mut some = Vec::new();
            while said.recv_many(&mut some, 256).await > 0 {
                let mut events = Vec::new();
                for line in some.drain(..) {
                    if last.len() == LAST_LINES {
                        last.pop_front();
                    }
                    last.push_back(line.clone());
                    count += 1;
                    if count <= MOST_LINES {
                        events.push(DeployEvent::Output { process: "release".to_owned(), line });
                    }
                }
                self.tell(app, release.id, events).await;
            }
        };
        let ended = tokio::time::timeout(COMMAND_WITHIN, async { tokio::join!(process.ended(), hear).0 }).await;
        let why = match ended {
            Ok(End::Code(0)) => {
                self.step(app, release.id, "release", script.as_str().to_owned(), began).await;
                return Ok(());
            }
            Ok(end) => end.to_string(),
            Err(_) => {
                process.stop(Signal::SIGTERM, Duration::from_secs(5)).await;
                format!("it took longer than {} minutes", COMMAND_WITHIN.as_secs() / 60)
            }
        };
        let lines: String = last.iter().flat_map(|line: &String| [line.as_str(), "\n"]).collect();
        let mut problem = readable(command_failed(script.as_str(), &why).detail(lines), assembled);
        problem.exit = exit::COMMAND;
        Err(problem)
    }

    /// Compare-and-set once more, after the time it took to get ready.
    fn still_wanted(&self, app: &AppName, release: &Release, expected: Expected) -> Result<()> {
        let newest = self.store.releases(app)?.into_iter().next();
        if newest.is_some_and(|newest| newest.id > release.id && newest.state == ReleaseState::Starting) {
            return Err(self.superseded(app, release.id)?);
        }
        match self.store.live(app)? {
            live if expected.is_met_by(live.as_ref().map(|live| live.id)) => Ok(()),
            Some(live) => Err(live_instead(app, &live)),
            None => Err(Problem::new("release.moved", format!("nothing of `{app}` is live any more"))),
        }
    }

    fn superseded(&self, app: &AppName, id: ReleaseId) -> Result<Problem> {
        let later = self.store.releases(app)?.into_iter().next().filter(|newest| newest.id > id);
        let problem = match &later {
            None => Problem::new("release.node-stopped", "the node was stopped while it started"),
            Some(later) => Problem::new(SUPERSEDED, format!("{} was wanted before {id} was ready", later.id)),
        };
        Ok(match later.and_then(|later| later.by) {
            Some(by) => problem.because(format!("it was deployed by {by}")),
            None => problem,
        })
    }

    pub(super) async fn assemble(self: &Arc<Self>, app: &AppName, release: &Release) -> Result<Assembled> {
        let (server, app) = (self.clone(), app.clone());
        let image = Digest::parse(&release.image)?;
        super::blocking(move || {
            let _using = server.using();
            let user = server.isolation.user(server.store.number(&app)?);
            Assembly { dir: &server.dir, blobs: &server.blobs, key: &server.key, user }.release(&app, &image)
        })
        .await
    }

    /// The generation, and the full version of its interpreter.
    pub(super) async fn generation(
        self: &Arc<Self>,
        app: &AppName,
        release: &Release,
        assembled: &Assembled,
    ) -> Result<(Generation, String)> {
        let brought_by = self.store.first_with(app, &release.image)?.unwrap_or(release.id);
        let minor = assembled.file.python.clone();
        let server = self.clone();
        let python = super::blocking(move || server.interpreter(&minor)).await?;
        let settings = self.settings_of(app, Some(release.id))?;
        let number = self.store.number(app)?;
        let confine = {
            let (server, app, assembled) = (self.clone(), app.clone(), assembled.clone());
            let python = python.path.clone();
            let work = move || server.isolation.confine(&app, number, &assembled, &python, server.settings());
            super::blocking(work).await?
        };
        let Unseen { config, all } = {
            let (assembled, values) = (assembled.clone(), settings.env.clone());
            super::blocking(move || Ok::<_, Problem>(Unseen::of(&assembled, values.into_iter()))).await?
        };
        let mut env = self.platforms.env(app, &assembled.root, confine.owner(), config).await?;
        env.extend(self.isolation.environment(app, &confine, self.settings()));
        env.retain(|(name, _)| !settings.env.contains_key(name));
        env.extend(settings.told());
        let generation = Generation {
            app: app.clone(),
            manifest: settings.scaled(assembled.file.manifest.clone()),
            root: assembled.root.clone(),
            launch: Launch {
                python: python.path,
                site: Some(assembled.site.clone()),
                runtime: assembled.runtime.clone(),
                edition: Edition::default(),
                confine: Some(confine),
            },
            release: Some(release.id.to_string()),
            brought_by: Some(brought_by.to_string()),
            env,
            secrets: Arc::new(all),
            learned: Some(assembled.learned.clone()),
            limits: self.isolation.limits(app).of_gateway(),
        };
        Ok((generation, python.version.to_string()))
    }

    async fn step(self: &Arc<Self>, app: &AppName, id: ReleaseId, step: &str, text: String, began: Instant) {
        self.step_took(app, id, step, text, began.elapsed()).await;
    }

    async fn step_took(self: &Arc<Self>, app: &AppName, id: ReleaseId, step: &str, text: String, took: Duration) {
        let took_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        self.tell(app, id, vec![DeployEvent::Step { step: step.to_owned(), text, took_ms }]).await;
    }

    /// Writes a part of a release's story and wakes those who follow it.
    async fn tell(self: &Arc<Self>, app: &AppName, id: ReleaseId, events: Vec<DeployEvent>) {
        let (server, name) = (self.clone(), app.clone());
        let told = super::blocking(move || {
            let added = server.store.tell(&name, id, &events)?;
            Ok::<_, Problem>(if added { events } else { Vec::new() })
        })
        .await;
        // The store cannot be written: the release fails when the node is started again. Those who follow are not left
        // waiting for that: they see what is there.
        if let Ok(events) = told {
            for event in events {
                (self.releases.tell)(Told::Release { app: app.clone(), release: id, event });
            }
        }
        self.releases.changed.send_modify(|count| *count += 1);
    }

    /// Starts again what was live when the node was stopped. The answer comes when each serves or has failed.
    /// What another process has left in `handed` is taken up in the place of a start.
    pub async fn bring_back(self: &Arc<Self>, handed: Option<(HashMap<AppName, Handed>, Bundle)>) -> Result<()> {
        let apps = self.store.live_apps()?;
        let (mut left, files) = handed.unwrap_or_default();
        let files = &Mutex::new(files);
        let apps: Vec<_> = apps
            .into_iter()
            .map(|(app, id)| {
                let is_live = |handed: &Handed| handed.release == id.to_string();
                let handed = left.get(&app).is_some_and(is_live).then(|| left.remove(&app)).flatten();
                (app, id, handed)
            })
            .collect();
        // What is not live any more.
        for handed in left.into_values() {
            Handed::end(&handed.pids());
        }
        let back = apps.into_iter().map(|(app, id, handed)| async move {
            let how = self.bring_one_back(&app, id, handed.map(|handed| (handed, files))).await.map_err(Box::new);
            if let Err(problem) = &how {
                // What waits is told, instead of waiting for what will not come.
                self.node.fail(&app, (**problem).clone());
            }
            self.bring_gray_back(&app).await;
            self.releases.coming_back.send_modify(|apps| {
                apps.remove(&app);
            });
            (self.releases.tell)(Told::Back { app: app.clone(), release: id, how });
        });
        futures_util::future::join_all(back).await;
        Ok(())
    }

    async fn bring_one_back(
        self: &Arc<Self>,
        app: &AppName,
        id: ReleaseId,
        handed: Option<(Handed, &Mutex<Bundle>)>,
    ) -> Result<Duration> {
        let want = async |generation: Generation| {
            // One that node.yaml no longer makes sense of leaves the app as one without.
            if let Err(problem) = self.set_login(app, id).await {
                self.releases.told(Told::Login { app: app.clone(), problem });
            }
            if let Some((handed, files)) = handed {
                let taken = {
                    let mut files = files.lock().unwrap_or_else(PoisonError::into_inner);
                    self.node.take_up(generation.clone(), handed, &mut files)
                };
                if let Ok(taken) = taken
                    && let wanted @ Wanted::Serving { .. } = taken.await
                {
                    return wanted;
                }
            }
            self.node.want(generation).await
        };
        self.bring(app, id, want).await
    }

    /// What was tried beside the live one is tried again; where it does not start, it is taken back.
    async fn bring_gray_back(self: &Arc<Self>, app: &AppName) {
        let Ok(Some(Gray { release: id, share })) = self.store.gray(app) else { return };
        let tried = async {
            let visitors = super::traffic::visitors(&share)?;
            self.bring(app, id, async |generation| self.node.try_out(generation, visitors.clone()).await).await
        };
        let how = tried.await.map_err(Box::new);
        if how.as_ref().is_err_and(|problem| problem.code != STOPPING) {
            // If the store cannot be written now, the next start tries again.
            let _ = self.store.reshare(app, id, None);
        }
        (self.releases.tell)(Told::Back { app: app.clone(), release: id, how });
    }

    async fn bring(
        self: &Arc<Self>,
        app: &AppName,
        id: ReleaseId,
        want: impl AsyncFnOnce(Generation) -> Wanted,
    ) -> Result<Duration> {
        let Some(release) = self.store.release(app, id)? else {
            return Err(Problem::new("release.unknown", format!("`{app}` has no release {id}")));
        };
        let assembled = self.assemble(app, &release).await?;
        let (generation, _) = self.generation(app, &release, &assembled).await?;
        match want(generation).await {
            Wanted::Serving { took, .. } => Ok(took),
            Wanted::Failed(problem) => Err(readable(*problem, &assembled)),
            Wanted::Superseded => Err(Problem::new(STOPPING, "the node is stopping")),
        }
    }

    /// From now on people log in to `app` as this release of it says. Its services run.
    pub(super) async fn set_login(&self, app: &AppName, of: ReleaseId) -> Result<()> {
        let config = self.settings_of(app, Some(of))?.env;
        let env = self.platforms.told(app).await;
        self.logins.set(app, self.host_of(app), &config, &env)
    }

    /// The login of the app that answers for `host`; of one that comes back with the node, once it is known.
    pub(super) async fn login_at(&self, host: &str) -> Option<Arc<Login>> {
        let own = self.app_host(&self.node.routes.own(host));
        if self.logins.knows(&own) || self.releases.coming_back.borrow().is_empty() {
            return self.logins.of(&own);
        }
        let (mut coming_back, mut logins) = (self.releases.coming_back.subscribe(), self.logins.changes());
        let until_known = async {
            loop {
                logins.borrow_and_update();
                let comes_back = coming_back.borrow_and_update().iter().any(|app| self.host_of(app) == own);
                if self.logins.knows(&own) || !comes_back {
                    return self.logins.of(&own);
                }
                // An error means that the node is gone.
                tokio::select! { _ = coming_back.changed() => {}, _ = logins.changed() => {} }
            }
        };
        // Out of patience, it is as one without: what the request is for is not there either.
        tokio::time::timeout(BACK_WITHIN, until_known).await.ok().flatten()
    }

    /// The host of an app, also where `host` is that of one of its releases.
    pub(super) fn app_host(&self, host: &str) -> String {
        let label = host.strip_suffix(&self.domain).and_then(|label| label.strip_suffix('.'));
        let app = label.filter(|label| is_address_of_release(label)).and_then(|label| label.split_once("--"));
        app.map_or_else(|| host.to_owned(), |(_, app)| format!("{app}.{}", self.domain))
    }

    /// Hears the node until it is gone: lines of a starting release become part of its story.
    pub async fn hear(self: Arc<Self>, mut events: mpsc::UnboundedReceiver<Event>) {
        let mut told: HashMap<AppName, (ReleaseId, usize)> = HashMap::new();
        // The generation of the release that starts; the last one goes on printing meanwhile. What is forked from one warm
        // parent cannot be told apart.
        let mut newest: HashMap<AppName, (ReleaseId, u64)> = HashMap::new();
        let mut some = Vec::new();
        while events.recv_many(&mut some, 256).await > 0 {
            let mut lines: HashMap<(AppName, ReleaseId), Vec<DeployEvent>> = HashMap::new();
            for event in some.drain(..) {
                if let Event::Output { app, process, line, .. } = &event
                    && self.releases.lines.receiver_count() > 0
                {
                    let line = LogLine { process: process.clone(), line: line.clone() };
                    // Who listened has gone this instant.
                    let _ = self.releases.lines.send((app.clone(), line));
                }
                if let Event::Starting { app, generation } = &event {
                    if let Some(id) = self.starting(app) {
                        newest.insert(app.clone(), (id, *generation));
                    }
                } else if let Event::Output { app, generation, process, line } = &event
                    && let Some(id) = self.starting(app)
                    && generation.is_none_or(|generation| newest.get(app) == Some(&(id, generation)))
                {
                    let count = told.entry(app.clone()).or_insert((id, 0));
                    *count = if count.0 == id { (id, count.1 + 1) } else { (id, 1) };
                    if count.1 <= MOST_LINES {
                        let output = DeployEvent::Output { process: process.clone(), line: line.clone() };
                        lines.entry((app.clone(), id)).or_default().push(output);
                    }
                    continue;
                }
                (self.releases.tell)(Told::Node(event));
            }
            for ((app, id), lines) in lines {
                self.tell(&app, id, lines).await;
            }
        }
    }

    fn starting(&self, app: &AppName) -> Option<ReleaseId> {
        self.releases.starting().get(app).copied()
    }

    /// Nothing that starts now will be seen to the end.
    pub fn close(&self) -> Result<()> {
        self.store.fail_unfinished()?;
        self.releases.changed.send_modify(|count| *count += 1);
        Ok(())
    }
}

/// Takes away what a problem quotes from protected files.
fn hush(problem: &mut Problem, assembled: &Assembled) {
    let Ok(protected) = assembled.file.manifest.protected() else { return };
    let secret = |file: &Path| protected.holds(file.strip_prefix(&assembled.root).unwrap_or(file));
    if let Some(place) = &mut problem.place
        && secret(&place.file)
    {
        place.text = String::new();
        place.length = 0;
        // Python quotes a line that it cannot read in its message too.
        problem.message = problem.message.split(':').next().unwrap_or_default().to_owned();
    }
    let mut quoting = false;
    let mut kept = String::new();
    for line in problem.detail.lines() {
        let names = line.trim_start().strip_prefix("File \"").and_then(|rest| rest.split('"').next());
        if let Some(file) = names {
            quoting = secret(Path::new(file));
        }
        // What is quoted stands below the file's line, and deeper; the error itself at the margin.
        if names.is_some() || !quoting || !line.starts_with(' ') {
            kept.push_str(line);
            kept.push('\n');
        }
    }
    problem.detail = kept;
}

fn command_failed(script: &str, why: &dyn std::fmt::Display) -> Problem {
    Problem::new("release.command", format!("the release command `{script}` failed"))
        .because(why)
        .hint("no code was switched; what the command did itself is done")
        .exit(exit::COMMAND)
}

fn none_fits(minor: &str, installed: &[Interpreter]) -> Problem {
    let versions: Vec<String> = installed.iter().map(|python| python.version.to_string()).collect();
    let has = if versions.is_empty() { "has none".to_owned() } else { format!("has {}", versions.join(", ")) };
    Problem::new("release.python", format!("the app was packaged for Python {minor}, and this node {has}"))
        .hint(format!("install Python {minor} on the node, or package the app with a Python the node has"))
}

/// Paths as the app's author knows them, not as the node does, and no line of a file that holds secrets.
fn readable(mut problem: Problem, assembled: &Assembled) -> Problem {
    hush(&mut problem, assembled);
    let below = |folder: &Path| format!("{}/", folder.display());
    let Assembled { root, site, runtime, .. } = assembled;
    let (own, site, runtime) = (below(root), below(site), below(runtime));
    let shorten = |text: &mut String| {
        *text = text.replace(&own, "").replace(&site, "site-packages/").replace(&runtime, "dae's runtime/");
    };
    shorten(&mut problem.message);
    shorten(&mut problem.detail);
    problem.causes.iter_mut().for_each(shorten);
    if let Some(place) = &mut problem.place
        && let Ok(below) = place.file.strip_prefix(root)
    {
        place.file = below.to_owned();
    }
    problem
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packaging::ReleaseFile;
    use crate::problem::Place;

    #[test]
    fn no_line_of_a_secret_is_quoted() {
        let file = ReleaseFile::example("protected_files: [local.py]\n");
        let folder = |name: &str| Path::new("/n").join(name);
        let (root, site, runtime, learned) = (folder("app"), folder("site"), folder("runtime"), folder("learned"));
        let assembled = Assembled { file, root, site, runtime, learned, unpacked: 0 };
        let detail = "Traceback:\n  File \"/n/app/app.py\", line 1, in f\n    import local\n  \
                      File \"/n/app/local.py\", line 2\n    KEY = 'hush\n          ^\nSyntaxError: unterminated\n";
        let place = Place { file: "local.py".into(), line: 2, column: 7, length: 5, text: "KEY = 'hush".into() };
        let told = readable(Problem::new("app.import", "SyntaxError: 'hush").at(place).detail(detail), &assembled);
        assert!(!format!("{told:?}").contains("hush"), "{told:?}");
        insta::assert_snapshot!(told.detail, @r#"
        Traceback:
          File "app.py", line 1, in f
            import local
          File "local.py", line 2
        SyntaxError: unterminated
        "#);
    }
}
