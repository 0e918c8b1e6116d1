//! A program that takes the place of this one while it runs: started beside it, and given what it has open.

use std::io::{self, Read as _, Write as _};
use std::os::fd::{AsRawFd, FromRawFd as _, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::sys::signal::Signal;
use nix::sys::socket::{ControlMessage, ControlMessageOwned, recvmsg, sendmsg};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::sync::{oneshot, watch};

use super::guardian;
use super::output::Output;
use super::process::{End, Left};
use super::siblings;

/// Names the open file by which a successor hears from the one before it.
const CHANNEL: &str = "DAE_SUCCEEDS";
/// Open files that the system takes at once, and fewer (`SCM_MAX_FD`, unix(7)).
const AT_ONCE: usize = 200;
/// More is nothing of ours, in bytes.
const LONGEST: u32 = 256 << 20;

/// Open files on their way. What is said names them by their places.
#[derive(Debug, Default)]
pub struct Bundle(Vec<Option<OwnedFd>>);

/// The place of an open file in a bundle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Number(usize);

impl Bundle {
    /// The same open files, in the same places.
    pub fn try_clone(&self) -> io::Result<Self> {
        let copy = |file: &Option<OwnedFd>| file.as_ref().map(OwnedFd::try_clone).transpose();
        self.0.iter().map(copy).collect::<io::Result<_>>().map(Self)
    }

    pub fn put(&mut self, file: impl Into<OwnedFd>) -> Number {
        self.0.push(Some(file.into()));
        Number(self.0.len() - 1)
    }

    /// Each can be taken once.
    pub fn take(&mut self, number: Number) -> io::Result<OwnedFd> {
        let file = self.0.get_mut(number.0).and_then(Option::take);
        file.ok_or_else(|| io::Error::other(format!("there is no open file {}", number.0)))
    }
}

/// A process that was left, in a bundle.
#[derive(Debug, Serialize, Deserialize)]
pub struct HandedProcess {
    pub pid: u32,
    pub output: Option<Number>,
    begun: Vec<u8>,
}

impl HandedProcess {
    pub fn new(left: Left, files: &mut Bundle) -> Self {
        let Left { pid, output } = left;
        match output {
            Some(Output { pipe, begun }) => Self { pid, output: Some(files.put(pipe)), begun },
            None => Self { pid, output: None, begun: Vec::new() },
        }
    }

    pub fn left(self, files: &mut Bundle) -> io::Result<Left> {
        let Self { pid, output, begun } = self;
        let pipe = output.map(|number| files.take(number)).transpose()?;
        Ok(Left { pid, output: pipe.map(|pipe| Output { pipe, begun }) })
    }
}

/// One that has closed the channel has not ended much later.
const SILENT_FOR: Duration = Duration::from_secs(2);

/// What the two talk by.
#[derive(Debug)]
pub struct Channel(UnixStream);

impl Channel {
    /// To the one whose place this program is to take; none: it takes nobody's. To be asked once.
    pub fn to_predecessor() -> io::Result<Option<Self>> {
        let Some(number) = std::env::var(CHANNEL).ok().and_then(|number| number.parse::<RawFd>().ok()) else {
            return Ok(None);
        };
        // SAFETY: whoever started this process says that this number is for it alone.
        let socket = unsafe { OwnedFd::from_raw_fd(number) };
        fcntl(&socket, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC))?;
        Ok(Some(Self(socket.into())))
    }

    /// Says `word`, and gives `files` away.
    pub fn say(&self, word: &impl Serialize, files: Bundle) -> io::Result<()> {
        let text = serde_json::to_vec(word)?;
        let files: Vec<OwnedFd> = files.0.into_iter().flatten().collect();
        let count = |length: usize| u32::try_from(length).map(u32::to_ne_bytes).map_err(io::Error::other);
        let mut stream = &self.0;
        stream.write_all(&[count(text.len())?, count(files.len())?].concat())?;
        stream.write_all(&text)?;
        for some in files.chunks(AT_ONCE) {
            let numbers: Vec<RawFd> = some.iter().map(AsRawFd::as_raw_fd).collect();
            let control = [ControlMessage::ScmRights(&numbers)];
            sendmsg::<()>(self.0.as_raw_fd(), &[io::IoSlice::new(b"f")], &control, siblings::SAYING, None)?;
        }
        Ok(())
    }

    /// Returns when the other one has ended, or has nothing to say any more.
    pub fn until_closed(&self) {
        // Without an end there is no error of these two.
        let _ = self.0.set_read_timeout(None);
        let _ = io::copy(&mut &self.0, &mut io::sink());
    }

    /// Hears the next word.
    pub fn hear<T: DeserializeOwned>(&self, within: Duration) -> io::Result<(T, Bundle)> {
        self.0.set_read_timeout(Some(within))?;
        let mut stream = &self.0;
        let mut head = [0; 8];
        stream.read_exact(&mut head)?;
        let [text, files] = [0, 4].map(|at| u32::from_ne_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]));
        if text > LONGEST {
            return Err(io::Error::other("a word too long"));
        }
        let (mut text, files) = (vec![0; text as usize], files as usize);
        stream.read_exact(&mut text)?;
        let mut bundle = Bundle::default();
        while bundle.0.len() < files {
            let mut byte = [0];
            let mut parts = [io::IoSliceMut::new(&mut byte)];
            let mut space = nix::cmsg_space!([RawFd; AT_ONCE]);
            let flags = siblings::HEARING;
            let message = recvmsg::<()>(self.0.as_raw_fd(), &mut parts, Some(&mut space), flags)?;
            let mut came = Vec::new();
            for control in message.cmsgs()? {
                if let ControlMessageOwned::ScmRights(numbers) = control {
                    // SAFETY: the system made these numbers for us this instant.
                    came.extend(numbers.into_iter().map(|number| unsafe { OwnedFd::from_raw_fd(number) }));
                }
            }
            if came.is_empty() {
                return Err(io::Error::other("open files did not come: are there too many?"));
            }
            bundle.0.extend(came.into_iter().map(Some));
        }
        Ok((serde_json::from_slice(&text)?, bundle))
    }
}

