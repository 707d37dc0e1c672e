//! The spool: batches on disk between the moment they are made and the collector's receipt.
//!
//! A folder of segments, each a run of records; one record is one packed batch together with the
//! log positions it covers, made durable by one sync. Promises: what `append` accepted is neither
//! lost nor handed out in another shape, across a kill at any byte; the disk use is bounded, the
//! oldest whole segment goes first, and every event number that goes is counted. After a failed
//! sync nothing is known about the disk, so the spool reads on and writes no more.
//!
//! Bytes: `docs/formats/spool.md`. Only the spool's own lock is held across its I/O (`Shared`).

mod ledger;
mod record;
mod recover;
mod refused;
mod shared;
mod storage;
#[cfg(test)]
#[expect(clippy::indexing_slicing, reason = "a test that is wrong should fail loudly")]
mod tests;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::io;
use std::path::Path;

pub use ledger::Books;
pub use record::Append;
pub use shared::Shared;
pub use storage::{Storage, read_small, replace_file};

use ledger::Ledger;
use record::{Header, RECORD_HEADER, SEGMENT_HEADER, SegmentStart};

/// Bounds of the spool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Most bytes of all segments together. At least [`Settings::LEAST_BYTES`].
    pub max_bytes: u64,
    /// Bytes after which a new segment begins.
    pub segment_bytes: u64,
}

impl Settings {
    /// The smallest spool: four segments that each hold a batch of the largest size.
    pub const LEAST_BYTES: u64 = 32 * 1024 * 1024;
    const SEGMENT_BYTES: u64 = 8 * 1024 * 1024;

    /// A spool of at most this many bytes.
    #[must_use]
    pub const fn bounded(max_bytes: u64) -> Self {
        Self { max_bytes, segment_bytes: Self::SEGMENT_BYTES }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self::bounded(512 * 1024 * 1024)
    }
}

/// Why the spool did not do as asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The disk refused.
    #[error("could not {doing} {name} in the spool; check the disk's space, rights and health")]
    Storage {
        /// What was being done.
        doing: &'static str,
        /// To which file.
        name: String,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A sync failed before; what the disk holds is unknown until the spool is opened again.
    #[error(
        "the spool takes nothing more after a failed sync ({reason}); check the disk, then restart the agent"
    )]
    Poisoned {
        /// What the system said at the time.
        reason: String,
    },
    /// Written by a later build.
    #[error("spool layout {found} is of a later version; update this program, or move the spool folder away")]
    Version {
        /// The version found.
        found: u32,
    },
    /// More than a record may hold.
    #[error("batch of {payload} bytes with {positions} bytes of positions is too large for the spool")]
    TooLarge {
        /// Bytes of the batch.
        payload: usize,
        /// Bytes of its positions.
        positions: usize,
    },
    /// The batch does not carry the next number.
    #[error("batch {found} does not follow in the spool, which expects {expected}")]
    OutOfOrder {
        /// Sequence expected.
        expected: u64,
        /// Sequence found.
        found: u64,
    },
}

impl Error {
    /// Whether the disk is full, which passes once someone makes room.
    #[must_use]
    pub fn is_full(&self) -> bool {
        matches!(self, Self::Storage { source, .. }
            if matches!(source.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded))
    }
}

/// What was found when the spool was opened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recovery {
    /// Where each log source may resume.
    pub positions: HashMap<String, String>,
    /// Sequence of the next batch.
    pub next_sequence: u64,
    /// Number of the next event.
    pub next_event: u64,
    /// Bytes cut from the end: a record that a crash left half written.
    pub truncated_bytes: u64,
    /// What was damaged or strange, one sentence each.
    pub problems: Vec<String>,
}

/// The oldest batch that waits for its receipt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// Its sequence.
    pub sequence: u64,
    /// How many events it has.
    pub events: u32,
    /// The packed batch.
    pub payload: Vec<u8>,
}

/// The spool in numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Stats {
    /// Bytes on disk.
    pub bytes: u64,
    /// Most bytes there may be.
    pub max_bytes: u64,
    /// Batches that wait.
    pub batches: u64,
    /// Events that wait.
    pub events: u64,
    /// Events ever appended in this epoch.
    pub appended: u64,
    /// What became of the others.
    pub books: Books,
    /// Why nothing more is written, if so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub poisoned: Option<String>,
}

