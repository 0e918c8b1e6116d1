//! One job, small: there may be ten million.

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum State {
    Ready = 0,
    Reserved = 1,
    Delayed = 2,
    Buried = 3,
}

/// Times are nanoseconds since the Unix epoch.
#[derive(Debug)]
pub struct Job {
    pub body: Box<[u8]>,
    pub created: u64,
    /// When it is no longer reserved or delayed; for a buried one its place in the row.
    pub due: u64,
    pub tube: u32,
    pub pri: u32,
    /// In seconds.
    pub delay: u32,
    /// In seconds.
    pub ttr: u32,
    /// The part of the journal that has it whole.
    pub segment: u32,
    /// The connection that reserved it; [`NOBODY`] for one reserved before the server was started.
    pub holder: u32,
    pub state: State,
    /// Most jobs are put, reserved once and deleted, and have none until then.
    pub history: Option<Box<History>>,
}

pub const NOBODY: u32 = u32::MAX;

/// How often what happened to it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct History {
    pub reserves: u32,
    pub timeouts: u32,
    pub releases: u32,
    pub buries: u32,
    pub kicks: u32,
}

impl Job {
    pub fn history(&mut self) -> &mut History {
        self.history.get_or_insert_default()
    }

    /// Before all others of its tube, as beanstalkd counts it.
    pub fn is_urgent(&self) -> bool {
        self.pri < 1024
    }
}

impl State {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Reserved => "reserved",
            Self::Delayed => "delayed",
            Self::Buried => "buried",
        }
    }

    pub fn from_byte(byte: u8) -> Option<Self> {
        [Self::Ready, Self::Reserved, Self::Delayed, Self::Buried].into_iter().find(|state| *state as u8 == byte)
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_job_is_small() {
        // Ten million within two GiB: with its allocation, its body's and its places in two trees 170 bytes.
        assert!(size_of::<super::Job>() <= 72, "{}", size_of::<super::Job>());
    }
}
