//! Opening: finds every sound frame, cuts a torn tail, reports damage.
//!
//! Closed segments are known from their sidecars, else walked by their headers alone (a payload is
//! checked when it is read); the last one is checked whole, because only it can have been torn. After damage the walk
//! looks for the next sound header with a plausible number, so one bad frame hides no others.

use std::collections::BTreeMap;

use watchpost_model::Timestamp;
use watchpost_model::id::AgentId;

use super::Error;
use super::format::{self, FRAME_HEADER, FRAME_MAGIC, Header, LAYOUT, SEGMENT_HEADER};
use super::index::{DAMAGED, Segment, segment_first};
use super::sidecar::{self, Rows, Sidecar, Told};
use super::storage::{SegmentFile, Storage};

/// Bytes read at a time while looking for the next sound frame.
const SEARCH: usize = 256 * 1024;

/// Damaged frames that are listed; more are only counted.
const LISTED: usize = 100;

/// How far an agent's spool has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mark {
    /// Highest batch sequence in the journal.
    pub sequence: u64,
    /// `event.sequence` that the next batch must begin with if nothing is lost.
    pub next_event: u64,
    /// Events in the journal.
    pub events: u64,
    /// Events missing between batches.
    pub lost: u64,
}

impl Mark {
    /// Before an epoch's first batch.
    #[must_use]
    pub const fn begin() -> Self {
        Self { sequence: 0, next_event: 1, events: 0, lost: 0 }
    }

    /// Takes in a batch. Returns how many events were lost before it.
    pub fn advance(&mut self, sequence: u64, first_event: u64, events: u32) -> u64 {
        let lost = first_event.saturating_sub(self.next_event);
        self.sequence = self.sequence.max(sequence);
        self.next_event = self.next_event.max(first_event.saturating_add(u64::from(events)));
        self.events = self.events.saturating_add(u64::from(events));
        self.lost = self.lost.saturating_add(lost);
        lost
    }
}

/// What opening found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recovery {
    /// Sound frames, as far as headers tell.
    pub frames: u64,
    /// Bytes cut from the end of the last segment: a write that was never acknowledged.
    pub cut_bytes: u64,
    /// Frames known to be damaged.
    pub damaged: u64,
    /// Their numbers, the first hundred.
    pub damaged_frames: Vec<u64>,
    /// The highest batch of each agent and epoch.
    pub high_water: BTreeMap<(AgentId, u64), Mark>,
}

impl Recovery {
    fn saw(&mut self, told: &Told) {
        self.frames += 1;
        // Retention may have taken the batches before the first one seen: that is no loss.
        let unseen = || Mark { next_event: told.first_event, ..Mark::begin() };
        let mark = self.high_water.entry((told.agent, told.epoch)).or_insert_with(unseen);
        mark.advance(told.sequence, told.first_event, told.events);
    }

    fn damage(&mut self, numbers: std::ops::Range<u64>) {
        self.damaged = self.damaged.saturating_add(numbers.end.saturating_sub(numbers.start));
        let room = LISTED.saturating_sub(self.damaged_frames.len());
        self.damaged_frames.extend(numbers.take(room));
    }
}

/// What opening found, for whoever goes on writing.
#[derive(Default)]
pub(super) struct Found {
    pub(super) segments: Vec<Segment>,
    /// Of the last segment.
    pub(super) rows: Rows,
    pub(super) recovery: Recovery,
}

/// Goes through all segments.
pub(super) fn recover(storage: &dyn Storage) -> Result<Found, Error> {
    let list = storage.list();
    let list = list.map_err(|source| Error::Io { doing: "listing", path: storage.path(""), source })?;
    let mut firsts: Vec<u64> = list.iter().filter_map(|name| segment_first(name)).collect();
    firsts.sort_unstable();
    sidecar::sweep(storage, &list, &firsts);
    let mut found = Found::default();
    for (at, &first) in firsts.iter().enumerate() {
        let following = firsts.get(at + 1).copied();
        let segment = recover_segment(storage, first, following, &mut found)?;
        found.segments.push(segment);
    }
    Ok(found)
}

