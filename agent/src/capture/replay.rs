//! Capture files: pcap in both byte orders and both precisions, pcapng with any number of
//! sections, interfaces, link types and time resolutions.
//!
//! A file that breaks off gives every frame before the break, then says where it broke.

use std::fs::File;
use std::io;
use std::path::Path;

use pcap_parser::pcapng::Block;
use pcap_parser::traits::{PcapNGPacketBlock, PcapReaderIterator};
use pcap_parser::{PcapBlockOwned, PcapError, create_reader};
use watchpost_model::Timestamp;

use super::{Captured, PacketSource};
use crate::decode::{Frame, Link};

/// First size of the read buffer.
const BUFFER: usize = 256 * 1_024;

/// A block larger than this is damage: the largest snap length in use is 256 KiB.
const MOST_BUFFER: usize = 16 * 1_024 * 1_024;

/// Interfaces of one section. A file that declares more is hostile.
const MOST_INTERFACES: usize = 4_096;

/// What is wrong with a capture file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReplayError {
    /// The operating system says no.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// Neither pcap nor pcapng.
    #[error("not a capture file: expected pcap or pcapng")]
    Foreign,
    /// It ends within a frame.
    #[error("it ends in the middle of a block at byte {at}: the capture was cut off")]
    Cut {
        /// Where the incomplete block begins.
        at: usize,
    },
    /// A block contradicts itself.
    #[error("the block at byte {at} can not be read: its lengths contradict each other")]
    Block {
        /// Where it begins.
        at: usize,
    },
}

/// Time and link type of an interface.
#[derive(Clone, Copy, Debug)]
struct Interface {
    link: Link,
    /// Units per second.
    resolution: u64,
    /// Seconds to add.
    offset: i64,
    snap: u32,
}

/// A capture file being read.
pub struct Replay {
    reader: Box<dyn PcapReaderIterator>,
    interfaces: Vec<Interface>,
    data: Vec<u8>,
    last: Timestamp,
}

impl std::fmt::Debug for Replay {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Replay").field("interfaces", &self.interfaces).finish_non_exhaustive()
    }
}

impl Replay {
    /// Opens a capture file.
    ///
    /// # Errors
    /// [`ReplayError::Io`], or [`ReplayError::Foreign`] where it does not begin as one.
    pub fn open(path: &Path) -> Result<Self, ReplayError> {
        Self::from_reader(File::open(path)?)
    }

    /// Reads a capture from anything that can be read.
    ///
    /// # Errors
    /// As [`Replay::open`].
    pub fn from_reader(reader: impl io::Read + 'static) -> Result<Self, ReplayError> {
        let reader = create_reader(BUFFER, reader).map_err(|error| match error {
            PcapError::ReadError => ReplayError::Io(io::Error::other("the file can not be read")),
            _ => ReplayError::Foreign,
        })?;
        Ok(Self { reader, interfaces: Vec::new(), data: Vec::new(), last: Timestamp::EPOCH })
    }

    /// Makes room or reads on. False where the file has no more.
    fn more(&mut self, grow: bool) -> Result<bool, ReplayError> {
        let at = self.reader.consumed();
        if grow {
            let size = self.reader.data().len().max(BUFFER).saturating_mul(2);
            if size > MOST_BUFFER || !self.reader.grow(size) {
                return Err(ReplayError::Block { at });
            }
        }
        let before = self.reader.data().len();
        self.reader.refill().map_err(|_| ReplayError::Io(io::Error::other("the file can not be read")))?;
        Ok(self.reader.data().len() > before)
    }