#[derive(Clone, Copy, Debug)]
struct Segment {
    first_sequence: u64,
    first_event: u64,
    /// Durable bytes; what lies behind them is no part of the spool.
    bytes: u64,
    /// Nothing more is written here.
    sealed: bool,
}

impl Segment {
    fn name(&self) -> String {
        segment_name(self.first_sequence)
    }
}

fn segment_name(first_sequence: u64) -> String {
    format!("{first_sequence:020}.seg")
}

/// How far reading has come; always within the oldest segment.
#[derive(Clone, Copy, Debug)]
struct Cursor {
    offset: u64,
    /// Last sequence that is done with.
    sequence: u64,
    /// First event number that is not done with.
    event: u64,
}

#[derive(Clone, Copy, Debug)]
struct Peeked {
    header: Header,
    /// Its segment was evicted while it was on its way.
    evicted: bool,
}

/// Acknowledgements between two writes of the ledger. A crash repeats at most this many batches,
/// and the collector recognises them.
const ACKS_PER_SAVE: u32 = 32;

/// See the module.
pub struct Spool {
    storage: Box<dyn Storage>,
    settings: Settings,
    epoch: u64,
    // Invariant: in order, the last is the one written to.
    segments: VecDeque<Segment>,
    cursor: Cursor,
    next_sequence: u64,
    next_event: u64,
    positions: BTreeMap<String, String>,
    books: Books,
    unsaved: u32,
    peeked: Option<Peeked>,
    poisoned: Option<String>,
    /// The last segment may hold the start of a record that failed.
    dirty: bool,
    refused: refused::Refused,
}

impl std::fmt::Debug for Spool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Spool")
            .field("epoch", &self.epoch)
            .field("next_sequence", &self.next_sequence)
            .finish()
    }
}

impl Spool {
    /// Opens or makes the spool in a folder. `epoch` is used if there is none yet: a random number.
    ///
    /// # Errors
    /// The folder can not be read or written, or was written by a later build.
    pub fn open(folder: &Path, settings: Settings, epoch: u64) -> Result<(Self, Recovery), Error> {
        let io = |source| Error::Storage { doing: "open", name: folder.display().to_string(), source };
        let disk = storage::Disk::open(folder).map_err(io)?;
        let refused = refused::Refused::open(&folder.join("refused"));
        Self::open_on(Box::new(disk), refused, settings, epoch)
    }

    /// The epoch: made with the spool and kept for its life.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Sequence and first event number that the next batch must carry.
    #[must_use]
    pub fn next(&self) -> (u64, u64) {
        (self.next_sequence, self.next_event)
    }

