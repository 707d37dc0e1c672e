//! From YAML text to our tree: the adapter over the parser library.
//!
//! Promises: text of any content ends in documents and rejections, never in a panic, and within
//! bounds of size, depth and count. Every rejection says which file and line, why, and what to
//! write instead. What the library reads otherwise than the specification is put right in
//! `value` and `condition`.

mod condition;
mod correlation;
mod guard;
mod lower;
mod refusal;
mod turns;
mod value;

pub use refusal::Refusal;
pub use value::tokens;

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use rsigma_parser::SigmaCollection;

use crate::ast::Document;
use crate::pack::{Rejected, Source};

/// Bytes of one rule file. The largest public rules are below 100 kB.
pub const FILE_BYTES: usize = 1024 * 1024;

/// Values of one file, counted after YAML aliases have been expanded.
pub const FILE_VALUES: usize = 100_000;

/// What one file holds.
#[derive(Debug, Default)]
pub struct Parsed {
    /// Documents that can be used.
    pub documents: Vec<Document>,
    /// Documents that can not.
    pub rejected: Vec<Rejected>,
    /// Documents that are used although something in them was not understood.
    pub remarks: Vec<Rejected>,
}

/// What stands for each placeholder (`%name%` in values with `expand`): Sigma texts, so that
/// wildcards work.
pub type Placeholders = BTreeMap<String, Vec<String>>;

/// Reads one file, with nothing for its placeholders.
#[must_use]
pub fn parse(source: &Source) -> Parsed {
    parse_with(source, &Placeholders::new())
}

/// Reads one file.
#[must_use]
pub fn parse_with(source: &Source, placeholders: &Placeholders) -> Parsed {
    let mut parsed = Parsed::default();
    match read(&source.text) {
        Ok(collection) => lower_all(source, collection, placeholders, &mut parsed),
        Err(refusal) => parsed.rejected.push(rejection(source, &refusal.to_string(), None)),
    }
    parsed
}

fn read(text: &str) -> Result<SigmaCollection, Refusal> {
    if text.len() > FILE_BYTES {
        return Err(Refusal::TooLarge { bytes: text.len() });
    }
    if text.trim().is_empty() {
        return Err(Refusal::Empty);
    }
    guard::check(text)?;
    // The library is young; a panic in it must cost one file, not the collector.
    catch_unwind(AssertUnwindSafe(|| rsigma_parser::parse_sigma_yaml(text)))
        .map_err(|_| Refusal::Panicked)?
        .map_err(|error| Refusal::Syntax(error.to_string()))
}

fn lower_all(source: &Source, collection: SigmaCollection, placeholders: &Placeholders, parsed: &mut Parsed) {
    let SigmaCollection { rules, correlations, filters, errors } = collection;
    for error in errors {
        let note = rejection(source, &hinted(&error), None);
        if is_remark(&error) { parsed.remarks.push(note) } else { parsed.rejected.push(note) }
    }
    if rules.is_empty() && correlations.is_empty() && filters.is_empty() && parsed.rejected.is_empty() {
        parsed.rejected.push(rejection(source, &Refusal::Empty.to_string(), None));
    }
    let mut budget = value::Budget::new(placeholders);
    for rule in rules {
        let title = rule.title.clone();
        keep(source, &title, parsed, lower::detection_rule(rule, &mut budget));
    }
    for rule in correlations {
        let title = rule.title.clone();
        keep(source, &title, parsed, correlation::correlation_rule(rule));
    }
    for rule in filters {
        let title = rule.title.clone();
        keep(source, &title, parsed, lower::filter_rule(rule, &mut budget));
    }
}

fn keep(
    source: &Source,
    title: &str,
    parsed: &mut Parsed,
    lowered: Result<(Document, Vec<String>), Refusal>,
) {
    match lowered {
        Ok((document, remarks)) => {
            parsed.documents.push(document);
            parsed.remarks.extend(remarks.iter().map(|remark| rejection(source, remark, Some(title))));
        }
        Err(refusal) => parsed.rejected.push(rejection(source, &refusal.to_string(), Some(title))),
    }
}

/// The library's words, with what to do.
fn hinted(error: &str) -> String {
    let hint = match error {
        _ if error.contains("not a YAML mapping") => "a rule is a map with title, logsource and detection",
        _ if error.contains("Missing required field") => "add it",
        _ if error.contains("nknown modifier") => "check how the modifier is spelt",
        _ if error.contains("YAML parse error") => "check indentation and quotes",
        _ if error.contains("ondition parse error") => "check parentheses and the words and, or, not, of",
        _ => return error.to_owned(),
    };
    format!("{error}; {hint}")
}

/// Problems in a document that the library reports but reads over.
fn is_remark(error: &str) -> bool {
    ["invalid status", "invalid level", "invalid sigma-version", "'related'", "related["]
        .iter()
        .any(|start| error.starts_with(start))
}

fn rejection(source: &Source, reason: &str, title: Option<&str>) -> Rejected {
    let reason = reason.split_whitespace().collect::<Vec<_>>().join(" ");
    let line = line_of(&source.text, &reason, title);
    Rejected { file: source.name.clone(), line, reason }
}

/// The line a reason is about: the one it names, else the first that has the text it quotes (at
/// or after the document's title), else the title's.
fn line_of(text: &str, reason: &str, title: Option<&str>) -> Option<usize> {
    if let Some(line) = named_line(reason) {
        return Some(line);
    }
    let lines: Vec<&str> = text.lines().take(FILE_VALUES).collect();
    let begin = title
        .filter(|title| !title.is_empty())
        .and_then(|title| lines.iter().position(|line| line.starts_with("title:") && line.contains(title)))
        .unwrap_or(0);
    let quoted = reason.split(['\'', '`', '"']).skip(1).step_by(2).find(|word| !word.trim().is_empty());
    let at = quoted.and_then(|word| lines.iter().skip(begin).position(|line| line.contains(word)));
    Some(begin + at.unwrap_or(0) + 1)
}

fn named_line(reason: &str) -> Option<usize> {
    let (_, after) = reason.split_once("at line ")?;
    after.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

#[cfg(test)]
mod tests;
