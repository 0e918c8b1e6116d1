//! What services find around themselves: the app's code, a cache, and the addresses that stay theirs.

use std::collections::HashMap;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::app::Secrets;

/// What services may use beyond their own folders.
#[derive(Debug, Clone, Default)]
pub struct Machine {
    /// The folder app.yaml is in, where there is one.
    pub code: Option<PathBuf>,
    /// The folder for permanent files, where it is another than the app's own `permdir`.
    pub permdir: Option<PathBuf>,
    pub disk: Disk,
    /// The app has one elsewhere: that of its own starts only should somebody connect.
    pub other_database: bool,
    /// What can be fetched or made again.
    pub cache: PathBuf,
    /// Where programs are looked for first: `PATH`.
    pub path: String,
    pub config: Known,
}

/// The values of the app's configuration that are nobody else's to see, as they are at the moment.
#[derive(Debug, Clone, Default)]
pub struct Known(Arc<Mutex<Secrets>>);

impl Known {
    pub fn set(&self, secrets: Secrets) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = secrets;
    }

    pub fn values(&self) -> Secrets {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// How services write.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Disk {
    /// What is acknowledged outlives a power cut.
    #[default]
    Lasting,
    /// It outlives every process, and is written many times faster: for a developer's machine.
    Hasty,
}

/// What stays the same for the services of one space, when they are stopped for a moment: their listeners, so that whoever
/// connects meanwhile waits, and their passwords.
#[derive(Debug, Clone, Default)]
pub struct Kept(Arc<Mutex<Inner>>);

#[derive(Debug, Default)]
struct Inner {
    tcp: HashMap<String, TcpListener>,
    unix: HashMap<PathBuf, UnixListener>,
    words: HashMap<String, String>,
}

impl Kept {
    /// Not blocking, as tokio wants it.
    pub fn listen(&self, service: &str) -> io::Result<TcpListener> {
        let mut kept = self.inner();
        if let Some(listener) = kept.tcp.get(service) {
            return listener.try_clone();
        }
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        listener.set_nonblocking(true)?;
        kept.tcp.insert(service.to_owned(), listener.try_clone()?);
        Ok(listener)
    }

    /// At an address that is known beforehand.
    pub fn listen_at(&self, service: &str, address: SocketAddr) -> io::Result<SocketAddr> {
        let listener = TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        self.inner().tcp.insert(service.to_owned(), listener);
        Ok(address)
    }

    /// Not blocking either. What a killed process left at `path` is taken away.
    pub fn listen_unix(&self, path: &Path) -> io::Result<UnixListener> {
        let mut kept = self.inner();
        if let Some(listener) = kept.unix.get(path) {
            return listener.try_clone();
        }
        match std::fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let listener = UnixListener::bind(path)?;
        // Who may go into the folder may connect.
        std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o666))?;
        listener.set_nonblocking(true)?;
        kept.unix.insert(path.to_owned(), listener.try_clone()?);
        Ok(listener)
    }

    /// The word kept under `name`; the first time it is what `make` makes.
    pub fn word<E>(&self, name: &str, make: impl FnOnce() -> Result<String, E>) -> Result<String, E> {
        if let Some(word) = self.inner().words.get(name) {
            return Ok(word.clone());
        }
        let word = make()?;
        self.inner().words.insert(name.to_owned(), word.clone());
        Ok(word)
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
