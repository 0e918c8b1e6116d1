//! The remote's readers: whatever stands in a request's path, headers and body is read or refused, and what was read is written
//! and read again as the same.
#![no_main]

use dae::app::AppName;
use dae::packaging::Digest;
use dae::remote::api;
use dae::remote::server::headers::{Expected, Part, content_range};
use libfuzzer_sys::fuzz_target;
use serde::Serialize;
use serde::de::DeserializeOwned;

fn body<T: Serialize + DeserializeOwned>(bytes: &[u8]) {
    if let Ok(read) = serde_json::from_slice::<T>(bytes) {
        let written = serde_json::to_value(&read).unwrap();
        let again: T = serde_json::from_value(written.clone()).unwrap();
        assert_eq!(serde_json::to_value(&again).unwrap(), written);
    }
}

fn words(text: &str, size: u64) {
    if let Part::Some { first, length } = Part::read(text, size) {
        assert!(length > 0 && first.checked_add(length).is_some_and(|end| end <= size));
    }
    if let Some((first, last)) = content_range(text) {
        assert_eq!(content_range(&format!("bytes {first}-{last}/*")), Some((first, last)));
    }
    if let Ok(Expected::Release(id)) = Expected::read(text) {
        assert_eq!(Expected::read(&format!("\"{id}\"")).unwrap(), Expected::Release(id));
    }
    if let Ok(digest) = Digest::parse(text) {
        // It becomes the name of a file.
        assert!(digest.hex().len() == 64 && digest.bytes().len() == 32 && !digest.as_str().contains('/'));
    }
    if let Ok(name) = AppName::parse(text) {
        assert!(name.as_str().len() <= 16 && !name.host().contains(['.', '/', '_']));
    }
}

fuzz_target!(|input: (u64, &[u8])| {
    let (size, bytes) = input;
    if let Ok(text) = std::str::from_utf8(bytes) {
        words(text, size);
    }
    body::<api::NewRelease>(bytes);
    body::<api::Rollback>(bytes);
    body::<api::TrafficChange>(bytes);
    body::<api::ConfigChange>(bytes);
    body::<api::ScaleChange>(bytes);
    body::<api::NewRun>(bytes);
    body::<api::NewCronRun>(bytes);
    body::<api::PauseCron>(bytes);
    body::<api::PauseQueue>(bytes);
    body::<api::Resolve>(bytes);
    body::<api::Close>(bytes);
    body::<api::Offered>(bytes);
    body::<api::RunsWith>(bytes);
});
