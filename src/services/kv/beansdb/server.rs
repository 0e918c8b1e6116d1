//! Connections to the store. Knows the protocol and the store, and nothing of where the data is.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::sync::oneshot::error::{RecvError, TryRecvError};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::codec::{Decoder, Reply, Request, Write};
use super::shelf::Shelf;
use super::stats::Stats;
use super::store::{Compaction, Store, Stored, Written};
use crate::problem::{Problem, Result};
use crate::services::Guarded;

/// So much of an answer is collected before it is sent.
const PIECE: usize = 1 << 20;
/// So many writes of one connection, with so many bytes, may wait for the disk.
const MOST_WAITING: usize = 1024;
const MOST_WAITING_BYTES: usize = 16 << 20;
/// So much is read at once.
const READ: usize = 1 << 16;
const CLOSING: &str = "SERVER_ERROR the store is closing";

/// Serves until it is told to stop; everything is written then.
pub async fn serve(listener: impl Into<Guarded<TcpListener>>, shelf: Shelf, stop: CancellationToken) {
    let (listener, shelf) = (listener.into(), Arc::new(shelf));
    let mut connections = JoinSet::new();
    loop {
        let (stream, _) = tokio::select! {
            accepted = listener.accept() => accepted,
            Some(_) = connections.join_next() => continue,
            () = stop.cancelled() => break,
        };
        let connection = Connection::new(stream, shelf.clone());
        connections.spawn(connection.run(stop.clone()));
    }
    while connections.join_next().await.is_some() {}
    if let Some(shelf) = Arc::into_inner(shelf) {
        shelf.close().await;
    }
}

struct Connection {
    stream: TcpStream,
    shelf: Arc<Shelf>,
    input: BytesMut,
    output: Vec<u8>,
    /// Writes that were asked for and are not answered, in order.
    waiting: VecDeque<Waiting>,
    waiting_bytes: usize,
}

struct Waiting {
    reply: Reply,
    written: oneshot::Receiver<Result<Written>>,
}

/// Whether a connection goes on.
#[derive(PartialEq, Eq)]
enum Then {
    Goes,
    Ends,
}

impl Connection {
    fn new(stream: TcpStream, shelf: Arc<Shelf>) -> Self {
        // A small answer must not wait for the next one.
        let _ = stream.set_nodelay(true);
        let stats = &shelf.stats;
        stats.current_connections.fetch_add(1, Relaxed);
        stats.total_connections.fetch_add(1, Relaxed);
        Self { stream, shelf, input: BytesMut::new(), output: Vec::new(), waiting: VecDeque::new(), waiting_bytes: 0 }
    }

    /// A client that goes away is no problem of ours.
    async fn run(mut self, stop: CancellationToken) {
        let _ = self.converse(&stop).await;
        self.shelf.stats.current_connections.fetch_sub(1, Relaxed);
    }

    async fn converse(&mut self, stop: &CancellationToken) -> io::Result<()> {
        let mut decoder = Decoder::new(self.shelf.longest_value);
        loop {
            while let Some(request) = decoder.next(&mut self.input) {
                if self.answer(request).await? == Then::Ends {
                    return self.send().await;
                }
            }
            if self.waiting.is_empty() {
                self.send().await?;
            }
            self.input.reserve(READ);
            // More may come before what is waiting is on disk: then it goes there together.
            tokio::select! {
                biased;
                read = self.stream.read_buf(&mut self.input) => {
                    let read = read?;
                    if read == 0 {
                        self.settle().await;
                        return self.send().await;
                    }
                    self.shelf.stats.bytes_read.fetch_add(read as u64, Relaxed);
                }
                written = first(&mut self.waiting) => {
                    if let Some(Waiting { reply, .. }) = self.waiting.pop_front() {
                        self.line(reply, &said(written));
                    }
                    self.settle_ready();
                    self.send().await?;
                }
                () = stop.cancelled() => {
                    self.settle().await;
                    return self.send().await;
                }
            }
        }
    }

