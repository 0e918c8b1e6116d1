//! Scribe's clients in, lines out to the files of their categories.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::Categories;
use super::forward::Forwarder;
use super::scribe::{self, About, Entry, LARGEST, Outcome, Wants};
use crate::app::DevSettings;
use crate::services::{Guarded, Space, Tell};

/// So many clients at once: every thread of an app may have one.
const MOST_CLIENTS: usize = 500;

#[derive(Debug)]
pub struct Server {
    categories: Mutex<Categories>,
    forwarder: Mutex<Option<Forwarder>>,
    /// Where dev.yaml is, on a developer's machine.
    root: Option<PathBuf>,
    tell: Tell,
    since: jiff::Timestamp,
    received: AtomicI64,
    refused: AtomicI64,
}

impl Server {
    pub fn new(space: &Space) -> Self {
        // Beside the data; those of a developer's machine are all in one place.
        let dae = space.data.ancestors().find(|folder| folder.file_name().is_some_and(|name| name == ".dae"));
        let beside = dae.or(space.data.parent()).unwrap_or(Path::new("."));
        Self {
            categories: Mutex::new(Categories::new(beside.join("logs/scribe"))),
            forwarder: Mutex::default(),
            root: space.machine.code.clone(),
            tell: space.tell.clone(),
            since: jiff::Timestamp::now(),
            received: AtomicI64::new(0),
            refused: AtomicI64::new(0),
        }
    }

    /// Takes logs until `stop`.
    pub async fn serve(self: Arc<Self>, listener: Guarded<TcpListener>, stop: CancellationToken) {
        let (clients, places) = (TaskTracker::new(), Arc::new(Semaphore::new(MOST_CLIENTS)));
        loop {
            let (stream, _) = tokio::select! {
                accepted = listener.accept() => accepted,
                () = stop.cancelled() => break,
            };
            // One too many is hung up on.
            let Ok(place) = places.clone().try_acquire_owned() else { continue };
            let (server, stop) = (self.clone(), stop.clone());
            clients.spawn(async move {
                server.look_for_another();
                // How a connection ends is the client's business.
                tokio::select! { _ = server.talk(stream) => {}, () = stop.cancelled() => {} }
                drop(place);
            });
        }
        clients.close();
        clients.wait().await;
        self.forwarder.lock().unwrap_or_else(PoisonError::into_inner).take();
    }

    /// dev.yaml may name a server to pass everything on to.
    fn look_for_another(&self) {
        let settings = self.root.as_deref().map(|root| DevSettings::read(root, "dev.yaml"));
        // What is wrong in it is told by whoever serves the app.
        let Some(Ok((settings, _))) = settings else { return };
        let wanted = settings.scribe.map(|address| address.to_string());
        let mut forwarder = self.forwarder.lock().unwrap_or_else(PoisonError::into_inner);
        if forwarder.as_ref().map(|forwarder| &forwarder.address) != wanted.as_ref() {
            *forwarder = wanted.map(|address| Forwarder::new(address, self.tell.clone()));
        }
    }

    async fn talk(self: &Arc<Self>, mut stream: TcpStream) -> io::Result<()> {
        // A socket option that does not take only costs speed.
        let _ = stream.set_nodelay(true);
        loop {
            let length = usize::try_from(stream.read_u32().await?).unwrap_or(usize::MAX);
            if length > LARGEST {
                self.refuse(&format!("a frame of {length} bytes"));
                return Ok(());
            }
            // As it comes, and not as it is said to be: memory for what is sent only.
            let mut frame = Vec::new();
            (&mut stream).take(length as u64).read_to_end(&mut frame).await?;
            if frame.len() < length {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let server = self.clone();
            let reply = tokio::task::spawn_blocking(move || server.handle(&frame)).await?;
            match reply {
                Ok(Some(reply)) => stream.write_all(&reply).await?,
                Ok(None) => {}
                Err(why) => {
                    self.refuse(&why);
                    return Ok(());
                }
            }
        }
    }

    fn refuse(&self, why: &str) {
        self.refused.fetch_add(1, Ordering::Relaxed);
        let line = format!("a client that speaks no framed, binary Thrift was hung up on: {why}");
        self.tell.note("scribe", line.replace(char::is_control, " "));
    }

    /// The answer to a frame.
    fn handle(&self, frame: &[u8]) -> Result<Option<Vec<u8>>, String> {
        let call = scribe::read(frame)?;
        let mut outcome = Outcome::Ok;
        if let Wants::Log(entries) = &call.wants {
            outcome = self.keep(entries);
            if let Some(forwarder) = &*self.forwarder.lock().unwrap_or_else(PoisonError::into_inner)
                && outcome == Outcome::Ok
            {
                forwarder.send(entries.clone());
            }
        }
        let counters = [("received", &self.received), ("refused", &self.refused)];
        let counters = counters.map(|(name, count)| (name.to_owned(), count.load(Ordering::Relaxed))).to_vec();
        let about = About { alive_since: self.since.as_second(), counters };
        Ok(scribe::answer(&call, outcome, &about))
    }

    fn keep(&self, entries: &[Entry]) -> Outcome {
        let mut categories = self.categories.lock().unwrap_or_else(PoisonError::into_inner);
        for entry in entries {
            if categories.write(entry).is_err() {
                return Outcome::TryLater;
            }
            self.received.fetch_add(1, Ordering::Relaxed);
        }
        Outcome::Ok
    }
}
