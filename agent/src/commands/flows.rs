//! `flows --read FILE`: the records that a capture file gives, as one JSON object per line.
//!
//! The same path as live capture, with time taken from the file. A damaged file gives what can
//! be read of it, then an error.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use watchpost_model::Event;

use crate::capture::{PacketSource, Replay, ReplayError, Sensor};
use crate::decode::Problems;
use crate::flow::{Place, Settings};

/// What was read and written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Frames in the file.
    pub frames: u64,
    /// Events written.
    pub events: u64,
    /// Frames that gave no packet, by reason.
    pub problems: Problems,
    /// Flows ended early because the table was full.
    pub evicted: u64,
}

/// Why the command failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The file can not be opened or is no capture.
    #[error("can not read {path}: {source}")]
    Open {
        /// The file.
        path: PathBuf,
        /// Why.
        source: ReplayError,
    },
    /// The file is damaged; what came before the damage has been written.
    #[error("{path} is damaged after {} frames: {source}; what came before has been written", summary.frames)]
    Damaged {
        /// The file.
        path: PathBuf,
        /// How.
        source: ReplayError,
        /// What was read and written.
        summary: Summary,
    },
    /// The output is closed.
    #[error("can not write events: {0}")]
    Write(#[from] io::Error),
}

/// Reads a capture file and writes its records.
///
/// # Errors
/// See [`Error`]: in the case of `Damaged`, records have been written all the same.
pub fn run(read: &Path, out: &mut dyn Write) -> Result<Summary, Error> {
    let mut source = Replay::open(read).map_err(|source| Error::Open { path: read.to_owned(), source })?;
    let place = Place { rung: "replay", ..Place::default() };
    let mut sensor = Sensor::new(Settings::offline(), place, Vec::new());
    let mut summary = Summary::default();
    let mut events = Vec::new();
    let damage = loop {
        match source.next_packet() {
            Ok(Some(captured)) => sensor.take(&captured, &mut events),
            Ok(None) => break None,
            Err(problem) => break Some(problem),
        }
        write(&mut events, &mut summary, out)?;
    };
    sensor.finish(&mut events);
    write(&mut events, &mut summary, out)?;
    out.flush()?;
    summary.frames = sensor.frames();
    summary.problems = sensor.problems();
    summary.evicted = sensor.evicted();
    match damage {
        None => Ok(summary),
        Some(source) => Err(Error::Damaged { path: read.to_owned(), source, summary }),
    }
}

fn write(events: &mut Vec<Event>, summary: &mut Summary, out: &mut dyn Write) -> io::Result<()> {
    for event in events.drain(..) {
        serde_json::to_writer(&mut *out, &event.to_json())?;
        out.write_all(b"\n")?;
        summary.events = summary.events.saturating_add(1);
    }
    Ok(())
}
