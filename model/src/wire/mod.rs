//! The wire between agent and collector: a protobuf batch, compressed with zstd.
//!
//! The layout is in `docs/formats/wire.md`; golden bytes in the tests pin it. A reader skips
//! what it does not know: fields of the message by protobuf's own rules, event fields by their
//! number (kept as they are and shown as `watchpost.unknown`), event kinds by dropping the event
//! and counting it.

mod bytes;
mod pack;
mod proto;
mod read;

pub use bytes::Malformed;
pub use pack::{PackError, Reading, Unpacker, pack, unpack};
pub use read::Spare;

use crate::event::Event;
use crate::ledger::Ledger;

/// Version of the batch layout that this build writes.
pub const VERSION: u32 = 1;

/// Events of one agent on their way, in order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Batch {
    /// Identity of the spool that numbered this batch: a new spool is a new epoch.
    pub epoch: u64,
    /// Position of this batch in its epoch, from 1, without gaps unless the spool evicted some.
    pub sequence: u64,
    /// `event.sequence` of the first event; the others follow without gaps.
    pub first_event: u64,
    /// The host's name, as the agent sees it.
    pub host: String,
    /// What the agent counted until this batch was closed.
    pub ledger: Ledger,
    /// The events.
    pub events: Vec<Event>,
    /// Events of kinds that this reader does not know; they were dropped from `events`.
    /// Not on the wire.
    pub unknown_kinds: u64,
}

/// What a batch says of itself, without its events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// As in [`Batch`].
    pub epoch: u64,
    /// As in [`Batch`].
    pub sequence: u64,
    /// As in [`Batch`].
    pub first_event: u64,
    /// Events of kinds that this reader knows.
    pub events: u64,
    /// Events of other kinds.
    pub unknown_kinds: u64,
}
