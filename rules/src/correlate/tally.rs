//! Sums and counts of entries from which a condition can be told, and that can be taken back one
//! by one: whatever was added and removed leaves nothing behind.

use std::collections::HashMap;

use foldhash::fast::RandomState;

use super::entry::Entry;
use crate::ast::{Compare, Counting, Figure, Order};
use crate::compile::Joined;

/// What is counted of a window.
#[derive(Clone, Debug)]
pub(super) enum Tally {
    /// The number of entries is enough.
    Plain,
    /// How many entries there are of each value.
    Distinct(HashMap<u64, u32, RandomState>),
    /// In units of 2^-20, so that adding and taking away leaves nothing behind.
    Sum(i128),
    /// For each bound: how many numbers are less, and how many not more. That says whether a
    /// number of any rank satisfies it, without sorting.
    Ranks(Vec<Rank>),
}

/// How the numbers of a window lie about a bound.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rank {
    how: Compare,
    bound: f64,
    less: usize,
    not_more: usize,
}

impl Tally {
    /// An empty one of the kind that a correlation needs.
    pub(super) fn of(rule: &Joined) -> Self {
        match &rule.kind {
            Counting::Values(_) | Counting::Rules(Order::Any | Order::AsListed) | Counting::When(..) => {
                Self::Distinct(HashMap::default())
            }
            Counting::Figure(Figure::Sum | Figure::Average, _) => Self::Sum(0),
            Counting::Figure(Figure::Percentile(_), _) => {
                let rank = |(how, bound): &(Compare, u64)| Rank {
                    how: *how,
                    bound: real(*bound),
                    less: 0,
                    not_more: 0,
                };
                Self::Ranks(rule.bounds.iter().map(rank).collect())
            }
            Counting::Events | Counting::Silence => Self::Plain,
        }
    }

    pub(super) fn add(&mut self, entry: &Entry) {
        match self {
            Self::Plain => {}
            Self::Distinct(seen) => *seen.entry(entry.counted).or_default() += 1,
            Self::Sum(sum) => *sum += fixed(entry.counted),
            Self::Ranks(ranks) => {
                let value = f64::from_bits(entry.counted);
                for rank in ranks {
                    rank.less += usize::from(value < rank.bound);
                    rank.not_more += usize::from(value <= rank.bound);
                }
            }
        }
    }

    pub(super) fn remove(&mut self, entry: &Entry) {
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
            Self::Sum(sum) => *sum -= fixed(entry.counted),
            Self::Ranks(ranks) => {
                let value = f64::from_bits(entry.counted);
                for rank in ranks {
                    rank.less -= usize::from(value < rank.bound);
                    rank.not_more -= usize::from(value <= rank.bound);
                }
            }
        }
    }

    pub(super) fn clear(&mut self) {
        match self {
            Self::Plain => {}
            Self::Distinct(seen) => seen.clear(),
            Self::Sum(sum) => *sum = 0,
            Self::Ranks(ranks) => {
                for rank in ranks {
                    (rank.less, rank.not_more) = (0, 0);
                }
            }
        }
    }

    /// How many values there are.
    pub(super) fn distinct(&self) -> u64 {
        match self {
            Self::Distinct(seen) => number(seen.len()),
            _ => 0,
        }
    }

    /// Whether the rule at this position fired.
    pub(super) fn has(&self, member: usize) -> bool {
        matches!(self, Self::Distinct(seen) if seen.contains_key(&number(member)))
    }

    /// Whether a figure over so many numbers satisfies the correlation.
    pub(super) fn figure_holds(&self, how: Figure, count: usize, rule: &Joined) -> bool {
        let holds = |figure: f64| rule.bounds.iter().all(|(how, bound)| how.holds(&figure, &real(*bound)));
        match (self, how) {
            _ if count == 0 => false,
            (Self::Sum(sum), Figure::Average) => holds(unfixed(*sum) / real(number(count))),
            (Self::Sum(sum), _) => holds(unfixed(*sum)),
            (Self::Ranks(ranks), Figure::Percentile(rank)) => {
                let place = place(count, rank);
                ranks.iter().all(|bound| bound.holds(place))
            }
            _ => false,
        }
    }
}

impl Rank {
    /// Whether the number at this place, were all sorted, satisfies the bound.
    const fn holds(self, place: usize) -> bool {
        let (less, not_more) = (self.less > place, self.not_more > place);
        match self.how {
            Compare::Gte => !less,
            Compare::Gt => !not_more,
            Compare::Lt => less,
            Compare::Lte => not_more,
            Compare::Eq => not_more && !less,
            Compare::Neq => less || !not_more,
        }
    }
}

/// The figure over the numbers of these entries, rounded.
pub(super) fn figure(how: Figure, inside: &[Entry]) -> u64 {
    if inside.is_empty() {
        return 0;
    }
    let sum = || unfixed(inside.iter().map(|entry| fixed(entry.counted)).sum());
    whole(match how {
        Figure::Sum => sum(),
        Figure::Average => sum() / real(number(inside.len())),
        Figure::Percentile(rank) => {
            let mut numbers: Vec<f64> = inside.iter().map(|entry| f64::from_bits(entry.counted)).collect();
            let place = place(numbers.len(), rank).min(numbers.len() - 1);
            *numbers.select_nth_unstable_by(place, f64::total_cmp).1
        }
    })
}

/// Where the number of a percentile stands among so many.
fn place(count: usize, rank: u8) -> usize {
    (count * usize::from(rank)).div_ceil(100).saturating_sub(1)
}

pub(super) fn number(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

const UNIT: f64 = 1_048_576.0;

/// No number counts for more than this, so that no sum of a group's entries overflows.
const MOST_FIXED: i128 = 1 << 100;

#[expect(clippy::cast_possible_truncation, reason = "a cast of a float saturates")]
fn fixed(bits: u64) -> i128 {
    ((f64::from_bits(bits) * UNIT).round() as i128).clamp(-MOST_FIXED, MOST_FIXED)
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
