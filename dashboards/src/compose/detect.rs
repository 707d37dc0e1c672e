//! `watchpost detect`: a file through decoding and rules, with no server at all.
//!
//! Every match is one JSON object on stdout; a summary and all problems go to stderr. Lines that
//! can not be read are counted and named, never fatal: the rest of the file still counts.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};

use serde_json::{Value as Json, json};
use watchpost_model::id::EventRef;
use watchpost_model::{Event, Timestamp};
use watchpost_rules::{Detector, Finding, OwnedLogsource, Rejected, RuleSet, Source, Subject, pack};

/// What to read and how.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Rule files or folders; the shipped rules where absent.
    #[arg(long, num_args = 1.., value_name = "PATH")]
    pub rules: Vec<PathBuf>,
    /// File to read.
    #[arg(long, value_name = "FILE")]
    pub read: PathBuf,
    /// What kind of file it is; by its ending where absent.
    #[arg(long, value_enum)]
    pub input: Option<Input>,
    /// Logsource of foreign events, e.g. `product=linux,service=auditd`; read from the event
    /// where absent.
    #[arg(long, value_name = "K=V,…", value_parser = logsource)]
    pub logsource: Option<OwnedLogsource>,
    /// Log source name for `--input log`, e.g. `sshd` or `nginx`.
    #[arg(long, default_value = "syslog", value_name = "NAME")]
    pub source: String,
}

/// Kinds of input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Input {
    /// One JSON object a line: our own events, or foreign ones.
    Ndjson,
    /// A packet capture (pcap or pcapng).
    Pcap,
    /// A log file, read by the parser named with `--source`.
    Log,
}

impl Input {
    fn by_ending(path: &Path) -> Self {
        match path.extension().and_then(|ending| ending.to_str()) {
            Some("pcap" | "pcapng" | "cap") => Self::Pcap,
            Some("log") => Self::Log,
            _ => Self::Ndjson,
        }
    }
}

/// Why a file could not be searched at all.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The file can not be read.
    #[error("cannot read {path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The packet capture is broken.
    #[error(transparent)]
    Capture(#[from] watchpost_agent::commands::flows::Error),
    /// The log can not be parsed with that source name.
    #[error(transparent)]
    Log(#[from] watchpost_agent::commands::logs::Error),
    /// Not one line is an event.
    #[error(
        "no line of {path} can be read as JSON: line {line}: {reason}; say what the file is with --input"
    )]
    NothingRead {
        /// The file.
        path: PathBuf,
        /// The first line that can not be read, counted from 1.
        line: u64,
        /// What is wrong with it.
        reason: String,
    },
    /// Nobody reads our output.
    #[error("cannot write the findings: {0}")]
    Write(std::io::Error),
    /// No rule could be loaded.
    #[error("no rule could be loaded from {paths}{why}")]
    NoRules {
        /// The paths given.
        paths: String,
        /// The first rejection, after a colon; empty where there is none.
        why: String,
    },
}

/// What came of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Events read.
    pub events: u64,
    /// Lines that are not events.
    pub unreadable: u64,
    /// Matches printed.
    pub findings: u64,
    /// Rules that could not be used.
    pub rejected: usize,
}

/// A rejection as a compiler says it: `file:line: reason`.
#[must_use]
pub fn said(rejected: &Rejected) -> String {
    match rejected.line {
        Some(line) => format!("{}:{line}: {}", rejected.file, rejected.reason),
        None => format!("{}: {}", rejected.file, rejected.reason),
    }
}

/// That nothing could be loaded from these paths, and the first reason.
#[must_use]
pub fn no_rules<'a>(paths: &[PathBuf], rejected: impl IntoIterator<Item = &'a Rejected>) -> Error {
    let paths: Vec<_> = paths.iter().map(|path| path.display().to_string()).collect();
    let why = rejected.into_iter().next().map(|first| format!(": {}", said(first))).unwrap_or_default();
    Error::NoRules { paths: paths.join(" "), why }
}

/// Rules from the paths given, or the shipped ones.
#[must_use]
pub fn sources(paths: &[PathBuf]) -> (Vec<Source>, Vec<Rejected>) {
    if paths.is_empty() { (watchpost_rules::shipped::shipped(), Vec::new()) } else { pack::read_paths(paths) }
}

/// Runs the search and prints every match to `out`.
///
/// # Errors
/// When the file, the rules or the output can not be used at all.
pub fn run(arguments: &Arguments, out: &mut dyn Write) -> Result<Summary, Error> {
    let (sources, unread) = sources(&arguments.rules);
    let set = RuleSet::load(&sources);
    if set.rules().is_empty() {
        return Err(no_rules(&arguments.rules, unread.iter().chain(set.rejected())));
    }
    let rejected = unread.len() + set.rejected().len();
    let summary = Summary { rejected, ..Summary::default() };
    let mut search = Search { detector: Detector::new(&set), out, summary };
    match arguments.input.unwrap_or_else(|| Input::by_ending(&arguments.read)) {
        Input::Ndjson => read_json(arguments, &mut search)?,
        Input::Pcap => {
            let each = &mut |event: Event| search.typed(&event);
            watchpost_agent::commands::flows::each(&arguments.read, each)?;
        }
        Input::Log => {
            let each = &mut |event: &Event| search.typed(event);
            watchpost_agent::commands::logs::each(&arguments.source, &arguments.read, each)?;
        }
    }
    Ok(search.summary)
}

