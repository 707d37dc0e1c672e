//! Why a rule fires on an event, or which part fails and why.

use std::fmt;

use serde::Serialize;
use watchpost_model::field::sigma;

use crate::ast::{Condition, Detection, Expr, Item, Link};
use crate::compile::{Body, Core, NameId, RuleSet};
use crate::engine::{Facts, View, cut, expr, foreign_logsources, holds, item_holds, logsources};
use crate::taxonomy::{OwnedLogsource, Subject};

/// How one rule stands to one event.
#[derive(Clone, Debug, Serialize)]
pub struct Explanation {
    /// The rule's id.
    pub rule: String,
    /// Its title.
    pub name: String,
    /// Whether it fires on this event (a correlation never does on a single one).
    pub fires: bool,
    /// Whether the event is of the rule's logsource.
    pub logsource_fits: bool,
    /// What the rule wants.
    pub wanted_logsource: String,
    /// What the event is.
    pub event_logsources: Vec<String>,
    /// The condition in words, selections by name.
    pub condition: String,
    /// Each selection.
    pub selections: Vec<SelectionSays>,
    /// What else there is to say.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// One selection.
#[derive(Clone, Debug, Serialize)]
pub struct SelectionSays {
    /// Its name.
    pub name: String,
    /// Whether it holds.
    pub holds: bool,
    /// Its items, flattened.
    pub items: Vec<ItemSays>,
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
    /// Whether all of that is wanted, or any.
    pub all: bool,
    /// What the event had; `None` where the field is missing.
    pub had: Option<String>,
    /// Whether the item holds.
    pub holds: bool,
    /// Why it can not hold, where that is not plain from the values.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub missing: Option<String>,
}

/// Values told per item: a list of a thousand names explains nothing.
const MOST_WANTED: usize = 20;

/// Explains how the rule with this id stands to the event. `None` where there is no such rule.
#[must_use]
pub fn explain(set: &RuleSet, rule_id: &str, subject: &Subject<'_>) -> Option<Explanation> {
    let core = &*set.core;
    let at = core.find(rule_id)?;
    let rule = core.rules.get(at)?;
    let (best, seen) = views(&rule.logsource, subject);
    let mut out = Explanation {
        rule: rule.meta.id.clone(),
        name: rule.meta.name.clone(),
        fires: false,
        logsource_fits: best.fits,
        wanted_logsource: rule.logsource.to_string(),
        event_logsources: seen,
        condition: String::new(),
        selections: Vec::new(),
        notes: Vec::new(),
    };
    match core.bodies.get(at)? {
        Body::Detection(detection) => {
            let view = View::new(best.facts, &core.names);
            out.fires = best.fits && holds(detection, &view);
            out.condition = told(&detection.condition, detection);
            out.selections = selections(detection, &view, core);
            if rule.is_silent {
                out.notes.push("it is only counted by correlations and raises no finding of its own".into());
            }
        }
        Body::Correlation(joined) => {
            let members = joined.members.iter().filter_map(|member| core.rules.get(*member));
            let names: Vec<&str> = members.map(|member| member.meta.name.as_str()).collect();
            let span = joined.timespan.as_secs();
            out.notes.push(format!("it counts findings of: {}; within {span} s", names.join(", ")));
            out.notes.push("explain those rules to see what each event adds".into());
        }
    }
    Some(out)
}

struct Best<'e> {
    facts: Facts<'e>,
    fits: bool,
}

/// The way of seeing the event that fits the rule, or the first one; and all its logsources.
fn views<'e>(wanted: &OwnedLogsource, subject: &Subject<'e>) -> (Best<'e>, Vec<String>) {
    match subject {
        Subject::Foreign { json, logsource } => {
            let found = foreign_logsources(json, *logsource);
            let fits = found.iter().any(|have| wanted.view().wants(&have.view()));
            (Best { facts: Facts::Foreign(json), fits }, found.iter().map(ToString::to_string).collect())
        }
        Subject::Typed(event) => {
            let mut seen = Vec::new();
            let mut best = None;
            for class in sigma::classes(event.kind) {
                for have in logsources(event, *class) {
                    let fits = wanted.view().wants(&have);
                    if best.as_ref().is_none_or(|best: &Best<'_>| fits && !best.fits) {
                        best = Some(Best { facts: Facts::Typed(event, *class), fits });
                    }
                    seen.push(OwnedLogsource::from(have).to_string());
                }
            }
            let plain = Best { facts: Facts::Typed(event, sigma::Class::Own), fits: false };
            (best.unwrap_or(plain), seen)
        }
    }
}

