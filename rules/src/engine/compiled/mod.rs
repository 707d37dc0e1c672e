//! The quick way: all rules that events of one kind can meet, compiled into one plan.
//!
//! The tests of rules become atoms, which are made of looks at one field; equal ones are one. The
//! texts of an event are sought once per field, whatever the number of rules ([`lane`]); looks that
//! hit wake the rules that hang on them ([`witness`]); only woken rules are evaluated ([`program`]). Regexes are asked when the text has a literal that they need ([`need`]), networks
//! and comparisons when a rule asks, all once per event.
//! Where no rule fires, nothing is allocated once the buffers have grown.
//! Invariant: fires exactly the rules that the plain way fires; tests hold them together.

mod build;
mod fill;
mod grams;
mod lane;
mod need;
mod program;
mod settle;
mod texts;
mod witness;

pub(crate) use build::Builder;

use watchpost_model::field::sigma::Class;
use watchpost_model::{Event, FieldId};

use fill::Fields;
use lane::Lane;
use program::{Known, NodeId, Program};
use texts::{Texts, index};

use crate::matcher::{Had, Slot};

/// Rules compiled together.
#[derive(Debug)]
pub(crate) struct Plan {
    fields: Fields,
    /// By field.
    lanes: Vec<Lane>,
    program: Program,
    wakes: Wakes,
    always: Vec<u32>,
    entries: Vec<Entry>,
}

/// Which entries each look wakes.
#[derive(Debug, Default)]
struct Wakes {
    /// By look: where its entries begin; one more at the end.
    starts: Vec<u32>,
    entries: Vec<u32>,
}

impl Wakes {
    fn of(&self, look: u32) -> &[u32] {
        let at = index(look);
        let Some([from, to]) = self.starts.get(at..at + 2) else { return &[] };
        self.entries.get(index(*from)..index(*to)).unwrap_or_default()
    }
}

/// A rule of a plan, seen as one class of event.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry {
    pub(crate) rule: usize,
    pub(crate) class: Option<Class>,
    root: NodeId,
}

/// Buffers that one worker uses for every event.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    texts: Texts,
    known: Known,
    joined: String,
    woken: Vec<u32>,
    awake: Vec<bool>,
    fired: Vec<u32>,
}

/// An event as it was taken apart.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Taken<'s> {
    fields: &'s Fields,
    texts: &'s Texts,
}

impl<'s> Taken<'s> {
    /// What a foreign event has under the name, or an audit record that has no field for it;
    /// nothing where no rule of the plan asks for the name.
    pub(crate) fn named(&self, name: &str) -> Option<Slot<'s>> {
        self.fields.by_name.get(name).map(|field| self.slot(*field))
    }

    /// What an event of ours has in the field; nothing where no rule of the plan asks for it.
    pub(crate) fn field(&self, field: FieldId) -> Option<Slot<'s>> {
        self.fields.by_field.get(usize::from(field.0)).copied().flatten().map(|field| self.slot(field))
    }

    /// Every text of the event, if a rule of the plan asks for them.
    pub(crate) fn everything(&self) -> Option<Slot<'s>> {
        self.fields.everything.map(|field| self.slot(field))
    }

    fn slot(&self, field: u32) -> Slot<'s> {
        let texts = self.texts;
        Slot { present: texts.is_present(field), values: texts.values(field).map(Had::of).collect() }
    }
}

impl Plan {
    /// Whether any rule wants such events.
    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Holds a foreign event against the rules; how many were looked at. What fired is told by
    /// [`Plan::fired`].
    pub(crate) fn foreign(&self, json: &serde_json::Value, scratch: &mut Scratch) -> u64 {
        scratch.texts.reset(self.lanes.len());
        fill::foreign(json, &self.fields, &mut scratch.texts, &mut scratch.joined);
        self.run(scratch)
    }

    /// The same for an event of ours.
    pub(crate) fn typed(&self, event: &Event, scratch: &mut Scratch) -> u64 {
        scratch.texts.reset(self.lanes.len());
        fill::typed(event, &self.fields, &mut scratch.texts);
        self.run(scratch)
    }

    /// The entries that fired, in the order of rules.
    pub(crate) fn fired(&self, scratch: &Scratch) -> impl Iterator<Item = Entry> {
        scratch.fired.iter().filter_map(|at| self.entries.get(index(*at)).copied())
    }

    /// What was taken from the event that the rules were held against last.
    pub(crate) fn taken<'s>(&'s self, scratch: &'s Scratch) -> Taken<'s> {
        Taken { fields: &self.fields, texts: &scratch.texts }
    }

    fn run(&self, scratch: &mut Scratch) -> u64 {
        let Scratch { texts, known, woken, awake, fired, .. } = scratch;
        known.reset(&self.program);
        woken.clear();
        fired.clear();
        if awake.len() < self.entries.len() {
            awake.resize(self.entries.len(), false);
        }
        for field in texts.filled() {
            let Some(lane) = self.lanes.get(index(*field)) else { continue };
            for text in texts.values(*field).filter(|text| !text.null) {
                lane.scan(text, &mut |look| {
                    if known.hit(look) {
                        self.wake(look, woken, awake);
                    }
                });
            }
        }
        for at in woken.iter().chain(&self.always) {
            if let Some(awake) = awake.get_mut(index(*at)) {
                *awake = false;
            }
            let root = self.entries.get(index(*at)).map(|entry| entry.root);
            if root.is_some_and(|root| self.program.holds(root, known, texts)) {
                fired.push(*at);
            }
        }
        fired.sort_unstable();
        u64::try_from(woken.len() + self.always.len()).unwrap_or(u64::MAX)
    }

    fn wake(&self, look: u32, woken: &mut Vec<u32>, awake: &mut [bool]) {
        for at in self.wakes.of(look) {
            if let Some(awake) = awake.get_mut(index(*at))
                && !*awake
            {
                *awake = true;
                woken.push(*at);
            }
        }
    }
}

#[cfg(test)]
mod tests;
