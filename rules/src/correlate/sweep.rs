//! A window that slides over the entries of a group, and whether the condition holds in it.
//!
//! Nothing here depends on the order in which entries came: sums are exact, everything else is
//! counted. What the window holds is kept between sweeps in a [`Cursor`] that goes forward and
//! back, so an entry that comes late by a few places costs a few steps and not a whole window.

use watchpost_model::Timestamp;

use super::cursor::Cursor;
use super::entry::Entry;
use super::orders::Orders;
use super::tally::{Tally, number};
use crate::ast::{Counting, Order};
use crate::compile::Joined;
use crate::engine::condition;

/// A window on its way forward.
#[derive(Debug)]
pub(super) struct Sweep<'r> {
    rule: &'r Joined,
    cursor: &'r mut Cursor,
    left: usize,
    right: usize,
    /// Which rules fired one after the other; only made where that may matter.
    orders: Option<Orders>,
}

impl<'r> Sweep<'r> {
    /// A sweep whose first window ends at `end` or later.
    pub(super) fn from(entries: &[Entry], end: Timestamp, rule: &'r Joined, cursor: &'r mut Cursor) -> Self {
        let begin = end.minus(rule.timespan);
        let left = entries.partition_point(|entry| entry.time <= begin);
        let right = entries.partition_point(|entry| entry.time < end);
        Self { rule, cursor, left, right, orders: None }
    }

    /// Whether the condition holds in the window that ends at `end`, which must not lie before the
    /// last one asked for.
    pub(super) fn holds(&mut self, entries: &[Entry], end: Timestamp) -> bool {
        let begin = end.minus(self.rule.timespan);
        let inside = |at: usize, time: Timestamp| entries.get(at).is_some_and(|entry| entry.time <= time);
        while inside(self.right, end) {
            self.right += 1;
        }
        while inside(self.left, begin) {
            self.left += 1;
        }
        self.cursor.seek(entries, self.left, self.right);
        let seen = self.cursor.tally();
        let rule = self.rule;
        match &rule.kind {
            Counting::When(of, turns) if turns.is_empty() => condition(of, &|at| seen.has(at)),
            Counting::When(_, turns) => {
                let free = |at: &usize| !seen.has(*at);
                let may = |turn: &crate::ast::Turn| {
                    turn.lacks.iter().all(free) && turn.needs.iter().all(|at| seen.has(*at))
                };
                turns.iter().enumerate().any(|(at, turn)| {
                    may(turn) && {
                        let orders = self.orders.get_or_insert_with(|| Orders::turns(turns, self.left));
                        orders.advance(entries, self.right);
                        orders.taken(at, self.left)
                    }
                })
            }
            // No more rules can have fired in order than fired at all.
            Counting::Rules(Order::AsListed) if rule.rising && !rule.within(seen.distinct()) => false,
            Counting::Rules(Order::AsListed) => {
                let orders = self.orders.get_or_insert_with(|| Orders::chain(rule.members.len(), self.left));
                orders.advance(entries, self.right);
                rule.within(orders.longest(self.left))
            }
            Counting::Values(_) | Counting::Rules(Order::Any) => rule.within(seen.distinct()),
            Counting::Events => rule.within(number(self.right - self.left)),
            Counting::Figure(how, _) => seen.figure_holds(*how, self.right - self.left, rule),
            Counting::Silence => false,
        }
    }
}

