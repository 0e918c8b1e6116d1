//! Whatever a client of the queue sends: nothing panics, and it does not matter how it was split.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    dae::services::queue::read_all(bytes, 64);
});
