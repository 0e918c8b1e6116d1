//! The services of a node's apps: each app has its own, from its first release on for as long as the node runs. They run in a
//! process of their own (`hosting.rs`), which is started for the first of them.

use std::collections::HashMap;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream as Pair;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;
use tokio::sync::{Mutex, mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::backends::Backends;
use super::hosting::{Order, Said, Want, Wanted};
use crate::app::AppName;
use crate::node::Settings;
use crate::problem::{Doing as _, Problem, Result};
use crate::services::{NewError, Provided};
use crate::supervisor::{Bundle, HandedProcess, Io, Number, Owner, Process, Spec, guardian};

/// What ends in order within this.
const STOPS_WITHIN: Duration = Duration::from_secs(30);

pub(super) struct Platforms {
    /// An app's data is in `APP/data` below it.
    apps: PathBuf,
    run: PathBuf,
    /// What services may know of the node's own environment.
    inherited: Vec<(String, String)>,
    host: Mutex<Option<Host>>,
    /// What those that run tell.
    provided: std::sync::Mutex<HashMap<AppName, Vec<Provided>>>,
    backends: Arc<Backends>,
    /// Hears of errors.
    errors: mpsc::UnboundedSender<(AppName, NewError)>,
    /// The process they run in has ended by itself.
    gone: CancellationToken,
}

/// The process they run in, and the talk with it.
struct Host {
    process: Process,
    orders: mpsc::UnboundedSender<Ask>,
}

enum Ask {
    Order(Want, oneshot::Sender<Result<Vec<Provided>>>),
    /// Another process will talk to it.
    Leave(oneshot::Sender<Talk>),
}

/// The host as one node's process leaves it to the next.
#[derive(Debug, Serialize, Deserialize)]
pub struct HandedHost {
    process: HandedProcess,
    socket: Number,
    heard: Vec<u8>,
    count: u64,
}

impl Platforms {
    pub fn new(
        apps: PathBuf,
        settings: &Settings,
        backends: Arc<Backends>,
        errors: mpsc::UnboundedSender<(AppName, NewError)>,
    ) -> Self {
        let run = settings.run_dir.clone();
        let inherited = settings.inherited.iter().filter(|(name, _)| !name.starts_with("DAE_")).cloned().collect();
        Self {
            apps,
            run,
            inherited,
            host: Mutex::default(),
            provided: std::sync::Mutex::default(),
            backends,
            errors,
            gone: CancellationToken::new(),
        }
    }

    /// Where the services of `app` keep what is theirs.
    pub fn data(&self, app: &AppName) -> PathBuf {
        self.apps.join(app.as_str()).join("data")
    }

    /// What the processes of `app`, whose owner is `owner`, are told of its services; they are started where they do not run yet.
    /// `code` is the folder of the release that wants them. Real servers come in their place.
    /// `config` is not kept of what goes wrong.
    pub async fn env(
        &self,
        app: &AppName,
        code: &Path,
        owner: Owner,
        config: Vec<String>,
    ) -> Result<Vec<(String, String)>> {
        let own = self.own(app, code, owner, config).await?;
        let (backends, app, data, code) = (self.backends.clone(), app.clone(), self.data(app), code.to_owned());
        super::blocking(move || backends.replace(own, &app, &data, &code)).await
    }

    async fn own(
        &self,
        app: &AppName,
        code: &Path,
        owner: Owner,
        config: Vec<String>,
    ) -> Result<Vec<(String, String)>> {
        let wanted = Wanted {
            app: app.clone(),
            own: self.apps.join(app.as_str()),
            cache: self.apps.join(".cache"),
            run: self.run.join(format!("{app}-services")),
            code: code.to_owned(),
            owner,
            other_database: self.backends.has("mysql"),
            config,
        };
        let provided = self.ask(Want::Services(Box::new(wanted))).await?;
        self.provided().insert(app.clone(), provided.clone());
        Ok(env_of(provided))
    }

    /// What those of the node's own tell that run.
    #[expect(clippy::unused_async, reason = "whoever asks need not know")]
    pub async fn told(&self, app: &AppName) -> Vec<(String, String)> {
        env_of(self.provided().get(app).cloned().unwrap_or_default())
    }

    fn hears(&self) -> Hears {
        Hears { errors: self.errors.clone(), gone: self.gone.clone() }
    }

    fn provided(&self) -> std::sync::MutexGuard<'_, HashMap<AppName, Vec<Provided>>> {
        self.provided.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn ask(&self, want: Want) -> Result<Vec<Provided>> {
        let (reply, answer) = oneshot::channel();
        let mut host = self.host.lock().await;
        if host.is_none() {
            *host = Some(
                Host::start(self.inherited.clone(), self.hears())
                    .doing(|| "start the process of the apps' services")?,
            );
        }
        if let Some(host) = &*host {
            // One that is gone drops the reply, and that is the answer.
            let _ = host.orders.send(Ask::Order(want, reply));
        }
        drop(host);
        let gone =
            || Problem::new("services.gone", "the process of the apps' services has ended").hint("start the node anew");
        answer.await.map_err(|_| gone())?
    }

    /// Returns when the process they run in has ended by itself.
    pub async fn gone(&self) {
        self.gone.cancelled().await;
    }

    /// Ends all of them, once the apps have ended.
    pub async fn stop(&self) {
        let Some(Host { process, orders }) = self.host.lock().await.take() else { return };
        let (reply, answer) = oneshot::channel();
        let _ = orders.send(Ask::Order(Want::Stop, reply));
        // What takes longer is killed, and what was acknowledged is there then too.
        let _ = tokio::time::timeout(STOPS_WITHIN, answer).await;
        drop(orders);
        let _ = tokio::time::timeout(STOPS_WITHIN, process.ended()).await;
    }

    /// Gives the process up, for another one.
    pub async fn leave(&self, files: &mut Bundle) -> Option<HandedHost> {
        let Host { process, orders } = self.host.lock().await.take()?;
        let (reply, talk) = oneshot::channel();
        orders.send(Ask::Leave(reply)).ok()?;
        let Talk { stream, heard, count, .. } = talk.await.ok()?;
        let socket = files.put(stream.into_std().ok()?);
        Some(HandedHost { process: HandedProcess::new(process.leave().await, files), socket, heard, count })
    }

    /// Goes on with one that another process has left.
    pub async fn take_up(&self, handed: HandedHost, files: &mut Bundle) -> Result<()> {
        let doing = || "take up the process of the apps' services";
        let HandedHost { process, socket, heard, count } = handed;
        let process = Process::take_up(process.left(files).doing(doing)?, |_| ()).doing(doing)?;
        let mut socket = Pair::from(files.take(socket).doing(doing)?);
        // Whatever another has begun to say before it came to nothing ends here.
        std::io::Write::write_all(&mut socket, b"\n").doing(doing)?;
        let host = Host::of(process, socket.into(), heard, count, self.hears());
        *self.host.lock().await = Some(host.doing(doing)?);
        Ok(())
    }
}

fn env_of(provided: Vec<Provided>) -> Vec<(String, String)> {
    provided.into_iter().flat_map(|service| service.env).collect()
}

impl Host {
    fn start(mut env: Vec<(String, String)>, hears: Hears) -> std::io::Result<Self> {
        let (ours, theirs) = Pair::pair()?;
        ours.set_nonblocking(true)?;
        env.extend(guardian::passport());
        // This very program, whatever has its name by now.
        let program =
            if cfg!(target_os = "linux") { PathBuf::from("/proc/self/exe") } else { std::env::current_exe()? };
        let spec = Spec {
            program,
            args: ["node", "host"].map(str::to_owned).to_vec(),
            dir: "/".into(),
            env,
            io: Io::Pipe,
            confine: None,
        };
        let process = Process::start_with(&spec, vec![theirs.into()], |_| ())?;
        Self::of(process, ours.into(), Vec::new(), 0, hears)
    }

    fn of(process: Process, socket: OwnedFd, heard: Vec<u8>, count: u64, who: Hears) -> std::io::Result<Self> {
        let stream = UnixStream::from_std(Pair::from(socket))?;
        // No two processes give the same number to different orders.
        let first = u64::from(std::process::id()) << 32;
        let count = if count >> 32 == first >> 32 { count } else { first };
        let (orders, asks) = mpsc::unbounded_channel();
        tokio::spawn(Talk { stream, heard, count, hears: who }.go_on(asks));
        Ok(Self { process, orders })
    }
}

struct Talk {
    stream: UnixStream,
    /// What has come and is not read yet.
    heard: Vec<u8>,
    count: u64,
    hears: Hears,
}

/// Who hears of what comes by itself.
struct Hears {
    errors: mpsc::UnboundedSender<(AppName, NewError)>,
    gone: CancellationToken,
}

impl Talk {
    /// Until it ends, or nobody asks any more.
    async fn go_on(mut self, mut asks: mpsc::UnboundedReceiver<Ask>) {
        let mut waiting: HashMap<u64, oneshot::Sender<Result<Vec<Provided>>>> = HashMap::new();
        loop {
            tokio::select! {
                ask = asks.recv() => match ask {
                    None => return,
                    Some(Ask::Leave(reply)) => {
                        // Whoever asked waits for it.
                        let _ = reply.send(self);
                        return;
                    }
                    Some(Ask::Order(want, reply)) => {
                        self.count += 1;
                        waiting.insert(self.count, reply);
                        let Ok(mut line) = serde_json::to_vec(&Order { id: self.count, want }) else { return };
                        line.push(b'\n');
                        if self.stream.write_all(&line).await.is_err() {
                            return;
                        }
                    }
                },
                said = self.read() => match said {
                    None => return self.hears.gone.cancel(),
                    Some(Said::Done(id, done)) => {
                        // Whoever asked may have gone.
                        let _ = waiting.remove(&id).map(|reply| reply.send(done));
                    }
                    Some(Said::Error(app, error)) => drop(self.hears.errors.send((app, error))),
                },
            }
        }
    }

    /// The next word; `None` when nobody is there. Given up, nothing is lost.
    async fn read(&mut self) -> Option<Said> {
        loop {
            if let Some(end) = self.heard.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.heard.drain(..=end).collect();
                match serde_json::from_slice(&line) {
                    Ok(word) => return Some(word),
                    // A word of another version.
                    Err(_) => continue,
                }
            }
            if self.stream.read_buf(&mut self.heard).await.ok()? == 0 {
                return None;
            }
        }
    }
}
