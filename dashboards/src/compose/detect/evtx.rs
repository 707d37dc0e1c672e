//! Windows event logs, chunk by chunk.
//!
//! A log is a 4 KiB header and chunks of 64 KiB, each readable by itself, so that memory is bound
//! and workers share the decoding. A damaged chunk or record costs itself alone, and is counted and
//! named. The library bounds what one record (16 MiB) and one chunk (64 MiB) may unfold to. A log
//! that has wrapped round is read oldest chunk first where the file can be sought.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;
use std::sync::Arc;

use ::evtx::{EvtxChunkData, ParserSettings};
use serde_json::Value as Json;

use super::source::Opened;
use super::unit::Load;

/// Bytes before the first chunk.
const HEADER: usize = 4_096;

/// Bytes of a chunk.
const CHUNK: usize = 65_536;

/// How every event log begins.
pub(super) const MAGIC: &[u8; 8] = b"ElfFile\0";

/// Chunks looked at for the oldest: 16 GiB of log. What lies behind is read in the file's order.
const MOST_LOOKED_AT: u64 = 262_144;

/// What is found in a chunk.
#[derive(Debug)]
pub enum Found {
    /// A record.
    Record(Json),
    /// A record or the whole chunk can not be read.
    Unreadable(String),
    /// The chunk is not as it was written; what can be read of it follows.
    Odd(String),
}

/// Why the chunks of a file could not be read.
pub(super) enum Refused {
    /// It is no event log.
    Foreign,
    /// It ends within its own header.
    Headless(usize),
    /// It ends before the chunks that its header counts: how many there are, and how many were counted.
    Short(u64, u64),
    /// Reading failed.
    Io(io::Error),
}

