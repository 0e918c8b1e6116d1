//! Passes what comes on to a Scribe server elsewhere, and never lets the app wait for it.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::mpsc;

use super::scribe::{Entry, log};
use crate::services::Tell;

/// So many calls wait; further ones are lost there, and kept here all the same.
const WAITING: usize = 1000;
const PATIENCE: Duration = Duration::from_secs(10);
/// Before a server that was away is tried again.
const PAUSE: Duration = Duration::from_secs(2);

/// Sends to one server, for as long as it lives.
#[derive(Debug)]
pub struct Forwarder {
    pub address: String,
    queue: mpsc::Sender<Vec<Entry>>,
}

impl Forwarder {
    pub fn new(address: String, tell: Tell) -> Self {
        let (queue, entries) = mpsc::channel(WAITING);
        tokio::spawn(forward(address.clone(), entries, tell));
        Self { address, queue }
    }

    pub fn send(&self, entries: Vec<Entry>) {
        // It is full: the server does not keep up, which was said.
        let _ = self.queue.try_send(entries);
    }
}

async fn forward(address: String, mut queue: mpsc::Receiver<Vec<Entry>>, tell: Tell) {
    let mut stream = None;
    let mut said = false;
    while let Some(entries) = queue.recv().await {
        let Some(frame) = log(&entries) else { continue };
        loop {
            match tokio::time::timeout(PATIENCE, deliver(&mut stream, &address, &frame)).await {
                Ok(Ok(())) => {
                    said = false;
                    break;
                }
                failed => {
                    stream = None;
                    if !said {
                        let why = failed.map_or_else(|late| late.to_string(), |tried| format!("{:?}", tried.err()));
                        tell.note("scribe", format!("logs do not reach {address}: {why}; they are kept here"));
                        said = true;
                    }
                    if queue.is_closed() {
                        return;
                    }
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }
}

async fn deliver(stream: &mut Option<TcpStream>, address: &str, frame: &[u8]) -> std::io::Result<()> {
    let open = match stream.take() {
        Some(open) => open,
        None => TcpStream::connect(address).await?,
    };
    let open = stream.insert(open);
    open.write_all(frame).await?;
    let length = open.read_u32().await?;
    let mut reply = vec![0; usize::try_from(length.min(4096)).unwrap_or_default()];
    open.read_exact(&mut reply).await?;
    // The i32 before the struct's end: 1 is TRY_LATER.
    if reply.ends_with(&[0, 0, 0, 1, 0]) {
        return Err(std::io::Error::other("it asks to try later"));
    }
    Ok(())
}
