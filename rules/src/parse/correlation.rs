//! Correlation rules: what of the language we do, and by name what we do not.

use std::time::Duration;

use rsigma_parser as sigma;
use sigma::{ConditionExpr, ConditionOperator, CorrelationCondition, CorrelationType};

use super::Refusal;
use super::lower::{Lowered, ours, severity};
use super::turns;
use crate::ast::{Compare, CorrelationRule, Counting, Document, Figure, Head, Order};
use crate::engine::condition;

/// Rules that one correlation may name.
const MOST_RULES: usize = 256;

/// Rules that a temporal correlation may join.
const MOST_TOGETHER: usize = 64;

/// The longest window. After a restart windows are rebuilt from the journal over this span.
const LONGEST: Duration = Duration::from_secs(7 * 86_400);

pub(super) fn correlation_rule(rule: sigma::CorrelationRule) -> Lowered {
    let mut remarks = Vec::new();
    let rules = named(&rule)?;
    let ours = ours(rule.custom_attributes.get("watchpost"), &mut remarks);
    let kind = if ours.absence { silence(&rule)? } else { counting(&rule, &rules)? };
    supported(&rule, &rules, &kind)?;
    let bounds = match kind {
        Counting::When(..) | Counting::Silence => Vec::new(),
        Counting::Rules(_) => together(&rule, rules.len()),
        _ => bounds(&rule),
    };
    let head = Head {
        id: rule.id.unwrap_or_default(),
        name: rule.name.unwrap_or_default(),
        title: rule.title,
        severity: severity(rule.level),
        tags: rule.tags,
        ours,
    };
    let mut aliases: Vec<_> =
        rule.aliases.into_iter().map(|alias| (alias.alias, alias.mapping.into_iter().collect())).collect();
    aliases.sort();
    let lowered = CorrelationRule {
        head,
        kind,
        rules,
        group_by: rule.group_by,
        aliases,
        timespan: Duration::from_secs(rule.timespan.seconds),
        bounds,
        generate: rule.generate,
    };
    Ok((Document::Correlation(Box::new(lowered)), remarks))
}

/// The rules it counts: those listed, else those that its condition names.
fn named(rule: &sigma::CorrelationRule) -> Result<Vec<String>, Refusal> {
    let mut rules = rule.rules.clone();
    if let (CorrelationCondition::Extended(of), true) = (&rule.condition, rules.is_empty()) {
        names_in(of, &mut rules);
    }
    if rules.is_empty() || rules.len() > MOST_RULES {
        return Err(Refusal::Syntax(format!(
            "a correlation needs 1 to {MOST_RULES} 'rules'; name them by id or name"
        )));
    }
    Ok(rules)
}

fn names_in(of: &ConditionExpr, out: &mut Vec<String>) {
    match of {
        ConditionExpr::And(parts) | ConditionExpr::Or(parts) => {
            parts.iter().for_each(|part| names_in(part, out));
        }
        ConditionExpr::Not(part) => names_in(part, out),
        ConditionExpr::Identifier(name) if !out.contains(name) => out.push(name.clone()),
        ConditionExpr::Identifier(_) | ConditionExpr::Selector { .. } => {}
    }
}

fn counting(rule: &sigma::CorrelationRule, rules: &[String]) -> Result<Counting, Refusal> {
    let kind = rule.correlation_type;
    if let CorrelationCondition::Extended(of) = &rule.condition {
        return when(kind, of, rules);
    }
    let (fields, percentile) = match &rule.condition {
        CorrelationCondition::Threshold { field, percentile, .. } => {
            (field.clone().unwrap_or_default(), percentile.unwrap_or(50))
        }
        CorrelationCondition::Extended(_) => (Vec::new(), 50),
    };
    let figure = |figure: Figure| match fields.as_slice() {
        [field] => Ok(Counting::Figure(figure, field.clone())),
        _ => Err(Refusal::Syntax(format!(
            "{} needs one 'field' in its condition; name the field with the numbers",
            kind.as_str()
        ))),
    };
    Ok(match kind {
        CorrelationType::EventCount => Counting::Events,
        CorrelationType::ValueCount if fields.is_empty() => {
            return Err(Refusal::Syntax(
                "value_count needs 'field' in its condition; name the field to count".into(),
            ));
        }
        CorrelationType::ValueCount => Counting::Values(fields),
        CorrelationType::Temporal => Counting::Rules(Order::Any),
        CorrelationType::TemporalOrdered => Counting::Rules(Order::AsListed),
        CorrelationType::ValueSum => figure(Figure::Sum)?,
        CorrelationType::ValueAvg => figure(Figure::Average)?,
        CorrelationType::ValueMedian => figure(Figure::Percentile(50))?,
        CorrelationType::ValuePercentile => match u8::try_from(percentile) {
            Ok(rank @ 1..=100) => figure(Figure::Percentile(rank))?,
            _ => return Err(Refusal::Syntax("'percentile' is not a rank; write 1 to 100".into())),
        },
    })
}

