//! What a stretch of a group's entries holds, kept up to date as entries come and go, and moved
//! forward and back along them.
//!
//! It follows from the entries alone: one that is thrown away is made again, at the cost of one
//! window. It is not part of a checkpoint.

use super::entry::Entry;
use super::tally::Tally;
use crate::compile::Joined;

/// A tally of the entries in `left..right`.
#[derive(Clone, Debug)]
pub(super) struct Cursor {
    left: usize,
    right: usize,
    tally: Tally,
}

impl Cursor {
    /// One that holds nothing.
    pub(super) fn new(rule: &Joined) -> Self {
        Self { left: 0, right: 0, tally: Tally::of(rule) }
    }

    pub(super) const fn tally(&self) -> &Tally {
        &self.tally
    }

    /// An entry was put at this place.
    pub(super) fn inserted(&mut self, at: usize, entry: &Entry) {
        if at <= self.left {
            self.left += 1;
            self.right += 1;
        } else if at < self.right {
            self.tally.add(entry);
            self.right += 1;
        }
    }

    /// The entry that was at this place is gone.
    pub(super) fn removed(&mut self, at: usize, entry: &Entry) {
        if at < self.left {
            self.left -= 1;
            self.right -= 1;
        } else if at < self.right {
            self.tally.remove(entry);
            self.right -= 1;
        }
    }

    /// The first entries, these, are about to go.
    pub(super) fn dropped(&mut self, gone: &[Entry]) {
        for entry in gone.get(self.left..gone.len().min(self.right)).unwrap_or_default() {
            self.tally.remove(entry);
        }
        self.left = self.left.saturating_sub(gone.len());
        self.right = self.right.saturating_sub(gone.len());
    }

    /// Moves to `left..right`: by steps if those are fewer than what is in there.
    pub(super) fn seek(&mut self, entries: &[Entry], left: usize, right: usize) {
        let steps = self.left.abs_diff(left) + self.right.abs_diff(right);
        if steps > right.saturating_sub(left) {
            self.tally.clear();
            (self.left, self.right) = (left, left);
        }
        let part = |from: usize, to: usize| entries.get(from..to).unwrap_or_default().iter();
        part(self.right, right).for_each(|entry| self.tally.add(entry));
        part(left, self.left).for_each(|entry| self.tally.add(entry));
        part(right, self.right).for_each(|entry| self.tally.remove(entry));
        part(self.left, left).for_each(|entry| self.tally.remove(entry));
        (self.left, self.right) = (left, right);
    }
}
