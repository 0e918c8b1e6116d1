//! A client for looking in: plain sockets and few commands, for this memcached or any other.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::time::Duration;

use crate::problem::{Problem, Result};

const CONNECT: Duration = Duration::from_secs(3);
const ANSWER: Duration = Duration::from_secs(20);
/// No answer's line is longer: a key, escaped, and what is said of it.
const LINE: u64 = 4096;
/// No value is larger.
const VALUE: u64 = 1 << 30;

#[derive(Debug)]
pub struct Client {
    address: String,
    stream: BufReader<TcpStream>,
}

/// A value as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Value {
    pub flags: u32,
    pub data: Vec<u8>,
}

/// A key as a listing has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// As bytes: a key need not be text.
    pub key: Vec<u8>,
    /// Unix time; none for ever.
    pub expires: Option<u64>,
    /// Of the whole item, as the server counts it.
    pub size: u64,
}

impl Client {
    /// `address` is `host:port`.
    pub fn connect(address: &str) -> Result<Self> {
        let away = |error: &dyn std::fmt::Display| {
            Problem::new("memcache.away", format!("no memcached answers at `{address}`"))
                .because(error)
                .hint("is `memcache` in dev.yaml the address of one that runs?")
        };
        let found = address.to_socket_addrs().map_err(|error| away(&error))?;
        let mut last = away(&"the name has no address");
        for socket in found {
            match TcpStream::connect_timeout(&socket, CONNECT) {
                Ok(stream) => {
                    // A socket that takes no timeout is of no use.
                    stream.set_read_timeout(Some(ANSWER)).map_err(|error| away(&error))?;
                    stream.set_write_timeout(Some(ANSWER)).map_err(|error| away(&error))?;
                    return Ok(Self { address: address.to_owned(), stream: BufReader::new(stream) });
                }
                Err(error) => last = away(&error),
            }
        }
        Err(last)
    }

    fn broken(&self, why: impl std::fmt::Display) -> Problem {
        Problem::new("memcache.broken", format!("`{}` does not answer as a memcached does", self.address)).because(why)
    }

    fn send(&mut self, parts: &[&[u8]]) -> Result<()> {
        let request = parts.concat();
        self.stream.get_mut().write_all(&request).map_err(|error| self.broken(error))
    }

    /// A line without its end.
    fn line(&mut self) -> Result<Vec<u8>> {
        let mut line = Vec::new();
        let read = self.stream.by_ref().take(LINE).read_until(b'\n', &mut line);
        read.map_err(|error| self.broken(error))?;
        if line.pop() != Some(b'\n') {
            return Err(self.broken("the answer broke off"));
        }
        if line.last() == Some(&b'\r') {
            line.pop();
        }
        Ok(line)
    }

    fn refused(line: &[u8]) -> Problem {
        let mut said = String::from_utf8_lossy(line).into_owned();
        if said.is_empty() {
            "nothing".clone_into(&mut said);
        }
        Problem::new("memcache.refused", "memcached refused that").because(said)
    }

    pub fn get(&mut self, key: &str) -> Result<Option<Value>> {
        check(key)?;
        self.send(&[b"get ", key.as_bytes(), b"\r\n"])?;
        let line = self.line()?;
        if line == b"END" {
            return Ok(None);
        }
        let text = String::from_utf8_lossy(&line).into_owned();
        let words: Vec<&str> = text.rsplitn(3, ' ').collect();
        let ([length, flags, _], true) = (&words[..], line.starts_with(b"VALUE ")) else {
            return Err(Self::refused(&line));
        };
        let (Ok(flags), Ok(length)) = (flags.parse(), length.parse::<u64>()) else {
            return Err(self.broken(text));
        };
        if length > VALUE {
            return Err(self.broken(text));
        }
        let mut data = Vec::new();
        let read = self.stream.by_ref().take(length).read_to_end(&mut data);
        read.map_err(|error| self.broken(error))?;
        if !(self.line()?.is_empty() && self.line()? == b"END") {
            return Err(self.broken("a value does not end where it should"));
        }
        Ok(Some(Value { flags, data }))
    }