fn selections(detection: &Detection<NameId>, view: &View<'_>, core: &Core) -> Vec<SelectionSays> {
    detection
        .selections
        .iter()
        .map(|selection| {
            let mut items = Vec::new();
            flatten(&selection.body, &mut |item| items.push(item_says(item, view, core)));
            SelectionSays { name: selection.name.clone(), holds: expr(&selection.body, view), items }
        })
        .collect()
}

fn flatten(of: &Expr<NameId>, each: &mut dyn FnMut(&Item<NameId>)) {
    match of {
        Expr::All(parts) | Expr::Any(parts) => parts.iter().for_each(|part| flatten(part, each)),
        Expr::Item(item) => each(item),
    }
}

fn item_says(item: &Item<NameId>, view: &View<'_>, core: &Core) -> ItemSays {
    let had = match item.field {
        Some(field) => view.slot(field).joined().map(|text| cut(&text).to_owned()),
        None => Some("(any text of the event)".to_owned()),
    };
    let field = item.field.map_or("keywords", |field| view.shown(field)).to_owned();
    let missing = item.field.filter(|_| had.is_none()).map(|name| {
        let name = core.names.text(name);
        if field == name {
            format!("the event has no {name}")
        } else {
            format!("the event has no {field} ({name})")
        }
    });
    let mut wanted: Vec<String> =
        item.wants.iter().take(MOST_WANTED).map(|want| cut(&want.shown).to_owned()).collect();
    if item.wants.len() > MOST_WANTED {
        wanted.push(format!("… and {} more", item.wants.len() - MOST_WANTED));
    }
    ItemSays {
        key: item.shown.clone(),
        field,
        wanted,
        all: item.link == Link::All,
        had,
        holds: item_holds(item, view),
        missing,
    }
}

fn told(of: &Condition, detection: &Detection<NameId>) -> String {
    let name = |at: &usize| detection.selections.get(*at).map_or("?", |selection| selection.name.as_str());
    let joined = |parts: &[Condition], word: &str| {
        let parts: Vec<String> = parts.iter().map(|part| told(part, detection)).collect();
        format!("({})", parts.join(word))
    };
    match of {
        Condition::All(parts) => joined(parts, " and "),
        Condition::Any(parts) => joined(parts, " or "),
        Condition::Not(part) => format!("not {}", told(part, detection)),
        Condition::AtLeast(least, at) => {
            let names: Vec<&str> = at.iter().map(name).collect();
            format!("{least} of ({})", names.join(", "))
        }
        Condition::Is(at) => name(at).to_owned(),
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = if self.fires { "fires" } else { "does not fire" };
        writeln!(f, "{} ({}) {verdict}", self.name, self.rule)?;
        let fits = if self.logsource_fits { "fits" } else { "does not fit" };
        let event = self.event_logsources.join(" | ");
        writeln!(f, "  logsource {fits}: wanted {}, event is {event}", self.wanted_logsource)?;
        if !self.condition.is_empty() {
            writeln!(f, "  condition: {}", self.condition)?;
        }
        for selection in &self.selections {
            writeln!(f, "  {} {}", mark(selection.holds), selection.name)?;
            for item in &selection.items {
                write!(f, "{item}")?;
            }
        }
        self.notes.iter().try_for_each(|note| writeln!(f, "  note: {note}"))
    }
}

impl fmt::Display for ItemSays {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let how = if self.all && self.wanted.len() > 1 { "all of " } else { "" };
        writeln!(f, "    {} {} wanted {how}{}", mark(self.holds), self.key, self.wanted.join(" | "))?;
        match (&self.missing, &self.had) {
            (Some(missing), _) => writeln!(f, "        {missing}"),
            (None, Some(had)) => writeln!(f, "        {} had {had:?}", self.field),
            (None, None) => Ok(()),
        }
    }
}

const fn mark(holds: bool) -> &'static str {
    if holds { "yes" } else { "no " }
}
