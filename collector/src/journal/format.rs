//! Bytes of segments and frames: see `docs/formats/journal.md`.
//!
//! All numbers are little-endian. A frame carries two checksums: one over its header alone, so
//! that a damaged payload can be stepped over by its length, and one over header and payload.

use watchpost_model::Timestamp;
use watchpost_model::id::AgentId;
use watchpost_model::limits;

use super::sidecar::Told;
use super::{Frame, NewFrame};

/// Layout written into each segment.
pub(super) const LAYOUT: u16 = 1;

const SEGMENT_MAGIC: [u8; 4] = *b"WPJ1";

/// First bytes of every frame; what a search for the next whole frame looks for.
pub(super) const FRAME_MAGIC: [u8; 4] = *b"WPFr";

/// Bytes of a segment's header.
pub(super) const SEGMENT_HEADER: usize = 20;

/// Bytes of a frame's header.
pub(super) const FRAME_HEADER: usize = 76;

/// Most bytes of a payload: what the wire lets through. A larger length is damage.
pub(super) const MOST_PAYLOAD: usize = limits::BATCH_BYTES;

/// A frame's header, checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) number: u64,
    pub(super) agent: AgentId,
    pub(super) epoch: u64,
    pub(super) sequence: u64,
    pub(super) first_event: u64,
    pub(super) events: u32,
    pub(super) received: Timestamp,
    pub(super) payload: u32,
    pub(super) checksum: u32,
}

impl Header {
    /// What it says of its batch.
    pub(super) const fn told(&self) -> Told {
        let Self { agent, epoch, sequence, first_event, events, .. } = *self;
        Told { agent, epoch, sequence, first_event, events }
    }

    /// Bytes of the whole frame.
    pub(super) fn frame_bytes(&self) -> u64 {
        u64::from(self.payload).saturating_add(FRAME_HEADER as u64)
    }

    /// The frame, if the payload is what the header promises.
    pub(super) fn with_payload(&self, head: &[u8], payload: Vec<u8>) -> Option<Frame> {
        if checksum(head.get(..FRAME_HEADER - 8)?, &payload) != self.checksum {
            return None;
        }
        Some(Frame {
            number: self.number,
            agent: self.agent,
            epoch: self.epoch,
            sequence: self.sequence,
            first_event: self.first_event,
            events: self.events,
            received: self.received,
            payload,
        })
    }
}

/// A segment's header.
pub(super) fn segment_header(first: u64) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(SEGMENT_HEADER);
    bytes.extend_from_slice(&SEGMENT_MAGIC);
    bytes.extend_from_slice(&LAYOUT.to_le_bytes());
    bytes.extend_from_slice(&[0, 0]);
    bytes.extend_from_slice(&first.to_le_bytes());
    let sum = crc32fast::hash(&bytes);
    bytes.extend_from_slice(&sum.to_le_bytes());
    bytes
}

/// What a segment's header says: its layout and its first frame's number.
pub(super) fn read_segment_header(bytes: &[u8]) -> Option<(u16, u64)> {
    let body = bytes.get(..SEGMENT_HEADER - 4)?;
    let mut cursor = Cursor(bytes.get(..SEGMENT_HEADER)?);
    let magic: [u8; 4] = cursor.take()?;
    let layout = u16::from_le_bytes(cursor.take()?);
    let _: [u8; 2] = cursor.take()?;
    let first = u64::from_le_bytes(cursor.take()?);
    let sum = u32::from_le_bytes(cursor.take()?);
    (magic == SEGMENT_MAGIC && sum == crc32fast::hash(body)).then_some((layout, first))
}

/// Appends a whole frame to `out`.
pub(super) fn write_frame(out: &mut Vec<u8>, number: u64, frame: &NewFrame, payload: u32) {
    let start = out.len();
    out.extend_from_slice(&FRAME_MAGIC);
    out.extend_from_slice(&payload.to_le_bytes());
    out.extend_from_slice(&number.to_le_bytes());
    out.extend_from_slice(frame.agent.as_bytes());
    out.extend_from_slice(&frame.epoch.to_le_bytes());
    out.extend_from_slice(&frame.sequence.to_le_bytes());
    out.extend_from_slice(&frame.first_event.to_le_bytes());
    out.extend_from_slice(&frame.events.to_le_bytes());
    out.extend_from_slice(&frame.received.as_nanos().to_le_bytes());
    let head = out.get(start..).unwrap_or_default();
    let whole = checksum(head, &frame.payload);
    out.extend_from_slice(&whole.to_le_bytes());
    let of_header = crc32fast::hash(out.get(start..).unwrap_or_default());
    out.extend_from_slice(&of_header.to_le_bytes());
    out.extend_from_slice(&frame.payload);
}

/// A frame's header, if these bytes begin with a whole and sound one.
pub(super) fn read_frame_header(bytes: &[u8]) -> Option<Header> {
    let head = bytes.get(..FRAME_HEADER)?;
    let mut cursor = Cursor(head);
    if cursor.take::<4>()? != FRAME_MAGIC {
        return None;
    }
    let payload = u32::from_le_bytes(cursor.take()?);
    let header = Header {
        payload,
        number: u64::from_le_bytes(cursor.take()?),
        agent: AgentId::from_bytes(cursor.take()?),
        epoch: u64::from_le_bytes(cursor.take()?),
        sequence: u64::from_le_bytes(cursor.take()?),
        first_event: u64::from_le_bytes(cursor.take()?),
        events: u32::from_le_bytes(cursor.take()?),
        received: Timestamp::from_nanos(i64::from_le_bytes(cursor.take()?)),
        checksum: u32::from_le_bytes(cursor.take()?),
    };
    let sum = u32::from_le_bytes(cursor.take()?);
    let sound = crc32fast::hash(head.get(..FRAME_HEADER - 4)?) == sum;
    (sound && usize::try_from(payload).is_ok_and(|size| size <= MOST_PAYLOAD)).then_some(header)
}

/// Over the header up to the checksums, then the payload.
fn checksum(head: &[u8], payload: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(head);
    hasher.update(payload);
    hasher.finalize()
}

/// Takes fixed-size pieces off the front.
pub(super) struct Cursor<'a>(pub(super) &'a [u8]);

impl Cursor<'_> {
    pub(super) fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (piece, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*piece)
    }
}
