//! Conditions: names and patterns become positions of selections.

use rsigma_parser::{ConditionExpr, Quantifier, SelectorPattern};

use super::Refusal;
use crate::ast::Condition;
use crate::matcher::{Had, Pattern, Token};

/// References that the conditions of one rule may expand to: `1 of them` written often over many
/// selections would otherwise grow without bound.
const MOST_REFERENCES: usize = 20_000;

/// Lowers the conditions of a rule; several are alternatives.
pub(super) fn lower(conditions: &[ConditionExpr], names: &[&str]) -> Result<Condition, Refusal> {
    let mut left = MOST_REFERENCES;
    let mut parts = Vec::with_capacity(conditions.len());
    for condition in conditions {
        parts.push(one(condition, names, &mut left)?);
    }
    Ok(single(parts, Condition::Any))
}

fn one(expr: &ConditionExpr, names: &[&str], left: &mut usize) -> Result<Condition, Refusal> {
    match expr {
        ConditionExpr::And(parts) => Ok(single(all(parts, names, left)?, Condition::All)),
        ConditionExpr::Or(parts) => Ok(single(all(parts, names, left)?, Condition::Any)),
        ConditionExpr::Not(inner) => Ok(Condition::Not(Box::new(one(inner, names, left)?))),
        ConditionExpr::Identifier(name) => {
            spend(left, 1)?;
            let at = names.iter().position(|have| have == name);
            at.map(Condition::Is).ok_or_else(|| Refusal::NoSuchSelection { name: name.clone() })
        }
        ConditionExpr::Selector { quantifier, pattern } => selector(quantifier, pattern, names, left),
    }
}

fn all(parts: &[ConditionExpr], names: &[&str], left: &mut usize) -> Result<Vec<Condition>, Refusal> {
    parts.iter().map(|part| one(part, names, left)).collect()
}

fn selector(
    quantifier: &Quantifier,
    pattern: &SelectorPattern,
    names: &[&str],
    left: &mut usize,
) -> Result<Condition, Refusal> {
    let of: Vec<usize> =
        names.iter().enumerate().filter(|(_, name)| is_meant(pattern, name)).map(|(at, _)| at).collect();
    spend(left, of.len().max(1))?;
    if of.is_empty() {
        return Err(Refusal::NoSuchSelection { name: pattern.to_string() });
    }
    let least = match quantifier {
        Quantifier::Any => 1,
        Quantifier::All => of.len(),
        Quantifier::Count(count) => usize::try_from(*count).unwrap_or(usize::MAX),
    };
    Ok(Condition::AtLeast(least, of))
}

/// Whether a pattern means a selection. Stars stand for any characters, wherever they are and
/// however many; the library knows one star.
fn is_meant(pattern: &SelectorPattern, name: &str) -> bool {
    match pattern {
        SelectorPattern::Them => !name.starts_with('_'),
        SelectorPattern::Pattern(pattern) => {
            let mut tokens = Vec::new();
            for (nth, part) in pattern.split('*').enumerate() {
                if nth > 0 {
                    tokens.push(Token::Many);
                }
                if !part.is_empty() {
                    tokens.push(Token::Text(part.to_owned()));
                }
            }
            Pattern::new(tokens, true).matches(&Had::new(name))
        }
    }
}

fn spend(left: &mut usize, count: usize) -> Result<(), Refusal> {
    *left = left.checked_sub(count).ok_or(Refusal::TooManyReferences { most: MOST_REFERENCES })?;
    Ok(())
}

fn single(mut parts: Vec<Condition>, many: fn(Vec<Condition>) -> Condition) -> Condition {
    match (parts.len(), parts.pop()) {
        (1, Some(only)) => only,
        (_, Some(last)) => {
            parts.push(last);
            many(parts)
        }
        (_, None) => many(parts),
    }
}
