//! A node's process gives its place to another one, of a newer dae as a rule, while all that it runs goes on.
//!
//! Theory of operation. Somebody asks at the socket `upgrade` in the node's folder, naming a program. The node waits until
//! nothing is under way that could not go on (a release, a run, a scheduled task), starts the program as it was started itself,
//! and goes on as ever while that gets ready: reads the same configuration, opens the same store. What fails here fails the
//! upgrade and nothing else. Then the node gives up what it owns: listeners, the lock, each app's processes (`node::Handed`),
//! the process of the services; the successor takes it up and answers. Until it says so the node answers: connections are
//! taken by the one or the other and by nobody never. Then the node answers what it has begun, and ends. It keeps a copy of each
//! open file that it gives: from a successor that dies before it says so, it takes everything back by the way the successor came by it.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, watch};

use super::platforms::HandedHost;
use super::{Config, Home, LOCK, Server};
use crate::app::AppName;
use crate::node::Handed;
use crate::problem::{Doing as _, Problem, Result};
use crate::supervisor::{Bundle, Channel, Number, Successor, end_younger};

/// The socket's name in the node's folder.
const SOCKET: &str = "upgrade";
/// A program that is not ready by then is not waited for.
const READY_WITHIN: Duration = Duration::from_mins(1);
/// As little is needed to take up everything.
const TAKEN_WITHIN: Duration = Duration::from_mins(1);
/// How often it is looked whether something is still under way.
const LOOKED: Duration = Duration::from_millis(50);

/// Counts up when what is given, or how, is not what an older dae gives or takes.
const WAY: u32 = 1;

/// What somebody asks for.
#[derive(Debug, Serialize, Deserialize)]
pub struct Asked {
    /// Absolute.
    pub program: PathBuf,
    /// How long to wait for what is under way.
    pub within: Duration,
}

/// What somebody who asked is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Answer {
    /// For this to end.
    Waits(String),
    Done(Upgraded),
    Refused(Problem),
}

/// How it went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Upgraded {
    /// The versions of dae.
    pub from: String,
    pub to: String,
    /// The process that is the node from now on.
    pub pid: u32,
    /// Apps whose processes went on as they were.
    pub apps: usize,
    /// From the start of the program on.
    pub took_ms: u64,
    /// Of that, while nobody would have started an app's process anew.
    pub unwatched_ms: u64,
}

/// Somebody asks, and is told.
#[derive(Debug)]
pub struct Asker {
    pub asked: Asked,
    stream: UnixStream,
}

impl Asker {
    pub fn tell(&self, answer: &Answer) {
        let mut line = serde_json::to_vec(answer).unwrap_or_default();
        line.push(b'\n');
        // Whoever asked may have gone.
        let _ = (&self.stream).write_all(&line);
    }
}

/// The socket as a path that is short enough, whatever the folder's name is, while the file is open.
fn socket(dir: &Path) -> io::Result<(File, PathBuf)> {
    let folder = File::open(dir)?;
    let path = format!("/proc/self/fd/{}/{SOCKET}", folder.as_raw_fd());
    Ok((folder, path.into()))
}

/// Asks the node that runs in `dir`; `tell` hears what it waits for.
pub fn ask(dir: &Path, asked: &Asked, mut tell: impl FnMut(String)) -> Result<Upgraded> {
    Config::read(dir)?;
    let none = |error: io::Error| {
        Problem::new("node.none", format!("no node runs in `{}`", dir.display()))
            .because(error)
            .try_running(format!("dae node serve --dir {}", dir.display()))
    };
    let (folder, path) = socket(dir).map_err(none)?;
    let stream = UnixStream::connect(path).map_err(|error| match error.kind() {
        io::ErrorKind::PermissionDenied => Problem::new("node.permission", "this node is somebody else's")
            .because(error)
            .hint("run it as the node's user, or as root"),
        _ => none(error),
    })?;
    drop(folder);
    let mut line = serde_json::to_vec(asked).map_err(|error| Problem::new("node.upgrade", error.to_string()))?;
    line.push(b'\n');
    (&stream).write_all(&line).doing(|| "ask the node")?;
    for line in BufReader::new(stream).lines() {
        let line = line.doing(|| "hear from the node")?;
        match serde_json::from_str(&line) {
            Ok(Answer::Waits(why)) => tell(why),
            Ok(Answer::Done(upgraded)) => return Ok(upgraded),
            Ok(Answer::Refused(problem)) => return Err(problem),
            Err(_) => {}
        }
    }
    Err(Problem::new("node.upgrade", "the node ended before it could say how it went").hint("look into the node's log"))
}

