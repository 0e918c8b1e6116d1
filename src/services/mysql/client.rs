//! As much of a MySQL client as dae needs itself: to load a schema, to dump, to answer at a prompt. It blocks.
//!
//! The protocol is the text one of MySQL 4.1 and later (MariaDB's documentation, "Client/Server Protocol"); it signs in with
//! `mysql_native_password`.

use std::io::{self, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Duration;

use sha1::{Digest as _, Sha1};

use crate::problem::Problem;

/// Where a server is, and who one is there.
#[derive(Clone)]
pub struct Account {
    pub address: Address,
    pub user: String,
    pub password: String,
    pub db: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    Unix(PathBuf),
    Tcp(String, u16),
}

/// What a statement came to nothing by.
#[derive(Debug)]
pub enum Fault {
    /// The server's own word; the connection goes on.
    Refused { code: u16, message: String },
    /// The connection is of no use any more.
    Lost(io::Error),
}

/// A column of a result.
#[derive(Debug, Clone)]
pub struct Column {
    pub name: String,
    pub kind: Kind,
}

/// How a value is written in a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Number,
    Text,
    /// Bytes that are no text.
    Bytes,
}

/// A row: `None` is NULL.
pub type Row = Vec<Option<Vec<u8>>>;

/// What a statement answered.
#[derive(Debug, Default)]
pub struct Answer {
    pub columns: Vec<Column>,
    pub rows: Vec<Row>,
    /// Rows that it changed.
    pub affected: u64,
}

pub struct Client {
    stream: BufReader<Stream>,
    sequence: u8,
}

enum Stream {
    Unix(UnixStream),
    Tcp(TcpStream),
}

/// CLIENT_LONG_PASSWORD, LONG_FLAG, CONNECT_WITH_DB, PROTOCOL_41, TRANSACTIONS, SECURE_CONNECTION, MULTI_RESULTS, PLUGIN_AUTH.
const CAPABILITIES: u32 = 0x1 | 0x4 | 0x8 | 0x200 | 0x2000 | 0x8000 | 0x2_0000 | 0x8_0000;
const UTF8MB4: u8 = 45;
const LONGEST_PACKET: usize = 0xff_ffff;
/// SERVER_MORE_RESULTS_EXISTS.
const MORE_RESULTS: u16 = 0x8;
/// The charset of what is no text.
const BINARY: u16 = 63;
const COM_QUERY: u8 = 3;
const NATIVE: &str = "mysql_native_password";

impl Client {
    pub fn connect(account: &Account, within: Duration) -> Result<Self, Fault> {
        let stream = match &account.address {
            Address::Unix(path) => Stream::Unix(UnixStream::connect(path)?),
            Address::Tcp(host, port) => Stream::Tcp(TcpStream::connect((host.as_str(), *port))?),
        };
        stream.wait_at_most(Some(within))?;
        let mut client = Self { stream: BufReader::new(stream), sequence: 0 };
        client.sign_in(account)?;
        client.stream.get_ref().wait_at_most(None)?;
        Ok(client)
    }

    fn sign_in(&mut self, account: &Account) -> Result<(), Fault> {
        let greeting = self.packet()?;
        if greeting.first() == Some(&0xff) {
            return Err(refused(&greeting));
        }
        let salt = salt(&greeting).ok_or_else(|| odd("it does not greet as a MySQL server does"))?;
        let mut answer = Vec::new();
        answer.extend(CAPABILITIES.to_le_bytes());
        answer.extend(0x0100_0000_u32.to_le_bytes());
        answer.push(UTF8MB4);
        answer.extend([0; 23]);
        answer.extend(account.user.bytes().chain([0]));
        let proof = scramble(&account.password, &salt);
        answer.push(u8::try_from(proof.len()).unwrap_or(0));
        answer.extend(proof);
        answer.extend(account.db.bytes().chain([0]));
        answer.extend(NATIVE.bytes().chain([0]));
        self.send(&answer)?;
        loop {
            let packet = self.packet()?;
            match packet.first() {
                Some(0) => return Ok(()),
                Some(0xff) => return Err(refused(&packet)),
                Some(0xfe) => {
                    let mut rest = packet[1..].splitn(2, |byte| *byte == 0);
                    let plugin = String::from_utf8_lossy(rest.next().unwrap_or_default()).into_owned();
                    if plugin != NATIVE {
                        return Err(odd(&format!("it wants `{plugin}` to sign in, which dae does not speak")));
                    }
                    let salt = rest.next().unwrap_or_default();
                    let salt = salt.strip_suffix(&[0]).unwrap_or(salt);
                    self.send(&scramble(&account.password, salt))?;
                }
                _ => return Err(odd("it does not let sign in as a MySQL server does")),
            }
        }
    }

    /// Runs one statement; of several results the last is the answer.
    pub fn query(&mut self, sql: &[u8]) -> Result<Answer, Fault> {
        let mut rows = Vec::new();
        let mut answer = self.each(sql, |_, row| {
            rows.push(row);
            Ok(())
        })?;
        answer.rows = rows;
        Ok(answer)
    }

