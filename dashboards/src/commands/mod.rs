//! The analyst's work without the screen: lists, a hunt, a report, and a headless watch.
//!
//! Answers go to standard output, one JSON object per line or an aligned table; words for people go
//! to standard error. Every command takes its source as a [`Source`], so that tests need no
//! collector. How a command ends is in [`crate::exit`].

mod lists;
mod report;
mod watch;

#[cfg(test)]
mod tests;

use std::io::Write;

use crate::client::{self, Source};
use crate::exit::Exit;
use crate::theme::Theme;
use crate::words::Lang;

pub use lists::{AlertArgs, HuntArgs, IncidentArgs, alerts, hosts, hunt, incidents};
pub use report::{ReportArgs, report};
pub use watch::headless;

/// How a list is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Output {
    /// Aligned columns, for people.
    #[default]
    Table,
    /// One JSON object per line.
    Json,
}

/// Where a command asks, in which words it answers and where to.
pub struct Desk<'a> {
    /// Where the answers come from.
    pub source: &'a dyn Source,
    /// The language.
    pub lang: Lang,
    /// The looks of symbols; colour is never used in a list.
    pub theme: Theme,
    /// How lists are printed.
    pub output: Output,
    /// Where answers go.
    pub out: &'a mut dyn Write,
    /// Where words for people go.
    pub err: &'a mut dyn Write,
}

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The collector did not answer as wished.
    #[error(transparent)]
    Source(#[from] client::Error),
    /// Standard output failed.
    #[error("cannot write the answer: {0}")]
    Output(#[from] std::io::Error),
    /// An answer could not be written as JSON.
    #[error("cannot write the answer as json: {0}")]
    Json(#[from] serde_json::Error),
    /// An argument is not what it must be.
    #[error("{0}")]
    Usage(String),
    /// A report could not be written.
    #[error("cannot write the report to {folder}: {source}; choose another folder with --out")]
    Report {
        /// Where to.
        folder: String,
        /// Why.
        source: std::io::Error,
    },
}

impl Error {
    /// How the program ends with it. A reader that has gone away (`| head`) is no failure.
    #[must_use]
    pub fn exit(&self) -> Exit {
        match self {
            Self::Source(error) => error.exit(),
            Self::Output(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Exit::Fine,
            Self::Usage(_) => Exit::Usage,
            _ => Exit::Broken,
        }
    }
}
