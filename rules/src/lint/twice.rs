//! Rules that say the same. Two detections are brought into one normal form: names of selections,
//! order and nesting of what is joined by `and` or `or`, and the spelling of a test do not count.

use std::collections::HashMap;

use super::place::Places;
use super::{Fault, Note};
use crate::ast::{Condition, Detection, Expr, Item, Link, Want};
use crate::compile::{Body, Core, NameId, Rule, RuleSet, Twin};
use crate::matcher::Test;

/// Parts that a normal form may grow to before a rule is passed over.
const MOST_PARTS: usize = 20_000;

/// Rules that were left out because their id was taken.
pub(super) fn twins(set: &RuleSet, places: &Places<'_>) -> Vec<Note> {
    let note = |twin: &Twin| {
        let fault = Fault::SameId { other: twin.other.clone() };
        let line = places.trace(&twin.file, &[&twin.id], &fault.traces());
        let (rule, name, file) = (twin.id.clone(), twin.name.clone(), twin.file.clone());
        Note { rule, name, file, line, cost: None, fault }
    };
    set.twins().iter().map(note).collect()
}

/// Every rule that says what an earlier one says. Rules that are only counted raise nothing twice:
/// each file may bring its own.
pub(super) fn same(set: &RuleSet) -> Vec<(&Rule, Fault)> {
    let core = &*set.core;
    let mut first: HashMap<String, &Rule> = HashMap::new();
    let mut out = Vec::new();
    for (rule, body) in core.rules.iter().zip(&core.bodies) {
        if rule.is_silent {
            continue;
        }
        let Some(said) = said(core, rule, body) else { continue };
        match first.get(&said) {
            Some(other) => {
                let fault = Fault::SameDetection { other: other.meta.id.clone(), file: other.file.clone() };
                out.push((&**rule, fault));
            }
            None => drop(first.insert(said, rule)),
        }
    }
    out
}

/// The normal form of a rule; nothing where it would be too large.
fn said(core: &Core, rule: &Rule, body: &Body) -> Option<String> {
    match body {
        Body::Correlation(joined) => Some(format!("{joined:?}")),
        Body::Detection(detection) => {
            let mut left = MOST_PARTS;
            let form = condition(core, detection, &detection.condition, &mut left)?;
            Some(format!("{}|{}", rule.logsource, text(form)))
        }
    }
}

/// A formula in normal form, its parts as text.
enum Form {
    All(Vec<String>),
    Any(Vec<String>),
    One(String),
}

fn condition(core: &Core, detection: &Detection<NameId>, of: &Condition, left: &mut usize) -> Option<Form> {
    *left = left.checked_sub(1)?;
    let mut each = |parts: &[Condition]| -> Option<Vec<Form>> {
        parts.iter().map(|part| condition(core, detection, part, left)).collect()
    };
    Some(match of {
        Condition::All(parts) => all(each(parts)?),
        Condition::Any(parts) => any(each(parts)?),
        Condition::Not(part) => {
            let inner = condition(core, detection, part, left)?;
            Form::One(format!("not({})", text(inner)))
        }
        Condition::Is(at) => expr(core, &detection.selections.get(*at)?.body, left)?,
        Condition::AtLeast(least, at) => {
            let selections = at.iter().map(|at| expr(core, &detection.selections.get(*at)?.body, left));
            let forms = selections.collect::<Option<Vec<Form>>>()?;
            match *least {
                1 => any(forms),
                least if least == forms.len() => all(forms),
                least => {
                    let mut parts: Vec<String> = forms.into_iter().map(text).collect();
                    parts.sort_unstable();
                    Form::One(format!("{least} of {}", parts.join("|")))
                }
            }
        }
    })
}

fn expr(core: &Core, of: &Expr<NameId>, left: &mut usize) -> Option<Form> {
    *left = left.checked_sub(1)?;
    let mut each = |parts: &[Expr<NameId>]| -> Option<Vec<Form>> {
        parts.iter().map(|part| expr(core, part, left)).collect()
    };
    Some(match of {
        Expr::All(parts) => all(each(parts)?),
        Expr::Any(parts) => any(each(parts)?),
        Expr::Item(of) => item(core, of, left)?,
    })
}

fn item(core: &Core, of: &Item<NameId>, left: &mut usize) -> Option<Form> {
    *left = left.checked_sub(of.wants.len())?;
    let field = of.field.map_or("", |field| core.names.text(field));
    let parts = of.wants.iter().map(|want| Form::One(format!("{field}={}", test(want, &of.shown)))).collect();
    Some(match of.link {
        Link::Any => any(parts),
        Link::All => all(parts),
    })
}

/// The prepared test, however it was written; a regex shows neither its flags nor its place.
fn test(want: &Want<NameId>, key: &str) -> String {
    match &want.test {
        Test::Regex(regex) => format!("{key}:{}", regex.as_str()),
        test => format!("{test:?}"),
    }
}

fn all(forms: Vec<Form>) -> Form {
    joined(forms, Form::All, |form| match form {
        Form::All(parts) => Ok(parts),
        other => Err(other),
    })
}

fn any(forms: Vec<Form>) -> Form {
    joined(forms, Form::Any, |form| match form {
        Form::Any(parts) => Ok(parts),
        other => Err(other),
    })
}

/// Takes in parts of the same kind, sorts, leaves out what stands twice.
fn joined(
    forms: Vec<Form>,
    many: fn(Vec<String>) -> Form,
    open: fn(Form) -> Result<Vec<String>, Form>,
) -> Form {
    let mut parts = Vec::new();
    for form in forms {
        match open(form) {
            Ok(inner) => parts.extend(inner),
            Err(other) => parts.push(text(other)),
        }
    }
    parts.sort_unstable();
    parts.dedup();
    match (parts.len(), parts.pop()) {
        (1, Some(only)) => Form::One(only),
        (_, last) => {
            parts.extend(last);
            many(parts)
        }
    }
}

fn text(form: Form) -> String {
    match form {
        Form::All(parts) => format!("({})", parts.join("&")),
        Form::Any(parts) => format!("[{}]", parts.join("|")),
        Form::One(part) => part,
    }
}
