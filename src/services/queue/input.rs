//! What a client sent, cut into requests. Pure: bytes in, requests out, however the bytes were split.

use bytes::{Buf as _, BytesMut};

use super::command::{BAD_FORMAT, Command, Line, Put, parse};

/// The longest line with its end, in bytes, as beanstalkd has it.
const LONGEST_LINE: usize = 224;

pub const EXPECTED_CRLF: &str = "EXPECTED_CRLF\r\n";
pub const JOB_TOO_BIG: &str = "JOB_TOO_BIG\r\n";

#[derive(Debug, PartialEq, Eq)]
pub enum Request {
    Command(Command),
    Put(Put, Box<[u8]>),
    /// Nothing is done; this is the answer.
    Refused(&'static str),
    /// A put whose job may not be so large; it was read past.
    TooBig,
}

#[derive(Debug)]
pub struct Input {
    buffer: BytesMut,
    state: State,
    /// The largest body, in bytes.
    max_job: u32,
    /// Up to here there is no line's end in the buffer.
    looked: usize,
}

#[derive(Debug, Clone, Copy)]
enum State {
    Line,
    /// The line was too long: on to its end.
    RestOfLine,
    Body(Put),
    /// So many bytes are read past.
    Skip(u64),
}

impl Input {
    pub fn new(max_job: u32) -> Self {
        Self { buffer: BytesMut::new(), state: State::Line, max_job, looked: 0 }
    }

    /// Where what was read is added.
    pub fn buffer(&mut self) -> &mut BytesMut {
        &mut self.buffer
    }

    /// The next request that is whole.
    pub fn next(&mut self) -> Option<Request> {
        loop {
            match self.state {
                State::Line => {
                    let Some(end) = self.line_end() else {
                        if self.buffer.len() >= LONGEST_LINE {
                            self.state = State::RestOfLine;
                            continue;
                        }
                        return None;
                    };
                    if end + 2 > LONGEST_LINE {
                        self.past(end + 2);
                        return Some(Request::Refused(BAD_FORMAT));
                    }
                    let parsed = parse(&self.buffer[..end]);
                    self.past(end + 2);
                    match parsed {
                        Ok(Line::Command(command)) => return Some(Request::Command(command)),
                        Ok(Line::Put(put)) if put.size > self.max_job => {
                            self.state = State::Skip(u64::from(put.size) + 2);
                        }
                        Ok(Line::Put(put)) if put.trails => return Some(Request::Refused(BAD_FORMAT)),
                        Ok(Line::Put(put)) => self.state = State::Body(put),
                        Err(answer) => return Some(Request::Refused(answer)),
                    }
                }
                State::RestOfLine => {
                    let Some(end) = self.line_end() else {
                        // The last byte may be half of the end.
                        self.past(self.buffer.len().saturating_sub(1));
                        return None;
                    };
                    self.past(end + 2);
                    self.state = State::Line;
                    return Some(Request::Refused(BAD_FORMAT));
                }
                State::Body(put) => {
                    let size = put.size as usize;
                    if self.buffer.len() < size + 2 {
                        self.buffer.reserve(size + 2 - self.buffer.len());
                        return None;
                    }
                    let request = if &self.buffer[size..size + 2] == b"\r\n" {
                        Request::Put(put, self.buffer[..size].into())
                    } else {
                        Request::Refused(EXPECTED_CRLF)
                    };
                    self.past(size + 2);
                    self.state = State::Line;
                    return Some(request);
                }
                State::Skip(left) => {
                    let now = usize::try_from(left).unwrap_or(usize::MAX).min(self.buffer.len());
                    self.past(now);
                    let left = left - now as u64;
                    if left > 0 {
                        self.state = State::Skip(left);
                        return None;
                    }
                    self.state = State::Line;
                    return Some(Request::TooBig);
                }
            }
        }
    }

    fn line_end(&mut self) -> Option<usize> {
        let from = self.looked;
        let found = self.buffer[from..].windows(2).position(|two| two == b"\r\n").map(|at| from + at);
        self.looked = found.unwrap_or(self.buffer.len().saturating_sub(1));
        found
    }

    fn past(&mut self, count: usize) {
        self.buffer.advance(count);
        self.looked = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn requests(input: &mut Input, bytes: &[u8]) -> Vec<Request> {
        input.buffer().extend_from_slice(bytes);
        std::iter::from_fn(|| input.next()).collect()
    }

    const SENT: &[u8] =
        b"put 0 0 9 5\r\nhe\r\no\r\nput 0 0 9 3\r\nfour\r\nstats\r\nput 0 0 9 17\r\n0123456789abcdefg\r\nstats\r\n";

    #[test]
    fn however_it_is_split() {
        let whole = requests(&mut Input::new(16), SENT);
        let put = |size| Put { pri: 0, delay: 0, ttr: 9, size, trails: false };
        assert_eq!(
            whole,
            [
                Request::Put(put(5), b"he\r\no"[..].into()),
                Request::Refused(EXPECTED_CRLF),
                // What was left of the body that was longer than it said is the beginning of the next line.
                Request::Refused(super::super::command::UNKNOWN_COMMAND),
                Request::TooBig,
                Request::Command(Command::Stats),
            ]
        );
        for cut in 0..SENT.len() {
            let mut input = Input::new(16);
            let mut both = requests(&mut input, &SENT[..cut]);
            both.extend(requests(&mut input, &SENT[cut..]));
            assert_eq!(both, whole, "{cut}");
        }
        let mut input = Input::new(16);
        let one_by_one: Vec<_> = SENT.iter().flat_map(|byte| requests(&mut input, &[*byte])).collect();
        assert_eq!(one_by_one, whole);
    }

    #[test]
    fn a_line_without_end_takes_no_room() {
        let mut input = Input::new(16);
        for _ in 0..1000 {
            assert_eq!(requests(&mut input, &[b'x'; 1000]), []);
            assert!(input.buffer.len() < 2000);
        }
        let wanted = [Request::Refused(BAD_FORMAT), Request::Command(Command::Reserve)];
        assert_eq!(requests(&mut input, b"\r\nreserve\r\n"), wanted);
    }
}
