//! What is said to a ZooKeeper: the few requests that a registration needs, in ZooKeeper's own encoding, jute (`zookeeper.jute` and
//! `ZooDefs.java` of Apache ZooKeeper). A message is its length, four bytes, and as much. Knows no sockets.

/// What an answer may have at most, in bytes; those asked for here are some tens long.
pub const LARGEST: usize = 1 << 16;
/// The number of a heartbeat, which belongs to no request.
pub const PING_NUMBER: i32 = -2;

const CREATE: i32 = 1;
const DELETE: i32 = 2;
const EXISTS: i32 = 3;
const PING: i32 = 11;
const CLOSE: i32 = -11;
/// Gone with the session that made it.
const EPHEMERAL: i32 = 1;
const ALL_PERMISSIONS: i32 = 31;
/// Where the session that made a node stands in what is told of it: behind four numbers of 8 bytes and three of 4.
const OWNER_AT: usize = 4 * 8 + 3 * 4;

/// A session as the server knows it; the first one of all zeros asks for a new one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Session {
    pub id: i64,
    pub password: Vec<u8>,
    /// After so long without a word it is over, in milliseconds.
    pub timeout: i32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lasting {
    Always,
    /// As long as the session.
    Session,
}

/// What a server says where it does not do what it was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    NoNode,
    NodeExists,
    SessionExpired,
    Other(i32),
}

impl Refusal {
    fn of(code: i32) -> Self {
        match code {
            -101 => Self::NoNode,
            -110 => Self::NodeExists,
            -112 => Self::SessionExpired,
            other => Self::Other(other),
        }
    }
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NoNode => f.write_str("there is no such node"),
            Self::NodeExists => f.write_str("there is such a node already"),
            Self::SessionExpired => f.write_str("the session has expired"),
            Self::Other(-102) => f.write_str("it allows us nothing there"),
            Self::Other(code) => write!(f, "it refuses with the code {code}"),
        }
    }
}

#[derive(Default)]
struct Out(Vec<u8>);

impl Out {
    fn int(mut self, number: i32) -> Self {
        self.0.extend(number.to_be_bytes());
        self
    }

    fn long(mut self, number: i64) -> Self {
        self.0.extend(number.to_be_bytes());
        self
    }

    fn bytes(mut self, bytes: &[u8]) -> Self {
        let length = i32::try_from(bytes.len()).unwrap_or(i32::MAX);
        self = self.int(length);
        self.0.extend(bytes);
        self
    }

    fn text(self, text: &str) -> Self {
        self.bytes(text.as_bytes())
    }

    fn framed(self) -> Vec<u8> {
        Out::default().bytes(&self.0).0
    }
}

fn request(number: i32, kind: i32) -> Out {
    Out::default().int(number).int(kind)
}

pub fn connect(session: &Session, timeout: i32) -> Vec<u8> {
    let fresh = [0; 16];
    let password: &[u8] = if session.id == 0 { &fresh } else { &session.password };
    let mut out = Out::default().int(0).long(0).int(timeout).long(session.id).bytes(password);
    // Not content with a server that only reads.
    out.0.push(0);
    out.framed()
}

/// The session that is granted; none: the one that was asked for has expired.
pub fn connected(answer: &[u8]) -> Option<Session> {
    let timeout = int(answer, 4)?;
    let (id, length) = (long(answer, 8)?, usize::try_from(int(answer, 16)?).ok()?);
    let password = answer.get(20..20 + length)?.to_vec();
    (timeout > 0).then_some(Session { id, password, timeout })
}

pub fn create(number: i32, path: &str, lasting: Lasting) -> Vec<u8> {
    let flags = if lasting == Lasting::Session { EPHEMERAL } else { 0 };
    let out = request(number, CREATE).text(path).bytes(b"");
    out.int(1).int(ALL_PERMISSIONS).text("world").text("anyone").int(flags).framed()
}

pub fn delete(number: i32, path: &str) -> Vec<u8> {
    request(number, DELETE).text(path).int(-1).framed()
}

pub fn exists(number: i32, path: &str) -> Vec<u8> {
    let mut out = request(number, EXISTS).text(path);
    out.0.push(0);
    out.framed()
}

pub fn ping() -> Vec<u8> {
    request(PING_NUMBER, PING).framed()
}

pub fn close(number: i32) -> Vec<u8> {
    request(number, CLOSE).framed()
}

/// Which request an answer is for, and what it says. None: it is none.
pub fn answer(message: &[u8]) -> Option<(i32, Result<&[u8], Refusal>)> {
    let (number, code) = (int(message, 0)?, int(message, 12)?);
    let rest = message.get(16..)?;
    Some((number, if code == 0 { Ok(rest) } else { Err(Refusal::of(code)) }))
}

/// Whose a node is, of the answer to `exists`.
pub fn owner(stat: &[u8]) -> Option<i64> {
    long(stat, OWNER_AT)
}

fn int(bytes: &[u8], at: usize) -> Option<i32> {
    Some(i32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

fn long(bytes: &[u8], at: usize) -> Option<i64> {
    Some(i64::from_be_bytes(bytes.get(at..at + 8)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_as_zookeeper_has_them() {
        assert_eq!(ping(), [0, 0, 0, 8, 255, 255, 255, 254, 0, 0, 0, 11]);
        assert_eq!(delete(1, "/a"), [0, 0, 0, 18, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 2, b'/', b'a', 255, 255, 255, 255]);
        assert_eq!(connect(&Session::default(), 6000).len(), 4 + 45);
    }

    #[test]
    fn an_answer_may_be_cut_anywhere() {
        let refused = [&1_i32.to_be_bytes()[..], &[0; 8], &(-110_i32).to_be_bytes()].concat();
        assert_eq!(answer(&refused), Some((1, Err(Refusal::NodeExists))));
        for end in 0..refused.len() {
            assert_eq!(answer(&refused[..end]), None);
        }
        let granted = [&[0; 4][..], &4000_i32.to_be_bytes(), &7_i64.to_be_bytes(), &[0, 0, 0, 1, 9]].concat();
        assert_eq!(connected(&granted), Some(Session { id: 7, password: vec![9], timeout: 4000 }));
        for end in 0..granted.len() {
            assert_eq!(connected(&granted[..end]), None);
        }
        assert_eq!(connected(&[[0; 16].as_slice(), &[255; 4]].concat()), None);
        assert_eq!(owner(&[0; 51]), None);
    }
}
