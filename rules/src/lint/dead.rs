//! Parts of a detection that can not matter: selections nobody asks, conditions that can not become
//! true, values that a broader one beside them makes superfluous.

use super::Fault;
use super::relation::{excludes, implies, joint};
use super::satisfy::{Known, asked};
use crate::ast::{Detection, Expr, Item, Link};
use crate::compile::{Body, NameId};

/// Values of one list that are compared with each other.
const MOST_VALUES: usize = 400;

/// Superfluous values told per list: the rest shows when these are gone.
const MOST_TOLD: usize = 5;

pub(super) fn dead(body: &Body) -> Vec<Fault> {
    let Body::Detection(detection) = body else { return Vec::new() };
    let mut faults = unused(detection);
    let (never, contradictions) = contradictions(detection);
    faults.extend(contradictions);
    faults.extend(condition(detection, never));
    for selection in &detection.selections {
        superfluous(&selection.body, &mut faults);
    }
    faults
}

fn unused(detection: &Detection<NameId>) -> Vec<Fault> {
    let mut used = Vec::new();
    asked(&detection.condition, true, &mut used);
    let is_used = |at: usize| used.iter().any(|(other, _)| *other == at);
    let selections = detection.selections.iter().enumerate();
    selections
        .filter(|(at, _)| !is_used(*at))
        .map(|(_, selection)| Fault::Unused { selection: selection.name.clone() })
        .collect()
}

/// Which selections can not hold, and why.
fn contradictions(detection: &Detection<NameId>) -> (Vec<bool>, Vec<Fault>) {
    let mut faults = Vec::new();
    let never = detection.selections.iter().map(|selection| {
        let found = contradiction(&selection.body);
        let is_found = found.is_some();
        faults.extend(found.map(|(one, other)| Fault::Contradiction {
            selection: selection.name.clone(),
            one,
            other,
        }));
        is_found
    });
    (never.collect(), faults)
}

/// Two parts of a conjunction that exclude each other.
fn contradiction(of: &Expr<NameId>) -> Option<(String, String)> {
    match of {
        Expr::All(parts) => {
            let pair = |at: usize, one: &Expr<NameId>| {
                let other = parts.iter().skip(at + 1).find(|other| !joint(one, other))?;
                Some((shown(one), shown(other)))
            };
            parts
                .iter()
                .find_map(contradiction)
                .or_else(|| parts.iter().enumerate().find_map(|(at, one)| pair(at, one)))
        }
        // A list can not hold where none of its parts can.
        Expr::Any(parts) => {
            let mut found = parts.iter().map(contradiction).collect::<Option<Vec<_>>>()?;
            found.pop()
        }
        Expr::Item(item) if item.link == Link::All && item.field.is_some() => {
            let wants = &item.wants;
            wants.iter().enumerate().take(MOST_VALUES).find_map(|(at, one)| {
                let other = wants
                    .iter()
                    .skip(at + 1)
                    .take(MOST_VALUES)
                    .find(|other| excludes(&one.test, &other.test))?;
                Some((format!("{}: {}", item.shown, one.shown), format!("{}: {}", item.shown, other.shown)))
            })
        }
        Expr::Item(_) => None,
    }
}

/// A part as the rule writes it.
fn shown(of: &Expr<NameId>) -> String {
    match of {
        Expr::Item(item) => {
            let values: Vec<&str> = item.wants.iter().take(3).map(|want| want.shown.as_str()).collect();
            let more = if item.wants.len() > 3 { ", …" } else { "" };
            format!("{}: {}{more}", item.shown, values.join(", "))
        }
        Expr::All(parts) | Expr::Any(parts) => parts.first().map_or_else(String::new, shown),
    }
}

/// Why the condition can not become true, if so.
fn condition(detection: &Detection<NameId>, never: Vec<bool>) -> Option<Fault> {
    let of = &detection.condition;
    if !Known::bare(vec![false; never.len()]).possible(of) {
        return Some(Fault::Never);
    }
    let known = Known::of(detection, never);
    if known.possible(of) {
        return None;
    }
    // A contradiction within a selection has been told.
    if !Known::bare(known.never.clone()).possible(of) {
        return None;
    }
    let mut used = Vec::new();
    asked(of, true, &mut used);
    let name =
        |at: usize| detection.selections.get(at).map(|selection| selection.name.clone()).unwrap_or_default();
    let wanted = || used.iter().filter(|(_, wanted)| *wanted).map(|(at, _)| *at);
    let denied = |at: usize| used.iter().any(|(other, wanted)| *other == at && !wanted);
    let related = |lists: &[Vec<usize>], at: usize| lists.get(at).cloned().unwrap_or_default();
    let swallowed = wanted().find_map(|at| {
        let filter = related(&known.implies, at).into_iter().find(|other| denied(*other))?;
        Some(Fault::Swallowed { selection: name(at), filter: name(filter) })
    });
    let clash = || {
        wanted().find_map(|at| {
            let other =
                related(&known.excludes, at).into_iter().find(|other| wanted().any(|at| at == *other))?;
            Some(Fault::Clash { one: name(at), other: name(other) })
        })
    };
    Some(swallowed.or_else(clash).unwrap_or(Fault::Never))
}

fn superfluous(of: &Expr<NameId>, faults: &mut Vec<Fault>) {
    match of {
        Expr::All(parts) | Expr::Any(parts) => parts.iter().for_each(|part| superfluous(part, faults)),
        Expr::Item(item) => values(item, faults),
    }
}

/// Values that another one of the list makes superfluous. With `all` it is the broader one that is.
fn values(item: &Item<NameId>, faults: &mut Vec<Fault>) {
    let wants: Vec<_> = item.wants.iter().take(MOST_VALUES).collect();
    let mut told = 0;
    for (at, one) in wants.iter().enumerate() {
        let covering = wants.iter().enumerate().find(|(other, want)| {
            let covers = match item.link {
                Link::Any => implies(&one.test, &want.test),
                Link::All => implies(&want.test, &one.test),
            };
            // Of two that say the same the later one goes.
            let both = || implies(&want.test, &one.test) && implies(&one.test, &want.test);
            *other != at && covers && (*other < at || !both())
        });
        let Some((_, broad)) = covering else { continue };
        told += 1;
        if told > MOST_TOLD {
            return;
        }
        let key = item.shown.clone();
        faults.push(if one.shown == broad.shown {
            Fault::Repeated { key, value: one.shown.clone() }
        } else {
            Fault::Subsumed { key, narrow: one.shown.clone(), broad: broad.shown.clone() }
        });
    }
}
