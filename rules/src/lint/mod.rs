//! What can be said of rules without any event: which are blind, which parts are dead, which stand
//! twice, which are slow, which lack what a report needs.
//!
//! Every finding is sound where it speaks of "never" and "always": it holds for every event. What
//! can not be decided within the bounds is not reported. Pure: rules and their texts in, notes out.

mod blind;
mod cost;
mod dead;
mod fault;
mod need;
mod place;
mod relation;
mod satisfy;
mod tags;
mod twice;

pub(crate) use blind::blind;
pub(crate) use cost::literal;
pub use fault::{Fault, Note};
pub use need::Need;

use serde::Serialize;

use crate::compile::{Rule, RuleSet};
use crate::pack::{Blind, Source};
use place::Places;

/// Everything that was found, in the order of rules; what is slow, slowest first.
#[derive(Debug, Default, Serialize)]
pub struct Lint {
    /// Rules that no event of ours can make fire, and what would light them.
    pub blind: Vec<Blind>,
    /// Rules that say the same, and ids that stand twice.
    pub duplicates: Vec<Note>,
    /// Parts that can not matter: they never hold, or are never asked.
    pub dead: Vec<Note>,
    /// What costs much per event.
    pub slow: Vec<Note>,
    /// Rules without a valid GB/T 20986 category.
    pub uncategorised: Vec<Note>,
    /// Rules without an ATT&CK technique.
    pub untagged: Vec<Note>,
}

/// Looks at every loaded rule. `sources` are the texts that the set was loaded from; without a
/// text a note has no line.
#[must_use]
pub fn lint(set: &RuleSet, sources: &[Source]) -> Lint {
    let places = Places::of(sources);
    let note = |rule: &Rule, cost: Option<u64>, fault: Fault| Note {
        rule: rule.meta.id.clone(),
        name: rule.meta.name.clone(),
        file: rule.file.clone(),
        line: places.line(rule, &fault),
        cost,
        fault,
    };
    let mut out = Lint { blind: set.blind(), duplicates: twice::twins(set, &places), ..Lint::default() };
    let core = &set.core;
    for (rule, body) in core.rules.iter().zip(&core.bodies) {
        out.dead.extend(dead::dead(body).into_iter().map(|fault| note(rule, None, fault)));
        let (faults, cost) = cost::slow(body);
        out.slow.extend(faults.into_iter().map(|fault| note(rule, Some(cost), fault)));
        // A rule that is only counted raises nothing that would need a category.
        if !rule.is_silent {
            out.uncategorised.extend(tags::category(rule).map(|fault| note(rule, None, fault)));
            out.untagged.extend(tags::techniques(rule).map(|fault| note(rule, None, fault)));
        }
    }
    out.slow.sort_by_key(|note| std::cmp::Reverse(note.cost));
    out.duplicates.extend(twice::same(set).into_iter().map(|(rule, fault)| note(rule, None, fault)));
    out
}

#[cfg(test)]
mod proofs;
#[cfg(test)]
mod tests;
