//! What goes from the reader to the workers, and what comes back.

use serde_json::Value as Json;
use watchpost_model::{Event, Timestamp};
use watchpost_rules::Finding;

/// A piece of one input, small enough that many fit in memory and large enough that handing it over
/// costs nothing.
pub(super) struct Unit {
    /// Place in the order of reading, from 0 without gaps.
    pub(super) nth: u64,
    /// Which input it is from.
    pub(super) file: usize,
    pub(super) load: Load,
}

/// What the piece holds.
pub(super) enum Load {
    /// Whole lines; the number of the first, from 1.
    Lines(u64, Vec<u8>),
    /// A line that is longer than any event; its number.
    TooLong(u64),
    /// One chunk of a Windows event log and its number.
    Chunk(u64, Vec<u8>),
    /// Decoded events.
    Typed(Vec<Event>),
}

/// What a worker made of a unit.
#[derive(Default)]
pub(super) struct Done {
    pub(super) nth: u64,
    pub(super) file: usize,
    /// Events, with those that can not be read.
    pub(super) events: u64,
    pub(super) unreadable: u64,
    /// Events that do not say when they happened.
    pub(super) timeless: u64,
    /// Chunks that are not as they were written.
    pub(super) odd: u64,
    /// The first that is wrong: line (or 0) and why.
    pub(super) problem: Option<(u64, String)>,
    /// The line that ends, with the input, before its object does.
    pub(super) cut: Option<u64>,
    /// The first part that is not as it was written.
    pub(super) oddity: Option<String>,
    /// Time of the oldest event and of the newest.
    pub(super) span: Option<(Timestamp, Timestamp)>,
    /// Events that mean something, in order.
    pub(super) held: Vec<Held>,
}

/// An event that a rule fired on.
pub(super) struct Held {
    /// Place in the unit.
    pub(super) at: u64,
    /// Its time, where it says one.
    pub(super) time: Option<Timestamp>,
    /// What base rules found.
    pub(super) findings: Vec<Finding>,
    /// The event itself, where correlations count it.
    pub(super) counted: Option<Fact>,
}

/// An event.
pub(super) enum Fact {
    Typed(Box<Event>),
    Foreign(Json),
}

impl Done {
    /// One that can not be read.
    pub(super) fn unreadable(&mut self, line: u64, reason: impl FnOnce() -> String) {
        self.events += 1;
        self.unreadable += 1;
        if self.problem.is_none() {
            self.problem = Some((line, reason()));
        }
    }

    /// A part that is not as it was written. What can not be read at all is said before it.
    pub(super) fn odd(&mut self, reason: String) {
        self.odd += 1;
        self.oddity.get_or_insert(reason);
    }

    /// An event happened then.
    pub(super) fn seen(&mut self, time: Timestamp) {
        self.span = wider(self.span, Some((time, time)));
    }
}

/// The span that holds both.
pub(super) fn wider(
    one: Option<(Timestamp, Timestamp)>,
    other: Option<(Timestamp, Timestamp)>,
) -> Option<(Timestamp, Timestamp)> {
    match (one, other) {
        (Some(one), Some(other)) => Some((one.0.min(other.0), one.1.max(other.1))),
        (one, other) => one.or(other),
    }
}