/// A condition of rule names.
fn when(kind: CorrelationType, of: &ConditionExpr, rules: &[String]) -> Result<Counting, Refusal> {
    if !matches!(kind, CorrelationType::Temporal | CorrelationType::TemporalOrdered) {
        return Err(Refusal::Unsupported {
            what: format!("a 'condition' of rule names with type '{}'", kind.as_str()),
            hint: "use type temporal, or a threshold such as gte",
        });
    }
    let names: Vec<&str> = rules.iter().map(String::as_str).collect();
    let of = super::condition::lower(std::slice::from_ref(of), &names)?;
    if condition(&of, &|_| false) {
        return Err(Refusal::Unsupported {
            what: "a correlation whose condition holds when nothing happened".into(),
            hint: "join 'not' with a rule that must fire, or use watchpost.absence",
        });
    }
    let ordered = kind == CorrelationType::TemporalOrdered;
    let turns = if ordered { turns::turns(&of)? } else { Vec::new() };
    Ok(Counting::When(of, turns))
}

/// What a group's silence is written as: fewer than one event. Other Sigma tools load it and never
/// fire, because a group without events is none to them.
fn silence(rule: &sigma::CorrelationRule) -> Result<Counting, Refusal> {
    let none = |(how, number): &(Compare, u64)| {
        matches!((how, number), (Compare::Lt, 1) | (Compare::Lte | Compare::Eq, 0))
    };
    let said = matches!(bounds(rule).as_slice(), [only] if none(only));
    if rule.correlation_type == CorrelationType::EventCount && said {
        return Ok(Counting::Silence);
    }
    Err(Refusal::Syntax("watchpost.absence needs type event_count and the condition 'lt: 1'".into()))
}

/// How many different rules must fire: as many as the condition says, else all. (`gte: 1` is what
/// the library gives where there is no condition.)
fn together(rule: &sigma::CorrelationRule, rules: usize) -> Vec<(Compare, u64)> {
    match bounds(rule).as_slice() {
        [] | [(Compare::Gte, 1)] => vec![(Compare::Gte, u64::try_from(rules).unwrap_or(u64::MAX))],
        said => said.to_vec(),
    }
}

fn bounds(rule: &sigma::CorrelationRule) -> Vec<(Compare, u64)> {
    match &rule.condition {
        CorrelationCondition::Threshold { predicates, .. } => {
            predicates.iter().map(|(how, number)| (compare(*how), *number)).collect()
        }
        CorrelationCondition::Extended(_) => Vec::new(),
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

fn supported(rule: &sigma::CorrelationRule, rules: &[String], kind: &Counting) -> Result<(), Refusal> {
    if rule.window != sigma::WindowMode::Sliding {
        return Err(Refusal::Unsupported {
            what: format!("'window: {}'", rule.window.as_str()),
            hint: "leave it out; windows slide",
        });
    }
    if let Counting::Rules(_) | Counting::When(..) = kind
        && rules.len() > MOST_TOGETHER
    {
        return Err(Refusal::Syntax(format!(
            "a temporal correlation takes at most {MOST_TOGETHER} 'rules'; split it"
        )));
    }
    let span = Duration::from_secs(rule.timespan.seconds);
    if span.is_zero() || span > LONGEST {
        return Err(Refusal::Unsupported {
            what: format!("timespan '{}'", rule.timespan.original),
            hint: "use one second to seven days",
        });
    }
    match kind {
        Counting::Figure(..) | Counting::Silence => Ok(()),
        _ => rising(rule),
    }
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
        hint: "use gte, gt or eq with at most 100000, or watchpost.absence for what falls silent",
    })
}
