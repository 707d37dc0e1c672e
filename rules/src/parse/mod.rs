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

/// Rejections and remarks of one file; each costs a search for its line. After that only their
/// number is told.
const MOST_NOTES: usize = 100;

/// Characters of one reason. It goes to a terminal and into a report, and may quote the file.
const REASON_CHARS: usize = 600;

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
        Err(refusal) => reject(source, &mut parsed, &refusal.to_string(), None),
    }
    sum_up(source, &mut parsed.rejected);
    sum_up(source, &mut parsed.remarks);
    parsed
}

fn reject(source: &Source, parsed: &mut Parsed, reason: &str, title: Option<&str>) {
    note(source, &mut parsed.rejected, reason, title);
}

/// Adds what is said about a document. Beyond the bound only its number grows: notes without a
/// reason, which [`sum_up`] counts.
fn note(source: &Source, notes: &mut Vec<Rejected>, reason: &str, title: Option<&str>) {
    let noted = if notes.len() < MOST_NOTES {
        rejection(source, reason, title)
    } else {
        Rejected { file: String::new(), line: None, reason: String::new() }
    };
    notes.push(noted);
}

fn sum_up(source: &Source, notes: &mut Vec<Rejected>) {
    let more = notes.len().saturating_sub(MOST_NOTES);
    if more > 0 {
        notes.truncate(MOST_NOTES);
        let reason = format!("{more} more of the kind in this file; correct these first");
        notes.push(Rejected { file: source.name.clone(), line: None, reason });
    }
}

fn read(text: &str) -> Result<SigmaCollection, Refusal> {
    // Editors of some systems begin a file with a mark of its byte order.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
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
        let notes = if is_remark(&error) { &mut parsed.remarks } else { &mut parsed.rejected };
        note(source, notes, &hinted(&error), None);
    }
    if rules.is_empty() && correlations.is_empty() && filters.is_empty() && parsed.rejected.is_empty() {
        reject(source, parsed, &Refusal::Empty.to_string(), None);
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
    let bounded = lowered.and_then(|(document, remarks)| {
        lower::bounded(document.head())?;
        Ok((document, remarks))
    });
    match bounded {
        Ok((document, remarks)) => {
            parsed.documents.push(document);
            for remark in &remarks {
                note(source, &mut parsed.remarks, remark, Some(title));
            }
        }
        Err(refusal) => reject(source, parsed, &refusal.to_string(), Some(title)),
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
    let line = line_of(&source.text, reason, title);
    Rejected { file: source.name.clone(), line, reason: said(reason) }
}

/// Completes what loading says about a document among others: the line, where a file says what the
/// reason quotes, and words that any terminal can show.
pub(crate) fn complete(notes: &mut [Rejected], sources: &[Source]) {
    for (nth, rejected) in notes.iter_mut().enumerate().filter(|(_, rejected)| rejected.line.is_none()) {
        rejected.reason = said(&rejected.reason);
        if nth < MOST_NOTES
            && let Some(source) = sources.iter().find(|source| source.name == rejected.file)
        {
            rejected.line = quoted(&rejected.reason).and_then(|word| {
                // Of two that claim one id, the later is the one refused.
                let at = source.text.lines().collect::<Vec<_>>().iter().rposition(|line| line.contains(word));
                at.map(|at| at + 1)
            });
        }
    }
}

/// A reason as one line that any terminal can show: no control characters, not too long. Where
/// it is long, the begin tells what is wrong and the end what to do.
fn said(reason: &str) -> String {
    let clean: String = reason.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let words = clean.split_whitespace().collect::<Vec<_>>().join(" ");
    let count = words.chars().count();
    if count <= REASON_CHARS {
        return words;
    }
    let kept = REASON_CHARS / 2;
    let begin: String = words.chars().take(kept).collect();
    let end: String = words.chars().skip(count - kept).collect();
    format!("{begin} ... {end}")
}

/// The line a reason is about: the one it names, else the first that has the text it quotes (at
/// or after the document's title), else the title's.
fn line_of(text: &str, reason: &str, title: Option<&str>) -> Option<usize> {
    if let Some(line) = named_line(reason) {
        // What misses something at the end names the line after it.
        return Some(line.clamp(1, text.lines().count().max(1)));
    }
    let lines: Vec<&str> = text.lines().take(FILE_VALUES).collect();
    let begin = title
        .filter(|title| !title.is_empty())
        .and_then(|title| lines.iter().position(|line| line.starts_with("title:") && line.contains(title)))
        .unwrap_or(0);
    let at = quoted(reason).and_then(|word| lines.iter().skip(begin).position(|line| line.contains(word)));
    Some(begin + at.unwrap_or(0) + 1)
}

fn quoted(reason: &str) -> Option<&str> {
    reason.split(['\'', '`', '"']).skip(1).step_by(2).find(|word| !word.trim().is_empty())
}

fn named_line(reason: &str) -> Option<usize> {
    let (_, after) = reason.split_once("at line ")?;
    after.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

#[cfg(test)]
mod tests;
