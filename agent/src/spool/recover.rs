//! Opening a spool: what the last run left is read through once, and only what a crash can have
//! left half done is cut.
//!
//! A record that reaches beyond the end of the last segment was never promised to anyone and is
//! cut. Damage elsewhere stays where it is; reading steps over it and counts. Where damage was cut
//! that might once have been a whole record, the next sequence jumps ahead, so that no sequence
//! ever names two different batches.

use std::collections::{BTreeMap, VecDeque};

use super::ledger::{self, Ledger};
use super::record::{self, Header, RECORD_HEADER, SEGMENT_HEADER, SegmentStart};
use super::refused::Refused;
use super::{Cursor, Error, Recovery, Segment, Settings, Spool, Storage, as_u64, length};

/// How a segment's records end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// With a whole record.
    Whole,
    /// With the beginning of one.
    Short,
    /// With bytes that are no record, or one whose body does not fit its checksum.
    Damaged,
}

/// What a segment holds.
#[derive(Debug)]
struct Scan {
    /// Bytes up to the end of the last good record.
    good: u64,
    end: End,
    /// Header of the last good record.
    last: Option<Header>,
    positions: BTreeMap<String, String>,
}

fn scan(bytes: &[u8]) -> Scan {
    let mut at = usize::try_from(SEGMENT_HEADER).unwrap_or(usize::MAX);
    let mut found = Scan { good: SEGMENT_HEADER, end: End::Whole, last: None, positions: BTreeMap::new() };
    loop {
        let rest = bytes.get(at..).unwrap_or_default();
        if rest.is_empty() {
            return found;
        }
        let Some(header) = Header::parse(rest) else {
            found.end = if rest.len() < RECORD_HEADER { End::Short } else { End::Damaged };
            return found;
        };
        let Some(body) = rest.get(RECORD_HEADER..header.record_bytes()) else {
            found.end = End::Short;
            return found;
        };
        at = at.saturating_add(header.record_bytes());
        if header.accepts(body) {
            found.end = End::Whole;
            found.good = as_u64(at);
            found.last = Some(header);
            found.positions.extend(record::positions(body.get(header.payload..).unwrap_or_default()));
        } else {
            found.end = End::Damaged;
        }
    }
}

/// What is known while segments are gone through.
struct Findings {
    epoch: Option<u64>,
    segments: VecDeque<Segment>,
    positions: BTreeMap<String, String>,
    next_sequence: u64,
    next_event: u64,
    /// Sequence after the last record seen in a segment.
    end_sequence: u64,
    truncated: u64,
    problems: Vec<String>,
}

/// Far above any segment; a larger file is not ours.
const MOST_SEGMENT_BYTES: usize = 64 * 1024 * 1024;

impl Spool {
    /// Opens a spool on any storage.
    ///
    /// # Errors
    /// As [`Spool::open`].
    pub(super) fn open_on(
        mut storage: Box<dyn Storage>,
        refused: Refused,
        settings: Settings,
        epoch: u64,
    ) -> Result<(Self, Recovery), Error> {
        let names = storage.list().map_err(|source| failed("list", "the files", source))?;
        let ledger = read_ledger(storage.as_mut(), &names)?;
        let mut findings = Findings {
            epoch: ledger.as_ref().map(|ledger| ledger.epoch),
            segments: VecDeque::new(),
            positions: ledger.as_ref().map(|ledger| ledger.positions.clone()).unwrap_or_default(),
            next_sequence: ledger.as_ref().map_or(1, |ledger| ledger.next_sequence),
            next_event: ledger.as_ref().map_or(1, |ledger| ledger.next_event),
            end_sequence: 0,
            truncated: 0,
            problems: Vec::new(),
        };
        if ledger.is_none() && names.iter().any(|name| name == ledger::NAME) {
            findings.problems.push("the ledger is damaged; some batches may be sent again".into());
        }
        findings.read_segments(storage.as_mut(), names)?;
        let mut spool = findings.into_spool(storage, refused, settings, epoch, ledger);
        let recovery = spool.1.take().unwrap_or_default();
        spool.0.save()?;
        spool.0.forget_passed();
        Ok((spool.0, recovery))
    }
}

impl Spool {
    /// Removes segments whose removal a crash undid.
    fn forget_passed(&mut self) {
        while self
            .segments
            .get(1)
            .is_some_and(|next| next.first_sequence <= self.cursor.sequence.saturating_add(1))
        {
            let Some(oldest) = self.segments.pop_front() else { return };
            if let Err(error) = self.storage.remove(&oldest.name()) {
                tracing::warn!(segment = oldest.name(), %error, "could not remove a segment that is done with");
            }
        }
    }
}

fn failed(doing: &'static str, name: &str, source: std::io::Error) -> Error {
    Error::Storage { doing, name: name.to_owned(), source }
}

fn read_ledger(storage: &mut dyn Storage, names: &[String]) -> Result<Option<Ledger>, Error> {
    if !names.iter().any(|name| name == ledger::NAME) {
        return Ok(None);
    }
    let bytes = storage
        .read(ledger::NAME, 0, ledger::MOST_BYTES)
        .map_err(|source| failed("read", ledger::NAME, source))?;
    Ledger::parse(&bytes)
}