/// A program started to take this one's place. Dropped before that it is ended.
#[derive(Debug)]
pub struct Successor {
    pub pid: u32,
    channel: Channel,
    end: watch::Receiver<Option<End>>,
    birth: Option<u64>,
    works: bool,
}

impl Successor {
    /// Starts `program` as this one was started: the same arguments, environment, folder and standard streams.
    #[cfg(target_os = "linux")]
    pub fn start(program: &Path) -> io::Result<Self> {
        use super::fork::{Group, fork};
        use super::process::{Io, Spec};
        let link = siblings::another()?;
        let (ours, theirs) = UnixStream::pair()?;
        let text =
            |text: std::ffi::OsString| text.into_string().map_err(|_| io::Error::other("an argument is no text"));
        // In the order that `fork` gives them their numbers.
        let own = [(siblings::LINK, "3"), (CHANNEL, "4")].map(|(name, number)| (name.to_owned(), number.to_owned()));
        let kept =
            std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
        let env = kept.filter(|(name, _)| name != siblings::LINK && name != CHANNEL).chain(own).collect();
        let spec = Spec {
            program: program.to_owned(),
            args: std::env::args_os().skip(1).map(text).collect::<io::Result<_>>()?,
            dir: std::env::current_dir()?,
            env,
            io: Io::Pipe,
            confine: None,
        };
        let files = [link, theirs.into()];
        let streams: [&dyn std::os::fd::AsFd; 3] = [&io::stdin(), &io::stdout(), &io::stderr()];
        let (pid, end) = siblings::born(|| fork(&spec, streams, &files, Group::Ours))?;
        let channel = Channel(ours);
        let pid = pid.as_raw().unsigned_abs();
        Ok(Self { pid, channel, end, birth: guardian::birth(pid), works: false })
    }

    #[cfg(not(target_os = "linux"))]
    pub fn start(_: &Path) -> io::Result<Self> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Says `word`, and gives `files` away.
    pub fn say(&self, word: &impl Serialize, files: Bundle) -> io::Result<()> {
        self.channel.say(word, files)
    }

    /// Hears the next word, which brings no files. On a thread of its own, for which nobody waits who does not wait for this.
    pub async fn hear<T: DeserializeOwned + Send + 'static>(&self, within: Duration) -> io::Result<T> {
        let (tell, heard) = oneshot::channel();
        let channel = Channel(self.channel.0.try_clone()?);
        let hear = move || drop(tell.send(channel.hear(within)));
        std::thread::Builder::new().name("successor".into()).spawn(hear)?;
        let (word, _) = heard.await.map_err(io::Error::other)??;
        Ok(word)
    }

    /// Asks it to end in order.
    pub fn stop(&self) {
        siblings::tell(self.pid, Signal::SIGTERM);
    }

    /// Ends it, whatever it does. The answer is when it was born, for `end_younger`.
    pub async fn end(mut self) -> Option<u64> {
        siblings::tell(self.pid, Signal::SIGKILL);
        // An error means that the guardian is gone, and then so is everything.
        let _ = self.end.wait_for(Option::is_some).await;
        self.works = true;
        self.birth
    }

    /// How it ended, of one that says nothing any more: its last word is heard before its end is.
    pub async fn end_of_silent(&self) -> Option<End> {
        let mut end = self.end.clone();
        let ended = tokio::time::timeout(SILENT_FOR, end.wait_for(Option::is_some)).await;
        ended.ok().and_then(|end| end.ok().and_then(|end| *end))
    }

    /// How it ended, if it has.
    fn ended(&self) -> Option<End> {
        *self.end.borrow()
    }

    /// It works from now on: its end is the end of all, and this one's is nothing any more.
    pub fn works(&mut self) -> io::Result<()> {
        siblings::hand_on(self.pid)?;
        self.works = true;
        Ok(())
    }
}

impl Drop for Successor {
    fn drop(&mut self) {
        if !self.works && self.ended().is_none() {
            siblings::tell(self.pid, Signal::SIGKILL);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_open_files_come_over() {
        let (one, other) = UnixStream::pair().unwrap();
        let (one, other) = (Channel(one), Channel(other));
        let said = std::thread::spawn(move || {
            let mut bundle = Bundle::default();
            let mut numbers = Vec::new();
            for text in 0..450 {
                let (reader, mut writer) = io::pipe().unwrap();
                writer.write_all(text.to_string().as_bytes()).unwrap();
                numbers.push(bundle.put(reader));
            }
            one.say(&numbers, bundle).unwrap();
            one.say(&"more", Bundle::default()).unwrap();
        });
        let within = Duration::from_secs(20);
        let (numbers, mut bundle) = other.hear::<Vec<Number>>(within).unwrap();
        for (at, number) in numbers.iter().enumerate() {
            let mut text = String::new();
            std::fs::File::from(bundle.take(*number).unwrap()).read_to_string(&mut text).unwrap();
            assert_eq!(text, at.to_string());
        }
        assert!(bundle.take(numbers[0]).is_err(), "once");
        assert_eq!(other.hear::<String>(within).unwrap().0, "more");
        said.join().unwrap();
        assert!(other.hear::<String>(within).is_err(), "nobody is there");
    }
}
