//! Absence: a group that was seen and then was not, for a whole timespan.
//!
//! Only what makes a gap is kept: of entries that follow each other closely, those in between say
//! nothing. A gap is told once no late entry can fill it any more; the last one when time has
//! passed it. The group is then forgotten, so it speaks once until it is seen again.

use watchpost_model::Timestamp;

use super::entry::Entry;
use super::group::{Group, NEVER};
use crate::compile::Joined;

/// Gaps that may wait in one group until they are certain.
const MOST_WAITING: usize = 1_024;

/// What an entry led to.
#[derive(Debug, Default)]
pub(super) struct Beat {
    /// The last entry before each gap that is now certain.
    pub(super) gaps: Vec<Entry>,
    pub(super) late: bool,
    pub(super) forgotten: u64,
}

impl Group {
    /// Takes a sign of life.
    pub(super) fn beat(&mut self, entry: Entry, rule: &Joined, allowed: std::time::Duration) -> Beat {
        let time = entry.time;
        if self.newest != NEVER && time < self.newest.minus(allowed) {
            return Beat { late: true, ..Beat::default() };
        }
        self.newest = self.newest.max(time);
        let at = self.entries.partition_point(|other| other.order() <= entry.order());
        if self.entries.is_empty() {
            self.entries.reserve_exact(1);
        }
        self.entries.insert(at, entry);
        // The new entry may be needless, or make a neighbour so.
        for middle in [at + 1, at, at.wrapping_sub(1)] {
            self.thin(middle, rule);
        }
        let mut out = Beat { gaps: self.gaps(self.newest.minus(allowed), rule), ..Beat::default() };
        while self.entries.len() > MOST_WAITING {
            self.entries.remove(0);
            out.forgotten += 1;
        }
        out
    }

    fn thin(&mut self, middle: usize, rule: &Joined) {
        let around = middle
            .checked_sub(1)
            .and_then(|before| Some((self.entries.get(before)?.time, self.entries.get(middle + 1)?.time)));
        if around.is_some_and(|(before, after)| after.since(before) <= rule.timespan) {
            self.entries.remove(middle);
        }
    }

    /// Takes out the gaps that end before `watermark`, and what lies before it.
    fn gaps(&mut self, watermark: Timestamp, rule: &Joined) -> Vec<Entry> {
        let mut out = Vec::new();
        while let [before, after, ..] = self.entries.as_slice() {
            let gap = after.time.since(before.time) > rule.timespan;
            if gap && before.time.plus(rule.timespan) < watermark {
                out.push(self.entries.remove(0));
            } else if !gap && after.time <= watermark {
                self.entries.remove(0);
            } else {
                break;
            }
        }
        out
    }

    /// Moves the last sign of life to where `to` says, by the clock of whoever listens.
    pub(super) fn retime(&mut self, to: impl Fn(Timestamp) -> Timestamp) {
        // Earlier signs say nothing: by that clock every gap between two was told at once.
        self.entries.drain(..self.entries.len().saturating_sub(1));
        if let Some(last) = self.entries.last_mut() {
            last.time = to(last.time);
            self.newest = last.time;
        }
    }

    /// Every gap up to `now`, at which nothing older will come: between entries, and after the
    /// last one.
    pub(super) fn silent(&mut self, now: Timestamp, rule: &Joined) -> Vec<Entry> {
        let mut out = self.gaps(now, rule);
        let last = self.entries.last().filter(|_| self.entries.len() == 1);
        if last.is_some_and(|last| last.time.plus(rule.timespan) <= now) {
            out.extend(self.entries.pop());
        }
        out
    }
}
