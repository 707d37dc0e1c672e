//! Correlation rules: what of the language we do, and by name what we do not.

use std::time::Duration;

use rsigma_parser as sigma;
use sigma::{ConditionOperator, CorrelationCondition, CorrelationType};

use super::Refusal;
use super::lower::{Lowered, ours, severity};
use crate::ast::{Compare, CorrelationRule, Counting, Document, Head, Order};

/// Rules that one correlation may name.
const MOST_RULES: usize = 256;

/// The longest window. After a restart windows are rebuilt from the journal over this span.
const LONGEST: Duration = Duration::from_secs(7 * 86_400);

pub(super) fn correlation_rule(rule: sigma::CorrelationRule) -> Lowered {
    let mut remarks = Vec::new();
    let (bounds, fields) = condition(&rule)?;
    let kind = counting(&rule, fields)?;
    supported(&rule)?;
    let bounds = if let Counting::Rules(_) = kind { Vec::new() } else { bounds };
    let head = Head {
        id: rule.id.unwrap_or_default(),
        name: rule.name.unwrap_or_default(),
        title: rule.title,
        severity: severity(rule.level),
        tags: rule.tags,
        ours: ours(rule.custom_attributes.get("watchpost"), &mut remarks),
    };
    let mut aliases: Vec<_> =
        rule.aliases.into_iter().map(|alias| (alias.alias, alias.mapping.into_iter().collect())).collect();
    aliases.sort();
    let lowered = CorrelationRule {
        head,
        kind,
        rules: rule.rules,
        group_by: rule.group_by,
        aliases,
        timespan: Duration::from_secs(rule.timespan.seconds),
        bounds,
        generate: rule.generate,
    };
    Ok((Document::Correlation(Box::new(lowered)), remarks))
}

fn counting(rule: &sigma::CorrelationRule, fields: Vec<String>) -> Result<Counting, Refusal> {
    Ok(match rule.correlation_type {
        CorrelationType::EventCount => Counting::Events,
        CorrelationType::ValueCount if fields.is_empty() => {
            return Err(Refusal::Syntax(
                "value_count needs 'field' in its condition; name the field to count".into(),
            ));
        }
        CorrelationType::ValueCount => Counting::Values(fields),
        CorrelationType::Temporal => Counting::Rules(Order::Any),
        CorrelationType::TemporalOrdered => Counting::Rules(Order::AsListed),
        other => {
            return Err(Refusal::Unsupported {
                what: format!("correlation type '{}'", other.as_str()),
                hint: "use event_count, value_count, temporal or temporal_ordered",
            });
        }
    })
}

/// Bounds of the count, and the fields whose values are counted.
type Threshold = (Vec<(Compare, u64)>, Vec<String>);

fn condition(rule: &sigma::CorrelationRule) -> Result<Threshold, Refusal> {
    match &rule.condition {
        CorrelationCondition::Threshold { predicates, field, .. } => {
            let bounds = predicates.iter().map(|(how, number)| (compare(*how), *number)).collect();
            Ok((bounds, field.clone().unwrap_or_default()))
        }
        CorrelationCondition::Extended(_) => Err(Refusal::Unsupported {
            what: "a correlation 'condition' of rule names".into(),
            hint: "leave the condition out; temporal then needs all of its rules",
        }),
    }
}

const fn compare(how: ConditionOperator) -> Compare {
    match how {
        ConditionOperator::Lt => Compare::Lt,
        ConditionOperator::Lte => Compare::Lte,
        ConditionOperator::Gt => Compare::Gt,
        ConditionOperator::Gte => Compare::Gte,
        ConditionOperator::Eq => Compare::Eq,
        ConditionOperator::Neq => Compare::Neq,
    }
}

fn supported(rule: &sigma::CorrelationRule) -> Result<(), Refusal> {
    if rule.window != sigma::WindowMode::Sliding {
        return Err(Refusal::Unsupported {
            what: format!("'window: {}'", rule.window.as_str()),
            hint: "leave it out; windows slide",
        });
    }
    if rule.rules.is_empty() || rule.rules.len() > MOST_RULES {
        return Err(Refusal::Syntax(format!(
            "a correlation needs 1 to {MOST_RULES} 'rules'; name them by id or name"
        )));
    }
    let span = Duration::from_secs(rule.timespan.seconds);
    if span.is_zero() || span > LONGEST {
        return Err(Refusal::Unsupported {
            what: format!("timespan '{}'", rule.timespan.original),
            hint: "use one second to seven days",
        });
    }
    rising(rule)
}

/// A count that must stay low is true at once and false later: that needs a clock, not events.
fn rising(rule: &sigma::CorrelationRule) -> Result<(), Refusal> {
    let CorrelationCondition::Threshold { predicates, .. } = &rule.condition else { return Ok(()) };
    let rises = predicates.iter().any(|(how, number)| match how {
        ConditionOperator::Gte | ConditionOperator::Gt | ConditionOperator::Eq => *number <= 100_000,
        _ => false,
    });
    if rises {
        return Ok(());
    }
    Err(Refusal::Unsupported {
        what: "a correlation without a lower bound".into(),
        hint: "use gte, gt or eq with at most 100000",
    })
}
