//! memcached's protocols: whatever a client says, in whatever pieces it comes, is answered or ends the conversation. Cut or
//! whole, the answer is the same.
#![no_main]

use dae::services::kv::memcache::{Session, Settings, Store, Then};
use libfuzzer_sys::fuzz_target;

/// What is said to `input` when it comes in pieces of `piece` bytes.
fn conversation(input: &[u8], piece: usize) -> Vec<u8> {
    let mut store = Store::new(Settings { memory: 64 << 10, ..Settings::default() });
    let mut session = Session::default();
    let (mut buffer, mut said) = (Vec::new(), Vec::new());
    for piece in input.chunks(piece) {
        buffer.extend_from_slice(piece);
        loop {
            let mut out = Vec::new();
            let ran = session.run(&mut store, &buffer, &mut out);
            assert!(ran.consumed <= buffer.len());
            assert!(out.len() < 4 << 20, "an answer at once has a bound");
            buffer.drain(..ran.consumed);
            said.extend(out);
            match ran.then {
                Then::Send => {}
                Then::Close => return said,
                Then::Read(wanted) => {
                    assert!(wanted > buffer.len(), "it waits for what is there");
                    break;
                }
            }
        }
    }
    said
}

fuzz_target!(|data: &[u8]| {
    // Figures of the process and the clock differ from one to the next.
    if data.windows(5).any(|word| word == b"stats") || data.contains(&0x10) {
        conversation(data, 3);
        return;
    }
    // A line that is this long is let pass only when it comes at once.
    if data.len() > 2_000 {
        return;
    }
    let whole = conversation(data, usize::MAX);
    assert_eq!(whole, conversation(data, 7));
});
