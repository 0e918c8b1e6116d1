//! The process in which the services of a node's apps run. It is not the node's own, so that their contents and their
//! connections are there when another process takes the node's place.
//!
//! One JSON value a line either way. It ends, with everything written, when it is told to or when nobody is there to talk to.

use std::collections::HashMap;
use std::fs::Permissions;
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::UnixStream;
use tokio::sync::{Mutex, mpsc};

use crate::app::{AppName, Secrets};
use crate::problem::{Doing as _, Problem, Result};
use crate::services::{Event, Known, Machine, NewError, Platform, Provided, Space, Tell};
use crate::supervisor::Owner;

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Order {
    pub id: u64,
    pub want: Want,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Want {
    /// The services of an app, started where they do not run yet.
    Services(Box<Wanted>),
    /// Everything ends.
    Stop,
}

/// Whose services, and where they keep what is theirs.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Wanted {
    pub app: AppName,
    /// The app's folder: its data, its permanent files.
    pub own: PathBuf,
    /// What can be made again.
    pub cache: PathBuf,
    pub run: PathBuf,
    pub code: PathBuf,
    pub owner: Owner,
    pub other_database: bool,
    /// Is not kept of what goes wrong.
    pub config: Vec<String>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Said {
    /// To the order of that number.
    Done(u64, Result<Vec<Provided>, Problem>),
    Error(AppName, NewError),
}

#[derive(Default)]
struct Hosted {
    running: Mutex<HashMap<AppName, Platform>>,
    known: std::sync::Mutex<HashMap<AppName, Known>>,
}

/// Serves whoever is at the other end of `socket`, until that is nobody or a word to stop. Call it inside a runtime.
pub async fn host(socket: OwnedFd, told: impl Future<Output = ()>) -> Result<()> {
    let stream = std::os::unix::net::UnixStream::from(socket);
    stream.set_nonblocking(true).doing(|| "talk to the node")?;
    let (read, mut write) = UnixStream::from_std(stream).doing(|| "talk to the node")?.into_split();
    let mut lines = BufReader::new(read).lines();
    let (say, mut said) = mpsc::unbounded_channel::<Said>();
    let hosted = Arc::new(Hosted::default());
    let saying = tokio::spawn(async move {
        while let Some(word) = said.recv().await {
            let Ok(mut line) = serde_json::to_vec(&word) else { continue };
            line.push(b'\n');
            if write.write_all(&line).await.is_err() {
                return;
            }
        }
    });
    tokio::pin!(told);
    loop {
        let line = tokio::select! {
            line = lines.next_line() => line,
            () = &mut told => break,
        };
        let Ok(Some(line)) = line else { break };
        let Ok(Order { id, want }) = serde_json::from_str(&line) else { continue };
        match want {
            Want::Services(wanted) => {
                let (hosted, say) = (hosted.clone(), say.clone());
                tokio::spawn(async move {
                    let done = hosted.services(*wanted, &say).await;
                    // Nobody listens any more when the node goes down.
                    let _ = say.send(Said::Done(id, done));
                });
            }
            Want::Stop => {
                hosted.stop().await;
                let _ = say.send(Said::Done(id, Ok(Vec::new())));
            }
        }
    }
    hosted.stop().await;
    saying.abort();
    Ok(())
}

impl Hosted {
    async fn services(&self, wanted: Wanted, say: &mpsc::UnboundedSender<Said>) -> Result<Vec<Provided>> {
        let Wanted { app, own, cache, run, code, owner, other_database, config } = wanted;
        let mut running = self.running.lock().await;
        let known = {
            let mut known = self.known.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            known.entry(app.clone()).or_default().clone()
        };
        known.set(Secrets::new(config));
        if !running.contains_key(&app) {
            let (data, permdir) = (own.join("data"), Some(own.join("permdir")));
            let machine =
                Machine { code: Some(code), permdir, other_database, cache, config: known, ..Machine::default() };
            let (say, of) = (say.clone(), app.clone());
            let tell = Tell::new(move |event| {
                if let Event::Error(error) = event {
                    // Nobody listens any more when the node goes down.
                    let _ = say.send(Said::Error(of.clone(), error));
                }
            });
            let mut space = Space::new(app.clone(), data, run, tell)?.on(machine);
            space.owner = Some(owner);
            if let Owner::User(user) = owner {
                let given = std::os::unix::fs::chown(&space.run, None, Some(user));
                let open = || std::fs::set_permissions(&space.run, Permissions::from_mode(0o710));
                given.and_then(|()| open()).doing(|| format!("open `{}` to the app", space.run.display()))?;
            }
            running.insert(app.clone(), Platform::start(&space).await?);
        }
        Ok(running.get(&app).map(Platform::provided).unwrap_or_default())
    }

    async fn stop(&self) {
        let all: Vec<Platform> = self.running.lock().await.drain().map(|(_, platform)| platform).collect();
        futures_util::future::join_all(all.into_iter().map(Platform::stop)).await;
    }
}
