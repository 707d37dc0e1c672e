//! One event as the rules see it: each field is taken from the event at most once.

use std::cell::OnceCell;

use watchpost_model::field::sigma::Class;
use watchpost_model::{Event, FieldId};

use super::compiled::Taken;
use crate::compile::{NameId, Names};
use crate::matcher::Slot;
use crate::taxonomy;

/// Where fields come from.
#[derive(Clone, Copy)]
pub(crate) enum Facts<'e> {
    /// An event of ours, seen as this class.
    Typed(&'e Event, Class),
    /// A foreign event.
    Foreign(&'e serde_json::Value),
}

/// Names per page: a rule that fires asks for few of the many that a rule set has.
const PAGE: usize = 32;

/// Slots of neighbouring names, filled when they are asked for.
type Page<'e> = [OnceCell<Slot<'e>>; PAGE];

/// The event, with what was already taken from it.
pub(crate) struct View<'e> {
    facts: Facts<'e>,
    names: &'e Names,
    taken: Option<Taken<'e>>,
    pages: Vec<OnceCell<Box<Page<'e>>>>,
    everything: OnceCell<Slot<'e>>,
}

impl<'e> View<'e> {
    pub(crate) fn new(facts: Facts<'e>, names: &'e Names) -> Self {
        let mut pages = Vec::new();
        pages.resize_with(names.len() / PAGE + 1, OnceCell::new);
        Self { facts, names, taken: None, pages, everything: OnceCell::new() }
    }

    /// The same where the event was taken apart before.
    pub(crate) fn taken(facts: Facts<'e>, names: &'e Names, taken: Taken<'e>) -> Self {
        Self { taken: Some(taken), ..Self::new(facts, names) }
    }

    /// The class as which an event of ours is seen; a foreign one has none.
    pub(crate) const fn class(&self) -> Option<Class> {
        match self.facts {
            Facts::Typed(_, class) => Some(class),
            Facts::Foreign(_) => None,
        }
    }

    /// What the event has under this name.
    pub(crate) fn slot(&self, name: NameId) -> &Slot<'e> {
        // Every name is in the table, so that one that is not may be answered by anything.
        let page = self.pages.get(name.index() / PAGE).or(self.pages.last());
        let page = page.map(|page| page.get_or_init(Box::default));
        let cell = page.and_then(|page| page.get(name.index() % PAGE));
        cell.map_or_else(|| self.everything(), |cell| cell.get_or_init(|| self.take(name)))
    }

    fn take(&self, name: NameId) -> Slot<'e> {
        let text = self.names.text(name);
        match self.facts {
            Facts::Foreign(json) => {
                let taken = self.taken.and_then(|taken| taken.named(text));
                taken.unwrap_or_else(|| taxonomy::slot(json, text))
            }
            Facts::Typed(event, class) => match self.names.field(class, name) {
                Some(field) => self.field_of(event, field),
                None if class == Class::Auditd => taxonomy::audit_slot(event, text),
                None => Slot::default(),
            },
        }
    }

    fn field_of(&self, event: &'e Event, field: FieldId) -> Slot<'e> {
        let taken = self.taken.and_then(|taken| taken.field(field));
        taken.unwrap_or_else(|| taxonomy::typed_slot(event, field))
    }

    /// Every text of the event.
    pub(crate) fn everything(&self) -> &Slot<'e> {
        self.everything.get_or_init(|| {
            let taken = self.taken.and_then(|taken| taken.everything());
            taken.unwrap_or_else(|| match self.facts {
                Facts::Foreign(json) => taxonomy::everything(json),
                Facts::Typed(event, _) => taxonomy::typed_everything(event),
            })
        })
    }

    /// What the name is called in findings: our field's name, or the foreign event's own.
    pub(crate) fn shown(&self, name: NameId) -> &'e str {
        match self.facts {
            Facts::Foreign(_) => self.names.text(name),
            Facts::Typed(_, class) => {
                self.names.field(class, name).map_or_else(|| self.names.text(name), |field| field.name())
            }
        }
    }

    /// What the event has in a field of our table.
    pub(crate) fn field(&self, field: FieldId) -> Slot<'e> {
        match self.facts {
            Facts::Foreign(json) => taxonomy::slot(json, field.name()),
            Facts::Typed(event, _) => self.field_of(event, field),
        }
    }
}
