//! `watchpost rules`: what loads, what does not, what can never fire, and why a rule did or did
//! not fire on an event.

use std::io::Write;
use std::path::{Path, PathBuf};

use serde_json::{Value as Json, json};
use watchpost_model::Event;
use watchpost_rules::{Rejected, RuleSet, Subject, explain, pack};

/// What `rules check` found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Checked {
    /// Whether every rule loaded.
    pub clean: bool,
}

/// Loads the rules and prints `loaded`, `rejected` and `blind` as JSON.
///
/// # Errors
/// When a path does not exist or the output can not be written.
pub fn check(paths: &[PathBuf], out: &mut dyn Write) -> Result<Checked, Error> {
    if let Some(path) = paths.iter().find(|path| !path.exists()) {
        return Err(Error::NotFound { path: path.clone() });
    }
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
    /// The rule file is there, but what it holds is no rule.
    #[error("{said}")]
    Rejected {
        /// File, line and reason of each rejection, one a line.
        said: String,
    },
    /// No such path.
    #[error("{path} is not found; give rule files or folders")]
    NotFound {
        /// The path given.
        path: PathBuf,
    },
    /// No such rule.
    #[error("no rule {rule:?}; give a rule file, or the id of a shipped rule")]
    NoRule {
        /// What was asked for.
        rule: String,
    },
    /// Nobody reads our output.
    #[error("cannot write the answer: {0}")]
    Write(#[from] std::io::Error),
    /// The answer can not be written as JSON.
    #[error("cannot write the answer as json: {0}")]
    Json(#[from] serde_json::Error),
}

/// Explains, for each event of a file, why a rule fires or which part fails.
/// `rule` is a file or the id of a shipped rule. Returns whether it fires on any event.
///
/// # Errors
/// When the rule or the events can not be read.
pub fn explain(rule: &str, event: &Path, as_json: bool, out: &mut dyn Write) -> Result<bool, Error> {
    let file = PathBuf::from(rule);
    let (sources, unread) = if file.exists() {
        pack::read_paths(&[file])
    } else {
        (watchpost_rules::shipped::shipped(), Vec::new())
    };
    let set = RuleSet::load(&sources);
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
    let said: Vec<String> = unread.iter().chain(set.rejected()).map(super::detect::said).collect();
    if is_file && !said.is_empty() {
        return Err(Error::Rejected { said: said.join("\n") });
    }
    Err(Error::NoRule { rule: rule.to_owned() })
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
