//! One base rule's finding as its group remembers it, and what it brings along for the
//! correlations that count this one.
//!
//! Kept small: a live group holds a few of these, and there may be a million groups.

use std::sync::Arc;

use watchpost_model::Timestamp;
use watchpost_model::id::EventRef;

use super::FindingId;

/// Class of a foreign event, which has no class of ours.
pub(super) const FOREIGN: u8 = u8::MAX;

/// One finding that a group counts.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) time: Timestamp,
    frame: u64,
    /// What it counts as: equal numbers are one value; of a figure, the bits of its number.
    pub(super) counted: u64,
    /// What correlations further on need; absent where nothing counts this correlation and the
    /// entry is an event's own.
    pub(super) extra: Option<Arc<Extra>>,
    index: u32,
    /// Which of the correlation's rules fired, by position.
    pub(super) member: u16,
    /// The event's class, by position; names the group's fields.
    pub(super) class: u8,
    /// Whether the condition holds in the window that ends here. Only read from the last entry of
    /// its time.
    pub(super) held: bool,
}

/// What an entry brings along.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Extra {
    /// The correlation's finding that this entry is; absent for an event's own.
    pub(super) source: Option<FindingId>,
    /// Where the event goes in every correlation further on.
    pub(super) onward: Arc<[Arrival]>,
}

/// A way into one group.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Arrival {
    /// The correlation, as a position in the rule set.
    pub(super) correlation: usize,
    /// The rule whose finding it is, by position in the correlation.
    pub(super) member: u16,
    pub(super) key: Box<[u8]>,
    pub(super) counted: u64,
}

impl Entry {
    pub(super) fn new(time: Timestamp, event: EventRef, way: &Arrival, class: u8) -> Self {
        Self {
            time,
            frame: event.frame,
            counted: way.counted,
            extra: None,
            index: event.index,
            member: way.member,
            class,
            held: false,
        }
    }

    pub(super) const fn event(&self) -> EventRef {
        EventRef { frame: self.frame, index: self.index }
    }

    /// What entries are sorted by. At one time the rules stand in the order listed, so that no
    /// condition depends on which of them was seen first.
    pub(super) const fn order(&self) -> (i64, u16, u64, u32, u64) {
        (self.time.as_nanos(), self.member, self.frame, self.index, self.counted)
    }

    /// Whether both are the same finding, seen twice.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        let source = |entry: &Self| entry.extra.as_ref().and_then(|extra| extra.source);
        self.order() == other.order() && source(self) == source(other)
    }

    pub(super) fn is_of(&self, source: FindingId) -> bool {
        self.extra.as_ref().is_some_and(|extra| extra.source == Some(source))
    }
}
