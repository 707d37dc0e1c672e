//! What opening needs to know of a closed segment, beside it: `docs/formats/journal.md`.
//!
//! Without it opening reads the header of every frame ever kept, which touches most pages of a
//! large journal. A sidecar says the same in one short, checksummed file; it is written when its
//! segment is closed. It holds no truth of its own: one that is missing, damaged or of another
//! size than its segment is ignored, the segment is walked and the sidecar written anew. A segment
//! with damaged frames has none, so that each opening reports them.

use std::collections::HashMap;

use watchpost_model::Timestamp;
use watchpost_model::id::AgentId;

use super::format::{Cursor, FRAME_HEADER};
use super::index::segment_first;
use super::storage::Storage;

const MAGIC: [u8; 4] = *b"WPX1";

const LAYOUT: u16 = 1;

/// Bytes before the keys, of a key, of a row, and after the rows.
const HEAD: usize = 40;
const KEY: usize = 24;
const ROW: usize = 28;
const TAIL: usize = 4;

/// What a frame says of its batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Told {
    pub(super) agent: AgentId,
    pub(super) epoch: u64,
    pub(super) sequence: u64,
    pub(super) first_event: u64,
    pub(super) events: u32,
}

/// The rows of a segment that still grows.
#[derive(Debug, Default)]
pub(super) struct Rows {
    keys: HashMap<(AgentId, u64), u32>,
    of_keys: Vec<u8>,
    rows: Vec<u8>,
    count: u32,
}

impl Rows {
    /// The next frame, which begins at `offset`.
    pub(super) fn push(&mut self, offset: u32, told: &Told) {
        let next = u32::try_from(self.keys.len()).unwrap_or(u32::MAX);
        let key = *self.keys.entry((told.agent, told.epoch)).or_insert_with(|| {
            self.of_keys.extend_from_slice(told.agent.as_bytes());
            self.of_keys.extend_from_slice(&told.epoch.to_le_bytes());
            next
        });
        self.rows.extend_from_slice(&offset.to_le_bytes());
        self.rows.extend_from_slice(&key.to_le_bytes());
        self.rows.extend_from_slice(&told.sequence.to_le_bytes());
        self.rows.extend_from_slice(&told.first_event.to_le_bytes());
        self.rows.extend_from_slice(&told.events.to_le_bytes());
        self.count = self.count.saturating_add(1);
    }

    /// The sidecar of a segment that begins with frame `first` and has this size.
    fn encode(&self, first: u64, bytes: u64, newest: Timestamp) -> Vec<u8> {
        let mut out = Vec::with_capacity(HEAD + self.of_keys.len() + self.rows.len() + TAIL);
        out.extend_from_slice(&MAGIC);
        out.extend_from_slice(&LAYOUT.to_le_bytes());
        out.extend_from_slice(&[0, 0]);
        out.extend_from_slice(&first.to_le_bytes());
        out.extend_from_slice(&bytes.to_le_bytes());
        out.extend_from_slice(&newest.as_nanos().to_le_bytes());
        out.extend_from_slice(&self.count.to_le_bytes());
        out.extend_from_slice(&u32::try_from(self.keys.len()).unwrap_or(u32::MAX).to_le_bytes());
        out.extend_from_slice(&self.of_keys);
        out.extend_from_slice(&self.rows);
        let sum = crc32fast::hash(&out);
        out.extend_from_slice(&sum.to_le_bytes());
        out
    }
}

/// A segment as its sidecar tells it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Sidecar {
    pub(super) newest: Timestamp,
    pub(super) frames: Vec<(u32, Told)>,
}

/// The name of the sidecar of the segment that begins with this frame.
fn name(first: u64) -> String {
    format!("{first:020}.wpx")
}

