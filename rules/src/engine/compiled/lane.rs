//! Everything that all rules of a plan seek in one field, sought at once.
//!
//! Whole values, numbers and last parts of a path are looked up; parts are found by their rarest
//! bytes ([`Grams`]). A part that must stand at the begin or end is found anywhere first and its
//! place checked after, but for the end that rules ask for most, `\name.exe`: whether a path
//! ends so is answered by what follows its last separator.

use std::collections::{BTreeMap, HashMap};

use foldhash::fast::RandomState;

use super::grams::Grams;
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

impl Look {
    /// Whether it is found by looking up rather than by searching.
    pub(crate) fn is_cheap(&self) -> bool {
        match self {
            Self::Exact(_) | Self::Number(_) => true,
            Self::End(text) => tail(text) == Some(text),
            Self::Begin(_) | Self::Inside(_) => false,
        }
    }

    /// Bytes of its text.
    pub(crate) fn length(&self) -> usize {
        match self {
            Self::Exact(text) | Self::Begin(text) | Self::End(text) | Self::Inside(text) => text.len(),
            Self::Number(_) => 0,
        }
    }

    /// Whether the text is so, asked by itself.
    pub(crate) fn fits(&self, text: Text<'_>) -> bool {
        match self {
            _ if text.null => false,
            Self::Exact(want) => text.folded == want,
            Self::Begin(want) => text.folded.starts_with(want.as_str()),
            Self::End(want) => text.folded.ends_with(want.as_str()),
            Self::Inside(want) => text.folded.contains(want.as_str()),
            Self::Number(want) => text.number().is_some_and(|number| bits(number) == *want),
        }
    }
}

/// What one field is searched for; looks have numbers.
#[derive(Debug, Default)]
pub(crate) struct Lane {
    exact: Whole,
    /// Ends that begin with a separator and have no other.
    tails: Whole,
    numbers: HashMap<u64, u32, RandomState>,
    parts: Option<Parts>,
    /// Parts with letters beyond ASCII: rules name thousands, and few texts have one.
    foreign: Option<Parts>,
}

/// Texts that are searched for.
#[derive(Debug)]
struct Parts {
    grams: Grams,
    /// By text.
    places: Vec<Places>,
}

impl Parts {
    fn new(sought: BTreeMap<String, Places>) -> Option<Self> {
        let grams = (!sought.is_empty()).then(|| Grams::new(sought.keys().map(String::as_str)))?;
        Some(Self { grams, places: sought.into_values().collect() })
    }

    fn find(&self, text: &str, hit: &mut impl FnMut(u32)) {
        self.grams.find(text.as_bytes(), &mut |found| {
            let Some(places) = self.places.get(index(found.which)) else { return };
            let begin = places.begin.filter(|_| found.begin == 0);
            let end = places.end.filter(|_| found.end == text.len());
            [places.inside, begin, end].into_iter().flatten().for_each(&mut *hit);
        });
    }
}

/// The looks for one text, by where it must stand.
#[derive(Clone, Copy, Debug, Default)]
struct Places {
    begin: Option<u32>,
    end: Option<u32>,
    inside: Option<u32>,
}

/// Whole texts, looked up.
#[derive(Debug, Default)]
struct Whole {
    texts: HashMap<Box<str>, u32, RandomState>,
    /// A bit per length that there is; most values are told by it.
    lengths: u64,
}

impl Whole {
    fn insert(&mut self, text: String, look: u32) {
        self.lengths |= length(&text);
        self.texts.insert(text.into_boxed_str(), look);
    }

    fn get(&self, text: &str) -> Option<u32> {
        (self.lengths & length(text) != 0).then(|| self.texts.get(text).copied()).flatten()
    }
}

fn length(text: &str) -> u64 {
    1 << text.len().min(63)
}

/// A lane being built.
#[derive(Debug, Default)]
pub(crate) struct Looks {
    lane: Lane,
    parts: BTreeMap<String, Places>,
}

impl Looks {
    /// Seeks `look` under this number; each is added once.
    pub(crate) fn add(&mut self, look: Look, number: u32) {
        let is_cheap = look.is_cheap();
        match look {
            Look::Exact(text) => self.lane.exact.insert(text, number),
            Look::Number(bits) => _ = self.lane.numbers.insert(bits, number),
            Look::End(text) if is_cheap => self.lane.tails.insert(text, number),
            Look::Begin(text) => self.parts.entry(text).or_default().begin = Some(number),
            Look::End(text) => self.parts.entry(text).or_default().end = Some(number),
            Look::Inside(text) => self.parts.entry(text).or_default().inside = Some(number),
        }
    }

    /// Builds the lane.
    pub(crate) fn build(self) -> Lane {
        let (parts, foreign) = self.parts.into_iter().partition(|(text, _)| text.is_ascii());
        Lane { parts: Parts::new(parts), foreign: Parts::new(foreign), ..self.lane }
    }
}

impl Lane {
    /// Tells every look that the text hits, some of them several times.
    pub(crate) fn scan(&self, text: Text<'_>, hit: &mut impl FnMut(u32)) {
        if self.exact.lengths != 0 {
            self.exact.get(text.folded).into_iter().for_each(&mut *hit);
        }
        if self.tails.lengths != 0 {
            tail(text.folded).and_then(|tail| self.tails.get(tail)).into_iter().for_each(&mut *hit);
        }
        if !self.numbers.is_empty() {
            let same = text.number().and_then(|number| self.numbers.get(&bits(number)));
            same.copied().into_iter().for_each(&mut *hit);
        }
        if let Some(parts) = &self.parts {
            parts.find(text.folded, hit);
        }
        if let Some(foreign) = self.foreign.as_ref().filter(|_| !text.folded.is_ascii()) {
            foreign.find(text.folded, hit);
        }
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
