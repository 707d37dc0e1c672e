//! A whole capture file: through replay, decoding, the flow table and inspection. The packets
//! that the records count are the packets that were decoded.
#![no_main]

use std::io::Cursor;

use libfuzzer_sys::fuzz_target;
use watchpost_agent::capture::{PacketSource, Replay, Sensor};
use watchpost_agent::flow::{Place, Settings};

fuzz_target!(|bytes: &[u8]| {
    let Ok(mut replay) = Replay::from_reader(Cursor::new(bytes.to_vec())) else { return };
    let settings = Settings { most: 64, ..Settings::default() };
    let mut sensor = Sensor::new(settings, Place { rung: "replay", ..Place::default() }, Vec::new());
    let mut events = Vec::new();
    while let Ok(Some(captured)) = replay.next_packet() {
        sensor.take(&captured, &mut events);
    }
    sensor.finish(&mut events);
    let counted: u64 = events
        .iter()
        .filter_map(|event| event.record.get(watchpost_model::field::NETWORK_PACKETS))
        .filter_map(watchpost_model::Value::as_uint)
        .sum();
    let unread: u64 = sensor.problems().iter().map(|entry| entry.1).sum();
    assert_eq!(counted + unread, sensor.frames());
});