impl From<io::Error> for Refused {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// Reads chunk after chunk, the oldest first where the file can be sought, and hands each over until
/// `take` wants no more.
///
/// # Errors
/// It does not begin as an event log, or reading fails.
pub(super) fn chunks(mut opened: Opened, take: &mut dyn FnMut(Load) -> bool) -> Result<(), Refused> {
    let mut head = Vec::with_capacity(HEADER);
    (&mut opened.reader).take(HEADER as u64).read_to_end(&mut head)?;
    if !head.starts_with(MAGIC) {
        return Err(Refused::Foreign);
    }
    if head.len() < HEADER {
        return Err(Refused::Headless(head.len()));
    }
    let counted = head.get(42..44).and_then(|two| two.try_into().ok()).map_or(0, u16::from_le_bytes);
    let Some(mut file) = opened.file else {
        let mut there = 0_u64;
        let is_whole = pass(&mut opened.reader, 0..u64::MAX, &mut |load| {
            if let Load::Chunk(number, _) = &load {
                there = number + 1;
            }
            take(load)
        })?;
        return if is_whole { enough(there, counted) } else { Ok(()) };
    };
    let there = (file.metadata()?.len().saturating_sub(HEADER as u64)).div_ceil(CHUNK as u64);
    let start = oldest(&mut file)?;
    // The reader counts bytes and shares its place with the file.
    file.seek(SeekFrom::Start(place_of(start)))?;
    if pass(&mut opened.reader, start..u64::MAX, take)? {
        file.seek(SeekFrom::Start(place_of(0)))?;
        pass(&mut opened.reader, 0..start, take)?;
    }
    enough(there, counted)
}

/// Whether as many chunks are there as the header counts. A log that was copied while it was written
/// may hold more than its header knows, which is no fault.
fn enough(there: u64, counted: u16) -> Result<(), Refused> {
    let counted = u64::from(counted);
    if there < counted { Err(Refused::Short(there, counted)) } else { Ok(()) }
}

const fn place_of(chunk: u64) -> u64 {
    chunk.saturating_mul(CHUNK as u64).saturating_add(HEADER as u64)
}

/// Hands over these chunks; whether more are wanted.
fn pass(from: &mut dyn Read, numbers: Range<u64>, take: &mut dyn FnMut(Load) -> bool) -> io::Result<bool> {
    for number in numbers {
        let mut bytes = Vec::with_capacity(CHUNK);
        from.take(CHUNK as u64).read_to_end(&mut bytes)?;
        if bytes.is_empty() {
            break;
        }
        // A chunk that was never written is no damage.
        if bytes.iter().any(|byte| *byte != 0) && !take(Load::Chunk(number, bytes)) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Decodes one chunk, whose place in the file is `number`, handing over each record as JSON, and what
/// is wrong. Any bytes will do.
pub fn decode(bytes: Vec<u8>, number: u64, take: &mut dyn FnMut(Found)) {
    let size = bytes.len();
    let mut data = match EvtxChunkData::new(bytes, false) {
        Ok(data) => data,
        Err(error) => return take(Found::Unreadable(told(&error, number))),
    };
    data.number = Some(number);
    if !data.validate_checksum() && size == CHUNK {
        take(Found::Odd(format!("chunk {number}: its checksum is wrong")));
    }
    let settings = Arc::new(ParserSettings::default().indent(false));
    match data.parse(settings) {
        Ok(mut chunk) => {
            for record in chunk.iter() {
                let found = record.and_then(::evtx::EvtxRecord::into_json_bytes);
                take(match found {
                    Ok(record) => as_json(&record.data).map_or_else(
                        |error| {
                            Found::Unreadable(format!(
                                "chunk {number}, record {}: {error}",
                                record.event_record_id
                            ))
                        },
                        Found::Record,
                    ),
                    Err(error) => Found::Unreadable(told(&error, number)),
                });
            }
        }
        Err(error) => take(Found::Unreadable(told(&error, number))),
    }
    if size < CHUNK {
        take(Found::Unreadable(format!("chunk {number}: cut off after {size} of {CHUNK} bytes")));
    }
}

fn as_json(bytes: &[u8]) -> serde_json::Result<Json> {
    serde_json::from_slice(bytes)
}

fn told(error: &dyn std::error::Error, number: u64) -> String {
    let mut said = format!("chunk {number}: {error}");
    let mut source = error.source();
    while let Some(cause) = source {
        said.push_str(": ");
        said.push_str(&cause.to_string());
        source = cause.source();
    }
    said
}

/// The chunk whose first record is the oldest; 0 where that can not be told.
fn oldest(file: &mut File) -> io::Result<u64> {
    let size = file.metadata()?.len().saturating_sub(HEADER as u64) / CHUNK as u64;
    let mut best = (u64::MAX, 0);
    let mut head = [0_u8; 40];
    for number in 0..size.min(MOST_LOOKED_AT) {
        file.seek(SeekFrom::Start(HEADER as u64 + number * CHUNK as u64))?;
        file.read_exact(&mut head)?;
        let word = |at: usize| {
            head.get(at..at + 8).and_then(|bytes| bytes.try_into().ok()).map_or(0, u64::from_le_bytes)
        };
        // Magic, then first and last number, then first and last record id.
        let (first, last) = (word(24), word(32));
        if head.starts_with(b"ElfChnk\0") && first <= last && first < best.0 {
            best = (first, number);
        }
    }
    Ok(best.1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compose::detect::Input;

    fn read(bytes: Vec<u8>) -> Result<(), Refused> {
        let opened = Opened { kind: Input::Evtx, reader: Box::new(io::Cursor::new(bytes)), file: None };
        chunks(opened, &mut |_| true)
    }

    #[test]
    fn a_log_that_ends_before_what_its_header_counts_is_not_read_to_its_end() {
        let mut log = MAGIC.to_vec();
        log.resize(100, 0);
        assert!(matches!(read(log.clone()), Err(Refused::Headless(100))));
        log.resize(HEADER, 0);
        assert!(read(log.clone()).is_ok(), "an empty log is whole");
        log[42] = 2;
        assert!(matches!(read(log.clone()), Err(Refused::Short(0, 2))));
        log.resize(HEADER + CHUNK, 1);
        assert!(matches!(read(log.clone()), Err(Refused::Short(1, 2))));
        log.resize(HEADER + 2 * CHUNK, 1);
        assert!(read(log).is_ok());
    }
}
