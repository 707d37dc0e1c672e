//! Batches to bytes and back, with caps before anything is unpacked.

use std::io::Read;

use prost::Message;

use super::proto::BatchMessage;
use super::{Batch, Malformed, Spare, Summary, VERSION, read};
use crate::event::Event;
use crate::limits;

/// Why bytes are not a batch.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PackError {
    /// More compressed bytes than [`limits::BATCH_BYTES`].
    #[error("batch has {size} bytes, more than the limit of {limit}; send smaller batches")]
    TooLarge {
        /// Bytes received.
        size: usize,
        /// The limit.
        limit: usize,
    },
    /// Unpacks to more than [`limits::BATCH_UNPACKED_BYTES`].
    #[error("batch unpacks to more than {limit} bytes; refused before it fills memory")]
    Bomb {
        /// The limit.
        limit: usize,
    },
    /// Not zstd, or cut.
    #[error("batch is not a whole zstd frame")]
    Zstd(#[source] std::io::Error),
    /// Not the protobuf message.
    #[error("batch is not a valid protobuf message")]
    Proto(#[from] Malformed),
    /// A layout that this build can not read.
    #[error("batch layout {found} is unknown here (this build reads up to {VERSION}); update this program")]
    Version {
        /// The version found.
        found: u32,
    },
    /// More events or fields than allowed.
    #[error("batch has {count} events, more than the limit of {limit}")]
    TooManyEvents {
        /// Events found.
        count: usize,
        /// The limit.
        limit: usize,
    },
}

/// zstd level: 1 is the measured choice; 3 costs twice the CPU for 4 % fewer bytes.
const LEVEL: i32 = 1;

/// Encodes and compresses a batch.
///
/// # Errors
/// [`PackError::TooLarge`] if the result is over the wire's cap, [`PackError::Zstd`] if the
/// compressor fails for want of memory.
pub fn pack(batch: &Batch) -> Result<Vec<u8>, PackError> {
    let plain = BatchMessage::from(batch).encode_to_vec();
    if plain.len() > limits::BATCH_UNPACKED_BYTES {
        return Err(PackError::Bomb { limit: limits::BATCH_UNPACKED_BYTES });
    }
    let packed = zstd::bulk::compress(&plain, LEVEL).map_err(PackError::Zstd)?;
    if packed.len() > limits::BATCH_BYTES {
        return Err(PackError::TooLarge { size: packed.len(), limit: limits::BATCH_BYTES });
    }
    Ok(packed)
}

/// Unpacks and decodes a batch, never using more memory than the caps allow.
///
/// # Errors
/// Says which cap or which layer refused the bytes.
pub fn unpack(bytes: &[u8]) -> Result<Batch, PackError> {
    Unpacker::default().unpack(bytes)
}

/// A batch that is read event by event.
#[derive(Debug)]
pub struct Reading<'a> {
    /// What the batch says of itself; it holds no events.
    pub batch: Batch,
    plain: &'a [u8],
    spare: &'a mut Spare,
}

impl Reading<'_> {
    /// Gives each event of a known kind to `visit`, with its position among them, in order. The
    /// event's memory is used again for the next one; `visit` may change it or take it away.
    ///
    /// # Errors
    /// An event is malformed; those before it have been visited.
    pub fn each(&mut self, visit: impl FnMut(u32, &mut Event, &mut Spare)) -> Result<(), PackError> {
        self.batch.unknown_kinds = read::each(self.plain, self.spare, visit)?;
        Ok(())
    }
}

/// Unpacked bytes that an [`Unpacker`] keeps room for: one giant batch must not stay in memory.
const KEPT_BYTES: usize = 1024 * 1024;

/// Unpacks one batch after the other with the same buffers. For one batch, [`unpack`] will do.
#[derive(Default)]
pub struct Unpacker {
    zstd: Option<zstd::bulk::Decompressor<'static>>,
    plain: Vec<u8>,
    spare: Spare,
}

impl std::fmt::Debug for Unpacker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Unpacker").field("room", &self.plain.capacity()).finish_non_exhaustive()
    }
}

impl Unpacker {
    /// As [`unpack`].
    ///
    /// # Errors
    /// As [`unpack`].
    pub fn unpack(&mut self, bytes: &[u8]) -> Result<Batch, PackError> {
        self.inflate(bytes)?;
        read::batch(&self.plain)
    }

