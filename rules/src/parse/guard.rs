//! Depth bounds that must hold before the parser library recurses: a stack overflow can not be
//! caught. Only files with many parentheses or `not` words are looked at closely.

use serde::Deserialize;
use yaml_serde::Value;

use super::Refusal;

/// Nesting of one condition. Public rules stay below 10.
const MOST_DEPTH: usize = 48;

/// Refuses a file with a condition nested too deep. YAML that can not be read is left to the
/// parser to report.
pub(super) fn check(text: &str) -> Result<(), Refusal> {
    let parens = text.bytes().filter(|byte| *byte == b'(').count();
    let nots = text.match_indices("not").count();
    if parens.max(nots) <= MOST_DEPTH {
        return Ok(());
    }
    for document in yaml_serde::Deserializer::from_str(text) {
        let Ok(value) = Value::deserialize(document) else { break };
        walk(&value)?;
    }
    Ok(())
}

fn walk(value: &Value) -> Result<(), Refusal> {
    match value {
        Value::Mapping(map) => map.iter().try_for_each(|(key, inner)| {
            if key.as_str() == Some("condition") { strings(inner) } else { walk(inner) }
        }),
        Value::Sequence(items) => items.iter().try_for_each(walk),
        _ => Ok(()),
    }
}

fn strings(value: &Value) -> Result<(), Refusal> {
    match value {
        Value::String(text) if depth(text) > MOST_DEPTH => {
            Err(Refusal::TooDeep { what: "condition", most: MOST_DEPTH })
        }
        Value::Sequence(items) => items.iter().try_for_each(strings),
        Value::Mapping(_) => walk(value),
        _ => Ok(()),
    }
}

/// The deepest nesting of parentheses, or the longest run of `not`, whichever is more.
fn depth(text: &str) -> usize {
    let (mut open, mut deepest, mut run) = (0_usize, 0_usize, 0_usize);
    for token in text.replace('(', " ( ").replace(')', " ) ").split_whitespace() {
        match token {
            "(" => open += 1,
            ")" => open = open.saturating_sub(1),
            "not" => run += 1,
            _ => run = 0,
        }
        deepest = deepest.max(open).max(run);
    }
    deepest
}
