//! The event journal: an append-only store of packed batches.
//!
//! One frame is one batch as its agent packed it, under a number that counts from 1 over the
//! journal's whole life. A frame is durable when [`Journal::append`] returns; only then may a
//! batch be acknowledged. Layout: `docs/formats/journal.md`.
//!
//! Promises: what was appended is read back byte for byte or reported as damaged; a torn tail
//! is cut on opening and reported; one damaged frame never hides its neighbours; a failed sync
//! poisons the journal (reads go on, appends are refused). Refuses: to be opened for writing
//! twice, which the owner of the data directory ensures by its lock.

mod error;
mod format;
mod index;
mod reader;
mod recovery;
mod retention;
mod sidecar;
mod storage;
#[cfg(test)]
mod tests;
mod writer;

use std::time::Duration;

use watchpost_model::Timestamp;
use watchpost_model::id::AgentId;

pub use error::Error;
pub use reader::{Frames, Reader};
pub use recovery::{Mark, Recovery};
pub use storage::{Disk, SegmentFile, Storage};
pub use writer::Journal;

/// A batch to append.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewFrame {
    /// Who sent it.
    pub agent: AgentId,
    /// The agent's spool.
    pub epoch: u64,
    /// The batch's position in its epoch.
    pub sequence: u64,
    /// `event.sequence` of its first event.
    pub first_event: u64,
    /// Events in it.
    pub events: u32,
    /// When it arrived, by the collector's clock.
    pub received: Timestamp,
    /// The packed batch, unchanged.
    pub payload: Vec<u8>,
}

impl NewFrame {
    /// What its header will say of the batch.
    const fn told(&self) -> sidecar::Told {
        let Self { agent, epoch, sequence, first_event, events, .. } = *self;
        sidecar::Told { agent, epoch, sequence, first_event, events }
    }
}

/// A batch as the journal keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Counted from 1 over the journal's whole life.
    pub number: u64,
    /// Who sent it.
    pub agent: AgentId,
    /// The agent's spool.
    pub epoch: u64,
    /// The batch's position in its epoch.
    pub sequence: u64,
    /// `event.sequence` of its first event.
    pub first_event: u64,
    /// Events in it.
    pub events: u32,
    /// When it arrived, by the collector's clock.
    pub received: Timestamp,
    /// The packed batch, unchanged.
    pub payload: Vec<u8>,
}

/// How the journal is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Bytes after which a segment is closed and the next begun.
    pub segment_bytes: u64,
    /// Whole segments older than this are deleted. Half a year is what the law asks of network
    /// logs, with a few days to spare.
    pub keep: Duration,
    /// Bytes above which the oldest segments are deleted even if they are young.
    pub max_bytes: Option<u64>,
}

impl Default for Settings {
    fn default() -> Self {
        Self { segment_bytes: 64 * 1024 * 1024, keep: Duration::from_secs(184 * 86_400), max_bytes: None }
    }
}