    async fn answer(&mut self, request: Request) -> io::Result<Then> {
        let request = match request {
            Request::Write(write, reply) => {
                self.write(write, reply).await;
                return Ok(Then::Goes);
            }
            other => other,
        };
        // In order, and what was written on this connection is read on it.
        self.settle().await;
        match request {
            Request::Write(..) => {}
            Request::Get(keys) => self.get(keys).await?,
            Request::FlushAll(reply) => {
                let line = match self.shelf.store().await {
                    Ok(store) => match store.compact().await {
                        Ok(true) => "OK".into(),
                        Ok(false) => "ERROR OPTIMIZE_RUNNING".into(),
                        Err(_) => CLOSING.into(),
                    },
                    Err(problem) => failed(&problem),
                };
                self.line(reply, &line);
            }
            Request::OptimizeStat => {
                let line = match self.shelf.store().await.map(|store| store.compaction()) {
                    Ok(Compaction::Done) => "success".into(),
                    Ok(Compaction::Running) => "running bitcast 0x0".into(),
                    Ok(Compaction::Failed) => "fail".into(),
                    Err(problem) => failed(&problem),
                };
                self.line(Reply::Wanted, &line);
            }
            Request::Stats => match self.shelf.store().await {
                Ok(store) => self.shelf.stats.write(&store, &self.shelf.folder, &mut self.output),
                Err(problem) => self.line(Reply::Wanted, &failed(&problem)),
            },
            Request::ResetStats => {
                self.shelf.stats.reset();
                self.line(Reply::Wanted, "RESET");
            }
            Request::Version => self.line(Reply::Wanted, &format!("VERSION {}", Stats::VERSION)),
            Request::Verbosity(reply) => self.line(reply, "OK"),
            Request::Refused(line, reply) => self.line(reply, line),
            Request::Quit => return Ok(Then::Ends),
            Request::Lost(line) => {
                self.line(Reply::Wanted, line);
                return Ok(Then::Ends);
            }
        }
        Ok(Then::Goes)
    }

    /// Asks for a change, and does not wait for it.
    async fn write(&mut self, write: Write, reply: Reply) {
        let (counter, size) = match &write {
            Write::Delete { .. } => (&self.shelf.stats.deletes, 0),
            Write::Set { value, .. } | Write::Append { value, .. } => (&self.shelf.stats.sets, value.len()),
            Write::Incr { .. } => (&self.shelf.stats.sets, 0),
        };
        counter.fetch_add(1, Relaxed);
        match self.shelf.store().await {
            Ok(store) => {
                self.waiting.push_back(Waiting { reply, written: store.write(write) });
                self.waiting_bytes += size;
                if self.waiting.len() >= MOST_WAITING || self.waiting_bytes >= MOST_WAITING_BYTES {
                    self.settle().await;
                }
            }
            Err(problem) => {
                self.settle().await;
                self.line(reply, &failed(&problem));
            }
        }
    }

    /// Waits for what was asked for, and answers.
    async fn settle(&mut self) {
        while let Some(Waiting { reply, written }) = self.waiting.pop_front() {
            let line = said(written.await);
            self.line(reply, &line);
        }
        self.waiting_bytes = 0;
    }

    /// Answers what need not be waited for.
    fn settle_ready(&mut self) {
        while let Some(first) = self.waiting.front_mut() {
            let written = match first.written.try_recv() {
                Ok(written) => Ok(written),
                Err(TryRecvError::Empty) => return,
                Err(TryRecvError::Closed) => Err(()),
            };
            let reply = first.reply;
            self.waiting.pop_front();
            self.line(reply, &said(written));
        }
        self.waiting_bytes = 0;
    }

