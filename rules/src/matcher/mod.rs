//! One test on one value: does what the event had satisfy what the rule wanted?
//!
//! All preparation (case folding, wildcards, regex, networks) is done when rules are loaded;
//! holding a test against a value allocates nothing. Text is compared without regard to case
//! unless the rule says `cased`. Every test is bounded: patterns are linear in the text per
//! pattern segment, regexes are finite automata with a size limit.

mod had;
mod net;
mod pattern;
mod when;

pub(crate) use had::lower;
pub use had::{Had, Slot, Text, fold, fold_into};
pub use net::Net;
pub use pattern::{Edge, Pattern, Token};
pub use when::Part;

use std::sync::Arc;

use regex::Regex;

use crate::ast::Compare;

/// A prepared test.
#[derive(Clone, Debug)]
pub enum Test<F> {
    /// Text, with wildcards.
    Text(Pattern),
    /// Any of several texts that stand for one value (`base64offset`).
    OneOf(Vec<Pattern>),
    /// The number, also where the event has it as text.
    Number(f64),
    /// Missing or null.
    Null,
    /// Present, or absent.
    Exists(bool),
    /// An address inside the network.
    Cidr(Net),
    /// A number in this relation.
    Compare(Compare, f64),
    /// There is a value, and none satisfies this test (`neq`).
    Not(Box<Test<F>>),
    /// The regex is found.
    Regex(Arc<Regex>),
    /// The value of another field; true keeps the case.
    Field(F, Where, bool),
    /// Part of a point in time, as a number in this relation.
    Time(Part, Compare, i64),
}

/// Where in the value the other field's value must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Where {
    /// The whole.
    Whole,
    /// At its begin.
    Begin,
    /// At its end.
    End,
    /// Anywhere.
    Inside,
}

impl<F> Test<F> {
    /// The same test with fields named another way.
    pub fn rename<G>(self, name: &mut dyn FnMut(F) -> G) -> Test<G> {
        match self {
            Self::Text(pattern) => Test::Text(pattern),
            Self::OneOf(patterns) => Test::OneOf(patterns),
            Self::Number(number) => Test::Number(number),
            Self::Null => Test::Null,
            Self::Exists(wanted) => Test::Exists(wanted),
            Self::Cidr(net) => Test::Cidr(net),
            Self::Compare(how, number) => Test::Compare(how, number),
            Self::Not(test) => Test::Not(Box::new(test.rename(name))),
            Self::Regex(regex) => Test::Regex(regex),
            Self::Field(field, place, cased) => Test::Field(name(field), place, cased),
            Self::Time(part, how, number) => Test::Time(part, how, number),
        }
    }

    /// Whether the test can hold where the field is missing.
    #[must_use]
    pub const fn holds_without_field(&self) -> bool {
        matches!(self, Self::Null | Self::Exists(false))
    }

    /// The value of `slot` that satisfies the test, or that there is such a satisfaction
    /// without a value (null, missing). `other` reads the field of a [`Test::Field`].
    pub fn held<'s, 'e>(
        &self,
        slot: &'s Slot<'e>,
        other: &dyn Fn(&F) -> &'s Slot<'e>,
    ) -> Option<Held<'s, 'e>> {
        match self {
            Self::Null => slot.is_null().then_some(Held::Absent),
            Self::Exists(wanted) => match (slot.present, wanted) {
                (true, true) => Some(slot.values.first().map_or(Held::Absent, Held::Value)),
                (false, false) => Some(Held::Absent),
                _ => None,
            },
            Self::Not(test) => {
                let differs = !slot.values.is_empty() && test.held(slot, other).is_none();
                differs.then(|| slot.values.first().map_or(Held::Absent, Held::Value))
            }
            _ => slot.values.iter().find(|had| self.one(had, other)).map(Held::Value),
        }
    }

    fn one<'s, 'e: 's>(&self, had: &Had<'_>, other: &dyn Fn(&F) -> &'s Slot<'e>) -> bool {
        match self {
            Self::Field(field, place, cased) => {
                let meets = |want: &Had<'_>| place.meets(had.lent(), want.lent(), *cased);
                other(field).values.iter().any(meets)
            }
            _ => self.fits(had.lent()),
        }
    }

    /// Whether one value satisfies the test by itself; tests on the whole field or on two
    /// fields are never satisfied so.
    #[must_use]
    pub fn fits(&self, text: Text<'_>) -> bool {
        if text.null {
            return false;
        }
        match self {
            Self::Text(pattern) => pattern.fits(text),
            Self::OneOf(patterns) => patterns.iter().any(|pattern| pattern.fits(text)),
            Self::Number(number) => text.number().is_some_and(|have| have == *number),
            Self::Cidr(net) => text.raw.parse().is_ok_and(|ip| net.contains(ip)),
            Self::Compare(how, number) => text.number().is_some_and(|have| how.holds(&have, number)),
            Self::Regex(regex) => regex.is_match(text.raw),
            Self::Time(part, how, number) => part.of(text.raw).is_some_and(|have| how.holds(&have, number)),
            Self::Null | Self::Exists(_) | Self::Not(_) | Self::Field(..) => false,
        }
    }
}

impl Where {
    /// Whether the value `want` stands so in the value `had`. Nulls stand nowhere.
    #[must_use]
    pub fn meets(self, had: Text<'_>, want: Text<'_>, cased: bool) -> bool {
        let (text, sought) = if cased { (had.raw, want.raw) } else { (had.folded, want.folded) };
        !had.null && !want.null && self.holds(text, sought)
    }

    /// Whether `want` stands so in `text`, as they are.
    #[must_use]
    pub fn holds(self, text: &str, want: &str) -> bool {
        match self {
            Self::Whole => text == want,
            Self::Begin => text.starts_with(want),
            Self::End => text.ends_with(want),
            Self::Inside => text.contains(want),
        }
    }
}

/// What satisfied a test.
#[derive(Clone, Copy, Debug)]
pub enum Held<'s, 'e> {
    /// This value.
    Value(&'s Had<'e>),
    /// That there was none.
    Absent,
}

#[cfg(test)]
mod tests;
