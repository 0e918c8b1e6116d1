//! The processes that answer for a generation's services: see `python/dae/services.py` for what they are told.

use std::os::fd::{AsRawFd as _, RawFd};
use std::sync::Arc;

use nix::sys::socket::{ControlMessage, MsgFlags, sendmsg};
use serde_json::json;
use tokio::io::Interest;
use tokio::net::{UnixDatagram, UnixListener};

use super::super::folder::Folder;
use super::super::output::{LastLines, Source, listener};
use super::super::start::{LONGEST_WORD, Words, python};
use super::super::warm::{Parent, Warmth};
use super::super::{Generation, Meanwhile, Surroundings, contract};
use super::ports::Ports;
use crate::app::Service;
use crate::problem::{Doing as _, Problem, Result};
use crate::supervisor::Process;

/// Processes that are ready. Dropping it kills them.
#[derive(Debug)]
pub(in super::super) struct Answering {
    pub process: Process,
    /// What it was forked from; with it ends all it forked.
    pub parent: Option<Arc<Parent>>,
    /// Their sockets; gone with them.
    pub dir: Folder,
}

/// `user.UserStorage`.
pub(super) fn name(service: &Service) -> String {
    format!("{}.{}", service.interface.idl, service.interface.service)
}

impl Answering {
    /// Starts them, from the warm parent where there is one, and waits until they answer.
    pub async fn start(
        generation: &Generation,
        number: u64,
        surroundings: &Surroundings,
        warmth: &Warmth,
        ports: &Ports,
    ) -> Result<Self> {
        let settings = &*surroundings.settings;
        let rollout = settings.rollout;
        let services = &generation.manifest.services;
        let dir = settings.run_dir(generation, &format!("{number}-services"))?;
        let (lender_path, notify_path) = (dir.path().join("lender"), dir.path().join("notify"));
        let lender =
            UnixListener::bind(&lender_path).doing(|| format!("make the socket `{}`", lender_path.display()))?;
        let notify =
            UnixDatagram::bind(&notify_path).doing(|| format!("make the socket `{}`", notify_path.display()))?;
        for path in [&*lender_path, &*notify_path, dir.path()] {
            generation.launch.give(path)?;
        }
        let told: Vec<_> = services
            .iter()
            .map(|service| {
                let idl = service.interface.idl.rsplit('.').next().unwrap_or_default();
                json!({
                    "name": name(service),
                    "methods": format!("service_gen.{idl}.{}", service.interface.service),
                    "handler": service.handler.to_string(),
                })
            })
            .collect();
        let launch = &generation.launch;
        let config = json!({
            "app": generation.app,
            "root": generation.root,
            "runtime": launch.runtime,
            "site": launch.site,
            "environment": settings.environment,
            "worker": generation.manifest.worker,
            "nworkers": generation.manifest.nworkers,
            "services": told,
            "lender": lender_path,
            "notify": notify_path,
            "drain": rollout.drain_within.as_secs(),
            "env": contract::of_one(generation, settings),
        });
        let source = Source { generation, number: Some(number), process: "services" };
        let (process, last_lines, parent) = if let Ok(forked) = warmth.fork(source, surroundings, &config).await {
            (forked.process, forked.last_lines, Some(forked.parent))
        } else {
            let mut env = contract::environment(generation, settings.environment, &settings.inherited);
            env.push(("DAE_BOOT".into(), config.to_string()));
            let spec = python(launch, settings, "dae/services.py", generation.root.clone(), env);
            let last_lines = LastLines::default();
            let hear = listener(source, surroundings, last_lines.clone())?;
            let process = Process::start(&spec, hear).doing(|| format!("start `{}`", spec.program.display()))?;
            (process, last_lines, None)
        };
        let wanted = match rollout.meanwhile {
            Meanwhile::Hold => 1,
            Meanwhile::KeepServing => usize::from(generation.manifest.nworkers),
        };
        let mut words = Words { notify: &notify, buffer: vec![0; LONGEST_WORD], learned: None };
        let lent = async {
            lend(&lender, ports, services.iter().map(name)).await?;
            words.ready(wanted).await
        };
        tokio::select! {
            ready = lent => ready?,
            end = process.ended() => {
                // Its last word may be the reason; it was sent before the end.
                words.last()?;
                return Err(Problem::new("service.ended", "the process of the services ended before it answered")
                    .because(end)
                    .detail(last_lines.text()));
            }
            () = tokio::time::sleep(rollout.ready_within) => {
                let within = rollout.ready_within.as_secs();
                return Err(Problem::new("service.slow", format!("the services were not ready within {within} seconds"))
                    .detail(last_lines.text()));
            }
        }
        Ok(Self { process, parent, dir })
    }
}

/// Gives the listening sockets to the process that asks for them.
async fn lend(lender: &UnixListener, ports: &Ports, interfaces: impl Iterator<Item = String>) -> Result<()> {
    let doing = || "lend the services' sockets to their process";
    let (stream, _) = lender.accept().await.doing(doing)?;
    let Some((listeners, door)) = ports.of(interfaces) else {
        return Err(Problem::new("service.ports", "a service has no socket to listen on"));
    };
    let fds: Vec<RawFd> = listeners.iter().map(|listener| listener.as_raw_fd()).chain([door.as_raw_fd()]).collect();
    let send = || {
        let control = [ControlMessage::ScmRights(&fds)];
        sendmsg::<()>(stream.as_raw_fd(), &[std::io::IoSlice::new(b"x")], &control, MsgFlags::empty(), None)
            .map_err(std::io::Error::from)
    };
    stream.async_io(Interest::WRITABLE, send).await.doing(doing)?;
    Ok(())
}
