//! Any text as the body of a correlation over two base rules: refused with a reason, or it counts
//! events without a panic and says the same whichever way its base rules were found.
#![no_main]

use libfuzzer_sys::fuzz_target;
use watchpost_fuzz::{agree, load, sample_events};

const BASE: &str = "title: one\nid: one\nname: one\ndetection: {s: {a: x}, condition: s}\n---\n\
                    title: two\nid: two\nname: two\ndetection: {s: {b: x}, condition: s}\n---\n\
                    title: both\nid: both\ncorrelation:\n";

fuzz_target!(|text: &str| {
    let body: String = text.lines().map(|line| format!("  {line}\n")).collect();
    let set = load(&format!("{BASE}{body}"));
    agree(&set, &sample_events());
});
