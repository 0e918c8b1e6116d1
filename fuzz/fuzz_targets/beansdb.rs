//! The beansdb protocol: whatever comes in is cut into requests, the same ones however it comes in, and never a panic.
#![no_main]

use bytes::BytesMut;
use dae::services::kv::beansdb::{Decoder, Request};
use libfuzzer_sys::fuzz_target;

const LONGEST_VALUE: usize = 1000;

fn decoded<'a>(parts: impl Iterator<Item = &'a [u8]>) -> Vec<Request> {
    let (mut decoder, mut bytes, mut requests) = (Decoder::new(LONGEST_VALUE), BytesMut::new(), Vec::new());
    for part in parts {
        bytes.extend_from_slice(part);
        while let Some(request) = decoder.next(&mut bytes) {
            requests.push(request);
        }
    }
    requests
}

fuzz_target!(|bytes: &[u8]| {
    let Some((size, bytes)) = bytes.split_first() else { return };
    let whole = decoded(std::iter::once(bytes));
    assert_eq!(decoded(bytes.chunks(usize::from(*size).max(1))), whole);
});
