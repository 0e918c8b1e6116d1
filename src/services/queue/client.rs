//! A client, for the commands that look into a queue: ours, or a real beanstalkd that dev.yaml names.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::time::Duration;

use crate::problem::{Doing as _, Problem, Result};

const PATIENCE: Duration = Duration::from_secs(30);

pub struct Client {
    stream: BufReader<TcpStream>,
    address: String,
}

/// A job as it is looked at.
#[derive(Debug, Clone)]
pub struct Seen {
    pub id: u64,
    pub body: Vec<u8>,
}

impl Client {
    pub fn connect(address: &str) -> Result<Self> {
        let connect = || -> io::Result<TcpStream> {
            let found = address.to_socket_addrs()?.next().ok_or(io::ErrorKind::NotFound)?;
            let stream = TcpStream::connect_timeout(&found, PATIENCE)?;
            stream.set_read_timeout(Some(PATIENCE))?;
            stream.set_nodelay(true)?;
            Ok(stream)
        };
        let stream = connect()
            .doing(|| format!("reach the queue server at `{address}`"))
            .map_err(|problem| problem.hint("is `queue` in dev.yaml the address of one that runs?"))?;
        Ok(Self { stream: BufReader::new(stream), address: address.to_owned() })
    }

    /// Another connection to the same server.
    pub fn again(&self) -> Result<Self> {
        Self::connect(&self.address)
    }

    /// Sends a line; the words of the answer.
    pub fn ask(&mut self, line: &str) -> Result<Vec<String>> {
        let address = self.address.clone();
        let mut ask = || -> io::Result<String> {
            self.stream.get_mut().write_all(format!("{line}\r\n").as_bytes())?;
            let mut answer = String::new();
            self.stream.read_line(&mut answer)?;
            Ok(answer)
        };
        let answer = ask().doing(|| format!("speak to the queue server at `{address}`"))?;
        let words: Vec<String> = answer.split_whitespace().map(str::to_owned).collect();
        if words.is_empty() {
            return Err(Problem::new("queue.gone", format!("the queue server at `{address}` closed the connection")));
        }
        Ok(words)
    }

    fn body(&mut self, length: &str) -> Result<Vec<u8>> {
        let length: usize = length
            .parse()
            .map_err(|_| Problem::new("queue.answer", format!("the queue server answered `{length}` for a length")))?;
        let mut body = vec![0; length + 2];
        self.stream.read_exact(&mut body).doing(|| "read from the queue server")?;
        body.truncate(length);
        Ok(body)
    }

    /// The lines of a YAML answer; `None`: there is no such thing.
    pub fn document(&mut self, line: &str) -> Result<Option<String>> {
        let words = self.ask(line)?;
        match words.as_slice() {
            [ok, length] if ok == "OK" => {
                let body = self.body(&length.clone())?;
                Ok(Some(String::from_utf8_lossy(&body).into_owned()))
            }
            _ => Ok(None),
        }
    }

    /// `key: value` lines.
    pub fn pairs(&mut self, line: &str) -> Result<Option<Vec<(String, String)>>> {
        let pair = |line: &str| {
            let (key, value) = line.split_once(": ")?;
            Some((key.to_owned(), value.trim_matches('"').to_owned()))
        };
        Ok(self.document(line)?.map(|text| text.lines().filter_map(pair).collect()))
    }

    pub fn tubes(&mut self) -> Result<Vec<String>> {
        let text = self.document("list-tubes")?.unwrap_or_default();
        let mut tubes: Vec<String> =
            text.lines().filter_map(|line| line.strip_prefix("- ")).map(str::to_owned).collect();
        tubes.sort_unstable();
        Ok(tubes)
    }

    /// `peek 7`, `peek-buried`; `None` where there is none.
    pub fn peek(&mut self, line: &str) -> Result<Option<Seen>> {
        let words = self.ask(line)?;
        match words.as_slice() {
            [found, id, length] if found == "FOUND" || found == "RESERVED" => {
                let (id, length) = (id.parse().unwrap_or_default(), length.clone());
                Ok(Some(Seen { id, body: self.body(&length)? }))
            }
            _ => Ok(None),
        }
    }
}
