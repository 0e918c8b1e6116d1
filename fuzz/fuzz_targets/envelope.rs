//! A report: whatever comes is an envelope or a reason why not, and an event of it has a bounded name.
#![no_main]

use dae::services::errors::envelope::Envelope;
use dae::services::errors::event::{Event, exceptions};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(envelope) = Envelope::read(bytes) {
        for item in envelope.items {
            assert!(item.payload.len() <= bytes.len());
        }
    }
    if let Ok(report) = serde_json::from_slice(bytes) {
        let _ = exceptions(&report);
        if let Some(event) = Event::read(&report) {
            assert_eq!(event.key.len(), 24);
            assert!(event.message.chars().count() <= 500);
        }
    }
});