/// A closed segment whose sidecar is sound need not be walked.
fn recover_segment(
    storage: &dyn Storage,
    first: u64,
    following: Option<u64>,
    found: &mut Found,
) -> Result<Segment, Error> {
    let name = super::index::segment_name(first);
    let io = |source| Error::Io { doing: "recovering", path: storage.path(&name), source };
    let file = storage.open(&name).map_err(io)?;
    check_segment_header(storage, &name, first, file.as_ref(), following.is_none())?;
    if let Some(next) = following {
        let bytes = file.size().map_err(io)?;
        if let Some(told) = sidecar::read(storage, first, bytes, next.saturating_sub(first)) {
            return Ok(believe(told, (first, name), bytes, &mut found.recovery));
        }
    }
    let before = found.recovery.damaged;
    let recovery = &mut found.recovery;
    let mut walk = Walk::new(file.as_ref(), first, following.is_none()).map_err(io)?;
    walk.run(recovery).map_err(io)?;
    match following {
        // The next segment's name tells how many frames this one must have had.
        Some(next) => walk.fill(next, recovery),
        None if walk.sound_end < walk.size => {
            recovery.cut_bytes += walk.size - walk.sound_end;
            file.truncate(walk.sound_end).map_err(io)?;
            walk.size = walk.sound_end;
        }
        None => {}
    }
    if following.is_some() && recovery.damaged == before {
        sidecar::write(storage, first, walk.size, walk.newest, &walk.rows);
    }
    found.rows = walk.rows;
    Ok(Segment {
        first,
        name: name.clone(),
        bytes: walk.size,
        events: walk.events,
        newest: walk.newest,
        offsets: walk.offsets,
    })
}

fn believe(told: Sidecar, (first, name): (u64, String), bytes: u64, recovery: &mut Recovery) -> Segment {
    let mut segment = Segment {
        first,
        name,
        bytes,
        events: 0,
        newest: told.newest,
        offsets: Vec::with_capacity(told.frames.len()),
    };
    for (offset, frame) in &told.frames {
        recovery.saw(frame);
        segment.offsets.push(*offset);
        segment.events = segment.events.saturating_add(u64::from(frame.events));
    }
    segment
}

/// A segment with a sound header of another layout is refused. A damaged header costs nothing:
/// the name says the same. A header cut short by a crash is written again.
fn check_segment_header(
    storage: &dyn Storage,
    name: &str,
    first: u64,
    file: &dyn SegmentFile,
    last: bool,
) -> Result<(), Error> {
    let io = |source| Error::Io { doing: "recovering", path: storage.path(name), source };
    let mut head = [0; SEGMENT_HEADER];
    file.read_at(0, &mut head).map_err(io)?;
    match format::read_segment_header(&head) {
        Some((layout, _)) if layout != LAYOUT => {
            Err(Error::Layout { path: storage.path(name), found: layout, known: LAYOUT })
        }
        None if last && file.size().map_err(io)? <= SEGMENT_HEADER as u64 => {
            file.write_at(0, &format::segment_header(first)).map_err(io)?;
            file.sync().map_err(io)
        }
        _ => Ok(()),
    }
}

/// One pass over a segment.
struct Walk<'a> {
    file: &'a dyn SegmentFile,
    size: u64,
    /// Whether payloads are checked too.
    whole: bool,
    /// Number that the next frame must have.
    expected: u64,
    offsets: Vec<u32>,
    rows: Rows,
    events: u64,
    newest: Timestamp,
    /// End of the last sound frame.
    sound_end: u64,
}