    /// Numbers for people and for the loss ledger.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let events = self.next_event.saturating_sub(self.cursor.event);
        let batches = self.next_sequence.saturating_sub(1).saturating_sub(self.cursor.sequence);
        Stats {
            bytes: self.bytes(),
            max_bytes: self.settings.max_bytes,
            batches: if events == 0 { 0 } else { batches },
            events,
            appended: self.next_event.saturating_sub(1),
            books: self.books,
            poisoned: self.poisoned.clone(),
        }
    }

    fn bytes(&self) -> u64 {
        self.segments.iter().map(|segment| segment.bytes).fold(0, u64::saturating_add)
    }

    /// Appends a batch and makes it durable together with its positions.
    ///
    /// # Errors
    /// Nothing was appended. After [`Error::Poisoned`] nothing ever will be; a full disk passes.
    pub fn append(&mut self, batch: &Append<'_>) -> Result<(), Error> {
        if let Some(reason) = &self.poisoned {
            return Err(Error::Poisoned { reason: reason.clone() });
        }
        if (batch.sequence, batch.first_event) != self.next() {
            return Err(Error::OutOfOrder { expected: self.next_sequence, found: batch.sequence });
        }
        let record = batch.encode()?;
        let size = length(&record);
        self.clean_tail()?;
        self.make_room(size);
        if self.segments.back().is_none_or(|last| last.sealed || last.is_full_for(size, &self.settings)) {
            self.begin_segment(record)?;
        } else {
            self.extend_segment(&record)?;
        }
        self.next_sequence = batch.sequence.saturating_add(1);
        self.next_event = batch.first_event.saturating_add(u64::from(batch.events));
        self.positions.extend(batch.positions.iter().map(|(source, value)| (source.clone(), value.clone())));
        Ok(())
    }

    /// Cuts what a failed write left behind the last record.
    fn clean_tail(&mut self) -> Result<(), Error> {
        if let (true, Some(last)) = (self.dirty, self.segments.back()) {
            let name = last.name();
            if let Err(source) = self.storage.truncate(&name, last.bytes) {
                return Err(Error::Storage { doing: "cut", name, source });
            }
        }
        self.dirty = false;
        Ok(())
    }

    fn begin_segment(&mut self, record: Vec<u8>) -> Result<(), Error> {
        let (first_sequence, first_event) = self.next();
        let mut bytes = SegmentStart { epoch: self.epoch, first_sequence, first_event }.encode();
        bytes.extend(record);
        let segment = Segment { first_sequence, first_event, bytes: length(&bytes), sealed: false };
        let name = segment.name();
        // Leftovers of an attempt that failed must not follow our bytes.
        let fresh = self.storage.remove(&name);
        if let Err(source) = fresh.and_then(|()| self.storage.write(&name, 0, &bytes)) {
            // Half a file would be taken for a torn one at the next start, which is right too.
            let _ = self.storage.remove(&name);
            return Err(Error::Storage { doing: "write", name, source });
        }
        let synced = self.storage.sync(&name).and_then(|()| self.storage.sync_names());
        self.poison_on_failure(synced, &name)?;
        self.segments.push_back(segment);
        self.dirty = false;
        Ok(())
    }

    fn extend_segment(&mut self, record: &[u8]) -> Result<(), Error> {
        let Some(last) = self.segments.back().copied() else { return Ok(()) };
        let name = last.name();
        let failed = |doing, source| Error::Storage { doing, name: last.name(), source };
        if let Err(source) = self.storage.write(&name, last.bytes, record) {
            self.dirty = true;
            return Err(failed("write", source));
        }
        let synced = self.storage.sync(&name);
        self.poison_on_failure(synced, &name)?;
        if let Some(last) = self.segments.back_mut() {
            last.bytes = last.bytes.saturating_add(length(record));
        }
        Ok(())
    }

    fn poison_on_failure(&mut self, synced: io::Result<()>, name: &str) -> Result<(), Error> {
        let Err(source) = synced else { return Ok(()) };
        self.poisoned = Some(source.to_string());
        Err(Error::Storage { doing: "sync", name: name.to_owned(), source })
    }

    /// Evicts the oldest whole segments until `size` more bytes fit; never the one written to.
    fn make_room(&mut self, size: u64) {
        let wanted = size.saturating_add(SEGMENT_HEADER);
        while self.segments.len() > 1 && self.bytes().saturating_add(wanted) > self.settings.max_bytes {
            let (before_event, before_sequence) = (self.cursor.event, self.cursor.sequence);
            if let Some(peeked) = &mut self.peeked {
                peeked.evicted = true;
            }
            self.leave_oldest();
            self.books.evicted += self.cursor.event.saturating_sub(before_event);
            self.books.evicted_batches += self.cursor.sequence.saturating_sub(before_sequence);
            self.save_and_forget();
        }
    }

    /// Moves the cursor to the second segment; the first stays in the list.
    fn leave_oldest(&mut self) {
        if let Some(next) = self.segments.get(1) {
            self.cursor = Cursor {
                offset: SEGMENT_HEADER,
                sequence: next.first_sequence.saturating_sub(1).max(self.cursor.sequence),
                event: next.first_event.max(self.cursor.event),
            };
        }
    }

    /// Writes the ledger, then removes the oldest segment, which the cursor has left. On a full
    /// disk the order turns round: without room no ledger, and the newer segments still know the
    /// numbers.
    fn save_and_forget(&mut self) {
        let Some(oldest) = self.segments.pop_front() else { return };
        let saved = self.save();
        if let Err(error) = self.storage.remove(&oldest.name()) {
            tracing::warn!(segment = oldest.name(), %error, "could not remove a segment; it goes at the next start");
        }
        if saved.is_err() {
            let _ = self.save();
        }
    }

    /// Writes the ledger now.
    ///
    /// # Errors
    /// The old ledger still stands: after a crash some batches are sent again.
    pub fn save(&mut self) -> Result<(), Error> {
        let ledger = Ledger {
            sequence: self.cursor.sequence,
            event: self.cursor.event,
            next_sequence: self.next_sequence,
            next_event: self.next_event,
            books: self.books,
            positions: self.positions.clone(),
            ..Ledger::fresh(self.epoch)
        };
        self.storage.replace(ledger::NAME, &ledger.encode()).map_err(|source| Error::Storage {
            doing: "replace",
            name: ledger::NAME.into(),
            source,
        })?;
        self.unsaved = 0;
        Ok(())
    }

    /// The oldest batch without a receipt; `None` when nothing waits. Damaged records are stepped
    /// over and their events counted.
    ///
    /// # Errors
    /// The disk can not be read now.
    pub fn peek(&mut self) -> Result<Option<Waiting>, Error> {
        loop {
            let Some(oldest) = self.segments.front().copied() else { return Ok(None) };
            if self.cursor.offset >= oldest.bytes {
                if self.segments.len() < 2 {
                    return Ok(None);
                }
                self.finish_oldest();
                continue;
            }
            let Some(header) = self.header_at(&oldest)? else {
                self.cursor.offset = oldest.bytes;
                if let Some(oldest) = self.segments.front_mut() {
                    oldest.sealed = true;
                }
                continue;
            };
            if header.sequence > self.cursor.sequence {
                let at = self.cursor.offset.saturating_add(as_u64(RECORD_HEADER));
                let mut body = self.read(&oldest, at, header.body_bytes())?;
                if header.accepts(&body) {
                    body.truncate(header.payload);
                    self.peeked = Some(Peeked { header, evicted: false });
                    return Ok(Some(Waiting {
                        sequence: header.sequence,
                        events: header.events,
                        payload: body,
                    }));
                }
            }
            self.cursor.offset = self.cursor.offset.saturating_add(as_u64(header.record_bytes()));
        }
    }

    fn header_at(&mut self, segment: &Segment) -> Result<Option<Header>, Error> {
        let bytes = self.read(segment, self.cursor.offset, RECORD_HEADER)?;
        Ok(Header::parse(&bytes).filter(|header| {
            self.cursor.offset.saturating_add(as_u64(header.record_bytes())) <= segment.bytes
        }))
    }

    fn read(&mut self, segment: &Segment, offset: u64, most: usize) -> Result<Vec<u8>, Error> {
        let name = segment.name();
        self.storage.read(&name, offset, most).map_err(|source| Error::Storage {
            doing: "read",
            name,
            source,
        })
    }

    /// The oldest segment has been read to its end: whatever it should have held and did not is
    /// damage.
    fn finish_oldest(&mut self) {
        let before = self.cursor.event;
        self.leave_oldest();
        self.books.damaged += self.cursor.event.saturating_sub(before);
        self.save_and_forget();
    }

    /// The collector has this batch, which [`Spool::peek`] gave out. Any other sequence is ignored.
    pub fn acknowledge(&mut self, sequence: u64) {
        if let Some(events) = self.pass(sequence) {
            self.books.acknowledged += events;
            self.books.acknowledged_batches += 1;
            self.unsaved += 1;
        }
        if self.unsaved >= ACKS_PER_SAVE
            && let Err(error) = self.save()
        {
            tracing::warn!(%error, "could not write the spool's ledger; tried again later");
        }
    }

    /// The collector will never take this batch: it is kept aside and out of the way.
    pub fn refuse(&mut self, waiting: &Waiting, why: &str) {
        let Some(events) = self.pass(waiting.sequence) else { return };
        self.books.refused += events;
        self.books.refused_batches += 1;
        self.refused.keep(waiting, why);
        if let Err(error) = self.save() {
            tracing::warn!(%error, "could not write the spool's ledger; tried again later");
            self.unsaved = ACKS_PER_SAVE;
        }
    }

    /// Moves the cursor past the batch given out last. Returns how many events it had.
    fn pass(&mut self, sequence: u64) -> Option<u64> {
        let peeked = self.peeked.take_if(|peeked| peeked.header.sequence == sequence)?;
        let header = peeked.header;
        let events = u64::from(header.events);
        if peeked.evicted {
            // It was counted as evicted, but was on its way and has arrived.
            self.books.evicted = self.books.evicted.saturating_sub(events);
            self.books.evicted_batches = self.books.evicted_batches.saturating_sub(1);
        } else {
            self.books.damaged += header.first_event.saturating_sub(self.cursor.event);
            self.cursor = Cursor {
                offset: self.cursor.offset.saturating_add(as_u64(header.record_bytes())),
                sequence,
                event: header.end_event(),
            };
        }
        Some(events)
    }
}

impl Segment {
    fn is_full_for(&self, size: u64, settings: &Settings) -> bool {
        self.bytes.saturating_add(size) > settings.segment_bytes
    }
}

fn length(bytes: &[u8]) -> u64 {
    as_u64(bytes.len())
}

fn as_u64(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}
