//! What the collector adds to an event: whose it is, which number it has, when it arrived.
//!
//! Detection, evidence and hunts all stamp the same way, so an event looks the same everywhere.
//! A sender's own claim about these fields is overwritten: only the certificate says who sent it.

use watchpost_model::id::AgentId;
use watchpost_model::wire::{self, Batch, PackError};
use watchpost_model::{Event, field as f};

use crate::journal::Frame;

/// The events of a frame, stamped; with the host's name and the batch as it came (its events
/// taken out).
///
/// # Errors
/// The payload is not a batch that this build can read.
pub fn open(frame: &Frame) -> Result<(Vec<Event>, Batch), PackError> {
    let mut batch = wire::unpack(&frame.payload)?;
    if batch.host.is_empty() {
        batch.host = frame.agent.to_string();
    }
    let mut events = std::mem::take(&mut batch.events);
    for (sequence, event) in (frame.first_event..).zip(&mut events) {
        stamp(event, frame, &batch.host, sequence);
    }
    Ok((events, batch))
}

fn stamp(event: &mut Event, frame: &Frame, host: &str, sequence: u64) {
    let agent: AgentId = frame.agent;
    let record = &mut event.record;
    record.set(f::HOST_ID, agent.to_string());
    record.set(f::AGENT_ID, agent.to_string());
    record.set(f::HOST_NAME, host);
    record.set(f::EVENT_SEQUENCE, sequence);
    record.set(f::EVENT_INGESTED, frame.received);
}