impl<'a> Walk<'a> {
    fn new(file: &'a dyn SegmentFile, first: u64, whole: bool) -> std::io::Result<Self> {
        Ok(Self {
            file,
            size: file.size()?,
            whole,
            expected: first,
            offsets: Vec::new(),
            rows: Rows::default(),
            events: 0,
            newest: Timestamp::EPOCH,
            sound_end: SEGMENT_HEADER as u64,
        })
    }

    fn run(&mut self, recovery: &mut Recovery) -> std::io::Result<()> {
        let mut at = self.sound_end;
        loop {
            let here = self.frame_at(at)?.filter(|header| self.plausible(header, at));
            let (found, header) = match here {
                Some(header) => (at, header),
                None => match self.search(at.saturating_add(1))? {
                    Some(found) => found,
                    None => return Ok(()),
                },
            };
            self.fill(header.number, recovery);
            self.take(found, &header, recovery);
            at = self.sound_end;
        }
    }

    fn take(&mut self, at: u64, header: &Header, recovery: &mut Recovery) {
        recovery.saw(&header.told());
        let offset = u32::try_from(at).unwrap_or(DAMAGED);
        self.rows.push(offset, &header.told());
        self.offsets.push(offset);
        self.events = self.events.saturating_add(u64::from(header.events));
        self.newest = self.newest.max(header.received);
        self.expected = header.number.saturating_add(1);
        self.sound_end = at.saturating_add(header.frame_bytes());
    }

    /// Marks the frames up to `next` as damaged.
    fn fill(&mut self, next: u64, recovery: &mut Recovery) {
        if next > self.expected {
            recovery.damage(self.expected..next);
            let missing = usize::try_from(next - self.expected).unwrap_or_default();
            self.offsets.resize(self.offsets.len() + missing, DAMAGED);
            self.expected = next;
        }
    }

    /// Skipped bytes can have held only so many frames.
    fn plausible(&self, header: &Header, at: u64) -> bool {
        let skipped = at.saturating_sub(self.sound_end) / FRAME_HEADER as u64;
        let most = self.expected.saturating_add(skipped);
        (self.expected..=most).contains(&header.number)
    }

    /// The sound frame that begins here, if one does and fits.
    fn frame_at(&self, at: u64) -> std::io::Result<Option<Header>> {
        let mut head = [0; FRAME_HEADER];
        if self.file.read_at(at, &mut head)? < FRAME_HEADER {
            return Ok(None);
        }
        let Some(header) = format::read_frame_header(&head) else { return Ok(None) };
        if at.saturating_add(header.frame_bytes()) > self.size {
            return Ok(None);
        }
        if self.whole {
            let mut payload = vec![0; usize::try_from(header.payload).unwrap_or_default()];
            self.file.read_at(at.saturating_add(FRAME_HEADER as u64), &mut payload)?;
            return Ok(header.with_payload(&head, payload).map(|_| header));
        }
        Ok(Some(header))
    }

    /// The next sound and plausible frame at or after `from`.
    fn search(&self, from: u64) -> std::io::Result<Option<(u64, Header)>> {
        let mut window = vec![0; SEARCH];
        let mut base = from;
        while base < self.size {
            let read = self.file.read_at(base, &mut window)?;
            let seen = window.get(..read).unwrap_or_default();
            for offset in magics(seen) {
                let at = base.saturating_add(offset);
                if let Some(header) = self.frame_at(at)?.filter(|header| self.plausible(header, at)) {
                    return Ok(Some((at, header)));
                }
            }
            if read < SEARCH {
                break;
            }
            // Overlap, lest a magic across the border be missed.
            base = base.saturating_add((SEARCH - FRAME_MAGIC.len() + 1) as u64);
        }
        Ok(None)
    }
}

/// Offsets at which a frame may begin.
fn magics(bytes: &[u8]) -> impl Iterator<Item = u64> + '_ {
    bytes
        .windows(FRAME_MAGIC.len())
        .enumerate()
        .filter(|(_, window)| *window == FRAME_MAGIC)
        .filter_map(|(at, _)| u64::try_from(at).ok())
}