    /// `ttl` in seconds; 0 is for ever.
    pub fn set(&mut self, key: &str, value: &Value, ttl: u32) -> Result<()> {
        check(key)?;
        let head = format!("set {key} {} {ttl} {}\r\n", value.flags, value.data.len());
        self.send(&[head.as_bytes(), &value.data, b"\r\n"])?;
        match self.line()? {
            line if line == b"STORED" => Ok(()),
            line => Err(Self::refused(&line)),
        }
    }

    /// Whether it was there.
    pub fn delete(&mut self, key: &str) -> Result<bool> {
        check(key)?;
        self.send(&[b"delete ", key.as_bytes(), b"\r\n"])?;
        match self.line()? {
            line if line == b"DELETED" => Ok(true),
            line if line == b"NOT_FOUND" => Ok(false),
            line => Err(Self::refused(&line)),
        }
    }

    pub fn flush(&mut self) -> Result<()> {
        self.send(&[b"flush_all\r\n"])?;
        match self.line()? {
            line if line == b"OK" => Ok(()),
            line => Err(Self::refused(&line)),
        }
    }

    pub fn stats(&mut self) -> Result<Vec<(String, String)>> {
        self.send(&[b"stats\r\n"])?;
        let mut found = Vec::new();
        loop {
            let line = self.line()?;
            if line == b"END" {
                return Ok(found);
            }
            let text = String::from_utf8_lossy(&line).into_owned();
            let mut words = text.splitn(3, ' ');
            let (Some("STAT"), Some(name)) = (words.next(), words.next()) else { return Err(Self::refused(&line)) };
            found.push((name.to_owned(), words.next().unwrap_or_default().to_owned()));
        }
    }

    /// Every key, in no order. What is stored meanwhile may be among them or not.
    pub fn keys(&mut self, mut each: impl FnMut(Key)) -> Result<()> {
        self.send(&[b"lru_crawler metadump all\r\n"])?;
        loop {
            let line = self.line()?;
            if line == b"END" {
                return Ok(());
            }
            each(listed(&line).ok_or_else(|| Self::refused(&line))?);
        }
    }
}

fn check(key: &str) -> Result<()> {
    if key.is_empty() || key.len() > 250 || key.bytes().any(|byte| byte <= b' ' || byte == 0x7f) {
        return Err(Problem::new("memcache.key", format!("`{}` is no key", key.replace(char::is_control, " ")))
            .hint("a key is 1 to 250 bytes without blanks"));
    }
    Ok(())
}

/// `key=a%20b exp=-1 la=1 cas=1 fetch=no cls=1 size=61`.
fn listed(line: &[u8]) -> Option<Key> {
    let text = std::str::from_utf8(line).ok()?;
    let mut found = Key { key: unescaped(text.strip_prefix("key=")?.split(' ').next()?)?, expires: None, size: 0 };
    for (name, value) in text.split(' ').filter_map(|word| word.split_once('=')) {
        match name {
            "exp" => found.expires = value.parse().ok(),
            "size" => found.size = value.parse().ok()?,
            _ => {}
        }
    }
    Some(found)
}

fn unescaped(text: &str) -> Option<Vec<u8>> {
    let (mut bytes, mut rest) = (Vec::new(), text.as_bytes());
    while let Some((first, after)) = rest.split_first() {
        if *first == b'%' {
            bytes.push(u8::from_str_radix(std::str::from_utf8(after.get(..2)?).ok()?, 16).ok()?);
            rest = &after[2..];
        } else {
            bytes.push(*first);
            rest = after;
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listing_is_read() {
        let line = b"key=a%2Fb%25 exp=1795372789 la=1 cas=1 fetch=no cls=1 size=61";
        assert_eq!(listed(line), Some(Key { key: b"a/b%".to_vec(), expires: Some(1_795_372_789), size: 61 }));
        assert_eq!(listed(b"key=a exp=-1 size=7"), Some(Key { key: b"a".to_vec(), expires: None, size: 7 }));
        for wrong in ["", "ERROR", "key=a% size=1", "key=%G1"] {
            assert_eq!(listed(wrong.as_bytes()), None, "{wrong}");
        }
    }

    #[test]
    fn a_key_has_no_blanks() {
        assert!(check("a:b").is_ok());
        for wrong in ["", "a b", "a\r\nflush_all", &"k".repeat(251)] {
            assert!(check(wrong).is_err(), "{wrong}");
        }
    }
}
