//! What two tests on one field have to do with each other: does one imply the other, can both hold?
//!
//! Both answers are sound and not complete: "yes" holds for every event, "no" may mean that it
//! could not be shown. Exclusion supposes that the field has one value.

use std::net::IpAddr;

use crate::ast::{Compare, Expr, Item, Link, Want};
use crate::compile::NameId;
use crate::matcher::{Edge, Net, Pattern, Test, Text, fold};

/// Comparisons of values that one question may take.
const MOST_STEPS: usize = 20_000;

/// Whether every event that satisfies `one` satisfies `other`.
pub(super) fn within(one: &Expr<NameId>, other: &Expr<NameId>) -> bool {
    Asked(MOST_STEPS).implies(one, other)
}

/// Whether some event may satisfy both.
pub(super) fn joint(one: &Expr<NameId>, other: &Expr<NameId>) -> bool {
    !Asked(MOST_STEPS).excludes(one, other)
}

/// A question under way, with the steps left for it.
struct Asked(usize);

impl Asked {
    fn step(&mut self) -> bool {
        self.0 = self.0.saturating_sub(1);
        self.0 > 0
    }

    fn implies(&mut self, one: &Expr<NameId>, other: &Expr<NameId>) -> bool {
        if !self.step() {
            return false;
        }
        match (one, other) {
            (_, Expr::All(parts)) if !parts.is_empty() => parts.iter().all(|part| self.implies(one, part)),
            (Expr::Any(parts), _) if !parts.is_empty() => parts.iter().all(|part| self.implies(part, other)),
            (Expr::All(parts), Expr::Any(others)) => {
                parts.iter().any(|part| self.implies(part, other))
                    || others.iter().any(|part| self.implies(one, part))
            }
            (Expr::All(parts), _) => parts.iter().any(|part| self.implies(part, other)),
            (_, Expr::Any(parts)) => parts.iter().any(|part| self.implies(one, part)),
            (Expr::Item(one), Expr::Item(other)) => self.item_implies(one, other),
            _ => false,
        }
    }

    fn item_implies(&mut self, one: &Item<NameId>, other: &Item<NameId>) -> bool {
        if one.field != other.field || one.wants.is_empty() || other.wants.is_empty() {
            return false;
        }
        let mut each = |a: &Want<NameId>, b: &Want<NameId>| {
            self.step() && (implies(&a.test, &b.test) || (one.shown == other.shown && a.shown == b.shown))
        };
        let mut from = |a: &[Want<NameId>]| match other.link {
            Link::Any => a.iter().any(|a| other.wants.iter().any(|b| each(a, b))),
            Link::All => other.wants.iter().all(|b| a.iter().any(|a| each(a, b))),
        };
        match one.link {
            Link::Any => one.wants.iter().all(|a| from(std::slice::from_ref(a))),
            Link::All => from(&one.wants),
        }
    }

    fn excludes(&mut self, one: &Expr<NameId>, other: &Expr<NameId>) -> bool {
        if !self.step() {
            return false;
        }
        match (one, other) {
            (Expr::Any(parts), _) if !parts.is_empty() => parts.iter().all(|part| self.excludes(part, other)),
            (_, Expr::Any(parts)) if !parts.is_empty() => parts.iter().all(|part| self.excludes(one, part)),
            (Expr::All(parts), _) => parts.iter().any(|part| self.excludes(part, other)),
            (_, Expr::All(parts)) => parts.iter().any(|part| self.excludes(one, part)),
            (Expr::Item(one), Expr::Item(other)) => self.item_excludes(one, other),
            _ => false,
        }
    }

    fn item_excludes(&mut self, one: &Item<NameId>, other: &Item<NameId>) -> bool {
        let asks_one = one.field.is_some() && one.field == other.field;
        if !asks_one || one.wants.is_empty() || other.wants.is_empty() {
            return false;
        }
        let mut apart = |a: &Want<NameId>, b: &Want<NameId>| self.step() && excludes(&a.test, &b.test);
        let mut from = |a: &Want<NameId>| match other.link {
            Link::Any => other.wants.iter().all(|b| apart(a, b)),
            Link::All => other.wants.iter().any(|b| apart(a, b)),
        };
        match one.link {
            Link::Any => one.wants.iter().all(&mut from),
            Link::All => one.wants.iter().any(&mut from),
        }
    }
}

/// Whether a value that satisfies `one` satisfies `other`.
pub(super) fn implies(one: &Test<NameId>, other: &Test<NameId>) -> bool {
    match (one, other) {
        (Test::Null | Test::Exists(false), _) => same(one, other),
        (_, Test::Exists(true)) => true,
        (Test::Text(one), Test::Text(other)) => pattern_implies(one, other),
        (Test::Text(one), Test::OneOf(others)) => others.iter().any(|other| pattern_implies(one, other)),
        (Test::OneOf(parts), Test::Text(other)) => parts.iter().all(|one| pattern_implies(one, other)),
        (Test::Text(text), Test::Cidr(net)) => address(text).is_some_and(|ip| net.contains(ip)),
        (Test::Number(one), Test::Number(other)) => one == other,
        (Test::Number(number), Test::Compare(how, bound)) => how.holds(number, bound),
        (Test::Compare(one, a), Test::Compare(other, b)) => below(*one, *a, *other, *b),
        _ => false,
    }
}

