//! Which rules can never fire here: none of our event kinds has their logsource, or the fields
//! they need. A rule that stays silent because it is blind must not look like one that stays
//! silent because all is well.

use std::collections::BTreeSet;

use watchpost_model::Kind;
use watchpost_model::field::sigma::{self, Class};

use super::Need;
use crate::ast::{Condition, Detection, Expr, Item, Link};
use crate::compile::{Body, Core, NameId, Rule};
use crate::pack::Blind;

/// Every rule that can not fire on our own events.
pub(crate) fn blind(core: &Core) -> Vec<Blind> {
    let reasons: Vec<Option<(String, Need)>> = core
        .rules
        .iter()
        .zip(&core.bodies)
        .map(|(rule, body)| match body {
            Body::Detection(detection) => of_detection(core, rule, detection),
            Body::Correlation(_) => None,
        })
        .collect();
    let mut out = Vec::new();
    for (at, rule) in core.rules.iter().enumerate() {
        let reason = match core.bodies.get(at) {
            Some(Body::Correlation(joined)) => {
                let seeing = joined.members.iter().any(|member| matches!(reasons.get(*member), Some(None)));
                (!seeing).then(|| ("every rule that it counts is blind".to_owned(), Need::Members))
            }
            _ => reasons.get(at).cloned().flatten(),
        };
        if let Some((reason, needs)) = reason {
            let (id, name, file) = (rule.meta.id.clone(), rule.meta.name.clone(), rule.file.clone());
            out.push(Blind { rule: id, name, file, reason, needs });
        }
    }
    out
}

fn of_detection(core: &Core, rule: &Rule, detection: &Detection<NameId>) -> Option<(String, Need)> {
    let classes: Vec<Class> =
        crate::compile::Names::classes().into_iter().filter(|class| wants(rule, *class)).collect();
    if classes.is_empty() {
        let reason = format!("no event of ours has the logsource {}", rule.logsource);
        return Some((reason, Need::of(&rule.logsource)));
    }
    let mut missing = BTreeSet::new();
    for class in classes {
        let mut look = Look { core, class, missing: BTreeSet::new() };
        if look.condition(detection, &detection.condition) != Truth::Never {
            return None;
        }
        missing.extend(look.missing);
    }
    let names: Vec<String> = missing.into_iter().map(str::to_owned).collect();
    let reason = format!("events of its logsource do not have: {}", names.join(", "));
    Some((reason, Need::Fields(names)))
}

/// Whether events of this class meet the rule. A log line's service is its program's name, so
/// any service may come.
fn wants(rule: &Rule, class: Class) -> bool {
    let fed = Kind::ALL.into_iter().any(|kind| sigma::classes(kind).contains(&class));
    let mut logsource = sigma::logsource(class);
    if class == Class::LinuxLog {
        logsource.service = rule.logsource.service.as_deref();
    }
    fed && rule.logsource.view().wants(&logsource)
}

/// What can be said of a part without an event.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Truth {
    Never,
    Maybe,
    Always,
}

struct Look<'c> {
    core: &'c Core,
    class: Class,
    missing: BTreeSet<&'c str>,
}

impl<'c> Look<'c> {
    fn condition(&mut self, detection: &Detection<NameId>, of: &Condition) -> Truth {
        match of {
            Condition::All(parts) => all(parts.iter().map(|part| self.condition(detection, part))),
            Condition::Any(parts) => any(parts.iter().map(|part| self.condition(detection, part))),
            Condition::Not(part) => match self.condition(detection, part) {
                Truth::Never => Truth::Always,
                Truth::Maybe => Truth::Maybe,
                Truth::Always => Truth::Never,
            },
            Condition::AtLeast(least, at) => {
                let truths: Vec<Truth> = at.iter().map(|at| self.selection(detection, *at)).collect();
                let count = |wanted: &[Truth]| truths.iter().filter(|truth| wanted.contains(truth)).count();
                if count(&[Truth::Always]) >= *least {
                    Truth::Always
                } else if count(&[Truth::Always, Truth::Maybe]) >= *least {
                    Truth::Maybe
                } else {
                    Truth::Never
                }
            }
            Condition::Is(at) => self.selection(detection, *at),
        }
    }

    fn selection(&mut self, detection: &Detection<NameId>, at: usize) -> Truth {
        detection.selections.get(at).map_or(Truth::Never, |selection| self.expr(&selection.body))
    }

    fn expr(&mut self, of: &Expr<NameId>) -> Truth {
        match of {
            Expr::All(parts) => all(parts.iter().map(|part| self.expr(part))),
            Expr::Any(parts) => any(parts.iter().map(|part| self.expr(part))),
            Expr::Item(item) => self.item(item),
        }
    }

    fn item(&mut self, item: &Item<NameId>) -> Truth {
        let Some(field) = item.field else { return Truth::Maybe };
        // An audit record keeps keys that have no field of their own.
        if self.class == Class::Auditd || self.core.names.field(self.class, field).is_some() {
            return Truth::Maybe;
        }
        self.missing.insert(self.core.names.text(field));
        let truths = item
            .wants
            .iter()
            .map(|want| if want.test.holds_without_field() { Truth::Always } else { Truth::Never });
        match item.link {
            Link::Any => any(truths),
            Link::All => all(truths),
        }
    }
}

fn all(truths: impl Iterator<Item = Truth>) -> Truth {
    let truths: Vec<Truth> = truths.collect();
    if truths.contains(&Truth::Never) {
        Truth::Never
    } else if truths.contains(&Truth::Maybe) {
        Truth::Maybe
    } else {
        Truth::Always
    }
}

fn any(truths: impl Iterator<Item = Truth>) -> Truth {
    let truths: Vec<Truth> = truths.collect();
    if truths.contains(&Truth::Always) {
        Truth::Always
    } else if truths.contains(&Truth::Maybe) {
        Truth::Maybe
    } else {
        Truth::Never
    }
}
