//! Whether a condition can become true at all, given what is known of its selections.
//!
//! A search over truth values with early cuts: each value chosen is carried on to the selections
//! that it implies or excludes. Bounded; where the bound ends it, the condition counts as possible.

use super::relation::{joint, within};
use crate::ast::{Condition, Detection};
use crate::compile::NameId;

/// Selections that are compared pair by pair; public rules have at most some fifty.
const MOST_SELECTIONS: usize = 64;

/// Choices that one search may try.
const MOST_CHOICES: usize = 4_000;

/// What is known of the selections of one rule.
#[derive(Debug, Default)]
pub(super) struct Known {
    /// By selection: it can not hold.
    pub(super) never: Vec<bool>,
    /// By selection: those that hold wherever it holds.
    pub(super) implies: Vec<Vec<usize>>,
    /// By selection: those that can not hold beside it.
    pub(super) excludes: Vec<Vec<usize>>,
}

impl Known {
    /// Nothing but which selections can not hold.
    pub(super) fn bare(never: Vec<bool>) -> Self {
        let none = vec![Vec::new(); never.len()];
        Self { never, implies: none.clone(), excludes: none }
    }

    /// Compares the selections pair by pair.
    pub(super) fn of(detection: &Detection<NameId>, never: Vec<bool>) -> Self {
        let mut out = Self::bare(never);
        let selections = &detection.selections;
        if selections.len() > MOST_SELECTIONS {
            return out;
        }
        for (at, one) in selections.iter().enumerate() {
            let others = || selections.iter().enumerate().filter(|(other, _)| *other != at);
            let implied =
                others().filter(|(_, other)| within(&one.body, &other.body)).map(|(other, _)| other);
            let excluded =
                others().filter(|(_, other)| !joint(&one.body, &other.body)).map(|(other, _)| other);
            if let (Some(implies), Some(excludes)) = (out.implies.get_mut(at), out.excludes.get_mut(at)) {
                implies.extend(implied);
                excludes.extend(excluded);
            }
        }
        out
    }

    /// Whether the condition may become true.
    pub(super) fn possible(&self, condition: &Condition) -> bool {
        let mut search = Search { known: self, condition, left: MOST_CHOICES };
        let values = self.never.iter().map(|never| never.then_some(false)).collect();
        search.possible(values)
    }
}

type Values = Vec<Option<bool>>;

struct Search<'k> {
    known: &'k Known,
    condition: &'k Condition,
    left: usize,
}

impl Search<'_> {
    fn possible(&mut self, values: Values) -> bool {
        self.left = self.left.saturating_sub(1);
        match truth(self.condition, &values) {
            _ if self.left == 0 => true,
            Some(truth) => truth,
            None => {
                let Some((at, wanted)) = open(self.condition, &values, true) else { return true };
                [wanted, !wanted].into_iter().any(|value| {
                    let mut values = values.clone();
                    self.set(&mut values, at, value) && self.possible(values)
                })
            }
        }
    }

    /// Gives a selection a truth value and those that follow from it theirs; false where they clash.
    fn set(&self, values: &mut Values, at: usize, value: bool) -> bool {
        let mut todo = vec![(at, value)];
        while let Some((at, value)) = todo.pop() {
            match values.get_mut(at) {
                Some(Some(had)) if *had == value => continue,
                Some(Some(_)) | None => return false,
                Some(slot) => *slot = Some(value),
            }
            let of = |lists: &[Vec<usize>]| lists.get(at).cloned().unwrap_or_default();
            if value {
                todo.extend(of(&self.known.implies).into_iter().map(|other| (other, true)));
                todo.extend(of(&self.known.excludes).into_iter().map(|other| (other, false)));
            } else {
                let backwards = self.known.implies.iter().enumerate().filter(|(_, list)| list.contains(&at));
                todo.extend(backwards.map(|(other, _)| (other, false)));
            }
        }
        true
    }
}

/// The condition's truth; nothing where it depends on a selection that has no value yet.
fn truth(of: &Condition, values: &Values) -> Option<bool> {
    let value = |at: &usize| values.get(*at).copied().flatten();
    match of {
        Condition::All(parts) => parts
            .iter()
            .try_fold(true, |all, part| match truth(part, values) {
                Some(false) => Err(Some(false)),
                Some(true) => Ok(all),
                None => Ok(false),
            })
            .map_or_else(|decided| decided, |all| all.then_some(true)),
        Condition::Any(parts) => parts
            .iter()
            .try_fold(true, |none, part| match truth(part, values) {
                Some(true) => Err(Some(true)),
                Some(false) => Ok(none),
                None => Ok(false),
            })
            .map_or_else(|decided| decided, |none| none.then_some(false)),
        Condition::Not(part) => truth(part, values).map(|truth| !truth),
        Condition::Is(at) => value(at),
        Condition::AtLeast(least, at) => {
            let sure = at.iter().filter(|at| value(at) == Some(true)).count();
            let maybe = at.iter().filter(|at| value(at) != Some(false)).count();
            if sure >= *least { Some(true) } else { (maybe < *least).then_some(false) }
        }
    }
}

/// The first selection without a value, and the value that helps the condition.
fn open(of: &Condition, values: &Values, wanted: bool) -> Option<(usize, bool)> {
    let free = |at: &usize| values.get(*at).is_some_and(Option::is_none);
    match of {
        Condition::All(parts) | Condition::Any(parts) => parts
            .iter()
            .filter(|part| truth(part, values).is_none())
            .find_map(|part| open(part, values, wanted)),
        Condition::Not(part) => open(part, values, !wanted),
        Condition::Is(at) => free(at).then_some((*at, wanted)),
        Condition::AtLeast(_, at) => at.iter().find(|at| free(at)).map(|at| (*at, wanted)),
    }
}

/// Selections that a condition asks, each with whether it is wanted (under an even number of `not`).
pub(super) fn asked(of: &Condition, wanted: bool, out: &mut Vec<(usize, bool)>) {
    match of {
        Condition::All(parts) | Condition::Any(parts) => {
            parts.iter().for_each(|part| asked(part, wanted, out))
        }
        Condition::Not(part) => asked(part, !wanted, out),
        Condition::AtLeast(_, at) => out.extend(at.iter().map(|at| (*at, wanted))),
        Condition::Is(at) => out.push((*at, wanted)),
    }
}
