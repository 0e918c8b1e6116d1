//! Tells a ZooKeeper where services answer: a node of its tree for each address, `/dae/services/APP/SERVICE/HOST:PORT`, gone with
//! whoever made it.
//!
//! Theory of operation. One task has one session. At every beat, a third of the time after which ZooKeeper would forget the
//! session, it makes the tree what it should be: what is lacking is made, what somebody who died has left at the same address
//! is taken over, what is no longer wanted is taken away. So nothing need be remembered across a cut connection, another
//! server, or a ZooKeeper that was started anew.

mod connection;
mod wire;

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use super::Event;
use crate::app::AppName;
use crate::problem::{Problem, Result};
use connection::{Connection, Lost};
use wire::{Lasting, Refusal, Session};

/// Where its services are listed.
const TOP: &str = "/dae/services";
/// How long after a failure the next server is tried.
const PAUSE: Duration = Duration::from_millis(300);
/// The last word may take this long.
const FAREWELL: Duration = Duration::from_secs(2);

/// Its servers: `host:port`, several with commas between.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ZooKeeper(Vec<String>);

impl FromStr for ZooKeeper {
    type Err = Problem;

    fn from_str(text: &str) -> Result<Self> {
        let servers: Vec<String> = text.split(',').map(|server| server.trim().to_owned()).collect();
        let good = |server: &String| {
            server.rsplit_once(':').is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok())
        };
        if let Some(wrong) = servers.iter().find(|server| !good(server)) {
            return Err(Problem::new("node.zookeeper", format!("`{wrong}` is no address of a ZooKeeper"))
                .hint("write it as `host:2181`, several with commas between")
                .exit(2));
        }
        Ok(Self(servers))
    }
}

impl TryFrom<String> for ZooKeeper {
    type Error = Problem;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl From<ZooKeeper> for String {
    fn from(zookeeper: ZooKeeper) -> Self {
        zookeeper.to_string()
    }
}

impl std::fmt::Display for ZooKeeper {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0.join(","))
    }
}

impl ZooKeeper {
    /// This machine's address as seen on the way there, which is the one that others can reach, most likely.
    pub fn address_of_this_machine(&self) -> IpAddr {
        let route = |server: &String| {
            let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).ok()?;
            // Nothing is sent.
            socket.connect(server).ok()?;
            Some(socket.local_addr().ok()?.ip())
        };
        self.0.iter().find_map(route).unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST))
    }
}

/// What should be in the tree, and for which app.
type Wanted = BTreeMap<String, AppName>;

/// The outside of a session.
#[derive(Debug)]
pub struct Registry {
    wanted: watch::Sender<Wanted>,
    /// Another process looks after the tree.
    paused: watch::Sender<bool>,
    /// How much is in the tree.
    listed: watch::Receiver<usize>,
    task: JoinHandle<()>,
}

/// An address that is listed for as long as this is there.
#[derive(Debug)]
pub struct Registration {
    path: String,
    wanted: watch::Sender<Wanted>,
}

impl Registration {
    /// It stays listed, for another process.
    pub fn leave(self) {
        // What would take it away again.
        std::mem::forget(self);
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        self.wanted.send_if_modified(|wanted| wanted.remove(&self.path).is_some());
    }
}

impl Registry {
    pub fn open(zookeeper: ZooKeeper, events: mpsc::UnboundedSender<Event>) -> Arc<Self> {
        let (wanted, word) = watch::channel(Wanted::new());
        let (list, listed) = watch::channel(0);
        let (paused, word_to_pause) = watch::channel(false);
        let task =
            Task { zookeeper, word, pauses: word_to_pause, events, list, made: BTreeSet::new(), told: String::new() };
        Arc::new(Self { wanted, paused, listed, task: tokio::spawn(task.run()) })
    }

    /// Leaves the tree as it is, for another process that takes over what is in it; or goes on.
    pub fn pause(&self, pause: bool) {
        self.paused.send_replace(pause);
    }

    /// Waits, not for long, until what is no longer wanted is out of the tree.
    pub async fn withdrawn(&self) {
        let mut listed = self.listed.clone();
        let _ = tokio::time::timeout(FAREWELL, listed.wait_for(|listed| *listed == 0)).await;
    }

    /// Lists an address at which a service of `app` answers.
    pub fn register(&self, app: &AppName, service: &str, address: SocketAddr) -> Registration {
        let path = format!("{TOP}/{app}/{service}/{address}");
        self.wanted.send_modify(|wanted| drop(wanted.insert(path.clone(), app.clone())));
        Registration { path, wanted: self.wanted.clone() }
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        // What it has made goes with its session, soon.
        self.task.abort();
    }
}

struct Task {
    zookeeper: ZooKeeper,
    word: watch::Receiver<Wanted>,
    pauses: watch::Receiver<bool>,
    events: mpsc::UnboundedSender<Event>,
    list: watch::Sender<usize>,
    /// What this session has made.
    made: BTreeSet<String>,
    /// What was said last.
    told: String,
}

