//! `flows --read FILE`: the records that a capture file gives, as one JSON object per line.
//!
//! The same path as live capture, with time taken from the file. A damaged file gives what can
//! be read of it, then an error.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use watchpost_model::Event;

use super::Outcome;
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

/// Reads a capture file and hands each record to `take`.
///
/// # Errors
/// See [`Error`]: in the case of `Damaged`, records have been handed over all the same.
pub fn each(read: &Path, take: &mut dyn FnMut(Event) -> io::Result<()>) -> Result<Summary, Error> {
    let opened = Replay::open(read).map_err(|source| Error::Open { path: read.to_owned(), source })?;
    every(opened, read, take)
}

/// Reads a capture from anything that can be read; `name` stands for it in errors.
///
/// # Errors
/// As [`each`].
pub fn each_from(
    from: impl io::Read + 'static,
    name: &Path,
    take: &mut dyn FnMut(Event) -> io::Result<()>,
) -> Result<Summary, Error> {
    let opened = Replay::from_reader(from).map_err(|source| Error::Open { path: name.to_owned(), source })?;
    every(opened, name, take)
}

fn every(
    mut source: Replay,
    read: &Path,
    take: &mut dyn FnMut(Event) -> io::Result<()>,
) -> Result<Summary, Error> {
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
        hand_over(&mut events, &mut summary, take)?;
    };
    sensor.finish(&mut events);
    hand_over(&mut events, &mut summary, take)?;
    summary.frames = sensor.frames();
    summary.problems = sensor.problems();
    summary.evicted = sensor.evicted();
    match damage {
        None => Ok(summary),
        Some(source) => Err(Error::Damaged { path: read.to_owned(), source, summary }),
    }
}

fn hand_over(
    events: &mut Vec<Event>,
    summary: &mut Summary,
    take: &mut dyn FnMut(Event) -> io::Result<()>,
) -> io::Result<()> {
    for event in events.drain(..) {
        take(event)?;
        summary.events = summary.events.saturating_add(1);
    }
    Ok(())
}

/// Reads a capture file and writes its records, one JSON object a line.
///
/// # Errors
/// As [`each`].
pub fn run(read: &Path, out: &mut dyn Write) -> Result<Summary, Error> {
    let done = each(read, &mut |event| {
        serde_json::to_writer(&mut *out, &event.to_json())?;
        out.write_all(b"\n")
    });
    out.flush()?;
    done
}

