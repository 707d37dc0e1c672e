//! A window that slides over the entries of a group: what it counts, and whether the condition
//! holds in it.
//!
//! Nothing here depends on the order in which entries came: sums are exact, everything else is
//! counted. One sweep over many window ends costs little more than one window.

use std::collections::HashMap;

use foldhash::fast::RandomState;
use watchpost_model::Timestamp;

use super::entry::Entry;
use crate::ast::{Counting, Figure, Order, Turn};
use crate::compile::Joined;
use crate::engine::condition;

/// What a window counts, and whether that satisfies the correlation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Verdict {
    pub(super) count: u64,
    pub(super) holds: bool,
}

/// A window on its way forward.
#[derive(Debug)]
pub(super) struct Sweep<'r> {
    rule: &'r Joined,
    left: usize,
    right: usize,
    tally: Tally,
}

#[derive(Debug)]
enum Tally {
    /// The number of entries is enough, or the entries themselves are looked at.
    Plain,
    /// How many entries there are of each value.
    Distinct(HashMap<u64, u32, RandomState>),
    /// In units of 2^-20, so that adding and taking away leaves nothing behind.
    Sum(i128),
    Sorted(Vec<f64>),
}

impl<'r> Sweep<'r> {
    /// A sweep whose first window ends at `end` or later.
    pub(super) fn from(entries: &[Entry], end: Timestamp, rule: &'r Joined) -> Self {
        let begin = end.minus(rule.timespan);
        let left = entries.partition_point(|entry| entry.time <= begin);
        let tally = match &rule.kind {
            Counting::Values(_) | Counting::Rules(Order::Any) | Counting::When(..) => {
                Tally::Distinct(HashMap::default())
            }
            Counting::Figure(Figure::Sum | Figure::Average, _) => Tally::Sum(0),
            Counting::Figure(Figure::Percentile(_), _) => Tally::Sorted(Vec::new()),
            Counting::Events | Counting::Rules(Order::AsListed) | Counting::Silence => Tally::Plain,
        };
        Self { rule, left, right: left, tally }
    }

    /// The window that ends at `end`, which must not lie before the last one asked for.
    pub(super) fn at(&mut self, entries: &[Entry], end: Timestamp) -> Verdict {
        while let Some(entry) = entries.get(self.right).filter(|entry| entry.time <= end) {
            self.tally.add(entry);
            self.right += 1;
        }
        let begin = end.minus(self.rule.timespan);
        while let Some(entry) = entries.get(self.left).filter(|entry| entry.time <= begin) {
            self.tally.remove(entry);
            self.left += 1;
        }
        self.verdict(entries.get(self.left..self.right).unwrap_or_default())
    }

    fn verdict(&self, inside: &[Entry]) -> Verdict {
        let bounded = |count: u64| {
            let holds = self.rule.bounds.iter().all(|(how, number)| how.holds(&count, number));
            Verdict { count, holds }
        };
        match (&self.rule.kind, &self.tally) {
            (Counting::When(of, turns), Tally::Distinct(seen)) => {
                let holds = if turns.is_empty() {
                    condition(of, &|at| seen.contains_key(&number(at)))
                } else {
                    turns.iter().any(|turn| taken(turn, inside, seen))
                };
                Verdict { count: number(seen.len()), holds }
            }
            (_, Tally::Distinct(seen)) => bounded(number(seen.len())),
            (Counting::Rules(_), Tally::Plain) => bounded(chain(inside, self.rule.members.len())),
            (_, Tally::Plain) => bounded(number(inside.len())),
            (Counting::Figure(how, _), tally) => self.figure(*how, tally, inside.len()),
            _ => Verdict::default(),
        }
    }

    fn figure(&self, how: Figure, tally: &Tally, count: usize) -> Verdict {
        let figure = match tally {
            _ if count == 0 => return Verdict::default(),
            Tally::Sum(sum) if how == Figure::Average => unfixed(*sum) / real(number(count)),
            Tally::Sum(sum) => unfixed(*sum),
            Tally::Sorted(sorted) => {
                let Figure::Percentile(rank) = how else { return Verdict::default() };
                let at = (sorted.len() * usize::from(rank)).div_ceil(100).saturating_sub(1);
                sorted.get(at).copied().unwrap_or_default()
            }
            _ => return Verdict::default(),
        };
        let holds = self.rule.bounds.iter().all(|(how, bound)| how.holds(&figure, &real(*bound)));
        Verdict { count: whole(figure), holds }
    }
}

impl Tally {
    fn add(&mut self, entry: &Entry) {
        match self {
            Self::Plain => {}
            Self::Distinct(seen) => *seen.entry(entry.counted).or_default() += 1,
            Self::Sum(sum) => *sum = sum.saturating_add(fixed(entry.counted)),
            Self::Sorted(sorted) => {
                let value = f64::from_bits(entry.counted);
                let at = sorted.partition_point(|other| other.total_cmp(&value).is_lt());
                sorted.insert(at, value);
            }
        }
    }

    fn remove(&mut self, entry: &Entry) {
        match self {
            Self::Plain => {}
            Self::Distinct(seen) => {
                if let Some(count) = seen.get_mut(&entry.counted) {
                    *count -= 1;
                    if *count == 0 {
                        seen.remove(&entry.counted);
                    }
                }
            }
            Self::Sum(sum) => *sum = sum.saturating_sub(fixed(entry.counted)),
            Self::Sorted(sorted) => {
                let value = f64::from_bits(entry.counted);
                let at = sorted.partition_point(|other| other.total_cmp(&value).is_lt());
                if at < sorted.len() {
                    sorted.remove(at);
                }
            }
        }
    }
}

/// How many different rules fired in the order listed, at most.
fn chain(inside: &[Entry], members: usize) -> u64 {
    let mut longest = vec![0_u64; members];
    for entry in inside {
        let at = usize::from(entry.member);
        let before = longest.iter().take(at).copied().max().unwrap_or(0);
        if let Some(here) = longest.get_mut(at) {
            *here = (*here).max(before + 1);
        }
    }
    longest.into_iter().max().unwrap_or(0)
}

/// Whether the rules of a turn fired one after the other, and none of those that must not.
fn taken(turn: &Turn, inside: &[Entry], seen: &HashMap<u64, u32, RandomState>) -> bool {
    if turn.lacks.iter().any(|at| seen.contains_key(&number(*at))) {
        return false;
    }
    let mut needs = turn.needs.iter().peekable();
    for entry in inside {
        needs.next_if(|at| **at == usize::from(entry.member));
    }
    needs.peek().is_none()
}

fn number(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

const UNIT: f64 = 1_048_576.0;

#[expect(clippy::cast_possible_truncation, reason = "a cast of a float saturates")]
fn fixed(bits: u64) -> i128 {
    (f64::from_bits(bits) * UNIT).round() as i128
}

#[expect(clippy::cast_precision_loss, reason = "a figure is compared as a float")]
fn unfixed(sum: i128) -> f64 {
    sum as f64 / UNIT
}

#[expect(clippy::cast_precision_loss, reason = "thresholds of a person's making are far below 2^53")]
const fn real(number: u64) -> f64 {
    number as f64
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a cast of a float saturates")]
const fn whole(number: f64) -> u64 {
    number.round() as u64
}
