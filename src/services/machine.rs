//! What services find around themselves: the app's code, a cache, and the ports that stay theirs.

use std::collections::HashMap;
use std::io;
use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

/// What services may use beyond their own folders.
#[derive(Debug, Clone, Default)]
pub struct Machine {
    /// The folder app.yaml is in, where there is one.
    pub code: Option<PathBuf>,
    /// What can be fetched or made again.
    pub cache: PathBuf,
    /// Where programs are looked for first: `PATH`.
    pub path: String,
}

/// The ports of one app's services. They outlive a service that is stopped for a moment.
#[derive(Debug, Clone, Default)]
pub struct Ports(Arc<Mutex<HashMap<String, TcpListener>>>);

impl Ports {
    /// Not blocking, as tokio wants it.
    pub fn listen(&self, service: &str) -> io::Result<TcpListener> {
        let mut ports = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(listener) = ports.get(service) {
            return listener.try_clone();
        }
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        listener.set_nonblocking(true)?;
        ports.insert(service.to_owned(), listener.try_clone()?);
        Ok(listener)
    }
}
