//! One window: the recent findings of one group, in the order of their event time.
//!
//! Invariant: `entries` is sorted by time. Entries are kept for twice the window, so that an
//! event that comes up to one window late still finds its neighbours.

use std::collections::{HashMap, VecDeque};

use watchpost_model::Timestamp;
use watchpost_model::id::EventRef;

use crate::ast::{Counting, Figure, Order};
use crate::compile::Joined;
use crate::engine::condition;

/// Findings kept in one window where its threshold does not need more. More would only sharpen
/// the count of an attack that is already told, and cost time with each event of a flood.
const MOST_ENTRIES: usize = 1_024;

/// Findings kept in one window whose numbers make a figure. A sum over more is too low, and
/// those forgotten are counted.
const MOST_FIGURES: usize = 8_192;

/// Windows tried for one late finding where each must be summed anew.
const MOST_ENDS: usize = 64;

/// One finding of a base rule.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    pub(super) time: Timestamp,
    pub(super) event: EventRef,
    /// What it counts as.
    pub(super) counted: u64,
}

/// What an arrival led to.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    pub(super) fired: Option<Fired>,
    pub(super) forgotten: u64,
    pub(super) late: bool,
}

/// A completed condition.
#[derive(Debug)]
pub(super) struct Fired {
    pub(super) time: Timestamp,
    pub(super) count: u64,
    pub(super) events: Vec<EventRef>,
}

/// The findings of one group.
#[derive(Debug, Default)]
pub(super) struct Window {
    entries: VecDeque<Entry>,
    /// End of the window that fired last.
    fired: Option<Timestamp>,
    /// Whether the condition was true at the newest event.
    held: bool,
}

impl Window {
    /// Time of the newest entry.
    pub(super) fn newest(&self) -> Timestamp {
        self.entries.back().map_or(Timestamp::EPOCH, |entry| entry.time)
    }

    /// Puts an entry where its time says and asks the condition again.
    pub(super) fn arrive(&mut self, entry: Entry, joined: &Joined) -> Outcome {
        let newest = self.newest();
        let span = joined.timespan;
        if !self.entries.is_empty() && entry.time < newest.minus(span).minus(span) {
            return Outcome { late: true, ..Outcome::default() };
        }
        let at = self.entries.partition_point(|other| other.time <= entry.time);
        let in_order = at == self.entries.len();
        self.entries.insert(at, entry);
        let mut outcome = Outcome { forgotten: self.forget(joined), ..Outcome::default() };
        let best =
            if in_order { self.ending(entry.time, joined) } else { self.best_around(entry.time, joined) };
        let held = best.is_some();
        outcome.fired = best.filter(|fired| self.speaks(fired.time, in_order, joined));
        if let Some(fired) = &outcome.fired {
            self.fired = Some(fired.time);
        }
        if in_order {
            self.held = held;
        }
        outcome
    }

    /// Whether a true condition is worth a finding: it just became true, or a whole window has
    /// passed since the last one.
    fn speaks(&self, end: Timestamp, in_order: bool, joined: &Joined) -> bool {
        let Some(last) = self.fired else { return true };
        let apart = end.since(last).max(last.since(end));
        apart >= joined.timespan || (in_order && !self.held)
    }

    /// Drops what is too old, and the oldest where there are too many.
    fn forget(&mut self, joined: &Joined) -> u64 {
        let keep_from = self.newest().minus(joined.timespan).minus(joined.timespan);
        while self.entries.front().is_some_and(|entry| entry.time < keep_from) {
            self.entries.pop_front();
        }
        let most = if let Counting::Figure(..) = joined.kind {
            MOST_FIGURES
        } else {
            let threshold = joined.bounds.iter().map(|(_, number)| *number).max().unwrap_or(0);
            usize::try_from(threshold).unwrap_or(usize::MAX).saturating_mul(2).max(MOST_ENTRIES)
        };
        let over = self.entries.len().saturating_sub(most);
        self.entries.drain(..over);
        u64::try_from(over).unwrap_or(u64::MAX)
    }