    async fn get(&mut self, keys: Vec<Bytes>) -> io::Result<()> {
        let stats = &self.shelf.stats;
        stats.gets.fetch_add(keys.len() as u64, Relaxed);
        let store = match self.shelf.store().await {
            Ok(store) => store,
            Err(problem) => {
                self.line(Reply::Wanted, &failed(&problem));
                return Ok(());
            }
        };
        let mut keys = VecDeque::from(keys);
        while !keys.is_empty() {
            let store = store.clone();
            let mut output = std::mem::take(&mut self.output);
            // The disk may let a read wait; other connections need not.
            let piece = tokio::task::spawn_blocking(move || {
                let mut hits = 0;
                while let Some(key) = keys.pop_front() {
                    match value(&store, &key, &mut output) {
                        Ok(hit) => hits += u64::from(hit),
                        Err(problem) => return (keys, output, hits, Some(problem)),
                    }
                    if output.len() > PIECE {
                        break;
                    }
                }
                (keys, output, hits, None)
            });
            let (rest, output, hits, problem) = piece.await.map_err(io::Error::other)?;
            self.shelf.stats.hits.fetch_add(hits, Relaxed);
            (keys, self.output) = (rest, output);
            if let Some(problem) = problem {
                self.line(Reply::Wanted, &failed(&problem));
                return Ok(());
            }
            if !keys.is_empty() {
                self.send().await?;
            }
        }
        self.line(Reply::Wanted, "END");
        Ok(())
    }

    fn line(&mut self, reply: Reply, line: &str) {
        if reply == Reply::Wanted {
            self.output.extend_from_slice(line.as_bytes());
            self.output.extend_from_slice(b"\r\n");
        }
    }

    async fn send(&mut self) -> io::Result<()> {
        self.stream.write_all(&self.output).await?;
        self.shelf.stats.bytes_written.fetch_add(self.output.len() as u64, Relaxed);
        self.output.clear();
        self.output.shrink_to(PIECE);
        Ok(())
    }
}

/// What the first of them came to; never, where there is none.
async fn first(waiting: &mut VecDeque<Waiting>) -> Result<Result<Written>, RecvError> {
    match waiting.front_mut() {
        Some(first) => (&mut first.written).await,
        None => std::future::pending().await,
    }
}

/// The answer to a write; without one the store has closed.
fn said<E>(written: Result<Result<Written>, E>) -> Cow<'static, str> {
    match written {
        Ok(Ok(Written::Stored)) => "STORED".into(),
        Ok(Ok(Written::NotStored)) => "NOT_STORED".into(),
        Ok(Ok(Written::Deleted)) => "DELETED".into(),
        Ok(Ok(Written::NotFound)) => "NOT_FOUND".into(),
        Ok(Ok(Written::Number(number))) => number.to_string().into(),
        Ok(Err(problem)) => failed(&problem),
        Err(_) => CLOSING.into(),
    }
}

/// One line, whatever the problem says.
fn failed(problem: &Problem) -> Cow<'static, str> {
    let text: String = problem.to_string().chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    format!("SERVER_ERROR {text}").into()
}

/// Appends the answer for one key. False: there is none.
fn value(store: &Store, key: &[u8], output: &mut Vec<u8>) -> Result<bool> {
    if let Some(path) = key.strip_prefix(b"@") {
        let list = store.list(path);
        if let Some(list) = &list {
            block(output, key, 0, list);
        }
        return Ok(list.is_some());
    }
    if let Some(name) = key.strip_prefix(b"?") {
        let (name, with_place) = name.strip_prefix(b"?").map_or((name, false), |name| (name, true));
        let stored = store.get(name)?;
        if let Some(stored) = &stored {
            block(output, key, 0, meta(stored, with_place).as_bytes());
        }
        return Ok(stored.is_some());
    }
    let stored = store.get(key)?;
    let record = stored.as_ref().and_then(Stored::live);
    if let Some(record) = record {
        block(output, key, record.flag, record.value);
    }
    Ok(record.is_some())
}

/// What `?key` tells, and with the place `??key`.
fn meta(stored: &Stored, with_place: bool) -> String {
    let (record, slot) = (stored.record(), stored.slot);
    let (version, hash) = (record.version, record.value_hash());
    let meta = format!("{version} {hash} {} {} {}", record.flag, record.value.len(), record.time);
    if with_place { format!("{meta} {} {}", slot.file, slot.offset) } else { meta }
}

fn block(output: &mut Vec<u8>, key: &[u8], flag: u32, value: &[u8]) {
    output.reserve(key.len() + value.len() + 40);
    output.extend_from_slice(b"VALUE ");
    output.extend_from_slice(key);
    output.extend_from_slice(format!(" {flag} {}\r\n", value.len()).as_bytes());
    output.extend_from_slice(value);
    output.extend_from_slice(b"\r\n");
}
