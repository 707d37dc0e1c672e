//! What the collector adds to an event: whose it is, which number it has, when it arrived.
//!
//! Detection, evidence and hunts all stamp the same way, so an event looks the same everywhere.
//! A sender's own claim about these fields is overwritten: only the certificate says who sent it.

use watchpost_model::wire::{self, Batch, PackError, Spare, Unpacker};
use watchpost_model::{Event, field as f};

use crate::journal::Frame;

/// The events of a frame, stamped; with the host's name and the batch as it came (its events
/// taken out).
///
/// # Errors
/// The payload is not a batch that this build can read.
pub fn open(frame: &Frame) -> Result<(Vec<Event>, Batch), PackError> {
    let mut batch = wire::unpack(&frame.payload)?;
    let stamp = Stamp::new(frame, &mut batch);
    let mut events = std::mem::take(&mut batch.events);
    let mut spare = Spare::default();
    for (index, event) in (0..).zip(&mut events) {
        stamp.put(index, event, &mut spare);
    }
    Ok((events, batch))
}

/// The same for whoever looks at each event and keeps few: gives each to `visit` with its
/// position, in memory that is used again.
///
/// # Errors
/// As [`open`]; events before the damage have been visited.
pub fn each(
    unpacker: &mut Unpacker,
    frame: &Frame,
    mut visit: impl FnMut(u32, &mut Event),
) -> Result<Batch, PackError> {
    let mut reading = unpacker.open(&frame.payload)?;
    let stamp = Stamp::new(frame, &mut reading.batch);
    reading.each(|index, event, spare| {
        stamp.put(index, event, spare);
        visit(index, event);
    })?;
    Ok(reading.batch)
}

/// What all events of a frame share.
struct Stamp<'a> {
    frame: &'a Frame,
    agent: String,
    host: String,
}

impl<'a> Stamp<'a> {
    fn new(frame: &'a Frame, batch: &mut Batch) -> Self {
        let agent = frame.agent.to_string();
        if batch.host.is_empty() {
            batch.host.clone_from(&agent);
        }
        Self { frame, agent, host: batch.host.clone() }
    }

    fn put(&self, index: u32, event: &mut Event, spare: &mut Spare) {
        let sequence = self.frame.first_event.saturating_add(u64::from(index));
        event.record.overlay([
            (f::EVENT_SEQUENCE, sequence.into()),
            (f::EVENT_INGESTED, self.frame.received.into()),
            (f::HOST_ID, spare.text(&self.agent)),
            (f::HOST_NAME, spare.text(&self.host)),
            (f::AGENT_ID, spare.text(&self.agent)),
        ]);
    }
}
