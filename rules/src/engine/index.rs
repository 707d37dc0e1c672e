//! Which rules an event may wake, found without holding each against it.
//!
//! From every rule a *witness* is taken: a set of texts or numbers in named fields, of which any
//! event that the rule fires on has at least one. Per field all texts of all rules are sought at
//! once. Invariant: the index may only over-approximate; what it wakes is still held against the
//! whole rule, and tests check it against the plain scan.

use std::collections::{BTreeMap, HashMap};

use aho_corasick::{AhoCorasick, AhoCorasickKind};

use super::view::View;
use crate::ast::{Condition, Detection, Expr, Item, Link};
use crate::compile::NameId;
use crate::matcher::{Had, Pattern, Test};

/// Atoms of one rule; a rule with a longer list is cheaper to try always.
const MOST_ATOMS: usize = 4_096;

/// One thing to look for.
#[derive(Clone, Debug)]
struct Atom {
    field: Option<NameId>,
    look: Look,
}

#[derive(Clone, Debug)]
enum Look {
    Exact(String),
    Inside(String),
    Number(u64),
}

/// A witness: the rule can not fire unless one of these is there. `None` where nothing is known.
type Witness = Option<Vec<Atom>>;

/// The index over the rules of one bucket.
#[derive(Debug, Default)]
pub(crate) struct Index {
    fields: Vec<(Option<NameId>, FieldIndex)>,
    always: Vec<usize>,
}

#[derive(Debug, Default)]
struct FieldIndex {
    exact: HashMap<String, Vec<usize>, foldhash::fast::RandomState>,
    numbers: HashMap<u64, Vec<usize>, foldhash::fast::RandomState>,
    inside: Option<AhoCorasick>,
    // By pattern of `inside`.
    woken: Vec<Vec<usize>>,
}

impl Index {
    /// Builds the index over these rules.
    pub(crate) fn build<'d>(rules: impl Iterator<Item = (usize, &'d Detection<NameId>)>) -> Self {
        let mut index = Self::default();
        let mut atoms: BTreeMap<Option<NameId>, Vec<(Look, usize)>> = BTreeMap::new();
        for (rule, detection) in rules {
            match of_condition(&detection.condition, detection).filter(|found| found.len() <= MOST_ATOMS) {
                Some(found) => {
                    for atom in found {
                        atoms.entry(atom.field).or_default().push((atom.look, rule));
                    }
                }
                None => index.always.push(rule),
            }
        }
        for (field, looks) in atoms {
            let built = FieldIndex::build(looks).unwrap_or_else(|rules| {
                index.always.extend(rules);
                FieldIndex::default()
            });
            index.fields.push((field, built));
        }
        index
    }

    /// The rules that the event may fire, in ascending order.
    pub(crate) fn woken(&self, view: &View<'_>) -> Vec<usize> {
        let mut out = self.always.clone();
        for (field, index) in &self.fields {
            let slot = field.map_or_else(|| view.everything(), |field| view.slot(field));
            for had in slot.values.iter().filter(|had| !had.is_null()) {
                index.wake(had, &mut out);
            }
        }
        out.sort_unstable();
        out.dedup();
        out
    }
}

impl FieldIndex {
    /// Builds one field's index; gives the rules back where that is impossible (too many texts
    /// for the automaton), so that they are always tried.
    fn build(looks: Vec<(Look, usize)>) -> Result<Self, Vec<usize>> {
        let mut out = Self::default();
        let mut inside: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        let all: Vec<usize> = looks.iter().map(|(_, rule)| *rule).collect();
        for (look, rule) in looks {
            match look {
                Look::Exact(text) => out.exact.entry(text).or_default().push(rule),
                Look::Number(bits) => out.numbers.entry(bits).or_default().push(rule),
                Look::Inside(text) => inside.entry(text).or_default().push(rule),
            }
        }
        if !inside.is_empty() {
            // A full DFA would cost twenty times the memory for a few per cent of speed.
            let built =
                AhoCorasick::builder().kind(Some(AhoCorasickKind::ContiguousNFA)).build(inside.keys());
            out.inside = Some(built.map_err(|_| all)?);
            out.woken = inside.into_values().collect();
        }
        Ok(out)
    }

    fn wake(&self, had: &Had<'_>, out: &mut Vec<usize>) {
        if let Some(rules) = self.exact.get(had.folded()) {
            out.extend(rules);
        }
        if !self.numbers.is_empty()
            && let Some(rules) = had.number().and_then(|number| self.numbers.get(&bits(number)))
        {
            out.extend(rules);
        }
        if let Some(inside) = &self.inside {
            for found in inside.find_overlapping_iter(had.folded()) {
                out.extend(self.woken.get(found.pattern().as_usize()).into_iter().flatten());
            }
        }
    }
}

/// Equal numbers have equal bits: minus zero is zero.
fn bits(number: f64) -> u64 {
    (number + 0.0).to_bits()
}

fn of_condition(of: &Condition, detection: &Detection<NameId>) -> Witness {
    let selection = |at: &usize| of_expr(&detection.selections.get(*at)?.body);
    match of {
        Condition::All(parts) => cheapest(parts.iter().map(|part| of_condition(part, detection))),
        Condition::Any(parts) => union(parts.iter().map(|part| of_condition(part, detection))),
        Condition::Not(_) => None,
        Condition::AtLeast(0, _) => None,
        Condition::AtLeast(least, at) => {
            // If so many of n hold, one of any n - least + 1 of them does.
            let mut parts: Vec<Witness> = at.iter().map(selection).collect();
            parts.sort_by_key(cost);
            let enough = (parts.len() + 1).saturating_sub(*least).max(1);
            parts.truncate(enough);
            union(parts.into_iter())
        }
        Condition::Is(at) => selection(at),
    }
}

