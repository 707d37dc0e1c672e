//! Whatever is written in a rule file must load or be rejected with a reason that names the file
//! and fits on a screen; what loads must find the same in an event the quick way and the plain way.
#![no_main]

use libfuzzer_sys::fuzz_target;
use watchpost_fuzz::{agree, load, sample_events};

fuzz_target!(|text: &str| {
    let set = load(text);
    agree(&set, &sample_events());
});
