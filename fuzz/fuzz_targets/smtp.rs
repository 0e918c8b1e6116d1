//! SMTP: whatever a client sends, in whatever pieces, is answered the same, and a message is never larger than the limit.
#![no_main]

use dae::services::mail::Message;
use dae::services::mail::smtp::{Action, Session};
use libfuzzer_sys::fuzz_target;

const LARGEST: u64 = 256;

fn talk(bytes: &[u8], step: usize) -> (Vec<Action>, Vec<Vec<u8>>) {
    let mut session = Session::new(LARGEST);
    let (mut others, mut messages, mut message) = (Vec::new(), Vec::new(), Vec::new());
    for action in bytes.chunks(step.max(1)).flat_map(|piece| session.read(piece)) {
        match action {
            Action::Data(piece) => message.extend(piece),
            Action::Begin(_) => message.clear(),
            Action::Finish => messages.push(std::mem::take(&mut message)),
            other => others.push(other),
        }
    }
    (others, messages)
}

fuzz_target!(|input: (u8, &[u8])| {
    let (step, bytes) = input;
    let cut = talk(bytes, usize::from(step));
    assert_eq!(cut, talk(bytes, bytes.len()));
    for message in cut.1 {
        assert!(message.len() as u64 <= LARGEST);
        let _ = Message::read(&message);
    }
});