fn read_json(arguments: &Arguments, search: &mut Search<'_>) -> Result<(), Error> {
    let read = |source| Error::Read { path: arguments.read.clone(), source };
    let mut lines = BufReader::new(File::open(&arguments.read).map_err(read)?);
    let (mut line, mut number, mut first) = (Vec::new(), 0_u64, None);
    loop {
        line.clear();
        if lines.read_until(b'\n', &mut line).map_err(read)? == 0 {
            return search.any_read(arguments, first);
        }
        number += 1;
        if line.trim_ascii().is_empty() {
            continue;
        }
        match serde_json::from_slice::<Json>(&line) {
            Ok(json) => search.json(&json, arguments.logsource.as_ref()).map_err(Error::Write)?,
            Err(error) => {
                first = first.or_else(|| Some((number, bare(&error))));
                search.summary.unreadable += 1;
                search.summary.events += 1;
            }
        }
    }
}

/// The reason without serde's own position, which counts every line as the first.
fn bare(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.rsplit_once(" at line ").map_or(text.clone(), |(reason, _)| reason.to_owned())
}

struct Search<'a> {
    detector: Detector,
    out: &'a mut dyn Write,
    summary: Summary,
}

impl Search<'_> {
    /// A file of which no line is an event was not searched: an answer of "nothing found" would lie.
    fn any_read(&self, arguments: &Arguments, first: Option<(u64, String)>) -> Result<(), Error> {
        match first {
            Some((line, reason)) if self.summary.unreadable == self.summary.events => {
                Err(Error::NothingRead { path: arguments.read.clone(), line, reason })
            }
            _ => Ok(()),
        }
    }

    fn typed(&mut self, event: &Event) -> std::io::Result<()> {
        self.observe(&Subject::Typed(event), event.time)
    }

    /// Our own events are known by their dataset; everything else is matched on the names it bears.
    fn json(&mut self, json: &Json, logsource: Option<&OwnedLogsource>) -> std::io::Result<()> {
        if logsource.is_none()
            && let Some(event) = Event::from_json(json)
        {
            return self.typed(&event);
        }
        let position = i64::try_from(self.summary.events).unwrap_or(i64::MAX);
        let time = time_of(json).unwrap_or(Timestamp::from_parts(position, 0));
        self.observe(&Subject::Foreign { json, logsource }, time)
    }

    fn observe(&mut self, subject: &Subject<'_>, time: Timestamp) -> std::io::Result<()> {
        let at = EventRef { frame: self.summary.events, index: 0 };
        self.summary.events += 1;
        for finding in self.detector.observe(subject, at, time) {
            self.summary.findings += 1;
            writeln!(self.out, "{}", as_json(&finding, at.frame))?;
        }
        Ok(())
    }
}

fn as_json(finding: &Finding, index: u64) -> Json {
    let fields: serde_json::Map<String, Json> =
        finding.matched.iter().map(|field| (field.field.clone(), Json::from(field.value.as_str()))).collect();
    let mut object = json!({
        "@timestamp": finding.time,
        "rule": {
            "id": finding.rule.meta.id,
            "name": finding.rule.meta.name,
            "level": finding.rule.severity.name(),
        },
        "event": { "index": index },
        "fields": fields,
    });
    if let Some(count) = finding.count {
        let events: Vec<u64> = finding.events.iter().map(|at| at.frame).collect();
        let group: serde_json::Map<String, Json> =
            finding.group.iter().map(|(name, value)| (name.clone(), Json::from(value.as_str()))).collect();
        object["correlation"] = json!({ "count": count, "group": group, "events": events });
    }
    object
}

/// The time a foreign event says it happened, in the places where the usual formats keep it.
#[must_use]
pub fn time_of(json: &Json) -> Option<Timestamp> {
    let places =
        ["/@timestamp", "/Event/System/TimeCreated/#attributes/SystemTime", "/timestamp", "/UtcTime", "/ts"];
    places.iter().find_map(|place| {
        let value = json.pointer(place)?;
        match value {
            Json::String(text) => Timestamp::parse(text)
                .or_else(|| Timestamp::parse(&format!("{}Z", text.replacen(' ', "T", 1)))),
            Json::Number(seconds) => {
                let seconds = seconds.as_f64().filter(|s| s.is_finite() && s.abs() < 9e9)?;
                #[expect(
                    clippy::cast_possible_truncation,
                    reason = "bounded above, and a float's precision is what it is"
                )]
                Some(Timestamp::from_nanos((seconds * 1e9) as i64))
            }
            _ => None,
        }
    })
}

fn logsource(text: &str) -> Result<OwnedLogsource, String> {
    OwnedLogsource::parse(text)
        .ok_or_else(|| format!("{text:?} is not KEY=VALUE,… with the keys category, product, service"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_logsource_is_read_and_a_wrong_key_is_named() {
        assert_eq!(logsource("product=linux,service=auditd").unwrap().service.as_deref(), Some("auditd"));
        assert!(logsource("host=a").unwrap_err().contains("host=a"));
    }

    #[test]
    fn the_time_is_found_where_foreign_formats_keep_it() {
        let sysmon = json!({"UtcTime": "2025-11-28 08:30:20.964"});
        assert_eq!(time_of(&sysmon), Timestamp::parse("2025-11-28T08:30:20.964Z"));
        assert_eq!(time_of(&json!({"ts": 1.5})), Some(Timestamp::from_millis(1_500)));
        assert_eq!(time_of(&json!({"ts": "soon"})), None);
    }
}
