//! The bytes of a segment: its header, and records each with a header of its own.
//!
//! The tables are in `docs/formats/spool.md`. Headers carry their own checksum, so that a
//! damaged batch can be stepped over and its events still be counted; nothing here trusts a
//! length before its checksum has been seen to hold.

use std::collections::BTreeMap;

use watchpost_model::limits;

use super::Error;

/// Bytes of a segment's header.
pub(super) const SEGMENT_HEADER: u64 = 40;
/// Bytes of a record's header.
pub(super) const RECORD_HEADER: usize = 40;
/// Layout of segments that this build reads and writes.
const VERSION: u32 = 1;
const SEGMENT_MAGIC: &[u8; 8] = b"WPSPOOL\0";
const RECORD_MAGIC: &[u8; 4] = b"WPR1";
/// Positions of one record as JSON: some thousand log files of long names.
const POSITIONS_BYTES: usize = 1024 * 1024;

/// Where a segment begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SegmentStart {
    pub(super) epoch: u64,
    pub(super) first_sequence: u64,
    pub(super) first_event: u64,
}

/// What a record's header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    /// Bytes of the packed batch.
    pub(super) payload: usize,
    /// Bytes of the positions.
    pub(super) positions: usize,
    pub(super) events: u32,
    pub(super) sequence: u64,
    pub(super) first_event: u64,
    checksum: u32,
}

impl Header {
    /// Bytes of the whole record.
    pub(super) fn record_bytes(&self) -> usize {
        RECORD_HEADER.saturating_add(self.body_bytes())
    }

    /// Bytes after the header.
    pub(super) fn body_bytes(&self) -> usize {
        self.payload.saturating_add(self.positions)
    }

    /// The `event.sequence` after this record's last event.
    pub(super) fn end_event(&self) -> u64 {
        self.first_event.saturating_add(u64::from(self.events))
    }

    /// Whether these are the bytes that were written after the header.
    pub(super) fn accepts(&self, body: &[u8]) -> bool {
        body.len() == self.body_bytes() && crc32fast::hash(body) == self.checksum
    }

    /// Reads a header. `None` where the bytes are not one.
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        let signed = bytes.get(..36)?;
        if bytes.get(..4)? != RECORD_MAGIC || u32_at(bytes, 36)? != crc32fast::hash(signed) {
            return None;
        }
        let header = Self {
            payload: usize::try_from(u32_at(bytes, 4)?).ok()?,
            positions: usize::try_from(u32_at(bytes, 8)?).ok()?,
            events: u32_at(bytes, 12)?,
            sequence: u64_at(bytes, 16)?,
            first_event: u64_at(bytes, 24)?,
            checksum: u32_at(bytes, 32)?,
        };
        (header.payload <= limits::BATCH_BYTES && header.positions <= POSITIONS_BYTES).then_some(header)
    }
}

impl SegmentStart {
    /// The header's bytes.
    pub(super) fn encode(self) -> Vec<u8> {
        let mut signed = Vec::with_capacity(24);
        signed.extend(self.epoch.to_le_bytes());
        signed.extend(self.first_sequence.to_le_bytes());
        signed.extend(self.first_event.to_le_bytes());
        let mut bytes = SEGMENT_MAGIC.to_vec();
        bytes.extend(VERSION.to_le_bytes());
        bytes.extend(crc32fast::hash(&signed).to_le_bytes());
        bytes.extend(signed);
        bytes
    }

    /// Reads a segment's header. `Ok(None)` where the bytes are not one.
    ///
    /// # Errors
    /// [`Error::Version`] for a layout of a later build, which must not be thrown away.
    pub(super) fn parse(bytes: &[u8]) -> Result<Option<Self>, Error> {
        let (Some(magic), Some(version)) = (bytes.get(..8), u32_at(bytes, 8)) else { return Ok(None) };
        if magic != SEGMENT_MAGIC {
            return Ok(None);
        }
        if version > VERSION {
            return Err(Error::Version { found: version });
        }
        Ok(Self::parse_fields(bytes))
    }

    fn parse_fields(bytes: &[u8]) -> Option<Self> {
        let signed = bytes.get(16..40)?;
        if u32_at(bytes, 12)? != crc32fast::hash(signed) {
            return None;
        }
        Some(Self {
            epoch: u64_at(bytes, 16)?,
            first_sequence: u64_at(bytes, 24)?,
            first_event: u64_at(bytes, 32)?,
        })
    }
}