fn of_expr(of: &Expr<NameId>) -> Witness {
    match of {
        Expr::All(parts) => cheapest(parts.iter().map(of_expr)),
        Expr::Any(parts) => union(parts.iter().map(of_expr)),
        Expr::Item(item) => of_item(item),
    }
}

fn of_item(item: &Item<NameId>) -> Witness {
    let wants = item.wants.iter().map(|want| of_test(&want.test, item.field));
    match item.link {
        Link::Any => union(wants),
        Link::All => cheapest(wants),
    }
}

fn of_test(test: &Test<NameId>, field: Option<NameId>) -> Witness {
    let atom = |look| vec![Atom { field, look }];
    match test {
        Test::Text(pattern) => of_pattern(pattern).map(atom),
        Test::OneOf(patterns) => union(patterns.iter().map(|pattern| of_pattern(pattern).map(atom))),
        Test::Number(number) => Some(atom(Look::Number(bits(*number)))),
        _ => None,
    }
}

fn of_pattern(pattern: &Pattern) -> Option<Look> {
    if let Some(exact) = pattern.exact() {
        return Some(Look::Exact(exact));
    }
    Some(pattern.literal()).filter(|text| !text.is_empty()).map(Look::Inside)
}

/// All of them together; nothing where one is unknown. Of no parts nothing holds, so nothing is
/// a witness that never wakes.
fn union(parts: impl Iterator<Item = Witness>) -> Witness {
    let mut out = Vec::new();
    for part in parts {
        out.extend(part?);
    }
    Some(out)
}

/// The one that wakes least; nothing where all are unknown.
fn cheapest(parts: impl Iterator<Item = Witness>) -> Witness {
    parts.min_by_key(cost).flatten()
}

/// How often a witness will wake its rule for nothing, roughly: short texts are everywhere.
fn cost(witness: &Witness) -> usize {
    witness.as_ref().map_or(usize::MAX, |atoms| {
        atoms.iter().fold(0_usize, |sum, atom| {
            sum.saturating_add(match &atom.look {
                Look::Exact(_) => 1,
                Look::Number(_) => 40,
                Look::Inside(text) => 2 + 400 / (text.len() * text.len()).max(1),
            })
        })
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;
    use watchpost_model::Timestamp;
    use watchpost_model::id::EventRef;

    use crate::{Detector, RuleSet, Source, Subject};

    fn item() -> impl Strategy<Value = String> {
        let key = prop::sample::select(vec![
            "a",
            "b",
            "a|contains",
            "b|startswith",
            "a|endswith",
            "a|contains|all",
            "b|cased",
            "a|re",
            "a|exists",
            "b|windash",
            "a|gte",
            "b|neq",
        ]);
        let value = prop::sample::select(vec![
            "x",
            "'-x'",
            "'*'",
            "xy",
            "'x*y'",
            "'?y'",
            "1",
            "null",
            "''",
            "[x, Y, 1]",
        ]);
        (key, value).prop_map(|(key, value)| match key {
            "a|exists" => format!("{key}: true"),
            "a|gte" => format!("{key}: 1"),
            "a|re" => format!("{key}: 'x.*y'"),
            _ => format!("{key}: {value}"),
        })
    }

    fn selection() -> impl Strategy<Value = String> {
        prop_oneof![
            (item(), item()).prop_map(|(one, two)| {
                if one.split(':').next() == two.split(':').next() {
                    format!("{{{one}}}")
                } else {
                    format!("{{{one}, {two}}}")
                }
            }),
            (item(), item()).prop_map(|(one, two)| format!("[{{{one}}}, {{{two}}}]")),
            Just("[x, yx]".to_owned()),
        ]
    }

    fn rule() -> impl Strategy<Value = String> {
        let condition = prop::sample::select(vec![
            "s1",
            "s1 and s2",
            "s1 or s2",
            "s1 and not s2",
            "not s1",
            "1 of s*",
            "all of s*",
            "2 of s*",
            "s1 and (s2 or s3)",
        ]);
        (selection(), selection(), selection(), condition).prop_map(|(one, two, three, condition)| {
            format!("detection:\n  s1: {one}\n  s2: {two}\n  s3: {three}\n  condition: {condition}\n")
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(400))]
        #[test]
        fn the_index_finds_what_the_plain_scan_finds(
            rules in prop::collection::vec(rule(), 1..8),
            values in prop::collection::vec((prop::option::of("[-/xXyY1]{0,4}"), prop::option::of("[-xXyY1 ]{0,4}")), 1..8),
        ) {
            let text: Vec<String> =
                rules.iter().enumerate().map(|(n, rule)| format!("title: r{n}\nid: r{n}\n{rule}")).collect();
            let set = RuleSet::load(&[Source { name: "p.yml".into(), text: text.join("---\n") }]);
            prop_assert!(!set.rules().is_empty() || !set.rejected().is_empty());
            let (mut quick, mut plain) = (Detector::new(&set), Detector::plain(&set));
            for (a, b) in values {
                let event = json!({"a": a, "b": [b, 1]});
                let subject = Subject::Foreign { json: &event, logsource: None };
                let at = EventRef { frame: 1, index: 0 };
                let ids = |detector: &mut Detector| -> Vec<String> {
                    let found = detector.observe(&subject, at, Timestamp::EPOCH);
                    found.iter().map(|finding| finding.rule.meta.id.clone()).collect()
                };
                prop_assert_eq!(ids(&mut quick), ids(&mut plain));
            }
        }
    }
}
