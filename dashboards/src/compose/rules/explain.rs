//! `rules explain`: for each event of a file, why a rule fires or which part fails.

use std::io::Write;
use std::path::{Path, PathBuf};

use serde_json::Value as Json;
use watchpost_model::Event;
use watchpost_rules::{Rejected, RuleSet, Subject, explain, pack};

use super::Error;
use crate::commands::Output;
use crate::compose::detect;
use crate::words::Lang;

/// What to explain and how.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// A rule file or the id of a shipped rule.
    pub rule: &'a str,
    /// File with events.
    pub event: &'a Path,
    /// What stands for placeholders.
    pub placeholders: Option<&'a Path>,
    /// How to print.
    pub output: Output,
}

/// Explains, for each event of a file, why a rule fires or which part fails.
/// `rule` is a file or the id of a shipped rule. Returns whether it fires on any event.
///
/// # Errors
/// When the rule or the events can not be read.
pub fn explain(asked: &Asked<'_>, _lang: Lang, out: &mut dyn Write) -> Result<bool, Error> {
    let (rule, event, as_json) = (asked.rule, asked.event, asked.output == Output::Json);
    let values = asked.placeholders.map(super::placeholders).transpose()?.unwrap_or_default();
    let file = PathBuf::from(rule);
    let (sources, unread) = if file.exists() {
        pack::read_paths(&[file])
    } else {
        (watchpost_rules::shipped::shipped(), Vec::new())
    };
    let set = RuleSet::load_with(&sources, &values);
    let id = known(&set, rule, &unread)?;
    let mut fires = false;
    for json in read_events(event)? {
        let typed = Event::from_json(&json);
        let subject =
            typed.as_ref().map_or(Subject::Foreign { json: &json, logsource: None }, Subject::Typed);
        let Some(explanation) = explain::explain(&set, &id, &subject) else {
            return Err(Error::NoRule { rule: id });
        };
        fires |= explanation.fires;
        if as_json {
            writeln!(out, "{}", serde_json::to_string(&explanation).unwrap_or_default())?;
        } else {
            writeln!(out, "{explanation}")?;
        }
    }
    Ok(fires)
}

/// The id of the rule meant: the one of that id, or the first of that file.
fn known(set: &RuleSet, rule: &str, unread: &[Rejected]) -> Result<String, Error> {
    let is_file = Path::new(rule).exists();
    if let Some(known) = set.rules().iter().find(|known| is_file || known.meta.id == rule) {
        return Ok(known.meta.id.clone());
    }
    let said: Vec<String> = unread.iter().chain(set.rejected()).map(detect::said).collect();
    if is_file && !said.is_empty() {
        return Err(Error::Rejected { said: said.join("\n") });
    }
    Err(Error::NoRule { rule: rule.to_owned() })
}

/// One JSON object, or one a line.
fn read_events(path: &Path) -> Result<Vec<Json>, Error> {
    let text = super::read(path)?;
    serde_json::Deserializer::from_str(&text)
        .into_iter::<Json>()
        .collect::<Result<_, _>>()
        .map_err(|source| Error::NotJson { path: path.to_path_buf(), source })
}
