//! Reads anything as a .thrift file, and writes the client of what is good.
#![no_main]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if dae::thrift::parse(Path::new("user.thrift"), text).is_err() {
        return;
    }
    let texts = BTreeMap::from([(PathBuf::from("user.thrift"), text.to_owned())]);
    if let Ok(all) = dae::thrift::Interfaces::of_texts(&texts) {
        let _ = dae::thrift::service_package(&all);
        assert!(dae::thrift::compare(&all, &all, &[]).is_empty());
    }
});
