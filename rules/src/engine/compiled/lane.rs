//! Everything that all rules of a plan seek in one field, sought at once.
//!
//! Whole values, numbers and last parts of a path are looked up; parts are found by their rarest
//! bytes ([`Grams`]). A part that must stand at the begin or end is found anywhere first and its
//! place checked after, but for the end that rules ask for most, `\name.exe`: whether a path
//! ends so is answered by what follows its last separator.

use std::collections::{BTreeMap, HashMap};

use foldhash::fast::RandomState;

use super::grams::Grams;
use super::texts::{index, number};
use crate::matcher::Text;

/// What is looked for; texts are folded.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Look {
    /// The whole value.
    Exact(String),
    /// At its begin.
    Begin(String),
    /// At its end.
    End(String),
    /// Anywhere.
    Inside(String),
    /// A number, by [`bits`].
    Number(u64),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Begin,
    End,
    Inside,
}

type Span = (u32, u32);

/// What one field is searched for.
#[derive(Debug, Default)]
pub(crate) struct Lane {
    exact: Whole,
    /// Ends that begin with a separator and have no other.
    tails: Whole,
    numbers: HashMap<u64, Span, RandomState>,
    parts: Option<Grams>,
    /// By text of `parts`: its hits.
    by_part: Vec<Span>,
    hits: Vec<(Place, u32)>,
}

/// Whole texts, looked up.
#[derive(Debug, Default)]
struct Whole {
    texts: HashMap<Box<str>, Span, RandomState>,
    /// A bit per length that there is; most values are told by it.
    lengths: u64,
}

impl Whole {
    fn insert(&mut self, text: String, span: Span) {
        self.lengths |= length(&text);
        self.texts.insert(text.into_boxed_str(), span);
    }

    fn get(&self, text: &str) -> Option<Span> {
        (self.lengths & length(text) != 0).then(|| self.texts.get(text).copied()).flatten()
    }
}

fn length(text: &str) -> u64 {
    1 << text.len().min(63)
}

/// A lane being built.
#[derive(Debug, Default)]
pub(crate) struct Looks {
    exact: BTreeMap<String, Vec<u32>>,
    tails: BTreeMap<String, Vec<u32>>,
    numbers: BTreeMap<u64, Vec<u32>>,
    parts: BTreeMap<String, Vec<(Place, u32)>>,
}

impl Looks {
    /// Lets `look` hit `atom`.
    pub(crate) fn add(&mut self, look: Look, atom: u32) {
        let (text, place) = match look {
            Look::Exact(text) => return self.exact.entry(text).or_default().push(atom),
            Look::Number(bits) => return self.numbers.entry(bits).or_default().push(atom),
            Look::End(text) if tail(&text) == Some(&text) => {
                return self.tails.entry(text).or_default().push(atom);
            }
            Look::Begin(text) => (text, Place::Begin),
            Look::End(text) => (text, Place::End),
            Look::Inside(text) => (text, Place::Inside),
        };
        self.parts.entry(text).or_default().push((place, atom));
    }

    /// Builds the lane.
    pub(crate) fn build(self) -> Lane {
        let mut lane = Lane::default();
        for (text, atoms) in self.exact {
            let span = lane.keep_all(atoms);
            lane.exact.insert(text, span);
        }
        for (text, atoms) in self.tails {
            let span = lane.keep_all(atoms);
            lane.tails.insert(text, span);
        }
        for (bits, atoms) in self.numbers {
            let span = lane.keep_all(atoms);
            lane.numbers.insert(bits, span);
        }
        if !self.parts.is_empty() {
            lane.parts = Some(Grams::new(self.parts.keys().map(String::as_str)));
        }
        for hits in self.parts.into_values() {
            let span = lane.keep(hits.into_iter());
            lane.by_part.push(span);
        }
        lane
    }
}

impl Lane {
    fn keep(&mut self, hits: impl Iterator<Item = (Place, u32)>) -> Span {
        let from = self.hits.len();
        self.hits.extend(hits);
        (number(from), number(self.hits.len()))
    }

    fn keep_all(&mut self, atoms: Vec<u32>) -> Span {
        self.keep(atoms.into_iter().map(|atom| (Place::Inside, atom)))
    }

    fn hits(&self, span: Span) -> &[(Place, u32)] {
        self.hits.get(index(span.0)..index(span.1)).unwrap_or_default()
    }

    /// Tells every atom that the text hits, some of them several times.
    pub(crate) fn scan(&self, text: Text<'_>, hit: &mut impl FnMut(u32)) {
        let whole = self.exact.get(text.folded);
        let tail = (self.tails.lengths != 0).then(|| tail(text.folded).and_then(|tail| self.tails.get(tail)));
        let same = (!self.numbers.is_empty())
            .then(|| text.number().and_then(|number| self.numbers.get(&bits(number)).copied()));
        for span in [whole, tail.flatten(), same.flatten()].into_iter().flatten() {
            self.hits(span).iter().for_each(|(_, atom)| hit(*atom));
        }
        let Some(parts) = &self.parts else { return };
        parts.find(text.folded.as_bytes(), &mut |found| {
            let Some(span) = self.by_part.get(index(found.which)) else { return };
            for (place, atom) in self.hits(*span) {
                let fits = match place {
                    Place::Inside => true,
                    Place::End => found.end == text.folded.len(),
                    Place::Begin => found.begin == 0,
                };
                if fits {
                    hit(*atom);
                }
            }
        });
    }
}

/// The last separator of a path and what follows it.
fn tail(text: &str) -> Option<&str> {
    let at = text.bytes().rposition(|byte| byte == b'\\' || byte == b'/')?;
    text.get(at..)
}

/// Equal numbers have equal bits: minus zero is zero.
pub(crate) fn bits(number: f64) -> u64 {
    (number + 0.0).to_bits()
}