impl Findings {
    fn read_segments(&mut self, storage: &mut dyn Storage, names: Vec<String>) -> Result<(), Error> {
        let mut names: Vec<String> = names.into_iter().filter(|name| name.ends_with(".seg")).collect();
        names.sort();
        let count = names.len();
        for (at, name) in names.iter().enumerate() {
            self.read_segment(storage, name, at + 1 == count)?;
        }
        Ok(())
    }

    fn read_segment(&mut self, storage: &mut dyn Storage, name: &str, last: bool) -> Result<(), Error> {
        let bytes =
            storage.read(name, 0, MOST_SEGMENT_BYTES).map_err(|source| failed("read", name, source))?;
        let start = SegmentStart::parse(&bytes)?
            .filter(|start| *self.epoch.get_or_insert(start.epoch) == start.epoch);
        let Some(start) = start else {
            // Shorter than a header and a record: nothing was ever promised in it.
            let newborn = length(&bytes) < SEGMENT_HEADER.saturating_add(as_u64(RECORD_HEADER));
            self.set_aside(storage, name, newborn)?;
            return Ok(());
        };
        if start.first_sequence < self.end_sequence {
            // Left by an attempt that failed, after which the batch fitted into the one before.
            return storage.remove(name).map_err(|source| failed("remove", name, source));
        }
        let found = scan(&bytes);
        let mut segment = Segment {
            first_sequence: start.first_sequence,
            first_event: start.first_event,
            bytes: length(&bytes),
            sealed: !last,
        };
        self.next_sequence = self.next_sequence.max(start.first_sequence);
        self.next_event = self.next_event.max(start.first_event);
        if let Some(header) = found.last {
            self.end_sequence = header.sequence.saturating_add(1);
            self.next_sequence = self.next_sequence.max(header.sequence.saturating_add(1));
            self.next_event = self.next_event.max(header.end_event());
        }
        if last && found.end != End::Whole {
            self.cut(storage, name, &mut segment, &found)?;
        } else if found.end == End::Short {
            // The start of a record that failed, before the next segment began: promised to no one.
            segment.bytes = found.good;
        } else if found.end == End::Damaged {
            self.problems
                .push(format!("segment {name} is damaged; its unreadable events are counted as lost"));
        }
        self.positions.extend(found.positions);
        self.segments.push_back(segment);
        Ok(())
    }

    /// Cuts what lies behind the last good record of the last segment.
    fn cut(
        &mut self,
        storage: &mut dyn Storage,
        name: &str,
        segment: &mut Segment,
        found: &Scan,
    ) -> Result<(), Error> {
        let surplus = segment.bytes.saturating_sub(found.good);
        storage
            .truncate(name, found.good)
            .and_then(|()| storage.sync(name))
            .map_err(|source| failed("cut", name, source))?;
        segment.bytes = found.good;
        self.truncated = surplus;
        if found.end == End::Damaged {
            // At most so many records can have lain there.
            let most = surplus.div_euclid(as_u64(RECORD_HEADER)).saturating_add(1);
            self.next_sequence = self.next_sequence.saturating_add(most);
            segment.sealed = true;
            self.problems.push(format!("the end of segment {name} was damaged: {surplus} bytes were cut"));
        }
        Ok(())
    }

    /// A file that is no segment of this spool: a new one that a crash left without its header
    /// goes, anything else is renamed out of the way by removal and reported.
    fn set_aside(&mut self, storage: &mut dyn Storage, name: &str, newborn: bool) -> Result<(), Error> {
        if !newborn {
            self.problems.push(format!("{name} is not a segment of this spool; it was removed"));
            // Its numbers may have been used.
            self.next_sequence = self.next_sequence.saturating_add(as_u64(MOST_SEGMENT_BYTES));
        }
        storage.remove(name).map_err(|source| failed("remove", name, source))
    }

    fn into_spool(
        self,
        storage: Box<dyn Storage>,
        refused: Refused,
        settings: Settings,
        epoch: u64,
        ledger: Option<Ledger>,
    ) -> (Spool, Option<Recovery>) {
        let first = self.segments.front();
        let cursor = Cursor {
            offset: SEGMENT_HEADER,
            sequence: ledger
                .as_ref()
                .map_or(first.map_or(0, |first| first.first_sequence.saturating_sub(1)), |l| l.sequence),
            event: ledger.as_ref().map_or(first.map_or(1, |first| first.first_event), |l| l.event),
        };
        let recovery = Recovery {
            positions: self.positions.clone().into_iter().collect(),
            next_sequence: self.next_sequence,
            next_event: self.next_event,
            truncated_bytes: self.truncated,
            problems: self.problems,
        };
        let spool = Spool {
            storage,
            settings,
            epoch: self.epoch.unwrap_or(epoch),
            segments: self.segments,
            cursor,
            next_sequence: self.next_sequence,
            next_event: self.next_event,
            positions: self.positions,
            books: ledger.map(|ledger| ledger.books).unwrap_or_default(),
            unsaved: 0,
            peeked: None,
            poisoned: None,
            dirty: false,
            refused,
        };
        (spool, Some(recovery))
    }
}
