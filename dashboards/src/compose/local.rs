//! The commands that need no collector, or only look whether one heard: how each ends.

use std::io::Write;
use std::path::PathBuf;

use watchpost_model::asset::Host;

use crate::cli::DrillArgs;
use crate::client::Source;
use crate::clock;
use crate::commands::Output;
use crate::exit::Exit;
use crate::words::{Lang, drill as words};

use super::drill::{Kind, Trace};
use super::{detect, drill, rules, up};

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The search.
    #[error(transparent)]
    Detect(#[from] detect::Error),
    /// The explanation.
    #[error(transparent)]
    Rules(#[from] rules::Error),
    /// The drill.
    #[error(transparent)]
    Drill(#[from] drill::Error),
    /// The output.
    #[error("cannot write the answer: {0}")]
    Output(#[from] std::io::Error),
    /// An answer could not be written as JSON.
    #[error("cannot write the answer as json: {0}")]
    Json(#[from] serde_json::Error),
    /// No agent is known.
    #[error("no agent of this host is known; name its state folder with --agent")]
    NoAgent,
}

impl Error {
    /// How the program ends with it.
    #[must_use]
    pub fn exit(&self) -> Exit {
        match self {
            Self::Detect(detect::Error::Log(watchpost_agent::commands::logs::Error::Source { .. }))
            | Self::Rules(rules::Error::NoRule { .. })
            | Self::NoAgent => Exit::Usage,
            _ => Exit::Broken,
        }
    }
}

/// `detect`: 0 nothing found, 1 something found. Inputs that can not be read (to their end) are an
/// error, after everything else has been searched.
///
/// # Errors
/// A file, the rules or the output can not be used.
#[expect(clippy::print_stderr, reason = "the summary is for people, the matches are for programs")]
pub fn detect(arguments: &detect::Arguments, out: &mut dyn Write) -> Result<Exit, Error> {
    let mut summary = detect::run(arguments, out)?;
    // Findings first: both may go to the same terminal.
    out.flush()?;
    if summary.events > 0 || summary.failed.is_empty() {
        eprint!("{}", crate::clean::neutral_lines(&summary.told()));
    }
    let last = summary.failed.pop();
    for error in &summary.failed {
        eprintln!("watchpost: {}", crate::clean::neutral_lines(&error.to_string()));
    }
    match last {
        Some(error) => Err(error.into()),
        None => Ok(if summary.findings > 0 { Exit::Findings } else { Exit::Fine }),
    }
}

/// `rules`: 1 when something is rejected, the rule does not fire or the signature does not hold.
///
/// # Errors
/// A file can not be read or written.
pub fn rules(command: &rules::Command, lang: Lang, out: &mut dyn Write) -> Result<Exit, Error> {
    Ok(if rules::run(command, lang, out)? { Exit::Fine } else { Exit::Findings })
}

/// The capture rung of this machine's agent, as the collector last heard; empty where it knows none.
fn rung_here(hosts: &[Host]) -> String {
    let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let here = hosts.iter().filter(|host| host.name == name).max_by_key(|host| host.last_heard);
    here.map(|host| host.rung.clone()).unwrap_or_default()
}

/// Whether a capture rung can see a trace at all. Without packets there are no sweeps and no
/// lookups; logs and processes have sensors of their own.
fn sees(rung: &str, trace: Kind) -> bool {
    let without_packets = matches!(rung, "sockets" | "none");
    !(without_packets && matches!(trace, Kind::PortSweep | Kind::ListedDomain))
}

/// `drill`: 1 when an alert did not arrive. A trace that this host's capture can not see is told
/// and not waited for.
///
/// # Errors
/// A trace can not be made, or the collector does not answer.
pub fn drill(
    arguments: &DrillArgs,
    source: &dyn Source,
    lang: Lang,
    out: &mut dyn Write,
) -> Result<Exit, Error> {
    let usual = || arguments.data.clone().or_else(up::usual_data).map(|data| data.join("agent"));
    let agent: PathBuf = arguments.agent.clone().or_else(usual).ok_or(Error::NoAgent)?;
    let words = words::words(lang);
    if arguments.format == Output::Table {
        writeln!(out, "{}", words.opening)?;
        out.flush()?;
    }
    let traces = drill::plan(clock::now(), &watchpost_agent::run::sensors::drill_log(&agent));
    let rung = rung_here(&source.hosts().map_err(drill::Error::from)?);
    let (traces, unseen): (Vec<Trace>, Vec<Trace>) =
        traces.into_iter().partition(|trace| sees(&rung, trace.kind));
    let arrivals = drill::hold(&traces, source, drill::PATIENCE)?;
    match arguments.format {
        Output::Table => {
            for trace in &unseen {
                writeln!(out, "{}", (words.unseen)((words.trace)(trace.kind), &rung))?;
            }
            drill::print(&arrivals, words, out)?;
        }
        Output::Json => {
            for arrival in &arrivals {
                serde_json::to_writer(&mut *out, arrival)?;
                writeln!(out)?;
            }
            for trace in &unseen {
                let said = serde_json::json!({ "trace": trace.kind, "not_visible_with": rung });
                writeln!(out, "{said}")?;
            }
        }
    }
    let all = arrivals.iter().all(drill::Arrival::arrived);
    Ok(if all { Exit::Fine } else { Exit::Findings })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn traces_of_packets_are_not_expected_where_no_packets_are_seen() {
        for rung in ["sockets", "none"] {
            assert!(!sees(rung, Kind::PortSweep) && !sees(rung, Kind::ListedDomain));
            assert!(sees(rung, Kind::FailedLogins) && sees(rung, Kind::SuspiciousCommand));
        }
        assert!(sees("ring", Kind::PortSweep));
        assert!(sees("", Kind::PortSweep), "an unknown rung excuses nothing");
    }

    #[test]
    fn the_rung_is_that_of_this_machine_as_last_heard() {
        let mut hosts = crate::samples::hosts();
        assert_eq!(rung_here(&hosts), "", "no sample bears this machine's name");
        let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
        for (host, rung) in hosts.iter_mut().zip(["ring", "sockets"]) {
            (host.name, host.rung) = (name.clone(), rung.to_owned());
        }
        assert_eq!(rung_here(&hosts), "ring");
    }
}