impl Task {
    async fn run(mut self) {
        let mut session = Session::default();
        let servers = self.zookeeper.clone();
        for server in servers.0.iter().cycle() {
            // Without services there is nothing to say.
            if self.made.is_empty() && self.word.wait_for(|wanted| !wanted.is_empty()).await.is_err() {
                return;
            }
            let lost = match Connection::open(server, &session).await {
                Ok(connection) => {
                    if connection.session.id != session.id {
                        self.made.clear();
                    }
                    session = connection.session.clone();
                    self.keep(server, connection).await
                }
                Err(lost) => lost,
            };
            match lost {
                Lost::Expired => {
                    session = Session::default();
                    self.made.clear();
                }
                Lost::Io(why) => {
                    self.tell(&format!("the ZooKeeper at {server} is out of reach: {why}; trying again"));
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }

    /// Makes the tree what it should be, again and again.
    async fn keep(&mut self, server: &str, mut connection: Connection) -> Lost {
        loop {
            // The session is forgotten meanwhile.
            if self.pauses.wait_for(|paused| !paused).await.is_err() {
                return Lost::Expired;
            }
            match self.bring_in_line(&mut connection).await {
                Ok(Ok(())) => self.tell(&format!("registered with the ZooKeeper at {server}")),
                Ok(Err((path, refusal))) => {
                    self.tell(&format!("the ZooKeeper at {server} does not take `{path}`: {refusal}; trying again"));
                }
                Err(lost) => return lost,
            }
            if self.made.is_empty() && self.word.borrow().is_empty() {
                // Nothing is left to say; what comes later begins a session of its own.
                let _ = tokio::time::timeout(FAREWELL, connection.close()).await;
                self.list.send_replace(0);
                return Lost::Expired;
            }
            let beat = connection.beat();
            tokio::select! {
                () = tokio::time::sleep(beat) => {}
                Ok(()) = self.word.changed() => {}
                Ok(()) = self.pauses.changed() => {}
            }
        }
    }

    /// Every word is a heartbeat.
    async fn bring_in_line(&mut self, to: &mut Connection) -> Result<Result<(), (String, Refusal)>, Lost> {
        let wanted = self.word.borrow_and_update().clone();
        let gone: Vec<String> = self.made.iter().filter(|path| !wanted.contains_key(*path)).cloned().collect();
        for path in gone {
            match to.delete(&path).await? {
                Ok(()) | Err(Refusal::NoNode) => drop(self.made.remove(&path)),
                Err(refusal) => return Ok(Err((path, refusal))),
            }
        }
        for path in wanted.into_keys() {
            if let Err(refusal) = ensure(to, &path).await? {
                return Ok(Err((path, refusal)));
            }
            self.made.insert(path);
        }
        to.ping().await?;
        self.list.send_replace(self.made.len().max(1));
        Ok(Ok(()))
    }

    /// Says it to those whom it concerns, once.
    fn tell(&mut self, line: &str) {
        if self.told == line {
            return;
        }
        line.clone_into(&mut self.told);
        let apps: BTreeSet<AppName> = self.word.borrow().values().cloned().collect();
        for app in apps {
            let (process, line) = ("zookeeper".to_owned(), line.to_owned());
            // Nobody listens any more when the node goes down.
            let _ = self.events.send(Event::Output { app, generation: None, process, line });
        }
    }
}

/// Sees to it that a node is there and is this session's.
async fn ensure(to: &mut Connection, path: &str) -> Result<Result<(), Refusal>, Lost> {
    match to.owner(path).await? {
        Err(refusal) => return Ok(Err(refusal)),
        Ok(Some(owner)) if owner == to.session.id => return Ok(Ok(())),
        // Whoever listened at this address before has died, for now we do.
        Ok(Some(_)) => match to.delete(path).await? {
            Ok(()) | Err(Refusal::NoNode) => {}
            Err(refusal) => return Ok(Err(refusal)),
        },
        Ok(None) => {
            let parents = path.match_indices('/').map(|(at, _)| &path[..at]).filter(|parent| !parent.is_empty());
            for parent in parents {
                match to.create(parent, Lasting::Always).await? {
                    Ok(()) | Err(Refusal::NodeExists) => {}
                    Err(refusal) => return Ok(Err(refusal)),
                }
            }
        }
    }
    to.create(path, Lasting::Session).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_are_named_with_their_ports() {
        for (text, good) in [
            ("zk:2181", true),
            ("a:1, b:2", true),
            ("[::1]:2181", true),
            ("zk", false),
            (":2181", false),
            ("a:1,", false),
            ("a:99999", false),
            ("", false),
        ] {
            assert_eq!(text.parse::<ZooKeeper>().is_ok(), good, "{text}");
        }
        assert_eq!("a:1, b:2".parse::<ZooKeeper>().unwrap().to_string(), "a:1,b:2");
        let here = "127.0.0.1:2181".parse::<ZooKeeper>().unwrap().address_of_this_machine();
        assert_eq!(here, IpAddr::V4(Ipv4Addr::LOCALHOST));
    }
}