    /// Runs one statement and gives `hear` each row as it comes.
    pub fn each(
        &mut self,
        sql: &[u8],
        mut hear: impl FnMut(&[Column], Row) -> io::Result<()>,
    ) -> Result<Answer, Fault> {
        self.sequence = 0;
        let mut command = Vec::with_capacity(sql.len() + 1);
        command.push(COM_QUERY);
        command.extend_from_slice(sql);
        self.send(&command)?;
        loop {
            let (answer, status) = self.result(&mut hear)?;
            if status & MORE_RESULTS == 0 {
                return Ok(answer);
            }
        }
    }

    fn result(&mut self, hear: &mut impl FnMut(&[Column], Row) -> io::Result<()>) -> Result<(Answer, u16), Fault> {
        let first = self.packet()?;
        match first.first() {
            Some(0xff) => return Err(refused(&first)),
            // A statement that wants a file of ours gets an empty one.
            Some(0xfb) => {
                self.send(&[])?;
                return self.result(hear);
            }
            Some(0) => {
                let mut fields = Fields(&first[1..]);
                let affected = fields.number().unwrap_or(0);
                let _last_id = fields.number();
                return Ok((Answer { affected, ..Answer::default() }, fields.short().unwrap_or(0)));
            }
            _ => {}
        }
        let count = Fields(&first).number().ok_or_else(|| odd("a result has no head"))?;
        let mut columns = Vec::new();
        for _ in 0..count {
            let packet = self.packet()?;
            columns.push(column(&packet).ok_or_else(|| odd("a column has no name"))?);
        }
        self.packet()?;
        loop {
            let packet = self.packet()?;
            match packet.first() {
                Some(0xff) => return Err(refused(&packet)),
                Some(0xfe) if packet.len() < 9 => {
                    let status = packet.get(3..5).map_or(0, |bytes| u16::from_le_bytes([bytes[0], bytes[1]]));
                    return Ok((Answer { columns, ..Answer::default() }, status));
                }
                _ => {
                    let mut fields = Fields(&packet);
                    let row = columns.iter().map(|_| fields.value()).collect::<Option<Row>>();
                    hear(&columns, row.ok_or_else(|| odd("a row is cut short"))?)?;
                }
            }
        }
    }

    fn packet(&mut self) -> Result<Vec<u8>, Fault> {
        let mut whole = Vec::new();
        loop {
            let mut head = [0; 4];
            self.stream.read_exact(&mut head)?;
            self.sequence = head[3].wrapping_add(1);
            let length = usize::from(head[0]) | usize::from(head[1]) << 8 | usize::from(head[2]) << 16;
            let at = whole.len();
            whole.resize(at + length, 0);
            self.stream.read_exact(&mut whole[at..])?;
            if length < LONGEST_PACKET {
                return Ok(whole);
            }
        }
    }

    fn send(&mut self, packet: &[u8]) -> Result<(), Fault> {
        let mut rest = packet;
        loop {
            let (part, after) = rest.split_at(rest.len().min(LONGEST_PACKET));
            let length = u32::try_from(part.len()).unwrap_or(0).to_le_bytes();
            let mut framed = vec![length[0], length[1], length[2], self.sequence];
            framed.extend_from_slice(part);
            self.sequence = self.sequence.wrapping_add(1);
            let stream = self.stream.get_mut();
            stream.write_all(&framed)?;
            rest = after;
            if part.len() < LONGEST_PACKET {
                return Ok(());
            }
        }
    }
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        Self::Lost(error)
    }
}

impl Fault {
    pub fn problem(self, doing: &str) -> Problem {
        match self {
            Self::Refused { code, message } => {
                Problem::new("mysql.refused", doing.to_owned()).because(format!("{message} ({code})"))
            }
            Self::Lost(error) => Problem::new("mysql.lost", doing.to_owned()).because(error),
        }
    }
}

