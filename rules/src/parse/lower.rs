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

/// Characters of a title. The specification allows 256; what is longer is not a title.
const TITLE_CHARS: usize = 512;

/// Characters of an id or a name.
const NAME_CHARS: usize = 256;

/// Tags of one rule, and characters of each.
const MOST_TAGS: usize = 256;

/// Characters of the advice. Public descriptions stay below 2,000.
const ADVICE_CHARS: usize = 8_192;

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

/// Every alert carries the head of its rule, so a head may not be a load of its own.
pub(super) fn bounded(head: &Head) -> Result<(), Refusal> {
    let within = |what: &'static str, text: &str, most: usize| {
        let have = text.chars().take(most + 1).count();
        if have <= most { Ok(()) } else { Err(Refusal::TooLong { what, have: text.chars().count(), most }) }
    };
    within("title", &head.title, TITLE_CHARS)?;
    within("title_zh", &head.ours.title_zh, TITLE_CHARS)?;
    within("id", &head.id, NAME_CHARS)?;
    within("name", &head.name, NAME_CHARS)?;
    within("advice", &head.ours.advice, ADVICE_CHARS)?;
    within("advice_zh", &head.ours.advice_zh, ADVICE_CHARS)?;
    if head.tags.len() > MOST_TAGS {
        return Err(Refusal::TooLong { what: "tags", have: head.tags.len(), most: MOST_TAGS });
    }
    head.tags.iter().try_for_each(|tag| within("tags", tag, NAME_CHARS))?;
    if head.ours.group_by.len() > MOST_TAGS {
        return Err(Refusal::TooLong { what: "group_by", have: head.ours.group_by.len(), most: MOST_TAGS });
    }
    head.ours.group_by.iter().try_for_each(|name| within("group_by", name, NAME_CHARS))
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
        if name.is_empty() {
            return Err(Refusal::Syntax("a selection has a name that is not text; put it in quotes".into()));
        }
        if is_empty(body) {
            return Err(Refusal::Nothing { what: format!("selection '{name}'") });
        }
        selections.push(Selection { name: name.clone(), body: expr(body, budget, 0)? });
    }
    Ok(Detection { selections, condition })
}

/// Whether a selection, or a map within its list, asks for nothing: it would hold for every event.
fn is_empty(body: &sigma::Detection) -> bool {
    match body {
        sigma::Detection::AllOf(items) => items.is_empty(),
        sigma::Detection::AnyOf(parts) => parts.is_empty() || parts.iter().any(is_empty),
        sigma::Detection::Keywords(words) => words.is_empty(),
        _ => false,
    }
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
            if items.iter().any(|item| item.field.name.is_none() && item.field.modifiers.is_empty()) {
                return Err(Refusal::Syntax("a field has a name that is not text; put it in quotes".into()));
            }
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
