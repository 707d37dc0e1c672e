//! One frame of any link type: must end without a panic and stay within its own bytes.
#![no_main]

use libfuzzer_sys::fuzz_target;
use watchpost_agent::decode::{Frame, Link, decode};

fuzz_target!(|input: (u16, &[u8])| {
    let (link, data) = input;
    if let Ok(packet) = decode(Frame { link: Link::from_number(u32::from(link)), data, original: data.len() }) {
        assert!(packet.payload.len() <= data.len());
        assert!(packet.payload_bytes <= packet.bytes);
    }
});
