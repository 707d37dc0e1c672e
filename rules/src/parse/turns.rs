//! The ways in which rules may take turns: an ordered condition as alternatives.
//!
//! "a and (b or c)" in order means "a then b" or "a then c". A condition that has too many ways is
//! refused: each is tried for every window.

use super::Refusal;
use crate::ast::{Condition, Turn};

/// Alternatives of one condition.
const MOST_TURNS: usize = 64;

/// Every way to satisfy the condition, its rules in the order listed.
pub(super) fn turns(of: &Condition) -> Result<Vec<Turn>, Refusal> {
    let mut out = ways(of, true)?;
    for turn in &mut out {
        for list in [&mut turn.needs, &mut turn.lacks] {
            list.sort_unstable();
            list.dedup();
        }
    }
    out.retain(|turn| !turn.needs.iter().any(|at| turn.lacks.contains(at)));
    Ok(out)
}

/// `wanted` is false below a `not`.
fn ways(of: &Condition, wanted: bool) -> Result<Vec<Turn>, Refusal> {
    let each = |parts: &[Condition]| -> Result<Vec<Vec<Turn>>, Refusal> {
        parts.iter().map(|part| ways(part, wanted)).collect()
    };
    match of {
        Condition::Is(at) if wanted => Ok(vec![Turn { needs: vec![*at], lacks: Vec::new() }]),
        Condition::Is(at) => Ok(vec![Turn { needs: Vec::new(), lacks: vec![*at] }]),
        Condition::Not(part) => ways(part, !wanted),
        Condition::All(parts) if wanted => both(each(parts)?),
        Condition::Any(parts) if !wanted => both(each(parts)?),
        Condition::All(parts) | Condition::Any(parts) => either(each(parts)?),
        Condition::AtLeast(least, at) => {
            let single = |at: &usize| ways(&Condition::Is(*at), wanted);
            let parts: Vec<Vec<Turn>> = at.iter().map(single).collect::<Result<_, _>>()?;
            match (*least, wanted) {
                (0, true) => Ok(vec![Turn::default()]),
                (1, true) => either(parts),
                (1, false) => both(parts),
                (least, true) if least == at.len() => both(parts),
                (least, false) if least == at.len() => either(parts),
                _ => Err(Refusal::Unsupported {
                    what: "a number of rules in an ordered condition".into(),
                    hint: "name the rules that must follow each other",
                }),
            }
        }
    }
}

fn either(parts: Vec<Vec<Turn>>) -> Result<Vec<Turn>, Refusal> {
    bounded(parts.into_iter().flatten().collect())
}

fn both(parts: Vec<Vec<Turn>>) -> Result<Vec<Turn>, Refusal> {
    let mut out = vec![Turn::default()];
    for part in parts {
        let mut joined = Vec::with_capacity(out.len() * part.len());
        for before in &out {
            for turn in &part {
                let mut both = before.clone();
                both.needs.extend(&turn.needs);
                both.lacks.extend(&turn.lacks);
                joined.push(both);
            }
        }
        out = bounded(joined)?;
    }
    Ok(out)
}

fn bounded(turns: Vec<Turn>) -> Result<Vec<Turn>, Refusal> {
    if turns.len() > MOST_TURNS {
        return Err(Refusal::Syntax(format!(
            "an ordered condition has more than {MOST_TURNS} alternatives; split the rule"
        )));
    }
    Ok(turns)
}