/// The command: records to `out`, a summary to the log.
///
/// # Errors
/// As [`run`].
pub fn command(read: &Path, out: &mut dyn Write) -> anyhow::Result<Outcome> {
    let summary = run(read, &mut io::BufWriter::new(out))?;
    tracing::info!(frames = summary.frames, events = summary.events, problems = ?summary.problems, "read");
    Ok(Outcome::Done)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use serde_json::Value as Json;

    use super::*;

    type End = (String, u64);

    fn test_data() -> Option<PathBuf> {
        let root = std::env::var_os("WATCHPOST_TEST_DATA")
            .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data"), PathBuf::from);
        if root.is_dir() {
            return Some(root);
        }
        println!("SKIPPED: no test data at {}; set WATCHPOST_TEST_DATA", root.display());
        None
    }

    fn rows(path: &Path) -> Vec<Json> {
        let mut out = Vec::new();
        let _ = run(path, &mut out);
        out.split(|byte| *byte == b'\n')
            .filter(|line| !line.is_empty())
            .map(|line| serde_json::from_slice(line).unwrap())
            .collect()
    }

    fn end(json: &Json, side: &str) -> End {
        let side = json.get(side);
        let text = side.and_then(|side| side.get("ip")).and_then(Json::as_str).unwrap_or_default();
        (text.to_owned(), side.and_then(|side| side.get("port")).and_then(Json::as_u64).unwrap_or(0))
    }

    /// Packets of both directions by transport and ends, over all records of a capture.
    fn totals(path: &Path) -> HashMap<(String, End, End), (u64, u64)> {
        let mut table = HashMap::new();
        for row in rows(path) {
            let count = |side: &str| row.pointer(&format!("/{side}/packets")).and_then(Json::as_u64);
            let (Some(sent), Some(received)) = (count("source"), count("destination")) else { continue };
            let transport =
                row.pointer("/network/transport").and_then(Json::as_str).unwrap_or_default().to_owned();
            let entry =
                table.entry((transport, end(&row, "source"), end(&row, "destination"))).or_insert((0, 0));
            *entry = (entry.0 + sent, entry.1 + received);
        }
        table
    }

    fn cases(path: &Path, list: &str) -> Vec<Json> {
        let index: Json = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        let all = index.get(list).and_then(Json::as_array).unwrap().clone();
        all.into_iter().filter(|case| case.get("flow_check").and_then(Json::as_str) == Some("core")).collect()
    }

    fn text<'a>(json: &'a Json, key: &str) -> &'a str {
        json.get(key).and_then(Json::as_str).unwrap_or_default()
    }

    fn number(json: &Json, key: &str) -> u64 {
        json.get(key).and_then(Json::as_u64).unwrap_or(0)
    }

    #[test]
    fn flows_have_the_ends_and_packets_that_zeek_found() {
        let Some(root) = test_data() else { return };
        for case in cases(&root.join("pcap/zeek/expected.json"), "cases") {
            let found = totals(&root.join("pcap/zeek").join(text(&case, "pcap")));
            for wanted in case.pointer("/expected/conn").and_then(Json::as_array).into_iter().flatten() {
                let transport = text(wanted, "proto");
                if !matches!(transport, "tcp" | "udp") || wanted.get("orig_pkts").is_none() {
                    continue;
                }
                let source = (text(wanted, "id.orig_h").to_owned(), number(wanted, "id.orig_p"));
                let destination = (text(wanted, "id.resp_h").to_owned(), number(wanted, "id.resp_p"));
                let key = (transport.to_owned(), source, destination);
                let packets = (number(wanted, "orig_pkts"), number(wanted, "resp_pkts"));
                assert_eq!(found.get(&key), Some(&packets), "{} {key:?}", text(&case, "case"));
            }
        }
    }

    #[test]
    fn flows_have_the_packets_that_ndpi_counted() {
        let Some(root) = test_data() else { return };
        for case in cases(&root.join("pcap/ndpi/flows.json"), "pcaps") {
            let found = totals(&root.join("pcap/ndpi").join(text(&case, "pcap")));
            for wanted in case.get("flows").and_then(Json::as_array).into_iter().flatten() {
                let transport = text(wanted, "l4").to_ascii_lowercase();
                if !matches!(transport.as_str(), "tcp" | "udp") {
                    continue;
                }
                let client = (text(wanted, "src").to_owned(), number(wanted, "sport"));
                let server = (text(wanted, "dst").to_owned(), number(wanted, "dport"));
                let (there, back) = (number(wanted, "c2s_pkts"), number(wanted, "s2c_pkts"));
                // A flow that goes on after a long silence may be opened from the other side.
                let forth = found.get(&(transport.clone(), client.clone(), server.clone())).copied();
                let turned = found.get(&(transport, server, client.clone())).copied();
                let (forth, turned) = (forth.unwrap_or_default(), turned.unwrap_or_default());
                let sum = (forth.0 + turned.1, forth.1 + turned.0);
                assert_eq!(sum, (there, back), "{} {client:?}", text(&case, "pcap"));
            }
        }
    }

    #[test]
    fn a_damaged_file_gives_its_first_records_and_an_error() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        let mut bytes =
            vec![0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 101, 0, 0, 0];
        let packet =
            [0x45, 0, 0, 28, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2, 0, 7, 0, 9, 0, 8, 0, 0];
        bytes.extend_from_slice(&[1, 0, 0, 0, 0, 0, 0, 0, 28, 0, 0, 0, 28, 0, 0, 0]);
        bytes.extend_from_slice(&packet);
        bytes.extend_from_slice(&[2, 0, 0, 0, 0, 0, 0, 0, 28, 0, 0]);
        file.write_all(&bytes).unwrap();
        let mut out = Vec::new();
        let error = run(file.path(), &mut out).unwrap_err();
        assert!(
            matches!(error, Error::Damaged { summary: Summary { frames: 1, events: 1, .. }, .. }),
            "{error}"
        );
        assert!(out.ends_with(b"\n"));
    }
}