/// A batch about to be written.
#[derive(Clone, Copy, Debug)]
pub struct Append<'a> {
    /// The batch's sequence; must be the spool's next one.
    pub sequence: u64,
    /// The first event's number; must be the spool's next one.
    pub first_event: u64,
    /// How many events the batch has.
    pub events: u32,
    /// The packed batch.
    pub payload: &'a [u8],
    /// Where each log source stands once this batch is durable.
    pub positions: &'a BTreeMap<String, String>,
}

impl Append<'_> {
    /// The record's bytes.
    ///
    /// # Errors
    /// [`Error::TooLarge`] for a payload over the wire's cap or positions beyond reason.
    pub(super) fn encode(&self) -> Result<Vec<u8>, Error> {
        let positions = match self.positions.is_empty() {
            true => Vec::new(),
            false => serde_json::to_vec(self.positions).unwrap_or_default(),
        };
        if self.payload.len() > limits::BATCH_BYTES || positions.len() > POSITIONS_BYTES {
            return Err(Error::TooLarge { payload: self.payload.len(), positions: positions.len() });
        }
        let mut checksum = crc32fast::Hasher::new();
        checksum.update(self.payload);
        checksum.update(&positions);
        let mut bytes = Vec::with_capacity(RECORD_HEADER + self.payload.len() + positions.len());
        bytes.extend(RECORD_MAGIC);
        bytes.extend(u32::try_from(self.payload.len()).unwrap_or(u32::MAX).to_le_bytes());
        bytes.extend(u32::try_from(positions.len()).unwrap_or(u32::MAX).to_le_bytes());
        bytes.extend(self.events.to_le_bytes());
        bytes.extend(self.sequence.to_le_bytes());
        bytes.extend(self.first_event.to_le_bytes());
        bytes.extend(checksum.finalize().to_le_bytes());
        bytes.extend(crc32fast::hash(&bytes).to_le_bytes());
        bytes.extend_from_slice(self.payload);
        bytes.extend_from_slice(&positions);
        Ok(bytes)
    }
}

/// Reads the positions of a record's body; damaged ones are none.
pub(super) fn positions(bytes: &[u8]) -> BTreeMap<String, String> {
    match bytes.is_empty() {
        true => BTreeMap::new(),
        false => serde_json::from_slice(bytes).unwrap_or_default(),
    }
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at.checked_add(4)?)?.try_into().ok()?))
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(bytes.get(at..at.checked_add(8)?)?.try_into().ok()?))
}

#[cfg(test)]
#[expect(clippy::indexing_slicing, reason = "a test that is wrong should fail loudly")]
mod tests {
    use super::*;

    #[test]
    fn a_record_comes_back_and_one_flipped_bit_is_noticed() {
        let positions = BTreeMap::from([("file:a".to_owned(), "7".to_owned())]);
        let append =
            Append { sequence: 3, first_event: 9, events: 2, payload: b"abc", positions: &positions };
        let bytes = append.encode().unwrap();
        let header = Header::parse(&bytes).unwrap();
        assert_eq!((header.sequence, header.first_event, header.events, header.payload), (3, 9, 2, 3));
        assert_eq!(header.record_bytes(), bytes.len());
        assert!(header.accepts(&bytes[RECORD_HEADER..]));
        assert_eq!(super::positions(&bytes[RECORD_HEADER + 3..]), positions);
        for at in 0..bytes.len() {
            let mut bad = bytes.clone();
            bad[at] ^= 1;
            let holds = Header::parse(&bad).is_some_and(|header| header.accepts(&bad[RECORD_HEADER..]));
            assert!(!holds, "a flip at byte {at} went unnoticed");
        }
    }

    #[test]
    fn a_segment_of_a_later_build_is_refused_not_thrown_away() {
        let start = SegmentStart { epoch: 1, first_sequence: 2, first_event: 3 };
        let mut bytes = start.encode();
        assert_eq!(bytes.len() as u64, SEGMENT_HEADER);
        assert_eq!(SegmentStart::parse(&bytes).unwrap(), Some(start));
        bytes[8] = 9;
        assert!(matches!(SegmentStart::parse(&bytes), Err(Error::Version { found: 9 })));
        assert_eq!(SegmentStart::parse(&bytes[..10]).unwrap(), None);
    }
}
