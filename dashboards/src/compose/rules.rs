//! `watchpost rules`: what loads, what does not, what can never fire, and why a rule did or did
//! not fire on an event.

use std::io::Write;
use std::path::{Path, PathBuf};

use serde_json::{Value as Json, json};
use watchpost_model::Event;
use watchpost_rules::{RuleSet, Subject, explain, pack};

/// What `rules check` found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Checked {
    /// Whether every rule loaded.
    pub clean: bool,
}

/// Loads the rules and prints `loaded`, `rejected` and `blind` as JSON.
///
/// # Errors
/// When the output can not be written.
pub fn check(paths: &[PathBuf], out: &mut dyn Write) -> std::io::Result<Checked> {
    let (sources, mut rejected) = super::detect::sources(paths);
    let set = RuleSet::load(&sources);
    rejected.extend(set.rejected().iter().cloned());
    let report = json!({
        "loaded": set.rules().len(),
        "hash": set.hash(),
        "rejected": rejected,
        "blind": set.blind(),
    });
    serde_json::to_writer_pretty(&mut *out, &report)?;
    writeln!(out)?;
    Ok(Checked { clean: rejected.is_empty() })
}

/// Why an explanation can not be given.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The event file can not be read.
    #[error("cannot read {path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The event file holds no JSON object.
    #[error("{path} does not hold one JSON event: {source}; give one object, or one a line")]
    NotJson {
        /// The file.
        path: PathBuf,
        /// Why.
        source: serde_json::Error,
    },
    /// No such rule.
    #[error("no rule {rule:?}; give a rule file, or the id of a shipped rule")]
    NoRule {
        /// What was asked for.
        rule: String,
    },
    /// Nobody reads our output.
    #[error("cannot write the explanation: {0}")]
    Write(#[from] std::io::Error),
}

/// Explains, for each event of a file, why a rule fires or which part fails.
/// `rule` is a file or the id of a shipped rule. Returns whether it fires on any event.
///
/// # Errors
/// When the rule or the events can not be read.
pub fn explain(rule: &str, event: &Path, as_json: bool, out: &mut dyn Write) -> Result<bool, Error> {
    let file = PathBuf::from(rule);
    let sources =
        if file.exists() { pack::read_paths(&[file]).0 } else { watchpost_rules::shipped::shipped() };
    let set = RuleSet::load(&sources);
    let known = set.rules().iter().find(|known| known.meta.id == rule || Path::new(rule).exists());
    let id =
        known.map(|known| known.meta.id.clone()).ok_or_else(|| Error::NoRule { rule: rule.to_owned() })?;
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

/// One JSON object, or one a line.
fn read_events(path: &Path) -> Result<Vec<Json>, Error> {
    let text =
        std::fs::read_to_string(path).map_err(|source| Error::Read { path: path.to_path_buf(), source })?;
    serde_json::Deserializer::from_str(&text)
        .into_iter::<Json>()
        .collect::<Result<_, _>>()
        .map_err(|source| Error::NotJson { path: path.to_path_buf(), source })
}
