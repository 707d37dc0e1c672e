//! Any bytes as a file: the lengths of the lines add up to the file, and none is over the bound.
#![no_main]

use libfuzzer_sys::fuzz_target;
use watchpost_agent::parse::LINE_BYTES;
use watchpost_agent::tail::{Checkpoint, LineBuffer};

fuzz_target!(|bytes: &[u8]| {
    let mut buffer = LineBuffer::default();
    let mut total = 0;
    for chunk in bytes.chunks(7) {
        let mut rest = chunk;
        while let Some(line) = buffer.feed(&mut rest) {
            assert!(line.text().len() <= LINE_BYTES);
            total += line.length;
        }
    }
    total += buffer.finish().map_or(0, |line| line.length);
    assert_eq!(total, bytes.len() as u64);
    let _ = std::str::from_utf8(bytes).ok().and_then(Checkpoint::parse);
});
