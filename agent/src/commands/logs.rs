//! `logs --source NAME --read FILE`: the parsers over a file, without agent or server.
//!
//! One ECS event per record, as lines of JSON; lines that no parser knew come out too, marked raw.
//! The file is read as a stream and may be larger than memory.

use std::fs::File;
use std::io::{BufReader, Read, Write};
use std::path::{Path, PathBuf};

use jiff::tz::TimeZone;
use watchpost_model::{Event, field as f};

use super::Outcome;
use crate::clock;
use crate::parse::{Format, Line, Reader, Reference};
use crate::tail::LineBuffer;

/// What an offline run has read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Lines read.
    pub lines: u64,
    /// Events written; more than lines where a line stands for several.
    pub events: u64,
    /// Events of lines that no parser knew.
    pub raw: u64,
    /// Lines that were too long and have been cut.
    pub cut: u64,
}

/// Why an offline run could not be done.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The source name is none of ours.
    #[error("unknown log source {name:?}; known sources: {known}")]
    Source {
        /// As typed.
        name: String,
        /// All names, separated by commas.
        known: String,
    },
    /// The file can not be read.
    #[error("reading {} failed; check that it exists and may be read", path.display())]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The events can not be written.
    #[error("writing events failed; check that the output is still open")]
    Write(#[source] std::io::Error),
}

/// Bytes read from the file at once.
const CHUNK: usize = 64 * 1024;

/// Parses the file at `read` as `source` and hands each event to `take`.
///
/// # Errors
/// [`Error`] when the source is unknown, or reading fails, or `take` does. Odd lines are no error.
pub fn each(
    source: &str,
    read: &Path,
    take: &mut dyn FnMut(Event) -> std::io::Result<()>,
) -> Result<Summary, Error> {
    if Format::named(source).is_none() {
        return Err(unknown(source));
    }
    let file = File::open(read).map_err(|source| Error::Read { path: read.to_owned(), source })?;
    each_from(source, file, read, take)
}

/// Parses what can be read from `from` as `source`; `name` stands for it in errors.
///
/// # Errors
/// As [`each`].
pub fn each_from(
    source: &str,
    from: impl Read,
    name: &Path,
    take: &mut dyn FnMut(Event) -> std::io::Result<()>,
) -> Result<Summary, Error> {
    let format = Format::named(source).ok_or_else(|| unknown(source))?;
    let failed = |source| Error::Read { path: name.to_owned(), source };
    let mut file = BufReader::with_capacity(CHUNK, from);
    let reference = Reference { now: clock::now(), zone: TimeZone::system() };
    let mut run = Run { reader: Reader::new(format), reference, summary: Summary::default(), take };
    let (mut buffer, mut chunk) = (LineBuffer::default(), vec![0; CHUNK]);
    loop {
        let count = file.read(&mut chunk).map_err(failed)?;
        if count == 0 {
            break;
        }
        let mut rest = chunk.get(..count).unwrap_or_default();
        while let Some(line) = buffer.feed(&mut rest) {
            run.line(line.text(), line.cut)?;
        }
    }
    if let Some(line) = buffer.finish() {
        run.line(line.text(), line.cut)?;
    }
    let left = run.reader.finish();
    run.tell(left)?;
    Ok(run.summary)
}

/// Parses the file at `read` as `source` and writes its events to `out`, one JSON object a line.
///
/// # Errors
/// As [`each`].
pub fn run(source: &str, read: &Path, out: &mut dyn Write) -> Result<Summary, Error> {
    let summary = each(source, read, &mut |event| writeln!(out, "{}", event.to_json()))?;
    out.flush().map_err(Error::Write)?;
    Ok(summary)
}

/// The command: events to `out`, a summary to the log. An unknown source is wrong use.
///
/// # Errors
/// As [`run`].
pub fn command(source: &str, read: &Path, out: &mut dyn Write) -> anyhow::Result<Outcome> {
    match run(source, read, &mut std::io::BufWriter::new(out)) {
        Ok(summary) => {
            let Summary { lines, events, raw, cut } = summary;
            tracing::info!(lines, events, raw, cut, "read");
            Ok(Outcome::Done)
        }
        Err(error @ Error::Source { .. }) => {
            tracing::error!("{error}");
            Ok(Outcome::Misused)
        }
        Err(error) => Err(error.into()),
    }
}

fn unknown(name: &str) -> Error {
    let known = Format::SOURCES.map(|(known, _)| known).join(", ");
    Error::Source { name: name.to_owned(), known }
}

struct Run<'a> {
    reader: Reader,
    reference: Reference,
    summary: Summary,
    take: &'a mut dyn FnMut(Event) -> std::io::Result<()>,
}

impl Run<'_> {
    fn line(&mut self, text: impl AsRef<str>, cut: bool) -> Result<(), Error> {
        self.summary.lines += 1;
        self.summary.cut += u64::from(cut);
        let text = text.as_ref();
        if text.trim().is_empty() {
            return Ok(());
        }
        let events = self.reader.take(Line { text, cut }, &self.reference);
        self.tell(events)
    }

    fn tell(&mut self, events: Vec<Event>) -> Result<(), Error> {
        for event in events {
            self.summary.events += 1;
            self.summary.raw += u64::from(event.text(f::PARSE) == Some("raw"));
            (self.take)(event).map_err(Error::Write)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_comes_out_as_one_event() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        let text = "Nov 22 10:00:00 web sshd[7]: Accepted password for bob from 192.0.2.1 port 5 ssh2\nodd line\nlast";
        file.write_all(text.as_bytes()).unwrap();
        let mut out = Vec::new();
        let summary = run("sshd", file.path(), &mut out).unwrap();
        assert_eq!(summary, Summary { lines: 3, events: 3, raw: 2, cut: 0 });
        let first: serde_json::Value =
            serde_json::from_slice(out.split(|byte| *byte == b'\n').next().unwrap()).unwrap();
        assert_eq!(first.pointer("/source/ip").and_then(serde_json::Value::as_str), Some("192.0.2.1"));
    }

    #[test]
    fn an_unknown_source_lists_the_known_ones() {
        let error = run("nonsense", Path::new("nowhere"), &mut Vec::new()).unwrap_err();
        assert!(error.to_string().contains("nginx"), "{error}");
        let error = run("sshd", Path::new("nowhere"), &mut Vec::new()).unwrap_err();
        assert!(error.to_string().contains("nowhere"), "{error}");
    }
}