    /// Begins to read a batch event by event, for whoever keeps few of them.
    ///
    /// # Errors
    /// As [`unpack`], but for what is wrong within an event.
    pub fn open(&mut self, bytes: &[u8]) -> Result<Reading<'_>, PackError> {
        self.inflate(bytes)?;
        let batch = read::head(&self.plain)?;
        Ok(Reading { batch, plain: &self.plain, spare: &mut self.spare })
    }

    /// Whether [`unpack`] would take these bytes, and what the batch says of itself. Keeps no
    /// event, so it costs a fraction.
    ///
    /// # Errors
    /// As [`unpack`].
    pub fn survey(&mut self, bytes: &[u8]) -> Result<Summary, PackError> {
        self.inflate(bytes)?;
        read::survey(&self.plain)
    }

    /// Decompresses into the buffer.
    fn inflate(&mut self, bytes: &[u8]) -> Result<(), PackError> {
        if bytes.len() > limits::BATCH_BYTES {
            return Err(PackError::TooLarge { size: bytes.len(), limit: limits::BATCH_BYTES });
        }
        let cap = limits::BATCH_UNPACKED_BYTES;
        let told = zstd::zstd_safe::get_frame_content_size(bytes).ok().flatten();
        let told = told.map(|told| usize::try_from(told).unwrap_or(usize::MAX));
        // A frame that says how large it is need not be opened to be refused.
        if told.is_some_and(|told| told > cap) {
            return Err(PackError::Bomb { limit: cap });
        }
        self.plain.clear();
        self.plain.shrink_to(KEPT_BYTES);
        match told {
            Some(told) if self.at_once(bytes, told) => Ok(()),
            // Several frames, no size, or no frame at all: the slow way says which.
            _ => self.by_stream(bytes, cap),
        }
    }

    /// One frame of a known size. False where it is something else.
    fn at_once(&mut self, bytes: &[u8], told: usize) -> bool {
        self.plain.reserve(told);
        if self.zstd.is_none() {
            self.zstd = zstd::bulk::Decompressor::new().ok();
        }
        let Some(zstd) = &mut self.zstd else { return false };
        zstd.decompress_to_buffer(bytes, &mut self.plain).is_ok()
    }

    fn by_stream(&mut self, bytes: &[u8], cap: usize) -> Result<(), PackError> {
        self.plain.clear();
        let decoder = zstd::stream::read::Decoder::new(bytes).map_err(PackError::Zstd)?;
        let mut capped = decoder.take(u64::try_from(cap).unwrap_or(u64::MAX).saturating_add(1));
        capped.read_to_end(&mut self.plain).map_err(PackError::Zstd)?;
        if self.plain.len() > cap { Err(PackError::Bomb { limit: cap }) } else { Ok(()) }
    }
}

#[cfg(test)]
#[expect(clippy::indexing_slicing, reason = "a test may stop where it fails")]
mod tests {
    use super::*;
    use crate::event::{Event, Kind};
    use crate::field;
    use crate::ledger::Stage;
    use crate::time::Timestamp;
    use crate::value::Value;

    fn sample() -> Batch {
        let mut event = Event::new(Kind::Flow, Timestamp::from_millis(1_700_000_000_000));
        event.record.set(field::SOURCE_IP, std::net::Ipv4Addr::new(192, 0, 2, 7));
        event.record.set(field::DESTINATION_IP, std::net::Ipv6Addr::LOCALHOST);
        event.record.set(field::SOURCE_PORT, 40_000_u16);
        event.record.set(field::HOST_CLOCK_OFFSET, -5_i64);
        event.record.set(field::SCORE, 0.5);
        event.record.set(field::TLS_ESTABLISHED, true);
        event.record.set(field::EVENT_START, Timestamp::from_millis(1));
        event.record.set(field::TAGS, vec!["a".to_owned(), "b".to_owned()]);
        let mut batch = Batch {
            epoch: 9,
            sequence: 1,
            first_event: 1,
            host: "h".into(),
            events: vec![event],
            ..Batch::default()
        };
        batch.ledger.set(Stage::Kernel, 10, 1);
        batch
    }

    #[test]
    fn a_batch_comes_back_whole() {
        let batch = sample();
        assert_eq!(unpack(&pack(&batch).unwrap()).unwrap(), batch);
    }

    /// The layout is a contract: changing these bytes means a new [`VERSION`] and a reader for
    /// the old one.
    #[test]
    fn the_protobuf_bytes_are_pinned() {
        let bytes = BatchMessage::from(&sample()).encode_to_vec();
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, include_str!("golden_batch_v1.hex").trim(), "the wire layout changed");
    }

    #[test]
    fn a_bomb_is_refused_before_it_unpacks() {
        let bomb = zstd::bulk::compress(&vec![0; limits::BATCH_UNPACKED_BYTES + 1], 1).unwrap();
        assert!(bomb.len() < limits::BATCH_BYTES);
        assert!(matches!(unpack(&bomb), Err(PackError::Bomb { .. })));
    }

    #[test]
    fn junk_cut_and_future_batches_are_refused() {
        assert!(matches!(unpack(b"junk"), Err(PackError::Zstd(_))));
        let good = pack(&sample()).unwrap();
        assert!(unpack(&good[..good.len() - 3]).is_err());
        let mut future = BatchMessage::from(&sample());
        future.version = 99;
        let future = future.encode_to_vec();
        let future = zstd::bulk::compress(&future, 1).unwrap();
        assert!(matches!(unpack(&future), Err(PackError::Version { found: 99 })));
        assert!(matches!(unpack(&vec![0; limits::BATCH_BYTES + 1]), Err(PackError::TooLarge { .. })));
    }

    #[test]
    fn an_unknown_field_is_kept_and_an_unknown_kind_counted() {
        let mut batch = sample();
        batch.events[0].record.set(crate::FieldId(60_000), "later");
        let back = unpack(&pack(&batch).unwrap()).unwrap();
        assert_eq!(back.events[0].record.get(crate::FieldId(60_000)), Some(&Value::from("later")));
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_unpack_panic(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..400)) {
            let _ = unpack(&bytes);
            if let Ok(packed) = zstd::bulk::compress(&bytes, 1) {
                let _ = unpack(&packed);
            }
        }
    }
}