fn same(one: &Test<NameId>, other: &Test<NameId>) -> bool {
    matches!((one, other), (Test::Null, Test::Null) | (Test::Exists(false), Test::Exists(false) | Test::Null))
}

/// Whether every number that stands so to `a` stands so to `b`.
fn below(one: Compare, a: f64, other: Compare, b: f64) -> bool {
    match (one, other) {
        (Compare::Gt | Compare::Gte, Compare::Gte) | (Compare::Gt, Compare::Gt) => a >= b,
        (Compare::Gte, Compare::Gt) => a > b,
        (Compare::Lt | Compare::Lte, Compare::Lte) | (Compare::Lt, Compare::Lt) => a <= b,
        (Compare::Lte, Compare::Lt) => a < b,
        _ => false,
    }
}

/// Where `other` compares without case and is no more than its edge says, what is known of `one`
/// is enough to tell.
fn pattern_implies(one: &Pattern, other: &Pattern) -> bool {
    if !other.is_plain() {
        return matches!(one.edge(), Edge::Exact(_)) && one.is_plain() && fits(one, other);
    }
    match (one.edge(), other.edge()) {
        (Edge::Unknown, _) | (_, Edge::Unknown) => false,
        (Edge::Exact(_), _) => fits(one, other),
        (Edge::Begin(a), Edge::Begin(b)) => a.starts_with(&b),
        (Edge::End(a), Edge::End(b)) => a.ends_with(&b),
        (Edge::Begin(a) | Edge::End(a) | Edge::Inside(a), Edge::Inside(b)) => a.contains(&b),
        _ => false,
    }
}

/// Whether the one text that `one` wants, in whatever case, fits `other`.
fn fits(one: &Pattern, other: &Pattern) -> bool {
    let Edge::Exact(text) = one.edge() else { return false };
    // A pattern that minds the case does not fit every case of the text.
    let shouted = text.to_uppercase();
    let (lower, upper) = (lent(&text, &text), lent(&shouted, &text));
    other.fits(lower) && other.fits(upper)
}

fn lent<'t>(raw: &'t str, folded: &'t str) -> Text<'t> {
    Text { raw, folded, null: false }
}

fn address(pattern: &Pattern) -> Option<IpAddr> {
    match pattern.edge() {
        Edge::Exact(text) => text.parse().ok(),
        _ => None,
    }
}

/// Whether no one value satisfies both.
pub(super) fn excludes(one: &Test<NameId>, other: &Test<NameId>) -> bool {
    one_sided(one, other) || one_sided(other, one)
}

fn one_sided(one: &Test<NameId>, other: &Test<NameId>) -> bool {
    match (one, other) {
        (Test::Exists(false), Test::Null | Test::Exists(false))
        | (Test::Null, Test::Null | Test::Exists(_)) => false,
        (Test::Exists(false) | Test::Null, _) => true,
        (Test::Text(one), Test::Text(other)) => edges_exclude(&one.edge(), &other.edge()),
        (Test::Text(text), Test::Cidr(net)) => outside(text, *net),
        (Test::Number(one), Test::Number(other)) => one != other,
        (Test::Number(number), Test::Compare(how, bound)) => !how.holds(number, bound),
        (Test::Compare(one, a), Test::Compare(other, b)) => apart(*one, *a, *other, *b),
        _ => false,
    }
}

fn outside(text: &Pattern, net: Net) -> bool {
    address(text).is_some_and(|ip| !net.contains(ip))
}

/// Whether no number stands so to both bounds.
fn apart(one: Compare, a: f64, other: Compare, b: f64) -> bool {
    match (one, other) {
        (Compare::Gt, Compare::Lt | Compare::Lte) | (Compare::Gte, Compare::Lt) => a >= b,
        (Compare::Gte, Compare::Lte) => a > b,
        _ => false,
    }
}

/// Edges say what every fitting value has, so that what they exclude the patterns exclude too.
fn edges_exclude(one: &Edge, other: &Edge) -> bool {
    match (one, other) {
        (Edge::Exact(text), edge) => !has(text, edge),
        (Edge::Begin(a), Edge::Begin(b)) => !a.starts_with(b.as_str()) && !b.starts_with(a.as_str()),
        (Edge::End(a), Edge::End(b)) => !a.ends_with(b.as_str()) && !b.ends_with(a.as_str()),
        _ => false,
    }
}

fn has(text: &str, edge: &Edge) -> bool {
    let text = fold(text);
    match edge {
        Edge::Exact(other) => text == *other,
        Edge::Begin(begin) => text.starts_with(begin.as_str()),
        Edge::End(end) => text.ends_with(end.as_str()),
        Edge::Inside(inside) => text.contains(inside.as_str()),
        Edge::Unknown => true,
    }
}
