//! A client, for commands that look into a store: ours, or the one that dev.yaml names. One request at a time.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use crate::problem::{Doing as _, Problem, Result};

const PATIENCE: Duration = Duration::from_secs(30);

pub struct Client {
    address: String,
    stream: BufReader<TcpStream>,
}

/// A value, or what else a key of the dialect's own brings.
#[derive(Debug)]
pub struct Answer {
    pub flag: u32,
    pub value: Vec<u8>,
}

/// A line of the hash tree.
#[derive(Debug)]
pub enum Listed {
    Node { digit: char, hash: u32, count: u32 },
    Key { key: String, version: i32 },
}

impl Client {
    /// `address` is `host:port`; of several with commas between the first one.
    pub fn open(address: &str) -> Result<Self> {
        let address = address.split(',').next().unwrap_or_default().trim().to_owned();
        let stream = TcpStream::connect(&address)
            .doing(|| format!("reach beansdb at `{address}`"))
            .map_err(|problem| problem.hint("is `beansdb` in dev.yaml the address of one that runs?"))?;
        stream.set_read_timeout(Some(PATIENCE)).doing(|| "set a time limit")?;
        Ok(Self { address, stream: BufReader::new(stream) })
    }

    pub fn get(&mut self, key: &str) -> Result<Option<Answer>> {
        self.send(format!("get {}\r\n", named(key)?).as_bytes())?;
        let line = self.line()?;
        if line == "END" {
            return Ok(None);
        }
        let words: Vec<&str> = line.split(' ').collect();
        let (Some(flag), Some(length)) = (number(&words, 2), number::<usize>(&words, 3)) else {
            return Err(self.refused(&line));
        };
        let mut value = vec![0; length + 2];
        self.stream.read_exact(&mut value).doing(|| "read a value from beansdb")?;
        value.truncate(length);
        self.line()?;
        Ok(Some(Answer { flag, value }))
    }

    /// False: it was not stored.
    pub fn set(&mut self, key: &str, flag: u32, version: i32, value: &[u8]) -> Result<bool> {
        let line = format!("set {} {flag} {version} {}\r\n", named(key)?, value.len());
        self.send(&[line.as_bytes(), value, b"\r\n"].concat())?;
        match &*self.line()? {
            "STORED" => Ok(true),
            "NOT_STORED" => Ok(false),
            other => Err(self.refused(other)),
        }
    }

    /// One level of the hash tree.
    pub fn list(&mut self, path: &str) -> Result<Vec<Listed>> {
        let Some(answer) = self.get(&format!("@{path}"))? else {
            return Err(Problem::new("beansdb.path", format!("`@{path}` is no node of the hash tree"))
                .hint("up to eight hexadecimal digits after the `@`"));
        };
        let text = String::from_utf8_lossy(&answer.value).into_owned();
        Ok(text.lines().filter_map(listed).collect())
    }

    fn send(&mut self, bytes: &[u8]) -> Result<()> {
        self.stream.get_mut().write_all(bytes).doing(|| format!("write to beansdb at `{}`", self.address))
    }

    fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        self.stream.read_line(&mut line).doing(|| format!("read from beansdb at `{}`", self.address))?;
        if line.is_empty() {
            return Err(Problem::new("beansdb.closed", format!("beansdb at `{}` closed the connection", self.address)));
        }
        Ok(line.trim_end().to_owned())
    }

    fn refused(&self, line: &str) -> Problem {
        Problem::new("beansdb.refused", format!("beansdb at `{}` refused", self.address)).because(line)
    }
}

fn number<T: std::str::FromStr>(words: &[&str], at: usize) -> Option<T> {
    words.get(at)?.parse().ok()
}

fn listed(line: &str) -> Option<Listed> {
    let mut words = line.rsplitn(3, ' ');
    let (second, first, name) = (words.next()?, words.next()?, words.next()?);
    let mut letters = name.chars();
    if let (Some(digit), Some('/'), None) = (letters.next(), letters.next(), letters.next()) {
        return Some(Listed::Node { digit, hash: first.parse().ok()?, count: second.parse().ok()? });
    }
    Some(Listed::Key { key: name.to_owned(), version: second.parse().ok()? })
}

/// What goes on the wire is one word.
fn named(key: &str) -> Result<&str> {
    if super::codec::is_key(key.as_bytes()) || super::codec::is_key(key.trim_start_matches('?').as_bytes()) {
        return Ok(key);
    }
    Err(Problem::new("beansdb.key", format!("{key:?} is no key"))
        .hint("1 to 250 bytes without spaces and control characters"))
}
