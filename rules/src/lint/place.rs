//! Where in its file a rule says something. Parsing keeps no positions, so lines are sought.

use std::collections::HashMap;

use super::Fault;
use crate::compile::Rule;
use crate::pack::Source;

/// The texts by file.
pub(super) struct Places<'s> {
    texts: HashMap<&'s str, Vec<&'s str>>,
}

impl<'s> Places<'s> {
    pub(super) fn of(sources: &'s [Source]) -> Self {
        let lines = |source: &'s Source| (source.name.as_str(), source.text.lines().collect());
        Self { texts: sources.iter().map(lines).collect() }
    }

    /// The line that a fault of this rule is about, counted from 1.
    pub(super) fn line(&self, rule: &Rule, fault: &Fault) -> Option<usize> {
        self.trace(&rule.file, &[&rule.meta.id, &rule.meta.name], &fault.traces())
    }

    /// Follows the traces through the document that bears one of the names, each from where the
    /// one before was found; gives the line where that ends, the document's first where it fails.
    pub(super) fn trace(&self, file: &str, names: &[&str], traces: &[String]) -> Option<usize> {
        let lines = self.texts.get(file)?;
        let (mut at, end) = document(lines, names)?;
        let mut before = None;
        for trace in traces {
            // The same trace again means its next place.
            let from = at + usize::from(before == Some(trace));
            at = find(lines, from, end, trace).unwrap_or(at);
            before = Some(trace);
        }
        Some(at + 1)
    }
}

/// The first line that is the trace, or begins so, or contains it.
fn find(lines: &[&str], from: usize, to: usize, trace: &str) -> Option<usize> {
    let position = |holds: &dyn Fn(&str) -> bool| {
        lines.iter().enumerate().take(to).skip(from).find(|(_, line)| holds(line)).map(|(at, _)| at)
    };
    position(&|line| bare(line) == trace)
        .or_else(|| position(&|line| bare(line).starts_with(trace)))
        .or_else(|| position(&|line| line.contains(trace)))
}

/// The lines of the document that bears one of these names as its id or title.
fn document(lines: &[&str], names: &[&str]) -> Option<(usize, usize)> {
    let bears = |line: &str| {
        let line = line.trim_end();
        let value = ["id:", "title:", "name:"].iter().find_map(|key| line.strip_prefix(key));
        value.is_some_and(|value| names.iter().any(|name| !name.is_empty() && value.contains(name)))
    };
    let at = lines.iter().position(|line| bears(line)).or_else(|| (!lines.is_empty()).then_some(0))?;
    let is_edge = |line: &&str| line.trim_end() == "---";
    let from = lines.iter().take(at).rposition(is_edge).map_or(0, |edge| edge + 1);
    let to = lines.iter().skip(at).position(is_edge).map_or(lines.len(), |length| at + length);
    Some((from, to))
}

/// A line without list dash, quotes and comment.
fn bare(line: &str) -> &str {
    let line = line.trim();
    let line = line.strip_prefix("- ").unwrap_or(line);
    let line = line.split(" #").next().unwrap_or(line);
    line.trim().trim_matches(['\'', '"'])
}
