//! Any text as lines of any source: no parser may panic, every line makes an event, and audit
//! records that wait for others come out at the end.
#![no_main]

use jiff::tz::TimeZone;
use libfuzzer_sys::fuzz_target;
use watchpost_agent::parse::{Format, Line, Reader, Reference};
use watchpost_model::Timestamp;

fuzz_target!(|text: &str| {
    let reference = Reference { now: Timestamp::from_millis(1_795_000_000_000), zone: TimeZone::UTC };
    for format in [Format::Syslog, Format::Pam, Format::Service, Format::Web] {
        let mut reader = Reader::new(format);
        for line in text.lines() {
            let parsed = reader.read(Line { text: line, cut: false }, &reference);
            assert!(parsed.times >= 1);
        }
    }
    for format in [Format::Audit, Format::Structured] {
        let mut reader = Reader::new(format);
        for line in text.lines() {
            let _ = reader.take(Line { text: line, cut: false }, &reference);
        }
        let _ = reader.finish();
        assert!(!reader.is_holding());
    }
});
