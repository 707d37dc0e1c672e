//! Correlations that count each other: which of those that can not be loaded are in a cycle.

use std::collections::HashMap;

use crate::ast::CorrelationRule;

/// Whether a correlation is meant by a name in another's `rules`.
pub(super) fn answers(of: &CorrelationRule, name: &str) -> bool {
    !name.is_empty() && (of.head.id == name || of.head.name == name)
}

/// For each of these, whether it counts itself, by way of others or not. Takes time as they are
/// many and name many.
pub(super) fn rings(of: &[&CorrelationRule]) -> Vec<bool> {
    let mut by_name: HashMap<&str, usize> = HashMap::new();
    for (at, one) in of.iter().enumerate() {
        for name in [&one.head.id, &one.head.name].into_iter().filter(|name| !name.is_empty()) {
            by_name.entry(name).or_insert(at);
        }
    }
    let (mut counts, mut counted) = (vec![Vec::new(); of.len()], vec![Vec::new(); of.len()]);
    for (at, one) in of.iter().enumerate() {
        for other in one.rules.iter().filter_map(|name| by_name.get(name.as_str()).copied()) {
            if let (Some(mine), Some(theirs)) = (counts.get_mut(at), counted.get_mut(other)) {
                mine.push(other);
                theirs.push(at);
            }
        }
    }
    // Neither one that leads to no cycle nor one that only hangs on one.
    let mut left = vec![true; of.len()];
    peel(&counts, &counted, &mut left);
    peel(&counted, &counts, &mut left);
    left
}

/// Takes out, again and again, those from which no way is left.
fn peel(ways: &[Vec<usize>], back: &[Vec<usize>], left: &mut [bool]) {
    let open = |left: &[bool], of: &[usize]| of.iter().filter(|to| left.get(**to) == Some(&true)).count();
    let mut degree: Vec<usize> = ways.iter().map(|ways| open(left, ways)).collect();
    let mut ends: Vec<usize> = (0..degree.len()).filter(|at| degree.get(*at) == Some(&0)).collect();
    while let Some(end) = ends.pop() {
        if !left.get_mut(end).is_some_and(|left| std::mem::replace(left, false)) {
            continue;
        }
        for from in back.get(end).into_iter().flatten() {
            if let Some(degree) = degree.get_mut(*from) {
                *degree = degree.saturating_sub(1);
                if *degree == 0 {
                    ends.push(*from);
                }
            }
        }
    }
}
