//! What a rule costs per event: which tests have no short cut.
//!
//! The figure is an estimate in bytes looked at, for an event of [`EVENT`] bytes whose values have
//! [`VALUE`] bytes each: good for telling a rule of 20 from one of 20,000, not for a budget.

use regex_syntax::hir::{Hir, HirKind};

use super::Fault;
use crate::ast::{Expr, Item};
use crate::compile::{Body, NameId};
use crate::matcher::{Edge, Test};

/// Bytes of a text that must stand in a value before a regex is worth trying.
const LITERAL: usize = 3;

/// Bytes of an event, all values together.
const EVENT: u64 = 2_000;

/// Bytes of one value.
const VALUE: u64 = 200;

/// A search for a text looks at about one byte in so many.
const STRIDE: u64 = 8;

/// What is slow in a rule, and the rule's cost.
pub(super) fn slow(body: &Body) -> (Vec<Fault>, u64) {
    let Body::Detection(detection) = body else { return (Vec::new(), 0) };
    let (mut faults, mut cost) = (Vec::new(), 0);
    for selection in &detection.selections {
        items(&selection.body, &mut |item| {
            cost += of_item(item);
            look(item, &mut faults);
        });
    }
    (faults, cost)
}

fn items(of: &Expr<NameId>, each: &mut dyn FnMut(&Item<NameId>)) {
    match of {
        Expr::All(parts) | Expr::Any(parts) => parts.iter().for_each(|part| items(part, each)),
        Expr::Item(item) => each(item),
    }
}

fn of_item(item: &Item<NameId>) -> u64 {
    let length = if item.field.is_some() { VALUE } else { EVENT };
    item.wants.iter().map(|want| of_test(&want.test, length)).sum()
}

fn of_test(test: &Test<NameId>, length: u64) -> u64 {
    match test {
        Test::Text(pattern) => match pattern.edge() {
            Edge::Exact(_) | Edge::Begin(_) | Edge::End(_) => 1,
            Edge::Inside(_) => length / STRIDE,
            Edge::Unknown => length,
        },
        Test::OneOf(patterns) => length / STRIDE * u64::try_from(patterns.len()).unwrap_or(u64::MAX),
        Test::Regex(regex) if needs_text(regex.as_str()) => length / STRIDE,
        Test::Regex(_) => length,
        Test::Not(test) => of_test(test, length),
        Test::Field(..) | Test::Time(..) => length / STRIDE,
        Test::Number(_) | Test::Null | Test::Exists(_) | Test::Cidr(_) | Test::Compare(..) => 1,
    }
}

fn look(item: &Item<NameId>, faults: &mut Vec<Fault>) {
    if item.field.is_none() {
        faults.push(Fault::Keywords { words: item.wants.len() });
    }
    for want in &item.wants {
        let Test::Regex(regex) = &want.test else { continue };
        let (key, text) = (item.shown.clone(), regex.as_str().to_owned());
        if text.trim_start_matches(['^', '(']).starts_with(".*") {
            faults.push(Fault::Leading { key: key.clone(), regex: text.clone() });
        }
        if !needs_text(&text) {
            faults.push(Fault::NoLiteral { key, regex: text });
        }
    }
}

fn needs_text(regex: &str) -> bool {
    parsed(regex).least >= LITERAL
}

/// The longest text that every match of a regex contains, in lower case; empty where none is
/// known.
pub(crate) fn literal(regex: &str) -> String {
    parsed(regex).sure
}

fn parsed(regex: &str) -> Required {
    regex_syntax::Parser::new().parse(regex).map(|hir| required(&hir)).unwrap_or_default()
}

/// What every match has.
#[derive(Default)]
struct Required {
    /// This text.
    sure: String,
    /// Some text of at least so many bytes: of alternatives each may have its own.
    least: usize,
    /// The match is this text and no more.
    whole: Option<String>,
}

fn required(hir: &Hir) -> Required {
    match hir.kind() {
        HirKind::Literal(text) => whole(String::from_utf8_lossy(&text.0).to_lowercase()),
        HirKind::Class(_) => one_letter(hir).map_or_else(Required::default, whole),
        HirKind::Look(_) | HirKind::Empty => whole(String::new()),
        HirKind::Capture(inner) => required(&inner.sub),
        HirKind::Repetition(of) if of.min >= 1 => Required { whole: None, ..required(&of.sub) },
        HirKind::Repetition(_) => Required::default(),
        HirKind::Concat(parts) => in_a_row(parts),
        HirKind::Alternation(parts) => either(parts),
    }
}

fn whole(text: String) -> Required {
    Required { sure: text.clone(), least: text.len(), whole: Some(text) }
}

/// The letter of a class that is one letter in both cases.
fn one_letter(hir: &Hir) -> Option<String> {
    let HirKind::Class(regex_syntax::hir::Class::Unicode(class)) = hir.kind() else { return None };
    let mut letters = class.iter().map(|range| (range.start() == range.end()).then(|| range.start()));
    let first: String = letters.next()??.to_lowercase().collect();
    // The long s and the Kelvin sign fold to letters of their own.
    let same =
        |letter: char| letter.to_lowercase().eq(first.chars()) || matches!(letter, '\u{17f}' | '\u{212a}');
    letters.all(|letter| letter.is_some_and(same)).then_some(first)
}

fn in_a_row(parts: &[Hir]) -> Required {
    let (mut sure, mut least, mut run, mut all) = (String::new(), 0, String::new(), true);
    for part in parts.iter().map(required) {
        match part.whole {
            Some(text) => run.push_str(&text),
            None => {
                all = false;
                least = least.max(run.len()).max(part.least);
                sure = longer(longer(sure, std::mem::take(&mut run)), part.sure);
            }
        }
    }
    let whole = all.then(|| run.clone());
    Required { least: least.max(run.len()), sure: longer(sure, run), whole }
}

fn either(parts: &[Hir]) -> Required {
    let mut parts = parts.iter().map(required);
    let Some(first) = parts.next() else { return Required::default() };
    let same = |one: Required, other: Required| Required {
        sure: if one.sure == other.sure { one.sure } else { String::new() },
        least: one.least.min(other.least),
        whole: None,
    };
    parts.fold(Required { whole: None, ..first }, same)
}

fn longer(one: String, other: String) -> String {
    if other.len() > one.len() { other } else { one }
}
