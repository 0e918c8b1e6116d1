//! Whatever a client of the queue sends: nothing panics, and it does not matter how it was split.
#![no_main]

use libfuzzer_sys::fuzz_target;

const LARGEST: u32 = 64;

fuzz_target!(|input: (u8, &[u8])| {
    let (piece, bytes) = input;
    let read = |piece| dae::services::queue::read_all(bytes, piece, LARGEST);
    assert_eq!(read(usize::from(piece)), read(bytes.len()));
});
