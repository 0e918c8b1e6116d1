//! app.yaml: whatever stands there is an app or a problem with a place, never a panic.
#![no_main]

use std::path::Path;

use dae::app::Manifest;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _ = Manifest::parse(Path::new("app.yaml"), bytes);
});