impl Stream {
    fn wait_at_most(&self, within: Option<Duration>) -> io::Result<()> {
        match self {
            Self::Unix(stream) => stream.set_read_timeout(within),
            Self::Tcp(stream) => stream.set_read_timeout(within).and_then(|()| stream.set_nodelay(true)),
        }
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Unix(stream) => stream.read(buffer),
            Self::Tcp(stream) => stream.read(buffer),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Unix(stream) => stream.write(bytes),
            Self::Tcp(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn odd(what: &str) -> Fault {
    Fault::Lost(io::Error::new(io::ErrorKind::InvalidData, what.to_owned()))
}

/// An error packet; before the handshake it has no SQL state.
fn refused(packet: &[u8]) -> Fault {
    let code = packet.get(1..3).map_or(0, |bytes| u16::from_le_bytes([bytes[0], bytes[1]]));
    let rest = packet.get(3..).unwrap_or_default();
    let text = if rest.first() == Some(&b'#') { rest.get(6..).unwrap_or_default() } else { rest };
    Fault::Refused { code, message: String::from_utf8_lossy(text).into_owned() }
}

/// An error packet in the place of a greeting: what a client is told by whoever listens for a server that cannot start.
pub fn refusal(message: &str) -> Vec<u8> {
    // ER_UNKNOWN_ERROR.
    let mut payload = vec![0xff];
    payload.extend(1105_u16.to_le_bytes());
    payload.extend(message.bytes().take(500));
    let length = u32::try_from(payload.len()).unwrap_or(0).to_le_bytes();
    let mut packet = vec![length[0], length[1], length[2], 0];
    packet.extend(payload);
    packet
}

/// The 20 random bytes of a greeting, protocol 10.
fn salt(greeting: &[u8]) -> Option<Vec<u8>> {
    let rest = greeting.strip_prefix(&[10])?;
    let after_version = rest.iter().position(|byte| *byte == 0)? + 1;
    let rest = rest.get(after_version + 4..)?;
    let mut salt = rest.get(..8)?.to_vec();
    // A zero, capabilities, charset, status, more capabilities, a length, ten that are kept free.
    salt.extend(rest.get(8 + 1 + 2 + 1 + 2 + 2 + 1 + 10..)?.get(..12)?);
    Some(salt)
}

/// The password as `mysql_native_password` proves it: SHA1(p) xor SHA1(salt, SHA1(SHA1(p))).
fn scramble(password: &str, salt: &[u8]) -> Vec<u8> {
    if password.is_empty() {
        return Vec::new();
    }
    let first = Sha1::digest(password.as_bytes());
    let second = Sha1::digest(first);
    let third = Sha1::new().chain_update(salt).chain_update(second).finalize();
    first.iter().zip(third.iter()).map(|(a, b)| a ^ b).collect()
}

fn column(packet: &[u8]) -> Option<Column> {
    let mut fields = Fields(packet);
    for _ in ["catalog", "schema", "table", "original table"] {
        fields.value()?;
    }
    let name = String::from_utf8_lossy(&fields.value()??).into_owned();
    fields.value()?;
    let rest = fields.0.get(1..)?;
    let charset = u16::from_le_bytes([*rest.first()?, *rest.get(1)?]);
    let kind = match *rest.get(6)? {
        // DECIMAL, TINY, SHORT, LONG, FLOAT, DOUBLE; LONGLONG, INT24; YEAR; NEWDECIMAL.
        0..=5 | 8 | 9 | 13 | 246 => Kind::Number,
        // VARCHAR, the BLOBs, VAR_STRING, STRING; BIT and GEOMETRY are always bytes.
        15 | 249..=254 if charset == BINARY => Kind::Bytes,
        16 | 255 => Kind::Bytes,
        _ => Kind::Text,
    };
    Some(Column { name, kind })
}

/// Length-encoded values one after the other.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn take(&mut self, count: usize) -> Option<&[u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn short(&mut self) -> Option<u16> {
        self.take(2).map(|bytes| u16::from_le_bytes([bytes[0], bytes[1]]))
    }

    fn number(&mut self) -> Option<u64> {
        let first = *self.take(1)?.first()?;
        let length = match first {
            0xfc => 2,
            0xfd => 3,
            0xfe => 8,
            _ => return Some(u64::from(first)),
        };
        let bytes = self.take(length)?;
        Some(bytes.iter().rev().fold(0, |sum, byte| sum << 8 | u64::from(*byte)))
    }

    /// `Some(None)` is NULL.
    #[expect(clippy::option_option, reason = "cut short, NULL, or a value")]
    fn value(&mut self) -> Option<Option<Vec<u8>>> {
        if self.0.first() == Some(&0xfb) {
            self.take(1)?;
            return Some(None);
        }
        let length = usize::try_from(self.number()?).ok()?;
        Some(Some(self.take(length)?.to_vec()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_reads_back() {
        let packet = refusal("no server");
        assert_eq!(usize::from(packet[0]), packet.len() - 4);
        let Fault::Refused { code, message } = refused(&packet[4..]) else { panic!() };
        assert_eq!((code, message.as_str()), (1105, "no server"));
        let Fault::Refused { message, .. } = refused(b"\xff\x15\x04#28000Access denied") else { panic!() };
        assert_eq!(message, "Access denied");
    }

    #[test]
    fn lengths_are_read_in_every_size() {
        let mut fields = Fields(&[5, 0xfc, 1, 2, 0xfd, 1, 0, 1, 0xfb, 2, b'a', b'b', 9]);
        assert_eq!((fields.number(), fields.number(), fields.number()), (Some(5), Some(0x201), Some(0x1_0001)));
        assert_eq!((fields.value(), fields.value()), (Some(None), Some(Some(b"ab".to_vec()))));
        assert_eq!(fields.value(), None);
    }
}