/// Hears those who ask, until nobody listens any more.
pub fn listen(home: &Home) -> Result<mpsc::UnboundedReceiver<Asker>> {
    let (asks, heard) = mpsc::unbounded_channel();
    if !cfg!(target_os = "linux") {
        return Ok(heard);
    }
    let doing = || format!("make the socket `{SOCKET}` in `{}`", home.dir.display());
    let (folder, path) = socket(&home.dir).doing(doing)?;
    match std::fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error).doing(doing),
        _ => {}
    }
    let listener = UnixListener::bind(&path).doing(doing)?;
    // Who may write to it may connect.
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).doing(doing)?;
    drop(folder);
    let hear = move || {
        for stream in listener.incoming() {
            let Ok(stream) = stream else { continue };
            let mut line = String::new();
            // Who says nothing keeps nobody waiting.
            let _ = stream.set_read_timeout(Some(Duration::from_secs(5)));
            let read = BufReader::new(&stream).read_line(&mut line);
            if let (Ok(_), Ok(asked)) = (read, serde_json::from_str(&line))
                && asks.send(Asker { asked, stream }).is_err()
            {
                return;
            }
        }
    };
    std::thread::Builder::new().name("upgrade".into()).spawn(hear).doing(|| "listen for upgrades")?;
    Ok(heard)
}

/// What a successor says first.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum First {
    /// With its version, and how it takes over.
    Ready(String, u32),
    Failed(Problem),
}

/// What it is given.
#[derive(Debug, Serialize, Deserialize)]
pub struct Estate {
    lock: Number,
    doors: Vec<Number>,
    host: Option<HandedHost>,
    apps: Vec<Handed>,
}

/// What it says when all is taken up.
#[derive(Debug, Serialize, Deserialize)]
struct Serves {
    apps: usize,
}

/// One that is to take this process's place.
pub struct Succession {
    successor: Successor,
    program: PathBuf,
    version: String,
    began: Instant,
}

/// Another process is the node.
pub struct Succeeded {
    pub successor: Successor,
    pub upgraded: Upgraded,
    /// Ready when nothing is left to wait for here.
    pub behind: Pin<Box<dyn Future<Output = ()> + Send>>,
}

fn failed(program: &Path, what: &str) -> Problem {
    Problem::new("node.upgrade", format!("`{}` {what}; the node goes on as it was", program.display()))
}

/// Why it says nothing any more: how it ended, where it has.
async fn why_silent(successor: &Successor, error: &io::Error) -> String {
    let is_closed =
        !matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut | io::ErrorKind::InvalidData);
    let end = if is_closed { successor.end_of_silent().await } else { None };
    end.map_or_else(|| error.to_string(), |end| end.to_string())
}

impl Server {
    /// Starts the program that is asked for, and waits until it could take over. Given up, that ends.
    pub async fn prepare_successor(&self, asker: &Asker) -> Result<Succession> {
        let Asked { program, within } = &asker.asked;
        self.until_quiet(*within, |why| asker.tell(&Answer::Waits(why))).await?;
        let prepared = prepared(program).await;
        if prepared.is_err() {
            self.set_leaving(false);
        }
        prepared
    }

