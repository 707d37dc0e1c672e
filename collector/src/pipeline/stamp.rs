//! What the collector adds to an event: whose it is, which number it has, when it arrived.
//!
//! Detection, evidence and hunts all stamp the same way, so an event looks the same everywhere.
//! A sender's own claim about these fields is overwritten: only the certificate says who sent it.

use watchpost_model::wire::{Batch, PackError, Unpacker};
use watchpost_model::{Event, Value, field as f};

use crate::journal::Frame;

/// Fields that are added.
const ADDED: usize = 5;

/// The events of a frame, stamped; with the host's name and the batch as it came (its events
/// taken out).
///
/// # Errors
/// The payload is not a batch that this build can read.
pub fn open(frame: &Frame) -> Result<(Vec<Event>, Batch), PackError> {
    open_with(&mut Unpacker::default(), frame)
}

/// [`open`] for one frame after the other, with the same buffers.
///
/// # Errors
/// As [`open`].
pub fn open_with(unpacker: &mut Unpacker, frame: &Frame) -> Result<(Vec<Event>, Batch), PackError> {
    let mut batch = unpacker.unpack_with_room(&frame.payload, ADDED)?;
    let agent = Value::from(frame.agent.to_string());
    if batch.host.is_empty() {
        batch.host = frame.agent.to_string();
    }
    let host = Value::from(batch.host.as_str());
    let mut events = std::mem::take(&mut batch.events);
    for (sequence, event) in (frame.first_event..).zip(&mut events) {
        let added: [_; ADDED] = [
            (f::EVENT_SEQUENCE, Value::Uint(sequence)),
            (f::EVENT_INGESTED, Value::Time(frame.received)),
            (f::HOST_ID, agent.clone()),
            (f::HOST_NAME, host.clone()),
            (f::AGENT_ID, agent.clone()),
        ];
        event.record.overlay(added);
    }
    Ok((events, batch))
}
