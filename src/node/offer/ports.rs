//! The sockets on which an app's services listen. They outlive the generations, and are told to whoever looks for a service on
//! this machine: a file each in one folder.

use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use super::super::folder::Folder;
use super::super::handed::{HandedPort, HandedPorts};
use super::super::zookeeper::{Registration, Registry};
use super::super::{Generation, Settings};
use crate::app::AppName;
use crate::problem::{Doing as _, Problem, Result};
use crate::supervisor::Bundle;

/// Where clients look when nobody tells them otherwise; further services get the next free ones.
const FIRST_PORT: u16 = 7303;
/// How many ports from the first on are tried.
const TRIED: u16 = 200;

#[derive(Debug, Default)]
pub(in super::super) struct Ports {
    listening: Vec<Listening>,
    /// Connections go through it from one generation to the next.
    door: Option<Door>,
}

#[derive(Debug)]
struct Listening {
    app: AppName,
    service: String,
    /// `user.UserStorage`.
    interface: String,
    listener: TcpListener,
    address: SocketAddr,
    /// They name the address; gone with this.
    notices: Vec<PathBuf>,
    registered: Option<Registration>,
}

#[derive(Debug)]
struct Door {
    listener: UnixListener,
    /// It is in here.
    dir: Folder,
}

impl Ports {
    /// Gives them up, for another process.
    pub fn leave(mut self, files: &mut Bundle) -> HandedPorts {
        let listening = std::mem::take(&mut self.listening).into_iter().filter_map(|mut listening| {
            if let Some(registered) = listening.registered.take() {
                registered.leave();
            }
            Some(HandedPort {
                service: listening.service.clone(),
                interface: listening.interface.clone(),
                file: files.put(listening.listener.try_clone().ok()?),
                // They stay, and what is registered does.
                notices: std::mem::take(&mut listening.notices),
            })
        });
        let listening = listening.collect();
        let door = self.door.take().map(|Door { listener, mut dir }| (files.put(listener), dir.leave()));
        HandedPorts { listening, door }
    }

    /// Those that another process has left.
    pub fn take_up(app: &AppName, handed: HandedPorts, files: &mut Bundle) -> Result<Self> {
        let doing = || "take up the sockets of the services";
        let HandedPorts { listening, door } = handed;
        let listening = listening.into_iter().map(|HandedPort { service, interface, file, notices }| {
            let listener = TcpListener::from(files.take(file)?);
            let address = listener.local_addr()?;
            let app = app.clone();
            Ok(Listening { app, service, interface, listener, address, notices, registered: None })
        });
        let listening = listening.collect::<io::Result<_>>().doing(doing)?;
        let door = door.map(|(file, dir)| io::Result::Ok(Door { listener: files.take(file)?.into(), dir: dir.into() }));
        Ok(Self { listening, door: door.transpose().doing(doing)? })
    }

    /// Has a socket listen for each service of `generation`, and closes those of services that are no more.
    pub fn open(&mut self, generation: &Generation, settings: &Settings) -> Result<()> {
        let names: Vec<_> = generation.manifest.services.iter().map(super::process::name).collect();
        self.listening.retain(|listening| names.contains(&listening.interface));
        if names.is_empty() {
            return Ok(());
        }
        if self.door.is_none() {
            self.door = Some(Door::open(settings)?);
        }
        let offering = &settings.offering;
        for folder in &offering.notices {
            std::fs::create_dir_all(folder).doing(|| format!("make the folder `{}`", folder.display()))?;
        }
        for (service, interface) in generation.manifest.services.iter().zip(names) {
            if self.listening.iter().any(|listening| listening.interface == interface) {
                continue;
            }
            let listener = listen(offering.address, offering.port)
                .map_err(|problem| problem.because(format!("for `{interface}`")))?;
            let address = listener.local_addr().doing(|| "look at a port")?;
            let name = format!("{}.{}", generation.app, service.interface.service);
            let notices: Vec<_> = offering.notices.iter().map(|folder| folder.join(&name)).collect();
            for notice in &notices {
                write(notice, address)?;
            }
            let (app, service) = (generation.app.clone(), service.interface.service.clone());
            let registered = None;
            self.listening.push(Listening { app, service, interface, listener, address, notices, registered });
        }
        Ok(())
    }

    /// The sockets of the services named, in their order, and the door.
    pub fn of(&self, interfaces: impl Iterator<Item = String>) -> Option<(Vec<&TcpListener>, &UnixListener)> {
        let find = |name: String| self.listening.iter().find(|listening| listening.interface == name);
        let listeners =
            interfaces.map(|name| find(name).map(|listening| &listening.listener)).collect::<Option<_>>()?;
        Some((listeners, &self.door.as_ref()?.listener))
    }

    /// All of them answer.
    pub fn register(&mut self, registry: &Registry) {
        for listening in &mut self.listening {
            let Listening { app, service, address, registered, .. } = listening;
            registered.get_or_insert_with(|| registry.register(app, service, *address));
        }
    }

    /// Nobody new should come.
    pub fn withdraw(&mut self) {
        self.listening.iter_mut().for_each(|listening| listening.registered = None);
    }

    /// `user.UserStorage at 127.0.0.1:7303` of each.
    pub fn told(&self) -> Vec<String> {
        self.listening.iter().map(|listening| format!("{} at {}", listening.interface, listening.address)).collect()
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        // Another `dae serve` of the same app, in another folder, may have written it anew.
        let mine = |text: String| text.trim() == self.address.to_string();
        for notice in &self.notices {
            if std::fs::read_to_string(notice).is_ok_and(mine) {
                let _ = std::fs::remove_file(notice);
            }
        }
    }
}

impl Door {
    fn open(settings: &Settings) -> Result<Self> {
        let doing = || format!("make a socket in `{}`", settings.run_dir.display());
        let dir = tempfile::Builder::new().prefix("door-").tempdir_in(&settings.run_dir).doing(doing)?;
        let listener = UnixListener::bind(dir.path().join("door")).doing(doing)?;
        Ok(Self { listener, dir: dir.into() })
    }
}

/// On the port that is asked for, else on the first that is free.
fn listen(address: IpAddr, wanted: Option<u16>) -> Result<TcpListener> {
    let bind = |port: u16| TcpListener::bind((address, port));
    if let Some(port) = wanted {
        return bind(port)
            .doing(|| format!("listen on the port {port}"))
            .map_err(|problem| problem.hint("another program has it: name another one with `--port`, or none at all"));
    }
    for port in FIRST_PORT..FIRST_PORT + TRIED {
        match bind(port) {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {}
            listening => return listening.doing(|| format!("listen on the port {port}")),
        }
    }
    Err(Problem::new("service.ports", format!("no port from {FIRST_PORT} on is free for a service")))
}

/// Whole or not at all: somebody may be reading it.
fn write(notice: &Path, address: SocketAddr) -> Result<()> {
    let aside = notice.with_extension("new");
    let written = std::fs::write(&aside, format!("{address}\n")).and_then(|()| std::fs::rename(&aside, notice));
    written.doing(|| format!("write `{}`", notice.display()))
}
