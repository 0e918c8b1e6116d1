//! pip-req.txt: whatever stands there, nothing panics and no byte is lost.
#![no_main]

use dae::python::Pins;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let pins = Pins::parse(text);
    assert_eq!(pins.text(), text);
    let _ = (pins.problems(), pins.moving(), pins.wish(&[]), pins.preferred(), pins.named());
});
