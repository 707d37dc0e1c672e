//! The tree of a condition, held against one event.

use serde::Serialize;

use super::SelectionSays;
use super::hint::{self, Fields, Hint};
use crate::ast::{Condition, Detection, Expr, Item, Link, Selection};
use crate::compile::{NameId, Names};
use crate::engine::{View, condition, cut, expr, item_holds};

/// A part of a condition, and whether it holds.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "part", rename_all = "snake_case")]
pub enum Part {
    /// All must hold.
    All {
        /// Whether they do.
        holds: bool,
        /// Each.
        parts: Vec<Part>,
    },
    /// One must hold.
    Any {
        /// Whether one does.
        holds: bool,
        /// Each.
        parts: Vec<Part>,
    },
    /// It must not hold.
    Not {
        /// Whether it does not.
        holds: bool,
        /// What must not hold.
        of: Box<Part>,
    },
    /// So many of these must hold.
    Of {
        /// Whether so many do.
        holds: bool,
        /// How many must.
        least: usize,
        /// How many do.
        found: usize,
        /// Each.
        parts: Vec<Part>,
    },
    /// A selection.
    Selection {
        /// Whether it holds.
        holds: bool,
        /// Its name; that of a filter rule begins with `filter.`.
        name: String,
        /// Its body.
        of: Box<Part>,
    },
    /// A field and what is wanted of it.
    Item(ItemSays),
}

impl Part {
    /// Whether it holds.
    #[must_use]
    pub const fn holds(&self) -> bool {
        match self {
            Self::All { holds, .. }
            | Self::Any { holds, .. }
            | Self::Not { holds, .. }
            | Self::Of { holds, .. }
            | Self::Selection { holds, .. } => *holds,
            Self::Item(item) => item.holds,
        }
    }
}

/// One field of a selection.
#[derive(Clone, Debug, Serialize)]
pub struct ItemSays {
    /// The key as the rule writes it.
    pub key: String,
    /// Our field, or the foreign event's; `keywords` for the whole event.
    pub field: String,
    /// What the rule wants.
    pub wanted: Vec<String>,
    /// How many values are wanted in all; `wanted` tells the first.
    pub values: usize,
    /// Whether all of that is wanted, or any.
    pub all: bool,
    /// What the event had; `None` where the field is missing.
    pub had: Option<String>,
    /// Whether the item holds.
    pub holds: bool,
    /// The wanted values that the event satisfies.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub met: Vec<String>,
    /// Why it can not hold, where that is not plain from the values.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub missing: Option<String>,
    /// What may be the matter.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub hints: Vec<Hint>,
}

/// Values told per item: a list of a thousand names explains nothing.
const MOST_WANTED: usize = 20;

/// Tells parts of a rule, held against one event.
pub(super) struct Teller<'a, 'e> {
    pub(super) view: &'a View<'e>,
    pub(super) names: &'a Names,
    pub(super) fields: &'a Fields,
}

impl Teller<'_, '_> {
    /// A condition. `wanted` is false under `not`: there, what fails needs no hint.
    pub(super) fn condition(&self, of: &Condition, detection: &Detection<NameId>, wanted: bool) -> Part {
        let view = self.view;
        let selected = |at: usize| detection.selections.get(at).is_some_and(|one| expr(&one.body, view));
        let holds = condition(of, &selected);
        let each =
            |parts: &[Condition]| parts.iter().map(|part| self.condition(part, detection, wanted)).collect();
        let selection = |at: &usize| detection.selections.get(*at).map(|one| self.selection(one, wanted));
        match of {
            Condition::All(parts) => Part::All { holds, parts: each(parts) },
            Condition::Any(parts) => Part::Any { holds, parts: each(parts) },
            Condition::Not(part) => {
                Part::Not { holds, of: Box::new(self.condition(part, detection, !wanted)) }
            }
            Condition::AtLeast(least, at) => {
                let parts: Vec<Part> = at.iter().filter_map(selection).collect();
                let found = parts.iter().filter(|part| part.holds()).count();
                Part::Of { holds, least: *least, found, parts }
            }
            Condition::Is(at) => selection(at).unwrap_or(Part::All { holds, parts: Vec::new() }),
        }
    }

    fn selection(&self, of: &Selection<NameId>, wanted: bool) -> Part {
        let holds = expr(&of.body, self.view);
        Part::Selection { holds, name: of.name.clone(), of: Box::new(self.expr(&of.body, wanted)) }
    }

    fn expr(&self, of: &Expr<NameId>, wanted: bool) -> Part {
        let holds = expr(of, self.view);
        let each = |parts: &[Expr<NameId>]| parts.iter().map(|part| self.expr(part, wanted)).collect();
        match of {
            Expr::All(parts) => Part::All { holds, parts: each(parts) },
            Expr::Any(parts) => Part::Any { holds, parts: each(parts) },
            Expr::Item(item) => Part::Item(self.item(item, wanted)),
        }
    }

    /// A selection with its items in a row, as a program reads them.
    pub(super) fn flat(&self, of: &Selection<NameId>) -> SelectionSays {
        let mut items = Vec::new();
        flatten(&of.body, &mut |item| items.push(self.item(item, false)));
        SelectionSays { name: of.name.clone(), holds: expr(&of.body, self.view), items }
    }

    fn item(&self, item: &Item<NameId>, wanted: bool) -> ItemSays {
        let view = self.view;
        let slot = item.field.map_or_else(|| view.everything(), |field| view.slot(field));
        let had = item.field.and_then(|_| slot.joined().map(|text| cut(&text).to_owned()));
        let field = item.field.map_or("keywords", |field| view.shown(field)).to_owned();
        let name = item.field.map_or("", |name| self.names.text(name));
        let missing = item.field.filter(|_| had.is_none() && !slot.present).map(|_| {
            if field == name {
                format!("the event has no {name}")
            } else {
                format!("the event has no {field} ({name})")
            }
        });
        let holds = item_holds(item, view);
        let other = |field: &NameId| view.slot(*field);
        let is_met = |test: &crate::matcher::Test<NameId>| test.held(slot, &other).is_some();
        let met = item.wants.iter().filter(|want| is_met(&want.test)).take(MOST_WANTED);
        let hints = if holds || !wanted {
            Vec::new()
        } else {
            hint::hints(item, name, slot, view, self.names, self.fields)
        };
        ItemSays {
            key: item.shown.clone(),
            field,
            wanted: item.wants.iter().take(MOST_WANTED).map(|want| cut(&want.shown).to_owned()).collect(),
            values: item.wants.len(),
            all: item.link == Link::All,
            had,
            holds,
            met: met.map(|want| cut(&want.shown).to_owned()).collect(),
            missing,
            hints,
        }
    }
}

fn flatten(of: &Expr<NameId>, each: &mut dyn FnMut(&Item<NameId>)) {
    match of {
        Expr::All(parts) | Expr::Any(parts) => parts.iter().for_each(|part| flatten(part, each)),
        Expr::Item(item) => each(item),
    }
}
