//! A detection held against one event: the plain way, which every quicker way must equal.

use watchpost_model::alert::MatchedField;

use super::view::View;
use crate::ast::{Condition, Detection, Expr, Item, Link};
use crate::compile::NameId;
use crate::matcher::Held;

/// Fields told per finding, and bytes of each: an alert is read by people.
const MOST_MATCHED: usize = 32;
const MATCHED_BYTES: usize = 1_024;

/// Whether the detection holds.
pub(crate) fn holds(detection: &Detection<NameId>, view: &View<'_>) -> bool {
    condition(&detection.condition, &|at| {
        detection.selections.get(at).is_some_and(|selection| expr(&selection.body, view))
    })
}

/// Whether a condition holds, given which selections do.
pub(crate) fn condition(of: &Condition, selection: &dyn Fn(usize) -> bool) -> bool {
    match of {
        Condition::All(parts) => parts.iter().all(|part| condition(part, selection)),
        Condition::Any(parts) => parts.iter().any(|part| condition(part, selection)),
        Condition::Not(part) => !condition(part, selection),
        Condition::AtLeast(least, at) => {
            let mut count = 0;
            *least == 0
                || at.iter().any(|at| {
                    count += usize::from(selection(*at));
                    count >= *least
                })
        }
        Condition::Is(at) => selection(*at),
    }
}

/// Whether a selection's body holds.
pub(crate) fn expr(of: &Expr<NameId>, view: &View<'_>) -> bool {
    match of {
        Expr::All(parts) => parts.iter().all(|part| expr(part, view)),
        Expr::Any(parts) => parts.iter().any(|part| expr(part, view)),
        Expr::Item(item) => item_holds(item, view),
    }
}

/// Whether an item holds.
pub(crate) fn item_holds(item: &Item<NameId>, view: &View<'_>) -> bool {
    let slot = item.field.map_or_else(|| view.everything(), |field| view.slot(field));
    let other = |field: &NameId| view.slot(*field);
    match item.link {
        Link::Any => item.wants.iter().any(|want| want.test.held(slot, &other).is_some()),
        Link::All => item.wants.iter().all(|want| want.test.held(slot, &other).is_some()),
    }
}

/// What made the detection hold: fields of the selections that it wanted and got.
pub(crate) fn matched(detection: &Detection<NameId>, view: &View<'_>) -> Vec<MatchedField> {
    let mut wanted = Vec::new();
    positive(&detection.condition, true, &mut wanted);
    wanted.sort_unstable();
    wanted.dedup();
    let mut out = Vec::new();
    for at in wanted {
        if let Some(selection) = detection.selections.get(at)
            && expr(&selection.body, view)
        {
            gather(&selection.body, view, &mut out);
        }
    }
    out.truncate(MOST_MATCHED);
    out
}

/// Selections that the condition wants to hold, those under `not` left out.
fn positive(of: &Condition, wanted: bool, out: &mut Vec<usize>) {
    match of {
        Condition::All(parts) | Condition::Any(parts) => {
            parts.iter().for_each(|part| positive(part, wanted, out))
        }
        Condition::Not(part) => positive(part, !wanted, out),
        Condition::AtLeast(_, at) if wanted => out.extend(at),
        Condition::Is(at) if wanted => out.push(*at),
        Condition::AtLeast(..) | Condition::Is(_) => {}
    }
}

fn gather(of: &Expr<NameId>, view: &View<'_>, out: &mut Vec<MatchedField>) {
    match of {
        Expr::All(parts) => parts.iter().for_each(|part| gather(part, view, out)),
        Expr::Any(parts) => {
            if let Some(part) = parts.iter().find(|part| expr(part, view)) {
                gather(part, view, out);
            }
        }
        Expr::Item(item) if out.len() < MOST_MATCHED => items(item, view, out),
        Expr::Item(_) => {}
    }
}

fn items(item: &Item<NameId>, view: &View<'_>, out: &mut Vec<MatchedField>) {
    let slot = item.field.map_or_else(|| view.everything(), |field| view.slot(field));
    let other = |field: &NameId| view.slot(*field);
    let field = item.field.map_or("keywords", |field| view.shown(field));
    for want in &item.wants {
        let Some(held) = want.test.held(slot, &other) else { continue };
        let value = match held {
            Held::Value(had) => had.text(),
            Held::Absent => "",
        };
        out.push(MatchedField {
            field: field.to_owned(),
            value: cut(value).to_owned(),
            pattern: format!("{}: {}", item.shown, cut(&want.shown)),
        });
        if item.link == Link::Any {
            return;
        }
    }
}

/// The first bytes of a text, cut between characters.
pub(crate) fn cut(text: &str) -> &str {
    text.get(..text.floor_char_boundary(MATCHED_BYTES)).unwrap_or(text)
}
