//! `watchpost drill`: tries the whole way out, on this host, without harm.
//!
//! It leaves four traces that look like an attack and bear a label: failed logins in a log that
//! the agent reads, a sweep over closed loopback ports, a process with a suspicious command line
//! that does nothing, and a lookup of a name that only drills use. Each label is announced to the
//! collector first, which believes no other. Then it watches the collector and says, per trace,
//! which alert arrived and after how long. Nothing leaves the host.

mod traces;

pub use traces::{Kind, Trace, plan};

use std::io::Write;
use std::time::Duration;

use serde::Serialize;
use watchpost_model::alert::{Alert, Severity};
use watchpost_model::query::AlertQuery;

use crate::client::{self, Source};
use crate::clock;
use crate::words::drill::Words;

/// Why a drill could not be held.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A trace could not be made.
    #[error("cannot make the trace {trace:?}: {source}")]
    Trace {
        /// Which.
        trace: Kind,
        /// Why.
        source: std::io::Error,
    },
    /// The collector does not answer.
    #[error(transparent)]
    Collector(#[from] client::Error),
    /// Nobody reads our output.
    #[error("cannot write the result: {0}")]
    Write(#[from] std::io::Error),
}

/// What became of one trace.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Arrival {
    /// The trace.
    pub trace: Kind,
    /// Title of the alert that arrived first.
    pub rule: Option<String>,
    /// Title in Chinese, where the rule has one.
    pub rule_zh: Option<String>,
    /// How bad the alert is.
    pub severity: Option<Severity>,
    /// Milliseconds from the end of the trace to the alert in the collector's answers.
    pub millis: Option<u64>,
}

impl Arrival {
    /// Whether an alert arrived.
    #[must_use]
    pub fn arrived(&self) -> bool {
        self.rule.is_some()
    }
}

/// How long an alert may take before the drill calls it missing.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// How often the collector is asked.
const PAUSE: Duration = Duration::from_millis(50);

/// Makes the traces one after the other and waits for their alerts.
///
/// # Errors
/// When a trace can not be made or the collector does not answer.
pub fn hold(traces: &[Trace], source: &dyn Source, patience: Duration) -> Result<Vec<Arrival>, Error> {
    let mut arrivals = Vec::new();
    for trace in traces {
        source.announce(&trace.drill())?;
        // Whatever the last trace still has running ends with this guard.
        let _running = trace.make().map_err(|source| Error::Trace { trace: trace.kind, source })?;
        arrivals.push(wait(trace, source, patience)?);
    }
    Ok(arrivals)
}

fn wait(trace: &Trace, source: &dyn Source, patience: Duration) -> Result<Arrival, Error> {
    let begun = clock::monotonic();
    loop {
        let page = source.alerts(&AlertQuery { limit: Some(100), ..AlertQuery::default() })?;
        if let Some(alert) = page.rows.iter().find(|alert| trace.made(alert)) {
            return Ok(arrival(trace.kind, Some((alert, begun.elapsed()))));
        }
        if begun.elapsed() >= patience {
            return Ok(arrival(trace.kind, None));
        }
        std::thread::sleep(PAUSE);
    }
}

fn arrival(trace: Kind, found: Option<(&Alert, Duration)>) -> Arrival {
    Arrival {
        trace,
        rule: found.map(|(alert, _)| alert.rule.name.clone()),
        rule_zh: found.map(|(alert, _)| alert.rule.name_zh.clone()).filter(|title| !title.is_empty()),
        severity: found.map(|(alert, _)| alert.severity),
        millis: found.map(|(_, span)| u64::try_from(span.as_millis()).unwrap_or(u64::MAX)),
    }
}

/// Prints one line a trace, in the reader's language, and a closing line.
///
/// # Errors
/// When the output can not be written.
pub fn print(arrivals: &[Arrival], words: &Words, out: &mut dyn Write) -> std::io::Result<()> {
    for arrival in arrivals {
        let title = match words.chinese_titles {
            true => arrival.rule_zh.as_ref().or(arrival.rule.as_ref()),
            false => arrival.rule.as_ref(),
        };
        let trace = (words.trace)(arrival.trace);
        match (title, arrival.millis) {
            (Some(title), Some(millis)) => writeln!(out, "{}", (words.arrived)(trace, title, millis))?,
            _ => writeln!(out, "{}", (words.missing)(trace))?,
        }
    }
    let arrived = arrivals.iter().filter(|arrival| arrival.arrived()).count();
    writeln!(out, "{}", (words.closing)(arrived, arrivals.len()))
}
