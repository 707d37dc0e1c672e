//! Why a rule fires on an event, or which part fails and why.
//!
//! [`explain`] holds one rule against one event and gives the whole tree with the event's values;
//! [`count`] follows a correlation over several events. Both judge by the plain evaluator, so what
//! they say is what detection does. The words for people stand in the console's catalogue.

mod counted;
mod hint;
mod shown;
mod tree;

pub use counted::{Counted, Step, count};
pub use hint::{Hint, Place};
pub use tree::{ItemSays, Part};

use serde::Serialize;
use watchpost_model::field::sigma;

use crate::ast::{Condition, Detection};
use crate::compile::{Body, RuleSet};
use crate::engine::{Facts, View, foreign_logsources, holds, logsources};
use crate::taxonomy::{OwnedLogsource, Subject};

/// How one rule stands to one event.
#[derive(Clone, Debug, Serialize)]
pub struct Explanation {
    /// The rule's id.
    pub rule: String,
    /// Its title.
    pub name: String,
    /// Its title in Chinese, where it has one.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name_zh: String,
    /// Whether it fires on this event (a correlation never does on a single one).
    pub fires: bool,
    /// Whether the event is of the rule's logsource.
    pub logsource_fits: bool,
    /// What the rule wants.
    pub wanted_logsource: String,
    /// What the event is.
    pub event_logsources: Vec<String>,
    /// Whether that is known at all; a foreign event may be of none that is.
    pub knows_logsource: bool,
    /// The condition in words, selections by name.
    pub condition: String,
    /// The condition with all that stands below it; nothing for a correlation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tree: Option<Part>,
    /// Each selection.
    pub selections: Vec<SelectionSays>,
    /// Whether it is only counted by correlations and raises nothing of its own.
    pub silent: bool,
    /// Of a correlation, the rules that it counts: id and title; [`count`] says more.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub counts: Vec<(String, String)>,
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

/// Explains how the rule with this id stands to the event. `None` where there is no such rule.
#[must_use]
pub fn explain(set: &RuleSet, rule_id: &str, subject: &Subject<'_>) -> Option<Explanation> {
    let core = &*set.core;
    let at = core.find(rule_id)?;
    let rule = core.rules.get(at)?;
    let (best, seen) = views(&rule.logsource, subject);
    let knows_logsource = seen.iter().any(|one| *one != OwnedLogsource::default().to_string());
    let mut out = Explanation {
        rule: rule.meta.id.clone(),
        name: rule.meta.name.clone(),
        name_zh: rule.meta.name_zh.clone(),
        fires: false,
        logsource_fits: best.fits,
        wanted_logsource: rule.logsource.to_string(),
        event_logsources: seen,
        knows_logsource,
        condition: String::new(),
        tree: None,
        selections: Vec::new(),
        silent: rule.is_silent,
        counts: Vec::new(),
    };
    match core.bodies.get(at)? {
        Body::Correlation(joined) => {
            let members = joined.members.iter().filter_map(|member| core.rules.get(*member));
            out.counts = members.map(|rule| (rule.meta.id.clone(), rule.meta.name.clone())).collect();
        }
        Body::Detection(detection) => {
            let view = View::new(best.facts, &core.names);
            let fields = hint::Fields::of(subject);
            let teller = tree::Teller { view: &view, names: &core.names, fields: &fields };
            out.fires = best.fits && holds(detection, &view);
            out.condition = told(&detection.condition, detection);
            out.tree = Some(teller.condition(&detection.condition, detection, true));
            out.selections = detection.selections.iter().map(|selection| teller.flat(selection)).collect();
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

fn told<F>(of: &Condition, detection: &Detection<F>) -> String {
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

#[cfg(test)]
mod tests;
