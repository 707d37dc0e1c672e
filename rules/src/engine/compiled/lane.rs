//! Everything that all rules of a plan seek in one field, sought at once.
//!
//! Whole values and numbers are looked up; parts are found by one Aho-Corasick automaton over
//! the folded text. It is a contiguous NFA: a full DFA would cost twenty times the memory for a
//! few per cent of speed. A part that must stand at the begin or end is found anywhere first and
//! its place checked after, which costs less than automata of its own.

use std::collections::{BTreeMap, HashMap};

use aho_corasick::automaton::Automaton;
use aho_corasick::nfa::contiguous::NFA;
use aho_corasick::{Anchored, MatchKind};
use foldhash::fast::RandomState;

use super::texts::index;
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

/// The automata of one field.
#[derive(Debug, Default)]
pub(crate) struct Lane {
    exact: HashMap<Box<str>, Span, RandomState>,
    numbers: HashMap<u64, Span, RandomState>,
    parts: Option<NFA>,
    /// By pattern of `parts`: its hits.
    by_pattern: Vec<Span>,
    hits: Vec<(Place, u32)>,
}

/// A lane being built.
#[derive(Debug, Default)]
pub(crate) struct Looks {
    exact: BTreeMap<String, Vec<u32>>,
    numbers: BTreeMap<u64, Vec<u32>>,
    parts: BTreeMap<String, Vec<(Place, u32)>>,
}

impl Looks {
    /// Lets `look` hit `atom`.
    pub(crate) fn add(&mut self, look: Look, atom: u32) {
        let (text, place) = match look {
            Look::Exact(text) => return self.exact.entry(text).or_default().push(atom),
            Look::Number(bits) => return self.numbers.entry(bits).or_default().push(atom),
            Look::Begin(text) => (text, Place::Begin),
            Look::End(text) => (text, Place::End),
            Look::Inside(text) => (text, Place::Inside),
        };
        self.parts.entry(text).or_default().push((place, atom));
    }

    /// Builds the lane; `None` where no automaton can hold the parts.
    pub(crate) fn build(self) -> Option<Lane> {
        let mut lane = Lane::default();
        for (text, atoms) in self.exact {
            let span = lane.keep(atoms.into_iter().map(|atom| (Place::Inside, atom)));
            lane.exact.insert(text.into_boxed_str(), span);
        }
        for (bits, atoms) in self.numbers {
            let span = lane.keep(atoms.into_iter().map(|atom| (Place::Inside, atom)));
            lane.numbers.insert(bits, span);
        }
        if self.parts.is_empty() {
            return Some(lane);
        }
        lane.parts = Some(NFA::builder().match_kind(MatchKind::Standard).build(self.parts.keys()).ok()?);
        for hits in self.parts.into_values() {
            let span = lane.keep(hits.into_iter());
            lane.by_pattern.push(span);
        }
        Some(lane)
    }
}

impl Lane {
    fn keep(&mut self, hits: impl Iterator<Item = (Place, u32)>) -> Span {
        let from = self.hits.len();
        self.hits.extend(hits);
        let number = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        (number(from), number(self.hits.len()))
    }

    fn hits(&self, span: Span) -> &[(Place, u32)] {
        self.hits.get(index(span.0)..index(span.1)).unwrap_or_default()
    }

    /// Tells every atom that the text hits, some of them several times.
    pub(crate) fn scan(&self, text: Text<'_>, hit: &mut impl FnMut(u32)) {
        if !self.exact.is_empty()
            && let Some(span) = self.exact.get(text.folded)
        {
            self.hits(*span).iter().for_each(|(_, atom)| hit(*atom));
        }
        if !self.numbers.is_empty()
            && let Some(span) = text.number().and_then(|number| self.numbers.get(&bits(number)))
        {
            self.hits(*span).iter().for_each(|(_, atom)| hit(*atom));
        }
        if let Some(parts) = &self.parts {
            self.seek(parts, text.folded.as_bytes(), hit);
        }
    }

    fn seek(&self, parts: &NFA, text: &[u8], hit: &mut impl FnMut(u32)) {
        let Ok(mut state) = parts.start_state(Anchored::No) else { return };
        for (at, byte) in text.iter().enumerate() {
            state = parts.next_state(Anchored::No, state, *byte);
            if !parts.is_special(state) || !parts.is_match(state) {
                continue;
            }
            let end = at + 1;
            for nth in 0..parts.match_len(state) {
                let pattern = parts.match_pattern(state, nth);
                let Some(span) = self.by_pattern.get(pattern.as_usize()) else { continue };
                for (place, atom) in self.hits(*span) {
                    let fits = match place {
                        Place::Inside => true,
                        Place::End => end == text.len(),
                        Place::Begin => end == parts.pattern_len(pattern),
                    };
                    if fits {
                        hit(*atom);
                    }
                }
            }
        }
    }
}

/// Equal numbers have equal bits: minus zero is zero.
pub(crate) fn bits(number: f64) -> u64 {
    (number + 0.0).to_bits()
}