/// What a window that holds these entries counts.
pub(super) fn count(rule: &Joined, inside: &[Entry]) -> u64 {
    match &rule.kind {
        Counting::Events | Counting::Silence => number(inside.len()),
        Counting::Rules(Order::AsListed) => {
            let mut orders = Orders::chain(rule.members.len(), 0);
            orders.advance(inside, inside.len());
            orders.longest(0)
        }
        Counting::Figure(how, _) => super::tally::figure(*how, inside),
        Counting::Values(_) | Counting::Rules(Order::Any) | Counting::When(..) => {
            let mut tally = Tally::of(rule);
            inside.iter().for_each(|entry| tally.add(entry));
            tally.distinct()
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use watchpost_model::id::EventRef;

    use super::*;
    use crate::compile::Body;
    use crate::correlate::entry::Arrival;
    use crate::correlate::laws::{EVERY, set, single};

    /// What happens to a group's entries.
    #[derive(Clone, Debug)]
    enum Step {
        Insert(i64, u16, u64),
        Remove(usize),
        Drop(usize),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let one = prop_oneof![
            8 => (0_i64..60, 0_u16..3, 0_u64..12).prop_map(|(s, m, v)| Step::Insert(s, m, v)),
            1 => any::<usize>().prop_map(Step::Remove),
            1 => (0_usize..8).prop_map(Step::Drop),
        ];
        proptest::collection::vec(one, 1..120)
    }

    fn entry(rule: &Joined, second: i64, member: u16, value: u64, frame: u64) -> Entry {
        let member = member % u16::try_from(rule.members.len()).unwrap();
        let counted = match &rule.kind {
            Counting::Rules(_) | Counting::When(..) => u64::from(member),
            Counting::Figure(..) => u32::try_from(value).map(f64::from).unwrap().to_bits(),
            _ => value % 4,
        };
        let way = Arrival { correlation: 0, member, key: Box::default(), counted };
        Entry::new(Timestamp::from_parts(second, 0), EventRef { frame, index: 0 }, &way, 0)
    }

    /// Changes the entries and tells the cursor; the time from which windows are to be judged.
    fn change(
        entries: &mut Vec<Entry>,
        cursor: &mut Cursor,
        rule: &Joined,
        step: &Step,
        frame: u64,
    ) -> Timestamp {
        match *step {
            Step::Insert(second, member, value) => {
                let entry = entry(rule, second, member, value, frame);
                let time = entry.time;
                let at = entries.partition_point(|other| other.order() <= entry.order());
                cursor.inserted(at, &entry);
                entries.insert(at, entry);
                time
            }
            Step::Remove(at) if !entries.is_empty() => {
                let at = at % entries.len();
                let gone = entries.remove(at);
                cursor.removed(at, &gone);
                gone.time
            }
            Step::Drop(count) => {
                let count = count.min(entries.len());
                cursor.dropped(&entries[..count]);
                entries.drain(..count);
                Timestamp::from_parts(0, 0)
            }
            Step::Remove(_) => Timestamp::from_parts(0, 0),
        }
    }

    proptest! {
        #[test]
        fn a_kept_window_judges_as_a_new_one(steps in steps(), which in 0..EVERY.len(), ends in 1_usize..9) {
            let set = set(&single(EVERY[which]));
            let rule = set.core.bodies.iter().find_map(|body| match body {
                Body::Correlation(joined) => Some(joined),
                Body::Detection(_) => None,
            });
            let rule = rule.unwrap();
            let (mut entries, mut cursor) = (Vec::new(), Cursor::new(rule));
            for (frame, step) in (1..).zip(&steps) {
                let from = change(&mut entries, &mut cursor, rule, step, frame);
                let mut kept = Sweep::from(&entries, from, rule, &mut cursor);
                let times = entries.iter().map(|entry| entry.time).filter(|time| *time >= from);
                for end in times.step_by(ends).take(ends * 2) {
                    let mut fresh = Cursor::new(rule);
                    let alone = Sweep::from(&entries, end, rule, &mut fresh).holds(&entries, end);
                    prop_assert_eq!(kept.holds(&entries, end), alone, "{}", EVERY[which]);
                    // The number that is told agrees with the judgement.
                    let begin = end.minus(rule.timespan);
                    let inside: Vec<Entry> = entries.iter().filter(|e| e.time > begin && e.time <= end).cloned().collect();
                    if !matches!(rule.kind, Counting::When(..) | Counting::Figure(crate::ast::Figure::Average, _)) {
                        prop_assert_eq!(rule.within(count(rule, &inside)), alone, "{}", EVERY[which]);
                    }
                }
            }
        }
    }
}
