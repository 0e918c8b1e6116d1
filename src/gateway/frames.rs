//! Where the frames of a websocket end (RFC 6455, 5.2), in a stream that is passed on as it is. No more of it is understood.

/// What a server says that is about to be another one: a Close frame with the code 1012, Service Restart (IANA's registry of
/// websocket close codes). Clients that come again do so for this one.
pub(super) const RESTART: [u8; 4] = {
    let [high, low] = 1012_u16.to_be_bytes();
    [0x80 | CLOSE, 2, high, low]
};

const CLOSE: u8 = 8;

/// How far a stream in one direction has come.
#[derive(Debug, Default)]
pub(super) struct Frames {
    /// The beginning of a frame: two bytes, a longer length, a mask.
    head: [u8; 14],
    has: usize,
    /// Of the frame's payload.
    left: u64,
    is_closed: bool,
}

impl Frames {
    /// Nothing of a frame is under way: another one may be put in here.
    pub fn is_between(&self) -> bool {
        self.has == 0
    }

    /// A Close frame has passed.
    pub fn is_closed(&self) -> bool {
        self.is_closed
    }

    /// Takes note of what passes.
    pub fn pass(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            bytes = &bytes[self.pass_one(bytes)..];
        }
    }

    /// The same, to the end of the frame under way at the most; how many bytes that were is the answer.
    pub fn pass_one(&mut self, bytes: &[u8]) -> usize {
        let mut at = 0;
        while self.has < self.head_len() {
            let Some(byte) = bytes.get(at) else { return at };
            self.head[self.has] = *byte;
            self.has += 1;
            at += 1;
            if self.has == self.head_len() {
                self.left = self.payload();
            }
        }
        let passed = usize::try_from(self.left).map_or(bytes.len() - at, |left| left.min(bytes.len() - at));
        self.left -= passed as u64;
        if self.left == 0 {
            self.is_closed |= self.head[0] & 0x0f == CLOSE;
            self.has = 0;
        }
        at + passed
    }

    /// As far as it is known.
    fn head_len(&self) -> usize {
        if self.has < 2 {
            return 2;
        }
        let mask = if self.head[1] & 0x80 == 0 { 0 } else { 4 };
        2 + self.length_len() + mask
    }

    fn length_len(&self) -> usize {
        match self.head[1] & 0x7f {
            126 => 2,
            127 => 8,
            _ => 0,
        }
    }

    fn payload(&self) -> u64 {
        let longer = &self.head[2..2 + self.length_len()];
        if longer.is_empty() {
            return u64::from(self.head[1] & 0x7f);
        }
        longer.iter().fold(0, |length, byte| length << 8 | u64::from(*byte))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: u8, length: usize, masked: bool) -> Vec<u8> {
        let mask = if masked { 0x80 } else { 0 };
        let mut frame = vec![0x80 | kind];
        match length {
            ..126 => frame.push(mask | u8::try_from(length).unwrap()),
            126..65536 => {
                frame.push(mask | 0x7e);
                frame.extend(u16::try_from(length).unwrap().to_be_bytes());
            }
            _ => {
                frame.push(mask | 0x7f);
                frame.extend((length as u64).to_be_bytes());
            }
        }
        // Payloads that would themselves be read as heads of frames.
        frame.extend(std::iter::repeat_n(0x88, length + if masked { 4 } else { 0 }));
        frame
    }

    #[test]
    fn a_stream_is_cut_between_frames_only() {
        for masked in [false, true] {
            let frames: Vec<_> = [0, 1, 125, 126, 300, 65_535, 65_536, 70_000, 0]
                .into_iter()
                .map(|length| frame(2, length, masked))
                .collect();
            let all = frames.concat();
            let ends: Vec<usize> = frames
                .iter()
                .scan(0, |end, frame| {
                    *end += frame.len();
                    Some(*end)
                })
                .collect();
            for chunk in [1, 2, 3, 7, 1000, 8192, all.len()] {
                let (mut stream, mut at) = (Frames::default(), 0);
                for part in all.chunks(chunk) {
                    stream.pass(part);
                    at += part.len();
                    assert_eq!(stream.is_between(), ends.contains(&at), "{chunk} {at}");
                }
                assert!(!stream.is_closed());
            }
            let (mut stream, mut rest, mut passed) = (Frames::default(), &all[..], Vec::new());
            while !rest.is_empty() {
                rest = &rest[stream.pass_one(rest)..];
                passed.push(all.len() - rest.len());
            }
            assert_eq!(passed, ends);
        }
    }

    #[test]
    fn a_close_is_seen() {
        let mut stream = Frames::default();
        stream.pass(&frame(1, 5, false));
        stream.pass(&RESTART[..3]);
        assert!(!stream.is_closed());
        stream.pass(&RESTART[3..]);
        assert!(stream.is_closed() && stream.is_between());
    }
}
