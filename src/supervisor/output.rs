//! What a process prints, cut into lines, and the prompt of a debugger that waits for a word.

use std::io::{self, PipeReader, PipeWriter, Read, Write as _};
use std::os::fd::{AsFd as _, OwnedFd};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use tokio::sync::oneshot;

use super::outlet::Keyboard;

/// A line longer than this is cut: nobody reads on, and memory is bounded.
const LONGEST: usize = 64 * 1024;
/// How the debuggers that read lines begin theirs: pdb, also within a debugged call, pdb++ and ipdb's plain form.
const PROMPTS: &[&str] = &["(Pdb) ", "((Pdb)) ", "(Pdb++) ", "ipdb> "];

#[derive(Debug)]
pub enum Heard<'a> {
    /// Without its end.
    Line(String),
    /// A debugger waits for a line, to be typed here.
    Prompt(&'static str, &'a Keyboard),
    /// Nobody is left at the terminal where a debugger waited.
    Left,
}

impl Heard<'_> {
    /// For whoever is no debugger's user.
    pub fn line(self) -> Option<String> {
        match self {
            Self::Line(line) => Some(line),
            Self::Prompt(..) | Self::Left => None,
        }
    }
}

/// Reads to the end of `from` and gives every line to `hear`.
pub(super) fn read_lines(mut from: impl Read, keyboard: Option<&Keyboard>, mut hear: impl FnMut(Heard<'_>)) {
    let mut lines = Lines::default();
    let mut chunk = [0; 8192];
    let mut has_prompted = false;
    // A pseudo-terminal whose last writer has gone gives an error where a pipe gives an end.
    while let Ok(count @ 1..) = from.read(&mut chunk) {
        lines.cut(&chunk[..count], &mut hear);
        if let Some(keyboard) = keyboard
            && let Some(prompt) = prompt(&lines.begun)
        {
            has_prompted = true;
            hear(Heard::Prompt(prompt, keyboard));
        }
    }
    lines.end(&mut hear);
    if has_prompted {
        hear(Heard::Left);
    }
}

/// Cuts what comes into lines.
#[derive(Debug, Default)]
struct Lines {
    begun: Vec<u8>,
}

impl Lines {
    fn cut(&mut self, bytes: &[u8], hear: &mut impl FnMut(Heard<'_>)) {
        for byte in bytes {
            match byte {
                b'\n' => hear(Heard::Line(take(&mut self.begun))),
                _ if self.begun.len() < LONGEST => self.begun.push(*byte),
                _ => {}
            }
        }
    }

    fn end(mut self, hear: &mut impl FnMut(Heard<'_>)) {
        if !self.begun.is_empty() {
            hear(Heard::Line(take(&mut self.begun)));
        }
    }
}

/// A pipe that is read by a thread until it ends, or until somebody else is to read on. Dropped, it is read on.
#[derive(Debug)]
pub(super) struct Tap {
    stop: PipeWriter,
    left: oneshot::Receiver<Output>,
}

/// A pipe, and the line that has begun to come.
#[derive(Debug)]
pub struct Output {
    pub pipe: OwnedFd,
    pub begun: Vec<u8>,
}

impl Tap {
    pub fn open(output: Output, hear: impl FnMut(Heard<'_>) + Send + 'static) -> io::Result<Self> {
        let (stopped, stop) = io::pipe()?;
        let (leave, left) = oneshot::channel();
        let read = move || {
            if let Some(output) = read_pipe(output, &stopped, hear) {
                // Whoever wanted it has gone, and so has the node.
                let _ = leave.send(output);
            }
        };
        std::thread::Builder::new().name("output".into()).spawn(read)?;
        Ok(Self { stop, left })
    }

    /// Stops reading. None: it has ended.
    pub async fn leave(mut self) -> Option<Output> {
        // The thread has ended where nobody reads it.
        let _ = self.stop.write_all(b"x");
        self.left.await.ok()
    }
}

fn read_pipe(output: Output, stopped: &PipeReader, mut hear: impl FnMut(Heard<'_>)) -> Option<Output> {
    let Output { pipe, begun } = output;
    let mut pipe = std::fs::File::from(pipe);
    let mut lines = Lines { begun };
    let mut chunk = [0; 8192];
    let mut may_stop = true;
    loop {
        let mut watched = vec![PollFd::new(pipe.as_fd(), PollFlags::POLLIN)];
        watched.extend(may_stop.then(|| PollFd::new(stopped.as_fd(), PollFlags::POLLIN)));
        match poll(&mut watched, PollTimeout::NONE) {
            Ok(_) => {}
            Err(nix::Error::EINTR) => continue,
            Err(_) => break,
        }
        let came = |at: usize| watched.get(at).and_then(PollFd::revents).unwrap_or(PollFlags::empty());
        if came(1).contains(PollFlags::POLLIN) {
            return Some(Output { pipe: pipe.into(), begun: lines.begun });
        }
        // Nobody is left who could want that.
        may_stop &= !came(1).contains(PollFlags::POLLHUP);
        if !came(0).is_empty() {
            match pipe.read(&mut chunk) {
                Ok(count @ 1..) => lines.cut(&chunk[..count], &mut hear),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                _ => break,
            }
        }
    }
    lines.end(&mut hear);
    None
}

/// The debugger's prompt, if that is all there is of a line so far.
fn prompt(line: &[u8]) -> Option<&'static str> {
    let text = std::str::from_utf8(line).ok().filter(|text| text.ends_with(' ') && text.len() < 80)?;
    let text = console::strip_ansi_codes(text);
    PROMPTS.iter().find(|prompt| text.trim_start_matches('\r') == **prompt).copied()
}

fn take(line: &mut Vec<u8>) -> String {
    while line.last() == Some(&b'\r') {
        line.pop();
    }
    let text = String::from_utf8_lossy(line).into_owned();
    line.clear();
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines() {
        let mut heard = Vec::new();
        read_lines(&b"a\r\n\n\xffb\n(Pdb) "[..], None, |came| {
            if let Heard::Line(line) = came {
                heard.push(line);
            }
        });
        assert_eq!(heard, ["a", "", "\u{fffd}b", "(Pdb) "]);
    }

    #[test]
    fn a_prompt_is_told_from_a_line() {
        for (line, wanted) in [
            ("(Pdb) ", Some("(Pdb) ")),
            ("\u{1b}[?2004h(Pdb) ", Some("(Pdb) ")),
            ("ipdb> ", Some("ipdb> ")),
            ("(Pdb) n", None),
            ("(Pdb)", None),
            ("name? ", None),
            ("", None),
        ] {
            assert_eq!(prompt(line.as_bytes()), wanted, "{line:?}");
        }
    }

    #[tokio::test]
    async fn another_reads_on_in_the_middle_of_a_line() {
        let (reader, mut writer) = io::pipe().unwrap();
        let (tell, heard) = std::sync::mpsc::channel();
        let hear = |tell: std::sync::mpsc::Sender<String>| {
            move |came: Heard<'_>| drop(came.line().map(|line| tell.send(line)))
        };
        let tap = Tap::open(Output { pipe: reader.into(), begun: Vec::new() }, hear(tell.clone())).unwrap();
        writer.write_all(b"one\ntw").unwrap();
        assert_eq!(heard.recv().unwrap(), "one");
        let left = tap.leave().await.unwrap();
        writer.write_all(b"o\nthree").unwrap();
        drop(writer);
        let tap = Tap::open(left, hear(tell)).unwrap();
        assert_eq!(heard.iter().collect::<Vec<_>>(), ["two", "three"]);
        assert!(tap.leave().await.is_none());
    }
}