/// Writes the sidecar of a closed segment. Failing costs the next opening a walk, no more.
pub(super) fn write(storage: &dyn Storage, first: u64, bytes: u64, newest: Timestamp, rows: &Rows) {
    remove(storage, first);
    let written = storage.create(&name(first)).and_then(|file| {
        file.write_at(0, &rows.encode(first, bytes, newest))?;
        file.sync()
    });
    if written.is_err() {
        remove(storage, first);
    }
}

/// Takes a sidecar away, if there is one.
pub(super) fn remove(storage: &dyn Storage, first: u64) {
    // One that stays is told from its segment's by size and checksum, or goes with the next opening.
    let _ = storage.remove(&name(first));
}

/// Takes away those whose segments are gone.
pub(super) fn sweep(storage: &dyn Storage, names: &[String], firsts: &[u64]) {
    let strays = names
        .iter()
        .filter_map(|name| segment_first(&name.strip_suffix(".wpx").map(|of| format!("{of}.wpj"))?));
    strays.filter(|first| !firsts.contains(first)).for_each(|first| remove(storage, first));
}

/// The sidecar of a segment of `bytes` bytes and `frames` frames; `None` where it is missing or
/// anything about it is not as it should be.
pub(super) fn read(storage: &dyn Storage, first: u64, bytes: u64, frames: u64) -> Option<Sidecar> {
    let file = storage.open(&name(first)).ok()?;
    let size = usize::try_from(file.size().ok()?).ok()?;
    let frames = usize::try_from(frames).ok()?;
    // No more than the frames can need, before anything is read.
    let most = frames.checked_mul(KEY + ROW)?.checked_add(HEAD + TAIL)?;
    if size > most || frames > usize::try_from(bytes).ok()? / FRAME_HEADER {
        return None;
    }
    let mut all = vec![0; size];
    let (read, body) = (file.read_at(0, &mut all).ok()?, size.checked_sub(TAIL)?);
    let sum = u32::from_le_bytes(all.get(body..)?.try_into().ok()?);
    let body = all.get(..body).filter(|_| read == size)?;
    (crc32fast::hash(body) == sum).then(|| decode(body, first, bytes, frames))?
}

fn decode(body: &[u8], first: u64, bytes: u64, frames: usize) -> Option<Sidecar> {
    let mut cursor = Cursor(body);
    let magic: [u8; 4] = cursor.take()?;
    let layout = u16::from_le_bytes(cursor.take()?);
    let _: [u8; 2] = cursor.take()?;
    let of = (u64::from_le_bytes(cursor.take()?), u64::from_le_bytes(cursor.take()?));
    let newest = Timestamp::from_nanos(i64::from_le_bytes(cursor.take()?));
    let count = usize::try_from(u32::from_le_bytes(cursor.take()?)).ok()?;
    let keys = usize::try_from(u32::from_le_bytes(cursor.take()?)).ok()?;
    let whole =
        body.len() == HEAD.checked_add(keys.checked_mul(KEY)?)?.checked_add(count.checked_mul(ROW)?)?;
    if magic != MAGIC || layout != LAYOUT || of != (first, bytes) || count != frames || !whole {
        return None;
    }
    let mut senders = Vec::with_capacity(keys);
    for _ in 0..keys {
        senders.push((AgentId::from_bytes(cursor.take()?), u64::from_le_bytes(cursor.take()?)));
    }
    let mut rows = Vec::with_capacity(count);
    for _ in 0..count {
        let offset = u32::from_le_bytes(cursor.take()?);
        let key = usize::try_from(u32::from_le_bytes(cursor.take()?)).ok()?;
        let (agent, epoch) = *senders.get(key)?;
        let (sequence, first_event) =
            (u64::from_le_bytes(cursor.take()?), u64::from_le_bytes(cursor.take()?));
        let events = u32::from_le_bytes(cursor.take()?);
        rows.push((offset, Told { agent, epoch, sequence, first_event, events }));
    }
    Some(Sidecar { newest, frames: rows })
}

#[cfg(test)]
mod tests;
