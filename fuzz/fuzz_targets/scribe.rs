//! Scribe: any frame is a call or a reason why not, and a call has an answer whose length is right.
#![no_main]

use dae::services::logs::scribe::{About, Outcome, Wants, answer, log, read};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|frame: &[u8]| {
    let Ok(call) = read(frame) else { return };
    let about = About { alive_since: 1, counters: vec![("received".into(), 2)] };
    if let Some(reply) = answer(&call, Outcome::Ok, &about) {
        let length = u32::from_be_bytes([reply[0], reply[1], reply[2], reply[3]]);
        assert_eq!(length as usize, reply.len() - 4);
    }
    if let Wants::Log(entries) = call.wants {
        let again = log(&entries).unwrap();
        assert_eq!(read(&again[4..]).unwrap().wants, Wants::Log(entries));
    }
});
