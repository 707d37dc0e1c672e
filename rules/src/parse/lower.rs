//! Detection and filter rules: from the library's tree to ours.

use rsigma_parser as sigma;
use watchpost_model::alert::{Outcome, Severity};
use yaml_serde::Value;

use super::value::{self, Budget};
use super::{Refusal, condition};
use crate::ast::{Detection, DetectionRule, Document, Expr, FilterRule, Head, Ours, Selection};
use crate::taxonomy::OwnedLogsource;

/// Nesting of lists and maps in a selection.
const MOST_DEPTH: usize = 32;

pub(super) type Lowered = Result<(Document, Vec<String>), Refusal>;

pub(super) fn detection_rule(rule: sigma::SigmaRule, budget: &mut Budget<'_>) -> Lowered {
    let mut remarks = Vec::new();
    let detection = detection(&rule.detection, budget)?;
    let head = Head {
        id: rule.id.unwrap_or_default(),
        name: rule.name.unwrap_or_default(),
        title: rule.title,
        severity: severity(rule.level),
        tags: rule.tags,
        ours: ours(rule.custom_attributes.get("watchpost"), &mut remarks),
    };
    let logsource = logsource(&rule.logsource);
    Ok((Document::Detection(Box::new(DetectionRule { head, logsource, detection })), remarks))
}

pub(super) fn filter_rule(rule: sigma::FilterRule, budget: &mut Budget<'_>) -> Lowered {
    let detection = detection(&rule.detection, budget)?;
    let rules = match rule.rules {
        sigma::FilterRuleTarget::Any => Vec::new(),
        sigma::FilterRuleTarget::Specific(rules) => rules,
    };
    let head = Head { id: rule.id.unwrap_or_default(), title: rule.title, ..Head::default() };
    let logsource = rule.logsource.as_ref().map(logsource).unwrap_or_default();
    Ok((Document::Filter(Box::new(FilterRule { head, rules, logsource, detection })), Vec::new()))
}

pub(super) fn severity(level: Option<sigma::Level>) -> Severity {
    level.and_then(|level| Severity::named(level.as_str())).unwrap_or_default()
}

fn logsource(from: &sigma::LogSource) -> OwnedLogsource {
    OwnedLogsource {
        category: from.category.clone(),
        product: from.product.clone(),
        service: from.service.clone(),
    }
}

/// Reads the `watchpost:` block. What it does not know is remarked upon, not refused: a newer
/// pack must load in an older collector.
pub(super) fn ours(block: Option<&Value>, remarks: &mut Vec<String>) -> Ours {
    let mut ours = Ours::default();
    let Some(map) = block.and_then(Value::as_mapping) else {
        if block.is_some() {
            remarks.push("'watchpost' is not a map; it is ignored".into());
        }
        return ours;
    };
    for (key, value) in map {
        let text = value.as_str().map(str::trim).unwrap_or_default().to_owned();
        match key.as_str() {
            Some("title_zh") => ours.title_zh = text,
            Some("advice") => ours.advice = text,
            Some("advice_zh") => ours.advice_zh = text,
            Some("group_by") => ours.group_by = texts(value),
            Some("absence") => match value.as_bool() {
                Some(absence) => ours.absence = absence,
                None => remarks.push("'absence' is not true or false; it is ignored".into()),
            },
            Some("outcome") => match outcome(&text) {
                Some(outcome) => ours.outcome = outcome,
                None => remarks.push(format!("'outcome' is {text:?}; write attempt, success or compromised")),
            },
            _ => {
                remarks.push(format!("'{}' in the watchpost block is not known", key.as_str().unwrap_or("?")))
            }
        }
    }
    ours
}

fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::String(text) => vec![text.clone()],
        Value::Sequence(items) => items.iter().filter_map(|item| item.as_str().map(str::to_owned)).collect(),
        _ => Vec::new(),
    }
}

fn outcome(text: &str) -> Option<Outcome> {
    Some(match text {
        "unknown" => Outcome::Unknown,
        "attempt" => Outcome::Attempt,
        "success" => Outcome::Success,
        "compromised" => Outcome::Compromised,
        _ => return None,
    })
}

fn detection(from: &sigma::Detections, budget: &mut Budget<'_>) -> Result<Detection<String>, Refusal> {
    let mut named: Vec<_> = from.named.iter().collect();
    named.sort_by_key(|(name, _)| name.as_str());
    let names: Vec<&str> = named.iter().map(|(name, _)| name.as_str()).collect();
    let condition = condition::lower(&from.conditions, &names)?;
    let mut selections = Vec::with_capacity(named.len());
    for (name, body) in named {
        selections.push(Selection { name: name.clone(), body: expr(body, budget, 0)? });
    }
    Ok(Detection { selections, condition })
}

fn expr(from: &sigma::Detection, budget: &mut Budget<'_>, depth: usize) -> Result<Expr<String>, Refusal> {
    if depth > MOST_DEPTH {
        return Err(Refusal::TooDeep { what: "selection", most: MOST_DEPTH });
    }
    let inner = |parts: &[sigma::Detection], budget: &mut Budget<'_>| {
        parts.iter().map(|part| expr(part, budget, depth + 1)).collect::<Result<Vec<_>, _>>()
    };
    Ok(match from {
        sigma::Detection::AllOf(items) => {
            let items: Result<Vec<_>, _> =
                items.iter().map(|item| value::item(item, budget).map(Expr::Item)).collect();
            Expr::All(items?)
        }
        sigma::Detection::AnyOf(parts) => Expr::Any(inner(parts, budget)?),
        sigma::Detection::And(parts) => Expr::All(inner(parts, budget)?),
        sigma::Detection::Keywords(words) => Expr::Item(value::keywords(words, budget)?),
        sigma::Detection::ArrayMatch { field, .. } => {
            return Err(Refusal::Unsupported {
                what: format!("array matching on '{field}'"),
                hint: "name the field without brackets; a list matches if any element does",
            });
        }
        sigma::Detection::Conditional { .. } => {
            return Err(Refusal::Unsupported {
                what: "a condition inside a selection".into(),
                hint: "use several selections and one condition",
            });
        }
    })
}