    /// Reads blocks until one holds a frame, whose bytes are then in `data`.
    fn advance(&mut self) -> Result<Option<(Interface, usize)>, ReplayError> {
        let mut stuck = 0;
        loop {
            let at = self.reader.consumed();
            let grow = match self.reader.next() {
                Ok((size, block)) => {
                    stuck = 0;
                    let seen = see(&block, &mut self.interfaces, &mut self.data, &mut self.last);
                    drop(block);
                    self.reader.consume(size);
                    match seen {
                        Some(frame) => return Ok(Some(frame)),
                        None if size == 0 => return Err(ReplayError::Block { at }),
                        None => continue,
                    }
                }
                Err(PcapError::Eof) => return Ok(None),
                Err(PcapError::UnexpectedEof) => return Err(ReplayError::Cut { at }),
                Err(PcapError::Incomplete(_)) => false,
                Err(PcapError::BufferTooSmall) => true,
                Err(_) => return Err(ReplayError::Block { at }),
            };
            stuck += 1;
            if !self.more(grow)? && stuck > 3 {
                return Err(ReplayError::Cut { at });
            }
        }
    }
}

/// Takes in a block; a frame's bytes go to `data`, with its interface and original length.
fn see(
    block: &PcapBlockOwned<'_>,
    interfaces: &mut Vec<Interface>,
    data: &mut Vec<u8>,
    last: &mut Timestamp,
) -> Option<(Interface, usize)> {
    let mut keep = |bytes: &[u8], original: u32| {
        data.clear();
        data.extend_from_slice(bytes);
        usize::try_from(original).unwrap_or(usize::MAX).max(bytes.len())
    };
    match block {
        PcapBlockOwned::LegacyHeader(header) => {
            let resolution = if header.is_nanosecond_precision() { 1_000_000_000 } else { 1_000_000 };
            interfaces.push(Interface {
                link: link_of(header.network.0),
                resolution,
                offset: 0,
                snap: header.snaplen,
            });
            None
        }
        PcapBlockOwned::Legacy(frame) => {
            let interface = *interfaces.first()?;
            let units = u64::from(frame.ts_usec);
            *last = stamp(
                u64::from(frame.ts_sec).saturating_mul(interface.resolution).saturating_add(units),
                interface,
            );
            Some((interface, keep(frame.data, frame.origlen)))
        }
        PcapBlockOwned::NG(Block::SectionHeader(_)) => {
            interfaces.clear();
            None
        }
        PcapBlockOwned::NG(Block::InterfaceDescription(described)) => {
            if interfaces.len() < MOST_INTERFACES {
                interfaces.push(Interface {
                    link: link_of(described.linktype.0),
                    resolution: described.ts_resolution().unwrap_or(1_000_000),
                    offset: described.ts_offset(),
                    snap: described.snaplen,
                });
            }
            None
        }
        PcapBlockOwned::NG(Block::EnhancedPacket(frame)) => {
            let interface = *interfaces.get(usize::try_from(frame.if_id).ok()?)?;
            *last = stamp(u64::from(frame.ts_high) << 32 | u64::from(frame.ts_low), interface);
            Some((interface, keep(frame.packet_data(), frame.origlen)))
        }
        PcapBlockOwned::NG(Block::SimplePacket(frame)) => {
            let interface = *interfaces.first()?;
            let snap = if interface.snap == 0 { u32::MAX } else { interface.snap };
            let length = usize::try_from(frame.origlen.min(snap)).unwrap_or(usize::MAX);
            let bytes = frame.data.get(..length).unwrap_or(frame.data);
            Some((interface, keep(bytes, frame.origlen)))
        }
        PcapBlockOwned::NG(_) => None,
    }
}

/// The upper bits of a pcap link type speak of checksums at the frame's end.
fn link_of(number: i32) -> Link {
    Link::from_number(u32::from_ne_bytes(number.to_ne_bytes()) & 0x03ff_ffff)
}

fn stamp(units: u64, interface: Interface) -> Timestamp {
    let resolution = interface.resolution.max(1);
    let seconds = i64::try_from(units / resolution).unwrap_or(i64::MAX).saturating_add(interface.offset);
    let nanos = u128::from(units % resolution) * 1_000_000_000 / u128::from(resolution);
    Timestamp::from_parts(seconds, u32::try_from(nanos).unwrap_or(0))
}

impl PacketSource for Replay {
    type Error = ReplayError;

    fn next_packet(&mut self) -> Result<Option<Captured<'_>>, ReplayError> {
        Ok(self.advance()?.map(|(interface, original)| Captured {
            time: self.last,
            frame: Frame { link: interface.link, data: &self.data, original },
        }))
    }
}
