//! One event as the rules see it: each field is taken from the event at most once.

use std::cell::OnceCell;

use watchpost_model::field::sigma::Class;
use watchpost_model::{Event, FieldId};

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

/// The event, with what was already taken from it.
pub(crate) struct View<'e> {
    facts: Facts<'e>,
    names: &'e Names,
    slots: Vec<OnceCell<Box<Slot<'e>>>>,
    everything: OnceCell<Slot<'e>>,
}

impl<'e> View<'e> {
    pub(crate) fn new(facts: Facts<'e>, names: &'e Names) -> Self {
        let mut slots = Vec::new();
        slots.resize_with(names.len() + 1, OnceCell::new);
        Self { facts, names, slots, everything: OnceCell::new() }
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
        // The last cell is always there and serves a name that is not in the table.
        let cell = self.slots.get(name.index()).or(self.slots.last());
        cell.map_or_else(|| self.everything(), |cell| cell.get_or_init(|| Box::new(self.take(name))))
    }

    fn take(&self, name: NameId) -> Slot<'e> {
        match self.facts {
            Facts::Foreign(json) => taxonomy::slot(json, self.names.text(name)),
            Facts::Typed(event, class) => match self.names.field(class, name) {
                Some(field) => taxonomy::typed_slot(event, field),
                None if class == Class::Auditd => taxonomy::audit_slot(event, self.names.text(name)),
                None => Slot::default(),
            },
        }
    }

    /// Every text of the event.
    pub(crate) fn everything(&self) -> &Slot<'e> {
        self.everything.get_or_init(|| match self.facts {
            Facts::Foreign(json) => taxonomy::everything(json),
            Facts::Typed(event, _) => taxonomy::typed_everything(event),
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
            Facts::Typed(event, _) => taxonomy::typed_slot(event, field),
        }
    }
}