    /// Waits until nothing is under way that could not go on, and lets nothing of that kind begin any more.
    async fn until_quiet(&self, within: Duration, mut tell: impl FnMut(String)) -> Result<()> {
        let until = Instant::now() + within;
        let mut told = None;
        loop {
            let mut why = self.under_way().await;
            if why.is_none() {
                self.set_leaving(true);
                // It may have begun this instant.
                why = self.under_way().await;
                if why.is_none() {
                    return Ok(());
                }
                self.set_leaving(false);
            }
            if Instant::now() >= until {
                let why = why.unwrap_or_default();
                return Err(Problem::new("node.busy", format!("not now: {why}; the node goes on as it was"))
                    .hint("`--within 10m` waits longer for it"));
            }
            if told != why {
                told.clone_from(&why);
                tell(why.unwrap_or_default());
            }
            tokio::time::sleep(LOOKED).await;
        }
    }

    async fn under_way(&self) -> Option<String> {
        let starting = self.releases.under_way();
        starting.or_else(|| self.runs.under_way()).or(self.node.is_busy().await)
    }

    /// Gives all that the node has to the successor, and returns when that answers. Where it does not, everything is as before
    /// when this returns. Not to be given up.
    pub async fn hand_over(
        self: &Arc<Self>,
        succession: Succession,
        home: &Home,
        doors: &[TcpListener],
    ) -> Result<Succeeded> {
        let Succession { mut successor, program, version, began } = succession;
        let unwatched = Instant::now();
        let mut files = Bundle::default();
        let given = self.give_up(home, doors, &mut files).await;
        let (estate, behind) = given.inspect_err(|_| self.set_leaving(false))?;
        let serves = async {
            successor.say(&estate, files.try_clone()?)?;
            let serves = successor.hear::<Serves>(TAKEN_WITHIN).await?;
            successor.works()?;
            Ok::<_, io::Error>(serves)
        };
        match serves.await {
            Ok(serves) => {
                let millis = |since: Instant| u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX);
                let upgraded = Upgraded {
                    from: env!("CARGO_PKG_VERSION").to_owned(),
                    to: version,
                    pid: successor.pid,
                    apps: serves.apps,
                    took_ms: millis(began),
                    unwatched_ms: millis(unwatched),
                };
                Ok(Succeeded { successor, upgraded, behind: Box::pin(behind) })
            }
            Err(error) => {
                let why = why_silent(&successor, &error).await;
                let began = successor.end().await;
                self.take_back(home, estate, files).await?;
                end_younger(began);
                Err(failed(&program, "did not take over").because(why))
            }
        }
    }

    async fn give_up(
        &self,
        home: &Home,
        doors: &[TcpListener],
        files: &mut Bundle,
    ) -> Result<(Estate, impl Future<Output = ()> + Send + use<>)> {
        let doing = || "give the listeners away";
        let lock = files.put(home.lock.try_clone().doing(doing)?);
        let doors = doors.iter().map(|door| Ok(files.put(door.try_clone()?)));
        let doors = doors.collect::<io::Result<Vec<_>>>().doing(doing)?;
        let (apps, behind) = self.node.leave(self.settings().rollout.drain_within, files).await;
        let host = self.platforms.leave(files).await;
        Ok((Estate { lock, doors, host, apps }, behind))
    }

    /// What was given up is this process's again.
    async fn take_back(self: &Arc<Self>, home: &Home, estate: Estate, mut files: Bundle) -> Result<()> {
        home.note().doing(|| format!("write `{}`", home.dir.join(LOCK).display()))?;
        self.node.stays();
        let Estate { lock: _, doors: _, host, apps } = estate;
        self.inherit(host, apps, &mut files).await?;
        self.set_leaving(false);
        Ok(())
    }

    /// All that runs is followed here from now on; what cannot be is started anew. The answer is how many apps that are.
    async fn inherit(
        self: &Arc<Self>,
        host: Option<HandedHost>,
        apps: Vec<Handed>,
        files: &mut Bundle,
    ) -> Result<usize> {
        if let Some(host) = host {
            self.platforms.take_up(host, files).await?;
        }
        let apps: HashMap<AppName, Handed> = apps.into_iter().map(|handed| (handed.app.clone(), handed)).collect();
        let count = apps.len();
        self.bring_back(Some((apps, std::mem::take(files)))).await?;
        Ok(count)
    }
}

