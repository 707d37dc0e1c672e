//! What a report needs of a rule: a category and a technique.

use watchpost_model::category;

use super::Fault;
use crate::compile::Rule;

pub(super) fn category(rule: &Rule) -> Option<Fault> {
    match rule.meta.category.as_str() {
        "" => Some(Fault::NoCategory),
        code if category::find(code).is_none() => Some(Fault::BadCategory { code: code.into() }),
        _ => None,
    }
}

pub(super) fn techniques(rule: &Rule) -> Option<Fault> {
    rule.meta.techniques.is_empty().then_some(Fault::NoTechnique)
}
