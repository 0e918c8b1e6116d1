//! A connection to one server of a ZooKeeper: one request at a time, each with its answer.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::wire::{self, LARGEST, Lasting, PING_NUMBER, Refusal, Session};

/// The longest a session may be silent before ZooKeeper forgets what it has made, in milliseconds. A server may shorten it
/// no further than two of its ticks.
const SESSION: i32 = 6000;

#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    number: i32,
    pub session: Session,
}

/// Why a connection is of no use any more.
#[derive(Debug)]
pub enum Lost {
    Io(io::Error),
    /// What this session had made is gone.
    Expired,
}

impl From<io::Error> for Lost {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl Connection {
    /// Goes on with `session`, where it is still known.
    pub async fn open(server: &str, session: &Session) -> Result<Self, Lost> {
        let open = async {
            let mut stream = TcpStream::connect(server).await?;
            stream.set_nodelay(true)?;
            stream.write_all(&wire::connect(session, SESSION)).await?;
            let answer = message(&mut stream).await?;
            Ok((stream, answer))
        };
        let (stream, answer) = within(SESSION, open).await?;
        let session = wire::connected(&answer).ok_or(Lost::Expired)?;
        Ok(Self { stream, number: 0, session })
    }

    /// How often something should be said, so that the session lives on.
    pub fn beat(&self) -> Duration {
        Duration::from_millis(u64::try_from(self.session.timeout / 3).unwrap_or(1000).max(1))
    }

    pub async fn create(&mut self, path: &str, lasting: Lasting) -> Result<Result<(), Refusal>, Lost> {
        self.number += 1;
        let answer = self.ask(self.number, wire::create(self.number, path, lasting)).await?;
        Ok(answer.map(drop))
    }

    pub async fn delete(&mut self, path: &str) -> Result<Result<(), Refusal>, Lost> {
        self.number += 1;
        let answer = self.ask(self.number, wire::delete(self.number, path)).await?;
        Ok(answer.map(drop))
    }

    /// The session that made a node; 0 for one that lasts, none where there is no such node.
    pub async fn owner(&mut self, path: &str) -> Result<Result<Option<i64>, Refusal>, Lost> {
        self.number += 1;
        let answer = self.ask(self.number, wire::exists(self.number, path)).await?;
        Ok(match answer {
            Ok(stat) => Ok(wire::owner(&stat)),
            Err(Refusal::NoNode) => Ok(None),
            Err(refusal) => Err(refusal),
        })
    }

    pub async fn ping(&mut self) -> Result<(), Lost> {
        drop(self.ask(PING_NUMBER, wire::ping()).await?);
        Ok(())
    }

    /// Ends the session: what it has made is gone at once.
    pub async fn close(mut self) -> Result<(), Lost> {
        self.number += 1;
        drop(self.ask(self.number, wire::close(self.number)).await?);
        Ok(())
    }

    async fn ask(&mut self, number: i32, request: Vec<u8>) -> Result<Result<Vec<u8>, Refusal>, Lost> {
        let timeout = self.session.timeout;
        let asked = async {
            self.stream.write_all(&request).await?;
            loop {
                let message = message(&mut self.stream).await?;
                match wire::answer(&message) {
                    Some((for_whom, answer)) if for_whom == number => return Ok(answer.map(<[u8]>::to_vec)),
                    // Said to nobody who asked.
                    Some(_) => {}
                    None => return Err(io::Error::new(io::ErrorKind::InvalidData, "this is no ZooKeeper's answer")),
                }
            }
        };
        match within(timeout, asked).await? {
            Err(Refusal::SessionExpired) => Err(Lost::Expired),
            answer => Ok(answer),
        }
    }
}

async fn within<T>(milliseconds: i32, work: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    let limit = Duration::from_millis(u64::try_from(milliseconds).unwrap_or_default());
    let late = || io::Error::new(io::ErrorKind::TimedOut, format!("no answer within {limit:?}"));
    tokio::time::timeout(limit, work).await.unwrap_or_else(|_| Err(late()))
}

async fn message(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let length = usize::try_from(stream.read_i32().await?).ok().filter(|length| *length <= LARGEST);
    let wrong = || io::Error::new(io::ErrorKind::InvalidData, "this is no ZooKeeper");
    let mut message = vec![0; length.ok_or_else(wrong)?];
    stream.read_exact(&mut message).await?;
    Ok(message)
}