    /// The window that ends at `end`, if the condition is true in it.
    fn ending(&self, end: Timestamp, joined: &Joined) -> Option<Fired> {
        let from = self.entries.partition_point(|entry| entry.time <= end.minus(joined.timespan));
        let to = self.entries.partition_point(|entry| entry.time <= end);
        let inside = || self.entries.range(from..to);
        let distinct = || {
            let mut seen: Vec<u64> = inside().map(|entry| entry.counted).collect();
            seen.sort_unstable();
            seen.dedup();
            seen
        };
        let number = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
        let bounded = |count: u64| joined.bounds.iter().all(|(how, number)| how.holds(&count, number));
        let (count, holds) = match &joined.kind {
            Counting::Events => (number(to - from), bounded(number(to - from))),
            Counting::Values(_) => {
                let count = number(distinct().len());
                (count, bounded(count))
            }
            Counting::Rules(order) => {
                let (count, all) = (number(distinct().len()), number(joined.members.len()));
                (count, count == all && (*order == Order::Any || in_turn(inside(), all)))
            }
            Counting::When(of) => {
                let seen = distinct();
                let fired = |at: usize| seen.binary_search(&number(at)).is_ok();
                (number(seen.len()), condition(of, &fired))
            }
            Counting::Figure(how, _) => {
                let figure = figure(*how, inside().map(|entry| f64::from_bits(entry.counted)))?;
                (whole(figure), joined.bounds.iter().all(|(how, bound)| how.holds(&figure, &real(*bound))))
            }
        };
        holds.then(|| Fired { time: end, count, events: inside().map(|entry| entry.event).collect() })
    }

    /// For a late entry: the first window around it in which the condition is true. Every window
    /// that can have become true ends at an entry at most one window later.
    fn best_around(&self, time: Timestamp, joined: &Joined) -> Option<Fired> {
        let from = self.entries.partition_point(|entry| entry.time < time);
        let until = time.plus(joined.timespan);
        let mut ends: Vec<Timestamp> =
            self.entries.range(from..).map(|entry| entry.time).take_while(|end| *end < until).collect();
        ends.dedup();
        match &joined.kind {
            // The densest window need not be the one that holds.
            Counting::When(_) | Counting::Figure(..) => {
                ends.iter().take(MOST_ENDS).find_map(|end| self.ending(*end, joined))
            }
            _ => self.ending(self.densest(&ends, joined)?, joined),
        }
    }

    /// Among these window ends the one that counts most, in one sweep.
    fn densest(&self, ends: &[Timestamp], joined: &Joined) -> Option<Timestamp> {
        let distinct = !matches!(joined.kind, Counting::Events);
        let mut inside: HashMap<u64, usize> = HashMap::new();
        let (mut left, mut right, mut best) = (0_usize, 0_usize, (0_usize, None));
        for end in ends {
            while let Some(entry) = self.entries.get(right).filter(|entry| entry.time <= *end) {
                *inside.entry(entry.counted).or_default() += 1;
                right += 1;
            }
            let begin = end.minus(joined.timespan);
            while let Some(entry) = self.entries.get(left).filter(|entry| entry.time <= begin && left < right)
            {
                if let Some(count) = inside.get_mut(&entry.counted) {
                    *count -= 1;
                    if *count == 0 {
                        inside.remove(&entry.counted);
                    }
                }
                left += 1;
            }
            let count = if distinct { inside.len() } else { right - left };
            if count > best.0 {
                best = (count, Some(*end));
            }
        }
        best.1
    }
}

/// The figure; `None` of no numbers.
fn figure(how: Figure, numbers: impl Iterator<Item = f64>) -> Option<f64> {
    let mut numbers: Vec<f64> = numbers.collect();
    let sum = || numbers.iter().sum::<f64>();
    let count = real(u64::try_from(numbers.len()).unwrap_or(u64::MAX));
    match how {
        _ if numbers.is_empty() => None,
        Figure::Sum => Some(sum()),
        Figure::Average => Some(sum() / count),
        Figure::Percentile(rank) => {
            let at = (numbers.len() * usize::from(rank)).div_ceil(100).saturating_sub(1);
            let last = numbers.len() - 1;
            Some(*numbers.select_nth_unstable_by(at.min(last), f64::total_cmp).1)
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "thresholds of a person's making are far below 2^53")]
const fn real(number: u64) -> f64 {
    number as f64
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a cast of a float saturates")]
const fn whole(number: f64) -> u64 {
    number.round() as u64
}

/// Whether the rules fired in the order listed: 0, 1, 2… as a subsequence.
fn in_turn<'a>(entries: impl Iterator<Item = &'a Entry>, all: u64) -> bool {
    let mut next = 0;
    for entry in entries {
        if entry.counted == next {
            next += 1;
        }
    }
    next >= all
}