/// Starts `program`, and waits until it could take over.
async fn prepared(program: &Path) -> Result<Succession> {
    let began = Instant::now();
    let successor = Successor::start(program).map_err(|error| failed(program, "cannot be started").because(error))?;
    match successor.hear(READY_WITHIN).await {
        Ok(First::Ready(version, WAY)) => Ok(Succession { successor, program: program.to_owned(), version, began }),
        Ok(First::Ready(version, _)) => Err(failed(program, &format!("is dae {version}, which takes over otherwise"))
            .hint("restart the node with it: `systemctl restart dae`")),
        Ok(First::Failed(problem)) => {
            let mut told = failed(program, "does not come up here").because(&problem).detail(problem.detail.clone());
            told.hints = problem.hints;
            Err(told)
        }
        Err(error) => {
            let end = why_silent(&successor, &error).await;
            Err(failed(program, "does not come up here")
                .because(end)
                .hint("is it a dae, and one that knows `dae node upgrade`? its own words are in the node's log"))
        }
    }
}

/// In the successor: the one before it.
pub struct Predecessor(Channel);

impl Predecessor {
    /// None: this node takes nobody's place.
    pub fn find() -> Result<Option<Self>> {
        Ok(Channel::to_predecessor().doing(|| "talk to the node that runs")?.map(Self))
    }

    /// It hears why this one cannot take over.
    pub fn tell_failed(&self, problem: &Problem) {
        let _ = self.0.say(&First::Failed(problem.clone()), Bundle::default());
    }

    /// Says that this one could take over, and waits for what there is to take. None: it is not to.
    pub fn inherit(self) -> Result<Option<Inheritance>> {
        let doing = || "take over from the node that runs";
        self.0.say(&First::Ready(env!("CARGO_PKG_VERSION").to_owned(), WAY), Bundle::default()).doing(doing)?;
        match self.0.hear::<Estate>(READY_WITHIN) {
            Ok((estate, files)) => Ok(Some(Inheritance { channel: self.0, estate, files })),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
            Err(error) => Err(error).doing(doing),
        }
    }
}

/// What there is to take.
pub struct Inheritance {
    channel: Channel,
    estate: Estate,
    files: Bundle,
}

impl Inheritance {
    /// Where connections come in, in the order in which they were given.
    pub fn doors(&mut self) -> Result<Vec<TcpListener>> {
        let doors = self.estate.doors.iter().map(|door| self.files.take(*door).map(TcpListener::from));
        doors.collect::<io::Result<_>>().doing(|| "take up the listeners")
    }

    /// The node's folder is this process's.
    pub fn lock(&mut self, home: &mut Home) -> Result<()> {
        let lock = self.files.take(self.estate.lock).doing(|| "take up the node's lock")?;
        home.lock = lock.into();
        home.note().doing(|| format!("write `{}`", home.dir.join(LOCK).display()))
    }

    pub async fn take_up(self, server: &Arc<Server>) -> Result<Taken> {
        let Self { channel, estate: Estate { host, apps, .. }, mut files } = self;
        let (here, gone) = watch::channel(());
        server.node.succeeds(gone);
        let apps = server.inherit(host, apps, &mut files).await?;
        Ok(Taken { channel, apps, here })
    }
}

/// All is taken up.
pub struct Taken {
    channel: Channel,
    apps: usize,
    /// The one before is.
    here: watch::Sender<()>,
}

impl Taken {
    /// Connections are taken here.
    pub fn serves(self) {
        let Self { channel, apps, here } = self;
        // The one before has gone, and so nobody waits for it.
        let _ = channel.say(&Serves { apps }, Bundle::default());
        let hear = move || {
            channel.until_closed();
            drop(here);
        };
        // Where no thread is to be had, it is taken for gone.
        let _ = std::thread::Builder::new().name("predecessor".into()).spawn(hear);
    }
}
