//! `watchpost detect`: files through decoding and rules, with no server at all.
//!
//! Every match is one JSON object on stdout, in the order of the input; a summary and all problems
//! go to stderr. What can not be read is counted and named, never fatal: the rest still counts.
//!
//! One thread reads and cuts the input into units, workers decode them and hold them against the
//! base rules, and the caller's thread takes the results in order and lets correlations count. So
//! that findings do not depend on the number of workers, an event that a correlation counts is held
//! against the rules once more, in order.

mod crew;
pub mod evtx;
mod json;
mod print;
mod progress;
mod search;
mod source;
pub(crate) mod stamp;
mod summary;
mod unit;

use std::io::Write;
use std::path::{Path, PathBuf};

use watchpost_rules::pack::PublicKey;
use watchpost_rules::{OwnedLogsource, Rejected, RuleSet, Source, pack};

pub use summary::Summary;

/// What to read and how.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Rule files or folders; the shipped rules where absent.
    #[arg(long, num_args = 1.., value_name = "PATH")]
    pub rules: Vec<PathBuf>,
    /// What stands for placeholders: a TOML file, name = ["value"], or the collector's configuration.
    #[arg(long, value_name = "FILE")]
    pub placeholders: Option<PathBuf>,
    /// Public key (RW…) or file with one, whose rule packs are used; may be given several times.
    #[arg(long, value_name = "KEY")]
    pub trust: Vec<String>,
    /// Files or folders to read, in this order; `-` is standard input. What ends in `.zst` is unpacked.
    #[arg(long, required = true, num_args = 1.., value_name = "PATH")]
    pub read: Vec<PathBuf>,
    /// What kind of file it is; by its first bytes or its ending where absent.
    #[arg(long, value_enum)]
    pub input: Option<Input>,
    /// Logsource of foreign events, e.g. `product=linux,service=auditd`; read from the event
    /// where absent.
    #[arg(long, value_name = "K=V,…", value_parser = logsource)]
    pub logsource: Option<OwnedLogsource>,
    /// Log source name for `--input log`, e.g. `sshd` or `nginx`.
    #[arg(long, default_value = "syslog", value_name = "NAME")]
    pub source: String,
    /// Worker threads; as many as there are cores where absent.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    pub threads: Option<u16>,
    /// Tell the progress on stderr even where that is no terminal.
    #[arg(long)]
    pub progress: bool,
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
    /// A Windows event log.
    Evtx,
}

/// Why a file could not be searched.
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
    /// Most lines are no events.
    #[error(
        "{unreadable} of {events} events of {path} cannot be read: line {line}: {reason}; give one JSON object a line, or say what the file is with --input"
    )]
    MostUnread {
        /// The file.
        path: PathBuf,
        /// Lines and array members that are no events.
        unreadable: u64,
        /// All of them.
        events: u64,
        /// The first that can not be read, counted from 1.
        line: u64,
        /// What is wrong with it.
        reason: String,
    },
    /// It ends before its end.
    #[error("{path} is cut off: {what}; what is there was read")]
    Cut {
        /// The file.
        path: PathBuf,
        /// Where and how that is known.
        what: String,
    },
    /// The thread that reads ended by a panic.
    #[error("reading the input failed by a fault of the program; please report it")]
    Fault,
    /// It does not begin as a Windows event log.
    #[error("{path} is no Windows event log: it does not begin with ElfFile")]
    NoEventLog {
        /// The file.
        path: PathBuf,
    },
    /// Not one record of an event log can be read.
    #[error("no record of {path} can be read: {reason}")]
    NoRecord {
        /// The file.
        path: PathBuf,
        /// What is wrong with the first.
        reason: String,
    },
    /// Packed in a way that is not unpacked here.
    #[error(
        "{path} is packed with gzip, which is not unpacked here; use `gunzip -c FILE | watchpost detect --read -`"
    )]
    Gzip {
        /// The file.
        path: PathBuf,
    },
    /// A folder without a file.
    #[error("no file is in {path}")]
    EmptyFolder {
        /// The folder.
        path: PathBuf,
    },
    /// The placeholders or a key can not be read.
    #[error(transparent)]
    Rules(#[from] super::rules::Error),
    /// Nobody reads our output.
    #[error("cannot write the findings: {0}")]
    Write(std::io::Error),
    /// The system gives no thread.
    #[error("cannot start a thread: {0}; try --threads 1")]
    Thread(std::io::Error),
    /// No rule could be loaded.
    #[error("no rule could be loaded from {paths}{why}")]
    NoRules {
        /// The paths given.
        paths: String,
        /// The first rejection, after a colon; empty where there is none.
        why: String,
    },
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

/// Rules from the paths given (packs only where one of the keys signed them), or the shipped ones.
#[must_use]
pub fn sources(paths: &[PathBuf], trusted: &[PublicKey]) -> (Vec<Source>, Vec<Rejected>) {
    if paths.is_empty() {
        return (watchpost_rules::shipped::shipped(), Vec::new());
    }
    pack::read_trusted(paths, trusted)
}

/// Runs the search and prints every match to `out`. Files that can not be read (to their end) are
/// in the summary; the others are searched all the same.
///
/// # Errors
/// When the rules or the output can not be used at all.
pub fn run(arguments: &Arguments, out: &mut dyn Write) -> Result<Summary, Error> {
    let keys = super::rules::keys(&arguments.trust)?;
    let values = arguments.placeholders.as_deref().map(super::rules::placeholders).transpose()?;
    let (sources, unread) = sources(&arguments.rules, &keys);
    let set = RuleSet::load_with(&sources, &values.unwrap_or_default());
    if set.rules().is_empty() {
        return Err(no_rules(&arguments.rules, unread.iter().chain(set.rejected())));
    }
    let mut summary = crew::run(arguments, &set, out)?;
    summary.rules = set.rules().len();
    summary.rejected = unread.len() + set.rejected().len();
    summary.rule_set = set.hash().to_owned();
    summary.unmet = set.unmet();
    Ok(summary)
}

fn logsource(text: &str) -> Result<OwnedLogsource, String> {
    OwnedLogsource::parse(text)
        .ok_or_else(|| format!("{text:?} is not KEY=VALUE,… with the keys category, product, service"))
}

fn shown(path: &Path) -> PathBuf {
    if path == Path::new("-") { PathBuf::from("standard input") } else { path.to_owned() }
}

#[cfg(test)]
mod tests;
